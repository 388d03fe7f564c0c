"""Backups, and the files that SQLite keeps beside an open one."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import toolkit as tk
from tests.optional import of_unix
from tests.test_undo import everything, past
from toolkit.base import errors
from toolkit.cli import main
from toolkit.profiles.table import ProfileTable
from toolkit.store import connection, file as store, log, undo
from toolkit.store.pending import next_to

KILLED = """
import os, signal, sys
import toolkit as tk
profiles = tk.ProfileTable(sys.argv[1])
for n in range(int(sys.argv[2])):
    profiles.set(str(n), {"n": n, "text": "x" * 200})
os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))  # the end at once, everywhere
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shop.db"


def filled(path: Path | None) -> ProfileTable:
    """Every form of the log, groups, an undo, a compacted past, what forms keep."""
    profiles = ProfileTable(path)
    profiles.apply([{"$distinct_id": n, "$set": {"n": n, "b": None}} for n in range(30)])
    frame = pd.DataFrame({"distinct_id": np.arange(2_000).astype(str), "n": 7.5})
    tk.import_frame(profiles, frame)
    profiles.delete("3")
    profiles.groups("company").set("acme", {"seats": 3})
    profiles.compact(keep=2)
    batch = tk.import_frame(profiles, frame.assign(n=1, list="[1]")).batch_id
    assert batch is not None
    profiles.undo(batch)
    profiles.set("late", {"n": 2**70}, time="2020-01-01")
    tk.cohorts(profiles).save(tk.cohort_of(["1", "2"], "Two"))
    return profiles


def killed(path: Path, batches: int = 3) -> None:
    """Leave a file whose last writer was killed, with all it wrote in the -wal."""
    done = subprocess.run([sys.executable, "-c", KILLED, str(path), str(batches)], check=False)
    assert done.returncode == (-signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
    assert next_to(path, "-wal").stat().st_size > 0


@pytest.mark.parametrize("on_disk", [True, False])
def test_a_backup_holds_everything_while_a_log_is_pending(path: Path, on_disk: bool) -> None:
    with filled(path if on_disk else None) as profiles:
        copy = path.with_name("copy.db")
        report = profiles.backup(copy)
        assert (report.path, report.bytes) == (str(copy), copy.stat().st_size)
        assert f"{copy}, " in repr(report) and "copy.db" in report._repr_html_()
        assert sorted(each.name for each in copy.parent.glob("*copy*")) == ["copy.db"]
        with ProfileTable(copy) as again:
            assert everything(again) == everything(profiles)
            pd.testing.assert_frame_equal(again.batches, profiles.batches)
            pd.testing.assert_frame_equal(again.history("late"), profiles.history("late"))
            assert list(tk.cohorts(again)["Two"].ids) == ["1", "2"]
            assert again.check().problems == ()
            again.undo(int(again.batches.index[-1]))
            assert "late" in profiles and "late" not in again


def test_a_backup_of_a_table_in_memory_has_its_past(path: Path) -> None:
    profiles = ProfileTable()
    profiles.set("1", {"a": 1}, time="2026-01-01")
    profiles.apply([{"$distinct_id": "1", "$append": {"a": 2}}, {"$distinct_id": "2", "$set": {}}])
    profiles.undo(2)
    profiles.backup(path)
    with ProfileTable(path) as copy:
        assert past(copy) == past(profiles)
        assert copy.set("1", {"a": 2}).batch_id == 4


def test_a_backup_is_of_one_moment_while_others_write(path: Path) -> None:
    code = """
import sys, toolkit as tk
with tk.ProfileTable(sys.argv[1]) as profiles:
    while "stop" not in profiles:
        profiles.apply([{"$distinct_id": key, "$add": {"n": 1}} for key in "ab"])
"""
    with ProfileTable(path) as profiles:
        profiles.apply([{"$distinct_id": key, "$set": {"n": 0}} for key in "ab"])
        writer = subprocess.Popen([sys.executable, "-c", code, str(path)])
        try:
            for number in range(5):
                copy = path.with_name(f"{number}.db")
                profiles.backup(copy)
                with ProfileTable(copy) as again:
                    assert again["a"] == again["b"]
                    assert again.check().problems == ()
        finally:
            profiles.set("stop", {})
            assert writer.wait(60) == 0


def test_a_backup_writes_over_nothing_unless_asked(path: Path, tmp_path: Path) -> None:
    with filled(path) as profiles:
        copy = tmp_path / "copy.db"
        copy.write_text("precious")
        with pytest.raises(errors.StoreExistsError, match="overwrite=True") as refused:
            profiles.backup(copy)
        assert isinstance(refused.value, FileExistsError)
        assert copy.read_text() == "precious"
        profiles.backup(copy, overwrite=True)
        with ProfileTable(copy) as again:  # now in use: its -wal is there
            again.set("1", {"n": 0})
            with pytest.raises(errors.StoreExistsError, match="open elsewhere"):
                profiles.backup(copy, overwrite=True)
        with pytest.raises(errors.ArgumentError, match="the file itself"):
            profiles.backup(path, overwrite=True)
        for part in ("-wal", "-shm", "-journal"):  # it would be taken for what was written last
            with pytest.raises(errors.ArgumentError, match="part of a database"):
                profiles.backup(f"{path}{part}", overwrite=True)
        for wrong, text in (
            (tmp_path, "is a folder"),
            (tmp_path / "none" / "x.db", "there is no folder"),
            (":memory:", "goes to a file"),
            ("", "the path of the file"),
            ("a\0b", "holds a NUL"),
            (None, "the path of a file"),
        ):
            with pytest.raises(errors.ToolkitError, match=text):
                profiles.backup(wrong)  # type: ignore[arg-type]
        with pytest.raises(errors.ReadOnlyError, match="write_messages"):
            profiles.as_of(batch=7).backup(tmp_path / "then.db")
        assert not list(tmp_path.glob(".*"))


@of_unix("modes of files, and links that anybody may make,")
def test_a_backup_keeps_who_may_read_and_follows_a_link(path: Path, tmp_path: Path) -> None:
    with ProfileTable(path) as profiles:
        profiles.set("1", {})
        path.chmod(0o600)
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "link.db").symlink_to(tmp_path / "elsewhere" / "copy.db")
        profiles.backup(tmp_path / "link.db")
        copy = tmp_path / "elsewhere" / "copy.db"
        assert (tmp_path / "link.db").is_symlink()
        assert copy.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("on_disk", [True, False])
def test_a_backup_that_is_stopped_leaves_nothing(
    path: Path, on_disk: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_PAGES_A_LOOK", 5)
    with filled(path if on_disk else None) as profiles:
        told: list[tuple[str, int, int]] = []

        def stop(*notice: Any) -> None:
            told.append(notice)
            if len(told) == 3:
                raise errors.WorkCancelled("enough")

        with pytest.raises(errors.WorkCancelled):
            profiles.backup(path.with_name("copy.db"), progress=stop)
        assert {stage for stage, _, _ in told} == {"Copying"}
        assert not [each for each in path.parent.iterdir() if "copy" in each.name]
        profiles.set("1", {})
        profiles.backup(path.with_name("copy.db"))


def test_the_command_backs_up(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with ProfileTable(path) as profiles:
        profiles.set("1", {"a": 1})
        copy = path.with_name("copy.db")
        assert main(["backup", str(path), str(copy)]) == 0
        assert f"{copy}: {copy.stat().st_size:,} bytes written" in capsys.readouterr().out
        assert main(["backup", str(path), str(copy)]) == 2
        said = capsys.readouterr().err
        assert "already exists" in said and "--overwrite to" in said
        assert main(["backup", str(path), str(copy), "--overwrite"]) == 0
    assert main(["backup", "none.db", str(copy)]) == 2
    with ProfileTable(copy) as again:
        assert again["1"] == {"a": 1}


# The files beside


def test_what_a_killed_process_wrote_is_read_from_its_own_wal(path: Path) -> None:
    for batches in (2, 60, 1):
        killed(path, batches)
    with ProfileTable(path) as profiles:
        assert len(profiles) == 60
        assert profiles.check().problems == ()


@pytest.mark.parametrize("other", ["another file", "an older copy", "a newer copy"])
def test_a_file_beside_a_foreign_wal_is_refused(path: Path, tmp_path: Path, other: str) -> None:
    put = tmp_path / "other.db"
    with ProfileTable(path if other == "an older copy" else put) as profiles:
        profiles.set("9", {"a": 1})
        if other == "an older copy":
            profiles.backup(put)
    with ProfileTable(path) as profiles:
        profiles.set("8", {"a": 2})
    killed(path)
    if other == "a newer copy":
        wal = next_to(path, "-wal").read_bytes()
        with ProfileTable(path) as profiles:
            profiles.set("7", {"a": 3})
            profiles.backup(put, overwrite=True)
        next_to(path, "-wal").write_bytes(wal)
    shutil.copy(put, path)
    before = path.read_bytes()
    with pytest.raises(errors.StoreDamagedError, match=r"shop\.db-wal next to .* another"):
        ProfileTable(path)
    assert path.read_bytes() == before
    next_to(path, "-wal").unlink()
    next_to(path, "-shm").unlink(missing_ok=True)
    with ProfileTable(path) as profiles:
        assert ("7" if other == "a newer copy" else "9") in profiles
        assert profiles.check().problems == ()


@pytest.mark.parametrize("left", ["nothing", "an empty file"])
def test_a_wal_without_its_file_is_not_thrown_away(path: Path, left: str) -> None:
    killed(path)
    wal = next_to(path, "-wal").read_bytes()
    moved = path.rename(path.with_name("moved.db"))
    if left == "an empty file":
        path.touch()
    with pytest.raises(errors.StoreDamagedError, match="holds what was written to it last"):
        ProfileTable(path)
    assert next_to(path, "-wal").read_bytes() == wal
    moved.rename(path)
    with ProfileTable(path) as profiles:
        assert len(profiles) == 3


@of_unix("files that can be deleted while they are open")
@pytest.mark.parametrize("replaced", [False, True])
@pytest.mark.parametrize("suffix", ["-wal", "-shm"])
def test_a_wal_that_goes_while_the_file_is_open_is_noticed(
    path: Path, suffix: str, replaced: bool
) -> None:
    profiles = ProfileTable(path)
    profiles.set("1", {"a": 1})
    lost = next_to(path, suffix)
    content = lost.read_bytes()
    lost.unlink()
    if replaced:
        lost.with_name("new").write_bytes(content)
        lost.with_name("new").rename(lost)
    for ask in (lambda: profiles.set("2", {}), lambda: profiles["1"], lambda: profiles.frame):
        with pytest.raises(errors.StoreError, match=rf"{suffix} was deleted or replaced"):
            ask()
    profiles.close()
    if replaced:
        next_to(path, "-wal").unlink(missing_ok=True)
        next_to(path, "-shm").unlink(missing_ok=True)
    with ProfileTable(path) as again:
        assert again["1"] == {"a": 1}
        assert again.check().problems == ()


def test_a_writer_and_many_openers_take_nobodys_wal_for_foreign(path: Path) -> None:
    ProfileTable(path).close()
    end = threading.Event()
    failed: list[BaseException] = []

    def write() -> None:
        with ProfileTable(path) as profiles:
            number = 0
            while not end.is_set():
                profiles.apply([{"$distinct_id": n, "$set": {"n": number}} for n in range(200)])
                number += 1

    def look() -> None:
        try:
            for _ in range(60):
                ProfileTable(path).close()
        except BaseException as error:
            failed.append(error)

    writer, *openers = [threading.Thread(target=each) for each in (write, look, look)]
    writer.start()
    for each in openers:
        each.start()
    for each in openers:
        each.join()
    end.set()
    writer.join()
    assert failed == []


def test_a_large_undo_in_memory_is_backed_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (undo, log):
        monkeypatch.setattr(module, "_AS_MESSAGES_AT_MOST", 1)
    profiles = ProfileTable()
    profiles.apply([{"$distinct_id": n, "$set": {"n": n}} for n in range(5)])
    profiles.undo(1)
    profiles.backup(path)
    with ProfileTable(path) as copy, closing(sqlite3.connect(path)) as file:
        assert file.execute("SELECT form FROM bulk_updates").fetchall() == [("edits",)]
        copy.redo(1)
        assert len(copy) == 5 and copy.check().problems == ()


def test_a_file_opened_to_read_is_not_written_and_notices_a_change(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = ProfileTable(path)
    writer.set("1", {"a": 1})
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda _, mode: mode != os.W_OK)
        reader = ProfileTable(path)
    assert repr(reader) == f"<ProfileTable: 1 user profile in {path}, to read only>"
    writer.set("1", {"a": 2})
    assert reader["1"] == {"a": 2}
    for write in (
        lambda: reader.set("1", {}),
        lambda: reader.undo(1),
        lambda: reader.compact(keep=0),
        lambda: reader.check(repair=True),
        lambda: tk.cohorts(reader).save(tk.cohort_of(["1"], "One")),
        lambda: tk.import_csv(reader, b"distinct_id,a\n1,2\n", progress=False),
        lambda: tk.serve(reader),
    ):
        with pytest.raises(errors.StoreReadOnlyError, match=r"profiles\.backup") as refused:
            write()
        assert isinstance(refused.value, PermissionError)
    assert reader.compact(keep=0, dry_run=True).batches == 2  # which writes nothing
    copy = path.with_name("copy.db")
    reader.backup(copy)
    with ProfileTable(copy) as again:
        assert again.set("1", {"b": 1}).applied == 1
    for each in (writer, reader):
        each.close()


def test_a_file_where_nothing_can_be_written_beside_it_is_read_as_long_as_it_stays(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ProfileTable(path) as writer:
        writer.set("1", {"a": 1})
    connect = store.Store._connect

    def refusing(self: store.Store, address: str, prepare: Any) -> None:
        if "immutable" not in address:
            error = sqlite3.OperationalError("unable to open database file")
            error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
            raise error
        connect(self, address, prepare)

    with monkeypatch.context() as patch:
        patch.setattr(store.Store, "_connect", refusing)
        reader = ProfileTable(path)
        assert reader["1"] == {"a": 1}
        with ProfileTable(path) as other:
            assert len(other) == 1
    with ProfileTable(path) as writer:
        writer.set("1", {"a": 2})
    with pytest.raises(errors.StoreError, match="changed where it is open to read only"):
        reader.frame  # noqa: B018
    reader.close()
    killed(path)
    with monkeypatch.context() as patch:
        patch.setattr(store.Store, "_connect", refusing)
        with pytest.raises(errors.StoreError, match=r"shop\.db-wal next to it holds .* Copy both"):
            ProfileTable(path)
