"""The command line, as a person runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from toolkit.cli import main
from toolkit.sample import sample_files
from toolkit.table import ProfileTable


@pytest.fixture(scope="module")
def files() -> dict[str, Path]:
    return sample_files()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "shop.db"
    with ProfileTable(path) as profiles:
        profiles.set("1", {"$name": "=1+1", "plan": "pro"})
        profiles.set("2", {"$name": "Bob", "plan": "free"})
    return path


def test_demo_runs_from_anywhere_and_again(tmp_path: Path) -> None:
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-m", "toolkit", "demo"],
            cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "purchases-by-plan.png" in done.stdout
        assert (tmp_path / "toolkit-demo/purchases-by-plan.png").read_bytes()[1:4] == b"PNG"
        assert "pro   1335" in done.stdout
        assert "10 rejected" in done.stdout
    with ProfileTable(tmp_path / "toolkit-demo/shop.db") as profiles:
        assert len(profiles) == 1_864


def test_import_by_position(
    tmp_path: Path, files: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    database = tmp_path / "new.db"
    mapping = ["--map", "0=$distinct_id", "--map", "3=plan"]
    status = main(["import", str(database), str(files["profiles_no_header"]), *mapping])
    assert status == 0
    assert "1,772" in capsys.readouterr().out
    with ProfileTable(database) as profiles:
        assert profiles["1001"] == {"plan": "free"}


def test_import_by_header_name_and_a_dry_run(tmp_path: Path, files: dict[str, Path]) -> None:
    database = tmp_path / "new.db"
    given = ["import", str(database), str(files["profiles"])]
    assert (
        main([*given, "--map", "distinct_id=$distinct_id", "--map", "plan=plan", "--dry-run"]) == 0
    )
    with ProfileTable(database) as profiles:
        assert len(profiles) == 0
    assert main(given) == 0
    with ProfileTable(database) as profiles:
        assert len(profiles) == 1_772


def test_import_with_ragged_rows_exits_1_and_lists_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    csv, database, rejected = tmp_path / "a.csv", tmp_path / "new.db", tmp_path / "rejected.csv"
    csv.write_text("distinct_id,plan\n1,pro\n2,free,extra\n3,basic\n")
    given = ["import", str(database), str(csv), "--rejected", str(rejected)]
    assert main(given) == 1
    assert "line 3" in capsys.readouterr().err
    assert pd.read_csv(rejected)["line"].tolist() == [3]
    assert main([*given, "--skip-errors"]) == 1
    with ProfileTable(database) as profiles:
        assert list(profiles) == ["1", "3"]


def test_apply_reports_lines(
    tmp_path: Path, files: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    database = str(tmp_path / "new.db")
    assert main(["apply", database, str(files["updates_broken"])]) == 1
    assert "line 4" in capsys.readouterr().err
    assert main(["apply", database, str(files["updates_broken"]), "--skip-errors"]) == 1
    assert "line 9 is no message" in capsys.readouterr().err
    assert main(["apply", database, str(files["updates"])]) == 1
    assert "line 75 rejected: unknown operator" in capsys.readouterr().err


def test_export_and_apply_round_trip(database: Path, tmp_path: Path) -> None:
    assert main(["export", str(database), str(tmp_path / "out.jsonl.gz")]) == 0
    assert main(["apply", str(tmp_path / "copy.db"), str(tmp_path / "out.jsonl.gz")]) == 0
    with ProfileTable(database) as profiles, ProfileTable(tmp_path / "copy.db") as copy:
        pd.testing.assert_frame_equal(profiles.frame, copy.frame)


def test_export_of_some_as_a_CSV_that_is_safe_in_a_spreadsheet(
    database: Path, tmp_path: Path
) -> None:
    condition = 'user["plan"] == "pro"'
    assert main(["export", str(database), str(tmp_path / "out.csv"), "--where", condition]) == 0
    exported = pd.read_csv(tmp_path / "out.csv", dtype=str)
    assert exported["$name"].tolist() == ["'=1+1"]


def test_report_prints_the_table_and_writes_chart_and_csv(
    database: Path, tmp_path: Path, files: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    chart, table = tmp_path / "chart.png", tmp_path / "table.csv"
    for events in (files["events"], files["events_csv"]):
        given = ["report", str(database), str(events), "Purchase", "--unit", "none"]
        by = ["--by", 'event["category"]', "--png", str(chart), "--csv", str(table)]
        assert main([*given, *by]) == 0
        assert "kitchen" in capsys.readouterr().out
        assert chart.read_bytes()[1:4] == b"PNG"
        assert pd.read_csv(table)["value"].sum() == 2_544


def test_show_a_table_and_a_profile(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(database)]) == 0
    assert "2 user profiles" in capsys.readouterr().out
    assert main(["show", str(database), "2"]) == 0
    assert json.loads(capsys.readouterr().out) == {"$name": "Bob", "plan": "free"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["show", "nowhere.db"],
        ["show", "DATABASE", "nobody"],
        ["export", "DATABASE", "out.csv", "--where", "user["],
        ["import", "DATABASE", "nowhere.csv"],
        ["import", "DATABASE", "nowhere.csv", "--map", "plan"],
        ["apply", "DATABASE", "nowhere.jsonl"],
        ["report", "DATABASE", "nowhere.parquet", "Purchase"],
    ],
)
def test_what_cannot_be_run_exits_2_with_one_line(
    arguments: list[str], database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(database) if each == "DATABASE" else each for each in arguments]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("error: ")
    assert "Traceback" not in printed.err


def test_unknown_usage_exits_2() -> None:
    with pytest.raises(SystemExit) as stop:
        main(["frobnicate"])
    assert stop.value.code == 2
