"""The HTTP side of the server: requests are checked, collected and answered."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, Final

from tornado.iostream import IOStream, StreamClosedError
from tornado.web import Application, HTTPError, RequestHandler, stream_request_body

from toolkit.base import RequestError
from toolkit.sources.live.calls import (
    Answer,
    Call,
    Request,
    answer,
    endpoint,
    endpoints,
    read,
    refusal,
)
from toolkit.sources.live.connections import Connections
from toolkit.sources.live.guard import Guard
from toolkit.sources.live.receiver import Receiver
from toolkit.sources.live.wire import MAX_BODY, Body, too_large

#: A body that is refused is read to its end, up to so many bytes, so that its sender
#: gets to read why; of a longer one the connection is closed.
_PATIENCE: Final = 256 * 1_048_576
#: Bytes of all bodies on their way; more are refused until some are done.
_ROOM: Final = 4 * 32 * 1_048_576
#: Bytes of a request's first line and headers: what fits into a GET.
_MAX_HEADER: Final = 262_144
#: Bytes of a body that is read in another thread than the one that writes.
_LARGE: Final = 65_536
#: Seconds in which what has arrived is still answered, once the server is being stopped.
GRACE: Final = 10.0
#: Digits of a length; with more it is beyond all bounds, and Python may not read it.
_DIGITS: Final = 15
#: Names of headers that a page asks to send.
_NAMES: Final = re.compile(r"[A-Za-z0-9, -]{1,500}")


class Intake:
    """What the requests to one server share: who may send, how much at once, who writes.

    Attributes
    ----------
    connections
        Where requests come in.
    receiver
        What takes the messages.
    guard, token
        Which requests may pass, and what their senders must know.
    timeout
        Seconds a request may take to arrive.
    open_requests
        What is in progress; used in the server's thread alone.
    on_answer
        Called with method, path and answer of each request, in the server's thread.
    """

    def __init__(
        self, receiver: Receiver, *, guard: Guard, token: str | None, timeout: float
    ) -> None:
        self.receiver, self.guard, self.token, self.timeout = receiver, guard, token, timeout
        self.is_stopping = False
        self.open_requests: set[Endpoint] = set()
        self.on_answer: Callable[[str, str, Answer], None] | None = None
        self._room = _ROOM
        # One thread writes: requests are applied one after the other, and while one
        # waits for the table the others can still arrive.
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="profile-toolkit writer")
        # Another reads what is large, so that what is small need not wait for it.
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="profile-toolkit reader")
        # Every path goes to one handler, nothing is printed.
        application = Application(
            [(r".*", Endpoint, {"intake": self})],
            log_function=lambda _: None,
            compress_response=False,
        )
        self.connections = Connections(
            application,
            is_busy=lambda stream: any(each.stream is stream for each in self.open_requests),
            on_refusal=partial(receiver.note_refusal, "HTTP"),
            # The handler has bounds of its own, and answers in words.
            max_body_size=2**60,
            max_header_size=_MAX_HEADER,
            timeout=timeout,
        )

    def take_room(self, size: int) -> None:
        """Take room for a body, or give it back with a negative *size*."""
        if size > max(self._room, 0):
            raise RequestError(429, "too much is being sent at once; send it again in a moment")
        self._room -= size

    async def answer(self, call: Call) -> Answer:
        """Do what a request asks for, in the thread that writes."""
        loop = asyncio.get_running_loop()
        request: Request | None = None
        if len(call.body) > _LARGE:
            reading = partial(read, self.receiver, call, self.token)
            outcome = await loop.run_in_executor(self._reader, reading)
            if isinstance(outcome, Answer):
                return outcome
            request = outcome
        work = partial(answer, self.receiver, call, self.token, request)
        return await loop.run_in_executor(self._writer, work)

    async def stop(self) -> None:
        """Take no more requests; those that have arrived are answered first."""
        self.is_stopping = True
        self.connections.stop()
        for _ in range(int(GRACE / 0.01)):
            # A body that is still on its way is not waited for.
            if not any(request.is_waiting for request in self.open_requests):
                break
            await asyncio.sleep(0.01)
        await self.connections.close_all_connections()

    def end_threads(self) -> None:
        """Wait for the threads that read and write, and end them."""
        self._reader.shutdown(wait=True)
        self._writer.shutdown(wait=True)


@stream_request_body
class Endpoint(RequestHandler):
    """One request: checked as soon as its headers are there, answered when it is whole."""

    def initialize(self, intake: Intake) -> None:
        """Begin with what all requests share."""
        self._intake = intake
        self._body: Body | None = None
        self._refused: RequestError | None = None
        self._origin: str | None = None
        self._seen = self._counted = 0
        #: Whether the request is whole and the answer is ready.
        self.is_waiting = False
        connection: Any = self.request.connection
        #: What it came through.
        self.stream: IOStream = connection.stream
        # Whatever it is, it has an end.
        self._timer: Any = asyncio.get_running_loop().call_later(intake.timeout, self._too_slow)
        intake.open_requests.add(self)
        intake.connections.touch(self.stream)

    def prepare(self) -> None:
        """Check what is known before the body."""
        headers = self.request.headers
        method = self.request.method
        try:
            is_silent = method == "GET" and not self._is_welcome() and self._intake.token is None
            self._origin = self._intake.guard.check(headers, is_silent=is_silent)
            if method == "OPTIONS" or self._is_welcome():
                return
            endpoint(self.request.path)
            if method not in ("GET", "POST"):
                raise RequestError(405, f"{method}; POST or GET is needed")
            if self._intake.is_stopping:
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
            self._intake.take_room(len(self._body) - self._counted)
            self._counted = len(self._body)
        except RequestError as error:
            self._refuse(error)

    def _refuse(self, error: RequestError) -> None:
        self._refused = error
        self._give_back()
        self._intake.receiver.note_refusal(f"HTTP {self.request.path[:100]}", str(error))

    def _give_back(self) -> None:
        self._body = None
        self._intake.take_room(-self._counted)
        self._counted = 0

    def _too_slow(self) -> None:
        if not self._finished:
            seconds = self._intake.timeout
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
            self._answer(Answer(200, _welcome(), False))
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
        self._answer(await self._intake.answer(call))

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
            # Half a surrogate pair, quoted from what was sent, is not UTF-8, but its escape is.
            content = answer.body.encode("utf-8", "backslashreplace")
            self.finish(content if answer.status != 204 else None)
        with suppress(OSError):  # nobody reads the log any more
            if self._intake.on_answer is not None:
                self._intake.on_answer(self.request.method or "", self.request.path, answer)

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
        self._intake.open_requests.discard(self)


def _welcome() -> str:
    return (
        "profile-toolkit is listening. Point an analytics client at this address.\n"
        f"Endpoints: {', '.join(endpoints())}\n"
    )


def _length(headers: Any) -> int:
    """Return how long a body says it is; what is not a number is refused by tornado."""
    length = headers.get("Content-Length", "0").strip()
    if not (length.isascii() and length.isdecimal()):
        return 0
    return int(length) if len(length) <= _DIGITS else 10**_DIGITS
