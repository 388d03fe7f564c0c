"""Changes in words and tables: what happened to a profile, and how two moments differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from toolkit.base import ABSENT, copied, count, did_you_mean, dumps, html, times
from toolkit.columns import Snapshot, cell_frame, objects
from toolkit.store.history import Update
from toolkit.updates import OPERATORS, Profile, apply

_SHOWN: Final = 60


class Step(NamedTuple):
    """What one operator of an update did to one property."""

    update: Update
    operator: str
    #: None for ``$delete``, and for ``$set`` of ``{}``.
    property: str | None
    argument: Any
    #: The property before and after, ABSENT if there was none; for ``$delete`` the
    #: whole profile, ABSENT if there was none.
    old: Any
    new: Any


def steps(updates: Sequence[Update]) -> list[Step]:
    """Return what each update of one profile did, property by property."""
    found: list[Step] = []
    profile: Profile | None = None
    for update in updates:
        for operator, argument in update.message.operations:
            before = profile
            profile, _ = apply(profile, [(operator, argument)])
            if OPERATORS[operator].deletes:
                gone = ABSENT if before is None else dict(before)
                found.append(Step(update, operator, None, argument, gone, ABSENT))
                continue
            if not argument:
                found.append(Step(update, operator, None, argument, ABSENT, ABSENT))
            for name in argument:
                old, new = ((each or {}).get(name, ABSENT) for each in (before, profile))
                value = None if OPERATORS[operator].argument == "names" else argument[name]
                found.append(Step(update, operator, name, value, old, new))
    return found


def history_frame(found: Sequence[Step]) -> pd.DataFrame:
    """Return steps as a DataFrame, in the order given.

    Columns ``time`` (effective) and ``arrived`` (both ``datetime64[us, UTC]``),
    ``batch_id``, ``source``, ``operator``, ``property``, ``old`` and ``new``
    (``object``; NaN where there was nothing).
    """

    def shown(value: Any) -> Any:
        return np.nan if value is ABSENT else copied(value)

    def moments(values: list[int]) -> pd.DatetimeIndex:
        return pd.DatetimeIndex(np.array(values, "M8[us]")).tz_localize("UTC")

    return cell_frame(
        {
            "time": moments([step.update.time for step in found]),
            "arrived": moments([step.update.batch.time for step in found]),
            "batch_id": np.array([step.update.batch.id for step in found], np.int64),
            "source": objects([step.update.batch.source for step in found]),
            "operator": objects([step.operator for step in found]),
            "property": objects([step.property for step in found]),
            "old": objects([shown(step.old) for step in found]),
            "new": objects([shown(step.new) for step in found]),
        }
    )


@dataclass(frozen=True, eq=False)
class Explanation:
    """Why a property is what it is: the updates that made its value, in words.

    Attributes
    ----------
    distinct_id, property
        Whose, and which.
    sentences
        What it is, then one sentence an update, oldest first.
    steps
        The same as a DataFrame, in the form of ``profiles.history``.
    """

    distinct_id: str
    property: str
    sentences: list[str]
    steps: pd.DataFrame

    def __str__(self) -> str:
        first, *rest = self.sentences
        return "\n".join([first, *(f"  {sentence}" for sentence in rest)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        first, *rest = self.sentences
        return html.card(first, *(html.paragraph(sentence) for sentence in rest))


def explain(distinct_id: str, name: str, updates: Sequence[Update]) -> Explanation:
    """Return the chain of updates that made a property what it is."""
    of_property = [
        step
        for step in steps(updates)
        if step.property == name or (OPERATORS[step.operator].deletes and step.old is not ABSENT)
    ]
    # What came before a value was written anew made no difference to it.
    starts = [place for place, step in enumerate(of_property) if OPERATORS[step.operator].resets]
    chain = of_property[starts[-1] :] if starts else of_property
    value = chain[-1].new if chain else ABSENT
    sentences = [_state(distinct_id, name, value)]
    if not updates:
        sentences.append("No update ever named this distinct ID.")
    elif not of_property:
        known = [step.property for step in steps(updates) if step.property is not None]
        sentences.append(f"No update ever wrote it.{did_you_mean(name, known)}")
    if len(chain) < len(of_property):
        earlier = len(of_property) - len(chain)
        sentences.append(f"({count(earlier, 'earlier update')} of it made no difference any more.)")
    sentences += [_sentence(step) for step in chain]
    return Explanation(distinct_id, name, sentences, history_frame(chain))


def _state(distinct_id: str, name: str, value: Any) -> str:
    if value is ABSENT:
        return f"{name!r} of {distinct_id!r} is not set."
    return f"{name!r} of {distinct_id!r} is {_text(value)}."


def _text(value: Any) -> str:
    text = dumps(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _sentence(step: Step) -> str:
    batch = step.update.batch
    at = times.iso(step.update.time)
    origin = f"batch {batch.id}, {batch.source}"
    if step.update.time != batch.time:
        origin += f", arrived {times.iso(batch.time)}"
    return f"{at}: {_deed(step)} ({origin})"


def _deed(step: Step) -> str:
    if OPERATORS[step.operator].deletes:
        return "the profile was deleted"
    has_value = OPERATORS[step.operator].argument == "values"
    argument = f" {_text(step.argument)}" if has_value else ""
    if step.new is ABSENT and step.old is ABSENT:
        return f"{step.operator}{argument} had nothing to do"
    if step.new is ABSENT:
        return f"{step.operator} removed it; it was {_text(step.old)}"
    if step.old is ABSENT:
        return f"{step.operator}{argument} made it {_text(step.new)}"
    if step.new == step.old and type(step.new) is type(step.old):
        return f"{step.operator}{argument} left it {_text(step.new)}"
    return f"{step.operator}{argument} made {_text(step.old)} into {_text(step.new)}"


def difference(before: Snapshot, after: Snapshot) -> pd.DataFrame:
    """Return the cells in which two moments differ, a row each.

    Columns ``distinct_id``, ``property`` (None for the profile itself), ``change``
    (``"created"``, ``"deleted"``, ``"added"``, ``"changed"``, ``"removed"``), ``old``
    and ``new`` (``object``; NaN where there is nothing). Profiles are in the order
    of *after*, then those that are gone.
    """
    ids = pa.concat_arrays([after.ids, before.ids]).unique()
    then, now = before.positions(ids), after.positions(ids)
    rows: list[tuple[int, int, str | None, str, Any, Any]] = []
    for change, where in (
        ("created", (then < 0) & (now >= 0)),
        ("deleted", (then >= 0) & (now < 0)),
    ):
        rows += [(at, -1, None, change, np.nan, np.nan) for at in np.flatnonzero(where).tolist()]
    names = dict.fromkeys([*after.columns, *before.columns])
    for place, name in enumerate(names):
        old, new = before.column(name).take(then), after.column(name).take(now)
        differs = np.flatnonzero(~old.equals(new))
        left, right = old.take(differs), new.take(differs)
        for at, was, is_now in zip(differs.tolist(), left.cells(), right.cells(), strict=True):
            if was is ABSENT:
                rows.append((at, place, name, "added", np.nan, copied(is_now)))
            elif is_now is ABSENT:
                rows.append((at, place, name, "removed", copied(was), np.nan))
            else:
                rows.append((at, place, name, "changed", copied(was), copied(is_now)))
    rows.sort(key=lambda row: row[:2])
    keys = ids.take(pa.array([row[0] for row in rows], pa.int64())).to_pylist()
    titles = ("property", "change", "old", "new")
    cells = {title: objects([row[at] for row in rows]) for at, title in enumerate(titles, start=2)}
    return cell_frame({"distinct_id": pd.Series(keys, dtype="str"), **cells})
