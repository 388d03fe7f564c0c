"""The numbers of a funnel: which entries count, in which segments, and how far they got."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from toolkit.base import NO_TIME, ReportError
from toolkit.columns import Codes, Column, Mask, Positions
from toolkit.expressions import Expression, Instants, Spread, Tally, conjuncts, mask_of
from toolkit.reports.funnels.entries import Attempts, entries
from toolkit.reports.funnels.plan import Plan
from toolkit.reports.funnels.track import Track
from toolkit.reports.question.breakdowns import Breakdown
from toolkit.reports.question.periods import MOST_ROWS, Periods
from toolkit.reports.question.ranked import Ranked
from toolkit.reports.question.segments import Segments
from toolkit.reports.question.selection import Selection, segments_beside

#: Of fewer entries nothing is said about chance.
FEWEST: Final = 30


@dataclass(frozen=True, eq=False)
class Entries:
    """The entries that count, before any breakdown.

    Attributes
    ----------
    track
        The events of the funnel.
    found
        The entries: their steps are positions in the track.
    """

    track: Track
    found: Attempts

    def __len__(self) -> int:
        return len(self.found)

    @property
    def ids(self) -> Codes:
        """The distinct ID of each entry."""
        return self.track.ids[self.found.starts]

    @property
    def rows(self) -> Positions:
        """The row of the event of each first step."""
        return self.track.rows[self.found.starts]

    def take(self, chosen: Positions) -> Entries:
        """Return some of the entries."""
        return Entries(self.track, self.found.take(chosen))

    def seconds(self, chosen: Positions, step: int, since: int) -> Any:
        """Return how long some took from a step (from 0) to a later one, both of which they did."""
        times, at = self.track.times, self.found.at
        # Grace lets a step stand before the one it follows: that took no time.
        return np.maximum(times[at[step, chosen]] - times[at[since, chosen]], 0) / 1_000_000


@dataclass(frozen=True, eq=False)
class Question:
    """What is counted.

    Attributes
    ----------
    visible
        All events that take part in reports.
    plan, by, where, range
        What was asked.
    """

    visible: Selection
    plan: Plan
    by: Breakdown | None
    where: Expression | None
    range: Periods

    @cached_property
    def _parts(self) -> tuple[list[Expression], list[Expression]]:
        """The conditions on events and the groups they name, and those on users alone."""
        parts = [] if self.where is None else list(conjuncts(self.where))
        of_events = [part for part in parts if part.sides - {"user"}]
        return of_events, [part for part in parts if not part.sides - {"user"}]

    @property
    def is_by_event(self) -> bool:
        """Whether an entry's segment depends on its events."""
        return self.by is not None and self.by.is_by_event

    def tried(self, track: Track) -> Entries:
        """Return the entries, before any condition on them and any breakdown."""
        start, end = self.range.start, self.range.end
        return Entries(
            track, entries(track, self.plan, start, end, only_first=self._is_of_first_entries)
        )

    @property
    def _is_of_first_entries(self) -> bool:
        """Whether one entry a user is all there is to look at."""
        # Further ones may have another value of an event property, or get further.
        is_by_event = self.is_by_event or bool(self._parts[0])
        return self.plan.count == "uniques" and self.plan.reentry == "first" and not is_by_event

    def answer(self, tried: Entries) -> Numbers:
        """Return the numbers."""
        of_events, of_users = self._parts
        is_unique = self.plan.count == "uniques"
        every = self._kept(tried, of_events)
        # Of an event property a user is in each segment once, of all else once.
        is_chosen = not is_unique or self._is_of_first_entries
        counted = every if is_chosen else every.take(self._chosen(every, None))
        overall = self._kept(counted, of_users)
        if self.by is None:
            return Numbers(self.plan, overall, None, overall, None, None)
        if not self.is_by_event:
            owners, codes, segments = self._segments(overall)
            return Numbers(self.plan, overall, self.by, overall, owners, (codes, segments))
        owners, codes, segments = self._segments(every)
        if is_unique:
            chosen = self._chosen(every.take(owners), codes)
            owners, codes = owners[chosen], codes[chosen]
        each = every.take(owners)
        kept = np.flatnonzero(self._mask(each, of_users))
        each, codes = each.take(kept), codes[kept]
        return Numbers(self.plan, overall, self.by, each, np.arange(len(each)), (codes, segments))

    def _kept(self, among: Entries, parts: list[Expression]) -> Entries:
        return among.take(np.flatnonzero(self._mask(among, parts))) if parts else among

    def _mask(self, among: Entries, parts: list[Expression]) -> Mask:
        mask = np.ones(len(among), np.bool_)
        scope = _EntryScope(self, among)
        for part in parts:
            mask &= mask_of(part, scope)
        return mask

    def _chosen(self, among: Entries, codes: Codes | None) -> Positions:
        """Return which entry of each user counts, or of each user in each segment.

        The first; of optimized ones the one that got furthest, of those the one that was
        there first, and of those with the same last event the one that began last.
        """
        found, track = among.found, among.track
        keys: list[Any] = [track.rank(found.starts)]
        if self.plan.reentry == "optimized":
            last = found.at[found.reach - 1, np.arange(len(found))]
            keys = [-keys[0], track.rank(last), -found.reach]
        groups: list[Any] = [among.ids] if codes is None else [codes, among.ids]
        order = np.lexsort((*keys, *groups))
        is_new = np.zeros(len(order), np.bool_)
        for group in groups:
            is_new |= np.diff(group[order], prepend=-1) != 0
        return np.sort(order[is_new])

    # -- values beside an entry -----------------------------------------------------------

    def _segments(self, among: Entries) -> tuple[Positions, Codes, Segments]:
        """Return which entries fall in which segments."""
        assert self.by is not None
        scope = _EntryScope(self, among)
        segments = segments_beside(self.by, self.visible, among.ids, scope)
        owners = segments.owners
        return np.arange(len(among)) if owners is None else owners, segments.codes, segments

    def user_cells(self, among: Entries, name: str) -> Column | Instants:
        """Return a user property next to each entry, of the past as of its first step."""
        if self.visible.past is not None:
            return self.visible.past.cells(name, among.rows)
        return self.visible.user_column(name).take(among.ids.astype(np.int64))

    def event_cells(self, among: Entries, name: str) -> Column | Instants:
        """Return an event property next to each entry, of the event it is attributed to."""
        visible = self.visible
        cells = visible.at_rows(None).event_column(name)
        if isinstance(cells, Instants):
            has_value = cells.microseconds != NO_TIME
        else:
            has_value = cells.has_value
        return cells.take(self._attributed(among, has_value))

    def groups_at(self, among: Entries, key: str) -> Positions:
        """Return the event that each entry has its groups from, -1 for none (GROUP-4)."""
        return self._attributed(among, self.visible.groups[key].names_any)

    def _attributed(self, among: Entries, has_value: Mask) -> Positions:
        """Return the event of each entry that a property is attributed to, -1 for none."""
        at, rows = among.found.at, among.track.rows
        attribution = self.plan.attribution
        if isinstance(attribution, int):
            step = at[attribution - 1]
            return np.where(step < 0, -1, rows[step])
        chosen = np.full(len(among), -1, np.int64)
        for step in at if attribution == "first" else at[::-1]:
            open_ = np.flatnonzero((chosen < 0) & (step >= 0))
            found = rows[step[open_]]
            defined = has_value[found]
            chosen[open_[defined]] = found[defined]
        return chosen


@dataclass(frozen=True, eq=False)
class _EntryScope:
    """What a condition on entries sees."""

    question: Question
    among: Entries

    def __len__(self) -> int:
        return len(self.among)

    def column(self, side: str, name: str) -> Column | Instants:
        if side == "user":
            return self.question.user_cells(self.among, name)
        return self.question.event_cells(self.among, name)

    def spread(self, sides: frozenset[str]) -> Spread:
        groups = self.question.visible.groups
        return groups.spread(self, sides, lambda key: self.question.groups_at(self.among, key))

    @property
    def _ids(self) -> Positions:
        return self.among.ids.astype(np.int64)

    def distinct_ids(self) -> pa.Array:
        return self.question.visible.all_ids.take(pa.array(self._ids))

    def tally(self, node: Tally) -> Column:
        return self.question.visible.tally(node).take(self._ids)

    def members(self, name: str) -> pa.Array:
        return self.question.visible.members(name)


# -- counted ------------------------------------------------------------------------------


class Numbers:
    """How many entries got how far, and how long it took them, by segment.

    Parameters
    ----------
    plan
        The steps.
    overall
        The entries that count without a breakdown.
    by
        What they are broken down by.
    each
        The entries that count in the segments.
    owners, segments
        Which of *each* stands for the n-th code; the codes and the segments.

    Attributes
    ----------
    ranked
        The segments, in the order of the table.
    counts
        ``int64``, one row per segment and one column per step.
    """

    def __init__(
        self,
        plan: Plan,
        overall: Entries,
        by: Breakdown | None,
        each: Entries,
        owners: Positions | None,
        segments: tuple[Codes, Segments] | None,
    ) -> None:
        self.plan = plan
        self.overall = overall
        self.each = each
        if by is None or owners is None or segments is None:
            self._owners, self._places = np.arange(len(each)), np.zeros(len(each), np.int64)
            self.ranked = Ranked.whole()
            self.counts = self._counted(self._owners, self._places, 1)
            return
        codes, known = segments
        used = np.flatnonzero(np.bincount(codes, minlength=len(known)))
        if len(used) * len(plan) > MOST_ROWS:
            raise ReportError(
                f"the table would have {len(used) * len(plan):,} rows: {len(used):,} segments, "
                f"each with {len(plan)} steps; filter with where="
            )
        compact = np.zeros(len(known), np.int64)
        compact[used] = np.arange(len(used))
        self._owners = owners
        counts = self._counted(owners, compact[codes], len(used))
        self.ranked = Ranked.of(by, known, used, counts[:, 0])
        self.counts = counts[self.ranked.order]
        self._places = self.ranked.places(codes, len(known))

    def _counted(self, owners: Positions, places: Positions, size: int) -> Positions:
        width = len(self.plan) + 1
        reach = self.each.found.reach[owners]
        counted = np.bincount(places * width + reach, minlength=size * width)
        counted = counted.reshape(size, width)[:, 1:]
        return np.cumsum(counted[:, ::-1], axis=1)[:, ::-1]

    def table(self) -> pd.DataFrame:
        """Return the table of the report."""
        steps, segments = len(self.plan), len(self.ranked)
        columns = self.ranked.columns(steps)
        columns["step"] = np.tile(np.arange(1, steps + 1), segments)
        names = pd.Series(self.plan.labels, dtype="str")
        columns["event"] = names.take(np.tile(np.arange(steps), segments)).array
        columns["count"] = self.counts.ravel()
        before = np.hstack([self.counts[:, :1], self.counts[:, :-1]])
        columns["conversion"] = _ratio(self.counts, self.counts[:, :1]).ravel()
        columns["step_conversion"] = _ratio(self.counts, before).ravel()
        average = np.full((segments, steps), np.nan)
        median = average.copy()
        for step in range(1, steps):
            average[:, step], median[:, step] = self.seconds(step, step - 1)
        columns["average_seconds"] = average.ravel()
        columns["median_seconds"] = median.ravel()
        return pd.DataFrame(columns)

    def seconds(self, step: int, since: int) -> tuple[Any, Any]:
        """Return the average and the median time between two steps, from 0, a segment."""
        on = np.flatnonzero(self.each.found.reach[self._owners] > step)
        taken = self.each.seconds(self._owners[on], step, since)
        return _averages(taken, self._places[on], len(self.ranked))

    def summary(self) -> pd.DataFrame:
        """Return one row per segment: entries, conversions, time to convert and p-value."""
        columns = self.ranked.columns(1)
        columns["entries"] = self.counts[:, 0]
        columns["conversions"] = self.counts[:, -1]
        columns["conversion"] = _ratio(self.counts[:, -1], self.counts[:, 0])
        average, median = self.seconds(len(self.plan) - 1, 0)
        columns["average_seconds"], columns["median_seconds"] = average, median
        if self.ranked.by is not None:
            reach = self.overall.found.reach
            converted, all_ = int((reach == len(self.plan)).sum()), len(reach)
            columns["overall_conversion"] = _ratio(np.array([converted]), np.array([all_]))[0]
            others = self._others()
            columns["others_conversion"] = _ratio(others[:, -1], others[:, 0])
            columns["p_value_against_others"] = [
                p_value(int(count[-1]), int(count[0]), int(other[-1]), int(other[0]))
                for count, other in zip(self.counts, others, strict=True)
            ]
        return pd.DataFrame(columns)

    def _others(self) -> Positions:
        """Return the entries and the conversions that count in other segments and not in each.

        An entry in several segments, as by a list, is one of the others once.
        """
        _, first = np.unique(self.each.found.starts[self._owners], return_index=True)
        reach = self.each.found.reach[self._owners[first]]
        everybody = np.array([len(reach), (reach == len(self.plan)).sum()])
        others: Positions = everybody - self.counts[:, [0, -1]]
        return others

    def users(self, place: int | None, step: int, *, dropped: bool) -> list[int]:
        """Return who, in a segment, did a step, or the one before and not it: codes of IDs."""
        reach = self.each.found.reach[self._owners]
        chosen = reach == step - 1 if dropped else reach >= step
        if place is not None:
            chosen &= self._places == place
        known: list[int] = np.unique(self.each.ids[self._owners[chosen]]).tolist()
        return known


def _ratio(part: Any, whole: Any) -> Any:
    """Return a part of a whole, NaN of nothing."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(whole > 0, part / whole, np.nan)


def _averages(values: Any, groups: Positions, size: int) -> tuple[Any, Any]:
    """Return the average and the median of each group, NaN of none."""
    order = np.lexsort((values, groups))
    values = values[order]
    sizes = np.bincount(groups, minlength=size)
    starts = np.cumsum(sizes) - sizes
    average = _ratio(np.bincount(groups[order], weights=values, minlength=size), sizes)
    median = np.full(size, np.nan)
    some = np.flatnonzero(sizes)
    low, high = (sizes[some] - 1) // 2, sizes[some] // 2
    median[some] = (values[starts[some] + low] + values[starts[some] + high]) / 2
    return average, median


def p_value(converted: int, entered: int, others_converted: int, others_entered: int) -> float:
    """Return how likely two rates at least so different are if nothing but chance parts them.

    The two-sided z-test of two proportions, with a pooled variance.

    Parameters
    ----------
    converted, entered
        Of a segment.
    others_converted, others_entered
        Of all others: two samples that share nobody.

    Returns
    -------
    float
        NaN if fewer than 30 entered on either side.

    Examples
    --------
    >>> round(p_value(45, 100, 20, 100), 4)
    0.0002
    >>> p_value(9, 29, 200, 1000)
    nan
    """
    if min(entered, others_entered) < FEWEST:
        return math.nan
    pooled = (converted + others_converted) / (entered + others_entered)
    variance = pooled * (1 - pooled) * (1 / entered + 1 / others_entered)
    if not variance:
        return 1.0
    distance = abs(converted / entered - others_converted / others_entered) / math.sqrt(variance)
    return math.erfc(distance / math.sqrt(2))
