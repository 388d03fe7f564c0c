"""The connections of the server: how many there may be, and which goes for a new one.

Tornado's own server takes connections without end, until the process has no file left, and
closes one whose headers come too slowly without a word.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.iostream import IOStream

#: Connections at once. Of more, those that wait go first.
MOST: Final = 256
#: Connections that are taken before what has arrived is looked at.
_AT_ONCE: Final = 64
#: Seconds until the next try, where the process or the system has no file left.
_PAUSE: Final = 0.5
_FULL: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n"
    b"Connection: close\r\n\r\n"
)

_TOO_SLOW: Final = (
    "HTTP/1.1 408 Request Timeout\r\nContent-Type: text/plain; charset=utf-8\r\n"
    "Content-Length: {}\r\nConnection: close\r\n\r\n{}"
)


class _Stream(IOStream):
    """A connection whose headers have some time to arrive; what is too slow gets an error."""

    def __init__(
        self, connection: socket.socket, timeout: float, on_refusal: Callable[[str], None]
    ) -> None:
        super().__init__(connection)
        self._timeout, self._on_refusal = timeout, on_refusal
        self._arrived = 0

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        """Count what arrives."""
        size = super().read_from_fd(buf)
        self._arrived += size or 0
        return size

    def read_until_regex(self, regex: bytes, max_bytes: int | None = None) -> Awaitable[bytes]:
        """Read the first line and the headers of a request: tornado reads nothing else so."""
        self._arrived = 0
        timer = IOLoop.current().call_later(self._timeout, self._too_slow)
        # When the connection is closed, this is done, too.
        reading: Any = super().read_until_regex(regex, max_bytes)
        reading.add_done_callback(lambda _: IOLoop.current().remove_timeout(timer))
        return reading  # type: ignore[no-any-return]

    def _too_slow(self) -> None:
        if self._arrived and not self.closed():  # else nobody has asked for anything
            reason = f"the headers were not whole after {self._timeout:g} s"
            self._on_refusal(reason)
            with suppress(OSError):
                self.socket.send(_TOO_SLOW.format(len(reason), reason).encode())
        self.close()


def most_connections() -> int:
    """Return how many connections there may be: never most of the files of the process."""
    try:
        import resource
    except ImportError:  # there are systems without
        return MOST
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if soft == resource.RLIM_INFINITY else max(8, min(MOST, soft // 4))


class Connections(HTTPServer):
    """Tornado's server with a bound on its connections.

    One more than there may be takes the place of the one that has been without a request
    for longest. If all have one, it is refused.
    """

    def initialize(  # type: ignore[override]
        self,
        request_callback: Any,
        *,
        is_busy: Callable[[IOStream], bool],
        on_refusal: Callable[[str], None],
        timeout: float,
        **options: Any,
    ) -> None:
        """Take what tornado takes, and who knows which connections have a request."""
        super().initialize(request_callback, **options)
        self._timeout = timeout
        self._is_busy, self._on_refusal = is_busy, on_refusal
        self._most = most_connections()
        #: Those without a request for longest come first.
        self._open: dict[IOStream, None] = {}
        self._listening: socket.socket | None = None
        self._is_watched = False

    def listen_at(self, listening: socket.socket) -> None:
        """Take the connections of a socket that listens; call it inside the loop."""
        self._listening = listening
        self._watch()

    def _watch(self) -> None:
        if self._listening is not None:
            IOLoop.current().add_handler(self._listening, self._accept, IOLoop.READ)
            self._is_watched = True

    def _unwatch(self) -> None:
        if self._listening is not None and self._is_watched:
            IOLoop.current().remove_handler(self._listening)
            self._is_watched = False

    def stop(self) -> None:
        """Take no more connections."""
        self._unwatch()
        if self._listening is not None:
            self._listening.close()
            self._listening = None

    def _accept(self, listening: Any, _: int) -> None:
        for _ in range(_AT_ONCE):
            try:
                connection, address = listening.accept()
            except BlockingIOError:
                return
            except ConnectionError:  # whoever it was is gone again
                continue
            except OSError:  # no file is left; the connection waits, and so do we
                self._unwatch()
                IOLoop.current().call_later(_PAUSE, self._watch)
                return
            if len(self._open) < self._most or self._make_room():
                stream = _Stream(connection, self._timeout, self._on_refusal)
                self._open[stream] = None
                self.handle_stream(stream, address)
            else:
                self._on_refusal(f"{self._most:,} connections are open, and all have a request")
                with connection, suppress(OSError):
                    connection.setblocking(False)
                    connection.send(_FULL)

    def _make_room(self) -> bool:
        idle = next((each for each in self._open if not self._is_busy(each)), None)
        if idle is None:
            return False
        del self._open[idle]
        idle.close()
        return True

    def touch(self, stream: IOStream) -> None:
        """Note that a connection has a request now: it goes last."""
        if stream in self._open:
            del self._open[stream]
            self._open[stream] = None

    def on_close(self, server_conn: Any) -> None:
        """Forget a connection."""
        self._open.pop(server_conn.stream, None)
        super().on_close(server_conn)
