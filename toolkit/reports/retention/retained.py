"""How many users are retained: the question of retention counted, and averaged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from toolkit.base import ReportError
from toolkit.columns import Instants
from toolkit.expressions import Property
from toolkit.reports.numbers.counted import Counted, Quotients, Sums, divided
from toolkit.reports.numbers.tally import ReportPlan, ReportTally
from toolkit.reports.question.ranked import Ranked
from toolkit.reports.question.scope import ReportScope
from toolkit.reports.question.selection import Selection
from toolkit.reports.retention.births import BirthPlan
from toolkit.reports.retention.brackets import Brackets
from toolkit.reports.retention.criteria import Criteria, Retaining

RetentionMeasure: TypeAlias = Literal["rate", "users", "sum", "average"]


@dataclass(frozen=True, eq=False)
class RetentionAnswer:
    """What was counted, one row per segment, in each a cohort, in each a bucket.

    Attributes
    ----------
    ranked
        The segments in the order of the table.
    sizes
        Users in each cohort.
    retained
        Those of them who are retained in each bucket.
    values
        The sums or averages; None if there are none.
    brackets
        The buckets.
    """

    ranked: Ranked
    sizes: Any
    retained: Any
    values: Any
    brackets: Brackets

    @property
    def rates(self) -> Any:
        """The share of each cohort that is retained, NaN of an empty one."""
        return divided(self.retained, self.sizes[:, :, None])

    def shown(self, measure: RetentionMeasure) -> Any:
        """Return the numbers of a measure."""
        if measure == "rate":
            return self.rates
        return self.retained if measure == "users" else self.values

    def table(self) -> pd.DataFrame:
        begun = self.brackets.has_begun
        cohorts, buckets = np.nonzero(begun)
        columns = self.ranked.columns(len(cohorts))
        times_ = len(self.ranked)
        columns["cohort"] = self.brackets.range.starts[np.tile(cohorts, times_)]
        columns["size"] = self.sizes[:, cohorts].ravel()
        columns["bucket"] = np.tile(buckets, times_)
        columns["retained"] = self.retained[:, begun].ravel()
        columns["rate"] = self.rates[:, begun].ravel()
        if self.values is not None:
            columns["value"] = self.values[:, begun].ravel()
        columns["complete"] = np.tile(self.brackets.is_over[begun], times_)
        return pd.DataFrame(columns)

    def average(self) -> pd.DataFrame:
        """Return the complete cells of each bucket, averaged with the sizes as weights."""
        is_over = self.brackets.is_over
        mean = averaged(self.sizes, self.retained, is_over)
        buckets = len(self.brackets)
        columns = self.ranked.columns(buckets)
        columns["bucket"] = np.tile(np.arange(buckets), len(self.ranked))
        columns["cohorts"] = mean.cohorts.ravel()
        columns["size"] = mean.sizes.ravel()
        columns["retained"] = mean.users.ravel()
        columns["rate"] = mean.rates.ravel()
        if self.values is not None:
            has_value = ~np.isnan(self.values)
            weights = np.where(has_value & is_over, self.sizes[:, :, None], 0)
            added = (weights * np.where(has_value, self.values, 0)).sum(axis=1)
            columns["value"] = divided(added, weights.sum(axis=1)).ravel()
        return pd.DataFrame(columns)


@dataclass(frozen=True, eq=False)
class Average:
    """Cohorts averaged with their sizes as weights, one row per segment and one column per bucket.

    Attributes
    ----------
    cohorts
        How many cohorts the average is of.
    sizes, users
        Their average size, and how many of their users are meant.
    """

    cohorts: Any
    sizes: Any
    users: Any

    @property
    def rates(self) -> Any:
        """The share of the users."""
        return divided(self.users, self.sizes)


def averaged(sizes: Any, users: Any, is_over: Any) -> Average:
    """Return the average over the complete cells of each bucket.

    Parameters
    ----------
    sizes
        One row per segment and one column per cohort.
    users
        The same, and in each cohort a number a bucket.
    is_over
        Which cells are complete: one row per cohort, one column per bucket.
    """
    weights = np.where(is_over, sizes[:, :, None], 0)
    total = weights.sum(axis=1)
    return Average(
        (weights > 0).sum(axis=1),
        divided((weights * sizes[:, :, None]).sum(axis=1), total),
        divided((weights * users).sum(axis=1), total),
    )


@dataclass(frozen=True, eq=False)
class RetentionPlan(ReportPlan):
    """What is counted: births and returns, and what of them."""

    births: BirthPlan
    criteria: Criteria
    measure: RetentionMeasure
    number: Property | None

    @property
    def scope(self) -> ReportScope:  # type: ignore[override]
        """Of whose events, broken down by what."""
        return self.births.scope

    def on(self, scope: ReportScope) -> RetentionPlan:
        return replace(self, births=replace(self.births, scope=scope))

    @property
    def retaining(self) -> Retaining:
        """Which entries are retained in which buckets."""
        return Retaining(self.births.course.returns, self.births.brackets, self.criteria)

    def count(self) -> ReportTally:
        """Return the users of each cohort, those retained, and the sums or averages."""
        births, retaining = self.births, self.retaining
        values, codes, groups, sizes = births.grouped()
        entries = births.course.entries
        shape = (*sizes.shape, len(births.brackets))
        retained = retaining.count(entries, groups, sizes.size).reshape(shape)
        counted: list[Counted] = [Sums(sizes), Sums(retained)]
        if self.number is not None:
            rows = births.course.returns.rows
            cells = Selection(births.births.events, None, rows).event_column(self.number.name)
            if isinstance(cells, Instants):
                raise ReportError(f"of={self.number.label} is a time; give a property of numbers")
            added = retaining.add_up(entries, groups, sizes.size, cells)
            sums, number = (Sums(each.reshape(shape)) for each in added)
            counted.append(sums if self.measure == "sum" else Quotients(sums, number))
        return ReportTally(values, codes, tuple(counted))

    def answer(self, tally: ReportTally) -> RetentionAnswer:
        """Return the numbers of the report of what was counted."""
        self.births.check(len(tally))
        sizes, retained, *values = (each.values() for each in tally.counted)
        ranked = tally.ranked(self.births.by, sizes.sum(axis=1))
        order = ranked.order
        shown = values[0][order] if values else None
        return RetentionAnswer(ranked, sizes[order], retained[order], shown, self.births.brackets)

    @property
    def together(self) -> RetentionPlan:
        """The same without a breakdown."""
        return replace(self, births=self.births.together)
