"""What a report counts of some users, so that it can be added to what it counts of others."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np

from toolkit.base import ReportError
from toolkit.columns import Positions
from toolkit.reports.numbers.counted import Counted
from toolkit.reports.question.breakdowns import Breakdown
from toolkit.reports.question.ranked import Ranked
from toolkit.reports.question.scope import ReportScope
from toolkit.reports.question.segments import Segments, Values, joined
from toolkit.reports.question.selection import Selection


@dataclass(frozen=True, eq=False)
class ReportTally:
    """What a report counts of some users.

    The tally of a part of the users and that of another part are added; the sum of those of
    all parts is the tally of all users, whatever the parts.

    Attributes
    ----------
    values, codes
        What the segments are, and which of them occur; None, and one, without a breakdown.
    counted
        What is counted, each with one row per segment that occurs.
    overall
        What is counted whatever the segment, each with one row.
    is_closed
        Whether its segments are the largest of these users, which those of others may not be.
    """

    values: Values | None
    codes: Positions
    counted: tuple[Counted, ...]
    overall: tuple[Counted, ...] = ()
    is_closed: bool = False

    @classmethod
    def whole(cls, *counted: Counted) -> ReportTally:
        """Return the tally of a report without a breakdown."""
        return cls(None, np.zeros(1, np.int64), counted)

    def __len__(self) -> int:
        return len(self.codes)

    def __add__(self, other: ReportTally) -> ReportTally:
        if self.is_closed or other.is_closed:
            raise ReportError(
                "tallies with top= are of the largest segments of some users; add up the sizes() "
                "of all parts first, and count with plan.with_largest(sizes)"
            )
        overall = tuple(a + b for a, b in zip(self.overall, other.overall, strict=True))
        pairs = zip(self.counted, other.counted, strict=True)
        if self.values is None or other.values is None:
            return ReportTally(None, self.codes, tuple(a + b for a, b in pairs), overall)
        mine, theirs = self.values.take(self.codes), other.values.take(other.codes)
        values, which = joined(mine, theirs)
        first, second = which[: len(mine)], which[len(mine) :]
        size = len(values)
        counted = tuple(a.placed(first, size) + b.placed(second, size) for a, b in pairs)
        return ReportTally(values, np.arange(size), counted, overall)

    def ranked(self, by: Breakdown | None, sizes: Any, *, by_size: bool = False) -> Ranked:
        """Return the segments in the order of the table; *sizes* says how large each is."""
        if by is None or self.values is None:
            return Ranked.whole()
        return Ranked.of(by, self.values, self.codes, sizes, by_size=by_size)


class ReportPlan(ABC):
    """What a report counts, and of whom.

    It is counted by users: the tallies of parts of them are added, and the answer of the sum is
    that of all of them::

        tally = plan.on(scope.part(some)).count() + plan.on(scope.part(others)).count()
        plan.answer(tally)
    """

    scope: ReportScope

    @property
    def by(self) -> Breakdown | None:
        """The breakdown."""
        return self.scope.by

    @property
    def visible(self) -> Selection:
        """The events that take part in reports."""
        return self.scope.visible

    def on(self, scope: ReportScope) -> Self:
        """Return the same plan for other users."""
        return replace(self, scope=scope)  # type: ignore[type-var]

    @abstractmethod
    def count(self) -> ReportTally:
        """Return what is counted."""

    @abstractmethod
    def answer(self, tally: ReportTally) -> Any:
        """Return the numbers of the report of what was counted."""


class TopPlan(ABC):
    """A plan that shows the largest segments of each breakdown, and all others as one.

    Which these are is known of all users alone: the sizes of parts are added up first::

        sizes = [mine + theirs for mine, theirs in zip(plan.sizes(), other.sizes())]
        plan.with_largest(sizes).count() + other.with_largest(sizes).count()

    Attributes
    ----------
    top
        How many are shown; None for all.
    largest
        Of each breakdown the segments that are shown; None for the largest of these users.
    """

    top: int | None
    largest: tuple[frozenset[Hashable], ...] | None

    @property
    @abstractmethod
    def by(self) -> Breakdown | None:
        """The breakdown."""

    @abstractmethod
    def _segments(self, by: Breakdown) -> Segments:
        """Return the segments of what is counted."""

    @abstractmethod
    def _count_sizes(self, segments: Segments) -> ReportTally:
        """Return how large some segments are."""

    @abstractmethod
    def _size(self, tally: ReportTally) -> Any:
        """Return how large each segment of a tally is."""

    @cached_property
    def segments(self) -> Segments | None:
        """The segments of what is counted, those beyond the largest as one."""
        if self.by is None:
            return None
        if self.top is None:
            return self._segments(self.by)
        each = [self._topped(*part) for part in enumerate(self.by.parts)]
        return each[0] if len(each) == 1 else Segments.crossed(each)

    def _topped(self, number: int, by: Breakdown) -> Segments:
        """Return the segments of one breakdown, all but the largest as one."""
        segments = self._segments(by)
        if self.largest is None:
            others = self._beyond(by, self._count_sizes(segments))
            return segments.with_other(others) if len(others) else segments
        shown, each = self.largest[number], segments.values.identities()
        return segments.with_other(np.flatnonzero([one not in shown for one in each]))

    def sizes(self) -> list[ReportTally]:
        """Return how large the segments of each breakdown are; nothing without *top*."""
        parts = () if self.by is None or self.top is None else self.by.parts
        return [self._count_sizes(self._segments(part)) for part in parts]

    def with_largest(self, sizes: Sequence[ReportTally]) -> Self:
        """Return the plan with the largest segments by the sizes among all users."""
        if self.by is None or self.top is None:
            return self
        largest = []
        for by, tally in zip(self.by.parts, sizes, strict=True):
            assert tally.values is not None
            shown = np.setdiff1d(tally.codes, self._beyond(by, tally))
            largest.append(frozenset(tally.values.take(shown).identities()))
        return replace(self, largest=tuple(largest))  # type: ignore[type-var]

    def _beyond(self, by: Breakdown, sizes: ReportTally) -> Positions:
        """Return the codes of the segments that *top* does not show."""
        assert self.top is not None
        return sizes.ranked(by, self._size(sizes), by_size=True).beyond(self.top)

    @property
    def _is_closed(self) -> bool:
        return self.top is not None and self.largest is None
