"""What failed, at the top of a form, until it is put away."""

from __future__ import annotations

from toolkit.forms.parts import guarded, parts
from toolkit.forms.parts.code import Code
from toolkit.forms.parts.failure import Failure


class FailureNote(guarded.Box):
    """A red note with the traceback to copy; nothing is there while nothing failed."""

    def __init__(self) -> None:
        self._failure: Failure | None = None
        self._note = parts.Note()
        self._open = parts.button("Details", self._turn)
        self._code = Code(label="Details of what failed")
        self._advice = parts.hint("What you entered is still here, and the form still works.")
        super().__init__(
            [
                self._note,
                parts.row(
                    self._open,
                    parts.button("Put away", self.clear, kind="plain", tooltip="Put the note away"),
                    self._advice,
                ),
                self._code,
            ]
        )
        self.add_class("tk-column")
        self.add_class("tk-failure")
        self.clear()

    def show(self, failure: Failure) -> bool:
        """Show what failed last; return whether it was not there already."""
        if failure == self._failure:
            return False
        self._failure = failure
        self._note.show(f"This failed: {failure.doing}\n{failure.words}", "error")
        self._code.code = failure.details
        self._show_details(False)
        self.layout.display = ""
        return True

    def clear(self) -> None:
        """Put the note away."""
        self._failure = None
        self.layout.display = "none"
        self._note.show("")
        self._show_details(False)

    def _turn(self) -> None:
        self._show_details(self._code.layout.display == "none")

    def _show_details(self, is_open: bool) -> None:
        self._code.layout.display = "" if is_open else "none"
        self._open.description = self._open.tooltip = "Hide details" if is_open else "Details"
