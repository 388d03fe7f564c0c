"""What the CSV wizard knows and does, apart from how it looks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import IO, Any, Final, Literal, TypeVar

from traitlets import Bool, HasTraits, Instance, Int, List, Tuple, Unicode

from toolkit.base import (
    HIDDEN,
    ArgumentError,
    Progress,
    ToolkitError,
    UndoError,
    check_flag,
    count,
    did_you_mean,
    dumps,
    written,
)
from toolkit.forms.csv.columns import (
    ColumnChoice,
    Template,
    checked,
    email_column,
    first_choices,
    is_template,
    mapping_of,
    named,
    template_of,
    types_of,
    with_template,
    writable,
)
from toolkit.forms.csv.words import as_field, in_form
from toolkit.forms.parts.job import Job
from toolkit.profiles import ProfileTable, as_table
from toolkit.sources import (
    COLUMN_TYPES,
    DISTINCT_ID,
    TIME,
    ColumnType,
    CsvFile,
    CsvPreview,
    CsvSource,
    ImportReport,
    csv_table,
    import_csv,
    rejected_csv,
    sample_files,
    sentence,
)

T = TypeVar("T")
Step = Literal["choose", "read", "identifier", "columns", "check", "import"]

#: The steps, in order.
STEPS: Final[tuple[Step, ...]] = ("choose", "read", "identifier", "columns", "check", "import")

#: Files that come with the toolkit, by what to call them.
SAMPLES: Final[Mapping[str, str]] = {
    "Customers of a made-up shop, with a header": "profiles",
    "The same customers, without a header": "profiles_no_header",
}

_TEMPLATES: Final = "csv templates"
_LAST: Final = "csv mappings"
# Of so many kinds of files the last mapping is remembered.
_REMEMBERED: Final = 50
_FIRST_ROWS: Final = 8
_STOPPED: Final = "Stopped. Nothing was written."


@dataclass(frozen=True)
class _Loaded:
    """A file that was read, and what is in it."""

    file: CsvFile
    preview: CsvPreview


class CsvImportState(HasTraits):
    """The CSV wizard without its view.

    Long work (reading a file, the dry run, the import, its undo) runs in :attr:`job`:
    an action begins it and returns; :meth:`wait` waits for its end. Whatever goes
    wrong is in :attr:`error`.

    Attributes
    ----------
    step
        One of :data:`STEPS`.
    error, note
        What went wrong with the last action, and what else there is to say of it.
    name
        The file's name.
    encoding, delimiter, header
        How the file is to be read, as asked for; ``""`` and None to detect it.
    preview
        What is in the file; None before one was read.
    first_rows
        The cells of its first rows, a header included.
    identifier
        The position of the column of distinct IDs, None for none.
    columns
        A :class:`ColumnChoice` a column.
    templates
        The names of the templates there are.
    template_note
        Where the choices came from, and what of it did not fit.
    dry, result
        What the import would do, and what it did.
    skip_rejected
        Whether to import the other rows where some cannot be (CSV-7).
    undone
        Whether the import was undone.
    conflicts
        How many cells and profiles later updates wrote to, so that the import cannot be
        undone whole.
    """

    step = Unicode("choose")
    error = Unicode("")
    note = Unicode("")
    name = Unicode("")
    encoding = Unicode("")
    delimiter = Unicode("")
    header = Bool(None, allow_none=True)
    preview = Instance(CsvPreview, allow_none=True)
    first_rows: List[Any] = List()
    identifier = Int(None, allow_none=True)
    columns = Tuple()
    templates = List(Unicode())
    template_note = Unicode("")
    dry = Instance(ImportReport, allow_none=True)
    result = Instance(ImportReport, allow_none=True)
    skip_rejected = Bool(False)
    undone = Bool(False)
    conflicts = Int(0)
    group_key = Unicode("")

    def __init__(self, profiles: ProfileTable, *, keeps_table: bool = False) -> None:
        super().__init__()
        self.profiles = self._table = as_table(profiles)
        self.group_key = profiles.group_key or ""
        check_flag("keeps_table", keeps_table, ArgumentError)
        self._keeps_table = keeps_table or profiles.group_key is not None
        self.job = Job()
        self._source: CsvSource | None = None
        self._file: CsvFile | None = None
        self._property_names: tuple[str, ...] = ()
        self._list_templates()

    # Choosing and reading a file

    def choose(self, path: str | PathLike[str]) -> None:
        """Read the file at a path; ``~`` is the home folder, quotes around it do not count."""
        text = str(path).strip()
        if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
            text = text[1:-1]
        if not text:
            self.error = "Give the path of a CSV file, or choose one above."
            return
        self._begin(lambda: CsvSource.of(Path(text).expanduser()))

    def upload(self, name: str, file: IO[bytes]) -> None:
        """Read a file that came through the browser; it is closed afterwards."""

        def source() -> CsvSource:
            with file:
                return CsvSource(Path(name).name or "data", file.read())

        self._begin(source)

    def choose_sample(self, key: str) -> None:
        """Read a sample file: a value of :data:`SAMPLES`."""
        self._begin(lambda: CsvSource.of(sample_files()[key]))

    def _begin(self, source: Callable[[], CsvSource]) -> None:
        def work(progress: Progress) -> tuple[CsvSource, _Loaded]:
            table = csv_table(source())
            return table, self._read(table, "", "", None, progress)

        def done(read: tuple[CsvSource, _Loaded]) -> None:
            self._source, loaded = read
            self.encoding, self.delimiter, self.header = "", "", None
            self._take(loaded)
            self.step = "read"

        self._start(work, done)

    def read_as(
        self,
        *,
        encoding: str | None = None,
        delimiter: str | None = None,
        header: bool | Literal["keep"] | None = "keep",
    ) -> None:
        """Read the file another way; what is not named stays as it was asked for."""
        if self._source is None or self._file is None:
            self.error = "Choose a file first."
            return
        source, kept = self._source, self._file
        wanted_encoding = self.encoding if encoding is None else encoding.strip()
        wanted_delimiter = self.delimiter if delimiter is None else delimiter
        wanted_header = self.header if header == "keep" else header
        same = (wanted_encoding, wanted_delimiter) == (self.encoding, self.delimiter)

        def work(progress: Progress) -> _Loaded:
            if same:
                with written(as_field):
                    file = kept.with_header(wanted_header)
                    return _Loaded(file, file.preview(progress, self.profiles.group_key))
            return self._read(source, wanted_encoding, wanted_delimiter, wanted_header, progress)

        def done(loaded: _Loaded) -> None:
            self.encoding, self.delimiter = wanted_encoding, wanted_delimiter
            self.header = wanted_header
            self._take(loaded)

        self._start(work, done)

    def _read(
        self,
        source: CsvSource,
        encoding: str,
        delimiter: str,
        header: bool | None,
        progress: Progress,
    ) -> _Loaded:
        with written(as_field):
            file = CsvFile.read(
                source,
                header=header,
                encoding=encoding or None,
                delimiter=delimiter or None,
                progress=progress,
            )
            return _Loaded(file, file.preview(progress, self.profiles.group_key))

    def _take(self, loaded: _Loaded) -> None:
        self._file = loaded.file
        self._property_names = tuple(
            name for name in self.profiles.properties if name not in HIDDEN
        )
        self.name = loaded.preview.name
        self.dry, self.result, self.skip_rejected = None, None, False
        with self.hold_trait_notifications():
            self.first_rows = loaded.file.first_rows(_FIRST_ROWS)
            self.preview = loaded.preview
        self.forget_choices()
        remembered = self._remembered(_LAST, self._kind_of_file())
        if remembered is not None:
            self._use(remembered)
            self.template_note = " ".join(
                filter(
                    None,
                    ["As the last file with these columns was imported.", self.template_note],
                )
            )

    # Whose profiles they are

    @property
    def id_name(self) -> str:
        """What the IDs are called."""
        return "distinct ID" if self.profiles.group_key is None else "group ID"

    @property
    def tables(self) -> dict[str, str]:
        """What a person reads for each group key to choose from; "" is the users.

        A form that was given the profiles of groups stays with them.
        """
        if self._keeps_table:
            return {self.group_key: f"Groups: {self.group_key}" if self.group_key else "Users"}
        return {"": "Users", **{key: f"Groups: {key}" for key in self._table.group_keys}}

    def into(self, group_key: str) -> None:
        """Import into the profiles of a group key, or of the users for an empty one."""
        if group_key == self.group_key or group_key not in self.tables or self.job.running:
            return
        self.profiles = self._table.groups(group_key) if group_key else self._table
        self.group_key = group_key
        if self._file is not None:
            self._take(_Loaded(self._file, self._file.preview(group_key=group_key or None)))

    # The identifier and the columns

    def forget_choices(self) -> None:
        """Choose the identifier and the columns as the file itself suggests."""
        assert self.preview is not None
        identifier = self._suggested
        with self.hold_trait_notifications():
            self.identifier = identifier
            self.template_note = ""
            self._set_columns(first_choices(self.preview, identifier))

    def choose_identifier(self, position: int | str | None) -> None:
        """Make a column, by position or header, the distinct IDs; None for none (CSV-2)."""
        if self.preview is None:
            return
        if isinstance(position, str):
            headers = {each.header: each.position for each in self.preview.columns if each.header}
            if position not in headers:
                self.error = f'There is no column "{position}".{did_you_mean(position, headers)}'
                return
            position = headers[position]
        if position is not None and not 0 <= position < len(self.columns):
            self.error = f"There is no column {position}; 0 to {len(self.columns) - 1}, or None."
            return
        with self.hold_trait_notifications():
            self.identifier = position
            self._set_columns(self.columns)

    @property
    def identifier_told(self) -> str:
        """What becomes of the rows' distinct IDs as things are, in words."""
        if self.preview is None:
            return ""
        if self.identifier is not None:
            why = ""
            if self.identifier == self._suggested:
                why = f"{sentence(in_form(self.preview.identifier_reason))} "
            return why + self._ids_text(self.identifier)
        better = self._candidate_text()
        email = email_column(self.columns)
        if email is not None:
            return (
                f'No column is chosen, so the e-mail address in "{email.title}" becomes the '
                f"{self.id_name}, and stays a property. {self._ids_text(email.position)}{better}"
            )
        return (
            "No column is chosen and none is an e-mail address, so each row gets a random "
            f"{self.id_name}. Importing the file again would create all the profiles again.{better}"
        )

    @property
    def candidate(self) -> int | None:
        """The position of the column that may be the identifier, where none is chosen."""
        if self.preview is None or self.identifier is not None:
            return None
        if self._suggested is not None:
            return self._suggested
        key = self.preview.candidate
        positions = (each.position for each in self.preview.columns if each.header == key)
        return key if isinstance(key, int) else next(positions, None)

    @property
    def _suggested(self) -> int | None:
        """The position of the identifier that the file suggests."""
        assert self.preview is not None
        return next(
            (each.position for each in self.preview.columns if each.property == DISTINCT_ID), None
        )

    def _candidate_text(self) -> str:
        """Return which column may be the identifier, to follow another sentence."""
        if self.candidate is None:
            return ""
        title = self.columns[self.candidate].title
        if self._suggested is not None:
            return f' The file suggests "{title}".'
        assert self.preview is not None
        return f' "{title}" may be it: {self.preview.candidate_reason}.'

    def _ids_text(self, position: int) -> str:
        """Return in words what a column is worth as distinct IDs."""
        assert self.preview is not None
        column = self.preview.columns[position]
        sentences = [
            f"{count(column.distinct, 'different ID')} in {count(self.preview.rows, 'row')}."
        ]
        repeated = column.cells - column.empty - column.distinct
        if repeated:
            sentences.append(
                f"{count(repeated, 'row')} {'repeats' if repeated == 1 else 'repeat'} the ID of a "
                "row before: of each property the last cell counts."
            )
        if column.empty:
            sentences.append(f"{count(column.empty, 'row')} without one cannot be imported.")
        return " ".join(sentences)

    def set_column(
        self,
        position: int,
        *,
        ticked: bool | None = None,
        property: str | None = None,
        type: ColumnType | None = None,
    ) -> None:
        """Tick a column or not, name its property, choose its type; what is not named stays.

        A column that gets a name is ticked.
        """
        if not 0 <= position < len(self.columns):
            self.error = f"There is no column {position}; give 0 to {len(self.columns) - 1}."
            return
        old: ColumnChoice = self.columns[position]
        choice = old
        if property is not None and property.strip() != old.name:
            choice = named(choice, property.strip())
        if ticked is not None:
            choice = replace(choice, ticked=ticked)
        if type is not None:
            if type not in COLUMN_TYPES:
                self.error = f'"{type}" is not a type; there are {", ".join(COLUMN_TYPES)}.'
                return
            choice = replace(choice, type=type)
        if choice != old:
            self._set_columns(choice if each is old else each for each in self.columns)

    def tick(self, ticked: bool, positions: list[int] | None = None) -> None:
        """Tick several columns or not, all of them by default; a nameless one stays unticked."""
        places = None if positions is None else set(positions)
        self._set_columns(
            replace(each, ticked=ticked and bool(each.name))
            if places is None or each.position in places
            else each
            for each in self.columns
        )

    def matching_columns(self, words: str) -> list[ColumnChoice]:
        """Return the columns in whose title, property or samples some words are."""
        sought = words.strip().lower()
        return [
            each
            for each in self.columns
            if any(sought in text.lower() for text in (each.title, each.name, *each.about.samples))
        ]

    @property
    def property_names(self) -> list[str]:
        """The names to propose: those the table has, then reserved ones."""
        return list(dict.fromkeys([*self._property_names, *writable(), TIME]))

    @property
    def mapping(self) -> dict[int, str]:
        """The mapping as :func:`toolkit.import_csv` takes it."""
        return mapping_of(self.columns, self.identifier)

    @property
    def problems(self) -> int:
        """How many columns have something wrong."""
        return sum(bool(each.error) for each in self.columns)

    def _set_columns(self, choices: Any) -> None:
        if self._file is None:  # it was imported
            return
        counted = []
        for each in choices:
            # A type that all cells fit needs no count.
            fits = each.type in (each.about.type, "text") or not each.ticked
            misfits = 0 if fits else int(self._file.typed(each.position, each.type).misfits.sum())
            counted.append(replace(each, misfits=misfits))
        self.dry = None
        self.error = ""
        self.columns = checked(counted, self.identifier, self._property_names)

    # Templates

    def save_template(self, name: str) -> None:
        """Keep the choices under a name; one of that name is replaced."""
        name = name.strip()
        if not name:
            self.error = "Give the template a name."
            return

        def save() -> None:
            template = template_of(self.columns, self.identifier)
            self.profiles.remembered(_TEMPLATES)[name] = template
            self.template_note = f'Saved as "{name}".'

        self._quickly(save)

    def apply_template(self, name: str) -> None:
        """Choose as a template says."""
        if self.preview is None:
            self.error = "Choose a file first."
            return

        def use() -> None:
            template = self._remembered(_TEMPLATES, name)
            if template is None:
                self.error = f'There is no template "{name}" that can be read.'
                return
            self._use(template)
            self.template_note = " ".join(
                filter(None, [f'As in the template "{name}".', self.template_note])
            )

        self._quickly(use)

    def delete_template(self, name: str) -> None:
        """Forget a template."""

        def delete() -> None:
            self.profiles.remembered(_TEMPLATES).pop(name, None)
            self.template_note = f'The template "{name}" was deleted.'

        self._quickly(delete)

    def _use(self, template: Template) -> None:
        choices, identifier, note = with_template(template, self.columns)
        with self.hold_trait_notifications():
            self.identifier = identifier
            self.template_note = note
            self._set_columns(choices)

    def _kind_of_file(self) -> str:
        """Return what files with the same columns have in common."""
        assert self.preview is not None
        whose: list[Any] = [[self.group_key]] if self.group_key else []
        if self.preview.header:
            return dumps([*whose, *(each.header for each in self.preview.columns)])
        return dumps([*whose, self.preview.name, len(self.preview.columns)])

    def _remembered(self, kind: str, name: str) -> Template | None:
        stored = self.profiles.remembered(kind).get(name)
        return stored if is_template(stored) else None

    def _remember_mapping(self) -> None:
        kept = self.profiles.remembered(_LAST)
        kept[self._kind_of_file()] = template_of(self.columns, self.identifier)
        for old in list(kept)[:-_REMEMBERED]:
            del kept[old]

    def _list_templates(self) -> None:
        self.templates = list(self.profiles.remembered(_TEMPLATES))

    # The steps

    def next(self) -> None:
        """Go on, if the step is complete; from the columns that begins the dry run."""
        if self.job.running:
            return
        self.error = ""
        if self.step == "choose" and self._file is None:
            self.error = "Choose a file first."
        elif self.step == "columns":
            self.check()
        elif self.step == "check":
            self.start_import()
        elif self.step in STEPS[:-1]:
            self.step = STEPS[STEPS.index(self.step) + 1]

    def back(self) -> None:
        """Go back one step; nothing chosen is lost."""
        if not self.job.running and self.step != "choose" and self.result is None:
            self.error = self.note = ""
            self.step = STEPS[STEPS.index(self.step) - 1]

    def check(self) -> None:
        """Work out what the import would do, and write nothing."""
        wrong = [each for each in self.columns if each.error]
        if wrong:
            self.error = (
                f"{count(len(wrong), 'column')} cannot be imported as "
                f"{'it is' if len(wrong) == 1 else 'they are'}: {wrong[0].title}: {wrong[0].error}"
            )
            return
        if self._file is None or not any(
            each.ticked and each.position != self.identifier and each.name != TIME
            for each in self.columns
        ):
            self.error = "No column is ticked. Tick and name at least one."
            return

        def done(report: ImportReport) -> None:
            self.skip_rejected = False
            self.dry = report
            self.step = "check"

        self._start(lambda progress: self._import(True, progress), done)

    def start_import(self) -> None:
        """Import the file: all its rows, or those that can be if that was said (CSV-7)."""
        if self.dry is None:
            self.error = "Check the import first."
            return
        if self.dry.imported == 0:
            self.error = "No row can be imported."
            return
        if len(self.dry.rejected) and not self.skip_rejected:
            self.error = (
                f"{count(len(self.dry.rejected), 'row')} cannot be imported. "
                "Correct the file, or tick the box to import the others."
            )
            return

        def done(report: ImportReport) -> None:
            self.undone, self.conflicts = False, 0
            self.result = report
            self.step = "import"
            self._remember_mapping()
            self._file = self._source = None  # as large as it may be

        self.step = "import"
        self._start(lambda progress: self._import(False, progress), done)

    def _import(self, dry_run: bool, progress: Progress) -> ImportReport:
        assert self._file is not None
        with written(as_field):
            return import_csv(
                self.profiles,
                self._file,
                self.mapping,
                types=types_of(self.columns, self.identifier),
                on_error="skip" if dry_run or self.skip_rejected else "raise",
                dry_run=dry_run,
                progress=progress,
            )

    def undo(self, *, only_untouched: bool = False) -> None:
        """Take the import back; *only_untouched*: as far as nothing was written to it since."""
        self._put_back(self.profiles.undo, True, only_untouched)

    def redo(self) -> None:
        """Bring an import that was undone back."""
        self._put_back(self.profiles.redo, False, False)

    def _put_back(self, action: Callable[..., Any], undone: bool, only_untouched: bool) -> None:
        batch_id = None if self.result is None else self.result.batch_id
        if batch_id is None or self.undone == undone:
            self.error = "There is nothing to undo." if undone else "There is nothing to redo."
            return

        def work(progress: Progress) -> int:
            action(batch_id, only_untouched=only_untouched, progress=progress)
            return 0

        def done(conflicts: int) -> None:
            self.undone, self.conflicts = undone, conflicts
            self.note = "The import was undone." if undone else "The import was brought back."

        self._start(work, done)

    @property
    def rejected(self) -> bytes:
        """The rows that cannot be imported, as CSV that is safe to open in a spreadsheet."""
        report = self.result or self.dry
        return b"" if report is None else rejected_csv(report.rejected)

    def restart(self) -> None:
        """Begin with another file."""
        if self.job.running:
            return
        self._source = self._file = None
        with self.hold_trait_notifications():
            self.error = self.note = self.name = self.template_note = ""
            self.preview = self.dry = self.result = None
            self.columns, self.identifier, self.first_rows = (), None, []
            self.undone, self.conflicts = False, 0
            self.step = "choose"
        self._quickly(lambda: None)

    def cancel(self) -> None:
        """Stop what is in progress; nothing is written then."""
        self.job.cancel()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the work in progress; return whether it has ended."""
        return self.job.wait(timeout)

    def _start(self, work: Callable[[Progress], T], done: Callable[[T], None]) -> None:
        if self.job.running:
            return
        self.error = self.note = ""

        def end() -> None:
            if self.step == "import" and self.result is None:
                self.step = "check"  # it was stopped, or failed
            if self.job.cancelled:
                self.note = _STOPPED
            elif isinstance(self.job.exception, UndoError):
                conflicts = self.job.exception.conflicts
                self.conflicts = 0 if conflicts is None else len(conflicts)  # type: ignore[arg-type]
            self.error = in_form(self.job.error)

        self.job.start(work, done, end)

    def _quickly(self, action: Callable[[], None]) -> None:
        """Do what takes no time; what goes wrong is shown."""
        if self.job.running:
            return
        self.error = ""
        try:
            action()
            self._list_templates()
        except ToolkitError as error:
            self.error = str(error)
