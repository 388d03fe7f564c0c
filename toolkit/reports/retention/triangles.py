"""How retention is drawn: curves over the buckets, and a triangle of cohorts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from toolkit.base import cell_text
from toolkit.reports.drawing import plots
from toolkit.reports.drawing.ink import GREY, palette
from toolkit.reports.drawing.spots import Cell, stands_for

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

#: Of more cohorts, numbers in the cells and lines of their own could not be read.
MOST_ROWS: Final = 14
_MOST_COLUMNS: Final = 14
_MOST_TICKS: Final = 14


def curves(
    ax: Axes | None,
    names: Sequence[str],
    series: Sequence[tuple[str, Any]],
    *,
    title: str,
    of: str,
    over: str,
    by: str,
    is_share: bool,
    faint: Sequence[Any] = (),
    cell: Callable[[str, int], Cell | None] | None = None,
) -> Axes:
    """Draw a line for each label over the buckets.

    Parameters
    ----------
    ax
        Where to draw; None is a new figure.
    names
        What each bucket is called.
    series
        Labels, each with a value a bucket; NaN is a gap.
    title, of, over, by
        What is to be seen; what the values are, and the buckets, for the axes; what the
        labels are values of, for the legend, or ``""``.
    is_share
        Whether the values are shares, written in percent.
    faint
        Lines in grey behind the others, of a value a bucket: what they are averages of.
    cell
        Returns the cell that the point of a label at a bucket stands for.
    """
    with plots.literal_text():
        ax = plots.axes(ax)
        places = np.arange(len(names))
        for values in faint:
            ax.plot(places, values, color=GREY, alpha=0.6, linewidth=0.8, zorder=1)
        labels = [label for label, _ in series]
        marker = "o" if len(names) <= 31 else None
        lines = [
            ax.plot(places, values, marker=marker, markersize=4, linewidth=1.8, **style)[0]
            for (_, values), style in zip(series, plots.styles(labels), strict=True)
        ]
        if cell is not None:
            for line, (label, values) in zip(lines, series, strict=True):
                words = partial(_point, label, names, values, is_share)
                stands_for(line, partial(cell, label), words)
        _name_buckets(ax, names)
        ax.margins(x=0.02)
        ax.set_xlabel(plots.plain(over, 80), usetex=False)
        ax.set_ylabel(plots.plain(of), usetex=False)
        plots.dress(ax, title, values_on="y")
        if is_share:
            _in_percent(ax, [values for _, values in series] + list(faint))
        plots.say_if_empty(ax, [np.nan_to_num(values) for _, values in series], "users")
        if (by or faint) and lines:
            if faint:
                lines = [*lines, ax.lines[0]]
                labels = [*labels, "each cohort"]
            plots.legend(ax, lines, labels, by)
    return ax


def _point(label: str, names: Sequence[str], values: Any, is_share: bool, bucket: int) -> str:
    value = plots.percent(values[bucket]) if is_share else cell_text(float(values[bucket]))
    return f"{label}, {names[bucket]}: {value}"


def _name_buckets(ax: Axes, names: Sequence[str], offset: float = 0.0) -> None:
    """Put the names of buckets on the axis: as many as can be read."""
    step = max(1, -(-len(names) // _MOST_TICKS))
    if step > 2 and all(name.isdigit() for name in names):
        step = next(nice for nice in (5, 7, 10, 14, 20, 30, 50, 100, 1_000, 10_000) if nice >= step)
    shown = range(0, len(names), step)
    ax.set_xticks([place + offset for place in shown], [names[place] for place in shown])


def _in_percent(ax: Axes, values: Sequence[Any]) -> None:
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    highest = max((float(np.nanmax(row)) for row in values if not np.isnan(row).all()), default=0)
    top = 1.05 * max(highest, 0.01)
    ax.set_ylim(0, top)
    ax.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0 if top > 0.05 else 1))


def triangle(
    ax: Axes | None,
    starts: pd.DatetimeIndex,
    sizes: Any,
    names: Sequence[str],
    values: Any,
    *,
    is_incomplete: Any,
    title: str,
    of: str,
    over: str,
    unit: str,
    is_share: bool,
    cell: Callable[[int, int], Cell],
) -> Axes:
    """Draw a row for each cohort and a column for each bucket, darker for more.

    Parameters
    ----------
    ax
        Where to draw; None is a new figure.
    starts, sizes
        The start of each cohort, and how many users it has.
    names
        What each bucket is called.
    values
        The value of each cell; NaN is drawn as nothing.
    is_incomplete
        Which cells are to be marked: with a star next to the number, else hatched.
    title, of, over, unit
        What is to be seen; what the values are; what the buckets and the cohorts are.
    is_share
        Whether the values are shares, written in percent.
    cell
        Returns the cell of the table that a cohort and a bucket stand for.
    """
    rows, columns = values.shape
    with plots.literal_text():
        has_numbers = 0 < rows <= MOST_ROWS and columns <= _MOST_COLUMNS
        ax = plots.axes(ax, (7.2, max(2.4, 1.3 + 0.28 * rows) if has_numbers else 4.8))
        colours = _colours()
        highest = float(np.nanmax(values)) if not np.isnan(values).all() else 0.0
        mesh = ax.pcolormesh(
            np.arange(columns + 1),
            np.arange(rows + 1),
            np.ma.masked_invalid(values).reshape(rows, columns),
            cmap=colours,
            vmin=0,
            vmax=highest or 1,
            linewidth=0.6 if has_numbers else 0,
            edgecolor="none",
        )
        words = partial(_square, starts, names, values, is_incomplete, is_share)
        stands_for(
            mesh,
            lambda place: cell(*divmod(place, columns)),
            lambda place: words(*divmod(place, columns)),
        )
        marks = "*" if has_numbers else "hatched"
        if has_numbers:
            _write_numbers(ax, values, is_incomplete, highest, colours, is_share)
        elif rows:
            _hatch(ax, is_incomplete)
            _scale(ax, mesh, of, is_share)
        _name_cohorts(ax, starts, sizes)
        _name_buckets(ax, names, 0.5)
        remark = f"; {marks}: incomplete" if np.any(is_incomplete) else ""
        ax.set_xlabel(plots.plain(f"{over}{remark}", 80), usetex=False)
        ax.set_ylabel(plots.plain(f"{unit} of the cohort (users)"), usetex=False)
        ax.set_title(plots.plain(title, 80), loc="left", fontsize="medium", usetex=False)
        ax.set_ylim(max(rows, 1), 0)
        ax.tick_params(length=0)
        for spine in ax.spines.values():
            spine.set_visible(False)
        plots.say_if_empty(ax, [np.nan_to_num(values)], "users")
    return ax


def _square(
    starts: pd.DatetimeIndex,
    names: Sequence[str],
    values: Any,
    is_incomplete: Any,
    is_share: bool,
    row: int,
    column: int,
) -> str:
    """Return what to say of a cell."""
    star = " (incomplete)" if is_incomplete[row, column] else ""
    value = _written(values[row, column], is_share)
    return f"{starts[row]:%Y-%m-%d}, {names[column]}: {value}{star}"


def _written(value: float, is_share: bool) -> str:
    return plots.percent(value, 0) if is_share else cell_text(round(float(value), 2))


def _colours() -> Colormap:
    """Return colours from nearly the ground to the first of the palette: one hue, by lightness."""
    from matplotlib.colors import LinearSegmentedColormap, to_rgb

    strong = np.array(to_rgb(palette()[0]))
    on_dark = _luminance(strong) > 0.4
    ground = np.array(to_rgb("#20303A" if on_dark else "#EAF2F8"))
    return LinearSegmentedColormap.from_list("retention", [ground, strong])


def _luminance(colour: Any) -> float:
    red, green, blue = colour[:3]
    return float(0.2126 * red + 0.7152 * green + 0.0722 * blue)


def _write_numbers(
    ax: Axes, values: Any, is_incomplete: Any, highest: float, colours: Any, is_share: bool
) -> None:
    from toolkit.reports.drawing.ink import ON_COLOUR

    for row, column in np.argwhere(~np.isnan(values)).tolist():
        value = values[row, column]
        ground = colours(value / highest if highest else 0.0)
        ax.text(
            column + 0.5,
            row + 0.5,
            _written(value, is_share) + ("*" if is_incomplete[row, column] else ""),
            color="#FFFFFF" if _luminance(ground) < 0.45 else "#111111",
            gid=ON_COLOUR,
            ha="center",
            va="center",
            fontsize="small",
        )


def _hatch(ax: Axes, is_incomplete: Any) -> None:
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    squares = [Rectangle((column, row), 1, 1) for row, column in np.argwhere(is_incomplete)]
    ax.add_collection(
        PatchCollection(
            squares, facecolor="none", edgecolor=GREY, linewidth=0, hatch="////////", zorder=2
        )
    )


def _scale(ax: Axes, mesh: Any, of: str, is_share: bool) -> None:
    """Say what the colours mean."""
    from matplotlib.ticker import PercentFormatter

    bar = ax.figure.colorbar(mesh, ax=ax, pad=0.02, aspect=30)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0)
    bar.set_label(plots.plain(of), usetex=False)
    if is_share:
        bar.ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))


def _name_cohorts(ax: Axes, starts: pd.DatetimeIndex, sizes: Any) -> None:
    step = max(1, -(-len(starts) // _MOST_TICKS))
    shown = range(0, len(starts), step)
    ax.set_yticks(
        [row + 0.5 for row in shown],
        [f"{starts[row]:%Y-%m-%d} ({sizes[row]:,})" for row in shown],
    )
