"""The whole surface of the store, in any order, against plain dicts and a list of messages."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.strategies import NAMES, batches, cells
from tests.test_table_reference import exactly
from toolkit import batch as batch_module
from toolkit import bulk, errors, operators, store, stored
from toolkit.columns import Column
from toolkit.messages import parse_message
from toolkit.table import ProfileTable

Model = dict[str, dict[str, Any]]


class StoreMachine(RuleBasedStateMachine):
    """Two handles on one file, and what it should hold after each batch."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "shop.db"
        self.handles = [ProfileTable(self.path), ProfileTable(self.path)]
        #: The profiles after each batch; the first is of the empty file.
        self.after: list[Model] = [{}]

    def _committed(self, model: Model, batch_id: int | None) -> None:
        if batch_id is not None:
            self.after.append(model)
            assert batch_id == len(self.after) - 1

    @rule(who=st.integers(0, 1), messages=batches)
    def apply(self, who: int, messages: list[dict[str, Any]]) -> None:
        model = dict(self.after[-1])
        for raw in messages:
            message = parse_message(raw, 0, [])
            if message is None:
                continue
            profile, _ = operators.apply(model.get(message.distinct_id), message.operations)
            if profile is None:
                model.pop(message.distinct_id, None)
            else:
                model[message.distinct_id] = dict(profile)
        self._committed(model, self.handles[who].apply(messages).batch_id)

    @rule(
        who=st.integers(0, 1),
        ids=st.lists(st.sampled_from(["1", "2", "x", "y"]), min_size=1, unique=True),
        name=st.sampled_from(NAMES),
        data=st.data(),
    )
    def set_columns(self, who: int, ids: list[str], name: str, data: st.DataObject) -> None:
        values = data.draw(st.lists(cells, min_size=len(ids), max_size=len(ids)))
        model = dict(self.after[-1])
        for key, value in zip(ids, values, strict=True):
            model[key] = model.get(key, {}) | {name: value}
        result = self.handles[who].set_columns(
            pa.array(ids, pa.large_string()), {name: Column.of(values)}, source="columns"
        )
        self._committed(model, result.batch_id)

    @precondition(lambda self: len(self.after) > 1)
    @rule(who=st.integers(0, 1))
    def undo_the_last(self, who: int) -> None:
        last = len(self.after) - 1
        try:
            result = self.handles[who].undo(last)
        except errors.UndoError:
            raise AssertionError("the last batch can always be undone") from None
        # What is equal (1 and 1.0) need not be put back.
        if result.batch_id is not None:
            now = self.handles[who]
            self._committed({key: now[key] for key in now}, result.batch_id)
            assert len(now.diff(now.as_of(batch=last - 1))) == 0

    @rule(who=st.integers(0, 1), load=st.booleans())
    def reopen(self, who: int, load: bool) -> None:
        self.handles[who].close()
        self.handles[who] = ProfileTable(self.path)
        if load:
            self.handles[who].snapshot()

    @rule(who=st.integers(0, 1), data=st.data())
    def look_back(self, who: int, data: st.DataObject) -> None:
        batch = data.draw(st.integers(0, len(self.after) - 1))
        past = self.handles[who].as_of(batch=batch)
        assert {key: exactly(past[key]) for key in past} == {
            key: exactly(row) for key, row in self.after[batch].items()
        }

    @rule(who=st.integers(0, 1))
    def check(self, who: int) -> None:
        assert self.handles[who].check().problems == ()

    @invariant()
    def both_handles_hold_the_model(self) -> None:
        expected = {key: exactly(row) for key, row in self.after[-1].items()}
        for handle in self.handles:
            assert len(handle) == len(expected)
            assert {key: exactly(handle[key]) for key in handle} == expected

    def teardown(self) -> None:
        for handle in self.handles:
            handle.close()
        self.folder.cleanup()


@pytest.mark.parametrize("way", ["small batches", "large batches"])
def test_any_order_of_calls(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if way == "large batches":
        monkeypatch.setattr(batch_module, "ROWS_AT_MOST", -1)
        monkeypatch.setattr(batch_module, "_ONE_ROW_IN", 10**9)
        monkeypatch.setattr(store, "_MESSAGES_AS_ROWS", 3)
        monkeypatch.setattr(stored, "_CHECKPOINT_FROM", 2)
        monkeypatch.setattr(stored, "_INDEX_LATER_FROM", 2)
        monkeypatch.setattr(bulk, "ROWS", 2)
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        StoreMachine, settings=settings(max_examples=25, stateful_step_count=20, deadline=None)
    )
