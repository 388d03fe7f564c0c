"""The steps of the CSV wizard as one sees them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd

from toolkit.base import Html, count, listed, notes
from toolkit.forms.csv.column_rows import ColumnRows
from toolkit.forms.csv.facts import (
    CHANGES_COLUMNS,
    REJECTED_COLUMNS,
    changed_rows,
    facts_table,
    file_text,
    first_rows_table,
    rejected_rows,
)
from toolkit.forms.csv.state import SAMPLES, CsvImportState
from toolkit.forms.csv.words import in_form
from toolkit.forms.parts import guarded, parts
from toolkit.forms.parts.download import DownloadButton
from toolkit.forms.parts.file_drop import LARGE, FileDrop
from toolkit.forms.parts.grid import Grid, GridColumn, GridRow
from toolkit.sources import delimiter_name, sentence, table_endings

_ENCODINGS: Final = (
    *("utf-8", "cp1252", "latin-1", "utf-16", "cp1250", "cp1251", "mac_roman"),
    *("shift_jis", "gb18030", "big5", "euc_kr"),
)
_DELIMITERS: Final = (",", ";", "\t", "|", ":", " ", "~", "^")
# A dropdown cannot hold None, for it means that nothing is chosen.
_FIND_OUT: Final = ""
_HEADERS: Final[dict[str, bool | None]] = {_FIND_OUT: None, "header": True, "data": False}
_NO_COLUMN: Final = -1
_NEARBY: Final = 50
_PAGE: Final = 8


class StepView(guarded.Box):
    """One step: parts one below the other, filled by :meth:`draw`."""

    def __init__(self, state: CsvImportState, *children: guarded.Widget) -> None:
        self.state = state
        self._drawing = False
        super().__init__(list(children))
        self.add_class("tk-column")

    def draw(self) -> None:
        """Show what the state holds."""
        self._drawing = True
        try:
            self._draw()
        finally:
            self._drawing = False

    def _draw(self) -> None:
        raise NotImplementedError

    def _on(self, field: Any, action: Callable[[Any], None]) -> None:
        """Call *action* with the value of a field that somebody changed."""

        def changed(change: dict[str, Any]) -> None:
            if not self._drawing:
                action(change["new"])

        field.observe(changed, "value")


class ChooseStep(StepView):
    """A file of this machine, a path, or a sample."""

    def __init__(self, state: CsvImportState) -> None:
        self.drop = FileDrop(
            state.upload,
            lambda reason: state.set_trait("error", reason),
            label="Drop a CSV file here, or click to choose one",
            accept=",".join([*table_endings(), ".txt", ".gz"]),
        )
        self.path = parts.combobox("Or its path", _nearby(), placeholder="users.csv", width="460px")
        self.open_button = parts.button(
            "Open", self.open_path, tooltip="Read the file at this path"
        )
        samples = [
            parts.button(label, lambda key=key: state.choose_sample(key))  # type: ignore[misc]
            for label, key in SAMPLES.items()
        ]
        self._open_now = parts.block()
        self.whose = parts.dropdown("Profiles of", [("Users", "")], "", width="260px")
        super().__init__(
            state,
            self.whose,
            self.drop,
            parts.hint(
                f"Give files of more than {LARGE // 1_000_000} MB by their path: "
                "uploads through the page are slow. Nothing leaves this machine."
            ),
            parts.row(self.path, self.open_button),
            parts.row(parts.hint("Or try a sample:"), *samples),
            self._open_now,
        )
        self._on(self.whose, state.into)

    def open_path(self) -> None:
        """Read the file whose path was typed."""
        self.state.choose(self.path.value)

    def _draw(self) -> None:
        name = self.state.name
        tables = self.state.tables
        parts.offer(
            self.whose, [(label, key) for key, label in tables.items()], self.state.group_key
        )
        self.whose.layout.display = "" if len(tables) > 1 else "none"
        hint = f"{name} is open. Next goes on with it." if name else ""
        self._open_now.value = parts.hint_html(hint)


def _nearby() -> list[str]:
    """Return the files with a table next to the notebook, and one folder down."""
    paths: list[str] = []
    endings = table_endings()
    zipped = [f"{ending}.gz" for ending in endings]
    for pattern in (*(f"*{each}" for each in (*endings, *zipped)), *(f"*/*{e}" for e in endings)):
        try:
            paths += sorted(str(path) for path in Path().glob(pattern))
        except OSError:
            continue
    return paths[:_NEARBY]


class ReadStep(StepView):
    """How the file is written, with its first rows."""

    def __init__(self, state: CsvImportState) -> None:
        self._description = parts.block()
        self.encoding = parts.combobox("Encoding", _ENCODINGS, width="240px")
        self.encoding.continuous_update = False
        self.delimiter = parts.dropdown("Delimiter", [("", "")], "", width="260px")
        self.header = parts.dropdown("First row", list(_HEADERS), "", width="300px")
        self._why = parts.block()
        self._rows = parts.block()
        self._problems = parts.block()
        super().__init__(
            state,
            self._description,
            parts.row(self.encoding, self.delimiter, self.header),
            self._why,
            self._rows,
            self._problems,
        )
        self._on(self.encoding, lambda value: state.read_as(encoding=value))
        self._on(self.delimiter, lambda value: state.read_as(delimiter=value))
        self._on(self.header, lambda value: state.read_as(header=_HEADERS[value]))

    def _draw(self) -> None:
        state, preview = self.state, self.state.preview
        if preview is None:
            return
        self._description.value = Html("<p>{}</p>").format(file_text(preview))
        self.encoding.placeholder = f"found: {preview.encoding}"
        self.encoding.value = state.encoding
        label = f"found: {delimiter_name(preview.delimiter)}"
        others = [(delimiter_name(each), each) for each in _DELIMITERS]
        if state.delimiter and state.delimiter not in _DELIMITERS:
            others.append((repr(state.delimiter), state.delimiter))
        parts.offer(
            self.delimiter,
            [("find out" if state.delimiter else label, _FIND_OUT), *others],
            state.delimiter,
        )
        what = "a header" if preview.header else "data"
        parts.offer(
            self.header,
            [
                (f"found: {what}" if state.header is None else "find out", _FIND_OUT),
                ("a header: names of columns", "header"),
                ("data, as all others", "data"),
            ],
            next(name for name, header in _HEADERS.items() if header == state.header),
        )
        self._why.value = parts.hint_html(sentence(preview.header_reason))
        self._rows.value = first_rows_table(state.first_rows, preview.header)
        self._problems.value = notes(map(in_form, preview.problems))


class IdentifierStep(StepView):
    """Which column is the distinct ID."""

    def __init__(self, state: CsvImportState) -> None:
        self.column = parts.dropdown("Distinct ID", [("", _NO_COLUMN)], _NO_COLUMN, width="460px")
        self._description = parts.Note()
        self.use = parts.button("Use it", lambda: state.choose_identifier(state.candidate))
        super().__init__(
            state,
            parts.hint(
                "Rows whose ID is already in the table update that profile; others create new ones."
            ),
            self.column,
            self._description,
            self.use,
        )
        self._on(
            self.column,
            lambda at: state.choose_identifier(None if at == _NO_COLUMN else at),
        )

    def _draw(self) -> None:
        state = self.state
        self.column.description = f"{state.id_name[:1].upper()}{state.id_name[1:]}"
        options: list[tuple[str, int]] = [("No column", _NO_COLUMN)]
        for each in state.columns:
            samples = listed((sample[:24] for sample in each.about.samples[:2]), 2)
            options.append((f"{each.title}: {samples or 'no cells'}"[:80], each.position))
        parts.offer(
            self.column, options, _NO_COLUMN if state.identifier is None else state.identifier
        )
        doubtful = (
            "random" in state.identifier_told or "cannot be imported" in state.identifier_told
        )
        self._description.show(state.identifier_told, "warning" if doubtful else "info")
        self.use.layout.display = "none" if state.candidate is None else ""
        if state.candidate is not None:
            self.use.description = f'Use "{state.columns[state.candidate].title[:40]}"'


class ColumnsStep(StepView):
    """Which columns become which properties, and templates of that."""

    def __init__(self, state: CsvImportState) -> None:
        self.template = parts.dropdown("Template", [("", "")], "", width="320px")
        self.apply = parts.button("Use", lambda: state.apply_template(self.template.value))
        self.delete = parts.button(
            "Delete", lambda: state.delete_template(self.template.value), kind="plain",
            tooltip="Delete this template",
        )  # fmt: skip
        self.template_name = parts.text(
            "Template name", place="hidden", placeholder="Name for these choices", width="200px"
        )
        self.save = parts.button("Save as template", self._save)
        self._note = parts.Note()
        self.forget = parts.button("Start from the file instead", state.forget_choices)
        self._identifier = parts.block()
        self.rows = ColumnRows(state)
        self._template_buttons = parts.row(self.template, self.apply, self.delete)
        super().__init__(
            state,
            parts.row(self._template_buttons, parts.row(self.template_name, self.save)),
            parts.row(self._note, self.forget),
            self._identifier,
            self.rows,
        )

    def _save(self) -> None:
        self.state.save_template(self.template_name.value)
        if not self.state.error:
            self.template_name.value = ""

    def _draw(self) -> None:
        state = self.state
        parts.offer(
            self.template,
            [(name, name) for name in state.templates] or [("", "")],
            self.template.value
            if self.template.value in state.templates
            else (state.templates or [""])[0],
        )
        self._template_buttons.layout.display = "" if state.templates else "none"
        self._note.show(state.template_note)
        self.forget.layout.display = "" if state.template_note.startswith("As ") else "none"
        text = state.identifier_told if state.identifier is None else ""
        self._identifier.value = parts.hint_html(text)
        self._identifier.layout.display = "" if text else "none"
        self.rows.draw()


class Pages(guarded.Box):
    """Some rows of a DataFrame under a title, a page at a time; nothing if there are none."""

    def __init__(
        self,
        title: str,
        columns: Sequence[GridColumn],
        rows: Callable[[pd.DataFrame, int, int], list[GridRow]],
    ) -> None:
        self._title, self._columns, self._rows_of = title, columns, rows
        self._frame = pd.DataFrame()
        self._heading = parts.subheading(title)
        self.grid = Grid(label=title, page_size=_PAGE, on_page=self._turn)
        super().__init__([self._heading, self.grid])
        self.add_class("tk-column")

    def show(self, frame: pd.DataFrame, title: str = "") -> None:
        """Show the first page."""
        self._frame = frame
        self._heading.value = parts.subheading(title or self._title).value
        self.layout.display = "" if len(frame) else "none"
        self._turn(0)

    def _turn(self, page: int) -> None:
        rows = self._rows_of(self._frame, page * _PAGE, (page + 1) * _PAGE)
        self.grid.show(self._columns, rows, total=len(self._frame), page=page)


class CheckStep(StepView):
    """What the import would do."""

    def __init__(self, state: CsvImportState) -> None:
        self._facts = parts.block()
        self._notes = parts.block()
        self.others = parts.checkbox("Import the other rows")
        self._rejected = Pages("Rows that cannot be imported", REJECTED_COLUMNS, rejected_rows)
        self._changes = Pages("Stored values that are overwritten", CHANGES_COLUMNS, changed_rows)
        self._download = DownloadButton(
            "Download these rows", "rejected.csv", lambda: state.rejected
        )
        self._shown: object = None
        super().__init__(
            state,
            parts.hint("Nothing has been written yet."),
            self._facts,
            self._notes,
            self._rejected,
            self._download,
            self.others,
            self._changes,
        )
        self._on(self.others, lambda value: state.set_trait("skip_rejected", value))

    def _draw(self) -> None:
        report = self.state.dry
        self.others.value = self.state.skip_rejected
        if report is None or report is self._shown:
            return
        self._shown = report
        self._facts.value = facts_table(report)
        self._notes.value = notes(map(in_form, report.warnings))
        self._rejected.show(report.rejected)
        some = len(report.rejected) > 0 and report.imported > 0
        self.others.description = f"Import the other {count(report.imported, 'row')}"
        self.others.layout.display = "" if some else "none"
        self._download.layout.display = "" if len(report.rejected) else "none"
        shown = len(report.changes)
        first = f", the first {shown}" if report.changed_cells > shown else ""
        self._changes.show(
            report.changes,
            f"Stored values that are overwritten: {report.changed_cells:,}{first}",
        )


class ImportStep(StepView):
    """The import in progress, and what it did."""

    def __init__(self, state: CsvImportState) -> None:
        self._done = parts.Note()
        self._facts = parts.block()
        self._rejected = Pages("Rows that were not imported", REJECTED_COLUMNS, rejected_rows)
        self._download = DownloadButton(
            "Download these rows", "rejected.csv", lambda: state.rejected
        )
        self.undo = parts.button("Undo this import", state.undo)
        self.rest = parts.button(
            "Undo the rest", lambda: state.undo(only_untouched=True),
            tooltip="Undo everything except what was changed since",
        )  # fmt: skip
        self.redo = parts.button("Bring it back", state.redo)
        self.another = parts.button("Import another file", state.restart, kind="primary")
        self._shown: object = None
        super().__init__(
            state,
            self._done,
            self._facts,
            self._rejected,
            self._download,
            parts.row(self.another, self.undo, self.rest, self.redo),
        )

    def _draw(self) -> None:
        state, report = self.state, self.state.result
        busy = state.job.running
        has_batch = report is not None and report.batch_id is not None
        for button, is_there in (
            (self.undo, has_batch and not state.undone and not state.conflicts),
            (self.rest, has_batch and not state.undone and state.conflicts > 0),
            (self.redo, has_batch and state.undone),
            (self.another, report is not None),
        ):
            button.layout.display = "" if is_there else "none"
            button.disabled = busy
        if report is None:
            self._done.show("")
            self._facts.value = ""
            self._download.layout.display = "none"
            self._rejected.show(pd.DataFrame())
            return
        for part in (self._facts, self._rejected, self._download):
            part.layout.display = "none" if state.undone else ""
        if not len(report.rejected):
            self._rejected.layout.display = self._download.layout.display = "none"
        if state.undone:
            self._done.show("The import was undone: the profiles are as they were before.", "info")
        else:
            self._done.show(
                f"{count(report.imported, 'row')} of {report.name} imported in "
                f"{report.seconds:.1f} s: {count(report.created, 'new profile')}, "
                f"{report.updated:,} updated, {report.unchanged:,} unchanged.",
                "success",
            )
        if report is not self._shown:
            self._shown = report
            self._facts.value = facts_table(report)
            self._rejected.show(report.rejected)
