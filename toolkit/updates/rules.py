"""The rules of messages: what each says, and which of them a message met.

The texts are those of ``docs/rules.md``, which a test holds to them. They are
here too, so that an installed toolkit can show them without a network.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from types import MappingProxyType
from typing import Any, Final

from toolkit.base import (
    HIDDEN,
    Json,
    dumps,
    equal,
)
from toolkit.updates.messages import is_meta, operators_of, parse_message
from toolkit.updates.operators import OPERATORS, Profile, apply, is_number
from toolkit.updates.rejection import Rejection

#: Each rule that a single message can meet, as docs/rules.md has it: Markdown, one paragraph.
RULES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "SET-1": (
            "`$set` overwrites each property it names, and creates the profile if there is "
            "none (documented). Any JSON value is allowed. NaN and the infinities are not "
            "JSON; a property with one is rejected. So is text with half a surrogate pair, an "
            "integer of more than 4,300 digits, and nesting more than 200 deep."
        ),
        "SET-2": ("`$set` of `{}` creates an empty profile. `null` is stored as null."),
        "ONCE-1": (
            "`$set_once` writes only what is absent, and creates the profile (documented). A "
            'stored `null`, `""`, `0`, `false`, `[]` or `{}` is not absent, and stays.'
        ),
        "ADD-1": (
            "`$add` adds a number; absent counts as 0, a negative number subtracts, and the "
            "profile is created (documented)."
        ),
        "ADD-2": (
            "A boolean, null and numeric text are not numbers. If the increment or the stored "
            "value is not a number, that property is rejected and keeps its value. Integers "
            "stay exact at any size; an integer plus a float is a float. A sum that cannot be "
            "stored (an infinity, too many digits) is rejected."
        ),
        "UNION-1": (
            "`$union` adds one value or the values of a list, and afterwards no value occurs "
            "twice: only the first of equal values stays, even if the list had duplicates "
            "before. Stored values keep their order, and new values follow in the order "
            "given. An absent property becomes a list; the profile is created."
        ),
        "APPEND-1": (
            "`$append` adds one element at the end, whether or not an equal one is there. A "
            "list is one element. An absent property becomes a list of one; the profile is "
            "created."
        ),
        "REMOVE-1": (
            "`$remove` takes out every element equal to the value. A list is one value. If "
            "the profile, property or value is missing, nothing is written or created, and "
            "Updated At does not move."
        ),
        "LIST-1": (
            "`$union`, `$append` and `$remove` on a stored value that is not a list "
            "(including null) are rejected, and the value stays."
        ),
        "EQUAL": (
            "Two values are equal as JSON: numbers by value (`1` equals `1.0`), `true` is not "
            '`1`, `"1"` is not `1`, objects by key, in any order.'
        ),
        "UNSET-1": (
            "`$unset` takes property names, or one name, and removes them permanently. "
            "Unknown names are ignored. No profile is created, and a profile that loses its "
            "last property is an empty profile."
        ),
        "DELETE-1": (
            "`$delete` removes the profile with all its properties, whatever its value. The "
            "user's events stay, and their joined properties are not set. A later write "
            "creates a new profile, which comes last in the table."
        ),
        "MSG-1": (
            "The operators of one message apply in the order written. `$delete` together with "
            "another operator is rejected."
        ),
        "MSG-2": (
            "The messages of a batch apply in order, each seeing those before it. The result "
            "is the same as applying them one at a time."
        ),
        "MSG-3": (
            "A rejected message or property never stops the others. Each rejection has the "
            "index in the batch, the distinct ID, operator, property and reason."
        ),
        "MSG-4": (
            "A message is rejected as a whole if it is not an object, has no known operator, "
            "has a property outside an operator, has a distinct ID that is missing, empty, or "
            "neither text nor a number, or has an argument of the wrong shape. An unknown "
            "field whose name begins with `$` and whose value is an object or a list is an "
            "unknown operator: it alone is rejected, and the rest of the message applies. A "
            "number used as an ID becomes its decimal text: 123, and 123.0 from a float "
            'column, are `"123"`.'
        ),
        "ID-1": (
            "A float of 2**53 or more, even if it looks whole, may have lost digits: it is "
            "not a distinct ID. Updates to it are rejected, reading it is refused, and in a "
            "column of events or groups it does not count as an ID, with a warning. Smaller "
            "float types have a lower limit (float32: 2**24). Integers and text have no such "
            "limit. But a text such as `1.23457E+17` is how a spreadsheet writes a long number "
            "whose digits it dropped: in a CSV its row is rejected (CSV-2); elsewhere it is an ID "
            "like any other text, with a warning, because it may match nobody. `1E5`, without a "
            "plus, is a code."
        ),
        "MSG-5": (
            "If nothing of a message is left after rejections, it has no effect: `$set` of "
            "one invalid property does not create a profile. Accepted messages are logged, "
            "even those without effect; what was rejected is not."
        ),
        "GROUP-1": (
            "A message with `$group_key` and `$group_id` updates a group profile. There is "
            "one table per group key, and all operators except `$add` and `$append` work on "
            "it. A message has a user or a group, not both."
        ),
        "META": (
            "`$token`, `$time`, `$ip`, `$ignore_time`, `$ignore_alias`, `$latitude` and "
            "`$longitude` are never properties. `$token` is kept with the message in the log; "
            "the IP is not kept. Fields that SDKs put next to the operators (`$device_id`, "
            "`$user_id`, `$had_persisted_distinct_id`, `$mp_metadata`, `$browser_version` …) "
            "are ignored; so is any other field whose name begins with `$` and whose value is "
            "not an object or a list, with a warning. `$time` is unix seconds or milliseconds "
            "(TIME-1), ISO 8601 text (TIME-2) or, in Python, a datetime; without a zone it is "
            "UTC. A message with any other `$time`, or with an `$ignore_time` that is not a "
            "boolean, is rejected; null counts as not given."
        ),
        "SEEN-1": (
            "`$last_seen` is maintained by the table: the time of the last update, which is "
            "the message's `$time`, or else the time of arrival. It never goes back. "
            "Operators cannot write it: that property is rejected."
        ),
        "SEEN-2": (
            "Updated At does not move for edits made by hand (forms, the CSV import, "
            "`ignore_time=True`), messages with `$ignore_time`, and messages that are "
            "rejected or write nothing. `$set` of a property, `$append` and `$add` always "
            "write, even an equal value (documented); `$set_once`, `$union`, `$remove`, "
            "`$unset` and `$set` of `{}` write only if something is different afterwards."
        ),
        "HIDDEN": (
            "`$bucket` and `bucket` are stored with a warning and can be read with "
            '`profiles["id"]`, but do not appear in any table, frame, form or report. Events '
            "that carry one are left out of reports, which say how many."
        ),
    }
)

_ADDRESS: Final = frozenset({"$distinct_id", "$group_key", "$group_id"})
# Up to here a float counts whole numbers as exactly as an integer does.
_EXACT: Final = 2**53


def headline(rule: str) -> str:
    """Return the first sentence of a rule.

    >>> headline("SET-2")
    '`$set` of `{}` creates an empty profile.'
    """
    first, stop, _ = RULES[rule].partition(". ")
    return first + stop.strip()


def applied_rules(
    before: Profile | None,
    message: object,
    after: Profile | None,
    rejections: Sequence[Rejection],
    *,
    was_deleted: bool = False,
) -> list[str]:
    """Return the names of the rules that decided what a message did, the nearest first.

    Parameters
    ----------
    before, after
        The profile before and after, None where there is none.
    message
        The message as it was sent, valid or not.
    rejections
        What was rejected of this message.
    was_deleted
        Whether there was a profile that an earlier message deleted.

    Examples
    --------
    >>> applied_rules({"tags": ["a"]}, {"$distinct_id": "1", "$remove": {"tags": "b"}},
    ...               {"tags": ["a"]}, [])
    ['REMOVE-1', 'SEEN-2']
    """
    refusals: list[Rejection] = []
    parsed = parse_message(message, 0, refusals)
    is_refused = parsed is None and [each.property for each in refusals] == [None]
    if is_refused or not isinstance(message, Mapping):
        rules = [refusals[0].rule]
        return rules if after is None else [*rules, "SEEN-2"]
    valid: dict[str, Any] = {} if parsed is None else dict(parsed.operations)
    sent = [name for name in message if name in OPERATORS]
    names: dict[str, None] = {}
    if any(name not in OPERATORS for name in operators_of(message)):
        names["MSG-4"] = None
    accepted: list[str] = []
    hides = wrote = False
    profile = before
    for operator in sent:
        refused = [each.property for each in rejections if each.operator == operator]
        names.update({each.rule: None for each in rejections if each.operator == operator})
        if operator not in valid:
            continue
        argument = valid[operator]
        if refused:
            argument = OPERATORS[operator].without(argument, refused)
        if refused and not argument:
            continue
        accepted.append(operator)
        names.update(dict.fromkeys(_operator_rules(operator, argument, profile or {})))
        hides = hides or (OPERATORS[operator].creates and any(name in argument for name in HIDDEN))
        profile, did = apply(profile, [(operator, argument)])
        wrote = wrote or did
    if was_deleted and before is None and after is not None:
        names["DELETE-1"] = None
    if len(sent) > 1:
        names["MSG-1"] = None
    if rejections and accepted:
        names["MSG-3"] = None
    creates = any(OPERATORS[name].creates for name in sent)
    if rejections and not accepted and before is None and creates:
        names["MSG-5"] = None
    names.update(dict.fromkeys(_envelope_rules(message)))
    if hides:
        names["HIDDEN"] = None
    if after is not None:
        moves = wrote and not (parsed is not None and parsed.ignore_time)
        names["SEEN-1" if moves else "SEEN-2"] = None
    names.pop("", None)  # of an operator that no rule describes
    return list(names)


def _operator_rules(operator: str, argument: Any, stored: Profile) -> Iterable[str]:
    """Yield the rules of an operator on the properties it was not refused."""
    if argument or operator != "$set":
        yield OPERATORS[operator].rule
    match operator:
        case "$set" if not argument or None in argument.values():
            yield "SET-2"
        case "$add":
            if any(_shows_exactness(stored.get(name), argument[name]) for name in argument):
                yield "ADD-2"
        case "$union" | "$remove":
            if any(_compares_lookalikes(stored.get(name), argument[name]) for name in argument):
                yield "EQUAL"


def _shows_exactness(stored: Json, increment: Json) -> bool:
    """Return whether a sum distinguishes integers from floats."""
    if not (is_number(stored) and is_number(increment)):
        return False
    return type(stored) is not type(increment) or abs(stored + increment) > _EXACT  # type: ignore[operator, arg-type]


def _compares_lookalikes(stored: Any, value: Any) -> bool:
    """Return whether a list meets a value that looks the same and differs, or the reverse."""
    elements = stored if isinstance(stored, list) else []
    # $remove takes a list as one value, $union as several: both are looked at.
    values = [value, *value] if isinstance(value, list) else [value]
    return any(_are_lookalikes(*pair) for pair in product(elements, values))


def _are_lookalikes(left: Json, right: Json) -> bool:
    texts = [dumps(each) for each in (left, right)]
    if equal(left, right):
        return texts[0] != texts[1]
    # Python's == takes True for 1; without its quotes, "1" reads as 1.
    return left == right or texts[0].strip('"') == texts[1].strip('"')


def _envelope_rules(message: Mapping[Any, Any]) -> Iterable[str]:
    """Yield the rules of what is next to the operators."""
    of_group = "$group_key" in message
    if not isinstance(message.get("$group_id" if of_group else "$distinct_id"), str):
        yield "MSG-4"
    if of_group:
        yield "GROUP-1"
    others = {field: value for field, value in message.items() if field not in _ADDRESS}
    if any(is_meta(field, value) and value is not None for field, value in others.items()):
        yield "META"
