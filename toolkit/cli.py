"""The command line: ``python -m toolkit``.

Exit status: 0 if all went well, 1 if something was rejected, 2 if the command
could not be run as given.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

import pandas as pd

from toolkit.demo import run_demo
from toolkit.errors import CsvRowsError, MessageFileError, MissingExtraError, ToolkitError
from toolkit.events import Events
from toolkit.reports import segmentation
from toolkit.reports.periods import Unit
from toolkit.reports.plots import as_png
from toolkit.sources.csv import import_csv
from toolkit.sources.csv_defuse import defused_frame
from toolkit.sources.jsonlines import read_messages, write_messages
from toolkit.table import ProfileTable
from toolkit.values import dumps

OK, REJECTED, USAGE = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = _parser()
    given = parser.parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = given.command
    try:
        return command(given)
    except (CsvRowsError, MessageFileError) as error:
        print(f"error: {error}", file=sys.stderr)
        return REJECTED
    except (ToolkitError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print("interrupted; nothing was half-done", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m toolkit",
        description="User profiles in a notebook: edit, import, join with events, report.",
        epilog="Exit status: 0 done, 1 something was rejected, 2 not run as given.",
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
        "--header",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="whether row 1 is a header (default: found out)",
    )
    load.add_argument(
        "--skip-errors", action="store_true", help="import the other rows when some cannot be"
    )
    load.add_argument("--dry-run", action="store_true", help="report only, write nothing")
    load.add_argument("--rejected", type=Path, metavar="CSV", help="write rejected rows here")

    apply = _command(commands, _apply, "apply", "apply a file of messages (JSON Lines or array)")
    _add_database(apply)
    apply.add_argument("messages", type=Path)
    apply.add_argument(
        "--skip-errors", action="store_true", help="apply the other lines when some are no messages"
    )

    export = _command(commands, _export, "export", "write profiles as messages or CSV")
    _add_database(export)
    export.add_argument("file", type=Path, help=".jsonl, .json (both also .gz), or .csv")
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

    show = _command(commands, _show, "show", "show a table, or one profile as JSON")
    _add_database(show)
    show.add_argument("distinct_id", nargs="?")
    return parser


def _command(
    commands: Any, run: Callable[[argparse.Namespace], int], name: str, what: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=what, description=what)
    parser.set_defaults(command=run)
    return parser


def _add_database(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("database", type=Path, help="the SQLite file of the profiles")


def _opened(given: argparse.Namespace) -> ProfileTable:
    """Return the table of a file that must be there already."""
    if not given.database.exists():
        raise FileNotFoundError(f"{given.database}: no such file")
    return ProfileTable(given.database)


def _demo(given: argparse.Namespace) -> int:
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
    mapping: dict[int | str, str] = {}
    for pair in given.map:
        column, equals, name = pair.rpartition("=")
        if not equals:
            raise ToolkitError(f"--map {pair}: COLUMN=PROPERTY is needed, such as 0=$distinct_id")
        mapping[int(column) if column.isdecimal() else column] = name
    with ProfileTable(given.database) as profiles:
        try:
            report = import_csv(
                profiles,
                given.csv,
                mapping or None,
                header=given.header,
                on_error="skip" if given.skip_errors else "raise",
                dry_run=given.dry_run,
            )
        except CsvRowsError as error:
            if given.rejected is not None:
                defused_frame(error.rejected).to_csv(given.rejected, index=False)
            raise
    print(report)
    if given.rejected is not None:
        report.write_rejected(given.rejected)
    return REJECTED if len(report.rejected) else OK


def _apply(given: argparse.Namespace) -> int:
    messages = read_messages(given.messages, on_error="skip" if given.skip_errors else "raise")
    with ProfileTable(given.database) as profiles:
        result = profiles.apply(messages, source=given.messages.name)
    for line, reason in messages.skipped[["line", "reason"]].to_numpy().tolist():
        print(f"line {line} is no message: {reason}", file=sys.stderr)
    for index, reason in result.rejected[["index", "reason"]].to_numpy().tolist():
        print(f"line {messages.lines[index]} rejected: {reason}", file=sys.stderr)
    print(result)
    return REJECTED if len(result.rejected) or len(messages.skipped) else OK


def _export(given: argparse.Namespace) -> int:
    with _opened(given) as table:
        profiles = table if given.where is None else table.where(given.where)
        if given.file.suffix == ".csv":
            frame = profiles.frame.reset_index()
            defused_frame(frame).to_csv(given.file, index=False)
            count = len(frame)
        else:
            count = write_messages(profiles, given.file)
    print(f"{count:,} profiles written to {given.file}")
    return OK


def _report(given: argparse.Namespace) -> int:
    read = pd.read_parquet if given.events.suffix == ".parquet" else _read_csv_events
    with _opened(given) as profiles:
        report = segmentation(
            Events(read(given.events)),
            profiles,
            given.event,
            measure=given.measure,
            by=given.by,
            unit=None if given.unit == "none" else given.unit,
            where=given.where,
        )
    print(report.title)
    print(report.table.to_string(index=False))
    for note in report.notes:
        print(f"Note: {note}")
    if given.png is not None:
        given.png.write_bytes(as_png(report.plot, transparent=False))
        print(f"Chart: {given.png}")
    if given.csv is not None:
        defused_frame(report.table).to_csv(given.csv, index=False)
        print(f"Table: {given.csv}")
    return OK


def _read_csv_events(path: Path) -> pd.DataFrame:
    # Read as text, an ID keeps its leading zeros (JOIN-3).
    return pd.read_csv(path, dtype={"distinct_id": "str"})


def _show(given: argparse.Namespace) -> int:
    with _opened(given) as profiles:
        if given.distinct_id is None:
            print(profiles)
            print(profiles.frame.head(10).to_string())
        else:
            print(dumps(profiles[given.distinct_id]))
    return OK
