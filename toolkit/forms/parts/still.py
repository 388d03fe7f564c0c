"""A form as a saved notebook shows it, where no kernel runs: its words, tables and pictures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any, Final, TypeAlias

import pandas as pd

from toolkit.base import Html, html
from toolkit.forms.parts import guarded
from toolkit.forms.parts.chart import Chart
from toolkit.forms.parts.code import Code
from toolkit.forms.parts.grid import Grid

#: What is in the place of the form itself where it cannot be shown: nothing to be seen.
HERE: Final = Html('<span class="tk-here"></span>')
#: Finished HTML, or a field: its label and what it holds.
_Piece: TypeAlias = Html | tuple[str, str]

_RUN_IT: Final = "A form. To work with it, open the notebook in Jupyter and run this cell."
_LONGEST: Final = 2_000
# Where the form itself is shown, right below, this makes room for it; while it loads, neither
# is seen. A page without it (it is taken out on public sites) shows both.
_STYLE: Final = Html("""<style>
.jp-OutputArea-child:has(.tk-saved):has(+ .jp-OutputArea-child .tk-form) { display: none; }
.jp-OutputArea-child:has(> .jp-OutputArea-output .tk-here),
.output_area:has(.tk-here) { display: none; }
@keyframes tk-saved { from, to { max-height: 0; overflow: hidden; visibility: hidden; } }
@media screen { .tk-saved { animation: tk-saved 4s; } }
</style>""")


def still(form: guarded.Widget, name: str) -> Html:
    """Return what a form shows at the moment, as a card.

    Parameters
    ----------
    form
        The form, or any part of one.
    name
        What it is called.
    """
    parts: list[Html] = [html.paragraph(_RUN_IT)]
    # What it is called is the title of the card already.
    shown = (piece for piece in _pieces(form) if _bare(piece) != Html.escape(name))
    # Fields that follow each other make one table; two of one label are two rows of it.
    for _, pieces in groupby(shown, key=type):
        parts += _joined(list(pieces))
    return Html('{}<div class="tk-saved">{}</div>').format(_STYLE, Html(html.card(name, *parts)))


def charts(widget: Any) -> Iterator[Chart]:
    """Return the charts in a form."""
    if isinstance(widget, Chart):
        yield widget
    for child in getattr(widget, "children", ()):
        yield from charts(child)


def _bare(piece: _Piece) -> str | None:
    """Return the words of HTML."""
    return None if isinstance(piece, tuple) else re.sub(r"<[^>]*>", "", piece)


def _joined(pieces: list[_Piece]) -> list[Html]:
    fields = [piece for piece in pieces if isinstance(piece, tuple)]
    return [html.pairs(fields)] if fields else [each for each in pieces if isinstance(each, Html)]


def _pieces(widget: Any) -> Iterator[_Piece]:
    if widget.layout.display == "none" or "tk-style" in widget._dom_classes:
        return
    if isinstance(widget, guarded.HTML):
        # A picture from elsewhere would be loaded by whoever opens the notebook.
        words = Html(re.sub(r"<img [^>]*>", "", widget.value))
        # How far the work was at that moment is of no use later.
        if (_bare(words) or "").strip() and 'role="progressbar"' not in words:
            yield Html("<div>{}</div>").format(words)
    elif isinstance(widget, Grid):
        yield _table(widget)
    elif isinstance(widget, Chart):
        if widget.png:
            drawn = html.picture(widget.png, widget.alt, width=widget.width)
            # It is transparent, and drawn for a page that may be darker or lighter than the next.
            yield Html('<div style="background-color: {}">{}</div>').format(_ground(widget), drawn)
    elif isinstance(widget, Code):
        if widget.code:
            yield Html("<pre>{}</pre>").format(widget.code)
    elif isinstance(widget, guarded.Tab):
        yield html.paragraph(" · ".join(widget.titles))
        if widget.selected_index is not None:
            yield from _pieces(widget.children[widget.selected_index])
    elif isinstance(widget, guarded.Box | guarded.VBox):
        pieces = [piece for child in widget.children for piece in _pieces(child)]
        # What introduces buttons introduces nothing here.
        if pieces and (_bare(pieces[-1]) or "").endswith(":"):
            pieces.pop()
        yield from pieces
    elif isinstance(widget, guarded.ValueWidget) and (text := _held(widget)):
        yield widget.description or widget.tooltip, text[:_LONGEST]


def _ground(widget: guarded.Guarded) -> str:
    """Return the colour that what is drawn in a form was drawn for."""
    holder: Any = widget
    while holder is not None and not hasattr(holder, "surroundings"):
        holder = holder._holder
    return "#111" if holder is not None and holder.surroundings.dark else "#fff"


def _table(grid: Grid) -> Html:
    cells = [row["cells"] for row in grid.rows]
    frame = pd.DataFrame(cells, columns=[column["label"] for column in grid.columns], dtype=object)
    if not len(frame):
        return html.paragraph(grid.empty)
    return html.table(frame, rows=len(frame), total=max(grid.total, len(frame)))


def _held(widget: Any) -> str:
    """Return what a field holds, "" if it is empty."""
    if isinstance(widget, guarded.ToggleButton):
        return ""
    if isinstance(widget, guarded.Dropdown):
        return str(widget.label or "")
    if isinstance(widget.value, tuple | list):
        return ", ".join(map(str, widget.value))
    if isinstance(widget.value, bool):
        return "yes" if widget.value else "no"
    return "" if widget.value is None else str(widget.value)
