"""Reserved properties: how they are shown, which are hidden, which are nobody's to write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from toolkit.base.values import Json

#: Updated At: kept by the table (SEEN-1).
LAST_SEEN: Final = "$last_seen"

#: First Seen: computed from the events when asked for.
FIRST_SEEN: Final = "$mp_first_event_time"

#: Never shown in a table, form or report; events that carry one leave the reports.
HIDDEN: Final = ("$bucket", "bucket")

#: What a person reads in place of a reserved name.
DISPLAY_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "$name": "Name",
        "$first_name": "First Name",
        "$last_name": "Last Name",
        "$email": "Email",
        "$phone": "Phone",
        "$avatar": "Avatar",
        "$created": "Created",
        "$city": "City",
        "$region": "Region",
        "$country_code": "Country",
        "$timezone": "Time Zone",
        "$geo_source": "Geo Source",
        "$transactions": "Transactions",
        LAST_SEEN: "Updated at",
        FIRST_SEEN: "First Seen",
        "$distinct_id": "Distinct ID",
    }
)

#: Fields of a message around its operators, which are never properties.
MESSAGE_FIELDS: Final = frozenset(
    {
        *("$distinct_id", "$group_key", "$group_id", "$token", "$time", "$ip"),
        *("$ignore_time", "$ignore_alias", "$latitude", "$longitude"),
    }
)

#: What SDKs put beside the operators of a message. None of it says anything of the profile,
#: whatever its value. Inside an operator such a name is a property like any other.
SDK_FIELDS: Final = frozenset(
    {
        *("$device_id", "$user_id", "$had_persisted_distinct_id", "$mp_metadata", "$insert_id"),
        *("$browser", "$browser_version", "$os", "$lib_version", "$mp_lib"),
    }
)


def display_name(name: str) -> str:
    """Return what to call a property in a heading: reserved names have one of their own.

    >>> display_name("$country_code"), display_name("plan")
    ('Country', 'plan')
    """
    return DISPLAY_NAMES.get(name, name)


def display_names(names: Iterable[str]) -> dict[str, str]:
    """Return what to call each of several properties in one list, by name.

    Those that would read alike are told apart by their names.

    >>> display_names(["plan", "$email"])
    {'plan': 'plan', '$email': 'Email'}
    >>> display_names(["$email", "Email"])
    {'$email': 'Email ($email)', 'Email': 'Email (Email)'}
    """
    labels = {name: display_name(name) for name in names}
    times_called = Counter(labels.values())
    return {
        name: label if times_called[label] == 1 else f"{label} ({name})"
        for name, label in labels.items()
    }


def title(properties: Mapping[str, Json], distinct_id: str) -> str:
    """Return what to call a profile.

    Its ``$name``, else ``$first_name`` and ``$last_name``, else ``$email``, else
    the distinct ID. Only text that is not blank counts; white space around it is
    left out. The result is untrusted text: escape it before it becomes HTML.

    Examples
    --------
    >>> title({"$first_name": "Alice", "$last_name": "Doe", "$email": "a@b.c"}, "123")
    'Alice Doe'
    >>> title({"$name": " ", "plan": "pro"}, "123")
    '123'
    """
    name = _text(properties, "$name")
    both = " ".join(filter(None, (_text(properties, n) for n in ("$first_name", "$last_name"))))
    return name or both or _text(properties, "$email") or distinct_id


def _text(properties: Mapping[str, Json], name: str) -> str:
    value = properties.get(name)
    return value.strip() if isinstance(value, str) else ""
