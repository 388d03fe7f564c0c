"""What a report asks for: each declares its fields, and a form that knows no report shows them.

A report module ends with its :class:`Declaration`, and ``declared.py`` lists them. The form of
all reports (:class:`toolkit.ReportBuilder`) shows the fields in the order declared, reads what a
person typed, calls the function, and writes the Python that makes the same report.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any, Final, Literal, TypeAlias

from toolkit.base import ArgumentError, InvalidTimeError, count, did_you_mean, listed, parse_time
from toolkit.expressions import Expression, Members, Property, as_expression, as_property
from toolkit.reports.form.calls import imports_of, kind_of, nodes_of, written
from toolkit.reports.form.choices import COHORT, Choices, label_of
from toolkit.reports.question.breakdowns import Breakdown
from toolkit.reports.question.buckets import ByCalendar, ByRange, bucket
from toolkit.reports.question.periods import as_zone
from toolkit.reports.question.steps import Step
from toolkit.reports.report import Report

#: What stands before the fields in the call of a report.
Input: TypeAlias = Literal["events", "profiles"]

#: The measures of a property that a form offers.
OF_PROPERTY: Final[tuple[tuple[str, str], ...]] = (
    ("Sum of a property", "sum"),
    ("Average of a property", "average"),
    ("Median of a property", "median"),
    *((f"{place}th percentile of a property", f"p{place}") for place in (25, 75, 90, 95, 99)),
    ("Minimum of a property", "min"),
    ("Maximum of a property", "max"),
    ("Distinct values of a property", "distinct"),
)

# What stands between a property and how it is cut, in the label of a breakdown.
_CUT: Final = " / "
_CALENDARS: Final = ("day", "week", "month", "year", "hour of day", "day of week")

_LINE: Final = 88
_BUCKET: Final = re.compile(r"([0-9]{1,9})(?:\s*[-–]\s*([0-9]{1,9}))?")


@dataclass(frozen=True, kw_only=True)
class Field(ABC):
    """One thing a report asks for.

    Attributes
    ----------
    name
        The parameter of the report's function.
    label
        What a person reads before the field.
    help
        A short sentence on it.
    empty
        What it stands for while nothing is typed into it.
    default
        The value of the parameter if it is left alone.
    is_positional
        Whether the call gives it without its name. Such fields come first.
    when
        Another field and the values of it with which this one counts; None if it
        always does. Elsewhere it is not shown and has its default.
    """

    name: str
    label: str
    help: str = ""
    empty: str = ""
    default: Any = None
    is_positional: bool = False
    when: tuple[str, tuple[Any, ...]] | None = None

    @property
    def start(self) -> Any:
        """What is in the field at first, in the form that :meth:`read` takes."""
        return self.raw(self.default)

    @abstractmethod
    def read(self, raw: Any, choices: Choices) -> Any:
        """Return the value of what a person typed or chose.

        Raises
        ------
        ToolkitError
            If it is not one; the message says what is.
        """

    def raw(self, value: Any) -> Any:
        """Return what a person would type or choose for a value."""
        return "" if value is None else str(value)


@dataclass(frozen=True, eq=False)
class FilteredEvent:
    """An event that a person chose, and what has to be true of it.

    Attributes
    ----------
    event
        Its name; empty for any event, or for none yet.
    where
        What has to be true of it; None is nothing.
    is_right
        Whether nothing is wrong with what was typed for that.
    step
        The step a program gave, whose other properties stay.
    """

    event: str
    where: Expression | None = None
    is_right: bool = True
    step: Step | None = None

    @classmethod
    def of(cls, raw: Any) -> FilteredEvent:
        """Return what a name, or a step, is as a choice."""
        if isinstance(raw, Step):
            return cls(raw.event or "", raw.where, step=raw)
        return raw if isinstance(raw, cls) else cls(raw)

    def read(self, event: str | None) -> str | Step | None:
        """Return what a report takes for it, where its name stands for an event.

        Raises
        ------
        ArgumentError
            If its filter is wrong.
        """
        if not self.is_right:
            raise ArgumentError(f"correct the filter of {event or 'any event'}")
        if self.step is not None:
            return replace(self.step, event=event, where=self.where)
        return event if self.where is None else Step(event, self.where)


@dataclass(frozen=True, kw_only=True)
class EventField(Field):
    """An event: its name, or a :class:`FilteredEvent` one.

    Attributes
    ----------
    may_be_any
        Whether empty text is any event.
    may_be_filtered
        Whether the report takes a step, with what has to be true of it.
    """

    may_be_any: bool = True
    may_be_filtered: bool = False

    def read(self, raw: Any, choices: Choices) -> Any:
        event = FilteredEvent.of(raw)
        is_any = event.event == "" and self.may_be_any
        return event.read(None if is_any else _event(event.event, choices))

    def raw(self, value: Any) -> Any:
        return FilteredEvent.of(value) if isinstance(value, Step) else super().raw(value)


@dataclass(frozen=True, kw_only=True)
class EventsField(Field):
    """Several events in an order, such as the steps of a funnel; a list of names or choices."""

    default: Any = ()
    least: int = 1
    most: int = 20
    may_be_filtered: bool = False

    def read(self, raw: Any, choices: Choices) -> Any:
        listed_events = [each for each in map(FilteredEvent.of, raw) if each.event]
        events = [each.read(_event(each.event, choices)) for each in listed_events]
        if not self.least <= len(events) <= self.most:
            allowed = f"{self.least} to {self.most}"
            if not events:
                raise ArgumentError(f"choose {allowed} events")
            raise ArgumentError(f"{count(len(events), 'event')}; choose {allowed} of them")
        return events

    def raw(self, value: Any) -> Any:
        return [FilteredEvent.of(each) if isinstance(each, Step) else each for each in value]


@dataclass(frozen=True, kw_only=True)
class ChoiceField(Field):
    """One of some values, each with what a person reads for it."""

    options: Sequence[tuple[str, Any]]

    def read(self, raw: Any, choices: Choices) -> Any:
        if not any(raw == value and type(raw) is type(value) for _, value in self.options):
            allowed = listed(repr(value) for _, value in self.options)
            raise ArgumentError(f"{raw!r:.40} is not one of the choices, which are {allowed}")
        return raw

    def raw(self, value: Any) -> Any:
        return value


@dataclass(frozen=True, kw_only=True)
class PropertyField(Field):
    """Properties, as a list of labels such as ``["user.plan"]``.

    Attributes
    ----------
    sides
        Whose properties may be chosen: ``"event"``, ``"user"``, ``"group"`` for any groups.
    most
        How many. Of one the value is that property or None, of several a list.
    types
        The types that may be chosen; empty for any.
    may_be_cohort
        Whether saved cohorts may be chosen too, as ``"cohort.Paying"``.
    """

    sides: tuple[str, ...] = ("event", "user", "group")
    most: int = 1
    types: tuple[str, ...] = ()
    is_required: bool = False
    may_be_cohort: bool = False

    def read(self, raw: Any, choices: Choices) -> Any:
        labels = [label for label in raw if label]
        properties = [self._property(label, choices) for label in labels]
        if self.is_required and not properties:
            raise ArgumentError("choose a property")
        if len(properties) > self.most:
            raise ArgumentError(f"{len(properties)} properties; choose at most {self.most}")
        if self.most > 1:
            return properties or self.default
        return properties[0] if properties else None

    def _property(self, label: str, choices: Choices) -> Property | Members:
        offered = self.offered(choices)
        if label not in offered:
            if label.startswith(COHORT) and self.may_be_cohort:
                raise ArgumentError(
                    f'no cohort is saved as "{label.removeprefix(COHORT):.60}"; choose one of '
                    "the list, or save it with tk.cohorts(profiles).save(cohort)"
                )
            of_user = f"user.{label.removeprefix('event.')}"
            if label.startswith("event.") and of_user in offered:
                meant = f" Did you mean {choices.properties[of_user].property.python}?"
            else:
                meant = did_you_mean(label, offered.values() if ": " in label else offered)
            raise ArgumentError(
                f'there is no property "{label:.60}"; choose one of the list.{meant}'
            )
        return choices.properties[label].property

    def offered(self, choices: Choices) -> dict[str, str]:
        """Return what a person reads for each label that may be chosen."""
        return {
            label: choice.label
            for label, choice in choices.properties.items()
            if self._may_be(choice.property, choices)
        }

    def _may_be(self, asked: Property | Members, choices: Choices) -> bool:
        if isinstance(asked, Members):
            return self.may_be_cohort
        has_type = not self.types or choices.about(asked).type in self.types
        return kind_of(asked.side) in self.sides and has_type

    def raw(self, value: Any) -> Any:
        values = value if isinstance(value, list | tuple) else [] if value is None else [value]
        return [self._label(each) for each in values]

    def _label(self, value: Any) -> str:
        if isinstance(value, Members):
            return label_of(value)
        return label_of(as_property(value, "event" if "event" in self.sides else "user"))


@dataclass(frozen=True, kw_only=True)
class BreakdownField(PropertyField):
    """What to break down by: properties, numbers in steps, times by the calendar, cohorts.

    Labels are those of properties, or with how they are cut: ``"user.age / 10"``,
    ``"user.$created / month"``; of a saved cohort ``"cohort.Paying"``.
    """

    may_be_cohort: bool = True

    def read(self, raw: Any, choices: Choices) -> Any:
        properties = [self._breakdown(label, choices) for label in raw if label]
        if len(properties) > self.most:
            raise ArgumentError(f"{len(properties)} properties; choose at most {self.most}")
        if len({_named(each) for each in properties}) < len(properties):
            raise ArgumentError("a property is there twice; choose each once")
        return None if not properties else properties[0] if len(properties) == 1 else properties

    def _breakdown(self, label: str, choices: Choices) -> Any:
        if label in choices.properties or _CUT not in label or label.startswith(COHORT):
            return self._property(label, choices)
        name, how = label.rsplit(_CUT, 1)
        prop = self._property(name, choices)
        assert isinstance(prop, Property)  # the labels of cohorts are not cut
        try:
            return bucket(prop, how if how in _CALENDARS else float(how))
        except ValueError:
            raise ArgumentError(
                f'"{label:.60}" is not a breakdown; choose one of the list'
            ) from None

    def offered(self, choices: Choices) -> dict[str, str]:
        options = {}
        for label, shown in super().offered(choices).items():
            options[label] = shown
            about = choices.about(choices.properties[label].property)
            if about.type == "time" or about.has_dates:
                options |= {f"{label}{_CUT}{each}": f"{shown}, by {each}" for each in _CALENDARS}
            elif about.type == "number":
                width = _width(about.values)
                options[f"{label}{_CUT}{width:g}"] = f"{shown}, in steps of {width:g}"
        return options

    def _label(self, value: Any) -> str:
        if isinstance(value, ByCalendar):
            return f"{value.prop.label}{_CUT}{value.by}"
        if isinstance(value, ByRange) and not value.edges:
            return f"{value.prop.label}{_CUT}{value.width:g}"
        if isinstance(value, Breakdown):
            raise ArgumentError(
                f"the form has no way to show {value.label}; make the report in Python"
            )
        return super()._label(value)


@dataclass(frozen=True, kw_only=True)
class FilterField(Field):
    """A condition on events and users: an expression or None."""

    def read(self, raw: Any, choices: Choices) -> Any:
        return None if raw is None or raw == "" else as_expression(raw)

    def raw(self, value: Any) -> Any:
        return None if value is None else as_expression(value)


@dataclass(frozen=True, kw_only=True)
class DateField(Field):
    """A date, or a date and a time of day, as ISO 8601 text; empty text is not one."""

    def read(self, raw: Any, choices: Choices) -> Any:
        text = str(raw).strip()
        if not text:
            return None
        try:
            parse_time(text)
        except InvalidTimeError:
            raise ArgumentError(f'"{text[:40]}" is not a date; write 2026-01-31') from None
        return text

    def raw(self, value: Any) -> Any:
        return "" if value is None else getattr(value, "isoformat", lambda: str(value))()


@dataclass(frozen=True, kw_only=True)
class NumberField(Field):
    """A number as text; empty text is the default."""

    least: float | None = None
    most: float | None = None
    is_whole: bool = False

    def read(self, raw: Any, choices: Choices) -> Any:
        text = str(raw).strip()
        if not text:
            return self.default
        try:
            number = int(text) if self.is_whole else float(text)
        except ValueError:
            wanted = "whole number; write 7" if self.is_whole else "number; write 7 or 2.5"
            raise ArgumentError(f'"{text[:40]}" is not a {wanted}') from None
        if not float("-inf") < number < float("inf"):
            raise ArgumentError(f'"{text[:40]}" is not a number; write 7 or 2.5')
        if self.least is not None and number < self.least:
            raise ArgumentError(f"{text} is too small; the least is {self.least:g}")
        if self.most is not None and number > self.most:
            raise ArgumentError(f"{text} is too large; the most is {self.most:g}")
        return int(number) if number == int(number) else number


@dataclass(frozen=True, kw_only=True)
class BucketsField(Field):
    """How many buckets, ``8``, or the units of each, ``0, 1-3, 4-7``; empty text is the default."""

    most: int

    def read(self, raw: Any, choices: Choices) -> Any:
        text = str(raw).strip()
        if not text:
            return self.default
        properties = []
        for part in text.split(","):
            match = _BUCKET.fullmatch(part.strip())
            if match is None:
                raise ArgumentError(
                    f'"{part.strip()[:40]}" is not a bucket; write how many there are, 8, or the '
                    "first and last unit of each: 0, 1-3, 4-7"
                )
            first = int(match[1])
            properties.append((first, int(match[2] or first)))
        if "," in text or "-" in text or "–" in text:
            return properties
        number = properties[0][0]
        if not 1 <= number <= self.most:
            raise ArgumentError(f"{number:,} buckets; there can be 1 to {self.most:,}")
        return number

    def raw(self, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            return super().raw(value)
        if value and not isinstance(value[0], list | tuple):
            value = [(first, after - 1) for first, after in pairwise(value)]
        return ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in value)


@dataclass(frozen=True, kw_only=True)
class TextField(Field):
    """A line of text; empty text is the default."""

    def read(self, raw: Any, choices: Choices) -> Any:
        return str(raw).strip() or self.default


@dataclass(frozen=True, kw_only=True)
class ZoneField(Field):
    """The name of a time zone; empty text is UTC."""

    def read(self, raw: Any, choices: Choices) -> Any:
        name = str(raw).strip()
        if not name:
            return None
        as_zone(name)
        return name


def unit_field(default: str | None, *, may_be_none: bool = True, **options: Any) -> ChoiceField:
    """Return the field for the length of a bucket."""
    units = ("hour", "day", "week", "month", "quarter", "year")
    choices: list[tuple[str, str | None]] = [(unit.capitalize(), unit) for unit in units]
    if may_be_none:
        choices.append(("The range as a whole", None))
    return ChoiceField(name="unit", label="Unit", default=default, options=choices, **options)


#: What reports on events have in common, in the order a form shows it.
RANGE: Final[tuple[Field, ...]] = (
    DateField(name="start", label="From", help="Empty: the first event."),
    DateField(name="end", label="To", help="That day is part of it. Empty: the last event."),
    ZoneField(name="tz", label="Time zone", help="Whose days and hours count.", empty="UTC"),
)
AT: Final = ChoiceField(
    name="at",
    label="User properties",
    help="As they are now, or as they were when each event happened.",
    default="latest",
    options=(("Latest", "latest"), ("At event time", "event time")),
)


@dataclass(frozen=True)
class Declaration:
    """A report and what it asks for.

    Attributes
    ----------
    title
        What a person calls it.
    function
        Makes the report: called with the inputs, then the fields.
    call
        How Python calls it.
    fields
        What it asks for, in the order a form shows them; positional ones first.
    about
        What it shows, in one sentence.
    inputs
        What the call begins with.
    imports
        What Python has to import for the call.
    kinds
        What its ``plot`` takes as ``kind=``, each with what a person reads for it: the one
        drawn by default first. Empty if there is one picture.
    """

    title: str
    function: Callable[..., Report]
    call: str
    fields: tuple[Field, ...]
    about: str = ""
    inputs: tuple[Input, ...] = ("events", "profiles")
    imports: tuple[str, ...] = ("import toolkit as tk",)
    kinds: tuple[tuple[str, str], ...] = ()

    def field(self, name: str) -> Field:
        """Return a field by its name."""
        return next(field for field in self.fields if field.name == name)

    def counted(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of the fields that count next to the values of the others."""
        return {
            field.name: values[field.name]
            for field in self.fields
            if field.when is None or values.get(field.when[0]) in field.when[1]
        }

    def make(self, inputs: Mapping[Input, Any], values: Mapping[str, Any]) -> Report:
        """Return the report.

        Parameters
        ----------
        inputs
            The events and the profiles.
        values
            A value for each field, by name.
        """
        values = self.counted(values)
        positional = [values.pop(field.name) for field in self.fields if field.is_positional]
        return self.function(*(inputs[name] for name in self.inputs), *positional, **values)

    def plot(self, report: Report, kind: str) -> Callable[..., Any]:
        """Return what draws a report: one of the *kinds*, or its only picture for ``""``."""
        plot: Callable[..., Any] = report.plot
        return partial(plot, kind=kind) if self.kinds and kind else plot

    def python(self, names: Mapping[Input, str], values: Mapping[str, Any], kind: str = "") -> str:
        """Return the Python that makes the same report, imports included.

        Parameters
        ----------
        names
            What the inputs are called there.
        values
            A value for each field, by name.
        kind
            What is drawn, if not what is by default.
        """
        values = self.counted(values)
        arguments = [names[name] for name in self.inputs]
        named = []
        for field in self.fields:
            if field.name not in values:
                continue
            value = values[field.name]
            if field.is_positional:
                arguments.append(written(value))
            elif not _same(value, field.default):
                named.append(f"{field.name}={written(value)}")
        call = f"{self.call}({', '.join([*arguments, *named])})"
        if len(call) > _LINE:
            lines = "".join(f"    {line},\n" for line in (", ".join(arguments), *named))
            call = f"{self.call}(\n{lines})"
        if self.kinds and kind not in ("", self.kinds[0][1]):
            call = f"report = {call}\nreport.plot(kind={written(kind)})"
        nodes = list(nodes_of(values.values()))
        imports = [*self.imports, *imports_of(nodes, call)]
        before = []
        if any(isinstance(node, Members) for node in nodes):
            imports = list(dict.fromkeys(["import toolkit as tk", *imports]))
            before = [f"cohorts = tk.cohorts({names.get('profiles', 'profiles')})"]
        return "\n\n".join(["\n".join(imports), *before, call]).lstrip()


def _event(raw: Any, choices: Choices) -> str:
    if not isinstance(raw, str) or not raw:
        raise ArgumentError("choose an event")
    if raw not in choices.event_names:
        hint = did_you_mean(raw, choices.event_names)
        raise ArgumentError(f'no event is named "{raw:.60}"; choose one of the list.{hint}')
    return raw


def _same(value: Any, default: Any) -> bool:
    if isinstance(value, Expression) or isinstance(default, Expression):
        return isinstance(value, Expression) and value.same_as(default)
    if isinstance(value, list | tuple) and isinstance(default, list | tuple):
        return len(value) == len(default) and all(map(_same, value, default))
    return type(value) is type(default) and bool(value == default)


def _named(by: Any) -> str:
    """Return what may be there once: a property is the same however it is cut."""
    label: str = label_of(by) if isinstance(by, Members) else by.label
    return label


def _width(values: Sequence[Any]) -> float:
    """Return a round width that cuts numbers into some ten steps."""
    numbers = [abs(each) for each in values if isinstance(each, int | float)]
    largest = max(numbers, default=0) or 100
    power = 10.0 ** math.floor(math.log10(largest / 10)) if largest < 1e300 else 1e299
    return next(power * n for n in (1, 2, 5, 10) if power * n * 10 >= largest)
