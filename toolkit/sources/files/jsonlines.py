"""Files of messages: JSON Lines or one JSON array, plain or gzipped."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from os import PathLike, fspath
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple, NoReturn

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from toolkit.base import (
    NO_TIME,
    ArgumentError,
    MessageFileError,
    MessageFileNotFoundError,
    PathIsFolderError,
    Progress,
    argument,
    as_path,
    check_flag,
    either,
    path_of_format,
    silent,
)
from toolkit.profiles import ProfileTable, ProfileView, as_table
from toolkit.sources.files.strict_json import loads
from toolkit.sources.files.whole_file import whole_file
from toolkit.updates import Message

_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_PATIENCE = 1.0
_SHOWN = 120
# Profiles turned into messages at a time.
_CHUNK = 10_000
_NOTICE_EVERY = 1_000


class SkippedLine(NamedTuple):
    """A line of a file that is not a message."""

    line: int
    reason: str
    text: str


class Messages(list[dict[str, Any]]):
    """The messages of a file: a list, with the lines that were left out.

    Attributes
    ----------
    skipped
        DataFrame of the lines left out: ``line`` (from 1; for an array the number of
        the element), ``reason``, ``text`` (its beginning).
    lines
        The line of each message, so that ``messages.lines[index]`` leads from a
        rejection back to the file.
    """

    def __init__(
        self, messages: Iterable[dict[str, Any]], lines: list[int], skipped: Sequence[SkippedLine]
    ) -> None:
        super().__init__(messages)
        self.lines = lines
        self.skipped = pd.DataFrame(list(skipped), columns=list(SkippedLine._fields))


def read_messages(
    path: str | PathLike[str],
    *,
    on_error: Literal["raise", "skip"] = "raise",
    progress: bool = True,
) -> Messages:
    """Return the messages of a JSON Lines file or a file of one JSON array.

    A line, or an element of the array, may be a list of messages too, as
    :func:`write_messages` writes them with ``chunk``.

    They are not checked as updates yet: ``profiles.apply`` does that, and names each
    one it rejects.

    Parameters
    ----------
    path
        The file; UTF-8, gzipped or not.
    on_error
        ``"raise"``: a line that is not a JSON object is an error. ``"skip"``: such lines
        are left out and listed in ``.skipped``.
    progress
        Whether to show a progress bar if it takes more than a second.

    Returns
    -------
    Messages
        A list of dicts.

    Raises
    ------
    MessageFileError
        Naming the first line that is not a JSON object, if *on_error* is ``"raise"``.
        An object that names one key twice is refused too: one of the values would be
        lost.
    FileNotFoundError
        If there is no such file.
    """
    if on_error not in ("raise", "skip"):
        raise ArgumentError(f'on_error={on_error!r}; "raise" or "skip" is allowed')
    check_flag("progress", progress, ArgumentError)
    if not as_path(path).exists():
        raise MessageFileNotFoundError(f"there is no file {fspath(path)!r}")
    messages: list[dict[str, Any]] = []
    lines: list[int] = []
    skipped: list[SkippedLine] = []
    bar = tqdm(
        _entries(Path(fspath(path))), "Reading", delay=_PATIENCE, disable=not progress, leave=False
    )
    for line, entry in bar:
        try:
            for message in _messages_in(entry):
                messages.append(message)
                lines.append(line)
        except ValueError as error:
            reason = str(error)
            text = entry if isinstance(entry, str) else json.dumps(entry)
            text = text[:_SHOWN].encode(errors="replace").decode()
            skipped.append(SkippedLine(line, reason, text))
            if on_error == "raise":
                raise MessageFileError(
                    f"{fspath(path)}, line {line}: {reason}: {text!r}. Nothing was "
                    f"read; {argument('on_error', 'skip')} reads the other lines."
                ) from error
    return Messages(messages, lines, skipped)


def _entries(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield each non-empty line with its number, or each element of an array."""
    if path.is_dir():
        raise PathIsFolderError(f"{path} is a folder; give the name of a file")
    with path.open("rb") as file:
        is_packed = file.peek(2)[:2] == _GZIP
        content: Any = gzip.GzipFile(fileobj=file) if is_packed else file
        try:
            number, first = 1, content.readline().removeprefix(_BOM)
            while first and not first.strip():
                number, first = number + 1, content.readline()
            if first.lstrip().startswith(b"["):
                yield from _array_or_lines(path, number, first, content.read())
            else:
                yield from _lines(number, first, content)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise MessageFileError(f"{path}: {error}. Nothing was read.") from error


def _lines(number: int, first: bytes, content: IO[bytes]) -> Iterator[tuple[int, Any]]:
    line = first
    while line:
        if line.strip():
            # An undecodable byte makes the line invalid, not the file.
            yield number, line.strip().decode("utf-8", errors="surrogateescape")
        number, line = number + 1, content.readline()


def _array_or_lines(
    path: Path, number: int, first: bytes, rest: bytes
) -> Iterator[tuple[int, Any]]:
    try:
        value = loads((first + rest).decode("utf-8"))
    except json.JSONDecodeError as error:
        if error.msg != "Extra data":
            _refuse_array(path, error)
        # Not one array: lines, of which the first is one.
        yield from _lines(number, first, io.BytesIO(rest))
        return
    except (ValueError, RecursionError) as error:
        _refuse_array(path, error)
    yield from enumerate(value, start=1)


def _refuse_array(path: Path, error: Exception) -> NoReturn:
    where = f"line {error.lineno}: " if isinstance(error, json.JSONDecodeError) else ""
    raise MessageFileError(f"{path}, {where}the array cannot be read: {error}") from error


def _messages_in(entry: Any) -> list[dict[str, Any]]:
    """Return the message of an entry, or those of a chunk of them."""
    entry = _read(entry)
    if not isinstance(entry, list) or not entry:
        return [_checked(entry)]
    return [_checked(each) for each in entry]


def _read(entry: Any) -> Any:
    if isinstance(entry, str):
        try:
            entry.encode("utf-8")
        except UnicodeEncodeError:
            raise ValueError("not UTF-8") from None
        try:
            entry = loads(entry)
        except json.JSONDecodeError as error:
            raise ValueError(f"not JSON ({error.msg} at character {error.colno})") from None
        except RecursionError:
            raise ValueError("nested too deeply") from None
    return entry


def _checked(entry: Any) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise ValueError(f"a JSON object is needed, not {type(entry).__name__}")
    return entry


def write_messages(
    profiles: ProfileTable | ProfileView,
    path: str | PathLike[str],
    *,
    chunk: int | None = None,
    progress: bool = True,
    notice: Progress = silent,
) -> int:
    """Write every profile as a ``$set`` message; return how many.

    Applied to an empty table, the messages give the same profiles: properties,
    order, and Updated At (through ``$time``; a profile without one has
    ``$ignore_time``). The profiles of group keys follow those of the users.

    Parameters
    ----------
    profiles
        A table, or the profiles picked out by ``profiles.where``.
    path
        The file to write, one message per line; gzipped if it ends in ``.gz``, one JSON
        array if it ends in ``.json``. A file
        that is there is written over, once the new one is whole.
    chunk
        So many messages are in one list: a line is a list, or the array one of lists,
        each a body to post as it is. An endpoint takes 2,000 (documented), older scripts
        send 200. None writes message by message.
    progress
        Whether to show a progress bar if it takes more than a second.
    notice
        Called with how far it is; may stop it, and an older file stays as it was then.
    """
    as_table(profiles, views=True)
    check_flag("progress", progress, ArgumentError)
    if chunk is not None and (isinstance(chunk, bool) or not isinstance(chunk, int) or chunk < 1):
        raise ArgumentError(
            f"{argument('chunk', chunk)}; a number of messages from 1 on"
            f"{either(', or None,', '')} is needed"
        )
    is_array = str(path_of_format(path, "messages")).removesuffix(".gz").endswith(".json")
    count = entries = 0
    with whole_file(path) as out:
        texts = (message.as_text() for message in _all_messages(profiles))
        watched = tqdm(texts, "Writing", delay=_PATIENCE, disable=not progress, leave=False)
        for group in _chunks(watched, chunk or 1):
            if count // _NOTICE_EVERY != (count + len(group)) // _NOTICE_EVERY or not count:
                notice("Writing", count, len(profiles))
            entry = group[0] if chunk is None else f"[{','.join(group)}]"
            opening = ("[\n" if entries == 0 else ",\n") if is_array else ""
            out.write(f"{opening}{entry}{'' if is_array else chr(10)}".encode())
            count, entries = count + len(group), entries + 1
        if is_array:
            out.write(b"\n]\n" if count else b"[]\n")
    return count


def _chunks(texts: Iterable[str], size: int) -> Iterator[list[str]]:
    iterator = iter(texts)
    while group := list(islice(iterator, size)):
        yield group


def _all_messages(profiles: ProfileTable | ProfileView) -> Iterator[Message]:
    if isinstance(profiles, ProfileView):
        yield from _messages(profiles, profiles.group_key or "")
        return
    yield from _messages(profiles, profiles.group_key or "")
    if profiles.group_key is None:
        for group_key in profiles.group_keys:
            yield from _messages(profiles.groups(group_key), group_key)


def _messages(profiles: ProfileTable | ProfileView, group_key: str) -> Iterator[Message]:
    snapshot = profiles.snapshot()
    for start in range(0, len(snapshot), _CHUNK):
        part = snapshot.take(np.arange(start, min(start + _CHUNK, len(snapshot))))
        rows = part.rows(np.arange(len(part)))
        for key, properties, seen in zip(part, rows, part.last_seen.tolist(), strict=True):
            never = seen == NO_TIME
            time = None if never else seen
            yield Message(key, (("$set", properties),), time, never, group_key)
