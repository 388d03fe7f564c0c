"""The events a funnel looks at, one user after the other, and quick ways to find the next."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np

from toolkit.base import ABSENT, NO_TIME, key
from toolkit.columns import Codes, Column, Instants, Mask, Positions
from toolkit.reports.funnels.plan import FunnelPlan
from toolkit.reports.question.segments import Segments
from toolkit.reports.question.selection import Selection
from toolkit.reports.question.steps import Step


@dataclass(frozen=True, eq=False)
class FunnelTrack:
    """The events of a funnel, sorted by lane and time.

    A lane is a user or, if sessions are counted, a session; where properties are held
    constant, one with certain values. An entry never leaves its lane. A position is one in
    the arrays below.

    Attributes
    ----------
    rows
        ``int64``: the row of each event.
    ids
        ``int32``: its distinct ID, a position in ``events.ids.texts``.
    owners
        What counts once: its user, or its session if sessions are counted.
    times
        Its time in microseconds since 1970 UTC.
    lanes
        The lane of each event, ascending.
    bounds
        Where each lane begins, and last the number of events.
    by_step
        For each step, then for each excluded event, the positions of the events that are
        it, ascending.
    overlaps
        Whether an event may be more than one step.
    ranks
        Where each event is among all of its owner; None if positions say so.
    unheld
        How many steps were left out for lack of a held property.
    """

    rows: Positions
    ids: Codes
    owners: Codes | Positions
    times: Positions
    lanes: Positions | Codes
    bounds: Positions
    by_step: tuple[Positions, ...]
    overlaps: bool
    ranks: Positions | None = None
    unheld: int = 0
    _unions: dict[tuple[int, ...], Positions] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    def rank(self, positions: Positions) -> Positions:
        """Return numbers that order events of one user by time, then row."""
        return positions if self.ranks is None else self.ranks[positions]

    def where(self, numbers: tuple[int, ...]) -> Positions:
        """Return the positions of events that are any of some steps, ascending.

        Excluded events are numbered after the steps.
        """
        if len(numbers) == 1:
            return self.by_step[numbers[0]]
        if numbers not in self._unions:
            is_one = np.zeros(len(self), np.bool_)
            for number in numbers:
                is_one[self.by_step[number]] = True
            self._unions[numbers] = np.flatnonzero(is_one)
        return self._unions[numbers]

    def following(self, numbers: tuple[int, ...], low: Positions) -> Positions:
        """Return the first event from position *low* on that is any of some steps.

        It may be of another lane; ``len(self)`` if there is none.
        """
        matching = self.where(numbers)
        if not len(matching):
            return np.full(len(low), len(self), np.int64)
        which = np.searchsorted(matching, low)
        is_none = which == len(matching)
        which[is_none] = 0
        result = matching[which]
        result[is_none] = len(self)
        return result

    def are(self, number: int, positions: Positions) -> Mask:
        """Return whether the events at some positions are a step."""
        return self.following((number,), positions) == positions

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
            late = self._first_not(positions[early], stops[early], moments[early], np.less_equal)
            result[early] = late - 1
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


def track_of(visible: Selection, plan: FunnelPlan) -> FunnelTrack:
    """Return the events a funnel looks at.

    Parameters
    ----------
    visible
        All events that take part in reports.
    plan
        The plan.
    """
    timelines = visible.events.timelines
    asked = (*plan.steps, *plan.exclude)
    names = [each.event for each in plan.steps]
    owners: Codes | Positions = timelines.ids
    bounds = timelines.bounds
    if plan.count == "sessions":
        owners = timelines.sessions
        bounds = np.append(np.flatnonzero(is_new(owners)), len(owners))
    track = FunnelTrack(
        timelines.rows,
        timelines.ids,
        owners,
        timelines.times,
        owners,
        bounds,
        tuple(_positions_of(visible, each) for each in asked),
        len(set(names)) < len(names) or None in names,
    )
    return _held(track, visible, plan) if plan.hold else track


def _positions_of(visible: Selection, step: Step) -> Positions:
    """Return the positions in the timelines of the events that are a step."""
    events = visible.events
    if step.event is None:
        positions = np.arange(len(events.timelines.rows))
    else:
        code = events.event_names.code(step.event)
        positions = events.timelines.named(code) if code >= 0 else np.zeros(0, np.int64)
    if step.where is None:
        return positions
    candidates = visible.at_rows(events.timelines.rows[positions])
    kept = candidates.where(step.where).positions
    is_kept = np.zeros(len(events), np.bool_)
    is_kept[kept] = True
    return positions[is_kept[events.timelines.rows[positions]]]


def _held(track: FunnelTrack, visible: Selection, plan: FunnelPlan) -> FunnelTrack:
    """Return the track with a lane for each owner and values of the held properties."""
    positions = track.where(tuple(range(len(track.by_step))))
    at_rows = visible.at_rows(track.rows[positions])
    is_held = np.ones(len(positions), np.bool_)
    keys: list[Any] = []
    for prop in plan.hold:
        codes, has_value = whole_values(at_rows.event_column(prop.name))
        keys.append(codes)
        is_held &= has_value
    keys = [codes[is_held] for codes in (*keys, track.owners[positions])]
    order = np.lexsort(keys)
    lanes = np.cumsum(reduce(np.logical_or, [is_new(codes[order]) for codes in keys])) - 1
    held = positions[is_held][order]
    # An excluded event without the property ends entries of every value.
    unheld = np.zeros(len(track), np.bool_)
    unheld[positions[~is_held]] = True
    steps = track.where(tuple(range(len(plan))))
    without = int(unheld[steps].sum())
    ending = [
        positions_of_step[unheld[positions_of_step]]
        for positions_of_step in track.by_step[len(plan) :]
    ]
    copies, copied_lanes = _in_every_lane(
        np.unique(np.concatenate(ending)) if ending else held[:0],
        track.owners,
        track.owners[held[is_new(lanes)]],
    )
    in_order, lanes = np.concatenate([held, copies]), np.concatenate([lanes, copied_lanes])
    order = np.lexsort((in_order, lanes))
    in_order, lanes = in_order[order], lanes[order]
    return FunnelTrack(
        track.rows[in_order],
        track.ids[in_order],
        track.owners[in_order],
        track.times[in_order],
        lanes,
        np.concatenate([[0], np.cumsum(np.bincount(lanes))]).astype(np.int64),
        tuple(
            _moved(
                positions_of_step
                if number >= len(plan)
                else positions_of_step[~unheld[positions_of_step]],
                in_order,
                len(track),
            )
            for number, positions_of_step in enumerate(track.by_step)
        ),
        track.overlaps,
        in_order,
        without,
    )


def _in_every_lane(
    positions: Positions, owners: Codes | Positions, lane_owners: Codes | Positions
) -> tuple[Positions, Positions]:
    """Return positions once for each lane of their owner, and those lanes.

    Parameters
    ----------
    positions
        The positions.
    owners
        The owner at each position there is.
    lane_owners
        The owner of each lane, ascending.
    """
    first = np.searchsorted(lane_owners, owners[positions], side="left")
    sizes = np.searchsorted(lane_owners, owners[positions], side="right") - first
    nth = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.repeat(positions, sizes), np.repeat(first, sizes) + nth


def _moved(positions: Positions, in_order: Positions, size: int) -> Positions:
    """Return where some positions, all less than *size*, are in *in_order*."""
    is_one = np.zeros(size, np.bool_)
    is_one[positions] = True
    return np.flatnonzero(is_one[in_order])


def is_new(codes: Positions | Codes) -> Mask:
    """Return whether each code differs from the one before; the first does."""
    new = np.ones(len(codes), np.bool_)
    np.not_equal(codes[1:], codes[:-1], out=new[1:])
    return new


def whole_values(cells: Column | Instants) -> tuple[Any, Mask]:
    """Return a number for each cell, the same for equal values, and whether it has one.

    A list is one value.
    """
    if isinstance(cells, Instants):
        has_time = cells.microseconds != NO_TIME
        return np.unique(cells.microseconds, return_inverse=True)[1], has_time
    if cells.kind != "json":
        return Segments.of(cells).codes, cells.has_value
    numbers: dict[Any, int] = {}
    values = (None if cell is ABSENT else key(cell) for cell in cells.cells())
    codes = [numbers.setdefault(value, len(numbers)) for value in values]
    return np.array(codes, np.int64), cells.has_value
