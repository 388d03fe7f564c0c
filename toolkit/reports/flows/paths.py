"""The paths of a flow: what users did before and after an event, step by step.

Events are in one order, by user and time. There the steps of a path are neighbours,
so each step is one look at whole columns, never user by user.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, TypeAlias, get_args

import numpy as np
import pandas as pd

from toolkit.base import ReportError, as_duration, check_choice, check_flag, dumps, is_whole, quoted
from toolkit.columns import Codes, Mask, Microseconds, Positions
from toolkit.reports.numbers.counted import Counted
from toolkit.reports.numbers.measures import Count
from toolkit.reports.question.breakdowns import Breakdown, as_breakdown
from toolkit.reports.question.segments import NOT_SET, Segments, Values, joined, occurring
from toolkit.reports.question.selection import Selection
from toolkit.reports.question.steps import Step, as_step
from toolkit.reports.retention.entries import is_new

#: What a step is called that is none: beyond it a path has no event.
DROP_OFF: Final = "(drop-off)"
START: Final = "(start)"
#: What all events of a step are called that have no name of their own there.
OTHER: Final = "(other)"

_MOST_STEPS: Final = 20
_DEFAULT_STEPS: Final = 3


@dataclass(frozen=True, eq=False)
class FlowPlan:
    """What makes a path.

    Attributes
    ----------
    anchor
        The event that paths lead to and from.
    before, after
        How many steps.
    window
        How far from the anchor they may be, in microseconds.
    gap
        How long the pause between two events may be, in microseconds; None for any.
    collapse
        Whether one event several times in a row is one step.
    hide
        Events to be ignored.
    expand
        What each event is split by: of the events of a name, or None for all events.
    """

    anchor: Step
    before: int
    after: int
    window: int
    gap: int | None
    collapse: bool
    hide: tuple[Step, ...]
    expand: Mapping[str | None, Breakdown]
    count: Count

    @classmethod
    def of(
        cls,
        anchor: Any,
        *,
        before: Any,
        after: Any,
        window: Any,
        gap: Any,
        collapse: bool,
        hide: Any,
        expand: Any,
        count: Any,
        tz: Any,
    ) -> FlowPlan:
        """Return the plan of some arguments of the report.

        Raises
        ------
        ReportError
            If one of them makes no sense.
        """
        check_choice("count", count, get_args(Count))
        if after is None:
            after = 0 if is_whole(before) and before else _DEFAULT_STEPS
        for role, number in (("before", before), ("after", after)):
            if not is_whole(number) or not 0 <= number <= _MOST_STEPS:
                raise ReportError(
                    f"{role}={quoted(number)}; give a number of steps, from 0 to {_MOST_STEPS}"
                )
        if before == after == 0:
            raise ReportError("before=0 and after=0 leave no step; give one of them, such as 3")
        one = as_step(anchor, "event")
        if not isinstance(hide, str | Step | Iterable) or isinstance(hide, pd.DataFrame):
            raise ReportError(f"hide={quoted(hide):.60}; give the name of an event, or a list")
        listed_ = [hide] if isinstance(hide, str | Step) else list(hide)
        hidden = tuple(as_step(each, "hide") for each in listed_)
        for each in hidden:
            if each.event is None and each.where is None:
                raise ReportError("hide= has any event at all; name those to ignore")
            if each.event == one.event and each.where is None:
                raise ReportError(
                    f'hide= has "{each.event}", and the paths are those around it; leave one out'
                )
        return cls(
            one,
            before,
            after,
            as_duration(window, "window"),
            None if gap is None else as_duration(gap, "gap"),
            check_flag("collapse", collapse),
            hidden,
            _expanded(expand, tz),
            count,
        )

    @property
    def noun(self) -> str:
        """What is counted, in the plural."""
        return {"unique": "users", "sessions": "sessions"}.get(self.count, "paths")

    @property
    def steps(self) -> list[int]:
        """The numbers of the steps, oldest first; 0 is the anchor."""
        return list(range(-self.before, self.after + 1))


def _expanded(expand: Any, tz: Any) -> Mapping[str | None, Breakdown]:
    if expand is None:
        return {}
    by_event = expand if isinstance(expand, Mapping) else {None: expand}
    breakdowns = {}
    for name, prop in by_event.items():
        by = as_breakdown(prop, tz)
        if by is None or len(by.parts) > 1 or not (name is None or isinstance(name, str)):
            raise ReportError(
                f"expand={quoted(expand):.80}; give a property, or one for each event: "
                '{"View": event["item"]}'
            )
        breakdowns[name] = by
    return breakdowns


@dataclass(frozen=True, eq=False)
class Paths:
    """Paths, a cell each.

    Attributes
    ----------
    users
        Whose it is, a position in ``events.ids.texts``.
    nodes
        For each step from the oldest on: the event, a position in the labels; -1 where
        the path has none.
    segments
        The code of the segment; None if there is no breakdown.
    """

    users: Codes
    nodes: tuple[Any, ...]
    segments: Codes | None = None

    def __len__(self) -> int:
        return len(self.users)


@dataclass(frozen=True, eq=False)
class FlowTrack:
    """The events that paths are made of, by user and time.

    Attributes
    ----------
    rows
        The row of each.
    users
        Its distinct ID, a position in ``events.ids.texts``.
    times
        In microseconds since 1970 UTC.
    nodes
        What it is as a step, a position in *kinds*.
    kinds
        What there is as a step.
    stretches
        Numbers that differ where one path cannot go on: by user, session and long pause.
    sessions
        The session of each; None unless sessions are counted.
    spans
        Since when the session of each may have lasted, and until when it may go on.
    firsts
        Where each step begins: several events in a row may be one.
    """

    rows: Positions
    users: Codes
    times: Microseconds
    nodes: Any
    kinds: StepKinds
    stretches: Any
    firsts: Positions
    sessions: Positions | None
    spans: tuple[Microseconds, Microseconds] | None

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def of(cls, selection: Selection, plan: FlowPlan) -> FlowTrack:
        """Return the track of selected events."""
        timelines = selection.events.timelines
        rows, users, times = timelines.rows, timelines.ids, timelines.times
        names, sessions, spans = timelines.names, None, None
        if plan.count == "sessions":
            sessions, spans = timelines.sessions, timelines.session_spans
        if selection.positions is not None:
            is_selected = np.zeros(len(selection.events), np.bool_)
            is_selected[selection.positions] = True
            kept = np.flatnonzero(is_selected[rows])
            if len(kept) < len(rows):
                rows, users, times = rows[kept], users[kept], times[kept]
                names = names[kept]
                if sessions is not None and spans is not None:
                    sessions, spans = sessions[kept], (spans[0][kept], spans[1][kept])
        nodes, kinds = _nodes(selection, rows, names, plan)
        stretches: Any = users if sessions is None else sessions
        breaks = is_new(stretches)
        if plan.gap is not None and len(rows):
            breaks[1:] |= times[1:] - times[:-1] > plan.gap
            stretches = np.cumsum(breaks, dtype=np.int64)
        firsts = np.arange(len(rows))
        if plan.collapse:
            if len(rows):
                breaks[1:] |= nodes[1:] != nodes[:-1]
            firsts = np.flatnonzero(breaks)
        return cls(rows, users, times, nodes, kinds, stretches, firsts, sessions, spans)

    @cached_property
    def runs(self) -> Positions:
        """Which step each event is part of."""
        if len(self.firsts) == len(self):
            return self.firsts
        begins = np.zeros(len(self), np.bool_)
        begins[self.firsts] = True
        return np.cumsum(begins, dtype=np.int64) - 1

    def last(self, runs: Positions) -> Positions:
        """Return the last event of some steps."""
        ends = np.append(self.firsts[1:], len(self)) - 1
        last_events: Positions = ends[runs]
        return last_events

    def paths(self, anchors: Positions, plan: FlowPlan) -> Paths:
        """Return the paths around some events."""
        runs = self.runs[anchors]
        after = [self._step(anchors, runs, number, plan) for number in range(1, plan.after + 1)]
        before = [self._step(anchors, runs, -number, plan) for number in range(plan.before, 0, -1)]
        return Paths(self.users[anchors], (*before, self.nodes[anchors], *after))

    def _step(self, anchors: Positions, runs: Positions, number: int, plan: FlowPlan) -> Any:
        """Return what is so many steps from each anchor, -1 for nothing."""
        step_nodes = np.full(len(anchors), -1, self.nodes.dtype)
        wanted = runs + number
        inside = np.flatnonzero((wanted >= 0) & (wanted < len(self.firsts)))
        if not len(inside):
            return step_nodes
        wanted = wanted[inside]
        # The event of a step that is nearest to the anchor decides whether it is in reach.
        at = self.firsts[wanted] if number > 0 else self.firsts[wanted + 1] - 1
        of = anchors[inside]
        reached = self.stretches[at] == self.stretches[of]
        reached &= np.abs(self.times[at] - self.times[of]) <= plan.window
        step_nodes[inside[reached]] = self.nodes[at[reached]]
        return step_nodes

    def are_cut(
        self, anchors: Positions, paths: Paths, plan: FlowPlan, observed: tuple[int, int]
    ) -> tuple[Mask, Mask]:
        """Return of each path whether it may go on where nothing was observed.

        Before the first event of all, and after the last one; *observed* is when these were.
        """
        first, last = observed
        runs = self.runs[anchors]
        times = self.times[anchors]
        cut = []
        for is_after, numbers in ((False, range(plan.before)), (True, range(plan.after))):
            if not numbers:
                cut.append(np.zeros(len(anchors), np.bool_))
                continue
            steps = paths.nodes[plan.before + 1 :] if is_after else paths.nodes[: plan.before]
            reached = np.zeros(len(anchors), np.int64)
            for step in steps:
                reached += step >= 0
            until = times + plan.window if is_after else times - plan.window
            if plan.gap is not None and is_after:
                until = np.minimum(until, self.times[self.last(runs + reached)] + plan.gap)
            elif plan.gap is not None:
                until = np.maximum(until, self.times[self.firsts[runs - reached]] - plan.gap)
            if self.spans is not None and is_after:
                until = np.minimum(until, self.spans[1][anchors])
            elif self.spans is not None:
                until = np.maximum(until, self.spans[0][anchors])
            beyond = until > last if is_after else until < first
            cut.append((reached < len(numbers)) & beyond)
        return cut[0], cut[1]


def _nodes(
    selection: Selection, rows: Positions, names: Any, plan: FlowPlan
) -> tuple[Any, StepKinds]:
    """Return what each event is as a step, and what there is as a step."""
    texts = selection.events.event_names.texts.to_pylist()
    kinds: list[Kind] = [*((text, None) for text in texts), (None, None)]
    values: list[Values] = []
    nodes = np.where(names < 0, names.dtype.type(len(texts)), names)
    split = nodes
    for name, by in plan.expand.items():
        code = None if name is None else texts.index(name) if name in texts else -1
        # What an event was split by for its own name is not split again.
        free = split < len(texts) + 1
        places_split = np.flatnonzero(free if code is None else free & (nodes == code))
        of = nodes[places_split].astype(np.int64)
        segments = _segments(selection, rows[places_split], by)
        used, places = occurring(segments.codes, len(segments))
        values.append(segments.values.take(used))
        has_value = np.array([label != NOT_SET for label in _labels(values[-1])], np.bool_)[places]
        places_split, of = places_split[has_value], of[has_value]
        size = max(len(used), 1)
        keys, pairs = pd.factorize(of * size + places[has_value])
        split = split.astype(np.int64) if split is nodes else split
        split[places_split] = len(kinds) + keys
        by_what = len(values) - 1
        kinds += [(kinds[key // size][0], (by_what, key % size)) for key in pairs.tolist()]
    return split, StepKinds(kinds, tuple(values))


def _segments(selection: Selection, rows: Positions, by: Breakdown) -> Segments:
    at_rows = selection.at_rows(rows)
    segments = at_rows.event_segments(by)
    if segments.owners is not None:
        raise ReportError(
            f"expand={by.label} holds lists: an event would be several steps at once; "
            "choose a property with one value per event"
        )
    return segments


#: The name of an event, None for none; what it was split by and which value it had, or None.
Kind: TypeAlias = tuple[str | None, tuple[int, int] | None]


@dataclass(frozen=True, eq=False)
class StepKinds:
    """What there is as a step.

    Attributes
    ----------
    kinds
        Names first, then what was split.
    values
        Of each property that events were split by, its values.
    """

    kinds: list[Kind]
    values: tuple[Values, ...]

    def __len__(self) -> int:
        return len(self.kinds)

    def labels(self) -> list[str]:
        """Return what to call each, no two alike; one that reads like another in quotes."""
        taken = {DROP_OFF, START, OTHER, NOT_SET}
        values = [_labels(each) for each in self.values]
        result = []
        for name, value in self.kinds:
            label = NOT_SET if name is None else name
            label = label if value is None else f"{label}: {values[value[0]][value[1]]}"
            while label in taken and (name, value) != (None, None):
                label = dumps(label)
            taken.add(label)
            result.append(label)
        return result

    def joined(self, other: StepKinds) -> tuple[StepKinds, Positions, Positions]:
        """Return those of two groups of users, and which of these each of either is."""
        values, which = [], []
        for mine, theirs in zip(self.values, other.values, strict=True):
            both, of_each = joined(mine, theirs)
            values.append(both)
            which.append((of_each[: len(mine)].tolist(), of_each[len(mine) :].tolist()))
        kinds = [
            [(name, at and (at[0], which[at[0]][side][at[1]])) for name, at in each.kinds]
            for side, each in enumerate((self, other))
        ]
        every = dict.fromkeys([*kinds[0], *kinds[1]])
        in_order = sorted(every, key=lambda kind: (kind[1] is not None, kind[0] is None))
        places = {kind: place for place, kind in enumerate(in_order)}
        mine_, theirs_ = (np.array([places[kind] for kind in each], np.int64) for each in kinds)
        return StepKinds(in_order, tuple(values)), mine_, theirs_


def _labels(values: Values) -> list[str]:
    return values.levels(np.arange(len(values)))[0].labels


@dataclass(frozen=True, eq=False)
class CountedPaths(Counted):
    """Paths that can be added to those of other users.

    Attributes
    ----------
    kinds
        What there is as a step.
    nodes
        For each step from the oldest on: what each path has there, -1 for nothing.
    cells
        The segment of each path.
    size
        How many segments there are.
    weights
        How many such paths there are; None if each is one.
    """

    kinds: StepKinds
    nodes: tuple[Any, ...]
    cells: Positions
    size: int
    weights: Positions | None = None

    def placed(self, rows: Positions, size: int) -> CountedPaths:
        return replace(self, cells=rows[self.cells], size=size)

    def __add__(self, other: CountedPaths) -> CountedPaths:
        kinds, *places = self.kinds.joined(other.kinds)
        mine, theirs = (np.append(each, -1) for each in places)  # nothing stays nothing
        pairs = zip(self.nodes, other.nodes, strict=True)
        nodes = [np.concatenate([mine[a], theirs[b]]) for a, b in pairs]
        cells = np.concatenate([self.cells, other.cells])
        weights = np.concatenate([self._weights, other._weights])
        codes = cells
        for step in nodes:
            codes = pd.factorize(codes * (len(kinds) + 1) + step + 1)[0]
        number = int(codes.max(initial=-1)) + 1
        first = np.zeros(number, np.int64)
        first[codes[::-1]] = np.arange(len(codes))[::-1]
        added = np.bincount(codes, weights, minlength=number).astype(np.int64)
        each = tuple(step[first] for step in nodes)
        return CountedPaths(kinds, each, cells[first], self.size, added)

    @property
    def _weights(self) -> Positions:
        return np.ones(len(self.cells), np.int64) if self.weights is None else self.weights

    def often(self, step: int) -> Positions:
        """Return how many paths have each kind at a step."""
        nodes = self.nodes[step]
        there = nodes >= 0
        weights = None if self.weights is None else self.weights[there]
        counts = np.bincount(nodes[there], weights, minlength=len(self.kinds))
        return counts.astype(np.int64, copy=False)

    def values(self) -> Any:
        """Return how many paths each segment has."""
        sizes = np.bincount(self.cells, self.weights, minlength=self.size)
        return sizes.astype(np.int64, copy=False)
