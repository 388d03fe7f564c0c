"""The form that adds or edits one profile."""

from __future__ import annotations

from typing import Any

from toolkit.base import ArgumentError, ToolkitError, check_flag
from toolkit.forms.editor.edit_preview import edit_table, message_text
from toolkit.forms.editor.property_editor import PropertyEditor
from toolkit.forms.editor.property_row import PropertyRow
from toolkit.forms.editor.state import EditorState
from toolkit.forms.parts import parts
from toolkit.forms.parts.form import Form
from toolkit.forms.parts.profile_card import profile_card
from toolkit.profiles import ProfileTable

_BETWEEN = "  ·  "


class ProfileEditor(Form):
    """A form that adds or edits one profile.

    Before saving it shows what will be changed and the message that does it. Saving
    leaves Updated at as it is, as all edits by hand do (SEEN-2). A profile that
    somebody else changed meanwhile is not overwritten.

    Parameters
    ----------
    profiles
        The table, of users or of a group key.
    distinct_id
        The profile to open; None begins a new one.
    remote_images
        Whether pictures may be loaded from the addresses in ``$avatar``. By default
        nothing leaves the machine, and initials are shown.

    Attributes
    ----------
    state
        What the form knows and does, for use without a page:
        ``form.state.add_row("plan").text = "pro"``, ``form.state.save()``.

    Examples
    --------
    >>> profiles = ProfileTable()
    >>> form = ProfileEditor(profiles, "123")
    >>> form.state.add_row("plan").text = "pro"
    >>> form.state.save(), profiles["123"]
    (True, {'plan': 'pro'})
    """

    def __init__(
        self, profiles: ProfileTable, distinct_id: object = None, *, remote_images: bool = False
    ) -> None:
        self.state = state = EditorState(profiles, distinct_id)
        self._remote_images = check_flag("remote_images", remote_images, ArgumentError)
        self._options: dict[str, str] = {}
        self._editors: dict[int, PropertyEditor] = {}
        self._heading = parts.block()
        self._id = parts.combobox(
            state.id_name, placeholder="An ID, or the beginning of a name", width="420px"
        )
        self._id_problem = parts.FieldError(self._id)
        self._card = parts.block()
        self._rows = parts.column()
        self._changes = parts.block()
        self._message = parts.block()
        self._note = parts.Note()
        self._add = parts.button("+ Add property", self._add_row)
        self._save = parts.button("Save", self.save, kind="primary", tooltip="Save (Enter)")
        self._cancel = parts.button(
            "Cancel", state.cancel, tooltip="Discard what was entered (Esc)"
        )
        self._delete = parts.button("Delete", self._delete_profile, kind="danger")
        # Not the same button again: a double click would answer a question nobody read.
        self._confirm = parts.button("Delete for good", self._delete_profile, kind="danger")
        self._keep = parts.button("Keep it", state.cancel)
        self._rebase = parts.button("Show what is stored", state.rebase)
        self._undo = parts.button("Undo", state.undo)
        self._redo = parts.button("Redo", state.redo)
        super().__init__(
            "Profile editor",
            [
                self._heading,
                self._id,
                self._id_problem,
                self._card,
                self._rows,
                self._add,
                parts.subheading("What will be changed"),
                self._changes,
                self._message,
                self._note,
                parts.row(
                    *(self._confirm, self._keep, self._save, self._cancel, self._rebase),
                    *(self._undo, self._redo, self._delete),
                ),
            ],
            on_enter=self.save,
            on_escape=state.cancel,
        )
        self._id.observe(self._typed, "value")
        state.observe(self._draw_rows, "rows")
        state.observe(self._draw, "revision")
        state.observe(self._draw_note, ["note", "note_kind"])
        state.observe(
            self._draw_buttons,
            ["exists", "asks_to_delete", "conflict", "can_undo", "can_redo", "revision"],
        )
        state.observe(self._draw_id, "distinct_id")
        state.observe(self._draw_heading, "exists")
        self._draw_heading()
        self._draw_id()
        self._draw_rows()
        self._draw()
        self._draw_note()
        self._draw_buttons()

    def save(self) -> None:
        """Save what was entered, if all of it can be."""
        self.state.save()

    def _delete_profile(self) -> None:
        self.state.delete()

    def _typed(self, change: dict[str, Any]) -> None:
        typed = self._options.get(change["new"], change["new"])
        if typed != self.state.distinct_id:
            self.state.type_id(typed)
        self._propose(typed)

    def _propose(self, typed: str) -> None:
        """Propose profiles that fit what was typed."""
        try:
            proposals = self.state.suggested_ids()
        except ToolkitError:
            proposals = []  # the state shows the reason
        self._options = {
            key if name == key else f"{key}{_BETWEEN}{name}": key for key, name in proposals
        }
        self._id.options = tuple(option for option in self._options if option != typed)

    def _add_row(self) -> None:
        row = self.state.add_row()
        self._editors[id(row)].name.focus()

    # What follows from the state

    def _draw_id(self, _: object = None) -> None:
        self._id.value = self.state.distinct_id

    def _draw_rows(self, _: object = None) -> None:
        editors = self._editors
        self._editors = {
            id(row): editors.get(id(row)) or self._editor_of(row) for row in self.state.rows
        }
        self._rows.children = list(self._editors.values())

    def _editor_of(self, row: PropertyRow) -> PropertyEditor:
        state = self.state
        return PropertyEditor(row, state.suggested_names, lambda: state.remove_row(row))

    def _draw_heading(self, _: object = None) -> None:
        verb = "Edit a profile" if self.state.exists else "Add a profile"
        self._heading.value = parts.heading(verb).value

    def _draw(self, _: object = None) -> None:
        state = self.state
        remark = state.id_problem() or state.id_caution()
        self._id_problem.show(remark if state.distinct_id else "")
        after = state.after()
        self._card.value = profile_card(
            after if state.exists else after or None,
            state.distinct_id,
            state.last_seen,
            remote_images=self._remote_images,
        )
        problems, cautions = state.problems(), state.cautions()
        for place, editor in enumerate(self._editors.values()):
            editor.show_remarks(problems.get(place, ""), cautions.get(place, ""))
        self._changes.value = edit_table(state.edit())
        self._message.value = message_text(state.message())

    def _draw_note(self, _: object = None) -> None:
        self._note.show(self.state.note, self.state.note_kind)  # type: ignore[arg-type]

    def _draw_buttons(self, _: object = None) -> None:
        state = self.state
        for button, is_there in (
            (self._delete, state.exists and not state.asks_to_delete),
            (self._confirm, state.asks_to_delete),
            (self._keep, state.asks_to_delete),
            (self._save, not state.asks_to_delete),
            (self._cancel, not state.asks_to_delete),
            (self._rebase, state.conflict),
            (self._undo, state.can_undo),
            (self._redo, state.can_redo),
        ):
            button.layout.display = "" if is_there else "none"

    def __repr__(self) -> str:
        whose = repr(self.state.distinct_id) if self.state.distinct_id else "a new profile"
        return f"<ProfileEditor of {whose}>"
