"""The CSV wizard without its view: from a file to profiles, step by step."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import toolkit as tk
from tests.widgets.page import visible
from toolkit.forms.csv import state as csv_import_state
from toolkit.forms.csv.facts import facts
from toolkit.forms.csv.state import STEPS, CsvImportState
from toolkit.forms.csv.words import in_form
from toolkit.profiles.table import ProfileTable

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(params=["memory", "file"])
def profiles(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    with ProfileTable(None if request.param == "memory" else tmp_path / "shop.db") as table:
        yield table


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    def write(text: str, name: str = "users.csv", encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return path

    return write


def read(state: CsvImportState, path: object) -> None:
    state.choose(str(path))
    assert state.wait(20)


def go(state: CsvImportState, step: str) -> None:
    """Go on to a step."""
    while state.step != step:
        state.next()
        assert state.wait(20)
        assert not state.error, state.error


def choice(state: CsvImportState, title: str) -> Any:
    return next(each for each in state.columns if each.title == title)


def test_a_file_with_a_header_goes_through_all_steps_without_a_change(
    profiles: ProfileTable,
) -> None:
    state = CsvImportState(profiles)
    assert state.step == "choose"
    state.choose_sample("profiles")
    state.wait(20)
    assert (state.step, state.name, state.error) == ("read", "profiles.csv", "")
    assert state.preview is not None
    assert state.first_rows[0] == [each.header for each in state.preview.columns]

    seen = [state.step]
    while state.result is None:
        state.next()
        state.wait(20)
        assert state.error == ""
        seen.append(state.step)

    assert tuple(seen) == STEPS[1:]
    assert state.dry is not None
    assert state.dry.created == state.result.created == len(profiles) > 1_700
    assert profiles.batches["source"].tolist() == ["csv: profiles.csv"]
    # An import by hand leaves Updated At as it is (SEEN-2).
    assert profiles.frame["$last_seen"].isna().all()


def test_a_file_without_a_header_needs_names(profiles: ProfileTable) -> None:
    state = CsvImportState(profiles)
    state.choose_sample("profiles_no_header")
    state.wait(20)
    assert state.preview is not None
    assert not state.preview.header
    assert state.identifier == 0

    go(state, "columns")
    assert [each.position for each in state.columns if each.ticked] == [1]
    for position, name in {2: "$name", 3: "plan", 7: "age"}.items():
        state.set_column(position, property=name)
    go(state, "check")
    state.next()
    state.wait(20)

    assert state.result is not None
    assert state.result.created == 1_772
    assert list(profiles.frame) == ["$email", "$name", "plan", "age", "$last_seen"]


def test_encoding_delimiter_and_header_are_guessed_and_can_be_changed(
    profiles: ProfileTable, written: Callable[..., Path]
) -> None:
    state = CsvImportState(profiles)
    read(state, written("id;name;note\n1;José;a,b\n2;Zoë;c\n", encoding="latin-1"))
    assert state.preview is not None
    assert (state.preview.encoding, state.preview.delimiter) == ("cp1252", ";")
    assert 'make another choice in "Encoding"' in in_form(state.preview.problems[0])
    assert state.first_rows[1] == ["1", "José", "a,b"]

    state.read_as(encoding="cp1251")
    state.wait()
    assert state.first_rows[1][1] == "Josй"
    state.read_as(encoding="", delimiter=",")
    state.wait()
    assert state.delimiter == ","
    assert len(state.preview.columns) < 3
    state.read_as(delimiter="", header=False)
    state.wait()
    assert [each.header for each in state.preview.columns] == [None, None, None]
    assert state.header is False
    state.read_as(header=None)
    state.wait()
    assert [each.header for each in state.preview.columns] == ["id", "name", "note"]


def test_an_encoding_that_does_not_fit_is_told_and_nothing_is_lost(
    profiles: ProfileTable, written: Callable[..., Path]
) -> None:
    state = CsvImportState(profiles)
    read(state, written("id,name\n1,José\n", encoding="latin-1"))
    before = state.preview

    state.read_as(encoding="utf-8")
    state.wait()
    assert "is not utf-8" in state.error
    assert 'for example "cp1252" in "Encoding"' in state.error
    assert (state.preview, state.encoding) == (before, "")
    state.read_as(encoding="klingon")
    state.wait()
    assert "klingon" in state.error
    assert state.step == "read"


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("", "Give the path of a CSV file"),
        ("nowhere.csv", "there is no file 'nowhere.csv'"),
        (".", "is a folder"),
        ("a\nb", "text of several lines"),
    ],
)
def test_a_path_that_leads_nowhere_is_told(path: str, told: str) -> None:
    state = CsvImportState(ProfileTable())
    read(state, path)
    assert told in state.error
    assert state.step == "choose"
    state.next()
    assert state.error == "Choose a file first."


def test_a_path_may_stand_in_quotes_or_begin_at_home(
    written: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    path = written("id,plan\n1,pro\n")
    state = CsvImportState(ProfileTable())
    read(state, f' "{path}" ')
    assert state.step == "read"
    state.restart()
    assert (state.step, state.preview, state.columns) == ("choose", None, ())
    read(state, "~/users.csv")
    assert state.step == "read"


def test_a_file_from_the_browser_is_read_under_its_name_and_closed() -> None:
    file = io.BytesIO(b"id,plan\n1,pro\n")
    state = CsvImportState(ProfileTable())

    state.upload("C/my users.csv", file)
    state.wait()

    assert state.name == "my users.csv"
    assert file.closed
    state.upload("empty.csv", io.BytesIO())
    state.wait()
    assert state.error == "empty.csv is empty"


# CSV-2: the identifier


def test_CSV_2_the_wizard_says_what_becomes_of_the_ids(
    profiles: ProfileTable, written: Callable[..., Path]
) -> None:
    state = CsvImportState(profiles)
    read(state, written("code,email,plan\na,x@y.z,pro\na,b@y.z,free\n,c@y.z,free\n"))
    assert state.identifier is None
    assert state.identifier_told.startswith(
        'No column is chosen, so the e-mail address in "email" becomes the distinct ID, and '
        "stays a property. 3 different IDs in 3 rows."
    )

    state.choose_identifier(0)
    assert state.identifier_told == (
        "1 different ID in 3 rows. 1 row repeats the ID of a row before: of each property the "
        "last cell counts. 1 row without one cannot be imported."
    )

    state.choose_identifier(None)
    state.set_column(1, ticked=False)
    assert "each row gets a random distinct ID" in state.identifier_told
    go(state, "check")
    state.start_import()
    state.wait()
    assert len(profiles) == 3
    assert all(len(distinct_id) == 36 for distinct_id in profiles)

    state.choose_identifier(7)
    assert state.step == "import"


def test_the_identifier_is_no_property_until_another_column_is(
    written: Callable[..., Path],
) -> None:
    profiles = ProfileTable()
    state = CsvImportState(profiles)
    read(state, written("user_id,code,plan\n1,a,pro\n2,b,free\n"))
    assert state.identifier == 0
    assert state.mapping == {0: "$distinct_id", 1: "code", 2: "plan"}

    state.choose_identifier(1)
    state.set_column(0, ticked=True)
    assert state.mapping == {0: "user_id", 1: "$distinct_id", 2: "plan"}


# CSV-3: ticks and names


def test_CSV_3_what_is_wrong_with_a_name_stands_beside_it(
    profiles: ProfileTable, written: Callable[..., Path]
) -> None:
    profiles.set("1", {"Plan": "pro"})
    state = CsvImportState(profiles)
    read(state, written("id,a,b,c\n1,2,3,4\n2,3,4,5\n"))
    go(state, "columns")

    for name, told in {
        "$bucket": "hidden from every table",
        "bucket": "hidden from every table",
        "$last_seen": "kept by the table",
        "$distinct_id": "marks the identifier",
        "distinct_id": "marks the identifier",
        "$token": "a field of messages",
        "b": '"b" has this name too',
        "\ud800": "surrogate",
    }.items():
        state.set_column(1, property=name)
        assert told in choice(state, "a").error, name
        assert state.problems > 0
        state.next()
        assert state.step == "columns"
        assert "cannot be imported as" in state.error
    assert choice(state, "b").error == ""
    state.set_column(1, property="")
    assert not choice(state, "a").ticked
    state.set_column(1, ticked=True)
    assert choice(state, "a").error == "Give it a name, or untick it."

    state.set_column(1, property=" plan ")
    assert choice(state, "a").name == "plan"
    assert choice(state, "a").hint == 'The table has "Plan"; this would be another property.'
    state.set_column(1, property="Email")
    assert choice(state, "a").hint == "A property of its own. The reserved one is $email."
    state.set_column(1, property="$emial")
    assert choice(state, "a").hint == "A property of its own. The reserved one is $email."
    state.set_column(1, property="$email")
    assert choice(state, "a").hint == "Shown as Email."
    assert state.problems == 0
    assert state.property_names[:2] == ["Plan", "$name"]
    assert "$bucket" not in state.property_names


def test_PAST_4_a_column_of_times_dates_the_rows(
    profiles: ProfileTable, written: Callable[..., Path]
) -> None:
    state = CsvImportState(profiles)
    read(
        state,
        written("id,plan,at\n1,pro,2026-03-01\n1,free,2026-01-01\n2,pro,soon\n3,pro,2026-02-01\n"),
    )
    state.choose_identifier(0)
    state.set_column(2, property="$time")
    assert choice(state, "at").error == ""
    assert choice(state, "at").hint.startswith("When each row happened")
    go(state, "check")
    assert state.dry is not None
    assert state.dry.rejected["line"].tolist() == [4]
    state.skip_rejected = True
    state.next()
    state.wait()
    assert profiles["1"] == {"plan": "pro"}
    assert profiles.as_of("2026-01-15")["1"] == {"plan": "free"}


def test_CSV_3_columns_without_a_tick_are_not_imported(
    profiles: ProfileTable, written: Callable[..., Path]
) -> None:
    state = CsvImportState(profiles)
    read(state, written("id,a,b,empty\n1,2,3,\n2,3,4,\n"))
    assert not choice(state, "empty").ticked
    state.tick(False)
    state.check()
    assert state.error == "No column is ticked. Tick and name at least one."
    assert state.step == "read"
    state.tick(True, [1, 2])
    state.set_column(2, ticked=False)
    go(state, "import")
    assert profiles["1"] == {"a": 2}


def test_CSV_5_a_type_that_does_not_fit_says_how_many_rows_it_costs(
    profiles: ProfileTable, written: Callable[..., Path]
) -> None:
    state = CsvImportState(profiles)
    read(state, written("id,age,zip\n1,30,0150\n2,many,0151\n3,few,0152\n"))
    assert choice(state, "age").type == "text"
    state.set_column(1, type="number")
    assert (
        choice(state, "age").hint
        == "2 cells do not fit the type number; their rows would not be imported."
    )
    state.set_column(1, type="text")
    assert choice(state, "age").hint == ""
    state.set_column(1, type="number")

    state.set_column(1, type="colour")  # type: ignore[arg-type]
    assert "not a type" in state.error
    go(state, "check")
    assert state.dry is not None
    assert len(state.dry.rejected) == 2


# The dry run, and CSV-7


FAULTY = (
    "distinct_id,$email,plan\n"
    "u1,ann@example.com,pro\n"
    "u1,ann@example.com,basic\n"
    "null,x@example.com,free\n"
    "u3,ann@example.com,free\n"
    "u4\n"
    ',y@example.com,"=1+1"\n'
)


def test_CSV_7_the_others_are_imported_only_when_that_is_said(
    profiles: ProfileTable, written: Callable[..., Path]
) -> None:
    profiles.set("u1", {"$email": "ann@example.com", "plan": "free"})
    state = CsvImportState(profiles)
    read(state, written(FAULTY))
    go(state, "check")
    dry = state.dry
    assert dry is not None
    assert (dry.created, dry.updated, dry.imported) == (2, 1, 4)
    assert dry.changes.to_dict("records") == [
        {"distinct_id": "u1", "property": "plan", "old": "free", "new": "basic"}
    ]
    assert dry.duplicate_ids["distinct_id"].tolist() == ["u1"]
    assert dry.placeholder_ids["distinct_id"].tolist() == ["null"]
    assert dry.same_email == 1
    assert dry.rejected["line"].tolist() == [6, 7]
    assert len(profiles) == 1

    state.next()
    assert state.error.startswith("2 rows cannot be imported. Correct the file, or tick")
    assert state.step == "check"

    state.skip_rejected = True
    state.next()
    state.wait()
    assert state.result is not None
    assert (len(profiles), profiles["u1"]["plan"]) == (3, "basic")
    rows = list(csv.reader(io.StringIO(state.rejected.decode())))
    assert rows[1:] == [
        ["6", "1 cell where 3 are expected", "u4"],
        ["7", "no distinct ID", ",y@example.com,=1+1"],
    ]


def test_a_file_of_which_no_row_can_be_imported_is_not(
    profiles: ProfileTable, written: Callable[..., Path]
) -> None:
    state = CsvImportState(profiles)
    read(state, written("distinct_id,plan\n,pro\n,free\n"))
    go(state, "check")
    state.skip_rejected = True
    state.next()
    assert state.error == "No row can be imported."
    assert len(profiles.batches) == 0


def test_changing_a_column_asks_for_another_dry_run(
    profiles: ProfileTable, written: Callable[..., Path]
) -> None:
    state = CsvImportState(profiles)
    read(state, written("id,plan\n1,pro\n"))
    go(state, "check")
    state.back()
    state.set_column(1, property="tier")
    assert state.dry is None
    state.start_import()
    assert state.error == "Check the import first."
    go(state, "check")
    go(state, "import")
    assert profiles["1"] == {"tier": "pro"}


def test_back_keeps_what_was_chosen(written: Callable[..., Path]) -> None:
    state = CsvImportState(ProfileTable())
    read(state, written("id,plan\n1,pro\n"))
    go(state, "columns")
    state.set_column(1, property="tier")
    for step in ("identifier", "read", "choose", "choose"):
        state.back()
        assert state.step == step
    go(state, "columns")
    assert choice(state, "plan").name == "tier"


def test_the_table_is_locked_elsewhere_and_the_wizard_says_so(
    tmp_path: Path, written: Callable[..., Path]
) -> None:
    path = tmp_path / "shop.db"
    with ProfileTable(path, timeout=0.2) as profiles, ProfileTable(path) as other:
        state = CsvImportState(profiles)
        read(state, written("id,plan\n1,pro\n"))
        go(state, "check")

        with other._engine.lock, other._engine.writing():
            state.next()
            state.wait()
        assert "was being written by another process" in state.error
        assert state.step == "check"
        go(state, "import")
        assert profiles["1"] == {"plan": "pro"}


# Undo, redo, cancel


def test_an_import_is_undone_and_brought_back(
    profiles: ProfileTable, written: Callable[..., Path]
) -> None:
    profiles.set("1", {"plan": "free"})
    state = CsvImportState(profiles)
    read(state, written("id,plan\n1,pro\n2,pro\n"))
    state.undo()
    assert state.error == "There is nothing to undo."
    go(state, "import")

    state.undo()
    state.wait()
    assert (state.undone, state.note) == (True, "The import was undone.")
    assert (len(profiles), profiles["1"]) == (1, {"plan": "free"})
    state.redo()
    state.wait()
    assert (state.undone, state.note) == (False, "The import was brought back.")
    assert (len(profiles), profiles["1"]) == (2, {"plan": "pro"})


def test_an_import_that_was_written_over_is_undone_as_far_as_that_goes(
    profiles: ProfileTable, written: Callable[..., Path]
) -> None:
    state = CsvImportState(profiles)
    profiles.set("1", {"plan": "free", "age": 1})
    read(state, written("id,plan,age\n1,pro,2\n2,pro,3\n"))
    go(state, "import")
    profiles.set("1", {"plan": "basic"})

    state.undo()
    state.wait()
    assert "cannot be undone whole" in state.error
    assert (state.conflicts, state.undone) == (1, False)
    state.undo(only_untouched=True)
    state.wait()
    assert (state.error, state.conflicts, state.undone) == ("", 0, True)
    assert profiles["1"] == {"plan": "basic", "age": 1}
    assert "2" not in profiles


def test_a_step_under_way_is_stopped_and_leaves_everything_as_it_was(
    profiles: ProfileTable, written: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    state = CsvImportState(profiles)
    read(state, written("id,plan\n1,pro\n"))
    go(state, "check")
    real = csv_import_state.import_csv

    def slowly(*args: Any, progress: Any, **options: Any) -> Any:
        for done in range(1_000):
            progress("Waiting", done, 1_000)
            time.sleep(0.01)
        return real(*args, progress=progress, **options)

    monkeypatch.setattr(csv_import_state, "import_csv", slowly)
    state.next()
    assert (state.step, state.job.running) == ("import", True)
    state.next()  # nothing happens while something is under way
    state.back()
    state.restart()
    state.cancel()
    assert state.wait(1)

    assert (state.step, state.note, state.error) == ("check", "Stopped. Nothing was written.", "")
    assert len(profiles) == 0
    monkeypatch.setattr(csv_import_state, "import_csv", real)
    go(state, "import")
    assert len(profiles) == 1


# Templates


def test_a_template_is_kept_and_used_again_for_a_file_with_other_columns(
    profiles: ProfileTable, written: Callable[..., Path]
) -> None:
    state = CsvImportState(profiles)
    read(state, written("code,plan,age,zip\na,pro,30,1\nb,free,31,2\n"))
    state.choose_identifier(0)
    state.set_column(1, property="tier")
    state.set_column(2, ticked=False)
    state.set_column(3, type="text")
    state.save_template("  ")
    assert state.error == "Give the template a name."
    state.save_template(" shop ")
    assert (state.templates, state.template_note) == (["shop"], 'Saved as "shop".')

    other = CsvImportState(profiles)
    assert other.templates == ["shop"]
    other.apply_template("shop")
    assert other.error == "Choose a file first."
    read(other, written("new,zip,code,plan\nx,1,a,pro\n", "second.csv"))
    other.apply_template("nothing")
    assert "no template" in other.error
    other.apply_template("shop")
    assert other.mapping == {1: "zip", 2: "$distinct_id", 3: "tier"}
    assert choice(other, "zip").type == "text"
    assert other.template_note == (
        'As in the template "shop". Not in this file: "age". '
        'Not in the template, and not ticked: "new".'
    )
    go(other, "import")
    assert profiles["a"] == {"zip": "1", "tier": "pro"}

    other.delete_template("shop")
    assert other.templates == []


def test_a_template_of_a_file_without_a_header_goes_by_position(
    profiles: ProfileTable, written: Callable[..., Path]
) -> None:
    state = CsvImportState(profiles)
    read(state, written("u1,7,8\nu2,9,10\n"))
    state.set_column(1, property="age")
    state.save_template("lists")

    read(state, written("u1,7\nu2,9\n", "narrow.csv"))
    state.apply_template("lists")
    assert state.mapping == {0: "$distinct_id", 1: "age"}
    assert 'Not in this file: "Column 3".' in state.template_note


def test_the_last_mapping_is_remembered_for_files_with_the_same_columns(
    profiles: ProfileTable, written: Callable[..., Path]
) -> None:
    state = CsvImportState(profiles)
    read(state, written("id,plan,notes\n1,pro,x\n"))
    state.set_column(1, property="tier")
    state.set_column(2, ticked=False)
    go(state, "import")

    again = CsvImportState(profiles)
    read(again, written("id,plan,notes\n2,free,y\n", "tomorrow.csv"))
    assert again.mapping == {0: "$distinct_id", 1: "tier"}
    assert again.template_note == "As the last file with these columns was imported."
    again.forget_choices()
    assert again.mapping == {0: "$distinct_id", 1: "plan", 2: "notes"}
    assert again.template_note == ""

    read(again, written("id,plan\n2,free\n", "other.csv"))
    assert again.mapping == {0: "$distinct_id", 1: "plan"}


def test_a_template_that_was_damaged_is_passed_over(
    profiles: ProfileTable, written: Callable[..., Path]
) -> None:
    profiles.remembered("csv templates")["bad"] = {"columns": [{"position": "x"}]}
    profiles.remembered("csv mappings")['["id","plan"]'] = 7
    state = CsvImportState(profiles)
    read(state, written("id,plan\n1,pro\n"))
    assert state.error == ""
    state.apply_template("bad")
    assert "no template" in state.error


# Much and strange


def test_many_columns_are_found_by_words_and_changed_quickly(
    written: Callable[..., Path],
) -> None:
    names = [f"column {number}" for number in range(400)]
    rows = [",".join(["id", *names])]
    rows += [",".join([f"u{row}", *("7" for _ in names)]) for row in range(50)]
    state = CsvImportState(ProfileTable())
    read(state, written("\n".join(rows)))
    assert len(state.columns) == 401
    assert [each.title for each in state.matching_columns("COLUMN 39")][:2] == [
        "column 39",
        "column 390",
    ]
    assert state.matching_columns("u1")[0].title == "id"

    started = time.perf_counter()
    for position in range(1, 21):
        state.set_column(position, property=f"p{position}")
    assert (time.perf_counter() - started) / 20 < 0.05


def test_hostile_text_is_only_text(profiles: ProfileTable, written: Callable[..., Path]) -> None:
    state = CsvImportState(profiles)
    read(state, written(f'distinct_id,"{HOSTILE}"\n1,{HOSTILE}\n'))
    go(state, "import")
    assert profiles["1"] == {HOSTILE: HOSTILE}


# groups


def test_a_file_of_groups_goes_into_their_table(
    profiles: ProfileTable, written: Callable[..., Path]
) -> None:
    profiles.groups("company").set("acme", {"plan": "free"})
    state = CsvImportState(profiles)
    assert state.tables == {"": "Users", "company": "Groups: company"}
    path = written("name,company_id,plan\nAcme,acme,pro\nHooli,hooli,free\n")
    read(state, path)
    assert state.identifier is None
    state.into("company")
    assert (state.identifier, state.id_name) == (1, "group ID")
    go(state, "check")
    assert state.dry is not None and (state.dry.created, state.dry.updated) == (1, 1)
    state.next()
    assert state.wait(20)
    assert profiles.groups("company")["acme"] == {"plan": "pro", "$name": "Acme"}
    assert len(profiles) == 0
    state.undo()
    assert state.wait(20)
    assert profiles.groups("company")["acme"] == {"plan": "free"}


def test_a_form_of_groups_stays_with_them(profiles: ProfileTable) -> None:
    state = CsvImportState(profiles.groups("company"))
    assert state.tables == {"company": "Groups: company"}
    state.into("")
    assert state.profiles.group_key == "company"
    assert "random group ID" not in state.identifier_told


# Who the user is, and what is left out

PLANES = "tailnum,year,model\nN1,2004,A\nN2,1998,A\nN3,1999,B\n"


def test_CSV_2_the_form_names_the_column_that_may_be_the_identifier(
    profiles: ProfileTable, written: Callable[..., Path]
) -> None:
    state = CsvImportState(profiles)
    read(state, written(PLANES))

    assert (state.identifier, state.candidate) == (None, 0)
    assert "random distinct ID" in state.identifier_told
    assert state.identifier_told.endswith(
        '"tailnum" may be it: its cells are all filled and all different.'
    )
    state.choose_identifier(state.candidate)
    assert state.candidate is None
    assert state.identifier_told == "3 different IDs in 3 rows."
    go(state, "check")
    state.next()
    assert state.wait(20)
    assert profiles["N1"] == {"year": 2004, "model": "A"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("user_id,n\nu1,1\nu2,2\n", 'Column "user_id" is the identifier: named like one'),
        ("distinct_id,n\nu1,1\n", 'Column "distinct_id" is the identifier by its name.'),
        ("7,x\n8,x\n", "Column 1 is the identifier: 2 of 2 cells filled, 2 different"),
    ],
)
def test_CSV_2_the_form_says_why_a_column_is_the_identifier(
    profiles: ProfileTable, written: Callable[..., Path], text: str, told: str
) -> None:
    state = CsvImportState(profiles)
    read(state, written(text))

    assert state.identifier_told.startswith(told)
    state.choose_identifier(None)
    assert state.candidate == 0
    assert "The file suggests" in state.identifier_told


def test_CSV_2_an_email_that_repeats_is_doubted_in_the_form(
    profiles: ProfileTable, written: Callable[..., Path]
) -> None:
    state = CsvImportState(profiles)
    read(state, written("code,email\nx1,a@b.cc\nx2,a@b.cc\n"))

    assert 'the e-mail address in "email" becomes the distinct ID' in state.identifier_told
    assert '"code" may be it' in state.identifier_told
    go(state, "check")
    assert state.dry is not None
    assert 'choose "code" in "Identifier"' in in_form(state.dry.warnings[0])


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("email,plan\na@x.com,pro\nb@x.com,free\n", id="by e-mail"),
        pytest.param("tailnum,year\nN1,2\nN2,3\n", id="random IDs"),
        pytest.param("1,a@x.de\n2,b@x.de\n2,c@x.de\n", id="an ID repeats"),
    ],
)
def test_the_form_calls_the_identifier_as_its_fields_do(
    written: Callable[..., Path], text: str
) -> None:
    form = tk.CsvImport(ProfileTable())
    read(form.state, written(text))
    while form.state.result is None:
        words = [each.value for each in visible(form) if isinstance(getattr(each, "value", 0), str)]
        assert any(words)
        assert "$distinct_id" not in " ".join(words)
        form.state.next()
        assert form.state.wait(20)
        assert form.state.error == ""


def test_CSV_3_the_check_names_the_columns_left_out(
    profiles: ProfileTable, written: Callable[..., Path]
) -> None:
    state = CsvImportState(profiles)
    read(state, written(",user_id,plan,a,b\n0,u1,pro,1,2\n1,u2,free,3,4\n"))
    state.set_column(3, ticked=False)
    go(state, "check")

    assert state.dry is not None
    assert state.dry.left_out["position"].tolist() == [0, 3]
    fact = next(each for each in facts(state.dry) if each.label == "Columns left out")
    assert (fact.number, fact.detail) == (2, "Column 1, a")


def test_CSV_3_times_without_a_property_are_not_imported(
    profiles: ProfileTable, written: Callable[..., Path]
) -> None:
    state = CsvImportState(profiles)
    read(state, written("user_id,when,plan\nu1,2026-01-01,pro\n"))
    state.set_column(1, property="$time")
    state.set_column(2, ticked=False)
    state.check()

    assert state.error == "No column is ticked. Tick and name at least one."


def test_CSV_5_a_column_named_phone_is_text_until_another_type_is_chosen(
    profiles: ProfileTable, written: Callable[..., Path]
) -> None:
    path = written("user_id,tel,phone\nu1,4712345,1\nu2,4798765,2\n")
    state = CsvImportState(profiles)
    read(state, path)
    assert [each.type for each in state.columns] == ["text", "number", "text"]
    state.set_column(2, property="digits")
    state.set_column(1, property="$phone")
    assert [each.type for each in state.columns] == ["text", "text", "text"]
    go(state, "check")
    state.next()
    assert state.wait(20)
    assert profiles["u1"] == {"$phone": "4712345", "digits": "1"}

    again = CsvImportState(profiles)
    read(again, path)
    again.set_column(1, type="number")
    go(again, "check")
    again.next()
    assert again.wait(20)
    assert profiles["u1"]["$phone"] == 4_712_345


@pytest.mark.parametrize("name", ["$set", "$add", "$unset"])
def test_CSV_3_a_property_named_as_an_operator_is_refused_in_the_form(
    profiles: ProfileTable, written: Callable[..., Path], name: str
) -> None:
    state = CsvImportState(profiles)
    read(state, written(PLANES))
    state.set_column(1, property=name)

    assert "is an operator of messages, never a property" in state.columns[1].error


def test_CSV_10_lines_that_are_no_rows_are_listed_in_the_form(
    profiles: ProfileTable, written: Callable[..., Path]
) -> None:
    state = CsvImportState(profiles)
    read(state, written('Shop\nuser_id,n,m\nu1,1,\nuser_id,n,m\nu2,"a"b,\nu3,5,7\nTotal,,9\n'))

    assert state.preview is not None
    assert state.first_rows[0] == ["user_id", "n", "m"]
    assert "4 rows cannot be imported; the first, on line 1" in state.preview.problems[0]
    go(state, "check")
    assert state.dry is not None
    assert state.dry.rejected["line"].tolist() == [1, 4, 5, 7]


def test_CSV_2_the_identifier_is_chosen_by_its_header_too(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes(b"Kundennummer;Ort\nK1;B\nK2;C\n")
    state = CsvImportState(ProfileTable())
    state.choose(path)
    assert state.job.wait(30)
    state.choose_identifier("Kundennumer")
    assert state.error == 'There is no column "Kundennumer". Did you mean "Kundennummer"?'
    state.choose_identifier("Kundennummer")
    assert state.identifier == 0
