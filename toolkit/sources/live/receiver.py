"""What arrives, whoever brought it: updates go to the table, events are kept, both are noted.

A receiver knows nothing of HTTP. :func:`toolkit.serve` and :func:`toolkit.consumer`
both are built on it.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import pandas as pd

from toolkit.base import ArgumentError, MessageError, count, glimpse, listed, times
from toolkit.events import Events
from toolkit.profiles import ProfileTable
from toolkit.sources.live.arriving_events import ArrivingEvents, Event, read_event, unused_of
from toolkit.sources.live.segment import GROUP_KEY, translate
from toolkit.sources.live.wire import Record
from toolkit.updates import KNOWN_FIELDS, Locator, Rejection, is_meta, operators_of

#: So many messages are remembered for a live view, and so many rejections.
REMEMBERED: Final = 500
REJECTIONS_REMEMBERED: Final = 200
NOTES_REMEMBERED: Final = 100
_SHORT: Final = 120
_NAMED: Final = 4
_NOTED: Final = 5


@dataclass(frozen=True)
class Received:
    """What became of the records of one request.

    Attributes
    ----------
    received, accepted
        How many there were, and how many were taken, wholly or in part.
    faults
        What was not taken, and why.
    """

    received: int
    accepted: int
    faults: Sequence[Rejection] = ()

    @property
    def refusal(self) -> str | None:
        """What was not taken, in a sentence; None if all was."""
        if not self.received:
            return "no messages"
        if not self.faults:
            return None
        first = self.faults[0]
        more = len({fault.index for fault in self.faults})
        text = f"message {first.index}: {said(first)}"
        return text if more == 1 else f"{text} ({count(more, 'message')} with faults in all)"


class Arrival(NamedTuple):
    """One message that arrived, as a person looks at it."""

    number: int
    time: int  # microseconds since 1970 UTC
    source: str
    distinct_id: str
    what: str
    reason: str  # empty if all of it was taken


class ArrivalCounts(NamedTuple):
    """How much arrived so far."""

    updates: int = 0
    events: int = 0
    rejected: int = 0

    @property
    def messages(self) -> int:
        """Updates and events, those rejected included."""
        return self.updates + self.events


class Receiver:
    """Takes messages for a table; remembers the last ones.

    Parameters
    ----------
    profiles
        The table.
    geo
        Turns addresses into locations; None leaves them.
    group_key
        The group key of Segment's groups.
    """

    def __init__(
        self,
        profiles: ProfileTable,
        *,
        geo: Locator | None = None,
        group_key: str = GROUP_KEY,
    ) -> None:
        if not isinstance(profiles, ProfileTable):
            raise ArgumentError(f"a ProfileTable is needed, not {type(profiles).__name__}")
        if geo is not None and not callable(getattr(geo, "locate", None)):
            raise ArgumentError(f"geo={glimpse(geo)!r}; an object with a method locate is needed")
        profiles.groups(group_key)  # refuses what is not a group key
        self.profiles = profiles
        self._geo = geo
        self._group_key = group_key
        self.kept = ArrivingEvents()
        self._lock = threading.Lock()
        self._tally = ArrivalCounts()
        self._notes: Counter[str] = Counter()
        self._recent: deque[Arrival] = deque(maxlen=REMEMBERED)
        self._rejections: deque[Arrival] = deque(maxlen=REJECTIONS_REMEMBERED)

    # What arrives

    def updates(
        self, records: Sequence[Record], *, source: str, groups: bool, ip: str | None = None
    ) -> Received:
        """Apply updates of users, or of *groups*, in their order and as one batch.

        When it returns, what was accepted is as permanent as the table is.
        """
        messages: list[tuple[int, Any]] = []
        faults: list[Rejection] = []
        for index, record in enumerate(records):
            message = record.value
            if isinstance(message, Mapping) and groups != ("$group_key" in message):
                wanted = "$group_key and $group_id" if groups else "$distinct_id"
                other = "/engage" if groups else "/groups"
                reason = f"{wanted} needed here; the other kind of profile is updated at {other}"
                faults.append(Rejection(index, _address(message), reason=reason))
            else:
                messages.append((index, message))
        accepted = self._apply(messages, faults, source, ip)
        self.add_notes(_unknown_fields(messages))
        outcome = Received(len(records), accepted, _in_order(faults))
        lines = [(_address(record.value), _update_text(record.value)) for record in records]
        self._note(source, lines, outcome, events=0)
        return outcome

    def events(self, records: Sequence[Record], *, source: str, strict: bool = False) -> Received:
        """Keep events."""
        faults: list[Rejection] = []
        arrived = self._read_events(
            [(index, record.value, record.size) for index, record in enumerate(records)],
            faults,
            strict,
        )
        refused = self.kept.add(arrived)
        outcome = Received(
            len(records), len(arrived) - len(refused), _in_order([*faults, *refused])
        )
        lines = [_event_text(record.value) for record in records]
        self._note(source, lines, outcome, events=len(records))
        return outcome

    def segment(self, records: Sequence[Record], *, source: str, kind: str | None) -> Received:
        """Take Segment's messages, each of its own kind unless all are of one *kind*."""
        updates: list[tuple[int, Any]] = []
        sent: list[tuple[int, Any, int]] = []
        faults: list[Rejection] = []
        lines: list[tuple[str, str]] = []
        for index, record in enumerate(records):
            try:
                translation = translate(record.value, kind, self._group_key)
            except MessageError as error:
                faults.append(Rejection(index, reason=str(error)))
                lines.append(("", _shown(record.value, _SHORT)))
                continue
            self.add_notes(translation.unused)
            if translation.kind == "update":
                updates.append((index, translation.value))
                lines.append((_address(translation.value), _update_text(translation.value)))
            else:
                sent.append((index, translation.value, record.size))
                lines.append(_event_text(translation.value))
        accepted = self._apply(updates, faults, source, None)
        arrived = self._read_events(sent, faults, strict=False)
        refused = self.kept.add(arrived)
        faults += refused
        accepted += len(arrived) - len(refused)
        outcome = Received(len(records), accepted, _in_order(faults))
        self._note(source, lines, outcome, events=len(sent))
        return outcome

    def _apply(
        self, messages: list[tuple[int, Any]], faults: list[Rejection], source: str, ip: str | None
    ) -> int:
        """Apply messages with their places in the request; return how many were accepted."""
        if not messages:
            return 0
        sent = [message for _, message in messages]
        result = self.profiles.apply(sent, source=source, progress=False, geo=self._geo, ip=ip)
        for each in result.rejections:
            faults.append(replace(each, index=messages[each.index][0]))
        self.add_notes(
            each.reason
            if each.operator is None
            else f"{each.operator} {each.property}: {each.reason}"
            for each in result.cautions
            if each.operator is None or each.property is not None
        )
        return result.applied

    def _read_events(
        self, sent: list[tuple[int, Any, int]], faults: list[Rejection], strict: bool
    ) -> list[tuple[int, Event]]:
        arrival = times.now()
        arrived = []
        for index, value, size in sent:
            event = read_event(value, index, size, arrival, strict=strict)
            if isinstance(event, Rejection):
                faults.append(event)
            else:
                arrived.append((index, event))
                self.add_notes(unused_of(value))
        return arrived

    # What a person sees

    def _note(
        self, source: str, lines: Sequence[tuple[str, str]], outcome: Received, *, events: int
    ) -> None:
        now = times.now()
        reasons: dict[int, str] = {}
        for fault in outcome.faults:
            reasons.setdefault(fault.index, _shown(said(fault), 2 * _SHORT))
        with self._lock:
            first = self._tally.messages + 1
            self._tally = ArrivalCounts(
                self._tally.updates + len(lines) - events,
                self._tally.events + events,
                self._tally.rejected + len(reasons),
            )
            for index, (distinct_id, what) in enumerate(lines):
                if index in reasons or index >= len(lines) - REMEMBERED:
                    reason = reasons.get(index, "")
                    arrival = Arrival(first + index, now, source, distinct_id, what, reason)
                    self._recent.append(arrival)
                    if reason:
                        self._rejections.append(arrival)

    def note_refusal(self, source: str, reason: str) -> None:
        """Remember a request that was refused as a whole."""
        with self._lock:
            self._tally = self._tally._replace(rejected=self._tally.rejected + 1)
            arrival = Arrival(
                0, times.now(), source, "", "request refused", _shown(reason, 2 * _SHORT)
            )
            self._recent.append(arrival)
            self._rejections.append(arrival)

    def add_notes(self, names: Iterable[str]) -> None:
        """Count what was taken, but not used, or not as it was sent."""
        with self._lock:
            for name in names:
                # Names are anybody's: only so many are told apart.
                is_new = name not in self._notes and len(self._notes) >= NOTES_REMEMBERED
                self._notes["others" if is_new else _shown(name)] += 1

    @property
    def notes(self) -> dict[str, int]:
        """What was taken, but not used, or not as it was sent: how often, most often first."""
        with self._lock:
            return dict(self._notes.most_common())

    @property
    def noted(self) -> str | None:
        """The notes in a sentence; None if there are none."""
        return note_words(self.notes)

    @property
    def tally(self) -> ArrivalCounts:
        """How much arrived so far."""
        return self._tally

    def recent(self, rejected: bool = False) -> list[Arrival]:
        """Return the last messages, or the last ones *rejected*; newest first."""
        with self._lock:
            return list(reversed(self._rejections if rejected else self._recent))

    def log(self) -> pd.DataFrame:
        """Return the last messages as a DataFrame, oldest first."""
        rows = self.recent()[::-1]
        frame = pd.DataFrame(rows, columns=list(Arrival._fields)).astype({"number": "int64"})
        moments = frame["time"].to_numpy("int64").view("M8[us]")
        frame["time"] = pd.DatetimeIndex(moments).tz_localize("UTC")
        return frame

    @property
    def arrived(self) -> Events:
        """The events so far."""
        return self.kept.events()


def _unknown_fields(messages: Iterable[tuple[int, Any]]) -> list[str]:
    """Return the fields of messages that nobody knows and that were ignored (META)."""
    return [
        f"{name} next to the operators"
        for _, message in messages
        if isinstance(message, Mapping)
        for name, value in message.items()
        if name not in KNOWN_FIELDS and is_meta(name, value)
    ]


def note_words(notes: Mapping[str, int]) -> str | None:
    """Return what was taken, but not used as sent, in a sentence; None if nothing was.

    >>> note_words({"$identify, which merges nothing": 1200})
    'Taken, but not used as sent: $identify, which merges nothing (1,200)'
    """
    named = [f"{what} ({often:,})" for what, often in notes.items()]
    return f"Taken, but not used as sent: {listed(named, _NOTED)}" if named else None


def field_of(fault: Rejection) -> str:
    """Return which part of a record a fault is in; "" for all of it."""
    return " ".join(filter(None, [fault.operator, fault.property]))


def said(fault: Rejection) -> str:
    """Return a fault with its place in the record."""
    return f"{field_of(fault)}: {fault.reason}".removeprefix(": ")


def _in_order(faults: list[Rejection]) -> list[Rejection]:
    return sorted(faults, key=lambda fault: fault.index)


def _shown(value: object, at_most: int = _SHORT) -> str:
    """Return the beginning of what anybody sent, as text that can be shown."""
    return glimpse(value, at_most).encode("utf-8", "replace").decode()


def _address(message: object) -> str:
    if not isinstance(message, Mapping):
        return ""
    if "$group_key" in message:
        return _shown(f"{message['$group_key']} {message.get('$group_id')}", _SHORT)
    return _shown(message.get("$distinct_id", ""), _SHORT)


def _update_text(message: object) -> str:
    """Return what an update does, in a few words."""
    if not isinstance(message, Mapping):
        return _shown(message, _SHORT)
    parts = []
    for name in operators_of(message):
        argument = message[name]
        names = argument if isinstance(argument, Mapping | list) else ()
        names_text = listed((_shown(each, 40) for each in names), _NAMED)
        parts.append(f"{_shown(name, 40)} {names_text}".strip())
    return ", ".join(parts)[:_SHORT]


def _event_text(raw: object) -> tuple[str, str]:
    """Return whose an event is, and what, in a few words."""
    if not isinstance(raw, Mapping):
        return "", _shown(raw, _SHORT)
    properties = raw.get("properties")
    of = properties.get("distinct_id", "") if isinstance(properties, Mapping) else ""
    return _shown(of, _SHORT), f"event {_shown(raw.get('event'), 80)}"
