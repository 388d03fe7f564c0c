"""Breakdowns: what the numbers of a report are broken down by."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from toolkit.columns import Column
from toolkit.errors import ReportError
from toolkit.expressions import Instants, Property, Scope, as_property
from toolkit.reports.segments import Segments
from toolkit.reserved import HIDDEN
from toolkit.series import iso_column


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
    def parts(self) -> tuple[Breakdown, ...]:
        """The breakdowns whose combinations this one is; itself if it is one alone."""
        return (self,)

    @property
    def label(self) -> str:
        """What to call it."""
        return ", ".join(self.columns)

    @property
    def is_by_event(self) -> bool:
        """Whether it looks at a property of events, or of the groups they name."""
        return any(prop.side != "user" for prop in self.properties)


@dataclass(frozen=True, eq=False)
class ByProperty(Breakdown):
    """The values of a property; of a list its distinct elements."""

    prop: Property

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.prop.label,)

    @property
    def properties(self) -> tuple[Property, ...]:
        return (self.prop,)

    def segments(self, scope: Scope) -> Segments:
        return Segments.of(as_column(scope.column(self.prop.side, self.prop.name)))


@dataclass(frozen=True, eq=False)
class Crossed(Breakdown):
    """Several breakdowns: each combination of their segments that occurs."""

    each: tuple[Breakdown, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(name for part in self.each for name in part.columns)

    @property
    def properties(self) -> tuple[Property, ...]:
        return tuple(prop for part in self.each for prop in part.properties)

    @property
    def parts(self) -> tuple[Breakdown, ...]:
        return self.each

    def segments(self, scope: Scope) -> Segments:
        return Segments.crossed([part.segments(scope) for part in self.each])


#: What a report takes as ``by=``.
AnyBreakdown: TypeAlias = str | Property | Breakdown
By: TypeAlias = AnyBreakdown | Sequence[AnyBreakdown] | None


def as_breakdown(by: Any) -> Breakdown | None:
    """Return what a report is broken down by, None for nothing.

    Raises
    ------
    ReportError
        If a property is a hidden one, or there twice.
    ExpressionError
        If it is no property.
    """
    if not isinstance(by, list | tuple):
        by = [] if by is None else [by]
    parts = tuple(each if isinstance(each, Breakdown) else _by_property(each) for each in by)
    if not parts:
        return None
    whole = parts[0] if len(parts) == 1 else Crossed(parts)
    if len(set(whole.columns)) < len(whole.columns):
        raise ReportError(f"by= names something twice: {whole.label}; give each once")
    return whole


def _by_property(by: Any) -> Breakdown:
    prop = as_property(by)
    if prop.name in HIDDEN:
        raise ReportError(f"{prop.label} is hidden and never shown in a report")
    return ByProperty(prop)


def as_column(cells: Column | Instants) -> Column:
    """Return cells as a column; times as ISO 8601 text."""
    return iso_column(cells.microseconds) if isinstance(cells, Instants) else cells
