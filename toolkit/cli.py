"""The command line: ``python -m toolkit``.

Exit status: 0 if all went well, 1 if something was rejected or a check found a
problem, 2 if the command could not be run as given.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO, get_args, overload

import pandas as pd

from toolkit.demo import run_demo
from toolkit.errors import (
    CsvRowsError,
    MessageFileError,
    MissingExtraError,
    StoreDamagedError,
    ToolkitError,
    UndoError,
)
from toolkit.events import Events
from toolkit.reports import segmentation
from toolkit.reports.periods import Unit
from toolkit.reports.plots import as_png
from toolkit.sources.arguments import written
from toolkit.sources.csv import import_csv
from toolkit.sources.csv_defuse import defused_frame
from toolkit.sources.csv_export import export_csv
from toolkit.sources.geo import GeoDatabase
from toolkit.sources.jsonlines import read_messages, write_messages
from toolkit.sources.people import read_people, write_people
from toolkit.sources.segment import GROUP_KEY
from toolkit.sources.serving import serve_until_stopped
from toolkit.table import ProfileTable
from toolkit.values import dumps
from toolkit.wording import count, listed

OK, REJECTED, USAGE = 0, 1, 2

_EXPORTS = (".jsonl", ".jsonl.gz", ".json", ".json.gz", ".csv", ".csv.gz")
_EVENTS = (".parquet", ".csv", ".csv.gz")
_SHOWN_ROWS = 10
# A cell of a table on the screen is cut to so many characters.
_CELL = 32


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = _parser()
    given = parser.parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = given.command
    try:
        with written(_as_option):
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m toolkit",
        description="User profiles in a notebook: edit, import, join with events, report.",
        epilog="Exit status: 0 done, 1 something was rejected or found wrong, 2 not run as given.",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    demo = _command(commands, _demo, "demo", "from a sample CSV and messages to a chart")
    demo.add_argument(
        "folder",
        nargs="?",
        type=Path,
        default=Path("toolkit-demo"),
        help="where its files go (default: ./toolkit-demo)",
    )

    lab = _command(commands, _lab, "lab", "open JupyterLab here, on the start notebook if there")
    lab.add_argument("options", nargs=argparse.REMAINDER, help="passed on to jupyter lab")

    load = _command(commands, _import, "import", "import a CSV file into a table")
    _add_database(load)
    load.add_argument("csv", type=Path)
    load.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="COLUMN=PROPERTY",
        help="a column (position from 0, or header name) and its property; repeat. "
        "$distinct_id marks the identifier. Default: all columns by header",
    )
    load.add_argument(
        "--key",
        metavar="COLUMN",
        help="the column of the IDs (position from 0, or header name); without --map all other "
        "columns are imported under their names",
    )
    load.add_argument(
        "--type",
        action="append",
        default=[],
        metavar="PROPERTY=TYPE",
        help="text, number, boolean, date or json, where the type found is not wanted; repeat",
    )
    load.add_argument("--encoding", help="such as cp1252 (default: found out)")
    load.add_argument("--delimiter", help="between cells (default: found out)")
    load.add_argument(
        "--header",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="whether row 1 is a header (default: found out)",
    )
    load.add_argument(
        "--skip-errors", action="store_true", help="import the other rows when some cannot be"
    )
    load.add_argument("--dry-run", action="store_true", help="report only, write nothing")
    _add_group(load)
    load.add_argument("--rejected", type=Path, metavar="CSV", help="write rejected rows here")

    apply = _command(commands, _apply, "apply", "apply a file of messages (JSON Lines or array)")
    _add_database(apply)
    apply.add_argument("messages", type=Path)
    apply.add_argument(
        "--skip-errors", action="store_true", help="apply the other lines when some are no messages"
    )
    apply.add_argument(
        "--people", action="store_true", help="the file holds profiles as the query API has them"
    )
    _add_geo(apply)

    export = _command(commands, _export, "export", "write profiles as messages or CSV")
    _add_database(export)
    export.add_argument(
        "file", type=Path, help="its end says what to write: " + ", ".join(_EXPORTS)
    )
    export.add_argument(
        "--people",
        action="store_true",
        help="write JSON in the shape of the query API in place of messages",
    )
    export.add_argument(
        "--chunk", type=int, metavar="N", help="write lists of N messages, each a body to post"
    )
    _add_group(export)
    export.add_argument("--where", help="only profiles for which this holds: 'user[\"plan\"] == …'")

    report = _command(commands, _report, "report", "count an event, by a property, over time")
    _add_database(report)
    report.add_argument("events", type=Path, help="Parquet or CSV: event, distinct_id, time, …")
    report.add_argument("event", help="the event's name")
    report.add_argument("--measure", choices=["total", "unique"], default="total")
    report.add_argument("--by", help="a property: 'user[\"plan\"]' or 'event[\"item\"]'")
    report.add_argument("--where", help="only events for which this holds")
    report.add_argument("--unit", default="day", choices=[*get_args(Unit), "none"])
    report.add_argument("--png", type=Path, help="write the chart here")
    report.add_argument("--csv", type=Path, help="write the table here")

    history = _command(
        commands, _history, "history", "list the updates of a profile, or explain one property"
    )
    _add_database(history)
    _add_group(history)
    history.add_argument("distinct_id")
    history.add_argument("property", nargs="?")

    batches = _command(commands, _batches, "batches", "list the batches of updates, oldest first")
    _add_database(batches)

    undo = _command(commands, _undo, "undo", "put back what a batch changed, as a new batch")
    _add_database(undo)
    undo.add_argument("batch", type=int, help="its number, as in `batches`")
    undo.add_argument(
        "--only-untouched",
        action="store_true",
        help="leave what later updates wrote to, and undo the rest",
    )

    compact = _command(
        commands,
        _compact,
        "compact",
        "forget the history before a moment, so that the file shrinks",
    )
    _add_database(compact)
    compact.add_argument(
        "--keep",
        required=True,
        help="what stays: a duration such as 90d, a moment such as 2026-05-01, or a number of "
        "batches, the latest ones",
    )
    compact.add_argument("--dry-run", action="store_true", help="report only, change nothing")

    check = _command(
        commands,
        _check,
        "check",
        "replay the log and compare it with the profiles; status 1 if something is wrong",
    )
    _add_database(check)
    check.add_argument("--repair", action="store_true", help="write the profiles anew from the log")

    serving = _command(
        commands,
        _serve,
        "serve",
        "take what analytics clients send, until Ctrl-C; the file is made if missing",
    )
    _add_database(serving)
    serving.add_argument(
        "--port", type=int, default=0, help="where to listen (default: a free port)"
    )
    serving.add_argument(
        "--host", default="127.0.0.1", help="0.0.0.0 lets other machines in (default: 127.0.0.1)"
    )
    serving.add_argument("--token", help="what clients must know (default: any token is taken)")
    serving.add_argument(
        "--origin",
        action="append",
        default=[],
        help="a web page's origin that may send, such as http://localhost:3000; repeat",
    )
    serving.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a further name clients call this machine by, such as host.docker.internal; repeat",
    )
    serving.add_argument(
        "--group-key", default=GROUP_KEY, help="the group key of Segment's groups (%(default)s)"
    )
    _add_geo(serving)
    serving.add_argument("--log", action="store_true", help="print a line for each request")

    show = _command(commands, _show, "show", "show a table, or one profile as JSON")
    _add_database(show)
    show.add_argument("distinct_id", nargs="?")
    _add_group(show)
    return parser


def _command(
    commands: Any, run: Callable[[argparse.Namespace], int], name: str, what: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=what, description=what)
    parser.set_defaults(command=run)
    return parser


def _add_database(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("database", type=Path, help="the SQLite file of the profiles")


def _add_geo(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--geo",
        type=Path,
        metavar="MMDB",
        help="a location database: $set and $set_once set the location of $ip or coordinates too",
    )


def _add_group(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--group",
        metavar="KEY",
        help="profiles of groups, such as company, in place of users",
    )


def _opened(given: argparse.Namespace) -> ProfileTable:
    """Return the table of a file that must be there already."""
    return ProfileTable(_there(given.database))


def _asked(profiles: ProfileTable, given: argparse.Namespace) -> ProfileTable:
    """Return the table of the group key that is asked for, or of the users."""
    if given.group is None:
        return profiles
    if given.group not in profiles.group_keys:
        there = listed(profiles.group_keys)
        raise ToolkitError(
            f"--group {given.group}: there are no profiles of such groups; "
            + (f"the group keys are {there}" if there else "the file has users only")
        )
    return profiles.groups(given.group)


def _there(path: Path) -> Path:
    """Return a path at which a file must stand."""
    if path.is_dir():
        raise ToolkitError(f"{path}: is a folder; a file is needed")
    if not path.exists():
        raise ToolkitError(f"{path}: no such file")
    return path


# Escape sequences and the like, which a terminal would obey; lines and tabs stay.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def _say(told: object, *, file: TextIO | None = None) -> None:
    """Print text of which some comes from data."""
    # Written as JSON writes them, so that JSON stays what it was.
    print(_CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", str(told)), file=file)


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _as_option(name: str, value: object = ...) -> str:
    """Write an argument of a function as the option that stands for it."""
    if name == "on_error":
        return "--skip-errors"
    if name == "header":
        return "--header" if value else "--no-header"
    option = {"mapping": "--map", "types": "--type"}.get(name, f"--{name.replace('_', '-')}")
    if isinstance(value, dict):
        return " ".join(f"{option} {shlex.quote(f'{key}={each}')}" for key, each in value.items())
    return option if value is ... else f"{option} {shlex.quote(str(value))}"


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
    """Return what names a column; digits are a position."""
    return int(key) if key is not None and key.isdecimal() else key


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
    # A dry run leaves no file behind where there was none.
    in_memory = given.dry_run and not given.database.exists()
    with ProfileTable(None if in_memory else given.database) as profiles:
        try:
            report = import_csv(
                profiles if given.group is None else profiles.groups(given.group),
                given.csv,
                mapping or None,
                key=_column(given.key),
                header=given.header,
                encoding=given.encoding,
                delimiter=given.delimiter,
                types=types,
                on_error="skip" if given.skip_errors else "raise",
                dry_run=given.dry_run,
            )
        except CsvRowsError as error:
            if given.rejected is not None:
                defused_frame(error.rejected).to_csv(given.rejected, index=False)
            raise
    _say(report)
    if given.rejected is not None:
        report.write_rejected(given.rejected)
    return REJECTED if len(report.rejected) else OK


def _apply(given: argparse.Namespace) -> int:
    if given.people:
        messages = read_people(_there(given.messages))
    else:
        messages = read_messages(
            _there(given.messages), on_error="skip" if given.skip_errors else "raise"
        )
    with ExitStack() as opened:
        # The database first: where there is none, no file of profiles is made.
        geo = None if given.geo is None else opened.enter_context(GeoDatabase(given.geo))
        profiles = opened.enter_context(ProfileTable(given.database))
        result = profiles.apply(messages, source=given.messages.name, geo=geo)
    for line, reason in messages.skipped[["line", "reason"]].to_numpy().tolist():
        _say(f"line {line} is no message: {reason}", file=sys.stderr)
    for index, reason in result.rejected[["index", "reason"]].to_numpy().tolist():
        _say(f"line {messages.lines[index]} rejected: {reason}", file=sys.stderr)
    for index, reason in result.warnings[["index", "reason"]].to_numpy().tolist():
        _say(f"line {messages.lines[index]}: {reason}", file=sys.stderr)
    # Below its first line it would list the rejections again.
    _say(repr(result).splitlines()[0])
    return REJECTED if len(result.rejected) or len(messages.skipped) else OK


def _export(given: argparse.Namespace) -> int:
    if not given.file.name.endswith(_EXPORTS):
        raise ToolkitError(
            f"{given.file}: the end of the name says what to write; "
            f"allowed are {', '.join(_EXPORTS)}"
        )
    is_csv = given.file.name.endswith((".csv", ".csv.gz"))
    if (is_csv or given.people) and given.chunk is not None:
        raise ToolkitError("--chunk is for messages; leave it out")
    if is_csv and given.people:
        raise ToolkitError(f"{given.file}: --people is for JSON; name the file .jsonl or .json")
    losses: Sequence[str] = ()
    with _opened(given) as opened:
        table = _asked(opened, given)
        profiles = table if given.where is None else table.where(given.where)
        if is_csv:
            export = export_csv(profiles, given.file)
            number, losses = export.profiles, export.losses
        elif given.people:
            number = write_people(profiles, given.file)
        else:
            number = write_messages(profiles, given.file, chunk=given.chunk)
    _say(f"{count(number, 'profile')} written to {given.file}")
    for loss in losses:
        _say(f"Note: {loss}")
    return OK


def _report(given: argparse.Namespace) -> int:
    events = Events(_read_events(given.events))
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
        given.png.write_bytes(as_png(report.plot, transparent=False))
    if given.csv is not None:
        defused_frame(report.table).to_csv(given.csv, index=False)
    _say(report.title)
    _say(report.table.to_string(index=False))
    for note in report.notes:
        _say(f"Note: {note}")
    for what, path in (("Chart", given.png), ("Table", given.csv)):
        if path is not None:
            _say(f"{what}: {path}")
    return OK


def _read_events(path: Path) -> pd.DataFrame:
    if not path.name.endswith(_EVENTS):
        raise ToolkitError(
            f"{path}: events are read from Parquet or CSV; allowed are {', '.join(_EVENTS)}"
        )
    _there(path)
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        # Read as text, an ID keeps its leading zeros (JOIN-3).
        return pd.read_csv(path, dtype={"distinct_id": "str"})
    except (ValueError, EOFError) as error:
        kind = "Parquet" if path.suffix == ".parquet" else "CSV"
        reason = str(error).partition("\n")[0]
        raise ToolkitError(f"{path} cannot be read as {kind}: {reason}") from error


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
            raise ToolkitError(f"no update ever named the profile {given.distinct_id!r}")
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
    keep = int(given.keep) if given.keep.isdigit() else given.keep
    with _opened(given) as profiles:
        report = profiles.compact(keep, dry_run=given.dry_run)
    _say(repr(report).removeprefix("<CompactReport: ").replace(">", "", 1))
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
                f"there is no batch {given.batch}; `batches {given.database}` lists them"
            )
        try:
            result = profiles.undo(given.batch, only_untouched=given.only_untouched)
        except UndoError as error:
            if error.conflicts is None:
                raise
            told = str(error).replace("only_untouched=True", "--only-untouched")
            raise ToolkitError(told) from error
    if result.batch_id is None:
        _say(f"nothing of batch {given.batch} is left to undo; nothing was changed")
        return OK
    _say(f"batch {given.batch} is undone by batch {result.batch_id}")
    _say(repr(result).splitlines()[0])
    return OK
