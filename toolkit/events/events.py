"""Events: an event DataFrame, coded once and joined often.

Joining and counting text is slow, so each column is turned into integers when
it is first needed: every further join and report works on those.
"""

from __future__ import annotations

import warnings
import weakref
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa

from toolkit.base import (
    HIDDEN,
    EventsError,
    InexactIdWarning,
    InvalidCellsWarning,
    check_not_swapped,
    completed_by_dir,
    completions,
    count,
    did_you_mean,
    either,
    glimpse,
    html,
    is_text,
    is_whole,
    listed,
    normalise_id,
    quoted,
    rounded,
    text_times,
    times,
)
from toolkit.columns import (
    Coded,
    CodedLists,
    Codes,
    Column,
    Mask,
    Microseconds,
    Positions,
    Snapshot,
    series,
)

# For joins and reports.
_INTERNAL: Final = frozenset(
    {
        *("all_counted", "column", "counted_rows", "counts_of_ids", "event_names", "first_times"),
        *("groups", "has_times_without_zone", "ids", "is_counted", "is_hidden", "named"),
        *("observed", "rows", "timelines", "times"),
    }
)


#: Events of a user further apart than this belong to two sessions, in microseconds.
SESSION_GAP: Final = 30 * 60 * 1_000_000


@dataclass(frozen=True, eq=False)
class Timelines:
    """Events sorted by user, then by time; those of one time in the order of their rows.

    Attributes
    ----------
    rows
        ``int64``, the row of each event.
    ids
        ``int32``, its distinct ID, ascending: a position in ``events.ids.texts``.
    times
        Its time in microseconds since 1970 UTC.
    names
        Integers: its name, a position in ``events.event_names.texts``, -1 for none.
    bounds
        Where the events of each distinct ID begin, and last their number.
    """

    rows: Positions
    ids: Codes
    times: Microseconds
    names: Any
    bounds: Positions
    _named: dict[int, Positions] = field(default_factory=dict)

    @cached_property
    def sessions(self) -> Positions:
        """The session of each event, numbered from 0: it ends with a pause of over 30 minutes."""
        begins = np.zeros(len(self.rows), np.int64)
        begins[1:] = (self.ids[1:] != self.ids[:-1]) | (np.diff(self.times) > SESSION_GAP)
        return np.cumsum(begins)

    @cached_property
    def session_spans(self) -> tuple[Microseconds, Microseconds]:
        """Since when the session of each event may have lasted, and until when it may go on."""
        first = np.flatnonzero(np.diff(self.sessions, prepend=-1))
        last = np.flatnonzero(np.diff(self.sessions, append=len(self.rows)))
        spans = self.times[first] - SESSION_GAP, self.times[last] + SESSION_GAP
        return spans[0][self.sessions], spans[1][self.sessions]

    def named(self, code: int) -> Positions:
        """Return where the events of a name are, ascending; found once. -1 is not a name."""
        if code not in self._named:
            self._named[code] = np.flatnonzero(self.names == code)
        return self._named[code]


class Named:
    """The events of one name, gathered once: reports on them then read memory in its order.

    Picking them out of all events again for each report takes several times as long as
    looking at them. Numbers and times are kept; text and JSON are not, because of their size.
    """

    def __init__(self, events: Events, rows: Positions) -> None:
        self._events = events
        self._columns: dict[str, Column] = {}
        self.rows = rows
        self.rows.setflags(write=False)

    @cached_property
    def ids(self) -> Codes:
        """The distinct ID of each, a position in ``events.ids.texts``, or -1."""
        codes: Codes = self._of(self._events.ids.codes)
        return codes

    @cached_property
    def times(self) -> Microseconds:
        """The time of each in microseconds since 1970 UTC, NO_TIME if it has none."""
        moments: Microseconds = self._of(self._events.times)
        return moments

    @cached_property
    def counts_of_ids(self) -> tuple[Microseconds, int]:
        """How many of them each distinct ID has, and how many have none."""
        return Coded(self.ids, self._events.ids.texts).counts()

    def column(self, name: str, places: Positions | None) -> Column:
        """Return an event property of those at some places, of all for None."""
        whole = self._events.column(name)
        if whole.kind in ("text", "json"):
            return whole.take(self.rows if places is None else self.rows[places])
        if name not in self._columns:
            is_all = len(self.rows) == len(whole)
            gathered = whole if is_all else whole.take(self.rows)
            gathered.state.setflags(write=False)
            gathered.values.setflags(write=False)
            self._columns[name] = gathered
        column = self._columns[name]
        return column if places is None else column.take(places)

    def _of(self, values: Any) -> Any:
        if len(self.rows) == len(values):
            return values
        gathered = values[self.rows]
        gathered.setflags(write=False)
        return gathered


def _as_column(name: object) -> Any:
    """Return what may be the name of a column.

    Raises
    ------
    EventsError
        If it is neither text nor a number.
    """
    if isinstance(name, str) or is_whole(name):
        return name
    raise EventsError(f"{quoted(name):.60} is not a name of a column; give text such as 'item'")


@completed_by_dir
class Events:
    """An event DataFrame, coded once.

    Parameters
    ----------
    df
        One row per event, in any order, with any index. It is never changed, and
        changing it later does not reach the events.
    event, distinct_id, time
        The columns that hold the event's name, the user's distinct ID and the time:
        datetimes of any resolution and time zone, ISO 8601 text, unix seconds or unix
        milliseconds (TIME-1); without a zone they are UTC (TIME-2). Every other column
        is a property of the event.

    Raises
    ------
    EventsError
        If one of the columns is missing, there twice, or of a type that cannot hold
        what it should, or holds numbers or text in place of times none of which is one.

    Notes
    -----
    Events with a value in ``$bucket`` or ``bucket`` are hidden: reports leave them
    out and say how many. Events without a readable time are left out of reports
    in the same way. Both stay in every join. Events without a name (missing, or the
    empty text) count as any event only, and reports say how many (EVENT-2).

    Examples
    --------
    >>> df = pd.DataFrame(
    ...     {"event": ["View", "Buy"], "distinct_id": [7, 7.0], "time": ["2026-05-01", 1777600000]}
    ... )
    >>> events = Events(df)
    >>> events
    Events: 2 events of 1 distinct ID, 2026-05-01 to 2026-05-01, 2 names (Buy, View)
    """

    def __init__(
        self,
        df: pd.DataFrame,
        event: str = "event",
        distinct_id: str = "distinct_id",
        time: str = "time",
    ) -> None:
        check_not_swapped("events", df)
        if not isinstance(df, pd.DataFrame):
            raise EventsError(
                f"events are a DataFrame with one row per event, not {type(df).__name__}"
            )
        if df.columns.nlevels > 1:
            raise EventsError(
                "the DataFrame has several levels of column names; events need one level"
            )
        self._frame = df.copy(deep=False)
        self.event_column = event
        self.id_column = distinct_id
        self.time_column = time
        self._columns: dict[str, Column] = {}
        self._groups: dict[str, CodedLists] = {}
        self._named: dict[tuple[int, bool], Named] = {}
        # Keyed by the ID column of a snapshot, which outlives changes of properties.
        self._rows: dict[int, tuple[weakref.ref[pa.Array], Positions]] = {}
        # What cannot be read is refused now, not when somebody first asks.
        series.coded(self._series(event, "event").iloc[:0])
        series.coded(self._series(distinct_id, "distinct_id").iloc[:0])
        moments = self._series(time, "time")
        series.times(moments.iloc[:0])
        if series.may_be_no_times(moments):
            self._check_times()

    @property
    def frame(self) -> pd.DataFrame:
        """The events as given; changing this DataFrame does not change the events."""
        return self._frame.copy(deep=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The event names that occur, sorted."""
        return tuple(sorted(self.event_names.texts.to_pylist()))

    @property
    def properties(self) -> tuple[str, ...]:
        """The names of the columns that are properties of an event, hidden ones left out."""
        own = (self.event_column, self.id_column, self.time_column, *HIDDEN)
        return tuple(str(name) for name in self._frame.columns if name not in own)

    def __len__(self) -> int:
        return len(self._frame)

    # -- coded columns, worked out when first needed --------------------------------------

    @cached_property
    def ids(self) -> Coded:
        """The distinct IDs as codes; events without an ID have the code -1 (JOIN-3)."""
        ids = series.coded(self._frame[self.id_column])
        inexact = series.inexact_ids(self._frame[self.id_column], ids.codes)
        _warn_of_inexact(self.id_column, inexact)
        _warn_of_rounded(self.id_column, ids.texts)
        return ids

    def groups(self, group_key: str) -> CodedLists:
        """Return the group IDs that the events name: one, or a list of several (GROUP-2).

        They are in the property that is called like the group key.

        Raises
        ------
        EventsError
            If the events have no such property.
        """
        if _as_column(group_key) not in self._groups:
            named = self._series(group_key, "the groups")
            self._groups[group_key] = groups = series.coded_lists(named)
            _warn_of_inexact(group_key, groups.inexact)
            _warn_of_rounded(group_key, groups.texts)
        return self._groups[group_key]

    def by_group(self, group_key: str) -> Events:
        """Return the events as those of groups: reports then count groups instead of users.

        The group ID takes the place of the distinct ID, which becomes a property like any
        other. An event that names several groups is there once for each (GROUP-5).

        Parameters
        ----------
        group_key
            The property with the group ID, or with a list of them.

        Returns
        -------
        Events
            To be joined with ``profiles.groups(group_key)``.

        Examples
        --------
        >>> df = pd.DataFrame(
        ...     {
        ...         "event": "View",
        ...         "distinct_id": ["ann", "bob"],
        ...         "time": "2026-05-01",
        ...         "company": [["acme", "hooli"], "acme"],
        ...     }
        ... )
        >>> Events(df).by_group("company").frame[["distinct_id", "company"]]
          distinct_id company
        0         ann    acme
        0         ann   hooli
        1         bob    acme
        """
        if not is_text(group_key):
            raise EventsError(f"group_key={quoted(group_key):.60}; the name of a column is needed")
        if group_key in (self.event_column, self.time_column):
            raise EventsError(f'the column "{group_key}" is not a group key of the events')
        if group_key == self.id_column:
            return self
        ids = self.groups(group_key)
        frame = self._frame
        if ids.owners is not None:
            names = pd.Index(ids.texts.to_pylist(), dtype="str")
            one = pd.Categorical.from_codes(ids.codes, names)
            frame = frame.take(ids.owners).assign(**{group_key: one})
        result = Events(frame, self.event_column, group_key, self.time_column)
        result.__dict__["ids"] = Coded(ids.codes, ids.texts)
        return result

    @cached_property
    def event_names(self) -> Coded:
        """The event names as codes; events without a name have the code -1 (EVENT-2)."""
        return series.coded(self._frame[self.event_column])

    @cached_property
    def is_named(self) -> Mask:
        """Whether each event has a name: text or a number, and not empty."""
        named: Mask = self.event_names.codes >= 0
        return named

    @cached_property
    def _times(self) -> series.Times:
        return series.times(self._frame[self.time_column])

    def _check_times(self) -> None:
        """Refuse numbers and text of which none is a time (TIME-1)."""
        if (self.times != times.NO_TIME).any():
            return
        where = either(f"df[{self.time_column!r}]", "") or None
        if self._times.no_time is not None:
            why = times.no_time(self._times.no_time, where)
        else:
            column = self._frame[self.time_column].dropna().astype(object)
            column = column[column.map(lambda cell: bool(str(cell).strip()))]
            if column.empty:
                return
            why = text_times.unreadable(column, where)
        raise EventsError(f'column "{self.time_column}": {why}')

    @property
    def times(self) -> Microseconds:
        """The time of each event in microseconds since 1970 UTC, NO_TIME if it has none."""
        return self._times.microseconds

    @property
    def has_times_without_zone(self) -> bool:
        """Whether a time named no time zone, and so was read as UTC."""
        return self._times.without_zone

    @cached_property
    def is_hidden(self) -> Mask:
        """Whether each event carries a value in ``$bucket`` or ``bucket``."""
        hidden = np.zeros(len(self), np.bool_)
        for name in HIDDEN:
            if name in self._frame.columns:
                hidden |= self._series(name, "a property").notna().to_numpy()
        return hidden

    @cached_property
    def is_counted(self) -> Mask:
        """Whether each event takes part in reports: not hidden, and with a readable time."""
        counted: Mask = ~self.is_hidden & (self.times != times.NO_TIME)
        return counted

    @cached_property
    def all_counted(self) -> bool:
        """Whether every event takes part in reports."""
        return bool(self.is_counted.all())

    @cached_property
    def counted_rows(self) -> Positions:
        """The rows of the events that take part in reports, ascending."""
        rows = np.flatnonzero(self.is_counted)
        rows.setflags(write=False)
        return rows

    @cached_property
    def observed(self) -> tuple[int, int] | None:
        """The first and the last time, of all events that have one; None if there is none."""
        times_read = self.times[self.times != times.NO_TIME] if len(self) else self.times
        return (int(times_read.min()), int(times_read.max())) if len(times_read) else None

    @cached_property
    def counts_of_ids(self) -> tuple[Microseconds, int]:
        """How many events each distinct ID has, and how many have none."""
        return self.ids.counts()

    def named(self, code: int, *, counted: bool) -> Named:
        """Return the events of a name; if *counted*, those that take part in reports."""
        if not is_whole(code):
            raise EventsError(
                f"code={quoted(code):.60}; the number of a name is needed. The events of a name: "
                'events.frame[events.frame["event"] == "View"]'
            )
        key = (code, counted and not self.all_counted)
        if key not in self._named:
            has_name = self.event_names.codes == code
            rows = np.flatnonzero(has_name & self.is_counted if key[1] else has_name)
            self._named[key] = Named(self, rows)
        return self._named[key]

    @cached_property
    def first_times(self) -> Microseconds:
        """The time of each distinct ID's first event that takes part in reports.

        In the order of ``ids.texts``, in microseconds since 1970 UTC, NO_TIME if all
        its events are hidden or without a time.
        """
        taking_part = self.is_counted & (self.ids.codes >= 0)
        latest = np.iinfo(np.int64).max
        first = np.full(len(self.ids.texts), latest)
        np.minimum.at(first, self.ids.codes[taking_part], self.times[taking_part])
        return np.where(first == latest, times.NO_TIME, first)

    @cached_property
    def timelines(self) -> Timelines:
        """The events that take part in reports and have an ID, one user after the other.

        Sorted once, when a report first looks at what a user did after what.

        >>> df = pd.DataFrame({"event": "View", "distinct_id": ["b", "a", "b"]})
        >>> df["time"] = "2026-05-01"
        >>> Events(df).timelines.rows.tolist()
        [0, 2, 1]
        """
        rows = np.flatnonzero(self.is_counted & (self.ids.codes >= 0))
        rows = rows[np.argsort(self.times[rows], kind="stable")]
        # Numbers of 16 bits are sorted by counting, several times as fast as any others.
        # The upper half last, which leaves those of one upper half in the order of the lower.
        for shift in (0, 16) if len(self.ids.texts) > 2**16 else (0,):
            half = (self.ids.codes[rows] >> shift).astype(np.uint16)
            rows = rows[np.argsort(half, kind="stable")]
        ids = self.ids.codes[rows]
        sizes = np.bincount(ids, minlength=len(self.ids.texts))
        bounds = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        names = self.event_names.codes[rows].astype(np.min_scalar_type(-len(self.names) - 1))
        return Timelines(rows, ids, self.times[rows], names, bounds)

    def rows_of(self, distinct_id: object) -> Positions:
        """Return the rows of a user's events that take part in reports, oldest first.

        Sorted by user once, at the first call; each call then looks at that user's
        events alone.

        >>> df = pd.DataFrame(
        ...     {"event": "View", "distinct_id": ["7", "8", "7"],
        ...      "time": ["2026-05-03", "2026-05-02", "2026-05-01"]}
        ... )
        >>> Events(df).rows_of("7").tolist()
        [2, 0]
        """
        code = self.ids.code(normalise_id(distinct_id))
        if code < 0:
            return np.zeros(0, np.int64)
        rows, bounds = self.timelines.rows, self.timelines.bounds
        return rows[bounds[code] : bounds[code + 1]]

    def column(self, name: str) -> Column:
        """Return an event property, one cell per event; a missing cell is absent.

        The time is ISO 8601 text in UTC, and the distinct ID normalised text, whatever
        their columns hold.

        Raises
        ------
        EventsError
            If there is no such column.
        """
        if _as_column(name) not in self._columns:
            self._columns[name] = self._read(self.called(name))
        return self._columns[name]

    def called(self, name: str) -> str:
        """Return the column that a name means: "event", "distinct_id" and "time" are roles, too.

        Where the events have no column of that name, it is the column in that role.

        >>> df = pd.DataFrame({"what": ["View"], "who": ["ann"], "when": ["2026-05-01"]})
        >>> events = Events(df, event="what", distinct_id="who", time="when")
        >>> events.called("time"), events.called("who")
        ('when', 'who')
        """
        if _as_column(name) in self._frame.columns:
            return name
        roles = {
            "event": self.event_column,
            "distinct_id": self.id_column,
            "time": self.time_column,
        }
        return roles.get(name, name)

    def _read(self, name: str) -> Column:
        if name == self.time_column:
            return series.iso_column(self.times)
        if name == self.id_column:
            return self.ids.column()
        if name == self.event_column:
            return self.event_names.column()
        read = series.cells(self._series(name, "a property"))
        # An infinity is a number of a calculation that has no result: not set, and no surprise.
        refused = [each for each in read.refused if each[1] != series.INFINITE]
        if refused:
            number, (at, reason) = len(refused), refused[0]
            text = (
                f'{count(number, "cell")} of "{name}" {_are(number)} no JSON, and '
                f"count{'s' if number == 1 else ''} as not set; the first, row {at}: {reason}"
            )
            warnings.warn(text, InvalidCellsWarning, stacklevel=3)
        return read.column

    def rows(self, snapshot: Snapshot) -> Positions:
        """Return the profile of each distinct ID: its row in *snapshot*, -1 for none.

        In the order of ``ids.texts``. Kept until the snapshot's IDs are gone, so that
        changes to properties cost nothing here.
        """
        kept = self._rows.get(id(snapshot.ids))
        if kept is not None and kept[0]() is snapshot.ids:
            return kept[1]
        rows = snapshot.positions(self.ids.texts)
        alive = {key: held for key, held in self._rows.items() if held[0]() is not None}
        self._rows = {**alive, id(snapshot.ids): (weakref.ref(snapshot.ids), rows)}
        return rows

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_rows": {}}  # a snapshot is of this process

    def _series(self, name: str, role: str) -> pd.Series:
        if not is_text(name) and not isinstance(name, int):
            raise EventsError(f"{role}={quoted(name):.60}; the name of a column is needed")
        positions = [at for at, each in enumerate(self._frame.columns) if each == name]
        if len(positions) == 1:
            return self._frame.iloc[:, int(positions[0])]
        there = f"the columns are {listed(map(str, self._frame.columns))}"
        if len(positions):
            raise EventsError(f'{len(positions)} columns are named "{name}"; rename one: {there}')
        if role in ("event", "distinct_id", "time"):
            raise EventsError(
                f'no column "{glimpse(name)}" for {role}; {there}. '
                f'Name the right one: Events(df, {role}="…")'
            )
        meant = did_you_mean(str(name), list(map(str, self.properties)))
        raise EventsError(f'no column "{name}" for {role} of the events; {there}.{meant}')

    # -- what a person sees ---------------------------------------------------------------

    @property
    def notes(self) -> list[str]:
        """What is odd about these events, as sentences; empty if nothing is."""
        sentences = []
        if self.without_id:
            sentences.append(f"{self.without_id}.")
        if hidden := int(self.is_hidden.sum()):
            sentences.append(
                f"Hidden from reports, for a value in $bucket or bucket: {count(hidden, 'event')}."
            )
        if unreadable := self._unreadable_times:
            sentences.append(f"{unreadable}: left out of reports.")
        if self.without_name:
            sentences.append(f"{self.without_name}: of no name, so counted as any event only.")
        if self.has_times_without_zone:
            sentences.append("Times without a time zone are read as UTC.")
        return sentences

    @cached_property
    def without_id(self) -> str:
        """How many events have no distinct ID and why, in words; empty if all have one."""
        if not self.ids.counts()[1]:
            return ""
        return _without("a distinct ID", self._frame[self.id_column], self.ids)

    @cached_property
    def without_name(self) -> str:
        """How many events have no name and why, in words; empty if all have one (EVENT-2)."""
        if self.is_named.all():
            return ""
        return _without("a name", self._frame[self.event_column], self.event_names)

    @property
    def _unreadable_times(self) -> str:
        """How many events have no time, or one that cannot be read; empty if none."""
        timeless = self.times == times.NO_TIME
        if not timeless.any():
            return ""
        column = self._frame[self.time_column]
        missing = int(column[timeless].isna().sum())
        parts = []
        if unreadable := int(timeless.sum()) - missing:
            first = next(iter(column[timeless].dropna()))
            if series.is_number(first):
                example = times.no_time(first)
            else:
                example = f"the first: {str(first)[:40]!r}"
            parts.append(f"{unreadable:,} of {count(len(self), 'time')} cannot be read ({example})")
        if missing:
            parts.append(f"{missing:,} of {count(len(self), 'time')} {_are(missing)} missing")
        return "; ".join(parts)

    def _facts(self) -> dict[str, object]:
        moments = self.times[self.times != times.NO_TIME]
        facts: dict[str, object] = {
            "Events": len(self),
            "Distinct IDs": len(self.ids.texts),
            "Event names": listed(self.names, 8) if self.names else "none",
        }
        if len(moments):
            facts["From"], facts["To"] = (
                times.iso(int(moments.min())),
                times.iso(int(moments.max())),
            )
        return facts

    def __dir__(self) -> list[str]:
        return completions(self, _INTERNAL)

    def __repr__(self) -> str:
        facts = self._facts()
        ids = count(len(self.ids.texts), "distinct ID")
        span = f", {facts['From']!s:.10} to {facts['To']!s:.10}" if "From" in facts else ""
        names = f", {count(len(self.names), 'name')}"
        names += f" ({listed(self.names, 5)})" if self.names else ""
        odd = [self.without_id] if self.without_id else []
        odd += [each for each in (self._unreadable_times, self.without_name) if each]
        return "; ".join([f"Events: {count(len(self), 'event')} of {ids}{span}{names}", *odd])

    def _repr_html_(self) -> str:
        return html.card(
            "Events",
            html.facts(self._facts()),
            html.table(self._frame, rows=5),
            html.notes(self.notes),
        )


def _warn_of_inexact(column: str, number: int) -> None:
    """Warn of floats in an ID column that are not IDs, because they may have lost digits (ID-1)."""
    if number:
        text = (
            f'"{column}" has {count(number, "float")} so large that digits may be lost; '
            "such a cell is not an ID (ID-1). Read the column as text or as integers: "
            f'pd.read_csv(…, dtype={{"{column}": "str"}})'
        )
        warnings.warn(text, InexactIdWarning, stacklevel=3)


def _warn_of_rounded(column: str, ids: pa.Array) -> None:
    """Warn of IDs that a spreadsheet has rounded: text like any other, that may match nobody."""
    doubtful = ids.filter(pa.array(rounded(ids)))
    if len(doubtful):
        text = (
            f'"{column}" has {count(len(doubtful), "ID")} such as "{doubtful[0].as_py()[:40]}", as '
            "a spreadsheet writes a long number whose digits it dropped: taken as it is, it may "
            "match nobody (ID-1). Export the column as text"
        )
        warnings.warn(text, InexactIdWarning, stacklevel=3)


def _without(what: str, column: pd.Series, read: Coded) -> str:
    """Return how many events have none of something, and why."""
    without = read.counts()[1]
    why = series.why_no_code(column, read.codes)
    why = "" if why == f"{without:,} missing" else f" ({why})"
    return f"{count(without, 'event')} without {what}{why}"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


#: What functions on events take.
AnyEvents: TypeAlias = Events | pd.DataFrame


def as_events(value: Any) -> Events:
    """Return *value* if it is an Events, a DataFrame with the usual column names as one."""
    return value if isinstance(value, Events) else Events(value)
