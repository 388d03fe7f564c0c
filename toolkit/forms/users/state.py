"""What the form of users knows and does, without a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import pyarrow as pa
from traitlets import Bool, Dict as DictTrait, Instance, Int, Unicode

from toolkit.base import Progress, ToolkitError, count, display_name, listed, silent
from toolkit.columns import Column
from toolkit.events import Events
from toolkit.forms.parts.job import Job
from toolkit.forms.users.batches import BatchList
from toolkit.forms.users.cohorts import cohort_of_rows
from toolkit.forms.users.export import Exported, export
from toolkit.forms.users.list import UserList
from toolkit.forms.users.profile import ProfilePage
from toolkit.forms.users.values import AUTOMATIC, read_value
from toolkit.profiles import ProfileTable, as_table
from toolkit.reports import Cohort, SavedCohorts
from toolkit.updates import ApplyResult, Outcome, name_refusal

T = TypeVar("T")

# Work on more profiles than these is done in the background, and can be stopped.
_AT_ONCE: Final = 2_000
_NAMED: Final = 3
_NOTICE_EVERY: Final = 1_000


class UsersState(UserList):
    """What :class:`toolkit.Users` shows and does: the list, and what is done to its users.

    Parameters
    ----------
    profiles
        The profiles, of users or of a group.
    events
        Their events, None for none.

    Attributes
    ----------
    problems
        What is wrong with which field, in words: ``"property"``, ``"value"``, ``"to"``,
        ``"cohort"``, ``"path"``.
    message, is_error
        What was done last, in words, and whether that was nothing.
    question
        What is about to be done and waits for a yes; empty for nothing.
    undo_of
        The batch just made, which can be undone; 0 for none.
    editing
        The distinct ID whose editor is open; empty for none.
    profile
        The page that is open, None for none.
    batches
        The latest batches.
    cohorts
        The cohorts saved, by name.
    job
        The long work in progress.
    """

    problems = DictTrait()
    message = Unicode("")
    is_error = Bool(False)
    question = Unicode("")
    undo_of = Int(0)
    editing = Unicode("")
    profile = Instance(ProfilePage, allow_none=True)

    def __init__(self, profiles: ProfileTable, events: Events | None = None) -> None:
        super().__init__(as_table(profiles), events)
        self.job = Job(unit="profile")
        self.cohorts: dict[str, Cohort] = dict(SavedCohorts(profiles))
        self._asked: Callable[[], None] | None = None
        self.batches = BatchList(profiles, self.job, self._changed_elsewhere)
        self.batches.observe(self._show_batch_message, ["message", "problem"])
        self.job.observe(self._job_ended, "running")

    # -- what is done to them -------------------------------------------------------------

    def ask_delete(self) -> None:
        """Ask whether to delete those ticked; :meth:`confirm` does it."""
        rows = self.selection()
        rows = rows[self.source.has_profile[rows]]
        if not len(rows):
            self._tell("No profile is ticked; tick the rows to delete first.", error=True)
            return
        ids = self.source.ids.take(pa.array(rows))
        titles = self.source.titles.take(pa.array(rows[:_NAMED])).to_pylist()
        named = f" ({listed(titles)})" if len(rows) <= _NAMED else ""
        self._ask(
            f"Delete {_profiles(len(rows))}{named}? The events stay. This can be undone below.",
            lambda: self._delete(ids),
        )

    def _delete(self, ids: pa.Array) -> None:
        def work(progress: Progress) -> ApplyResult:
            messages = self._messages(ids, "$delete", "", progress)
            return self.profiles.apply(
                messages, source="form: delete", ignore_time=True, progress=False
            )

        def done(result: ApplyResult) -> None:
            self.pick_none()
            self._done(f"{_profiles(result.deleted)} deleted.", result.batch_id)

        self._work(work, done, len(ids))

    def ask_add_property(
        self, name: str, value: str, kind: str = AUTOMATIC, *, to: str = "picked",
        keep: bool = False,
    ) -> None:  # fmt: skip
        """Ask whether to write one property of many profiles; :meth:`confirm` does it.

        Parameters
        ----------
        name, value, kind
            The property, what was typed as its value, and how to read that: one of
            :data:`~toolkit.forms.users.values.KINDS`.
        to
            ``"picked"``, ``"found"`` or ``"all"``.
        keep
            Whether profiles that have the property already keep what they have.
        """
        problems: dict[str, str] = {}
        name = name.strip()
        if refusal := name_refusal(name):
            problems["property"] = _sentence(refusal)
        read: Any = None
        try:
            read = read_value(value, kind)
        except ValueError as error:
            problems["value"] = _sentence(str(error))
        rows = self.selection(to)
        if not len(rows):
            problems["to"] = "Nobody is ticked." if to == "picked" else "Nobody is found."
        self.problems = problems
        if problems:
            return
        ids = self.source.ids.take(pa.array(rows))
        without = int((~self.source.has_profile[rows]).sum())
        words = f'Write "{display_name(name)}" of {_profiles(len(rows))}'
        words += ", where it is absent?" if keep else "? An existing value is replaced."
        if without:
            words += f" {count(without, 'user')} without a profile will get one."
        self._ask(words, lambda: self._write(ids, name, read, keep=keep))

    def _write(self, ids: pa.Array, name: str, value: Any, *, keep: bool) -> None:
        source = f"form: {name} of many"

        def work(progress: Progress) -> Outcome:
            if keep:
                messages = self._messages(ids, "$set_once", {name: value}, progress)
                return self.profiles.apply(
                    messages, source=source, ignore_time=True, progress=False
                )
            progress("Writing", 0, len(ids))
            column = Column.of([value]).take(np.zeros(len(ids), np.int64))
            return self.profiles.set_columns(ids, {name: column}, source=source, progress=progress)

        def done(result: Outcome) -> None:
            written = result.created + result.updated
            words = f'"{display_name(name)}" written in {_profiles(written)}.'
            if result.unchanged:
                words += f" {result.unchanged:,} had it already."
            if result.rejections:
                first = result.rejections[0].reason
                words += f" {len(result.rejections):,} rejected: {first}."
            if name not in self.columns:
                self.columns = [*self.columns, name]
            self._done(words, result.batch_id)

        self._work(work, done, len(ids))

    def _messages(
        self, ids: pa.Array, operator: str, argument: Any, progress: Progress
    ) -> Iterator[dict[str, Any]]:
        for place, key in enumerate(ids.to_pylist()):
            if not place % _NOTICE_EVERY:
                progress("Checking", place, len(ids))
            if self.is_users:
                yield {"$distinct_id": key, operator: argument}
            else:
                group = self.profiles.group_key
                yield {"$group_key": group, "$group_id": key, operator: argument}

    def save_cohort(self, name: str) -> Cohort | None:
        """Keep those ticked, or else those found, as a named set in :attr:`cohorts`."""
        name = name.strip()
        problems = {key: reason for key, reason in self.problems.items() if key != "cohort"}
        if not name:
            problems["cohort"] = "A cohort needs a name."
        elif not self.filter.is_right:
            problems["cohort"] = "Correct the filter first."
        self.problems = problems
        if "cohort" in problems:
            return None
        by_hand = self.picked_count > 0
        rows = self.selection("picked" if by_hand else "found")
        cohort = cohort_of_rows(
            name,
            self.source,
            rows,
            self._joined,
            search=self.search,
            is_by_hand=by_hand and not (self.inverse and not self.picked),
        )
        saved = SavedCohorts(self.profiles)
        replaced = "replaced" if name in saved else "saved"
        saved.save(cohort)
        self.cohorts = dict(saved)
        self.look_again()
        self._tell(f'Cohort "{name}" {replaced}: {count(len(cohort), "user")}.')
        return cohort

    def export(
        self,
        kind: str = "csv",
        path: str | None = None,
        *,
        only_columns: bool = False,
        on_ready: Callable[[Exported], None] | None = None,
    ) -> None:
        """Write those ticked, or else those found, as CSV or as messages.

        Parameters
        ----------
        kind
            ``"csv"`` or ``"jsonl"``.
        path
            The file to write; None hands the content to *on_ready*, for the browser.
        only_columns
            Whether a CSV holds the columns shown only, in their order.
        on_ready
            Called with what was written.
        """
        problems = {key: words for key, words in self.problems.items() if key != "path"}
        if path is not None and not path.strip():
            problems["path"] = "Name a file."
        elif path is not None and Path(path.strip()).expanduser().is_file():
            problems["path"] = "This file already exists; give another name, or remove it first."
        elif not self.picked_count and not self.filter.is_right:
            problems["path"] = "Correct the filter first."
        self.problems = problems
        if "path" in problems:
            return
        rows = self.selection("picked" if self.picked_count else "found")
        names = list(self.columns) if only_columns else None
        target = None if path is None else Path(path.strip()).expanduser()

        def work(progress: Progress) -> Exported | OSError:
            try:
                return export(self.source, rows, kind, target, names, progress, self.profiles)
            except OSError as error:
                return error

        def done(result: Exported | OSError) -> None:
            if isinstance(result, OSError):
                reason = result.strerror or str(result)
                self.problems = {**self.problems, "path": f"{target}: {reason}"}
                return
            where = "for download" if target is None else f"to {target}"
            words = f"{_profiles(result.profiles)} written {where}."
            self._tell(" ".join([words, *result.losses]))
            if on_ready is not None:
                on_ready(result)

        self._work(work, done, len(rows))

    # -- one of them ----------------------------------------------------------------------

    def open(self, distinct_id: str) -> ProfilePage:
        """Open the page of one user."""
        self.profile = ProfilePage(self.profiles, distinct_id, self.events)
        return self.profile

    def close(self) -> None:
        """Go back to the list."""
        self.profile = None

    def edit(self, distinct_id: str | None = None) -> None:
        """Open the editor of a profile: the one given, or the one ticked."""
        if distinct_id is None:
            rows = self.selection()
            if len(rows) != 1:
                self._tell("Tick one row to edit it.", error=True)
                return
            distinct_id = self.source.ids[int(rows[0])].as_py()
        self.editing = str(distinct_id)

    def end_edit(self) -> None:
        """Close the editor and look at what it left."""
        self.editing = ""
        self._changed_elsewhere()
        self.batches.reload()

    # -- questions, messages, undo --------------------------------------------------------

    def _ask(self, words: str, action: Callable[[], None]) -> None:
        self._tell("")
        self._asked, self.question = action, words

    def confirm(self) -> None:
        """Say yes to the question."""
        action, self._asked, self.question = self._asked, None, ""
        if action is not None:
            action()

    def cancel(self) -> None:
        """Say no to the question; nothing is done."""
        self._asked, self.question = None, ""

    def undo(self) -> None:
        """Undo what was just done."""
        if self.undo_of:
            batch, self.undo_of = self.undo_of, 0
            self._tell("")
            self.batches.undo(batch)

    def _tell(self, words: str, *, error: bool = False) -> None:
        self.is_error, self.message = error, words
        if error or not words:
            self.undo_of = 0

    def _done(self, words: str, batch_id: int | None) -> None:
        self._changed_elsewhere()
        self.batches.reload()
        self.undo_of = 0
        self._tell(words)
        self.undo_of = batch_id or 0

    def _changed_elsewhere(self) -> None:
        self.refresh()
        if self.profile is not None:
            self.profile.reload()

    def _work(self, work: Callable[[Progress], T], done: Callable[[T], None], size: int) -> None:
        """Do little work now, and much in the background, where it can be stopped."""
        if self.job.running:
            self._tell("Something is in progress; wait for it, or cancel it.", error=True)
            return
        if size > _AT_ONCE:
            self.job.start(work, done)
            return
        try:
            done(work(silent))
        except ToolkitError as error:
            self._tell(_sentence(str(error)), error=True)

    def _job_ended(self, change: Any) -> None:
        if not change["new"] and self.job.error:
            self._tell(_sentence(self.job.error), error=True)
        elif not change["new"] and self.job.cancelled:
            self._tell("Stopped; nothing was changed.")

    def _show_batch_message(self, change: Any) -> None:
        if change["new"]:
            self._tell(change["new"], error=change["name"] == "problem")


def _profiles(number: int) -> str:
    return count(number, "profile")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?")) else ".")
