"""The form that imports a CSV file, step by step."""

from __future__ import annotations

from typing import Final

from toolkit.base import Html, count
from toolkit.forms.csv.state import STEPS, CsvImportState, Step
from toolkit.forms.csv.steps import (
    CheckStep,
    ChooseStep,
    ColumnsStep,
    IdentifierStep,
    ImportStep,
    ReadStep,
    StepView,
)
from toolkit.forms.parts import parts
from toolkit.forms.parts.form import Form
from toolkit.profiles import ProfileTable

_TITLES: Final[dict[Step, str]] = {
    "choose": "File",
    "read": "First rows",
    "identifier": "Identifier",
    "columns": "Columns",
    "check": "Check",
    "import": "Import",
}


class CsvImport(Form):
    """A form that imports a CSV file into profiles, in six steps.

    File, first rows, identifier, columns, check, import: nothing is written before the
    last one, and what it wrote can be undone. Updated at stays as it is, as with all
    edits made by hand (SEEN-2).

    Parameters
    ----------
    profiles
        The table to import into, of users or of groups. Where the file of users has groups too,
        the form asks whose profiles they are.
    keeps_table
        Whether it does not ask.

    Attributes
    ----------
    state
        What the form knows and does, for use without a page.

    Examples
    --------
    >>> import toolkit as tk
    >>> form = CsvImport(tk.ProfileTable())
    >>> form.state.choose_sample("profiles")
    >>> form.state.wait(), form.state.step, form.state.preview.rows
    (True, 'read', 1772)
    """

    def __init__(self, profiles: ProfileTable, *, keeps_table: bool = False) -> None:
        self.state = state = CsvImportState(profiles, keeps_table=keeps_table)
        whose = "" if profiles.group_key is None else f" of {profiles.group_key} profiles"
        self._steps = parts.block()
        self._place = parts.column()
        self._choose = ChooseStep(state)
        self._views: dict[str, StepView] = {
            "choose": self._choose,
            "read": ReadStep(state),
            "identifier": IdentifierStep(state),
            "columns": ColumnsStep(state),
            "check": CheckStep(state),
            "import": ImportStep(state),
        }
        self._progress = parts.ProgressBar(state.job)
        self._error = parts.Note()
        self._note = parts.Note()
        self._back = parts.button("Back", state.back, tooltip="Back one step (Esc)")
        self._next = parts.button("Next", state.next, kind="primary", tooltip="Go on (Enter)")
        self._buttons = parts.row(self._back, self._next)
        super().__init__(
            "CSV import",
            [
                parts.heading(f"Import a CSV file{whose}"),
                self._steps,
                self._place,
                self._progress,
                self._error,
                self._note,
                self._buttons,
            ],
            on_enter=self._enter,
            on_escape=self._escape,
        )
        state.observe(self._draw)
        state.job.observe(self._draw, "running")
        self._draw()

    def _enter(self) -> None:
        typed = self._choose.path.value
        if self.state.step == "choose" and typed:
            self.state.choose(typed)
        else:
            self.state.next()

    def _escape(self) -> None:
        if self.state.job.running:
            self.state.cancel()
        else:
            self.state.back()

    def _draw(self, _: object = None) -> None:
        state = self.state
        step, busy = state.step, state.job.running
        self._steps.value = _steps(step)
        view = self._views[step]
        view.draw()
        if self._place.children != (view,):
            self._place.children = (view,)
        self._error.show(state.error, "error")
        # The last step says at its top what was done.
        has_result = state.result is not None and not state.job.cancelled
        self._note.show(
            "" if has_result else state.note, "warning" if state.job.cancelled else "info"
        )
        self._buttons.layout.display = "none" if step == "import" else ""
        self._back.layout.display = "none" if step == "choose" else ""
        self._back.disabled = busy
        self._next.disabled = busy or (step == "choose" and not state.name)
        self._next.description = "Next"
        if step == "columns":
            self._next.description = "Check"
        elif step == "check" and state.dry is not None:
            self._next.description = f"Import {count(state.dry.imported, 'row')}"

    def __repr__(self) -> str:
        return f"<CsvImport into {self.state.profiles!r}, at the step {self.state.step!r}>"


def _steps(now: str) -> Html:
    """Return the steps as a list in which the one at hand is marked."""
    place = STEPS.index(now)
    items = []
    for at, step in enumerate(STEPS):
        kind = "now" if at == place else "done" if at < place else "later"
        current = Html(' aria-current="step"' if at == place else "")
        # A list counts by itself, also where there is no style, as in a saved notebook.
        words = Html("<strong>{}</strong>" if at == place else "{}").format(_TITLES[step])
        items.append(Html('<li class="tk-step-{}"{}>{}</li>').format(kind, current, words))
    return Html('<ol class="tk-steps">{}</ol>').format(Html().join(items))
