"""The HTTP side of the server: tornado's handler, which collects a body and answers."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from tornado.iostream import IOStream, StreamClosedError
from tornado.web import Application, HTTPError, RequestHandler, stream_request_body

from toolkit.base import RequestError
from toolkit.sources.live.calls import MIXPANEL, SEGMENT, Answer, Call, endpoint, refusal
from toolkit.sources.live.wire import MAX_BODY, Body, too_large

if TYPE_CHECKING:
    from toolkit.sources.live.server import Server

#: A body that is refused is read to its end, up to so many bytes, so that its sender
#: gets to read why; of a longer one the connection is closed.
_PATIENCE: Final = 256 * 1_048_576
#: Digits of a length; with more it is beyond all bounds, and Python may not read it.
_DIGITS: Final = 15
#: Names of headers that a page asks to send.
_NAMES: Final = re.compile(r"[A-Za-z0-9, -]{1,500}")
_WELCOME: Final = (
    "profile-toolkit is listening. Point an analytics client at this address.\n"
    f"Endpoints: {', '.join((*MIXPANEL, *SEGMENT))}\n"
)


@stream_request_body
class Endpoint(RequestHandler):
    """One request: checked as soon as its headers are there, answered when it is whole."""

    def initialize(self, server: Server) -> None:
        """Take what :func:`application` gives."""
        self._server = server
        self._body: Body | None = None
        self._refused: RequestError | None = None
        self._origin: str | None = None
        self._seen = self._counted = 0
        #: Whether the request is whole and the answer is worked out.
        self.is_waiting = False
        connection: Any = self.request.connection
        #: What it came through.
        self.stream: IOStream = connection.stream
        # Whatever it is, it has an end.
        self._timer: Any = asyncio.get_running_loop().call_later(server.timeout, self._too_slow)
        server.begun(self)

    def prepare(self) -> None:
        """Check what is known before the body."""
        headers = self.request.headers
        method = self.request.method
        try:
            is_silent = method == "GET" and not self._is_welcome() and self._server.token is None
            self._origin = self._server.guard.check(headers, is_silent=is_silent)
            if method == "OPTIONS" or self._is_welcome():
                return
            endpoint(self.request.path)
            if method not in ("GET", "POST"):
                raise RequestError(405, f"{method}; POST or GET is needed")
            if self._server.is_stopping:
                raise RequestError(503, "the server is being stopped")
            if _length(headers) > MAX_BODY:
                raise too_large()
            self._body = Body(headers.get("Content-Encoding", ""))
        except RequestError as error:
            self._refuse(error)
            # Who asks first need not send; who sends without end is not heard out.
            if "Expect" in headers or _length(headers) > _PATIENCE:
                self._finish_refused()

    def _is_welcome(self) -> bool:
        return self.request.path == "/" and self.request.method == "GET"

    def data_received(self, chunk: bytes) -> None:
        """Take a piece of the body."""
        self._seen += len(chunk)
        if self._body is None:
            if self._seen > _PATIENCE and not self._finished:
                if self._refused is None:
                    self._refuse(too_large())
                self._finish_refused()
            return
        try:
            self._body.feed(chunk)
            self._server.take_room(len(self._body) - self._counted)
            self._counted = len(self._body)
        except RequestError as error:
            self._refuse(error)

    def _refuse(self, error: RequestError) -> None:
        self._refused = error
        self._give_back()
        self._server.receiver.note_refusal(f"HTTP {self.request.path[:100]}", str(error))

    def _give_back(self) -> None:
        self._body = None
        self._server.take_room(-self._counted)
        self._counted = 0

    def _too_slow(self) -> None:
        if not self._finished:
            seconds = self._server.timeout
            self._refuse(RequestError(408, f"the request was not whole after {seconds:g} s"))
            self._finish_refused()

    def _finish_refused(self) -> None:
        assert self._refused is not None
        self._answer(refusal(self.request.path, self._refused))

    async def get(self) -> None:
        """Answer a request whose data is in its address."""
        await self._take()

    async def post(self) -> None:
        """Answer a request whose data is in its body."""
        await self._take()

    async def options(self) -> None:
        """Tell a browser whether a page may send."""
        if self._refused is not None:
            self._finish_refused()
            return
        if self._origin is not None:
            self.set_header("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
            # Each client has headers of its own: whatever the page asks for, if names.
            names = self.request.headers.get("Access-Control-Request-Headers", "")
            if not _NAMES.fullmatch(names):
                names = "Authorization, Content-Type"
            self.set_header("Access-Control-Allow-Headers", names)
            self.set_header("Access-Control-Allow-Private-Network", "true")
            self.set_header("Access-Control-Max-Age", "600")
        self._answer(Answer(204, "", False))

    async def _other(self) -> None:
        if self._refused is None:  # a path that is there for GET alone
            self._refuse(RequestError(405, f"{self.request.method}; POST or GET is needed"))
        self._finish_refused()

    head = put = delete = patch = _other

    async def _take(self) -> None:
        self._stop_timer()
        if self._finished:
            return
        if self._refused is None and self._is_welcome():
            self._answer(Answer(200, _WELCOME, False))
            return
        try:
            if self._refused is not None:
                raise self._refused
            if self._body is None:
                raise RequestError(405, f"{self.request.method}; POST or GET is needed")
            call = Call(
                self.request.path,
                self.request.query,
                self._body.whole(),
                self.request.headers.get("Content-Type", ""),
                self.request.headers.get("Authorization", ""),
                self.request.remote_ip or "",
            )
        except RequestError as error:
            if self._refused is None:
                self._refuse(error)
            self._finish_refused()
            return
        self.is_waiting = True
        self._answer(await self._server.answer(call))

    def _answer(self, answer: Answer) -> None:
        self._stop_timer()
        self.set_status(answer.status)
        if self._origin is not None:
            self.set_header("Access-Control-Allow-Origin", self._origin)
            self.set_header("Access-Control-Allow-Credentials", "true")
            self.set_header("Vary", "Origin")
        if answer.status == 401:
            self.set_header("WWW-Authenticate", 'Basic realm="profile-toolkit"')
        if answer.status in (429, 503):
            self.set_header("Retry-After", "1")
        if answer.status != 204:
            kind = "application/json" if answer.is_json else "text/plain; charset=utf-8"
            self.set_header("Content-Type", kind)
        with suppress(StreamClosedError):  # whoever asked is gone
            # Half a surrogate pair, quoted from what was sent, is no UTF-8; as an escape it is.
            content = answer.body.encode("utf-8", "backslashreplace")
            self.finish(content if answer.status != 204 else None)
        with suppress(OSError):  # nobody reads the log any more
            self._server.told(self.request.method or "", self.request.path, answer)

    def set_default_headers(self) -> None:
        """Say as little as possible, and that nothing is to be kept or guessed."""
        self.set_header("Server", "profile-toolkit")
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")

    def compute_etag(self) -> None:
        """Give no answer a tag: none is ever asked for again."""

    def write_error(self, status_code: int, **_: Any) -> None:
        """Answer what tornado itself refuses."""
        error = RequestError(status_code, self._reason)
        self._refuse(error)
        self._answer(refusal(self.request.path, error))

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Print what is a fault of ours; what a sender did wrong is answered and noted."""
        if not isinstance(value, HTTPError):
            super().log_exception(typ, value, tb)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def on_finish(self) -> None:
        """Forget the body."""
        self._close()

    def on_connection_close(self) -> None:
        """Forget a body that will never be whole."""
        super().on_connection_close()
        self._close()

    def _close(self) -> None:
        self._stop_timer()
        self._give_back()
        self._server.open_requests.discard(self)


def _length(headers: Any) -> int:
    """Return how long a body says it is; what is no number is refused by tornado."""
    length = headers.get("Content-Length", "0").strip()
    if not (length.isascii() and length.isdecimal()):
        return 0
    return int(length) if len(length) <= _DIGITS else 10**_DIGITS


def application(server: Server) -> Application:
    """Return tornado's application: every path goes to one handler, nothing is printed."""
    return Application(
        [(r".*", Endpoint, {"server": server})],
        log_function=lambda _: None,
        compress_response=False,
    )
