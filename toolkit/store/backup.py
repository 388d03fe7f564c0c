"""Copies of a whole table, its past included, as one SQLite file."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from toolkit.base import (
    ArgumentError,
    Progress,
    ReadOnlyError,
    StoreError,
    StoreExistsError,
    argument,
    as_path,
    html,
)
from toolkit.store.engine import Engine
from toolkit.store.file import Store
from toolkit.store.pending import SUFFIXES, has_pending, is_beside_database, next_to


@dataclass(frozen=True)
class BackupReport:
    """What a backup wrote.

    Attributes
    ----------
    path
        The file.
    bytes
        Its size.
    """

    path: str
    bytes: int

    def __repr__(self) -> str:
        return f"<BackupReport: {self._summary}>"

    @property
    def _summary(self) -> str:
        return f"{self.path}, {self.bytes / 1e6:,.1f} MB"

    def _repr_html_(self) -> str:
        return html.card(f"Backup: {self._summary}")


def back_up(
    engine: Engine, path: str | PathLike[str], *, overwrite: bool, progress: Progress
) -> BackupReport:
    """Write a copy of a file, or of a table in memory; it is at *path* when it is whole.

    Parameters
    ----------
    engine
        Of the table.
    path
        Where it goes.
    overwrite
        Whether to replace a file that is there.
    progress
        Called with how far it is; what it raises stops it.
    """
    if engine.past_moment is not None:
        raise ReadOnlyError(
            f"these are the profiles {engine.past_moment}, without a past of their own; the "
            "table itself can be backed up. tk.write_messages(profiles, path) writes these."
        )
    source = None if engine.store is None else engine.store.path
    target = _target(path, source, overwrite)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise StoreError(
            f"{target.parent} cannot be written to ({error.strerror}). Give another path."
        ) from error
    os.close(handle)
    making = Path(name)
    try:
        _copy(engine, making, progress)
        # A temporary file is private; the copy is as private as what it is a copy of.
        making.chmod(source.stat().st_mode & 0o777 if source is not None else _usual_mode())
        _refuse(target, overwrite)  # somebody may have been faster
        making.replace(target)
    except OSError as error:
        if isinstance(error, StoreError):
            raise
        raise StoreError(f"{target} cannot be written ({error.strerror}).") from error
    finally:
        for suffix in ("", *SUFFIXES):
            next_to(making, suffix).unlink(missing_ok=True)
    return BackupReport(str(path), target.stat().st_size)


def _copy(engine: Engine, target: Path, progress: Progress) -> None:
    with engine.lock, engine.reading():
        if engine.store is not None:
            engine.store.copy_to(target, progress)
            return
        copy = Store(target)
        try:
            keys = engine.states.all_keys()
            snapshots = {key: engine.states[key].snapshot() for key in keys}
            copy.fill(engine.log, snapshots, engine.notes, progress)
        finally:
            copy.close()


def _usual_mode() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _target(path: object, source: Path | None, overwrite: bool) -> Path:
    if isinstance(path, str) and not path:
        raise ArgumentError(f"{argument('path', path)}; the path of the file to write is needed")
    text = str(as_path(path))
    if text == ":memory:":
        raise ArgumentError("a backup goes to a file; give its path")
    target = Path(os.path.realpath(text))
    try:
        if target.is_dir():
            raise StoreError(f"{text} is a folder; give the path of a file in it")
        if target.exists() and not target.is_file():
            raise StoreError(f"{text} is a device or a pipe; a backup goes to a file")
        if not target.parent.is_dir():
            raise StoreError(f"{text}: there is no folder {target.parent}; make it first")
        if source is not None and target.exists() and target.samefile(source):
            raise ArgumentError(f"{text} is the file itself; a backup goes to another one")
        if is_beside_database(target):
            raise ArgumentError(
                f"{text} is part of a database, the file whose name it begins with; give another "
                "path"
            )
        _refuse(target, overwrite)
    except OSError as error:
        if isinstance(error, StoreError):
            raise
        raise StoreError(f"{text}: {error.strerror}. Nothing was written.") from error
    return target


def _refuse(target: Path, overwrite: bool) -> None:
    """Refuse to write over what is not to be lost."""
    if target.exists() and not overwrite:
        raise StoreExistsError(
            f"{target} already exists. Nothing was written. Give another path, or "
            f"{argument('overwrite', True)} to write over it."
        )
    if has_pending(target):
        raise StoreExistsError(
            f"{target.name}-wal next to {target} holds what was written to it last: it is open "
            "elsewhere, or was not closed. Nothing was written. Close it, or give another path."
        )
