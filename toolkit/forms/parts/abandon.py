"""Work that does not look up from what it does, and is left behind when nobody waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, TypeVar

from toolkit.base import Progress

T = TypeVar("T")

# Seconds between two looks at whether somebody still waits.
_PACE: Final = 0.05


class Abandonable:
    """Does one piece of work at a time, each of which may be left behind.

    A report is counted on whole columns, in a few long steps that nothing can
    interrupt. Whoever cancels gets an answer at once; the step ends by itself, its
    result is thrown away, and the next piece of work waits for that.
    """

    def __init__(self) -> None:
        self._left_behind: threading.Thread | None = None

    def run(self, work: Callable[[], T], progress: Progress, stage: str) -> T:
        """Return what *work* returns, or raise what it raises.

        Parameters
        ----------
        work
            Called in a thread of its own.
        progress
            Called while it goes on; what it raises leaves the work behind.
        stage
            What is being done.
        """
        if self._left_behind is not None:
            self._wait(self._left_behind, progress, "Finishing what was cancelled")
        results: list[T] = []
        errors: list[BaseException] = []

        def do() -> None:
            try:
                results.append(work())
            except BaseException as error:  # raised again below, where somebody waits
                errors.append(error)

        thread = threading.Thread(target=do, daemon=True, name="profile-toolkit report")
        self._left_behind = thread
        thread.start()
        self._wait(thread, progress, stage)
        self._left_behind = None
        if errors:
            raise errors[0]
        return results[0]

    @staticmethod
    def _wait(thread: threading.Thread, progress: Progress, stage: str) -> None:
        while thread.is_alive():
            progress(stage, 0, 0)
            thread.join(_PACE)
