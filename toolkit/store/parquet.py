"""Large batches and checkpoints as Parquet files, readable by any tool that reads Parquet.

Whole columns keep their types; a column of mixed values, or with JSON nulls in
it, is written as JSON text. A Parquet null is an absent cell.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from toolkit.base import ABSENT, LAST_SEEN, NO_TIME, dumps, loads, loads_many, texts_where, times
from toolkit.columns import IS_ABSENT, IS_NULL, IS_VALUE, Column, Mask, Snapshot
from toolkit.updates import (
    USERS,
    ColumnarUpdates,
    Message,
    Rejection,
    message_of_log,
    parse_message,
)


class UnreadableError(Exception):
    """Bytes that are not what was written; the text says of what."""


@contextmanager
def readable(what: str) -> Iterator[None]:
    """Say of what the bytes are that cannot be read inside."""
    try:
        yield
    except (ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError) as error:
        raise UnreadableError(f"{what} cannot be read ({error!r})") from error
    except (OSError, TypeError, ValueError, pa.ArrowException) as error:
        detail = str(error).partition("\n")[0][:120]
        raise UnreadableError(f"{what} cannot be read ({detail})") from error


#: Rows a Parquet file: each is one value in SQLite, which holds up to a gigabyte.
ROWS: Final = 250_000

_ID: Final = "$distinct_id"
_TIME: Final = "$time"
_DELETE: Final = "$delete"
_UNSET: Final = "$unset"
#: How a message to a group begins.
_GROUP_FIRST: Final = '{"$group_key":'
_KIND: Final = b"kind"
_NAME: Final = b"name"
_NAMES: Final = b"names"
_TYPES: Final = {"bool": pa.bool_(), "int": pa.int64(), "float": pa.float64()}


def written_updates(updates: ColumnarUpdates) -> Iterator[tuple[int, bytes]]:
    """Yield updates in whole columns as (rows, Parquet file) in parts."""
    extras: dict[str, pa.Array] = {}
    notes: dict[str, dict[bytes, bytes]] = {}
    if updates.times is not None:
        extras[_TIME] = pa.array(updates.times, pa.int64())
    if updates.deleted is not None and updates.deleted.any():
        extras[_DELETE] = pa.array(updates.deleted)
    if updates.unset:
        extras[_UNSET] = _lists_of_names(updates.unset, len(updates))
        # The names in the order in which a row lists them: no row need list them all.
        notes[_UNSET] = {_NAMES: dumps(list(updates.unset)).encode()}
    if updates.form == "edits" and ((moves := updates.moves) != NO_TIME).any():
        extras[LAST_SEEN] = pa.array(moves, pa.int64(), mask=moves == NO_TIME)
    return _written(updates.ids, updates.columns, extras, notes)


def read_updates(content: bytes, about: ColumnarUpdates) -> ColumnarUpdates:
    """Return one part of updates in whole columns, for which *about* says what all share."""
    with readable("updates in columns"):
        ids, columns, extras = _read(content)
        unset: dict[str, Mask] = {}
        if _UNSET in extras:
            notes = pq.read_schema(_reader(content)).field(_UNSET).metadata
            unset = _masks_of_names(extras[_UNSET], loads_many([notes[_NAMES].decode()])[0])
        deleted = extras[_DELETE].to_numpy(zero_copy_only=False) if _DELETE in extras else None
        seen = (
            extras[LAST_SEEN].fill_null(NO_TIME).to_numpy() if LAST_SEEN in extras else about.seen
        )
        times_ = extras[_TIME].to_numpy() if _TIME in extras else None
    return replace(
        about, ids=ids, columns=columns, seen=seen, times=times_, unset=unset, deleted=deleted
    )


def _lists_of_names(masks: Mapping[str, Mask], length: int) -> pa.Array:
    """Return for each row the names whose mask is true there."""
    positions = [np.flatnonzero(mask) for mask in masks.values()]
    rows = np.concatenate(positions)
    codes = np.repeat(np.arange(len(positions)), [len(each) for each in positions])
    order = np.argsort(rows, kind="stable")
    stops = np.cumsum(np.bincount(rows, minlength=length))
    offsets = pa.array(np.concatenate([[0], stops]), pa.int32())
    names = pa.array(list(masks), pa.string()).take(pa.array(codes[order]))
    return pa.ListArray.from_arrays(offsets, names)


def _masks_of_names(lists: pa.Array, names: list[str]) -> dict[str, Mask]:
    """Return for each of the names in which rows it is."""
    rows = pc.list_parent_indices(lists).to_numpy()
    encoded = pc.list_flatten(lists).dictionary_encode()
    codes = encoded.indices.to_numpy()
    masks: dict[str, Mask] = {name: np.zeros(len(lists), np.bool_) for name in names}
    for code, name in enumerate(encoded.dictionary.to_pylist()):
        masks[name][rows[codes == code]] = True
    return masks


def written_snapshot(snapshot: Snapshot) -> Iterator[tuple[int, bytes]]:
    """Yield a snapshot as (rows, Parquet file) in parts."""
    extras = {LAST_SEEN: pa.array(snapshot.last_seen, pa.int64())}
    return _written(snapshot.ids, snapshot.columns, extras)


def read_snapshot(contents: Iterable[bytes]) -> Snapshot | None:
    """Return the snapshot of all its parts, None if there are none."""
    with readable("profiles as Parquet"):
        parts = [_read(content) for content in contents]
        if not parts:
            return None
        columns = {name: Column.joined([part[1][name] for part in parts]) for name in parts[0][1]}
        seen = np.concatenate([part[2][LAST_SEEN].to_numpy() for part in parts])
        return Snapshot(pa.concat_arrays([part[0] for part in parts]), columns, seen)


def _written(
    ids: pa.Array,
    columns: Mapping[str, Column],
    extras: Mapping[str, pa.Array],
    notes: Mapping[str, Mapping[bytes, bytes]] | None = None,
) -> Iterator[tuple[int, bytes]]:
    """Yield IDs, extra fields (with *notes* on them) and properties as (rows, Parquet file)."""
    for start in range(0, len(ids), ROWS):
        stop = min(start + ROWS, len(ids))
        part = np.arange(start, stop, dtype=np.int64)
        fields = [pa.field(_ID, pa.large_string())]
        arrays: list[Any] = [ids.slice(start, stop - start)]
        for name, extra in extras.items():
            fields.append(pa.field(name, extra.type, metadata=(notes or {}).get(name)))
            arrays.append(extra.slice(start, stop - start))
        for name, column in columns.items():
            kind, array = _to_arrow(column.take(part))
            # The field's name is for people, and no two fields may share one.
            shown = name or "(empty name)"
            while shown in (_ID, *extras) or (shown != name and shown in columns):
                shown += "'"
            metadata = {_KIND: kind.encode(), _NAME: name.encode()}
            fields.append(pa.field(shown, array.type, metadata=metadata))
            arrays.append(array)
        yield stop - start, _parquet(pa.Table.from_arrays(arrays, schema=pa.schema(fields)))


def _read(content: bytes) -> tuple[pa.Array, dict[str, Column], dict[str, pa.Array]]:
    """Return IDs, properties and extra fields."""
    table = pq.read_table(_reader(content))
    columns: dict[str, Column] = {}
    extras: dict[str, pa.Array] = {}
    for at, field in enumerate(table.schema):
        array = table.column(at).combine_chunks()
        if at == 0:
            ids = array.cast(pa.large_string())
        elif field.metadata is None or _NAME not in field.metadata:
            extras[field.name] = array
        else:
            columns[field.metadata[_NAME].decode()] = _from_arrow(
                field.metadata[_KIND].decode(), array
            )
    return ids, columns, extras


def written_messages(messages: Sequence[tuple[int, Message]]) -> Iterator[tuple[int, bytes]]:
    """Yield many messages as (rows, Parquet file) in parts."""
    for start in range(0, len(messages), ROWS):
        part = messages[start : start + ROWS]
        table = pa.table(
            {
                "position": pa.array([position for position, _ in part], pa.int64()),
                "message": pa.array([message.as_text() for _, message in part], pa.large_string()),
            }
        )
        yield len(part), _parquet(table)


def read_messages(content: bytes) -> list[tuple[int, Message]]:
    """Return the messages of one part."""
    with readable("messages as Parquet"):
        table = pq.read_table(_reader(content))
        positions = table.column("position").to_pylist()
        texts = table.column("message").to_pylist()
        return list(zip(positions, logged_messages(texts), strict=True))


def holds(content: bytes, distinct_id: str) -> bool:
    """Return whether whole columns hold an ID, without unpacking the rest of them."""
    with readable("the distinct IDs of updates"):
        ids = pq.read_table(_reader(content), columns=[_ID]).column(0)
        return pc.index(ids, pa.scalar(distinct_id, ids.type)).as_py() >= 0  # type: ignore[no-any-return]


def messages_naming(content: bytes, distinct_id: str) -> list[tuple[int, Message]]:
    """Return the messages of one part in which an ID is, and so all that are for it."""
    with readable("messages as Parquet"):
        table = pq.read_table(_reader(content))
        named = pc.match_substring(table.column("message"), dumps(distinct_id))
        table = table.filter(pc.fill_null(named, True))
        positions = table.column("position").to_pylist()
        messages = logged_messages(table.column("message").to_pylist())
        return list(zip(positions, messages, strict=True))


def keys_of_messages(content: bytes) -> set[str]:
    """Return the group keys that the messages of one part are for."""
    with readable("messages as Parquet"):
        table = pq.read_table(_reader(content), columns=["message"])
        texts = table.column("message")
        of_groups = pc.fill_null(pc.starts_with(texts, _GROUP_FIRST), False)
        keys = {each["$group_key"] for each in loads_many(texts.filter(of_groups).to_pylist())}
        return keys if len(texts) == pc.sum(of_groups).as_py() else {USERS, *keys}


def logged_messages(texts: Sequence[str]) -> list[Message]:
    """Return messages of the log, which were valid when they were written."""
    with readable("a message of the log"):
        raw = loads_many(texts) if len(texts) > 1 else [*map(loads, texts)]
        if len(raw) != len(texts):
            raise ValueError("what is stored is not JSON")
        messages = [message_of_log(each) for each in raw]
        return [
            _parsed_again(each) if message is None else message
            for each, message in zip(raw, messages, strict=True)
        ]


def _parsed_again(raw: Any) -> Message:
    """Return a message that is not as the log writes it; the parser says what is wrong with it."""
    rejected: list[Rejection] = []
    seen = None
    if isinstance(raw, dict) and LAST_SEEN in raw:
        seen = times.parse_time(raw[LAST_SEEN])
        raw = {name: value for name, value in raw.items() if name != LAST_SEEN}
    message = parse_message(raw, 0, rejected, ignored=rejected)
    if message is None or rejected:
        reason = rejected[0].reason
        raise UnreadableError(f"a message of the log is not a message: {reason}")
    return message if seen is None else replace(message, seen=seen)


def _reader(content: bytes) -> pa.BufferReader:
    """Return a file of Arrow's own memory.

    Its threads may let go of the content late, and one that does while the interpreter
    shuts down must not need the interpreter for it.
    """
    memory = pa.allocate_buffer(len(content))
    memoryview(memory).cast("B")[:] = content
    return pa.BufferReader(memory)


def _parquet(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", write_statistics=False)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def _to_arrow(column: Column) -> tuple[str, pa.Array]:
    if column.kind == "json" or (column.state == IS_NULL).any():
        return "json", column.as_json_text()
    absent = column.state == IS_ABSENT
    if column.kind == "text":
        return "text", texts_where(~absent, column.values)
    return column.kind, pa.array(column.values, _TYPES[column.kind], mask=absent)


def _from_arrow(kind: str, array: pa.Array) -> Column:
    if kind == "json":
        texts = array.to_pylist()
        cells = loads_many(["null" if text is None else text for text in texts])
        return Column.of(
            [ABSENT if text is None else cell for text, cell in zip(texts, cells, strict=True)]
        )
    missing = array.is_null().to_numpy(zero_copy_only=False)
    if kind == "text":
        return Column.of_array(array, ~missing)
    filled = array.fill_null(False if kind == "bool" else 0).to_numpy(zero_copy_only=False)
    state = np.where(missing, IS_ABSENT, IS_VALUE)
    return Column(kind, filled, state)  # type: ignore[arg-type]
