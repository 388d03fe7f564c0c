"""A call of an endpoint and its answer, as the documented APIs have them.

Between the wire and the receiver: which endpoint, who is allowed, which form of
answer. Still nothing of an HTTP server, so all of it is tested without one.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, NamedTuple, TypeVar

from toolkit.base import RequestError, StoreBusyError, ToolkitError, dumps
from toolkit.sources.live.receiver import Received, Receiver, field_of, said
from toolkit.sources.live.segment import CONTEXT
from toolkit.sources.live.wire import (
    MAX_DATA,
    MAX_MESSAGE,
    MAX_MESSAGES,
    Record,
    read_form,
    read_query,
    read_records,
)

#: The endpoints, in the order a person reads them.
MIXPANEL: Final = ("/engage", "/groups", "/track", "/import")
SEGMENT: Final = tuple(
    f"/v1/{name}"
    for name in ("identify", "group", "track", "page", "screen", "alias", "batch", "import")
)
#: The paths that Segment's and RudderStack's own clients in browsers use.
_SHORT: Final = {
    **{f"/v1/{name[4]}": name for name in SEGMENT if name != "/v1/import"},
    "/beacon/v1/batch": "/v1/batch",
}
_BATCHES: Final = ("/v1/batch", "/v1/import")
#: Parameters with a meaning, and those that need none: a project, a number against caches.
_PARAMETERS: Final = frozenset({"data", "verbose", "strict", "ip", "project_id", "_", "writeKey"})
#: What is next to a batch and needs no answer.
_ENVELOPE: Final = frozenset(
    {"batch", "context", "writeKey", "sentAt", "timestamp", "receivedAt", "integrations"}
)
_T = TypeVar("_T")
_FEW: Final = 100
_MAX_SHARED: Final = 10_000


class Call(NamedTuple):
    """One request, whole."""

    path: str
    query: str
    body: bytes
    content_type: str
    authorization: str
    ip: str


class Answer(NamedTuple):
    """What is answered: a status, a body, and its type."""

    status: int
    body: str
    is_json: bool
    #: How many records there were and were taken; for whoever watches.
    received: int = 0
    accepted: int = 0


def endpoint(path: str) -> str:
    """Return the endpoint a path names.

    Raises
    ------
    RequestError
        404 if there is none.

    Examples
    --------
    >>> endpoint("/engage/"), endpoint("/v1/i")
    ('/engage', '/v1/identify')
    """
    return _endpoint_of(path)[0]


def _endpoint_of(path: str) -> tuple[str, HttpDialect]:
    """Return the endpoint a path names, and the dialect that has it."""
    name = path.removesuffix("/")
    for dialect in DIALECTS.values():
        full = dialect.short.get(name, name)
        if full in dialect.endpoints:
            return full, dialect
    paths = ", ".join(endpoints())
    raise RequestError(404, f"there is nothing at this path; the endpoints are {paths}")


def endpoints() -> list[str]:
    """Return the endpoints of all dialects, in the order a person reads them."""
    return [name for dialect in DIALECTS.values() for name in dialect.endpoints]


@dataclass(frozen=True)
class HttpDialect:
    """How one product's clients send, and what they expect as an answer.

    Attributes
    ----------
    endpoints
        The paths, in the order a person reads them.
    read
        Returns what a call asks for, who sent it checked: what takes the messages, the call,
        its endpoint, and the token to know, None for none.
    answer
        Does it, and returns the answer.
    refuse
        Returns the JSON of a refusal: of which path, why, and the reason phrase.
    short
        Further paths, each with the endpoint it means.
    begins
        What paths begin with that are refused in this dialect, though no endpoint of it.
    """

    endpoints: tuple[str, ...]
    read: Callable[[Receiver, Call, str, str | None], Request]
    answer: Callable[[Receiver, Call, Request], Answer]
    refuse: Callable[[str, RequestError, str], dict[str, Any]]
    short: Mapping[str, str] = field(default_factory=dict)
    begins: tuple[str, ...] = ()


class Request(NamedTuple):
    """What a call asks for: its endpoint, and what it carries, read and allowed."""

    endpoint: str
    records: list[Record]
    parameters: dict[str, str]


def answer(
    receiver: Receiver, call: Call, token: str | None, request: Request | None = None
) -> Answer:
    """Do what a call asks for and return the answer; no error leaves this function.

    Parameters
    ----------
    receiver
        What takes the messages.
    call
        The request, whole.
    token
        What its sender must know; None if nothing.
    request
        What :func:`read` returned for it, if that was asked before.
    """

    def work() -> Answer:
        read = _read(receiver, call, token) if request is None else request
        return _endpoint_of(read.endpoint)[1].answer(receiver, call, read)

    return _without_errors(receiver, call, work)


def read(receiver: Receiver, call: Call, token: str | None) -> Request | Answer:
    """Return what a call asks for, or the answer that refuses it; nothing is written."""
    return _without_errors(receiver, call, lambda: _read(receiver, call, token))


def _without_errors(receiver: Receiver, call: Call, work: Callable[[], _T]) -> _T | Answer:
    try:
        return work()
    except RequestError as error:
        text, refused = str(error), error
    except ToolkitError as error:
        # The file is busy, full or gone: what was sent is not written, and may be sent again.
        text = str(error)
        refused = RequestError(503 if isinstance(error, StoreBusyError) else 500, text)
    except Exception as error:  # a fault of ours, or of a locator; the sender must learn of it
        text = f"not written: {type(error).__name__}: {error}"
        refused = RequestError(500, text)
    receiver.note_refusal(f"HTTP {call.path}", text)
    return refusal(call.path, refused)


def _reason(status: int) -> str:
    """Return the reason phrase of RFC 9110, whatever the phrases of this Python."""
    return "Content Too Large" if status == 413 else HTTPStatus(status).phrase


def refusal(path: str, error: RequestError) -> Answer:
    """Return the answer to a request that is refused as a whole, in the form of its API."""
    dialects = list(DIALECTS.values())
    # What begins as no dialect's paths do is refused as the first one does.
    dialect = next((each for each in dialects if path.startswith(each.begins)), dialects[0])
    content = dialect.refuse(path, error, _reason(error.status))
    return Answer(error.status, dumps(content), True)


def _read(receiver: Receiver, call: Call, token: str | None) -> Request:
    name, dialect = _endpoint_of(call.path)
    return dialect.read(receiver, call, name, token)


def read_parameters(
    receiver: Receiver, call: Call, name: str, *, has_data: bool
) -> tuple[str, dict[str, str]]:
    """Return the text of what was sent, and the parameters; note those without a meaning.

    *has_data* says whether the address may have the data in place of the body.
    """
    query = read_query(call.query)
    text, parameters = read_form(call.body, call.content_type, query if has_data else {})
    parameters = {**query, **parameters}
    receiver.add_notes(f"{name}?{each}" for each in parameters if each not in _PARAMETERS)
    return text, parameters


# Mixpanel's endpoints


def _read_mixpanel(receiver: Receiver, call: Call, name: str, token: str | None) -> Request:
    text, parameters = read_parameters(receiver, call, name, has_data=True)
    records = read_records(text)
    check_token(token, call.authorization, [_token(name, record) for record in records])
    return Request(name, records, parameters)


def _refuse_mixpanel(path: str, error: RequestError, reason: str) -> dict[str, Any]:
    if path.startswith("/import"):
        return {"code": error.status, "error": str(error), "status": reason}
    return {"status": 0, "error": str(error)}


def _mixpanel(receiver: Receiver, call: Call, request: Request) -> Answer:
    name, records, parameters = request
    asked = parameters.get("strict")
    strict = asked == "1"
    if name in ("/engage", "/groups"):
        ip = call.ip if parameters.get("ip") == "1" else None
        outcome = receiver.updates(records, source=f"HTTP {name}", groups=name == "/groups", ip=ip)
    else:
        outcome = receiver.events(records, source=f"HTTP {name}", strict=strict)
    if name == "/import" and (strict or (asked is None and "verbose" not in parameters)):
        return _imported(outcome, records)
    if strict:
        return _judged(outcome, records)
    return _plain(outcome, verbose=parameters.get("verbose", "0") not in ("0", ""))


def _plain(outcome: Received, *, verbose: bool) -> Answer:
    """``1`` if one message or more was taken, ``0`` if none was (documented)."""
    status = int(outcome.accepted > 0)
    content = dumps({"status": status, "error": outcome.refusal}) if verbose else str(status)
    return Answer(200, content, verbose, outcome.received, outcome.accepted)


def _judged(outcome: Received, records: Sequence[Record]) -> Answer:
    """The verbose answer with each fault."""
    content = {
        "status": int(outcome.accepted > 0),
        "error": outcome.refusal,
        "num_records_imported": outcome.accepted,
        "failed_records": _failed(outcome, records),
    }
    return Answer(200, dumps(content), True, outcome.received, outcome.accepted)


def _imported(outcome: Received, records: Sequence[Record]) -> Answer:
    """The answer of ``/import``."""
    status = 400 if outcome.faults or not outcome.received else 200
    content: dict[str, Any] = {
        "code": status,
        "num_records_imported": outcome.accepted,
        "status": _reason(status),
    }
    if status != 200:
        content["error"] = "some data points in the request failed validation"
        content["failed_records"] = _failed(outcome, records)
        if not outcome.received:
            content["error"] = outcome.refusal
    return Answer(status, dumps(content), True, outcome.received, outcome.accepted)


def _failed(outcome: Received, records: Sequence[Record]) -> list[dict[str, Any]]:
    return [
        {
            "index": fault.index,
            "insert_id": _insert_id(records[fault.index].value),
            "field": field_of(fault),
            "message": fault.reason,
        }
        for fault in outcome.faults
    ]


def _insert_id(record: Any) -> str | None:
    sent = record.get("properties") if isinstance(record, Mapping) else None
    own = sent.get("$insert_id") if isinstance(sent, Mapping) else None
    return own[:64] if isinstance(own, str) else None


# Segment's


def _read_segment(receiver: Receiver, call: Call, name: str, token: str | None) -> Request:
    text, parameters = read_parameters(receiver, call, name, has_data=False)
    records = read_records(text, MAX_DATA if name in _BATCHES else MAX_MESSAGE)
    if len(records) != 1 or not isinstance(records[0].value, dict):
        raise RequestError(400, "the body is one JSON object")
    content = records[0].value
    key = content.get("writeKey", parameters.get("writeKey"))
    check_token(token, call.authorization, [key])
    if name in _BATCHES:
        others = (each for each in content if each not in _ENVELOPE)
        receiver.add_notes(f"{each} next to batch" for each in others)
        records = _batch(content)
    return Request(name, records, parameters)


def _refuse_segment(path: str, error: RequestError, reason: str) -> dict[str, Any]:
    code = reason.lower().replace(" ", "_")
    return {"success": False, "code": code, "message": str(error)}


def _segment(receiver: Receiver, call: Call, request: Request) -> Answer:
    name = request.endpoint
    kind = None if name in _BATCHES else name.removeprefix("/v1/")
    outcome = receiver.segment(request.records, source=f"HTTP {name}", kind=kind)
    answered: dict[str, Any] = {"success": outcome.accepted > 0 or not outcome.received}
    if outcome.faults:
        answered["message"] = outcome.refusal
        answered["rejected"] = [
            {"index": fault.index, "message": said(fault)} for fault in outcome.faults[:_FEW]
        ]
    return Answer(200, dumps(answered), True, outcome.received, outcome.accepted)


def _batch(content: dict[str, Any]) -> list[Record]:
    messages = content.get("batch")
    if not isinstance(messages, list):
        raise RequestError(400, 'no list "batch" in the body')
    if len(messages) > MAX_MESSAGES:
        raise RequestError(413, f"more than {MAX_MESSAGES:,} messages in one batch")
    context = content.get("context")
    shared = {}
    if isinstance(context, dict):
        shared = {name: context[name] for name in CONTEXT if name in context}
    if _size(shared) > _MAX_SHARED:  # each message gets it
        raise RequestError(413, f"the context of the batch has more than {_MAX_SHARED:,} bytes")
    records = []
    for index, message in enumerate(messages):
        if shared and isinstance(message, dict):
            own = message.get("context")
            if own is None or isinstance(own, dict):
                message = {**message, "context": {**shared, **(own or {})}}
        size = _size(message)
        if size > MAX_MESSAGE:
            raise RequestError(
                413, f"message {index} has {size:,} bytes; {MAX_MESSAGE:,} are allowed"
            )
        records.append(Record(message, size))
    return records


def _size(message: Any) -> int:
    try:
        return len(dumps(message).encode())
    except (TypeError, ValueError, RecursionError):  # refused later, with a reason
        return 0


# Who may write


def _token(name: str, record: Record) -> object:
    message = record.value
    if not isinstance(message, dict):
        return None
    if name in ("/engage", "/groups"):
        return message.get("$token")
    properties = message.get("properties")
    return properties.get("token") if isinstance(properties, dict) else None


def check_token(token: str | None, authorization: str, tokens: Sequence[object]) -> None:
    """Refuse what does not know the token: as the user of basic auth, or in every message."""
    if token is None or _same(token, _user_of(authorization)):
        return
    if tokens and all(_same(token, each) for each in tokens):
        return
    raise RequestError(
        401,
        "the token is missing or wrong; it is the token the server was started with, "
        "as $token, token or writeKey in what is sent, or as the user of basic auth",
    )


def _same(token: str, value: object) -> bool:
    if not isinstance(value, str):
        return False
    return hmac.compare_digest(token.encode(), value.encode("utf-8", "surrogatepass"))


def _user_of(authorization: str) -> str | None:
    kind, _, packed = authorization.partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        return base64.b64decode(packed.strip(), validate=True).decode().partition(":")[0]
    except (binascii.Error, ValueError):
        return None


#: Each product whose clients may send. The first one's refusals are those of unknown paths.
DIALECTS: Final[dict[str, HttpDialect]] = {
    "mixpanel": HttpDialect(MIXPANEL, _read_mixpanel, _mixpanel, _refuse_mixpanel),
    "segment": HttpDialect(
        *(SEGMENT, _read_segment, _segment, _refuse_segment),
        short=_SHORT,
        begins=("/v1/", "/beacon/"),
    ),
}
