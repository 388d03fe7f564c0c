"""What the form of users knows and does, without a browser."""

from __future__ import annotations

import gzip
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import toolkit as tk
from toolkit.base import errors
from toolkit.forms.users import state as users_state
from toolkit.forms.users.export import Exported
from toolkit.forms.users.state import UsersState
from toolkit.reports.form.choices import Choices

XSS = "<img src=x onerror=alert(1)>"


@pytest.fixture
def profiles() -> tk.ProfileTable:
    table = tk.ProfileTable()
    table.apply(
        [
            {
                "$distinct_id": str(number),
                "$set": {
                    "$name": f"Person {number}",
                    "$email": f"p{number}@example.com",
                    "plan": ["free", "pro"][number % 2],
                    "age": number,
                },
                "$time": 1_700_000_000 + number,
            }
            for number in range(60)
        ]
    )
    return table


@pytest.fixture
def events() -> tk.Events:
    return tk.Events(
        pd.DataFrame(
            {
                "event": ["View", "Buy", "View"],
                "distinct_id": ["1", "1", "stranger"],
                "time": ["2026-05-01T10:00", "2026-05-02T10:00", "2026-05-03T10:00"],
            }
        )
    )


def shown(state: UsersState) -> list[str]:
    return [row.id for row in state.rows]


def last_batch(table: tk.ProfileTable) -> Any:
    return table.batches.iloc[-1]


# the list


def test_a_page_is_listed_with_the_title_first(profiles: tk.ProfileTable) -> None:
    state = UsersState(profiles)
    assert (state.total, state.matching, len(state.rows)) == (60, 60, 25)
    assert state.columns == ["$distinct_id", "$email", "plan", "age", "$last_seen"]
    assert state.rows[1].cells == (
        *("Person 1", "1", "p1@example.com", "pro", "1", "2023-11-14 22:13:21"),
    )
    assert state.summary == "60 profiles"


def test_pages_stop_at_the_last(profiles: tk.ProfileTable) -> None:
    state = UsersState(profiles)
    state.page = 99
    assert state.page == 2
    assert shown(state) == [str(number) for number in range(50, 60)]
    state.search = "p7@"
    assert (state.page, shown(state)) == (0, ["7"])


def test_search_and_conditions_work_together(profiles: tk.ProfileTable) -> None:
    state = UsersState(profiles)
    state.filter.add("user.plan", "is", "pro")
    state.filter.add("user.age", "≥", "50")
    row = state.filter.add("user.age", "<", "58")
    assert shown(state) == ["51", "53", "55", "57"]
    assert state.expression == 'user["plan"] == "pro" and user["age"] >= 50 and user["age"] < 58'
    state.search = "53"
    assert shown(state) == ["53"]
    assert state.summary == "1 of 60 profiles"
    state.search = ""
    state.filter.remove(row)
    state.filter.join = "or"
    assert state.matching == 35
    state.filter.clear()
    assert (state.matching, state.expression) == (60, "")


def test_only_what_users_have_is_offered_to_filter_by(
    profiles: tk.ProfileTable, events: tk.Events
) -> None:
    state = UsersState(profiles, events)
    offered = state.filter.offered
    assert offered["user.$email"] == "Email"
    assert offered["user.$mp_first_event_time"] == "First Seen"
    assert {"user.$distinct_id", "user.$last_seen"} <= set(offered)
    assert not [label for label in offered if label.startswith("event.")]
    assert "user.$mp_first_event_time" not in UsersState(profiles).filter.offered


def test_times_the_toolkit_keeps_are_filtered_by(
    profiles: tk.ProfileTable, events: tk.Events
) -> None:
    state = UsersState(profiles, events)
    row = state.filter.add("user.$last_seen", "is after", "2023-11-14T22:14:17Z")
    assert shown(state) == ["58", "59"]
    state.filter.remove(row)
    state.filter.add("user.$mp_first_event_time", "is on", "2026-05-01")
    assert shown(state) == ["1"]
    state.everybody = True
    assert shown(state) == ["1"]
    state.filter.clear()
    state.filter.add("user.plan", "is not set")
    assert shown(state) == ["stranger"]


def test_rows_follow_what_becomes_of_the_profiles(profiles: tk.ProfileTable) -> None:
    state = UsersState(profiles)
    row = state.filter.add("user.tier", "is", "gold")
    assert "no property" in row.error
    assert state.rows == []
    profiles.set("7", {"tier": "gold"})
    state.refresh()
    assert (row.error, shown(state)) == ("", ["7"])


def test_values_are_looked_at_once_for_each_state_of_the_profiles(
    profiles: tk.ProfileTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    look = Choices._look
    monkeypatch.setattr(
        Choices, "_look", lambda self, prop: looked.append(prop.name) or look(self, prop)
    )
    state = UsersState(profiles)
    row = state.filter.add("user.plan")
    for typed in ("p", "pr", "pro"):
        row.value = typed
    state.sort("age")
    assert looked == ["plan"]
    profiles.set("7", {"plan": "gold"})
    state.refresh()
    assert looked == ["plan", "plan"]
    assert "gold" in row.suggestions


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ('user["plan"] = "pro"', "=="),
        ('user["plan"]', "is a value, not a condition"),
        ('event["plan"] == "pro"', "here are users"),
        ('any(user["plan"])', "needs a comparison"),
        ('user["$mp_first_event_time"] > "2026-01-01"', "none were given"),
    ],
)
def test_a_wrong_condition_is_told_and_lists_nobody(
    profiles: tk.ProfileTable, condition: str, told: str
) -> None:
    state = UsersState(profiles)
    state.filter.show(condition)
    assert told in state.filter.error
    # What was not asked for must not be there to be deleted.
    assert (state.matching, state.rows) == (0, [])
    assert state.expression == ""
    state.filter.show("")
    assert (state.filter.error, state.matching) == ("", 60)


def test_a_wrong_filter_is_told_beside_it(profiles: tk.ProfileTable) -> None:
    state = UsersState(profiles)
    state.filter.add("user.plan", "is", "pro")
    row = state.filter.add("user.age", "is", "old")
    assert "is not a number" in row.error
    assert (state.matching, state.expression) == (0, "")
    row.value = "7"
    assert (row.error, shown(state)) == ("", ["7"])


def test_a_misspelt_property_is_noted(profiles: tk.ProfileTable) -> None:
    state = UsersState(profiles)
    state.filter.show('user["plna"] == "pro"')
    assert state.notes == ['No profile has a property "plna". Did you mean "plan"?']


def test_a_column_sorts_up_then_down_then_not(profiles: tk.ProfileTable) -> None:
    state = UsersState(profiles)
    state.sort("age")
    assert shown(state)[:2] == ["0", "1"]
    state.sort("age")
    assert shown(state)[:2] == ["59", "58"]
    state.sort("age")
    assert (state.sort_by, shown(state)[:2]) == ("", ["0", "1"])
    state.sort("$title")
    assert shown(state)[:3] == ["0", "1", "10"]


def test_columns_are_chosen_and_reordered(profiles: tk.ProfileTable) -> None:
    state = UsersState(profiles)
    state.columns = ["age", "nobody has this"]
    assert state.rows[3].cells == ("Person 3", "3", None)
    assert "$bucket" not in state.available


def test_everybody_seen_in_events(profiles: tk.ProfileTable, events: tk.Events) -> None:
    state = UsersState(profiles, events)
    state.everybody = True
    assert shown(state) == ["1", "stranger"]
    assert [row.has_profile for row in state.rows] == [True, False]
    assert state.summary == "2 users, 1 without a profile"
    state.filter.show('user["$mp_first_event_time"] > "2026-05-02"')
    assert shown(state) == ["stranger"]


def test_groups_have_the_events_that_name_them(
    profiles: tk.ProfileTable, events: tk.Events
) -> None:
    companies = profiles.groups("company")
    companies.set("acme", {"size": 3})
    companies.set("idle", {"size": 1})
    frame = events.frame.assign(company="acme")
    frame["company"] = [["acme", "new"], *frame["company"].iloc[1:]]
    state = UsersState(companies, tk.Events(frame))
    assert state.summary == "2 profiles"
    state.everybody = True
    assert state.summary == "2 groups, 1 without a profile"
    state.filter.show('user["$mp_first_event_time"] > "2000-01-01"')
    assert shown(state) == ["acme", "new"]
    with pytest.raises(errors.EventsError, match='no column "company"'):
        UsersState(companies, events)


def test_changes_of_others_are_seen_at_the_next_look(profiles: tk.ProfileTable) -> None:
    state = UsersState(profiles)
    state.search = "late"
    profiles.set("60", {"$name": "Late"})
    state.refresh()
    assert shown(state) == ["60"]


# ticks


def test_ticks_stay_across_pages_and_searches(profiles: tk.ProfileTable) -> None:
    state = UsersState(profiles)
    state.pick_on_page(["1", "2"])
    state.page = 1
    state.pick_on_page(["30"])
    state.search = "nobody"
    assert state.picked_count == 3
    state.search = ""
    state.pick_on_page(["2"])
    assert sorted(state.picked) == ["2", "30"]


def test_all_that_are_found_can_be_ticked_but_some(profiles: tk.ProfileTable) -> None:
    state = UsersState(profiles)
    state.filter.show('user["plan"] == "pro"')
    state.pick_all()
    assert state.picked_count == 30
    assert state.picked_on_page == shown(state)
    state.pick_on_page([key for key in shown(state) if key != "3"])
    assert (state.picked, state.picked_count) == (["3"], 29)
    assert "3" not in state.source.ids.take(state.selection()).to_pylist()
    state.filter.show("")
    assert state.picked_count == 0  # all of another list was never ticked


# delete


def test_deleting_asks_once_and_can_be_undone(profiles: tk.ProfileTable) -> None:
    before = {key: profiles[key] for key in profiles}
    state = UsersState(profiles)
    state.pick_on_page(["1", "2"])
    state.ask_delete()
    assert state.question.startswith("Delete 2 profiles (Person 1, Person 2)?")
    assert len(profiles) == 60
    state.confirm()
    assert len(profiles) == 58
    assert (state.question, state.message) == ("", "2 profiles deleted.")
    assert (state.total, state.picked) == (58, [])
    assert last_batch(profiles)["source"] == "form: delete"
    state.undo()
    assert state.job.wait(10)
    assert {key: profiles[key] for key in profiles} == before
    assert state.total == 60
    assert "undone" in state.message
    assert state.undo_of == 0


def test_a_no_deletes_nothing(profiles: tk.ProfileTable) -> None:
    state = UsersState(profiles)
    state.pick_all()
    state.ask_delete()
    state.cancel()
    state.confirm()
    assert (len(profiles), state.question) == (60, "")


def test_what_was_asked_about_is_what_is_deleted(profiles: tk.ProfileTable) -> None:
    state = UsersState(profiles)
    state.pick_on_page(["1"])
    state.ask_delete()
    state.pick_all()
    state.search = "person"
    state.confirm()
    assert len(profiles) == 59


def test_nobody_ticked_is_said(profiles: tk.ProfileTable, events: tk.Events) -> None:
    state = UsersState(profiles, events)
    state.ask_delete()
    assert (state.is_error, state.question) == (True, "")
    state.everybody = True
    state.pick_on_page(["stranger"])
    state.ask_delete()
    assert "No profile is ticked" in state.message


# one property of many


def test_a_property_is_written_in_all_that_are_found(profiles: tk.ProfileTable) -> None:
    seen = profiles.last_seen("1")
    state = UsersState(profiles)
    state.filter.show('user["plan"] == "pro"')
    state.ask_add_property("tier", "2", to="found")
    assert state.question.startswith('Write "tier" of 30 profiles?')
    state.confirm()
    assert profiles.where('user["tier"] == 2').ids.tolist() == [str(n) for n in range(1, 60, 2)]
    assert profiles.last_seen("1") == seen  # SEEN-2
    assert "tier" in state.columns
    state.undo()
    assert state.job.wait(10)
    assert "tier" not in profiles.properties


def test_it_can_leave_what_is_there(profiles: tk.ProfileTable) -> None:
    profiles.set("1", {"tier": 9})
    seen = profiles.last_seen("2")
    state = UsersState(profiles)
    state.ask_add_property("tier", "2", to="all", keep=True)
    state.confirm()
    assert (profiles["1"]["tier"], profiles["2"]["tier"]) == (9, 2)
    assert profiles.last_seen("2") == seen
    assert state.message == '"tier" written in 59 profiles. 1 had it already.'


@pytest.mark.parametrize(
    ("name", "value", "kind", "field", "told"),
    [
        ("$bucket", "1", "automatic", "property", "hidden"),
        (" ", "1", "automatic", "property", "needs a name"),
        ("$last_seen", "1", "automatic", "property", "kept by the table"),
        ("a", "x", "number", "value", "number"),
        ("a", "NaN", "number", "value", "number"),
        ("a", "1e999", "automatic", "value", "too large"),
        ("a", "5", "boolean", "value", "neither true nor false"),
        ("a", "[1,", "json", "value", "the end came too early"),
        ("a", "soon", "date", "value", "date"),
        ("a", "", "automatic", "value", "empty text"),
    ],
)
def test_what_cannot_be_written_is_said_beside_the_field(
    profiles: tk.ProfileTable, name: str, value: str, kind: str, field: str, told: str
) -> None:
    state = UsersState(profiles)
    state.ask_add_property(name, value, kind, to="all")
    assert told in state.problems[field]
    assert state.question == ""
    assert len(profiles.batches) == 1


def test_users_without_a_profile_get_one_and_are_told_of(
    profiles: tk.ProfileTable, events: tk.Events
) -> None:
    state = UsersState(profiles, events)
    state.everybody = True
    state.ask_add_property("tier", "gold", to="all")
    assert "1 user without a profile will get one." in state.question
    state.confirm()
    assert profiles["stranger"] == {"tier": "gold"}


def test_groups_are_listed_and_changed_in_their_own_table() -> None:
    table = tk.ProfileTable()
    companies = table.groups("company")
    companies.set("acme", {"$name": "Acme", "size": 3})
    state = UsersState(companies)
    assert state.summary == "1 profile"
    state.ask_add_property("tier", "gold", to="all", keep=True)
    state.confirm()
    assert companies["acme"]["tier"] == "gold"
    state.pick_all()
    state.ask_delete()
    state.confirm()
    assert (len(companies), len(table)) == (0, 0)
    state.undo()
    assert state.job.wait(10)
    assert companies["acme"] == {"$name": "Acme", "size": 3, "tier": "gold"}


def test_a_rejected_value_is_said() -> None:
    table = tk.ProfileTable(limits="mixpanel")
    table.set("1", {f"p{number}": 1 for number in range(2000)})
    state = UsersState(table)
    state.ask_add_property("one more", "1", to="all")
    state.confirm()
    assert "1 rejected" in state.message


# much work


def test_much_work_can_be_stopped_and_changes_nothing(
    profiles: tk.ProfileTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(users_state, "_AT_ONCE", 0)
    monkeypatch.setattr(users_state, "_NOTICE_EVERY", 1)
    state = UsersState(profiles)
    real = state._messages

    def slowly(*arguments: Any) -> Any:
        for message in real(*arguments):
            time.sleep(0.05)
            yield message

    monkeypatch.setattr(state, "_messages", slowly)
    state.pick_all()
    state.ask_delete()
    state.confirm()
    assert state.job.running
    state.ask_add_property("a", "1", to="all")
    state.confirm()
    assert "in progress" in state.message
    asked = time.monotonic()
    state.job.cancel()
    assert state.job.wait(5)
    assert time.monotonic() - asked < 1
    assert (len(profiles), state.message) == (60, "Stopped; nothing was changed.")


def test_writing_to_many_and_its_undo_can_be_stopped(
    profiles: tk.ProfileTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(users_state, "_AT_ONCE", 0)
    state = UsersState(profiles)

    def write() -> None:
        state.ask_add_property("tier", "gold", to="all")
        state.confirm()
        assert state.job.wait(10)

    def watch(change: Any) -> None:
        if change["new"]:
            state.job.cancel()  # the work meets that at its first notice

    state.job.observe(watch, "running")
    write()
    assert state.message == "Stopped; nothing was changed."
    assert "tier" not in profiles.properties
    state.job.unobserve(watch, "running")
    write()
    assert profiles["1"]["tier"] == "gold"
    state.job.observe(watch, "running")
    state.undo()
    assert state.job.wait(10)
    assert state.job.cancelled
    assert profiles["1"]["tier"] == "gold"


def test_work_beside_the_page_does_the_same(
    profiles: tk.ProfileTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(users_state, "_AT_ONCE", 0)
    state = UsersState(profiles)
    state.pick_on_page(["1"])
    state.ask_delete()
    state.confirm()
    assert state.job.wait(10)
    assert (len(profiles), state.total, state.message) == (59, 59, "1 profile deleted.")


# cohorts


def test_a_cohort_of_a_condition_keeps_the_condition(profiles: tk.ProfileTable) -> None:
    state = UsersState(profiles)
    state.filter.add("user.plan", "is", "pro")
    cohort = state.save_cohort(" Paying ")
    assert list(state.cohorts) == ["Paying"]
    assert repr(cohort) == '<Cohort "Paying": 30 of 60 users, where user["plan"] == "pro">'
    assert sorted(profiles.where(cohort)) == list(cohort)
    profiles.set("99", {"plan": "pro"})
    assert "99" not in cohort and "99" in profiles.where(cohort.condition)


def test_a_saved_cohort_is_there_for_reports_and_other_forms(profiles: tk.ProfileTable) -> None:
    UsersState(profiles).save_cohort("All")
    assert list(UsersState(profiles).cohorts) == ["All"]
    assert len(tk.cohorts(profiles)["All"]) == 60


def test_a_cohort_ticked_or_searched_keeps_the_ids(profiles: tk.ProfileTable) -> None:
    state = UsersState(profiles)
    state.search = "person 1"
    searched = state.save_cohort("searched")
    assert len(searched) == 15
    assert sorted(profiles.where(searched)) == list(searched.ids)
    assert searched.definition == 'found by "person 1"'
    state.pick_on_page(["10", "11"])
    ticked = state.save_cohort("ticked")
    assert ticked.ids.tolist() == ["10", "11"]
    assert ticked.condition is None and ticked.text == 'cohort("ticked")'
    assert 10 in ticked and None not in ticked
    assert XSS not in state.save_cohort(XSS)._repr_html_()


def test_a_cohort_needs_a_name_and_a_sound_filter(profiles: tk.ProfileTable) -> None:
    state = UsersState(profiles)
    assert state.save_cohort(" ") is None
    assert state.problems["cohort"] == "A cohort needs a name."
    state.filter.show("nonsense(")
    assert state.save_cohort("a") is None
    assert state.problems["cohort"] == "Correct the filter first."
    assert state.cohorts == {}


# export


def exported(state: UsersState, *arguments: Any, **options: Any) -> Exported:
    got: list[Exported] = []
    state.export(*arguments, on_ready=got.append, **options)
    assert state.job.wait(10)
    (one,) = got
    return one


def test_csv_holds_those_found_with_formulas_defused(profiles: tk.ProfileTable) -> None:
    profiles.set("x", {"$name": "=SUM(A1)", "plan": "odd"}, ignore_time=True)
    state = UsersState(profiles)
    state.filter.show('user["plan"] == "odd"')
    done = exported(state, "csv")
    assert done.name == "users.csv"
    assert done.content.decode() == ("$distinct_id,$name,plan,$last_seen\nx,'=SUM(A1),odd,\n")
    assert "apostrophe" in state.message


def test_csv_of_the_columns_shown_keeps_their_order(profiles: tk.ProfileTable) -> None:
    state = UsersState(profiles)
    state.columns = ["age", "$distinct_id", "plan"]
    state.pick_on_page(["3"])
    done = exported(state, "csv", only_columns=True)
    assert done.content.decode() == "$distinct_id,age,plan,$last_seen\n3,3,pro,\n"


def test_messages_bring_everything_back(profiles: tk.ProfileTable, tmp_path: Path) -> None:
    profiles.set("1", {"tags": ["a", None], "bucket": 1})
    state = UsersState(profiles)
    state.pick_on_page(["1", "2"])
    path = tmp_path / "some.jsonl.gz"
    state.export("jsonl", str(path))
    again = tk.ProfileTable()
    again.apply(tk.read_messages(path))
    assert list(again) == ["1", "2"]
    assert again["1"] == profiles["1"]
    assert again.last_seen("1") == profiles.last_seen("1")
    with gzip.open(path) as file:
        assert len(file.readlines()) == 2


def test_users_without_a_profile_are_told_of(profiles: tk.ProfileTable, events: tk.Events) -> None:
    state = UsersState(profiles, events)
    state.everybody = True
    assert exported(state, "jsonl").profiles == 1
    assert "Left out: 1 user without a profile." in state.message
    assert exported(state, "csv").content.decode().splitlines()[-1] == "stranger,,,,,"


def test_a_path_that_cannot_be_written_is_said_beside_it(
    profiles: tk.ProfileTable, tmp_path: Path
) -> None:
    state = UsersState(profiles)
    for path in (" ", str(tmp_path), str(tmp_path / "no" / "x.csv")):
        state.export("csv", path)
        assert state.problems["path"]
    state.export("csv", str(tmp_path / "x.csv"))
    assert "path" not in state.problems
    assert (tmp_path / "x.csv").exists()


# editing


def test_one_ticked_row_is_edited(profiles: tk.ProfileTable) -> None:
    state = UsersState(profiles)
    state.edit()
    assert (state.editing, state.is_error) == ("", True)
    state.pick_on_page(["7"])
    state.edit()
    assert state.editing == "7"
    profiles.set("7", {"plan": "gold"}, ignore_time=True)
    state.end_edit()
    assert state.editing == ""
    assert state.rows[7].cells[3] == "gold"


def test_saved_cohorts_filter_the_list(profiles: tk.ProfileTable, events: tk.Events) -> None:
    state = UsersState(profiles, events)
    assert not any(label.startswith("cohort.") for label in state.filter.offered)
    state.pick_on_page(["3", "4"])
    state.save_cohort("Few")
    assert state.filter.offered["cohort.Few"] == "Cohort: Few"  # at once
    row = state.filter.add("cohort.Few")
    assert (shown(state), state.expression, row.error) == (["3", "4"], 'cohort("Few")', "")
    state.filter.add("user.plan", "is", "pro")
    assert shown(state) == ["3"]
    state.filter.rows[0].operator = "does not include the user"
    assert state.matching == 29
    state.filter.clear()
    tk.cohorts(profiles)["Few"] = tk.cohort_of(["5", "stranger"], "Few")
    state.filter.show('cohort("Few")')  # as text too
    assert shown(state) == ["5"]
    state.everybody = True
    assert shown(state) == ["stranger"]
    assert state.filter.error == ""


def test_refresh_looks_at_the_cohorts_as_they_are_by_now(profiles: tk.ProfileTable) -> None:
    state = UsersState(profiles)
    row = state.filter.add("cohort.New", "includes the user")
    assert row.error == 'No cohort is saved as "New". Choose one of the list.'
    assert shown(state) == []
    tk.cohorts(profiles).save(tk.cohort_of(["7"], "New"))
    state.look_again()
    assert (shown(state), row.error) == (["7"], "")
    tk.cohorts(profiles).save(tk.cohort_of(["8"], "New"))
    state.look_again()
    assert shown(state) == ["8"]
    found = state.save_cohort("Found")
    assert list(tk.cohort(None, profiles, found.condition)) == ["8"]
    del tk.cohorts(profiles)["New"]
    state.look_again()
    assert shown(state) == [] and row.error


def test_a_cohort_that_is_not_saved_is_told_beside_the_text(profiles: tk.ProfileTable) -> None:
    state = UsersState(profiles)
    state.filter.show('cohort("Nope")')
    assert shown(state) == []
    assert state.filter.error.startswith('no cohort is saved as "Nope"')
