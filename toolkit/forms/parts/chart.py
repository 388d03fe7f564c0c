"""A chart on the page: an image one can point at and click on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from traitlets import Bool, Bytes, Int, List, Unicode

from toolkit.forms.parts import guarded
from toolkit.forms.parts.guarded import ASSETS
from toolkit.reports import PICTURE_WIDTH, Picture, Spots

# Of more places the names do not travel; a click is looked up here all the same.
_MOST_PLACES: Final = 2_000
_LONGEST: Final = 200


class Chart(guarded.AnyWidget):
    """An image of a chart; a click on it says where.

    Attributes
    ----------
    png
        The image; empty for none.
    alt
        What is to be seen, for those who cannot see it.
    width
        In CSS pixels, where there is room.
    places
        What may be pointed at: left, top, right, bottom as parts of the image's width
        and height, and what to say there.
    crowded
        Whether there are more places than travel to the page.
    old
        Whether the image is out of date.
    """

    _esm = (ASSETS / "chart.js").read_text(encoding="utf-8")
    _css = (ASSETS / "chart.css").read_text(encoding="utf-8")
    png = Bytes(b"").tag(sync=True)
    alt = Unicode("").tag(sync=True)
    width = Int(PICTURE_WIDTH).tag(sync=True)
    places: List[Any] = List().tag(sync=True)
    crowded = Bool(False).tag(sync=True)
    old = Bool(False).tag(sync=True)

    def __init__(self, on_click: Callable[[float, float], None]) -> None:
        super().__init__()
        self._on_click = on_click
        self.on_msg(self._take)

    def _take(self, _: object, content: dict[str, Any], __: object) -> None:
        if content.get("type") == "click":
            self._on_click(float(content["x"]), float(content["y"]))

    def show(self, picture: Picture | None, alt: str) -> None:
        """Put a picture in view, or none."""
        crowded = picture is not None and len(picture.spots) > _MOST_PLACES
        with self.hold_sync():
            self.crowded = crowded
            self.places = [] if picture is None or crowded else _places(picture.spots)
            self.alt = alt
            self.png = b"" if picture is None else picture.png


def _places(spots: Spots) -> list[list[Any]]:
    # A gap in a line has no place.
    there = np.flatnonzero(np.isfinite(spots.boxes).all(axis=1)).tolist()
    return [
        [*spots.boxes[place].round(5).tolist(), spots.words(place)[:_LONGEST]] for place in there
    ]
