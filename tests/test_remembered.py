"""What forms keep beside the profiles."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from toolkit.base.errors import ReadOnlyError, StoreError
from toolkit.profiles.table import ProfileTable


@pytest.mark.parametrize("place", ["memory", "file"])
def test_values_are_kept_by_kind_and_name_the_last_one_last(place: str, tmp_path: Path) -> None:
    with ProfileTable(None if place == "memory" else tmp_path / "shop.db") as profiles:
        kept = profiles.remembered("templates")
        assert (list(kept), len(kept), kept.get("shop")) == ([], 0, None)

        kept["shop"], kept["club"] = {"columns": [1, None]}, {}
        kept["shop"] = {"columns": [2]}
        profiles.remembered("others")["shop"] = "x"

        assert list(profiles.remembered("templates")) == ["club", "shop"]
        assert kept["shop"] == {"columns": [2]}
        kept["shop"]["columns"].append(3)
        assert kept["shop"] == {"columns": [2]}
        del kept["shop"]
        assert list(kept) == ["club"]
        with pytest.raises(KeyError):
            del kept["shop"]
        assert profiles.remembered("others")["shop"] == "x"
        assert len(profiles.batches) == 0


def test_another_process_finds_what_a_file_remembers(tmp_path: Path) -> None:
    with ProfileTable(tmp_path / "shop.db") as profiles:
        profiles.remembered("templates")["it's"] = {"größe": 1}
        with ProfileTable(tmp_path / "shop.db") as other:
            assert other.remembered("templates")["it's"] == {"größe": 1}
            other.remembered("templates")["new"] = []
        assert list(profiles.remembered("templates")) == ["it's", "new"]
        assert profiles.check().is_sound


def test_a_file_that_remembers_nothing_has_no_table_for_it(tmp_path: Path) -> None:
    with ProfileTable(tmp_path / "shop.db") as profiles:
        assert profiles.remembered("templates").get("x") is None
    with sqlite3.connect(tmp_path / "shop.db") as database:
        names = [row[0] for row in database.execute("SELECT name FROM sqlite_master")]
    database.close()
    assert "remembered" not in names


def test_the_past_remembers_nothing_new() -> None:
    profiles = ProfileTable()
    profiles.set("u1", {})
    with pytest.raises(ReadOnlyError):
        profiles.as_of(batch=1).remembered("templates")["x"] = 1


def test_what_was_damaged_from_outside_is_said_so(tmp_path: Path) -> None:
    with ProfileTable(tmp_path / "shop.db") as profiles:
        profiles.remembered("templates")["x"] = 1
        with sqlite3.connect(tmp_path / "shop.db") as database:
            database.execute("UPDATE remembered SET value = '{'")
        database.close()
        with pytest.raises(StoreError, match="templates cannot be read"):
            list(profiles.remembered("templates"))
