"""The table of functions in docs/expressions.md: ``python -m tests.expression_functions``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from toolkit.expressions import user
from toolkit.expressions.functions import FUNCTIONS

PAGE: Final = Path(__file__).parent.parent / "docs" / "expressions.md"
_PLACE: Final = re.compile(r"(?s)(?<=<!-- functions -->\n)\n.*?\n(?=\n<!-- end of functions -->)")


def table() -> str:
    """Return the table, from the functions there are."""
    lines = ["", "| as text | in Python | takes | gives | |", "| --- | --- | --- | --- | --- |"]
    for each in FUNCTIONS.values():
        node = getattr(user["x"], each.method)()
        text = node.text.replace('user["x"]', "x")
        python = node.python.replace('user["x"]', "x")
        what = (each.apply.__doc__ or "").partition("\n")[0].removeprefix("Return ").rstrip(".")
        formulas = "; in formulas, too" if each.in_formulas else ""
        takes = each.takes_text
        lines.append(f"| `{text}` | `{python}` | {takes} | {each.gives} | {what}{formulas} |")
    return "\n".join([*lines, ""])


def written(page: str) -> str:
    """Return a page with the table as it is now."""
    return _PLACE.sub(lambda _: table(), page)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
