"""Breakdowns: what the numbers of a report are broken down by."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from typing import Any, TypeAlias

import numpy as np

from toolkit.base import HIDDEN, ReportError
from toolkit.columns import Column, Instants, iso_column
from toolkit.expressions import Members, Property, Scope, as_property, mask_of
from toolkit.reports.question.periods import as_zone
from toolkit.reports.question.segments import Ordered, Segments


class Breakdown(ABC):
    """What the numbers of a report are broken down by: a property, or more.

    A kind of its own says which properties it looks at, and which segment rows fall
    in; every report then takes it as ``by=``.
    """

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """The columns of the table that hold the segments."""

    @property
    @abstractmethod
    def properties(self) -> tuple[Property, ...]:
        """The properties it looks at."""

    @abstractmethod
    def segments(self, scope: Scope) -> Segments:
        """Return the segments of each row of a scope."""

    @property
    def is_timeless(self) -> bool:
        """Whether a user is in the same segment at all times."""
        return False

    @property
    def parts(self) -> tuple[Breakdown, ...]:
        """The breakdowns whose combinations this one is; itself if it is one alone."""
        return (self,)

    @property
    def label(self) -> str:
        """What to call it."""
        return ", ".join(self.columns)

    @property
    @abstractmethod
    def python(self) -> str:
        """The Python that makes it."""

    def in_zone(self, zone: tzinfo) -> Breakdown:
        """Return the same with days and hours of a time zone, that of the report."""
        return self

    @property
    def is_by_event(self) -> bool:
        """Whether it looks at a property of events, or of the groups they name."""
        return any(prop.side != "user" for prop in self.properties)


@dataclass(frozen=True, eq=False)
class ByProperty(Breakdown):
    """The values of a property; of a list its distinct elements."""

    prop: Property
    zone: tzinfo = field(default=UTC, kw_only=True)

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.prop.label,)

    @property
    def properties(self) -> tuple[Property, ...]:
        return (self.prop,)

    @property
    def python(self) -> str:
        return self.prop.python

    def segments(self, scope: Scope) -> Segments:
        cells = as_column(scope.column(self.prop.side, self.prop.name))
        return Segments.of(cells, self.zone)

    def in_zone(self, zone: tzinfo) -> Breakdown:
        return replace(self, zone=zone)


@dataclass(frozen=True, eq=False)
class Crossed(Breakdown):
    """Several breakdowns: each combination of their segments that occurs."""

    each: tuple[Breakdown, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        names = [name for part in self.each for name in part.columns]
        # A property cut in two ways: each column says how.
        return tuple(
            part.label if names.count(name) > 1 else name
            for part in self.each
            for name in part.columns
        )

    @property
    def properties(self) -> tuple[Property, ...]:
        return tuple(prop for part in self.each for prop in part.properties)

    @property
    def parts(self) -> tuple[Breakdown, ...]:
        return self.each

    @property
    def label(self) -> str:
        return ", ".join(part.label for part in self.each)

    @property
    def python(self) -> str:
        return f"[{', '.join(part.python for part in self.each)}]"

    def in_zone(self, zone: tzinfo) -> Breakdown:
        return Crossed(tuple(part.in_zone(zone) for part in self.each))

    def segments(self, scope: Scope) -> Segments:
        return Segments.crossed([part.segments(scope) for part in self.each])


@dataclass(frozen=True, eq=False)
class ByCohorts(Breakdown):
    """Who is in a cohort and who is not; of several, each is judged alone (COHORT-4)."""

    cohorts: tuple[Members, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        return ("user.cohort",)

    @property
    def properties(self) -> tuple[Property, ...]:
        return ()

    @property
    def is_timeless(self) -> bool:
        return True

    @property
    def python(self) -> str:
        return ", ".join(cohort.python for cohort in self.cohorts)

    def segments(self, scope: Scope) -> Segments:
        size, many = len(scope), len(self.cohorts)
        codes = np.empty((size, many), np.int32)
        for at, cohort in enumerate(self.cohorts):
            codes[:, at] = 2 * at + ~mask_of(cohort, scope)
        names = [f"{word} {cohort.name}" for cohort in self.cohorts for word in ("In", "Not in")]
        places = [(at,) for at in range(len(names))]
        owners = None if many == 1 else np.repeat(np.arange(size), many)
        return Segments(codes.ravel(), Ordered(names, places), owners, size)


#: What a report takes as ``by=``.
AnyBreakdown: TypeAlias = str | Property | Members | Breakdown
By: TypeAlias = AnyBreakdown | Sequence[AnyBreakdown] | None


def as_breakdown(by: Any, tz: str | tzinfo | None = None, side: str = "event") -> Breakdown | None:
    """Return what a report is broken down by, None for nothing.

    Parameters
    ----------
    by
        What the report was given.
    tz
        The time zone of the report: whose days and hours buckets of a time have.
    side
        What a bare name is a property of.

    Raises
    ------
    ReportError
        If a property is a hidden one or there twice, or two cohorts have one name.
    ExpressionError
        If it is not a property.
    """
    if not isinstance(by, list | tuple):
        by = [] if by is None else [by]
    cohorts = tuple(each for each in by if isinstance(each, Members))
    names = [each.name for each in dict.fromkeys(cohorts)]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ReportError(
            f'by= has two cohorts called "{twice[0]:.60}"; rename one with '
            '.named("…"), so that their segments can be told apart'
        )
    parts: list[Breakdown] = []
    for each in by:
        if isinstance(each, Breakdown):
            parts.append(each)
        elif not isinstance(each, Members):
            parts.append(ByProperty(shown_property(each, side)))
        elif each is cohorts[0]:  # all of them stand where the first does
            parts.append(ByCohorts(cohorts))
    if not parts:
        return None
    whole = parts[0] if len(parts) == 1 else Crossed(tuple(parts))
    if len(set(whole.columns)) < len(whole.columns):
        raise ReportError(f"by= has the same breakdown twice: {whole.label}; leave one out")
    return whole.in_zone(as_zone(tz))


def shown_property(value: Any, side: str = "event") -> Property:
    """Return a property that a report may show; a bare name is one of *side*.

    Raises
    ------
    ReportError
        If it is a hidden one.
    ExpressionError
        If it is not one.
    """
    prop = as_property(value, side)
    if prop.name in HIDDEN:
        raise ReportError(f"{prop.label} is hidden and never shown in a report")
    return prop


def as_column(cells: Column | Instants) -> Column:
    """Return cells as a column; times as ISO 8601 text."""
    return iso_column(cells.microseconds) if isinstance(cells, Instants) else cells
