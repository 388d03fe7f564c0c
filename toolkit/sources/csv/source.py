"""Where CSV text comes from: files, bytes and streams of any encoding, read as UTF-8."""

from __future__ import annotations

import codecs
import gzip
import io
import os
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import IO, Any, BinaryIO, Final, TypeAlias, cast

import pandas as pd
from charset_normalizer import from_bytes

from toolkit.base import (
    CsvEncodingError,
    CsvError,
    CsvFileError,
    CsvFileNotFoundError,
    argument,
    as_path,
    glimpse,
)
from toolkit.sources.csv.formats import format_of_bytes
from toolkit.sources.csv.quotes import QuoteCheck, line_ends, single_backslashes_doubled

#: What can be imported: a path, bytes, or a file object of bytes or text.
Source: TypeAlias = str | PathLike[str] | bytes | bytearray | memoryview | IO[Any]

#: Stands in a line of its own after the last one. No file may hold it, so a cell
#: that does hold it was opened by a quote that is never closed.
END_MARK: Final = b"\0"

_PIECE: Final = 1 << 20
_UTF8: Final = "utf-8"
_GZIP: Final = b"\x1f\x8b"

_BYTE_ORDER_MARKS: Final = {
    codecs.BOM_UTF8: _UTF8,
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}

# What spreadsheets and databases still write besides UTF-8. Any single byte
# encoding decodes almost anything, so a longer list would only mislead.
_LEGACY: Final = [
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257"),
    *("koi8_r", "cp932", "euc_jp", "gb18030", "big5", "cp949"),
]
_HIGH: Final = re.compile(rb"[\x80-\xff]")
_HIGH_RUN: Final = re.compile(rb"[\x80-\xff]{2,}")
# With fewer letters beyond ASCII a guess from frequencies is no better than chance.
_FEW: Final = 16
_COMMON: Final = "cp1252"
# By so much the languages seen in a text must fit better than those of cp1252.
_MARGIN: Final = 0.05


@dataclass(frozen=True)
class CsvSource:
    """A CSV file that can be read more than once.

    Attributes
    ----------
    name
        The file's name, or ``"data"`` for bytes and nameless streams.
    content
        Its path or its bytes.
    was_text
        Whether it came as text, so that its bytes are UTF-8 whatever it was before.
    """

    name: str
    content: Path | bytes
    was_text: bool = False

    @classmethod
    def of(cls, source: Source) -> CsvSource:
        """Return what to read from.

        A file object is read from where it is to its end, and left where it
        was if it can go back.
        """
        if isinstance(source, bytes | bytearray | memoryview):
            return cls("data", bytes(source))
        if isinstance(source, str | PathLike):
            return cls._of_path(os.fspath(source))
        if isinstance(source, pd.DataFrame):
            raise CsvError(
                "source is a DataFrame, no CSV; toolkit.import_frame(profiles, frame) imports it, "
                "and profiles.set(frame) writes its cells"
            )
        if not callable(getattr(source, "read", None)):
            raise CsvError(
                f"source={glimpse(source, 40)!r} ({type(source).__name__}) cannot be read as CSV; "
                "a path, bytes, or a file object is needed"
            )
        own_name = getattr(source, "name", None)
        name = Path(own_name).name if isinstance(own_name, str) else "data"
        try:
            content = _read_and_return(source)
        except UnicodeError as error:
            raise CsvError(
                f"{name} was opened as text of another encoding ({error}); open it with mode 'rb'"
            ) from None
        except (OSError, ValueError) as error:
            raise CsvFileError(f"{name} cannot be read: {error}") from None
        if isinstance(content, str):
            try:
                return cls(name, content.encode(), was_text=True)
            except UnicodeEncodeError as error:
                line = content.count("\n", 0, error.start) + 1
                raise CsvError(
                    f"{name} holds half a surrogate pair on line {line:,}, which is not Unicode"
                ) from None
        if not isinstance(content, bytes | bytearray):
            raise CsvFileError(f"{name} cannot be read: it gave {type(content).__name__}")
        return cls(name, bytes(content))

    @classmethod
    def _of_path(cls, path: str) -> CsvSource:
        if any(character in path for character in "\n\r\0"):
            raise CsvError(
                "source is text of several lines, and a text is taken as a path; "
                "for CSV text pass io.StringIO(text)"
            )
        if as_path(path).is_dir():
            raise CsvFileError(f"{path} is a folder; give the path of one CSV file in it")
        return cls(Path(path).name, Path(path))

    def as_csv(self, text: str) -> CsvSource:
        """Return the CSV that was made of the file."""
        return CsvSource(self.name, text.encode(), was_text=True)

    @contextmanager
    def opened(self) -> Iterator[OpenFile]:
        """Open the file, to read it as often as needed; gzip is unpacked."""
        try:
            with self._raw() as raw:
                start = raw.read(len(_GZIP))
                raw.seek(0)
                if start == _GZIP:
                    with gzip.GzipFile(fileobj=raw) as unpacked:
                        yield OpenFile(self.name, cast(BinaryIO, unpacked), 0)
                else:
                    size = raw.seek(0, os.SEEK_END)
                    raw.seek(0)
                    yield OpenFile(self.name, raw, size)
        except (gzip.BadGzipFile, zlib.error, EOFError) as error:
            raise CsvError(f"{self.name} is a damaged gzip file: {error}") from None
        except FileNotFoundError:
            raise CsvFileNotFoundError(f"there is no file {str(self.content)!r}") from None
        except OSError as error:
            if isinstance(error, CsvError):
                raise
            raise CsvFileError(f"{self.name} cannot be read: {error}") from None

    def _raw(self) -> BinaryIO:
        if isinstance(self.content, bytes):
            return io.BytesIO(self.content)
        return self.content.open("rb")


def _read_and_return(source: IO[Any]) -> Any:
    try:
        place = source.tell() if source.seekable() else None
    except (AttributeError, OSError):
        place = None
    content = source.read()
    if place is not None:
        source.seek(place)
    return content


@dataclass(frozen=True, eq=False)
class OpenFile:
    """A CSV file while it is open.

    Attributes
    ----------
    name
        What messages call it.
    raw
        Its bytes.
    size
        How many there are, 0 if that is not known because they are packed.
    """

    name: str
    raw: BinaryIO
    size: int

    def text(self, encoding: str, quotes: QuoteCheck | None = None) -> Utf8Stream:
        """Return the file from its beginning as UTF-8."""
        self.raw.seek(0)
        return Utf8Stream(self.raw, encoding, self.name, quotes)


def first_encoding(source: CsvSource, file: OpenFile, encoding: str | None) -> str:
    """Return the encoding to try first: the one given, that of a byte order mark, or UTF-8.

    Raises
    ------
    CsvError
        If the encoding is unknown, or the file is empty or no text.
    """
    if encoding is not None:
        if source.was_text:
            raise CsvError(
                f"{argument('encoding', encoding)} is for bytes, and {source.name} was opened "
                "as text; leave it out, or open the file with mode 'rb'"
            )
        encoding = _encoding_name(encoding)
    start = file.raw.read(4_096)
    if not start:
        raise CsvError(f"{source.name} is empty")
    if (kind := format_of_bytes(start)) is not None:
        raise CsvError(f"{source.name} is {kind}, not CSV; save it as CSV first")
    if encoding is not None:
        return encoding
    for mark, marked in _BYTE_ORDER_MARKS.items():
        if start.startswith(mark):
            return marked
    for odd, wide in ((0, "utf-16-be"), (1, "utf-16-le")):
        # ASCII letters as UTF-16: every second byte is zero.
        zeros, others = start[odd::2].count(0), start[1 - odd :: 2].count(0)
        if zeros > max(2, len(start) // 4) and not others:
            raise CsvError(
                f"{source.name} looks like UTF-16 without a byte order mark; "
                f"pass {argument('encoding', wide)}"
            )
    return _UTF8


def _encoding_name(encoding: str) -> str:
    """Return the name Python has for an encoding of text."""
    try:
        name = codecs.lookup(encoding).name
        codecs.getincrementaldecoder(name)
        b"x".decode(name, "replace")  # refuses base64, idna and others that are for no text
    except (LookupError, TypeError, ValueError):
        raise CsvError(
            f"{argument('encoding', encoding)} is unknown; "
            "for example 'utf-8', 'cp1252' or 'utf-16'"
        ) from None
    return name


def legacy_encodings(sample: bytes) -> list[str]:
    """Return the encodings to try, best first, for bytes that are not UTF-8.

    The most common one, cp1252, comes first unless another fits clearly better.
    The last, latin-1, decodes anything.
    """
    lines = [line for line in sample.splitlines() if not line.isascii()]
    text = b"\n".join(lines)[:20_000]
    return list(dict.fromkeys([_likely_encoding(text), _COMMON, "latin-1"]))


def _likely_encoding(text: bytes) -> str:
    letters = len(_HIGH.findall(text))
    in_runs = sum(map(len, _HIGH_RUN.findall(text)))
    # Accented letters are alone in words; those of another alphabet together.
    if letters < _FEW and in_runs * 2 <= letters:
        return _COMMON
    matches = sorted(
        from_bytes(text, cp_isolation=_LEGACY), key=lambda match: (match.chaos, -match.coherence)
    )
    if not matches:
        return _COMMON
    best = matches[0]
    for match in matches:
        names = (match.encoding, *match.could_be_from_charset)
        as_clean = match.chaos <= best.chaos and match.coherence >= best.coherence - _MARGIN
        if as_clean and _COMMON in names:
            return _COMMON
    return best.encoding


class Utf8Stream(io.RawIOBase):
    """A CSV file of any encoding as UTF-8, followed by :data:`END_MARK` in its own line.

    What is read never ends between the two characters of a Windows line end:
    pyarrow would lose the second if they was in a quoted cell.

    Parameters
    ----------
    raw
        The bytes of the file.
    encoding
        Of these bytes.
    name
        What messages call the file.
    quotes
        What looks at the quotes of all that is handed out, if anything does.

    Attributes
    ----------
    line_ends
        How many were handed out so far.
    taken
        How many bytes of the file were read so far.
    """

    def __init__(
        self, raw: BinaryIO, encoding: str, name: str, quotes: QuoteCheck | None = None
    ) -> None:
        self._raw = raw
        self._quotes = quotes
        self._encoding = encoding
        self._name = name
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self.taken = 0
        self._ready = bytearray()
        self._last = b"\n"
        self._at_start = True
        self._at_end = False
        self.line_ends = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        target = memoryview(buffer).cast("B")
        # One byte more than asked for, to see whether a line end would be cut.
        while len(self._ready) <= len(target) and not self._at_end:
            self._ready += self._next()
        size = min(len(target), len(self._ready))
        if 1 < size < len(self._ready) and self._ready[size - 1 : size + 1] == b"\r\n":
            size -= 1
        block = self._ready[:size]
        del self._ready[:size]
        target[:size] = block
        if self._quotes is not None:
            self._quotes.take(block, self.line_ends)
        self.line_ends += line_ends(block)
        return size

    def _next(self) -> bytes:
        """Return the next piece as UTF-8, the end mark after the last."""
        piece = self._raw.read(_PIECE)
        encoded = self._encoded(piece)
        if self._at_start and encoded:
            self._at_start = False
            while encoded.startswith(codecs.BOM_UTF8):
                encoded = encoded.removeprefix(codecs.BOM_UTF8)
        if END_MARK in encoded:
            line = self.line_ends + line_ends(self._ready + encoded.partition(END_MARK)[0]) + 1
            raise CsvError(
                f"{self._name} holds a NUL character on line {line:,}: it is damaged, or no text"
            )
        self._last = encoded[-1:] or self._last
        if not piece:
            self._at_end = True
            encoded += (b"" if self._last in b"\r\n" else b"\n") + END_MARK
        return encoded

    def _encoded(self, piece: bytes) -> bytes:
        """Return a piece as UTF-8; UTF-8 itself is only checked."""
        pending = len(self._decoder.getstate()[0])
        try:
            text = self._decoder.decode(piece, final=not piece)
            encoded = piece if self._encoding == _UTF8 else text.encode()
        except UnicodeError as error:
            # A few encodings say no more than that they failed; half surrogate
            # pairs, which some let pass, are found in the text instead.
            has_place = isinstance(error, UnicodeDecodeError)
            content: bytes = error.object if isinstance(error, UnicodeDecodeError) else piece
            start = error.start if isinstance(error, UnicodeDecodeError) else 0
            before = content[:start].decode(self._encoding, "replace") if has_place else ""
            line = self.line_ends + line_ends(self._ready + before.encode(errors="replace")) + 1
            raise CsvEncodingError(
                f"{self._name} is not {self._encoding}: byte {self.taken - pending + start:,} "
                f"(0x{content[start : start + 1].hex()}, line {line:,}) cannot be read; "
                f"pass the encoding it has, for example {argument('encoding', 'cp1252')}",
                content,
            ) from None
        self.taken += len(piece)
        return encoded


class KeptBackslashes(io.RawIOBase):
    """The text of a stream for a reader that drops backslashes which escape nothing.

    Such a one is doubled, so it stays. What is read never ends between a backslash and
    what it escapes.
    """

    def __init__(self, stream: Utf8Stream) -> None:
        self._stream = stream
        self._held = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        target = memoryview(buffer).cast("B")
        # In half the room all may be doubled.
        text = self._held + (self._stream.read(len(target) // 2 - len(self._held)) or b"")
        pending = len(text) - len(text.rstrip(b"\\"))
        self._held = b"\\" if pending % 2 else b""
        text = single_backslashes_doubled(text.removesuffix(self._held))
        target[: len(text)] = text
        return len(text)
