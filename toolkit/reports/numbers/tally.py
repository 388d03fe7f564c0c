"""What a report counts of some users, so that it can be added to what it counts of others."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from toolkit.columns import Positions
from toolkit.reports.numbers.counted import Counted
from toolkit.reports.question.breakdowns import Breakdown
from toolkit.reports.question.ranked import Ranked
from toolkit.reports.question.scope import ReportScope
from toolkit.reports.question.segments import Values, joined


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
    """

    values: Values | None
    codes: Positions
    counted: tuple[Counted, ...]
    overall: tuple[Counted, ...] = ()

    @classmethod
    def whole(cls, *counted: Counted) -> ReportTally:
        """Return the tally of a report without a breakdown."""
        return cls(None, np.zeros(1, np.int64), counted)

    def __len__(self) -> int:
        return len(self.codes)

    def __add__(self, other: ReportTally) -> ReportTally:
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

    def without(self, codes: Positions) -> frozenset[Hashable]:
        """Return what the segments are that occur, without some of them."""
        assert self.values is not None
        identities = self.values.identities()
        return frozenset(identities[code] for code in np.setdiff1d(self.codes, codes).tolist())


class ReportPlan(ABC):
    """What a report counts, and of whom.

    It is counted by users: the tallies of parts of them are added, and the answer of the sum is
    that of all of them::

        tally = plan.on(scope.part(some)).count() + plan.on(scope.part(others)).count()
        plan.answer(tally)
    """

    scope: ReportScope

    def on(self, scope: ReportScope) -> Self:
        """Return the same plan for other users."""
        return replace(self, scope=scope)  # type: ignore[type-var]

    @abstractmethod
    def count(self) -> ReportTally:
        """Return what is counted."""

    @abstractmethod
    def answer(self, tally: ReportTally) -> Any:
        """Return the numbers of the report of what was counted."""
