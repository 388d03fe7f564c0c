"""What there is to choose from: event names, properties, their types and frequent values."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal, TypeAlias

import numpy as np

from toolkit.base import (
    ABSENT,
    HIDDEN,
    InvalidTimeError,
    Json,
    display_name,
    display_names,
    dumps,
    parse_time,
)
from toolkit.columns import (
    COMPUTED,
    Column,
    Positions,
    ProfileRows,
    Snapshot,
    computed_names,
    series,
)
from toolkit.events import Events
from toolkit.expressions import (
    NUMBERS,
    Members,
    Property,
    Side,
    families_of,
    group_key_of,
    group_side,
)

#: What a property holds, for a person to compare it with. Text of dates is a time.
Type: TypeAlias = Literal[
    "text", "number", "boolean", "time", "list", "object", "mixed", "none", "cohort"
]

# Of more rows, so many from end to end: which values are frequent shows in them.
_SAMPLED: Final = 50_000
_SUGGESTED: Final = 20
# Of texts, so many are read to see whether they are dates.
_READ: Final = 200
# Longer values are no good to choose from a list.
_LONGEST: Final = 80
#: What the labels of cohorts begin with.
COHORT: Final = "cohort."
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]|$)")


@dataclass(frozen=True)
class Suggestions:
    """What a person needs to know to compare a property with something.

    Attributes
    ----------
    type
        What most of it is; of a list, ``"list"``.
    element
        What the elements of the lists are, ``"none"`` if there are none.
    values
        Frequent values, or elements, the most frequent first; none where there are
        many and no two are alike.
    has_dates
        Whether some of its text is dates, so that it can be compared with a time.
    """

    type: Type
    element: Type
    values: tuple[Json, ...]
    has_dates: bool = False


@dataclass(frozen=True)
class PropertyChoice:
    """A property or a saved cohort to choose, and what a person calls it."""

    property: Property | Members
    label: str


def label_of(asked: Property | Members) -> str:
    """Return the label that a property or a cohort is chosen by.

    >>> label_of(Property("user", "plan")), label_of(Members("Paying"))
    ('user.plan', 'cohort.Paying')
    """
    return f"{COHORT}{asked.name}" if isinstance(asked, Members) else asked.label


class Choices:
    """What the events and the profiles at one moment have to choose from.

    Parameters
    ----------
    events, snapshot
        None if there are none.
    only_users
        Whether properties of users alone are to choose from; the events say then
        whether there is a First Seen.
    groups
        The profiles of the groups that the events name, by group key.
    cohorts
        The names of the saved cohorts.
    """

    def __init__(
        self,
        events: Events | None,
        snapshot: Snapshot | None,
        *,
        only_users: bool = False,
        groups: Mapping[str, Snapshot] | None = None,
        cohorts: Iterable[str] = (),
    ) -> None:
        self.cohorts = tuple(cohorts)
        self.events = events
        self.snapshot = snapshot
        self.only_users = only_users
        self._states: dict[Side, Snapshot | None] = {"user": snapshot}
        self._states |= {group_side(key): each for key, each in (groups or {}).items()}
        self._known: dict[tuple[Side, str], Suggestions] = {}

    @cached_property
    def event_names(self) -> tuple[str, ...]:
        """The event names, sorted."""
        return () if self.events is None else self.events.names

    @cached_property
    def properties(self) -> dict[str, PropertyChoice]:
        """All properties by their labels, ``event.item`` and ``user.plan``; events first.

        The saved cohorts come last, as ``cohort.Paying``.
        """
        choices: list[PropertyChoice] = []
        if self.events is not None and not self.only_users:
            events = self.events
            own = {
                events.event_column: "name",
                events.time_column: "time",
                events.id_column: "distinct ID",
            }
            names = [*events.properties, *own]
            choices += [
                PropertyChoice(
                    Property("event", name),
                    f"Event {own[name]}" if name in own else f"Event: {name}",
                )
                for name in names
            ]
        for side, snapshot in self._states.items():
            if snapshot is None:
                continue
            names = sorted(
                (name for name in snapshot.names if name not in HIDDEN),
                key=lambda name: display_name(name).lower(),
            )
            # Of users the toolkit knows some things that nobody wrote.
            computed = computed_names(has_events=self.events is not None)
            names += [name for name in computed if name not in names]
            whose = "" if self.only_users else f"{group_key_of(side) or side.capitalize()}: "
            choices += [
                PropertyChoice(Property(side, name), f"{whose}{label}")
                for name, label in display_names(names).items()
            ]
        choices += [PropertyChoice(Members(name), f"Cohort: {name}") for name in self.cohorts]
        return {label_of(choice.property): choice for choice in choices}

    def about(self, prop: Property | Members) -> Suggestions:
        """Return the type and the frequent values of a property, worked out once."""
        if isinstance(prop, Members):
            return Suggestions("cohort", "none", ())
        key = (prop.side, prop.name)
        if key not in self._known:
            self._known[key] = self._look(prop)
        return self._known[key]

    def _look(self, prop: Property) -> Suggestions:
        computed = None if prop.side == "event" else COMPUTED.get(prop.name)
        if computed is not None and computed.type != "text":
            return Suggestions(computed.type, "none", ())
        column = self._sample(prop)
        if column is None:
            return Suggestions("time", "none", ())
        if computed is not None:  # text, be it of a date
            return Suggestions("text", "none", _frequent(column))
        type_, element = type_of(column), type_of(Column.absent(0))
        has_dates = any(_dates(column))
        if type_ == "list":
            cells = column.keep(column.has_value).cells()
            column = Column.of(
                [each for cell in cells for each in (cell if isinstance(cell, list) else [cell])]
            )
            element = type_of(column)
        if "time" in (type_, element):
            return Suggestions(type_, element, ())  # a date is typed, not chosen
        return Suggestions(type_, element, _frequent(column), has_dates)

    def _sample(self, prop: Property) -> Column | None:
        """Return some cells of a property, None for the time of the events."""
        if prop.side != "event":
            snapshot = self._states.get(prop.side)
            if snapshot is None:
                return Column.absent(0)
            column = ProfileRows(snapshot, _spread(len(snapshot))).column(prop.name)
            assert isinstance(column, Column)
            return column
        events = self.events
        if events is None or prop.name not in events.frame.columns:
            return Column.absent(0)
        if prop.name == events.time_column:
            return None
        if prop.name == events.event_column:
            coded = events.event_names
            order = np.argsort(-coded.counts()[0], kind="stable")
            return Column.of_array(coded.texts).take(order)
        rows = _spread(len(events))
        frame = events.frame[[prop.name]].iloc[rows]
        if prop.name == events.id_column:
            return series.coded(frame[prop.name]).column()
        return series.column(frame[prop.name])


def type_of(column: Column) -> Type:
    """Return what a person would say that a property holds."""
    families = families_of(column)
    if not families:
        return "none"
    if families <= NUMBERS:
        return "number"
    if families == {"text"}:
        dates = _dates(column)
        return "time" if dates and all(dates) else "text"
    if len(families) == 1:
        one: dict[str, Type] = {"bool": "boolean", "list": "list", "object": "object"}
        return one.get(next(iter(families)), "mixed")
    # Who sends one tag sends text at times and lists at others.
    return "list" if "list" in families else "mixed"


def _dates(column: Column) -> list[bool]:
    """Return of some texts from end to end whether each is a date."""
    texts = [cell for cell in column.cells() if isinstance(cell, str)]
    return [_is_date(text) for text in texts[:: max(1, len(texts) // _READ)]]


def _is_date(text: str) -> bool:
    if not _DATE.match(text):
        return False
    try:
        parse_time(text)
    except InvalidTimeError:
        return False
    return True


def _frequent(column: Column) -> tuple[Json, ...]:
    counted: Counter[str] = Counter()
    values: dict[str, Json] = {}
    for cell in column.cells():
        if cell is None or cell is ABSENT or isinstance(cell, list | dict):
            continue
        text = dumps(cell)
        if len(text) <= _LONGEST:
            counted[text] += 1
            values.setdefault(text, cell)
    often = counted.most_common(_SUGGESTED)
    if len(counted) > _SUGGESTED and often[0][1] == 1:
        return ()  # as of a million e-mail addresses: twenty of them help nobody
    return tuple(values[text] for text, _ in often)


def _spread(length: int) -> Positions:
    """Return the positions of at most so many rows as are sampled, from the first to the last."""
    if length <= _SAMPLED:
        return np.arange(length, dtype=np.int64)
    return np.linspace(0, length - 1, _SAMPLED).astype(np.int64)
