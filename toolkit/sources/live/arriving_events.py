"""Events as clients send them: read one by one, kept for :class:`~toolkit.Events`."""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from toolkit.base import (
    ABSENT,
    InvalidIdError,
    InvalidTimeError,
    InvalidValueError,
    as_json,
    glimpse,
    normalise_id,
    times,
)
from toolkit.columns import Column, cell_frame
from toolkit.events import Events
from toolkit.updates import OPERATORS, Rejection

#: So many events are kept, of so many bytes of JSON together; then the oldest go.
MOST_EVENTS: Final = 1_000_000
MOST_BYTES: Final = 256 * 1_048_576
#: Properties of all events together; each is a column.
MOST_PROPERTIES: Final = 2_000

#: IDs that ``strict`` refuses (documented).
_NO_IDS: Final = frozenset(
    {
        *("00000000-0000-0000-0000-000000000000", "anon", "anonymous", "nil", "none", "null"),
        *("n/a", "na", "undefined", "unknown", "<nil>", "0", "-1", "true", "false", "[]", "{}"),
    }
)
_INSERT_ID: Final = re.compile(r"[A-Za-z0-9-]{1,36}")
_FIRST_TIME: Final = 31_536_000_000_000  # 1971-01-01
_HOUR: Final = 3_600_000_000
# What an event says of itself, or of who sent it; never a property.
_FIELDS: Final = ("distinct_id", "time", "token", "ip")
_PARTS: Final = ("event", "properties")
#: Events that join two IDs in the hosted product.
_MERGING: Final = ("$identify", "$create_alias", "$merge")
_COLUMNS: Final = ("event", "distinct_id", "time")


class Event(NamedTuple):
    """One event; its time in microseconds since 1970 UTC."""

    name: str
    distinct_id: str | None
    time: int
    insert_id: str | None
    properties: dict[str, Any]
    size: int


def read_event(
    raw: object, index: int, size: int, arrival: int, *, strict: bool
) -> Event | Rejection:
    """Return an event, or why it is not one.

    Parameters
    ----------
    raw
        What was sent: ``{"event": …, "properties": {"distinct_id": …, "time": …, …}}``.
    index, size
        Its place in the request, and its bytes of JSON.
    arrival
        The time of an event that names none, in microseconds since 1970 UTC.
    strict
        Whether to ask for all that the hosted product asks for: ``time``,
        ``distinct_id`` and ``$insert_id``, each well-formed.

    Examples
    --------
    >>> sent = {"event": "Buy", "properties": {"distinct_id": 7, "time": 1767225600, "amount": 5}}
    >>> read_event(sent, 0, 80, 0, strict=False)[:3]
    ('Buy', '7', 1767225600000000)
    >>> read_event({"event": ""}, 0, 80, 0, strict=False).reason
    'an event needs a name'
    """
    if not isinstance(raw, Mapping):
        return Rejection(index, reason=f"an event is an object, not {type(raw).__name__}")
    sent = raw.get("properties", {})
    if not isinstance(sent, Mapping):
        reason = f"an object is needed, not {type(sent).__name__}"
        return Rejection(index, property="properties", reason=reason)
    insert_id = sent.get("$insert_id")
    field = "event"
    distinct_id: str | None = None
    try:
        name = raw.get("event")
        if not isinstance(name, str) or not name:
            update = any(each in raw for each in OPERATORS)
            hint = "; this is an update of a profile: send it to /engage" if update else ""
            raise InvalidValueError(f"an event needs a name{hint}")
        as_json(name)
        field = "properties.distinct_id"
        distinct_id = _distinct_id(sent, strict)
        field = "properties.time"
        sent_time = sent.get("time")
        if sent_time is None and strict:
            raise InvalidTimeError("missing; seconds or milliseconds since 1970 are needed")
        time = arrival if sent_time is None else times.parse_time(sent_time)
        if strict and not _FIRST_TIME <= time <= arrival + _HOUR:
            raise InvalidTimeError("before 1971, or more than an hour ahead")
        field = "properties.$insert_id"
        if strict:
            _check_insert_id(insert_id)
        properties = {}
        for key, value in sent.items():
            field = f"properties.{glimpse(key)}"
            if key not in _FIELDS:
                as_json(key)
                # Its column would be that of the name.
                properties["properties.event" if key == "event" else key] = as_json(value)
    except (InvalidValueError, InvalidTimeError, InvalidIdError) as error:
        return Rejection(index, distinct_id, None, field, str(error))
    return Event(
        name, distinct_id, time, insert_id if isinstance(insert_id, str) else None, properties, size
    )


def unused_of(raw: Mapping[str, Any]) -> list[str]:
    """Return what an event carries that has no meaning here.

    >>> unused_of({"event": "Buy", "distinct_id": "7", "properties": {}})
    ['distinct_id next to properties']
    >>> unused_of({"event": "$merge", "properties": {}})
    ['$merge: profiles are not merged']
    """
    unused = [f"{glimpse(name, 40)} next to properties" for name in raw if name not in _PARTS]
    name = raw.get("event")
    return [*unused, f"{name}: profiles are not merged"] if name in _MERGING else unused


def _distinct_id(sent: Mapping[str, Any], strict: bool) -> str | None:
    sent_id = sent.get("distinct_id")
    if sent_id is None or sent_id == "":
        if sent_id is None and "$user_id" in sent:
            return normalise_id(sent["$user_id"])
        if sent_id is None and "$device_id" in sent:
            return f"$device:{normalise_id(sent['$device_id'])}"
        if sent_id is None and strict:
            raise InvalidIdError('missing; an event of nobody has the distinct_id ""')
        return None
    distinct_id = normalise_id(sent_id)
    if strict and distinct_id.lower() in _NO_IDS:
        raise InvalidIdError(f"{distinct_id!r} is what programs send when they have no ID")
    return distinct_id


def _check_insert_id(value: object) -> None:
    is_fine = isinstance(value, str) and _INSERT_ID.fullmatch(value) is not None
    if not is_fine or str(value).lower() in _NO_IDS:
        raise InvalidValueError(
            "missing or malformed; at most 36 letters, digits and hyphens are needed"
        )


class ArrivingEvents:
    """The events that arrived, oldest first: a bounded number of them.

    An event that was sent before (same name, time, distinct ID and ``$insert_id``) is
    kept once (documented), so that a client may send again what it got no answer for.
    """

    def __init__(self, most: int = MOST_EVENTS, most_bytes: int = MOST_BYTES) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._lock = threading.Lock()
        self._rows: deque[Event] = deque()
        self._identities: set[tuple[Any, ...]] = set()
        self._names: set[str] = set()
        self._bytes = 0
        self._version = 0
        self._made: tuple[int, Events | None] = (-1, None)
        #: How many events were let go to make room.
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, arrived: Iterable[tuple[int, Event]]) -> list[Rejection]:
        """Keep events, each with its place in the request; return those there is no room for."""
        faults = []
        with self._lock:
            for index, event in arrived:
                new = [name for name in event.properties if name not in self._names]
                if len(self._names) + len(new) > MOST_PROPERTIES:
                    reason = (
                        f"the events have {MOST_PROPERTIES:,} different properties already; "
                        "a new one finds no room"
                    )
                    faults.append(Rejection(index, event.distinct_id, None, "properties", reason))
                    continue
                identity = _identity(event)
                if identity is not None:
                    if identity in self._identities:
                        continue
                    self._identities.add(identity)
                self._names.update(new)
                self._rows.append(event)
                self._bytes += event.size
                self._version += 1
            while len(self._rows) > self._most or self._bytes > self._most_bytes:
                gone = self._rows.popleft()
                self._bytes -= gone.size
                self.dropped += 1
                identity = _identity(gone)
                if identity is not None:
                    self._identities.discard(identity)
        return faults

    def clear(self) -> None:
        """Forget all events."""
        with self._lock:
            self._rows.clear()
            self._identities.clear()
            self._names = set()
            self._bytes = 0
            self._version += 1

    def frame(self) -> pd.DataFrame:
        """Return them as a new DataFrame: ``event``, ``distinct_id``, ``time``, properties."""
        return self.events().frame

    def events(self) -> Events:
        """Return them as :class:`~toolkit.Events`; made once until more arrive."""
        with self._lock:
            version, made = self._made
            if made is not None and version == self._version:
                return made
            version, rows = self._version, list(self._rows)
        made = Events(_frame(rows))
        with self._lock:
            self._made = (version, made)
        return made


def _identity(event: Event) -> tuple[Any, ...] | None:
    return None if event.insert_id is None else event[:4]


def _frame(rows: list[Event]) -> pd.DataFrame:
    # A property is the rows that have it and their values: most events have few of all.
    cells: dict[str, tuple[list[int], list[Any]]] = {}
    for row, event in enumerate(rows):
        for name, value in event.properties.items():
            if name not in cells:
                cells[name] = ([], [])
            cells[name][0].append(row)
            cells[name][1].append(value)
    names, ids, moments = ([event[field] for event in rows] for field in range(3))
    data: dict[str, Any] = {
        "event": Column.of(names).as_array(null_is_missing=True),
        "distinct_id": Column.of([ABSENT if each is None else each for each in ids]).as_array(
            null_is_missing=True
        ),
        "time": pd.DatetimeIndex(np.array(moments, "M8[us]")).tz_localize("UTC"),
    }
    for name, (places, values) in cells.items():
        column = Column.absent(len(rows)).put(np.array(places, np.int64), Column.of(values))
        data[name] = column.as_array(null_is_missing=False)
    frame = cell_frame({name: data[name] for name in [*_COLUMNS, *cells]})
    if not rows:
        return frame.astype({"event": "str", "distinct_id": "str"})
    return frame
