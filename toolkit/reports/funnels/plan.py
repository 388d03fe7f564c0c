"""What a funnel counts, read and checked: its steps, their order, what ends an entry."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal, TypeAlias, get_args

from toolkit.base import (
    HIDDEN,
    Duration,
    ReportError,
    as_duration,
    check_choice,
    count,
    is_whole,
    quoted,
)
from toolkit.expressions import Property, as_property
from toolkit.reports.numbers.measures import Count
from toolkit.reports.question.steps import AnyStep, Step, as_step, names_of

Order: TypeAlias = Literal["specific", "any"]
Reentry: TypeAlias = Literal["first", "optimized"]
#: Whose value of an event property stands for the whole entry: a number is a step from 1.
Attribution: TypeAlias = Literal["first", "last"] | int

#: How many properties can be held constant.
MOST_HELD: Final = 3
#: How many steps and excluded events there can be: each is a bit of a number of 64.
MOST_STEPS: Final = 60


@dataclass(frozen=True, eq=False)
class FunnelPlan:
    """What a funnel counts, checked.

    Attributes
    ----------
    steps, exclude
        The steps, and the events that end an entry.
    groups
        The positions of the steps, in runs whose order is free; in a specific order each
        step is a run of its own.
    window, grace
        In microseconds.
    """

    steps: tuple[Step, ...]
    exclude: tuple[Step, ...]
    groups: tuple[tuple[int, ...], ...]
    window: int
    grace: int
    order: Order
    count: Count
    reentry: Reentry
    hold: tuple[Property, ...]
    attribution: Attribution

    @classmethod
    def of(
        cls,
        steps: Sequence[AnyStep],
        *,
        window: Duration,
        grace: Duration,
        order: Order,
        count: Count,
        reentry: Reentry,
        exclude: Sequence[AnyStep] | AnyStep,
        hold: Sequence[str | Property] | str | Property,
        attribution: Attribution,
    ) -> FunnelPlan:
        """Return the checked arguments of a funnel.

        Raises
        ------
        ReportError
            If one is not what it should be.
        """
        if isinstance(steps, str | Step) or not isinstance(steps, Iterable):
            raise ReportError(f'steps are a list such as ["View", "Buy"], not {quoted(steps):.60}')
        listed_steps = tuple(as_step(each, "steps") for each in steps)
        if exclude is not None and not isinstance(exclude, str | Step | list | tuple | set):
            raise ReportError(f"exclude={quoted(exclude):.60}; give an event or a list of them")
        excluded = (exclude,) if isinstance(exclude, str | Step) else exclude
        ending = tuple(as_step(each, "exclude") for each in excluded or ())
        _check_steps(listed_steps, ending, order)
        length = as_duration(window, "window")
        if not length:
            raise ReportError(f'window={window!s}; give one longer than nothing, such as "7d"')
        return cls(
            listed_steps,
            ending,
            _groups(listed_steps, check_choice("order", order, get_args(Order))),
            length,
            as_duration(grace, "grace"),
            order,
            check_choice("count", count, get_args(Count)),
            check_choice("reentry", reentry, get_args(Reentry)),
            _held(hold),
            _attributed(attribution, len(listed_steps)),
        )

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def noun(self) -> str:
        """What is counted, in the plural."""
        return {"unique": "users", "sessions": "sessions"}.get(self.count, "entries")

    @cached_property
    def names(self) -> list[str]:
        """What each step is called."""
        return names_of(self.steps)

    @property
    def labels(self) -> list[str]:
        """What each row of the table counts.

        In any order the n-th row of a free run counts who did n of its steps.
        """
        labels = []
        for group in self.groups:
            names = [self.names[at] for at in group]
            if len(group) == 1:
                labels += names
            else:
                labels += [f"any {nth} of {', '.join(names)}" for nth in range(1, len(group) + 1)]
        return labels

    def ends_between(self, excluded: Step) -> range:
        """Return after which steps (from 0) an excluded event ends an entry."""
        first, last = excluded.between or (1, len(self))
        return range(first - 1, last - 1)


def _check_steps(steps: tuple[Step, ...], exclude: tuple[Step, ...], order: Order) -> None:
    if len(steps) < 2:
        raise ReportError(f"a funnel has at least two steps; {count(len(steps), 'step')} given")
    if len(steps) + len(exclude) > MOST_STEPS:
        raise ReportError(
            f"{len(steps) + len(exclude)} steps and excluded events; "
            f"at most {MOST_STEPS} are possible"
        )
    for each in steps:
        if each.between is not None:
            raise ReportError("between= is for excluded events; leave it out of steps")
        if each.anchored and order != "any":
            raise ReportError(
                'anchored= is for order="any"; in a specific order every step keeps its place'
            )
    for each in exclude:
        if each.anchored:
            raise ReportError("anchored= is for steps; leave it out of excluded events")
        if each.between is not None and not 1 <= each.between[0] < each.between[1] <= len(steps):
            raise ReportError(
                f"between={each.between} is not from a step to a later one; there are {len(steps)}"
            )


def _groups(steps: tuple[Step, ...], order: Order) -> tuple[tuple[int, ...], ...]:
    if order == "specific":
        return tuple((at,) for at in range(len(steps)))
    groups: list[tuple[int, ...]] = []
    free: list[int] = []
    for at, each in enumerate(steps):
        if not each.anchored:
            free.append(at)
            continue
        groups += [tuple(free)] if free else []
        groups.append((at,))
        free = []
    return (*groups, tuple(free)) if free else tuple(groups)


def _held(hold: Any) -> tuple[Property, ...]:
    if hold is not None and not isinstance(hold, str | Property | list | tuple):
        raise ReportError(f"hold={quoted(hold):.60}; give a property or a list of them")
    properties = [hold] if isinstance(hold, str | Property) else list(hold or ())
    by_label = {prop.label: prop for prop in map(as_property, properties)}
    if len(by_label) > MOST_HELD:
        raise ReportError(
            f"hold= names {len(by_label)} properties; at most {MOST_HELD} are possible"
        )
    for label, prop in by_label.items():
        if prop.side != "event":
            raise ReportError(
                f"hold= takes properties of events, and {label} is one of users: "
                "it is the same at every step"
            )
        if prop.name in HIDDEN:
            raise ReportError(f"{label} is hidden and never shown in a report")
    return tuple(by_label.values())


def _attributed(attribution: Attribution, steps: int) -> Attribution:
    if isinstance(attribution, str) and attribution in ("first", "last"):
        return attribution
    if not is_whole(attribution) or not 1 <= int(attribution) <= steps:
        raise ReportError(
            f"attribution={quoted(attribution)} is unknown; allowed are first, last, "
            f"or the number of a step from 1 to {steps}"
        )
    return attribution
