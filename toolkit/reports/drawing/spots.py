"""Places in a picture of a report, and the cell of its table each stands for."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.collections import QuadMesh
    from matplotlib.figure import Figure
    from matplotlib.patches import PathPatch

#: The arguments with which a report's ``users`` gives the IDs behind a cell of its table.
Cell: TypeAlias = Mapping[str, Any]

Floats: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]

# Of so many pieces a curved band is near enough to its boxes for a click to hit it.
_PIECES: Final = 8


@dataclass(frozen=True)
class _Meaning:
    cell: Callable[[int], Cell | None]
    words: Callable[[int], str]
    is_row: bool


# Beside the artists, for matplotlib's have no place for it.
_MEANINGS: Final[weakref.WeakKeyDictionary[Artist, _Meaning]] = weakref.WeakKeyDictionary()


def stands_for(
    artist: Artist,
    cell: Callable[[int], Cell | None],
    words: Callable[[int], str],
    *,
    is_row: bool = True,
) -> None:
    """Say what the points of a line, a bar, or the squares of a mesh stand for.

    Parameters
    ----------
    artist
        A line; a bar, which is one point; a mesh, whose squares are points row by row; or a
        band from left to right, whose points are pieces of it that all stand for the same.
    cell
        Returns the cell of the n-th point; None if it stands for several.
    words
        Returns what to say of the n-th point.
    is_row
        Whether nothing else is next to a bar, so that all of its row stands for it.
    """
    _MEANINGS[artist] = _Meaning(cell, words, is_row)


@dataclass(frozen=True, eq=False)
class Spots:
    """The places in a picture that stand for something.

    Attributes
    ----------
    boxes
        ``float64``, one row per place: left, top, right and bottom as parts of the width
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
        for artist in figure.findobj(lambda parts: parts in _MEANINGS):
            parts = _boxes(artist) / (width, height, width, height)
            boxes.append(
                np.column_stack([parts[:, 0], 1 - parts[:, 3], parts[:, 2], 1 - parts[:, 1]])
            )
            owners.append(_MEANINGS[artist])
            starts.append(total)
            total += len(parts)
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
    """Return left, bottom, right, top in pixels from the lower left corner, one row per point."""
    from matplotlib.collections import QuadMesh
    from matplotlib.lines import Line2D
    from matplotlib.patches import PathPatch

    if isinstance(artist, QuadMesh):
        return _squares(artist)
    if isinstance(artist, PathPatch):
        return _pieces(artist)
    if isinstance(artist, Line2D):
        points = artist.get_transform().transform(np.asarray(artist.get_xydata(), np.float64))
        return np.hstack([points, points])
    bar = artist.get_window_extent()
    right = bar.x1
    if artist.axes is not None and _MEANINGS[artist].is_row:
        # A short bar is hard to hit: all the way beside it counts.
        right = artist.axes.get_window_extent().x1
    return np.array([[bar.x0, bar.y0, right, bar.y1]])


def _squares(mesh: QuadMesh) -> Floats:
    """Return the same of the squares of a mesh; those without a value are nowhere."""
    corners = np.asarray(mesh.get_coordinates(), np.float64)
    rows, columns, _ = corners.shape
    points = mesh.get_transform().transform(corners.reshape(-1, 2)).reshape(rows, columns, 2)
    low = np.minimum(points[:-1, :-1], points[1:, 1:]).reshape(-1, 2)
    high = np.maximum(points[:-1, :-1], points[1:, 1:]).reshape(-1, 2)
    boxes = np.hstack([low, high])
    boxes[np.ma.getmaskarray(np.ma.asarray(mesh.get_array())).ravel()] = np.nan
    return boxes


def _pieces(band: PathPatch) -> Floats:
    """Return the same of upright pieces of a band: of the whole most would be next to it."""
    (outline,) = band.get_transform().transform_path(band.get_path()).to_polygons()
    corners = np.asarray(outline, np.float64)
    edges = np.linspace(corners[:, 0].min(), corners[:, 0].max(), _PIECES + 1)
    (x0, y0), (x1, y1) = corners[:-1].T, corners[1:].T
    boxes = []
    for left, right in pairwise(edges.tolist()):
        middle = (left + right) / 2
        crossing = (x0 <= middle) != (x1 <= middle)
        part = (middle - x0[crossing]) / (x1[crossing] - x0[crossing])
        heights = y0[crossing] + part * (y1[crossing] - y0[crossing])
        boxes.append((left, heights.min(), right, heights.max()))
    return np.array(boxes)
