"""The hosted product's limits, for those who want to see what it would keep.

By default nothing is limited: the toolkit loses nothing. A table opened with
``limits="mixpanel"`` cuts or rejects as the product does, and reports each case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.base import ABSENT, Json, dumps
from toolkit.columns import IS_ABSENT, Column, Snapshot
from toolkit.updates.messages import Message
from toolkit.updates.operators import OPERATORS, Profile
from toolkit.updates.rejection import Rejection

#: Properties per profile; further ones are rejected.
PROPERTIES: Final = 2_000
#: Characters per property name; longer ones are cut.
NAME_CHARACTERS: Final = 255
#: UTF-8 bytes per text; longer ones are cut.
TEXT_BYTES: Final = 255
#: UTF-8 bytes of JSON per list or object; larger ones are rejected.
CONTAINER_BYTES: Final = 256 * 1024
#: Keys per object; objects with more are rejected.
OBJECT_KEYS: Final = 255
#: Objects in objects; deeper ones are rejected.
OBJECT_DEPTH: Final = 3


def cut_message(
    message: Message, index: int
) -> tuple[Message | None, list[Rejection], list[Rejection]]:
    """Return the message within the limits, what was cut, and what was rejected.

    The message is None if nothing of it is left. *index* is its place in the batch.
    """
    cuts: list[Rejection] = []
    rejected: list[Rejection] = []
    operations: list[tuple[str, Any]] = []
    for operator, argument in message.operations:
        takes = OPERATORS[operator].argument
        if takes == "none":
            operations.append((operator, argument))
        elif takes == "names":
            operations.append((operator, [name[:NAME_CHARACTERS] for name in argument]))
        else:
            reject = partial(Rejection, index, message.distinct_id, operator, rule="LIMITS")
            within = _cut_properties(reject, argument, cuts, rejected)
            if within or not argument:
                operations.append((operator, within))
    within_limits = replace(message, operations=tuple(operations)) if operations else None
    return within_limits, cuts, rejected


def _cut_properties(
    reject: Callable[[str, str], Rejection],
    argument: dict[str, Json],
    cuts: list[Rejection],
    rejected: list[Rejection],
) -> dict[str, Json]:
    within: dict[str, Json] = {}
    for name, value in argument.items():
        short = name[:NAME_CHARACTERS]
        if short != name:
            cuts.append(reject(name, f"name cut to {NAME_CHARACTERS} characters"))
        if short in within:
            rejected.append(reject(name, "the name, once cut, is another property's"))
            continue
        reason = _refuse_container(value)
        if reason is not None:
            rejected.append(reject(name, reason))
            continue
        fitting = _cut_text(value)
        if fitting is not value:
            cuts.append(reject(name, f"text cut to {TEXT_BYTES} bytes"))
        within[short] = fitting
    return within


def _cut_text(value: Json) -> Json:
    """Return the value with every text in it cut; the value itself if none was."""
    if isinstance(value, str):
        encoded = value.encode()
        if len(encoded) <= TEXT_BYTES:
            return value
        # A character across the limit goes as a whole.
        return encoded[:TEXT_BYTES].decode(errors="ignore")
    if isinstance(value, list):
        elements = [_cut_text(element) for element in value]
        same = all(new is old for new, old in zip(elements, value, strict=True))
        return value if same else elements
    if isinstance(value, dict):
        members = {name: _cut_text(element) for name, element in value.items()}
        return value if all(members[name] is value[name] for name in value) else members
    return value


def _refuse_container(value: Json) -> str | None:
    if not isinstance(value, list | dict):
        return None
    size = len(dumps(value).encode())
    if size > CONTAINER_BYTES:
        return f"{size:,} bytes of JSON; lists and objects hold at most {CONTAINER_BYTES:,}"
    return _refuse_objects(value, 0)


def _refuse_objects(value: Json, depth: int) -> str | None:
    if isinstance(value, dict):
        if len(value) > OBJECT_KEYS:
            return f"an object of {len(value)} keys; at most {OBJECT_KEYS} are allowed"
        depth += 1
        if depth > OBJECT_DEPTH:
            return f"objects are nested more than {OBJECT_DEPTH} deep"
        elements = list(value.values())
    elif isinstance(value, list):
        elements = value
    else:
        return None
    reasons = (_refuse_objects(element, depth) for element in elements)
    return next((reason for reason in reasons if reason is not None), None)


def excess(before: Profile | None, after: Profile, message: Message) -> list[Rejection]:
    """Return what of a message leaves the profile beyond the limits.

    Counted where it is known: after the operators. A list may outgrow its size
    by an element, a profile its number of properties by a name.
    """
    refused: list[Rejection] = []
    present = set(before or ())
    for operator, argument in message.operations:
        kind = OPERATORS[operator]
        reject = partial(Rejection, -1, None, operator, rule="LIMITS")
        if kind.resets and kind.argument == "names":
            present -= set(argument)
        if not kind.creates:
            continue
        for name in argument:
            if name not in present and len(present) >= PROPERTIES:
                refused.append(reject(name, f"the profile has {PROPERTIES:,} properties"))
                continue
            present.add(name)
            if kind.grows:
                reason = _refuse_container(after.get(name))
                if reason is not None:
                    refused.append(reject(name, reason))
    return refused


def may_be_exceeded(names: Iterable[str]) -> bool:
    """Return whether a profile might have more properties than allowed, if these are all."""
    return len(set(names)) > PROPERTIES


def cut_columns(
    before: Snapshot, ids: pa.Array, columns: Mapping[str, Column]
) -> tuple[dict[str, Column], list[Rejection]]:
    """Return whole columns to be set within the limits, and what was cut or left out."""
    reject = partial(Rejection, rule="LIMITS")
    cuts: list[Rejection] = []
    within: dict[str, Column] = {}
    positions = before.positions(ids)
    stored = {name: column.take(positions) for name, column in before.columns.items()}
    held = sum((column.is_present for column in stored.values()), np.zeros(len(ids), np.int64))
    for name, column in columns.items():
        short = name[:NAME_CHARACTERS]
        if short in within:
            what = "the name, once cut, is another property's; left out"
            cuts.append(reject(-1, "", "$set", name, what))
            continue
        fitting, reports = _cut_cells(column)
        new = fitting.is_present
        if short in stored:
            new &= ~stored[short].is_present
        surplus = new & (held >= PROPERTIES)
        held = held + (new & ~surplus)
        if surplus.any():
            state = np.where(surplus, IS_ABSENT, fitting.state)
            fitting = Column(fitting.kind, fitting.values, state)
            what = f"the profile has {PROPERTIES:,} properties"
            reports += [(at, what) for at in np.flatnonzero(surplus).tolist()]
        cuts += [reject(at, ids[at].as_py(), "$set", name, what) for at, what in reports]
        if short != name:
            what = f"name cut to {NAME_CHARACTERS} characters"
            cuts.append(reject(-1, "", "$set", name, what))
        within[short] = fitting
    return within, cuts


def _cut_cells(column: Column) -> tuple[Column, list[tuple[int, str]]]:
    """Return a column within the limits, and (position, what happened)."""
    if column.kind == "text":
        long = pc.fill_null(pc.greater(pc.binary_length(column.values), TEXT_BYTES), False)
        at = np.flatnonzero(long.to_numpy(zero_copy_only=False) & column.has_value)
    elif column.kind == "json":
        at = np.flatnonzero(column.has_value)
    else:
        return column, []
    reports = []
    cells: list[Any] = []
    for position, cell in zip(at.tolist(), column.take(at).cells(), strict=True):
        reason = _refuse_container(cell)
        fitting = ABSENT if reason else _cut_text(cell)
        if fitting is not cell:
            reports.append((position, reason or f"text cut to {TEXT_BYTES} bytes"))
        cells.append(fitting)
    return column.put(at, Column.of(cells)), reports
