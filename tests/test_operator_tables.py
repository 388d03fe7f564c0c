"""A further operator needs one entry in the table of operators, and nothing else to be usable."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import toolkit as tk
from tests.widgets.page import change, failures, press, widgets
from toolkit.forms.lab.message import Row, put_together, taken_apart, value_hint
from toolkit.updates.operators import OPERATORS
from toolkit.updates.rules import RULES, applied_rules


def keep_largest(properties: Any, argument: Any, refused: Any = None) -> Any:
    return {**properties, **{n: max(v, properties.get(n, v)) for n, v in argument.items()}}


@pytest.fixture
def ninth(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setitem(OPERATORS, "$max", keep_largest)  # type: ignore[arg-type]
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
    state.edit(rows=[Row(ninth, "age", "")])
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
    row = Row(operator, "plan", "1")
    message, errors = put_together(taken_apart({"$distinct_id": "1"})._replace(rows=(row,)), {})
    assert errors == [""]
    [back] = taken_apart({"$distinct_id": "1", **message}).rows
    assert back.operator == operator
    assert bool(value_hint(operator)) == row.takes_value
