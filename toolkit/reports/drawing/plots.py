"""The look all reports share: colours, axes, legends.

Text is drawn in matplotlib's own colours, so a dark style stays readable, and
property values are drawn as they are: none is read as a formula.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from toolkit.base import ReportError, cell_text, quoted
from toolkit.reports.drawing.ink import (
    ANYWHERE,
    GREY,
    ON_DARK,
    ON_LIGHT,
    drawing_in,
    paint,
    palette,
)
from toolkit.reports.drawing.spots import Cell, Spots, stands_for
from toolkit.reports.question.segments import NOT_SET, OTHER

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: How many segments are drawn unless the caller says otherwise.
MOST_LINES: Final = 8
MOST_BARS: Final = 12

#: The width of a chart in a notebook card, in CSS pixels.
PICTURE_WIDTH: Final = 720
_SIZE: Final = (7.2, 3.6)
_LONGEST_LABEL: Final = 32
_FEW_POINTS: Final = 31

# A legend's title of more letters is cut, or broken.
_WIDE_TITLE: Final = 30


#: What the title says of a chart that draws the segments of a breakdown as one.
TOGETHER: Final = "All segments together"


def other(number: int) -> str:
    """Return the label of segments that are drawn as one."""
    return f"other ({number:,} segments)"


def figure_axes(size: tuple[float, float] = _SIZE) -> Axes:
    """Return the Axes of a new figure."""
    from matplotlib import pyplot

    _, ax = pyplot.subplots(figsize=size, layout="constrained")
    return ax


def axes(ax: Axes | None, size: tuple[float, float] = _SIZE) -> Axes:
    """Return the Axes to draw on: those given, or those of a new figure.

    Raises
    ------
    ReportError
        If something else was given.
    """
    if ax is None:
        return figure_axes(size)
    from matplotlib.axes import Axes

    if isinstance(ax, Axes):
        return ax
    raise ReportError(f"ax={quoted(ax):.60}; give the Axes of matplotlib to draw on, or None")


def percent(share: float, digits: int = 1) -> str:
    """Return a share of 1 as charts and tables write it.

    >>> percent(0.294), percent(0.294, 0)
    ('29.4%', '29%')
    """
    return f"{share:.{digits}%}"


def plain(text: str, longest: int = _LONGEST_LABEL) -> str:
    r"""Return *text* as matplotlib needs it: on one line, cut, with no formula in it.

    >>> print(plain("$1 to $2"))
    \$1 to \$2
    """
    text = "".join(char if char.isprintable() else " " for char in text[: longest + 1])
    if len(text) > longest:
        text = text[: longest - 1] + "…"
    return text.replace("$", r"\$")


def lines(
    ax: Axes | None,
    starts: pd.DatetimeIndex,
    series: Sequence[tuple[str, Any]],
    *,
    title: str,
    of: str,
    by: str,
    incomplete: Sequence[int] = (),
    cell: Callable[[str, int], Cell | None] | None = None,
    before: Sequence[Any] | None = None,
) -> Axes:
    """Draw a line for each label over the start of each bucket.

    Parameters
    ----------
    ax
        Where to draw; None is a new figure.
    starts
        The start of each bucket, with a time zone.
    series
        Labels, each with as many values as there are buckets.
    title, of, by
        What is to be seen; what the values count, for their axis; what the labels
        are values of, for the legend, or ``""`` for no legend.
    incomplete
        Buckets the range cuts, to be shaded: a line falls there for no other reason.
    cell
        Returns the cell that the point of a label at a bucket stands for.
    before
        For each label the values of another period, drawn dashed in the same colour.
    """
    from matplotlib import dates as untyped

    dates: Any = untyped
    with literal_text():
        ax = axes(ax)
        labels = [label for label, _ in series]
        days = dates.date2num(starts.tz_convert("UTC").tz_localize(None).to_numpy())
        marker = "o" if len(starts) <= _FEW_POINTS else None
        drawn = [
            ax.plot(days, values, marker=marker, markersize=4, linewidth=1.6, **style)[0]
            for (_, values), style in zip(series, styles(labels), strict=True)
        ]
        earlier = [
            ax.plot(days, values, linewidth=1.2, linestyle=(0, (4, 3)), color=line.get_color())[0]
            for line, values in zip(drawn, before or (), strict=before is not None)
        ]
        if cell is not None:
            for line, (label, values) in zip(drawn, series, strict=True):
                name = label if by else ""
                stands_for(line, partial(cell, label), partial(_point, name, starts, values))
        date_axis(ax, days, starts)
        remarks = [f"time ({starts.tz})"]
        if incomplete and len(starts) > 1:
            _shade(ax, days, incomplete)
            remarks.append("shaded: incomplete")
        ax.set_xlabel(plain("; ".join(remarks), 80), usetex=False)
        ax.set_ylabel(plain(of), usetex=False)
        shown = [*(values for _, values in series), *(before or ())]
        dress(ax, title, values_on="y", values=shown)
        say_if_empty(ax, shown, of)
        if by and drawn:
            extra = [earlier[0]] if earlier else []
            names = [*labels, *(["the period before"] if earlier else [])]
            legend(ax, [*drawn, *extra], names, by)
    return ax


def bars(
    ax: Axes | None,
    totals: Sequence[tuple[str, float]],
    *,
    title: str,
    of: str,
    by: str,
    cell: Callable[[str], Cell | None] | None = None,
    before: Sequence[Any] | None = None,
) -> Axes:
    """Draw a bar for each (label, value), from left to right so that labels can be read.

    *cell* returns the cell that the bar of a label stands for; *before* has for each the
    value of another period, drawn as an outline.
    """
    with literal_text():
        ax = axes(ax)
        labels = [label for label, _ in totals]
        colours = [GREY if _is_rest(label) else palette()[0] for label in labels]
        places = range(len(labels))
        drawn = ax.barh(places, [value for _, value in totals], color=colours, height=0.7)
        if cell is not None:
            for bar, (label, value) in zip(drawn, totals, strict=True):
                sentence = ": ".join(filter(None, [label, cell_text(value)]))
                stands_for(bar, partial(_of_one, cell, label), partial(_of_one, str, sentence))
        values = [value for _, value in totals]
        texts = [_written(value) if value == value else "–" for value in values]
        ends = [max(value, 0) if value == value else 0 for value in values]
        if before is not None:
            outline: dict[str, Any] = {"fill": False, "edgecolor": GREY, "linestyle": "--"}
            ax.barh(places, before, height=0.7, **outline)
            ends = [np.nanmax([end, last, 0]) for end, last in zip(ends, before, strict=True)]
            of = f"{of}; dashed: the period before"
        for place, end, text in zip(places, ends, texts, strict=True):
            ax.annotate(
                text,
                (float(end), place),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize="small",
            )
        ax.set_yticks(places, [plain(label) for label in labels])
        ax.tick_params(axis="y", length=0)
        ax.set_ylim(max(len(labels), 3) - 0.5, -0.5)  # the largest on top, no bar too thick
        ax.set_xlabel(plain(of, 80), usetex=False)
        ax.set_ylabel(plain(by), usetex=False)
        shown = [*values, *(before or ())]
        dress(ax, title, values_on="x", values=shown)
        say_if_empty(ax, shown, of)
    return ax


@dataclass(frozen=True, eq=False)
class Picture:
    """A chart as an image.

    Attributes
    ----------
    png
        The image, twice ``PICTURE_WIDTH`` pixels wide.
    spots
        What its places stand for.
    aspect
        Its height as a part of its width.
    """

    png: bytes
    spots: Spots
    aspect: float


def as_png(
    plot: Callable[[Axes], object], *, transparent: bool = True, dark: bool | None = None
) -> bytes:
    """Return what *plot* draws as a PNG of twice ``PICTURE_WIDTH`` pixels, unknown to pyplot.

    Parameters
    ----------
    plot
        Draws on the Axes it is given.
    transparent
        Nothing is behind the drawing. Else there is the ground of the page, or of
        matplotlib's style if *dark* is None.
    dark
        Whether the page is dark. None is a page nobody knows: text is a grey that can
        be read on a light page and on a dark one, or, with a ground, matplotlib's own.
    """
    return draw_picture(plot, transparent=transparent, dark=dark).png


def draw_picture(
    plot: Callable[[Axes], object], *, transparent: bool = True, dark: bool | None = None
) -> Picture:
    """Return what *plot* draws, and what its places stand for; parameters as for as_png."""
    from matplotlib.figure import Figure

    ink = {None: ANYWHERE if transparent else None, False: ON_LIGHT, True: ON_DARK}[dark]
    figure = Figure(figsize=_SIZE, dpi=2 * PICTURE_WIDTH / _SIZE[0], layout="constrained")
    with drawing_in(ink), warnings.catch_warnings():
        # A script the font lacks is drawn as boxes here; the table beside it has the text.
        warnings.filterwarnings("ignore", message="Glyph", category=UserWarning)
        plot(figure.add_subplot())
        if ink is not None:
            paint(figure, ink)
            figure.set_facecolor(ink.ground)
            for ax in figure.axes:
                ax.set_facecolor(ink.ground)
        png = _as_png(figure, transparent)
    return Picture(png, Spots.of(figure), _SIZE[1] / _SIZE[0])


def _as_png(figure: Figure, transparent: bool) -> bytes:
    written = io.BytesIO()
    # Not what the user's style says: the image has the size of the figure.
    options: dict[str, Any] = {"dpi": figure.dpi, "bbox_inches": figure.bbox_inches}
    figure.savefig(written, format="png", transparent=transparent, **options)
    return written.getvalue()


@contextmanager
def literal_text() -> Iterator[None]:
    """Keep property values from being typeset as LaTeX, whatever the user's settings."""
    from matplotlib import rcParams

    # Not rc_context: it would also undo what pyplot, first imported inside it,
    # sets up for the notebook, and figures would no longer show.
    before = rcParams["text.usetex"]
    rcParams["text.usetex"] = False
    try:
        yield
    finally:
        rcParams["text.usetex"] = before


def _point(name: str, starts: pd.DatetimeIndex, values: Any, bucket: int) -> str:
    """Return what to say of a point of a line."""
    place = ", ".join(filter(None, [name, cell_text(starts[bucket])]))
    return f"{place}: {cell_text(values[bucket])}"


def _of_one(function: Callable[[str], Any], label: str, _: int) -> Any:
    """Return what a bar stands for, which is one point."""
    return function(label)


def _is_rest(label: str) -> bool:
    return _is_unset(label) or label.startswith("other (") or _is_all(label, OTHER)


def _is_unset(label: str) -> bool:
    return _is_all(label, NOT_SET)  # by none of what it is broken down by


def _is_all(label: str, segment: str) -> bool:
    return set(label.split(", ")) == {segment}


def _written(value: float) -> str:
    """Return a number as a bar has it next to it.

    >>> _written(1234), _written(1234.5), _written(0.0321)
    ('1,234', '1,234.5', '0.0321')
    """
    if value == int(value) or abs(value) >= 1e6:
        return f"{value:,.0f}"
    return f"{value:,.2f}".rstrip("0").rstrip(".") if abs(value) >= 1 else f"{value:.3g}"


def styles(labels: Sequence[str]) -> list[dict[str, Any]]:
    """Return a colour and a line style for each label, no two alike."""
    styles: list[dict[str, Any]] = []
    colours, coloured = palette(), 0
    for label in labels:
        if _is_rest(label):
            styles.append({"color": GREY, "linestyle": ":" if _is_unset(label) else "-."})
            continue
        dash = ("-", "--", ":", "-.")[coloured // len(colours) % 4]
        styles.append({"color": colours[coloured % len(colours)], "linestyle": dash})
        coloured += 1
    return styles


def date_axis(ax: Axes, days: Any, starts: pd.DatetimeIndex) -> None:
    from matplotlib import dates as untyped

    dates: Any = untyped
    if len(starts) == 1:  # one point has no scale of its own
        ax.set_xticks(days, [f"{starts[0]:%Y-%m-%d}"])
        return
    locator = dates.AutoDateLocator(tz=starts.tz, minticks=3, maxticks=9)
    formatter = dates.ConciseDateFormatter(locator, tz=starts.tz)
    if len(starts) and (starts[0].year, starts[0].month) != (starts[-1].year, starts[-1].month):
        # Days of several months: each first of a month names it, the corner only the year.
        formatter.offset_formats[2] = formatter.offset_formats[3] = "%Y"
    ax.margins(x=0.02)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(formatter)


def _shade(ax: Axes, days: Any, buckets: Sequence[int]) -> None:
    for bucket in buckets:
        neighbour = days[1] if bucket == 0 else days[bucket - 1]
        half = abs(days[bucket] - neighbour) / 2
        ax.axvspan(days[bucket] - half, days[bucket] + half, color=GREY, alpha=0.15, linewidth=0)


def dress(ax: Axes, title: str, *, values_on: str, values: Sequence[Any] = ()) -> None:
    """Write the title, and give the axis of the values a scale: of integers if they are."""
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    # Broken over lines where it would run out of the figure.
    ax.set_title(plain(title, 160), loc="left", fontsize="medium", usetex=False, wrap=True)
    axis = ax.yaxis if values_on == "y" else ax.xaxis
    numbers = np.concatenate([np.ravel(each) for each in values]) if len(values) else np.zeros(0)
    numbers = numbers[np.isfinite(numbers)].astype(np.float64)
    is_whole = bool((numbers == np.floor(numbers)).all() or np.ptp(numbers) >= 20)
    axis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10], integer=is_whole))
    axis.set_major_formatter(StrMethodFormatter("{x:,.0f}" if is_whole else "{x:,.4g}"))
    lowest, highest = numbers.min(initial=0), numbers.max(initial=0 if not is_whole else 1)
    ax.set_axisbelow(True)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    if values_on == "y":
        ax.set_ylim(ax.get_ylim()[0] if lowest < 0 else 0, max(ax.get_ylim()[1], highest))
        ax.grid(visible=True, axis="y", alpha=0.3, linewidth=0.6)
    else:
        # Room for the numbers at the bars.
        right = max(ax.get_xlim()[1], highest) * 1.08
        ax.set_xlim(ax.get_xlim()[0] if lowest < 0 else 0, right or 1)


def say_if_empty(ax: Axes, values: Sequence[Any], of: str) -> None:
    """Write so where there is nothing to be seen: an empty chart looks like a broken one."""
    if not any(np.any(np.nan_to_num(np.asarray(each, np.float64))) for each in values):
        noun = of.split(" per ")[0]
        style: dict[str, Any] = {"color": GREY, "fontsize": "large", "usetex": False}
        place: dict[str, Any] = {"transform": ax.transAxes, "ha": "center", "va": "center"}
        ax.text(0.5, 0.5, plain(f"no {noun}"), **place, **style)


def legend(ax: Axes, drawn: Sequence[Any], labels: Sequence[str], by: str) -> None:
    """Name the lines next to the Axes, or above the data if others may be next to them."""
    options: dict[str, Any] = {"frameon": False, "fontsize": "small", "title_fontsize": "small"}
    figure = ax.figure
    if len(figure.axes) == 1 and figure.get_layout_engine() is not None:
        options |= {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0)}
    else:
        columns = 2 if len(labels) > 3 else 1
        rows = -(-len(labels) // columns) + 1
        # The top may be the lower number (bars from top to bottom), and the bottom below zero.
        bottom, upper = ax.get_ylim()
        ax.set_ylim(bottom, upper + (upper - bottom) * 0.08 * rows)
        options |= {"loc": "upper left", "ncols": columns}
    shown = [plain(label) for label in labels]
    # How many are shown stands on a line of its own where there is no room beside.
    name, top, rest = by.rpartition(" (top ")
    title = plain(by) if len(by) < _WIDE_TITLE or not top else f"{plain(name)}\n(top {rest}"
    ax.legend(drawn, shown, title=title, alignment="left", **options)
