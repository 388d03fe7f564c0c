"""One profile as a form shows it: what it is, what it was, and what its user did."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from traitlets import Bool, HasTraits, Instance, Int, List, Unicode, observe

from toolkit.base import (
    ABSENT,
    HIDDEN,
    ProfileNotFoundError,
    count,
    display_name,
    dumps,
    html,
    times,
    title,
)
from toolkit.columns import Positions, series
from toolkit.events import Events
from toolkit.forms.parts.profile_card import profile_card
from toolkit.forms.users.rows import time_text
from toolkit.profiles import ProfileTable

#: So many events are shown at first, and as many more at each asking.
EVENTS_SHOWN: Final = 25
_TYPES: Final[dict[type, str]] = {
    **{bool: "true or false", int: "number", float: "number", str: "text"},
    **{list: "list", dict: "object", type(None): "null"},
}
#: What became of a property since the moment shown; empty for nothing.
_SINCE: Final = {"same": "", "changed": "changed since", "removed": "removed since"}


class PagePropertyRow(NamedTuple):
    """A property as it was at the moment shown.

    ``since`` says what became of it since: nothing, changed, removed; or that it came
    only later.
    """

    name: str
    label: str
    value: str
    type: str
    since: str


class EventRow(NamedTuple):
    """An event of the user: when (UTC), its name, and its properties as text."""

    time: str
    name: str
    properties: tuple[tuple[str, str], ...]


class ChangeRow(NamedTuple):
    """One update of a property, in words: when it happened, what it did, where it came from."""

    time: str
    operator: str
    old: str
    new: str
    origin: str


class ProfilePage(HasTraits):
    """What is known of one user.

    Parameters
    ----------
    profiles, events
        Where to look.
    distinct_id
        Whom to show; there may be events and no profile.

    Attributes
    ----------
    title, updated_at
        What to call the profile, and Updated At in UTC (None for never).
    exists, existed
        Whether there is a profile now, and at the moment shown.
    moments
        When something was written to the profile, oldest first, as text (UTC).
    moment
        Which of them is shown; ``len(moments)`` is now.
    when
        The moment shown, in words.
    properties
        The properties then, each a :class:`PagePropertyRow`.
    opened, changes
        The property whose history is shown, and that: :class:`ChangeRow` each, newest first.
    events, event_count
        The user's events newest first, :class:`EventRow` each, as far as shown, and how
        many there are that are not left out.
    event_names
        (name, how many) of all of the user's events.
    hidden
        Names of events that are left out.
    days, day
        The days on which something happened, newest first, and the one looked at
        (empty: all).
    note
        What is to be said about all this; empty for nothing.
    """

    title = Unicode("")
    updated_at: Any = Instance(pd.Timestamp, allow_none=True)
    exists = Bool(False)
    existed = Bool(False)
    moments = List(Unicode())
    moment = Int(0)
    when = Unicode("")
    properties: Any = List()
    opened = Unicode("")
    changes: Any = List()
    events: Any = List()
    event_count = Int(0)
    event_names: Any = List()
    hidden = List(Unicode())
    days = List(Unicode())
    day = Unicode("")
    shown = Int(EVENTS_SHOWN)
    note = Unicode("")

    def __init__(
        self, profiles: ProfileTable, distinct_id: str, events: Events | None = None
    ) -> None:
        super().__init__()
        self._profiles = profiles
        self._all_events = events
        self.distinct_id = distinct_id
        self.has_events = events is not None
        self._rows: Positions = np.zeros(0, np.int64)
        if events is not None:
            self._rows = events.rows_of(distinct_id)[::-1]
        self._read_events()
        self.reload()

    def reload(self) -> None:
        """Read the profile again, and show it as it is now."""
        properties = self._profiles.get(self.distinct_id)
        self._now: Mapping[str, Any] = properties or {}
        self._past = self._profiles.past_of(self.distinct_id)
        self._history: pd.DataFrame | None = None
        self.exists = properties is not None
        self.title = title(self._now, self.distinct_id)
        self.updated_at = self._profiles.last_seen(self.distinct_id) if self.exists else None
        moments = self._past.moments
        self._moments = moments
        with self.hold_trait_notifications():
            self.moments = [time_text(moment) for moment in moments]
            self.moment = len(moments)
        self._show_moment()
        if self.opened:
            self.open(self.opened)

    @property
    def card(self) -> html.Html:
        """Who it is, as finished HTML."""
        return profile_card(self._now if self.exists else None, self.distinct_id, self.updated_at)

    # -- the profile, now and then --------------------------------------------------------

    @observe("moment")
    def _show_moment(self, _: object = None) -> None:
        """Show the profile as of the chosen moment, from its own updates alone."""
        at = min(max(self.moment, 0), len(self._moments))
        then: Mapping[str, Any] | None = self._now if self.exists else None
        if at == len(self._moments):
            self.when = "Now"
        else:
            row = self._past.at(self._moments[at])
            then = None if row is None else row.properties
            self.when = f"As of {self.moments[at]} UTC"
        self.existed = then is not None
        self.properties = _property_rows(then or {}, self._now)
        self.note = self._odd(at)

    def _odd(self, at: int) -> str:
        if not self.exists and not self._moments:
            return "There are events with this ID, but no profile."
        if not self.existed and at < len(self._moments):
            return "At this moment there was no profile: it was deleted."
        if not self.exists:
            return "There is no profile now: it was deleted. Its past is still here."
        if at == len(self._moments) and self._moments:
            last = self._past.at(self._moments[-1])
            if last is None or last.properties != self._now:
                return (
                    "Some updates arrived late, so the profile is not what it would be if they had "
                    "arrived in the order they happened."
                )
        if at == 0 and self._past.since is not None:
            return "Everything earlier was compacted."
        return ""

    def show_time(self, time: str) -> None:
        """Show the profile as it was at a time, such as ``"2026-05-01"``.

        Raises
        ------
        InvalidTimeError
            If it is not a time.
        """
        moment = times.parse_time(time)
        place = bisect_right(self._moments, moment) - 1
        if place < 0:
            raise ProfileNotFoundError(
                f"nothing is known of {self.distinct_id!r} as of {time_text(moment)}"
            )
        self.moment = place

    def open(self, name: str) -> None:
        """Show the history of a property; the same name again closes it."""
        if self._history is None:
            self._history = self._profiles.history(self.distinct_id)
        history = self._history
        deletes = (history["operator"] == "$delete") & history["old"].notna()
        rows = history[(history["property"] == name) | deletes].iloc[::-1]
        self.changes = [_change(row, name) for row in rows.itertuples(index=False)]
        self.opened = name

    def close(self) -> None:
        """Show the history of no property."""
        self.opened, self.changes = "", []

    # -- events ---------------------------------------------------------------------------

    def _read_events(self) -> None:
        if self._all_events is None or not len(self._rows):
            return
        coded = self._all_events.event_names
        texts = coded.texts.to_pylist()
        self._names = [texts[c] if c >= 0 else "" for c in coded.codes[self._rows].tolist()]
        moments = self._all_events.times[self._rows]
        self._days = np.datetime_as_string(moments.view("M8[us]"), unit="D").tolist()
        self.event_names = Counter(self._names).most_common()
        self.days = list(dict.fromkeys(self._days))
        self._show_events()

    @observe("hidden", "day", "shown")
    def _show_events(self, _: object = None) -> None:
        if self._all_events is None or not len(self._rows):
            return
        hidden = set(self.hidden)
        entries = [
            place
            for place, (name, day) in enumerate(zip(self._names, self._days, strict=True))
            if name not in hidden and (not self.day or day == self.day)
        ]
        self.event_count = len(entries)
        self.events = self._event_rows(entries[: self.shown])

    def _event_rows(self, places: list[int]) -> list[EventRow]:
        events = self._all_events
        assert events is not None
        rows = self._rows[places]
        properties: list[list[tuple[str, str]]] = [[] for _ in places]
        own = (events.event_column, events.id_column, events.time_column, *HIDDEN)
        frame = events.frame
        for at, name in enumerate(frame.columns):
            if name in own:
                continue
            cells = series.column(frame.iloc[rows, at]).cells()
            for each, cell in zip(properties, cells, strict=True):
                if cell is not ABSENT:
                    each.append((str(name), html.cell_text(cell)))
        moments = events.times[rows].tolist()
        return [
            EventRow(time_text(moment), self._names[place], tuple(each))
            for moment, place, each in zip(moments, places, properties, strict=True)
        ]

    def hide(self, name: str) -> None:
        """Leave events of a name out, until :meth:`unhide`."""
        self.hidden = list(dict.fromkeys([*self.hidden, name]))

    def unhide(self, name: str) -> None:
        """Show events of a name again."""
        self.hidden = [each for each in self.hidden if each != name]

    def show_more(self) -> None:
        """Show more of the events."""
        self.shown += EVENTS_SHOWN

    @property
    def facts(self) -> str:
        """How much is known, in words."""
        parts = []
        if self.has_events:
            parts.append(count(len(self._rows), "event"))
        number = len(self._now)
        parts.append(f"{number:,} {'property' if number == 1 else 'properties'}")
        return ", ".join(parts)


def value_text(value: Any) -> str:
    """Return how a JSON value reads where there is room: text as it is, all else as JSON."""
    if value is ABSENT:
        return ""
    return value if isinstance(value, str) else dumps(value)


def _property_rows(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[PagePropertyRow]:
    rows = []
    for name in sorted({*then, *now}, key=lambda each: (not each.startswith("$"), each.lower())):
        if name in HIDDEN:
            continue
        value = then.get(name, ABSENT)
        if value is ABSENT:
            row = PagePropertyRow(name, display_name(name), "", "", "came later")
        else:
            after = now.get(name, ABSENT)
            since = "removed" if after is ABSENT else "same" if _same(value, after) else "changed"
            row = PagePropertyRow(
                name, display_name(name), value_text(value), _TYPES[type(value)], _SINCE[since]
            )
        rows.append(row)
    return rows


def _same(left: Any, right: Any) -> bool:
    return dumps(left) == dumps(right)


def _change(row: Any, name: str) -> ChangeRow:
    happened, arrived = (times.parse_time(each) for each in (row.time, row.arrived))
    origin = f"batch {row.batch_id}, {row.source}"
    if happened != arrived:
        origin += f", arrived {time_text(arrived)}"
    if row.operator == "$delete":
        was = row.old.get(name, ABSENT) if isinstance(row.old, dict) else ABSENT
        return ChangeRow(time_text(happened), "$delete", value_text(was), "", origin)
    old, new = (ABSENT if each != each else each for each in (row.old, row.new))
    return ChangeRow(time_text(happened), row.operator, value_text(old), value_text(new), origin)
