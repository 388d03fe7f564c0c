"""Erasing a person: what was deleted and compacted is in no byte of the file any more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import toolkit as tk
from tests.test_backup import filled
from toolkit.columns.column import Column
from toolkit.profiles.table import ProfileTable
from toolkit.store import log, rows as stored, undo
from toolkit.store.pending import next_to

#: Such as no other text in a file holds.
PERSON = "zebra-77@person.example"
#: Those that stay.
OTHERS = [f"other-{n}" for n in range(60)]


def _message(profiles: ProfileTable) -> None:
    profiles.set(PERSON, {"$name": PERSON, "n": 1})


def _many(profiles: ProfileTable) -> None:
    profiles.apply([{"$distinct_id": key, "$set": {"who": key}} for key in [*OTHERS, PERSON]])


def _columns(profiles: ProfileTable) -> None:
    ids = pa.array([*OTHERS, PERSON], pa.large_string())
    profiles.set_columns(ids, {"who": Column.of([*OTHERS, PERSON])}, source="columns")


def _import(profiles: ProfileTable) -> None:
    rows = "".join(f"{key},{n}\n" for n, key in enumerate([*OTHERS, PERSON] * 20))
    tk.import_csv(profiles, f"distinct_id,n\n{rows}".encode(), progress=False)


def _undone(profiles: ProfileTable) -> None:
    _columns(profiles)
    profiles.undo(int(profiles.batches.index[-1]))
    profiles.redo(int(profiles.batches.index[-2]))


def _group(profiles: ProfileTable) -> None:
    profiles.groups("company").set(PERSON, {"who": PERSON})


def _compacted(profiles: ProfileTable) -> None:
    _message(profiles)
    profiles.compact(keep=0)


def _cohort(profiles: ProfileTable) -> None:
    _message(profiles)
    tk.cohorts(profiles).save(tk.cohort_of([PERSON, "other-1"], "Saved"))


def _template(profiles: ProfileTable) -> None:
    _message(profiles)
    # A file without a header, whose first row was taken for one.
    profiles.remembered("csv mappings")[f'["{PERSON}","1"]'] = {"identifier": 0, "columns": []}
    profiles.remembered("csv templates")["mine"] = {"columns": [{"header": PERSON}]}
    profiles.remembered("csv templates")["other"] = {"columns": [{"header": "plan"}]}


WAYS: list[Callable[[ProfileTable], None]] = [
    _message, _many, _columns, _import, _undone, _group, _compacted, _cohort, _template
]  # fmt: skip


def traces(path: Path) -> list[str]:
    """The files beside each other that hold the person, in whatever form."""
    found = []
    for suffix in ("", "-wal", "-shm"):
        file = next_to(path, suffix)
        content = file.read_bytes() if file.exists() else b""
        if PERSON.encode() in content or PERSON.encode("utf-16-le") in content:
            found.append(file.name)
    return found


def in_parquet(path: Path) -> bool:
    """Whether a Parquet file in the file holds the person: packed bytes do not show."""
    import io
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(path)) as file:
        for table in ("bulk_updates", "checkpoints", "bases"):
            for (content,) in file.execute(f"SELECT parquet FROM {table}"):
                if PERSON in repr(pd.read_parquet(io.BytesIO(content)).to_numpy().tolist()):
                    return True
    return False


@pytest.mark.parametrize("way", WAYS)
def test_COMPACT_4_who_was_deleted_is_in_no_byte_of_the_file(
    way: Callable[[ProfileTable], None], tmp_path: Path
) -> None:
    path = tmp_path / "shop.db"
    with (
        mock.patch.object(stored, "_CHECKPOINT_FROM", 10),
        mock.patch.object(undo, "_AS_MESSAGES_AT_MOST", 10),
        mock.patch.object(log, "_AS_MESSAGES_AT_MOST", 10),
        filled(path) as profiles,
    ):
        profiles.apply([{"$distinct_id": key, "$set": {"n": 0}} for key in OTHERS])
        way(profiles)
        before = {key: profiles[key] for key in profiles if key != PERSON}
        assert traces(path) or in_parquet(path)
        profiles.delete(PERSON)
        profiles.groups("company").delete(PERSON)
        report = profiles.compact(keep=0)
        assert traces(path) == [] and not in_parquet(path)
        assert {key: profiles[key] for key in profiles} == before
        assert profiles.check().problems == ()
        if way is _cohort:
            assert list(tk.cohorts(profiles)["Saved"].ids) == ["other-1"]
            told = '1 distinct ID of deleted profiles was taken out of the cohort "Saved".'
            assert report.notes == (told,)
            assert told in repr(report)
        if way is _template:
            assert list(profiles.remembered("csv templates")) == ["other"]
            assert list(profiles.remembered("csv mappings")) == []
        assert list(tk.cohorts(profiles)["Two"].ids) == ["1", "2"]
    assert traces(path) == []


def test_COMPACT_4_only_who_is_gone_leaves_a_cohort() -> None:
    profiles = ProfileTable()
    for key in ("gone", "again", "kept", "late"):
        profiles.set(key, {"n": 1})
    tk.cohorts(profiles).save(
        tk.cohort_of(["gone", "again", "kept", "late", "only in events"], "Saved")
    )
    profiles.unset("only in events", "n")
    for key in ("gone", "again"):
        profiles.delete(key)
    profiles.set("again", {"n": 2})
    profiles.delete("late")
    assert profiles.compact(keep=1, dry_run=True).notes == ()
    profiles.compact(keep=1)
    assert list(tk.cohorts(profiles)["Saved"].ids) == ["again", "kept", "late", "only in events"]
    profiles.compact(keep=0)
    assert list(tk.cohorts(profiles)["Saved"].ids) == ["again", "kept", "only in events"]


def test_COMPACT_4_a_condition_that_names_who_is_gone_is_pointed_out() -> None:
    profiles = ProfileTable()
    profiles.apply([{"$distinct_id": PERSON, "$set": {"$email": PERSON}}, {"$distinct_id": "2"}])
    members = tk.cohort(None, profiles, tk.user["$email"] == PERSON, name="One")
    tk.cohorts(profiles).save(members)
    profiles.delete(PERSON)
    report = profiles.compact(keep=0)
    assert list(tk.cohorts(profiles)["One"].ids) == []
    assert report.notes[1] == (
        f'The cohort "One" still names "{PERSON}" in its name or condition; delete it to forget '
        "that too."
    )


def test_COMPACT_4_many_deleted_ones_are_taken_out_at_once() -> None:
    profiles = ProfileTable()
    ids = np.arange(20_000).astype(str)
    tk.import_frame(profiles, pd.DataFrame({"distinct_id": ids, "n": 1}))
    tk.cohorts(profiles).save(tk.cohort_of(ids, "All"))
    deleted: list[Any] = [{"$distinct_id": key, "$delete": ""} for key in ids[:15_000]]
    profiles.apply(deleted)
    report = profiles.compact(keep=0)
    assert len(tk.cohorts(profiles)["All"]) == 5_000
    assert "15,000 distinct IDs of deleted profiles were" in report.notes[0]
