"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import gzip
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import BinaryIO, Final, cast

from toolkit.base import FolderNotFoundError, PathIsFolderError, UnwritableError, as_path
from toolkit.store import is_beside_database, is_database

# The name of a temporary file holds so much of the name of what it becomes.
_SHOWN: Final = 40


@contextmanager
def whole_file(path: str | PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file to write bytes to; it takes the place of an older one at the end.

    Until the block ends, and if it ends in an error, the older file stays as it was. The
    new one has its permissions; a symbolic link stays, and what it leads to is written.
    What is written is gzipped if the name ends in ``.gz``; the same content gives the
    same bytes. Devices and pipes are written to as they are.

    Raises
    ------
    FolderNotFoundError
        If the folder is not there.
    PathIsFolderError
        If a folder is at the path.
    ArgumentError
        If there is a NUL in it.
    UnwritableError
        If the file is read-only, is a database or part of one, or the folder takes no new
        file.
    """
    named = as_path(path)
    target = Path(os.path.realpath(named))
    if not target.parent.is_dir():
        raise FolderNotFoundError(f"{named}: there is no folder {target.parent}; make it first")
    if target.is_dir():
        raise PathIsFolderError(f"{named} is a folder; give the name of a file")
    older = _older(target)
    if older is not None and not stat.S_ISREG(older.st_mode):
        with named.open("wb") as raw, _packed(raw, named) as out:
            yield out
        return
    if older is not None and not os.access(target, os.W_OK):
        raise UnwritableError(f"{named} is read-only; give another name, or allow writing")
    if is_database(target) or is_beside_database(target):
        raise UnwritableError(
            f"{named} is a database or part of one, and would be lost; give another name"
        )
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name[:_SHOWN]}.", dir=target.parent)
    except PermissionError:
        raise UnwritableError(
            f"{named}: the folder {target.parent} takes no new file; give another one"
        ) from None
    try:
        with os.fdopen(handle, "wb") as raw:
            with _packed(raw, named) as out:
                yield out
            raw.flush()
            os.fsync(raw.fileno())
        _permit(Path(temporary), older)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_whole(path: str | PathLike[str], content: bytes) -> None:
    """Write bytes to a file as :func:`whole_file` does."""
    with whole_file(path) as out:
        out.write(content)


def _older(target: Path) -> os.stat_result | None:
    try:
        return target.stat()
    except FileNotFoundError:
        return None


@contextmanager
def _packed(raw: BinaryIO, named: Path) -> Iterator[BinaryIO]:
    if named.suffix != ".gz":
        yield raw
        return
    # No time of writing inside: the same profiles give the same bytes.
    with gzip.GzipFile("", "wb", 6, raw, 0) as packed:
        yield cast(BinaryIO, packed)


def _permit(new: Path, older: os.stat_result | None) -> None:
    """Give a new file, which is private, the permissions of an older one or the usual ones."""
    if older is None:
        mask = os.umask(0)
        os.umask(mask)
        new.chmod(0o666 & ~mask)
        return
    if hasattr(os, "chown"):
        # Only an administrator may keep another owner.
        with contextlib.suppress(PermissionError):
            os.chown(new, older.st_uid, older.st_gid)
    new.chmod(stat.S_IMODE(older.st_mode))
