"""Applying a batch: from valid messages to the change they lead to.

Two ways that must agree. A small batch goes message by message through the
reference (:mod:`toolkit.operators`). A large one goes property by property over
whole columns: what happens to one cell depends on nothing but the operators
sent to that cell, in their order, so cells can be worked out apart from each
other. Only a `$delete` reaches across the cells of a profile; profiles that a
batch deletes therefore go the first way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa

from toolkit.base import ABSENT, NO_TIME, Progress, counted, silent
from toolkit.columns import IS_NULL, IS_VALUE, Column, Positions
from toolkit.updates import growing
from toolkit.updates.by_column import plan_columns
from toolkit.updates.columnar import ColumnarUpdates, Updates
from toolkit.updates.messages import Message, without
from toolkit.updates.operators import OPERATORS, Profile, apply, apply_by
from toolkit.updates.outcome import Indexed, Outcome, Planned
from toolkit.updates.rejection import Rejection
from toolkit.updates.state import Change, Row, State, in_order, merge, without_rows

#: Looks at a profile before and after a message; returns what to refuse of it.
Check: TypeAlias = Callable[[Profile | None, Profile, Message], list[Rejection]]

# Up to here a batch goes row by row: below it the columns' fixed costs are
# larger than what they save. Of a large table, up to one row in so many.
ROWS_AT_MOST: Final = 2_000
_ONE_ROW_IN: Final = 50
# Whole profiles are made so many at a time.
_PROFILES_AT_A_TIME: Final = 50_000


@dataclass(slots=True)
class _Apart:
    """What single messages lead to, and of which profiles."""

    planned: Planned
    accepted: list[Indexed]
    #: The profiles there were before that were deleted, whether or not created again.
    dropped: tuple[str, ...]
    #: The index of the message that last created each new profile.
    born: dict[str, int]


def plan(
    state: State,
    updates: Updates,
    arrival: int,
    check: Check | None = None,
    progress: Progress = silent,
) -> Planned:
    """Return what valid updates of one table, in order, lead to (MSG-2).

    Parameters
    ----------
    state
        The state before; it is not changed.
    updates
        Messages with their indices, or whole columns.
    arrival
        The time of what names none, in microseconds since 1970 UTC.
    check
        A further check of each profile after each message, such as a limit on its
        properties. It needs whole profiles, so messages go row by row. Columns are
        checked before.
    progress
        Called with how far it is; what it raises stops it.
    """
    if isinstance(updates, ColumnarUpdates):
        return plan_columns(state, updates, progress)
    ids = {message.distinct_id for _, message in updates}
    few = len(ids) <= ROWS_AT_MOST or len(ids) <= len(state) // _ONE_ROW_IN
    if few or check is not None:
        return _plan_rows(state, updates, arrival, check, progress).planned
    return _plan_columns(state, updates, arrival, progress)


def _plan_rows(
    state: State,
    messages: Sequence[Indexed],
    arrival: int,
    check: Check | None = None,
    progress: Progress = silent,
) -> _Apart:
    """Work out a batch message by message, with the reference operators."""
    accepted: list[Indexed] = []
    rejected: list[Rejection] = []
    effects: Counter[str] = Counter()
    born: dict[str, int] = {}
    rows: dict[str, Row | None] = {}
    ids = list(dict.fromkeys(message.distinct_id for _, message in messages))
    for start in range(0, len(ids), _PROFILES_AT_A_TIME):
        progress("Comparing", 0, len(messages))
        rows.update(state.rows(ids[start : start + _PROFILES_AT_A_TIME]))
    touched: dict[str, Row | None] = {}
    dropped: dict[str, None] = {}
    names: dict[str, None] = {}
    for index, message in counted("Comparing", messages, progress):
        key = message.distinct_id
        row = rows.get(key)
        refused: list[Rejection] = []
        before = None if row is None else row.properties
        if check is None:
            after, wrote = apply_by(growing.apply_to, before, message.operations, refused)
        else:
            after, wrote = _apply_checked(before, message, check, refused)
        if refused:
            rejected += [each.at(index, key) for each in refused]
            left = without(message, refused)
            if left is None:
                continue
            message = left
        accepted.append((index, message))
        if not wrote:
            effects["unchanged"] += 1
            if row is not None and after is not None:
                rows[key] = row._replace(properties=after)
            continue
        names.update(dict.fromkeys(message.written))
        if after is None:
            effects["deleted"] += 1
            rows[key] = touched[key] = None
            if row is not None and not row.fresh:
                dropped[key] = None
            continue
        seen = NO_TIME if row is None else row.last_seen
        seen = max(seen, message.moves_to(arrival))
        if row is None:
            effects["created"] += 1
            born[key] = index
            touched.pop(key, None)  # created again: behind the rows created before it
        else:
            effects["updated"] += 1
        rows[key] = touched[key] = Row(after, seen, row is None or row.fresh)
    order = state.order(names)
    for key, row in touched.items():
        if row is not None:
            properties = in_order(growing.settled(row.properties), order)
            touched[key] = row._replace(properties=properties)
    change = Change(tuple(names), touched, born=frozenset(born))
    outcome = Outcome(len(accepted), **effects, rejections=rejected)
    return _Apart(Planned(change, outcome, accepted), accepted, tuple(dropped), born)


def _apply_checked(
    before: Profile | None,
    message: Message,
    check: Check,
    refused: list[Rejection],
) -> tuple[Profile | None, bool]:
    after, wrote = apply(before, message.operations, refused)
    if after is None or not wrote:
        return after, wrote
    excess = check(before, after, message)
    if excess:
        left = without(message, excess)
        after, wrote = apply(before, () if left is None else left.operations)
        refused += excess
    return after, wrote


class _Operation(NamedTuple):
    """One operator on one cell."""

    code: int  # which of the batch's profiles
    operator: str
    value: Any
    at: int  # which of the batch's messages


class _Cells:
    """What became of each message, filled in cell by cell."""

    def __init__(self, messages: int) -> None:
        self.wrote = np.zeros(messages, np.bool_)
        self.refused: dict[int, list[Rejection]] = {}


def _plan_columns(
    state: State, messages: Sequence[Indexed], arrival: int, progress: Progress = silent
) -> Planned:
    """Work out a batch property by property, over whole columns."""
    base = state.snapshot()
    deleting = {m.distinct_id for _, m in messages if m.deletes}
    apart = _plan_rows(
        state,
        [each for each in messages if each[1].distinct_id in deleting],
        arrival,
        progress=progress,
    )
    dropped = np.array([base.position(key) for key in apart.dropped], np.int64)
    base = without_rows(base, apart.dropped)
    # What is left of a profile that was deleted on the way is a new one.
    batch = [each for each in messages if each[1].distinct_id not in deleting]
    batch = sorted([*batch, *_created_again(apart)], key=lambda each: each[0])

    codes: dict[str, int] = {}
    of_message = [codes.setdefault(message.distinct_id, len(codes)) for _, message in batch]
    ids = pa.array(list(codes), pa.large_string())
    positions = base.positions(ids)
    results = _Cells(len(batch))
    by_name, born = _by_property(batch, of_message, positions, results, progress)
    cells: dict[str, Column] = {}
    for name, operations in by_name.items():
        progress("Comparing", len(batch), len(batch))
        old = base.column(name).take(positions)
        cells[name] = _apply_to_cells(name, old, operations, results)
    seen = np.full(len(codes), NO_TIME, np.int64)
    exists = positions >= 0
    seen[exists] = base.last_seen[positions[exists]]
    _see(seen, batch, of_message, results.wrote, arrival)

    exist = exists.copy()
    exist[list(born)] = True
    # New profiles are in the order they were created in.
    order = np.concatenate([np.flatnonzero(exists), np.array(list(born), np.int64)])
    names = dict.fromkeys(chain.from_iterable(message.written for _, message in messages))
    written = dict.fromkeys(chain(names, cells))
    snapshot, touched = merge(
        base,
        ids.take(pa.array(order)),
        positions[order],
        {
            name: (cells[name] if name in cells else base.column(name).take(positions)).take(order)
            for name in written
            # Taking from a property nobody ever had writes none.
            if name in names or name in base.columns
        },
        seen[order],
    )
    accepted, total = _sorted_out(batch, results, set(born.values()), deleting)
    accepted = sorted(accepted + apart.accepted, key=lambda each: each[0])
    total += apart.planned.outcome
    rejections = sorted(total.rejections, key=lambda each: each.index)
    change = Change(tuple(names), {}, snapshot, touched, dropped)
    return Planned(change, replace(total, rejections=rejections), accepted)


def _created_again(apart: _Apart) -> Iterable[Indexed]:
    """Yield, for each profile left of those a batch deleted, the one message that makes it."""
    for key, row in apart.planned.change.rows.items():
        if row is not None:
            never = row.last_seen == NO_TIME
            time = None if never else row.last_seen
            write = Message(key, (("$set", row.properties),), time, ignore_time=never)
            yield apart.born[key], write


def _by_property(
    messages: Sequence[Indexed],
    of_message: list[int],
    positions: Positions,
    results: _Cells,
    progress: Progress,
) -> tuple[dict[str, list[_Operation]], dict[int, int]]:
    """Take the messages apart into the operators on each property's cells.

    Returns the operators a property and, by code in the order of creation, the
    place of the message that created each new profile.
    """
    exists = (positions >= 0).tolist()
    by_name: dict[str, list[_Operation]] = {}
    born: dict[int, int] = {}
    watched = counted("Comparing", messages, progress)
    for at, (code, (_, message)) in enumerate(zip(of_message, watched, strict=True)):
        for operator, argument in message.operations:
            kind = OPERATORS[operator]
            if kind.creates:
                if not exists[code]:
                    exists[code] = True
                    born[code] = at
                    results.wrote[at] = True
            elif not exists[code]:
                continue  # REMOVE-1, UNSET-1: nothing to take from
            # Not a call for each of millions of messages.
            has_values = kind.argument == "values"
            for name, value in argument.items() if has_values else kind.pairs(argument):
                by_name.setdefault(name, []).append(_Operation(code, operator, value, at))
    return by_name, born


def _apply_to_cells(
    name: str, cells: Column, operations: list[_Operation], results: _Cells
) -> Column:
    """Return the cells of one property after the operators on them, in order."""
    operators = {operation.operator for operation in operations}
    if operators == {"$set"}:
        return _set_cells(cells, operations, results)
    if operators == {"$add"}:
        added = _add_cells(cells, operations, results)
        if added is not None:
            return added
    values = cells.cells()
    changed = dict.fromkeys(operation.code for operation in operations)
    for code, operator, value, at in operations:
        before = {} if values[code] is ABSENT else {name: values[code]}
        argument = OPERATORS[operator].one(name, value)
        refused: list[Rejection] = []
        after, wrote = growing.apply_to(operator, before, argument, refused)
        if refused:
            rule = OPERATORS[operator].refusal
            refused = [replace(each, operator=operator, rule=rule) for each in refused]
            results.refused.setdefault(at, []).extend(refused)
        results.wrote[at] |= wrote
        values[code] = after.get(name, ABSENT)
    codes = list(changed)
    finished = [growing.settled({name: values[code]})[name] for code in codes]
    return cells.put(np.array(codes, np.int64), Column.of(finished))


def _set_cells(cells: Column, operations: list[_Operation], results: _Cells) -> Column:
    last = {operation.code: operation.value for operation in operations}
    results.wrote[[operation.at for operation in operations]] = True
    return cells.put(np.fromiter(last, np.int64, len(last)), Column.of(list(last.values())))


def _add_cells(cells: Column, operations: list[_Operation], results: _Cells) -> Column | None:
    """Add 64-bit integers or floats at once; None where that could lose anything."""
    increments = Column.of([operation.value for operation in operations])
    codes = np.array([operation.code for operation in operations], np.int64)
    state = cells.state[codes]
    if increments.kind not in ("int", "float") or (state == IS_NULL).any():
        return None
    if cells.kind != increments.kind and cells.has_value.any():
        return None
    filled = cells.kind == increments.kind
    totals = np.where(cells.has_value & filled, cells.values if filled else 0, 0)
    totals = totals.astype(increments.values.dtype)
    with np.errstate(over="ignore"):  # then the reach is infinite, and refused below
        reach = np.abs(totals.astype(np.float64)).max(initial=0.0)
        reach += np.abs(increments.values.astype(np.float64)).sum()
    # Below these bounds no sum, in whatever order, wraps or becomes an infinity.
    if not reach < (2.0**62 if increments.kind == "int" else 1e300):
        return None
    np.add.at(totals, codes, increments.values)
    results.wrote[[operation.at for operation in operations]] = True
    after = cells.state.copy()
    after[codes] = IS_VALUE
    return Column(increments.kind, totals, after)


def _see(
    seen: Positions, messages: Sequence[Indexed], of_message: list[int], wrote: Any, arrival: int
) -> None:
    """Move Updated At of each profile to its last update (SEEN-1, SEEN-2)."""
    sent = np.array([message.moves_to(arrival) for _, message in messages], np.int64)
    codes = np.array(of_message, np.int64)
    np.maximum.at(seen, codes[wrote], sent[wrote])


def _sorted_out(
    messages: Sequence[Indexed], results: _Cells, creating: set[int], counted: set[str]
) -> tuple[list[Indexed], Outcome]:
    """Return the messages accepted, and what became of all.

    Messages to IDs that were *counted* before are left out.
    """
    accepted: list[Indexed] = []
    rejected: list[Rejection] = []
    effects: Counter[str] = Counter()
    for at, (index, message) in enumerate(messages):
        if message.distinct_id in counted:
            continue
        refused = results.refused.get(at)
        if refused:
            written: list[tuple[Any, Any]] = [
                (op, name) for op, argument in message.operations for name in argument
            ]
            refused.sort(key=lambda each: written.index((each.operator, each.property)))
            rejected += [each.at(index, message.distinct_id) for each in refused]
            left = without(message, refused)
            if left is None:
                continue
            message = left
        accepted.append((index, message))
        if not results.wrote[at]:
            effects["unchanged"] += 1
        else:
            effects["created" if at in creating else "updated"] += 1
    return accepted, Outcome(len(accepted), **effects, rejections=rejected)
