"""A step: an event of some name, and what has to be true of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from toolkit.errors import ReportError
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
    """

    event: str | None
    where: Expression | None = None

    @property
    def label(self) -> str:
        """What a report calls it."""
        name = "any event" if self.event is None else self.event
        return name if self.where is None else f"{name} where {self.where.text}"

    def __str__(self) -> str:
        return self.label


#: What a report takes as a step: a name, None for any event, or a Step.
AnyStep: TypeAlias = str | Step | None


def step(event: str | None, *, where: str | Expression | None = None) -> Step:
    """Return an event to look for, on a condition.

    Parameters
    ----------
    event
        The name of the event; None is any event.
    where
        An expression (or its text form) that has to be true of it.

    Raises
    ------
    ReportError
        If *event* is no name.
    ExpressionError
        If *where* cannot be read.

    Examples
    --------
    >>> from toolkit import event
    >>> print(step("Purchase", where=event["amount"] > 100))
    Purchase where event["amount"] > 100
    """
    if event is not None and not isinstance(event, str):
        raise ReportError(f"a step is the name of an event or None for any event, not {event!r}")
    return Step(event, None if where is None else as_expression(where))


def as_step(given: Any, role: str) -> Step:
    """Return the step that a report was given as its argument *role*.

    Raises
    ------
    ReportError
        If it is none.
    """
    if isinstance(given, Step):
        return given
    if given is None or isinstance(given, str):
        return Step(given)
    raise ReportError(
        f"{role}={given!r:.60}; give the name of an event, None for any event, or "
        'tk.step("…", where=…)'
    )
