"""Every error the toolkit raises: what was given, what is allowed, what to do.

Each is a :class:`ToolkitError` and also the built-in a caller would expect
(``ValueError``, ``KeyError`` …), so both ``except ToolkitError`` and
``except ValueError`` work.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pandas as pd

# Of an argument so much is shown, from both ends of the message; of a word, so much.
_HEAD: Final = 160
_TAIL: Final = 440
_WORD: Final = 400


def bounded(message: str) -> str:
    """Return the message of an error without most of an argument that fills the screen.

    A message that begins with the argument (``start=…``) ends with what to do: both stay.

    >>> bounded("start=2026; a time is needed")
    'start=2026; a time is needed'
    >>> len(bounded(f"start={list(range(5000))}; a time is needed"))
    603
    """
    if len(message) < _WORD and "\n" not in message:  # most of them, and there may be a million
        return message
    if re.match(r"\w+=", message):
        # A DataFrame, in rows.
        message = re.sub(r"\n.*\n", " … ", message, flags=re.DOTALL)
        if len(message) > _HEAD + _TAIL:
            message = f"{message[:_HEAD]} … {message[-_TAIL:]}"
    return re.sub(rf"\S{{{_WORD},}}", lambda word: f"{word[0][:100]}…{word[0][-100:]}", message)


class ToolkitError(Exception):
    """Base of all errors raised by the toolkit on purpose."""

    def __str__(self) -> str:  # KeyError would show the repr of its message
        text = bounded(str(self.args[0])) if self.args else ""
        # It may quote what nobody can print: half a surrogate pair.
        return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


class InvalidValueError(ToolkitError, ValueError):
    """A value that is not JSON (NaN, an infinity, a Python object …)."""

    rule = "SET-1"


class InvalidIdError(ToolkitError, ValueError):
    """A distinct ID that is missing, empty, or neither text nor a number."""

    rule = "MSG-4"


class InexactIdError(InvalidIdError):
    """A distinct ID that came as a float too large to be sure of its digits (ID-1)."""

    rule = "ID-1"


class InvalidTimeError(ToolkitError, ValueError):
    """A time that is neither unix seconds, unix milliseconds nor ISO 8601."""

    rule = "META"


class MessageError(ToolkitError, ValueError):
    """A message that cannot be applied as a whole; ``rule`` is the rule that says so."""

    def __init__(self, message: str = "", rule: str = "MSG-4") -> None:
        super().__init__(message)
        self.rule = rule


class MessageFileError(MessageError):
    """A file of messages with a line that is not a JSON object."""


class MessageFileNotFoundError(MessageFileError, FileNotFoundError):
    """There is no such file of messages."""


class JsonTextError(ToolkitError, ValueError):
    """Text that is not JSON; ``line`` and ``column`` (from 1) are where it goes wrong."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(f"line {line}, column {column}: {message}")
        self.line = line
        self.column = column

    def __reduce__(self) -> tuple[object, ...]:
        message = str(self).partition(": ")[2]
        return type(self), (message, self.line, self.column)


class PathError(ToolkitError, OSError):
    """A path that cannot be read from or written to."""


class FolderNotFoundError(PathError, FileNotFoundError):
    """The folder of a file that is to be written is not there."""


class PathIsFolderError(PathError, IsADirectoryError):
    """A folder is at the path of a file to read or write."""


class ArgumentError(ToolkitError, ValueError):
    """An argument of a call that is not one of those allowed."""


class ProfileNotFoundError(ToolkitError, KeyError):
    """No profile has the given distinct ID."""


class UnknownNameError(ToolkitError, KeyError):
    """Nothing is kept under the name asked for."""


class FrameError(ToolkitError, ValueError):
    """A DataFrame that cannot be imported as profiles; nothing was written."""


class CsvError(ToolkitError, ValueError):
    """A CSV file that cannot be read or imported as asked; nothing was written."""


class CsvFileError(CsvError, OSError):
    """A CSV file that cannot be opened."""


class CsvFileNotFoundError(CsvFileError, FileNotFoundError):
    """There is no CSV file at the given path."""


class CsvEncodingError(CsvError):
    """Bytes that are not text in an encoding; ``sample`` is what is around them."""

    def __init__(self, message: str, sample: bytes) -> None:
        super().__init__(message, sample)
        self.sample = sample


class CsvRowsError(CsvError):
    """Rows of a CSV file that cannot be imported; nothing was written.

    ``rejected`` is a DataFrame of them: ``line``, ``reason``, ``text``.
    """

    def __init__(self, message: str, rejected: pd.DataFrame) -> None:
        super().__init__(message, rejected)
        self.rejected = rejected


class ColumnMappingError(CsvError):
    """A mapping of CSV columns to properties that cannot be used."""


class ExpressionError(ToolkitError, ValueError):
    """An expression on user or event properties that cannot be read or evaluated."""


class PropertyAccessError(ExpressionError, AttributeError):
    """``user.plan`` was written where ``user["plan"]`` was meant."""


class EventsError(ToolkitError, ValueError):
    """An event DataFrame that lacks a column or holds what cannot be read."""


class JoinError(ToolkitError, ValueError):
    """Events and profiles cannot be joined as asked."""


class ReportError(ToolkitError, ValueError):
    """A report asked for with arguments it does not know."""


class UndoError(ToolkitError, ValueError):
    """A batch that cannot be undone.

    ``conflicts`` is a DataFrame (distinct_id, property, reason) of what later updates
    wrote to.
    """

    def __init__(self, message: str, conflicts: object = None) -> None:
        super().__init__(message)
        self.conflicts = conflicts


class EditConflictError(ToolkitError, ValueError):
    """A profile changed between being read and being saved.

    ``properties`` names what would have been overwritten; empty if the profile itself
    was made or deleted.
    """

    def __init__(self, message: str, properties: tuple[str, ...]) -> None:
        super().__init__(message)
        self.properties = properties


class CompactedError(ToolkitError, LookupError):
    """A time or batch whose updates were compacted away."""


class ReadOnlyError(ToolkitError, TypeError):
    """A table of the past, which cannot be changed."""


class WriteError(PathError):
    """A file cannot be written."""


class UnwritableError(WriteError, PermissionError):
    """A file, or the folder it is in, may not be written to."""


class CopyError(ToolkitError, TypeError):
    """A table that was to be copied or pickled, which has only one log."""


class ComparisonError(ToolkitError, TypeError):
    """Two tables that were compared with ``==``."""


class StoreError(ToolkitError, OSError):
    """The SQLite file cannot be opened, read or written."""


class StoreDamagedError(StoreError):
    """What is in the SQLite file cannot be read: it was damaged, or is not an SQLite file."""


class StoreReadOnlyError(StoreError, PermissionError):
    """The SQLite file can only be read."""


class StoreExistsError(StoreError, FileExistsError):
    """A file is already at the path of a backup."""


class StoreBusyError(StoreError, TimeoutError):
    """Another process held the SQLite file's write lock for too long."""


class ServeError(ToolkitError, OSError):
    """A server cannot listen at its address."""


class RequestError(ToolkitError, ValueError):
    """A request that is refused as a whole: nothing of it was written.

    ``status`` is the HTTP status that says so.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.status, str(self))


class WorkCancelled(ToolkitError):  # noqa: N818 - nothing went wrong
    """Long work was stopped by whoever waited for it; it has changed nothing."""


class GeoError(ToolkitError, ValueError):
    """A file that is not a location database, or is damaged."""


class GeoFileNotFoundError(GeoError, FileNotFoundError):
    """There is no such location database."""


class MissingExtraError(ToolkitError, ImportError):
    """An optional dependency is not installed; the message names the extra."""


class InvalidCellsWarning(UserWarning):
    """Cells of a column of events are not JSON; they count as not set (CELL-1)."""


class UnknownPropertyWarning(UserWarning):
    """A property was named that no profile has; it counts as not set."""


class InexactIdWarning(UserWarning):
    """IDs may have lost digits: floats too large, or text that a spreadsheet rounded (ID-1)."""


class RejectedUpdateWarning(UserWarning):
    """An update of one profile was rejected, wholly or in part."""


# Tracebacks name them as people catch them.
for _each in tuple(globals().values()):
    if isinstance(_each, type) and _each.__module__ == __name__:
        _each.__module__ = "toolkit.errors"
