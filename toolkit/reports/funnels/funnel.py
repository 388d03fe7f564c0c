"""Funnels: how many users go through some steps, how far they get, and how long it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from toolkit.base import (
    Duration,
    Json,
    ReportError,
    check_flag,
    count,
    in_words,
    is_whole,
    quoted,
    times,
)
from toolkit.events import AnyEvents, At, Profiles
from toolkit.expressions import Expression, Property
from toolkit.reports.drawing.spots import Cell
from toolkit.reports.form.fields import (
    AT,
    RANGE,
    ChoiceField,
    Declaration,
    EventsField,
    FilterField,
    PropertyField,
    TextField,
)
from toolkit.reports.funnels import plot as funnel_plot
from toolkit.reports.funnels.numbers import FunnelAnswer, FunnelEntries, FunnelQuestion
from toolkit.reports.funnels.plan import MOST_HELD, Attribution, FunnelPlan, Order, Reentry
from toolkit.reports.funnels.track import FunnelTrack
from toolkit.reports.numbers.measures import Count
from toolkit.reports.question.breakdowns import By
from toolkit.reports.question.periods import Moment
from toolkit.reports.question.scope import ReportScope
from toolkit.reports.question.segments import NOT_SET
from toolkit.reports.question.selection import Selection
from toolkit.reports.question.steps import AnyStep
from toolkit.reports.report import Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def funnel(
    events: AnyEvents,
    profiles: Profiles | None,
    steps: Sequence[AnyStep],
    *,
    window: Duration = "7d",
    order: Order = "specific",
    count: Count = "unique",
    reentry: Reentry = "first",
    exclude: Sequence[AnyStep] | AnyStep = (),
    hold: Sequence[str | Property] | str | Property = (),
    by: By = None,
    attribution: Attribution = "first",
    where: str | Expression | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
    tz: str | tzinfo | None = None,
    at: At = "latest",
    grace: Duration = "2s",
) -> Funnel:
    """Return how many users went through some steps, and how far they got.

    Parameters
    ----------
    events
        An :class:`Events`, or a DataFrame with the usual column names.
    profiles
        The profiles. None if no user property is looked at.
    steps
        Two steps or more: names of events, None for any event, or :func:`step` for one with
        a condition. Other events may be between them.
    window
        How long after the first step the others may happen, that moment included: ``"7d"``,
        ``"90min"`` or a timedelta. With ``count="sessions"`` an entry ends with its session
        if that is earlier.
    order
        ``"specific"``: in the order given. ``"any"``: in any order, except that steps made
        with ``anchored=True`` keep their place.
    count
        ``"unique"`` counts users: the first entry of each, or with a breakdown by an event
        property the first in each segment. ``"sessions"`` counts sessions in the same way:
        all steps are in one session, which ends with a pause of over 30 minutes.
        ``"total"`` counts entries: a user may enter again after converting, after the
        window, or after an excluded event.
    reentry
        ``"first"``: within an entry further first steps count for nothing. ``"optimized"``:
        every first step is tried, and the entry that converts counts.
    exclude
        Events that end an entry if they happen between two of its steps, with
        ``step(…, between=(2, 3))`` only between those.
    hold
        Up to three event properties that have the same value at every step.
    by
        A property to break the numbers down by: ``user["plan"]``, ``event["item"]``, or text,
        which is a property of the event.
    attribution
        Which step an event property of *by* and *where* is taken from: ``"first"`` or
        ``"last"``, of the steps done, where it is set; or the number of a step.
    where
        Counts only entries for which this expression (or its text form) is true.
    start, end
        The range of the first step; the other steps may follow after its end. A date is a
        day in *tz*, and as the end part of the range. By default that of all events.
    tz
        A time zone such as ``"Europe/Oslo"``; None is UTC.
    at
        ``"latest"``: user properties as they are now (JOIN-1). ``"event time"``: as they
        were at the first step (JOIN-4), and of a condition on a step at that step.
    grace
        A step may be so much before the one it follows, since clocks differ.

    Returns
    -------
    Funnel
        Its ``table`` has a column named after the breakdown (``user.plan``; its
        dtype is as for :func:`segmentation`), ``step``
        (from 1; ``int64``), ``event`` (``str``), ``count`` (``int64``), ``rate`` (of step 1)
        and ``step_rate`` (of the step before; both 0 to 1, NaN of nobody),
        ``average_seconds`` and ``median_seconds`` (from the step before; NaN at step 1 and where
        nobody got). Every segment that occurs has a row for every step. Segments with more
        entries come first, equal ones by name, and ``(not set)`` last.

    Raises
    ------
    ReportError
        If an argument is none of the above.
    ExpressionError
        If an expression or a property cannot be read.
    EventsError
        If the events lack a column, or a property that is asked for.

    Examples
    --------
    >>> df = pd.DataFrame(
    ...     {
    ...         "event": ["View", "Buy", "View"],
    ...         "distinct_id": ["ann", "ann", "bob"],
    ...         "time": ["2026-05-01T10:00Z", "2026-05-01T10:05Z", "2026-05-02T09:00Z"],
    ...     }
    ... )
    >>> funnel(df, None, ["View", "Buy"]).table[["step", "event", "count", "rate"]]
       step event  count  rate
    0     1  View      2   1.0
    1     2   Buy      1   0.5
    """
    plan = FunnelPlan.of(
        steps,
        window=window,
        grace=grace,
        order=order,
        count=count,
        reentry=reentry,
        exclude=exclude,
        hold=hold,
        attribution=attribution,
    )
    scope = ReportScope.of(events, profiles, by=by, where=where, start=start, end=end, tz=tz, at=at)
    question = FunnelQuestion(scope, plan, scope.periods(None))
    numbers = question.answer(question.count())
    definition = {
        "steps": [each.label for each in plan.steps],
        "window": in_words(plan.window),
        "order": order,
        "count": count,
        "reentry": reentry,
        "exclude": [each.label for each in plan.exclude],
        "hold": [each.label for each in plan.hold],
        "attribution": attribution,
        "grace": in_words(plan.grace),
        **scope.definition,
    }
    return Funnel(question, numbers, definition, _notes(question))


class Funnel(Report):
    """How many users went through some steps; made by :func:`funnel`."""

    def __init__(
        self,
        question: FunnelQuestion,
        numbers: FunnelAnswer,
        definition: Mapping[str, object],
        notes: list[str],
    ) -> None:
        self._question = question
        self._numbers, self._ranked = numbers, numbers.ranked
        super().__init__(_title(question), definition, numbers.table(), notes)

    @property
    def summary(self) -> pd.DataFrame:
        """The funnel as a whole, one row per segment.

        A column named after the breakdown, ``entries``, ``conversions`` (all steps done),
        ``rate`` (one by the other), ``average_seconds`` and ``median_seconds`` (from the first step
        to the last). With a breakdown also ``overall_rate`` (of the funnel without it),
        ``others_rate`` (of the entries in other segments and not in this one) and
        ``p_value_against_others``: how likely it is that chance alone makes the rate of the
        segment and that of the others differ so much, by the two-sided z-test of two
        proportions with a pooled variance; NaN where either has fewer than 30 entries.
        """
        return self._numbers.summary()

    @property
    def _main(self) -> str:
        return "rate"

    @property
    def is_empty(self) -> bool:
        """Whether nobody entered."""
        return self._numbers.is_empty

    def users(self, *, step: int = 1, segment: Json = None, dropped: bool = False) -> list[str]:
        """Return the distinct IDs behind a row of the table, sorted.

        Parameters
        ----------
        step
            The step they did, from 1.
        segment
            A segment as the table calls it, or its value: ``"pro"``, ``25``, ``True``,
            ``"(not set)"``. None is any segment.
        dropped
            Gives those who did the step before and then not this one.

        Raises
        ------
        ReportError
            If the report has no such step or segment.
        """
        steps = len(self._numbers.plan)
        if not is_whole(step):
            raise ReportError(f"step={quoted(step)}; give the number of a step, from 1 to {steps}")
        if not 1 <= step <= steps:
            raise ReportError(f"step={quoted(step)}; the funnel has steps 1 to {steps}")
        if check_flag("dropped", dropped) and step == 1:
            raise ReportError(
                "dropped=True gives the users who did the step before but not this one, "
                "and there is "
                f"none before step 1; give step=2 to {steps}"
            )
        place = self._ranked.find(segment)
        code = None if place is None else int(self._ranked.codes[place])
        codes = self._question.counted.users(code, int(step), dropped=dropped)
        texts = self._question.visible.events.ids.texts.take(pa.array(codes, pa.int64()))
        ids: list[str] = sorted(texts.to_pylist())
        return ids

    def _cell_of(self, row: int) -> Cell:
        place, step = divmod(row, len(self._numbers.plan))
        return self._cell(place, step)

    def _cell(self, place: int, step: int) -> Cell:
        return {"step": step + 1, **self._ranked.cell(place)}

    def plot(self, ax: Axes | None = None, *, top: int | None = None) -> Axes:
        """Draw a bar for each step and segment, and return the Axes.

        A bar is as long as its part of step 1; the pale part beyond it is who did the
        step before and not this one.

        Parameters
        ----------
        ax
            Where to draw; by default on a new figure.
        top
            How many segments to draw, those with the most entries first; by default as many
            as can be read. ``(not set)`` is always drawn.
        """
        numbers = self._numbers
        shown, legend = numbers.ranked.drawn(top, funnel_plot.most_segments(len(numbers.plan)))
        return funnel_plot.draw(
            ax,
            numbers.plan.labels,
            [numbers.ranked.names[at] for at in shown],
            numbers.counts[shown],
            title=self.title,
            of=numbers.plan.noun,
            by=legend,
            cell=lambda place, step: self._cell(shown[place], step),
        )


def _title(question: FunnelQuestion) -> str:
    plan = question.plan
    names = plan.names
    title = " → ".join(names) if plan.order == "specific" else f"{', '.join(names)} in any order"
    title += f": {plan.noun} within {in_words(plan.window)}"
    if plan.hold:
        title += f", same {', '.join(each.label for each in plan.hold)}"
    if plan.exclude:
        title += f", without {', '.join(each.label for each in plan.exclude)}"
    return question.scope.titled(title)


def _notes(question: FunnelQuestion) -> list[str]:
    """Return what one should know before trusting the numbers, as sentences."""
    plan, visible = question.plan, question.visible
    asked = (*plan.steps, *plan.exclude)
    conditions = [question.scope.where, *(each.where for each in asked)]
    nobody = visible.keep(np.zeros(len(visible), np.bool_))
    own = [
        *_without_profile(question, conditions),
        *_without_id(visible, plan),
        *_unheld(question.tried.track, plan),
        *_open(visible, plan, question.counted.overall),
    ]
    names = [each.event for each in asked]
    return [
        *_order_notes(plan),
        *question.scope.notes(question.range, nobody, names, conditions, own=own),
    ]


def _order_notes(plan: FunnelPlan) -> list[str]:
    """Return what a row counts where it is not what its number says."""
    notes = []
    row = 1
    for group in plan.groups:
        if len(group) > 1:
            names = ", ".join(plan.names[at] for at in group)
            notes.append(
                f"Rows {row} to {row + len(group) - 1} are in any order: "
                f"they count users who did one, two and so on of {names}."
            )
        row += len(group)
    return notes


def _without_profile(
    question: FunnelQuestion, conditions: Sequence[Expression | None]
) -> list[str]:
    """Return a sentence if user properties are looked at and some users have no profile."""
    visible = question.visible
    asked = [prop for each in conditions if each is not None for prop in each.properties]
    asked += [] if question.by is None else question.by.properties
    is_of_users = visible.past is None and any(prop.side == "user" for prop in asked)
    if visible.snapshot is None or not is_of_users:
        return []
    lacks = visible.events.rows(visible.snapshot) < 0
    ids = question.tried.ids
    number = len(np.unique(ids[lacks[ids]]))
    if not number:
        return []
    return [f"Without a profile, so {NOT_SET} in every user property: {count(number, 'user')}."]


def _without_id(visible: Selection, plan: FunnelPlan) -> list[str]:
    """Return a sentence if steps have no distinct ID."""
    if not (visible.ids < 0).any():
        return []
    without = visible.keep(visible.ids < 0)
    names = {each.event for each in plan.steps}
    number = sum(len(without.named(name)) for name in names) if None not in names else len(without)
    if not number:
        return []
    return [f"Left out, because they have no distinct ID: {count(number, 'event')}."]


def _unheld(track: FunnelTrack, plan: FunnelPlan) -> list[str]:
    """Return a sentence if events are left out for lack of what is held constant."""
    if not track.unheld:
        return []
    names = " or ".join(prop.label for prop in plan.hold)
    return [f"Left out, for lack of {names}: {count(track.unheld, 'event')}."]


def _open(visible: Selection, plan: FunnelPlan, entries: FunnelEntries) -> list[str]:
    """Return a sentence if the window of some entries reaches beyond the last event."""
    if not len(entries):
        return []
    last = int(visible.times.max())
    began = entries.track.times[entries.attempts.starts]
    is_open = (entries.attempts.reach < len(plan)) & ~entries.attempts.stopped
    is_open &= began + plan.window > last
    if plan.count == "sessions":
        until = visible.events.timelines.session_spans[1][
            entries.track.rank(entries.attempts.starts)
        ]
        is_open &= until > last
    number = int(is_open.sum())
    if not number:
        return []
    noun = {"unique": "user", "sessions": "session"}.get(plan.count, "entry")
    noun = noun if number == 1 else plan.noun
    return [
        f"Incomplete: {number:,} {noun} began less than {in_words(plan.window)} before the last "
        f"event of all ({times.iso(last)}) and may still convert."
    ]


DECLARATION: Final = Declaration(
    title="Funnel",
    function=funnel,
    call="tk.funnel",
    about="How many users went through some steps, and how far they got.",
    fields=(
        EventsField(name="steps", label="Step", is_positional=True, least=2, may_be_filtered=True),
        TextField(
            name="window",
            label="Window",
            help="How long after the first step the others may happen: 7d, 12h, 30min.",
            default="7d",
        ),
        ChoiceField(
            name="order",
            label="Order",
            default="specific",
            options=(("As listed", "specific"), ("Any", "any")),
        ),
        ChoiceField(
            name="count",
            label="Count",
            default="unique",
            options=(
                ("Unique users", "unique"),
                ("Sessions", "sessions"),
                ("All entries", "total"),
            ),
        ),
        ChoiceField(
            name="reentry",
            label="Re-entry",
            help="Which first step counts while an entry is in progress.",
            default="first",
            options=(("The first", "first"), ("The one that converts", "optimized")),
        ),
        EventsField(
            name="exclude",
            label="Exclude",
            help="Events that end an entry between its steps.",
            least=0,
            may_be_filtered=True,
        ),
        PropertyField(
            name="hold",
            label="Hold constant",
            help="The same value at every step.",
            sides=("event",),
            most=MOST_HELD,
            default=(),
        ),
        PropertyField(
            name="by", label="Break down by", may_be_cohort=True, help="Bars for each value."
        ),
        ChoiceField(
            name="attribution",
            label="Property of",
            help="Which step has the value of an event property that counts.",
            default="first",
            options=(("First step that has it", "first"), ("Last step that has it", "last")),
        ),
        FilterField(name="where", label="Filter"),
        *RANGE,
        AT,
        TextField(
            name="grace",
            label="Grace",
            help="A step may be so much before the one it follows.",
            default="2s",
        ),
    ),
)
