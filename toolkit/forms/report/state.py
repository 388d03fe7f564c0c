"""What the report builder knows: a question, its answer, and the users behind a number."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
from traitlets import Any as Anything, Bool, HasTraits, Instance, List, Unicode

from toolkit.base import (
    ArgumentError,
    Progress,
    ToolkitError,
    cell_text,
    did_you_mean,
    sentence,
    title,
)
from toolkit.columns import Snapshot
from toolkit.events import AnyEvents, Events, Profiles, as_events, as_snapshot
from toolkit.forms.parts.abandon import Abandonable
from toolkit.forms.parts.filter_state import FilterState
from toolkit.forms.parts.job import Job
from toolkit.forms.parts.latest import Latest
from toolkit.profiles import saved_names
from toolkit.reports import (
    DECLARED,
    Cell,
    Choices,
    Declaration,
    Field,
    FilterField,
    Input,
    Picture,
    Report,
    as_png,
    draw_picture,
)
from toolkit.sources import csv_of, write_whole

#: Seconds without a further change before a report is made.
DELAY: Final = 0.25

# A click counts for what is at most so far away, as a part of the chart's width.
_REACH: Final = 0.03


class FieldState(HasTraits):
    """One field of a report.

    Attributes
    ----------
    raw
        What was typed or chosen.
    error
        What is wrong with it, in words; empty if nothing is.
    shown
        Whether the field counts next to the values of the others.
    """

    raw = Anything()
    error = Unicode("")
    shown = Bool(True)

    def __init__(self, field: Field) -> None:
        super().__init__(raw=field.start)
        self.field = field

    @property
    def is_empty(self) -> bool:
        """Whether nothing is in the field: then nothing is wrong, something is asked for."""
        return not self.raw


class ReportBuilderState(HasTraits):
    """A question on events and profiles, and its answer.

    Changes of the question are answered in a thread, a moment after the last of them;
    :meth:`wait` waits for that.

    Attributes
    ----------
    choices
        What there is to choose from.
    report_name
        Which report, by its title.
    report
        The answer; None while there is none.
    picture
        Its chart.
    kind
        Which of the charts that the report can draw; empty if it can draw one.
    python
        The Python that makes the same report; empty while the question is wrong.
    error
        What is wrong with the question as a whole, or with values together, in words.
    is_asking
        Whether nothing is wrong, only something that the report needs is not chosen yet.
    message
        Why there is nothing to see, in words.
    is_old
        Whether the question has changed since the report was made.
    dark
        Whether charts are for a dark page.
    cell
        Whose users were asked for: the arguments of ``report.users``; None for nobody's.
    users
        Their distinct IDs, sorted.
    users_of
        Whose they are, in words.
    users_error
        Why they could not be found.
    """

    choices = Instance("toolkit.reports.form.choices.Choices")
    report_name = Unicode("")
    report = Instance("toolkit.reports.report.Report", allow_none=True)
    picture = Instance(Picture, allow_none=True)
    kind = Unicode("")
    python = Unicode("")
    error = Unicode("")
    is_asking = Bool(False)
    message = Unicode("")
    is_old = Bool(False)
    dark = Bool(False)
    cell = Instance(dict, allow_none=True)
    users: List[Any] = List()
    users_of = Unicode("")
    users_error = Unicode("")

    def __init__(
        self,
        profiles: Profiles | None,
        events: AnyEvents | None = None,
        *,
        names: Mapping[Input, str] | None = None,
        delay: float = DELAY,
    ) -> None:
        super().__init__()
        self.events: Events | None = None if events is None else as_events(events)
        self.profiles = profiles
        self._names: dict[Input, str] = {
            "events": "events" if events is not None else "None",
            "profiles": "profiles" if profiles is not None else "None",
            **(names or {}),
        }
        self.delay = delay
        #: What answers the question, and what finds users.
        self.job, self.users_job = Job("event"), Job("user")
        self._counting, self._finding = Abandonable(), Abandonable()
        self._questions = Latest(self.job)
        self._searches = Latest(self.users_job)
        self.choices = self._choices()
        sources = {"events": events, "profiles": profiles}
        self.declarations: dict[str, Declaration] = {
            name: declaration
            for name, declaration in DECLARED.items()
            if all(sources[name] is not None for name in _needed(declaration))
        }
        self.fields: dict[str, FieldState] = {}
        self._states: dict[tuple[str, str], FieldState] = {}
        # What was last typed into a field of a kind and name, in whatever report.
        self._typed: dict[tuple[type, str], Any] = {}
        # The chart last chosen of each report.
        self._kinds: dict[str, str] = {}
        self.filter = FilterState(lambda: self.choices)
        self.filter.on_change(self.changed)
        self.observe(lambda _: self._turn(), "report_name")
        self.observe(lambda _: self._redraw(), "dark")
        self.observe(lambda _: self._draw_kind(), "kind")
        self._is_quiet = False
        if self.declarations:
            # Whose report is shown.
            self._answers = next(iter(self.declarations.values()))
            self.report_name = next(iter(self.declarations))
        else:
            self.message = "There are no events. Give the builder events to report on."

    def _choices(self) -> Choices:
        # A part of a table has no tables of groups.
        profiles: Any = self.profiles
        keys = getattr(profiles, "group_keys", ()) if self.events is not None else ()
        named = () if self.events is None else self.events.frame.columns
        groups = {key: profiles.groups(key).snapshot() for key in keys if key in named}
        cohorts = saved_names(profiles)
        return Choices(self.events, self._snapshot(), groups=groups, cohorts=cohorts)

    def _snapshot(self) -> Snapshot | None:
        return None if self.profiles is None else as_snapshot(self.profiles)

    @property
    def notices(self) -> list[str]:
        """What is missing to choose from, as sentences."""
        problems = []
        if self.events is not None and not len(self.events):
            problems.append("There are no events, so every report is empty.")
        snapshot = self.choices.snapshot
        if snapshot is None or not len(snapshot):
            problems.append("There are no profiles, so users have no properties to choose.")
        return problems

    @property
    def declaration(self) -> Declaration:
        """What the chosen report asks for."""
        return self.declarations[self.report_name]

    # -- the question -------------------------------------------------------------------------

    @contextmanager
    def _as_one(self) -> Iterator[None]:
        """Make several changes without a question after each."""
        was_quiet, self._is_quiet = self._is_quiet, True
        try:
            yield
        finally:
            self._is_quiet = was_quiet

    def _turn(self) -> None:
        """Turn to the chosen report; what it asks for like another keeps what was typed."""
        asked = [each for each in self.declaration.fields if not isinstance(each, FilterField)]
        with self._as_one():  # nobody reads the fields of one report for those of another
            self.fields = {field.name: self._state(field) for field in asked}
            self.kind = self._kind_of(self.declaration)
        self.changed()

    def _kind_of(self, declaration: Declaration) -> str:
        """Return which chart of a report is drawn: the one chosen last, or the first."""
        kinds = [kind for _, kind in declaration.kinds]
        return self._kinds.get(declaration.title, kinds[0] if kinds else "")

    def _state(self, field: Field) -> FieldState:
        key = (self.report_name, field.name)
        kind = (type(field), field.name)
        if key not in self._states:
            self._states[key] = FieldState(field)
            self._states[key].observe(lambda change: self._took(kind, change.new), "raw")
        state = self._states[key]
        # None is a choice too: the range as a whole.
        if kind in self._typed and self._takes(field, self._typed[kind]):
            state.raw = self._typed[kind]
        return state

    def _took(self, kind: tuple[type, str], raw: Any) -> None:
        self._typed[kind] = raw
        shown = self.fields.get(kind[1])
        # It may have been typed into a report's field while those of the next were drawn.
        if shown and type(shown.field) is kind[0] and self._takes(shown.field, raw):
            with self._as_one():
                shown.raw = raw
        self.changed()

    def _takes(self, field: Field, raw: Any) -> bool:
        try:
            field.read(raw, self.choices)
        except ToolkitError:
            return False
        return True

    def set(self, report_name: str | None = None, /, **values: Any) -> None:
        """Choose values, as one change.

        Parameters
        ----------
        report_name
            Which report, by its title.
        values
            Values of the report's arguments, by name, as its function takes them:
            ``event="Purchase"``, ``by=user["plan"]``, ``where='user["plan"] == "pro"'``.

        Raises
        ------
        ArgumentError
            If the report has no such argument, or cannot take a value of it; nothing
            has changed then. What is wrong only together, such as an end before the
            start, is in :attr:`error` once it was asked.
        """
        name = self.report_name if report_name is None else report_name
        if name not in self.declarations:
            raise ArgumentError(
                f'there is no report "{name}"; there are {", ".join(self.declarations)}.'
                f"{did_you_mean(name, self.declarations)}"
            )
        fields = {field.name: field for field in self.declarations[name].fields}
        if unknown := next((each for each in values if each not in fields), None):
            raise ArgumentError(f"{name} has no {unknown}=; it has {', '.join(fields)}")
        raws = {each: self._taken(fields[each], value) for each, value in values.items()}
        with self._as_one():
            self.report_name = name
            for each, raw in raws.items():
                if isinstance(fields[each], FilterField):
                    self.filter.show(raw)
                else:
                    self.fields[each].raw = raw
        self.changed()

    def _taken(self, field: Field, value: Any) -> Any:
        """Return what a field holds for a value that its report takes."""
        try:
            raw = field.raw(value)
            if isinstance(field, FilterField):
                self.filter.check(raw)
            else:
                field.read(raw, self.choices)
        except ToolkitError as error:
            raise ArgumentError(f"{field.name}={value!r}: {error}") from error
        return raw

    def reset(self) -> None:
        """Put every field back to what it was at first."""
        with self._as_one():
            for state in self.fields.values():
                state.raw = state.field.start
            self.filter.clear()
        self.changed()

    def changed(self) -> None:
        """Read the fields, and ask again if they make a question."""
        if self._is_quiet:
            return
        values = self._read()
        self.is_old = self.report is not None
        self.error = ""
        wrong = [state for state in self.fields.values() if state.error]
        is_empty = all(state.is_empty for state in wrong)
        self.is_asking = bool(wrong) and is_empty and self.filter.is_right
        if values is None:
            self.python = ""
            self._questions.drop()
            return
        self.python = self.declaration.python(self._names, values, self.kind)
        self._ask(values)

    def _read(self) -> dict[str, Any] | None:
        """Return the value of every field, None if one is wrong."""
        values: dict[str, Any] = {}
        is_right = True
        for field in self.declaration.fields:
            if isinstance(field, FilterField):
                values[field.name] = self.filter.condition
                is_right = is_right and self.filter.is_right
                continue
            state = self.fields[field.name]
            state.error = ""
            try:
                values[field.name] = field.read(state.raw, self.choices)
            except ToolkitError as error:
                values[field.name] = field.default
                state.error = sentence(self._in_labels(str(error)))
        counted = self.declaration.counted(values)
        for name, state in self.fields.items():
            state.shown = name in counted
            if not state.shown:
                state.error = ""
            is_right = is_right and not state.error
        return values if is_right else None

    def refresh(self) -> None:
        """Ask again, of the profiles and the saved cohorts as they are now."""
        self.choices = self._choices()
        self.filter.reread()
        self.changed()

    # -- the answer -------------------------------------------------------------------------

    def _ask(self, values: Mapping[str, Any]) -> None:
        declaration, kind = self.declaration, self.kind
        inputs: dict[Input, Any] = {"events": self.events, "profiles": self.profiles}

        def work(progress: Progress) -> tuple[Report, Picture]:
            _pause(self.delay, progress)
            make = _both(declaration, inputs, values, kind=kind, dark=self.dark)
            return self._counting.run(make, progress, "Counting")

        def answered(answer: tuple[Report, Picture]) -> None:
            self._answers = declaration
            self._answered(*answer)

        self._questions.ask(work, answered, self._failed)

    def _answered(self, report: Report, picture: Picture) -> None:
        self.forget_users()
        with self.hold_trait_notifications():
            self.error = ""
            self.message = self._why_empty() if report.is_empty else ""
            self.picture, self.report, self.is_old = picture, report, False

    def _failed(self, error: BaseException | None) -> None:
        """Say why there is no answer; None is that somebody stopped it."""
        if error is None:
            self.message = "Stopped. Change the question, or press Refresh to ask again."
            return
        self.forget_users()
        self.python = self.message = ""
        if not isinstance(error, ToolkitError):
            self.message = "The report could not be made."  # the job has what failed
        else:
            self.error = sentence(self._in_labels(str(error)))
            # An argument that is named in the message also has a field that can show it.
            if named := [name for name in self.fields if f"{name}=" in str(error)]:
                self.fields[named[0]].error = self.error
        self.picture = self.report = None
        self.is_old = False

    def _in_labels(self, message: str) -> str:
        """Return a message with the labels of fields in place of arguments."""
        for field in self.declaration.fields:
            argument = rf"\b{re.escape(field.name)}="
            message = re.sub(rf"{argument}None\b", f"{field.label}: nothing", message)
            message = re.sub(rf"{argument}(?=[\s.,;)]|$)", field.label, message)
            message = re.sub(argument, f"{field.label} ", message)
        return message

    def _why_empty(self) -> str:
        needed = _needed(self._answers)[0]
        counted = self.events if needed == "events" else self.choices.snapshot
        if counted is None or not len(counted):
            return f"There are no {needed}, so there is nothing to count."
        others = "event or range" if needed == "events" else "property"
        if self.filter.condition is not None:
            return f"Nothing matches. Loosen the filter, or choose another {others}."
        return f"Nothing matches. Choose another {others}."

    def _redraw(self) -> None:
        report = self.report
        if report is not None and not self._questions.is_open:
            self.picture = draw_picture(self._plot, dark=self.dark)
        elif report is not None:
            self.changed()

    @property
    def _plot(self) -> Callable[..., Any]:
        """What draws the report that is shown, which another may have been chosen after."""
        return self._answers.plot(self._present(), self._kind_of(self._answers))

    def _draw_kind(self) -> None:
        if self._is_quiet:
            return
        self._kinds[self.report_name] = self.kind
        values = self._read()
        if values is not None:
            self.python = self.declaration.python(self._names, values, self.kind)
        if self._answers is self.declaration:
            self._redraw()

    # -- users --------------------------------------------------------------------------------

    def pick_row(self, row: int) -> None:
        """Find the users behind a row of the table."""
        report = self.report
        if report is None:
            raise ArgumentError("there is no report yet, so no row of its table")
        self.pick(report.cell(row))

    def pick_place(self, x: float, y: float) -> None:
        """Find the users behind what is drawn at a place of the chart.

        Parameters
        ----------
        x, y
            As parts of its width and height, from the upper left corner.
        """
        picture = self.picture
        if picture is None:
            return
        spots = picture.spots
        place = spots.nearest(x, y, within=_REACH, aspect=picture.aspect)
        if place is None:
            return
        cell = spots.cell(place)
        if cell is None:
            self.forget_users()
            self.users_error = (
                "Several segments are drawn as one here; pick one of them in the table."
            )
            return
        self.pick(cell)

    def pick(self, cell: Cell) -> None:
        """Find the users behind a cell: the arguments of the report's ``users``."""
        report = self.report
        if report is None:
            raise ArgumentError("there is no report yet, so there are no users")
        self.forget_users()
        self.cell = dict(cell)
        self.users_of = _cell_words(cell)

        def work(progress: Progress) -> list[str]:
            return self._finding.run(lambda: report.users(**cell), progress, "Finding users")

        self._searches.ask(work, self._take_users, self._take_failure)

    def _take_users(self, users: Sequence[str]) -> None:
        self.users = list(users)

    def _take_failure(self, error: BaseException | None) -> None:
        if isinstance(error, ToolkitError):
            self.users_error = sentence(str(error))
        else:  # somebody stopped it, or the job has what failed
            self.forget_users()

    def forget_users(self) -> None:
        """Ask for nobody any more."""
        self._searches.drop()
        self.cell, self.users, self.users_of, self.users_error = None, [], "", ""

    def titled(self, ids: Sequence[str]) -> list[str]:
        """Return what each user is called: the distinct ID where there is no profile."""
        snapshot = self.choices.snapshot
        if snapshot is None or not ids:
            return list(ids)
        rows = snapshot.positions(pa.array(ids, pa.large_string()))
        places = np.flatnonzero(rows >= 0)
        titles = list(ids)
        for at, properties in zip(places.tolist(), snapshot.rows(rows[places]), strict=True):
            titles[at] = title(properties, ids[at])
        return titles

    # -- what is kept -------------------------------------------------------------------------

    def png(self) -> bytes:
        """Return the chart on white, twice as many pixels as it has on a page.

        Raises
        ------
        ArgumentError
            If there is no report.
        """
        return as_png(self._plot, transparent=False, dark=False)

    def csv(self) -> bytes:
        """Return the table as CSV, UTF-8, in which a spreadsheet runs no formula.

        Raises
        ------
        ArgumentError
            If there is no report.
        """
        return csv_of(self._present().table)

    def users_csv(self) -> bytes:
        """Return the users that were found, with their titles, as CSV."""
        frame = pd.DataFrame({"distinct_id": self.users, "title": self.titled(self.users)})
        return csv_of(frame.astype("str"))

    def _present(self) -> Report:
        if self.report is None:
            raise ArgumentError("there is no report yet; choose what to count first")
        return self.report

    def save(self, path: str | Path) -> Path:
        """Write the chart or the table to a file, and return where.

        Parameters
        ----------
        path
            Ends in ``.png`` for the chart, ``.csv`` for the table.

        Raises
        ------
        ArgumentError
            If it ends otherwise, or there is no report.
        """
        path = Path(path)
        if path.suffix not in (".png", ".csv"):
            raise ArgumentError(f'"{path.name}" ends neither in .png nor in .csv')
        write_whole(path, self.png() if path.suffix == ".png" else self.csv())
        return path

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the answer to all that was asked; return whether there is one."""
        until = None if timeout is None else time.monotonic() + timeout
        return self._questions.wait(until) and self._searches.wait(until)

    def cancel(self) -> None:
        """Stop what is in progress."""
        self.job.cancel()
        self.users_job.cancel()


def _needed(declaration: Declaration) -> Sequence[Input]:
    """Return what a report cannot be made without: events, or else profiles."""
    return ["events"] if "events" in declaration.inputs else declaration.inputs


def _pause(seconds: float, progress: Progress) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        progress("Counting", 0, 0)
        time.sleep(min(left, 0.02))


def _both(
    declaration: Declaration,
    inputs: Mapping[Input, Any],
    values: Mapping[str, Any],
    *,
    kind: str,
    dark: bool,
) -> Callable[[], tuple[Report, Picture]]:
    """Return what makes a report and its chart."""

    def both() -> tuple[Report, Picture]:
        report = declaration.make(inputs, values)
        return report, draw_picture(declaration.plot(report, kind), dark=dark)

    return both


def _cell_words(cell: Cell) -> str:
    """Return whose users a cell is, in words.

    >>> _cell_words({"segment": "pro", "time": pd.Timestamp("2026-05-01", tz="UTC")})
    'segment pro, time 2026-05-01'
    """
    # "from" is a word of Python, so the parameter is called from_.
    words = [f"{name.rstrip('_')} {cell_text(value)}" for name, value in cell.items()]
    return ", ".join(words) or "the whole report"
