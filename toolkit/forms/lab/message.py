"""A message as the rows of a form, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from toolkit.base import HIDDEN, MESSAGE_FIELDS, JsonTextError
from toolkit.forms.parts.json_text import json_text, read_json, sayable
from toolkit.updates import OPERATORS, is_meta, name_refusal, operators_of


def value_hint(operator: str) -> str:
    """Return an example of the value that an operator takes; empty if it takes none.

    >>> value_hint("$add"), value_hint("$unset")
    ('1 or -2.5', '')
    """
    return OPERATORS[operator].hint


class MessageRow(NamedTuple):
    """One property in a message: operator, property, and the value as JSON text."""

    operator: str = "$set"
    name: str = ""
    value: str = ""

    @property
    def takes_property(self) -> bool:
        """Whether the operator names properties."""
        return OPERATORS[self.operator].argument != "none"

    @property
    def takes_value(self) -> bool:
        """Whether the operator gives its properties a value."""
        return OPERATORS[self.operator].argument == "values"


class Parts(NamedTuple):
    """A message taken apart for a form.

    ``refusal`` says why a form cannot show it, and is "" if it can.
    """

    id: str = ""
    time: str = ""
    ignore_time: bool = False
    rows: tuple[MessageRow, ...] = ()
    refusal: str = ""


def taken_apart(message: object) -> Parts:
    """Return what a form shows of a message.

    >>> taken_apart({"$distinct_id": "ann", "$add": {"orders": 1}}).rows
    (MessageRow(operator='$add', name='orders', value='1'),)
    """
    refusal = _refusal(message)
    if refusal or not isinstance(message, Mapping):
        return Parts(refusal=refusal)
    rows: list[MessageRow] = []
    for operator in operators_of(message):
        argument = message[operator]
        takes = OPERATORS[operator].argument
        if takes == "none":
            rows.append(MessageRow(operator))
        elif takes == "names":
            rows += [MessageRow(operator, name) for name in _names(argument)]
        else:
            rows += [
                MessageRow(operator, name, json_text(value)) for name, value in argument.items()
            ]
    return Parts(
        _text(message.get(_id_field(message), "")),
        _text(message.get("$time", "")),
        message.get("$ignore_time") is True,
        tuple(rows),
    )


def _refusal(message: object) -> str:
    if not isinstance(message, Mapping):
        return "A message is an object; edit it as JSON."
    for operator, argument in message.items():
        if operator in MESSAGE_FIELDS:
            is_plain = argument is None or isinstance(argument, str | int | float)
            if not is_plain:
                return f"The form cannot show this {operator}; edit it as JSON."
        elif is_meta(operator, argument):
            continue
        elif operator not in OPERATORS:
            return f"The form does not know {sayable(operator[:40])}; edit it as JSON."
        elif not _can_be_shown(OPERATORS[operator].argument, argument):
            return f"The form cannot show this {operator}; edit it as JSON."
        if not is_meta(operator, argument) and any(name in HIDDEN for name in _named(argument)):
            return "The message names a property that is never shown; edit it as JSON."
    text = json_text(message)
    if text != json.dumps(message, ensure_ascii=False):
        return "The message holds half a surrogate pair; edit it as JSON."
    return ""


def _can_be_shown(takes: str, argument: Any) -> bool:
    if takes == "names":
        return bool(_names(argument))
    return takes == "none" or (isinstance(argument, Mapping) and bool(argument))


def _names(argument: Any) -> Any:
    names = [argument] if isinstance(argument, str) else argument
    is_list = isinstance(names, list) and all(isinstance(name, str) for name in names)
    return names if is_list else None


def _named(argument: Any) -> Sequence[str]:
    return list(argument) if isinstance(argument, Mapping) else _names(argument) or []


def _id_field(message: Mapping[str, Any]) -> str:
    return "$group_id" if "$group_key" in message else "$distinct_id"


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json_text(value)


def put_together(parts: Parts, before: object) -> tuple[dict[str, Any], list[str]]:
    """Return the message that a form shows, and what is wrong with each row ("" if nothing).

    Parameters
    ----------
    parts
        What the form shows. The rows of one operator become one argument, where the
        first of them is.
    before
        The message as it was; what the form did not change stays as it was written.
    """
    was = before if isinstance(before, Mapping) else {}
    message: dict[str, Any] = {name: value for name, value in was.items() if is_meta(name, value)}
    _put(message, _id_field(was), parts.id, was, keep_empty=True)
    _put(message, "$time", parts.time, was)
    if parts.ignore_time != (was.get("$ignore_time") is True):
        message.pop("$ignore_time", None)
        if parts.ignore_time:
            message["$ignore_time"] = True
    errors = []
    for row in parts.rows:
        try:
            _add_row(message, row)
            errors.append("")
        except JsonTextError as error:
            reason = str(error).removeprefix("line 1, ")
            missing = f"a value is missing, such as {value_hint(row.operator)}"
            errors.append(f"value, {reason}" if row.value.strip() else missing)
        except ValueError as error:
            errors.append(str(error))
    # The fields around the operators that are new come before them.
    ordered = {name: value for name, value in message.items() if is_meta(name, value)}
    return {**ordered, **message}, errors


def _put(
    message: dict[str, Any],
    field: str,
    text: str,
    was: Mapping[str, Any],
    *,
    keep_empty: bool = False,
) -> None:
    """Write a field around the operators if the form changed it."""
    if text == _text(was.get(field, "")):
        return
    if not text and not keep_empty:
        message.pop(field, None)
        return
    value: Any = text
    if field == "$time" and text.strip().lstrip("-").replace(".", "", 1).isdigit():
        value = read_number(text)
    message[field] = value


def read_number(text: str) -> int | float:
    """Return the number that *text* is.

    >>> read_number(" 12"), read_number("-0.5")
    (12, -0.5)
    """
    return float(text) if "." in text else int(text)


def _add_row(message: dict[str, Any], row: MessageRow) -> None:
    """Add a row to a message; raise ValueError with the reason if it cannot be."""
    if not row.takes_property:
        message[row.operator] = ""
        return
    refusal = name_refusal(row.name)
    # Other names that a form refuses elsewhere are let through: here one sees what happens.
    if refusal and (row.name in HIDDEN or not row.name.strip()):
        raise ValueError(refusal)
    if not row.takes_value:
        names = message.setdefault(row.operator, [])
        if row.name not in names:
            names.append(row.name)
        return
    argument = message.get(row.operator, {})
    if row.name in argument:
        raise ValueError(
            f'{row.operator} names "{row.name}" twice; an operator writes a property once'
        )
    value = read_json(row.value, nan=True)
    message[row.operator] = {**argument, row.name: value}
