"""Messages: what a valid update is.

A message is one update in the form of the documented Engage endpoint::

    {"$distinct_id": "123", "$set": {"plan": "pro"}, "$time": 1767225600}

:func:`parse_message` checks one and turns it into a :class:`Message`, or says
why not. What it lets through can be applied by :mod:`toolkit.operators`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache, partial
from itertools import chain
from typing import Any, Final, Protocol

import numpy as np

from toolkit.base import (
    HIDDEN,
    LAST_SEEN,
    MESSAGE_FIELDS,
    SDK_FIELDS,
    InvalidIdError,
    InvalidTimeError,
    InvalidValueError,
    Json,
    MessageError,
    as_json,
    did_you_mean,
    dumps,
    either,
    glimpse,
    is_mapping,
    normalise_id,
    times,
)
from toolkit.updates.operators import OPERATORS
from toolkit.updates.rejection import Rejection

#: The fields of a message that are not operators and whose names are documented.
KNOWN_FIELDS: Final = MESSAGE_FIELDS | SDK_FIELDS

_SHAPES: Final = {"values": dict, "names": list, "none": str}
# What an unknown field may hold without looking like an operator's argument.
_ONE_VALUE: Final = (str, int, float, np.generic, date, type(None))

#: The group key of user profiles, which belong to no group.
USERS: Final = ""


class Locator(Protocol):
    """Whatever knows where users are, such as :class:`toolkit.GeoDatabase`."""

    def locate(
        self, messages: Iterable[Mapping[str, Any]], ip: str | None = None, profiles: Any = None
    ) -> list[Any]:
        """Return messages that set the location of their users, too."""


@dataclass(frozen=True, slots=True)
class Message:
    """One valid update.

    Attributes
    ----------
    distinct_id
        The distinct ID, or the group ID.
    operations
        (operator, argument) in the order written; arguments are checked JSON.
    time
        ``$time`` in microseconds since 1970 UTC, None if the message has none.
    ignore_time
        Whether Updated At stays as it is (SEEN-2).
    group_key
        The group key, or ``""`` for a user profile.
    token
        ``$token``: the project it was sent for, kept with the message.
    seen
        The Updated At that an undo gives back to a deleted profile, in microseconds
        since 1970 UTC. Nobody can send it.
    """

    distinct_id: str
    operations: tuple[tuple[str, Any], ...]
    time: int | None = None
    ignore_time: bool = False
    group_key: str = USERS
    token: str | None = None
    seen: int | None = None

    @property
    def deletes(self) -> bool:
        """Whether it deletes the profile."""
        return OPERATORS[self.operations[0][0]].deletes

    @property
    def written(self) -> Iterable[str]:
        """The properties it writes, in order."""
        arguments = (each for name, each in self.operations if OPERATORS[name].creates)
        return chain.from_iterable(arguments)

    def moves_to(self, arrival: int) -> int:
        """Return what Updated At moves to, if that is later than it is; NO_TIME if it stays.

        Parameters
        ----------
        arrival
            When the message arrived, in microseconds since 1970 UTC.
        """
        if self.seen is not None:  # UNDO-1
            return self.seen
        if self.ignore_time:  # SEEN-2
            return times.NO_TIME
        return arrival if self.time is None else self.time  # SEEN-1

    def as_dict(self) -> dict[str, Json]:
        """Return the message as it would be sent."""
        result: dict[str, Json]
        if self.group_key == USERS:
            result = {"$distinct_id": self.distinct_id}
        else:
            result = {"$group_key": self.group_key, "$group_id": self.distinct_id}
        result.update(self.operations)
        if self.time is not None:
            result["$time"] = times.iso(self.time)
        if self.ignore_time:
            result["$ignore_time"] = True
        if self.token is not None:
            result["$token"] = self.token
        if self.seen is not None:
            result[LAST_SEEN] = times.iso(self.seen)
        return result

    def as_text(self) -> str:
        """Return the message as JSON text."""
        return dumps(self.as_dict())


def is_meta(field: object, value: object) -> bool:
    """Return whether a field of a message is not one of its operators (META).

    >>> is_meta("$token", "t"), is_meta("$newest", 1), is_meta("$newest", {"a": 1})
    (True, True, False)
    >>> is_meta("$unset", "plan"), is_meta("plan", "pro")
    (False, False)
    """
    if field in OPERATORS:
        return False
    if field in KNOWN_FIELDS:
        return True
    return isinstance(field, str) and field.startswith("$") and isinstance(value, _ONE_VALUE)


def operators_of(message: Mapping[Any, Any]) -> list[Any]:
    """Return the names of a message's operators in the order written, unknown ones too.

    >>> operators_of({"$distinct_id": "1", "$device_id": "d", "$set": {}, "$sett": {}})
    ['$set', '$sett']
    """
    return [field for field, value in message.items() if not is_meta(field, value)]


def parse_message(
    raw: object,
    index: int,
    rejected: list[Rejection],
    *,
    group_key: str = USERS,
    ignored: list[Rejection] | None = None,
) -> Message | None:
    """Return the valid part of a message, None if nothing of it is valid.

    Parameters
    ----------
    raw
        What was sent.
    index
        Its place in the batch, from 0, for the rejections.
    rejected
        Collects what was left out and why (MSG-3).
    group_key
        The table the message is for, where it does not say so itself.
    ignored
        Collects the fields that nobody knows and that were ignored (META).
    """
    if not is_mapping(raw):
        kind = type(raw).__name__
        reason = f"a message is an object, not {kind}"
        rejected.append(Rejection(index, reason=reason, rule="MSG-4"))
        return None
    distinct_id: str | None = None
    operator: str | None = None
    try:
        group_key, raw_id = _addressee(raw, group_key)
        distinct_id = normalise_id(raw_id)
        operators, unknown, passed_over = _operators(raw)
        for operator in operators:
            _check_operator(operator, group_key)
        operator = None
        if not operators:
            raise MessageError(f"no operator; give one of {', '.join(OPERATORS)}")
        alone = next((each for each in operators if OPERATORS[each].deletes), None)
        if alone is not None and len(operators) > 1:  # MSG-1
            raise MessageError(
                f"{alone} is combined with another operator; send it in its own message", "MSG-1"
            )
        time = None if raw.get("$time") is None else times.parse_time(raw["$time"])
        ignore_time = raw.get("$ignore_time")
        if not isinstance(ignore_time, bool | np.bool_ | None):
            raise MessageError(
                f"$ignore_time is {glimpse(ignore_time)!r}; true or false is needed", "META"
            )
        operations = []
        refused = [
            Rejection(index, distinct_id, name, None, _unknown_operator(name), "MSG-4")
            for name in unknown
        ]
        for operator in operators:
            argument, left_out = _check_argument(operator, raw[operator])
            refused += [each.at(index, distinct_id) for each in left_out]
            # An argument of which nothing is left is not `$set {}`.
            if not left_out or argument:
                operations.append((operator, argument))
    except (MessageError, InvalidIdError, InvalidTimeError, InvalidValueError) as error:
        rejected.append(Rejection(index, distinct_id, operator, None, str(error), error.rule))
        return None
    rejected.extend(refused)
    if not operations:
        return None
    if ignored is not None:
        ignored += [
            Rejection(index, distinct_id, field, None, _ignored_field(field))
            for field in passed_over
        ]
    token = raw.get("$token")
    return Message(
        distinct_id,
        tuple(operations),
        time,
        bool(ignore_time),
        group_key,
        token if isinstance(token, str) and token.isascii() else None,
    )


@lru_cache(maxsize=1_024)
def _moment(text: str) -> int:
    return times.parse_time(text)


def message_of_log(raw: object) -> Message | None:
    """Return what :meth:`Message.as_dict` wrote, None if it is anything else.

    The log holds what was valid when it was written: only the shape is looked at.
    """
    if not isinstance(raw, dict):
        return None
    distinct_id, group_key, token = raw.get("$distinct_id"), USERS, None
    time = seen = None
    ignore_time = False
    operations: list[tuple[str, Any]] = []
    for name, value in raw.items():
        if name in OPERATORS:
            if not isinstance(value, _SHAPES[OPERATORS[name].argument]):
                return None
            operations.append((name, value))
        elif name in ("$time", LAST_SEEN):
            if not isinstance(value, str):
                return None
            if name == "$time":
                time = _moment(value)
            else:
                seen = _moment(value)
        elif name == "$ignore_time":
            ignore_time = value is True
        elif name == "$group_key":
            group_key, distinct_id = value, raw.get("$group_id")
        elif name == "$token":
            token = value
        elif name not in ("$distinct_id", "$group_id"):
            return None
    if not operations or not isinstance(distinct_id, str) or not isinstance(group_key, str):
        return None
    return Message(distinct_id, tuple(operations), time, ignore_time, group_key, token, seen)


def _addressee(raw: Mapping[Any, Any], group_key: str) -> tuple[str, object]:
    """Return the group key and the ID a message is addressed to."""
    if "$group_key" not in raw and "$group_id" not in raw:
        if group_key != USERS:
            raise MessageError(f'no $group_key and $group_id; the table is "{group_key}"')
        if "$distinct_id" not in raw:
            raise MessageError(f"no $distinct_id{_instead_of_id(raw)}")
        return USERS, raw["$distinct_id"]
    if "$distinct_id" in raw:
        raise MessageError(
            "both $distinct_id and a group; a message updates one profile", "GROUP-1"
        )
    named = raw.get("$group_key")
    if not isinstance(named, str) or not named:
        raise MessageError(f"$group_key is {glimpse(named)!r}; text is needed", "GROUP-1")
    as_json(named)
    if group_key not in (USERS, named):
        raise MessageError(f'$group_key is "{named}"; the table is "{group_key}"')
    if "$group_id" not in raw:
        raise MessageError("no $group_id")
    return named, raw["$group_id"]


def _instead_of_id(raw: Mapping[Any, Any]) -> str:
    """Return what an object without a distinct ID probably is, to follow another sentence."""
    if "event" in raw and isinstance(raw.get("properties"), Mapping):
        how = either("toolkit.Events takes a DataFrame of them", "`report` counts a table of them")
        return (
            f". This is an event, which changes no profile; {how}, and a server takes it at /track"
        )
    plain = {re.sub(r"[\W_]", "", str(field)).lower(): field for field in raw}
    meant = plain.get("distinctid")
    return (
        "" if meant is None else f'; is it what you call {glimpse(meant)!r}? Write "$distinct_id"'
    )


def _operators(raw: Mapping[Any, Any]) -> tuple[list[Any], list[str], list[str]]:
    """Return the operators of a message, the unknown ones refused alone, and the fields ignored.

    An unknown operator rejects the message if nothing else is in it, or if it may be a
    property that was written in the wrong place (MSG-4).
    """
    fields = [field for field in raw if field not in KNOWN_FIELDS]
    operators = [field for field in fields if field in OPERATORS]
    if len(operators) == len(fields) or not operators:
        return fields, [], []
    ignored = [field for field in fields if is_meta(field, raw[field])]
    refused = [
        field
        for field in fields
        if field not in (*operators, *ignored) and isinstance(field, str) and field.startswith("$")
    ]
    return [field for field in fields if field not in (*ignored, *refused)], refused, ignored


@lru_cache(maxsize=1_024)
def _ignored_field(field: str) -> str:
    return f"no field of messages, ignored.{did_you_mean(field, OPERATORS)}"


def _unknown_operator(operator: object) -> str:
    hint = "" if str(operator).startswith("$") else "; properties go inside $set"
    said = f"unknown operator {glimpse(operator)!r}{hint}; allowed are {', '.join(OPERATORS)}"
    if operator == "$properties":
        how = either("toolkit.read_people reads it", "--people reads it")
        return f"{said}. This is a profile as the query API has it; {how}"
    meant = f"${str(operator).lstrip('$').lower()}"
    return f'{said}. Did you mean "{meant}"?' if meant in OPERATORS else said


def _check_operator(operator: Any, group_key: str) -> None:
    if operator not in OPERATORS:
        raise MessageError(_unknown_operator(operator))
    if group_key != USERS and not OPERATORS[operator].groups:
        raise MessageError(f"{operator} is not for group profiles (GROUP-1)", "GROUP-1")


def _check_argument(operator: str, argument: object) -> tuple[Any, list[Rejection]]:
    """Return the valid part of an operator's argument, and what of it is refused."""
    kind = OPERATORS[operator]
    if kind.argument == "none":
        return "", []  # DELETE-1: its value is ignored
    if kind.argument == "names":
        return _check_names(operator, argument)
    if not is_mapping(argument):
        raise MessageError(
            f"the argument of {operator} is an object of properties, not {type(argument).__name__}"
        )
    checked: dict[str, Json] = {}
    left_out: list[Rejection] = []
    for name, value in argument.items():
        try:
            if not isinstance(name, str):
                raise MessageError(f"the property name {glimpse(name)!r} is not text")
            as_json(name)
            valid = as_json(value)
        except InvalidValueError as error:
            left_out.append(Rejection(-1, None, operator, name, str(error), error.rule))
            continue
        if name == LAST_SEEN:
            reason = "Updated At is kept by the table; send $time instead"
            left_out.append(Rejection(-1, None, operator, name, reason, "SEEN-1"))
        elif kind.refuse is not None and (refusal := kind.refuse(valid)):
            left_out.append(Rejection(-1, None, operator, name, refusal, kind.refusal))
        else:
            checked[str(name)] = valid
    return checked, left_out


def _check_names(operator: str, argument: object) -> tuple[list[str], list[Rejection]]:
    argument = argument.tolist() if isinstance(argument, np.ndarray) else argument
    names = [argument] if isinstance(argument, str) else argument
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise MessageError(f"the argument of {operator} is a property name or a list of them")
    kept: list[str] = []
    left_out: dict[str, Rejection] = {}
    for name in names:
        reject = partial(Rejection, -1, None, operator, name)
        if name == LAST_SEEN:
            left_out[name] = reject("Updated At is kept by the table", "SEEN-1")
            continue
        try:
            kept.append(str(as_json(name)))
        except InvalidValueError as error:
            left_out[name] = reject(str(error), error.rule)
    return kept, list(left_out.values())


def hidden_properties(message: Message) -> list[tuple[str, str]]:
    """Return (operator, property) of each hidden property the message writes."""
    return [
        (operator, name)
        for operator, argument in message.operations
        if OPERATORS[operator].creates
        for name in HIDDEN
        if name in argument
    ]


def without(message: Message, refused: Iterable[Rejection]) -> Message | None:
    """Return the message without the properties refused, None if nothing is left."""
    pairs = [(each.operator, each.property) for each in refused]
    operations = []
    for operator, argument in message.operations:
        names = {name for refusing, name in pairs if refusing == operator}
        if not names:
            operations.append((operator, argument))
            continue
        left = OPERATORS[operator].without(argument, names)
        if left:
            operations.append((operator, left))
    if not operations:
        return None
    return replace(message, operations=tuple(operations))
