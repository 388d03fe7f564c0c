"""The profile table: one row per distinct ID, any JSON properties, changed only by operators."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from dataclasses import replace
from functools import partial
from numbers import Integral
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn, Self, TypeVar, overload

import numpy as np
import pandas as pd
import pyarrow as pa
import sqlite_utils
from tqdm.auto import tqdm

from toolkit.base import (
    HIDDEN,
    ROUNDED,
    SWAPPED,
    ArgumentError,
    ComparisonError,
    CopyError,
    InexactIdError,
    InexactIdWarning,
    InvalidIdError,
    InvalidTimeError,
    Json,
    MessageError,
    ProfileNotFoundError,
    Progress,
    ReadOnlyError,
    RejectedUpdateWarning,
    argument,
    as_json,
    check_choice,
    check_flag,
    completed_by_dir,
    completions,
    copied,
    count,
    did_you_mean,
    glimpse,
    is_text,
    looks_rounded,
    near_id,
    normalise_id,
    printable,
    quoted,
    silent,
    times,
    title,
    watched_by,
)
from toolkit.columns import Column, Positions, Snapshot, compare_snapshots, difference_frame
from toolkit.expressions import Expression, SnapshotScope, as_expression, mask_of
from toolkit.profiles.saved_cohorts import saved_ids
from toolkit.profiles.view import ProfileView, shown
from toolkit.store import (
    TIMEOUT,
    BackupReport,
    CheckReport,
    CompactReport,
    Engine,
    Explanation,
    ProfilePast,
    Remembered,
    Store,
    Timeline,
    Update,
    back_up,
    check,
    compact,
    effects_of,
    explain,
    history_frame,
    past_of,
    snapshot_as_of,
    state_after,
    timeline,
    updates_of,
)
from toolkit.updates import (
    USERS,
    ApplyResult,
    ChangeReport,
    ColumnarUpdates,
    ColumnsResult,
    Edit,
    Indexed,
    Locator,
    Rejection,
    hidden_properties,
    limits as product_limits,
    parse_message,
    plan_frame,
    read_frame,
)

_T = TypeVar("_T")
# A progress bar appears once a loop has run for so many seconds.
_PATIENCE = 1.0
_WORTH_A_BAR = 10_000
_NOT_GIVEN: Final = object()


# For reports, forms and other parts of the toolkit.
_INTERNAL: Final = frozenset(
    {"address", "check_writable", "remembered", "row", "snapshot", "timeline"}
)


@completed_by_dir
class ProfileTable:
    """User profiles: one row per distinct ID, any JSON properties.

    The table is changed only by the operators. What it hands out (dicts, frames)
    is the caller's to change, and never changes the table (COPY-1):
    ``profiles["1"]["plan"] = "pro"`` and ``profiles.frame.loc["1", "plan"] = "pro"``
    write nothing; ``profiles.set("1", {"plan": "pro"})`` and ``profiles.set(frame)`` do.

    Parameters
    ----------
    path
        An SQLite file, made if missing. None keeps the table in memory.
    limits
        ``"mixpanel"`` enforces the hosted product's limits and reports every cut;
        None stores everything as sent.
    timeout
        Seconds to wait while another process writes to the same file.

    Raises
    ------
    StoreError
        If the file cannot be opened or is not a file of profiles.

    Examples
    --------
    >>> profiles = ProfileTable()
    >>> profiles.set("123", {"$name": "Alice", "plan": "free"})
    <ApplyResult: 1 applied, 1 created>
    >>> profiles.union("123", {"tags": ["new"]})
    <ApplyResult: 1 applied, 1 updated>
    >>> profiles["123"]
    {'$name': 'Alice', 'plan': 'free', 'tags': ['new']}
    """

    def __init__(
        self,
        path: str | PathLike[str] | None = None,
        *,
        limits: Literal["mixpanel"] | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        if limits not in (None, "mixpanel"):
            raise ArgumentError(f'limits={limits!r}; "mixpanel" or None is allowed')
        if not isinstance(path, str | PathLike | None):
            hint = ""
            if isinstance(path, pd.DataFrame):
                hint = ". To fill a table: profiles = ProfileTable(), then profiles.set(frame) or"
                hint += " tk.import_frame(profiles, frame)"
            elif isinstance(path, list | dict):
                hint = ". To fill a table: profiles = ProfileTable(), then profiles.apply(messages)"
            raise ArgumentError(
                f"path is of type {type(path).__name__}; the path of an SQLite file or None is "
                f"needed{hint}"
            )
        store = None if path is None or fspath(path) == ":memory:" else Store(path, timeout)
        self._engine = Engine(store)
        self._group_key = USERS
        self._limits = limits
        self._timelines: tuple[object, dict[str, Timeline]] = (None, {})
        # Of a table of the past: what it was made of.
        self._groups_then: Callable[[str], ProfileTable] | None = None

    def groups(self, group_key: str) -> ProfileTable:
        """Return the table of the profiles of a group key, such as ``"company"``.

        It is kept in the same file, and knows all operators but ``add`` and
        ``append`` (GROUP-1). Its IDs are the group IDs.
        """
        if not isinstance(group_key, str) or not group_key:
            raise ArgumentError(
                f"{argument('group_key', group_key)}; text such as 'company' is needed"
            )
        as_json(group_key)  # half a surrogate pair is not text
        if self._groups_then is not None:
            return self._groups_then(group_key)
        return self._beside(self._engine, group_key)

    def _beside(self, engine: Engine, group_key: str) -> ProfileTable:
        """Return another table with the same settings."""
        table = object.__new__(type(self))
        table._engine, table._group_key, table._limits = engine, group_key, self._limits
        table._timelines = (None, {})
        table._groups_then = None
        return table

    @property
    def group_keys(self) -> list[str]:
        """The group keys that have a table, sorted."""
        return self._engine.group_keys()

    @property
    def group_key(self) -> str | None:
        """The group key of these profiles; None for user profiles."""
        return self._group_key or None

    @property
    def path(self) -> str | None:
        """The SQLite file, None for a table in memory."""
        store = self._engine.store
        return None if store is None else str(store.path)

    @property
    def moment(self) -> str | None:
        """For profiles of the past: of when they are, in words. None for the table itself."""
        return self._engine.past_moment

    @property
    def is_read_only(self) -> bool:
        """Whether the file was opened to read only, because it or its folder is write-protected."""
        store = self._engine.store
        return store is not None and bool(store.read_only)

    @property
    def database(self) -> sqlite_utils.Database:
        """The file for questions in SQL: a `sqlite_utils.Database` that cannot write.

        Each statement sees what is committed when it begins. The tables and columns, and
        examples, are in ``docs/sql.md``. It is closed with the table.

        Raises
        ------
        StoreError
            If the table is in memory, or of the past.

        Examples
        --------
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with ProfileTable(folder + "/shop.db") as profiles:
        ...         _ = profiles.set("1", {"plan": "pro"})
        ...         sql = "select distinct_id, properties ->> '$.plan' as plan from profiles"
        ...         list(profiles.database.query(sql))
        [{'distinct_id': '1', 'plan': 'pro'}]
        """
        return self._engine.database()

    def check_writable(self) -> None:
        """Refuse a table whose file was opened to read only, before work that ends in a write.

        Raises
        ------
        StoreReadOnlyError
            If it was.
        """
        if self._engine.store is not None:
            self._engine.store.check_writable()

    def remembered(self, kind: str) -> Remembered:
        """Return what forms keep with the profiles, such as ``"csv templates"``, by name."""
        return Remembered(self._engine, kind)

    def close(self) -> None:
        """Close the SQLite file; a second call does nothing.

        What another thread is doing with the table is done first.
        """
        self._engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # Operators

    @overload
    def set(
        self,
        distinct_id: pd.DataFrame,
        *,
        time: object = None,
        ignore_time: bool = False,
        key: str = "distinct_id",
        missing: Literal["leave", "unset"] = "leave",
        dry_run: bool = False,
        source: str = "DataFrame",
    ) -> ChangeReport: ...

    @overload
    def set(
        self,
        distinct_id: object,
        properties: Mapping[str, Any],
        *,
        time: object = None,
        ignore_time: bool = False,
    ) -> ApplyResult: ...

    def set(
        self,
        distinct_id: object,
        properties: Any = _NOT_GIVEN,
        *,
        time: object = None,
        ignore_time: bool = False,
        **of_frame: Any,
    ) -> ApplyResult | ChangeReport:
        """Write properties, creating the profile if it is missing (SET-1, SET-2).

        ``profiles.set(frame)`` does it for each row of a DataFrame, as one batch of the
        cells that differ from what is stored; where nothing differs, there is no batch
        (FRAME-1).

        Parameters
        ----------
        distinct_id
            Text or a number. Several of them (a list, tuple, set, Index, Series …) are
            updated alike, as one batch, each once (MANY-1). Or a DataFrame: one row per
            profile, one column per property.
        properties
            Names and JSON values; None is null. Not for a DataFrame.
        time
            When it happened: unix seconds or milliseconds, ISO 8601 text, a datetime.
            By default now. Updated At moves there, but never back (SEEN-1).
        ignore_time
            Whether Updated At stays as it is (SEEN-2).
        key
            For a DataFrame: the column, or the name of the index, with the distinct IDs.
        missing
            For a DataFrame: ``"leave"`` what is stored where a cell is missing (NaN,
            None, NA), or ``"unset"`` it.
        dry_run
            For a DataFrame: whether only to say what would change.
        source
            For a DataFrame: where it comes from, in words, for the log.

        Returns
        -------
        ApplyResult or ChangeReport
            What was applied; of a rejection there is a ``RejectedUpdateWarning`` too. For
            a DataFrame what changed, property by property.

        Raises
        ------
        FrameError
            If a column of the DataFrame is missing or there twice, has a name that no
            property may have, or holds an ID that is not one. Nothing is written then.

        Examples
        --------
        >>> profiles = ProfileTable()
        >>> frame = pd.DataFrame({"id": [7, 8], "plan": ["pro", None]})
        >>> profiles.set(frame, key="id")
        <ChangeReport: 2 profiles: 2 created>
          plan: 1 added
        >>> profiles.set(frame, key="id")
        <ChangeReport: 2 profiles: 2 unchanged>
        """
        if isinstance(distinct_id, pd.DataFrame):
            if properties is not _NOT_GIVEN:
                raise ArgumentError(
                    "a DataFrame has the properties in its columns; its distinct IDs are "
                    'named with key=, as in profiles.set(frame, key="customer_id")'
                )
            return self._set_frame(distinct_id, time, ignore_time, **of_frame)
        if of_frame:
            raise ArgumentError(
                f"{', '.join(f'{name}=' for name in of_frame)} is for a DataFrame; one profile "
                'is set as in profiles.set("123", {"plan": "pro"})'
            )
        if properties is _NOT_GIVEN:
            raise ArgumentError(
                f"set takes a distinct ID and properties, or a DataFrame, not "
                f"{glimpse(distinct_id)!r} alone"
            )
        if isinstance(distinct_id, Mapping) and isinstance(properties, str | int):
            raise ArgumentError(
                'the distinct ID comes first, as in profiles.set("123", {"plan": "pro"}). '
                "Did you swap the ID and the properties?"
            )
        return self._send("$set", distinct_id, properties, time, ignore_time)

    def _set_frame(
        self,
        frame: pd.DataFrame,
        time: object,
        ignore_time: bool,
        key: str = "distinct_id",
        missing: Literal["leave", "unset"] = "leave",
        dry_run: bool = False,
        source: str = "DataFrame",
    ) -> ChangeReport:
        check_choice("missing", missing, ("leave", "unset"), ArgumentError)
        check_flag("dry_run", dry_run, ArgumentError)
        check_flag("ignore_time", ignore_time, ArgumentError)
        as_json(source)
        moment = None if time is None else times.parse_time(time)
        rows = read_frame(frame, key, parameter="key")
        with self._engine.lock, self._engine.moment(write=not dry_run) as batch:
            updates, report = plan_frame(self.snapshot(), rows, missing, self._limits is not None)
            if dry_run or not len(updates):
                return replace(report, dry_run=dry_run)
            seen = None if ignore_time else batch.arrival if moment is None else moment
            updates = replace(updates, seen=seen, group_key=self._group_key, time=moment)
            outcome = batch.write(batch.plan([updates]), source)
            return replace(report, batch_id=outcome.batch_id)

    def set_once(
        self,
        distinct_id: object,
        properties: Mapping[str, Any],
        *,
        time: object = None,
        ignore_time: bool = False,
    ) -> ApplyResult:
        """Write the properties that are absent (ONCE-1). Parameters as for :meth:`set`."""
        return self._send("$set_once", distinct_id, properties, time, ignore_time)

    def add(
        self,
        distinct_id: object,
        properties: Mapping[str, float],
        *,
        time: object = None,
        ignore_time: bool = False,
    ) -> ApplyResult:
        """Add numbers to number properties (ADD-1, ADD-2). Parameters as for :meth:`set`."""
        return self._send("$add", distinct_id, properties, time, ignore_time)

    def union(
        self,
        distinct_id: object,
        properties: Mapping[str, Any],
        *,
        time: object = None,
        ignore_time: bool = False,
    ) -> ApplyResult:
        """Add to lists what is not in them yet (UNION-1). Parameters as for :meth:`set`."""
        return self._send("$union", distinct_id, properties, time, ignore_time)

    def append(
        self,
        distinct_id: object,
        properties: Mapping[str, Any],
        *,
        time: object = None,
        ignore_time: bool = False,
    ) -> ApplyResult:
        """Add one element at the end of lists (APPEND-1). Parameters as for :meth:`set`."""
        return self._send("$append", distinct_id, properties, time, ignore_time)

    def remove(
        self,
        distinct_id: object,
        properties: Mapping[str, Any],
        *,
        time: object = None,
        ignore_time: bool = False,
    ) -> ApplyResult:
        """Take equal elements out of lists (REMOVE-1). Parameters as for :meth:`set`."""
        return self._send("$remove", distinct_id, properties, time, ignore_time)

    def unset(
        self,
        distinct_id: object,
        names: str | Iterable[str],
        *,
        time: object = None,
        ignore_time: bool = False,
    ) -> ApplyResult:
        """Remove properties for good (UNSET-1).

        *names* is one name or several; the rest is as for :meth:`set`.
        """
        is_several = isinstance(names, Iterable) and not isinstance(names, str | Mapping)
        argument = list(names) if is_several else names
        return self._send("$unset", distinct_id, argument, time, ignore_time)

    def delete(
        self, distinct_id: object, *, time: object = None, ignore_time: bool = False
    ) -> ApplyResult:
        """Remove the profile and all its properties (DELETE-1). Parameters as for :meth:`set`.

        Examples
        --------
        >>> profiles = ProfileTable()
        >>> profiles.set(["1", "2", "3"], {"plan": "free"})
        <ApplyResult: 3 applied, 3 created>
        >>> profiles.delete(["1", "2"])
        <ApplyResult: 2 applied, 2 deleted>
        """
        return self._send("$delete", distinct_id, "", time, ignore_time)

    def _send(
        self, operator: str, distinct_id: object, argument: Any, time: object, ignore_time: bool
    ) -> ApplyResult:
        several = _several_ids(distinct_id)
        ids = [distinct_id] if several is None else several
        about = {operator: argument} if time is None else {operator: argument, "$time": time}
        messages = [{**self.address(each), **about} for each in ids]
        result = self.apply(messages, source=operator.lstrip("$"), ignore_time=ignore_time)
        # One warning for each place to look at; of many the first says what the others may be.
        shown = result.rejections if several is None else result.rejections[:1]
        for each in shown:
            what = operator if each.property is None else f"{operator} {printable(each.property)}"
            text = f"{what} was not applied to {glimpse(ids[each.index])!r}: {each.reason}"
            if (others := len(result.rejections) - len(shown)) > 0:
                text += f"; and {count(others, 'rejection')} more, in .rejected"
            warnings.warn(text, RejectedUpdateWarning, stacklevel=3)
        if doubtful := [each for each in result.cautions if each.reason == ROUNDED]:
            text = f"{glimpse(doubtful[0].distinct_id)!r}: {ROUNDED}"
            warnings.warn(text, InexactIdWarning, stacklevel=3)
        return result

    def edit(
        self,
        distinct_id: object,
        properties: Mapping[str, Any],
        *,
        before: Mapping[str, Any] | None,
        source: str = "edit",
    ) -> ApplyResult:
        """Make a profile what somebody made of it, unless it changed meanwhile.

        What differs from *before* is sent as one message of ``$set`` and ``$unset``.
        Updated At stays, as after every edit by hand (SEEN-2).

        Parameters
        ----------
        distinct_id
            Text or a number.
        properties
            All properties the profile is to have.
        before
            All properties it had when it was read; None if there was no profile.
        source
            Where the edit comes from, in words, for the log.

        Raises
        ------
        EditConflictError
            If what would be written over is no longer what it was *before*. Nothing is
            changed then. What others wrote elsewhere in the profile stays.

        Examples
        --------
        >>> profiles = ProfileTable()
        >>> profiles.set("1", {"plan": "free", "n": 1}).applied
        1
        >>> read = profiles["1"]
        >>> profiles.edit("1", {"plan": "pro"}, before=read)
        <ApplyResult: 1 applied, 1 updated>
        >>> profiles["1"]
        {'plan': 'pro'}
        """
        if not isinstance(properties, Mapping) or not isinstance(before, Mapping | None):
            raise ArgumentError("properties= and before= are the properties as dicts, or None")
        edit = Edit.between(before, properties)
        key = normalise_id(distinct_id)
        if not edit:
            return ApplyResult(0, 0, 0, 0, 0)

        with self._engine.lock, self._engine.writing() as batch:
            row = batch.state(self._group_key).row(key)
            edit.check(key, None if row is None else row.properties)
            message = {**self.address(key), **edit.operations}
            return self.apply([message], source=source, ignore_time=True)

    def address(self, distinct_id: object) -> dict[str, Any]:
        """Return the fields of a message that say whose it is, in this table.

        >>> ProfileTable().groups("company").address("acme")
        {'$group_key': 'company', '$group_id': 'acme'}
        """
        if self._group_key == USERS:
            return {"$distinct_id": distinct_id}
        return {"$group_key": self._group_key, "$group_id": distinct_id}

    def apply(
        self,
        messages: Iterable[Mapping[str, Any]],
        *,
        source: str = "messages",
        ignore_time: bool = False,
        progress: bool = True,
        geo: Locator | None = None,
        ip: str | None = None,
    ) -> ApplyResult:
        """Apply messages in order, each seeing the ones before it (MSG-2).

        A rejected message or property never stops the others (MSG-3). What is
        applied is one batch: all of it is kept, or nothing.

        Parameters
        ----------
        messages
            Engage messages: ``{"$distinct_id": …, "$set": {…}}``; several operators in
            one apply in the order written (MSG-1). Messages with ``$group_key`` and
            ``$group_id`` go to the table of that group key.
        source
            Where they come from, in words, for the log.
        ignore_time
            Whether Updated At stays as it is for all of them, as for edits made by
            hand (SEEN-2).
        progress
            Whether to show a progress bar if it takes more than a second.
        geo
            A :class:`toolkit.GeoDatabase`: ``$set`` and ``$set_once`` set the location of
            their user too, from the message's coordinates or ``$ip`` (GEO-1).
        ip
            The address of whoever sent the messages, for those without an ``$ip``.

        Returns
        -------
        ApplyResult
            Counts, and each rejection with index, distinct ID, operator, property, reason.

        Examples
        --------
        >>> profiles = ProfileTable()
        >>> profiles.apply([
        ...     {"$distinct_id": 123, "$set": {"plan": "pro"}, "$append": {"seen": "A"}},
        ...     {"$distinct_id": "123", "$add": {"plan": 1}},
        ... ])
        <ApplyResult: 1 applied, 1 created, 1 rejected>
          rejected [1] 123 $add plan: the stored value is the text 'pro', not a number
        """
        check_flag("ignore_time", ignore_time, ArgumentError)
        check_flag("progress", progress, ArgumentError)
        if isinstance(messages, Mapping):
            messages = [messages]
        if isinstance(messages, str | bytes):
            raise MessageError(
                "apply takes messages, not text. "
                "To apply a file: profiles.apply(tk.read_messages(path))"
            )
        if isinstance(messages, pd.DataFrame):
            raise MessageError(
                "apply takes messages, not a DataFrame. A row as a message: "
                '{"$distinct_id": …, "$set": {…}}'
            )
        if not isinstance(messages, Iterable):
            raise MessageError(f"apply takes messages, not {type(messages).__name__}")
        as_json(source)
        if geo is not None:
            sent = list(messages)
            messages = geo.locate(sent, ip, self)
            if len(messages) != len(sent):
                raise ArgumentError(
                    f"geo.locate returned {len(messages):,} of {count(len(sent), 'message')}; "
                    "it returns one for each"
                )
        valid, rejected, noted = self._parsed(messages, ignore_time, progress)
        with self._engine.lock, self._engine.writing() as batch:
            planned = batch.plan([valid], limited=self._limits is not None)
            outcome = batch.write(planned, source, refused=len(rejected))
        return ApplyResult.of(outcome, rejected, noted)

    def _parsed(
        self, messages: Iterable[Mapping[str, Any]], ignore_time: bool, progress: bool
    ) -> tuple[list[Indexed], list[Rejection], list[Rejection]]:
        """Return the valid messages, what was rejected, and what is worth a warning."""
        valid: list[Indexed] = []
        rejected: list[Rejection] = []
        noted: list[Rejection] = []
        ignored: list[Rejection] = []
        if progress and not (isinstance(messages, Sized) and len(messages) < _WORTH_A_BAR):
            messages = tqdm(messages, "Checking messages", delay=_PATIENCE, leave=False)
        for index, raw in enumerate(messages):
            message = parse_message(
                raw, index, rejected, group_key=self._group_key, ignored=ignored
            )
            if message is None:
                continue
            if self._limits is not None:
                fitting, cuts, excess = product_limits.cut_message(message, index)
                noted += cuts
                rejected += excess
                if fitting is None:
                    continue
                message = fitting
            if looks_rounded(message.distinct_id):
                noted.append(Rejection(index, message.distinct_id, None, None, ROUNDED))
            for operator, name in hidden_properties(message):
                reason = "stored, but never shown in a table, form or report"
                noted.append(Rejection(index, message.distinct_id, operator, name, reason))
            if ignore_time and not message.ignore_time:
                message = replace(message, ignore_time=True)
            valid.append((index, message))
        return valid, rejected, [*_first_of_each(ignored), *noted]

    def set_columns(
        self,
        ids: pa.Array,
        columns: Mapping[str, Column],
        *,
        source: str,
        seen: int | None = None,
        time: int | None = None,
        row_times: Positions | None = None,
        dry_run: bool = False,
        progress: Progress = silent,
    ) -> ColumnsResult:
        """``$set`` many profiles at once from whole columns, as one batch.

        What :func:`toolkit.import_csv` is built on.

        Parameters
        ----------
        ids
            Distinct IDs, each once (except for *row_times*): pyarrow ``large_string``.
        columns
            For each property a column of as many cells. An absent cell is not set.
        source
            Where they come from, in words, for the log.
        seen
            Updated At of the profiles written, in microseconds since 1970 UTC; None
            leaves it as it is (SEEN-2).
        time
            When it happened, in microseconds since 1970 UTC; None: now.
        row_times
            Instead of *time*: when each row happened. Each row is an update of its own then,
            an ID may occur in several, and they apply in the order of their times (PAST-4).
        dry_run
            Whether to count only, and write nothing.
        progress
            Whether to show a bar if it takes more than a second. Or a function to call now
            and then, as in :func:`toolkit.import_csv`; what it raises leaves the table as it was.
        """
        check_flag("dry_run", dry_run, ArgumentError)
        updates = ColumnarUpdates(ids, columns, seen, self._group_key, time, row_times).in_order()
        dry_run = dry_run or not len(ids)
        cuts: list[Rejection] = []
        with self._engine.lock, self._engine.moment(write=not dry_run) as batch:
            before = batch.snapshot(self._group_key, progress)
            if self._limits is not None:
                fitting, cuts = product_limits.cut_columns(before, updates.ids, updates.columns)
                updates = replace(updates, columns=fitting)
            planned = batch.plan([updates], progress=progress)
            of_table = planned[self._group_key]
            outcome = replace(of_table.outcome, rejections=cuts)
            of_table.outcome = outcome
            if not dry_run:
                outcome = batch.write(planned, source, progress=progress)
        return ColumnsResult.of(outcome, of_table)

    # Reading

    def _read(self, distinct_id: object) -> dict[str, Json] | None:
        row = self.row(distinct_id)
        return None if row is None else row[0]

    def row(self, distinct_id: object) -> tuple[dict[str, Json], pd.Timestamp | None] | None:
        """Return a dict of a profile's properties and its Updated At, for forms."""
        key = normalise_id(distinct_id)
        with self._engine.lock, self._engine.reading() as moment:
            row = moment.state(self._group_key).row(key)
        if row is None:
            return None
        properties = {name: copied(value) for name, value in row.properties.items()}
        return properties, times.timestamp(row.last_seen)

    def __getitem__(self, distinct_id: object) -> dict[str, Json]:
        """Return a profile's properties as a dict of its own: null is None, absent is missing.

        Changing the dict changes nothing else (COPY-1); ``profiles.set`` writes.
        """
        properties = self._read(distinct_id)
        if properties is None:
            key = normalise_id(distinct_id)
            raise ProfileNotFoundError(f"no profile {key!r}{near_id(key, self)}")
        return properties

    def __setitem__(self, distinct_id: object, properties: object) -> NoReturn:
        raise ReadOnlyError(
            f"a profile is changed by operators: profiles.set({quoted(distinct_id):.60}, {{…}}) "
            "writes properties, profiles.delete(…) comes first to replace the whole profile"
        )

    def __delitem__(self, distinct_id: object) -> NoReturn:
        raise ReadOnlyError(
            f"a profile is deleted by an operator: profiles.delete({quoted(distinct_id):.60}); "
            f"profiles.unset({quoted(distinct_id):.60}, …) deletes some of its properties"
        )

    def get(self, distinct_id: object, default: _T | None = None) -> dict[str, Json] | _T | None:
        """Return a profile's properties as a dict of its own, *default* if there is none."""
        properties = self._read(distinct_id)
        return default if properties is None else properties

    def last_seen(self, distinct_id: object) -> pd.Timestamp | None:
        """Return a profile's Updated At in UTC, None if it has none (SEEN-1).

        Raises
        ------
        ProfileNotFoundError
            If there is no such profile.
        """
        row = self.row(distinct_id)
        if row is None:
            key = normalise_id(distinct_id)
            raise ProfileNotFoundError(f"no profile {key!r}{near_id(key, self)}")
        return row[1]

    def title(self, distinct_id: object) -> str:
        """Return the profile's title: its name, else first and last name, e-mail, distinct ID."""
        return title(self[distinct_id], normalise_id(distinct_id))

    def __contains__(self, distinct_id: object) -> bool:
        try:
            return self._read(distinct_id) is not None
        except InexactIdError:  # ID-1: it may be one of several
            raise
        except InvalidIdError:
            return False

    def __len__(self) -> int:
        with self._engine.lock, self._engine.reading() as moment:
            return len(moment.state(self._group_key))

    def __iter__(self) -> Iterator[str]:
        """Iterate over the distinct IDs, in the order the profiles were created."""
        with self._engine.lock, self._engine.reading() as moment:
            return iter(list(moment.state(self._group_key)))

    @property
    def ids(self) -> pd.Index:
        """The distinct IDs, in the order the profiles were created."""
        return self.snapshot().index

    @property
    def properties(self) -> tuple[str, ...]:
        """The properties at least one profile has, in the order of their first write.

        The hidden ``$bucket`` and ``bucket`` are left out.
        """
        return tuple(name for name in self.snapshot().names if name not in HIDDEN)

    def snapshot(self, progress: Progress = silent) -> Snapshot:
        """Return all profiles as columns: the same object until something changes.

        *progress* is called while they are read from the file; what it raises stops that.
        """
        with self._engine.lock, self._engine.reading() as moment:
            return moment.snapshot(self._group_key, progress)

    @property
    def frame(self) -> pd.DataFrame:
        """All profiles as a new DataFrame; editing it never changes the table (COPY-1).

        ``frame.loc["1", "plan"] = "pro"`` changes your frame alone; ``profiles.set(frame)``
        then writes what differs.

        The index is ``distinct_id``, in the order the profiles were created. There is
        one column per property, in the order of the first write, and ``$last_seen`` last
        (``datetime64[us, UTC]``). Integers are ``Int64``, numbers with fractions
        ``float64``, booleans ``boolean``, text ``str``; absent is missing. A column
        that holds a null, or values of several types, is ``object``: None is null and
        NaN is absent there. ``frame.convert_dtypes()`` turns nulls into missing
        values. The hidden ``$bucket`` and ``bucket`` are left out.
        """
        snapshot = self.snapshot()
        return snapshot.frame([name for name in snapshot.names if name not in HIDDEN])

    def where(self, expression: Expression | str) -> ProfileView:
        """Return the profiles for which an expression is true, as they are now.

        Parameters
        ----------
        expression
            Such as ``user["plan"] == "pro"``, as an object or as text.

        Examples
        --------
        >>> profiles = ProfileTable()
        >>> profiles.apply([
        ...     {"$distinct_id": "1", "$set": {"plan": "pro"}},
        ...     {"$distinct_id": "2", "$set": {"plan": "free"}},
        ... ])
        <ApplyResult: 2 applied, 2 created>
        >>> list(profiles.where('user["plan"] == "pro"'))
        ['1']
        """
        condition = as_expression(expression)
        snapshot = self.snapshot()
        selection = snapshot.keep(
            mask_of(condition, SnapshotScope(snapshot, self.group_key, partial(saved_ids, self)))
        )
        return ProfileView(selection, str(condition), self.group_key)

    # The past

    def history(self, distinct_id: object) -> pd.DataFrame:
        """Return every update of a profile, in the order of arrival.

        Returns
        -------
        DataFrame
            A row for each property an operator named: ``time`` (when it happened: the
            ``$time`` sent, else the arrival) and ``arrived`` (``datetime64[us, UTC]``),
            ``batch_id``, ``source``, ``operator``, ``property``, ``old`` and ``new`` (NaN
            where there was nothing). A ``$delete`` is one row, with the whole profile as
            ``old``. Empty for an ID that no update ever named.
        """
        return history_frame(effects_of(self._updates(distinct_id)))

    def explain(self, distinct_id: object, name: str) -> Explanation:
        """Return, in words, the updates that made a property what it is.

        Examples
        --------
        >>> profiles = ProfileTable()
        >>> profiles.set("1", {"n": 1}).applied, profiles.add("1", {"n": 2}).applied
        (1, 1)
        >>> for sentence in profiles.explain("1", "n").sentences[1:]:
        ...     print(sentence.split("Z: ")[1])
        $set 1 made it 1 (batch 1, set)
        $add 2 made 1 into 3 (batch 2, add)
        """
        if not is_text(name):
            raise ArgumentError(f"name={quoted(name):.60}; the name of a property is needed")
        return explain(normalise_id(distinct_id), name, self._updates(distinct_id))

    def _updates(self, distinct_id: object) -> list[Update]:
        key = normalise_id(distinct_id)
        with self._engine.lock, self._engine.reading() as moment:
            return updates_of(moment.log, self._group_key, key)

    def past_of(self, distinct_id: object) -> ProfilePast:
        """Return one profile through time, in effective time as :meth:`as_of` has it.

        What a slider over the past of one profile is built on: only the profile's own
        updates are read, once, and replayed for each moment asked for.

        Examples
        --------
        >>> profiles = ProfileTable()
        >>> _ = profiles.set("1", {"plan": "free"}, time="2026-01-01")
        >>> _ = profiles.set("1", {"plan": "pro"}, time="2026-02-01")
        >>> past = profiles.past_of("1")
        >>> past.at(past.moments[0]).properties
        {'plan': 'free'}
        """
        key = normalise_id(distinct_id)
        with self._engine.lock, self._engine.reading() as moment:
            return past_of(moment.log, self._group_key, key)

    def as_of(self, time: object = None, *, batch: int | None = None) -> ProfileTable:
        """Return the table as it was, as a table that cannot be changed.

        Parameters
        ----------
        time
            The profiles at that moment, from all updates that had *happened* by then,
            in the order they happened: by their ``$time``, else their arrival. An update
            that arrived late counts from the time it names. Unix seconds or
            milliseconds, ISO 8601 text, a datetime.
        batch
            Instead of *time*: the table as it was once that batch had *arrived*. 0 is
            the empty table.
        """
        if (time is None) == (batch is None):
            raise ArgumentError(
                "give a time or a batch, such as as_of('2026-05-01') or as_of(batch=3)"
            )
        key = self._group_key
        with self._engine.lock, self._engine.reading() as now:
            if batch is None:
                moment = _moment_asked(time)
                moment_text = f"as of {times.iso(moment)}"
                snapshot = snapshot_as_of(now.log, key, moment)
            else:
                number = _batch_number(batch, now.log.last())
                moment_text = f"after batch {number}"
                snapshot = state_after(now.log, key, number).snapshot()
        table = self._beside(Engine.of_the_past({key: snapshot}, moment_text), key)
        table._groups_then = lambda key: self.groups(key).as_of(time, batch=batch)
        return table

    def timeline(self, name: str) -> Timeline:
        """Return how a property changed, in all profiles, in effective time.

        What ``at="event time"`` is built on; worked out once until something changes.
        """
        if not is_text(name):
            raise ArgumentError(f"name={quoted(name):.60}; the name of a property is needed")
        if self._engine.past_moment is not None:
            raise ReadOnlyError(
                f"these are the profiles {self._engine.past_moment}; to join events with the "
                "state at their time, give the table itself"
            )
        with self._engine.lock, self._engine.reading() as moment:
            version = (moment.log.last(), moment.log.compaction())
            if self._timelines[0] != version:
                self._timelines = (version, {})
            timelines = self._timelines[1]
            if name not in timelines:
                timelines[name] = timeline(moment.log, self._group_key, name)
            return timelines[name]

    def diff(self, before: object, after: object = None) -> pd.DataFrame:
        """Return what differs between two moments, one row per cell.

        Parameters
        ----------
        before, after
            Times as for :meth:`as_of`, or tables. *after* is the table as it is now by
            default.

        Returns
        -------
        DataFrame
            ``distinct_id``, ``property`` (None for the profile itself), ``change``
            (``"created"``, ``"deleted"``, ``"added"``, ``"changed"``, ``"removed"``),
            ``old``, ``new``.
        """
        tables = [
            each if isinstance(each, ProfileTable | ProfileView) else self.as_of(each)
            for each in (before, self if after is None else after)
        ]
        return difference_frame(compare_snapshots(*(table.snapshot() for table in tables)))

    def undo(
        self, batch_id: int, *, only_untouched: bool = False, progress: bool | Progress = False
    ) -> ApplyResult:
        """Put back what a batch changed, as a new batch; the log keeps both.

        Profiles the batch created are deleted, those it deleted are written again (last
        in the table), and cells get their old values. Updated At stays. Batches that
        hold updates of groups are undone in all their tables.

        Parameters
        ----------
        batch_id
            As in :attr:`batches`, or in the result of the call that made it.
        only_untouched
            Whether to leave what later updates wrote to, and undo the rest.
        progress
            Whether to show a bar if it takes more than a second. Or a function to call now
            and then, as in :func:`toolkit.import_csv`; what it raises leaves the table as it was.

        Raises
        ------
        UndoError
            If there is no such batch, it is undone already, or later updates wrote to
            what it changed; those are in ``conflicts``. Nothing is changed then. It is
            ``toolkit.errors.UndoError``.
        ArgumentError
            If *batch_id* is not a whole number.
        """
        return self._put_back("undo", batch_id, only_untouched, progress)

    def _put_back(
        self, what: str, batch_id: int, only_untouched: bool, progress: bool | Progress
    ) -> ApplyResult:
        number = _batch_number(batch_id)
        check_flag("only_untouched", only_untouched, ArgumentError)
        limited = self._limits is not None
        with watched_by(progress) as notice, self._engine.lock, self._engine.writing() as batch:
            put_back = batch.undo if what == "undo" else batch.redo
            return ApplyResult.of(
                put_back(number, only_untouched=only_untouched, limited=limited, progress=notice)
            )

    def compact(self, keep: object, *, dry_run: bool = False) -> CompactReport:
        """Forget the history before a moment, so that the file shrinks; return what was done.

        The latest state stays as it is, and so does all that happened since the moment.
        What was before can no longer be asked for (:meth:`as_of`, ``at="event time"``) or
        undone; :meth:`history` begins with what each profile was then. Tables of groups
        are compacted too. This cannot be undone.

        Parameters
        ----------
        keep
            What stays: a duration before now (``"90d"``, a timedelta), a moment
            (``"2026-05-01"``, a date or datetime), or a number of batches, the latest ones.
        dry_run
            Whether only to say what would be done.

        Raises
        ------
        ArgumentError
            If *keep* is none of these, or a moment to come.

        Notes
        -----
        COMPACT-1: no profile changes. COMPACT-2: the past from that moment on is what it
        was. COMPACT-3: an update that arrives later and names an earlier time counts, in
        the past, from that moment.

        Examples
        --------
        >>> profiles = ProfileTable()
        >>> for plan in ("free", "basic", "pro"):
        ...     _ = profiles.set("1", {"plan": plan})
        >>> profiles.compact(keep=1).batches
        2
        >>> profiles["1"], len(profiles.history("1"))
        ({'plan': 'pro'}, 2)
        """
        return compact(self._engine, keep, dry_run=check_flag("dry_run", dry_run, ArgumentError))

    def backup(
        self,
        path: str | PathLike[str],
        *,
        overwrite: bool = False,
        progress: bool | Progress = False,
    ) -> BackupReport:
        """Write a copy of the whole table, its past included, to a file; return what was written.

        Others may read and write meanwhile: the copy is of one moment, and one file, without
        a ``-wal`` next to it. It is there when it is whole, and not before. All tables of
        groups, saved cohorts and templates go with it; so do those of a table in memory.

        Parameters
        ----------
        path
            Where it goes.
        overwrite
            Whether to take the place of a file that is there.
        progress
            Whether to show a bar if it takes more than a second. Or a function to call now
            and then, as in :func:`toolkit.import_csv`; what it raises leaves everything as it was.

        Raises
        ------
        StoreExistsError
            If a file is there, unless *overwrite*.
        StoreError
            If the copy cannot be written.

        Examples
        --------
        >>> import tempfile
        >>> profiles = ProfileTable()
        >>> _ = profiles.set("1", {"plan": "free"})
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report = profiles.backup(folder + "/copy.db")
        ...     with ProfileTable(report.path) as copy:
        ...         copy["1"], len(copy.history("1"))
        ({'plan': 'free'}, 1)
        """
        check_flag("overwrite", overwrite, ArgumentError)
        with watched_by(progress, " steps") as notice:
            return back_up(self._engine, path, overwrite=overwrite, progress=notice)

    def check(self, *, repair: bool = False) -> CheckReport:
        """Replay the log of the file and compare it with the profiles it holds.

        Parameters
        ----------
        repair
            Whether to rebuild the profiles from the log where they differ.

        Raises
        ------
        StoreError
            If the table is in memory.
        """
        return check(self._engine, repair=check_flag("repair", repair, ArgumentError))

    def redo(
        self, batch_id: int, *, only_untouched: bool = False, progress: bool | Progress = False
    ) -> ApplyResult:
        """Undo the undo of a batch. Parameters and errors as for :meth:`undo`."""
        return self._put_back("redo", batch_id, only_untouched, progress)

    @property
    def batches(self) -> pd.DataFrame:
        """The batches of the log, oldest first: a row each.

        The index is ``batch_id``; columns ``time`` (of arrival, ``datetime64[us, UTC]``),
        ``source``, the counts ``messages``, ``created``, ``updated``, ``deleted``,
        ``unchanged``, ``rejected``, and ``undoes`` (``Int64``), the batch it undoes.
        """
        with self._engine.lock, self._engine.reading() as moment:
            batches = moment.log.batches()
        data: dict[str, Any] = {"batch_id": [batch.id for batch in batches]}
        at = np.array([batch.time for batch in batches], "M8[us]")
        data["time"] = pd.DatetimeIndex(at).tz_localize("UTC")
        data["source"] = [batch.source for batch in batches]
        for name in ("messages", "created", "updated", "deleted", "unchanged", "rejected"):
            data[name] = [batch.counts[name] for batch in batches]
        data["undoes"] = pd.array([batch.undoes for batch in batches], "Int64")
        return pd.DataFrame(data).set_index("batch_id")

    def __dir__(self) -> list[str]:
        return completions(self, _INTERNAL)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            """Say what was probably meant by a name that there is not."""
            said = f"{type(self).__name__!r} object has no attribute {name!r}"
            hint = "" if name.startswith("_") else _meant(name)
            raise AttributeError(f"{said}{hint}", name=name, obj=None)

    def __eq__(self, other: object) -> bool:
        """Whether both are the same table; two tables are compared by :meth:`diff`."""
        if isinstance(other, ProfileTable):
            if self._engine is other._engine and self._group_key == other._group_key:
                return True
        elif not isinstance(other, ProfileView | pd.DataFrame):
            return NotImplemented
        raise ComparisonError(
            "== does not tell how profiles differ; profiles.diff(other) lists it, and is empty "
            "where they are the same. For a DataFrame: profiles.frame.equals(other)"
        )

    def __hash__(self) -> int:
        return hash((id(self._engine), self._group_key))

    def __copy__(self) -> NoReturn:
        raise CopyError(
            "a table is not copied by copy or pickle: both would write to one log. "
            "profiles.backup(path) writes a copy with its past to a file, profiles.as_of(batch=…) "
            "is the table as it was, profiles.frame its values. In another process open the file "
            "again: ProfileTable(path)"
        )

    def __deepcopy__(self, memo: object) -> NoReturn:
        self.__copy__()

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        self.__copy__()

    def __repr__(self) -> str:
        if self._engine.store is not None and self._engine.store.is_closed:
            return f"<ProfileTable: closed, {self.path}>"
        kind = f"{'user' if self._group_key == USERS else self._group_key} profile"
        where = self._engine.past_moment
        if where is None:
            where = "in memory" if self.path is None else f"in {self.path}"
            where += ", to read only" if self.is_read_only else ""
        return f"<ProfileTable: {count(len(self), kind)} {where}>"

    def _repr_html_(self) -> str:
        snapshot = self.snapshot()
        return shown(snapshot, repr(self)[1:-1].removeprefix("ProfileTable: "))


def as_table(profiles: Any, *, views: bool = False) -> Any:
    """Return a table; with *views*, or profiles picked out of one.

    Raises
    ------
    ArgumentError
        If it is something else.
    """
    if isinstance(profiles, ProfileTable) or (views and isinstance(profiles, ProfileView)):
        return profiles
    # Events are known by their columns: they are in a room below.
    is_events = isinstance(profiles, pd.DataFrame) or hasattr(profiles, "event_column")
    hint = SWAPPED if is_events else ""
    raise ArgumentError(
        f"profiles is of type {type(profiles).__name__}; a ProfileTable is needed{hint}"
    )


def _first_of_each(ignored: Iterable[Rejection]) -> list[Rejection]:
    """Return a warning for each field ignored, from the first message that has it."""
    by_field: dict[str | None, list[Rejection]] = {}
    for each in ignored:
        by_field.setdefault(each.operator, []).append(each)
    return [
        replace(first, reason=f"{first.reason} {count(1 + len(more), 'message')} had it.")
        if more
        else first
        for first, *more in by_field.values()
    ]


def _several_ids(distinct_id: object) -> list[Any] | None:
    """Return the distinct IDs if several are given, each once; None if it is one (MANY-1)."""
    if isinstance(distinct_id, pd.DataFrame):
        raise ArgumentError(
            'a DataFrame is not a distinct ID; give a column of it, such as frame["distinct_id"]'
        )
    if isinstance(distinct_id, str | bytes | bytearray | Mapping) or not isinstance(
        distinct_id, Iterable
    ):
        return None
    try:
        ids = list(distinct_id)
    except TypeError:  # an array without dimensions
        return None
    return list({_same_id(place, each): each for place, each in enumerate(ids)}.values())


def _same_id(place: int, distinct_id: object) -> object:
    """Return what equal IDs share; what is not an ID is like no other, and is rejected later."""
    try:
        return normalise_id(distinct_id)
    except InvalidIdError:
        return place


def _moment_asked(time: object) -> int:
    """Return a moment of the past; of a small number the error names the batch (TIME-1)."""
    try:
        return times.parse_time(time)
    except InvalidTimeError as error:
        # NumPy has its lengths of time for whole numbers.
        is_number = isinstance(time, Integral) and not isinstance(time, bool | np.timedelta64)
        if not (is_number and 0 <= time < 1900):  # type: ignore[operator]
            raise
        raise InvalidTimeError(
            f"{error}. It looks like the number of a batch; give as_of(batch={time})"
        ) from None


def _batch_number(batch_id: object, last: int | None = None) -> int:
    """Return the number of a batch, with *last* one from 0 to that; True is not one."""
    is_number = isinstance(batch_id, Integral) and not isinstance(batch_id, bool | np.timedelta64)
    if last is None and not is_number:
        raise ArgumentError(
            f"batch_id={batch_id!r}; the number of a batch is needed, as profiles.batches has it"
        )
    if last is not None and not (is_number and 0 <= batch_id <= last):  # type: ignore[operator]
        raise ArgumentError(f"batch={quoted(batch_id)}; a number from 0 to {last} is needed")
    return int(batch_id)  # type: ignore[call-overload, no-any-return]


#: What the operators are called elsewhere.
_OTHER_NAMES: Final = {
    "increment": "add",
    "track_charge": "append",
    "update": "set",
    "delete_user": "delete",
    "drop": "delete",
    "filter": "where",
    "query": "where",
    "save": "backup",
}


def _meant(name: str) -> str:
    """Return which method was probably meant, to follow another sentence."""
    if name in _OTHER_NAMES:
        return f'. Did you mean "{_OTHER_NAMES[name]}"?'
    public = [each for each in dir(ProfileTable) if not each.startswith("_")]
    hint = did_you_mean(name, [each for each in public if each not in _INTERNAL])
    if not hint and name.startswith("update"):
        hint = ' Did you mean "set"?'
    return f".{hint}" if hint else ""
