"""The profile editor without a page: what is entered, checked, sent and taken back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import ipywidgets
import pytest

from toolkit.base.errors import EditConflictError
from toolkit.forms.editor.editor import ProfileEditor
from toolkit.forms.editor.property_row import PropertyRow, read_number
from toolkit.forms.editor.state import EditorState
from toolkit.profiles.table import ProfileTable


@pytest.fixture
def profiles() -> ProfileTable:
    table = ProfileTable()
    table.set(
        "1",
        {"$name": "Ann", "plan": "free", "n": 2**70, "tags": ["a"], "x": {"y": [None]}},
        time="2026-01-01",
    )
    table.set("10", {"$email": "bob@example.com", "bucket": "hidden"})
    return table


def row_of(state: EditorState, name: str) -> PropertyRow:
    return next(row for row in state.rows if row.name == name)


def test_an_opened_profile_is_shown_and_unchanged_saves_nothing(profiles: ProfileTable) -> None:
    state = EditorState(profiles, 1)
    assert [(row.name, row.kind) for row in state.rows] == [
        ("$name", "text"), ("plan", "text"), ("n", "number"), ("tags", "list"), ("x", "json"),
    ]  # fmt: skip
    assert not state.is_changed
    assert not state.save()
    assert "nothing was changed" in state.note
    assert len(profiles.batches) == 2


def test_what_is_sent_is_just_what_differs_and_updated_at_stays(profiles: ProfileTable) -> None:
    before = profiles.last_seen("1")
    state = EditorState(profiles, "1")
    row_of(state, "plan").text = "pro"
    state.remove_row(row_of(state, "x"))
    state.add_row("age").change_kind("number")
    row_of(state, "age").text = "41"
    assert state.message() == {
        "$distinct_id": "1",
        "$set": {"plan": "pro", "age": 41},
        "$unset": ["x"],
        "$ignore_time": True,
    }
    assert state.save()
    assert profiles["1"] == {"$name": "Ann", "plan": "pro", "n": 2**70, "tags": ["a"], "age": 41}
    assert profiles.last_seen("1") == before  # SEEN-2
    assert profiles.batches["source"].iloc[-1] == "form: edit of a profile"
    assert state.note == 'Saved "1": age added; plan changed; x removed.'
    state.undo()
    assert profiles["1"]["plan"] == "free"
    assert row_of(state, "plan").text == "free"
    state.redo()
    assert profiles["1"]["plan"] == "pro"


def test_a_new_profile(profiles: ProfileTable) -> None:
    state = EditorState(profiles)
    assert [row.name for row in state.rows] == ["$name", "$email"]
    assert not state.save()
    assert state.note_kind == "error"
    state.type_id("77")
    row_of(state, "$name").text = "Cleo"
    assert state.save()
    assert profiles["77"] == {"$name": "Cleo"}
    assert state.exists
    state.undo()
    assert "77" not in profiles


def test_an_empty_profile_may_be_made(profiles: ProfileTable) -> None:
    state = EditorState(profiles)
    state.type_id("77")
    assert state.message()["$set"] == {}
    assert state.save()
    assert profiles["77"] == {}


def test_what_was_entered_first_goes_where_the_id_goes(profiles: ProfileTable) -> None:
    state = EditorState(profiles)
    row_of(state, "$email").text = "new@example.com"
    state.add_row("plan").text = "pro"
    state.type_id("1")  # which there is
    assert state.message()["$set"] == {"plan": "pro", "$email": "new@example.com"}
    state.type_id("10")
    assert state.message()["$set"] == {"$email": "new@example.com", "plan": "pro"}
    state.type_id("100")
    assert not state.exists
    assert state.message()["$set"] == {"$email": "new@example.com", "plan": "pro"}
    assert state.save()
    assert profiles["1"]["plan"] == "free"
    assert profiles["100"] == {"$email": "new@example.com", "plan": "pro"}


def test_edits_of_one_profile_never_reach_another(profiles: ProfileTable) -> None:
    state = EditorState(profiles, "1")
    row_of(state, "plan").text = "pro"
    state.type_id("10")
    assert "Save or cancel it" in state.id_problem()
    assert not state.save()
    state.type_id("1")
    assert state.id_problem() == ""
    assert state.save()
    assert "plan" not in profiles["10"]


def test_typing_an_id_opens_and_leaves_profiles(profiles: ProfileTable) -> None:
    state = EditorState(profiles)
    for typed, exists in (("1", True), ("10", True), ("100", False), ("", False), ("10", True)):
        state.type_id(typed)
        assert state.exists is exists
    assert [row.name for row in state.rows] == ["$email"]  # bucket is hidden
    row_of(state, "$email").text = "b@example.com"
    assert state.save()
    assert profiles["10"] == {"$email": "b@example.com", "bucket": "hidden"}


def test_a_form_seen_again_shows_what_is_stored_unless_something_was_entered(
    profiles: ProfileTable,
) -> None:
    state = EditorState(profiles, "1")
    profiles.set("1", {"plan": "basic"})
    state.refresh()
    assert row_of(state, "plan").text == "basic"
    row_of(state, "plan").text = "pro"
    profiles.set("1", {"plan": "free"})
    state.refresh()
    assert row_of(state, "plan").text == "pro"


def test_a_profile_changed_meanwhile_is_noticed_and_not_overwritten(
    profiles: ProfileTable,
) -> None:
    state = EditorState(profiles, "1")
    row_of(state, "plan").text = "pro"
    profiles.set("1", {"plan": "basic", "city": "Oslo"})
    assert not state.save()
    assert state.conflict
    assert "\"plan\" of profile '1' changed meanwhile" in state.note
    assert profiles["1"]["plan"] == "basic"
    state.rebase()
    assert row_of(state, "plan").text == "pro"  # what was typed is there
    assert row_of(state, "city").text == "Oslo"
    [change] = state.edit().properties
    assert (change.old, change.new) == ("basic", "pro")
    assert state.save()
    assert profiles["1"]["city"] == "Oslo"


def test_what_others_wrote_elsewhere_in_the_profile_stays(profiles: ProfileTable) -> None:
    state = EditorState(profiles, "1")
    row_of(state, "plan").text = "pro"
    profiles.set("1", {"city": "Oslo"})
    assert state.save()
    assert profiles["1"]["city"] == "Oslo"
    assert row_of(state, "city").text == "Oslo"


@pytest.mark.parametrize("deleted", [True, False])
def test_a_profile_made_or_deleted_meanwhile(profiles: ProfileTable, deleted: bool) -> None:
    state = EditorState(profiles, "1") if deleted else EditorState(profiles)
    if deleted:
        profiles.delete("1")
    else:
        state.type_id("5")
        profiles.set("5", {"$name": "Eve"})
    state.add_row("k").text = "v"
    assert not state.save()
    assert ("was deleted" if deleted else "was created") in state.note
    state.rebase()
    assert state.save()
    assert profiles["1" if deleted else "5"]["k"] == "v"
    assert deleted or profiles["5"]["$name"] == "Eve"


def test_errors_stand_by_their_row_and_nothing_typed_is_lost(profiles: ProfileTable) -> None:
    state = EditorState(profiles, "1")
    row_of(state, "n").text = "1,5"
    state.add_row("plan").text = "again"
    state.add_row("$bucket").text = "x"
    state.add_row("").text = "nameless"
    row_of(state, "x").text = "{'y': 1}"
    problems = state.problems()
    assert "Did you mean 1.5?" in problems[2]
    assert "double quotes" in problems[4]
    assert 'a row for "plan" already' in problems[5]
    assert "hidden" in problems[6]
    assert "needs a name" in problems[7]
    assert not state.save()
    assert state.rows[2].text == "1,5"
    assert len(profiles.batches) == 2


def test_delete_asks_once_and_can_be_undone(profiles: ProfileTable) -> None:
    state = EditorState(profiles, "1")
    assert not state.delete()
    assert 'Delete "1" with its 5 properties?' in state.note
    row_of(state, "plan").text = "other"
    assert not state.asks_to_delete  # whoever goes on typing did not mean it
    assert not state.delete()
    assert state.delete()
    assert "1" not in profiles
    assert not state.exists
    state.undo()
    assert profiles["1"]["plan"] == "free"


def test_cancel_drops_what_was_entered(profiles: ProfileTable) -> None:
    state = EditorState(profiles, "1")
    row_of(state, "plan").text = "x"
    state.add_row("k").text = "v"
    state.cancel()
    assert not state.is_changed
    assert [row.name for row in state.rows] == ["$name", "plan", "n", "tags", "x"]


def test_an_undo_that_is_refused_says_why(profiles: ProfileTable) -> None:
    state = EditorState(profiles, "1")
    row_of(state, "plan").text = "pro"
    state.save()
    profiles.set("1", {"plan": "basic"})
    state.undo()
    assert "later updates wrote to" in state.note
    assert profiles["1"]["plan"] == "basic"
    assert state.can_undo


def test_the_past_cannot_be_edited_and_says_so(profiles: ProfileTable) -> None:
    state = EditorState(profiles.as_of(batch=1), "1")
    row_of(state, "plan").text = "pro"
    assert not state.save()
    assert "the past cannot be changed" in state.note


def test_a_group_profile_is_edited_in_its_table(profiles: ProfileTable) -> None:
    companies = profiles.groups("company")
    state = EditorState(companies)
    assert state.id_name == "Group ID"
    state.type_id("acme")
    state.add_row("seats").change_kind("number")
    row_of(state, "seats").text = "3"
    assert state.message()["$group_key"] == "company"
    assert state.save()
    assert companies["acme"] == {"seats": 3}
    state.delete()
    assert state.delete()
    assert len(companies) == 0


def test_ids_and_titles_are_proposed(profiles: ProfileTable) -> None:
    state = EditorState(profiles)
    for typed, expected in (
        ("1", [("1", "Ann"), ("10", "bob@example.com")]),
        ("ANN", [("1", "Ann")]),
        ("example", [("10", "bob@example.com")]),
        ("nobody", []),
        ("", []),
    ):
        state.distinct_id = typed
        assert state.suggested_ids() == expected


def test_names_are_proposed_without_those_taken(profiles: ProfileTable) -> None:
    state = EditorState(profiles, "1")
    names = state.suggested_names()
    assert "plan" not in names
    assert "$email" in names
    assert "bucket" not in names


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        ("5", "number", 5),
        (5, "text", "5"),
        ("yes", "boolean", True),
        (["a", "b"], "text", "a, b"),
        ("a, b", "list", ["a", "b"]),
        ("a", "json", "a"),
        ({"a": 1}, "text", '{"a": 1}'),
        ("2026-05-01T10:00:00Z", "date", "2026-05-01"),
        (None, "text", ""),
        (1.5, "null", None),
    ],
)
def test_another_type_takes_the_value_along(value: Any, kind: Any, expected: Any) -> None:
    row = PropertyRow("k", value)
    row.change_kind(kind)
    assert row.value() == expected


def test_a_type_that_does_not_fit_keeps_what_was_typed() -> None:
    row = PropertyRow("k", "many")
    row.change_kind("number")
    assert row.problem() == '"many" is not a number such as 12, -0.5 or 1e6.'
    row.change_kind("text")
    assert row.value() == "many"


@pytest.mark.parametrize("typed", ["", "x", "1 2", "nan", "1e999", "--1", "0x10", "٣", "9" * 5_000])
def test_what_is_no_number_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match="number"):
        read_number(typed)


def test_doubtful_phones_and_names_are_pointed_out(profiles: ProfileTable) -> None:
    pytest.importorskip("phonenumbers")
    state = EditorState(profiles, "1")
    state.add_row("$phone").text = "4790012345"
    state.add_row("$country_code").text = "NO"
    state.add_row("Email").text = "a@b.c"
    told = state.cautions()
    assert "is already there" in told[5]
    assert "$email (Email)" in told[7]
    assert state.save()  # they do not prevent it
    assert profiles["1"]["$phone"] == "4790012345"


def test_without_the_extra_a_phone_number_is_stored_and_a_note_names_the_extra(
    profiles: ProfileTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "phonenumbers", None)
    monkeypatch.delitem(sys.modules, "toolkit.forms.editor.phone", raising=False)
    editor = ProfileEditor(profiles, "1")
    editor.state.add_row("$phone").text = "4790012345"
    assert "pip install 'profile-toolkit[phone]'" in editor.state.cautions()[5]
    assert editor.state.save()
    assert profiles["1"]["$phone"] == "4790012345"


def test_what_limits_cut_is_told() -> None:
    profiles = ProfileTable(limits="mixpanel")
    state = EditorState(profiles)
    state.type_id("1")
    row_of(state, "$name").text = "x" * 300
    assert state.save()
    assert state.note_kind == "warning"
    assert "255" in state.note
    assert row_of(state, "$name").text == "x" * 255


def test_a_closed_file_is_told(tmp_path: Path) -> None:
    profiles = ProfileTable(tmp_path / "shop.db")
    profiles.set("1", {"a": "b"})
    state = EditorState(profiles, "1")
    profiles.close()
    row_of(state, "a").text = "c"
    assert not state.save()
    assert "was closed" in state.note
    assert row_of(state, "a").text == "c"


def test_an_edit_is_refused_only_where_it_writes() -> None:
    profiles = ProfileTable()
    profiles.set("1", {"a": 1, "b": 2})
    seen = profiles["1"]
    profiles.set("1", {"b": 3})
    profiles.edit("1", {"a": 5, "b": 2}, expected=seen)
    assert profiles["1"] == {"a": 5, "b": 3}
    with pytest.raises(EditConflictError) as caught:
        profiles.edit("1", {"a": 5}, expected={"a": 5, "b": 2})
    assert caught.value.properties == ("b",)
    assert profiles.edit("1", {"a": 5.0}, expected={"a": 5}).batch_id is None


def test_rows_follow_their_type_and_removal_after_another_was_added(
    profiles: ProfileTable,
) -> None:
    form = ProfileEditor(profiles, 1)
    form.state.add_row("city")
    editor = next(each for each in form._editors.values() if each.row.name == "plan")
    editor.kind.value = "json"
    assert isinstance(editor.field, ipywidgets.Textarea)
    editor.remove.click()
    assert editor.remove.description == "Put back"


def test_what_arrives_late_for_a_row_that_is_gone_changes_nothing(profiles: ProfileTable) -> None:
    state = EditorState(profiles)
    state.type_id("2")
    row = row_of(state, "$name")
    row.text = "Cleo"
    assert state.save()
    told = state.note
    row.text = "Cleo, typed late"
    assert (state.note, state.is_changed) == (told, False)


def test_messages_call_a_property_as_the_form_does(profiles: ProfileTable) -> None:
    state = EditorState(profiles, "10")
    row_of(state, "$email").text = "new@example.com"
    profiles.set("10", {"$email": "other@example.com"})
    assert not state.save()
    assert '"Email" of profile' in state.note
    state = EditorState(profiles, "10")
    state.add_row("$email").text = "twice@example.com"
    assert 'There is a row for "Email" already' in " ".join(state.problems().values())


def test_a_key_reads_the_row_it_is_for_and_nothing_of_the_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    profiles = ProfileTable()
    profiles.set("1", {"plan": "free", "n": 1, "tags": ["a"]})
    form = ProfileEditor(profiles, "1")
    read: list[str] = []
    value = PropertyRow._value
    monkeypatch.setattr(PropertyRow, "_value", lambda row: [read.append(row.name), value(row)][1])
    monkeypatch.setattr(ProfileTable, "row", lambda *_: read.append("the table"))
    monkeypatch.setattr(ProfileTable, "snapshot", lambda *_: read.append("the table"))

    form.state.rows[0].text = "pro"

    assert read == ["plan"]
    assert form.state.edit().operations == {"$set": {"plan": "pro"}}


def test_a_save_keeps_the_fields_that_show_what_is_stored() -> None:
    profiles = ProfileTable()
    profiles.set("1", {"plan": "free", "n": 1})
    form = ProfileEditor(profiles, "1")
    plan, n = form._rows.children
    form.state.rows[0].text = "pro"
    form.state.rows[1].text = " 2.0 "
    form.state.add_row("city").text = "Oslo"

    assert form.state.save()

    after = form._rows.children
    assert after[0] is plan
    assert after[1] is not n  # shows the number as it is stored
    assert [row.text for row in form.state.rows] == ["pro", "2.0", "Oslo"]
    assert not form.state.is_changed
    form.state.rows[0].text = "basic"
    assert form.state.edit().operations == {"$set": {"plan": "basic"}}
