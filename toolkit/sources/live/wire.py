"""What a request carries: its body, bounded, and the records in it.

Nothing here knows of HTTP servers. A body is collected piece by piece
(:class:`Body`) and read once it is whole (:func:`read_records`). All that cannot
be read is a :class:`~toolkit.errors.RequestError`, with the status to answer.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl

from toolkit.base import MAX_DIGITS, RequestError
from toolkit.sources.files.strict_json import DECODER

#: Messages of one request, and bytes of one message (documented).
MAX_MESSAGES: Final = 2_000
MAX_MESSAGE: Final = 1_048_576
#: Bytes of all messages of one request, as JSON (documented).
MAX_DATA: Final = 10 * 1_048_576
#: Lists, objects, and what is in them, of one request. Each costs time, however short it is.
MAX_VALUES: Final = 500_000
#: Bytes of a body. Written for a form, each byte of JSON may take three.
MAX_BODY: Final = 32 * 1_048_576
_MAX_FIELDS: Final = 100
#: Gzip files that follow each other in one body; each costs time, an empty one too.
_MAX_MEMBERS: Final = 1_000

_SPACE: Final = re.compile(r"[ \t\r\n]*")
#: Text in JSON, up to its end or that of the whole.
_TEXT: Final = re.compile(r'"(?:[^"\\]+|\\.)*+"?', re.DOTALL)
_GZIP: Final = zlib.MAX_WBITS | 16
_FORM: Final = "application/x-www-form-urlencoded"


class Body:
    """The body of a request, collected piece by piece and unpacked on the way.

    Parameters
    ----------
    encoding
        The ``Content-Encoding``: none, ``gzip`` or ``identity``.

    Raises
    ------
    RequestError
        415 for another encoding.

    Examples
    --------
    >>> body = Body("")
    >>> body.feed(b'{"a":'); body.feed(b"1}")
    >>> body.whole()
    b'{"a":1}'
    """

    def __init__(self, encoding: str) -> None:
        encoding = encoding.strip().lower()
        if encoding not in ("", "identity", "gzip", "x-gzip"):
            raise RequestError(415, f'Content-Encoding "{encoding}"; gzip or none is allowed')
        self._is_packed = encoding in ("gzip", "x-gzip")
        self._unpacker: Any = None
        self._fed = self._members = 0
        self._content = bytearray()

    def __len__(self) -> int:
        return len(self._content)

    def feed(self, piece: bytes) -> None:
        """Add a piece.

        Raises
        ------
        RequestError
            413 as soon as the body is too large, unpacked; 400 where it is not gzip.
        """
        self._fed += len(piece)
        if self._fed > MAX_BODY:
            raise too_large()
        if not self._is_packed:
            self._add(piece)
            return
        while piece:
            if self._unpacker is None:
                self._unpacker = zlib.decompressobj(_GZIP)
                self._members += 1
                if self._members > _MAX_MEMBERS:
                    raise RequestError(413, f"the body is more than {_MAX_MEMBERS:,} gzip files")
            try:
                # One byte more than there is room for: a bomb is never unpacked further.
                room = MAX_BODY - len(self._content) + 1
                self._add(self._unpacker.decompress(piece, room))
            except zlib.error as error:
                raise RequestError(400, f"the body is not gzip: {error}") from None
            if self._unpacker.eof:  # gzip files may follow each other
                piece, self._unpacker = self._unpacker.unused_data, None
            else:
                piece = self._unpacker.unconsumed_tail

    def _add(self, piece: bytes) -> None:
        if len(self._content) + len(piece) > MAX_BODY:
            raise too_large()
        self._content += piece

    def whole(self) -> bytes:
        """Return the body, unpacked.

        Raises
        ------
        RequestError
            400 if the gzip ends too early.
        """
        if self._unpacker is not None:
            raise RequestError(400, "the gzip body ends too early")
        return bytes(self._content)


def too_large() -> RequestError:
    """Return the refusal of a body that is too large."""
    return RequestError(
        413,
        f"the body has more than {MAX_BODY:,} bytes (unpacked). Send fewer messages at a time: "
        f"at most {MAX_MESSAGES:,}, of {MAX_DATA:,} bytes together",
    )


class Record(NamedTuple):
    """One record of a request, and how many bytes of JSON it took."""

    value: Any
    size: int


def read_query(query: str) -> dict[str, str]:
    """Return the parameters of a query; of one given several times the last counts.

    Raises
    ------
    RequestError
        400 if it is not UTF-8 or has too many parameters.
    """
    try:
        pairs = parse_qsl(
            query, keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS
        )
    except UnicodeDecodeError:
        raise RequestError(400, "the query is not UTF-8") from None
    except ValueError:
        raise RequestError(400, f"more than {_MAX_FIELDS} parameters") from None
    return dict(pairs)


def read_form(
    body: bytes, content_type: str, query: Mapping[str, str]
) -> tuple[str, dict[str, str]]:
    """Return the JSON text a request carries, and its parameters.

    The text is the body, or ``data`` of the form in the body, or ``data`` of the query;
    ``data`` may be base64 (url-safe too).

    Raises
    ------
    RequestError
        400 if there is none or it is not UTF-8, 413 if it is too long, 415 for multipart.
    """
    if content_type.lower().startswith("multipart/"):
        raise RequestError(
            415, "multipart forms are not read; send JSON, or the form field data (url-encoded)"
        )
    text = _utf8(body, "the body").strip().removeprefix("\ufeff")
    parameters = dict(query)
    # Many senders of JSON say nothing of its type, or call it a form.
    is_form = content_type.lower().startswith(_FORM) or text.startswith("data=")
    if text and is_form and not text.startswith(("{", "[", '"')):
        # A bare base64 holds "+", which a form reads as a space.
        parameters.update(read_query(text))
        text = ""
    if not text:
        if "data" not in parameters:
            raise RequestError(400, "data, missing or empty")
        text = _field_text(parameters["data"])
    parameters.pop("data", None)
    if len(text) > MAX_DATA or (not text.isascii() and len(text.encode()) > MAX_DATA):
        raise RequestError(
            413, f"the messages take more than {MAX_DATA:,} bytes of JSON; send fewer at a time"
        )
    return text, parameters


def _utf8(content: bytes, what: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RequestError(400, f"{what} is not UTF-8 at byte {error.start + 1:,}") from None


def _field_text(data: str) -> str:
    """Return the JSON of a form field, which may be base64."""
    text = data.strip()
    if not text:
        raise RequestError(400, "data, missing or empty")
    if text[0] in '{["':
        return text
    packed = re.sub(r"\s", "+", text).replace("-", "+").replace("_", "/").rstrip("=")
    try:
        unpacked = base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True)
    except binascii.Error:
        raise RequestError(400, "data is neither JSON nor base64") from None
    return _utf8(unpacked, "data").strip()


def read_records(text: str, most: int = MAX_MESSAGE) -> list[Record]:
    """Return the records of JSON text: an object, an array, or one value a line.

    Parameters
    ----------
    text
        The JSON.
    most
        Bytes that one record may have.

    Raises
    ------
    RequestError
        400 where it is not JSON, 413 past :data:`MAX_MESSAGES`, *most* or :data:`MAX_VALUES`.

    Examples
    --------
    >>> [record.value for record in read_records('[{"a": 1}, {"a": 2}]')]
    [{'a': 1}, {'a': 2}]
    >>> len(read_records('{"a": 1}\\n{"a": 2}\\n'))
    2
    """
    if text.startswith('"'):
        # A documented sample sends its JSON as the text of a JSON string.
        inner, end = _value(text, 0)
        if not isinstance(inner, str) or end != len(text):
            raise RequestError(400, "the body is not a JSON object or array")
        text = inner.strip()
        if text.startswith('"'):
            raise RequestError(400, "the body is not a JSON object or array")
    _check_values(text)
    reader = _elements(text) if text.startswith("[") else _lines(text)
    records: list[Record] = []
    for value, start, end in reader:
        if len(records) == MAX_MESSAGES:
            raise RequestError(
                413,
                f"more than {MAX_MESSAGES:,} messages in one request; send them in parts",
            )
        size = end - start if text.isascii() else len(text[start:end].encode())
        if size > most:
            raise RequestError(
                413, f"message {len(records)} has {size:,} bytes; {most:,} are allowed"
            )
        records.append(Record(value, size))
    return records


def _check_values(text: str) -> None:
    """Refuse too many values before any is read: a list costs 100 times what its bytes do."""
    marks = _marks(text)
    # Some are in texts. Of so many that it takes long to see which, most are not.
    if MAX_VALUES < marks <= 4 * MAX_VALUES:
        marks = _marks(_TEXT.sub("", text))
    if marks > MAX_VALUES:
        raise RequestError(
            413,
            f"more than {MAX_VALUES:,} values in one request; send at most {MAX_MESSAGES:,} "
            "messages at a time, and fewer if they are large",
        )


def _marks(text: str) -> int:
    """Return how many values there are, give or take one each list and object."""
    return sum(map(text.count, ",[{"))


def _elements(text: str) -> Iterator[tuple[Any, int, int]]:
    """Yield the elements of an array one by one, so that a long one is never read whole."""
    at = _skip(text, 1)
    if text[at : at + 1] == "]":
        _expect_end(text, at + 1)
        return
    while True:
        value, end = _value(text, at)
        yield value, at, end
        at = _skip(text, end)
        mark = text[at : at + 1]
        if mark == "]":
            _expect_end(text, at + 1)
            return
        if mark != ",":
            raise _no_json(json.JSONDecodeError("Expecting ',' delimiter", text, at))
        at = _skip(text, at + 1)


def _lines(text: str) -> Iterator[tuple[Any, int, int]]:
    at = _skip(text, 0)
    while at < len(text):
        value, end = _value(text, at)
        yield value, at, end
        at = _skip(text, end)


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    assert match is not None  # nothing at all matches too
    return match.end()


def _expect_end(text: str, at: int) -> None:
    at = _skip(text, at)
    if at != len(text):
        raise _no_json(json.JSONDecodeError("Extra data", text, at))


def _value(text: str, at: int) -> tuple[Any, int]:
    try:
        return DECODER.raw_decode(text, at)
    except json.JSONDecodeError as error:
        raise _no_json(error) from None
    except RecursionError:
        raise RequestError(400, "the JSON is nested too deeply") from None
    except ValueError as error:
        reason = str(error)
        if "integer string conversion" in reason:
            reason = f"an integer of more than {MAX_DIGITS:,} digits cannot be read"
        raise RequestError(400, reason) from None


def _no_json(error: json.JSONDecodeError) -> RequestError:
    where = f"line {error.lineno:,}, column {error.colno:,}"
    return RequestError(400, f"invalid JSON: {error.msg} at {where}")
