"""How a lifecycle is drawn: one bar per period, its parts above and below zero."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from toolkit.base import cell_text
from toolkit.columns import Positions
from toolkit.reports.drawing import plots
from toolkit.reports.drawing.ink import GREY, palette
from toolkit.reports.drawing.spots import Cell, stands_for

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Of more bars, a click could not tell one from the next.
_MOST_PLACES: Final = 400
# Of more bars, the gaps between them would be of a pixel here and of none there.
_MOST_GAPS: Final = 60
# Part n has colour n of these in the palette: told apart beside each other when stacked.
_COLOURS: Final = (2, 0, 1, 4)


def stacked(
    ax: Axes | None,
    starts: pd.DatetimeIndex,
    edges: Positions,
    parts: Sequence[tuple[str, Any]],
    *,
    below: Sequence[str],
    title: str,
    of: str,
    by: str,
    incomplete: Sequence[int] = (),
    cell: Callable[[str, int], Cell | None],
) -> Axes:
    """Draw a bar for each bucket, of parts that are stacked.

    Parameters
    ----------
    ax
        Where to draw; None is a new figure.
    starts, edges
        The start of each bucket, with a time zone; and where each starts and the last
        one ends, in microseconds since 1970 UTC.
    parts
        Labels, each with as many values as there are buckets.
    below
        The parts that hang below zero. Their numbers are written without a sign.
    title, of, by
        What is to be seen; what the values count; what the labels are.
    incomplete
        Buckets the range cuts, to be shaded.
    cell
        Returns the cell that a part of a bucket stands for.
    """
    from matplotlib import dates as untyped
    from matplotlib.ticker import FuncFormatter

    dates: Any = untyped
    with plots.literal_text():
        ax = plots.axes(ax)
        days = dates.date2num(starts.tz_convert("UTC").tz_localize(None).to_numpy())
        widths = np.diff(edges) / 86_400_000_000
        filled = 0.86 if len(starts) <= _MOST_GAPS else 1
        # From its start to that of the next, the tick at its start as for a line.
        heights = {True: np.zeros(len(starts)), False: np.zeros(len(starts))}
        drawn = []
        for (label, values), colour in zip(parts, _colours(parts), strict=True):
            is_below = label in below
            signed = -values if is_below else values
            bars = ax.bar(
                days,
                signed,
                width=widths * filled,
                align="edge",
                bottom=heights[is_below],
                color=colour,
                linewidth=0,
            )
            heights[is_below] = heights[is_below] + signed
            drawn.append(bars)
            if len(starts) <= _MOST_PLACES:
                for place, bar in enumerate(bars):
                    words = f"{label}, {cell_text(starts[place])}: {cell_text(values[place])}"
                    stands_for(
                        bar,
                        partial(_of_one, partial(cell, label), place),
                        partial(_of_one, str, words),
                        is_row=False,
                    )
        plots.date_axis(ax, days, starts)
        remarks = [f"time ({starts.tz})"]
        for bucket in incomplete:
            ax.axvspan(days[bucket], days[bucket] + widths[bucket], color=GREY, alpha=0.15, lw=0)
        if incomplete:
            remarks.append("shaded: incomplete")
        ax.set_xlabel(plots.plain("; ".join(remarks), 80), usetex=False)
        ax.set_ylabel(plots.plain(of), usetex=False)
        plots.dress(ax, title, values_on="y")
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{abs(value):,.0f}"))
        highest, lowest = (float(ends.max(initial=0)) for ends in (heights[False], -heights[True]))
        room = 0.06 * max(highest + lowest, 1)
        ax.set_ylim(-lowest - room if lowest else 0, max(highest + room, 1))
        ax.axhline(0, color=GREY, linewidth=0.8)
        plots.say_if_empty(ax, [values for _, values in parts], of)
        labels = [f"{label} (below)" if label in below else label for label, _ in parts]
        plots.legend(ax, drawn, labels, by)
    return ax


def _colours(parts: Sequence[tuple[str, Any]]) -> list[Any]:
    if len(parts) == len(_COLOURS):
        return [palette()[colour] for colour in _COLOURS]
    return [style["color"] for style in plots.styles([label for label, _ in parts])]


def _of_one(function: Callable[[Any], Any], argument: Any, _: int) -> Any:
    """Return what a bar stands for, which is one point."""
    return function(argument)
