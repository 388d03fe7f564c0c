"""Segment's messages, translated: to updates of profiles and to events.

Pure functions. What a message becomes:

============  ==============================================================
``identify``  a ``$set`` of its traits on the user
``group``     a ``$set`` of its traits on a group profile
``track``     an event
``page``      an event, "Viewed" and the page's name, or "Loaded a Page"
``screen``    an event, "Viewed" and the screen's name, or "Loaded a Screen"
``alias``     an event ``$create_alias``; profiles are not merged
============  ==============================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

from toolkit.base import MessageError, glimpse, listed

#: Traits and the reserved properties they are.
TRAITS: Final[Mapping[str, str]] = {
    "email": "$email",
    "firstName": "$first_name",
    "lastName": "$last_name",
    "name": "$name",
    "username": "$username",
    "phone": "$phone",
    "created": "$created",
    "createdAt": "$created",
}
#: The group key of groups, where no other is given: that of the hosted product's own
#: Segment integration. Their events carry the ID under the same name.
GROUP_KEY: Final = "$group_id"
#: Names that an event of the toolkit has a meaning for, and one of Segment has not.
_TAKEN: Final = ("distinct_id", "time", "token", "ip")
#: What of a context means something here; that of a batch holds for each of its messages.
CONTEXT: Final = ("ip", "groupId", "traits")
#: The kinds of messages, and the fields that have a meaning in each alone.
_MEANT: Final[Mapping[str, tuple[str, ...]]] = {
    "identify": ("traits",),
    "group": ("traits", "groupId"),
    "track": ("properties", "event"),
    "page": ("properties", "name", "category"),
    "screen": ("properties", "name", "category"),
    "alias": ("properties", "previousId"),
}
KINDS: Final = tuple(_MEANT)
#: Fields that have a meaning in all, or need none: they say how and when a message was sent.
_COMMON: Final = frozenset(
    {
        *("type", "userId", "anonymousId", "context", "timestamp", "originalTimestamp"),
        *("messageId", "sentAt", "receivedAt", "integrations", "channel", "version"),
        *("writeKey", "rudderId", "_metadata"),
    }
)


class Translated(NamedTuple):
    """What a message of Segment is: an update of a profile, or an event."""

    kind: Literal["update", "event"]
    value: dict[str, Any]
    #: What it carries that has no meaning in a message of its kind.
    unused: tuple[str, ...] = ()


def translate(message: object, kind: str | None = None, group_key: str = GROUP_KEY) -> Translated:
    """Return what a message of Segment is.

    Parameters
    ----------
    message
        What was sent.
    kind
        Its type where the address says it, such as ``"identify"``; None: its ``type``.
    group_key
        The group key of ``group``.

    Raises
    ------
    MessageError
        If it is not an object, has no ID, or is of a type that is not known.

    Examples
    --------
    >>> translate({"type": "identify", "userId": "7", "traits": {"email": "a@b.example"}}).value
    {'$distinct_id': '7', '$set': {'$email': 'a@b.example'}}
    >>> translate({"type": "track", "userId": "7", "event": "Buy"}).value
    {'event': 'Buy', 'properties': {'distinct_id': '7'}}
    """
    if not isinstance(message, Mapping):
        raise MessageError(f"a message is an object, not {type(message).__name__}")
    kind = message.get("type") if kind is None else kind
    if kind not in KINDS:
        raise MessageError(f"the type is {glimpse(kind)!r}; known are {listed(KINDS)}")
    unused = _unused(message, str(kind))
    if kind == "identify":
        # SEGMENT-1: other clients than Segment's send the traits in the context.
        traits = {**renamed(_context_traits(message)), **renamed(_object(message, "traits"))}
        user = {"$distinct_id": _user(message)}
        return Translated("update", {**user, **_update(message, traits)}, unused)
    if kind == "group":
        if _is_missing(message.get("groupId")):
            raise MessageError("no groupId")
        group = {"$group_key": group_key, "$group_id": message["groupId"]}
        traits = renamed(_object(message, "traits"))
        return Translated("update", {**group, **_update(message, traits)}, unused)
    return Translated("event", _event(message, str(kind), group_key), unused)


def _unused(message: Mapping[str, Any], kind: str) -> tuple[str, ...]:
    meant = _MEANT[kind]
    unused = [
        f"{glimpse(name, 40)} of {kind}"
        for name, value in message.items()
        if name not in meant and name not in _COMMON and value not in (None, "", {})
    ]
    if kind != "identify" and _context_traits(message):
        unused.append(f"context.traits of {kind}")
    return tuple(unused)


def _context_traits(message: Mapping[str, Any]) -> Mapping[str, Any]:
    return _object(_object(message, "context"), "traits", "context.")


def _update(message: Mapping[str, Any], traits: Mapping[str, Any]) -> dict[str, Any]:
    update: dict[str, Any] = {"$set": traits}
    address = _object(message, "context").get("ip")
    if address is not None:
        update["$ip"] = address
    time = _time(message)
    if time is not None:
        update["$time"] = time
    return update


def _time(message: Mapping[str, Any]) -> Any:
    """Return when it happened; only servers know ``timestamp``, clients may send the other."""
    time = message.get("timestamp")
    return message.get("originalTimestamp") if time is None else time


def renamed(traits: Mapping[str, Any]) -> dict[str, Any]:
    """Return traits under the names of the reserved properties.

    A trait that already has the reserved name wins, and ``created`` over ``createdAt``.

    >>> renamed({"firstName": "Ann", "plan": "pro", "createdAt": "2026-01-01"})
    {'$first_name': 'Ann', 'plan': 'pro', '$created': '2026-01-01'}
    """
    properties: dict[str, Any] = {}
    for name, value in traits.items():
        target = TRAITS.get(name, name)
        is_better = target == name or target not in traits
        if is_better and not (name == "createdAt" and "created" in traits):
            properties[target] = value
    return properties


def _event(message: Mapping[str, Any], kind: str, group_key: str) -> dict[str, Any]:
    # What Segment gives no meaning to keeps its value under another name.
    properties = {
        f"properties.{name}" if name in _TAKEN else name: value
        for name, value in _object(message, "properties").items()
    }
    name: Any
    if kind == "track":
        name = message.get("event")
        distinct_id = _user(message)
    elif kind == "alias":
        name = "$create_alias"
        if _is_missing(message.get("previousId")):
            raise MessageError("no previousId")
        distinct_id = message["previousId"]
        properties["alias"] = message.get("userId")
    else:
        what = kind.capitalize()
        named = message.get("name", properties.get("name"))
        name = f"Viewed {named}" if isinstance(named, str) and named else f"Loaded a {what}"
        for field in ("name", "category"):
            if message.get(field) is not None:
                properties.setdefault(field, message[field])
        distinct_id = _user(message)
    context = _object(message, "context")
    for field, value in (
        ("$insert_id", message.get("messageId")),
        (group_key, context.get("groupId")),
        ("time", _time(message)),
    ):
        if value is not None:
            properties.setdefault(field, value)
    properties["distinct_id"] = distinct_id
    return {"event": name, "properties": properties}


def _user(message: Mapping[str, Any]) -> Any:
    for field in ("userId", "anonymousId"):
        if not _is_missing(message.get(field)):
            return message[field]
    raise MessageError("neither userId nor anonymousId")


def _is_missing(value: object) -> bool:
    return value is None or value == ""


def _object(message: Mapping[str, Any], field: str, of: str = "") -> Mapping[str, Any]:
    value = message.get(field)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise MessageError(f"{of}{field} is an object, not {type(value).__name__}")
    return value
