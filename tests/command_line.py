"""The tables of options in docs/command-line.md: ``python -m tests.command_line`` writes them."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from toolkit.cli import _parser

PAGE = Path(__file__).parent.parent / "docs/command-line.md"
_TABLE = re.compile(r"(?s)(<!-- options of (\S+) -->\n).*?(<!-- end -->\n)")


def commands() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each command, by name."""
    actions = _parser()._actions
    (choices,) = (each.choices for each in actions if isinstance(each, argparse._SubParsersAction))
    return dict(choices)


def options(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Return the arguments and options of a command but for its help."""
    return [each for each in parser._actions if not isinstance(each, argparse._HelpAction)]


def table(parser: argparse.ArgumentParser) -> str:
    """Return what a command takes, as a table."""
    rows = ["| given | what |", "| --- | --- |"]
    for action in options(parser):
        flags = [flag for flag in action.option_strings if not flag.startswith("--no-")]
        shown = ", ".join(f"`{flag}`" for flag in flags or [action.dest])
        if isinstance(action, argparse.BooleanOptionalAction):
            shown = ", ".join(f"`{flag}`" for flag in action.option_strings)
        elif action.option_strings and action.nargs != 0:
            values = (
                "|".join(map(str, action.choices or [])) or action.metavar or action.dest.upper()
            )
            shown = f"`{flags[0]} {values}`"
        elif action.nargs in ("?", argparse.REMAINDER):
            shown = f"`[{action.dest}]`"
        what = (action.help or "") % {**vars(action), "prog": parser.prog}
        rows.append(f"| {shown} | {what} |".replace("|day|", "\\|day\\|"))
    return "\n".join(_escaped(row) for row in rows) + "\n"


def _escaped(row: str) -> str:
    """Return a row of a table in which the bars of choices are no borders."""
    return re.sub(r"`[^`]*`", lambda code: re.sub(r"\\?\|", r"\\|", code[0]), row)


def written(page: str) -> str:
    """Return the page with its tables as the parser has them."""
    parsers = commands()
    return _TABLE.sub(lambda found: f"{found[1]}{table(parsers[found[2]])}{found[3]}", page)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
