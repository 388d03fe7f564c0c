"""The latest batches of a table as a form lists them, to be undone and redone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import pandas as pd
from traitlets import HasTraits, Int, List, Unicode

from toolkit.base import Progress, UndoError, count, times
from toolkit.forms.parts.job import Job
from toolkit.forms.users.rows import time_text
from toolkit.profiles import ProfileTable
from toolkit.updates import ApplyResult

#: So many batches are listed.
LISTED: Final = 20
_CONFLICTS_SHOWN: Final = 8
_DONE: Final = {"undo": "undone", "redo": "redone"}
_COUNTS: Final = ("created", "updated", "deleted", "unchanged", "rejected")


class BatchRow(NamedTuple):
    """One batch: what it did in words, what became of it, and what can be done about it.

    ``action`` is ``"undo"``, ``"redo"`` or empty.
    """

    id: int
    time: str
    source: str
    counts: str
    status: str
    action: str


class BatchList(HasTraits):
    """The latest batches, newest first.

    Attributes
    ----------
    batches
        :class:`BatchRow` each.
    total
        How many batches the log holds.
    message
        What was done last, in words.
    problem
        Why a batch could not be undone; empty if nothing was refused.
    conflicts
        What is in the way of it: (distinct ID, property, reason) each, the first few.
    conflict_count
        How many of these there are in all.
    refused
        The batch that was refused, whose untouched parts can be undone; 0 for none.
    """

    batches: Any = List()
    total = Int(0)
    message = Unicode("")
    problem = Unicode("")
    conflicts: Any = List()
    conflict_count = Int(0)
    refused = Int(0)

    def __init__(
        self, profiles: ProfileTable, job: Job, on_change: Callable[[], None] | None = None
    ) -> None:
        super().__init__()
        self._profiles = profiles
        self._job = job
        self._on_change = on_change
        self._refused_action = "undo"
        self.reload()

    def reload(self) -> None:
        """Read the log again."""
        log = self._profiles.batches
        self.total = len(log)
        undoes = log["undoes"].dropna()
        undone_by = dict(zip(undoes.tolist(), undoes.index.tolist(), strict=True))
        latest = log.iloc[::-1].head(LISTED)
        self.batches = [
            _row(batch, latest.loc[batch], undone_by) for batch in latest.index.tolist()
        ]

    def undo(self, batch_id: int) -> None:
        """Undo a batch; if later updates are in the way, say which and offer the rest."""
        self._change("undo", batch_id)

    def redo(self, batch_id: int) -> None:
        """Take the undo of a batch back."""
        self._change("redo", batch_id)

    def undo_untouched(self) -> None:
        """Undo (or redo) of the refused batch what no later update wrote to."""
        if self.refused:
            self._change(self._refused_action, self.refused, only_untouched=True)

    def dismiss(self) -> None:
        """Take the refusal off the page."""
        self.problem, self.conflicts, self.conflict_count, self.refused = "", [], 0, 0

    def _change(self, action: str, batch_id: int, *, only_untouched: bool = False) -> None:
        self.dismiss()
        self.message = ""
        if self._job.running:
            self.problem = "Something is in progress; wait for it, or cancel it."
            return
        act = self._profiles.undo if action == "undo" else self._profiles.redo

        def work(progress: Progress) -> ApplyResult | UndoError:
            try:
                return act(batch_id, only_untouched=only_untouched, progress=progress)
            except UndoError as error:
                return error

        self._job.start(work, lambda result: self._tell(action, batch_id, result), self.reload)

    def _tell(self, action: str, batch_id: int, result: ApplyResult | UndoError) -> None:
        if isinstance(result, UndoError):
            self._refuse(action, batch_id, result)
            return
        self.message = f"Batch {batch_id} {_DONE[action]}: {_counts_text(result)}."
        if self._on_change is not None:
            self._on_change()

    def _refuse(self, action: str, batch_id: int, error: UndoError) -> None:
        conflicts = error.conflicts
        if not isinstance(conflicts, pd.DataFrame):
            self.problem = _sentence(str(error))
            return
        self._refused_action = action
        self.conflict_count = len(conflicts)
        self.conflicts = [
            (row.distinct_id, row.property or "", row.reason)
            for row in conflicts.head(_CONFLICTS_SHOWN).itertuples(index=False)
        ]
        self.refused = batch_id
        self.problem = (
            f"Batch {batch_id} was not {_DONE[action]}: later "
            f"updates wrote to {len(conflicts):,} of its cells or profiles. Nothing was changed."
        )


def _row(batch_id: int, row: pd.Series, undone_by: dict[int, int]) -> BatchRow:
    counts = [f"{int(row[name]):,} {name}" for name in _COUNTS if row[name]]
    words = ", ".join(counts) or count(int(row["messages"]), "message")
    undo = undone_by.get(batch_id)
    status, action = "", "undo"
    while undo is not None:
        redo = undone_by.get(undo)
        if redo is None:
            status, action = f"undone by batch {undo}", "redo"
            break
        status = f"redone by batch {redo}"
        undo = undone_by.get(redo)
    if not pd.isna(row["undoes"]) and action == "undo":
        # The undo of an undo is the redo: it is offered at the batch itself.
        action = ""
    time = time_text(times.parse_time(row["time"]))
    return BatchRow(batch_id, time, str(row["source"]), words, status, action)


def _counts_text(result: ApplyResult) -> str:
    counts = {name: getattr(result, name) for name in ("created", "updated", "deleted")}
    parts = [f"{number:,} {name}" for name, number in counts.items() if number]
    return ", ".join(parts) or "nothing was left to change"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
