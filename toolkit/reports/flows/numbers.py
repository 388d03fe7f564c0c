"""The numbers of a flow: how many paths are where at each step, and go where from there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from toolkit.base import ReportError, count, did_you_mean, is_text, is_whole, listed, quoted
from toolkit.columns import Mask, Positions
from toolkit.reports.flows.paths import (
    DROP_OFF,
    OTHER,
    START,
    CountedPaths,
    FlowPlan,
    FlowTrack,
    Paths,
)
from toolkit.reports.numbers.tally import ReportPlan, ReportTally
from toolkit.reports.question.breakdowns import Breakdown
from toolkit.reports.question.periods import MOST_ROWS, Periods
from toolkit.reports.question.ranked import Ranked
from toolkit.reports.question.scope import ReportScope
from toolkit.reports.question.segments import Segments, occurring
from toolkit.reports.question.selection import Selection
from toolkit.reports.question.steps import Step
from toolkit.reports.retention.entries import is_new

#: How many whole paths a segment are told apart.
MOST_PATHS: Final = 1_000

_FEW: Final = 2**22


#: A step has no more events under their own names.
MOST_NAMED: Final = 2_000


@dataclass(frozen=True, eq=False)
class Columns:
    """What the steps of a flow are, from the oldest on.

    Attributes
    ----------
    steps
        Their numbers; 0 is the anchor.
    labels
        Of each step: what its events are called, the most frequent first.
    """

    steps: list[int]
    labels: list[list[str]]

    def inner(self, column: int) -> int:
        """Return the column next to another on the way to the anchor."""
        return column - 1 if self.steps[column] > 0 else column + 1

    def outer(self) -> list[int]:
        """Return the columns that links lead to or from: all but the anchor's."""
        return [column for column, step in enumerate(self.steps) if step]

    def end(self, column: int) -> str:
        """Return what it is called if there is no event at a step and one next to it."""
        return DROP_OFF if self.steps[column] > 0 else START

    def names(self, column: int) -> list[str]:
        """Return what may be at a step, the end of the path last."""
        return [*self.labels[column], *([self.end(column)] if self.steps[column] else [])]


@dataclass(frozen=True, eq=False)
class FlowPlaces:
    """Paths, a cell each: where each is at each step.

    Attributes
    ----------
    places
        For each step a position in its labels; their number where the path ends, and -1
        beyond.
    segments
        The place of the segment in the table.
    weights
        How many such paths there are; None if each is one.
    """

    places: list[Any]
    segments: Positions
    weights: Positions | None

    def __len__(self) -> int:
        return len(self.segments)

    def times(self, keys: Any, size: int, of: Mask | None = None) -> Positions:
        """Return how many paths have each key below *size*; *of* says which have one."""
        weights = self.weights if of is None or self.weights is None else self.weights[of]
        return np.bincount(keys, weights, minlength=size).astype(np.int64, copy=False)

    def links(self, columns: Columns, column: int) -> Any:
        """Return for each path which link it has between a step and the one next to it.

        A number, inner place times the width of the outer step plus outer place; -1 for none.
        """
        inner = columns.inner(column)
        from_, to = self.places[inner].astype(np.int64), self.places[column].astype(np.int64)
        is_link = (from_ >= 0) & (from_ < len(columns.labels[inner]))
        return np.where(is_link, from_ * (len(columns.labels[column]) + 1) + to, -1)


@dataclass(frozen=True, eq=False)
class Links:
    """The links of a flow.

    Attributes
    ----------
    column
        Of each link: the outer of the two steps it is between.
    inner, outer
        Its places at both.
    values
        How many paths, one row per segment and one column per link.
    sizes
        How many paths each segment has.
    """

    column: Positions
    inner: Positions
    outer: Positions
    values: Any
    sizes: Positions

    @classmethod
    def of(cls, paths: FlowPlaces, columns: Columns, sizes: Positions) -> Links:
        """Count the links in the order of the table."""
        parts: list[tuple[Any, ...]] = []
        rows = 0
        for column in columns.outer():
            inner = columns.inner(column)
            width = len(columns.labels[column]) + 1
            links = paths.links(columns, column)
            is_link = links >= 0
            span = len(columns.labels[inner]) * width
            of = paths.segments[is_link] * span + links[is_link]
            weights = None if paths.weights is None else paths.weights[is_link]
            keys, often = counted(of, len(sizes) * span, weights)
            ends = np.arange(len(columns.labels[inner])) * width + width - 1
            pairs = np.union1d(keys % max(span, 1), ends)
            rows += len(pairs) * len(sizes)
            if rows > MOST_ROWS:
                raise ReportError(
                    f"the table would have more than {MOST_ROWS:,} rows: {len(sizes):,} segments, "
                    "each with its links; choose a smaller top=, or filter with where="
                )
            values = np.zeros((len(sizes), len(pairs)), np.int64)
            if len(keys):
                values[keys // span, np.searchsorted(pairs, keys % span)] = often
            from_, to = pairs // width, pairs % width
            if columns.steps[column] < 0:
                order = np.lexsort((from_, to))
                from_, to, values = from_[order], to[order], values[:, order]
            parts.append((np.full(len(from_), column), from_, to, values))
        of_column, inners, outers, each = (list(part) for part in zip(*parts, strict=True))
        return cls(
            np.concatenate(of_column),
            np.concatenate(inners),
            np.concatenate(outers),
            np.hstack(each),
            sizes,
        )

    def inner_sizes(self) -> Any:
        """Return how many paths are at the inner place of each link."""
        if not len(self.column):
            return self.values
        width = int(self.inner.max()) + 1
        _, place = np.unique(self.column * width + self.inner, return_inverse=True)
        sums = np.zeros((place.max() + 1, len(self.sizes)), np.int64)
        np.add.at(sums, place, self.values.T)
        return sums[place].T


@dataclass(frozen=True, eq=False)
class FlowAnswer:
    """A flow in numbers.

    Attributes
    ----------
    ranked
        The segments.
    whole
        The paths of all users together.
    paths
        Those of the segments; the same without a breakdown.
    """

    columns: Columns
    ranked: Ranked
    whole: FlowPlaces
    paths: FlowPlaces

    @classmethod
    def of(
        cls, tally: ReportTally, by: Breakdown | None, steps: list[int], top: int | None
    ) -> FlowAnswer:
        """Return the numbers of a tally, with the *top* events of each step under their names."""
        (paths,), (whole,) = tally.counted, tally.overall or tally.counted
        assert isinstance(paths, CountedPaths)
        assert isinstance(whole, CountedPaths)
        ranked = tally.ranked(by, paths.values())
        labels = whole.kinds.labels()
        shown, named = [], []
        for column in range(len(steps)):
            places, names = _kept(whole, paths, column, labels, top)
            shown.append(places)
            named.append(names)
        columns = Columns(steps, named)
        of_all = FlowPlaces(_places(whole, shown, columns), whole.cells, whole.weights)
        if by is None:
            return cls(columns, ranked, of_all, of_all)
        segments = np.argsort(ranked.order)[paths.cells]
        each = FlowPlaces(_places(paths, shown, columns), segments, paths.weights)
        return cls(columns, ranked, of_all, each)

    @cached_property
    def links(self) -> Links:
        """The links of each segment."""
        sizes = self.paths.times(self.paths.segments, len(self.ranked))
        return Links.of(self.paths, self.columns, sizes)

    @cached_property
    def together(self) -> Links:
        """The links of all users together."""
        if self.ranked.by is None:
            return self.links
        sizes = self.whole.times(self.whole.segments, 1)
        return Links.of(self.whole, self.columns, sizes)

    @cached_property
    def often(self) -> list[str]:
        """All events, those that are most often a step of all users together first."""
        totals: Counter[str] = Counter()
        for column, labels in enumerate(self.columns.labels):
            counts = self.at_step(column, together=True)[0].tolist()
            totals.update(
                {label: 0 if label == OTHER else counts[at] for at, label in enumerate(labels)}
            )
        return [name for name, _ in totals.most_common()]

    @property
    def is_empty(self) -> bool:
        return not len(self.whole)

    def table(self) -> pd.DataFrame:
        """Return one row per segment and link."""
        links = self.links
        shown = 0 if self.is_empty else len(links.column)
        columns: dict[str, Any] = self.ranked.columns(shown)
        steps = np.array(self.columns.steps, np.int64)[links.column[:shown]]
        names = [self._ends(links, at) for at in range(shown)]
        segments = len(self.ranked)
        columns["step"] = np.tile(steps, segments)
        columns["from"] = pd.Series([first for first, _ in names] * segments, dtype="str")
        columns["to"] = pd.Series([second for _, second in names] * segments, dtype="str")
        values = links.values[:, :shown]
        columns["count"] = values.ravel()
        with np.errstate(invalid="ignore"):
            columns["rate"] = (values / links.sizes[:, None]).ravel()
            columns["step_rate"] = (values / links.inner_sizes()[:, :shown]).ravel()
        return pd.DataFrame(columns)

    def _ends(self, links: Links, at: int) -> tuple[str, str]:
        """Return where a link leads from and to."""
        column = int(links.column[at])
        inner = self.columns.names(self.columns.inner(column))[links.inner[at]]
        outer = self.columns.names(column)[links.outer[at]]
        return (inner, outer) if self.columns.steps[column] > 0 else (outer, inner)

    def nodes(self) -> pd.DataFrame:
        """Return one row per segment, step and event."""
        labels = self.columns.labels
        columns: dict[str, Any] = self.ranked.columns(sum(map(len, labels)))
        steps = np.repeat(self.columns.steps, [len(each) for each in labels])
        counts = np.hstack([self.at_step(column) for column in range(len(labels))])
        columns["step"] = np.tile(steps.astype(np.int64), len(self.ranked))
        names = [name for each in labels for name in each] * len(self.ranked)
        columns["event"] = pd.Series(names, dtype="str")
        columns["count"] = counts.ravel()
        with np.errstate(invalid="ignore"):
            columns["rate"] = (counts / self.links.sizes[:, None]).ravel()
        return pd.DataFrame(columns)

    def at_step(self, column: int, *, together: bool = False) -> Any:
        """Return how many paths are where at a step, one row per segment."""
        paths = self.whole if together else self.paths
        segments = 1 if together else len(self.ranked)
        width = len(self.columns.labels[column])
        places = paths.places[column]
        is_there = (places >= 0) & (places < width)
        keys = paths.segments[is_there] * width + places[is_there]
        counts = paths.times(keys, segments * width, is_there)
        return counts.reshape(segments, width)

    @cached_property
    def _whole_paths(self) -> tuple[pd.DataFrame, Positions, Positions]:
        """Whole paths, then which of them each path is, and the segment and number of a row."""
        codes = np.zeros(len(self.paths), np.int64)
        for places in self.paths.places:
            span = int(places.max(initial=0)) + 2
            codes = pd.factorize(codes * span + places + 1)[0]
        kinds = int(codes.max(initial=-1)) + 1
        first = np.zeros(kinds, np.int64)
        first[codes[::-1]] = np.arange(len(codes))[::-1]
        size = len(self.ranked) * max(kinds, 1)
        of = self.paths.segments * max(kinds, 1) + codes
        keys, often = counted(of, size, self.paths.weights)
        segments, kind = keys // max(kinds, 1), keys % max(kinds, 1)
        steps = [places[first[kind]] for places in self.paths.places]
        order = np.lexsort((*steps[::-1], -often, segments))
        segments, kind, often = segments[order], kind[order], often[order]
        # The n-th of its segment, of which the first come first.
        nth = np.arange(len(segments)) - np.searchsorted(segments, segments)
        shown = nth < MOST_PATHS
        segments, kind, often = segments[shown], kind[shown], often[shown]
        columns = self.ranked.columns(segments)
        names = [self.columns.names(column) for column in range(len(self.columns.steps))]
        at = np.column_stack([places[first[kind]] for places in self.paths.places])
        columns["path"] = pd.Series(
            [
                tuple(name[place] for name, place in zip(names, row, strict=True) if place >= 0)
                for row in at.tolist()
            ],
            dtype=object,
        )
        columns["count"] = often
        columns["rate"] = often / np.maximum(self.links.sizes, 1)[segments]
        return pd.DataFrame(columns), codes, np.column_stack([segments, kind])

    @property
    def top_paths(self) -> pd.DataFrame:
        """Whole paths, the most frequent first."""
        return self._whole_paths[0]

    # -- the users behind a number ----------------------------------------------------------

    def of_path(self, place: int | None, path: tuple[str, ...]) -> Mask:
        """Return which paths are a whole path, of a segment or of all users."""
        if place is None and self.ranked.by is not None:
            return replace(self, ranked=Ranked.whole(), paths=self.whole).of_path(None, path)
        frame, codes, rows = self._whole_paths
        matching = np.array([each == path for each in frame["path"]], np.bool_)
        if place is not None:
            matching &= rows[:, 0] == place
        if not matching.any():
            raise ReportError(
                f"no path is {' → '.join(path)}; give one of the column path of .paths, which has "
                f"{count(len(frame), 'row')}"
            )
        is_on_path: Mask = np.isin(codes, rows[matching, 1])
        if place is not None:
            is_on_path &= self.paths.segments == place
        return is_on_path

    def paths_at(
        self,
        place: int | None,
        step: int | None,
        at: str | None,
        from_: str | None,
        to: str | None,
    ) -> Mask:
        """Return which paths have a node or a link; any of a kind for None."""
        paths = self.whole if place is None else self.paths
        is_there = np.zeros(len(paths), np.bool_)
        wanted = [n for n, each in enumerate(self.columns.steps) if step is None or each == step]
        if from_ is not None or to is not None:
            for column in wanted:
                if self.columns.steps[column]:
                    is_there |= self._has_link(paths, column, from_, to)
        else:
            for column in wanted:
                is_there |= self._is_at(paths, column, at, with_end=at is not None)
        if place is not None:
            is_there &= paths.segments == place
        return is_there

    def _is_at(self, paths: FlowPlaces, column: int, name: str | None, *, with_end: bool) -> Mask:
        places = paths.places[column]
        if name is None:
            width = len(self.columns.labels[column]) + with_end
            is_event: Mask = (places >= 0) & (places < width)
            return is_event
        names = self.columns.names(column)
        wanted = names.index(name) if name in names else -2
        same: Mask = places == wanted
        return same

    def _has_link(self, paths: FlowPlaces, column: int, from_: str | None, to: str | None) -> Mask:
        inner = self.columns.inner(column)
        if self.columns.steps[column] < 0:
            from_, to = to, from_
        # A place beside one that is left is the end at most; there are no two ends in a row.
        is_link = self._is_at(paths, inner, from_, with_end=False)
        is_link &= self._is_at(paths, column, to, with_end=True)
        return is_link

    def check(self, step: int | None, names: Sequence[str | None]) -> None:
        """See whether there is a step, and at it or one next to it something of each name."""
        steps = self.columns.steps
        if step is not None and (not is_whole(step) or step not in steps):
            raise ReportError(f"step={quoted(step)}; the flow has steps {steps[0]} to {steps[-1]}")
        near = range(len(steps))
        if step is not None:
            column = steps.index(step)
            near = range(max(column - 1, 0), min(column + 2, len(steps)))
        in_reach = list(
            dict.fromkeys(name for column in near for name in self.columns.names(column))
        )
        for name in names:
            if name is not None and not is_text(name):
                raise ReportError(f"{quoted(name):.60} is not a name of an event; give text")
            if name is not None and name not in in_reach:
                where = "in the flow" if step is None else f"at step {step}"
                raise ReportError(
                    f'no event "{name}" {where}; there are {listed(in_reach)}.'
                    + did_you_mean(name, in_reach)
                )


def counted(keys: Any, size: int, weights: Any = None) -> tuple[Positions, Positions]:
    """Return each number there is, ascending and below *size*, and how often it is there."""
    if size <= _FEW:
        often = np.bincount(keys, minlength=1)
        numbers = np.flatnonzero(often)
        if weights is not None:
            often = np.bincount(keys, weights).astype(np.int64)
        return numbers, often[numbers]
    if weights is None:
        return np.unique(keys, return_counts=True)
    numbers, places = np.unique(keys, return_inverse=True)
    return numbers, np.bincount(places, weights).astype(np.int64)


def _kept(
    whole: CountedPaths, paths: CountedPaths, column: int, labels: Sequence[str], top: int | None
) -> tuple[Positions, list[str]]:
    """Return the place of each event at a step, and what the places are called."""
    often = whole.often(column)
    in_all = often if paths is whole else often + paths.often(column)
    used = np.flatnonzero(in_all)
    names = [labels[at] for at in used.tolist()]
    rank = np.unique(np.array(names, object), return_inverse=True)[1] if names else used
    order = used[np.lexsort((rank, -often[used]))]
    most = len(order) if top is None else min(top, len(order))
    if most > MOST_NAMED:
        raise ReportError(
            f"a step has {len(order):,} events, and at most {MOST_NAMED:,} can be named; give a "
            "smaller top=, or expand= by another property"
        )
    places: Positions = np.full(len(labels), -1, np.int64)
    places[order] = np.minimum(np.arange(len(order)), most)
    most_frequent = [labels[at] for at in order[:most].tolist()]
    return places, [*most_frequent, *([OTHER] if most < len(order) else [])]


def _places(paths: CountedPaths, shown: list[Positions], columns: Columns) -> list[Any]:
    """Return where each path is at each step; at the end of a path the number of places."""
    places_of = []
    for nodes, places, labels in zip(paths.nodes, shown, columns.labels, strict=True):
        small = np.min_scalar_type(-len(labels) - 2)
        places_of.append(np.append(places, -1).astype(small)[nodes])
    for column in columns.outer():
        is_end = (paths.nodes[column] < 0) & (paths.nodes[columns.inner(column)] >= 0)
        places_of[column][is_end] = len(columns.labels[column])
    return places_of


def _without(selection: Selection, hidden: Step) -> Selection:
    """Return the selected events but those that are a step."""
    matching = selection.named(hidden.event).where(hidden.where)
    marks = np.zeros(len(selection.events), np.bool_)
    marks[slice(None) if matching.positions is None else matching.positions] = True
    there = slice(None) if selection.positions is None else selection.positions
    return selection.keep(~marks[there])


@dataclass(frozen=True, eq=False)
class FlowQuestion(ReportPlan):
    """Which paths are asked for.

    Attributes
    ----------
    scope
        Of whose events, broken down by what.
    plan
        What makes a path.
    range
        When an anchor is one.
    top
        How many events of each step have their name; None for all.
    """

    scope: ReportScope
    plan: FlowPlan
    range: Periods
    top: int | None

    @property
    def together(self) -> FlowQuestion:
        """The same without a breakdown."""
        return replace(self, scope=self.scope.together)

    @cached_property
    def filtered(self) -> Selection:
        """The events that take part in reports and meet the filter."""
        return self.scope.visible.where(self.scope.where)

    @cached_property
    def events(self) -> Selection:
        """Those of them that paths are made of, where none is ignored."""
        remaining = self.filtered
        for hidden in self.plan.hide:
            remaining = _without(remaining, hidden)
        return remaining

    @cached_property
    def with_ids(self) -> Selection:
        """Those of them that have a distinct ID."""
        return self.events.with_id()

    @cached_property
    def track(self) -> FlowTrack:
        return FlowTrack.of(self.with_ids, self.plan)

    @cached_property
    def candidates(self) -> Positions:
        """Where on the track the events are that paths may lead to and from."""
        anchor, track = self.plan.anchor, self.track
        is_anchor = (track.times >= self.range.start) & (track.times < self.range.end)
        if anchor.event is not None or anchor.where is not None:
            matching = self.with_ids.named(anchor.event).where(anchor.where)
            marks = np.zeros(len(matching.events), np.bool_)
            marks[slice(None) if matching.positions is None else matching.positions] = True
            is_anchor &= marks[track.rows]
        return np.flatnonzero(is_anchor)

    @cached_property
    def anchors(self) -> Positions:
        """Where those are that paths do lead to and from, whatever the segment."""
        return self.candidates[is_new(self._same(self.candidates))]

    def _same(self, at: Positions) -> Any:
        """Return numbers that are equal for anchors of which only the first counts."""
        if self.plan.count == "total":
            return self.track.runs[at]
        sessions = self.track.sessions
        return self.track.users[at] if sessions is None else sessions[at]

    @cached_property
    def whole(self) -> Paths:
        """The paths of all users together."""
        return self.track.paths(self.anchors, self.plan)

    @cached_property
    def broken_down(self) -> tuple[Paths, Segments]:
        """The paths of each segment, and the segments."""
        assert self.by is not None
        if self.with_ids.is_of_users(self.by):
            segments = self.with_ids.user_segments(self.by)
            rows, codes = segments.beside(self.whole.users)
            whole = self.whole
            if rows is None:
                return Paths(whole.users, whole.nodes, codes), segments
            nodes = tuple(step[rows] for step in whole.nodes)
            return Paths(whole.users[rows], nodes, codes), segments
        at = self.candidates
        of_rows = self.with_ids.at_rows(self.track.rows[at])
        segments = of_rows.event_segments(self.by)
        codes = segments.codes
        at = at if segments.owners is None else at[segments.owners]
        same = self._same(at)
        order = np.lexsort((codes, same))
        counts = np.sort(order[is_new(same[order], codes[order])])
        paths = self.track.paths(at[counts], self.plan)
        return Paths(paths.users, paths.nodes, codes[counts]), segments

    def count(self) -> ReportTally:
        """Return the paths: those of each segment, and overall those of all users together."""
        kinds, paths = self.track.kinds, self.whole
        whole = CountedPaths(kinds, paths.nodes, np.zeros(len(paths), np.int64), 1)
        if self.by is None:
            return ReportTally.whole(whole)
        paths, segments = self.broken_down
        assert paths.segments is not None
        used, places = occurring(paths.segments, len(segments))
        each = CountedPaths(kinds, paths.nodes, places, len(used))
        return ReportTally(segments.values, used, (each,), (whole,))

    def answer(self, tally: ReportTally) -> FlowAnswer:
        """Return the numbers of the report of what was counted."""
        return FlowAnswer.of(tally, self.by, self.plan.steps, self.top)

    def ids(self, mask: Mask, *, together: bool) -> list[str]:
        """Return the distinct IDs of some paths, of those of the segments or of all users."""
        paths = self.whole if together or self.by is None else self.broken_down[0]
        codes = np.unique(paths.users[mask]).astype(np.int64)
        texts = self.scope.visible.events.ids.texts.take(pa.array(codes))
        distinct_ids: list[str] = sorted(texts.to_pylist())
        return distinct_ids
