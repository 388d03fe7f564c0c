"""How far a long piece of work is, reported to the caller, who may stop it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Protocol, TypeVar

T = TypeVar("T")

# Some milliseconds of work each, in the slowest loops.
_AT_A_TIME: Final = 5_000


class Progress(Protocol):
    """What long work calls now and then.

    Whoever waits may raise :class:`~toolkit.errors.WorkCancelled` from it: the work
    ends there, and has changed nothing.
    """

    def __call__(self, stage: str, done: int, total: int, /) -> None:
        """Take notice.

        Parameters
        ----------
        stage
            What is being done, such as ``"Reading"``.
        done, total
            How much of it; a *total* of 0 is one that is not known.
        """


def silent(stage: str, done: int, total: int, /) -> None:
    """Take no notice: for work that nobody waits for."""


def counted(stage: str, items: Sequence[T], progress: Progress) -> Iterator[T]:
    """Yield the items, and call *progress* with how many, now and then.

    >>> calls = []
    >>> sum(counted("Adding", range(10_001), lambda *notice: calls.append(notice)))
    50005000
    >>> calls
    [('Adding', 0, 10001), ('Adding', 5000, 10001), ('Adding', 10000, 10001)]
    """
    for start in range(0, len(items), _AT_A_TIME):
        progress(stage, start, len(items))
        yield from items[start : start + _AT_A_TIME]
