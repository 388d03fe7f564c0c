"""What every report asks first: whose events, broken down by what, limited to which, and when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import tzinfo
from functools import cached_property
from typing import Self

import numpy as np

from toolkit.columns import Mask
from toolkit.events import AnyEvents, At, Events, Profiles
from toolkit.expressions import Expression, Property, as_expression
from toolkit.reports.question import remarks
from toolkit.reports.question.breakdowns import Breakdown, By, as_breakdown
from toolkit.reports.question.periods import Moment, Periods, as_zone, periods
from toolkit.reports.question.selection import Selection


@dataclass(frozen=True, eq=False)
class Terms:
    """What a report is broken down by and limited to.

    Attributes
    ----------
    by
        The breakdown; None if there is none.
    where
        What has to be true; None is nothing.
    tz
        The time zone as given; None is UTC.
    """

    by: Breakdown | None
    where: Expression | None
    tz: str | tzinfo | None

    @classmethod
    def read(
        cls,
        *,
        by: By,
        where: str | Expression | None,
        tz: str | tzinfo | None,
        side: str = "event",
    ) -> Terms:
        """Return the terms of a report's arguments; a bare name is a property of *side*."""
        breakdown = as_breakdown(by, as_zone(tz), side)
        return Terms(breakdown, None if where is None else as_expression(where), tz)

    @property
    def definition(self) -> dict[str, object]:
        """The arguments, by name."""
        return {
            "by": None if self.by is None else self.by.label,
            "where": None if self.where is None else self.where.text,
            "tz": None if self.tz is None else str(self.tz),
        }

    def titled(self, title: str) -> str:
        """Return the title of a report, with its breakdown and its filter."""
        title += "" if self.by is None else f" by {self.by.label}"
        return title if self.where is None else f"{title}, where {self.where.text}"

    @property
    def together(self) -> Self:
        """The same without a breakdown."""
        return replace(self, by=None)


@dataclass(frozen=True, eq=False)
class ReportScope(Terms):
    """The terms of a report on events, and its events next to their users.

    Attributes
    ----------
    everything
        All events next to their users.
    profiles
        The profiles as given.
    observed
        The first and the last time of all events that take part in reports; None if there
        are not.
    start, end
        The range as given.
    at
        Which state of a user counts.
    """

    everything: Selection
    profiles: Profiles | None
    observed: tuple[int, int] | None
    start: Moment | None
    end: Moment | None
    at: At

    @classmethod
    def of(
        cls,
        events: AnyEvents,
        profiles: Profiles | None,
        *,
        by: By,
        where: str | Expression | None,
        start: Moment | None,
        end: Moment | None,
        tz: str | tzinfo | None,
        at: At,
    ) -> ReportScope:
        """Return the scope of a report's arguments.

        Raises
        ------
        ReportError, ExpressionError, EventsError
            If one of them cannot be read.
        """
        terms = Terms.read(by=by, where=where, tz=tz)
        everything = Selection.of(events, profiles, at)
        observed = everything.visible.observed
        return cls(terms.by, terms.where, tz, everything, profiles, observed, start, end, at)

    def part(self, users: Mask) -> ReportScope:
        """Return the scope of some users alone; the range is that of all of them.

        Parameters
        ----------
        users
            Of each distinct ID, in the order of ``events.ids.texts``, and last of no ID:
            whether its events are among them.
        """
        whole = self.everything
        events = whole.events
        now = whole.now if whole.now is not None or self.observed is None else self.observed[1]
        rows = np.flatnonzero(events.is_counted & users[events.ids.codes])
        columns = (events.event_column, events.id_column, events.time_column)
        some = Selection.of(Events(events.frame.iloc[rows], *columns), self.profiles, self.at)
        return replace(self, everything=replace(some, snapshot=whole.snapshot, now=now))

    @cached_property
    def visible(self) -> Selection:
        """The events that take part in reports."""
        return self.everything.visible

    @property
    def is_ranged(self) -> bool:
        """Whether a range was given."""
        return self.start is not None or self.end is not None

    def periods(self, unit: str | None) -> Periods:
        """Return the range, cut into buckets of a unit; by default that of all events."""
        return periods(unit, self.start, self.end, self.tz, self.observed)

    @property
    def definition(self) -> dict[str, object]:
        """The arguments, by name."""
        return {**super().definition, "start": self.start, "end": self.end, "at": self.at}

    def titled(self, title: str) -> str:
        """Return the title of a report, with its breakdown, its filter and whose state counts."""
        title = super().titled(title)
        return title if self.at == "latest" or self.by is None else f"{title} at {self.at}"

    def notes(
        self,
        range_: Periods,
        counted: Selection,
        names: list[str | None],
        conditions: list[Expression | None],
        *,
        own: Iterable[str] = (),
        further: Iterable[Property] = (),
        before_filter: bool = False,
        left_out_of: list[str | None] | None = None,
    ) -> list[str]:
        """Return what one should know before trusting the numbers, as sentences.

        Parameters
        ----------
        range_
            The range of the report.
        counted
            The events that it is about, for what is not known of their users.
        names
            The events asked for; None is any.
        conditions
            What the report looks at in them, its filter among it.
        own
            What the report itself has to say of its events.
        further, before_filter
            As for :func:`remarks.of_users`.
        left_out_of
            The events of which it says how many are left out; by default those asked for.
        """
        everything = self.everything
        return [
            *remarks.unknown_names(names, everything.events.names),
            *remarks.empty_range(self.start, self.end, range_, self.visible),
            *remarks.never_true(everything, conditions),
            *remarks.of_users(
                counted, self.by, conditions, before_filter=before_filter, further=further
            ),
            *own,
            *remarks.left_out(everything, names if left_out_of is None else left_out_of, range_),
        ]
