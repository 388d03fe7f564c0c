"""The command line: ``profile-toolkit``, or ``python -m toolkit``.

Exit status: 0 if all went well, 1 if something was rejected or a check found a
problem, 2 if the command could not be run as given.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.metadata
import importlib.util
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, NoReturn, TextIO, get_args, overload

import pandas as pd
from pandas.errors import ParserError

from toolkit.base import (
    CsvRowsError,
    MessageFileError,
    MissingExtraError,
    StoreDamagedError,
    ToolkitError,
    UndoError,
    count,
    did_you_mean,
    dumps,
    listed,
    written,
)
from toolkit.demo import run_demo
from toolkit.events import Events
from toolkit.profiles import ProfileTable
from toolkit.reports import Unit, as_png, segmentation
from toolkit.sources import (
    FORMATS,
    GROUP_KEY,
    CsvFile,
    GeoDatabase,
    ImportReport,
    all_endings,
    csv_of,
    csv_table,
    format_of,
    import_csv,
    parquet_frame,
    read_people,
    rejected_csv,
    serve_until_stopped,
    write_messages,
    write_people,
    write_whole,
)
from toolkit.store import is_database

OK, REJECTED, USAGE = 0, 1, 2

#: What it is called: a folder named toolkit of the user's own does not stand in its way.
PROGRAM = "profile-toolkit"

_EVENTS = (".parquet", ".csv", ".csv.gz")
# The columns of events: the option that names each, and what they are usually called.
_ROLES: Final = {
    "event": ("--event", ("event", "event name", "event type", "action")),
    "distinct_id": (
        "--distinct-id",
        ("distinct_id", "user id", "customer id", "member id", "uid", "user", "id"),
    ),
    "time": (
        "--time",
        ("time", "timestamp", "event time", "datetime", "date time", "created at", "ts", "date"),
    ),
}
_ROLE_WORDS: Final = {"event": "event's name", "distinct_id": "distinct ID", "time": "time"}
_SHOWN_ROWS = 10
# A cell of a table on the screen is cut to so many characters.
_CELL = 32


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    for stream in (sys.stdout, sys.stderr):
        # A console that lacks a character gets its number, in place of a traceback.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        with written(_as_option), _warnings_in_one_line():
            given = _parsed(arguments)
            command: Callable[[argparse.Namespace], int] = given.command
            status = command(given)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # Whoever read along, such as `head`, has enough. Nobody takes what is still
        # to come, and Python's own last flush would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except (CsvRowsError, MessageFileError) as error:
        _say(f"error: {error}", file=sys.stderr)
        return REJECTED
    except ToolkitError as error:
        _say(f"error: {error}", file=sys.stderr)
        return USAGE
    except OSError as error:
        told = error if error.filename is None else f"{error.filename}: {_why(error)}"
        _say(f"error: {told}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        _say("interrupted; nothing was half-done", file=sys.stderr)
        return 130


@contextmanager
def _warnings_in_one_line() -> Iterator[None]:
    """Print warnings as what they say, without a line of our own code."""

    def say(message: Warning | str, *_: Any, **__: Any) -> None:
        _say(f"warning: {message}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.showwarning = say
        yield


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _parser()
    first = next(iter(sys.argv[1:] if arguments is None else arguments), "")
    if first.startswith("-") and first not in parser._option_string_actions:
        meant = did_you_mean(first, parser._option_string_actions)
        parser.error(f"unknown option {first}.{meant}".rstrip("."))
    given, unknown = parser.parse_known_args(arguments)
    if given.command is _lab:
        given.options = [*unknown, *given.options]
    elif unknown:
        known = list(given.parser._option_string_actions)
        meant = did_you_mean(unknown[0].partition("=")[0], known)
        what = "option" if unknown[0].startswith("-") else "further argument"
        given.parser.error(f"unknown {what} {unknown[0]}.{meant}".rstrip("."))
    for each in vars(given).values():
        for text in each if isinstance(each, list) else [each]:
            # A path may hold any bytes, text may not.
            if isinstance(text, str) and not text.isprintable():
                _refuse_half_characters(text)
    return given


def _refuse_half_characters(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        shown = text.encode(errors="backslashreplace").decode()
        raise ToolkitError(
            f"{shown}: is not text in the encoding of this terminal; set LANG to one with UTF-8"
        ) from None


class _CommandParser(argparse.ArgumentParser):
    """A parser whose errors are one line, with what was probably meant."""

    def error(self, message: str) -> NoReturn:
        wrong = re.match(r"argument (.*?): invalid choice: '(.*?)' \(choose from (.*)\)", message)
        if wrong is not None:
            name, value, listing = wrong.groups()
            choices = [each.strip(" '") for each in listing.split(",")]
            what = "command" if name == "COMMAND" else name
            message = f"{what} {value} is unknown.{did_you_mean(value, choices)}"
            message += f" There are {', '.join(choices)}"
        message = message.replace("the following arguments are required:", "missing:")
        message = re.sub(
            r"argument (\S+): invalid int value: '(.*)'",
            r"\1 \2: a whole number is needed",
            message,
        )
        end = "" if message.endswith("?") else "."
        _say(f"error: {message}{end} See {self.prog} --help", file=sys.stderr)
        sys.exit(USAGE)


def _parser() -> argparse.ArgumentParser:
    parser = _CommandParser(
        prog=PROGRAM,
        description="User profiles in a notebook: edit, import, join with events, report.",
        epilog="Exit status: 0 done; 1 something was rejected or wrong; 2 the command was not run.",
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {_version()}")
    commands = parser.add_subparsers(
        title="commands", required=True, metavar="COMMAND", parser_class=_CommandParser
    )
    for name, (run, options, what) in _COMMANDS.items():
        command = commands.add_parser(name, help=what, description=what)
        command.set_defaults(command=run, parser=command)
        options(command)
    return parser


def _version() -> str:
    return importlib.metadata.version("profile-toolkit")


def _demo_options(demo: argparse.ArgumentParser) -> None:
    demo.add_argument(
        "folder",
        nargs="?",
        type=Path,
        default=Path("toolkit-demo"),
        help="where its files go (default: ./toolkit-demo)",
    )


def _lab_options(lab: argparse.ArgumentParser) -> None:
    lab.add_argument("options", nargs=argparse.REMAINDER, help="passed on to jupyter lab")


def _import_options(load: argparse.ArgumentParser) -> None:
    _add_database(load)
    load.add_argument("csv", type=Path, help="the file; .gz is unpacked")
    load.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="COLUMN=PROPERTY",
        help="a column (position from 0, or header name) and its property; repeatable. "
        "$distinct_id marks the identifier. Default: all columns by header",
    )
    load.add_argument(
        "--key",
        metavar="COLUMN",
        help="the column of IDs (position from 0, or header name); without --map all other "
        "columns are imported under their names",
    )
    load.add_argument(
        "--type",
        action="append",
        default=[],
        metavar="PROPERTY=TYPE",
        help="text, number, boolean, date or json, to override the detected type; repeatable",
    )
    load.add_argument("--encoding", help="such as cp1252 (default: detected)")
    load.add_argument("--delimiter", help="between cells (default: detected)")
    load.add_argument(
        "--header",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="whether row 1 is a header (default: detected)",
    )
    load.add_argument(
        "--skip-errors",
        action="store_true",
        help="import the other rows if some are rejected",
    )
    load.add_argument("--dry-run", action="store_true", help="report only, write nothing")
    _add_group(load)
    load.add_argument("--rejected", type=Path, metavar="CSV", help="write rejected rows here")
    load.add_argument(
        "--overwrite", action="store_true", help="replace an existing file of rejected rows"
    )


def _apply_options(apply: argparse.ArgumentParser) -> None:
    _add_database(apply)
    apply.add_argument("messages", type=Path, help="the file; .gz is unpacked")
    apply.add_argument(
        "--skip-errors", action="store_true", help="apply the other lines if some are not messages"
    )
    apply.add_argument(
        "--people",
        action="store_true",
        help="the file holds profiles as in the query API",
    )
    _add_geo(apply)


def _export_options(export: argparse.ArgumentParser) -> None:
    _add_database(export)
    export.add_argument(
        "file", type=Path, help="its ending says what to write: " + ", ".join(all_endings())
    )
    export.add_argument(
        "--people",
        action="store_true",
        help="write JSON in the shape of the query API instead of messages",
    )
    export.add_argument(
        "--chunk", type=int, metavar="N", help="write lists of N messages, each a body to post"
    )
    _add_group(export)
    _add_overwrite(export)
    export.add_argument("--where", help="only profiles that match: 'user[\"plan\"] == …'")


def _report_options(report: argparse.ArgumentParser) -> None:
    _add_database(report)
    report.add_argument("events", type=Path, help="the events: " + ", ".join(_EVENTS))
    report.add_argument("event", help="the event's name")
    for role, (flag, names) in _ROLES.items():
        report.add_argument(
            flag,
            dest=f"{role}_column",
            metavar="COLUMN",
            help=f"the column that holds the {_ROLE_WORDS[role]} (default: {names[0]}, or one "
            f"with a similar name)",
        )
    report.add_argument(
        "--measure",
        choices=["total", "unique"],
        default="total",
        help="count events, or users (default: %(default)s)",
    )
    report.add_argument("--by", help="a property: 'user[\"plan\"]' or 'event[\"item\"]'")
    report.add_argument("--where", help="only events that match")
    report.add_argument(
        "--unit",
        default="day",
        choices=[*get_args(Unit), "none"],
        help="the length of a period; none is the whole time (default: %(default)s)",
    )
    report.add_argument("--png", type=Path, help="write the chart here")
    report.add_argument("--csv", type=Path, help="write the table here")
    _add_overwrite(report)


def _history_options(history: argparse.ArgumentParser) -> None:
    _add_database(history)
    _add_group(history)
    history.add_argument("distinct_id", help="the profile whose updates to list")
    history.add_argument("property", nargs="?", help="the property to explain")


def _undo_options(undo: argparse.ArgumentParser) -> None:
    _add_database(undo)
    undo.add_argument("batch", type=int, help="its number, as in `batches`")
    undo.add_argument(
        "--only-untouched",
        action="store_true",
        help="leave what later updates wrote to, and undo the rest",
    )


def _compact_options(compact: argparse.ArgumentParser) -> None:
    _add_database(compact)
    compact.add_argument(
        "--keep",
        required=True,
        help="what to keep: a duration such as 90d, a moment such as 2026-05-01, or a number of "
        "batches, the latest ones",
    )
    compact.add_argument("--dry-run", action="store_true", help="report only, change nothing")


def _backup_options(backup: argparse.ArgumentParser) -> None:
    _add_database(backup)
    backup.add_argument("copy", type=Path, help="where the copy goes")
    _add_overwrite(backup)


def _check_options(check: argparse.ArgumentParser) -> None:
    _add_database(check)
    check.add_argument("--repair", action="store_true", help="rebuild the profiles from the log")


def _serve_options(serving: argparse.ArgumentParser) -> None:
    _add_database(serving)
    serving.add_argument(
        "--port", type=int, default=0, help="where to listen (default: a free port)"
    )
    serving.add_argument(
        "--host", default="127.0.0.1", help="0.0.0.0 lets other machines in (default: 127.0.0.1)"
    )
    serving.add_argument(
        "--token",
        help="what clients must know (default: any token is accepted; if they can reach the server "
        "by more than loopback addresses, one is generated)",
    )
    serving.add_argument(
        "--origin",
        action="append",
        default=[],
        help="a web page's origin that may send, such as http://localhost:3000; repeatable",
    )
    serving.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="another name for this machine, such as host.docker.internal; repeatable",
    )
    serving.add_argument(
        "--group-key", default=GROUP_KEY, help="the group key of Segment's groups (%(default)s)"
    )
    _add_geo(serving)
    serving.add_argument("--log", action="store_true", help="print a line for each request")


def _show_options(show: argparse.ArgumentParser) -> None:
    _add_database(show)
    show.add_argument("distinct_id", nargs="?", help="the profile to show")
    _add_group(show)


def _add_database(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("database", type=Path, help="the SQLite file of the profiles")


def _add_geo(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--geo",
        type=Path,
        metavar="MMDB",
        help="a location database: $set and $set_once also set the location of $ip or coordinates",
    )


def _add_overwrite(command: argparse.ArgumentParser) -> None:
    command.add_argument("--overwrite", action="store_true", help="replace an existing file")


def _add_group(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--group",
        metavar="KEY",
        help="profiles of groups, such as company, instead of users",
    )


def _opened(given: argparse.Namespace) -> ProfileTable:
    """Return the table of a file that must be there already."""
    return ProfileTable(_there(given.database))


def _asked(profiles: ProfileTable, given: argparse.Namespace) -> ProfileTable:
    """Return the table of the given group key, or of the users."""
    if given.group is None:
        return profiles
    if given.group not in profiles.group_keys:
        there = listed(profiles.group_keys)
        raise ToolkitError(
            f"--group {given.group}: there are no profiles of such groups; "
            + (f"the group keys are {there}" if there else "the file has only users")
        )
    return profiles.groups(given.group)


def _there(path: Path) -> Path:
    """Return a path at which a file must exist."""
    if path.is_dir():
        raise ToolkitError(f"{path}: is a folder; a file is needed")
    if not path.exists():
        raise ToolkitError(f"{path}: no such file")
    return path


def _may_be_written(given: argparse.Namespace, path: Path, *sources: Path) -> None:
    """Refuse a path that may not be written, before the work and not after it."""
    if path.exists() and any(each.exists() and path.samefile(each) for each in sources):
        raise ToolkitError(f"{path}: is also the file to read; give another name")
    if is_database(path):
        raise ToolkitError(f"{path}: is a database, which would be overwritten; give another name")
    if path.is_dir():
        raise ToolkitError(f"{path}: is a folder; give the name of a file")
    if not path.parent.is_dir():
        raise ToolkitError(f"{path}: there is no folder {path.parent}; make it first")
    # Devices and pipes are there to be written to.
    if path.is_file() and not given.overwrite:
        raise ToolkitError(
            f"{path}: this file already exists. Nothing was written. Give another name, or "
            "--overwrite to write over it"
        )


# Escape sequences and the like, which a terminal would obey; lines and tabs stay.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def _say(told: object, *, file: TextIO | None = None) -> None:
    """Print text that comes partly from data."""
    # Written as JSON writes them, so that JSON stays what it was.
    print(_CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", str(told)), file=file)


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _as_option(name: str, value: object = ...) -> str:
    """Write an argument of a function as the matching option."""
    if name == "on_error":
        return "--skip-errors"
    if name == "header":
        return "--header" if value else "--no-header"
    option = {"mapping": "--map", "types": "--type"}.get(name, f"--{name.replace('_', '-')}")
    if value is True:
        return option
    if isinstance(value, dict):
        return " ".join(f"{option} {shlex.quote(f'{key}={each}')}" for key, each in value.items())
    return option if value is ... else f"{option} {shlex.quote(str(value))}"


# No file has more columns, and Python refuses to read integers of thousands of digits.
_POSITION = re.compile(r"[0-9]{1,9}")


def _pairs(option: str, what: str, given: Sequence[str]) -> dict[int | str, str]:
    """Return options of the form KEY=VALUE as a dict; a key of digits is a position."""
    found: dict[int | str, str] = {}
    for pair in given:
        key, equals, value = pair.partition("=")
        if not key.isdecimal():  # a name in the header may hold "=" itself
            key, equals, value = pair.rpartition("=")
        if not equals:
            raise ToolkitError(f"{option} {pair}: {what}")
        found[_column(key)] = value
    return found


@overload
def _column(key: str) -> int | str: ...
@overload
def _column(key: None) -> None: ...
def _column(key: str | None) -> int | str | None:
    """Return a column's name or position; digits are a position."""
    return int(key) if key is not None and _POSITION.fullmatch(key) else key


def _demo(given: argparse.Namespace) -> int:
    try:
        given.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ToolkitError(
            f"the folder {given.folder} cannot be made: {_why(error)}. Give another one"
        ) from error
    run_demo(given.folder)
    return OK


def _lab(given: argparse.Namespace) -> int:
    if importlib.util.find_spec("jupyterlab") is None:
        raise MissingExtraError(
            "JupyterLab is not installed. Install the extra: pip install 'profile-toolkit[lab]'"
        )
    start = Path("notebooks/00-start-here.ipynb")
    command = [sys.executable, "-m", "jupyterlab", "--ServerApp.ip=127.0.0.1"]
    return subprocess.call([*command, *([str(start)] if start.exists() else []), *given.options])


def _import(given: argparse.Namespace) -> int:
    needed = "COLUMN=PROPERTY is needed, such as 0=$distinct_id"
    mapping = _pairs("--map", needed, given.map)
    types: dict[Any, Any] = dict(
        _pairs("--type", "PROPERTY=TYPE is needed, such as zip=text", given.type)
    )
    _there(given.csv)
    if given.rejected is not None:
        _may_be_written(given, given.rejected, given.csv, given.database)
    file = CsvFile.read(
        csv_table(given.csv),
        header=given.header,
        encoding=given.encoding,
        delimiter=given.delimiter,
        mapping=mapping or None,
    )

    def imported(path: Path | None, dry_run: bool) -> ImportReport:
        with ProfileTable(path) as profiles:
            return import_csv(
                profiles if given.group is None else profiles.groups(given.group),
                file,
                mapping or None,
                key=_column(given.key),
                types=types,
                on_error="skip" if given.skip_errors else "raise",
                dry_run=dry_run,
            )

    try:
        is_new = not given.database.exists()
        # What is only tried, or fails, leaves no file behind where there was none.
        if is_new:
            report = imported(None, dry_run=True)
        if not is_new or not given.dry_run:
            report = imported(given.database, given.dry_run)
    except CsvRowsError as error:
        if given.rejected is not None:
            write_whole(given.rejected, rejected_csv(error.rejected))
        raise
    _say(report)
    if given.rejected is not None:
        report.write_rejected(given.rejected)
    return REJECTED if len(report.rejected) else OK


def _apply(given: argparse.Namespace) -> int:
    if given.people:
        messages = read_people(_there(given.messages))
    else:
        format_ = format_of(given.messages)
        # What ends in no known way is taken for messages.
        read = FORMATS["jsonl"].read if format_ is None or not format_.read else format_.read
        assert read is not None
        messages = read(_there(given.messages), "skip" if given.skip_errors else "raise")
    with ExitStack() as opened:
        # The database first: where there is none, no file of profiles is made.
        geo = None if given.geo is None else opened.enter_context(GeoDatabase(given.geo))
        profiles = opened.enter_context(ProfileTable(given.database))
        result = profiles.apply(messages, source=given.messages.name, geo=geo)
    for line, reason in messages.skipped[["line", "reason"]].to_numpy().tolist():
        _say(f"line {line} is not a message: {reason}", file=sys.stderr)
    for index, reason in result.rejected[["index", "reason"]].to_numpy().tolist():
        _say(f"line {messages.lines[index]} rejected: {reason}", file=sys.stderr)
    for index, reason in result.warnings[["index", "reason"]].to_numpy().tolist():
        _say(f"line {messages.lines[index]}: {reason}", file=sys.stderr)
    # Below its first line it would list the rejections again.
    _say(repr(result).splitlines()[0])
    return REJECTED if len(result.rejected) or len(messages.skipped) else OK


def _export(given: argparse.Namespace) -> int:
    format_ = format_of(given.file)
    if format_ is None:
        raise ToolkitError(
            f"{given.file}: the ending of the name says what to write; "
            f"allowed are {', '.join(all_endings())}"
        )
    is_messages = format_.name == "jsonl"
    if (not is_messages or given.people) and given.chunk is not None:
        raise ToolkitError("--chunk is for messages; leave it out")
    if not is_messages and given.people:
        raise ToolkitError(f"{given.file}: --people is for JSON; name the file .jsonl or .json")
    _may_be_written(given, given.file, _there(given.database))
    losses: Sequence[str] = ()
    with _opened(given) as opened:
        table = _asked(opened, given)
        profiles = table if given.where is None else table.where(given.where)
        if given.people:
            number = write_people(profiles, given.file)
        elif given.chunk is not None:
            number = write_messages(profiles, given.file, chunk=given.chunk)
        else:
            number, losses = format_.write(profiles, given.file, True)
    _say(f"{count(number, 'profile')} written to {given.file}")
    for loss in losses:
        _say(f"Note: {loss}")
    return OK


def _report(given: argparse.Namespace) -> int:
    _there(given.database)
    frame, columns = _read_events(given)
    for path in (given.png, given.csv):
        if path is not None:
            _may_be_written(given, path, given.events)
    events = Events(frame, **columns)
    if given.event not in events.names:
        raise ToolkitError(
            f"no event is named {given.event!r}.{did_you_mean(given.event, events.names)} "
            + (f"The events are {listed(events.names)}" if events.names else "There are no events")
        )
    with _opened(given) as profiles:
        report = segmentation(
            events,
            profiles,
            given.event,
            measure=given.measure,
            by=given.by,
            unit=None if given.unit == "none" else given.unit,
            where=given.where,
        )
    # The files first: what is printed may go to a reader who stops after some lines.
    if given.png is not None:
        write_whole(given.png, as_png(report.plot, transparent=False))
    if given.csv is not None:
        write_whole(given.csv, csv_of(report.table))
    _say(report.title)
    _say(report.labelled(report.table).to_string(index=False))
    others = [(role, name) for role, name in columns.items() if name != role]
    for role, name in others:
        flag = _ROLES[role][0]
        if getattr(given, f"{role}_column") is None:
            _say(f'Note: "{name}" is the {_ROLE_WORDS[role]}; {flag} names another column')
    for note in report.notes:
        _say(f"Note: {note}")
    for what, path in (("Chart", given.png), ("Table", given.csv)):
        if path is not None:
            _say(f"{what}: {path}")
    if report.is_empty:
        reason = "" if given.where is None else " that matches --where"
        _say(f'Nothing was counted: there is no "{given.event}"{reason}', file=sys.stderr)
        return REJECTED
    return OK


def _read_events(given: argparse.Namespace) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the events, and which columns hold the event, the distinct ID and the time."""
    path: Path = given.events
    if not path.name.endswith(_EVENTS):
        raise ToolkitError(
            f"{path}: events are read from Parquet or CSV; allowed are {', '.join(_EVENTS)}"
        )
    _there(path)
    try:
        if path.suffix == ".parquet":
            frame = parquet_frame(path)
            return frame, _roles(given, frame.columns)
        delimiter = _delimiter(path)
        head = pd.read_csv(path, sep=delimiter, nrows=0)
        columns = _roles(given, head.columns)
        # Read as text, an ID keeps its leading zeros (JOIN-3), and NA is a name.
        texts = [columns["event"], columns["distinct_id"]]
        named = pd.read_csv(
            path,
            sep=delimiter,
            usecols=list(dict.fromkeys(texts)),
            dtype="str",
            keep_default_na=False,
            na_values=[""],
        )
        frame = pd.read_csv(path, sep=delimiter, dtype=dict.fromkeys(texts, "str"))
        frame[named.columns] = named
        return frame, columns
    except (ValueError, EOFError, ParserError) as error:
        if isinstance(error, ToolkitError):
            raise
        kind = "Parquet" if path.suffix == ".parquet" else "CSV"
        reason = str(error).partition("\n")[0]
        raise ToolkitError(f"{path} cannot be read as {kind}: {reason}") from error


def _delimiter(path: Path) -> str:
    """Return the delimiter of the header."""
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        header = file.readline(1 << 16)
    return max(",;\t|", key=lambda each: header.count(each.encode()))


def _roles(given: argparse.Namespace, names: Iterable[object]) -> dict[str, str]:
    """Return the column of each role: the one an option names, or else one with a similar name."""
    columns = [str(name) for name in names]
    return {role: _event_column(role, getattr(given, f"{role}_column"), columns) for role in _ROLES}


def _event_column(role: str, given: str | None, columns: list[str]) -> str:
    flag, usual = _ROLES[role]
    there = f"The columns are {listed(columns)}"
    if given is not None:
        if given not in columns:
            meant = did_you_mean(given, columns)
            raise ToolkitError(f"{flag} {given}: there is no such column.{meant} {there}")
        return given
    if role in columns:
        return role
    plain = {_plain(each) for each in usual}
    alike = [name for name in columns if _plain(name) in plain]
    if len(alike) == 1:
        return alike[0]
    what = "no name is like the" if not alike else f"{' and '.join(alike)} could each be the"
    raise ToolkitError(
        f"which column is the {_ROLE_WORDS[role]}? Name it with {flag}, because {what} "
        f"{_ROLE_WORDS[role]}. {there}"
    )


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name.lower())


def _serve(given: argparse.Namespace) -> int:
    def say(line: str) -> None:
        _say(line)
        sys.stdout.flush()

    with ExitStack() as opened:
        geo = None if given.geo is None else opened.enter_context(GeoDatabase(given.geo))
        serve_until_stopped(
            opened.enter_context(ProfileTable(given.database)),
            say,
            log=given.log,
            port=given.port,
            host=given.host,
            token=given.token,
            origins=given.origin,
            hosts=given.allow_host,
            group_key=given.group_key,
            geo=geo,
        )
    return OK


def _show(given: argparse.Namespace) -> int:
    with _opened(given) as opened:
        profiles = _asked(opened, given)
        if given.distinct_id is None:
            _say(profiles)
            _print_head(profiles.frame.head(_SHOWN_ROWS))
        else:
            _say(dumps(profiles[given.distinct_id]))
    return OK


def _print_head(frame: pd.DataFrame) -> None:
    """Print the columns that hold something, as many as fit on the screen."""
    if not len(frame):
        return
    filled = frame.dropna(axis="columns", how="all")
    fitting = filled.shape[1]
    screen = shutil.get_terminal_size().columns
    while fitting > 1 and _width(filled.iloc[:, :fitting]) > screen:
        fitting -= 1
    _say(_as_table(filled.iloc[:, :fitting]))
    if rest := filled.columns[fitting:].tolist():
        _say(f"and {count(len(rest), 'column')} more: {listed(rest)}")


def _as_table(frame: pd.DataFrame) -> str:
    return frame.to_string(max_colwidth=_CELL, na_rep="")


def _width(frame: pd.DataFrame) -> int:
    return max(map(len, _as_table(frame).splitlines()))


def _history(given: argparse.Namespace) -> int:
    with _opened(given) as opened:
        profiles = opened if given.group is None else opened.groups(given.group)
        updates = profiles.history(given.distinct_id)
        if not len(updates):
            raise ToolkitError(f"no profile {given.distinct_id!r} was ever updated")
        if given.property is not None:
            _say(profiles.explain(given.distinct_id, given.property))
            return OK
    for name in ("old", "new"):
        # NaN is "there was nothing"; all else is JSON.
        updates[name] = ["" if value != value else dumps(value) for value in updates[name]]
    updates["time"] = updates["time"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    shown = updates[["time", "batch_id", "source", "operator", "property", "old", "new"]]
    _say(shown.fillna("").to_string(index=False, max_colwidth=_CELL))
    return OK


def _batches(given: argparse.Namespace) -> int:
    with _opened(given) as profiles:
        batches = profiles.batches
    if not len(batches):
        _say("no batches yet")
        return OK
    batches["time"] = batches["time"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    batches["undoes"] = batches["undoes"].astype("str").mask(batches["undoes"].isna(), "")
    _say(batches.reset_index().to_string(index=False, max_colwidth=_CELL))
    return OK


def _compact(given: argparse.Namespace) -> int:
    keep = int(given.keep) if re.fullmatch(r"[0-9]{1,18}", given.keep) else given.keep
    with _opened(given) as profiles:
        report = profiles.compact(keep, dry_run=given.dry_run)
    _say(repr(report).removeprefix("<CompactReport: ").replace(">", "", 1))
    return OK


def _backup(given: argparse.Namespace) -> int:
    with _opened(given) as profiles:
        report = profiles.backup(given.copy, overwrite=given.overwrite)
    _say(f"{report.path}: {report.bytes:,} bytes written")
    return OK


def _check(given: argparse.Namespace) -> int:
    try:
        with _opened(given) as profiles:
            report = profiles.check(repair=given.repair)
    except StoreDamagedError as error:
        _say(error)
        return REJECTED
    _say(repr(report).removeprefix("<CheckReport: ").replace(">", "", 1))
    return OK if report.is_sound else REJECTED


def _undo(given: argparse.Namespace) -> int:
    with _opened(given) as profiles:
        if not 0 < given.batch <= profiles.batches.index.max():
            raise ToolkitError(
                f"there is no batch {given.batch}; "
                f"`{PROGRAM} batches {shlex.quote(str(given.database))}` lists them"
            )
        try:
            result = profiles.undo(given.batch, only_untouched=given.only_untouched)
        except UndoError as error:
            if error.conflicts is None:
                raise
            raise ToolkitError(str(error)) from error
    if result.batch_id is None:
        _say(f"nothing of batch {given.batch} is left to undo; nothing was changed")
        return OK
    _say(f"batch {given.batch} is undone by batch {result.batch_id}")
    _say(repr(result).splitlines()[0])
    return OK


# What each does, what it takes, and what it is for.
_COMMANDS: Final[
    dict[
        str,
        tuple[Callable[[argparse.Namespace], int], Callable[[argparse.ArgumentParser], None], str],
    ]
] = {
    "demo": (_demo, _demo_options, "from a sample CSV and messages to a chart"),
    "lab": (_lab, _lab_options, "open JupyterLab here, on the start notebook if it exists"),
    "import": (_import, _import_options, "import a CSV file into a table"),
    "apply": (_apply, _apply_options, "apply a file of messages (JSON Lines or array)"),
    "export": (_export, _export_options, "write profiles as messages or CSV"),
    "report": (_report, _report_options, "count an event, by a property, over time"),
    "history": (
        _history,
        _history_options,
        "list the updates of a profile, or explain one property",
    ),
    "batches": (_batches, _add_database, "list the batches of updates, oldest first"),
    "undo": (_undo, _undo_options, "put back what a batch changed, as a new batch"),
    "compact": (
        _compact,
        _compact_options,
        "forget the history before a moment, so that the file shrinks",
    ),
    "backup": (
        _backup,
        _backup_options,
        "copy the file, including its past, even while it is in use",
    ),
    "check": (
        _check,
        _check_options,
        "replay the log and compare it with the profiles; status 1 if something is wrong",
    ),
    "serve": (
        _serve,
        _serve_options,
        "receive what analytics clients send, until Ctrl-C; creates the file if missing",
    ),
    "show": (_show, _show_options, "show a table, or one profile as JSON"),
}
