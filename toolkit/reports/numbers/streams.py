"""Counts of many events in one go, piece by piece: what is at hand stays in the processor's cache.

Several times as fast as the same on whole columns, whose steps each go through memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from toolkit.columns import Positions
from toolkit.reports.question.periods import Periods
from toolkit.reports.question.selection import Selection

# So many events at a time.
_PIECE: Final = 2**16
#: Counts of more cells would not stay in the cache.
MOST_CELLS: Final = 2**18


def narrow(codes: Any, number: int) -> Any:
    """Return codes in the smallest type that holds them."""
    return codes.astype(np.min_scalar_type(max(number - 1, 0)), copy=False)


def totals(selection: Selection, range_: Periods, codes: Any, shape: tuple[int, int]) -> Any:
    """Return how many events there are in each segment and bucket.

    Parameters
    ----------
    selection
        The events, all of which are in the range.
    range_
        Its buckets.
    codes
        The segment of each distinct ID and of none; None if there is one segment.
    shape
        How many segments and buckets there are.
    """
    events = selection.events
    counts = np.zeros(shape[0] * shape[1], np.int64)
    for piece in _pieces(len(selection)):
        rows: Any = piece if selection.positions is None else selection.positions[piece]
        cells = range_.index(events.times[rows])
        if codes is not None:
            cells = codes[events.ids.codes[rows]].astype(np.int64) * shape[1] + cells
        counts += np.bincount(cells, minlength=len(counts))
    return counts.reshape(shape)


def uniques(
    selection: Selection, event: str | None, range_: Periods, codes: Any, shape: tuple[int, int]
) -> Any:
    """Return how many users there are in each segment and bucket.

    Parameters
    ----------
    selection
        Says which events there are; those that take part in reports count.
    event
        The name of those that do; None is any.
    range_, codes, shape
        As for :func:`totals`; events beyond the range do not count.
    """
    line = selection.events.timelines
    places: Positions | None = None
    if event is not None:
        places = line.named(selection.events.event_names.code(event))
        if event not in selection.events.names:
            places = np.zeros(0, np.int64)
    counts = np.zeros(shape[0] * shape[1], np.int64)
    last = (-1, -1)
    for piece in _pieces(len(line.rows) if places is None else len(places)):
        at: Any = piece if places is None else places[piece]
        ids, moments = line.ids[at], line.times[at]
        inside = (moments >= range_.start) & (moments < range_.end)
        if not inside.all():
            ids, moments = ids[inside], moments[inside]
        if not len(ids):
            continue
        buckets = range_.index(moments)
        # Of a user the events are sorted by time, and so their buckets too.
        is_new = np.empty(len(ids), np.bool_)
        is_new[0] = last != (int(ids[0]), int(buckets[0]))
        np.not_equal(ids[1:], ids[:-1], out=is_new[1:])
        is_new[1:] |= buckets[1:] != buckets[:-1]
        last = (int(ids[-1]), int(buckets[-1]))
        cells = buckets[is_new]
        if codes is not None:
            cells = codes[ids[is_new]].astype(np.int64) * shape[1] + cells
        counts += np.bincount(cells, minlength=len(counts))
    return counts.reshape(shape)


def _pieces(length: int) -> Iterator[slice]:
    return (slice(at, at + _PIECE) for at in range(0, length, _PIECE))
