"""How far an import is, how it is stopped, and what is kept between a look and the import."""

from __future__ import annotations

import gzip
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from toolkit.base.errors import CsvError, WorkCancelled
from toolkit.profiles.table import ProfileTable
from toolkit.sources.csv import file as csv_file
from toolkit.sources.csv.file import CsvFile
from toolkit.sources.csv.importing import import_csv, preview_csv
from toolkit.store import connection

ROWS = 30_000
LARGE = b"distinct_id,plan,age,tags\n" + b"".join(
    b'u%d,pro,%d,"[""a"",%d]"\n' % (number, number % 90, number) for number in range(ROWS)
)


class Noted:
    """Takes notice of how far work is, and stops it at the notice of a number."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.stop_at = stop_at
        self.seen: list[tuple[str, int, int]] = []

    def __call__(self, stage: str, done: int, total: int, /) -> None:
        self.seen.append((stage, done, total))
        if len(self.seen) == self.stop_at:
            raise WorkCancelled("enough")

    def of(self, stage: str) -> list[int]:
        return [done for each, done, _ in self.seen if each == stage]


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(connection, "_STEPS_A_LOOK", 20_000)
    with ProfileTable(tmp_path / "shop.db") as profiles:
        yield profiles


def test_an_import_tells_how_many_rows_are_read_and_written(stored: ProfileTable) -> None:
    noted = Noted()

    import_csv(stored, LARGE, progress=noted)

    stages = list(dict.fromkeys(stage for stage, _, _ in noted.seen))
    assert stages == ["Reading", "Typing", "Loading", "Comparing", "Writing"] or stages == [
        "Reading",
        "Typing",
        "Comparing",
        "Writing",
    ]
    written = noted.of("Writing")
    assert len(written) > 20
    assert all(earlier <= later for earlier, later in pairwise(written))
    assert written[0] == 0
    assert written[-1] == ROWS
    assert {total for stage, _, total in noted.seen if stage == "Writing"} == {ROWS}


def test_the_number_of_rows_to_read_is_estimated_from_the_bytes_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    noted = Noted()

    CsvFile.read(LARGE, progress=noted)
    assert noted.seen[-1][0] == "Reading"
    assert noted.seen[-1][1] == ROWS + 1
    assert noted.seen[-1][2] == pytest.approx(ROWS, rel=0.1)

    packed = Noted()
    CsvFile.read(gzip.compress(LARGE, mtime=0), progress=packed)
    assert {total for _, _, total in packed.seen} == {0}


@pytest.mark.parametrize("kind", ["memory", "file", "filled file"])
def test_CSV_7_an_import_stopped_anywhere_leaves_the_table_as_it_was(
    kind: str, stored: ProfileTable
) -> None:
    profiles = ProfileTable() if kind == "memory" else stored
    profiles.set("u5", {"plan": "free"})
    if kind == "filled file":
        import_csv(profiles, LARGE.replace(b",pro,", b",basic,"))
    before, batches = profiles.frame, len(profiles.batches)
    file = CsvFile.read(LARGE)
    whole = Noted()
    import_csv(ProfileTable() if kind == "memory" else profiles, file, dry_run=True, progress=whole)
    least = len(whole.seen)

    for stop_at in (1, 2, least // 2, least, least + 1, least + 2, least + 9):
        if kind == "memory" and stop_at > least:
            continue
        with pytest.raises(WorkCancelled):
            import_csv(profiles, file, progress=Noted(stop_at))
        pd.testing.assert_frame_equal(profiles.frame, before)
        assert len(profiles.batches) == batches

    assert import_csv(profiles, file).imported == ROWS
    assert profiles["u5"] == {"plan": "pro", "age": 5, "tags": ["a", 5]}
    assert kind == "memory" or profiles.check().is_sound


def test_an_error_in_the_middle_of_writing_comes_out_as_it_is(stored: ProfileTable) -> None:
    def fail(stage: str, done: int, total: int, /) -> None:
        if done > 10_000 and stage == "Writing":
            raise KeyError("what the caller raised")

    with pytest.raises(KeyError, match="what the caller raised"):
        import_csv(stored, LARGE, progress=fail)
    assert len(stored) == 0
    assert stored.set("u1", {"plan": "pro"}).created == 1


def test_a_file_once_read_is_imported_without_being_read_again(tmp_path: Path) -> None:
    path = tmp_path / "users.csv"
    path.write_bytes(b"7,Ann,30\n8,Bob,x\n")
    file = CsvFile.read(path)
    path.unlink()
    mapping = {0: "$distinct_id", 1: "$name", 2: "age"}
    profiles = ProfileTable()

    dry = import_csv(profiles, file, mapping, dry_run=True)
    report = import_csv(profiles, file, mapping)

    assert dry.created == report.created == 2
    assert profiles["8"] == {"$name": "Bob", "age": "x"}
    assert report.name == "users.csv"


def test_columns_are_read_as_values_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def counted(texts: Any, kind: Any = None) -> Any:
        asked.append(kind)
        return typed(texts, kind)

    typed = csv_file.typed
    monkeypatch.setattr(csv_file, "typed", counted)
    file = CsvFile.read(b"distinct_id,age\nu1,30\n")
    profiles = ProfileTable()

    import_csv(profiles, file, dry_run=True)
    import_csv(profiles, file)
    assert asked == [None]

    import_csv(profiles, file, types={"age": "text"})
    assert asked == [None, "text"]
    assert profiles["u1"] == {"age": "30"}


def test_a_header_can_be_taken_or_left_after_reading() -> None:
    file = CsvFile.read(b"name,x\nBob,x\n")
    assert not file.columns.header.header

    with_header = file.with_header(True)
    assert with_header.columns.names == ("name", "x")
    assert with_header.text.rows == 1
    assert with_header.first_rows(5) == [["name", "x"], ["Bob", "x"]]

    again = with_header.with_header(False)
    assert again.columns.names == (None, None)
    assert again.text.rows == 2
    assert with_header.with_header(None).columns.header == file.columns.header
    with pytest.raises(CsvError, match="header='yes'"):
        file.with_header("yes")  # type: ignore[arg-type]


def test_a_preview_of_a_file_in_memory_is_that_of_its_source() -> None:
    assert repr(CsvFile.read(LARGE).preview()) == repr(preview_csv(LARGE))


@pytest.mark.parametrize("what", ["created", "changed"])
def test_an_undo_stopped_anywhere_leaves_the_table_as_it_was(
    what: str, stored: ProfileTable
) -> None:
    if what == "changed":
        import_csv(stored, LARGE.replace(b",pro,", b",basic,"))
    before = stored.frame
    report = import_csv(stored, LARGE)
    assert report.batch_id is not None
    after = stored.frame

    for stop_at in (1, 5, 9, 13, 16):
        with pytest.raises(WorkCancelled):
            stored.undo(report.batch_id, progress=Noted(stop_at))
        pd.testing.assert_frame_equal(stored.frame, after)

    noted = Noted()
    stored.undo(report.batch_id, progress=noted)
    assert {stage for stage, _, _ in noted.seen} == {"Looking back", "Comparing", "Writing"}
    assert noted.seen[-1] == ("Writing", ROWS, ROWS)
    pd.testing.assert_frame_equal(stored.frame, before, check_dtype=False, check_column_type=False)
    with pytest.raises(WorkCancelled):
        stored.redo(report.batch_id, progress=Noted(9))
    assert stored.redo(report.batch_id, progress=Noted()).applied == ROWS
    assert stored.check().is_sound
