"""The command line where it meets the world: consoles, pipes, paths, slips of the fingers."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import toolkit
from tests.optional import of_unix
from toolkit.base.notation import written
from toolkit.cli import PROGRAM, _as_option, main
from toolkit.demo import run_demo
from toolkit.profiles.table import ProfileTable
from toolkit.store import connection

EVENTS = "event,distinct_id,time\nPurchase,ann,2026-05-01T10:00:00Z\nNA,NA,2026-05-02T10:00:00Z\n"
#: Of a system user, or in a container. Windows goes by USERPROFILE.
NO_HOME = {
    **{"HOME": __file__, "USERPROFILE": __file__, "XDG_CACHE_HOME": ""},
    "MPLCONFIGDIR": tempfile.gettempdir(),
}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "my shop.db"
    with ProfileTable(path) as profiles:
        profiles.set("ann", {"plan": "pro", "日本": "Zoë 😀 ‘x’"})
    return path


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "toolkit", *map(str, arguments)],
        env={**os.environ, **environment}, capture_output=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "cp1252"},
        {"PYTHONIOENCODING": "ascii"},
        {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=["cp1252", "ascii", "LANG=C"],
)
def test_a_console_that_lacks_characters_shows_their_numbers(
    environment: dict[str, str], database: Path
) -> None:
    for arguments in ([], ["ann"], ["nobody"]):
        done = run("show", database, *arguments, **environment)
        assert b"Traceback" not in done.stderr
        assert done.returncode == (2 if arguments == ["nobody"] else 0)
        if arguments == ["ann"]:
            assert b"\\u65e5\\u672c" in done.stdout


def test_bytes_that_are_no_text_are_refused(database: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "toolkit", "show", str(database), b"\xff\xfe"],
        capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"error: ") and done.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["shwo", "x.db"], 'command shwo is unknown. Did you mean "show"?'),
        (["import", "x.db", "a.csv", "--skip-eror"], 'Did you mean "--skip-errors"?'),
        (
            ["import", "x.db", "a.csv", "--mpa=x=y"],
            'unknown option --mpa=x=y. Did you mean "--map"?',
        ),
        (
            ["report", "x.db", "a.csv", "e", "--unit", "dya"],
            '--unit dya is unknown. Did you mean "day"',
        ),
        (["report", "x.db", "a.csv", "e", "--measure", "x"], "There are total, unique"),
        (["undo", "x.db", "last"], "batch last: a whole number is needed."),
        (["show", "x.db", "1", "2"], "unknown further argument 2."),
        (["show"], "missing: database."),
        ([], "missing: COMMAND."),
        (["--hepl"], 'unknown option --hepl. Did you mean "--help"?'),
        (["-v"], "unknown option -v."),
    ],
)
def test_a_slip_is_answered_in_one_line_with_what_was_meant(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ") and said in printed.err
    assert printed.err.count("\n") == 1
    assert f"See {PROGRAM}" in printed.err


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"profile-toolkit {toolkit.__version__}\n"


@pytest.mark.parametrize(
    ("header", "options", "noted"),
    [
        ("event,distinct_id,time", [], []),
        ("Event Name,user_id,timestamp", [], ["Event Name", "user_id", "timestamp"]),
        ("Event Name,user_id,id", ["--time", "id", "--distinct-id", "user_id"], ["Event Name"]),
        ("a,b,c", ["--event", "a", "--distinct-id", "b", "--time", "c"], []),
    ],
)
@pytest.mark.parametrize("kind", [".csv", ".csv.gz", ".parquet", ";"])
def test_a_report_finds_the_columns_of_events(
    header: str,
    options: list[str],
    noted: list[str],
    kind: str,
    database: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / f"events{kind if kind != ';' else '.csv'}"
    frame = pd.read_csv(io.StringIO(EVENTS), keep_default_na=False)
    frame.columns = header.split(",")
    if kind == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep=kind if kind == ";" else ",")
    for name in ("Purchase", "NA"):
        assert main(["report", str(database), str(path), name, "--unit", "none", *options]) == 0
        out = capsys.readouterr().out
        assert [
            line.split('"')[1] for line in out.splitlines() if "another column" in line
        ] == noted


@pytest.mark.parametrize(
    ("header", "options", "said"),
    [
        ("event,user,when", [], "which column is the time? Name it with --time, because"),
        ("event,user_id,uid,time", [], "because user_id and uid could each be the distinct ID"),
        ("event,distinct_id,time", ["--time", "tiem"], 'no such column. Did you mean "time"?'),
    ],
)
def test_columns_that_are_not_sure_are_asked_for_and_listed(
    header: str,
    options: list[str],
    said: str,
    database: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "e.csv").write_text(header + "\n")
    assert main(["report", str(database), str(tmp_path / "e.csv"), "x", *options]) == 2
    printed = capsys.readouterr().err
    assert said in printed
    assert "The columns are " + header.replace(",", ", ") in printed


def test_a_report_of_nothing_says_what_is_there(
    database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "e.csv").write_text(EVENTS)
    given = ["report", str(database), str(tmp_path / "e.csv")]
    assert main([*given, "Purchse"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert 'Did you mean "Purchase"? The events are NA, Purchase' in printed.err
    assert main([*given, "Purchase", "--where", 'user["plan"] == "free"']) == 1
    assert "Nothing was counted" in capsys.readouterr().err
    assert main([*given, "Purchase", "--where", 'user["plan"] == "pro"']) == 0
    (tmp_path / "e.csv").write_text("event,distinct_id,time\n")
    assert main([*given, "Purchase"]) == 2
    assert "There are no events" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["show", "FOLDER"],
        ["apply", "FOLDER", "m.jsonl"],
        ["apply", "new.db", "FOLDER"],
        ["import", "FOLDER", "a.csv"],
        ["import", "new.db", "a.csv", "--map", "plan="],
        ["import", "new.db", "a.csv", "--rejected", "FOLDER"],
        ["import", "new.db", "a.csv", "--rejected", "nowhere/r.csv"],
        ["import", "new.db", "a.csv", "--rejected", "a.csv"],
        ["import", "new.db", "a.csv", "--rejected", "DATABASE"],
        ["import", "new.db", "a.csv", "--map", "9" * 5000 + "=plan"],
        ["export", "DATABASE", "nowhere/out.csv"],
        ["export", "DATABASE", "out.jsonl", "--chunk", "0"],
        ["report", "DATABASE", "e.csv", "Purchase", "--png", "FOLDER"],
        ["report", "DATABASE", "e.csv", "Purchase", "--csv", "nowhere/t.csv"],
        ["report", "DATABASE", "e.csv", "Purchase", "--csv", "DATABASE"],
        ["report", "DATABASE", "e.csv", "Purchase", "--csv", "e.csv"],
        ["report", "DATABASE", "e.csv", "Purchase", "--png", "./e.csv"],
        ["report", "FOLDER", "e.csv", "Purchase"],
        ["report", "DATABASE", "FOLDER", "Purchase"],
        ["compact", "DATABASE", "--keep", "²"],
        ["compact", "DATABASE", "--keep", "9" * 5000],
        ["undo", "DATABASE", "9" * 30],
        ["check", "FOLDER"],
        ["serve", "FOLDER"],
        ["serve", "DATABASE", "--port", "99999"],
        ["apply", "new.db", "m.jsonl", "--geo", "FOLDER"],
        ["history", "DATABASE", "ann", "--group", "nowhere"],
        ["demo", "a.csv"],
    ],
    ids=lambda given: " ".join(given)[:60],
)
def test_what_cannot_be_done_is_one_line_and_changes_nothing(
    arguments: list[str],
    database: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("a.csv").write_text("distinct_id,plan\n1,pro\n")
    Path("e.csv").write_text(EVENTS)
    Path("m.jsonl").write_text('{"$distinct_id": "1", "$set": {"a": 1}}\n')
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    places = {"FOLDER": "folder", "DATABASE": str(database)}
    assert main([places.get(each, each) for each in arguments]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("error: ")
    assert "Errno" not in printed.err and "Traceback" not in printed.err
    assert printed.err.count("\n") <= 2
    assert list(Path("folder").iterdir()) == []
    kept = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert {path: text for path, text in kept.items() if path.suffix[:3] != ".db"} == {
        path: text for path, text in before.items() if path.suffix[:3] != ".db"
    }
    assert not Path("new.db").exists()
    assert main(["show", str(database)]) == 0


def test_hints_quote_a_path_with_spaces(
    database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["undo", str(database), "99"]) == 2
    assert f"`profile-toolkit batches '{database}'`" in capsys.readouterr().err
    said: list[str] = []
    run_demo(tmp_path / "a b", said.append)
    shown = f"profile-toolkit show '{tmp_path / 'a b' / 'shop.db'}'"
    assert any(line.endswith(shown) for line in said)


def test_the_demo_runs_where_the_home_cannot_be_written_to(tmp_path: Path) -> None:
    done = run("demo", tmp_path / "demo", **NO_HOME)
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert (tmp_path / "demo/shop.db").exists()


@pytest.mark.parametrize("code", ["tk.sample_files()", "tk.workbench()"])
def test_the_sample_is_there_where_the_home_cannot_be_written_to(code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"import toolkit as tk; assert {code}"],
        env={**os.environ, **NO_HOME}, capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_the_program_is_found_beside_a_folder_named_toolkit(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "toolkit").mkdir()
    (tmp_path / "toolkit/__init__.py").write_text("raise ImportError('not this one')")
    program = Path(sysconfig.get_path("scripts"), PROGRAM)
    done = subprocess.run(
        [program, "show", database], cwd=tmp_path, capture_output=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_warning_is_one_line_without_our_code(database: Path, tmp_path: Path) -> None:
    done = run("export", database, tmp_path / "out.jsonl", "--where", 'user["paln"] == "pro"')
    assert done.returncode == 0
    lines = done.stderr.decode().splitlines()
    assert lines and all(line.startswith("warning: ") for line in lines)
    assert not any(".py:" in line for line in lines)


@of_unix("signals that one program sends another")
def test_Ctrl_C_ends_a_command_with_130_and_one_line(tmp_path: Path) -> None:
    started = subprocess.Popen(
        [sys.executable, "-m", "toolkit", "apply", str(tmp_path / "x.db"), "/dev/stdin"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        # A shell has what it starts in the background ignore the signal.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert started.stdin is not None
    started.stdin.write(b'{"$distinct_id": "1", "$set": {}}\n' * 100_000)
    started.stdin.flush()
    time.sleep(1)
    started.send_signal(signal.SIGINT)
    out, err = started.communicate(timeout=60)
    assert (started.returncode, out) == (130, b"")
    assert err.decode().strip().endswith("interrupted; nothing was half-done")
    assert not (tmp_path / "x.db").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["backup", "{db}", "{csv}"], "--overwrite to write over it"),
        (["serve", "{db}", "--port", "80000"], "--port 80000; a number from 0 to 65535"),
        (["serve", "{db}", "--token", ""], "--token ''; a text is needed"),
        (["serve", "{db}", "--host", ""], "--host ''; an address"),
        (["serve", "{db}", "--origin", "x"], "--origin has 'x'"),
        (["serve", "{db}", "--allow-host", "/"], "--allow-host has '/'"),
        (["serve", "{db}", "--group-key", ""], "--group-key ''; text"),
        (["import", "{db}", "{csv}", "--type", "year=int"], "--type year=int is not a type"),
        (["export", "{db}", "{out}", "--chunk", "0"], "--chunk 0; a number of messages"),
        (["compact", "{db}", "--keep=-3"], "--keep -3 is neither"),
        (["check", "{csv}"], "is not a database"),
        (["report", "{db}", "{excel}", "Buy"], 'give "2024-01-01", as text'),
        (["report", "{db}", "{dots}", "Buy"], 'write them as "2026-05-01T12:00:00Z"'),
    ],
)
def test_errors_name_options_and_no_python(
    database: Path, tmp_path: Path, arguments: list[str], said: str
) -> None:
    files = {name: tmp_path / f"{name}.csv" for name in ("csv", "excel", "dots")}
    files["csv"].write_text("id,year\n1,2\n2,3\n")
    files["excel"].write_text("event,distinct_id,time\nBuy,1,45292\n")
    files["dots"].write_text("event,distinct_id,time\nBuy,1,01.02.2024 10:00\n")
    paths = {**files, "db": database, "out": tmp_path / "x.jsonl"}
    done = run(*(each.format(**paths) for each in arguments))
    told = (done.stderr + done.stdout).decode()
    assert done.returncode != 0 and said in told
    assert not re.search(r"pd\.|\w=True|\btypes\b|`profile-toolkit check`|\w+=\d", told), told


@pytest.mark.parametrize("write", [toolkit.write_csv, toolkit.write_messages, toolkit.write_people])
@pytest.mark.parametrize("end", [".xlsx", ".txt", ".parquet", ".db", ".html", ".xlsx.gz"])
def test_a_name_that_ends_in_another_format_is_refused(
    tmp_path: Path, write: Any, end: str
) -> None:
    path = tmp_path / f"people{end}"
    with pytest.raises(toolkit.errors.ArgumentError, match="end it in"):
        write(toolkit.ProfileTable(), path)
    assert not path.exists()
    write(toolkit.ProfileTable(), tmp_path / "people")


def test_JSON_named_csv_is_refused_and_the_other_way_round(tmp_path: Path) -> None:
    profiles = toolkit.ProfileTable()
    with pytest.raises(toolkit.errors.ArgumentError, match=r"toolkit\.write_messages"):
        toolkit.write_csv(profiles, tmp_path / "x.json")
    with pytest.raises(toolkit.errors.ArgumentError, match=r"toolkit\.write_csv"):
        toolkit.write_messages(profiles, tmp_path / "x.csv.gz")


@pytest.mark.parametrize("pair", ["=tailnum", "=$distinct_id", " =seats"])
def test_a_mapping_without_a_column_is_refused_without_advice_that_is_refused_in_turn(
    pair: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    csv = tmp_path / "planes.csv"
    csv.write_text("tailnum,plan\nN1,pro\n")
    assert main(["import", str(tmp_path / "x.db"), str(csv), "--map", pair]) == 2
    told = capsys.readouterr().err
    assert "there is no column" in told
    assert "tailnum" in told
    assert "--map tailnum=" not in told
    assert "looks reversed" not in told


@pytest.mark.parametrize("suffix", connection._FILES)
def test_what_is_said_of_lost_files_is_for_who_reads_it(suffix: str) -> None:
    in_python = connection._lost(suffix)
    with written(_as_option):
        at_the_shell = connection._lost(suffix)
    assert "profiles." not in at_the_shell
    assert "profile-toolkit" not in in_python
    assert bool(suffix) == ("`profile-toolkit check`" in at_the_shell)
    assert bool(suffix) == ("profiles.check()" in in_python)
