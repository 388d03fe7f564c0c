"""The whole surface of the store, in any order, against plain dicts and a list of messages."""

from __future__ import annotations

import atexit
import functools
import itertools
import json
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow as pa
import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import toolkit as tk
from tests.strategies import NAMES, batches, cells
from tests.test_table_reference import exactly
from toolkit.base import errors, times
from toolkit.columns.column import Column
from toolkit.profiles.table import ProfileTable
from toolkit.store import file as store, log, parquet as bulk, rows as stored, undo
from toolkit.updates import Rejection, by_message as batch_module, operators
from toolkit.updates.messages import Message, parse_message, without

Model = dict[str, dict[str, Any]]  # and Model() is an empty one
EXAMPLES = 200 if os.environ.get("LONGER_TESTS") else 20
#: After all times that messages name.
CLOCK = 1_700_000_100 * 10**6

WORKER = """
import json, sys
import toolkit as tk
from toolkit.base import times
for line in sys.stdin:
    path, now, messages = json.loads(line)
    times.now = lambda: now
    with tk.ProfileTable(path) as profiles:
        print(json.dumps(profiles.apply(messages).batch_id), flush=True)
"""


@functools.cache
def other_process() -> Any:
    """A process that applies what it is sent, one file after another."""
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )

    def end() -> None:
        for pipe in (worker.stdin, worker.stdout):
            if pipe is not None:
                pipe.close()
        worker.wait()

    atexit.register(end)
    return worker


class StoreMachine(RuleBasedStateMachine):
    """Two handles on one file, and what it should hold after each batch."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "shop.db"
        self.handles = [ProfileTable(self.path), ProfileTable(self.path)]
        #: The profiles after each batch; the first is of the empty file.
        self.after: list[Model] = [{}]

        #: Every update in the order of arrival: batch, effective time, message.
        self.updates: list[tuple[int, int, Message]] = []
        #: Up to which batch, and from which time on, the past was compacted.
        self.compacted = (0, 0)
        #: The last batch there was then, and what had happened by then.
        self.through, self.base = 0, Model()
        self.ticks = itertools.count(CLOCK, 10**6)
        self.clock = mock.patch.object(times, "now", lambda: next(self.ticks))
        self.clock.start()

    def _committed(
        self, batch_id: int | None, sent: list[Message], *, nothing_too: bool = False
    ) -> None:
        """Note a batch, unless nothing of it was valid, and what it leads to."""
        model, sent = self._applied(self.after[-1], sent)
        assert nothing_too or (batch_id is None) == (not sent)
        if batch_id is None:
            return
        self.after.append(model)
        assert batch_id == len(self.after) - 1
        arrival = int(self.handles[0].batches["time"].iloc[-1].value // 1000)
        self.updates += [
            (batch_id, arrival if message.time is None else message.time, message)
            for message in sent
        ]

    def _applied(self, model: Model, sent: list[Message]) -> tuple[Model, list[Message]]:
        """Return what messages lead to, and what of them was accepted (MSG-5)."""
        model, accepted = dict(model), []
        for message in sent:
            refused: list[Rejection] = []
            key = message.distinct_id
            profile, _ = operators.apply(model.get(key), message.operations, refused)
            left = without(message, refused) if refused else message
            if left is not None:
                accepted.append(left)
            if profile is None:
                model.pop(key, None)
            else:
                model[key] = dict(profile)
        return model, accepted

    @rule(who=st.integers(0, 1), messages=batches)
    def apply(self, who: int, messages: list[dict[str, Any]]) -> None:
        self._sent(messages, self.handles[who].apply(messages).batch_id)

    def _sent(self, messages: list[dict[str, Any]], batch_id: int | None) -> None:
        parsed = [parse_message(raw, 0, []) for raw in messages]
        sent = [message for message in parsed if message is not None]
        self._committed(batch_id, sent)

    @rule(messages=batches)
    def apply_in_another_process(self, messages: list[dict[str, Any]]) -> None:
        worker = other_process()
        worker.stdin.write(json.dumps([str(self.path), next(self.ticks), messages]) + "\n")
        worker.stdin.flush()
        self._sent(messages, json.loads(worker.stdout.readline()))

    @rule(
        who=st.integers(0, 1),
        key=st.sampled_from(["1", "2", "new"]),
        operator=st.sampled_from(["set", "set_once", "add", "union", "append", "remove"]),
        value=st.integers(-2, 2),
        at=st.none() | st.integers(1_700_000_000, 1_700_000_009),
    )
    def operate(self, who: int, key: str, operator: str, value: int, at: int | None) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # rejections are the model's too
            result = getattr(self.handles[who], operator)(key, {"a": value}, time=at)
        message = {"$distinct_id": key, f"${operator}": {"a": value}}
        self._sent([message if at is None else {**message, "$time": at}], result.batch_id)

    @rule(who=st.integers(0, 1), key=st.sampled_from(["1", "2", "new"]), unset=st.booleans())
    def take_away(self, who: int, key: str, unset: bool) -> None:
        handle = self.handles[who]
        result = handle.unset(key, ["a", "b"]) if unset else handle.delete(key)
        argument: Any = ["a", "b"] if unset else ""
        self._sent(
            [{"$distinct_id": key, "$unset" if unset else "$delete": argument}], result.batch_id
        )

    @rule(
        who=st.integers(0, 1),
        rows=st.lists(
            st.tuples(
                st.sampled_from(["1", "2", "x"]),
                st.integers(1, 9),
                st.integers(1_700_000_000, 1_700_000_009),
            ),
            min_size=1, max_size=5,
        ),
        dated=st.booleans(),
    )  # fmt: skip
    def import_csv(self, who: int, rows: list[tuple[str, int, int]], dated: bool) -> None:
        text = "distinct_id,a,$time\n" + "".join(f"{k},{n},{at}\n" for k, n, at in rows)
        mapping = {0: "$distinct_id", 1: "a", **({2: "$time"} if dated else {})}
        report = tk.import_csv(self.handles[who], text.encode(), mapping, progress=False)
        if dated:
            rows = sorted(rows, key=lambda row: row[2])
        else:  # CSV-8: one update an ID, the last
            rows = list({key: (key, number, at) for key, number, at in rows}.values())
        sent = [
            Message(key, (("$set", {"a": number}),), at * 10**6 if dated else None)
            for key, number, at in rows
        ]
        self._committed(report.batch_id, sent)

    @rule(
        who=st.integers(0, 1),
        ids=st.lists(st.sampled_from(["1", "2", "x", "y"]), min_size=1, unique=True),
        name=st.sampled_from(NAMES),
        data=st.data(),
    )
    def set_columns(self, who: int, ids: list[str], name: str, data: st.DataObject) -> None:
        values = data.draw(st.lists(cells, min_size=len(ids), max_size=len(ids)))
        sent = [
            Message(key, (("$set", {name: value}),)) for key, value in zip(ids, values, strict=True)
        ]
        result = self.handles[who].set_columns(
            pa.array(ids, pa.large_string()), {name: Column.of(values)}, source="columns"
        )
        self._committed(result.batch_id, sent)

    @precondition(lambda self: len(self.after) - 1 > self.compacted[0])
    @rule(who=st.integers(0, 1), again=st.booleans())
    def undo_the_last(self, who: int, again: bool) -> None:
        last = len(self.after) - 1
        handle = self.handles[who]
        try:
            result = handle.undo(last)
        except errors.UndoError:
            raise AssertionError("the last batch can always be undone") from None
        self._put_back(who, result.batch_id)
        self._holds_exactly(last - 1)
        if again:
            redone = handle.redo(last)
            self._put_back(who, redone.batch_id)
            self._holds_exactly(last)

    def _holds_exactly(self, batch: int) -> None:
        """Types and the order of keys included; those written again stand last (UNDO-1)."""
        assert {key: exactly(row) for key, row in self.after[-1].items()} == {
            key: exactly(row) for key, row in self.after[batch].items()
        }

    def _put_back(self, who: int, batch_id: int | None) -> None:
        """Note an undo: what it sent is taken from the log, as it is nobody else's to know."""
        assert batch_id is not None
        handle = self.handles[who]
        sent = [
            message
            for part in handle._engine.log.updates(batch_id)
            for message in (
                [each for _, each in part] if isinstance(part, list) else part.messages()
            )
        ]
        self._committed(batch_id, sent, nothing_too=True)

    @precondition(lambda self: len(self.after) > 1)
    @rule(who=st.integers(0, 1), keep=st.integers(0, 3))
    def compact(self, who: int, keep: int) -> None:
        handle = self.handles[who]
        report = handle.compact(keep)
        if not report.batches:
            return
        batch = len(self.after) - 1 - keep
        assert report.since is not None
        since = int(report.since.value // 1000)
        base = self._as_of(since)
        self.compacted, self.through, self.base = (batch, since), len(self.after) - 1, base

    @rule(who=st.integers(0, 1), load=st.booleans())
    def reopen(self, who: int, load: bool) -> None:
        self.handles[who].close()
        self.handles[who] = ProfileTable(self.path)
        if load:
            self.handles[who].snapshot()

    @rule(who=st.integers(0, 1), data=st.data())
    def look_back(self, who: int, data: st.DataObject) -> None:
        batch = data.draw(st.integers(self.compacted[0], len(self.after) - 1))
        past = self.handles[who].as_of(batch=batch)
        assert {key: exactly(past[key]) for key in past} == {
            key: exactly(row) for key, row in self.after[batch].items()
        }

    @rule(who=st.integers(0, 1), second=st.integers(0, 11))
    def look_back_in_effective_time(self, who: int, second: int) -> None:
        moment = max(self.compacted[1], 1_699_999_999 * 10**6) + second * 10**6
        past = self.handles[who].as_of(times.iso(moment))
        model = self._as_of(moment)
        assert {key: exactly(past[key]) for key in past} == {
            key: exactly(row) for key, row in model.items()
        }

    def _as_of(self, moment: int) -> Model:
        """What had happened by a moment, in the order it happened, then of arrival (PAST-2)."""
        # COMPACT-3: what arrived after a compaction follows its base, whatever time it names.
        happened = [
            each
            for each in self.updates
            if each[1] <= moment and (each[0] > self.through or each[1] > self.compacted[1])
        ]
        happened.sort(key=lambda each: each[1])
        return self._applied(self.base, [message for _, _, message in happened])[0]

    @precondition(lambda self: self.compacted != (0, 0))
    @rule(who=st.integers(0, 1))
    def what_was_compacted_is_refused(self, who: int) -> None:
        batch, since = self.compacted
        with pytest.raises(errors.CompactedError):
            self.handles[who].as_of(times.iso(since - 1))
        with pytest.raises(errors.CompactedError):
            self.handles[who].as_of(batch=batch - 1)

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
        self.clock.stop()
        for handle in self.handles:
            handle.close()
        self.folder.cleanup()


@pytest.mark.parametrize("way", ["small batches", "large batches"])
def test_any_order_of_calls(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if way == "large batches":
        monkeypatch.setattr(batch_module, "ROWS_AT_MOST", -1)
        monkeypatch.setattr(batch_module, "_ONE_ROW_IN", 10**9)
        monkeypatch.setattr(store, "_MESSAGES_AS_ROWS", 3)
        for module in (undo, log):
            monkeypatch.setattr(module, "_AS_MESSAGES_AT_MOST", 0)
        monkeypatch.setattr(stored, "_CHECKPOINT_FROM", 2)
        monkeypatch.setattr(stored, "_INDEX_LATER_FROM", 2)
        monkeypatch.setattr(bulk, "ROWS", 2)
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        StoreMachine,
        settings=settings(max_examples=EXAMPLES, stateful_step_count=20, deadline=None),
    )
