"""Births and returns: what retention and frequency ask for, read and selected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import tzinfo
from functools import cached_property
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import pyarrow as pa

from toolkit.base import ReportError, check_choice, count
from toolkit.columns import Positions
from toolkit.events import AnyEvents, At, Profiles
from toolkit.expressions import Expression, as_expression
from toolkit.reports.form.fields import (
    AT,
    RANGE,
    ChoiceField,
    EventField,
    Field,
    FilterField,
    PropertyField,
)
from toolkit.reports.question import remarks
from toolkit.reports.question.breakdowns import Breakdown, as_breakdown
from toolkit.reports.question.periods import MOST_ROWS, Moment, Periods, periods
from toolkit.reports.question.ranked import Ranked
from toolkit.reports.question.selection import Selection
from toolkit.reports.question.steps import AnyStep, Step, as_step
from toolkit.reports.retention.brackets import Brackets, Mode, RetentionUnit, brackets
from toolkit.reports.retention.entries import Course, Entries, course

BirthMode: TypeAlias = Literal["any", "first"]


@dataclass(frozen=True, eq=False)
class BirthPlan:
    """What retention and frequency have in common: births, returns, cohorts, buckets.

    Attributes
    ----------
    births, returns
        The events that are; births before the range too if only the first counts.
    birth, back
        What they are.
    by
        The breakdown.
    first_only
        Whether only the first birth of a user counts.
    brackets
        The buckets; their range holds the cohorts.
    definition
        The arguments, by name.
    notes
        What one should know.
    """

    births: Selection
    returns: Selection
    birth: Step
    back: Step
    by: Breakdown | None
    first_only: bool
    brackets: Brackets
    definition: Mapping[str, object]
    notes: list[str]

    @property
    def range(self) -> Periods:
        """The range, whose buckets are the cohorts."""
        return self.brackets.range

    @cached_property
    def course(self) -> Course:
        """Who enters which cohort, and their returns."""
        return course(self.births, self.returns, self.range, by=self.by, first_only=self.first_only)

    @cached_property
    def together(self) -> BirthPlan:
        """The same without a breakdown."""
        return self if self.by is None else replace(self, by=None)

    def grouped(self) -> tuple[Ranked, Positions, Positions]:
        """Return the entries in groups, one for each segment and cohort.

        Returns
        -------
        ranked
            The segments that occur, in the order of the table.
        groups
            The group of each entry: segments as in the table, in each all cohorts.
        sizes
            How many entries there are, one row per segment and one column per cohort.
        """
        entries, segments = self.course.entries, self.course.segments
        cohorts = len(self.range)
        if entries.segments is None or segments is None or self.by is None:
            sizes = np.bincount(entries.cohorts, minlength=cohorts).reshape(1, cohorts)
            return Ranked.whole(), entries.cohorts, sizes
        counted = np.bincount(entries.segments, minlength=len(segments))
        used = np.flatnonzero(counted)
        check_rows(len(used) * int(self.brackets.has_begun.sum()), len(used))
        ranked = Ranked.of(self.by, segments, used, counted[used])
        groups = ranked.places(entries.segments, len(segments)) * cohorts + entries.cohorts
        sizes = np.bincount(groups, minlength=len(used) * cohorts).reshape(len(used), cohorts)
        return ranked, groups, sizes

    def entries(self, segment: int | None, cohort: int | None) -> Entries:
        """Return the entries of a segment and a cohort, None for all."""
        entries = self.course.entries
        chosen = np.ones(len(entries), np.bool_)
        if cohort is not None:
            chosen &= entries.cohorts == cohort
        if segment is not None and entries.segments is not None:
            chosen &= entries.segments == segment
        return entries.take(chosen)

    def ids(self, entries: Entries) -> list[str]:
        """Return the distinct IDs of entries, sorted."""
        known = (
            np.flatnonzero(np.bincount(entries.users)) if len(entries) else np.zeros(0, np.int64)
        )
        found: list[str] = sorted(self.births.events.ids.texts.take(pa.array(known)).to_pylist())
        return found

    def find(self, cohort: Moment | None) -> int | None:
        """Return the cohort that a time lies in, None for None."""
        if cohort is None:
            return None
        try:
            return self.range.find(cohort)
        except ReportError as error:
            raise ReportError(str(error).replace("time=", "cohort=", 1)) from None


def check_rows(rows: int, segments: int) -> None:
    """Refuse a table too large to read.

    Raises
    ------
    ReportError
        If it is.
    """
    if rows > MOST_ROWS:
        raise ReportError(
            f"the table would have {rows:,} rows: {count(segments, 'segment')} of many cohorts and "
            "buckets; give fewer buckets=, filter with where=, or choose a longer unit="
        )


def ask(
    events: AnyEvents,
    profiles: Profiles | None,
    birth: AnyStep,
    back: AnyStep,
    *,
    unit: RetentionUnit,
    buckets: Any,
    mode: Mode,
    birth_mode: BirthMode,
    by: Any,
    where: str | Expression | None,
    start: Moment | None,
    end: Moment | None,
    tz: str | tzinfo | None,
    at: At,
) -> BirthPlan:
    """Return what a report on births and returns is about; arguments as for retention."""
    check_choice("unit", unit, get_args(RetentionUnit))
    check_choice("mode", mode, get_args(Mode))
    check_choice("birth_mode", birth_mode, get_args(BirthMode))
    born, came = as_step(birth, "birth"), as_step(back, "back")
    prop = as_breakdown(by, tz)
    condition = None if where is None else as_expression(where)
    everything = Selection.of(events, profiles, at)
    visible = everything.visible
    range_ = periods(unit, start, end, tz, visible.observed)
    brackets_ = brackets(buckets, unit, mode, range_)
    check_rows(len(range_) * len(brackets_) // 10, 1)
    check_rows(int(brackets_.has_begun.sum()), 1)

    inside = visible
    if start is not None or end is not None:
        inside = visible.between(range_.start, range_.end)
    first_only = birth_mode == "first"
    before = inside
    if first_only and start is not None:
        before = visible.keep(visible.times < range_.end)
    births = before.named(born.event).where(born.where).where(condition)
    returns = inside.named(came.event).where(came.where).where(condition)
    conditions = [born.where, came.where, condition]
    names = [born.event, came.event]
    notes = [
        *remarks.unknown_names(names, everything.events.names),
        *remarks.empty_range(start, end, range_, visible),
        *remarks.never_true(everything, conditions),
        *remarks.of_users(births.between(range_.start, range_.end), prop, conditions),
        *remarks.left_out(everything, names, range_),
        *([] if start is None else _first_cohort(range_)),
    ]
    definition = {
        "birth": born.label if born.where is not None else born.event,
        "back": came.label if came.where is not None else came.event,
        "unit": unit,
        "buckets": buckets,
        "mode": mode,
        "birth_mode": birth_mode,
        "by": None if prop is None else prop.label,
        "where": None if condition is None else condition.text,
        "start": start,
        "end": end,
        "tz": None if tz is None else str(tz),
        "at": at,
    }
    return BirthPlan(
        births.with_id(),
        returns.with_id(),
        born,
        came,
        prop,
        first_only,
        brackets_,
        definition,
        notes,
    )


def _first_cohort(range_: Periods) -> list[str]:
    """Return a sentence if the range begins inside of its first period."""
    if not len(range_) or range_.start <= range_.edges[0]:
        return []
    return [
        f"The first {range_.unit} ({range_.starts[0]:%Y-%m-%d}) is cut: the range is "
        f"{range_.span}, and its cohort has only births in it."
    ]


def birth_fields() -> tuple[Field, ...]:
    """Return the fields for what both reports ask first."""
    return (
        EventField(name="birth", label="First did", is_positional=True, may_be_filtered=True),
        EventField(name="back", label="Came back to", may_be_filtered=True),
        ChoiceField(
            name="unit",
            label="Unit",
            help="Of the cohorts and of the time after.",
            default="day",
            options=(("Day", "day"), ("Week", "week"), ("Month", "month")),
        ),
    )


def further_fields() -> tuple[Field, ...]:
    """Return the fields for what both reports ask last."""
    return (
        ChoiceField(
            name="mode",
            label="Time",
            help="24 hours from the first event, or days of the calendar; weeks and months alike.",
            default="rolling",
            options=(("From the first event", "rolling"), ("Of the calendar", "calendar")),
        ),
        ChoiceField(
            name="birth_mode",
            label="Users enter",
            help="The cohort of each period in which they did the first event, or only once.",
            default="any",
            options=(("Each period", "any"), ("With their first ever", "first")),
        ),
        PropertyField(
            name="by",
            label="Break down by",
            may_be_cohort=True,
            help="Of events, that of the first one.",
        ),
        FilterField(name="where", label="Filter"),
        *RANGE,
        AT,
    )
