"""What users did, as a part of a condition: how often, how much, and whether at all."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, TypeAlias

from toolkit.base import ExpressionError, durations, quoted
from toolkit.expressions import (
    Comparison,
    Expression,
    Literal,
    Property,
    Tally,
    as_expression,
    as_property,
)

_Day: TypeAlias = str | date | datetime
#: A length of time before the moment of the question, or from a day to another.
Within: TypeAlias = str | timedelta | tuple[_Day, _Day] | None


def times_did(
    event: str | None, *, within: Within = None, where: str | Expression | None = None
) -> Tally:
    """Return how often a user did an event: a value, to be compared in a condition.

    Parameters
    ----------
    event
        The name of the event; None is any event.
    within
        ``"30d"`` or a ``timedelta``: in that time before the moment of the question, the
        ends included. ``("2026-05-01", "2026-05-31")``: from a day (UTC) or time to another; a
        day as the end is part of it. None is all time.
    where
        An expression (or its text form) that has to be true of the event.

    Returns
    -------
    Expression
        An integer for every user; 0 for who has no such event (COHORT-1).

    Raises
    ------
    ExpressionError
        If an argument is none of the above.

    Examples
    --------
    >>> from toolkit import event
    >>> times_did("Purchase", within="30d", where=event["amount"] > 10) >= 3
    times_did("Purchase", "30d", event["amount"] > 10) >= 3
    """
    return Tally(event, _period(within), None if where is None else as_expression(where))


def total_of(
    of: str | Property,
    event: str | None,
    *,
    within: Within = None,
    where: str | Expression | None = None,
) -> Tally:
    """Return what a number of an event adds up to for a user, to be compared in a condition.

    Parameters
    ----------
    of
        A property of the event, ``event["amount"]`` or ``"amount"``. What is not a number
        adds nothing.
    event, within, where
        As for :func:`times_did`.

    Examples
    --------
    >>> total_of("amount", "Purchase", within="90d") > 100
    total_of(event["amount"], "Purchase", "90d") > 100
    """
    prop = as_property(of)
    if prop.side != "event":
        raise ExpressionError(
            f"{prop.text} is not a property of the event, which is what is added up"
        )
    condition = None if where is None else as_expression(where)
    return Tally(event, _period(within), condition, prop)


def did(
    event: str | None,
    *,
    at_least: int | None = None,
    at_most: int | None = None,
    exactly: int | None = None,
    within: Within = None,
    where: str | Expression | None = None,
) -> Expression:
    """Return the condition that a user did an event: once or more, or as often as said.

    Parameters
    ----------
    event, within, where
        As for :func:`times_did`.
    at_least, at_most, exactly
        How often. ``at_most=0`` is who did not, also who did nothing at all.

    Examples
    --------
    >>> did("Purchase", at_least=3, within="30d") & ~did("Support Ticket")
    times_did("Purchase", "30d") >= 3 and not times_did("Support Ticket") >= 1
    """
    if exactly is not None and (at_least is not None or at_most is not None):
        raise ExpressionError("exactly= says it all; leave out at_least= and at_most=")
    if at_least is None and at_most is None and exactly is None:
        at_least = 1
    asked = {">=": at_least, "<=": at_most, "==": exactly}
    tally = times_did(event, within=within, where=where)
    parts: list[Expression] = []
    for operator, number in asked.items():
        if number is None:
            continue
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise ExpressionError(
                f"{quoted(number):.40} is not a number of times; give 0, 1, 2 and so on"
            )
        parts.append(Comparison(operator, tally, Literal.of(number)))  # type: ignore[arg-type]
    return parts[0] if len(parts) == 1 else parts[0] & parts[1]


def _period(within: Any) -> str:
    if within is None:
        return ""
    if (length := durations.length(within)) is not None and not isinstance(within, str):
        return f"{length / 1_000_000:.6f}".rstrip("0").rstrip(".") + "s"
    if isinstance(within, tuple | list) and len(within) == 2:
        return "/".join(
            each.isoformat() if isinstance(each, date) else str(each) for each in within
        )
    if isinstance(within, str) and within.strip():
        return within.strip()
    raise ExpressionError(
        f'within={quoted(within):.60}; give "30d", a timedelta, or two days such as '
        '("2026-05-01", "2026-05-31")'
    )
