"""How a flow is drawn: bars for what happened at each step, bands for where it led."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from toolkit.reports.drawing import plots
from toolkit.reports.drawing.ink import GREY, ON_PALE, palette
from toolkit.reports.drawing.spots import stands_for
from toolkit.reports.flows.numbers import Columns, Links
from toolkit.reports.flows.paths import OTHER

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: How many events of a step are drawn with their names unless the caller says otherwise.
MOST_EVENTS: Final = 8
# The width of a bar, where the distance of two steps is 1.
_BAR: Final = 0.035
_FONT: Final = 8.0  # points
_LINE: Final = 1.3  # of the size of the font
_PALE: Final = 0.3
_PALER: Final = 0.15
# The parts of the height that names and what is between bars may take where there are many.
_FOR_NAMES: Final = 0.75
_BETWEEN: Final = 0.15


@dataclass(eq=False)
class _Node:
    """A bar.

    Attributes
    ----------
    is_end
        Whether paths end here: no event.
    is_exact
        Whether it is one that the report knows by this name.
    top, height
        Where its slot begins, from above; how high the bar is.
    slot
        How much room there is for it.
    """

    column: int
    name: str
    value: int
    is_end: bool
    is_exact: bool
    height: float = 0.0
    slot: float = 0.0
    top: float = 0.0
    lines: int = 1

    @property
    def bar_top(self) -> float:
        return self.top + (self.slot - self.height) / 2


def draw(
    ax: Axes | None,
    columns: Columns,
    links: Links,
    segment: int,
    at_steps: Sequence[Any],
    *,
    ranked: Sequence[str],
    top: int | None,
    title: str,
    of: str,
    cell: Mapping[str, Any],
) -> Axes:
    """Draw a flow, and return the Axes.

    Parameters
    ----------
    ax
        Where to draw; None is a new figure.
    columns, links
        What the steps are, and the links between them.
    segment
        Which row of the links.
    at_steps
        How many paths are where, at each step.
    ranked
        All events, in the order in which they are given colours.
    top
        How many events of a step have a bar of their own.
    title, of
        What is to be seen; what is counted.
    cell
        What is part of every cell: the segment.
    """
    with plots.literal_text():
        ax = plots.axes(ax)
        most = MOST_EVENTS if top is None else top
        nodes, places = _nodes(columns, links, segment, at_steps, most)
        ax.set_xlim(-_BAR, len(columns.steps) - 1 + _room(columns))
        ax.set_ylim(1, 0)
        ax.yaxis.set_visible(False)
        ax.set_xticks(range(len(columns.steps)), [_step(each) for each in columns.steps])
        ax.tick_params(axis="x", length=0, labelsize="small")
        for name in ax.get_xticklabels():
            name.set_horizontalalignment("left")
        ax.set_xlabel(f"step (height of a bar: {of})", usetex=False)
        for side in ("top", "right", "left", "bottom"):
            ax.spines[side].set_visible(False)
        ax.set_title(
            plots.plain(title, 160), loc="left", fontsize="medium", usetex=False, wrap=True
        )
        if not nodes[columns.steps.index(0)]:
            ax.set_xticks([])
            ax.set_xlabel("")
            plots.say_if_empty(ax, [], of)
            return ax
        width, height = _size(ax)
        line = _FONT * _LINE / height
        _arrange(nodes, line)
        colours = _colours(nodes, ranked)
        _bands(ax, columns, links, segment, nodes, places, colours, of, cell)
        total = sum(node.value for node in nodes[columns.steps.index(0)])
        span = width / (len(columns.steps) - 1 + _room(columns) + _BAR)
        for column in nodes:
            for node in column:
                _bar(ax, columns, node, colours, total, of, cell)
                if node.lines:
                    _name(ax, node, total, (1 - _BAR) * span - 4)
    return ax


def _room(columns: Columns) -> float:
    """Return the room for the names of the last step, where the distance of two steps is 1."""
    return 1.0 if len(columns.steps) < 8 else 1.5


def _step(number: int) -> str:
    if not number:
        return "anchor"
    return f"{abs(number)} {'after' if number > 0 else 'before'}"


def _size(ax: Axes) -> tuple[float, float]:
    """Return the width and height of the Axes in points, before it is laid out."""
    figure = ax.figure
    box = ax.get_position()
    width, height = 72 * np.asarray(figure.bbox.size) / figure.dpi
    if len(figure.axes) == 1 and figure.get_layout_engine() is not None:
        # All of the figure but the title and the steps.
        return 0.97 * width, max(height - 5.5 * 12, 0.5 * height)
    return box.width * width, box.height * height


def _nodes(
    columns: Columns, links: Links, segment: int, at_steps: Sequence[Any], most: int
) -> tuple[list[list[_Node]], list[Any]]:
    """Return the bars of each step, and which of them each place is; -1 for none."""
    nodes, places = [], []
    for column, labels in enumerate(columns.labels):
        values = at_steps[column]
        there = np.flatnonzero(values)
        shown = [at for at in there.tolist() if labels[at] != OTHER][:most]
        rest = [at for at in there.tolist() if at not in set(shown)]
        bars = [_Node(column, labels[at], int(values[at]), False, True) for at in shown]
        place = np.full(len(labels) + 1, -1)
        place[shown] = np.arange(len(shown))
        if rest:
            is_exact = [labels[at] for at in rest] == [OTHER]
            bars.append(_Node(column, OTHER, int(values[rest].sum()), False, is_exact))
            place[rest] = len(bars) - 1
        if columns.steps[column]:
            is_end = (links.column == column) & (links.outer == len(labels))
            ending = int(links.values[segment, is_end].sum())
            if ending:
                place[len(labels)] = len(bars)
                bars.append(_Node(column, columns.end(column), ending, True, True))
        nodes.append(bars)
        places.append(place)
    return nodes, places


def _arrange(nodes: list[list[_Node]], line: float) -> None:
    """Give each bar its height, and a slot in which its name can be read."""
    gap = 0.5 * line
    for column in nodes:
        # Of very many the smallest have no name.
        named = max(int(_FOR_NAMES / line), 1)
        for node in sorted(column, key=lambda node: -node.value)[named:]:
            node.lines = 0
    gap = min([gap, *(_BETWEEN / len(column) for column in nodes if column)])
    low, high = 0.0, 1.0
    most = max((sum(node.value for node in column) for column in nodes), default=1)
    for _ in range(40):
        scale = (low + high) / 2
        tallest = max(
            sum(max(scale * node.value / most, line * node.lines) + gap for node in column)
            for column in nodes
        )
        low, high = (scale, high) if tallest <= 1 else (low, scale)
    for column in nodes:
        place = 0.0
        for node in column:
            node.height = low * node.value / most
            node.slot = max(node.height, line * node.lines)
            node.top = place
            place += node.slot + gap
            if node.lines and node.slot >= 2 * line:
                node.lines = 2


def _colours(nodes: list[list[_Node]], ranked: Sequence[str]) -> dict[str, str]:
    """Return a colour for each event, the same at each step and of each segment."""
    colours = {node.name: GREY for column in nodes for node in column}
    rank = {name: place for place, name in enumerate(ranked)}
    for column in nodes:
        for node in column:
            if not node.is_end and node.name != OTHER:
                colours[node.name] = palette()[rank[node.name] % len(palette())]
    return colours


def _bands(
    ax: Axes,
    columns: Columns,
    links: Links,
    segment: int,
    nodes: list[list[_Node]],
    places: list[Any],
    colours: Mapping[str, str],
    of: str,
    cell: Mapping[str, Any],
) -> None:
    """Draw the links; at each bar one below the other in the order of the bars they lead to."""
    left: dict[int, float] = {}
    right: dict[int, float] = {}
    together: dict[tuple[int, int, int], int] = {}
    values = links.values[segment]
    for at in np.flatnonzero(values).tolist():
        column = int(links.column[at])
        inner = int(places[columns.inner(column)][links.inner[at]])
        outer = int(places[column][links.outer[at]])
        is_after = columns.steps[column] > 0
        ends = (inner, outer) if is_after else (outer, inner)
        key = (column - 1 if is_after else column, *ends)
        together[key] = together.get(key, 0) + int(values[at])
    # At its right end a band stands by where it comes from, at its left by where it goes.
    heights = {}
    for key in sorted(together):
        column, from_, to = key
        first, second = nodes[column][from_], nodes[column + 1][to]
        height = first.height * together[key] / first.value
        begin = left.get(id(first), first.bar_top)
        left[id(first)] = begin + height
        heights[key] = (begin, height)
    for key in sorted(together, key=lambda key: (key[0], key[2], key[1])):
        column, from_, to = key
        first, second = nodes[column][from_], nodes[column + 1][to]
        begin, height = heights[key]
        end = right.get(id(second), second.bar_top)
        right[id(second)] = end + height
        _band(ax, columns, first, second, together[key], (begin, end, height), colours, of, cell)


def _band(
    ax: Axes,
    columns: Columns,
    first: _Node,
    second: _Node,
    value: int,
    place: tuple[float, float, float],
    colours: Mapping[str, str],
    of: str,
    cell: Mapping[str, Any],
) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    begin, end, height = place
    left, right = first.column + _BAR, second.column
    middle = (left + right) / 2
    points = [
        (left, begin),
        (middle, begin),
        (middle, end),
        (right, end),
        (right, end + height),
        (middle, end + height),
        (middle, begin + height),
        (left, begin + height),
        (left, begin),
    ]
    codes = [
        Path.MOVETO,
        *[Path.CURVE4] * 3,
        Path.LINETO,
        *[Path.CURVE4] * 3,
        Path.CLOSEPOLY,
    ]
    fades = first.is_end or second.is_end
    band = PathPatch(
        Path(points, codes),
        facecolor=GREY if fades else colours[first.name],
        alpha=_PALER if fades else _PALE,
        linewidth=0,
    )
    ax.add_patch(band)
    step = columns.steps[second.column if columns.steps[second.column] > 0 else first.column]
    is_exact = first.is_exact and second.is_exact
    meant = {"step": step, "from_": first.name, "to": second.name, **cell} if is_exact else None
    sentence = f"{first.name} → {second.name}: {_counted(value, of)}"
    stands_for(band, partial(_of_one, meant), partial(_of_one, sentence), is_row=False)


def _bar(
    ax: Axes,
    columns: Columns,
    node: _Node,
    colours: Mapping[str, str],
    total: int,
    of: str,
    cell: Mapping[str, Any],
) -> None:
    from matplotlib.patches import Rectangle

    bar = Rectangle(
        (node.column, node.bar_top),
        _BAR,
        node.height,
        color=colours[node.name],
        alpha=0.5 if node.is_end else 1.0,
        linewidth=0.0 if node.is_end else 0.6,  # so that even one of many can be seen
    )
    ax.add_patch(bar)
    step = columns.steps[node.column]
    meant = {"step": step, "event": node.name, **cell} if node.is_exact else None
    share = plots.percent(node.value / total)
    sentence = f"{node.name}, {_step(step)}: {_counted(node.value, of)} ({share})"
    stands_for(bar, partial(_of_one, meant), partial(_of_one, sentence), is_row=False)


def _of_one(value: Any, _: int) -> Any:
    """Return what a bar or a band stands for, all of which is one."""
    return value


def _counted(number: int, of: str) -> str:
    return f"{number:,} {of.removesuffix('s') if number == 1 else of}"


def _name(ax: Axes, node: _Node, total: int, width: float) -> None:
    """Write what a bar is and how many are there, in as much room as there is next to it."""
    number = f"{node.value:,}"
    with_share = f"{number} ({plots.percent(node.value / total, 0)})"
    if node.lines == 2:
        lines = [_cut(node.name, width), with_share if _width(with_share) <= width else number]
    else:
        lines = [_cut(node.name, width, f" {number}")]
    if max(map(_width, lines)) > width:
        # Steps so close that a name would run into the next bar: the number alone, or nothing.
        lines = [number] if _width(number) <= width else []
    ax.annotate(
        "\n".join(plots.plain(text, len(text)) for text in lines),
        (node.column + _BAR, node.top + node.slot / 2),
        xytext=(3, 0),
        textcoords="offset points",
        va="center",
        fontsize=_FONT,
        linespacing=1.1,
        gid=ON_PALE,
        usetex=False,
    )


def _cut(name: str, width: float, number: str = "") -> str:
    """Return as much of a name as fits, in points, with a number behind it."""
    name = "".join(char if char.isprintable() else " " for char in name[:200])
    shown, kept = name, len(name)
    while kept > 2 and (wide := _width(shown + number)) > width:
        kept = max(min(int(kept * width / wide), kept - 1), 2)
        # Cut in the middle: names that begin alike often end differently.
        shown = f"{name[: kept // 2].rstrip()}…{name[len(name) - (kept - kept // 2) :].lstrip()}"
    return shown + number


@lru_cache(maxsize=2_000)
def _width(text: str) -> float:
    """Return how wide a text is drawn, in points."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    if not text.strip():
        return 0.3 * _FONT * len(text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a glyph that the font lacks is as wide as its box
        path = TextPath((0, 0), text.replace("$", r"\$"), size=_FONT, prop=FontProperties())
    return float(path.get_extents().x1)
