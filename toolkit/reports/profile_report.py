"""Profile report: how many profiles there are, or what of a property, without events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.base import (
    FIRST_SEEN,
    LAST_SEEN,
    NO_TIME,
    Json,
    ReportError,
    check_number,
    count,
    quoted,
)
from toolkit.columns import Column, Positions, Snapshot
from toolkit.events import AnyEvents, Events, Profiles, as_events, as_snapshot
from toolkit.expressions import (
    Expression,
    Instants,
    Property,
    Tally,
    as_expression,
    is_known,
    mask_of,
    never_true,
    unknown,
    user_property,
)
from toolkit.profiles import saved_ids
from toolkit.reports.drawing import plots
from toolkit.reports.drawing.spots import Cell
from toolkit.reports.form.breakdown_field import OF_PROPERTY, BreakdownField
from toolkit.reports.form.fields import (
    ChoiceField,
    Declaration,
    FilterField,
    NumberField,
    PropertyField,
    ZoneField,
)
from toolkit.reports.numbers import measures
from toolkit.reports.numbers.amounts import Amounts
from toolkit.reports.numbers.measures import Happened
from toolkit.reports.question.breakdowns import Breakdown, By, as_breakdown, shown_property
from toolkit.reports.question.periods import as_zone
from toolkit.reports.question.ranked import Ranked
from toolkit.reports.question.remarks import unknown_names
from toolkit.reports.question.segments import NOT_SET, OTHER, Segments, WithOther
from toolkit.reports.question.selection import Selection
from toolkit.reports.report import Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COUNTS: Final = ("count",)


def profile_report(
    profiles: Profiles,
    *,
    events: AnyEvents | None = None,
    measure: str = "count",
    of: str | Property | None = None,
    by: By = None,
    top: int | None = None,
    where: str | Expression | None = None,
    tz: str | tzinfo | None = None,
) -> ProfileReport:
    """Return how many profiles there are, or what of a property of theirs.

    Parameters
    ----------
    profiles
        The profiles, in their latest state.
    events
        Counts also the users seen in these events who have no profile: all their
        properties are not set. Needed for First Seen, and for what users did, such as
        ``where=tk.did("Buy")``. None counts profiles only.
    measure
        ``"count"`` counts profiles. ``"sum"``, ``"average"``, ``"median"``, ``"min"``, ``"max"``, a
        percentile such as ``"p90"`` and ``"distinct"`` are of the property *of*.
    of
        A property of the user, of a list its elements.
    by
        What to break the numbers down by: ``user["plan"]``, ``tk.bucket(user["age"], 10)``,
        or a list of these.
    top
        How many segments of each breakdown are shown, the largest; all others but ``(not
        set)`` are counted together as ``(other)``.
    where
        Counts only users for whom this expression (or its text form) is true.
    tz
        The time zone of buckets of a time; None is UTC.

    Returns
    -------
    ProfileReport
        Its ``table`` has a column named after each breakdown (``str``) and ``value``: ``int64``
        for counts and for sums of integers, else ``float64``, NaN where there is nothing
        to make it of. The order is that of :func:`segmentation`.

    Raises
    ------
    ReportError
        If an argument is none of the above.
    ExpressionError
        If *where*, *by* or *of* cannot be read, or looks at events.

    Examples
    --------
    >>> from toolkit import ProfileTable, user
    >>> profiles = ProfileTable()
    >>> people = {"ann": {"plan": "pro", "age": 30}, "bob": {"plan": "pro", "age": 20}, "eve": {}}
    >>> profiles.apply([{"$distinct_id": who, "$set": of} for who, of in people.items()])
    <ApplyResult: 3 applied, 3 created>
    >>> profile_report(profiles, by=user["plan"], measure="average", of=user["age"]).table
       user.plan  value
    0        pro   25.0
    1  (not set)    NaN
    """
    measure = measures.as_measure(measure, _COUNTS)
    number = _property(measure, of)
    breakdown = as_breakdown(_of_users(by), as_zone(tz))
    condition = None if where is None else as_expression(where)
    check_number("top", top)
    if top is not None and breakdown is None:
        raise ReportError("top= needs a breakdown, and the report has none (by=None)")
    people = _People.of(profiles, None if events is None else as_events(events))
    asked = [*(() if condition is None else condition.properties)]
    asked += [] if breakdown is None else breakdown.properties
    asked += [] if number is None else [number]
    for prop in asked:
        if prop.side == "event":
            raise ReportError(f"{prop.text} is of events; a report on profiles is of users alone")
        if prop.group_key not in (None, getattr(profiles, "group_key", None)):
            raise ReportError(
                f"{prop.text} is of groups, and these are other profiles; report on "
                f'profiles.groups("{prop.group_key}"), or on events, which name groups'
            )
        if prop.name == FIRST_SEEN and people.events is None:
            raise ReportError(f"{prop.text} (First Seen) is worked out from events; give events=")
    chosen = np.arange(len(people))
    if condition is not None:
        chosen = np.flatnonzero(mask_of(condition, people))
    question = _Question(people, chosen, measure, number, breakdown, top)
    definition = {
        "measure": measure,
        "of": None if number is None else number.label,
        "by": None if breakdown is None else breakdown.label,
        "top": top,
        "where": None if condition is None else condition.text,
        "tz": None if tz is None else str(tz),
        "events": events is not None,
    }
    notes = [
        unknown(name, people.snapshot)
        for name in dict.fromkeys(prop.name for prop in asked)
        if not is_known(name, people.snapshot)
    ]
    if condition is not None:
        notes += never_true(condition, lambda node: user_property(node, people.snapshot))
        did = [node.event for node in condition._walked() if isinstance(node, Tally)]
        notes += unknown_names(did, () if people.events is None else people.events.names)
    return ProfileReport(question, definition, notes)


def _property(measure: str, of: Any) -> Property | None:
    if measure in _COUNTS:
        if of is not None:
            raise ReportError(
                f'measure="count" is of no property, and of={quoted(of):.40} is given'
            )
        return None
    if of is None:
        raise ReportError(f'measure="{measure}" needs of=, a property such as user["age"]')
    return shown_property(_of_users(of))


def _of_users(given: Any) -> Any:
    """Return what was given, a bare name as a property of the user."""
    if isinstance(given, list | tuple):
        return [_of_users(each) for each in given]
    is_name = isinstance(given, str) and "[" not in given
    return Property("user", given) if is_name else given


@dataclass(frozen=True, eq=False)
class _People:
    """Who is counted, as the rows of an expression: the profiles, then who has none.

    Attributes
    ----------
    snapshot
        The profiles.
    events
        None if only they count.
    strangers
        The IDs in the events that have no profile, as positions in ``events.ids.texts``.
    saved
        Returns the distinct IDs of a saved cohort.
    selection
        The events next to the profiles, for what users did; None if there are none.
    """

    snapshot: Snapshot
    events: Events | None
    strangers: Positions
    saved: Callable[[str], pa.Array]
    selection: Selection | None = None

    @classmethod
    def of(cls, profiles: Profiles, events: Events | None) -> _People:
        snapshot, saved = as_snapshot(profiles), partial(saved_ids, profiles)
        if events is None:
            return cls(snapshot, None, np.zeros(0, np.int64), saved)
        is_strange = (events.rows(snapshot) < 0) & (events.first_times != NO_TIME)
        selection = Selection.of(events, profiles, "latest")
        return cls(snapshot, events, np.flatnonzero(is_strange), saved, selection)

    def __len__(self) -> int:
        return len(self.snapshot) + len(self.strangers)

    def distinct_ids(self) -> pa.Array:
        return self.ids

    def members(self, name: str) -> pa.Array:
        return self.saved(name)

    def tally(self, node: Tally) -> Column:
        if self.selection is None:
            raise ReportError(f"{node.text} counts events, and there are none here; give events=")
        found = self.selection.tally(node)
        codes = self._codes
        return found.take(np.where(codes < 0, len(found) - 1, codes))  # COHORT-1

    @property
    def _codes(self) -> Positions:
        """Return where each is among the IDs of the events, -1 if nowhere."""
        assert self.events is not None
        codes = pc.index_in(self.snapshot.ids, value_set=self.events.ids.texts)
        codes = pc.fill_null(codes, -1).to_numpy().astype(np.int64)
        return np.concatenate([codes, self.strangers])

    @property
    def ids(self) -> pa.Array:
        """The distinct ID of each."""
        if self.events is None:
            return self.snapshot.ids
        strange = self.events.ids.texts.take(pa.array(self.strangers))
        return pa.concat_arrays([self.snapshot.ids, strange.cast(pa.large_string())])

    def column(self, side: str, name: str) -> Column | Instants:
        if name == "$distinct_id":
            return Column.of_array(self.ids)
        nobody = np.full(len(self.strangers), NO_TIME)
        if name == LAST_SEEN:
            return Instants(np.concatenate([self.snapshot.last_seen, nobody]))
        if name == FIRST_SEEN and self.events is not None:
            first = np.append(self.events.first_times, NO_TIME)
            return Instants(first[self._codes])
        return self.snapshot.column(name).followed_by(Column.absent(len(self.strangers)))


@dataclass(frozen=True, eq=False)
class _Question:
    """What is counted of whom."""

    people: _People
    chosen: Positions
    measure: str
    number: Property | None
    by: Breakdown | None
    top: int | None

    def segments(self) -> Segments | None:
        """Return the segments of everybody, those beyond the largest as one."""
        if self.by is None:
            return None
        each = [self._topped(part) for part in self.by.parts]
        return each[0] if len(each) == 1 else Segments.crossed(each)

    def _topped(self, by: Breakdown) -> Segments:
        segments = by.segments(self.people)
        if self.top is None:
            return segments
        used, values = self.values(segments)
        ranked = Ranked.of(by, segments, used, values, by_size=True)
        others = ranked.codes[~ranked.is_unset][self.top :]
        if not len(others):
            return segments
        codes = np.arange(len(segments))
        codes[others] = len(segments)
        return segments.recoded(codes, WithOther(segments.values))

    def amounts(self) -> Amounts | None:
        if self.number is None:
            return None
        cells = self.people.column("user", self.number.name)
        return (Amounts.distinct if self.measure == "distinct" else Amounts.numbers)(cells)

    def beside(self, segments: Segments | None) -> tuple[Positions, Any]:
        """Return who is counted and in which segment, each once in each of its segments."""
        if segments is None:
            return self.chosen, np.zeros(len(self.chosen), np.int64)
        rows, codes = segments.beside(self.chosen)
        return (self.chosen if rows is None else self.chosen[rows]), codes

    def values(self, segments: Segments | None) -> tuple[Positions, Any]:
        """Return which segments occur, ascending, and the value of each."""
        who, codes = self.beside(segments)
        size = 1 if segments is None else len(segments)
        there = np.bincount(codes, minlength=size)
        used = np.arange(1) if segments is None else np.flatnonzero(there)
        buckets = np.zeros(len(who), np.int64)
        happened = Happened(who, buckets, codes, who, (size, 1), len(self.people))
        return used, measures.values(self.measure, happened, self.amounts())[used, 0]


class ProfileReport(Report):
    """How many profiles there are, or what of a property; made by :func:`profile_report`."""

    def __init__(
        self, question: _Question, definition: Mapping[str, object], notes: list[str]
    ) -> None:
        self._question = question
        self._segments = question.segments()
        used, values = question.values(self._segments)
        if question.by is None or self._segments is None:
            self._ranked = Ranked.whole()
        else:
            self._ranked = Ranked.of(question.by, self._segments, used, values)
        self._values = values[self._ranked.order]
        self._noun = measures.noun(
            question.measure, None if question.number is None else question.number.label
        )
        if question.people.events is not None and question.measure == "count":
            self._noun = "users"
        title = self._noun
        if definition["by"] is not None:
            title += f" by {definition['by']}"
        if definition["where"] is not None:
            title += f", where {definition['where']}"
        table = pd.DataFrame({**self._ranked.columns(1), "value": self._values})
        super().__init__(title[0].upper() + title[1:], definition, table, [*notes, *self._notes()])

    def _notes(self) -> list[str]:
        question, found = self._question, []
        amounts = question.amounts()
        if amounts is not None and (number := int(amounts.refused[question.chosen].sum())):
            found.append(
                f"Left out of the {self._noun}, for a value that is not a number: "
                f"{count(number, 'user')}."
            )
        if len(question.people.strangers):
            strange = count(len(question.people.strangers), "distinct ID")
            found.append(
                f"Seen in events and without a profile, so {NOT_SET} in every property: {strange}."
            )
        if question.by is not None:
            for part, labels in zip(question.by.parts, self._ranked.levels, strict=True):
                if (odd := getattr(part, "odd", "")) and odd in labels:
                    found.append(f"What is set and fits no bucket of {part.label} is in {odd}.")
                if OTHER in labels:
                    found.append(f"Beside the {question.top} largest of {part.label} is {OTHER}.")
        return found

    def users(self, *, segment: Json = None) -> list[str]:
        """Return the distinct IDs behind a cell, sorted.

        Parameters
        ----------
        segment
            A segment as the table calls it, or its value; of several breakdowns a tuple.
            None is everybody.

        Raises
        ------
        ReportError
            If the report has no such segment.
        """
        place = self._ranked.find(segment)
        who, codes = self._question.beside(self._segments)
        if place is not None:
            who = who[codes == self._ranked.codes[place]]
        amounts = self._question.amounts()
        if amounts is not None and amounts.owners is not None:
            who = who[np.isin(who, amounts.owners)]
        ids: list[str] = sorted(
            self._question.people.ids.take(pa.array(np.unique(who))).to_pylist()
        )
        return ids

    def cell(self, row: int) -> Cell:
        """Return the arguments with which :meth:`users` gives the IDs behind a row of the table.

        Raises
        ------
        ReportError
            If the table has no such row.
        """
        return self._ranked.cell(self._checked(row))

    def plot(self, ax: Axes | None = None, *, top: int | None = None) -> Axes:
        """Draw one bar per segment, and return the Axes.

        Parameters
        ----------
        ax
            Where to draw; by default on a new figure.
        top
            How many segments to draw, in the order of the table: 24 by default.
        """
        shown, legend = self._ranked.drawn(top, 2 * plots.MOST_BARS)
        names = self._ranked.names if self._question.by is not None else [self._noun]
        places = {names[at]: at for at in shown}
        return plots.bars(
            ax,
            [(names[at], self._values[at]) for at in shown],
            title=self.title,
            of=self._noun,
            by=legend,
            cell=lambda label: self._ranked.cell(places[label]),
        )


DECLARATION: Final = Declaration(
    title="Profiles",
    function=profile_report,
    call="tk.profile_report",
    about="How many profiles there are, or what of a property of theirs.",
    inputs=("profiles",),
    fields=(
        ChoiceField(
            name="measure",
            label="Measure",
            default="count",
            options=(("Number of profiles", "count"), *OF_PROPERTY),
        ),
        PropertyField(
            name="of",
            label="Of the property",
            sides=("user",),
            is_required=True,
            when=("measure", tuple(value for _, value in OF_PROPERTY)),
        ),
        BreakdownField(
            name="by", label="Break down by", help="One bar per value.", sides=("user",), most=3
        ),
        NumberField(
            name="top",
            label="Top segments",
            help="All others as one; empty: each for itself.",
            is_whole=True,
            least=1,
            most=10_000,
        ),
        FilterField(name="where", label="Filter"),
        ZoneField(name="tz", label="Time zone", help="Of days and months.", empty="UTC"),
    ),
)
