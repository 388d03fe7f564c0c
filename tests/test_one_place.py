"""What is one thing is added in one place: everything that has to know of it asks there."""

from __future__ import annotations

import gzip
import io
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import toolkit as tk
from tests.expression_functions import PAGE, table as functions_table
from toolkit import errors, group, user
from toolkit.base.progress import AnyProgress, silent
from toolkit.base.reserved import RESERVED, Reserved, display_name
from toolkit.cli import main
from toolkit.columns.column import Column
from toolkit.columns.computed import COMPUTED, Computed, ProfileRows
from toolkit.expressions.arithmetic import arithmetic
from toolkit.expressions.cells import Cells
from toolkit.expressions.functions import FUNCTIONS, function
from toolkit.expressions.parsing import parse
from toolkit.forms.csv.columns import writable
from toolkit.forms.csv.state import CsvImportState
from toolkit.forms.csv.steps import ChooseStep
from toolkit.forms.editor.property_row import PropertyRow
from toolkit.forms.editor.state import EditorState
from toolkit.forms.users.export import export
from toolkit.forms.users.panels import ExportPanel
from toolkit.forms.users.rows import UserRows
from toolkit.forms.users.state import UsersState
from toolkit.reports.form.choices import Choices
from toolkit.sources.csv.mapping import meant_name
from toolkit.sources.csv.source import CsvSource
from toolkit.sources.files.formats import FORMATS, Format, OnError, Written
from toolkit.sources.files.jsonlines import Messages
from toolkit.sources.live.calls import (
    DIALECTS,
    Answer,
    Call,
    HttpDialect,
    Request,
    check_token,
    read_parameters,
)
from toolkit.sources.live.receiver import Receiver
from toolkit.sources.live.wire import Record
from toolkit.updates.names import name_refusal

# -- a computed property ------------------------------------------------------------------


def _id_length(rows: ProfileRows) -> Column:
    lengths = [len(cell) if isinstance(cell, str) else None for cell in rows.distinct_ids.cells()]
    return Column.of(lengths)


@pytest.fixture
def id_length(monkeypatch: pytest.MonkeyPatch) -> str:
    """A property that nobody stores: how long the distinct ID is."""
    name = "$id_length"
    monkeypatch.setitem(COMPUTED, name, Computed(name, "number", _id_length))
    return name


@pytest.fixture
def profiles() -> tk.ProfileTable:
    table = tk.ProfileTable()
    table.apply([{"$distinct_id": each, "$set": {"plan": "pro"}} for each in ("bo", "ann", "eve")])
    table.groups("company").set("acme", {"seats": 3})
    return table


@pytest.fixture
def events() -> tk.Events:
    return tk.Events(
        pd.DataFrame(
            {
                "event": "View",
                "distinct_id": ["bo", "ann", "ann", "stranger"],
                "time": ["2026-05-01", "2026-05-02", "2026-05-03", "2026-05-04"],
                "company": ["acme", "acme", None, None],
            }
        )
    )


def test_a_computed_property_picks_profiles_and_is_known(
    id_length: str, profiles: tk.ProfileTable
) -> None:
    # An UnknownPropertyWarning would be an error.
    assert sorted(profiles.where(user[id_length] == 3)) == ["ann", "eve"]
    assert list(profiles.where(f'user["{id_length}"] < 3')) == ["bo"]


def test_a_computed_property_joins_events_and_breaks_reports_down(
    id_length: str, profiles: tk.ProfileTable, events: tk.Events
) -> None:
    joined = tk.join(events, profiles, [user[id_length], group("company")[id_length]])
    assert joined[f"user.{id_length}"].tolist()[:3] == [2, 3, 3]
    assert pd.isna(joined[f"user.{id_length}"].iloc[3])
    assert joined[f"company.{id_length}"].tolist()[:2] == [4, 4]
    with pytest.raises(errors.JoinError, match="has no past"):
        tk.join(events, profiles, id_length, at="event time")
    report = tk.segmentation(events, profiles, "View", by=user[id_length])
    table = report.table
    sums = table.groupby(f"user.{id_length}", dropna=False)["count"].sum()
    assert list(sums.items()) == [(2, 1), (3, 2), (pd.NA, 1)]
    # Of profiles, those seen in events without one included.
    by_length = tk.profile_report(profiles, events=events, by=user[id_length]).table
    assert dict(by_length.itertuples(index=False, name=None)) == {3: 2, 2: 1, 8: 1}
    assert list(tk.cohort(events, profiles, user[id_length] == 3)) == ["ann", "eve"]


def test_a_computed_property_is_offered_and_shown_by_the_forms(
    id_length: str, profiles: tk.ProfileTable, events: tk.Events
) -> None:
    choices = Choices(events, profiles.snapshot())
    assert choices.properties[f"user.{id_length}"].label == f"User: {id_length}"
    assert choices.about(user[id_length]).type == "number"
    rows = UserRows(profiles.snapshot())
    assert id_length in rows.names
    assert rows.texts(id_length, np.arange(3)) == ["2", "3", "3"]
    assert rows.order(id_length, descending=True) is not None


def test_a_computed_property_that_needs_events_is_refused_without(
    monkeypatch: pytest.MonkeyPatch, profiles: tk.ProfileTable, events: tk.Events
) -> None:
    late = Computed("$late", "time", lambda rows: rows.first_times, needs_events=True)
    monkeypatch.setitem(COMPUTED, "$late", late)
    with pytest.raises(errors.ExpressionError, match="calculated from events"):
        profiles.where(user["$late"] > "2026-01-01")
    with pytest.raises(errors.ReportError, match="give events="):
        tk.profile_report(profiles, by=user["$late"])
    assert "$late" not in UserRows(profiles.snapshot()).names
    assert "$late" in UserRows(profiles.snapshot(), events).names
    assert list(tk.cohort(events, profiles, user["$late"] >= "2026-05-02")) == ["ann", "stranger"]


# -- a reserved property ------------------------------------------------------------------


@pytest.fixture
def website(monkeypatch: pytest.MonkeyPatch) -> str:
    row = Reserved("$website", "Website", ("website", "homepage"), is_text=True)
    monkeypatch.setitem(RESERVED, row.name, row)
    return row.name


def test_a_reserved_property_is_shown_and_offered_by_its_label(website: str) -> None:
    profiles = tk.ProfileTable()
    profiles.set("ann", {website: "a.example"})
    assert display_name(website) == "Website"
    assert Choices(None, profiles.snapshot()).properties[f"user.{website}"].label == "User: Website"
    assert website in EditorState(tk.ProfileTable()).suggested_names()
    row = PropertyRow()
    row.name, row.kind, row.text = "website", "text", "a.example"
    assert row.caution() == (
        '"website" is a property of its own. The reserved one is $website (Website).'
    )


def test_a_reserved_property_is_what_a_csv_header_means(website: str, tmp_path: Path) -> None:
    path = tmp_path / "users.csv"
    path.write_text("email,Home Page\na@b.example,12\n", encoding="utf-8")
    profiles = tk.ProfileTable()
    tk.import_csv(profiles, path)
    assert profiles["a@b.example"][website] == "12"  # text whatever it looks like
    assert website in writable()
    assert meant_name("$websit") == website


def test_a_reserved_property_that_nobody_may_write_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row = Reserved("$visits", "Visits", refusal="is counted from the events")
    monkeypatch.setitem(RESERVED, row.name, row)
    assert name_refusal("$visits") == '"$visits" (Visits) is counted from the events'
    assert "$visits" not in writable()
    assert "$visits" not in EditorState(tk.ProfileTable()).suggested_names()


# -- a format of files --------------------------------------------------------------------


def _write_ids(
    profiles: tk.ProfileTable | tk.ProfileView, path: Path, progress: AnyProgress
) -> Written:
    ids = list(profiles)
    path.write_text("".join(f"{each}\n" for each in ids), encoding="utf-8")
    return Written(len(ids), ("Only the IDs.",))


def _read_ids(path: Path, on_error: OnError) -> Messages:
    ids = path.read_text(encoding="utf-8").split()
    sent = [{"$distinct_id": each, "$set": {}} for each in ids]
    return Messages(sent, list(range(1, len(ids) + 1)), [])


def _table_of_ids(source: CsvSource) -> CsvSource:
    with source.opened() as file:
        return source.as_csv("distinct_id\n" + file.raw.read().decode())


@pytest.fixture
def ids_format(monkeypatch: pytest.MonkeyPatch) -> Format:
    row = Format(
        *("ids", (".ids",), "Distinct IDs, a line each", "text/plain", _write_ids, _read_ids),
        table=_table_of_ids,
    )
    monkeypatch.setitem(FORMATS, row.name, row)
    return row


@pytest.mark.usefixtures("ids_format")
def test_a_format_is_written_and_read_by_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop, other, path = tmp_path / "shop.db", tmp_path / "other.db", tmp_path / "users.ids"
    for each, profile in ((shop, {"plan": "pro"}), (other, None)):
        with tk.ProfileTable(each) as table:
            if profile is not None:
                table.set(["ann", "bob"], profile)
    assert main(["export", str(shop), str(path)]) == 0
    assert "Note: Only the IDs." in capsys.readouterr().out
    assert path.read_text(encoding="utf-8") == "ann\nbob\n"
    assert main(["apply", str(other), str(path)]) == 0
    with tk.ProfileTable(other) as table:
        assert [(each, table[each]) for each in table] == [("ann", {}), ("bob", {})]
    assert main(["export", str(shop), str(tmp_path / "more.ids"), "--people"]) != 0
    assert main(["export", str(shop), str(tmp_path / "users.xlsx")]) != 0
    assert ".ids, .ids.gz" in capsys.readouterr().err


@pytest.mark.usefixtures("ids_format")
def test_a_format_with_a_table_is_imported_like_csv(tmp_path: Path) -> None:
    path, shop = tmp_path / "users.ids", tmp_path / "shop.db"
    path.write_text("ann\nbob\n", encoding="utf-8")
    assert tk.preview_csv(path).mapping == {0: "$distinct_id"}
    profiles = tk.ProfileTable()
    assert tk.import_csv(profiles, path).created == 2
    zipped = path.with_suffix(".ids.gz")
    zipped.write_bytes(gzip.compress(b"eve\n"))
    assert tk.import_csv(profiles, zipped).created == 1
    assert list(profiles) == ["ann", "bob", "eve"]
    assert main(["import", str(shop), str(path)]) == 0
    with tk.ProfileTable(shop) as table:
        assert list(table) == ["ann", "bob"]


@pytest.mark.usefixtures("ids_format")
def test_a_format_with_a_table_is_taken_by_the_import_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("users.ids").write_text("ann\n", encoding="utf-8")
    state = CsvImportState(tk.ProfileTable())
    step = ChooseStep(state)
    assert "users.ids" in step.path.options
    assert ".ids" in step.drop.accept.split(",")
    state.upload("more.ids", io.BytesIO(b"ann\nbob\n"))
    assert state.wait(20)
    assert (state.name, state.error) == ("more.ids", "")
    assert state.preview is not None and state.preview.rows == 2
    state.choose("users.ids")
    assert state.wait(20)
    assert state.preview.mapping == {0: "$distinct_id"}


def test_a_format_is_offered_by_the_users_form(
    ids_format: Format, profiles: tk.ProfileTable, tmp_path: Path
) -> None:
    state = UsersState(profiles)
    assert (ids_format.label, "ids") in ExportPanel(state).kind.options
    rows = UserRows(profiles.snapshot())
    done = export(rows, np.arange(2), "ids", None, None, silent, profiles)
    assert (done.name, done.content, done.losses) == ("users.ids", b"bo\nann\n", ("Only the IDs.",))


# -- a product whose clients send ---------------------------------------------------------


def _read_collect(receiver: Receiver, call: Call, name: str, token: str | None) -> Request:
    text, parameters = read_parameters(receiver, call, name, has_data=False)
    sent = json.loads(text)
    check_token(token, call.authorization, [sent.get("key")])
    update = {"$distinct_id": sent["who"], "$set": sent["traits"]}
    return Request(name, [Record(update, len(text))], parameters)


def _collect(receiver: Receiver, call: Call, request: Request) -> Answer:
    outcome = receiver.updates(request.records, source=f"HTTP {request.endpoint}", groups=False)
    body = json.dumps({"taken": outcome.accepted})
    return Answer(202, body, True, outcome.received, outcome.accepted)


@pytest.fixture
def collect(monkeypatch: pytest.MonkeyPatch) -> HttpDialect:
    dialect = HttpDialect(
        *(("/collect",), _read_collect, _collect),
        lambda path, error, reason: {"refused": str(error), "reason": reason},
        short={"/c": "/collect"},
        begins=("/collect", "/c"),
    )
    monkeypatch.setitem(DIALECTS, "collect", dialect)
    return dialect


def _posted(url: str, content: object) -> tuple[int, Any]:
    body = json.dumps(content).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.mark.usefixtures("collect")
def test_a_dialect_is_served_answered_and_refused_in_its_own_form() -> None:
    profiles = tk.ProfileTable()
    with tk.serve(profiles, port=0, token="secret") as server:
        sent = {"who": "ann", "traits": {"plan": "pro"}, "key": "secret"}
        assert _posted(f"{server.url}/collect?extra=1", sent) == (202, {"taken": 1})
        assert _posted(f"{server.url}/c", {**sent, "who": "bob"}) == (202, {"taken": 1})
        status, answered = _posted(f"{server.url}/c", {**sent, "key": "wrong"})
        assert (status, answered["reason"]) == (401, "Unauthorized")
        with urllib.request.urlopen(server.url) as welcome:
            assert "/collect" in welcome.read().decode()
        status, answered = _posted(f"{server.url}/nothing", {})
        assert (status, "/collect" in answered["error"]) == (404, True)
        assert "/collect?extra" in server.receiver.notes
    assert [(each, profiles[each]) for each in profiles] == [
        ("ann", {"plan": "pro"}),
        ("bob", {"plan": "pro"}),
    ]


# -- a function of expressions ------------------------------------------------------------


def test_a_function_is_read_written_and_worked_out_wherever_expressions_are(
    monkeypatch: pytest.MonkeyPatch, profiles: tk.ProfileTable, events: tk.Events
) -> None:
    with pytest.raises(errors.ExpressionError, match='no function "doubled"'):
        parse('doubled(user["seats"]) > 1')
    with monkeypatch.context() as patch:
        # Entered by the decorator, and taken out again at the end.
        patch.setitem(FUNCTIONS, "doubled", FUNCTIONS["floor"])

        @function("doubled", takes="number", gives="number", method="floor", in_formulas=True)
        def doubled(cells: Cells) -> Cells:
            """Return each number times two."""
            return arithmetic("*", Cells.constant(2), cells)

        assert "| number | each number times two; in formulas, too |" in functions_table()
        with pytest.raises(errors.ExpressionError, match="doubled takes a number"):
            parse('doubled(string(user["seats"])) > 1')
        condition = parse('doubled(user["seats"]) > 5')
        assert condition.text == 'doubled(user["seats"]) > 5'
        assert list(profiles.groups("company").where(condition)) == ["acme"]
        with pytest.raises(errors.ExpressionError, match='Did you mean "doubled"'):
            parse('doublet(user["seats"]) > 1')
        with pytest.raises(errors.ExpressionError, match="its argument in parentheses"):
            parse("doubled > 1")
        counted = tk.segmentation(
            events, profiles, [tk.metric("View"), tk.metric("View", name="B")], formula="doubled(A)"
        )
        assert counted.table["value"].sum() == 2 * len(events)
    assert "doubled" not in FUNCTIONS


def test_the_documentation_has_each_function_with_its_types() -> None:
    assert functions_table() in PAGE.read_text(encoding="utf-8")
