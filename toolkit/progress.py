"""How far a long piece of work is, told to whoever waits for it, who may stop it."""

from __future__ import annotations

from typing import Protocol


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
