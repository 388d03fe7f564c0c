"""Files that are written whole or not at all, as what they were."""

from __future__ import annotations

import ast
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import toolkit as tk
from tests.optional import of_unix
from toolkit.base.errors import ArgumentError, ToolkitError, UnwritableError
from toolkit.cli import main
from toolkit.forms.report.state import ReportBuilderState
from toolkit.sources.files import whole_file as module
from toolkit.sources.files.whole_file import whole_file, write_whole

EVENTS = pd.DataFrame({"event": ["e"], "distinct_id": ["1"], "time": ["2026-01-01"]})


def some_profiles() -> tk.ProfileTable:
    profiles = tk.ProfileTable()
    profiles.set("1", {"plan": "pro"})
    return profiles


def rejected_rows(path: Path) -> None:
    csv = b"distinct_id,plan\n1,pro\n2\n"
    tk.import_csv(tk.ProfileTable(), csv, on_error="skip").write_rejected(path)


def report_of_a_form(path: Path) -> None:
    state = ReportBuilderState(some_profiles(), EVENTS, delay=0.0)
    state.set(event="e", unit=None)
    assert state.wait(60)
    state.save(path)


def on_the_command_line(*arguments: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        folder = path.parent / "inputs"
        folder.mkdir(exist_ok=True)
        with tk.ProfileTable(folder / "shop.db") as profiles:
            profiles.set("1", {"plan": "pro"})
        EVENTS.to_csv(folder / "events.csv", index=False)
        (folder / "bad.csv").write_text("distinct_id,plan\n1,pro\n2\n")
        places = {"OUT": str(path), "IN": str(folder)}
        given = [each.replace("IN/", f"{folder}/") for each in arguments]
        assert main([*(places.get(each, each) for each in given), "--overwrite"]) in (0, 1)

    return write


WRITERS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "write_csv": ("a.csv", lambda path: tk.write_csv(some_profiles(), path)),
    "write_csv, packed": ("a.csv.gz", lambda path: tk.write_csv(some_profiles(), path)),
    "write_messages": ("a.jsonl", lambda path: tk.write_messages(some_profiles(), path)),
    "write_people": ("a.json", lambda path: tk.write_people(some_profiles(), path)),
    "rejected rows": ("a.csv", rejected_rows),
    "table of a form": ("a.csv", report_of_a_form),
    "chart of a form": ("a.png", report_of_a_form),
    "export": ("a.csv", on_the_command_line("export", "IN/shop.db", "OUT")),
    "report --csv": (
        "a.csv",
        on_the_command_line("report", "IN/shop.db", "IN/events.csv", "e", "--csv", "OUT"),
    ),
    "report --png": (
        "a.png",
        on_the_command_line("report", "IN/shop.db", "IN/events.csv", "e", "--png", "OUT"),
    ),
    "import --rejected": (
        "a.csv",
        on_the_command_line("import", "IN/new.db", "IN/bad.csv", "--rejected", "OUT"),
    ),
}


@of_unix("modes of files, and links that anybody may make,")
@pytest.mark.parametrize("writer", WRITERS)
def test_WHOLE_a_file_written_anew_keeps_its_mode_and_its_link(writer: str, tmp_path: Path) -> None:
    name, write = WRITERS[writer]
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / f"real-{name}", tmp_path / name
    target.write_text("older")
    target.chmod(0o600)
    link.symlink_to(target)
    write(link)
    assert link.is_symlink()
    assert target.read_bytes() not in (b"", b"older")
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert [path.name for path in target.parent.iterdir()] == [target.name]


@pytest.mark.parametrize("writer", [name for name in WRITERS if " -" in name or name == "export"])
def test_WHOLE_commands_refuse_to_write_over_a_file_unless_they_are_to(
    writer: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name, write = WRITERS[writer]
    path = tmp_path / name
    path.write_text("older")
    called: list[list[str]] = []
    monkeypatch.setattr(sys.modules[__name__], "main", lambda given: called.append(given) or 0)
    write(path)
    monkeypatch.undo()
    [given] = called
    given.remove("--overwrite")
    assert main(given) == 2
    assert path.read_text() == "older"
    assert "--overwrite" in capsys.readouterr().err
    assert not (path.parent / "inputs" / "new.db").exists()
    path.unlink()
    assert main(given) in (0, 1)
    assert main(given) == 2
    assert main([*given, "--overwrite"]) in (0, 1)


@pytest.mark.parametrize("part", ["", "-wal", "-shm", "-journal"])
def test_WHOLE_a_database_and_what_is_beside_it_are_not_written_over(
    part: str, tmp_path: Path
) -> None:
    with tk.ProfileTable(tmp_path / "shop.db") as profiles:
        profiles.set("1", {"plan": "pro"})
        with pytest.raises(UnwritableError, match="a database or part of one"):
            write_whole(f"{tmp_path / 'shop.db'}{part}", b"x")
        assert profiles.set("1", {"plan": "free"}).updated == 1
    write_whole(tmp_path / "notes-wal", b"x")


def test_WHOLE_nothing_writes_files_by_another_way() -> None:
    root = Path(tk.__file__).parent
    found = set()
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                modes = [each.value for each in node.args if isinstance(each, ast.Constant)]
                opened = node.func.attr == "open" and {"w", "wb", "a", "x", "xb"} & set(
                    filter(lambda mode: isinstance(mode, str), modes)
                )
                if node.func.attr in ("write_bytes", "write_text", "to_parquet") or opened:
                    found.add(path.relative_to(root).as_posix())
    # The sample is made beside its place, and renamed as a whole.
    assert found == {"sources/sample.py", "sources/files/whole_file.py"}


@of_unix("modes of files, and links that anybody may make,")
def test_WHOLE_a_new_file_has_the_usual_mode_and_a_dangling_link_is_followed(
    tmp_path: Path,
) -> None:
    mask = os.umask(0o027)
    try:
        write_whole(tmp_path / "new", b"1")
        (tmp_path / "link").symlink_to(tmp_path / "target")
        write_whole(tmp_path / "link", b"2")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"2"


@of_unix("devices and pipes with a path")
def test_WHOLE_devices_and_pipes_stay_what_they_are(tmp_path: Path) -> None:
    write_whole("/dev/null", b"x")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_whole(tmp_path / "pipe", b"x")
    assert os.read(reader, 9) == b"x"
    os.close(reader)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


@of_unix("links that anybody may make")
def test_a_link_to_itself_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(OSError, match="symbolic link"):
        write_whole(tmp_path / "loop", b"")


def test_what_cannot_be_written_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "old").write_text("older")
    with pytest.raises(ArgumentError, match="NUL"), whole_file("a\0b"):
        pass
    write_whole(tmp_path / ("x" * 250), b"")  # as long as a name may be, nearly

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(module.tempfile, "mkstemp", refuse)
    with pytest.raises(PermissionError, match="takes no new file") as refused:
        write_whole(tmp_path / "new", b"")
    assert isinstance(refused.value, ToolkitError)
    monkeypatch.setattr(module.os, "access", lambda *_: False)
    with pytest.raises(PermissionError, match="is read-only"):
        write_whole(tmp_path / "old", b"newer")
    assert (tmp_path / "old").read_text() == "older"
