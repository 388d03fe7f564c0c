"""What the live view knows and does, without a page."""

from __future__ import annotations

import time
from collections import Counter, deque
from typing import Any, Final, NamedTuple, Protocol

from traitlets import Bool, Dict, Float, HasTraits, Int, List, Unicode

from toolkit.base import count, times
from toolkit.sources import Arrival, ArrivalCounts, Receiver, note_words

#: So many messages are shown.
SHOWN: Final = 20
#: The rate is that of so many seconds.
_WINDOW: Final = 5.0


class Source(Protocol):
    """What messages arrive at: a server, or a consumer."""

    receiver: Receiver


class _Moment(NamedTuple):
    """What had arrived by a time."""

    tally: ArrivalCounts = ArrivalCounts()
    notes: Counter[str] = Counter()
    time: int = 0


class LiveState(HasTraits):
    """What :class:`toolkit.LiveView` shows; :meth:`refresh` looks again.

    Attributes
    ----------
    rows
        The last messages, newest first: :class:`~toolkit.sources.live.receiver.Arrival` each.
    rate
        Messages a second, of the last seconds.
    updates, events, rejected
        How many arrived since the view was opened or cleared.
    notes
        What was taken since then, but not used, or not as it was sent: how often each (HTTP-5).
    where
        Where messages arrive, in words.
    running
        Whether they still can.
    paused
        Whether the view is paused. Messages are taken all the same.
    waiting
        How many arrived since it was paused.
    only_rejected
        Whether to show only what was rejected.
    """

    rows: Any = List()
    rate = Float(0.0)
    updates = Int(0)
    events = Int(0)
    rejected = Int(0)
    notes: Any = Dict()
    where = Unicode("")
    running = Bool(True)
    paused = Bool(False)
    waiting = Int(0)
    only_rejected = Bool(False)

    def __init__(self, source: Source) -> None:
        super().__init__()
        self._source = source
        self._receiver = source.receiver
        self._cleared = self._at_pause = _Moment()
        self._samples: deque[tuple[float, int]] = deque()
        self.observe(self._turned, ["paused", "only_rejected"])
        self.refresh()

    def refresh(self) -> None:
        """Look at what has arrived, unless the view is paused."""
        now = self._now()
        self.running = bool(getattr(self._source, "is_running", True))
        self.where = getattr(self._source, "url", "the client, without HTTP")
        self.rate = self._rate(now.tally.messages)
        if self.paused:
            self.waiting = now.tally.messages - self._at_pause.tally.messages
            return
        self.waiting = 0
        self._show(now)

    def _now(self) -> _Moment:
        return _Moment(self._receiver.tally, Counter(self._receiver.notes), times.now())

    def _show(self, moment: _Moment) -> None:
        tally, cleared = moment.tally, self._cleared.tally
        self.updates = tally.updates - cleared.updates
        self.events = tally.events - cleared.events
        self.rejected = tally.rejected - cleared.rejected
        self.notes = dict((moment.notes - self._cleared.notes).most_common())
        recent = self._receiver.recent(self.only_rejected)
        until = moment.time if self.paused else times.now()
        rows: list[Arrival] = [each for each in recent if self._cleared.time < each.time <= until]
        self.rows = rows[:SHOWN]

    def _rate(self, total: int) -> float:
        now = time.monotonic()
        self._samples.append((now, total))
        while now - self._samples[0][0] > _WINDOW and len(self._samples) > 2:
            self._samples.popleft()
        began, before = self._samples[0]
        return (total - before) / (now - began) if now > began else 0.0

    def pause(self) -> None:
        """Pause the view, or go on."""
        self.paused = not self.paused

    def _turned(self, change: Any) -> None:
        if change["name"] == "paused" and self.paused:
            self._at_pause = self._now()
            return
        if self.paused:  # another filter shows what there was then
            self._show(self._at_pause)
            return
        self.refresh()

    def clear(self) -> None:
        """Forget what was shown, and count from nothing; the table and the log keep it."""
        self._cleared = self._at_pause = self._now()
        self.waiting = 0
        self._show(self._cleared)

    @property
    def summary(self) -> str:
        """The counts, in a sentence."""
        words = f"{count(self.updates, 'update')}, {count(self.events, 'event')}"
        if self.rejected:
            words += f", {self.rejected:,} rejected"
        if self.running and not self.paused:
            words += f" · {self.rate:,.1f} messages/s"
        if self.paused:
            words += f" · paused, {self.waiting:,} more arrived"
        return words

    @property
    def noted(self) -> str:
        """The notes, in a sentence; empty if there are none."""
        return note_words(self.notes) or ""
