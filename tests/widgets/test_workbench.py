"""The workbench without a page."""

from __future__ import annotations

import pandas as pd
import pytest

import toolkit as tk
from toolkit.forms.csv.form import CsvImport
from toolkit.forms.editor.editor import ProfileEditor
from toolkit.forms.lab.form import OperatorLab
from toolkit.forms.report.form import ReportBuilder
from toolkit.forms.users.form import Users

TABS = {
    "Users": Users,
    "Edit a profile": ProfileEditor,
    "Import a CSV": CsvImport,
    "Report": ReportBuilder,
    "Operator lab": OperatorLab,
}


def test_given_nothing_it_opens_on_the_sample_data() -> None:
    bench = tk.workbench()
    assert len(bench.profiles) > 1_700
    assert bench.events is not None
    assert list(bench.tabs.titles) == list(TABS)
    for name, kind in TABS.items():
        assert isinstance(bench.go_to(name), kind)


def test_it_opens_where_the_home_cannot_be_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", "/dev/null")
    bench = tk.workbench()
    assert len(bench.profiles) > 1_700
    assert bench.events is not None


def test_forms_are_made_when_they_are_first_seen() -> None:
    bench = tk.workbench(tk.ProfileTable())
    assert list(bench.forms) == ["Users"]
    editor = bench.go_to("Edit a profile")
    assert list(bench.forms) == ["Users", "Edit a profile"]
    bench.go_to("Users")
    assert bench.go_to("Edit a profile") is editor


def test_what_one_form_changes_the_others_show_when_they_are_seen() -> None:
    profiles = tk.ProfileTable()
    bench = tk.workbench(profiles, pd.DataFrame(columns=["event", "distinct_id", "time"]))
    users = bench.forms["Users"]
    assert users.state.total == 0
    editor = bench.go_to("Edit a profile")
    editor.state.type_id("7")
    editor.state.save()
    bench.go_to("Users")
    assert users.state.total == 1


def test_it_works_without_events() -> None:
    bench = tk.workbench(tk.ProfileTable())
    for name in TABS:
        bench.go_to(name)


def test_groups_are_listed_edited_and_imported_in_the_same_tabs() -> None:
    profiles = tk.ProfileTable()
    profiles.set("7", {"plan": "of a user"})
    profiles.groups("company").set("acme", {"plan": "pro"})
    day = {"event": "View", "distinct_id": ["7"], "time": "2026-05-01"}
    bench = tk.workbench(profiles, pd.DataFrame({**day, "company": ["acme"]}))
    assert bench.whose.options == (("Users", ""), ("Groups: company", "company"))
    report = bench.go_to("Report")
    assert "company.plan" in report.state.choices.properties
    bench.go_to("Users")
    bench.whose.value = "company"
    listed = bench.forms["Users"].state
    assert (listed.profiles.group_key, listed.total) == ("company", 1)
    assert bench.go_to("Edit a profile").state.id_name == "Group ID"
    assert bench.go_to("Import a CSV").state.id_name == "group ID"
    assert bench.go_to("Report") is report
    bench.show_groups("")
    assert bench.go_to("Users").state.profiles.group_key is None


def test_groups_that_events_do_not_name_are_listed_without_events() -> None:
    profiles = tk.ProfileTable()
    profiles.groups("company").set("acme", {})
    events = pd.DataFrame(columns=["event", "distinct_id", "time"])
    bench = tk.workbench(profiles, events)
    bench.show_groups("company")
    assert bench.forms["Users"].state.events is None


def test_without_groups_there_is_nothing_to_switch() -> None:
    assert tk.workbench(tk.ProfileTable()).whose.layout.display == "none"
