"""Reserved properties: how they are shown, which are hidden, which are nobody's to write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from toolkit.base.values import Json

#: Updated At: kept by the table (SEEN-1).
LAST_SEEN: Final = "$last_seen"

#: First Seen: computed from the events when asked for.
FIRST_SEEN: Final = "$mp_first_event_time"


@dataclass(frozen=True)
class Reserved:
    """A property whose name has a meaning.

    Attributes
    ----------
    name
        Its name in messages.
    label
        What a person reads in its place; empty if nobody is offered it.
    headers
        Headers of CSV files that mean it, in lower case without spaces and punctuation.
    is_text
        Whether it is text whatever it looks like: a number would lose what a telephone number
        or a name is shown by.
    is_offered
        Whether the editor offers it; not what the toolkit writes.
    refusal
        Why no form and no CSV column may write it; empty if they may.
    is_hidden
        Whether no table, form or report ever shows it; events that carry it leave the reports.
    is_field
        Whether it is a field of messages around their operators, and never a property.
    """

    name: str
    label: str = ""
    headers: tuple[str, ...] = ()
    is_text: bool = False
    is_offered: bool = True
    refusal: str = ""
    is_hidden: bool = False
    is_field: bool = False


_ROWS: Final = (
    Reserved("$name", "Name", ("name", "fullname"), is_text=True),
    Reserved("$first_name", "First Name", ("firstname",), is_text=True),
    Reserved("$last_name", "Last Name", ("lastname",), is_text=True),
    Reserved("$email", "Email", ("email", "emailaddress", "mail"), is_text=True),
    Reserved("$phone", "Phone", ("phone", "phonenumber"), is_text=True),
    Reserved("$avatar", "Avatar", ("avatar",), is_text=True),
    Reserved("$created", "Created", ("created", "createdat")),
    Reserved("$city", "City", ("city",), is_text=True),
    Reserved("$region", "Region", ("region",), is_text=True),
    Reserved("$country_code", "Country", ("countrycode",), is_text=True),
    Reserved("$timezone", "Time Zone", ("timezone",), is_text=True),
    Reserved("$geo_source", "Geo Source", is_offered=False),
    Reserved("$transactions", "Transactions", is_offered=False),
    Reserved(LAST_SEEN, "Updated at", refusal="is kept by the table"),  # SEEN-1
    Reserved(FIRST_SEEN, "First Seen", refusal="is computed from the events"),
    Reserved(
        "$distinct_id",
        "Distinct ID",
        refusal="is a field of messages, never a property",
        is_field=True,
    ),
    *(Reserved(name, is_hidden=True) for name in ("$bucket", "bucket")),
    *(
        Reserved(name, is_field=True)
        for name in (
            *("$group_key", "$group_id", "$token", "$time", "$ip"),
            *("$ignore_time", "$ignore_alias", "$latitude", "$longitude"),
        )
    ),
)

#: Each reserved property by its name.
RESERVED: Final[dict[str, Reserved]] = {row.name: row for row in _ROWS if row.label}

#: Never shown in a table, form or report; events that carry one leave the reports.
HIDDEN: Final = tuple(row.name for row in _ROWS if row.is_hidden)

#: Fields of a message around its operators, which are never properties.
MESSAGE_FIELDS: Final = frozenset(row.name for row in _ROWS if row.is_field)

#: What SDKs put next to the operators of a message. None of it says anything of the profile,
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
    return RESERVED[name].label if name in RESERVED else name


def is_reserved_text(name: str | None) -> bool:
    """Return whether a property is text whatever it looks like.

    >>> is_reserved_text("$phone"), is_reserved_text("phone")
    (True, False)
    """
    return name in RESERVED and RESERVED[name].is_text


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
