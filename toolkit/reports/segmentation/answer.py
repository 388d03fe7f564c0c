"""The answer of a segmentation: its table, its picture, and the users behind a number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np
import pandas as pd

from toolkit.base import (
    Json,
    ReportError,
    check_choice,
    check_flag,
    check_number,
    did_you_mean,
    glimpse,
    is_text,
    listed,
)
from toolkit.reports.drawing import plots, stacks
from toolkit.reports.drawing.spots import Cell
from toolkit.reports.question.periods import Moment
from toolkit.reports.report import Report
from toolkit.reports.segmentation.counting import SegmentationAnswer, SegmentationPlan
from toolkit.reports.segmentation.metrics import named

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Kind: TypeAlias = Literal["line", "bar", "stacked"]

# Values that may stand on each other: what is in one segment is in no other.
_STACKED: Final = ("total", "sum")


class Segmentation(Report):
    """How often an event happened, or to how many users; made by :func:`segmentation`."""

    def __init__(
        self,
        plan: SegmentationPlan,
        numbers: SegmentationAnswer,
        definition: Mapping[str, object],
        notes: list[str],
    ) -> None:
        self._plan = plan
        self._numbers, self._ranked = numbers, numbers.ranked
        if plan.formula is not None:
            self._metrics = [plan.formula.text]
        else:
            self._metrics = named(plan.metrics)
        super().__init__(self._title(definition), definition, self._rows(), notes)

    def _rows(self) -> pd.DataFrame:
        """Return the table: of each segment each metric, of each metric each bucket."""
        numbers, range_ = self._numbers, self._plan.range
        metrics, buckets = len(self._metrics), len(range_)
        segments = len(numbers.ranked)
        columns = numbers.ranked.columns(metrics * buckets)
        if range_.unit is not None:
            columns["time"] = range_.starts[np.tile(np.arange(buckets), segments * metrics)]
        if metrics > 1:
            names = pd.Series(self._metrics, dtype="str").repeat(buckets)
            columns["metric"] = pd.concat([names] * segments or [names[:0]]).array
        name = "count" if self._plan.is_count else "value"
        columns[name] = np.stack(numbers.values, axis=1).ravel()
        if numbers.previous is not None:
            before = np.stack(numbers.previous, axis=1).ravel()
            columns["previous"] = before
            change = columns[name] - before.astype(np.float64)
            columns["change"] = np.divide(
                change, np.abs(before), out=np.full(len(before), np.nan), where=before != 0
            )
        return pd.DataFrame(columns)

    def users(
        self,
        *,
        segment: Json = None,
        time: Moment | None = None,
        metric: str | None = None,
        previous: bool = False,
    ) -> list[str]:
        """Return the distinct IDs behind a cell, sorted.

        Parameters
        ----------
        segment
            A segment as the table calls it, or its value: ``"pro"``, ``25``, ``True``,
            ``"(not set)"``, ``"(other)"``; of several breakdowns a tuple. None is any segment.
        time
            A date or time in the bucket wanted. None is the whole range.
        metric
            A metric as the table calls it. None is any metric.
        previous
            Those of the period that the report compares with, in the bucket that is
            next to the one wanted.

        Raises
        ------
        ReportError
            If the report has no such segment, bucket or metric.
        """
        place = self._ranked.find(segment)
        wanted = None if place is None else int(self._ranked.codes[place])
        plan = self._plan
        if time is not None and plan.range.unit is None:
            raise ReportError("time= needs buckets, and the report has none (unit=None)")
        if check_flag("previous", previous) and plan.before is None:
            raise ReportError("previous=True needs a period to compare with, and compare is None")
        bucket = None if time is None else plan.range.find(time)
        return plan.users(self._numbers_of(metric), wanted, bucket, before=previous)

    def _numbers_of(self, metric: str | None) -> Sequence[int]:
        """Return which metrics are behind one that the table names."""
        formula = self._plan.formula
        if metric is not None and (not is_text(metric) or metric not in self._metrics):
            raise ReportError(
                f'no metric "{glimpse(metric)}"; there are {listed(self._metrics)}.'
                + did_you_mean(glimpse(metric), self._metrics)
            )
        if formula is not None:
            return formula.used
        every = range(len(self._metrics))
        return every if metric is None else [self._metrics.index(metric)]

    def _cell_of(self, row: int) -> Cell:
        # A segment has a row for each bucket of each metric.
        rest, bucket = divmod(row, len(self._plan.range))
        place, metric = divmod(rest, len(self._metrics))
        return self._cell(place, metric, bucket)

    def _cell(self, place: int, metric: int, bucket: int = 0, *, previous: bool = False) -> Cell:
        """Return the arguments of users for a segment and a metric in a bucket."""
        cell = self._ranked.cell(place)
        if len(self._metrics) > 1:
            cell["metric"] = self._metrics[metric]
        if self._plan.range.unit is not None:
            cell["time"] = self._plan.range.starts[bucket]
        return {**cell, "previous": True} if previous else cell

    # -- the picture ----------------------------------------------------------------------

    def plot(
        self, ax: Axes | None = None, *, top: int | None = None, kind: Kind | None = None
    ) -> Axes:
        """Draw lines over time, or bars where there are no buckets, and return the Axes.

        Parameters
        ----------
        ax
            Where to draw; by default on a new figure.
        top
            How many segments to draw, the largest first: 8 lines or 12 bars by default.
            Of totals the others are added up; numbers of users cannot be, since a
            user may be in several. ``(not set)`` is always drawn.
        kind
            ``"line"``, or ``"stacked"`` for segments that are stacked in a bar a
            bucket: of totals and sums alone, for others do not add up. Without buckets
            ``"bar"``.
        """
        check_number("top", top)
        unit = self._plan.range.unit
        allowed = ("line", "stacked") if unit is not None else ("bar",)
        check_choice("kind", kind, (*allowed, None))
        if kind == "stacked" and not self._adds_up:
            raise ReportError(
                'kind="stacked" is for totals and sums, of one metric, whose segments share no '
                'event; use kind="line"'
            )
        if kind == "stacked" and any((each < 0).any() for each in self._numbers.values):
            raise ReportError(
                'kind="stacked" is for numbers of 0 and more, and some are below zero; '
                'use kind="line"'
            )
        shown = self._drawn(top or (plots.MOST_BARS if unit is None else plots.MOST_LINES))
        cells = {label: where for label, _, _, where in shown}

        def cell(label: str, bucket: int = 0) -> Cell | None:
            where = cells[label]
            return None if where is None else self._cell(*where, bucket)

        drawn = [(label, values) for label, values, _, _ in shown]
        look: dict[str, Any] = {"title": self.title, "by": self._legend(len(shown)), "cell": cell}
        if unit is None:
            totals = [(label, values[0]) for label, values in drawn]
            before = [None if each is None else each[0] for _, _, each, _ in shown]
            compared = before if self._plan.before is not None else None
            return plots.bars(ax, totals, of=self._noun, before=compared, **look)
        look |= {"incomplete": self._plan.range.incomplete, "of": f"{self._noun} per {unit}"}
        starts = self._plan.range.starts
        if kind == "stacked":
            edges = self._plan.range.edges
            return stacks.stacked(ax, starts, edges, drawn, below=(), **look)
        dashed = [each for _, _, each, _ in shown] if self._numbers.previous is not None else None
        return plots.lines(ax, starts, drawn, before=dashed, **look)

    @property
    def _adds_up(self) -> bool:
        plan = self._plan
        segments = plan.segments
        return (
            plan.formula is None
            and len(plan.metrics) == 1
            and plan.metrics[0].measure in _STACKED
            and not plan.metrics[0].is_of_users
            and plan.rolling is None
            and (segments is None or segments.owners is None)
        )

    @property
    def _noun(self) -> str:
        """What the values are, in words."""
        plan = self._plan
        if plan.formula is not None:
            return plan.formula.text
        nouns = list(dict.fromkeys(each.noun for each in plan.metrics))
        noun = nouns[0] if len(nouns) == 1 else "value"
        noun = f"mean {noun}" if plan.rolling is not None else noun
        return f"{noun} so far" if plan.cumulative else noun

    def _legend(self, drawn: int) -> str:
        ranked, metrics = self._ranked, len(self._metrics)
        parts = [ranked.legend] if ranked.legend else []
        parts += ["metric"] if metrics > 1 else []
        legend = ", ".join(parts)
        if drawn < len(ranked) * metrics and not self._is_added:
            legend += f" (top {drawn} of {len(ranked) * metrics:,})"
        elif not legend and self._numbers.previous is not None:
            legend = "period"
        return legend

    @cached_property
    def _is_added(self) -> bool:
        """Whether segments that are not drawn are added up."""
        plan = self._plan
        return (
            plan.formula is None
            and plan.rolling is None
            and (plan.segments is None or plan.segments.owners is None)
            and all(each.measure == "total" for each in plan.metrics)
        )

    def _drawn(self, most: int) -> list[tuple[str, Any, Any, tuple[int, int] | None]]:
        """Return what to draw: a label, values, those before, and segment and metric."""
        numbers, ranked = self._numbers, self._ranked
        several = len(self._metrics) > 1
        pairs = [(at, metric) for at in range(len(ranked)) for metric in range(len(self._metrics))]
        is_unset = ranked.is_unset
        unset = [pair for pair in pairs if is_unset[pair[0]]]
        named_ = [pair for pair in pairs if not is_unset[pair[0]]]
        others: list[tuple[int, int]] = []
        if self._plan.by is not None and len(named_) > most + self._is_added:
            large = set(ranked.largest(max(most // len(self._metrics), 1)))
            others = [pair for pair in named_ if pair[0] not in large]
            named_ = [pair for pair in named_ if pair[0] in large]

        def label(place: int, metric: int) -> str:
            if self._plan.by is None:
                return self._metrics[metric] if several else self._noun
            name = ranked.names[place]
            return f"{name}, {self._metrics[metric]}" if several else name

        def values(pairs: list[tuple[int, int]], source: list[Any] | None) -> Any:
            if source is None:
                return None
            return np.sum([source[metric][place] for place, metric in pairs], axis=0)

        drawn: list[tuple[str, Any, Any, tuple[int, int] | None]] = [
            (label(*pair), values([pair], numbers.values), values([pair], numbers.previous), pair)
            for pair in named_
        ]
        if others and self._is_added:
            name = plots.other(len(others))
            together = values(others, numbers.values), values(others, numbers.previous)
            drawn.append((name, *together, None))
        drawn += [
            (label(*pair), values([pair], numbers.values), values([pair], numbers.previous), pair)
            for pair in unset
        ]
        return drawn

    def _title(self, definition: Mapping[str, object]) -> str:
        plan = self._plan
        if plan.formula is not None:
            title = plan.formula.text
        elif len(plan.metrics) == 1:
            title = f"{plan.metrics[0].subject}: {plan.metrics[0].noun}"
        else:
            nouns = {each.noun for each in plan.metrics}
            title = ", ".join(self._metrics)
            title += f": {nouns.pop()}" if len(nouns) == 1 else ""
        unit = definition["unit"]
        title += "" if unit is None else f" per {unit}"
        title += ", cumulative" if plan.cumulative else ""
        if plan.rolling is not None:
            title += f", mean of {plan.rolling} {unit}s"
        return plan.scope.titled(title)
