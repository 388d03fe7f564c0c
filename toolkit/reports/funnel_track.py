"""The events a funnel looks at, one user after the other, and quick ways to find the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np

from toolkit.columns import Column, Mask, Positions
from toolkit.events import Events
from toolkit.expressions import Instants
from toolkit.reports.funnel_plan import Plan
from toolkit.reports.segments import Segments
from toolkit.reports.selection import Selection
from toolkit.reports.steps import Step
from toolkit.series import Codes
from toolkit.times import NO_TIME
from toolkit.values import ABSENT, key


@dataclass(frozen=True, eq=False)
class Track:
    """The events that are a step or excluded, sorted by lane and time.

    A lane is a user, or where properties are held constant, a user and their values: an
    entry never leaves its lane. A position is one in the arrays below.

    Attributes
    ----------
    rows
        ``int64``: the row of each event.
    ids
        ``int32``: its distinct ID, a position in ``events.ids.texts``.
    times
        Its time in microseconds since 1970 UTC.
    matches
        Bits: step n is bit n, excluded event n bit ``len(plan) + n``.
    lanes
        The lane of each event, ascending.
    bounds
        Where each lane begins, and last the number of events.
    ranks
        Where each event stands among all of its user; None if positions say so.
    unheld
        How many events were left out for want of a held property.
    """

    rows: Positions
    ids: Codes
    times: Positions
    matches: Any
    lanes: Positions | Codes
    bounds: Positions
    ranks: Positions | None = None
    unheld: int = 0
    _found: dict[int, Positions] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    def rank(self, positions: Positions) -> Positions:
        """Return numbers that order events of one user by time, then row."""
        return positions if self.ranks is None else self.ranks[positions]

    def where(self, bits: int) -> Positions:
        """Return the positions of events that match any of *bits*, and last ``len(self)``."""
        if bits not in self._found:
            chosen = np.flatnonzero(self.matches & self.matches.dtype.type(bits))
            self._found[bits] = np.append(chosen, len(self))
        return self._found[bits]

    def following(self, bits: int, low: Positions) -> Positions:
        """Return the first event from position *low* on that matches any of *bits*.

        It may be of another lane; ``len(self)`` if there is none.
        """
        chosen = self.where(bits)
        return chosen[np.searchsorted(chosen, low)]

    def overlaps(self, bits: int) -> bool:
        """Whether an event matches more than one of *bits*."""
        return bool((np.bitwise_count(self.matches & self.matches.dtype.type(bits)) > 1).any())

    def since(self, positions: Positions, begins: Positions, microseconds: int) -> Positions:
        """Return the first event, from *begins* on, that is so much earlier at the most."""
        result = positions.copy()
        before = np.maximum(positions - 1, 0)
        moments = self.times[positions] - microseconds
        near = np.flatnonzero((positions > begins) & (self.times[before] >= moments))
        if len(near):
            result[near] = self._first_not(begins[near], positions[near], moments[near], np.less)
        return result

    def until(self, positions: Positions, stops: Positions, moments: Positions) -> Positions:
        """Return the last event, from *positions* to before *stops*, not later than *moments*."""
        result = stops - 1
        early = np.flatnonzero(self.times[result] > moments)
        if len(early):
            found = self._first_not(positions[early], stops[early], moments[early], np.less_equal)
            result[early] = found - 1
        return result

    def _first_not(self, low: Positions, high: Positions, moments: Positions, is_so: Any) -> Any:
        """Return the first position of each range whose time is not so, else *high*.

        In a range the times ascend, so half of it can be left out at each look.
        """
        low, high = low.copy(), high.copy()
        while (open_ := low < high).any():
            middle = (low + high) // 2
            right = open_ & is_so(self.times[np.where(open_, middle, 0)], moments)
            low = np.where(right, middle + 1, low)
            high = np.where(open_ & ~right, middle, high)
        return low


def track_of(visible: Selection, plan: Plan) -> Track:
    """Return the events that are a step of the plan, or excluded by it.

    Parameters
    ----------
    visible
        All events that take part in reports.
    plan
        The plan.
    """
    events = visible.events
    timelines = events.timelines
    matches = _matches(visible, (*plan.steps, *plan.exclude))[timelines.rows]
    chosen = np.flatnonzero(matches)
    track = Track(
        timelines.rows[chosen],
        timelines.ids[chosen],
        timelines.times[chosen],
        matches[chosen],
        timelines.ids[chosen],
        _bounds(timelines.ids[chosen], len(events.ids.texts)),
    )
    return _held(track, visible, plan) if plan.hold else track


def _bounds(codes: Positions | Codes, size: int) -> Positions:
    return np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=size))]).astype(np.int64)


def _matches(visible: Selection, steps: Sequence[Step]) -> Any:
    """Return for each event of all which steps it is, as bits."""
    kind = np.min_scalar_type(1 << max(len(steps) - 1, 0)).type
    names = visible.events.event_names
    # A name is looked up once, not once an event; those without one are last.
    of_names = np.zeros(len(names.texts) + 1, kind)
    for number, step in enumerate(steps):
        if step.where is None:
            code = slice(None) if step.event is None else _code(visible.events, step.event)
            of_names[code] |= kind(1 << number)
    matches = of_names[names.codes]
    for number, step in enumerate(steps):
        if step.where is not None:
            found = visible.named(step.event).with_id().where(step.where)
            rows = slice(None) if found.positions is None else found.positions
            matches[rows] |= kind(1 << number)
    return matches


def _code(events: Events, name: str) -> Any:
    code = events.event_names.texts.index(name).as_py()
    return code if code >= 0 else []


def _held(track: Track, visible: Selection, plan: Plan) -> Track:
    """Return the track with a lane for each user and values of the held properties."""
    at_rows = Selection(visible.events, visible.snapshot, track.rows, visible.past)
    is_held = np.ones(len(track), np.bool_)
    codes: list[Any] = []
    for prop in plan.hold:
        column, has_value = whole_values(at_rows.event_column(prop.name))
        codes.append(column)
        is_held &= has_value
    order = np.flatnonzero(is_held)
    order = order[np.lexsort([code[order] for code in (*codes, track.ids)])]
    keys = [code[order] for code in (*codes, track.ids)]
    is_new = reduce(np.logical_or, [np.diff(key, prepend=-1) != 0 for key in keys])
    lanes = np.cumsum(is_new) - 1
    size = int(lanes[-1]) + 1 if len(lanes) else 0
    return Track(
        track.rows[order],
        track.ids[order],
        track.times[order],
        track.matches[order],
        lanes,
        _bounds(lanes, size),
        order,
        len(track) - len(order),
    )


def whole_values(cells: Column | Instants) -> tuple[Any, Mask]:
    """Return a number for each cell, the same for equal values, and whether it has one.

    A list is one value.
    """
    if isinstance(cells, Instants):
        has_time = cells.microseconds != NO_TIME
        return np.unique(cells.microseconds, return_inverse=True)[1], has_time
    if cells.kind != "json":
        return Segments.of(cells).codes, cells.has_value
    known: dict[Any, int] = {}
    values = (None if cell is ABSENT else key(cell) for cell in cells.cells())
    codes = [known.setdefault(value, len(known)) for value in values]
    return np.array(codes, np.int64), cells.has_value
