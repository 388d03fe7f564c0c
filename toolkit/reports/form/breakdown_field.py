"""What a report is broken down by, and what it measures, as fields of its form."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from toolkit.base import ArgumentError
from toolkit.expressions import Members, Property, as_property
from toolkit.reports.form.choices import COHORT, Choices, label_of
from toolkit.reports.form.fields import PropertyField
from toolkit.reports.question.breakdowns import Breakdown
from toolkit.reports.question.buckets import ByCalendar, ByRange, bucket

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


@dataclass(frozen=True, kw_only=True)
class BreakdownField(PropertyField):
    """What to break down by: properties, numbers in steps, times by the calendar, cohorts.

    Labels are those of properties, or with how they are cut: ``"user.age / 10"``,
    ``"user.$created / month"``; of a saved cohort ``"cohort.Paying"``.
    """

    may_be_cohort: bool = True

    def read(self, raw: Any, choices: Choices) -> Any:
        found = [self._breakdown(label, choices) for label in raw if label]
        if len(found) > self.most:
            raise ArgumentError(f"{len(found)} properties; choose at most {self.most}")
        if len({_named(each) for each in found}) < len(found):
            raise ArgumentError("a property is there twice; choose each once")
        return None if not found else found[0] if len(found) == 1 else found

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
        found = {}
        for label, shown in super().offered(choices).items():
            found[label] = shown
            about = choices.about(choices.properties[label].property)
            if about.type == "time" or about.has_dates:
                found |= {f"{label}{_CUT}{each}": f"{shown}, by {each}" for each in _CALENDARS}
            elif about.type == "number":
                width = _width(about.values)
                found[f"{label}{_CUT}{width:g}"] = f"{shown}, in steps of {width:g}"
        return found

    def raw(self, value: Any) -> Any:
        values = value if isinstance(value, list | tuple) else [] if value is None else [value]
        return [_label(each) for each in values]


def _named(by: Any) -> str:
    """Return what may be there once: a property is the same however it is cut."""
    label: str = label_of(by) if isinstance(by, Members) else by.label
    return label


def _label(by: Any) -> str:
    if isinstance(by, ByCalendar):
        return f"{by.prop.label}{_CUT}{by.by}"
    if isinstance(by, ByRange) and not by.edges:
        return f"{by.prop.label}{_CUT}{by.width:g}"
    if isinstance(by, Breakdown):
        raise ArgumentError(f"the form has no way to show {by.label}; make the report in Python")
    return label_of(by if isinstance(by, Members) else as_property(by))


def _width(values: Sequence[Any]) -> float:
    """Return a round width that cuts numbers into some ten steps."""
    numbers = [abs(each) for each in values if isinstance(each, int | float)]
    largest = max(numbers, default=0) or 100
    power = 10.0 ** math.floor(math.log10(largest / 10)) if largest < 1e300 else 1e299
    return next(power * n for n in (1, 2, 5, 10) if power * n * 10 >= largest)
