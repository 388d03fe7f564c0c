"""Births and returns: what retention and frequency ask for, read and selected."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import pyarrow as pa

from toolkit.base import ReportError, check_choice, count
from toolkit.columns import Mask, Positions
from toolkit.reports.form.fields import (
    AT,
    RANGE,
    ChoiceField,
    EventField,
    Field,
    FilterField,
    PropertyField,
)
from toolkit.reports.question.breakdowns import Breakdown
from toolkit.reports.question.periods import MOST_ROWS, Moment, Periods
from toolkit.reports.question.scope import ReportScope
from toolkit.reports.question.segments import Values, occurring
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
    scope
        Of whose events, broken down by what.
    birth, back
        What births and returns are.
    brackets
        The buckets; their range holds the cohorts.
    first_only
        Whether only the first birth of a user counts.
    """

    scope: ReportScope
    birth: Step
    back: Step
    brackets: Brackets
    first_only: bool

    @property
    def by(self) -> Breakdown | None:
        """The breakdown."""
        return self.scope.by

    @property
    def range(self) -> Periods:
        """The range, whose buckets are the cohorts."""
        return self.brackets.range

    @property
    def _inside(self) -> Selection:
        visible, range_ = self.scope.visible, self.range
        return visible.between(range_.start, range_.end) if self.scope.is_ranged else visible

    @cached_property
    def births(self) -> Selection:
        """The events that are births; those before the range too if only the first counts."""
        among = self._inside
        if self.first_only and self.scope.start is not None:
            among = self.scope.visible.keep(self.scope.visible.times < self.range.end)
        return among.named(self.birth.event).where(self.birth.where).where(self.scope.where)

    @cached_property
    def course(self) -> Course:
        """Who enters which cohort, and their returns."""
        back = self.back
        returns = self._inside.named(back.event).where(back.where).where(self.scope.where)
        births, came = self.births.with_id(), returns.with_id()
        return course(births, came, self.range, by=self.by, first_only=self.first_only)

    @cached_property
    def together(self) -> BirthPlan:
        """The same without a breakdown."""
        return self if self.by is None else replace(self, scope=self.scope.together)

    def notes(self) -> list[str]:
        """Return what one should know before trusting the numbers, as sentences."""
        range_ = self.range
        return [
            *self.scope.notes(
                range_,
                self.births.between(range_.start, range_.end),
                [self.birth.event, self.back.event],
                [self.birth.where, self.back.where, self.scope.where],
            ),
            *([] if self.scope.start is None else _first_cohort(range_)),
        ]

    @property
    def definition(self) -> dict[str, object]:
        """The arguments, by name."""
        return {
            "birth": self.birth.asked,
            "back": self.back.asked,
            "unit": self.brackets.unit,
            "mode": self.brackets.mode,
            "birth_mode": "first" if self.first_only else "any",
            **self.scope.definition,
        }

    def grouped(self) -> tuple[Values | None, Positions, Positions, Positions]:
        """Return the entries in groups, one for each segment and cohort.

        Returns
        -------
        values, codes
            What the segments are, and which of them occur.
        groups
            The group of each entry: segments ascending by code, in each all cohorts.
        sizes
            How many entries there are, one row per segment and one column per cohort.
        """
        entries, segments = self.course.entries, self.course.segments
        cohorts = len(self.range)
        if entries.segments is None or segments is None:
            sizes = np.bincount(entries.cohorts, minlength=cohorts).reshape(1, cohorts)
            return None, np.zeros(1, np.int64), entries.cohorts, sizes
        used, places = occurring(entries.segments, len(segments))
        self.check(len(used))
        groups = places * cohorts + entries.cohorts
        sizes = np.bincount(groups, minlength=len(used) * cohorts).reshape(len(used), cohorts)
        return segments.values, used, groups, sizes

    def check(self, segments: int) -> None:
        """Refuse a table too large to read.

        Raises
        ------
        ReportError
            If it is.
        """
        check_rows(segments * int(self.brackets.has_begun.sum()), segments)

    def entries(self, segment: int | None, cohort: int | None) -> Entries:
        """Return the entries of a segment and a cohort, None for all."""
        return self.course.entries.take(self.are_behind(segment, cohort))

    def are_behind(self, segment: int | None, cohort: int | None) -> Mask:
        """Return which entries are of a segment and a cohort, None for all."""
        entries = self.course.entries
        is_behind = np.ones(len(entries), np.bool_)
        if cohort is not None:
            is_behind &= entries.cohorts == cohort
        if segment is not None and entries.segments is not None:
            is_behind &= entries.segments == segment
        return is_behind

    def ids(self, entries: Entries) -> list[str]:
        """Return the distinct IDs of entries, sorted."""
        codes = (
            np.flatnonzero(np.bincount(entries.users)) if len(entries) else np.zeros(0, np.int64)
        )
        texts: list[str] = sorted(self.births.events.ids.texts.take(pa.array(codes)).to_pylist())
        return texts

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


def birth_plan(
    scope: ReportScope,
    birth: AnyStep,
    back: AnyStep,
    *,
    unit: RetentionUnit,
    buckets: Any,
    mode: Mode,
    birth_mode: BirthMode,
) -> BirthPlan:
    """Return what a report on births and returns is about; arguments as for retention."""
    check_choice("unit", unit, get_args(RetentionUnit))
    check_choice("mode", mode, get_args(Mode))
    check_choice("birth_mode", birth_mode, get_args(BirthMode))
    born, came = as_step(birth, "birth"), as_step(back, "back")
    range_ = scope.periods(unit)
    brackets_ = brackets(buckets, unit, mode, range_)
    check_rows(len(range_) * len(brackets_) // 10, 1)
    check_rows(int(brackets_.has_begun.sum()), 1)
    return BirthPlan(scope, born, came, brackets_, birth_mode == "first")


def _first_cohort(range_: Periods) -> list[str]:
    """Return a sentence if the range begins inside of its first period."""
    if not len(range_) or range_.start <= range_.edges[0]:
        return []
    return [
        f"The first {range_.unit} ({range_.starts[0]:%Y-%m-%d}) is cut off: the range is "
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
