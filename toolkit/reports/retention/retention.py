"""Retention: of those who did one thing, how many came back to do another, and when."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

import numpy as np
import pandas as pd

from toolkit.base import (
    Json,
    ReportError,
    begun,
    check_choice,
    check_flag,
    count,
    html,
    is_whole,
    quoted,
)
from toolkit.events import AnyEvents, At, Profiles
from toolkit.expressions import Expression, Property, as_property
from toolkit.reports.drawing import plots
from toolkit.reports.drawing.spots import Cell
from toolkit.reports.form.fields import (
    BucketsField,
    ChoiceField,
    Declaration,
    PropertyField,
)
from toolkit.reports.question.breakdowns import By, as_breakdown
from toolkit.reports.question.periods import Moment
from toolkit.reports.question.scope import ReportScope
from toolkit.reports.question.steps import AnyStep
from toolkit.reports.report import Report
from toolkit.reports.retention import triangles
from toolkit.reports.retention.births import BirthMode, birth_fields, birth_plan, further_fields
from toolkit.reports.retention.brackets import Mode, RetentionUnit
from toolkit.reports.retention.criteria import CRITERIA, Criteria, Floats
from toolkit.reports.retention.retained import RetentionAnswer, RetentionMeasure, RetentionPlan

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Kind: TypeAlias = Literal["curve", "triangle"]

_OF_NUMBERS: Final = ("sum", "average")
# What the table in a notebook shows; the whole is in ``table``.
_COHORTS_SHOWN: Final = 10
_BUCKETS_SHOWN: Final = 13


def retention(
    events: AnyEvents,
    profiles: Profiles | None,
    birth: AnyStep,
    back: AnyStep = None,
    *,
    unit: RetentionUnit = "day",
    buckets: Any = None,
    criteria: Criteria = "on_or_after",
    mode: Mode = "rolling",
    birth_mode: BirthMode = "any",
    measure: RetentionMeasure = "rate",
    of: str | Property | None = None,
    by: By = None,
    where: str | Expression | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
    tz: str | tzinfo | None = None,
    at: At = "latest",
) -> Retention:
    """Return how many of those who did one thing came back to do another, and when.

    Parameters
    ----------
    events
        An :class:`Events`, or a DataFrame with the usual column names.
    profiles
        The profiles, joined in their latest state (JOIN-1). None if no argument looks
        at a user property.
    birth, back
        What makes a user enter a cohort, and what counts as coming back: the name of an
        event, None for any event, or ``tk.step(name, where=…)``.
    unit
        ``"day"``, ``"week"`` (from Monday) or ``"month"``: of the cohorts and of the buckets.
    buckets
        How many units, each of them a bucket; or brackets of several units, by where
        each begins and the last one ends, ``[0, 1, 4, 8]``, or by the first and the last
        unit of each, ``[(0, 0), (1, 3), (4, 7)]``. By default every unit of the range.
    criteria
        Who is retained in a bucket: ``"on"``: who came back in it; ``"on_or_after"``: in it
        or later; ``"on_or_before"``: in it or earlier; ``"streak"``: in it and in every one
        before.
    mode
        ``"rolling"``: unit n of a user is hours 24n to 24(n+1) after the birth (weeks of 7
        days, months of 30). ``"calendar"``: the n-th day, week or month of the calendar
        in *tz* after that of the birth.
    birth_mode
        ``"any"``: a user enters the cohort of each period with a birth, at the first
        one in it. ``"first"``: only that of the first birth ever, before *start* too.
    measure
        ``"rate"`` or ``"users"``, which decide what is drawn; or ``"sum"`` or ``"average"`` of
        the number *of* of the return events that the criterion counts.
    of
        A property of the return event, for ``"sum"`` and ``"average"``.
    by
        A property to break the numbers down by: ``user["plan"]``, ``event["item"]``, or
        text, which is a property of the event, that of the birth.
    where
        Only events for which this expression (or its text form) is true are births or
        returns.
    start, end
        The range of births and returns; a date as the end is part of it. By default
        that of all events.
    tz
        A time zone such as ``"Europe/Oslo"``; None is UTC.
    at
        ``"latest"``: user properties as they are now (JOIN-1). ``"event time"``: as they
        were at each event, for *by* at the birth (JOIN-4).

    Returns
    -------
    Retention
        Its ``table`` has a column named after the breakdown (of its dtype), ``cohort`` (start of
        the period, ``datetime64[us, tz]``), ``size`` (users in the cohort, ``int64``),
        ``bucket`` (``int64``, from 0), ``retained`` (users, ``int64``), ``rate`` (0 to 1,
        ``float64``; NaN of an empty cohort), for sums and averages ``value`` (``float64``),
        and ``complete`` (``bool``): whether the time of the cell is over at the end of the
        range. Every cohort has a row for each bucket that has begun by then, zeros
        included. Larger segments come first, equal ones by name, ``(not set)`` last.
        ``average`` is the average over the complete cells of each bucket.

    Raises
    ------
    ReportError
        If an argument is none of the above.
    ExpressionError
        If *where*, *by* or *of* cannot be read.
    EventsError
        If the events lack a column, or a property that is asked for.

    Examples
    --------
    >>> df = pd.DataFrame(
    ...     {
    ...         "event": ["Sign Up", "Buy", "Sign Up", "Buy"],
    ...         "distinct_id": ["ann", "ann", "bob", "bob"],
    ...         "time": ["2026-05-04T20:00Z", "2026-05-05T06:00Z", "2026-05-04", "2026-05-06"],
    ...     }
    ... )
    >>> report = retention(df, None, "Sign Up", "Buy", criteria="on", end="2026-05-10", buckets=3)
    >>> report.table.loc[0:2, ["size", "bucket", "retained", "rate", "complete"]]
       size  bucket  retained  rate  complete
    0     2       0         1   0.5      True
    1     2       1         0   0.0      True
    2     2       2         1   0.5      True
    """
    check_choice("unit", unit, get_args(RetentionUnit))
    check_choice("criteria", criteria, tuple(CRITERIA))
    check_choice("measure", measure, get_args(RetentionMeasure))
    scope = ReportScope.of(events, profiles, by=by, where=where, start=start, end=end, tz=tz, at=at)
    births = birth_plan(
        scope, birth, back, unit=unit, buckets=buckets, mode=mode, birth_mode=birth_mode
    )
    number = _as_number(of, measure)
    definition = {
        **births.definition,
        "buckets": buckets,
        "criteria": criteria,
        "measure": measure,
        "of": None if number is None else number.label,
    }
    return Retention(RetentionPlan(births, criteria, measure, number), definition)


def _as_number(of: Any, measure: RetentionMeasure) -> Property | None:
    if measure not in _OF_NUMBERS:
        if of is not None:
            raise ReportError(f'of= is for measure="sum" and "average", not "{measure}"')
        return None
    if of is None:
        raise ReportError(f'measure="{measure}" needs of=, a property of the return event')
    prop = as_property(of)
    if prop.side != "event":
        raise ReportError(f"of={prop.label} is a property of users; give one of the return event")
    as_breakdown(prop)  # refuses hidden ones
    return prop


class Retention(Report):
    """Of those who did one thing, how many came back, and when; made by :func:`retention`."""

    _places = ("cohort", "bucket")

    def __init__(self, plan: RetentionPlan, definition: Mapping[str, object]) -> None:
        self._plan = plan
        self._births = plan.births
        self._numbers = plan.answer(plan.count())
        self._ranked = self._numbers.ranked
        notes = [*self._births.notes(), *self._incomplete()]
        super().__init__(_title(plan), definition, self._numbers.table(), notes)

    def _incomplete(self) -> list[str]:
        brackets = self._numbers.brackets
        cells = brackets.has_begun & ~brackets.is_over
        if not cells.any():
            return []
        number, total = int(cells.sum()), int(brackets.has_begun.sum())
        return [
            f"Incomplete, so starred and left out of averages: {number:,} of "
            f"{count(total, 'cell')}, whose time is not over at the end of the range, "
            f"{brackets.range.span}."
        ]

    @property
    def buckets(self) -> list[str]:
        """What each bucket is called: "day 0", "days 1 to 3"."""
        return list(self._numbers.brackets.labels)

    @cached_property
    def average(self) -> pd.DataFrame:
        """The average row: the complete cells of each bucket, weighted by the sizes of cohorts.

        One row per segment and ``bucket``: ``cohorts`` (how many the average is of, ``int64``),
        ``size`` and ``retained`` (users, ``float64``), ``rate`` (one by the other), and
        ``value`` for sums and averages. NaN where no cell is complete.
        """
        return self._numbers.average()

    @property
    def _main(self) -> str:
        return {"rate": "rate", "users": "retained"}.get(self._plan.measure, "value")

    @property
    def is_empty(self) -> bool:
        """Whether no user enters a cohort."""
        return not self._numbers.sizes.any()

    def users(
        self,
        *,
        cohort: Moment | None = None,
        bucket: int | None = None,
        segment: Json = None,
        retained: bool = True,
    ) -> list[str]:
        """Return the distinct IDs behind a cell, sorted.

        Parameters
        ----------
        cohort
            A date or time in the period of the cohort wanted. None is every cohort.
        bucket
            The bucket, from 0. None is the whole cohort, whoever came back.
        segment
            A segment as the table calls it, or its value. None is any segment.
        retained
            With a bucket: those who are retained in it, or, if false, those who are not.

        Raises
        ------
        ReportError
            If the report has no such cohort, bucket or segment.
        """
        check_flag("retained", retained)
        place = self._ranked.find(segment)
        code = None if place is None else int(self._ranked.codes[place])
        entries = self._births.entries(code, self._births.find(cohort))
        if bucket is not None:
            brackets = self._numbers.brackets
            if not is_whole(bucket) or not 0 <= bucket < len(brackets):
                raise ReportError(
                    f"bucket={quoted(bucket)}; the report has {count(len(brackets), 'bucket')}, "
                    "from 0"
                )
            is_retained = self._plan.retaining.is_retained(entries, bucket)
            # What has not begun is no cell, although it can be known who is in it.
            has_begun = brackets.has_begun[entries.cohorts, bucket]
            entries = entries.take(has_begun & (is_retained == retained))
        return self._births.ids(entries)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        kind: Kind = "curve",
        segment: Json = None,
        top: int | None = None,
    ) -> Axes:
        """Draw the average of each bucket as a curve, or all cohorts as a triangle.

        Parameters
        ----------
        ax
            Where to draw; by default on a new figure.
        kind
            ``"curve"``: the average row, one line per segment, over the buckets. ``"triangle"``:
            one row per cohort and one column per bucket, darker for more; incomplete cells
            are starred or hatched.
        segment
            Draws only this segment. By default a triangle is of all users together.
        top
            How many segments to draw as curves, the largest first: 8 by default.
            ``(not set)`` is always drawn.

        Raises
        ------
        ReportError
            If there is no such kind or segment.
        """
        check_choice("kind", kind, get_args(Kind))
        place = self._ranked.find(segment)
        if kind == "triangle":
            return self._triangle(ax, place)
        return self._curve(ax, place, top)

    def _curve(self, ax: Axes | None, place: int | None, top: int | None) -> Axes:
        brackets = self._numbers.brackets
        measure = self._plan.measure
        averages = self._averages()
        ranked = self._ranked
        shown, legend = ranked.drawn(top, plots.MOST_LINES)
        if place is not None:
            shown = [place]
        faint = []
        if self._births.by is None and 1 < len(brackets.range) <= triangles.MOST_ROWS:
            values = self._numbers.shown(measure)[0]
            faint = list(np.where(brackets.is_over, values, np.nan))
        return triangles.curves(
            ax,
            brackets.names,
            [(ranked.names[at] or "average", averages[at]) for at in shown],
            title=self.title,
            of=self._words,
            over=self._axis,
            by=legend,
            is_share=measure == "rate",
            faint=faint,
            cell=self._at_bucket,
        )

    def _averages(self) -> Floats:
        """Return the average of what is measured, one row per segment and one column per bucket."""
        shape = (len(self._ranked), len(self._numbers.brackets))
        averages: Floats = self.average[self._main].to_numpy(np.float64).reshape(shape)
        return averages

    def _at_bucket(self, label: str, bucket: int) -> Cell:
        ranked = self._ranked
        place = 0 if ranked.by is None else ranked.names.index(label)
        return {"bucket": bucket, **ranked.cell(place)}

    def _triangle(self, ax: Axes | None, place: int | None) -> Axes:
        numbers = self._numbers
        title = self.title
        if self._births.by is not None and place is None:
            numbers, place = self._together, 0
            title = f"{plots.TOGETHER}: {_title(self._plan.together)}"
        elif place is not None:
            title = f"{numbers.ranked.names[place]}: {title}"
        brackets, row = numbers.brackets, place or 0
        begun = brackets.has_begun
        values = np.where(begun, numbers.shown(self._plan.measure)[row], np.nan)
        return triangles.triangle(
            ax,
            brackets.range.starts,
            numbers.sizes[row],
            brackets.names,
            values,
            is_incomplete=begun & ~brackets.is_over,
            title=title,
            of=self._words,
            over=self._axis,
            unit=brackets.unit,
            is_share=self._plan.measure == "rate",
            cell=lambda cohort, bucket: {
                "cohort": brackets.range.starts[cohort],
                "bucket": bucket,
                **numbers.ranked.cell(row),
            },
        )

    @cached_property
    def _together(self) -> RetentionAnswer:
        together = self._plan.together
        return together.answer(together.count())

    @property
    def _words(self) -> str:
        """What the values are, for an axis."""
        measure, number = self._plan.measure, self._plan.number
        if number is not None:
            return f"{measure} of {number.label}"
        return "share of users retained" if measure == "rate" else "users retained"

    @property
    def _axis(self) -> str:
        """What the buckets are, for an axis."""
        brackets = self._numbers.brackets
        birth = self._births.birth.event or "the first event"
        if brackets.mode == "calendar":
            return f"calendar {brackets.unit}s after that of {birth} ({brackets.range.zone})"
        days = {"day": "24 hours", "week": "7 days", "month": "30 days"}[brackets.unit]
        return f"{brackets.unit}s of {days} after {birth}"

    def _repr_html_(self) -> str:
        parts = []
        if len(self._table):
            parts.append(
                html.picture(
                    plots.as_png(self.plot), f"Chart: {self.title}", width=plots.PICTURE_WIDTH
                )
            )
        parts += [html.table(self._as_text(), rows=_COHORTS_SHOWN), html.notes(self.notes)]
        return html.card(self.title, *parts)

    def _as_text(self) -> pd.DataFrame:
        """Return averages and, without a breakdown, cohorts, as text: one column per bucket."""
        brackets, measure = self._numbers.brackets, self._plan.measure
        shown = min(len(brackets), _BUCKETS_SHOWN)
        averages = self._averages()
        sizes = [f"{size:,}" for size in self._numbers.sizes.sum(axis=1).tolist()]
        names = [name or "average" for name in self._ranked.names]
        rows = [
            [name, size, *(self._text(value) for value in row[:shown])]
            for name, size, row in zip(names, sizes, averages, strict=True)
        ]
        if self._births.by is None:
            values = self._numbers.shown(measure)[0]
            for cohort in range(len(brackets.range)):
                cells = [
                    self._text(values[cohort, bucket], is_over=brackets.is_over[cohort, bucket])
                    if brackets.has_begun[cohort, bucket]
                    else ""
                    for bucket in range(shown)
                ]
                start = f"{brackets.range.starts[cohort]:%Y-%m-%d}"
                rows.append([start, f"{self._numbers.sizes[0, cohort]:,}", *cells])
        first = "cohort" if self._births.by is None else self._births.by.label
        return pd.DataFrame(rows, columns=[first, "users", *brackets.labels[:shown]], dtype="str")

    def _text(self, value: float, *, is_over: bool = True) -> str:
        star = "" if is_over else "*"
        if np.isnan(value):
            return f"–{star}"
        is_share = self._plan.measure == "rate"
        return (plots.percent(value) if is_share else html.cell_text(float(value))) + star


def _title(plan: RetentionPlan) -> str:
    births = plan.births
    counted = {"rate": "retention", "users": "users retained"}.get(plan.measure)
    if plan.number is not None:
        counted = f"{plan.measure} of {plan.number.label}"
    unit, when = births.brackets.unit, CRITERIA[plan.criteria]
    if unit != "day" and when.startswith("on"):
        when = f"in{when.removeprefix('on')}"  # on a day, in a week
    words = f"{counted} {when} each {unit}"
    return plan.scope.titled(begun(f"{births.birth}, then {births.back}: {words}"))


DECLARATION: Final = Declaration(
    title="Retention",
    function=retention,
    call="tk.retention",
    about="Of those who did one thing, how many came back to do another, and when.",
    kinds=(("Curve of the average", "curve"), ("Triangle of cohorts", "triangle")),
    fields=(
        *birth_fields(),
        BucketsField(
            name="buckets",
            label="Buckets",
            help="How many units, such as 8, or those of each: 0, 1-3, 4-7. Empty: all.",
            empty="all of the range",
            most=10_000,
        ),
        ChoiceField(
            name="criteria",
            label="Retained are",
            default="on_or_after",
            options=(
                ("Back in a unit or later", "on_or_after"),
                ("Back in the unit", "on"),
                ("Back in the unit or before", "on_or_before"),
                ("Back in every one up to it", "streak"),
            ),
        ),
        ChoiceField(
            name="measure",
            label="Measure",
            default="rate",
            options=(
                ("Share of users", "rate"),
                ("Number of users", "users"),
                ("Sum of a property", "sum"),
                ("Average of a property", "average"),
            ),
        ),
        PropertyField(
            name="of",
            label="Of the property",
            sides=("event",),
            types=("number",),
            is_required=True,
            when=("measure", _OF_NUMBERS),
        ),
        *further_fields(),
    ),
)
