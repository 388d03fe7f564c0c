"""Profiles as a CSV file, and what an import of it gives back."""

from __future__ import annotations

import ast
import csv
import gzip
import re
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

import toolkit as tk
from tests.effort import examples
from toolkit.sources.csv import export as csv_export
from toolkit.sources.csv.export import export_csv
from toolkit.sources.sample import sample_files
from toolkit.updates.names import name_refusal


def contents(profiles: tk.ProfileTable) -> dict[str, dict[str, Any]]:
    return {distinct_id: profiles[distinct_id] for distinct_id in profiles}


def without_empty(properties: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in properties.items() if value not in (None, "")}


def rows(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


@pytest.fixture
def profiles() -> tk.ProfileTable:
    return tk.ProfileTable()


def test_values_are_written_as_an_import_reads_them(
    profiles: tk.ProfileTable, tmp_path: Path
) -> None:
    time = "2026-05-01T10:00:00Z"
    properties = {"tags": ["a", 1], "$name": 'A "B", C', "new": True, "n": 1.5, "o": {"x": 2**60}}
    profiles.set("7", properties, time=time)
    profiles.set("8", {"new": False}, ignore_time=True)

    assert tk.write_csv(profiles, tmp_path / "out.csv") == 2
    assert rows(tmp_path / "out.csv") == [
        ["$distinct_id", "tags", "$name", "new", "n", "o", "$last_seen"],
        ["7", '["a",1]', 'A "B", C', "true", "1.5", '{"x":1152921504606846976}', time],
        ["8", "", "", "false", "", "", ""],
    ]
    copy = tk.ProfileTable()
    tk.import_csv(copy, tmp_path / "out.csv")
    assert contents(copy) == contents(profiles)


def test_the_shop_comes_back_but_for_nulls_and_empty_text(
    profiles: tk.ProfileTable, tmp_path: Path
) -> None:
    files = sample_files()
    tk.import_csv(profiles, files["profiles"])
    profiles.apply(tk.read_messages(files["updates"]))

    with pytest.warns(tk.CsvLossWarning, match="60 nulls, 7 empty texts"):
        tk.write_csv(profiles, tmp_path / "out.csv.gz")
    copy = tk.ProfileTable()
    tk.import_csv(copy, tmp_path / "out.csv.gz")

    expected = {each: without_empty(found) for each, found in contents(profiles).items()}
    assert contents(copy) == expected


words = st.text("abcXYZ ,;\"\n\r'é=+-", max_size=6).map(lambda text: f"x{text}")
columns = {
    "email": words,  # kept under its own name
    "flag": st.booleans(),
    "int": st.integers(-(2**53), 2**53),
    "float": st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False),
    "list": st.lists(st.none() | words | st.integers() | st.booleans(), max_size=3),
    "object": st.dictionaries(words, words | st.none(), max_size=2),
}


@settings(max_examples=examples(60), deadline=None)
@given(st.dictionaries(words, st.fixed_dictionaries({}, optional=columns), max_size=6))
def test_what_was_written_is_imported_the_same(
    tmp_path_factory: pytest.TempPathFactory, given: dict[str, dict[str, Any]]
) -> None:
    path = tmp_path_factory.mktemp("export") / "out.csv"
    profiles, copy = tk.ProfileTable(), tk.ProfileTable()
    profiles.apply([{"$distinct_id": key, "$set": value} for key, value in given.items()])

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert tk.write_csv(profiles, path) == len(given)
    tk.import_csv(copy, path, delimiter=",")

    assert contents(copy) == contents(profiles)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([None, "a"], "empty cells, which an import leaves out: 1 null"),
        (["", "a"], "empty cells, which an import leaves out: 1 empty text"),
        (["a\0b", "a"], 'Without the NUL characters of some text.*: "p"'),
        (["0", "400"], r'Text that reads as another type: "p".*types={.p.: .text.}'),
        ([1, "a"], 'Values that come back as text.*: "p"'),
        ([2**60, 1], 'Values that come back as text.*: "p"'),
    ],
)
def test_what_is_lost_is_said(
    profiles: tk.ProfileTable, tmp_path: Path, values: list[Any], said: str
) -> None:
    for place, value in enumerate(values):
        profiles.set(place, {"p": value})

    with pytest.warns(tk.CsvLossWarning, match=said):
        tk.write_csv(profiles, tmp_path / "out.csv")


def test_text_that_reads_as_a_number_comes_back_with_the_types_named(
    profiles: tk.ProfileTable, tmp_path: Path
) -> None:
    profiles.set("1", {"zip": "400973"})
    with pytest.warns(tk.CsvLossWarning):
        tk.write_csv(profiles, tmp_path / "out.csv")
    copy = tk.ProfileTable()
    tk.import_csv(copy, tmp_path / "out.csv", types={"zip": "text"})

    assert copy["1"] == {"zip": "400973"}


def test_DEFUSE_formulas_get_an_apostrophe_and_plain_numbers_stay(
    profiles: tk.ProfileTable, tmp_path: Path
) -> None:
    profiles.set("-5", {"$phone": "+4712345", "n": -1, "t": "x"})
    profiles.set("@b", {"$phone": "+47 12", "n": -2, "t": "=1"})
    export = export_csv(profiles, tmp_path / "out.csv")
    assert export.losses == ()
    assert "An apostrophe before 3 cells" in export.notes[0]

    assert [row[:4] for row in rows(tmp_path / "out.csv")[1:]] == [
        ["-5", "+4712345", "-1", "x"],
        ["'@b", "'+47 12", "-2", "'=1"],
    ]


def test_group_and_hidden_properties_left_out_are_told(
    profiles: tk.ProfileTable, tmp_path: Path
) -> None:
    profiles.set("1", {"plan": "pro", "$bucket": 1})
    profiles.groups("company").set("acme", {"seats": 3})

    with pytest.warns(tk.CsvLossWarning, match=r'"\$bucket" \(hidden\).*1 group profile'):
        tk.write_csv(profiles, tmp_path / "out.csv")
    assert rows(tmp_path / "out.csv")[0] == ["$distinct_id", "plan", "$last_seen"]
    assert tk.write_csv(profiles.groups("company"), tmp_path / "groups.csv") == 1


def test_some_profiles_none_and_gzip(profiles: tk.ProfileTable, tmp_path: Path) -> None:
    assert tk.write_csv(profiles, tmp_path / "none.csv") == 0
    assert (tmp_path / "none.csv").read_text() == "$distinct_id,$last_seen\n"
    profiles.set("1", {"plan": "pro"}, ignore_time=True)
    profiles.set("2", {"plan": "free"}, ignore_time=True)
    view = profiles.where('user["plan"] == "free"')
    assert tk.write_csv(view, tmp_path / "some.csv.gz") == 1
    content = gzip.decompress((tmp_path / "some.csv.gz").read_bytes())
    assert content == b"$distinct_id,plan,$last_seen\n2,free,\n"


def test_a_failed_write_leaves_the_older_file(
    profiles: tk.ProfileTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profiles.set("1", {"plan": "pro"})
    tk.write_csv(profiles, tmp_path / "out.csv")
    before = (tmp_path / "out.csv").read_bytes()
    profiles.set("2", {"plan": "free"})

    def full(*_: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space left"):
        tk.write_csv(profiles, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def test_a_folder_that_is_not_there_is_named(profiles: tk.ProfileTable, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        tk.write_csv(profiles, tmp_path / "nowhere" / "out.csv")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        tk.write_csv(profiles, tmp_path)


# What an export defused, an import takes back


# Texts that a spreadsheet runs, that read like defused ones, or that a reader of CSV stumbles over.
awkward = st.sampled_from(
    [
        *("+49 123", "@ann", "-", "'=1", "''=1", "=1", "'tis", "' =1", " x", "x ", "x", "\t", "\r"),
        *("x\r=1+1", "\n=1", "＝1", "'", '"', '"abc"def', '\\"', '{"a', "a,b;c;d\te|f", "Total"),
        *(
            "$distinct_id",
            "distinct_id",
            "email",
            "id",
            "#x",
            "\ufeff=1",
            "-5",
            "'-5",
            "NA",
            "null",
        ),
    ]
)
anything = awkward | st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | anything,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(anything, inner, max_size=2),
    max_leaves=4,
)  # fmt: skip


def imported_again(profiles: tk.ProfileTable, path: Path) -> tuple[tk.ProfileTable, str]:
    """Return what an import makes of an export, with the types it asks for, and its losses."""
    export = export_csv(profiles, path)
    losses = " ".join(export.losses)
    types = re.search(r"Import it with types=(\{.*?\})\.(?: |$)", losses, flags=re.S)
    copy = tk.ProfileTable()
    tk.import_csv(copy, path, types=ast.literal_eval(types[1]) if types else None)
    return copy, losses


@settings(max_examples=examples(150), deadline=None)
@given(
    st.dictionaries(
        anything, st.dictionaries(anything, anything, max_size=3), min_size=1, max_size=4
    )
)
def test_RESTORE_texts_names_and_IDs_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, given: dict[str, dict[str, str]]
) -> None:
    profiles = tk.ProfileTable()
    profiles.apply([{"$distinct_id": key, "$set": value} for key, value in given.items()])
    copy, losses = imported_again(profiles, tmp_path_factory.mktemp("export") / "out.csv")

    lost_ids = [key for key in profiles if not key.strip() or "\0" in key]
    assert ("whose ID is blank" in losses) == bool(lost_ids)
    kept = {key: each for key, each in contents(profiles).items() if key not in lost_ids}
    names = {name for each in contents(profiles).values() for name in each}
    left_out = {name for name in names if name_refusal(name) is not None or "\0" in name}
    assert all(name.replace("\0", "\\0") in losses for name in left_out)
    assert ("NUL characters of some text" in losses) == any(
        "\0" in value for each in kept.values() for name, value in each.items()
        if name not in left_out
    )  # fmt: skip
    assert contents(copy) == {
        key: {
            name: value.replace("\0", "")
            for name, value in each.items()
            if name not in left_out and value.replace("\0", "")
        }
        for key, each in kept.items()
    }


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(["p", "=q"]), json_values), min_size=1, max_size=4))
def test_what_no_loss_names_comes_back(
    tmp_path_factory: pytest.TempPathFactory, given: list[dict[str, Any]]
) -> None:
    profiles = tk.ProfileTable()
    profiles.apply([{"$distinct_id": str(n), "$set": each} for n, each in enumerate(given)])
    copy, losses = imported_again(profiles, tmp_path_factory.mktemp("export") / "out.csv")

    assert list(copy) == list(profiles)
    as_text = losses.partition("Values that come back as text")[2]
    for key, expected in contents(profiles).items():
        for name, value in expected.items():
            if value is None or value == "":
                assert name not in copy[key]
                assert "Written as empty cells" in losses
            elif f'"{name}"' not in as_text and "NUL" not in losses:
                assert copy[key][name] == value
                assert type(copy[key][name]) is type(value)


def test_RESTORE_a_spreadsheet_may_add_columns_rows_and_another_delimiter(tmp_path: Path) -> None:
    path = tmp_path / "saved.csv"
    path.write_text("$distinct_id;plan;$last_seen;more\n'@ann;'=1;;''=2\nbob;x,y;;'tis\n")
    copy = tk.ProfileTable()
    report = tk.import_csv(copy, path)
    assert copy["@ann"] == {"plan": "=1", "more": "'=2"}
    assert copy["bob"] == {"plan": "x,y", "more": "'tis"}
    assert "was removed in 3 cells" in " ".join(report.warnings)


def test_RESTORE_files_of_others_keep_their_apostrophes(tmp_path: Path) -> None:
    copy = tk.ProfileTable()
    for header in ("distinct_id,note,$last_seen", "$distinct_id,note", " $distinct_id,note"):
        report = tk.import_csv(
            copy, f"{header}\n'@ann,'+49 1{',' * (header.count(',') - 1)}".encode()
        )
        assert contents(copy) == {"'@ann": {"note": "'+49 1"}}
        assert "apostrophe" not in " ".join(report.warnings)


def test_more_rows_than_an_import_takes_are_told(
    profiles: tk.ProfileTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_export, "MAX_ROWS", 1)
    profiles.apply([{"$distinct_id": key, "$set": {}} for key in "ab"])
    with pytest.warns(tk.CsvLossWarning, match="More rows than an import takes at once"):
        tk.write_csv(profiles, tmp_path / "out.csv")
