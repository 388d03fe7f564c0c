"""HTML for notebooks: cards, tables and figures in which every text is escaped.

Property values and names come from outside and are never trusted. A piece of
finished HTML is an :data:`Html`, made only by the functions here; whatever is
still plain text goes through :func:`escape` on its way in.

Colours are JupyterLab's variables where there are any; elsewhere they are
inherited or translucent, so they suit a light page and a dark one. Nothing is
loaded from outside.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, NewType

import numpy as np
import pandas as pd

from toolkit.base.values import dumps, printable

#: Finished HTML: all untrusted text in it is escaped.
Html = NewType("Html", str)

#: Longer texts are cut in a table cell; the rest shows when pointed at.
CELL_LENGTH: Final = 120
#: The same for the name of a column.
HEADER_LENGTH: Final = 40
# Longer texts may run over several lines, shorter ones never do.
_LINE_LENGTH: Final = 36
# A table shows so many rows more rather than hide them.
_FEW_MORE: Final = 3
_TOOLTIP_LENGTH: Final = 1_000

#: Classes of what MathJax leaves alone, in all its versions: two ``$`` in a value, or in a
#: sentence about ``$set`` and ``$name``, would be a formula to JupyterLab.
NO_MATHS: Final = ("mathjax_ignore", "tex2jax_ignore")

_STYLE: Final = Html(
    """<style>
.tk-card {
  --tk-text: var(--jp-content-font-color1, inherit);
  --tk-faint: color-mix(in srgb, currentColor 80%, transparent);
  --tk-line: var(--jp-border-color2, rgba(128, 128, 128, 0.4));
  --tk-stripe: var(--jp-rendermime-table-row-background, rgba(128, 128, 128, 0.08));
  color: var(--tk-text);
  font-family: var(--jp-content-font-family, system-ui, sans-serif);
  font-size: var(--jp-content-font-size1, 14px);
  line-height: 1.45;
  border: 1px solid var(--tk-line);
  border-radius: 4px;
  padding: 10px 14px;
  margin: 4px 0;
  max-width: 60em;
}
.tk-card .tk-scroll {
  overflow-x: auto; scrollbar-width: thin; scrollbar-color: var(--tk-line) transparent;
}
.tk-card .tk-title { font-weight: 600; margin: 0 0 6px; }
.tk-card .tk-text, .tk-card .tk-notes { margin: 6px 0; }
.tk-card .tk-notes { color: var(--tk-faint); padding-left: 1.2em; font-size: 0.93em; }
.tk-card .tk-more { color: var(--tk-faint); font-size: 0.93em; margin: 2px 0 6px; }
.tk-card img { max-width: 100%; height: auto; display: block; background: none; }
.tk-card table.tk-table { border-collapse: collapse; margin: 6px 0; color: inherit; }
.tk-card table.tk-table th, .tk-card table.tk-table td {
  padding: 3px 10px; text-align: left; border: none; background: none; color: inherit;
  white-space: pre; max-width: 32em;
}
.tk-card table.tk-table td.tk-long {
  white-space: pre-wrap; overflow-wrap: anywhere; min-width: 20em;
}
.tk-card table.tk-table thead th { border-bottom: 1px solid var(--tk-line); font-weight: 600; }
.tk-card table.tk-table tbody tr:nth-child(even) { background: var(--tk-stripe); }
.tk-card table.tk-table .tk-number {
  text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums;
}
.tk-card table.tk-table .tk-missing { color: var(--tk-faint); }
</style>"""
)


def escape(value: object) -> Html:
    """Return the text of *value* with everything that HTML gives a meaning escaped.

    >>> escape('<script>"plan" & more')
    '&lt;script&gt;&quot;plan&quot; &amp; more'
    """
    return Html(html.escape(printable(str(value)), quote=True))


def card(title: str, *parts: Html) -> Html:
    """Return a bordered box: the title, then the parts one below the other.

    Whatever is shown in a notebook is in one: it keeps its text from being read as maths.
    """
    heading = f'<div class="tk-title">{escape(title)}</div>'
    kinds = " ".join(("tk-card", *NO_MATHS))
    return Html(f'{_STYLE}\n<div class="{kinds}">{heading}{"".join(parts)}</div>')


def paragraph(text: str) -> Html:
    """Return a paragraph of plain text."""
    return Html(f'<p class="tk-text">{escape(text)}</p>')


def notes(sentences: Iterable[str]) -> Html:
    """Return a list of sentences in small print, nothing if there are none."""
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return Html(f'<ul class="tk-notes">{items}</ul>' if items else "")


def facts(values: Mapping[str, object]) -> Html:
    """Return a table of two columns: what, and how many or which."""
    return pairs(values.items())


def pairs(values: Iterable[tuple[str, object]]) -> Html:
    """Return the same for names of which some may be alike."""
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{_cell(value)}</tr>' for name, value in values
    )
    return _scrolling(f"<tbody>{rows}</tbody>")


def rows_shown(total: int, rows: int) -> int:
    """Return how many rows of a table to show: *rows*, or all if few more would be hidden.

    >>> rows_shown(9, 8), rows_shown(500, 8)
    (9, 8)
    """
    return total if total <= rows + _FEW_MORE else rows


def table(frame: pd.DataFrame, *, rows: int = 10, total: int | None = None) -> Html:
    """Return the first rows of a DataFrame as a table, without its index.

    Parameters
    ----------
    frame
        Columns of any type; numbers are right-aligned, a missing value is a dash.
    rows
        At most so many rows, or a few more if those are all; what is left out is said
        below.
    total
        How many rows there are, if *frame* is only the first of them.
    """
    total = len(frame) if total is None else total
    shown = frame.iloc[: rows_shown(total, rows)]
    columns = [shown.iloc[:, position] for position in range(shown.shape[1])]
    are_numbers = [_holds_numbers(column) for column in columns]
    head = "".join(map(_header, (column.name for column in columns), are_numbers))
    body = "".join(
        "<tr>" + "".join(map(_cell, cells, are_numbers)) + "</tr>"
        for cells in zip(*(column.array for column in columns), strict=True)
    )
    result = _scrolling(f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>")
    if total > len(shown):
        result = Html(f'{result}<div class="tk-more">{len(shown):,} of {total:,} rows</div>')
    return result


def _scrolling(rows: str) -> Html:
    """Return a table that scrolls sideways inside its card rather than squeeze its columns."""
    return Html(f'<div class="tk-scroll" tabindex="0"><table class="tk-table">{rows}</table></div>')


def picture(png: bytes, description: str, *, width: int) -> Html:
    """Return an image that carries its data with it.

    Parameters
    ----------
    png
        The image.
    description
        What is to be seen, for those who cannot see it.
    width
        In CSS pixels, whatever the image's resolution.
    """
    data = base64.b64encode(png).decode("ascii")
    return Html(
        f'<img src="data:image/png;base64,{data}" alt="{escape(description)}" width="{width:d}">'
    )


def cell_text(value: Any) -> str:
    """Return how one cell of a table reads; plain text, not yet escaped.

    >>> cell_text(12345), cell_text(0.25), cell_text(True), cell_text(["a", 1])
    ('12,345', '0.25', 'true', '["a",1]')
    """
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, int | np.integer):
        return f"{int(value):,}"
    if isinstance(value, float | np.floating):
        number = float(value)
        return f"{number:,.4g}" if abs(number) < 1_000 else f"{number:,.0f}"
    if isinstance(value, datetime):
        return _time_text(value)
    if isinstance(value, list | dict):
        try:
            return dumps(value)
        except (TypeError, ValueError):  # holds what is no JSON
            return str(value)
    return str(value)


def _time_text(moment: datetime) -> str:
    is_midnight = (moment.hour, moment.minute, moment.second, moment.microsecond) == (0, 0, 0, 0)
    if is_midnight:
        return moment.strftime("%Y-%m-%d")
    return moment.isoformat(sep=" ", timespec="auto" if moment.microsecond else "seconds")


def _header(name: object, is_number: bool) -> Html:
    kind = ' class="tk-number"' if is_number else ""
    text = str(name)
    tooltip = ""
    if len(text) > HEADER_LENGTH:
        tooltip = f' title="{escape(text[:_TOOLTIP_LENGTH])}"'
        text = text[: HEADER_LENGTH - 1] + "…"
    return Html(f'<th scope="col"{kind}{tooltip}>{escape(text)}</th>')


def _cell(value: Any, is_number: bool = False) -> Html:
    """Return a cell; *is_number* says where a missing one is."""
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return Html(f'<td class="tk-missing{" tk-number" if is_number else ""}">–</td>')
    text = cell_text(value)
    if isinstance(value, int | float | np.number) and not isinstance(value, bool):
        return Html(f'<td class="tk-number">{escape(text)}</td>')
    kind = ' class="tk-long"' if len(text) > _LINE_LENGTH else ""
    if len(text) <= CELL_LENGTH:
        return Html(f"<td{kind}>{escape(text)}</td>")
    tooltip = escape(text[:_TOOLTIP_LENGTH])
    return Html(f'<td{kind} title="{tooltip}">{escape(text[: CELL_LENGTH - 1])}…</td>')


def _holds_numbers(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column.dtype) and column.dtype.kind != "b"
