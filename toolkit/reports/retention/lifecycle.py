"""Lifecycle: how many users are new, return, come back after a break, or stay away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import tzinfo
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

import numpy as np
import pandas as pd
import pyarrow as pa

from toolkit.base import Json, ReportError, begun, check_choice, count, listed, times
from toolkit.columns import Codes, Positions
from toolkit.events import AnyEvents, At, Profiles
from toolkit.expressions import Expression
from toolkit.reports.drawing import plots, stacks
from toolkit.reports.form.fields import (
    AT,
    RANGE,
    Declaration,
    EventField,
    FilterField,
    PropertyField,
    unit_field,
)
from toolkit.reports.numbers.counted import Sums
from toolkit.reports.numbers.tally import ReportPlan, ReportTally
from toolkit.reports.question.breakdowns import By
from toolkit.reports.question.periods import MOST_ROWS, Moment, Periods, Unit, periods
from toolkit.reports.question.ranked import Ranked
from toolkit.reports.question.scope import ReportScope
from toolkit.reports.question.segments import Segments, occurring
from toolkit.reports.question.selection import Selection
from toolkit.reports.question.steps import AnyStep, Step, as_step
from toolkit.reports.report import Report
from toolkit.reports.retention.entries import is_new, sorted_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Status: TypeAlias = Literal["new", "returning", "resurrecting", "dormant"]

STATUSES: Final[tuple[Status, ...]] = get_args(Status)
_NEW, _RETURNING, _RESURRECTING, _DORMANT = range(4)


def lifecycle(
    events: AnyEvents,
    profiles: Profiles | None,
    event: AnyStep = None,
    *,
    unit: Unit = "week",
    by: By = None,
    where: str | Expression | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
    tz: str | tzinfo | None = None,
    at: At = "latest",
) -> Lifecycle:
    """Return how many users are new, returning, resurrecting or dormant in each period.

    Parameters
    ----------
    events
        An :class:`Events`, or a DataFrame with the usual column names.
    profiles
        The profiles, joined in their latest state (JOIN-1). None if no argument looks
        at a user property.
    event
        What makes a user active: the name of an event, None for any event, or
        ``tk.step(name, where=…)``.
    unit
        ``"hour"``, ``"day"``, ``"week"`` (from Monday), ``"month"``, ``"quarter"`` or ``"year"`` of
        the calendar in *tz*.
    by
        A property to break the numbers down by: ``user["plan"]``, ``event["item"]``, or
        text, which is a property of the event. Each segment is judged alone, as if
        there were no other events.
    where
        Only events for which this expression (or its text form) is true make active.
    start, end
        The range; a date as the end is part of it. By default that of all events. The
        period that *start* lies in counts whole, and what was before decides who is new.
    tz
        A time zone such as ``"Europe/Oslo"``; None is UTC.
    at
        ``"latest"``: user properties as they are now (JOIN-1). ``"event time"``: as they
        were at each event (JOIN-4).

    Returns
    -------
    Lifecycle
        Its ``table`` has a column named after the breakdown (of its dtype), ``time`` (start of the
        period, ``datetime64[us, tz]``), ``status`` (``str``) and ``count`` (users, ``int64``). A
        user who is active in a period is ``new`` if never active before, ``returning`` if
        active in the period before too, else ``resurrecting``; who was active in the period
        before and is not in this one is ``dormant`` in this one. Every segment has a row for
        each period and status, zeros included. Larger segments come first, equal ones by
        name, ``(not set)`` last.

    Raises
    ------
    ReportError
        If an argument is none of the above.
    ExpressionError
        If *where* or *by* cannot be read.
    EventsError
        If the events lack a column, or a property that is asked for.

    Examples
    --------
    >>> df = pd.DataFrame(
    ...     {
    ...         "event": "View",
    ...         "distinct_id": ["ann", "bob", "ann", "bob"],
    ...         "time": ["2026-05-01", "2026-05-01", "2026-05-02", "2026-05-03"],
    ...     }
    ... )
    >>> table = lifecycle(df, None, unit="day").table
    >>> table.pivot(index="time", columns="status", values="count")["dormant"].tolist()
    [0, 1, 1]
    """
    if unit is None:
        raise ReportError(f"unit=None; a lifecycle needs periods: {listed(get_args(Unit))}")
    active = as_step(event, "event")
    scope = ReportScope.of(events, profiles, by=by, where=where, start=start, end=end, tz=tz, at=at)
    asked = scope.periods(unit)
    plan = LifecyclePlan(scope, active, *_with_past(asked, scope))
    names, conditions = [active.event], [active.where, scope.where]
    shown = plan.active.between(asked.start, asked.end)
    notes = [*scope.notes(asked, shown, names, conditions), *_range_notes(plan)]
    return Lifecycle(plan, {"event": active.asked, "unit": unit, **scope.definition}, notes)


def _with_past(asked: Periods, scope: ReportScope) -> tuple[Periods, int]:
    """Return the periods from the first event on, and which of them is the first asked for."""
    range_, observed = asked, scope.observed
    if len(asked) and observed is not None and observed[0] < asked.edges[0]:
        first = times.timestamp(observed[0])
        range_ = periods(asked.unit, first, scope.end, scope.tz, observed)
    if not len(range_):
        return range_, 0
    first_asked = int(np.searchsorted(range_.edges, asked.edges[0])) if len(asked) else 0
    return replace(range_, start=int(range_.edges[0])), first_asked


def _range_notes(plan: LifecyclePlan) -> list[str]:
    notes = []
    shown = plan.range.starts[plan.first :]
    if len(shown) and not plan.first:
        notes.append(
            f"In the first {plan.range.unit} ({shown[0]:%Y-%m-%d}) everybody is new: there are "
            "no events before it."
        )
    if plan.incomplete:
        notes.append(
            f"The last {plan.range.unit} ({shown[-1]:%Y-%m-%d}) is incomplete: the "
            "range ends inside it, so some who seem dormant in it may still come."
        )
    return notes


@dataclass(frozen=True, eq=False)
class LifecyclePlan(ReportPlan):
    """Whose life it is: active events, their breakdown, and the periods.

    Attributes
    ----------
    scope
        Of whose events, broken down by what.
    step
        What makes a user active.
    range
        From the first event of all on.
    first
        The first of its periods that was asked for.
    """

    scope: ReportScope
    step: Step
    range: Periods
    first: int

    @cached_property
    def active(self) -> Selection:
        """The events that make users active."""
        visible = self.scope.visible
        until = visible.keep(visible.times < self.range.end)
        return until.named(self.step.event).where(self.step.where).where(self.scope.where)

    @property
    def incomplete(self) -> list[int]:
        """The last period, counted from the first asked for, if the range ends inside it."""
        is_cut = len(self.range) and self.range.end < self.range.edges[-1]
        return [len(self.range) - self.first - 1] if is_cut else []

    def statuses(self) -> tuple[Codes, Positions, Positions, Any, Segments | None]:
        """Return users, periods and statuses, a cell each, then segments and what they are."""
        selection = self.active.with_id()
        rows = sorted_rows(selection)
        users = selection.events.ids.codes[rows]
        at = self.range.index(selection.events.times[rows])
        codes: Any = None
        segments: Segments | None = None
        if self.by is not None and not selection.is_of_users(self.by):
            segments = selection.at_rows(rows).event_segments(self.by)
            codes = segments.codes
            if segments.owners is not None:
                users, at = users[segments.owners], at[segments.owners]
            order = np.lexsort((at, codes, users))
            users, at, codes = users[order], at[order], codes[order]
        lives = [users] if codes is None else [users, codes]
        is_active = is_new(*lives, at)
        users, at = users[is_active], at[is_active]
        codes = None if codes is None else codes[is_active]
        begins = is_new(*([users] if codes is None else [users, codes]))
        is_next = np.zeros(len(at), np.bool_)
        is_next[1:] = at[1:] == at[:-1] + 1
        status = np.where(begins, _NEW, np.where(is_next, _RETURNING, _RESURRECTING))
        comes = np.append(~begins[1:] & is_next[1:], False)[: len(at)]
        leaves = np.flatnonzero(~comes & (at + 1 < len(self.range)))
        users = np.concatenate([users, users[leaves]])
        status = np.concatenate([status, np.full(len(leaves), _DORMANT)])
        at = np.concatenate([at, at[leaves] + 1])
        codes = None if codes is None else np.concatenate([codes, codes[leaves]])
        is_asked = at >= self.first
        users, status, at = users[is_asked], status[is_asked], at[is_asked] - self.first
        codes = None if codes is None else codes[is_asked]
        if self.by is not None and selection.is_of_users(self.by):
            segments = selection.user_segments(self.by)
            owners, codes = segments.beside(users)
            if owners is not None:
                users, status, at = users[owners], status[owners], at[owners]
        return users, at, status, codes, segments

    def count(self) -> ReportTally:
        """Return the users of each period and status."""
        _, at, status, codes, segments = self.statuses()
        shown = len(self.range) - self.first
        used, places = np.zeros(1, np.int64), np.zeros(len(at), np.int64)
        if codes is not None and segments is not None:
            used, places = occurring(codes, len(segments))
            self._check(len(used))
        shape = (len(used), shown, len(STATUSES))
        cells = (places * shown + at) * len(STATUSES) + status
        values = np.bincount(cells, minlength=int(np.prod(shape))).reshape(shape)
        return ReportTally(None if segments is None else segments.values, used, (Sums(values),))

    def answer(self, tally: ReportTally) -> LifecycleAnswer:
        """Return the numbers of the report of what was counted."""
        self._check(len(tally))
        values = tally.counted[0].values()
        ranked = tally.ranked(self.by, values[:, :, :_DORMANT].sum(axis=(1, 2)))
        return LifecycleAnswer(ranked, values[ranked.order])

    def _check(self, segments: int) -> None:
        shown = len(self.range) - self.first
        rows = segments * shown * len(STATUSES)
        if rows > MOST_ROWS and self.by is not None:
            raise ReportError(
                f"the table would have {rows:,} rows: {segments:,} segments, "
                f"each with {count(shown, 'period')}; filter with where=, or choose a longer "
                "unit="
            )

    def users(self, segment: int | None, period: int | None, status: int | None) -> list[str]:
        users, at, statuses, codes, _ = self.statuses()
        is_behind = np.ones(len(users), np.bool_)
        if period is not None:
            is_behind &= at == period
        if status is not None:
            is_behind &= statuses == status
        if segment is not None and codes is not None:
            is_behind &= codes == segment
        present = np.flatnonzero(np.bincount(users[is_behind], minlength=1))
        texts = self.active.events.ids.texts.take(pa.array(present))
        distinct_ids: list[str] = sorted(texts.to_pylist())
        return distinct_ids


@dataclass(frozen=True, eq=False)
class LifecycleAnswer:
    """Users, one row per segment, in each a period, in each a status."""

    ranked: Ranked
    values: Any


class Lifecycle(Report):
    """Who is new, returning, resurrecting or dormant; made by :func:`lifecycle`."""

    _places = ("time", "status")

    def __init__(
        self, plan: LifecyclePlan, definition: Mapping[str, object], notes: list[str]
    ) -> None:
        self._plan = plan
        self._numbers = plan.answer(plan.count())
        self._ranked = self._numbers.ranked
        super().__init__(_title(plan), definition, self._rows(), notes)

    @property
    def _starts(self) -> pd.DatetimeIndex:
        return self._plan.range.starts[self._plan.first :]

    def _rows(self) -> pd.DataFrame:
        segments, shown, _ = self._numbers.values.shape
        columns = self._ranked.columns(shown * len(STATUSES))
        places = np.tile(np.repeat(np.arange(shown), len(STATUSES)), segments)
        columns["time"] = self._starts[places]
        columns["status"] = pd.Series(list(STATUSES) * (segments * shown), dtype="str")
        columns["count"] = self._numbers.values.ravel()
        return pd.DataFrame(columns)

    def users(
        self,
        *,
        time: Moment | None = None,
        status: Status | None = None,
        segment: Json = None,
    ) -> list[str]:
        """Return the distinct IDs behind a cell, sorted.

        Parameters
        ----------
        time
            A date or time in the period wanted. None is the whole range.
        status
            ``"new"``, ``"returning"``, ``"resurrecting"`` or ``"dormant"``. None is any of them.
        segment
            A segment as the table calls it, or its value. None is any segment.

        Raises
        ------
        ReportError
            If the report has no such period, status or segment.
        """
        check_choice("status", status, (*STATUSES, None))
        place = self._ranked.find(segment)
        period = None if time is None else self._plan.range.find(time) - self._plan.first
        if period is not None and period < 0:
            raise ReportError(
                f"time={time!s} is before the report, which begins at {self._starts[0]:%Y-%m-%d}"
            )
        return self._plan.users(
            None if place is None else int(self._ranked.codes[place]),
            period,
            None if status is None else STATUSES.index(status),
        )

    def plot(self, ax: Axes | None = None, *, segment: Json = None) -> Axes:
        """Draw the active users of each period as stacked bars, the dormant ones below zero.

        Parameters
        ----------
        ax
            Where to draw; by default on a new figure.
        segment
            Draws only this segment. By default all users together, each once.
        """
        place = self._ranked.find(segment)
        numbers, title = self._numbers, self.title
        if place is not None:
            title = f"{numbers.ranked.names[place]}: {title}"
        elif self._plan.by is not None:
            numbers = self._together
            title = f"{plots.TOGETHER}: {_title(self._plan.on(self._plan.scope.together))}"
        values = numbers.values[place or 0]
        ranked = numbers.ranked
        return stacks.stacked(
            ax,
            self._starts,
            self._plan.range.edges[self._plan.first :],
            [(status, values[:, at]) for at, status in enumerate(STATUSES)],
            below=("dormant",),
            title=title,
            of=f"users per {self._plan.range.unit}",
            by="status",
            incomplete=self._plan.incomplete,
            cell=lambda status, period: {
                "time": self._starts[period],
                "status": status,
                **ranked.cell(place or 0),
            },
        )

    @cached_property
    def _together(self) -> LifecycleAnswer:
        together = self._plan.on(self._plan.scope.together)
        return together.answer(together.count())


def _title(plan: LifecyclePlan) -> str:
    unit = plan.range.unit
    return plan.scope.titled(begun(f"{plan.step}: users by their lifecycle per {unit}"))


DECLARATION: Final = Declaration(
    title="Lifecycle",
    function=lifecycle,
    call="tk.lifecycle",
    about="How many users are new, return, come back after a break, or stay away.",
    fields=(
        EventField(name="event", label="Active by", is_positional=True, may_be_filtered=True),
        unit_field("week", may_be_none=False),
        PropertyField(name="by", label="Break down by", may_be_cohort=True),
        FilterField(name="where", label="Filter"),
        *RANGE,
        AT,
    ),
)
