"""Events meet profiles: each event next to the latest state of its user's profile.

JOIN-1: the join happens at query time, so a profile written long after the
events still joins all of them.
"""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal, Protocol, TypeAlias
from unicodedata import is_normalized

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.base import (
    ABSENT,
    HIDDEN,
    NO_TIME,
    PLACEHOLDERS,
    SWAPPED,
    EventsError,
    JoinError,
    UnknownPropertyWarning,
    as_json,
    check_choice,
    copied,
    count,
    html,
    key,
    near_miss_keys,
    near_miss_reasons,
    quoted,
    texts_where,
)
from toolkit.columns import Codes, Column, Instants, Positions, ProfileRows, Snapshot
from toolkit.events.events import AnyEvents, Events, as_events
from toolkit.events.groups import GroupTables, KeyedGroups, require_past
from toolkit.expressions import Property, group_key_of, is_known, unknown
from toolkit.store import Timeline

#: Which state of its user an event meets.
At: TypeAlias = Literal["latest", "event time"]

_TEXT: Final = pa.large_string()


class Profiles(Protocol):
    """What events are joined with: a ProfileTable, or a part of one."""

    def snapshot(self) -> Snapshot:
        """Return the latest state."""


class ProfilesWithPast(Profiles, Protocol):
    """A ProfileTable: its log knows what was when."""

    def timeline(self, name: str) -> Timeline:
        """Return how a property changed."""


def as_snapshot(profiles: Any) -> Snapshot:
    """Return the latest state of *profiles*.

    Raises
    ------
    JoinError
        If it is not a ProfileTable.
    """
    if isinstance(profiles, Snapshot):
        return profiles
    if not hasattr(profiles, "snapshot"):
        raise JoinError(
            f"profiles are a ProfileTable, not {type(profiles).__name__}; "
            "fill one with ProfileTable().apply(messages) or import_csv"
            f"{SWAPPED if isinstance(profiles, Events | pd.DataFrame) else ''}"
        )
    snapshot: Snapshot = profiles.snapshot()
    return snapshot


def join(
    events: AnyEvents,
    profiles: Profiles,
    properties: str | Property | Iterable[str | Property] | None = None,
    at: At = "latest",
) -> pd.DataFrame:
    """Return the events with a column for each profile property, such as ``user.plan``.

    Every event stays, in its order, with its index, columns and dtypes, and
    events never multiply (JOIN-2). Where an event has no profile, its profile no
    such property, or that is null, the cell is missing.

    Parameters
    ----------
    events
        An :class:`Events`, or a DataFrame with the usual column names. An Events
        remembers its coding, so a second join is far faster.
    profiles
        The profiles.
    properties
        One property or several, in the order wanted; by default all that at least
        one profile has. ``"$last_seen"`` is Updated At, and
        ``"$mp_first_event_time"`` the time of the ID's first event. ``group("company")["plan"]``
        is a property of the group that the event names, and its column ``company.plan``; of
        several groups with several values the cell is a list of these (GROUP-2).
    at
        ``"latest"``: every event meets the latest state of its user (JOIN-1).
        ``"event time"``: each event meets the state its user had then (JOIN-4), from the
        updates that had happened by that time, by their ``$time``, else their arrival.

    Returns
    -------
    DataFrame
        Text is ``str``, whole numbers ``Int64``, other numbers ``float64``, booleans
        ``boolean``, times ``datetime64[us, UTC]``, any mixture and lists ``object``.
        A list in a cell is a copy; the cells of one user share it.

    Raises
    ------
    JoinError
        If a hidden property is asked for, or another *at*, or the past of what has none.
    EventsError
        If the events already have a column of the same name.

    Warns
    -----
    UnknownPropertyWarning
        If no profile ever had a property that is asked for; its column is missing
        throughout.

    Examples
    --------
    >>> from toolkit import ProfileTable
    >>> profiles = ProfileTable()
    >>> profiles.set("7", {"plan": "pro"})
    <ApplyResult: 1 applied, 1 created>
    >>> df = pd.DataFrame({"event": "View", "distinct_id": [7, 8], "time": "2026-05-01"})
    >>> join(df, profiles, "plan")[["distinct_id", "user.plan"]]
       distinct_id user.plan
    0            7       pro
    1            8       NaN
    """
    past = as_past(events := as_events(events), profiles, at)
    events, snapshot = as_events(events), as_snapshot(profiles)
    frame = events.frame
    groups = GroupTables(events, profiles, has_past=past is not None)
    joined: dict[str, Any] = {}
    for asked in _asked(properties, snapshot, groups):
        name, group_key = asked.name, asked.group_key
        if (title := asked.label) in frame.columns:
            raise EventsError(
                f'the events already have a column "{title}"; rename or drop it: '
                f'df.drop(columns="{title}")'
            )
        if group_key is not None:
            joined[title] = _group_array(groups[group_key], name)
        elif past is None:
            joined[title] = _array(user_cells(events, snapshot, name), events.ids.codes)
        else:
            joined[title] = past.array(name)
    if not joined:
        return frame
    added = pd.DataFrame(joined, index=frame.index, copy=False)
    result = pd.concat([frame, added], axis=1)
    result.attrs = frame.attrs
    return result


def _asked(
    properties: str | Property | Iterable[str | Property] | None,
    snapshot: Snapshot,
    groups: GroupTables,
) -> list[Property]:
    """Return the properties asked for, each once."""
    if properties is None:
        return [Property("user", name) for name in snapshot.names if name not in HIDDEN]
    if isinstance(properties, str | Property):
        properties = [properties]
    if not isinstance(properties, Iterable):
        raise JoinError(f"properties={quoted(properties):.60}; one property or several are needed")
    found: dict[str, Property] = {}
    for asked in properties:
        if isinstance(asked, Property) and asked.side == "event":
            raise JoinError(f"{asked.label} is a property of events; they have it already")
        name = asked.name if isinstance(asked, Property) else asked
        if not isinstance(name, str):
            raise JoinError(f"a property is named by text, not {name!r} ({type(name).__name__})")
        as_json(name)
        if name in HIDDEN:
            raise JoinError(
                f'"{name}" is hidden and cannot be joined; read it with profiles["…"]["{name}"]'
            )
        prop = asked if isinstance(asked, Property) else Property("user", name)
        found[prop.label] = prop
    for prop in found.values():
        group_key = group_key_of(prop.side)
        state = snapshot if group_key is None else groups[group_key].snapshot
        if not is_known(prop.name, state):
            text = unknown(prop.name, state, group_key)
            warnings.warn(text, UnknownPropertyWarning, stacklevel=3)
    return list(found.values())


def _group_array(groups: KeyedGroups, name: str) -> Any:
    """Return a property of groups next to each event; several values are a list."""
    ids = groups.ids
    if ids.owners is None and not groups.has_past:
        return _array(groups.cells(name), ids.codes)
    cells = groups.cells_at(name, np.arange(len(ids.codes)))
    values: Any
    if ids.owners is None:
        if isinstance(cells, Instants):
            return _array(cells, np.arange(len(cells), dtype=np.int32))
        return cells.as_array(null_is_missing=True)
    if isinstance(cells, Instants):
        moments = pd.to_datetime(cells.microseconds, unit="us", utc=True)
        values = moments.to_numpy(object)
        values[moments.isna()] = None
    else:
        values = cells.cells()
    # A list a combination of groups: the cells of one share it. In the past there is one an event.
    codes = np.arange(len(ids.codes)) if groups.has_past else ids.codes
    first = np.flatnonzero(np.diff(ids.owners, prepend=-1))
    sizes = np.diff(np.append(first, len(codes)))
    result = np.full(ids.length, np.nan, object)
    for size in np.unique(sizes).tolist():
        rows = np.flatnonzero(sizes == size)
        combination = np.zeros(len(rows), np.int64)
        for nth in range(size):
            further = combination * (len(codes) + 1) + codes[first[rows] + nth] + 1
            combination, known = pd.factorize(further)
        begins = np.zeros(len(known), np.int64)
        begins[combination[::-1]] = first[rows][::-1]
        lists = np.empty(len(known), object)
        for at, begin in enumerate(begins.tolist()):
            places = range(begin, begin + size)
            lists[at] = _one_or_list([values[place] for place in places])
        result[rows] = lists[combination]
    return result


def _one_or_list(values: list[Any]) -> Any:
    """Return the distinct values: NaN for none, one alone as it is."""
    distinct: dict[Hashable, Any] = {}
    for value in values:
        if isinstance(value, pd.Timestamp):
            distinct[value] = value
        elif value is not None and value is not ABSENT:
            distinct.setdefault(key(value), copied(value))
    kept = list(distinct.values())
    if not kept:
        return np.nan
    return kept[0] if len(kept) == 1 else kept


def user_cells(events: Events, snapshot: Snapshot, name: str) -> Column | Instants:
    """Return a user property, one cell a distinct ID of the events, and a last for no ID.

    The cell of an event is at its code: -1, no ID, is the last one, which is absent.
    """
    return ProfileRows(
        snapshot,
        np.append(events.rows(snapshot), -1),
        first_seen=lambda: np.append(events.first_times, NO_TIME),
    ).column(name)


class Past:
    """The state that the user of each event had at its time (JOIN-4)."""

    def __init__(self, events: Events, profiles: ProfilesWithPast) -> None:
        self._events = events
        self._profiles = profiles
        self._cells: dict[str, Column] = {}
        self._lines: dict[str, Timeline] = {}

    def cells(self, name: str, positions: Positions | None = None) -> Column:
        """Return a user property, one cell per event, or one for each of some events.

        Raises
        ------
        CompactedError
            If one of them happened before the past that is known.
        """
        require_past(name)
        if name not in self._cells:
            ids = self._events.ids
            self._lines[name] = line = self._profiles.timeline(name)
            self._cells[name] = line.at(ids.texts, ids.codes.astype(np.int64), self._events.times)
        moments = self._events.times if positions is None else self._events.times[positions]
        self._lines[name].require_past(moments, "users")
        cells = self._cells[name]
        return cells if positions is None else cells.take(positions)

    def array(self, name: str) -> Any:
        """Return the same as a pandas array (or numpy object array)."""
        return self.cells(name).as_array(null_is_missing=True)


def as_past(events: Events, profiles: Any, at: At) -> Past | None:
    """Return the states at the times of the events, None for ``at="latest"``.

    Raises
    ------
    JoinError
        If *at* is something else, or *profiles* have no past.
    """
    check_choice("at", at, ("latest", "event time"), JoinError)
    if at == "latest":
        return None
    if not hasattr(profiles, "timeline"):
        raise JoinError('at="event time" needs the ProfileTable itself, whose log knows the past')
    return Past(events, profiles)


def _array(cells: Column | Instants, codes: Codes) -> Any:
    """Return a pandas array (or numpy object array) with the cell at each code."""
    if isinstance(cells, Instants):
        moments = pd.DatetimeIndex(cells.microseconds.view("M8[us]")).tz_localize("UTC")
        return moments.take(codes).array
    if cells.kind == "text":
        return _texts(_gathered(cells, codes))
    return cells.as_array(null_is_missing=True).take(codes)


def _gathered(cells: Column, codes: Codes) -> pa.Array:
    """Return the text at each code, null where there is none.

    A property takes few values and is next to many events. Looked up in a
    small dictionary rather than across all profiles, the texts stay in the
    processor's cache, which is what makes this fast.
    """
    texts = texts_where(cells.has_value, cells.values)
    encoded = pc.dictionary_encode(texts, null_encoding="encode")
    narrow = np.min_scalar_type(len(encoded.dictionary))
    return encoded.dictionary.take(pa.array(encoded.indices.to_numpy().astype(narrow)[codes]))


def _quoted(text: str) -> str:
    """Return a text in quotes, with escapes where two forms of it would look the same."""
    return repr(text) if is_normalized("NFKC", text) else ascii(text)


def _texts(texts: pa.Array) -> Any:
    """Return a pandas ``str`` array."""
    dtype: Any = pd.StringDtype("pyarrow", na_value=np.nan)
    return dtype.__from_arrow__(texts.cast(_TEXT))


# -- what matched -------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class MatchReport:
    """How far events and profiles have the same distinct IDs.

    Attributes
    ----------
    events, matched_events, unmatched_events, events_without_id
        Numbers of events; the last three add up to the first.
    ids, matched_ids, unmatched_ids
        Numbers of distinct IDs among the events.
    profiles, profiles_without_events
        Numbers of profiles.
    unmatched
        DataFrame, one row per distinct ID without a profile, most events first:
        ``distinct_id``, ``events``, ``near_miss`` (the ID of a profile that looks
        alike, or missing) and ``reason`` (how the two differ, ``"placeholder"`` for
        an ID such as ``null`` that programs send when they have none, or missing).
    without_id
        How many events have no distinct ID and why, in words; empty if all have one.
    without_name
        How many events have no name and why, in words; empty if all have one (EVENT-2).
    group_key
        Whose IDs these are; None for users. Of groups an event is matched if one of those it
        names is, and the table has ``group_id`` in place of ``distinct_id``.
    """

    events: int
    matched_events: int
    events_without_id: int
    ids: int
    matched_ids: int
    profiles: int
    unmatched: pd.DataFrame
    without_id: str = ""
    group_key: str | None = None
    without_name: str = ""

    @property
    def unmatched_events(self) -> int:
        """How many events have an ID that no profile has."""
        return self.events - self.matched_events - self.events_without_id

    @property
    def unmatched_ids(self) -> int:
        """How many distinct IDs no profile has."""
        return self.ids - self.matched_ids

    @property
    def profiles_without_events(self) -> int:
        """How many profiles have an ID that no event has."""
        return self.profiles - self.matched_ids

    @cached_property
    def near_misses(self) -> pd.DataFrame:
        """The rows of ``unmatched`` whose ID looks like that of a profile (JOIN-3)."""
        return self.unmatched[self.unmatched["near_miss"].notna()].reset_index(drop=True)

    @property
    def _odd(self) -> list[str]:
        return [each for each in (self.without_id, self.without_name) if each]

    @property
    def _id(self) -> str:
        return "distinct ID" if self.group_key is None else f"{self.group_key} ID"

    def __repr__(self) -> str:
        parts = [
            f"{self.matched_events:,} of {count(self.events, 'event')} "
            f"({self.matched_ids:,} of {count(self.ids, self._id)}) have a profile"
        ]
        near = ""
        if number := len(self.near_misses):
            near = f", {number:,} of them {'a near miss' if number == 1 else 'near misses'}"
        parts.append(f"{count(self.unmatched_ids, 'ID')} unmatched{near}")
        parts += self._odd
        if self.profiles_without_events:
            parts.append(f"{count(self.profiles_without_events, 'profile')} without events")
        return "; ".join(parts)

    def _repr_html_(self) -> str:
        numbers = pd.DataFrame(
            {
                "": ["events", f"{self._id}s of events", "profiles"],
                "all": [self.events, self.ids, self.profiles],
                "matched": [self.matched_events, self.matched_ids, self.matched_ids],
                "unmatched": [
                    self.unmatched_events,
                    self.unmatched_ids,
                    self.profiles_without_events,
                ],
                "without ID": pd.array([self.events_without_id, None, None], "Int64"),
            }
        )
        parts = [html.table(numbers)]
        if self._odd:
            parts.append(html.notes([f"{each}." for each in self._odd]))
        if near := len(self.near_misses):
            verb = "looks" if near == 1 else "look"
            title = f"{count(near, self._id)} {verb} like one that a profile has; not joined:"
            frame = self.near_misses
            # In quotes, which show the spaces that make the difference.
            quoted = {name: frame[name].map(_quoted) for name in (frame.columns[0], "near_miss")}
            parts += [html.paragraph(title), html.table(frame.assign(**quoted))]
        others = self.unmatched[self.unmatched["near_miss"].isna()].drop(columns="near_miss")
        if len(others):
            other = "other " if near else ""
            title = f"{count(len(others), f'{other}distinct ID')} without a profile:"
            if others["reason"].isna().all():
                others = others.drop(columns="reason")
            parts += [html.paragraph(title), html.table(others)]
        return html.card("Events and profiles", *parts)


def match(events: AnyEvents, profiles: Profiles, *, group: str | None = None) -> MatchReport:
    """Return how many events and IDs have a profile, and which have not.

    IDs that differ from a profile's only in case, surrounding spaces, leading zeros, a
    trailing ``.0``, invisible characters or the Unicode form are named as near misses;
    they are never joined (JOIN-3). Hidden events count here too.

    Parameters
    ----------
    events, profiles
        As for :func:`join`.
    group
        The group key of the groups to look for, such as ``"company"``, in place of users.

    Examples
    --------
    >>> from toolkit import ProfileTable
    >>> profiles = ProfileTable()
    >>> profiles.set("ann", {})
    <ApplyResult: 1 applied, 1 created>
    >>> df = pd.DataFrame({"event": "View", "distinct_id": ["ann", "Ann"], "time": "2026-05-01"})
    >>> report = match(df, profiles)
    >>> report
    1 of 2 events (1 of 2 distinct IDs) have a profile; 1 ID unmatched, 1 of them a near miss
    >>> report.near_misses
      distinct_id  events near_miss reason
    0         Ann       1       ann   case
    """
    events = as_events(events)
    if group is not None:
        return _match_groups(GroupTables(events, profiles, has_past=False)[group])
    snapshot = as_snapshot(profiles)
    counts, without_id = events.ids.counts()
    has_profile = events.rows(snapshot) >= 0
    return MatchReport(
        events=len(events),
        matched_events=int(counts[has_profile].sum()),
        events_without_id=without_id,
        ids=len(has_profile),
        matched_ids=int(has_profile.sum()),
        profiles=len(snapshot),
        unmatched=_unmatched(
            events.ids.texts.filter(pa.array(~has_profile)), counts[~has_profile], snapshot.ids
        ),
        without_id=events.without_id,
        without_name=events.without_name,
    )


def _match_groups(groups: KeyedGroups) -> MatchReport:
    """Return how far events and the profiles of groups have the same group IDs."""
    ids, rows, length = groups.ids, groups.ids.rows, groups.ids.length
    has_profile = groups.rows[:-1] >= 0
    is_matched = np.zeros(length, np.bool_)
    is_matched[rows[np.append(has_profile, False)[ids.codes]]] = True
    counts = np.bincount(ids.codes + 1, minlength=len(ids.texts) + 1)[1:]
    unmatched = _unmatched(
        ids.texts.filter(pa.array(~has_profile)), counts[~has_profile], groups.snapshot.ids
    )
    nameless = int((~groups.names_any).sum())
    return MatchReport(
        events=length,
        matched_events=int(is_matched.sum()),
        events_without_id=nameless,
        ids=len(has_profile),
        matched_ids=int(has_profile.sum()),
        profiles=len(groups.snapshot),
        unmatched=unmatched.rename(columns={"distinct_id": "group_id"}),
        without_id=f"{count(nameless, 'event')} without a {groups.key} ID" if nameless else "",
        group_key=groups.key,
        without_name=groups.events.without_name,
    )


def _unmatched(ids: pa.Array, counts: Positions, known: pa.Array) -> pd.DataFrame:
    near_miss = known.take(pc.index_in(near_miss_keys(ids), value_set=near_miss_keys(known)))
    nearly = pc.is_valid(near_miss)
    placeholders = pa.array(sorted(PLACEHOLDERS), _TEXT)
    is_placeholder = pc.is_in(pc.utf8_lower(ids), value_set=placeholders)
    reason = pc.replace_with_mask(
        pc.if_else(is_placeholder, pa.scalar("placeholder", _TEXT), pa.scalar(None, _TEXT)),
        nearly,
        near_miss_reasons(ids.filter(nearly), near_miss.filter(nearly)),
    )
    frame = pd.DataFrame(
        {
            "distinct_id": _texts(ids),
            "events": counts,
            "near_miss": _texts(near_miss),
            "reason": _texts(reason),
        }
    )
    return frame.sort_values(["events", "distinct_id"], ascending=[False, True], ignore_index=True)
