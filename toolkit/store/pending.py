"""The files that SQLite keeps with an open one, and whether they belong to it.

``shop.db-wal`` holds what was written last, until it is put into ``shop.db`` itself.
SQLite takes whatever is there for it, another file's too, and what comes out is a
mixture of both. So each transaction leaves a mark in the file: its own, and that of the
transaction before it. The marks in a ``-wal`` and the one in the file make a chain.
"""

from __future__ import annotations

import mmap
import re
import secrets
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Final

from toolkit.base import StoreDamagedError

_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS lineage (id INTEGER PRIMARY KEY CHECK (id = 1), mark TEXT NOT NULL)"
)
_MARK: Final = re.compile(rb"toolkit-write:([0-9a-f]{16})>([0-9a-f]{16})")
_NONE: Final = b"0" * 16
#: What SQLite puts behind the name of a file, for the files next to it.
SUFFIXES: Final = ("-wal", "-shm", "-journal")
_MAGIC: Final = b"SQLite format 3\0"
# Bytes of the header of a -wal, and of that of each page in it.
_HEADER: Final = 32
_FRAME: Final = 24
# While another process writes, file and -wal are not of one moment: looked at again.
_LOOKS: Final = 20
_PAUSE: Final = 0.02


def next_to(path: Path, suffix: str) -> Path:
    """Return the path of a file that SQLite keeps with another one, such as its ``-wal``."""
    return path.with_name(path.name + suffix)


def is_database(path: Path) -> bool:
    """Return whether a file is one of SQLite, whoever wrote it."""
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


def is_beside_database(path: Path) -> bool:
    """Return whether a path is where SQLite keeps a file next to one of its own."""
    return any(
        path.name.endswith(suffix) and is_database(path.with_name(path.name.removesuffix(suffix)))
        for suffix in SUFFIXES
    )


def mark(connection: sqlite3.Connection) -> None:
    """Leave the mark of a transaction, inside it."""
    connection.execute(_TABLE)
    row = connection.execute("SELECT mark FROM lineage").fetchone()
    match = None if row is None else _MARK.fullmatch(str(row[0]).encode())
    before = (_NONE if match is None else match[2]).decode()
    text = f"toolkit-write:{before}>{secrets.token_hex(8)}"
    connection.execute("INSERT OR REPLACE INTO lineage (id, mark) VALUES (1, ?)", [text])


def check_pending(path: Path) -> None:
    """Refuse a file that is to be opened next to what was written to another one.

    Raises
    ------
    StoreDamagedError
        If the ``-wal`` next to it belongs to another file, or to another state of it.
    """
    wal = next_to(path, "-wal")
    if not has_pending(path):
        return
    if not path.exists() or path.stat().st_size == 0:
        raise StoreDamagedError(
            f"{path} is not there, but {wal.name} next to it holds what was written to it last. "
            f"Nothing was changed. Put the file back that belongs to it, or move {wal.name} away."
        )
    for _ in range(_LOOKS):
        if _belongs(path, wal):
            return
        time.sleep(_PAUSE)
    raise StoreDamagedError(
        f"{wal.name} next to {path} holds what was written to another file, or to another copy of "
        "this one: together they would be a mixture. Nothing was changed. Put the file back that "
        f"belongs to it; or, to have {path.name} as it is without it, move {wal.name} and "
        f"{path.name}-shm away while no process has the file open."
    )


def has_pending(path: Path) -> bool:
    """Return whether something was written that is not in the file itself yet."""
    wal = next_to(path, "-wal")
    return wal.exists() and wal.stat().st_size > _HEADER


def _belongs(path: Path, wal: Path) -> bool:
    """Whether a -wal follows from the file, as far as their marks tell."""
    marks = _marks(wal)
    own = _mark_of(path)
    return not marks or own is None or own in marks | _marks(wal)


def _marks(wal: Path) -> set[bytes]:
    """Return the marks of the transactions in a -wal, and of the one before them."""
    marks: set[bytes] = set()
    try:
        with wal.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            length = int.from_bytes(data[8:12], "big") + _FRAME
            salts = data[16:24]
            for at in range(_HEADER, len(data) - length + 1, length):
                if data[at + 8 : at + 16] != salts:
                    break  # the rest is of before it was last put into the file
                for each in _MARK.finditer(data[at + _FRAME : at + length]):
                    marks.update(each.groups())
    except (OSError, ValueError):  # gone, or empty, meanwhile
        return set()
    return marks


def _mark_of(path: Path) -> bytes | None:
    """Return the mark in a file itself, whatever its -wal says; None if it is unknown."""
    address = f"{path.absolute().as_uri()}?immutable=1"
    try:
        with closing(sqlite3.connect(address, uri=True)) as connection:
            if not connection.execute(
                "SELECT 1 FROM sqlite_master WHERE name = 'lineage'"
            ).fetchone():
                return _NONE
            row = connection.execute("SELECT mark FROM lineage").fetchone()
    except sqlite3.Error:  # half of the -wal may have been put into it when a process was killed
        return None
    match = None if row is None else _MARK.fullmatch(str(row[0]).encode())
    return None if match is None else match[2]
