"""Frequency: of those who did one thing, how many came back on how many days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
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
    count as counted_words,
    is_whole,
    quoted,
)
from toolkit.columns import Positions
from toolkit.events import AnyEvents, At, Profiles
from toolkit.expressions import Expression
from toolkit.reports.drawing import plots
from toolkit.reports.drawing.spots import Cell
from toolkit.reports.form.fields import ChoiceField, Declaration, NumberField
from toolkit.reports.numbers.counted import Sums, divided
from toolkit.reports.numbers.tally import ReportPlan, ReportTally
from toolkit.reports.question.breakdowns import By
from toolkit.reports.question.periods import Moment
from toolkit.reports.question.ranked import Ranked
from toolkit.reports.question.scope import ReportScope
from toolkit.reports.question.steps import AnyStep
from toolkit.reports.report import Report
from toolkit.reports.retention import triangles
from toolkit.reports.retention.births import (
    BirthMode,
    BirthPlan,
    birth_fields,
    birth_plan,
    check_rows,
    further_fields,
)
from toolkit.reports.retention.brackets import Mode, RetentionUnit
from toolkit.reports.retention.criteria import Retaining
from toolkit.reports.retention.retained import averaged

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FrequencyCriteria: TypeAlias = Literal["at_least", "exactly"]

#: How many units after the birth are looked at unless the caller says otherwise.
_WINDOW: Final[dict[str, int]] = {"day": 7, "week": 4, "month": 3}


def frequency(
    events: AnyEvents,
    profiles: Profiles | None,
    birth: AnyStep,
    back: AnyStep = None,
    *,
    unit: RetentionUnit = "day",
    buckets: Any = None,
    criteria: FrequencyCriteria = "at_least",
    mode: Mode = "rolling",
    birth_mode: BirthMode = "any",
    by: By = None,
    where: str | Expression | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
    tz: str | tzinfo | None = None,
    at: At = "latest",
) -> Frequency:
    """Return how many of those who did one thing came back on how many days, weeks or months.

    Parameters
    ----------
    events, profiles, birth, back, unit, mode, birth_mode, by, where, start, end, tz, at
        As for :func:`retention`: who enters which cohort, and what counts as coming back.
    buckets
        How many units from the birth on are looked at, or brackets of several units as
        for :func:`retention`. By default 7 days, 4 weeks or 3 months.
    criteria
        ``"at_least"``: who came back in n of them or more; ``"exactly"``: in n of them.

    Returns
    -------
    Frequency
        Its ``table`` has a column named after the breakdown (of its dtype), ``cohort`` (start of
        the period, ``datetime64[us, tz]``), ``size`` (users in the cohort, ``int64``),
        ``units`` (n, ``int64``, from 1, or from 0 for ``"exactly"``), ``count`` (users, ``int64``),
        ``rate`` (0 to 1, ``float64``; NaN of an empty cohort) and ``complete`` (``bool``):
        whether all of the units are over at the end of the range. Every cohort has a row
        for each n, zeros included. Larger segments come first, equal ones by name, ``(not
        set)`` last. ``average`` is the average over the complete cohorts.

    Raises
    ------
    ReportError
        If an argument is none of the above.
    ExpressionError
        If *where* or *by* cannot be read.
    EventsError
        If the events lack a column, or a property that is asked for.

    Examples
    --------
    >>> df = pd.DataFrame(
    ...     {
    ...         "event": ["Sign Up", "Buy", "Buy", "Buy", "Sign Up"],
    ...         "distinct_id": ["ann", "ann", "ann", "ann", "bob"],
    ...         "time": ["2026-05-01", "2026-05-01", "2026-05-02", "2026-05-02", "2026-05-01"],
    ...     }
    ... )
    >>> report = frequency(df, None, "Sign Up", "Buy", buckets=3, end="2026-05-04")
    >>> report.table.loc[0:2, ["size", "units", "count", "rate"]]
       size  units  count  rate
    0     2      1      1   0.5
    1     2      2      1   0.5
    2     2      3      0   0.0
    """
    check_choice("unit", unit, get_args(RetentionUnit))
    check_choice("criteria", criteria, get_args(FrequencyCriteria))
    scope = ReportScope.of(events, profiles, by=by, where=where, start=start, end=end, tz=tz, at=at)
    births = birth_plan(
        scope,
        birth,
        back,
        unit=unit,
        buckets=_WINDOW[unit] if buckets is None else buckets,
        mode=mode,
        birth_mode=birth_mode,
    )
    definition = {**births.definition, "buckets": buckets, "criteria": criteria}
    return Frequency(FrequencyPlan(births, criteria), definition)


@dataclass(frozen=True, eq=False)
class FrequencyAnswer:
    """Users, one row per segment, in each a cohort, in each a number of units."""

    ranked: Ranked
    sizes: Any
    users: Any
    first: int


@dataclass(frozen=True, eq=False)
class FrequencyPlan(ReportPlan):
    """What is counted: births, and on how many units users came back."""

    births: BirthPlan
    criteria: FrequencyCriteria

    @property
    def scope(self) -> ReportScope:  # type: ignore[override]
        """Of whose events, broken down by what."""
        return self.births.scope

    def on(self, scope: ReportScope) -> FrequencyPlan:
        return replace(self, births=replace(self.births, scope=scope))

    @cached_property
    def visited(self) -> Positions:
        """In how many buckets each entry came back."""
        course = self.births.course
        return Retaining(course.returns, self.births.brackets, "on").visited(course.entries)

    def count(self) -> ReportTally:
        """Return the users of each cohort, and those who came back in so many buckets."""
        values, codes, groups, sizes = self.births.grouped()
        width = len(self.births.brackets) + 1
        check_rows(sizes.size * width, len(codes))
        users = np.bincount(groups * width + self.visited, minlength=sizes.size * width)
        return ReportTally(values, codes, (Sums(sizes), Sums(users.reshape(*sizes.shape, width))))

    def answer(self, tally: ReportTally) -> FrequencyAnswer:
        """Return the numbers of the report of what was counted."""
        sizes, users = (each.values() for each in tally.counted)
        check_rows(users.size, len(tally))
        if self.criteria == "at_least":
            users = users[:, :, ::-1].cumsum(axis=2)[:, :, ::-1][:, :, 1:]
        ranked = tally.ranked(self.births.by, sizes.sum(axis=1))
        order, first = ranked.order, int(self.criteria == "at_least")
        return FrequencyAnswer(ranked, sizes[order], users[order], first)


class Frequency(Report):
    """On how many days, weeks or months users came back; made by :func:`frequency`."""

    _places = ("cohort", "units")

    def __init__(self, plan: FrequencyPlan, definition: Mapping[str, object]) -> None:
        self._plan = plan
        self._births = plan.births
        self._numbers = plan.answer(plan.count())
        self._ranked = self._numbers.ranked
        notes = [*self._births.notes(), *self._incomplete()]
        super().__init__(_title(plan), definition, self._rows(), notes)

    @property
    def _is_over(self) -> Any:
        """Whether all the units of each cohort are over."""
        return self._births.brackets.is_over.all(axis=1)

    def _incomplete(self) -> list[str]:
        cut = int((~self._is_over).sum())
        if not cut:
            return []
        return [
            f"Incomplete, so left out of averages: {cut:,} of "
            f"{counted_words(len(self._is_over), 'cohort')}, whose {self._window} are not over at "
            f"the end of the range, {self._births.range.span}."
        ]

    @property
    def _window(self) -> str:
        brackets = self._births.brackets
        units = int(brackets.lasts[-1]) + 1 if len(brackets) else 0
        return counted_words(units, brackets.unit)

    @property
    def _units(self) -> Any:
        return np.arange(self._numbers.users.shape[2]) + self._numbers.first

    def _rows(self) -> pd.DataFrame:
        numbers = self._numbers
        segments, cohorts, width = numbers.users.shape
        columns = numbers.ranked.columns(cohorts * width)
        places = np.tile(np.repeat(np.arange(cohorts), width), segments)
        columns["cohort"] = self._births.range.starts[places]
        columns["size"] = np.repeat(numbers.sizes.ravel(), width)
        columns["units"] = np.tile(self._units, segments * cohorts)
        columns["count"] = numbers.users.ravel()
        columns["rate"] = divided(numbers.users, numbers.sizes[:, :, None]).ravel()
        columns["complete"] = self._is_over[places]
        return pd.DataFrame(columns)

    @cached_property
    def average(self) -> pd.DataFrame:
        """The average row: the complete cohorts, weighted by their sizes.

        One row per segment and ``units``: ``cohorts`` (how many the average is of, ``int64``),
        ``size`` and ``count`` (users, ``float64``), and ``rate`` (one by the other). NaN where no
        cohort is complete.
        """
        numbers = self._numbers
        is_over = np.repeat(self._is_over[:, None], len(self._units), axis=1)
        mean = averaged(numbers.sizes, numbers.users, is_over)
        columns = numbers.ranked.columns(len(self._units))
        columns["units"] = np.tile(self._units, len(numbers.ranked))
        columns["cohorts"] = mean.cohorts.ravel()
        columns["size"] = mean.sizes.ravel()
        columns["count"] = mean.users.ravel()
        columns["rate"] = mean.rates.ravel()
        return pd.DataFrame(columns)

    @property
    def _main(self) -> str:
        return "rate"

    @property
    def is_empty(self) -> bool:
        """Whether no user enters a cohort."""
        return not self._numbers.sizes.any()

    def users(
        self, *, cohort: Moment | None = None, units: int | None = None, segment: Json = None
    ) -> list[str]:
        """Return the distinct IDs behind a cell, sorted.

        Parameters
        ----------
        cohort
            A date or time in the period of the cohort wanted. None is every cohort.
        units
            How many units, as in the table. None is the whole cohort.
        segment
            A segment as the table calls it, or its value. None is any segment.

        Raises
        ------
        ReportError
            If the report has no such cohort, number of units or segment.
        """
        numbers = self._numbers
        place = numbers.ranked.find(segment)
        code = None if place is None else int(numbers.ranked.codes[place])
        is_behind = self._births.are_behind(code, self._births.find(cohort))
        if units is not None:
            if not is_whole(units) or units not in self._units:
                raise ReportError(
                    f"units={quoted(units)}; the report has {numbers.first} to {self._units[-1]}"
                )
            is_exact = self._plan.criteria == "exactly"
            is_behind &= (
                (self._plan.visited == units) if is_exact else (self._plan.visited >= units)
            )
        return self._births.ids(self._births.course.entries.take(is_behind))

    def plot(self, ax: Axes | None = None, *, top: int | None = None) -> Axes:
        """Draw the average share of users over the number of units, one line per segment.

        Parameters
        ----------
        ax
            Where to draw; by default on a new figure.
        top
            How many segments to draw, the largest first: 8 by default. ``(not set)`` is
            always drawn.
        """
        ranked = self._ranked
        shape = (len(ranked), len(self._units))
        rates = self.average["rate"].to_numpy(np.float64).reshape(shape)
        shown, legend = ranked.drawn(top, plots.MOST_LINES)
        names = [f"{units}" for units in self._units]
        few = self._plan.criteria == "exactly"
        return triangles.curves(
            ax,
            names if few else [f"{name}+" for name in names],
            [(ranked.names[at] or "average", rates[at]) for at in shown],
            title=self.title,
            of="share of users",
            over=f"{self._births.brackets.unit}s with a return, of {self._window}",
            by=legend,
            is_share=True,
            cell=self._at_units,
        )

    def _at_units(self, label: str, place: int) -> Cell:
        ranked = self._ranked
        segment = 0 if ranked.by is None else ranked.names.index(label)
        return {"units": int(self._units[place]), **ranked.cell(segment)}


def _title(plan: FrequencyPlan) -> str:
    births, words = plan.births, plan.criteria.replace("_", " ")
    unit = births.brackets.unit
    units = f"users who came back {'on' if unit == 'day' else 'in'} {words} n {unit}s"
    return plan.scope.titled(begun(f"{births.birth}, then {births.back}: {units}"))


DECLARATION: Final = Declaration(
    title="Frequency",
    function=frequency,
    call="tk.frequency",
    about="Of those who did one thing, how many came back on how many days.",
    fields=(
        *birth_fields(),
        NumberField(
            name="buckets",
            label="Units looked at",
            help="Empty: 7 days, 4 weeks or 3 months.",
            is_whole=True,
            least=1,
            most=1_000,
        ),
        ChoiceField(
            name="criteria",
            label="Users who came back in",
            default="at_least",
            options=(("At least n units", "at_least"), ("Exactly n units", "exactly")),
        ),
        *further_fields(),
    ),
)
