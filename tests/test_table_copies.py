"""Tables are not copied, pickled or compared in silence."""

from __future__ import annotations

import copy
import importlib
import pickle
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from toolkit.base import errors
from toolkit.profiles.table import ProfileTable


@pytest.mark.parametrize("on_disk", [False, True])
@pytest.mark.parametrize(
    "how",
    [
        copy.copy,
        copy.deepcopy,
        pickle.dumps,
        lambda table: copy.deepcopy({"tables": [table]}),
        lambda table: pickle.dumps([table], protocol=0),
    ],
)
def test_a_table_that_is_copied_or_pickled_says_what_to_do(
    how: Callable[[Any], Any], on_disk: bool, tmp_path: Path
) -> None:
    with ProfileTable(tmp_path / "shop.db" if on_disk else None) as profiles:
        profiles.set("1", {"a": 1})
        for table in (profiles, profiles.groups("company"), profiles.as_of(batch=1)):
            with pytest.raises(errors.CopyError, match=r"profiles\.backup\(path\)") as refused:
                how(table)
            assert isinstance(refused.value, TypeError)


def test_two_tables_are_compared_by_diff() -> None:
    one, other = ProfileTable(), ProfileTable()
    for table in (one, other):
        table.set("1", {"a": 1})
    assert one == one
    assert one.groups("company") == one.groups("company")
    assert hash(one.groups("company")) == hash(one.groups("company"))
    assert one in [one] and {one: 1}[one] == 1
    assert one != None and one != "x" and one != 1  # noqa: E711
    for compare in (
        lambda: one == other,
        lambda: one != other,
        lambda: one == one.groups("company"),
        lambda: one == one.where('user["a"] == 1'),
        lambda: one == one.frame,
        lambda: one in [other],
    ):
        with pytest.raises(errors.ComparisonError, match=r"profiles\.diff\(other\)"):
            compare()
    assert one.diff(other).empty
    other.set("1", {"a": 2})
    assert len(one.diff(other)) == 1


def test_large_tables_are_compared_by_columns_one_property_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cells, properties = 20_000, 80
    tables = [ProfileTable(), ProfileTable()]
    for plus, table in enumerate(tables):
        frame = pd.DataFrame({f"p{n}": range(n, n + cells) for n in range(properties)})
        table.set(frame.assign(distinct_id=frame.index, last=range(plus, plus + cells)))
    one, other = tables
    assert len(one.snapshot()) == len(other.snapshot()) == cells

    monkeypatch.setattr(importlib.import_module("toolkit.columns.differences"), "Difference", None)
    tracemalloc.start()
    try:
        changes = one.diff(other)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert changes["change"].tolist() == ["changed"] * cells
    assert changes["old"].tolist() == list(range(1, 1 + cells))
    assert peak < properties * cells * 8
