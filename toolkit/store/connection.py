"""The SQLite file, open: its tables, its transactions, and other processes."""

from __future__ import annotations

import os
import sqlite3
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from os import PathLike
from pathlib import Path
from typing import Any, Final, TypeVar

import sqlite_utils

from toolkit.base import (
    Progress,
    StoreDamagedError,
    StoreError,
    StoreReadOnlyError,
    as_path,
    either,
)
from toolkit.store import parquet as bulk
from toolkit.store.pending import check_pending, has_pending, mark, next_to
from toolkit.store.schema import MIGRATIONS, SCHEMA_VERSION, create
from toolkit.store.store_errors import RESTORE, explained_error

T = TypeVar("T")

#: Marks a file as ours (``PRAGMA application_id``): "prof".
APPLICATION_ID: Final = 0x70726F66
#: Seconds a writer waits for another process to finish its transaction.
TIMEOUT: Final = 30.0

# SQLite takes some milliseconds for so many steps of its own.
_STEPS_A_LOOK: Final = 10_000
# Pages of a backup, some milliseconds.
_PAGES_A_LOOK: Final = 1_000


def _close(connection: sqlite3.Connection, process: int) -> None:
    if os.getpid() == process:  # a fork must leave it alone
        connection.close()


class Connection:
    """One SQLite file of profiles, open: its tables, its transactions, what is next to it.

    Parameters
    ----------
    path
        The file; it is made if missing.
    timeout
        Seconds to wait for another process's transaction.

    Raises
    ------
    StoreError
        If the file cannot be opened, is not an SQLite file, holds tables of
        something else, was written by a later version of the toolkit, or is next to
        the ``-wal`` of another file.

    Notes
    -----
    A file that may not be written, or whose folder may not, is opened for reading.
    """

    def __init__(self, path: str | PathLike[str], timeout: float = TIMEOUT) -> None:
        self.path = as_path(path)
        self._timeout = timeout
        self._process = os.getpid()
        self.is_closed = False
        # Whom to tell of what is written, and who may stop it.
        self._notice: Callable[[], None] | None = None
        self._questions: sqlite_utils.Database | None = None
        # Cursors whose rows are read one after the other.
        self._scans: weakref.WeakSet[sqlite3.Cursor] = weakref.WeakSet()
        # Whether SQLite takes the file for one that nobody changes.
        self._is_fixed = False
        try:
            self._refuse_no_path()
            with self.explained():
                check_pending(self.path)
                #: Why the file can only be read; None if it can be written.
                self.read_only = self._open()
        except OSError as error:
            if isinstance(error, StoreError):
                raise
            raise StoreError(f"{self.path}: {error.strerror}. Nothing was changed.") from error
        self._files = {suffix: next_to(self.path, suffix) for suffix in _FILES}
        self._identities = {suffix: self._identity(suffix) for suffix in _FILES}

    def _refuse_no_path(self) -> None:
        """Refuse what no file can be at, in words of our own."""
        if self.path.is_dir():
            raise StoreError(f"{self.path} is a folder; the path of a file is needed")
        if not self.path.parent.is_dir():
            raise StoreError(
                f"{self.path}: there is no folder {self.path.parent}. Nothing was changed. "
                "Make the folder first."
            )

    def _open(self) -> str | None:
        """Open the file to write; where that cannot be, to read, and return why."""
        is_there = self.path.exists() and self.path.stat().st_size > 0
        if is_there and not os.access(self.path, os.W_OK):
            return self._open_to_read("the file is write-protected")
        try:
            # Absolute: SQLite may read a name that begins with "file:" as an address.
            self._connect(str(self.path.absolute()), self._prepare)
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if not is_there or code not in _UNWRITABLE or not os.access(self.path, os.R_OK):
                raise
            return self._open_to_read("its folder is write-protected")
        return None

    def _open_to_read(self, why: str) -> str:
        address = self.path.absolute().as_uri()
        try:
            self._connect(f"{address}?mode=ro", self._look)
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _UNWRITABLE:
                raise
            if has_pending(self.path):
                raise StoreError(
                    f"{self.path} cannot be opened: {why}, and {self.path.name}-wal next to it "
                    "holds what is not in the file yet. Copy both to where you may write, and "
                    "open the copy."
                ) from error
            # Nobody has it open, then, and nothing can be written next to it.
            self._is_fixed = True
            self._connect(f"{address}?immutable=1", self._look)
        return why

    def _connect(self, address: str, prepare: Callable[[], None]) -> None:
        self._connection = sqlite3.connect(
            address,
            timeout=self._timeout,
            isolation_level=None,
            check_same_thread=False,
            uri=address.startswith("file:///"),
        )
        # A table that nobody closes is closed when it is thrown away. Not at the exit of a
        # process: a child would take its parent's connection with it.
        weakref.finalize(self, _close, self._connection, self._process).atexit = False
        # Plugins of sqlite-utils that the user has are not ours to run.
        self.database = sqlite_utils.Database(self._connection, execute_plugins=False)
        try:
            prepare()
        except BaseException:
            self._connection.close()
            raise

    def _look(self) -> None:
        """Refuse a file that cannot be read as it is."""
        if self._pragma("application_id") != APPLICATION_ID:
            self._refuse_tables()
            raise StoreError(f"{self.path} is empty, and cannot be written to. Give another path.")
        version = self._pragma("user_version")
        if version in MIGRATIONS:
            raise StoreError(
                f"{self.path} has layout {version} and must be brought up to date, but can only "
                "be read. Copy it to where you may write, and open the copy."
            )
        self._check_version(version)

    def _prepare(self) -> None:
        if self._pragma("application_id") != APPLICATION_ID:
            self._create()
        self._bring_up_to_date()
        self._connection.execute("PRAGMA journal_mode = WAL")
        # A commit is on disk when it returns, power loss included.
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("PRAGMA cache_size = -65536")
        self._pragma("schema_version")  # from here on its -wal is there

    def _pragma(self, name: str) -> Any:
        return self._connection.execute(f"PRAGMA {name}").fetchone()[0]

    def _bring_up_to_date(self) -> None:
        """Bring an older layout up to date, after a copy of the file was made."""
        version = self._pragma("user_version")
        if version == SCHEMA_VERSION:
            return
        self._check_version(version)
        with self._written():
            version = self._pragma("user_version")
            if version == SCHEMA_VERSION:
                return  # another process was faster
            self._back_up(version)
            for older in range(version, SCHEMA_VERSION):
                MIGRATIONS[older](self.database)
            self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _check_version(self, version: int) -> None:
        if version != SCHEMA_VERSION and version not in MIGRATIONS:
            raise StoreError(
                f"{self.path} has layout {version}; this toolkit reads layout {SCHEMA_VERSION}. "
                "It was written by another version of the toolkit: use that one, or a later one."
            )

    def _back_up(self, version: int) -> None:
        """Copy the file, whose layout is about to change, to a new file next to it."""
        for copy in range(1, 1_000):
            number = "" if copy == 1 else f"-{copy}"
            path = self.path.with_name(f"{self.path.name}.layout-{version}{number}.backup")
            try:
                path.touch(exist_ok=False)
            except FileExistsError:
                continue
            except OSError as error:
                raise StoreError(
                    f"{self.path} has layout {version} and must be brought up to date, and no "
                    f"copy of it can be made first: {error}. Nothing was changed."
                ) from error
            with closing(sqlite3.connect(path.absolute())) as backup:
                # From a connection of its own: ours is inside a transaction.
                with closing(sqlite3.connect(self.path.absolute())) as source:
                    source.backup(backup)
                backup.execute("PRAGMA journal_mode = DELETE")
            return

    def _create(self) -> None:
        with self._written():
            if self._pragma("application_id") == APPLICATION_ID:
                return  # another process was faster
            self._refuse_tables()
            mark(self._connection)  # no two files are alike from the start
            create(self.database)
            self._connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _refuse_tables(self) -> None:
        tables = self.database.table_names()
        if tables:
            raise StoreError(
                f"{self.path} is an SQLite file of something else (its tables: "
                f"{', '.join(map(str, tables[:5]))}). Give the profiles a file of their own."
            )

    def _identity(self, suffix: str) -> tuple[int, ...] | None:
        """Return which file is there now, None for none."""
        try:
            status = self._files[suffix].stat()
        except FileNotFoundError:
            return None
        if self._is_fixed and not suffix:  # what changes it may not keep SQLite's locks
            return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
        return status.st_dev, status.st_ino

    def _check_file(self) -> None:
        """Refuse a connection that SQLite cannot know to be stale."""
        if self.is_closed:
            raise StoreError(f"{self.path} was closed; open it again.")
        if os.getpid() != self._process:
            raise StoreError(
                f"{self.path} was opened by another process, of which this one is a fork. "
                "Open it again in this process."
            )
        for suffix, identity in self._identities.items():
            if self._identity(suffix) != identity:
                raise StoreError(f"{self._files[suffix]} {_lost(suffix)}")

    def copy_to(self, path: Path, progress: Progress) -> None:
        """Copy the file as it is at this moment, inside a transaction; the copy is one file."""

        def tell(_: int, left: int, pages: int) -> None:
            progress("Copying", pages - left, pages)

        with closing(sqlite3.connect(path.absolute())) as copy:
            try:
                self._connection.backup(copy, pages=_PAGES_A_LOOK, progress=tell)
                copy.execute("PRAGMA journal_mode = DELETE")
            except sqlite3.Error as error:
                if self._pragma("integrity_check(1)") != "ok":
                    raise
                raise explained_error(path, error, self._timeout) from error

    def questions(self) -> sqlite_utils.Database:
        """Return the file for questions in SQL, of a connection of its own that cannot write."""
        self.check_usable(write=False)
        if self._questions is None:
            how = "immutable=1" if self._is_fixed else "mode=ro"
            connection = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?{how}",
                timeout=self._timeout,
                isolation_level=None,
                check_same_thread=False,
                uri=True,
            )
            weakref.finalize(self, _close, connection, self._process).atexit = False
            self._questions = sqlite_utils.Database(connection, execute_plugins=False)
        return self._questions

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._questions is not None:
            self._questions.close()
        self._connection.close()
        self.is_closed = True

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turn SQLite's errors, and those of what it holds, into ours."""
        try:
            yield
        except sqlite3.Error as error:
            raise explained_error(self.path, error, self._timeout) from error
        except (bulk.UnreadableError, UnicodeDecodeError) as error:
            # Python decodes the names in SQLite's own errors, too.
            raise StoreDamagedError(
                f"{self.path} was damaged: {error}. Nothing was changed. {RESTORE}"
            ) from error

    def check_writable(self) -> None:
        """Refuse a file that was opened to read only.

        Raises
        ------
        StoreReadOnlyError
            If it was.
        """
        if self.read_only:
            raise StoreReadOnlyError(
                f"{self.path} was opened to read only, for {self.read_only}. Nothing was "
                "changed. To change the profiles, copy them: "
                + either('profiles.backup("copy.db")', "`profile-toolkit backup`")
                + ", and open the copy."
            )

    def check_usable(self, *, write: bool) -> None:
        """Refuse a file that is closed, of another process or not where it was."""
        self._check_file()
        if write:
            self.check_writable()

    @contextmanager
    def transaction(self, *, write: bool = True) -> Iterator[None]:
        """All or nothing: what is written inside is committed at the end, or not at all.

        With ``write=False``: everything read inside is of one moment.
        """
        self.check_usable(write=write)
        with self.explained(), self._written(write=write):
            yield

    @contextmanager
    def _written(self, *, write: bool = True) -> Iterator[None]:
        try:
            # Inside: an interrupt may arrive when it has begun and not yet returned.
            self.begin(write=write)
            yield
            self.commit()
        except BaseException:
            self.roll_back()
            raise

    @contextmanager
    def watched(self, notice: Callable[[int], None] | None) -> Iterator[None]:
        """Tell *notice* now and then, while SQLite works inside, how many rows it has written.

        What *notice* raises stops SQLite, in the middle of a statement if need be.
        """
        if notice is None:
            yield
            return
        written = self._connection.total_changes
        raised: list[BaseException] = []

        def tell() -> None:
            notice(self._connection.total_changes - written)

        def look() -> int:
            try:
                tell()
            except BaseException as error:  # Python would lose it on its way through SQLite
                raised.append(error)
            return len(raised)

        self._watch(tell, look)
        try:
            yield
        except (sqlite3.OperationalError, StoreError):
            if raised:
                raise raised[0] from None
            raise
        finally:
            self._watch(None)

    def _watch(
        self, notice: Callable[[], None] | None, look: Callable[[], int] | None = None
    ) -> None:
        self._notice = notice
        self._connection.set_progress_handler(look, _STEPS_A_LOOK)

    def reported(self, parts: Iterable[T]) -> Iterator[T]:
        """Yield parts that take long to make; progress is reported between them."""
        for part in parts:
            if self._notice is not None:
                self._notice()
            yield part

    def begin(self, *, write: bool) -> None:
        """Begin a transaction; :meth:`end` ends it."""
        # What an interrupt may have left behind; the error that a notebook keeps of it keeps
        # cursors alive, and SQLite does not look beyond what one of them has yet to read.
        for cursor in tuple(self._scans):
            cursor.close()
        self.roll_back()
        self._watch(None)
        self._connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
        self._changes = self._connection.total_changes

    def commit(self) -> None:
        """Make what was written since :meth:`begin` permanent."""
        if self._connection.total_changes != self._changes:
            mark(self._connection)
        self._connection.execute("COMMIT")

    def end(self, error: BaseException | None) -> None:
        """Make what was written permanent; or after an *error* forget it, and say what it means."""
        with self.explained():
            try:
                if error is None:
                    self.commit()
                elif isinstance(error, sqlite3.Error | bulk.UnreadableError | UnicodeDecodeError):
                    raise error
            finally:
                self.roll_back()

    def roll_back(self) -> None:
        """Forget what was written since :meth:`begin`; outside a transaction do nothing."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def size(self) -> int:
        """Return the bytes of the file, as it is when what its ``-wal`` holds is written back."""
        with self.explained():
            pages: int = self._pragma("page_count")
            size: int = pages * self._pragma("page_size")
        return size

    def shrink(self) -> tuple[str, ...]:
        """Give back the space of what was deleted; if that fails, return why, in a sentence."""
        try:
            with self.explained():
                self._connection.execute("VACUUM")
                is_busy = self._connection.execute("PRAGMA wal_checkpoint (TRUNCATE)").fetchone()[0]
        except StoreError as error:
            return (f"The file keeps its size until it is compacted again: {error}",)
        if is_busy:
            return (
                "What was deleted is still in the file, as another process is reading it. "
                "Compact again when it is done.",
            )
        return ()

    def can_shrink(self) -> bool:
        """Return whether the file holds what was deleted."""
        wal = self._files["-wal"]
        with self.explained():
            has_free_pages = self._pragma("freelist_count") > 0
        return has_free_pages or (wal.exists() and wal.stat().st_size > 0)

    def execute(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run one statement."""
        return self._connection.execute(sql, values)

    def scan(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run one statement whose rows are not read at once."""
        cursor = self._connection.cursor()
        self._scans.add(cursor)
        return cursor.execute(sql, values)

    def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each row of values."""
        self._connection.executemany(sql, rows)


#: What belongs to an open file.
_FILES: Final = ("", "-wal", "-shm")


def _lost(suffix: str) -> str:
    """Return what is said if a file that belongs to an open one is gone, or another one."""
    whole = either("see whether profiles.check() finds it whole", "run `profile-toolkit check`")
    if suffix == "-wal":
        close = either(
            "Call profiles.close(), which puts what this process still has of it into the file; "
            "then open it again, and",
            "What this process still has of it is put into the file when it ends; then",
        )
        reason = "was deleted or replaced while the file was open; it holds what was written last."
        return f"{reason} Nothing was changed. {close} {whole}."
    if suffix == "-shm":
        close = either(
            "Call profiles.close() here and in other processes, then open it again, and",
            "End other processes that have the file open, then",
        )
        reason = (
            "was deleted or replaced while the file was open; processes agree by it on who writes."
        )
        return f"{reason} Nothing was changed. {close} {whole}."
    return (
        "was deleted or replaced while it was open, or changed where it is open to read only. "
        "What it held is in the file it was; open it again."
    )


#: How SQLite fails where it may only read.
_UNWRITABLE: Final = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM)
