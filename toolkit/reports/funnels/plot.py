"""How a funnel is drawn: one bar per step, as long as its part of the first step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from toolkit.columns import Positions
from toolkit.reports.drawing import plots
from toolkit.reports.drawing.ink import GREY, palette
from toolkit.reports.drawing.spots import Cell, stands_for
from toolkit.reports.question.segments import NOT_SET

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# More bars cannot be told apart in a notebook.
_MOST_BARS: Final = 16
_MOST_LABELS: Final = 6
_PALE: Final = 0.25
_THICK: Final = 0.8
_LONGEST_NAME: Final = 26


def most_segments(steps: int) -> int:
    """Return how many segments are drawn unless the caller says otherwise.

    >>> most_segments(3), most_segments(30)
    (5, 2)
    """
    return max(2, min(_MOST_LABELS, _MOST_BARS // steps))


def draw(
    ax: Axes | None,
    steps: Sequence[str],
    labels: Sequence[str],
    counts: Positions,
    *,
    title: str,
    of: str,
    by: str,
    cell: Callable[[int, int], Cell],
) -> Axes:
    """Draw a bar for each step and label, and return the Axes.

    Parameters
    ----------
    ax
        Where to draw; None is a new figure.
    steps
        What the steps are called.
    labels
        What the segments are called.
    counts
        How many got how far, one row per label and one column per step.
    title, of, by
        What is to be seen; what is counted; what the labels are values of, for the legend,
        or ``""`` for no legend.
    cell
        Returns the cell that the bar of a label at a step stands for.
    """
    with plots.literal_text():
        bars = len(steps) * max(len(labels), 1)
        ax = plots.axes(ax, (7.2, max(3.6, 0.24 * bars + 1.2)))
        thick = _THICK / max(len(labels), 1)
        drawn = []
        for place, (label, colour) in enumerate(zip(labels, _colours(labels), strict=True)):
            rates = 100 * counts[place] / max(counts[place, 0], 1)
            lost = np.append(rates[:1], rates[:-1]) - rates
            at = np.arange(len(steps)) + (place - (len(labels) - 1) / 2) * thick
            bar = ax.barh(at, rates, height=0.9 * thick, color=colour)
            ax.barh(at, lost, left=rates, height=0.9 * thick, color=colour, alpha=_PALE)
            drawn.append(bar)
            for step, patch in enumerate(bar):
                sentence = partial(_sentence, steps, label if by else "", counts[place], step, of)
                stands_for(patch, partial(_cell_of, cell, place, step), sentence)
            _name(ax, at, rates, lost, counts[place], of, is_short=len(labels) > 1)
        names = [f"{number}  {name}" for number, name in enumerate(steps, 1)]
        ax.set_yticks(range(len(steps)), [plots.plain(name, _LONGEST_NAME) for name in names])
        ax.tick_params(axis="y", length=0)
        ax.set_ylim(max(len(steps), 2) - 0.5, -0.5)
        ax.set_xlabel("% of step 1; pale: dropped since the step before", usetex=False)
        plots.dress(ax, title, values_on="x")
        ax.set_xlim(0, 100 if not drawn else 128 if len(labels) == 1 else 112)
        ax.set_xticks(range(0, 101, 20))
        plots.say_if_empty(ax, [counts], of)
        if by and drawn:
            plots.legend(ax, drawn, labels, by)
    return ax


def _colours(labels: Sequence[str]) -> list[str]:
    colours = iter(palette() * (len(labels) // len(palette()) + 1))
    return [GREY if label == NOT_SET else next(colours) for label in labels]


def _name(
    ax: Axes, at: Any, rates: Any, lost: Any, counts: Any, of: str, *, is_short: bool
) -> None:
    """Write next to each bar how many got there, and how many did not."""
    if not counts.any():
        return
    for step, place in enumerate(at):
        dropped = counts[step - 1] - counts[step] if step else 0
        text = f"{counts[step]:,} ({plots.percent(rates[step] / 100)})"
        if step == 0:
            text = f"{counts[step]:,}" if is_short else _counted(counts[step], of)
        elif is_short:
            text = plots.percent(rates[step] / 100)
        elif dropped:
            text += f"\n−{dropped:,} dropped"
        end = rates[step] + lost[step]
        ax.annotate(
            text,
            (end, place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize="small",
            usetex=False,
        )


def _cell_of(cell: Callable[[int, int], Cell], place: int, step: int, _: int) -> Cell:
    """Return the cell of a bar, which is one point."""
    return cell(place, step)


def _sentence(steps: Sequence[str], label: str, counts: Any, step: int, of: str, _: int) -> str:
    """Return what to say of a bar."""
    place = ", ".join(filter(None, [label, f"{step + 1} {steps[step]}"]))
    share = plots.percent(counts[step] / max(counts[0], 1))
    return f"{place}: {_counted(counts[step], of)} ({share})"


def _counted(number: int, of: str) -> str:
    """Return a number of users or entries in words."""
    return f"{number:,} {of}" if number != 1 else f"1 {of.replace('ies', 'y').removesuffix('s')}"
