"""Serving in the foreground, until somebody stops it: what the command line does."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from datetime import datetime
from types import FrameType
from typing import Any

from toolkit.base import count
from toolkit.profiles import ProfileTable
from toolkit.sources.live.calls import Answer
from toolkit.sources.live.guard import is_loopback
from toolkit.sources.live.server import Server, serve


def serve_until_stopped(
    profiles: ProfileTable, say: Callable[[str], None], *, log: bool, **options: Any
) -> None:
    """Serve a table until Ctrl-C or a request to terminate; what has arrived is answered.

    Parameters
    ----------
    profiles
        The table.
    say
        Prints a line.
    log
        Whether to print a line for each request.
    options
        Passed on to :func:`toolkit.serve`.
    """
    stopped = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.set()

    before: dict[signal.Signals, Any] = {}
    try:
        with serve(profiles, **options) as server:
            if log:
                server.intake.on_answer = lambda *arguments: say(_line(*arguments))
            for each in (signal.SIGINT, signal.SIGTERM):
                before[each] = signal.signal(each, stop)
            say(f"Listening at {server.url} ({_who(server)}). Stop it with Ctrl-C.")
            if server.intake.guard.needs_token and options.get("token") is None:
                say(f"Clients need this token, generated for this run: {server.token}")
            # With a timeout, as else Windows would not notice Ctrl-C.
            while not stopped.wait(1.0):
                pass
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    if (noted := server.receiver.noted) is not None:
        say(noted)
    tally = server.tally
    say(
        f"Stopped: {count(tally.updates, 'update')}, {count(tally.events, 'event')}, "
        f"{tally.rejected:,} rejected."
    )


def _who(server: Server) -> str:
    if is_loopback(server.host):
        return "only this machine can reach it"
    return "OTHER MACHINES CAN REACH IT"


def _line(method: str, path: str, answer: Answer) -> str:
    time = datetime.now().strftime("%H:%M:%S")
    refusal = "refused" if answer.status >= 400 and not answer.received else ""
    if answer.received:
        refusal = f"{answer.accepted:,} of {answer.received:,} taken"
    return f"{time} {answer.status} {method} {path[:80]} {refusal}".rstrip()
