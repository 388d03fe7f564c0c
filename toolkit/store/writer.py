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
from threading import local
from types import TracebackType
from typing import Final, Self

import numpy as np

from toolkit.base import Progress, StoreError, UndoError, as_json, quoted, silent, times
from toolkit.columns import Column, Snapshot
from toolkit.store.file import Store
from toolkit.store.log import Batch, Changes, Log, logged
from toolkit.store.states import States
from toolkit.store.undo import edits_to_undo, is_small
from toolkit.updates import (
    ApplyResult,
    Change,
    ColumnsResult,
    EditCounts,
    Indexed,
    LoggedColumns,
    LoggedEdits,
    State,
    Updates,
    limits,
    plan,
    plan_columns,
    plan_edits,
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

    def snapshot(self, group_key: str, progress: Progress | None = None) -> Snapshot:
        """Return all profiles of a table; *progress* is told while they are read from a file."""
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

    def apply(
        self,
        messages: Sequence[Indexed],
        source: str,
        *,
        limited: bool = False,
        refused: int = 0,
        undoes: int | None = None,
        progress: Progress = silent,
    ) -> ApplyResult:
        """Apply valid messages, to whatever tables they are for.

        Parameters
        ----------
        messages
            Each with its index, for the rejections.
        source
            Where they come from, in words, for the log.
        limited
            Whether the hosted product's limits hold (LIMITS).
        refused
            How many rejections there were before, for the log.
        undoes
            The batch that this one undoes.
        progress
            Told how far it is. What it raises leaves everything as it was.
        """
        by_table: dict[str, list[Indexed]] = {}
        for index, message in messages:
            by_table.setdefault(message.group_key, []).append((index, message))
        check = limits.excess if limited else None
        planned = {
            key: plan(self.state(key), sent, self.arrival, check, progress)
            for key, sent in by_table.items()
        }
        rejected = [each for part in planned.values() for each in part.rejected]
        accepted = sorted(
            (each for part in planned.values() for each in part.accepted), key=lambda each: each[0]
        )
        counts = {
            name: sum(getattr(part, name) for part in planned.values())
            for name in ("created", "updated", "deleted", "unchanged")
        }
        batch_id = None
        if accepted:
            batch_id = self._commit(
                source,
                {"messages": len(accepted), **counts, "rejected": refused + len(rejected)},
                [accepted],
                {key: part.change for key, part in planned.items()},
                undoes,
                progress,
            )
        return ApplyResult(len(accepted), **counts, rejections=rejected, batch_id=batch_id)

    def set_columns(
        self,
        given: LoggedColumns,
        source: str,
        *,
        limited: bool = False,
        dry_run: bool = False,
        progress: Progress = silent,
    ) -> ColumnsResult:
        """``$set`` whole columns, or only count what that would do. Parameters as before."""
        key = given.group_key
        before = self.snapshot(key, progress)
        fitting: Mapping[str, Column] = given.columns
        rejected: list[tuple[str, str, str]] = []
        if limited:
            fitting, rejected = limits.cut_columns(before, given.ids, fitting)
        given = replace(given, columns=fitting)
        if given.times is not None and (np.diff(given.times) < 0).any():
            given = given.rows(np.argsort(given.times, kind="stable"))
        change, result = plan_columns(self.state(key), given, progress)
        result = replace(result, rejected=rejected)
        if dry_run:
            return result
        counts = {
            "messages": len(given.ids),
            "created": result.created,
            "updated": result.updated,
            "deleted": 0,
            "unchanged": result.unchanged,
            "rejected": len(rejected),
        }
        progress("Writing", 0, change.writes)
        part = logged(given, self.arrival)
        batch_id = self._commit(source, counts, [part], {key: change}, progress=progress)
        return replace(result, batch_id=batch_id)

    def undo(
        self, batch_id: int, *, only_untouched: bool, limited: bool, progress: Progress
    ) -> ApplyResult:
        """Put back what a batch changed; errors as for :func:`edits_to_undo`."""
        latest = partial(self.snapshot, progress=progress)
        undone, parts, is_whole = edits_to_undo(
            self.log, batch_id, only_untouched, latest, progress
        )
        source = f"undo of batch {undone}"
        if is_whole and not parts:  # the log tells that it is undone all the same
            return self._apply_edits([], source, undone, progress)
        as_messages = is_small(parts) or (
            # To refuse what is too much takes whole profiles.
            limited
            and any(
                limits.may_be_exceeded([*latest(part.group_key).columns, *part.columns])
                for part in parts
            )
        )
        if as_messages:
            messages = list(enumerate(each for part in parts for each in part.messages()))
            return self.apply(messages, source, limited=limited, undoes=undone, progress=progress)
        return self._apply_edits(parts, source, undone, progress)

    def redo(
        self, batch_id: int, *, only_untouched: bool, limited: bool, progress: Progress
    ) -> ApplyResult:
        """Undo the undo of a batch."""
        undos = [batch.id for batch in self.log.batches() if batch.undoes == batch_id]
        if not undos:
            raise UndoError(f"batch {quoted(batch_id)} was not undone, so there is nothing to redo")
        return self.undo(
            undos[-1], only_untouched=only_untouched, limited=limited, progress=progress
        )

    def _apply_edits(
        self, parts: list[LoggedEdits], source: str, undoes: int, progress: Progress
    ) -> ApplyResult:
        """Apply edits in whole columns, those of a table each."""
        changes: dict[str, Change] = {}
        found = [EditCounts(0, 0, 0, 0)]
        for part in parts:
            state = State.of(self.snapshot(part.group_key, progress))
            changes[part.group_key], of_table = plan_edits(state, part, progress)
            found.append(of_table)
        counts = EditCounts(*map(sum, zip(*found, strict=True)))
        applied = sum(map(len, parts))
        progress("Writing", 0, sum(change.writes for change in changes.values()))
        batch_id = self._commit(
            source,
            {"messages": applied, **counts._asdict(), "rejected": 0},
            parts,
            changes,
            undoes,
            progress,
        )
        return ApplyResult(applied, *counts, batch_id=batch_id)

    def _commit(
        self,
        source: str,
        counts: dict[str, int],
        parts: Sequence[Updates],
        changes: Changes,
        undoes: int | None = None,
        progress: Progress | None = None,
    ) -> int:
        """Log a batch and what it leads to; return its ID."""
        self._refuse_second_batch()
        as_json(source)
        batch = Batch(self.log.last() + 1, self.arrival, source, undoes=undoes, **counts)
        rows = sum(change.writes for change in changes.values())
        with self._watched("Writing", rows, progress):
            self.log.append(batch, parts, changes)
        if progress is not None and self._store is not None and rows:
            # One statement may have written many: the last it told of were fewer.
            progress("Writing", rows, rows)
        self._refuse_second_batch()
        self._pending = (batch.id, changes)
        return batch.id

    def _refuse_second_batch(self) -> None:
        # Each batch was worked out from states that know nothing of the other.
        if self._pending is not None:
            raise StoreError(
                "the profiles were written to while a batch was being written, by what progress "
                "or a signal calls. Write before or after."
            )

    def _watched(
        self, stage: str, rows: int, progress: Progress | None
    ) -> AbstractContextManager[None]:
        """Tell *progress* how many rows the file has taken, while it is read or written inside.

        What *progress* raises stops that.
        """
        if progress is None or self._store is None:
            return nullcontext()
        # A few rows more are written, of the log and of the checkpoint.
        return self._store.watched(lambda done: progress(stage, min(done, rows), rows))
