"""Profile report: how many profiles there are, or what of a property, without events."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from datetime import tzinfo
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.base import (
    NO_TIME,
    Json,
    ReportError,
    check_number,
    count,
    display_name,
    quoted,
)
from toolkit.columns import COMPUTED, Column, Instants, Mask, Positions, ProfileRows, Snapshot
from toolkit.events import AnyEvents, Events, Profiles, as_events, as_snapshot
from toolkit.expressions import (
    Expression,
    Property,
    Scope,
    Side,
    Tally,
    is_known,
    mask_of,
    never_true,
    unknown,
    user_property,
)
from toolkit.profiles import saved_ids
from toolkit.reports.drawing import plots
from toolkit.reports.form.fields import (
    OF_PROPERTY,
    BreakdownField,
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
from toolkit.reports.numbers.tally import ReportTally, TopPlan
from toolkit.reports.question.breakdowns import Breakdown, By, shown_property
from toolkit.reports.question.ranked import Ranked
from toolkit.reports.question.remarks import unknown_names
from toolkit.reports.question.scope import Terms
from toolkit.reports.question.segments import NOT_SET, OTHER, Segments, occurring
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
        Its ``table`` has a column named after each breakdown (its dtype is as for
        :func:`segmentation`) and ``count`` (``int64``), or of a property ``value``: ``int64`` for
        sums of integers and distinct values, else ``float64``, NaN where there is nothing
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
    terms = Terms.read(by=by, where=where, tz=tz, side="user")
    breakdown, condition = terms.by, terms.where
    check_number("top", top)
    if top is not None and breakdown is None:
        raise ReportError("top= needs a breakdown, and the report has none (by=None)")
    people = _People.of(profiles, None if events is None else as_events(events))
    asked = [*(() if condition is None else condition.properties)]
    asked += [] if breakdown is None else breakdown.properties
    asked += [] if number is None else [number]
    for prop in asked:
        if prop.side == "event":
            raise ReportError(
                f"{prop.text} is a property of events, and profile_report has profiles alone; "
                f"write {Property('user', prop.name).python}"
            )
        if prop.group_key not in (None, getattr(profiles, "group_key", None)):
            raise ReportError(
                f"{prop.text} is of groups, and these are other profiles; report on "
                f'profiles.groups("{prop.group_key}"), or on events, which name groups'
            )
        computed = COMPUTED.get(prop.name)
        if computed is not None and computed.needs_events and people.events is None:
            shown = display_name(prop.name)
            raise ReportError(f"{prop.text} ({shown}) is calculated from events; give events=")
    plan = ProfilePlan(people, terms, measure, number, top)
    definition = {
        "measure": measure,
        "of": None if number is None else number.label,
        "top": top,
        **terms.definition,
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
    return ProfileReport(plan, definition, notes)


def _property(measure: str, of: Any) -> Property | None:
    if measure in _COUNTS:
        if of is not None:
            raise ReportError(f'measure="count" uses no property, and of={quoted(of):.40} is given')
        return None
    if of is None:
        raise ReportError(f'measure="{measure}" needs of=, a property such as user["age"]')
    return shown_property(of, "user")


@dataclass(frozen=True, eq=False)
class _People(Scope):
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

    def part(self, mask: Mask) -> _People:
        """Return some of the users, for each of them a truth."""
        profiles, strangers = np.split(mask, [len(self.snapshot)])
        return replace(
            self, snapshot=self.snapshot.keep(profiles), strangers=self.strangers[strangers]
        )

    def __len__(self) -> int:
        return len(self.snapshot) + len(self.strangers)

    def distinct_ids(self) -> pa.Array:
        return self.ids

    def members(self, name: str) -> pa.Array:
        return self.saved(name)

    def tally(self, node: Tally) -> Column:
        if self.selection is None:
            raise ReportError(f"{node.text} counts events, and there are none here; give events=")
        column = self.selection.tally(node)
        codes = self._codes
        return column.take(np.where(codes < 0, len(column) - 1, codes))  # COHORT-1

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

    def column(self, side: Side, name: str) -> Column | Instants:
        nobody = np.full(len(self.strangers), -1)
        at = np.append(np.arange(len(self.snapshot)), nobody) if len(nobody) else None
        begun = None if self.events is None else self._begun
        return ProfileRows(self.snapshot, at, lambda: self.ids, begun).column(name)

    def _begun(self) -> Positions:
        """Return the time of the first event of each."""
        assert self.events is not None
        times: Positions = np.append(self.events.first_times, NO_TIME)[self._codes]
        return times


@dataclass(frozen=True, eq=False)
class ProfilePlan(TopPlan):
    """What is counted of whom; by users, as :class:`ReportPlan` says.

    Attributes
    ----------
    people
        The users that may count.
    terms
        What they are broken down by and limited to.
    measure, number
        What is counted, and of which property.
    top, largest
        As for :class:`TopPlan`.
    """

    people: _People
    terms: Terms
    measure: str
    number: Property | None
    top: int | None
    largest: tuple[frozenset[Hashable], ...] | None = None

    @property
    def by(self) -> Breakdown | None:
        """The breakdown."""
        return self.terms.by

    def on(self, people: _People) -> ProfilePlan:
        """Return the same plan for other users."""
        return replace(self, people=people)

    @cached_property
    def people_counted(self) -> Positions:
        """Who of the users counts."""
        if self.terms.where is None:
            return np.arange(len(self.people))
        return np.flatnonzero(mask_of(self.terms.where, self.people))

    def _segments(self, by: Breakdown) -> Segments:
        each = [part.segments(self.people) for part in by.parts]
        return each[0] if len(each) == 1 else Segments.crossed(each)

    def _size(self, tally: ReportTally) -> Any:
        return tally.counted[0].values()[:, 0]

    @cached_property
    def amounts(self) -> Amounts | None:
        """The values of the property of everybody."""
        if self.number is None:
            return None
        cells = self.people.column("user", self.number.name)
        return (Amounts.distinct if self.measure == "distinct" else Amounts.numbers)(cells)

    @property
    def beside(self) -> tuple[Positions, Any]:
        """Who is counted and in which segment, each once in each of its segments."""
        return self._beside(self.segments)

    def _beside(self, segments: Segments | None) -> tuple[Positions, Any]:
        if segments is None:
            return self.people_counted, np.zeros(len(self.people_counted), np.int64)
        rows, codes = segments.beside(self.people_counted)
        return (self.people_counted if rows is None else self.people_counted[rows]), codes

    def count(self) -> ReportTally:
        """Return what is counted."""
        return replace(self._count_sizes(self.segments), is_closed=self._is_closed)

    def _count_sizes(self, segments: Segments | None) -> ReportTally:
        who, codes = self._beside(segments)
        size, used = 1, np.zeros(1, np.int64)
        if segments is not None:
            used, codes = occurring(codes, len(segments))
            size = len(used)
        buckets = np.zeros(len(who), np.int64)
        happened = Happened(who, buckets, codes, who, (size, 1), len(self.people))
        counted = measures.counted(self.measure, happened, self.amounts)
        return ReportTally(None if segments is None else segments.values, used, (counted,))

    def answer(self, tally: ReportTally) -> tuple[Ranked, Any]:
        """Return the segments in the order of the table, and the value of each."""
        values = self._size(tally)
        ranked = tally.ranked(self.by, values)
        return ranked, values[ranked.order]


class ProfileReport(Report):
    """How many profiles there are, or what of a property; made by :func:`profile_report`."""

    def __init__(
        self, plan: ProfilePlan, definition: Mapping[str, object], notes: list[str]
    ) -> None:
        self._plan = plan
        self._ranked, self._values = plan.answer(plan.count())
        self._noun = measures.noun(plan.measure, None if plan.number is None else plan.number.label)
        if plan.people.events is not None and plan.measure == "count":
            self._noun = "users"
        title = plan.terms.titled(self._noun[0].upper() + self._noun[1:])
        name = "count" if measures.is_count(plan.measure) else "value"
        table = pd.DataFrame({**self._ranked.columns(1), name: self._values})
        super().__init__(title, definition, table, [*notes, *self._notes()])

    def _notes(self) -> list[str]:
        plan, sentences = self._plan, []
        amounts = plan.amounts
        if amounts is not None and (number := int(amounts.refused[plan.people_counted].sum())):
            sentences.append(
                f"Left out of the {self._noun}, because of a value that is not a number: "
                f"{count(number, 'user')}."
            )
        if len(plan.people.strangers):
            strange = count(len(plan.people.strangers), "distinct ID")
            sentences.append(
                f"Seen in events and without a profile, so {NOT_SET} in every property: {strange}."
            )
        if plan.by is not None:
            for part, labels in zip(plan.by.parts, self._ranked.levels, strict=True):
                if (odd := getattr(part, "odd", "")) and odd in labels:
                    sentences.append(f"Values that fit no bucket of {part.label} are in {odd}.")
                if OTHER in labels:
                    sentences.append(
                        f"In addition to the {plan.top} largest of {part.label} is {OTHER}."
                    )
        return sentences

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
        who, codes = self._plan.beside
        if place is not None:
            who = who[codes == self._ranked.codes[place]]
        amounts = self._plan.amounts
        if amounts is not None and amounts.owners is not None:
            who = who[np.isin(who, amounts.owners)]
        ids: list[str] = sorted(self._plan.people.ids.take(pa.array(np.unique(who))).to_pylist())
        return ids

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
        names = self._ranked.names if self._plan.by is not None else [self._noun]
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
    about="How many profiles there are, or a measure of one of their properties.",
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
