"""Questions that come faster than their answers: only the last one counts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from toolkit.base import Progress
from toolkit.forms.parts.job import Job


class Latest:
    """Gives a job one piece of work after the other: of those that wait only the last."""

    def __init__(self, job: Job) -> None:
        self._job = job
        # Held while an answer is delivered, so that none arrives once it was dropped.
        self._lock = threading.RLock()
        self._idle = threading.Condition(self._lock)
        self._next: Callable[[], None] | None = None
        self._is_busy = False
        self._number = 0

    @property
    def is_open(self) -> bool:
        """Whether something is in progress."""
        return self._is_busy

    def ask(
        self,
        work: Callable[[Progress], Any],
        on_done: Callable[[Any], None],
        on_failed: Callable[[BaseException | None], None],
    ) -> None:
        """Do *work* as soon as what is in progress is stopped.

        *on_failed* gets the error, or None if somebody stopped the work.
        """
        with self._lock:
            self._number += 1
            number = self._number

            def ended() -> None:
                try:
                    with self._lock:
                        if number == self._number:
                            if self._job.cancelled:
                                on_failed(None)
                            elif self._job.exception is not None:
                                on_failed(self._job.exception)
                finally:
                    self._go_on()

            def done(result: Any) -> None:
                with self._lock:
                    if number == self._number:
                        on_done(result)

            def start() -> None:
                self._job.start(work, done, ended)

            if self._is_busy:
                self._next = start
                self._job.cancel()
                return
            self._is_busy = True
        start()

    def drop(self) -> None:
        """Stop what is in progress, and ignore its result."""
        with self._lock:
            self._number += 1
            self._next = None
            if self._is_busy:
                self._job.cancel()

    def _go_on(self) -> None:
        with self._lock:
            start, self._next = self._next, None
            if start is None:
                self._is_busy = False
                self._idle.notify_all()
                return
        start()

    def wait(self, until: float | None) -> bool:
        """Wait until nothing is in progress, or a time of the monotonic clock."""
        with self._lock:
            left = None if until is None else max(0.0, until - time.monotonic())
            return self._idle.wait_for(lambda: not self._is_busy, left)
