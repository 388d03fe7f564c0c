"""A local server for unmodified analytics clients: what they send lands in the table."""

from __future__ import annotations

import asyncio
import atexit
import errno
import os
import secrets
import socket
import threading
import weakref
from collections.abc import Iterable
from threading import TIMEOUT_MAX
from typing import Final, Self

import pandas as pd

from toolkit.base import (
    ArgumentError,
    ServeError,
    argument,
    completed_by_dir,
    completions,
    count,
    either,
    html,
    is_text,
    quoted,
)
from toolkit.events import Events
from toolkit.profiles import ProfileTable
from toolkit.sources.live.guard import Guard, is_loopback
from toolkit.sources.live.handlers import GRACE, Intake
from toolkit.sources.live.receiver import ArrivalCounts, Receiver
from toolkit.sources.live.segment import GROUP_KEY
from toolkit.updates import Locator

#: Seconds the headers of a request may take to arrive, and its body.
TIMEOUT: Final = 30.0
_BACKLOG: Final = 128
# For its handlers and views.
_INTERNAL: Final = frozenset({"intake", "receiver"})

_running: weakref.WeakSet[Server] = weakref.WeakSet()


@completed_by_dir
class Server:
    """A server that is running; made by :func:`serve`, a context manager.

    Attributes
    ----------
    url
        Where clients are pointed, without a slash at the end.
    host, port
        Where it listens.
    profiles
        The table that is written to.
    receiver
        What took the messages: what a live view looks at.
    token
        What clients must know; None if any token is taken.
    """

    def __init__(
        self,
        receiver: Receiver,
        *,
        host: str,
        port: int,
        token: str | None,
        guard: Guard,
        timeout: float,
    ) -> None:
        self.receiver = receiver
        self.profiles = receiver.profiles
        self.host = host
        self.token = token
        self._stopping = threading.Lock()
        listening = _bound(host, port)
        self.port: int = listening.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        #: What the requests share.
        self.intake = Intake(receiver, guard=guard, token=token, timeout=timeout)
        ready = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(listening, ready), daemon=True, name="profile-toolkit server"
        )
        self._thread.start()
        ready.wait()
        _running.add(self)
        atexit.register(self.stop)

    def _run(self, listening: socket.socket, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        # Inside the loop: tornado takes the one that runs.
        self._loop.call_soon(self.intake.connections.listen_at, listening)
        self._loop.call_soon(ready.set)
        self._loop.run_forever()
        self._loop.close()

    @property
    def url(self) -> str:
        """Where clients are pointed, such as ``http://127.0.0.1:8123``."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def is_running(self) -> bool:
        """Whether it still listens."""
        return self._thread.is_alive()

    @property
    def events(self) -> Events:
        """The events that ``/track``, ``/import`` and Segment brought so far.

        They are in memory: at most a million, of 256 MiB of JSON together; older ones
        go first. Made once until more arrive.
        """
        return self.receiver.arrived

    @property
    def log(self) -> pd.DataFrame:
        """The last 500 messages, oldest first.

        Columns ``number``, ``time`` (``datetime64[us, UTC]``), ``source``,
        ``distinct_id``, ``what``, and ``reason``, empty where all was taken.
        """
        return self.receiver.log()

    @property
    def notes(self) -> dict[str, int]:
        """What was taken, but not used, or not as it was sent: how often each (HTTP-5).

        Such as ``{"context.traits of track": 3}``: only ``identify`` writes traits.
        """
        return self.receiver.notes

    @property
    def tally(self) -> ArrivalCounts:
        """How much arrived so far: ``updates``, ``events``, ``rejected``."""
        return self.receiver.tally

    def stop(self) -> None:
        """Stop listening; what has arrived is still answered. A second call does nothing."""
        atexit.unregister(self.stop)
        _running.discard(self)
        with self._stopping:
            if not self._thread.is_alive():
                return
            done = asyncio.run_coroutine_threadsafe(self.intake.stop(), self._loop)
            try:
                done.result(2 * GRACE)
            finally:
                self.intake.end_threads()
                self._loop.call_soon_threadsafe(self._loop.stop)
                self._thread.join(GRACE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def _state(self) -> str:
        tally = self.tally
        parts = [count(tally.updates, "update"), count(tally.events, "event")]
        parts += [f"{tally.rejected:,} rejected"] if tally.rejected else []
        parts += (
            [f"the oldest {gone:,} events gone"] if (gone := self.receiver.kept.dropped) else []
        )
        return ", ".join(parts)

    def __dir__(self) -> list[str]:
        return completions(self, _INTERNAL)

    def __repr__(self) -> str:
        where = f"listening at {self.url}" if self.is_running else "stopped"
        return f"<Server: {where}; {self._state()}>"

    def _repr_html_(self) -> str:
        place = f"Listening at {self.url}" if self.is_running else "Stopped"
        facts = {
            "Profiles": len(self.profiles),
            "Updates": self.tally.updates,
            "Events": self.tally.events,
            "Rejected": self.tally.rejected,
        }
        notes = []
        if not is_loopback(self.host):
            notes.append("Other machines can reach it.")
        if self.token is None:
            notes.append("Any token is taken.")
        elif self.intake.guard.needs_token:
            notes.append(f"Clients need the token {self.token}")
        if (noted := self.receiver.noted) is not None:
            notes.append(noted)
        notes.append("tk.LiveView(server) shows what arrives.")
        return html.card("Server", html.paragraph(place), html.facts(facts), html.notes(notes))


def _bound(host: str, port: int) -> socket.socket:
    """Return a socket that listens."""
    opened: socket.socket | None = None
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = addresses[0]
        opened = socket.socket(family, kind, protocol)
        if os.name == "posix":  # elsewhere it would let two programs have one port
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
        opened.listen(_BACKLOG)
        opened.setblocking(False)
        return opened
    except OSError as error:
        if opened is not None:
            opened.close()
        free = argument("port", 0)
        if error.errno == errno.EADDRINUSE:
            ours = any(server.port == port for server in _running)
            by = "a server of this kernel: call its stop() first" if ours else "another program"
            text = f"port {port} is in use by {by}. Or give another port; {free} takes a free one"
        elif error.errno in (errno.EACCES, errno.EPERM):
            text = f"port {port} may not be used; give one from 1024 on, or {free} for a free one"
        else:
            text = f"nothing can listen at {host!r}, port {port}: {error.strerror or error}"
        raise ServeError(text) from error


def serve(
    profiles: ProfileTable,
    port: int = 0,
    token: str | None = None,
    *,
    host: str = "127.0.0.1",
    origins: Iterable[str] = (),
    hosts: Iterable[str] = (),
    group_key: str = GROUP_KEY,
    geo: Locator | None = None,
    timeout: float = TIMEOUT,
) -> Server:
    """Start a server that analytics clients can be pointed at, and return it at once.

    It speaks the documented HTTP API of Mixpanel (``/engage``, ``/groups``, ``/track``,
    ``/import``) and that of Segment (``/v1/identify``, ``/v1/batch`` …). Updates go to the
    table; once a request is answered they are as permanent as the table is. Events are
    in ``server.events``. Only this machine can reach it, unless *host* says otherwise.

    Parameters
    ----------
    profiles
        The table that is written to. It may be used meanwhile.
    port
        Where to listen; 0 takes a free port.
    token
        The project token that clients must know (Segment's write key). None takes any,
        if clients reach the server by loopback addresses alone; otherwise one is generated, and
        is in ``server.token`` (HTTP-4).
    host
        The address to listen at. ``"0.0.0.0"`` lets other machines in.
    origins
        Origins of web pages that may send, such as ``"http://localhost:3000"``.
    hosts
        Further names that clients call this machine by, such as ``"host.docker.internal"``.
    group_key
        The group key of the profiles that Segment's ``group`` updates.
    geo
        A :class:`toolkit.GeoDatabase`: locations are set from the messages' addresses, or with
        ``ip=1`` from that of the sender (GEO-1).
    timeout
        Seconds the headers of a request may take to arrive, and its body. A connection on
        which nothing comes for so long is closed.

    Raises
    ------
    ServeError
        If the port is in use, or nothing can listen there.
    ArgumentError
        If an argument is not allowed.

    Examples
    --------
    >>> from urllib.request import urlopen
    >>> profiles = ProfileTable()
    >>> with serve(profiles) as server:
    ...     sent = '{"$distinct_id":"7","$set":{"plan":"pro"}}'.replace('"', "%22")
    ...     urlopen(f"{server.url}/engage?data={sent}").read()
    b'1'
    >>> profiles["7"]
    {'plan': 'pro'}
    """
    if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port < 65_536:
        raise ArgumentError(f"{argument('port', port)}; a number from 0 to 65535 is needed")
    if token is not None and (not isinstance(token, str) or not token):
        raise ArgumentError(
            f"{argument('token', token)}; {either('text or None', 'a text')} is needed"
        )
    if not is_text(host) or not host:
        raise ArgumentError(f"{argument('host', host)}; an address such as '127.0.0.1' is needed")
    is_number = isinstance(timeout, int | float) and not isinstance(timeout, bool)
    if not is_number or not 0 < timeout <= TIMEOUT_MAX:
        raise ArgumentError(f"timeout={quoted(timeout):.40}; seconds, more than 0, are needed")
    receiver = Receiver(profiles, geo=geo, group_key=group_key)
    if profiles.moment is not None:
        raise ArgumentError(
            f"these are the profiles {profiles.moment}; the past cannot be changed. "
            "Serve the table itself."
        )
    profiles.check_writable()
    guard = Guard(host, origins, hosts)
    if token is None and guard.needs_token:
        token = secrets.token_urlsafe(12)
    return Server(receiver, host=host, port=port, token=token, guard=guard, timeout=timeout)
