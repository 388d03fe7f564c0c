"""The numbers of a funnel: which entries count, in which segments, and how far they got."""

from __future__ import annotations

import math
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from toolkit.base import NO_TIME, ReportError
from toolkit.columns import Codes, Column, Instants, Mask, Positions
from toolkit.expressions import Expression, Scope, Side, Spread, Tally, conjuncts, mask_of
from toolkit.reports.funnels.entries import Attempts, entries
from toolkit.reports.funnels.plan import FunnelPlan
from toolkit.reports.funnels.track import FunnelTrack, track_of
from toolkit.reports.numbers.counted import Samples, Sums
from toolkit.reports.numbers.measures import distinct
from toolkit.reports.numbers.tally import ReportPlan, ReportTally
from toolkit.reports.question.breakdowns import Breakdown
from toolkit.reports.question.periods import MOST_ROWS, Periods
from toolkit.reports.question.scope import ReportScope
from toolkit.reports.question.segments import Segments, occurring
from toolkit.reports.question.selection import segments_beside

#: Of fewer entries nothing is said about chance.
FEWEST: Final = 30


@dataclass(frozen=True, eq=False)
class FunnelEntries:
    """The entries that count, before any breakdown.

    Attributes
    ----------
    track
        The events of the funnel.
    attempts
        The entries: their steps are positions in the track.
    """

    track: FunnelTrack
    attempts: Attempts

    def __len__(self) -> int:
        return len(self.attempts)

    @property
    def ids(self) -> Codes:
        """The distinct ID of each entry."""
        return self.track.ids[self.attempts.starts]

    @property
    def owners(self) -> Codes | Positions:
        """The user of each entry, or its session if sessions are counted."""
        return self.track.owners[self.attempts.starts]

    @property
    def rows(self) -> Positions:
        """The row of the event of each first step."""
        return self.track.rows[self.attempts.starts]

    def take(self, places: Positions) -> FunnelEntries:
        """Return some of the entries."""
        return FunnelEntries(self.track, self.attempts.take(places))

    def seconds(self, places: Positions, step: int, since: int) -> Any:
        """Return how long some took from a step (from 0) to a later one, both of which they did."""
        times, at = self.track.times, self.attempts.at
        # Grace lets a step stand before the one it follows: that took no time.
        return np.maximum(times[at[step, places]] - times[at[since, places]], 0) / 1_000_000


@dataclass(frozen=True, eq=False)
class FunnelQuestion(ReportPlan):
    """What is counted.

    Attributes
    ----------
    scope
        Of whose events, broken down by what.
    plan, range
        What was asked.
    """

    scope: ReportScope
    plan: FunnelPlan
    range: Periods

    @cached_property
    def _parts(self) -> tuple[list[Expression], list[Expression]]:
        """The conditions on events and the groups they name, and those on users alone."""
        where = self.scope.where
        parts = [] if where is None else list(conjuncts(where))
        of_events = [part for part in parts if part.sides - {"user"}]
        return of_events, [part for part in parts if not part.sides - {"user"}]

    @property
    def is_by_event(self) -> bool:
        """Whether an entry's segment depends on its events."""
        return self.by is not None and self.by.is_by_event

    @cached_property
    def tried(self) -> FunnelEntries:
        """The entries, before any condition on them and any breakdown."""
        track = track_of(self.visible, self.plan)
        start, end = self.range.start, self.range.end
        return FunnelEntries(
            track, entries(track, self.plan, start, end, only_first=self._is_of_first_entries)
        )

    @property
    def _is_of_first_entries(self) -> bool:
        """Whether one entry per user, or per session, is all there is to look at."""
        # Further ones may have another value of an event property, or get further.
        is_by_event = self.is_by_event or bool(self._parts[0])
        return self.plan.count != "total" and self.plan.reentry == "first" and not is_by_event

    @cached_property
    def counted(self) -> CountedEntries:
        """The entries that count, and in which segments."""
        of_events, of_users = self._parts
        is_unique = self.plan.count != "total"
        every = self._kept(self.tried, of_events)
        # Of an event property a user is in each segment once, of all else once.
        is_once = not is_unique or self._is_of_first_entries
        counted = every if is_once else every.take(self._once(every, None))
        overall = self._kept(counted, of_users)
        if self.by is None:
            return CountedEntries(overall, overall, np.arange(len(overall)), None, None)
        if not self.is_by_event:
            owners, codes, segments = self._segments(overall)
            return CountedEntries(overall, overall, owners, codes, segments)
        owners, codes, segments = self._segments(every)
        if is_unique:
            places = self._once(every.take(owners), codes)
            owners, codes = owners[places], codes[places]
        each = every.take(owners)
        kept = np.flatnonzero(self._mask(each, of_users))
        each, codes = each.take(kept), codes[kept]
        return CountedEntries(overall, each, np.arange(len(each)), codes, segments)

    def count(self) -> ReportTally:
        """Return how many entries got how far, how long that took, and how many there are in all.

        In each segment: the entries that did each step; the seconds of each step from the one
        before, and last of the last step from the first. Overall: entries and conversions, of
        the funnel without a breakdown and of those of all segments together.
        """
        entries, steps = self.counted, len(self.plan)
        reach = entries.each.attempts.reach
        used, places = np.zeros(1, np.int64), np.zeros(len(entries.owners), np.int64)
        if entries.codes is not None and entries.segments is not None:
            used, places = occurring(entries.codes, len(entries.segments))
            self._check(len(used))
        size, width = len(used), steps + 1
        did = np.bincount(places * width + reach[entries.owners], minlength=size * width)
        did = did.reshape(size, width)[:, :0:-1].cumsum(axis=1)[:, ::-1]
        pairs = [*((step, step - 1) for step in range(1, steps)), (steps - 1, 0)]
        seconds = []
        for step, since in pairs if steps > 2 else pairs[:1]:
            on = np.flatnonzero(reach[entries.owners] > step)
            taken = entries.each.seconds(entries.owners[on], step, since)
            seconds.append(Samples(50.0, taken, places[on], (size, 1)))
        starts = entries.each.attempts.starts[entries.owners]
        converted = starts[reach[entries.owners] == steps]
        # An entry in several segments, as by a list, is one of them all.
        of_all = [len(distinct(at, len(entries.each.track))) for at in (starts, converted)]
        overall = entries.overall.attempts.reach
        totals = [[len(overall), int((overall == steps).sum())], of_all]
        values = None if entries.segments is None else entries.segments.values
        return ReportTally(values, used, (Sums(did), *seconds), (Sums(np.array([totals])),))

    def answer(self, tally: ReportTally) -> FunnelAnswer:
        """Return the numbers of the report of what was counted."""
        self._check(len(tally))
        return FunnelAnswer(self.plan, self.by, tally)

    def _check(self, segments: int) -> None:
        steps = len(self.plan)
        if segments * steps > MOST_ROWS and self.by is not None:
            raise ReportError(
                f"the table would have {segments * steps:,} rows: {segments:,} segments, "
                f"each with {steps} steps; filter with where="
            )

    def _kept(self, among: FunnelEntries, parts: list[Expression]) -> FunnelEntries:
        return among.take(np.flatnonzero(self._mask(among, parts))) if parts else among

    def _mask(self, among: FunnelEntries, parts: list[Expression]) -> Mask:
        mask = np.ones(len(among), np.bool_)
        scope = _EntryScope(self, among)
        for part in parts:
            mask &= mask_of(part, scope)
        return mask

    def _once(self, among: FunnelEntries, codes: Codes | None) -> Positions:
        """Return which entry of each user or session counts, or of each in each segment.

        The first; of optimized ones the one that got furthest, of those the one that was
        there first, and of those with the same last event the one that began last.
        """
        attempts, track = among.attempts, among.track
        keys: list[Any] = [track.rank(attempts.starts)]
        if self.plan.reentry == "optimized":
            last = attempts.at[attempts.reach - 1, np.arange(len(attempts))]
            keys = [-keys[0], track.rank(last), -attempts.reach]
        owners = among.owners
        groups: list[Any] = [owners] if codes is None else [codes, owners]
        order = np.lexsort((*keys, *groups))
        is_new = np.zeros(len(order), np.bool_)
        for group in groups:
            is_new |= np.diff(group[order], prepend=-1) != 0
        return np.sort(order[is_new])

    # -- values beside an entry -----------------------------------------------------------

    def _segments(self, among: FunnelEntries) -> tuple[Positions, Codes, Segments]:
        """Return which entries fall in which segments."""
        assert self.by is not None
        scope = _EntryScope(self, among)
        segments = segments_beside(self.by, self.visible, among.ids, scope)
        owners = segments.owners
        return np.arange(len(among)) if owners is None else owners, segments.codes, segments

    def user_cells(self, among: FunnelEntries, name: str) -> Column | Instants:
        """Return a user property next to each entry, of the past as of its first step."""
        if self.visible.past is not None:
            return self.visible.past.cells(name, among.rows)
        return self.visible.user_column(name).take(among.ids.astype(np.int64))

    def event_cells(self, among: FunnelEntries, name: str) -> Column | Instants:
        """Return an event property next to each entry, of the event it is attributed to."""
        visible = self.visible
        cells = visible.at_rows(None).event_column(name)
        if isinstance(cells, Instants):
            has_value = cells.microseconds != NO_TIME
        else:
            has_value = cells.has_value
        return cells.take(self._attributed(among, has_value))

    def groups_at(self, among: FunnelEntries, key: str) -> Positions:
        """Return the event that each entry has its groups from, -1 for none (GROUP-4)."""
        return self._attributed(among, self.visible.groups[key].names_any)

    def _attributed(self, among: FunnelEntries, has_value: Mask) -> Positions:
        """Return the event of each entry that a property is attributed to, -1 for none."""
        at, rows = among.attempts.at, among.track.rows
        attribution = self.plan.attribution
        if isinstance(attribution, int):
            step = at[attribution - 1]
            return np.where(step < 0, -1, rows[step])
        attributed = np.full(len(among), -1, np.int64)
        for step in at if attribution == "first" else at[::-1]:
            open_ = np.flatnonzero((attributed < 0) & (step >= 0))
            candidates = rows[step[open_]]
            defined = has_value[candidates]
            attributed[open_[defined]] = candidates[defined]
        return attributed


@dataclass(frozen=True, eq=False)
class _EntryScope(Scope):
    """What a condition on entries sees."""

    question: FunnelQuestion
    among: FunnelEntries

    def __len__(self) -> int:
        return len(self.among)

    def column(self, side: Side, name: str) -> Column | Instants:
        if side == "user":
            return self.question.user_cells(self.among, name)
        return self.question.event_cells(self.among, name)

    def spread(self, sides: AbstractSet[Side]) -> Spread | None:
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


@dataclass(frozen=True, eq=False)
class CountedEntries:
    """The entries that count, and in which segments.

    Attributes
    ----------
    overall
        Those that count without a breakdown.
    each
        Those that count in the segments.
    owners, codes
        Which of *each* stands for the n-th code; None if there is no breakdown.
    segments
        What the codes are.
    """

    overall: FunnelEntries
    each: FunnelEntries
    owners: Positions
    codes: Codes | None
    segments: Segments | None

    def users(self, code: int | None, step: int, *, dropped: bool) -> list[int]:
        """Return who, in a segment, did a step, or the one before and not it: codes of IDs."""
        reach = self.each.attempts.reach[self.owners]
        is_behind = reach == step - 1 if dropped else reach >= step
        if code is not None and self.codes is not None:
            is_behind &= self.codes == code
        codes_of_ids: list[int] = np.unique(self.each.ids[self.owners[is_behind]]).tolist()
        return codes_of_ids


class FunnelAnswer:
    """How many entries got how far, and how long it took them, by segment.

    Parameters
    ----------
    plan
        The steps.
    by
        What they are broken down by.
    tally
        What was counted.

    Attributes
    ----------
    ranked
        The segments, in the order of the table.
    counts
        ``int64``, one row per segment and one column per step.
    """

    def __init__(self, plan: FunnelPlan, by: Breakdown | None, tally: ReportTally) -> None:
        counts = tally.counted[0].values()
        self.plan = plan
        self.ranked = tally.ranked(by, counts[:, 0])
        self.counts = counts[self.ranked.order]
        self._seconds = tally.counted[1:]
        self.overall, self._distinct = tally.overall[0].values()[0]

    @property
    def is_empty(self) -> bool:
        """Whether nobody entered."""
        return not self.overall[0]

    def table(self) -> pd.DataFrame:
        """Return the table of the report."""
        steps, segments = len(self.plan), len(self.ranked)
        columns = self.ranked.columns(steps)
        columns["step"] = np.tile(np.arange(1, steps + 1), segments)
        names = pd.Series(self.plan.labels, dtype="str")
        columns["event"] = names.take(np.tile(np.arange(steps), segments)).array
        columns["count"] = self.counts.ravel()
        before = np.hstack([self.counts[:, :1], self.counts[:, :-1]])
        columns["rate"] = _ratio(self.counts, self.counts[:, :1]).ravel()
        columns["step_rate"] = _ratio(self.counts, before).ravel()
        average = np.full((segments, steps), np.nan)
        median = average.copy()
        for step in range(1, steps):
            average[:, step], median[:, step] = self._averages(step - 1)
        columns["average_seconds"] = average.ravel()
        columns["median_seconds"] = median.ravel()
        return pd.DataFrame(columns)

    def _averages(self, which: int) -> tuple[Any, Any]:
        """Return the average and the median of some times, one per segment."""
        taken = self._seconds[which]
        assert isinstance(taken, Samples)
        averages = _averages(taken.numbers, taken.cells, taken.shape[0])
        return averages[0][self.ranked.order], averages[1][self.ranked.order]

    def summary(self) -> pd.DataFrame:
        """Return one row per segment: entries, conversions, time to convert and p-value."""
        columns = self.ranked.columns(1)
        columns["entries"] = self.counts[:, 0]
        columns["conversions"] = self.counts[:, -1]
        columns["rate"] = _ratio(self.counts[:, -1], self.counts[:, 0])
        average, median = self._averages(-1)
        columns["average_seconds"], columns["median_seconds"] = average, median
        if self.ranked.by is not None:
            columns["overall_rate"] = _ratio(self.overall[1:], self.overall[:1])[0]
            others = self._distinct - self.counts[:, [0, -1]]
            columns["others_rate"] = _ratio(others[:, -1], others[:, 0])
            columns["p_value_against_others"] = [
                p_value(int(count[-1]), int(count[0]), int(other[-1]), int(other[0]))
                for count, other in zip(self.counts, others, strict=True)
            ]
        return pd.DataFrame(columns)


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
