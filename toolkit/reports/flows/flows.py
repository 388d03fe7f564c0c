"""Flows: what users do before and after an event, step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING, Final

import pandas as pd

from toolkit.base import (
    Duration,
    Json,
    ReportError,
    check_number,
    count as counted,
    in_words,
    is_text,
    quoted,
    times,
)
from toolkit.events import AnyEvents, At, Profiles
from toolkit.expressions import Expression, Property
from toolkit.reports.drawing import plots
from toolkit.reports.flows import sankey
from toolkit.reports.flows.numbers import FlowQuestion
from toolkit.reports.flows.paths import FlowPlan
from toolkit.reports.form.fields import (
    AT,
    RANGE,
    ChoiceField,
    Declaration,
    EventField,
    EventsField,
    FilterField,
    NumberField,
    PropertyField,
    TextField,
)
from toolkit.reports.numbers.measures import Count
from toolkit.reports.question.breakdowns import By
from toolkit.reports.question.periods import Moment
from toolkit.reports.question.scope import ReportScope
from toolkit.reports.question.selection import Selection
from toolkit.reports.question.steps import AnyStep
from toolkit.reports.report import Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TOP: Final = 8


def flows(
    events: AnyEvents,
    profiles: Profiles | None,
    event: AnyStep,
    *,
    before: int = 0,
    after: int | None = None,
    window: Duration = "30d",
    gap: Duration | None = None,
    count: Count = "unique",
    collapse: bool = True,
    hide: Sequence[AnyStep] | AnyStep = (),
    expand: str | Property | Mapping[str, str | Property] | None = None,
    top: int | None = _TOP,
    by: By = None,
    where: str | Expression | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
    tz: str | tzinfo | None = None,
    at: At = "latest",
) -> Flows:
    """Return what users did before and after an event, step by step.

    Parameters
    ----------
    events
        An :class:`Events`, or a DataFrame with the usual column names.
    profiles
        The profiles, joined in their latest state (JOIN-1). None if no argument looks
        at a user property.
    event
        The anchor, which the paths lead to and from: the name of an event, None for any
        event, or ``tk.step(name, where=…)``.
    before, after
        How many steps to look at before it and after it. With neither there are three
        after it.
    window
        How far from the anchor a step may be, that moment included: ``"30d"``, ``"90min"``
        or a timedelta.
    gap
        How long the pause between two events of a path may be; a longer one ends it.
        None is any.
    count
        ``"unique"`` counts users: the path from the first anchor of each in the range, or
        with a breakdown by an event property from the first in each segment. ``"sessions"``
        counts sessions in the same way: a path stays in one session, which ends with a
        pause of over 30 minutes. ``"total"`` counts paths: one from each anchor.
    collapse
        Whether one event several times in a row is one step.
    hide
        Events to be ignored, as if they were not there.
    expand
        A property to split events by, so that ``View`` becomes ``View: lamp``: of all events
        that have it, or of those of some names, ``{"View": event["item"]}``.
    top
        How many events of each step have their name; all others are one ``(other)``. None
        names all.
    by
        A property to break the numbers down by: ``user["plan"]``, ``event["item"]``, or
        text, which is a property of the event. An event property is that of the anchor.
    where
        Only events for which this expression (or its text form) is true are looked at.
    start, end
        The range of the anchor; other steps may lie outside of it. A date as the end is part
        of it. By default that of all events.
    tz
        A time zone such as ``"Europe/Oslo"``; None is UTC.
    at
        ``"latest"``: user properties as they are now (JOIN-1). ``"event time"``: as they
        were at each event (JOIN-4), of a breakdown at the anchor.

    Returns
    -------
    Flows
        Its ``table`` has one row per link between two steps that follow each other: a column
        named after the breakdown (of its dtype), ``step`` (of the end further from the anchor:
        1 is the first after it, -1 the last before it; ``int64``), ``from`` and ``to`` (what
        happened first and then, ``str``), ``count`` (users or paths, ``int64``), ``rate`` (of
        all paths of the segment) and ``step_rate`` (of those at the end nearer to the
        anchor; 0 to 1, NaN of none). Where no event follows, *to* is ``(drop-off)``; where none
        comes before, *from* is ``(start)``. Each link that occurs in some segment has a row in
        each, and so has each end of a path, zeros included.

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
    ...         "event": ["View", "View", "Cart", "View"],
    ...         "distinct_id": ["ann", "ann", "ann", "bob"],
    ...         "time": ["2026-05-01", "2026-05-02", "2026-05-03", "2026-05-04"],
    ...     }
    ... )
    >>> flows(df, None, "View", after=1).table[["step", "from", "to", "count"]]
       step  from          to  count
    0     1  View        Cart      1
    1     1  View  (drop-off)      1
    """
    check_number("top", top)
    plan = FlowPlan.of(
        event,
        before=before,
        after=after,
        window=window,
        gap=gap,
        collapse=collapse,
        hide=hide,
        expand=expand,
        count=count,
        tz=tz,
    )
    scope = ReportScope.of(events, profiles, by=by, where=where, start=start, end=end, tz=tz, at=at)
    question = FlowQuestion(scope, plan, scope.periods(None), top)
    definition = {
        "event": plan.anchor.asked,
        "before": plan.before,
        "after": plan.after,
        "window": in_words(plan.window),
        "gap": None if plan.gap is None else in_words(plan.gap),
        "count": count,
        "collapse": plan.collapse,
        "hide": [each.label for each in plan.hide],
        "expand": {name: each.label for name, each in plan.expand.items()},
        "top": top,
        **scope.definition,
    }
    return Flows(question, definition, _notes(question))


def _notes(question: FlowQuestion) -> list[str]:
    """Return what one should know before trusting the numbers, as sentences."""
    plan, range_ = question.plan, question.range
    anchors = question.events.named(plan.anchor.event).where(plan.anchor.where)
    notes = question.scope.notes(
        range_,
        anchors.between(range_.start, range_.end),
        [
            *(plan.anchor.event, *(each.event for each in plan.hide)),
            *(name for name in plan.expand if name is not None),
        ],
        [plan.anchor.where, question.scope.where, *(each.where for each in plan.hide)],
        own=_hidden(question.filtered, question.events),
        left_out_of=[None],
    )
    return [*notes, *_cut(question)]


class Flows(Report):
    """What users did before and after an event; made by :func:`flows`."""

    _places = ("step", "from", "to")

    def __init__(
        self, question: FlowQuestion, definition: Mapping[str, object], notes: list[str]
    ) -> None:
        self._question = question
        self._numbers = question.answer(question.count())
        self._ranked = self._numbers.ranked
        super().__init__(_title(question), definition, self._numbers.table(), notes)

    @property
    def nodes(self) -> pd.DataFrame:
        """What happened at each step, one row per segment, step and event.

        A column named after the breakdown, ``step`` (0 is the anchor), ``event``, ``count`` (users
        or paths) and ``rate`` (of all paths of the segment). In the order of the steps, within
        each the most frequent first, ``(other)`` last.
        """
        return self._numbers.nodes()

    @property
    def paths(self) -> pd.DataFrame:
        """Whole paths, the most frequent first; at most 1,000 a segment.

        A column named after the breakdown, ``path`` (a tuple of what happened, oldest first,
        with ``(start)`` and ``(drop-off)`` where it ends early), ``count`` and ``rate``.
        """
        return self._numbers.top_paths.copy(deep=False)

    @property
    def is_empty(self) -> bool:
        """Whether there is no path."""
        return self._numbers.is_empty

    def users(
        self,
        *,
        step: int | None = None,
        event: str | None = None,
        from_: str | None = None,
        to: str | None = None,
        path: Sequence[str] | None = None,
        segment: Json = None,
    ) -> list[str]:
        """Return the distinct IDs behind a link, a node or a path, sorted.

        Parameters
        ----------
        step
            The step wanted, as the table counts it; 0 is the anchor. None is any.
        event
            What happened at it, as the table calls it.
        from_, to
            The link wanted: where it leads from, where to, or both.
        path
            A whole path, as in ``paths``.
        segment
            A segment as the table calls it, or its value. None is all users together,
            as if there were no breakdown.

        Raises
        ------
        ReportError
            If the report has no such step, event, path or segment.
        """
        place = self._ranked.find(segment)
        is_link = from_ is not None or to is not None
        if path is not None:
            if is_link or step is not None or event is not None:
                raise ReportError("path= is a whole path; leave out step=, event=, from_= and to=")
            if not isinstance(path, list | tuple) or not all(map(is_text, path)):
                raise ReportError(
                    f"path={quoted(path):.60}; give a path as a list or tuple of names"
                )
            paths = self._numbers.of_path(place, tuple(path))
            return self._question.ids(paths, together=place is None)
        if is_link and event is not None:
            raise ReportError("event= is a node, and from_= and to= are a link; give one of both")
        self._numbers.check(step, [event, from_, to])
        if is_link and step == 0:
            raise ReportError("step=0 is the anchor; a link has the step that it leads to or from")
        paths = self._numbers.paths_at(place, step, event, from_, to)
        return self._question.ids(paths, together=place is None)

    def plot(self, ax: Axes | None = None, *, segment: Json = None, top: int | None = None) -> Axes:
        """Draw the flow as a Sankey diagram, and return the Axes.

        Each bar is an event of a step, as high as the number of paths that have it; the bands
        between them are the links. What leaves a bar and leads nowhere is the drop-off.

        Parameters
        ----------
        ax
            Where to draw; by default on a new figure.
        segment
            Draws only this segment. By default all users together, as if there were no
            breakdown.
        top
            How many events of a step to draw, the others as one; by default as many as can
            be read.
        """
        check_number("top", top)
        numbers = self._numbers
        place = numbers.ranked.find(segment)
        title = self.title
        if place is not None:
            title = f"{numbers.ranked.names[place]}: {title}"
        elif numbers.ranked.by is not None:
            title = f"{plots.TOGETHER}: {_title(self._question.together)}"
        return sankey.draw(
            ax,
            numbers.columns,
            numbers.together if place is None else numbers.links,
            place or 0,
            [
                numbers.at_step(column, together=place is None)[place or 0]
                for column in range(len(numbers.columns.steps))
            ],
            ranked=numbers.often,
            top=top,
            title=title,
            of=self._question.plan.noun,
            cell={} if place is None else numbers.ranked.cell(place),
        )


def _limits(plan: FlowPlan) -> str:
    """Return in words how far a path goes."""
    limits = f"within {in_words(plan.window)}"
    if plan.gap is not None:
        limits += f", no pause over {in_words(plan.gap)}"
    return limits


def _title(question: FlowQuestion) -> str:
    plan = question.plan
    sides = [side for side in ("before", "after") if getattr(plan, side)]
    title = f"{' and '.join(sides)} {plan.anchor}: paths of {plan.noun} {_limits(plan)}"
    if plan.count == "total":
        title = f"{' and '.join(sides)} {plan.anchor}: all paths {_limits(plan)}"
    if plan.hide:
        title += f", without {', '.join(each.label for each in plan.hide)}"
    return question.scope.titled(title[0].upper() + title[1:])


def _hidden(before: Selection, after: Selection) -> list[str]:
    """Return a sentence if events are ignored."""
    number = len(before) - len(after)
    return [f"Ignored because of hide=: {counted(number, 'event')}."] if number else []


def _cut(question: FlowQuestion) -> list[str]:
    """Return sentences if paths may go on where nothing was observed."""
    plan, observed = question.plan, question.scope.observed
    if observed is None or not len(question.whole):
        return []
    begun, open_ = question.track.are_cut(question.anchors, question.whole, plan, observed)
    noun = plan.noun[:-1]
    notes = []
    if number := int(open_.sum()):
        notes.append(
            f"Incomplete: what {counted(number, noun)} did after the anchor is not over at the "
            f"last event of all ({times.iso(observed[1])}); some counted as drop-off may go on."
        )
    if number := int(begun.sum()):
        notes.append(
            f"Incomplete: what {counted(number, noun)} did before the anchor may have begun before "
            f"the first event of all ({times.iso(observed[0])})."
        )
    return notes


DECLARATION: Final = Declaration(
    title="Flows",
    function=flows,
    call="tk.flows",
    about="What users did before and after an event, step by step.",
    fields=(
        EventField(name="event", label="Event", is_positional=True, may_be_filtered=True),
        NumberField(
            name="before",
            label="Steps before",
            default=0,
            least=0,
            most=20,
            is_whole=True,
        ),
        NumberField(
            name="after",
            label="Steps after",
            help="Empty: three, if there are none before.",
            least=0,
            most=20,
            is_whole=True,
        ),
        TextField(
            name="window",
            label="Window",
            help="How far from the event a step may be: 30d, 12h, 30min.",
            default="30d",
        ),
        TextField(
            name="gap",
            label="Longest pause",
            help="Between two events of a path, such as 30min. Empty: any.",
        ),
        ChoiceField(
            name="count",
            label="Count",
            default="unique",
            options=(
                ("Unique users", "unique"),
                ("Sessions", "sessions"),
                ("All paths", "total"),
            ),
        ),
        ChoiceField(
            name="collapse",
            label="Repeats in a row",
            default=True,
            options=(("One step", True), ("Each a step", False)),
        ),
        EventsField(
            name="hide",
            label="Hide",
            help="Events to be ignored.",
            least=0,
            may_be_filtered=True,
        ),
        PropertyField(name="expand", label="Split events by", help="View becomes View: lamp."),
        NumberField(
            name="top",
            label="Events per step",
            help="All others are one.",
            default=_TOP,
            least=1,
            most=1_000,
            is_whole=True,
        ),
        PropertyField(name="by", label="Break down by", may_be_cohort=True),
        FilterField(name="where", label="Filter"),
        *RANGE,
        AT,
    ),
)
