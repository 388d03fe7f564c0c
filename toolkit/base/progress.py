"""How far a long piece of work is, reported to the caller, who may stop it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Protocol, TypeVar

import numpy as np

from toolkit.base.errors import ArgumentError
from toolkit.base.values import quoted

T = TypeVar("T")

# A bar appears once the work has run for so many seconds.
_PATIENCE: Final = 1.0
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
    """Return the items, and call *progress* with how many, now and then.

    >>> calls = []
    >>> sum(counted("Adding", range(10_001), lambda *notice: calls.append(notice)))
    50005000
    >>> calls
    [('Adding', 0, 10001), ('Adding', 5000, 10001), ('Adding', 10000, 10001)]
    """
    if progress is silent:
        return iter(items)
    return _counted(stage, items, progress)


def _counted(stage: str, items: Sequence[T], progress: Progress) -> Iterator[T]:
    for start in range(0, len(items), _AT_A_TIME):
        progress(stage, start, len(items))
        yield from items[start : start + _AT_A_TIME]


@contextmanager
def watched_by(progress: object, unit: str = " rows") -> Iterator[Progress]:
    """Hand out what to tell how far the work is: a bar, nobody, or the function given.

    Parameters
    ----------
    progress
        True for a bar if it takes more than a second, False for nobody, or a function.
    unit
        What the bar counts.

    Raises
    ------
    ArgumentError
        If *progress* is anything else.

    Examples
    --------
    >>> with watched_by("no"):
    ...     pass
    Traceback (most recent call last):
    ...
    toolkit.errors.ArgumentError: progress='no'; True or False is needed, or a function
    """
    if callable(progress):
        yield progress
        return
    if not isinstance(progress, bool | np.bool_):
        raise ArgumentError(f"progress={quoted(progress)}; True or False is needed, or a function")
    if not progress:
        yield silent
        return
    from tqdm.auto import tqdm  # which is slow to import

    bar: Any
    with tqdm(total=0, unit=unit, delay=_PATIENCE, leave=False) as bar:

        def show(stage: str, done: int, total: int, /) -> None:
            bar.total = total or None
            # To set a description would show the bar, however little time has passed.
            bar.set_description(stage, refresh=False)
            bar.update(done - bar.n)

        yield show
