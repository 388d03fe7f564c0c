"""SQLite's errors in words: what happened, and what to do."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from toolkit.base import StoreBusyError, StoreDamagedError, StoreError

#: What is said of a file whose bytes make no sense.
RESTORE: Final = (
    "Restore a copy of it, or save what can be read: `profile-toolkit check` says what is "
    "wrong, and SQLite's own shell has `.recover`."
)


def explained_error(path: Path, error: sqlite3.Error, timeout: float) -> StoreError:
    """Return what an error of SQLite means for the user of a file.

    Parameters
    ----------
    path
        The file.
    error
        What SQLite raised.
    timeout
        Seconds for which it waited, for the case that another process was writing.
    """
    text = str(error)
    # Extended codes hold the plain one in their lowest byte.
    code = getattr(error, "sqlite_errorcode", None)
    code = None if code is None else code & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreBusyError(
            f"{path} was being written by another process for more than "
            f"{timeout:g} seconds. Nothing was changed; try again."
        )
    if isinstance(error, sqlite3.ProgrammingError) and "closed" in text:
        return StoreError(f"{path} was closed; open it again.")
    if code == sqlite3.SQLITE_NOTADB:
        return StoreDamagedError(
            f"{path} is not a database: {text}. Nothing was changed. Give the path of a file that "
            "the toolkit wrote. If this one was, it is damaged: restore a copy of it, or save what "
            "can be read with `.recover` of SQLite's own shell."
        )
    if code == sqlite3.SQLITE_CORRUPT:
        return StoreDamagedError(f"{path} cannot be read: {text}. Nothing was changed. {RESTORE}")
    if code in _WHAT_TO_DO:
        return StoreError(f"{path}: {text}. Nothing was changed. {_WHAT_TO_DO[code]}")
    if "decode to UTF-8" in text:
        return StoreDamagedError(f"{path} cannot be read: {text[:80]}. {RESTORE}")
    return StoreError(f"{path}: {text}. Nothing was changed.")


_WHAT_TO_DO: Final[dict[int | None, str]] = {
    sqlite3.SQLITE_FULL: "Make room on the disk, and do it again.",
    sqlite3.SQLITE_IOERR: (
        "The disk could not be read or written: it may be full, at its quota, or gone. "
        "Then do it again."
    ),
    sqlite3.SQLITE_READONLY: (
        "The file or its folder may only be read: SQLite needs to write to both. Change that, "
        "or copy the file to where you may write."
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "Its folder must be there, and file and folder must be yours to read and write."
    ),
    sqlite3.SQLITE_TOOBIG: "SQLite holds up to a gigabyte a value: send it in smaller parts.",
    sqlite3.SQLITE_PERM: "File and folder must be yours to read and write.",
    sqlite3.SQLITE_NOMEM: "There is not enough memory: close something, or send smaller batches.",
}
