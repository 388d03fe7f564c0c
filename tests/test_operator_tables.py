"""A further operator needs one entry in the table of operators, and nothing else to be usable."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import toolkit as tk
from tests.widgets.page import change, failures, press, widgets
from toolkit.cli import main
from toolkit.forms.lab.message import MessageRow, put_together, taken_apart, value_hint
from toolkit.updates import Rejection, by_message
from toolkit.updates.operators import OPERATORS, Operator
from toolkit.updates.rules import RULES, applied_rules


def keep_largest(properties: Any, argument: Any, refused: Any = None) -> Any:
    return {**properties, **{n: max(v, properties.get(n, v)) for n, v in argument.items()}}


@pytest.fixture
def ninth(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setitem(OPERATORS, "$max", Operator("$max", keep_largest))
    return "$max"


@pytest.fixture
def profiles(tmp_path: Path, ninth: str) -> Iterator[tk.ProfileTable]:
    with tk.ProfileTable(tmp_path / "shop.db") as table:
        table.set("1", {"score": 3, "plan": "pro"})
        yield table


def test_a_ninth_operator_goes_through_a_table_and_its_past(
    profiles: tk.ProfileTable, ninth: str
) -> None:
    message = {"$distinct_id": "1", ninth: {"score": 7}}
    before = profiles["1"]
    result = profiles.apply([message])
    assert (result.applied, profiles["1"]["score"]) == (1, 7)
    assert set(applied_rules(before, message, profiles["1"], [])) <= set(RULES)
    assert profiles.history("1")["operator"].tolist()[-1] == ninth
    assert ninth in str(profiles.explain("1", "score"))
    profiles.undo(result.batch_id)
    assert profiles["1"]["score"] == 3


def test_a_ninth_operator_goes_through_the_operator_lab(ninth: str) -> None:
    lab = tk.OperatorLab()
    state = lab.state
    state.edit(rows=[MessageRow(ninth, "age", "")])
    assert state.row_errors == [f"a value is missing, such as {value_hint(ninth)}"]
    state.edit_row(0, value="50")
    assert state.trial.after["age"] == 50
    fields = {getattr(each, "description", ""): each for each in widgets(lab)}
    for index in range(len(OPERATORS)):
        change(fields["Operator 1"], index=index)
        assert fields["Operator 1"].value == list(OPERATORS)[index]
    press(fields["Add property"])
    assert failures(lab) == []


@pytest.mark.parametrize("operator", [*OPERATORS, "$max"])
def test_every_operator_has_a_hint_and_comes_back_from_the_form(ninth: str, operator: str) -> None:
    row = MessageRow(operator, "plan", "1")
    message, errors = put_together(taken_apart({"$distinct_id": "1"})._replace(rows=(row,)), {})
    assert errors == [""]
    [back] = taken_apart({"$distinct_id": "1", **message}).rows
    assert back.operator == operator
    assert bool(value_hint(operator)) == row.takes_value


def clear(properties: Any, argument: Any, refused: Any = None) -> Any:
    emptied = {name: [] for name in argument if isinstance(properties.get(name), list)}
    return {**properties, **emptied} if emptied else properties


def prepend(properties: Any, argument: Any, refused: Any = None) -> Any:
    new = {}
    for name, element in argument.items():
        stored = properties.get(name, [])
        if isinstance(stored, list):
            new[name] = [element, *stored]
        elif refused is not None:
            refused.append(Rejection(property=name, reason="no list"))
    return {**properties, **new} if new else properties


@pytest.fixture
def more(monkeypatch: pytest.MonkeyPatch, ninth: str) -> None:
    """One that takes names and makes no profile, and one that groups do not take."""
    takes_names = Operator("$clear", clear, argument="names", creates=False, hint="")
    monkeypatch.setitem(OPERATORS, "$clear", takes_names)
    refuses = Operator(
        *("$prepend", prepend, "APPEND-1", "LIST-1"),
        groups=False,
        grows=True,
        refuse=lambda value: "no text" if not isinstance(value, str) else None,
    )
    monkeypatch.setitem(OPERATORS, "$prepend", refuses)


MESSAGES: list[dict[str, Any]] = [
    {"$distinct_id": "1", "$set": {"tags": ["a"], "plan": "pro", "score": 3}},
    {"$distinct_id": "1", "$prepend": {"tags": "b", "plan": "x", "n": 1}},
    {"$distinct_id": "2", "$clear": ["tags"]},  # makes no profile
    {"$distinct_id": "3", "$prepend": {"tags": "c"}, "$max": {"score": 2}},
    {"$distinct_id": "1", "$append": {"tags": "d"}, "$max": {"score": 7}},
    {"$distinct_id": "3", "$clear": "tags"},
    {"$group_key": "company", "$group_id": "acme", "$prepend": {"tags": "a"}},
    {"$group_key": "company", "$group_id": "acme", "$max": {"seats": 2}},
]
LEFT = {
    "1": {"tags": ["b", "a", "d"], "plan": "pro", "score": 7},
    "3": {"tags": [], "score": 2},
}


@pytest.mark.parametrize("rows_at_most", [2_000, 0])
@pytest.mark.usefixtures("more")
def test_further_operators_do_the_same_by_rows_and_by_columns_and_in_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, rows_at_most: int
) -> None:
    monkeypatch.setattr(by_message, "ROWS_AT_MOST", rows_at_most)
    path = tmp_path / "shop.db"
    with tk.ProfileTable(path) as table:
        result = table.apply(MESSAGES)
        assert {key: table[key] for key in table} == LEFT
        assert (result.created, table.groups("company")["acme"]) == (3, {"seats": 2})
        reasons = [(each.operator, each.property, each.reason) for each in result.rejections]
        assert sorted(reasons, key=str) == [
            ("$prepend", "n", "no text"),
            ("$prepend", "plan", "no list"),
            ("$prepend", None, "$prepend is not for group profiles (GROUP-1)"),
        ]
    with tk.ProfileTable(path) as table:
        assert {key: table[key] for key in table} == LEFT
        assert {key: table.as_of(table.batches["time"].iloc[-1])[key] for key in LEFT} == LEFT
        assert table.timeline("tags").at is not None
        assert table.history("3")["operator"].tolist() == ["$prepend", "$max", "$clear"]
        assert "$clear made" in str(table.explain("3", "tags"))
        table.apply([{"$distinct_id": "1", "$clear": ["tags"]}])
        table.undo(2)
        assert table["1"] == LEFT["1"]
        table.undo(1)
        assert list(table) == []


@pytest.mark.usefixtures("more")
def test_further_operators_are_named_by_rules_limits_and_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    message = {"$distinct_id": "1", "$prepend": {"tags": "b", "plan": "x"}}
    before = {"plan": "pro"}
    profiles = tk.ProfileTable()
    profiles.set("1", before)
    result = profiles.apply([message])
    found = applied_rules(before, message, profiles["1"], result.rejections)
    assert {"APPEND-1", "LIST-1"} <= set(found) <= set(RULES)
    table = tk.ProfileTable(limits="mixpanel")
    table.set("1", {"tags": ["x" * 200] * 1_290})
    result = table.apply([{"$distinct_id": "1", "$prepend": {"tags": "y"}}] * 100)
    assert "bytes of JSON" in result.rejections[-1].reason
    path = tmp_path / "updates.jsonl"
    path.write_text('{"$distinct_id": "1", "$max": {"score": 7}}\n', encoding="utf-8")
    assert main(["apply", str(tmp_path / "shop.db"), str(path)]) == 0
    with tk.ProfileTable(tmp_path / "shop.db") as stored:
        assert stored["1"] == {"score": 7}
    capsys.readouterr()


@pytest.mark.usefixtures("more")
def test_an_operator_of_names_is_a_row_without_a_value() -> None:
    row = MessageRow("$clear", "tags", "")
    assert (row.takes_property, row.takes_value, value_hint("$clear")) == (True, False, "")
    message, errors = put_together(taken_apart({"$distinct_id": "1"})._replace(rows=(row,)), {})
    assert (message, errors) == ({"$distinct_id": "1", "$clear": ["tags"]}, [""])
    assert taken_apart(message).rows == (row,)
