"""Counting: the numbers of several metrics in the segments and buckets of a report."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from toolkit.base import DAY, ReportError, count, times
from toolkit.columns import Column, Instants, Mask, Positions
from toolkit.reports.numbers import measures, streams
from toolkit.reports.numbers.amounts import Amounts
from toolkit.reports.numbers.counted import Counted, Sums
from toolkit.reports.numbers.measures import Happened
from toolkit.reports.numbers.tally import ReportPlan, ReportTally, TopPlan
from toolkit.reports.question.breakdowns import Breakdown
from toolkit.reports.question.periods import (
    MOST_ROWS,
    Periods,
    edges_from,
    shown_by_clock,
    when_shown,
)
from toolkit.reports.question.ranked import Ranked
from toolkit.reports.question.scope import ReportScope
from toolkit.reports.question.segments import NOT_SET, OTHER, Segments
from toolkit.reports.question.selection import Selection
from toolkit.reports.segmentation.metrics import Formula, Metric


@dataclass(frozen=True, eq=False)
class MetricEvents:
    """The events that one metric counts in one period.

    Attributes
    ----------
    metric
        The metric.
    range
        The period and its buckets.
    days
        For rolling windows of days: the days there are, and which of them is the last of
        each bucket; else None.
    selection
        The events.
    """

    metric: Metric
    range: Periods
    days: tuple[Periods, Positions] | None
    selection: Selection


@dataclass(frozen=True, eq=False)
class SegmentationAnswer:
    """The numbers of a report.

    Attributes
    ----------
    ranked
        The segments.
    values
        For each metric shown a number for each segment (rows) and bucket (columns).
    previous
        The same of the period before; None if there is none to compare with.
    undefined
        How many cells a formula has no value in.
    """

    ranked: Ranked
    values: list[Any]
    previous: list[Any] | None
    undefined: int = 0


@dataclass(frozen=True, eq=False)
class SegmentationPlan(ReportPlan, TopPlan):
    """What is counted.

    Attributes
    ----------
    scope
        Of whose events, broken down by what.
    metrics
        What is counted of them.
    formula
        What is shown in place of the metrics; None for themselves.
    range, before
        The period, and the one to compare it with or None.
    top, largest
        As for :class:`TopPlan`.
    cumulative, rolling
        How the numbers of buckets become those shown.
    """

    scope: ReportScope
    metrics: tuple[Metric, ...]
    formula: Formula | None
    range: Periods
    before: Periods | None
    top: int | None
    cumulative: bool
    rolling: int | None
    largest: tuple[frozenset[Hashable], ...] | None = None

    @property
    def is_count(self) -> bool:
        """Whether every number shown is one of events, users or sessions."""
        is_shown_as_it_is = self.formula is None and self.rolling is None
        return is_shown_as_it_is and all(measures.is_count(each.measure) for each in self.metrics)

    # -- events ---------------------------------------------------------------------------

    @cached_property
    def parts(self) -> list[MetricEvents]:
        """A part a metric; those of the period to compare with after the others."""
        ranges = [self.range, *([] if self.before is None else [self.before])]
        return [self._part(metric, range_) for range_ in ranges for metric in self.metrics]

    def _part(self, metric: Metric, range_: Periods) -> MetricEvents:
        days = None
        selection = self.visible.named(metric.event)
        window = measures.WINDOWS.get(metric.measure)
        if window is not None and len(range_) and range_.start < range_.end:
            days = _days(range_, window)
            selection = selection.between(int(days[0].edges[0]), range_.end)
        elif self.scope.is_ranged or range_ is self.before:
            selection = selection.between(range_.start, range_.end)
        selection = selection.where(self.scope.where).where(metric.where)
        return MetricEvents(
            metric, range_, days, selection.with_id() if metric.needs_id else selection
        )

    @cached_property
    def _together(self) -> tuple[Selection, list[Positions | None]]:
        """The events of all parts, and where those of each part are among them."""
        first, *others = (part.selection for part in self.parts)
        if not others:
            return first, [None]
        is_counted = np.zeros(len(self.visible.events), np.bool_)
        for part in self.parts:
            is_counted[slice(None) if (at := part.selection.positions) is None else at] = True
        positions = np.flatnonzero(is_counted)
        places = np.cumsum(is_counted) - 1
        return first.at_rows(positions), [
            places if (at := part.selection.positions) is None else places[at]
            for part in self.parts
        ]

    # -- segments -------------------------------------------------------------------------

    @property
    def _is_of_users(self) -> bool:
        return self.by is not None and self.visible.is_of_users(self.by)

    def _segments(self, by: Breakdown) -> Segments:
        if self._is_of_users:
            return self.visible.user_segments(by)
        together, _ = self._together
        return together.event_segments(by)

    def _count_sizes(self, segments: Segments) -> ReportTally:
        happened = [self._happened(number, segments) for number in range(len(self.parts))]
        used = self._used(happened, len(segments))
        return ReportTally(segments.values, used, tuple(self._sizes(_compact(happened, used))))

    # -- counting -------------------------------------------------------------------------

    def _happened(self, number: int, segments: Segments | None) -> Happened:
        """Return what is counted of a part, in some segments."""
        part = self.parts[number]
        selection, measure = part.selection, part.metric.measure
        range_ = part.range if part.days is None else part.days[0]
        people = len(selection.events.ids.texts)
        ids: Any = selection.ids
        if measure == "sessions":
            sessions, people = _sessions(self.visible)
            ids = sessions if selection.positions is None else sessions[selection.positions]
        buckets = selection.buckets(range_)
        happened = Happened(ids, buckets, None, None, (1, len(range_)), people)
        is_alike = self.by is None or self._is_of_users
        if is_alike and (measure in ("unique", *measures.WINDOWS) or part.metric.is_of_users):
            # A user's segments do not depend on the event: count the user once first.
            once, buckets = happened.pairs()
            happened = replace(happened, ids=once, buckets=buckets, once=True)
        if segments is None:
            return happened
        if self._is_of_users:
            whose = happened.ids if happened.once else selection.ids
            rows, codes = segments.beside(whose)
        else:
            places = self._together[1][number]
            if places is None:
                rows, codes = segments.owners, segments.codes
            else:
                rows, codes = segments.beside(places)
        if rows is not None:
            happened = replace(
                happened, ids=happened.ids[rows], buckets=happened.buckets[rows], rows=rows
            )
        return replace(happened, segments=codes, shape=(len(segments), len(range_)))

    @staticmethod
    def _used(happened: Sequence[Happened], size: int) -> Positions:
        """Return which of the segments occur, ascending."""
        used = np.zeros(size, np.bool_)
        for each in happened:
            used[each.segments] = True
        return np.flatnonzero(used)

    def _amounts(self, part: MetricEvents) -> Amounts | None:
        prop = part.metric.of
        if prop is None:
            return None
        if prop.side == "user":
            cells: Column | Instants = part.selection.user_column(prop.name)
        elif prop.group_key is not None:
            cells = part.selection.group_column(prop.group_key, prop.name)
        else:
            cells = part.selection.event_column(prop.name)
        return (Amounts.distinct if part.metric.measure == "distinct" else Amounts.numbers)(cells)

    @cached_property
    def amounts(self) -> list[Amounts | None]:
        """The values of the property of each part."""
        return [self._amounts(part) for part in self.parts]

    def _sizes(
        self, happened: Sequence[Happened], counted: Sequence[Counted] = ()
    ) -> list[Counted]:
        """Return how large each segment is, by the first metric, or by those of the formula.

        *counted* are the cells of the report, where these are at hand.
        """
        sizes = []
        for at in [0] if self.formula is None else range(len(self.metrics)):
            part, metric = self.parts[at], self.parts[at].metric
            measure, of_users = metric.measure, metric.is_of_users
            is_window = part.days is not None
            is_size = not self.cumulative and measures.is_size(measure, of_users=of_users)
            if counted and (is_window or is_size):
                sizes.append(counted[at])
            elif is_window:
                sizes.append(self._counted(at, happened[at]))
            else:
                amounts = self.amounts[at]
                sizes.append(measures.sizes(measure, happened[at], amounts, of_users=of_users))
        return sizes

    def _size(self, tally: ReportTally) -> Any:
        sizes = tally.counted[-1 if self.formula is None else -len(self.metrics) :]
        numbers = [each.values().sum(axis=1) for each in sizes]
        return numbers[0] if self.formula is None else self.formula.work_out(numbers)

    def count(self) -> ReportTally:
        """Return what is counted: of each metric its cells, then how large the segments are."""
        quick = self._in_one_go()
        if quick is not None:
            return quick
        segments = self.segments
        happened = [self._happened(number, segments) for number in range(len(self.parts))]
        if segments is None:
            return ReportTally.whole(*(self._counted(*each) for each in enumerate(happened)))
        used = self._used(happened, len(segments))
        self._check(len(used))
        happened = _compact(happened, used)
        counted = [self._counted(*each) for each in enumerate(happened)]
        counted += self._sizes(happened, counted)
        return ReportTally(segments.values, used, tuple(counted), is_closed=self._is_closed)

    def _in_one_go(self) -> ReportTally | None:
        """Return the tally of events or users by what they are as users, None of all else."""
        (metric, *others), by = self.metrics, self.by
        is_unique = metric.measure == "unique"
        has_filter = self.scope.where is not None or metric.where is not None
        is_plain = not others and metric.measure in ("total", "unique")
        if not is_plain or (is_unique and has_filter) or (by is not None and not self._is_of_users):
            return None
        if self.before is not None or self.top is not None or self.cumulative:
            return None
        segments, codes, size, buckets = None, None, 1, len(self.range)
        if by is not None:
            segments = self.segments
            assert segments is not None
            if segments.owners is not None:
                return None
            size = len(segments)
            codes = streams.narrow(segments.codes, size)
        if size * buckets > streams.MOST_CELLS:
            return None
        shape = (size, buckets)
        if is_unique:
            values = streams.uniques(self.visible, metric.event, self.range, codes, shape)
        else:
            values = streams.totals(self.parts[0].selection, self.range, codes, shape)
        if segments is None:
            return ReportTally.whole(Sums(values))
        used = np.flatnonzero(values.any(axis=1))
        self._check(len(used))
        counted = Sums(values[used])
        return ReportTally(segments.values, used, (counted, counted))

    def answer(self, tally: ReportTally) -> SegmentationAnswer:
        """Return the numbers that the report shows of a tally."""
        self._check(len(tally))
        number, both = len(self.metrics), len(self.metrics) * (1 if self.before is None else 2)
        ranked = Ranked.whole()
        if self.by is not None:
            ranked = tally.ranked(self.by, self._size(tally))
        cells = [each.values() for each in tally.counted[:both]]
        periods = [cells[:number], *([] if self.before is None else [cells[number:]])]
        undefined = 0
        if self.formula is not None:
            formula = self.formula
            periods = [[formula.work_out(each)] for each in periods]
            undefined = int(np.isnan(periods[0][0]).sum())
        if self.rolling is not None:
            last = self.rolling
            periods = [[measures.rolled(values, last) for values in each] for each in periods]
        periods = [[values[ranked.order] for values in each] for each in periods]
        previous = None if self.before is None else periods[1]
        return SegmentationAnswer(ranked, periods[0], previous, undefined)

    def _check(self, segments: int) -> None:
        buckets = len(self.range)
        rows = segments * buckets * (1 if self.formula is not None else len(self.metrics))
        if rows > MOST_ROWS and self.by is not None:
            raise ReportError(
                f"the table would have {rows:,} rows: {segments:,} segments, "
                f"each with {count(buckets, 'bucket')}; filter with where=, choose a "
                "longer unit=, or the largest segments with top="
            )

    def _counted(self, number: int, happened: Happened) -> Counted:
        part = self.parts[number]
        measure = part.metric.measure
        if part.days is not None:
            return Sums(measures.in_window(measures.WINDOWS[measure], happened, part.days[1]))
        measure = "unique" if measure in measures.WINDOWS else measure  # of no time at all
        return measures.counted(
            measure,
            happened,
            self.amounts[number],
            of_users=part.metric.is_of_users,
            cumulative=self.cumulative,
        )

    # -- users ----------------------------------------------------------------------------

    def users(
        self, metrics: Sequence[int], segment: int | None, bucket: int | None, *, before: bool
    ) -> list[str]:
        """Return the distinct IDs behind a cell, sorted."""
        codes: set[int] = set()
        for number in metrics:
            codes.update(
                self._users(number + (len(self.metrics) if before else 0), segment, bucket)
            )
        texts = self.visible.events.ids.texts.take(pa.array(sorted(codes), pa.int64()))
        ids: list[str] = sorted(texts.to_pylist())
        return ids

    def _users(self, number: int, segment: int | None, bucket: int | None) -> list[int]:
        part = self.parts[number]
        metric = part.metric
        happened = self._happened(number, self.segments)
        ids: Any = happened.ids
        if metric.measure == "sessions":
            ids = part.selection.ids if happened.rows is None else part.selection.ids[happened.rows]
        is_behind = self._in_bucket(part, happened, bucket) & (ids >= 0)
        if segment is not None and happened.segments is not None:
            is_behind &= happened.segments == segment
        amounts = self.amounts[number]
        if amounts is not None and amounts.owners is not None:
            has_amount = np.zeros(amounts.length, np.bool_)
            has_amount[amounts.owners] = True
            cells = ids if metric.is_of_users else happened.rows
            is_behind &= has_amount if cells is None else has_amount[cells]
        users: list[int] = np.flatnonzero(np.bincount(ids[is_behind])).tolist()
        return users

    def _in_bucket(self, part: MetricEvents, happened: Happened, bucket: int | None) -> Mask:
        if bucket is None:
            if part.days is not None:  # in the window of some bucket
                window = measures.WINDOWS[part.metric.measure]
                ends = part.days[1]
                later = np.append(ends, 0)[np.searchsorted(ends, happened.buckets)]
                return later - happened.buckets < window
            return np.ones(len(happened.buckets), np.bool_)
        first = bucket - (self.rolling or 1) + 1
        if self.cumulative:
            first = 0
        if part.days is None:
            return (happened.buckets >= first) & (happened.buckets <= bucket)
        window = measures.WINDOWS[part.metric.measure]
        in_window = np.zeros(len(happened.buckets), np.bool_)
        for end in part.days[1][max(first, 0) : bucket + 1].tolist():
            in_window |= (happened.buckets > end - window) & (happened.buckets <= end)
        return in_window

    # -- what to know ---------------------------------------------------------------------

    def notes(self, numbers: SegmentationAnswer) -> list[str]:
        """Return what one should know before trusting the numbers."""
        sentences = []
        for part, amounts in zip(self.parts[: len(self.metrics)], self.amounts, strict=False):
            if amounts is None or not amounts.refused.any() or part.metric.of is None:
                continue
            refused = amounts.refused
            if part.metric.is_of_users:
                refused = refused & (np.bincount(part.selection.ids, minlength=len(refused)) > 0)
            if number := int(refused.sum()):
                whose = "distinct ID" if part.metric.is_of_users else "event"
                sentences.append(
                    f"Left out of the {part.metric.noun}, because of a value that is not a number: "
                    f"{count(number, whose)}."
                )
        sentences += self._of_windows() + self._of_segments(numbers)
        if numbers.undefined and self.formula is not None:
            sentences.append(
                f"The formula has no value in {numbers.undefined:,} of "
                f"{count(numbers.values[0].size, 'cell')}, for a division by zero or for lack of "
                "a number in it; there it is NaN."
            )
        if self.rolling is not None and self.rolling > 1:
            unit, few = self.range.unit, self.rolling - 1
            first = f"first {unit} has" if few == 1 else f"first {few:,} {unit}s have"
            sentences.append(
                f"Each value is the mean of {self.rolling} {unit}s; the {first} none, because "
                "the range does not have enough before."
            )
        if self.before is not None and not len(
            self.visible.between(self.before.start, self.before.end)
        ):
            sentences.append(
                f"No event at all is in the period to compare with, {self.before.span}."
            )
        elif self.before is not None:
            sentence = f"Compared with {self.before.span}, bucket by bucket."
            observed = self.visible.observed
            by_whole = DAY if self.before.unit is None else int(np.diff(self.before.edges)[0])
            if observed is not None and self.before.start + by_whole <= observed[0]:
                sentence += f" It begins before the first event, {times.iso(observed[0])}."
            sentences.append(sentence)
        return sentences

    def _of_windows(self) -> list[str]:
        windows = [part for part in self.parts[: len(self.metrics)] if part.days is not None]
        observed = self.visible.observed
        if not windows or observed is None:
            return []
        longest = max(windows, key=lambda part: measures.WINDOWS[part.metric.measure])
        assert longest.days is not None
        days, ends = longest.days
        window = measures.WINDOWS[longest.metric.measure]
        early = int((days.edges[ends - window + 2] <= observed[0]).sum())
        if not early or window == 1:
            return []
        which = f"first {early:,} {self.range.unit or 'bucket'}s" if early > 1 else "first one"
        return [f"The {window} days up to the {which} begin before the first event."]

    def _of_segments(self, numbers: SegmentationAnswer) -> list[str]:
        if self.by is None or self.segments is None:
            return []
        sentences = []
        for part, labels in zip(self.by.parts, numbers.ranked.levels, strict=True):
            odd = getattr(part, "odd", "")
            if odd and odd in labels:
                sentences.append(f"Values that fit no bucket of {part.label} are in {odd}.")
        if self.segments.owners is not None and not self._is_of_users:
            without = self.segments.length - len(np.unique(self.segments.owners))
            if without:
                sentences.append(
                    f"Without an element that matches, so in no segment: {count(without, 'event')}."
                )
        if self.top is not None and any(OTHER in level for level in numbers.ranked.levels):
            sentences.append(
                f"In addition to the {self.top} largest of {self.by.label}, "
                f"all others but {NOT_SET} "
                f"are counted together, each user once, as {OTHER}."
            )
        return sentences


def _compact(happened: Sequence[Happened], used: Positions) -> list[Happened]:
    """Return what is counted in the segments that occur alone."""
    places = np.zeros(int(used.max(initial=0)) + 1, np.int32)
    places[used] = np.arange(len(used))
    return [
        replace(each, segments=places[each.segments], shape=(len(used), each.shape[1]))
        for each in happened
    ]


def _days(range_: Periods, window: int) -> tuple[Periods, Positions]:
    """Return the days that windows of so many days look at, and the last one of each bucket."""
    zone = range_.zone
    lasts = np.minimum(range_.edges[1:], range_.end) - 1
    first = shown_by_clock(int(lasts[0]), zone).normalize() - pd.Timedelta(days=window - 1)
    start = when_shown(first, zone)
    number = (shown_by_clock(int(lasts[-1]), zone).normalize() - first).days + 1
    edges = edges_from(start, number, "day", zone)
    days = Periods(start, int(edges[-1]), edges, "day", zone)
    return days, np.searchsorted(edges, lasts, side="right") - 1


def _sessions(visible: Selection) -> tuple[Positions, int]:
    """Return the session of each event, -1 without an ID, and how many there are."""
    line = visible.events.timelines
    sessions = np.full(len(visible.events), -1, np.int64)
    sessions[line.rows] = line.sessions
    return sessions, int(line.sessions.max(initial=-1)) + 1
