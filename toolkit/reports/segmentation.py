"""Segmentation: how many events, or users, over time and by a property."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

import numpy as np
import pandas as pd
import pyarrow as pa

from toolkit.columns import Positions
from toolkit.errors import ReportError
from toolkit.events import AnyEvents
from toolkit.expressions import Expression, as_expression
from toolkit.join import At, Profiles
from toolkit.reports import plots, remarks
from toolkit.reports.base import Report
from toolkit.reports.breakdowns import Breakdown, By, as_breakdown
from toolkit.reports.fields import (
    AT,
    RANGE,
    ChoiceField,
    Declaration,
    EventField,
    FilterField,
    PropertyField,
    declare,
    unit_field,
)
from toolkit.reports.periods import MOST_ROWS, Moment, Periods, Unit, periods
from toolkit.reports.ranked import Ranked
from toolkit.reports.segments import Segments
from toolkit.reports.selection import Selection
from toolkit.reports.spots import Cell
from toolkit.series import Codes
from toolkit.values import Json
from toolkit.wording import count, listed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Measure: TypeAlias = Literal["total", "unique"]

_COUNTED: Final[dict[Measure, str]] = {"total": "events", "unique": "users"}
# Up to this many (user, cell) pairs are ticked off in memory, a byte each: three
# times as fast as sorting.
_TICKED: Final = 2**28


def segmentation(
    events: AnyEvents,
    profiles: Profiles | None,
    event: str | None,
    *,
    measure: Measure = "total",
    by: By = None,
    unit: Unit | None = "day",
    where: str | Expression | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
    tz: str | tzinfo | None = None,
    at: At = "latest",
) -> Segmentation:
    """Return how often an event happened, or to how many users, over time.

    Parameters
    ----------
    events
        An :class:`Events`, or a DataFrame with the usual column names.
    profiles
        The profiles, joined in their latest state (JOIN-1). None if neither *by* nor
        *where* looks at a user property.
    event
        The name of the event; None counts every event.
    measure
        ``"total"`` counts events, ``"unique"`` the distinct IDs among them. Events
        without an ID count as events and as no user.
    by
        A property to break the numbers down by: ``user["plan"]``, ``event["item"]``,
        or text, which is a property of the event.
    unit
        ``"hour"``, ``"day"``, ``"week"`` (from Monday), ``"month"``, ``"quarter"``, ``"year"``
        of the calendar in *tz*; None counts the range as a whole.
    where
        Counts only events for which this expression (or its text form) is true.
    start, end
        The range. A date is a day in *tz*, and as the end part of the range; a time is
        the first moment in it, or the first after it. By default the range is that
        of all events, whatever their name, in whole hours (for weeks and longer
        units in whole days).
    tz
        A time zone such as ``"Europe/Oslo"``; None is UTC.
    at
        ``"latest"``: user properties as they are now (JOIN-1). ``"event time"``: as they
        were at each event (JOIN-4).

    Returns
    -------
    Segmentation
        Its ``table`` has a column named after the breakdown (``user.plan``; ``str``), a
        column ``time`` (start of the bucket, ``datetime64[us, tz]``; absent for
        ``unit=None``) and ``value`` (``int64``). Every segment that occurs has a row for
        every bucket of the range, zeros included. Segments with larger values come
        first, equal ones by name, and ``(not set)`` last.

    Raises
    ------
    ReportError
        If an argument is none of the above.
    ExpressionError
        If *where* or *by* cannot be read.
    EventsError
        If the events lack a column, or a property that is asked for.

    Notes
    -----
    An absent profile, an absent property and null fall in the segment ``(not set)``,
    ``""`` in ``(empty string)``, ``[]`` in ``(empty list)``. With a list the event
    counts once in each distinct element's segment.

    Examples
    --------
    >>> from toolkit import ProfileTable, user
    >>> profiles = ProfileTable()
    >>> profiles.set("ann", {"plan": "pro"})
    <ApplyResult: 1 applied, 1 created>
    >>> df = pd.DataFrame(
    ...     {
    ...         "event": "Buy",
    ...         "distinct_id": ["ann", "ann", "bob"],
    ...         "time": ["2026-05-01T10:00Z", "2026-05-01T12:00Z", "2026-05-02T09:00Z"],
    ...     }
    ... )
    >>> segmentation(df, profiles, "Buy", by=user["plan"], unit=None).table
       user.plan  value
    0        pro      2
    1  (not set)      1
    """
    if measure not in _COUNTED:
        raise ReportError(
            f"measure={measure!r} is unknown; allowed are {listed(get_args(Measure))}"
        )
    if event is not None and not isinstance(event, str):
        raise ReportError(f"event is one name or None for every event, not {event!r}")
    prop = as_breakdown(by)
    condition = None if where is None else as_expression(where)
    everything = Selection.of(events, profiles, at)
    visible = everything.visible
    range_ = periods(unit, start, end, tz, visible.observed)
    named = visible.named(event)
    if start is not None or end is not None:
        named = named.between(range_.start, range_.end)
    question = _Question(named.where(condition), measure, prop, range_)
    notes = [
        *remarks.unknown_names([event], everything.events.names),
        *remarks.empty_range(start, end, range_, visible),
        *remarks.never_true(everything, [condition]),
        *remarks.of_users(named, prop, [condition], before_filter=condition is not None),
        *remarks.left_out(everything, [event], range_),
        *range_.notes(),
    ]
    definition = {
        "event": event,
        "measure": measure,
        "by": None if prop is None else prop.label,
        "unit": unit,
        "where": None if condition is None else condition.text,
        "start": start,
        "end": end,
        "tz": None if tz is None else str(tz),
        "at": at,
    }
    return Segmentation(question, definition, notes)


class Segmentation(Report):
    """How often an event happened, or to how many users; made by :func:`segmentation`."""

    def __init__(
        self,
        question: _Question,
        definition: Mapping[str, object],
        notes: list[str],
    ) -> None:
        self._question = question
        self._numbers = question.count()
        title = _title(_COUNTED[question.measure], definition)
        super().__init__(title, definition, self._numbers.table(question), notes)

    def users(self, *, segment: Json = None, time: Moment | None = None) -> list[str]:
        """Return the distinct IDs behind a cell, sorted.

        Parameters
        ----------
        segment
            A segment as the table calls it, or its value: ``"pro"``, ``25``, ``True``,
            ``"(not set)"``. None is any segment.
        time
            A date or time in the bucket wanted. None is the whole range.

        Raises
        ------
        ReportError
            If the report has no such segment or bucket.
        """
        place = self._numbers.ranked.find(segment)
        wanted = None if place is None else int(self._numbers.ranked.codes[place])
        range_ = self._question.range
        if time is not None and range_.unit is None:
            raise ReportError("time= needs buckets, and the report has none (unit=None)")
        bucket = None if time is None else range_.find(time)
        return self._question.users(wanted, bucket)

    def cell(self, row: int) -> Cell:
        """Return the arguments with which :meth:`users` gives the IDs behind a row of the table.

        Raises
        ------
        ReportError
            If the table has no such row.
        """
        # A segment has a row for each bucket.
        place, bucket = divmod(self._checked(row), len(self._question.range))
        return self._cell(place, bucket)

    def _cell(self, place: int, bucket: int = 0) -> Cell:
        """Return the arguments of users for a segment in a bucket."""
        cell = self._numbers.ranked.cell(place)
        if self._question.range.unit is not None:
            cell["time"] = self._question.range.starts[bucket]
        return cell

    def _cell_of(self, label: str, bucket: int = 0) -> Cell | None:
        """Return the same for what is drawn, None for several segments together."""
        if self._question.by is None:
            return self._cell(0, bucket)
        names = self._numbers.ranked.names
        return self._cell(names.index(label), bucket) if label in names else None

    def plot(self, ax: Axes | None = None, *, top: int | None = None) -> Axes:
        """Draw lines over time, or bars where there are no buckets, and return the Axes.

        Parameters
        ----------
        ax
            Where to draw; by default on a new figure.
        top
            How many segments to draw, the largest first: 8 lines or 12 bars by default.
            Of totals the others are added up; numbers of users cannot be, since a
            user may be in several. ``(not set)`` is always drawn.
        """
        if top is not None and top < 1:
            raise ReportError(f"top={top}; draw at least one segment")
        question, ranked = self._question, self._numbers.ranked
        unit, noun = question.range.unit, _COUNTED[question.measure]
        shown = self._drawn(top or (plots.MOST_BARS if unit is None else plots.MOST_LINES))
        legend = ranked.legend
        if len(shown) < len(ranked) and question.measure == "unique":
            legend += f" (top {len(shown)} of {len(ranked):,})"
        if unit is None:
            totals = [(name, int(values.sum())) for name, values in shown]
            return plots.bars(ax, totals, title=self.title, of=noun, by=legend, cell=self._cell_of)
        return plots.lines(
            ax,
            question.range.starts,
            shown,
            title=self.title,
            of=f"{noun} per {unit}",
            by=legend,
            incomplete=question.range.incomplete,
            cell=self._cell_of,
        )

    def _drawn(self, top: int) -> list[tuple[str, Positions]]:
        """Return the label and the values of the segments to draw."""
        if self._question.by is None:
            name = _COUNTED[self._question.measure]
            return [(name, values) for values in self._numbers.values]
        ranked = self._numbers.ranked
        pairs = list(zip(ranked.names, self._numbers.values, strict=True))
        named = ranked.largest(len(ranked))
        last = [pairs[at] for at in np.flatnonzero(ranked.is_unset)]
        if len(named) > top + (self._question.measure == "total"):
            others = sorted(set(named) - set(named := ranked.largest(top)))
            if self._question.measure == "total":
                added = np.sum([self._numbers.values[at] for at in others], axis=0)
                last.insert(0, (plots.other(len(others)), added))
        return [*(pairs[at] for at in named), *last]


@dataclass(frozen=True, eq=False)
class _Numbers:
    """Counts, a row a segment and a column a bucket, in the order of the table."""

    ranked: Ranked
    values: Any

    def table(self, question: _Question) -> pd.DataFrame:
        count_of_segments, count_of_buckets = self.values.shape
        columns = self.ranked.columns(count_of_buckets)
        if question.range.unit is not None:
            at = np.tile(np.arange(count_of_buckets), count_of_segments)
            columns["time"] = question.range.starts[at]
        columns["value"] = self.values.ravel()
        return pd.DataFrame(columns)


@dataclass(frozen=True, eq=False)
class _Question:
    """What is counted: the events, their breakdown, their buckets."""

    selection: Selection
    measure: Measure
    by: Breakdown | None
    range: Periods

    def _occurrences(self) -> tuple[Codes | Positions, Positions, Codes | None, Segments | None]:
        """Return the user and the bucket of what is counted, and its segment if there are any.

        That is each event once in each of its segments; for unique users, each user
        once in each bucket and segment.
        """
        is_unique = self.measure == "unique"
        selection = self.selection.with_id() if is_unique else self.selection
        ids: Codes | Positions = selection.ids
        buckets = self.range.index(selection.times)
        if is_unique and (self.by is None or selection.is_of_users(self.by)):
            # A user's segments do not depend on the event: count the user once first.
            ids, buckets = self._once(ids, buckets, len(self.range))
        if self.by is None:
            return ids, buckets, None, None
        if selection.is_of_users(self.by):
            segments = selection.user_segments(self.by)
            rows, codes = segments.beside(ids)
        else:
            segments = selection.event_segments(self.by)
            rows, codes = segments.owners, segments.codes
        if rows is not None:
            ids, buckets = ids[rows], buckets[rows]
        if is_unique and not selection.is_of_users(self.by):
            cells = codes.astype(np.int64) * len(self.range) + buckets
            ids, cells = self._once(ids, cells, len(segments) * len(self.range))
            codes, buckets = (cells // len(self.range)).astype(np.int32), cells % len(self.range)
        return ids, buckets, codes, segments

    def _once(
        self, ids: Codes | Positions, cells: Positions, size: int
    ) -> tuple[Positions, Positions]:
        """Return each pair of a user and a cell once; there are *size* cells."""
        keys = ids.astype(np.int64) * size + cells
        keys = _distinct(keys, len(self.selection.events.ids.texts) * size)
        return keys // max(size, 1), keys % max(size, 1)

    def count(self) -> _Numbers:
        _, cells, codes, segments = self._occurrences()
        buckets = len(self.range)
        if codes is None or segments is None:
            used = np.zeros(1, np.int64)
        else:
            used = np.flatnonzero(np.bincount(codes, minlength=len(segments)))
            if len(used) * buckets > MOST_ROWS:
                raise ReportError(
                    f"the table would have {len(used) * buckets:,} rows: {len(used):,} segments, "
                    f"each with {count(buckets, 'bucket')}; filter with where=, or choose a "
                    "longer unit="
                )
            compact = np.zeros(len(segments), np.int64)
            compact[used] = np.arange(len(used)) * buckets
            cells = compact[codes] + cells
        size = len(used) * buckets
        values = np.bincount(cells, minlength=size).reshape(len(used), buckets)
        if self.by is None or segments is None:
            return _Numbers(Ranked.whole(), values)
        ranked = Ranked.of(self.by, segments, used, values.sum(axis=1))
        return _Numbers(ranked, values[ranked.order])

    def users(self, segment: int | None, bucket: int | None) -> list[str]:
        ids, buckets, codes, _ = self._occurrences()
        chosen = ids >= 0
        if bucket is not None:
            chosen &= buckets == bucket
        if segment is not None and codes is not None:
            chosen &= codes == segment
        known = np.flatnonzero(np.bincount(ids[chosen]))
        texts = self.selection.events.ids.texts.take(pa.array(known))
        found: list[str] = sorted(texts.to_pylist())
        return found


def _distinct(keys: Positions, size: int) -> Positions:
    """Return each key once, ascending; all are less than *size*."""
    if size <= _TICKED:
        ticked = np.zeros(size, np.bool_)
        ticked[keys] = True
        return np.flatnonzero(ticked)
    # np.unique would hash them first, ten times slower.
    keys = np.sort(keys)
    is_first = np.ones(len(keys), np.bool_)
    np.not_equal(keys[1:], keys[:-1], out=is_first[1:])
    return keys[is_first]


def _title(counted: str, definition: Mapping[str, object]) -> str:
    title = f"{definition['event'] or 'Any event'}: {counted}"
    if definition["unit"] is not None:
        title += f" per {definition['unit']}"
    if definition["by"] is not None:
        title += f" by {definition['by']}"
    if definition["where"] is not None:
        title += f", where {definition['where']}"
    if definition["at"] != "latest" and definition["by"] is not None:
        title += f" at {definition['at']}"
    return title


declare(
    Declaration(
        title="Segmentation",
        function=segmentation,
        call="tk.segmentation",
        about="How often an event happened, or to how many users, over time.",
        fields=(
            EventField(name="event", label="Event", is_positional=True),
            ChoiceField(
                name="measure",
                label="Measure",
                default="total",
                options=(("Total events", "total"), ("Unique users", "unique")),
            ),
            PropertyField(name="by", label="Break down by", help="A line or bar for each value."),
            FilterField(name="where", label="Filter"),
            *RANGE,
            unit_field("day"),
            AT,
        ),
    )
)
