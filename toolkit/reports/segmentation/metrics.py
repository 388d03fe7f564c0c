"""Metrics: what is counted of which event, and formulas of several of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from toolkit.base import ExpressionError, ReportError, is_text, quoted
from toolkit.columns import Column
from toolkit.expressions import (
    Cells,
    Expression,
    Property,
    Scope,
    Side,
    as_expression,
    evaluate,
    parse_formula,
)
from toolkit.reports.numbers import measures
from toolkit.reports.question.breakdowns import shown_property
from toolkit.reports.question.steps import Step

#: Metrics are called A, B, C … in a formula, so there are no more of them.
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, eq=False)
class Metric:
    """A number of an event; made by :func:`metric`.

    Attributes
    ----------
    event
        Its name; None is any event.
    measure
        What is counted.
    of
        The property it is counted of; None if of none.
    where
        What has to be true of the event; None is nothing.
    called
        What a report calls it in place of its event; empty for that.
    """

    event: str | None
    measure: str = "total"
    of: Property | None = None
    where: Expression | None = None
    called: str = ""

    @property
    def noun(self) -> str:
        """What it counts, in words."""
        return measures.noun(self.measure, None if self.of is None else self.of.label)

    @property
    def subject(self) -> str:
        """What it is called, without what it counts."""
        name = self.called or ("Any event" if self.event is None else self.event)
        return name if self.where is None or self.called else f"{name} where {self.where.text}"

    @property
    def is_of_users(self) -> bool:
        """Whether it is of a property of users."""
        return self.of is not None and self.of.side == "user"

    @property
    def needs_id(self) -> bool:
        """Whether events without a distinct ID count for nothing in it."""
        return self.is_of_users or self.measure in (
            *("unique", "sessions", "per_user"),
            *measures.WINDOWS,
        )


def metric(
    event: str | None,
    *,
    measure: str = "total",
    of: str | Property | None = None,
    where: str | Expression | None = None,
    name: str | None = None,
) -> Metric:
    """Return a number of an event, for a report on several of them.

    Parameters
    ----------
    event
        The name of the event; None is any event.
    measure, of
        What is counted, and the property it is counted of: as for :func:`segmentation`.
    where
        An expression (or its text form) that has to be true of the event.
    name
        What the report calls it; by default what it counts.

    Returns
    -------
    Metric
        To be given to a report in place of the name of an event.

    Raises
    ------
    ReportError
        If an argument is none of the above.
    ExpressionError
        If *where* or *of* cannot be read.

    Examples
    --------
    >>> from toolkit import event
    >>> metric("Purchase", measure="sum", of=event["amount"], name="Revenue").noun
    'sum of event.amount'
    """
    if event is not None and not isinstance(event, str):
        raise ReportError(f"event is one name or None for every event, not {quoted(event):.60}")
    if name is not None and (not isinstance(name, str) or not name):
        raise ReportError(f"name={quoted(name):.60}; give text, or None for what it counts")
    measure = measures.as_measure(measure)
    condition = None if where is None else as_expression(where)
    return Metric(event, measure, _property(measure, of), condition, name or "")


def _property(measure: str, of: str | Property | None) -> Property | None:
    if not measures.needs_property(measure):
        if of is not None:
            raise ReportError(
                f'measure="{measure}" uses no property, and of={quoted(of):.40} is given; choose '
                'a measure such as "sum" or "average", or leave of= out'
            )
        return None
    if of is None:
        raise ReportError(
            f'measure="{measure}" needs of=, a property such as event["amount"] or user["age"]'
        )
    return shown_property(of)


#: What a report takes as an event to count.
AnyMetric: TypeAlias = str | Step | Metric | None


def as_metrics(
    event: AnyMetric | Sequence[AnyMetric], measure: str, of: str | Property | None
) -> tuple[Metric, ...]:
    """Return what a report counts.

    Parameters
    ----------
    event
        A name, a step, a metric, or a list of them.
    measure, of
        What is counted of names and steps.

    Raises
    ------
    ReportError
        If one of them is not one.
    """
    given = list(event) if isinstance(event, list | tuple) else [event]
    if not given:
        raise ReportError("event=[] counts nothing; give at least one, or None for any event")
    if len(given) > len(_LETTERS):
        raise ReportError(f"event= has {len(given)} metrics; give at most {len(_LETTERS)}")
    found = []
    for each in given:
        if isinstance(each, Metric):
            found.append(each)
        elif isinstance(each, Step):
            plain = metric(each.event, measure=measure, of=of)
            found.append(Metric(each.event, plain.measure, plain.of, each.where, each.called))
        elif each is None or is_text(each):
            found.append(metric(each, measure=measure, of=of))
        else:
            raise ReportError(
                f"event={quoted(each):.60}; give the name of an event, None for any event, "
                'tk.step("…", where=…), tk.metric("…", measure=…), or a list of these'
            )
    if all(isinstance(each, Metric) for each in given) and (measure != "total" or of is not None):
        raise ReportError("each metric says its own measure; leave measure= and of= out")
    return tuple(found)


def named(metrics: Sequence[Metric]) -> list[str]:
    """Return what to call each metric, no two alike.

    That is its name, else the event; where two are alike what it counts as well.
    """
    names = [each.subject for each in metrics]
    often = [names.count(name) for name in names]
    names = [
        name if number == 1 or each.called else f"{name}: {each.noun}"
        for name, number, each in zip(names, often, metrics, strict=True)
    ]
    for name in names:
        if names.count(name) > 1:
            raise ReportError(
                f'two metrics are called "{name:.60}"; name them: tk.metric(…, name="…")'
            )
    return names


@dataclass(frozen=True, eq=False)
class Formula:
    """A number worked out of those of metrics in the same cell.

    Attributes
    ----------
    text
        As it was written.
    expression
        What it stands for; a metric is a property of the number it has.
    """

    text: str
    expression: Expression

    @classmethod
    def of(cls, text: str, metrics: Sequence[Metric]) -> Formula:
        """Return the formula of a text.

        Raises
        ------
        ExpressionError
            If it is not one; the message points at the character.
        """
        if not isinstance(text, str) or not text.strip():
            raise ReportError(f'formula={quoted(text):.60}; give text such as "A / B"')
        names = named(metrics)
        known = dict(zip(_LETTERS, range(len(metrics)), strict=False))
        known |= {name: at for at, name in enumerate(names)}
        expression = parse_formula(text, known)
        if expression.is_condition:
            raise ExpressionError(f"the formula {text:.80} is a condition; a formula is a number")
        return cls(text, expression)

    @property
    def used(self) -> list[int]:
        """The metrics it looks at."""
        return sorted({int(prop.name) for prop in self.expression.properties})

    def work_out(self, numbers: Sequence[Any]) -> Any:
        """Return its value in each cell, ``float64``, NaN where it has none."""
        shape = numbers[0].shape
        scope = _MetricScope([np.ravel(each) for each in numbers])
        cells = Cells.of(evaluate(self.expression, scope))
        result = np.full(scope.numbers[0].shape, np.nan)
        for _, at, held in cells.only("int", "float"):
            result[at] = held[at]
        for _, at, held in cells.only("big"):
            result[at] = [float(each) for each in held[at]]
        return result.reshape(shape)


@dataclass(frozen=True, eq=False)
class _MetricScope(Scope):
    """The numbers of metrics, as the rows of an expression."""

    numbers: list[Any]

    def __len__(self) -> int:
        return len(self.numbers[0])

    def column(self, side: Side, name: str) -> Column:
        numbers = self.numbers[int(name)]
        return Column.of_array(numbers, None if numbers.dtype == np.int64 else ~np.isnan(numbers))
