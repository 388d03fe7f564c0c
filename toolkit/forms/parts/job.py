"""Long work in the background: in a thread, with progress, and stopped on request."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic
from typing import Final, TypeVar

from traitlets import Bool, Float, HasTraits, Instance, Unicode

from toolkit.base import Progress, ToolkitError, WorkCancelled
from toolkit.forms.parts.failure import Failure

T = TypeVar("T")

# Seconds between two notices, so that the page is not flooded.
_PACE: Final = 0.1
# From so many seconds on a rate says something.
_RATE_FROM: Final = 0.5


class Job(HasTraits):
    """One piece of work at a time, done in a thread.

    Attributes
    ----------
    running
        Whether the work goes on.
    stage
        What is being done.
    fraction
        How much of the stage is done, from 0 to 1; -1 where that is not known.
    detail
        Counts, rate and time left, in words.
    error
        Why the last work was refused, in words; empty if it was not.
    cancelled
        Whether the last work was stopped.
    failure
        What failed unexpectedly, in the work or in what was done with its result; the form
        shows it, and ``error`` does not say it again. None if nothing did.
    """

    running = Bool(False)
    stage = Unicode("")
    fraction = Float(-1.0)
    detail = Unicode("")
    error = Unicode("")
    cancelled = Bool(False)
    failure = Instance(Failure, allow_none=True)

    def __init__(self, unit: str = "row") -> None:
        super().__init__()
        self._unit = unit
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._stage_began = self._reported_at = 0.0
        #: What made the last work fail; None if nothing did.
        self.exception: BaseException | None = None

    def start(
        self,
        work: Callable[[Progress], T],
        on_done: Callable[[T], None] | None = None,
        on_end: Callable[[], None] | None = None,
    ) -> None:
        """Begin *work* in a thread and return at once.

        Parameters
        ----------
        work
            Called with a :class:`~toolkit.base.progress.Progress`, which stops it when
            :meth:`cancel` was called.
        on_done
            Called in the thread with what *work* returned, if it was not stopped and
            did not fail.
        on_end
            Called in the thread at the end, whatever came of it.

        Raises
        ------
        RuntimeError
            If work is in progress.
        """
        if self.running:
            raise RuntimeError("this job is in progress; wait for it, or cancel it first")
        self._stop.clear()
        self.exception = self.failure = None
        self.error, self.cancelled, self.detail, self.stage, self.fraction = "", False, "", "", -1.0
        self._reported_at = 0.0
        self.running = True
        self._thread = threading.Thread(
            target=self._run, args=(work, on_done, on_end), daemon=True, name="profile-toolkit job"
        )
        self._thread.start()

    def _run(
        self,
        work: Callable[[Progress], T],
        on_done: Callable[[T], None] | None,
        on_end: Callable[[], None] | None,
    ) -> None:
        results: list[T] = []
        self._do(lambda: results.append(work(self._notice)))
        self._do(lambda: self.set_trait("running", False))
        if on_done is not None and results:
            self._do(lambda: on_done(results[0]), is_work=False)
        if on_end is not None:
            self._do(on_end, is_work=False)

    def _do(self, step: Callable[[], object], *, is_work: bool = True) -> None:
        """Do a step of the thread. Nobody is above it: whatever fails is shown, never lost."""
        try:
            step()
        except WorkCancelled:
            self.cancelled = True
        except BaseException as error:
            self.exception = error
            if is_work and isinstance(error, ToolkitError):  # why, is for the form to show with it
                self.error = str(error)
            else:
                self.failure = Failure.of(error, self.stage or "Work in the background")

    def _notice(self, stage: str, done: int, total: int, /) -> None:
        if self._stop.is_set():
            raise WorkCancelled(f"stopped while {stage.lower()}")
        now = monotonic()
        if stage != self.stage:
            self._stage_began = now
        elif now - self._reported_at < _PACE and done != total:
            return
        self._reported_at = now
        self.stage = stage
        self.fraction = min(done / total, 1.0) if total else -1.0
        self.detail = described(done, total, now - self._stage_began, self._unit)

    def cancel(self) -> None:
        """Ask the work to stop; it does so when it next reports its progress."""
        self._stop.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the work to end; return whether it has."""
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout)
            return not self._thread.is_alive()
        return not self.running


def described(done: int, total: int, seconds: float, unit: str) -> str:
    """Return how far work is: counts, rate and time left, in words.

    >>> described(250_000, 1_000_000, 2.0, "row")
    '250,000 of 1,000,000 rows · 125,000 rows/s · 6 s left'
    >>> described(0, 0, 0.0, "row")
    ''
    """
    if not total:
        return f"{done:,} {unit}s" if done else ""
    parts = [f"{done:,} of {total:,} {unit}s"]
    if seconds >= _RATE_FROM and done:
        rate = done / seconds
        parts.append(f"{rate:,.0f} {unit}s/s")
        if done < total:
            parts.append(f"{duration((total - done) / rate)} left")
    return " · ".join(parts)


def duration(seconds: float) -> str:
    """Return a duration in words.

    >>> duration(0.4), duration(75), duration(7_300)
    ('1 s', '1 min 15 s', '2 h 1 min')
    """
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
