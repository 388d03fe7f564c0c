"""The Parquet forms of the log and of checkpoints keep every cell exactly."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.strategies import NAMES
from tests.test_columns import cells, same
from toolkit.base.values import ABSENT
from toolkit.columns.column import Column
from toolkit.columns.snapshot import Snapshot
from toolkit.store import parquet as bulk
from toolkit.updates.columnar import ColumnarUpdates

LENGTH = 5
NAMED = [*NAMES, "$distinct_id", "(empty name)", "$distinct_id'", "a.b", "\x00"]

columns_of_cells = st.dictionaries(
    st.sampled_from(NAMED),
    cells.map(lambda found: (found + [ABSENT] * LENGTH)[:LENGTH]),
)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "ROWS", 2)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(columns_of_cells, st.lists(st.integers(-1, LENGTH - 1), min_size=LENGTH, max_size=LENGTH))
def test_what_was_written_is_read_back_exactly(
    given_cells: dict[str, list[Any]], picks: list[int]
) -> None:
    taken = np.array(picks, np.int64)
    columns = {name: Column.of(found).take(taken) for name, found in given_cells.items()}
    ids = pa.array([str(n) for n in range(LENGTH)], pa.large_string())
    snapshot = Snapshot(ids, columns, np.arange(LENGTH))
    again = bulk.read_snapshot(content for _, content in bulk.written_snapshot(snapshot))
    assert again is not None
    assert list(again.columns) == list(columns)
    assert again.last_seen.tolist() == list(range(LENGTH))
    for name, column in columns.items():
        assert same(again.columns[name].cells(), column.cells())
    given = ColumnarUpdates(ids, columns, 7, "company")
    parts = [bulk.read_updates(content, given) for _, content in bulk.written_updates(given)]
    assert [key for part in parts for key in part.ids.to_pylist()] == ids.to_pylist()
    for name, column in columns.items():
        logged = [cell for part in parts for cell in part.columns[name].cells()]
        assert same(logged, column.cells())


def test_any_tool_that_reads_Parquet_can_read_a_bulk_import() -> None:
    columns = {"n": Column.of([1, ABSENT]), "t": Column.of(["x", "y"]), "l": Column.of([[1], None])}
    ids = pa.array(["1", "2"], pa.large_string())
    [(rows, content)] = bulk.written_updates(ColumnarUpdates(ids, columns))
    frame = pd.read_parquet(io.BytesIO(content))
    assert rows == 2
    assert frame["t"].tolist() == ["x", "y"]
    assert frame["l"].tolist() == ["[1]", "null"]
    assert frame["n"].isna().tolist() == [False, True]
