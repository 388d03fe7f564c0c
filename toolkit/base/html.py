"""HTML for notebooks: cards, tables and figures in which every text is escaped.

Property values and names come from outside and are never trusted. A piece of finished
HTML is an :class:`Html`, which begins as text that is written in the code; whatever is
put into it by ``format``, ``join`` or ``+`` is escaped, unless it is finished HTML itself.

Colours are JupyterLab's variables where there are any; elsewhere they are
inherited or translucent, so they suit a light page and a dark one. Nothing is
loaded from outside.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, Self

import numpy as np
import pandas as pd
from markupsafe import Markup
from pandas.api.types import is_numeric_dtype

from toolkit.base.values import dumps, printable

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


class Html(Markup):
    """Finished HTML: what is put into it is escaped unless it is finished, too.

    >>> Html("<b>{}</b>").format('<script>"plan" & more')
    Html('<b>&lt;script&gt;&quot;plan&quot; &amp; more</b>')
    """

    @classmethod
    def escape(cls, value: Any, /) -> Self:
        """Return the text of *value* with everything that HTML gives a meaning escaped."""
        if hasattr(value, "__html__"):
            return cls(value)
        # Named entities, and text that can be written: half a surrogate pair as its escape.
        text = html.escape(str(value))
        return cls(text if text.isascii() else printable(text))


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


def card(title: str, *parts: Html) -> str:
    """Return a bordered box: the title, then the parts one below the other.

    Whatever is shown in a notebook is in one: it keeps its text from being read as maths.
    It leaves the toolkit as plain text, which others may put together as they like.
    """
    box = Html('{}\n<div class="{}"><div class="tk-title">{}</div>{}</div>')
    kinds = " ".join(("tk-card", *NO_MATHS))
    return str(box.format(_STYLE, kinds, title, Html().join(parts)))


def paragraph(text: str) -> Html:
    """Return a paragraph of plain text."""
    return Html('<p class="tk-text">{}</p>').format(text)


def notes(sentences: Iterable[str]) -> Html:
    """Return a list of sentences in small print, nothing if there are none."""
    items = Html().join(map(Html("<li>{}</li>").format, sentences))
    return Html('<ul class="tk-notes">{}</ul>').format(items) if items else items


def facts(values: Mapping[str, object]) -> Html:
    """Return a table of two columns: what, and how many or which."""
    return pairs(values.items())


def pairs(values: Iterable[tuple[str, object]]) -> Html:
    """Return the same for names of which some may be alike."""
    row = Html('<tr><th scope="row">{}</th>{}</tr>')
    rows = Html().join(row.format(name, _cell(value)) for name, value in values)
    return _scrolling(Html("<tbody>{}</tbody>").format(rows))


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
    are_numbers = [is_numeric_dtype(each) and each.dtype.kind != "b" for each in columns]
    head = Html().join(map(_header, (column.name for column in columns), are_numbers))
    body = Html().join(
        Html("<tr>{}</tr>").format(Html().join(map(_cell, cells, are_numbers)))
        for cells in zip(*(column.array for column in columns), strict=True)
    )
    result = _scrolling(Html("<thead><tr>{}</tr></thead><tbody>{}</tbody>").format(head, body))
    if total > len(shown):
        result += Html('<div class="tk-more">{:,} of {:,} rows</div>').format(len(shown), total)
    return result


def _scrolling(rows: Html) -> Html:
    """Return a table that scrolls sideways inside its card rather than squeeze its columns."""
    wide = Html('<div class="tk-scroll" tabindex="0"><table class="tk-table">{}</table></div>')
    return wide.format(rows)


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
    image = Html('<img src="data:image/png;base64,{}" alt="{}" width="{:d}">')
    return image.format(data, description, width)


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
        except (TypeError, ValueError):  # holds what is not JSON
            return str(value)
    return str(value)


def _time_text(moment: datetime) -> str:
    is_midnight = (moment.hour, moment.minute, moment.second, moment.microsecond) == (0, 0, 0, 0)
    if is_midnight:
        return moment.strftime("%Y-%m-%d")
    return moment.isoformat(sep=" ", timespec="auto" if moment.microsecond else "seconds")


def _header(name: object, is_number: bool) -> Html:
    kind = Html(' class="tk-number"' if is_number else "")
    text = str(name)
    tooltip = Html()
    if len(text) > HEADER_LENGTH:
        tooltip = Html(' title="{}"').format(text[:_TOOLTIP_LENGTH])
        text = text[: HEADER_LENGTH - 1] + "…"
    return Html('<th scope="col"{}{}>{}</th>').format(kind, tooltip, text)


def _cell(value: Any, is_number: bool = False) -> Html:
    """Return a cell; *is_number* says where a missing one is."""
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return Html('<td class="tk-missing{}">–</td>').format(" tk-number" if is_number else "")
    text = cell_text(value)
    if isinstance(value, int | float | np.number) and not isinstance(value, bool):
        return Html('<td class="tk-number">{}</td>').format(text)
    kind = Html(' class="tk-long"' if len(text) > _LINE_LENGTH else "")
    if len(text) <= CELL_LENGTH:
        return Html("<td{}>{}</td>").format(kind, text)
    cut = Html('<td{} title="{}">{}…</td>')
    return cut.format(kind, text[:_TOOLTIP_LENGTH], text[: CELL_LENGTH - 1])
