"""One road for every change: worked out in full, logged in one step, then part of the states.

A change is worked out without touching any state; then the log takes it, in one step
that either happens or does not; then the states catch up with the log. A table that is
interrupted anywhere on the way is as it was before, or catches up when it is next used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from operator import itemgetter
from threading import local
from types import TracebackType
from typing import Final, Self

from toolkit.base import Progress, StoreError, UndoError, as_json, quoted, silent, times
from toolkit.columns import Snapshot
from toolkit.store.file import Store
from toolkit.store.log import Batch, Changes, Log, logged
from toolkit.store.states import States
from toolkit.store.undo import edits_to_undo, is_small
from toolkit.updates import (
    ColumnarUpdates,
    Indexed,
    Outcome,
    Planned,
    State,
    Updates,
    by_table,
    limits,
    plan,
)

#: Microseconds: a clock further back than a day was put right, and is believed (PAST-5).
_CLOCK_IS_BACK: Final = 86_400_000_000


class Moment:
    """One moment of a table: all that is read inside is of it, and it may write one batch.

    What is written is kept when the ``with`` ends, or nothing of it. An interrupt may
    arrive at any line of it, those that tidy up after an interrupt included; what it
    leaves behind is put right when a moment begins next.
    """

    def __init__(
        self, log: Log, store: Store | None, states: States, here: local, *, write: bool
    ) -> None:
        self.log = log
        self._store = store
        self._states = states
        # Where the thread notes in which moment it is.
        self._here = here
        self._write = write
        # When its batch arrives.
        self._arrival: int | None = None
        # What was logged but is not yet part of the states.
        self._pending: tuple[int, Changes] | None = None

    def __enter__(self) -> Self:
        if self._store is not None:
            self._store.check_usable(write=self._write)
        self._here.moment = self
        try:
            # Inside: an interrupt may arrive when it has begun and not yet returned.
            if self._store is not None:
                self._store.begin(write=self._write)
            self._states.catch_up()
        except BaseException as error:
            self._end(error)
            raise
        return self

    def __exit__(
        self, kind: object, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(error)
        if error is None and self._pending is not None:
            # Committed. Were this interrupted, the next use would catch up.
            self._states.install(*self._pending)

    def _end(self, error: BaseException | None) -> None:
        self._here.moment = None
        if self._store is not None:
            self._store.end(error)

    def state(self, group_key: str) -> State:
        """Return the latest state of a table."""
        return self._states[group_key]

    def snapshot(self, group_key: str, progress: Progress = silent) -> Snapshot:
        """Return all profiles of a table; *progress* is called while they are read from a file."""
        with self._watched("Loading", 0, progress):
            return self.state(group_key).snapshot()

    @property
    def arrival(self) -> int:
        """The time at which the batch arrives.

        That is what the clock says, unless a batch before it arrived later: order of
        arrival and times of arrival go together, though clocks are put back a little.
        """
        if self._arrival is None:
            now, last = times.now(), self.log.last_time()
            is_back = last is not None and now < last <= now + _CLOCK_IS_BACK
            self._arrival = last if is_back else now
        return self._arrival  # type: ignore[return-value]

    def plan(
        self, parts: Sequence[Updates], *, limited: bool = False, progress: Progress = silent
    ) -> dict[str, Planned]:
        """Return what valid updates lead to, by group key; each table is in one part.

        With *limited* the hosted product's limits hold for messages (LIMITS).
        """
        check = limits.excess if limited else None
        return {
            key: plan(self.state(key), updates, self.arrival, check, progress)
            for part in parts
            for key, updates in by_table(part).items()
        }

    def write(
        self,
        planned: Mapping[str, Planned],
        source: str,
        *,
        refused: int = 0,
        undoes: int | None = None,
        progress: Progress = silent,
    ) -> Outcome:
        """Log what was planned, and what it leads to; return what became of it.

        Parameters
        ----------
        planned
            By group key. Where nothing of it was accepted, nothing is logged.
        source
            Where the updates come from, in words.
        refused
            How many rejections there were before they were planned.
        undoes
            The batch that this one undoes. It is logged even where that takes nothing.
        progress
            Called with how far it is. What it raises leaves everything as it was.
        """
        outcomes = [each.outcome for each in planned.values()] or [Outcome()]
        outcome = sum(outcomes[1:], outcomes[0])
        messages: list[Indexed] = []
        parts: list[Updates] = []
        for each in planned.values():
            if isinstance(each.accepted, ColumnarUpdates):
                parts.append(logged(each.accepted, self.arrival))
            else:
                messages += each.accepted
        if len(planned) > 1:
            messages.sort(key=itemgetter(0))
        if messages:
            parts.append(messages)
        if not parts and (planned or undoes is None):
            return outcome
        changes = {key: each.change for key, each in planned.items()}
        rows = sum(change.writes for change in changes.values())
        progress("Writing", 0, rows)
        self._refuse_second_batch()
        batch = Batch(
            self.log.last() + 1,
            self.arrival,
            as_json(source),  # type: ignore[arg-type]
            replace(outcome, rejections=()),
            refused + len(outcome.rejections),
            undoes,
        )
        with self._watched("Writing", rows, progress):
            self.log.append(batch, parts, changes)
        if self._store is not None and rows:
            # One statement may have written many more than were last reported.
            progress("Writing", rows, rows)
        self._refuse_second_batch()
        self._pending = (batch.id, changes)
        return replace(outcome, batch_id=batch.id)

    def undo(
        self, batch_id: int, *, only_untouched: bool, limited: bool, progress: Progress
    ) -> Outcome:
        """Put back what a batch changed; errors as for :func:`edits_to_undo`."""
        latest = partial(self.snapshot, progress=progress)
        undone, edits, is_whole = edits_to_undo(
            self.log, batch_id, only_untouched, latest, progress
        )
        parts: list[Updates] = [*edits]
        if is_small(edits) or (
            # To refuse what is too much takes whole profiles.
            limited and any(map(self._may_exceed, edits))
        ):
            parts = [list(enumerate(each for part in edits for each in part.messages()))]
        planned = self.plan(parts, limited=limited, progress=progress)
        # Where it is whole, the log says that it is undone even if that takes nothing.
        undoes = undone if edits or is_whole else None
        return self.write(planned, f"undo of batch {undone}", undoes=undoes, progress=progress)

    def _may_exceed(self, part: ColumnarUpdates) -> bool:
        names = [*self.snapshot(part.group_key).columns, *part.columns]
        return limits.may_be_exceeded(names)

    def redo(
        self, batch_id: int, *, only_untouched: bool, limited: bool, progress: Progress
    ) -> Outcome:
        """Undo the undo of a batch."""
        undos = [batch.id for batch in self.log.batches() if batch.undoes == batch_id]
        if not undos:
            raise UndoError(f"batch {quoted(batch_id)} was not undone, so there is nothing to redo")
        return self.undo(
            undos[-1], only_untouched=only_untouched, limited=limited, progress=progress
        )

    def _refuse_second_batch(self) -> None:
        # Each batch was worked out from states that know nothing of the other.
        if self._pending is not None:
            raise StoreError(
                "the profiles were written to while a batch was being written, by what progress "
                "or a signal calls. Write before or after."
            )

    def _watched(self, stage: str, rows: int, progress: Progress) -> AbstractContextManager[None]:
        """Report to *progress* the rows that the file has taken, while it is read or written.

        What *progress* raises stops that.
        """
        if progress is silent or self._store is None:
            return nullcontext()
        # A few rows more are written, of the log and of the checkpoint.
        return self._store.watched(lambda done: progress(stage, min(done, rows), rows))
