"""What the profile editor knows and does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from traitlets import Bool, HasTraits, Instance, Int, List, Unicode

from toolkit.base import (
    ABSENT,
    HIDDEN,
    RESERVED,
    EditConflictError,
    InvalidIdError,
    Json,
    ToolkitError,
    UndoError,
    count,
    display_name,
    listed,
    normalise_id,
    title,
)
from toolkit.forms.editor.property_row import PropertyRow
from toolkit.profiles import ProfileTable, as_table
from toolkit.updates import Edit

_SUGGESTED: Final = 20
#: Proposed as the first properties of a new profile.
_FIRST: Final = ("$name", "$email")


class EditorState(HasTraits):
    """One profile as it is edited.

    Attributes
    ----------
    distinct_id
        What is in the field of the distinct ID.
    rows
        The properties, a :class:`PropertyRow` each.
    exists
        Whether there is a profile under the distinct ID.
    revision
        Goes up whenever anything in a row changes: what follows from the rows is to be
        looked at again.
    note, note_kind
        What there is to say, and how: ``"info"``, ``"success"``, ``"warning"``, ``"error"``.
    asks_to_delete
        Whether the next :meth:`delete` deletes.
    conflict
        Whether saving was refused because the profile changed meanwhile.
    can_undo, can_redo
        Whether there is a save to undo, or an undo to redo.
    """

    distinct_id = Unicode("")
    rows = List(Instance(PropertyRow))
    exists = Bool(False)
    revision = Int(0)
    note = Unicode("")
    note_kind = Unicode("info")
    asks_to_delete = Bool(False)
    conflict = Bool(False)
    can_undo = Bool(False)
    can_redo = Bool(False)

    def __init__(self, profiles: ProfileTable, distinct_id: object = None) -> None:
        super().__init__()
        self.profiles = as_table(profiles)
        #: The profile as it was read, None if there was none.
        self.before: dict[str, Json] | None = None
        #: Its Updated At then.
        self.last_seen: pd.Timestamp | None = None
        self._batch: int | None = None
        self._opened = ""
        # Rows entered before a profile was opened; they go where the ID goes.
        self._carried: list[PropertyRow] = []
        # What follows from the rows, until one of them changes.
        self._after: dict[str, Json] | None = None
        self._edit: Edit | None = None
        self._show([PropertyRow(name, is_proposed=True) for name in _FIRST])
        if distinct_id is not None:
            self.open(distinct_id)

    # What is seen

    @property
    def id_name(self) -> str:
        """What the identifier is called."""
        return "Distinct ID" if self.profiles.group_key is None else "Group ID"

    @property
    def title(self) -> str:
        """The profile's title with the edits made."""
        return title(self.after(), self.distinct_id)

    def after(self) -> dict[str, Json]:
        """Return the properties as they would be; those that cannot be saved are left out.

        A property that is hidden from forms stays as it is.
        """
        if self._after is None:
            stored = self.before or {}
            self._after = {name: value for name, value in stored.items() if name in HIDDEN}
            for row in self._filled():
                if row.removed:
                    continue
                value, problem = row.read()
                if not problem:
                    self._after[row.name] = value
                elif row.is_stored:
                    self._after[row.name] = row.stored
        return dict(self._after)

    def _filled(self) -> list[PropertyRow]:
        """Return the rows that say something: a new one without name and value does not."""
        return [row for row in self.rows if row.is_stored or not _is_blank(row)]

    def edit(self) -> Edit:
        """Return what saving would do."""
        if self._edit is None:
            self._edit = Edit.between(self.before, self.after())
        return self._edit

    def message(self) -> dict[str, Any]:
        """Return the message that saving would send."""
        address = self.profiles.address(self.distinct_id)
        return {**address, **self.edit().operations, "$ignore_time": True}

    @property
    def is_changed(self) -> bool:
        """Whether anything was entered that is not saved."""
        if any(row.problem() for row in self._filled()):
            return True
        return bool(self.edit().properties)

    def id_problem(self) -> str:
        """Return why the distinct ID cannot be used, empty if it can."""
        try:
            normalise_id(self.distinct_id)
        except ToolkitError as error:
            return f"{str(error)[:1].upper()}{str(error)[1:]}."
        if self._is_elsewhere:
            return (
                f'What is changed here is of "{self._opened}". Save or cancel it before '
                "another profile is opened."
            )
        return ""

    @property
    def _is_elsewhere(self) -> bool:
        """Whether another ID is in the field than the one whose edits are shown."""
        return self.before is not None and self.distinct_id != self._opened and self._has_edits()

    def id_caution(self) -> str:
        """Return what is odd about the distinct ID, empty if nothing is."""
        typed = self.distinct_id
        if typed != typed.strip() or not typed.isprintable():
            return "Spaces around the ID and invisible characters are part of it."
        return ""

    def problems(self) -> dict[int, str]:
        """Return what is wrong with the rows, by their place."""
        problems: dict[int, str] = {}
        seen: dict[str, int] = {}
        for place, row in enumerate(self.rows):
            if not row.is_stored and _is_blank(row):
                continue
            problem = row.problem()
            if not row.removed:
                if not problem and row.name in seen:
                    problem = f'There is a row for "{row.label}" already; change that one.'
                seen.setdefault(row.name, place)
            if problem:
                problems[place] = problem
        return problems

    def cautions(self) -> dict[int, str]:
        """Return what is worth a look in the rows, by their place."""
        country = self.after().get("$country_code")
        cautions = {place: row.caution(country) for place, row in enumerate(self.rows)}
        return {place: words for place, words in cautions.items() if words}

    def suggested_ids(self) -> list[tuple[str, str]]:
        """Return distinct IDs that match what was typed, each with its profile's title."""
        typed = self.distinct_id.strip()
        return _matching(self.profiles, typed) if typed else []

    def suggested_names(self) -> list[str]:
        """Return the properties that could be added: those others have, then the reserved."""
        taken = {row.name for row in self.rows}
        offered = [row.name for row in RESERVED.values() if row.is_offered and not row.refusal]
        names = [*self.profiles.properties, *offered]
        return [name for name in dict.fromkeys(names) if name not in taken]

    # What is done

    def open(self, distinct_id: object) -> None:
        """Show the profile under a distinct ID, or the beginning of a new one."""
        try:
            key = normalise_id(distinct_id)
        except ToolkitError as error:
            self._say(str(error), "error")
            return
        self._opened = self.distinct_id = key
        self._carried = []
        try:
            self._read()
        except ToolkitError as error:
            self._say(str(error), "error")
            return
        self._say("")

    def type_id(self, typed: str) -> None:
        """Take what is in the field of the distinct ID.

        If it is the ID of a profile its properties are shown, with those over them that
        were entered before there was any. Edits of another profile never come along.
        """
        self.distinct_id = typed
        self.asks_to_delete = False
        if self.before is None:
            self._carried = [row for row in self.rows if not _is_blank(row)]
        elif self._has_edits():
            self.revision += 1
            return
        try:
            key = normalise_id(typed)
        except ToolkitError:
            key = typed
        profile = None
        if key:
            try:
                profile = self.profiles.row(key)
            except InvalidIdError:
                pass  # a message next to the field says so
            except ToolkitError as error:
                self._say(str(error), "error")
        was_new = self.before is None
        self._opened = key
        if was_new and profile is None:
            self.exists = False
            self.revision += 1
        else:
            self._take(profile, self._carried)

    def refresh(self) -> None:
        """Show what is stored now, unless something was entered that is not saved."""
        if self.exists and not self.is_changed and self.distinct_id == self._opened:
            self._read()

    def _read(self, keep: Iterable[PropertyRow] = (), *, saved: Iterable[PropertyRow] = ()) -> None:
        self._take(self.profiles.row(self._opened), keep, saved)

    def _take(
        self,
        profile: tuple[dict[str, Json], pd.Timestamp | None] | None,
        keep: Iterable[PropertyRow],
        saved: Iterable[PropertyRow] = (),
    ) -> None:
        """Show a profile as it is now, and *keep* rows over what it holds.

        Of the *saved* rows those stay that show what is stored now.
        """
        self.before, self.last_seen = profile or (None, None)
        self.exists = profile is not None
        fields = {row.name: row for row in saved if row.is_stored and not row.removed}
        self.asks_to_delete = self.conflict = False
        names = {row.name: row for row in keep if not _is_blank(row)}
        rows = []
        for name, value in (self.before or {}).items():
            if name in HIDDEN:
                continue
            row = names.pop(name, None)
            if row is None:
                row, field = PropertyRow(name, value), fields.get(name)
                if field is not None and field.entered == row.entered:
                    row = field
            row.stored = value
            rows.append(row)
        for row in names.values():
            if not row.removed:
                row.stored = ABSENT
                rows.append(row)
        if profile is None:
            absent = [name for name in _FIRST if name not in {row.name for row in rows}]
            proposed = [PropertyRow(name, is_proposed=True) for name in absent]
            rows = [*proposed, *rows]
        self._show(rows)

    def _show(self, rows: list[PropertyRow]) -> None:
        kept = set(map(id, rows))
        for row in self.rows:
            if id(row) not in kept:  # what is still on its way to it says nothing any more
                row.unobserve(self._row_changed)
        for row in rows:
            row.observe(self._row_changed)
        self._after = self._edit = None
        self.rows = rows
        self.revision += 1

    def _row_changed(self, _: object) -> None:
        self._after = self._edit = None
        self.asks_to_delete = False
        if not self.conflict:
            self._say("")  # the message was about the previous entry
        self.revision += 1

    def _has_edits(self) -> bool:
        """Whether the open profile was edited, apart from what was entered before."""
        carried = set(map(id, self._carried))
        return any(_is_edited(row) for row in self.rows if id(row) not in carried)

    def add_row(self, name: str = "") -> PropertyRow:
        """Add a property and return its row."""
        row = PropertyRow(name)
        self._show([*self.rows, row])
        return row

    def remove_row(self, row: PropertyRow) -> None:
        """Remove a property, or bring it back; a new one is gone at once."""
        if row.is_stored:
            row.removed = not row.removed
        else:
            self._show([each for each in self.rows if each is not row])

    def cancel(self) -> None:
        """Drop what was entered and show the profile as it is."""
        had = self.is_changed or self.asks_to_delete
        if self.before is not None or self.exists:
            self.distinct_id = self._opened
            self._read()
        else:
            self._take(self.profiles.row(self._opened) if self._opened else None, [])
        self._say("Nothing was changed." if had else "")

    def save(self) -> bool:
        """Send the edits; return whether that was done.

        Nothing is sent while anything is wrong, and nothing entered is lost.
        """
        problems = [f"{self.rows[at].label}: {text}" for at, text in self.problems().items()]
        problem = self.id_problem() or next(iter(problems), "")
        if problem:
            self._say(problem, "error")
            return False
        key = normalise_id(self.distinct_id)
        after = self.after()
        edit = Edit.between(self.before, after)
        if not edit:
            self._say("Nothing to save: nothing was changed.")
            return False
        try:
            result = self.profiles.edit(
                key, after, before=self.before, source="form: edit of a profile"
            )
        except EditConflictError as error:
            self.conflict = True
            text = str(error)
            for name in error.properties:  # as the form calls them
                text = text.replace(repr(name), f'"{display_name(name)}"', 1)
            self._say(f"{text} (“Show what is stored” keeps what you entered).", "warning")
            return False
        except ToolkitError as error:
            self._say(str(error), "error")
            return False
        rejected = [_with_reason(each.property, each.reason) for each in result.rejections]
        if result.batch_id is None:
            self._say(f"Nothing was saved. {listed(rejected)}", "error")
            return False
        self._opened = self.distinct_id = key
        self._carried = []
        self._batch = result.batch_id
        self._read(saved=self.rows)
        self.can_undo, self.can_redo = True, False
        text = f'Saved "{key}": {_edit_text(edit)}.'
        if rejected:
            text += f" Left out: {listed(rejected)}."
        cut = [_with_reason(each.property, each.reason) for each in result.cautions]
        if cut:
            text += f" Note: {listed(cut)}."
        self._say(text, "warning" if rejected or cut else "success")
        return True

    def rebase(self) -> None:
        """After a conflict: show what is stored now, with what was entered here on top."""
        edited = [row for row in self.rows if _is_edited(row)]
        self._read(edited)
        self._say("This is what is stored now, with your changes. Save again if they are right.")

    def delete(self) -> bool:
        """Delete the profile; the first call only asks. Return whether it was deleted."""
        if not self.exists:
            self._say("There is no profile to delete.", "error")
            return False
        if not self.asks_to_delete:
            self.asks_to_delete = True
            self._say(
                f'Delete "{self._opened}" with its {count(len(self.before or {}), "property")}? '
                "Its events stay, and it can be undone.",
                "warning",
            )
            return False
        key = self._opened
        message = {**self.profiles.address(key), "$delete": ""}
        try:
            result = self.profiles.apply(
                [message], source="form: deletion of a profile", ignore_time=True
            )
        except ToolkitError as error:
            self._say(str(error), "error")
            return False
        self._batch = result.batch_id
        self.can_undo, self.can_redo = result.batch_id is not None, False
        self._read()
        self._say(f'Deleted "{key}".', "success")
        return True

    def undo(self) -> None:
        """Take back the last save or deletion of this form."""
        self._turn("undo")

    def redo(self) -> None:
        """Bring back what was undone."""
        self._turn("redo")

    def _turn(self, way: Literal["undo", "redo"]) -> None:
        if self._batch is None:
            return
        try:
            (self.profiles.undo if way == "undo" else self.profiles.redo)(self._batch)
        except UndoError as error:
            self._say(str(error).split(" only_untouched=")[0], "error")
            return
        except ToolkitError as error:
            self._say(str(error), "error")
            return
        self._read()
        self.can_undo, self.can_redo = way == "redo", way == "undo"
        self._say("Undone." if way == "undo" else "Done again.", "success")

    def _say(self, words: str, kind: str = "info") -> None:
        self.note, self.note_kind = words[:1].upper() + words[1:], kind


def _with_reason(name: str | None, reason: str) -> str:
    return f"{display_name(name)}: {reason}" if name else reason


def _is_blank(row: PropertyRow) -> bool:
    """Whether nothing was entered in a new row; a proposed name alone is nothing."""
    untouched = not row.text and not row.items and row.kind not in ("boolean", "null")
    return not row.is_stored and untouched and (not row.name or row.is_proposed)


def _is_edited(row: PropertyRow) -> bool:
    if not row.is_stored:
        return not _is_blank(row)
    if row.removed or row.problem():
        return True
    return bool(Edit.between({"": row.stored}, {"": row.value()}).properties)


def _edit_text(edit: Edit) -> str:
    """Return what an edit did, in words."""
    if edit.creates:
        return f"a new profile with {count(len(edit.properties), 'property')}"
    parts = []
    for kind in ("added", "changed", "removed"):
        those = (each.property for each in edit.properties if each.change == kind)
        names = [display_name(str(name)) for name in those]
        if names:
            parts.append(f"{listed(names, 4)} {kind}")
    return "; ".join(parts)


def _matching(profiles: ProfileTable, typed: str) -> list[tuple[str, str]]:
    """Return the profiles whose ID begins with a text, or whose title or e-mail holds it."""
    snapshot = profiles.snapshot()
    if not len(snapshot):
        return []
    matches = np.flatnonzero(pc.starts_with(snapshot.ids, typed).to_numpy(zero_copy_only=False))
    places = dict.fromkeys(matches[:_SUGGESTED].tolist())
    for name in ("$name", "$first_name", "$last_name", "$email"):
        column = snapshot.column(name)
        if len(places) >= _SUGGESTED or column.kind != "text":
            continue
        texts = column.values
        holds = pc.match_substring(texts, typed, ignore_case=True)
        hits = pc.fill_null(holds, False).to_numpy(zero_copy_only=False) & column.has_value
        places.update(dict.fromkeys(np.flatnonzero(hits)[:_SUGGESTED].tolist()))
    ids = snapshot.ids.take(pa.array(list(places)[:_SUGGESTED], pa.int64())).to_pylist()
    return [(key, title(snapshot.row(place), key)) for place, key in zip(places, ids, strict=False)]
