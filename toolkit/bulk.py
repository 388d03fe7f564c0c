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
import pyarrow.parquet as pq

from toolkit import times
from toolkit.columns import IS_ABSENT, IS_NULL, IS_VALUE, Column, Positions
from toolkit.log import LoggedColumns
from toolkit.messages import Message, Rejection, parse_message
from toolkit.reserved import LAST_SEEN
from toolkit.snapshot import Snapshot
from toolkit.values import ABSENT, loads, loads_many, texts_where


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
        told = str(error).partition("\n")[0][:120]
        raise UnreadableError(f"{what} cannot be read ({told})") from error


#: Rows a Parquet file: each is one value in SQLite, which holds up to a gigabyte.
ROWS: Final = 250_000

_ID: Final = "$distinct_id"
_TIME: Final = "$time"
_KIND: Final = b"kind"
_NAME: Final = b"name"
_TYPES: Final = {"bool": pa.bool_(), "int": pa.int64(), "float": pa.float64()}


def written_columns(logged: LoggedColumns) -> Iterator[tuple[int, bytes]]:
    """Yield a bulk import as (rows, Parquet file) in parts."""
    extras = {} if logged.times is None else {_TIME: logged.times}
    return _written(logged.ids, logged.columns, extras)


def read_columns(
    content: bytes, seen: int | None, group_key: str, time: int | None
) -> LoggedColumns:
    """Return one part of a bulk import."""
    with readable("the columns of an import"):
        ids, columns, extras = _read(content)
    return LoggedColumns(ids, columns, seen, group_key, time, extras.get(_TIME))


def written_snapshot(snapshot: Snapshot) -> Iterator[tuple[int, bytes]]:
    """Yield a snapshot as (rows, Parquet file) in parts."""
    return _written(snapshot.ids, snapshot.columns, {LAST_SEEN: snapshot.last_seen})


def read_snapshot(contents: Iterable[bytes]) -> Snapshot | None:
    """Return the snapshot of all its parts, None if there are none."""
    with readable("profiles as Parquet"):
        parts = [_read(content) for content in contents]
        if not parts:
            return None
        columns = {name: Column.joined([part[1][name] for part in parts]) for name in parts[0][1]}
        seen = np.concatenate([part[2][LAST_SEEN] for part in parts])
        return Snapshot(pa.concat_arrays([part[0] for part in parts]), columns, seen)


def _written(
    ids: pa.Array, columns: Mapping[str, Column], extras: Mapping[str, Positions]
) -> Iterator[tuple[int, bytes]]:
    """Yield IDs, extra whole-number fields and properties as (rows, Parquet file)."""
    for start in range(0, len(ids), ROWS):
        stop = min(start + ROWS, len(ids))
        part = np.arange(start, stop, dtype=np.int64)
        fields = [pa.field(_ID, pa.large_string())]
        arrays: list[Any] = [ids.slice(start, stop - start)]
        for name, numbers in extras.items():
            fields.append(pa.field(name, pa.int64()))
            arrays.append(pa.array(numbers[start:stop], pa.int64()))
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


def _read(content: bytes) -> tuple[pa.Array, dict[str, Column], dict[str, Positions]]:
    """Return IDs, properties and extra fields."""
    table = pq.read_table(pa.BufferReader(content))
    columns: dict[str, Column] = {}
    extras: dict[str, Positions] = {}
    for at, field in enumerate(table.schema):
        array = table.column(at).combine_chunks()
        if at == 0:
            ids = array.cast(pa.large_string())
        elif field.metadata is None or _NAME not in field.metadata:
            extras[field.name] = array.to_numpy()
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
        table = pq.read_table(pa.BufferReader(content))
        positions = table.column("position").to_pylist()
        texts = table.column("message").to_pylist()
        return [
            (position, logged_message(raw))
            for position, raw in zip(positions, loads_many(texts), strict=True)
        ]


def logged_message(raw: str | dict[str, Any]) -> Message:
    """Return a message of the log, which was valid when it was written."""
    rejected: list[Rejection] = []
    with readable("a message of the log"):
        logged = loads(raw) if isinstance(raw, str) else raw
        seen = None
        if isinstance(logged, dict) and LAST_SEEN in logged:
            seen = times.parse_time(logged[LAST_SEEN])
            logged = {name: value for name, value in logged.items() if name != LAST_SEEN}
        message = parse_message(logged, 0, rejected)
    if message is None or rejected:
        raise UnreadableError(f"a message of the log is no message: {rejected[0].reason}")
    return message if seen is None else replace(message, seen=seen)


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
