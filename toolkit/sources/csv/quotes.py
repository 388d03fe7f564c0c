r"""Quotes that are where CSV allows none, and files that escape theirs by a backslash.

A reader of CSV takes ``"abc"def`` for ``abcdef`` and ``"say \"hi\""`` for ``say \hi\""``
without a word. Here each such quote is found, with its line.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np

from toolkit.columns import Mask, Positions

ESCAPE: Final = "\\"

# This much is checked at a time; it fits the processor's cache.
_PIECE: Final = 1 << 18
_QUOTE: Final = ord('"')
_BACKSLASH: Final = ord("\\")
# A pair that a backslash begins, or a backslash that is itself.
_BACKSLASHES: Final = re.compile(rb'\\["\\]|\\')

BEFORE_QUOTE: Final = "there is white space before the quote that opens a cell"
AFTER_QUOTE: Final = "text follows a closing quote; within a cell a quote is written twice"
BACKSLASH: Final = "a quote within a cell is escaped by a backslash, not written twice"


class BrokenQuote(NamedTuple):
    """A quote that no reader of CSV can be sure of."""

    line: int
    reason: str


class _Runs(NamedTuple):
    """The quotes of a piece of text; those that follow each other are one run."""

    starts: Positions
    is_odd: Mask
    is_long: Mask
    opens: Mask
    closes: Mask


class QuoteCheck:
    r"""Looks at the quotes of a CSV file, a piece after the other.

    Whole pieces are looked at at once as long as every quote opens a cell, closes one,
    or is doubled within one.

    Parameters
    ----------
    delimiter
        Between cells.
    escapes
        Whether a backslash takes its meaning from a quote.

    Attributes
    ----------
    broken
        The quotes that are out of place.

    Examples
    --------
    >>> check = QuoteCheck(",")
    >>> check.take(b'id,note\n1,"abc"def\n2,"a ""b"" c"\n3,6"\n', 0)
    >>> [quote.line for quote in check.broken]
    [2]
    """

    def __init__(self, delimiter: str, escapes: bool = False) -> None:
        self.broken: list[BrokenQuote] = []
        self._escapes = escapes
        self._is_inside = False
        self._doubled = 0
        self._tail = b"\n"
        self._ends_cell = np.zeros(256, np.bool_)
        self._ends_cell[list(b"\r\n" + delimiter.encode())] = True

    @property
    def suggests_escapes(self) -> bool:
        """Whether quotes are escaped by backslashes, and none is doubled."""
        return not self._doubled and any(quote.reason == BACKSLASH for quote in self.broken)

    @property
    def has_doubled(self) -> bool:
        """Whether a quote within a cell is written twice."""
        return self._doubled > 0

    def take(self, piece: bytes | bytearray, lines: int) -> None:
        """Look at the next piece of the file, before which so many lines ended.

        It does not end between the two characters of a Windows line end.
        """
        start = 0
        while start < len(piece):
            stop = min(start + _PIECE, len(piece))
            stop += piece[stop - 1 : stop + 1] == b"\r\n"
            self._take(piece[start:stop], lambda to=start: lines + line_ends(piece[:to]))  # type: ignore[misc]
            start = stop

    def _take(self, piece: bytes | bytearray, lines: Callable[[], int]) -> None:
        if _QUOTE not in piece and _QUOTE not in self._tail:
            self._tail = self._kept(self._tail + piece)
            return
        text = self._tail + piece
        before = len(self._tail)
        self._tail = self._kept(text)
        text = text[: len(text) - len(self._tail) + 1]
        marked = _marked(text, b"xx") if self._escapes else text
        data = np.frombuffer(marked, np.uint8)
        runs = self._runs(data)
        if not len(runs.starts):
            return
        toggles = np.cumsum(runs.is_odd)
        inside = (toggles - runs.is_odd + self._is_inside) % 2 == 1
        # As long as nothing is irregular, each odd run opens or closes a cell.
        irregular = np.where(
            inside, runs.is_odd & ~runs.closes, ~runs.opens | (~runs.is_odd & ~runs.closes)
        )
        regular = int(np.argmax(irregular)) if irregular.any() else len(irregular)
        within = inside & ~runs.is_odd & ~runs.opens & ~runs.closes
        within &= data[runs.starts - 1] != _BACKSLASH
        within |= runs.is_long
        self._doubled += int(within[:regular].sum())
        if regular == len(irregular):
            self._is_inside = bool((toggles[-1] + self._is_inside) % 2)
            return
        self._is_inside = bool(inside[regular])
        self._step_by_step(runs, regular, data, self._broken_at(text, before, lines()))

    def _kept(self, text: bytes | bytearray) -> bytes:
        """Return the end of a text from the character before quotes that may go on."""
        return bytes(text[max(len(text.rstrip(b'"\\ \t')) - 1, 0) :])

    def _runs(self, data: Any) -> _Runs:
        at = np.flatnonzero(data == _QUOTE)
        if not len(at):
            none = np.zeros(0, np.bool_)
            return _Runs(at, none, none, none, none)
        first = np.flatnonzero(np.diff(at, prepend=-2) > 1)
        starts = at[first]
        lengths = np.diff(first, append=len(at))
        return _Runs(
            starts,
            lengths % 2 == 1,
            lengths > 2,
            self._ends_cell[data[starts - 1]],
            self._ends_cell[data[starts + lengths]],
        )

    def _step_by_step(
        self, runs: _Runs, first: int, data: Any, broken: Callable[[int, str], None]
    ) -> None:
        inside = self._is_inside
        rest = (each[first:].tolist() for each in runs)
        for start, is_odd, is_long, opens, closes in zip(*rest, strict=True):
            self._doubled += is_long and (inside or opens)
            if inside:
                is_escaped = data[start - 1] == _BACKSLASH
                if is_odd:
                    inside = False
                    if not closes:
                        broken(start, BACKSLASH if is_escaped else AFTER_QUOTE)
                elif not (is_long or opens or closes or is_escaped):
                    self._doubled += 1
            elif opens:
                inside = is_odd
                if not (is_odd or closes):
                    broken(start, AFTER_QUOTE)
            elif self._is_indented(data, start):
                broken(start, BEFORE_QUOTE)
        self._is_inside = inside

    def _is_indented(self, data: Any, start: int) -> bool:
        """Return whether only white space is between a quote and the cell's beginning."""
        at = start - 1
        while at and data[at] in b" \t" and not self._ends_cell[data[at]]:
            at -= 1
        return at < start - 1 and bool(self._ends_cell[data[at]])

    def _broken_at(
        self, text: bytes | bytearray, before: int, lines: int
    ) -> Callable[[int, str], None]:
        """Return what notes a broken quote at a place of *text*."""
        data = np.frombuffer(text, np.uint8)
        returns = data == ord("\r")
        ends = data == ord("\n")
        returns[:-1] &= ~ends[1:]
        places = np.flatnonzero(ends | returns)
        places = places[places >= before]

        def note(start: int, reason: str) -> None:
            line = lines + int(np.searchsorted(places, start)) + 1
            self.broken.append(BrokenQuote(line, reason))

        return note


def line_ends(text: bytes | bytearray) -> int:
    """Return how many lines end in a text, whatever system wrote it."""
    returns = text.count(b"\r")
    return text.count(b"\n") + (returns - text.count(b"\r\n") if returns else 0)


def single_backslashes_doubled(text: bytes) -> bytes:
    r"""Return text in which a backslash that escapes neither quote nor backslash is doubled.

    A reader with an escape character drops it; so it keeps what escapes nothing.

    >>> single_backslashes_doubled(rb'\"a\\b\n').decode()
    '\\"a\\\\b\\\\n'
    """
    if b"\\" not in _marked(text, b""):
        return text
    return _BACKSLASHES.sub(lambda match: match[0] if len(match[0]) == 2 else rb"\\", text)


def _marked(text: bytes | bytearray, mark: bytes) -> bytes | bytearray:
    """Return text with a mark in place of each pair that a backslash begins."""
    return text.replace(rb"\\", mark).replace(rb"\"", mark)
