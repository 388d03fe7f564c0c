"""Files that Arrow reads, and has let go of when the reading ends.

Arrow reads ahead in threads of its own, and drops the stream in one of them, some time
after the last row. A thread that wants the interpreter to drop a Python object while the
interpreter shuts down ends the whole process (SIGABRT), after a short command more often
than not. So whoever reads waits until nothing of Python's is left with Arrow.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Generator
from contextlib import closing
from functools import partial
from os import PathLike
from typing import Any, Final, Protocol

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
from pyarrow.fs import LocalFileSystem

# It takes microseconds; a thread that never comes back must not hang the caller.
_PATIENCE: Final = 5.0
_PAUSE: Final = 0.000_1


class Stream(Protocol):
    """What bytes are read from."""

    def read(self, size: int = -1, /) -> bytes | None: ...


class _Loan:
    """A stream as Arrow gets it; nobody else holds this object."""

    closed = False

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes | None:
        return self._stream.read(size)

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True


def parquet_frame(path: str | PathLike[str]) -> pd.DataFrame:
    """Return a Parquet file, read without a stream of Python's.

    Given a path alone, pandas would open it and hand Arrow the open file.
    """
    return pd.read_parquet(path, filesystem=LocalFileSystem())


def csv_batches(
    stream: Stream,
    on_ragged_row: Callable[[Any], str],
    read: pa_csv.ReadOptions,
    parse: dict[str, Any],
    convert: pa_csv.ConvertOptions,
) -> closing[Generator[pa.RecordBatch]]:
    """Return the rows of a CSV file in batches, as a context: Arrow holds nothing after it.

    Parameters
    ----------
    stream
        The file, UTF-8.
    on_ragged_row
        Called for each row with more or fewer cells than the others; returns ``"skip"``.
        What it raises stops the reading.
    read, parse, convert
        Options of ``pyarrow.csv``; those of parsing as arguments.
    """
    return closing(_batches(stream, on_ragged_row, read, parse, convert))


def _batches(
    stream: Stream,
    on_ragged_row: Callable[[Any], str],
    read: pa_csv.ReadOptions,
    parse: dict[str, Any],
    convert: pa_csv.ConvertOptions,
) -> Generator[pa.RecordBatch]:
    loan = _Loan(stream)
    raised: list[BaseException] = []

    def handler(row: Any) -> str:
        try:
            return on_ragged_row(row)
        except BaseException as error:  # Arrow would drop it and report a ragged row
            raised.append(error)
            return "error"

    # A traceback may keep the function; Arrow holds this.
    lent = partial(handler)
    held = (weakref.ref(loan), weakref.ref(lent))
    reader = None
    try:
        options = pa_csv.ParseOptions(**parse, invalid_row_handler=lent)
        reader = pa_csv.open_csv(loan, read, options, convert)
        with reader:
            yield from reader
    except pa.ArrowInvalid:
        if raised:
            raise raised[0] from None
        raise
    finally:
        del reader, loan, lent
        options = None
        _wait_for(held)


def _wait_for(held: tuple[weakref.ref[Any], ...]) -> None:
    """Wait until none of these objects is there any more."""
    until = time.monotonic() + _PATIENCE
    while any(each() is not None for each in held) and time.monotonic() < until:
        time.sleep(_PAUSE)
