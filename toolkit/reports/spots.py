"""Places in a picture of a report, and the cell of its table each stands for."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

#: The arguments with which a report's ``users`` gives the IDs behind a cell of its table.
Cell: TypeAlias = Mapping[str, Any]

Floats: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class _Meaning:
    cell: Callable[[int], Cell | None]
    words: Callable[[int], str]


# Beside the artists, for matplotlib's have no place for it.
_MEANINGS: Final[weakref.WeakKeyDictionary[Artist, _Meaning]] = weakref.WeakKeyDictionary()


def stands_for(
    artist: Artist, cell: Callable[[int], Cell | None], words: Callable[[int], str]
) -> None:
    """Say what the points of a line, or a bar, stand for.

    Parameters
    ----------
    artist
        A line; or a bar, which is one point.
    cell
        Returns the cell of the n-th point; None if it stands for several.
    words
        Returns what to say of the n-th point.
    """
    _MEANINGS[artist] = _Meaning(cell, words)


@dataclass(frozen=True, eq=False)
class Spots:
    """The places in a picture that stand for something.

    Attributes
    ----------
    boxes
        ``float64``, a row a place: left, top, right and bottom as parts of the width
        and height of the picture, from its upper left corner. A point has no size.
    """

    boxes: Floats
    _owners: tuple[_Meaning, ...]
    _starts: tuple[int, ...]

    @classmethod
    def of(cls, figure: Figure) -> Spots:
        """Return the places in a figure that was drawn."""
        width, height = figure.get_size_inches() * figure.dpi
        boxes, owners, starts, total = [], [], [], 0
        for artist in figure.findobj(lambda found: found in _MEANINGS):
            found = _boxes(artist) / (width, height, width, height)
            boxes.append(
                np.column_stack([found[:, 0], 1 - found[:, 3], found[:, 2], 1 - found[:, 1]])
            )
            owners.append(_MEANINGS[artist])
            starts.append(total)
            total += len(found)
        together = np.concatenate(boxes) if boxes else np.zeros((0, 4))
        return cls(together, tuple(owners), tuple(starts))

    def __len__(self) -> int:
        return len(self.boxes)

    def cell(self, place: int) -> Cell | None:
        """Return the cell that a place stands for, None if it stands for several."""
        owner, point = self._at(place)
        return owner.cell(point)

    def words(self, place: int) -> str:
        """Return what to say of a place; untrusted text."""
        owner, point = self._at(place)
        return owner.words(point)

    def _at(self, place: int) -> tuple[_Meaning, int]:
        owner = int(np.searchsorted(self._starts, place, side="right")) - 1
        return self._owners[owner], place - self._starts[owner]

    def nearest(self, x: float, y: float, *, within: float, aspect: float) -> int | None:
        """Return the place nearest to a point, None if all are further away than *within*.

        Parameters
        ----------
        x, y
            As parts of the width and height, from the upper left corner.
        within
            A part of the width.
        aspect
            The height of the picture as a part of its width.
        """
        if not len(self):
            return None
        left, top, right, bottom = self.boxes.T
        across = np.maximum(0, np.maximum(left - x, x - right))
        down = np.maximum(0, np.maximum(top - y, y - bottom)) * aspect
        distances = np.nan_to_num(np.hypot(across, down), nan=np.inf)
        place = int(np.argmin(distances))
        return place if distances[place] <= within else None


def _boxes(artist: Artist) -> Floats:
    """Return left, bottom, right, top in pixels from the lower left corner, a row a point."""
    from matplotlib.lines import Line2D

    if isinstance(artist, Line2D):
        points = artist.get_transform().transform(np.asarray(artist.get_xydata(), np.float64))
        return np.hstack([points, points])
    bar = artist.get_window_extent()
    # A short bar is hard to hit: all the way beside it counts.
    right = bar.x1 if artist.axes is None else artist.axes.get_window_extent().x1
    return np.array([[bar.x0, bar.y0, right, bar.y1]])
