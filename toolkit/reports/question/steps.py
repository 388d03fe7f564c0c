"""A step: an event of some name, and what has to be true of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from toolkit.base import ReportError, check_flag, is_text, is_whole, quoted
from toolkit.expressions import Expression, as_expression


@dataclass(frozen=True, eq=False)
class Step:
    """An event that a report looks for; made by :func:`step`.

    Attributes
    ----------
    event
        Its name; None is any event.
    where
        What has to be true of it; None is nothing.
    anchored
        Whether it keeps its place in a funnel in any order.
    between
        Of an excluded event of a funnel: the steps it may not be between; None for all.
    called
        What a report calls it in place of its name; empty for the name.
    """

    event: str | None
    where: Expression | None = None
    anchored: bool = False
    between: tuple[int, int] | None = None
    called: str = ""

    @property
    def name(self) -> str:
        """What a report calls the event."""
        return self.called or ("any event" if self.event is None else self.event)

    @property
    def name_with_condition(self) -> str:
        """The same, with what has to be true of it in brackets; a name of its own says it all."""
        if self.called or self.where is None:
            return self.name
        condition = self.where.text
        for prop in self.where.properties:
            short = prop.name if prop.side == "event" else prop.label
            if short.replace(".", "").isidentifier():
                condition = condition.replace(prop.text, short)
        return f"{self.name} ({condition})"

    @property
    def label(self) -> str:
        """The same, with what has to be true of it."""
        parts = [self.name]
        parts += [] if self.where is None else [f"where {self.where.text}"]
        parts += ["(anchored)"] if self.anchored else []
        parts += [] if self.between is None else ["between steps {} and {}".format(*self.between)]
        return " ".join(parts)

    @property
    def asked(self) -> str | None:
        """What a definition calls it: its name, None for any event; with a condition its label."""
        return self.event if self.where is None else self.label

    def __str__(self) -> str:
        return self.label


def names_of(steps: Sequence[Step]) -> list[str]:
    """Return what to call each step: those of one event and different conditions differ.

    >>> names_of([step("Cart"), step("Cart", 'event["amount"] > 10'), step("Buy"), step("Buy")])
    ['Cart', 'Cart (amount > 10)', 'Buy', 'Buy']
    """
    conditions: dict[str, set[str]] = {}
    for each in steps:
        conditions.setdefault(each.name, set()).add("" if each.where is None else each.where.text)
    return [
        each.name_with_condition if len(conditions[each.name]) > 1 else each.name for each in steps
    ]


#: What a report takes as a step: a name, None for any event, or a Step.
AnyStep: TypeAlias = str | Step | None


def step(
    event: str | None,
    where: str | Expression | None = None,
    *,
    anchored: bool = False,
    between: tuple[int, int] | None = None,
    name: str | None = None,
) -> Step:
    """Return an event to look for, where its name alone does not say it.

    Parameters
    ----------
    event
        The name of the event; None is any event.
    where
        An expression (or its text form) that has to be true of it.
    anchored
        In a funnel with ``order="any"``: the steps listed before this one come before it, and
        those listed after it come after it.
    between
        Of an event that a funnel excludes: the two steps it may not be between, such as
        ``(2, 3)``; by default the first and the last.
    name
        What a report calls it; by default the name of the event, with the condition where two
        steps of a funnel have different ones.

    Returns
    -------
    Step
        To be given to a report in place of a name.

    Raises
    ------
    ReportError
        If an argument is none of the above.
    ExpressionError
        If *where* cannot be read.

    Examples
    --------
    >>> from toolkit import event
    >>> print(step("Purchase", where=event["amount"] > 100))
    Purchase where event["amount"] > 100
    """
    if event is not None and not isinstance(event, str):
        raise ReportError(
            f"a step is the name of an event or None for any event, not {quoted(event):.60}"
        )
    if between is not None:
        numbers = list(between) if isinstance(between, Iterable) else []
        if len(numbers) != 2 or not all(map(is_whole, numbers)):
            raise ReportError(
                f"between={quoted(between):.60}; give two step numbers such as (2, 3)"
            )
        between = (int(numbers[0]), int(numbers[1]))
    if name is not None and not isinstance(name, str):
        raise ReportError(f"name={quoted(name):.60}; give text")
    condition = None if where is None else as_expression(where)
    return Step(event, condition, check_flag("anchored", anchored), between, name or "")


def as_step(value: Any, role: str) -> Step:
    """Return the step that a report was given as its argument *role*.

    Raises
    ------
    ReportError
        If it is not one.
    """
    if isinstance(value, Step):
        return value
    if value is None or is_text(value):
        return Step(value)
    raise ReportError(
        f"{role}={quoted(value):.60}; give the name of an event, None for any event, or "
        'tk.step("…", where=…)'
    )
