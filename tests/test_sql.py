"""Questions in SQL: the file, asked by a connection that cannot write."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from toolkit.base import errors
from toolkit.profiles.table import ProfileTable

COUNT = "select count(*) as n from profiles"


def test_the_database_sees_what_is_written_and_cannot_write(tmp_path: Path) -> None:
    with ProfileTable(tmp_path / "shop #1?.db") as profiles, ProfileTable(profiles.path) as other:
        database = profiles.database
        assert list(database.query(COUNT)) == [{"n": 0}]
        profiles.set("1", {"plan": "pro"})
        other.set("2", {"plan": "free"})
        assert list(database.query(COUNT)) == [{"n": 2}]
        assert profiles.database is database
        assert profiles.groups("company").database is database
        for sql in ("delete from profiles", "update batches set source = ''", "drop table updates"):
            with pytest.raises(sqlite3.OperationalError, match="readonly database"):
                database.execute(sql)
        assert profiles.check().problems == ()
        assert profiles.set("1", {"plan": "basic"}).updated == 1


def test_what_is_read_row_by_row_keeps_nobody_from_writing(tmp_path: Path) -> None:
    with ProfileTable(tmp_path / "shop.db", timeout=0.5) as profiles:
        profiles.apply([{"$distinct_id": n, "$set": {"n": n}} for n in range(100)])
        rows = iter(profiles.database.query("select distinct_id from profiles"))
        next(rows)
        assert profiles.set("new", {"n": 1}).created == 1
        assert len(list(rows)) == 99
        assert list(profiles.database.query(COUNT)) == [{"n": 101}]


def test_profiles_without_a_file_say_how_to_get_one(tmp_path: Path) -> None:
    with ProfileTable(tmp_path / "shop.db") as profiles:
        profiles.set("1", {})
        for table, text in (
            (ProfileTable(), "in memory"),
            (profiles.as_of(batch=1), "after batch 1"),
        ):
            with pytest.raises(errors.StoreError, match=rf"{text}.*profiles\.backup"):
                _ = table.database


def test_a_closed_table_closes_its_database(tmp_path: Path) -> None:
    profiles = ProfileTable(tmp_path / "shop.db")
    database = profiles.database
    profiles.close()
    with pytest.raises(sqlite3.ProgrammingError):
        database.execute("select 1")
    with pytest.raises(errors.StoreError, match="was closed; open it again"):
        _ = profiles.database
    assert [path.name for path in tmp_path.iterdir()] == ["shop.db"]


def layout(path: Path) -> dict[str, Any]:
    """Return what the tables of a file are, whatever text they were made by."""
    with closing(sqlite3.connect(path)) as file:

        def ask(sql: str) -> list[Any]:
            return file.execute(sql).fetchall()

        tables = [name for (name,) in ask("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            table: (
                # Name, type, NOT NULL, primary key.
                [(row[1], row[2], row[3], row[5]) for row in ask(f"PRAGMA table_info ({table})")],
                sorted(row[2:5] for row in ask(f"PRAGMA foreign_key_list ({table})")),
                sorted(
                    (unique, [row[2] for row in ask(f"PRAGMA index_info ({index})")])
                    for _, index, unique, *_ in ask(f"PRAGMA index_list ({table})")
                ),
            )
            for table in sorted(tables)
        }


@pytest.mark.parametrize("older", [1, 2])
def test_a_new_file_has_the_tables_of_one_brought_up_to_date(older: int, tmp_path: Path) -> None:
    shutil.copy(Path(__file__).parent / "files" / f"layout-{older}.sqlite", tmp_path / "old.db")
    with ProfileTable(tmp_path / "old.db") as old, ProfileTable(tmp_path / "new.db") as new:
        old.remembered("templates")["t"] = new.remembered("templates")["t"] = 1
    assert layout(tmp_path / "new.db") == layout(tmp_path / "old.db")
    assert len(layout(tmp_path / "new.db")) == 11
