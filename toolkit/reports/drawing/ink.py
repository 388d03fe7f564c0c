"""The colours charts are drawn in, on light pages, dark ones, and pages nobody knows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Segments that are no segment of their own: what is not set, and all others together.
GREY: Final = "#8C8C8C"

#: The gid of words that stand on a colour, which theirs is chosen for.
ON_COLOUR: Final = "on a colour"

#: The gid of words that stand on pale colours, through which the page can be seen.
ON_PALE: Final = "on pale colours"

# Colours told apart by people with any common colour blindness (Okabe and Ito 2008):
# without black and yellow, which vanish on a dark or a white page. The last two are as far from
# these, as people with each of them see it, as can be seen on the page: one for each of MOST_LINES.
_ON_LIGHT: Final = (
    *("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9"),
    *("#8800EE", "#884422"),
)
# On a dark page yellow can be seen and the dark blue cannot.
_ON_DARK: Final = (
    *("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#F0E442"),
    *("#AA44FF", "#BBEE99"),
)


@dataclass(frozen=True)
class Ink:
    """The colours of a picture.

    Attributes
    ----------
    text
        Of words, axes and ticks.
    palette
        Of lines and bars, in order.
    ground
        What is behind, where something is.
    plate
        What words that are on pale colours have behind them; None for nothing.
    """

    text: str
    palette: tuple[str, ...]
    ground: str
    plate: str | None = None


ON_LIGHT: Final = Ink("#333333", _ON_LIGHT, "#FFFFFF")
ON_DARK: Final = Ink("#E3E3E3", _ON_DARK, "#1B1B1B")
#: For a page of unknown colour: text as far from white as from JupyterLab's dark grey.
ANYWHERE: Final = Ink("#7A7A7A", _ON_LIGHT, "#FFFFFF", plate="#F2F2F2")

# Not matplotlib's own settings, which all threads share.
_current: ContextVar[Ink | None] = ContextVar("ink", default=None)


@contextmanager
def drawing_in(ink: Ink | None) -> Iterator[None]:
    """Draw lines and bars in the colours of *ink* in this context; None leaves them alone."""
    token = _current.set(ink)
    try:
        yield
    finally:
        _current.reset(token)


def palette() -> tuple[str, ...]:
    """Return the colours for lines and bars: those of the ink, else those that fit the style."""
    ink = _current.get()
    if ink is not None:
        return ink.palette
    return _ON_DARK if _is_light_on_dark() else _ON_LIGHT


def _is_light_on_dark() -> bool:
    """Whether the text of the user's style is light, as on a dark or a transparent ground."""
    from matplotlib import rcParams
    from matplotlib.colors import to_rgb

    red, green, blue = to_rgb(rcParams["text.color"])
    return bool(0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.6)


def paint(figure: Figure, ink: Ink) -> None:
    """Give words, axes and ticks the colour of *ink*; what is grey stays grey."""
    from matplotlib.colors import same_color
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        if not isinstance(text, Text) or text.get_gid() == ON_COLOUR:
            continue
        if text.get_gid() == ON_PALE and ink.plate is not None:
            # No grey can be read both on what a light and on what a dark page makes of them.
            text.set_color(ON_LIGHT.text)
            plate = {"facecolor": ink.plate, "alpha": 0.85, "linewidth": 0}
            text.set_bbox({**plate, "boxstyle": "round,pad=0.12"})
        elif not same_color(text.get_color(), GREY):
            text.set_color(ink.text)
    for ax in figure.axes:
        ax.tick_params(which="both", color=ink.text, labelcolor=ink.text)
        for spine in ax.spines.values():
            spine.set_edgecolor(ink.text)
