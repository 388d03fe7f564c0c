"""The command line, as a person runs it."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from tests.optional import of_unix
from toolkit.cli import main
from toolkit.profiles.table import ProfileTable
from toolkit.sources.sample import sample_files


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
    assert not database.exists()
    assert main(given) == 0
    with ProfileTable(database) as profiles:
        assert len(profiles) == 1_772


def test_the_column_of_the_ids_is_named_by_key_and_a_mapping_of_it_alone_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    planes, database = tmp_path / "planes.csv", tmp_path / "x.db"
    planes.write_text("tailnum,year,model\nN1,2004,A=1\nN2,1998,A=1\n")

    assert main(["import", str(database), str(planes), "--map", "tailnum=$distinct_id"]) == 2
    told = capsys.readouterr().err
    assert '"year", "model". To import them under their names pass --key tailnum in place' in told
    assert main(["import", str(database), str(planes), "--dry-run"]) == 0
    assert "pass --key tailnum" in capsys.readouterr().out
    assert main(["import", str(database), str(planes), "--key", "tailnum"]) == 0
    assert main(["import", str(database), str(planes), "--key", "0", "--map", "1=a=b"]) == 0
    assert "1 column left out: model." in capsys.readouterr().out
    with ProfileTable(database) as profiles:
        assert profiles["N1"] == {"year": 2004, "model": "A=1", "a=b": 2004}


def test_import_with_ragged_rows_exits_1_and_lists_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    csv, database, rejected = tmp_path / "a.csv", tmp_path / "new.db", tmp_path / "rejected.csv"
    csv.write_text("distinct_id,plan\n1,pro\n2,free,extra\n3,basic\n")
    given = ["import", str(database), str(csv), "--rejected", str(rejected)]
    assert main(given) == 1
    assert "line 3" in capsys.readouterr().err
    assert pd.read_csv(rejected)["line"].tolist() == [3]
    assert main([*given, "--skip-errors"]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main([*given, "--skip-errors", "--overwrite"]) == 1
    with ProfileTable(database) as profiles:
        assert list(profiles) == ["1", "3"]


def test_apply_reports_lines(
    tmp_path: Path, files: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    database = str(tmp_path / "new.db")
    assert main(["apply", database, str(files["updates_broken"])]) == 1
    assert "line 4" in capsys.readouterr().err
    assert main(["apply", database, str(files["updates_broken"]), "--skip-errors"]) == 1
    assert "line 9 is not a message" in capsys.readouterr().err
    assert main(["apply", database, str(files["updates"])]) == 1
    printed = capsys.readouterr()
    assert printed.err.count("line 75 rejected: unknown operator") == 1
    assert printed.err.count("rejected") == 10
    assert len(printed.out.splitlines()) == 1


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
        by = ["--by", 'event["category"]', "--png", str(chart), "--csv", str(table), "--overwrite"]
        assert main([*given, *by]) == 0
        assert "kitchen" in capsys.readouterr().out
        assert chart.read_bytes()[1:4] == b"PNG"
        assert pd.read_csv(table)["count"].sum() == 2_544


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
        ["history", "DATABASE", "nobody"],
        ["undo", "DATABASE", "99"],
        ["demo", "DATABASE/demo"],
    ],
)
def test_what_cannot_be_run_exits_2_with_one_line(
    arguments: list[str], database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([each.replace("DATABASE", str(database)) for each in arguments]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("error: ")
    assert "Traceback" not in printed.err
    assert "Errno" not in printed.err


def test_unknown_usage_exits_2() -> None:
    with pytest.raises(SystemExit) as stop:
        main(["frobnicate"])
    assert stop.value.code == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["import", "NEW", "nowhere.csv"], "nowhere.csv: no such file"),
        (["apply", "NEW", "nowhere.jsonl"], "nowhere.jsonl: no such file"),
        (["report", "DATABASE", "nowhere.csv", "X"], "nowhere.csv: no such file"),
        (["report", "DATABASE", "a.jsonl", "X"], "allowed are .parquet, .csv, .csv.gz"),
        (["import", "NEW", "."], ".: is a folder; a file is needed"),
        (["export", "DATABASE", "out.xlsx"], "allowed are .jsonl, .jsonl.gz, .json, .json.gz, .n"),
        (["export", "DATABASE", "out"], "allowed are .jsonl"),
        pytest.param(
            ["demo", "/dev/null/demo"],
            "the folder /dev/null/demo cannot be made: not a directory",
            marks=of_unix("devices with a path"),
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_named_and_no_database_is_made(
    arguments: list[str],
    said: str,
    database: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    places = {"DATABASE": str(database), "NEW": "new.db"}
    assert main([places.get(each, each) for each in arguments]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "new.db").exists()


def test_events_that_are_none_are_refused_in_one_line(
    database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("events.parquet", "events.csv"):
        (tmp_path / name).write_bytes(b"")
        assert main(["report", str(database), str(tmp_path / name), "X"]) == 2
        assert "cannot be read as" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "options", "said", "not_said"),
    [
        ("distinct_id,a\n1,2\n3\n", [], "pass --skip-errors to import", "on_error"),
        ("7,x y\n8,y\n", [], "For example: --map '0=$distinct_id' --map", "mapping="),
        ("7,x\n8,y\n", [], "Pass --header if row 1 is a header", "header=True"),
        ("id,a\n7,x\n", ["--map", "$distinct_id=id"], "--map 'id=$distinct_id'", "mapping="),
        ("id\n1,2\n3,4\n", ["--header"], "or pass --no-header", "header=False"),
        ("id,a\n7,x\n", ["--encoding", "xyz"], "--encoding xyz is unknown", "encoding="),
        ("id,a\n7,x\n", ["--delimiter", "ab"], "--delimiter ab cannot", "delimiter="),
    ],
)
def test_errors_name_options_of_the_command_line(
    content: str,
    options: list[str],
    said: str,
    not_said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "a.csv").write_text(content)
    assert main(["import", str(tmp_path / "new.db"), str(tmp_path / "a.csv"), *options]) > 0
    printed = capsys.readouterr().err
    assert said in printed
    assert not_said not in printed


def test_broken_messages_name_the_option_too(
    tmp_path: Path, files: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    main(["apply", str(tmp_path / "new.db"), str(files["updates_broken"])])
    assert "--skip-errors reads the other lines" in capsys.readouterr().err


def test_a_CSV_export_says_what_it_does_not_hold_and_can_be_imported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database, copy, out = (str(tmp_path / name) for name in ("a.db", "b.db", "out.csv"))
    with ProfileTable(database) as profiles:
        profiles.set("1", {"zip": "400973", "tags": ["a", "b"], "coupon": None, "new": True})
        profiles.groups("company").set("acme", {"seats": 3})
    assert main(["export", database, out]) == 0
    printed = capsys.readouterr().out
    assert "1 profile written" in printed
    assert "1 null." in printed
    assert "--type zip=text" in printed
    assert "1 group profile" in printed
    assert ".jsonl" in printed
    assert main(["import", copy, out, "--type", "zip=text"]) == 0
    with ProfileTable(copy) as profiles:
        assert profiles["1"] == {"zip": "400973", "tags": ["a", "b"], "new": True}


def test_a_report_writes_its_files_though_nobody_reads_on(
    database: Path, tmp_path: Path, files: dict[str, Path]
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    given = ["report", str(database), str(files["events"]), "Purchase"]
    done = subprocess.run(
        [sys.executable, "-m", "toolkit", *given, "--csv", str(tmp_path / "table.csv")],
        stdout=writer, stderr=subprocess.PIPE, text=True, timeout=120, check=False,
    )  # fmt: skip
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(pd.read_csv(tmp_path / "table.csv")) > 100


def test_show_fits_the_terminal_and_leaves_out_empty_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with ProfileTable(tmp_path / "a.db") as profiles:
        profiles.set("1", {f"column {n}": "some text" for n in range(20)})
        for n in range(2, 13):
            profiles.set(n, {"column 0": "x"})
        profiles.set("13", {"late": 1})
    monkeypatch.setenv("COLUMNS", "60")
    assert main(["show", str(tmp_path / "a.db")]) == 0
    _, *table, rest = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 60 for line in table)
    assert "NaN" not in "".join(table)
    assert rest.startswith("and 17 columns more: column 4")
    assert "late" not in rest


def test_checking_on_the_command_line(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(database)]) == 0
    assert "2 batches replayed, 2 profiles: state and log agree" in capsys.readouterr().out
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DELETE FROM profiles WHERE distinct_id = '2'")
    connection.close()
    assert main(["check", str(database)]) == 1
    assert "profiles lacks 1 profile: '2'" in capsys.readouterr().out
    assert main(["check", str(database), "--repair"]) == 0
    assert "1 problem, repaired from the log" in capsys.readouterr().out
    assert main(["check", str(database)]) == 0
    assert main(["check", str(database) + ".missing"]) == 2
    assert not Path(str(database) + ".missing").exists()


def test_what_a_check_cannot_repair_is_no_success(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE updates SET message = '{' WHERE batch_id = 2")
    connection.close()
    assert main(["check", str(database), "--repair"]) == 1
    assert "the log cannot be read: a message of the log cannot be read" in capsys.readouterr().out
    with ProfileTable(database) as profiles:  # what can be read is left as it was
        assert profiles["2"] == {"$name": "Bob", "plan": "free"}
    database.write_bytes(b"noise" * 1_000)
    assert main(["check", str(database)]) == 1
    assert "file is not a database" in capsys.readouterr().out


def test_compacting_on_the_command_line(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with ProfileTable(database) as profiles:
        profiles.set("2", {"plan": "pro"})
        before = profiles.frame
    assert main(["compact", str(database), "--keep", "1", "--dry-run"]) == 0
    assert "2 batches of 2 updates would be compacted; 1 kept" in capsys.readouterr().out
    assert main(["compact", str(database), "--keep", "1"]) == 0
    assert "compacted; 1 kept; the past is known from" in capsys.readouterr().out
    with ProfileTable(database) as profiles:
        pd.testing.assert_frame_equal(profiles.frame, before)
    assert main(["undo", str(database), "1"]) == 2
    assert "its updates were compacted" in capsys.readouterr().err
    assert main(["compact", str(database), "--keep", "soon"]) == 2
    assert "neither a duration nor a moment" in capsys.readouterr().err


def test_the_past_on_the_command_line(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with ProfileTable(database) as profiles:
        profiles.set("2", {"plan": "pro"})
    assert main(["history", str(database), "2"]) == 0
    assert '"free"' in capsys.readouterr().out
    assert main(["history", str(database), "2", "plan"]) == 0
    assert "'plan' of '2' is \"pro\"." in capsys.readouterr().out
    assert main(["batches", str(database)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 4
    assert main(["undo", str(database), "2"]) == 2
    assert "--only-untouched undoes the rest" in capsys.readouterr().err
    assert main(["undo", str(database), "3"]) == 0
    assert "batch 3 is undone by batch 4" in capsys.readouterr().out
    with ProfileTable(database) as profiles:
        assert profiles["2"]["plan"] == "free"


def test_an_undo_with_nothing_left_to_put_back_says_so(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ProfileTable(database) as profiles:
        batch = profiles.set("2", {"plan": "pro"}).batch_id
        profiles.set("2", {"plan": "basic"})
    assert main(["undo", str(database), str(batch), "--only-untouched"]) == 0
    assert f"nothing of batch {batch} is left to undo" in capsys.readouterr().out


def test_apply_sets_where_users_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("maxminddb")
    writer = MMDBWriter(ip_version=4, database_type="Test-City")
    writer.insert_network(IPSet(["1.0.0.0/24"]), {"country": {"iso_code": "NO"}})
    writer.to_db_file(str(tmp_path / "cities.mmdb"))
    message = {"$distinct_id": "1", "$ip": "1.0.0.1", "$set": {"plan": "pro"}}
    (tmp_path / "m.jsonl").write_text(json.dumps(message))
    given = ["apply", f"{tmp_path}/shop.db", f"{tmp_path}/m.jsonl", "--geo"]
    assert main([*given, f"{tmp_path}/none.mmdb"]) == 2
    assert "there is no location database" in capsys.readouterr().err
    assert not (tmp_path / "shop.db").exists()
    assert main([*given, f"{tmp_path}/cities.mmdb"]) == 0
    with ProfileTable(tmp_path / "shop.db") as profiles:
        assert profiles["1"] == {"plan": "pro", "$country_code": "NO"}


def test_groups_are_imported_exported_and_shown(
    database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = tmp_path / "companies.csv", tmp_path / "out.csv"
    file.write_text("company_id,plan\nacme,pro\nhooli,free\n")
    assert main(["show", str(database), "--group", "company"]) == 2
    assert "the file has only users" in capsys.readouterr().err
    assert main(["import", str(database), str(file), "--group", "company"]) == 0
    assert main(["show", str(database), "acme", "--group", "company"]) == 0
    assert '{"plan":"pro"}' in capsys.readouterr().out
    assert main(["show", str(database), "--group", "team"]) == 2
    assert "the group keys are company" in capsys.readouterr().err
    assert main(["history", str(database), "acme", "plan", "--group", "company"]) == 0
    where = ["--where", 'group("company")["plan"] == "pro"']
    assert main(["export", str(database), str(out), "--group", "company", *where]) == 0
    assert pd.read_csv(out)["$distinct_id"].tolist() == ["acme"]
    messages = tmp_path / "out.jsonl"
    assert main(["export", str(database), str(messages), "--group", "company"]) == 0
    with ProfileTable() as copy:
        copy.apply(map(json.loads, messages.read_text().splitlines()))
        assert copy.groups("company")["hooli"] == {"plan": "free"}
        assert len(copy) == 0
