"""The live view: what arrived, how fast, what was rejected; pausing and clearing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

import toolkit as tk
from toolkit.forms import live, live_state
from toolkit.forms.live_state import LiveState

BAD = "<img src=x onerror=alert(1)>"


@pytest.fixture
def taker() -> Any:
    return tk.consumer(tk.ProfileTable())


def send(taker: Any, number: int, **more: Any) -> None:
    message = {"$distinct_id": f"user {number}", "$set": {"n": number, **more}}
    taker.send("people", json.dumps(message))


def reject(taker: Any) -> None:
    with pytest.raises(tk.ToolkitError):
        taker.send("people", '{"$distinct_id": "8", "$nothing": {}}')


def test_it_shows_the_last_messages_newest_first(taker: Any) -> None:
    state = LiveState(taker)
    assert (state.rows, state.summary) == ([], "0 updates, 0 events · 0.0 messages/s")
    for number in range(30):
        send(taker, number)
    reject(taker)
    taker.send("events", '{"event": "Buy", "properties": {"distinct_id": "7"}}')
    assert state.rows == []  # until it looks again
    state.refresh()
    assert len(state.rows) == live_state.SHOWN
    assert [(row.distinct_id, row.what) for row in state.rows[:3]] == [
        ("7", "event Buy"),
        ("8", "$nothing"),
        ("user 29", "$set n"),
    ]
    assert "unknown operator" in state.rows[1].reason
    assert (state.updates, state.events, state.rejected) == (31, 1, 1)
    state.only_rejected = True
    assert [row.distinct_id for row in state.rows] == ["8"]


def test_the_rate_is_that_of_the_last_seconds(taker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(live_state.time, "monotonic", lambda: now)
    state = LiveState(taker)
    for number in range(20):
        send(taker, number)
    now = 102.0
    state.refresh()
    assert state.rate == 10.0
    for _ in range(20):
        now += 1.0
        state.refresh()
    assert state.rate == 0.0


def test_paused_it_stands_still_and_says_how_many_wait(taker: Any) -> None:
    state = LiveState(taker)
    send(taker, 1)
    state.refresh()
    state.pause()
    send(taker, 2)
    reject(taker)
    state.refresh()
    assert [row.distinct_id for row in state.rows] == ["user 1"]
    assert state.summary == "1 update, 0 events · paused, 2 more arrived"
    assert taker.profiles["user 2"] == {"n": 2}
    state.only_rejected = True
    assert (state.rows, state.rejected) == ([], 0)
    state.only_rejected = False
    assert [row.distinct_id for row in state.rows] == ["user 1"]
    state.pause()
    assert [row.distinct_id for row in state.rows] == ["8", "user 2", "user 1"]
    assert state.waiting == 0


def test_cleared_it_counts_from_nothing_and_nothing_is_lost(taker: Any) -> None:
    state = LiveState(taker)
    send(taker, 1)
    state.refresh()
    state.clear()
    assert (state.rows, state.updates) == ([], 0)
    send(taker, 2)
    state.refresh()
    assert [row.distinct_id for row in state.rows] == ["user 2"]
    assert state.updates == 1
    assert taker.tally.updates == 2 and len(taker.profiles) == 2


def test_HTTP_5_it_says_what_was_taken_but_not_used(taker: Any) -> None:
    view = tk.LiveView(taker)
    state = view.state
    assert (state.notes, view._notes.layout.display) == ({}, "none")

    def unused(field: str) -> None:
        taker.send("people", json.dumps({"$distinct_id": "7", "$set": {"a": 1}, field: 1}))

    unused(f"${BAD}")
    unused("$odd")
    unused("$odd")
    state.refresh()
    assert sum(state.notes.values()) == 3 and state.notes == taker.notes
    assert "$odd" in next(iter(state.notes))  # the most frequent first
    assert view._notes.layout.display == ""
    assert "Taken, but not used as sent: " in view._notes.value
    assert "&lt;img" in view._notes.value and "<img" not in view._notes.value
    state.pause()
    unused("$odd")
    state.refresh()
    assert sum(state.notes.values()) == 3
    state.clear()
    assert (state.notes, view._notes.layout.display) == ({}, "none")
    unused("$odd")
    state.pause()
    assert list(state.notes.values()) == [1] and sum(taker.notes.values()) == 5


def test_text_that_was_sent_is_escaped(taker: Any) -> None:
    view = tk.LiveView(taker)
    taker.send("people", json.dumps({"$distinct_id": BAD, "$set": {BAD: BAD}}))
    with pytest.raises(tk.ToolkitError):
        taker.send("people", json.dumps({"$distinct_id": BAD, BAD: {}}))
    taker.send("events", json.dumps({"event": BAD}))
    view.state.refresh()
    assert "&lt;img" in view._table.value
    assert "<img" not in view._table.value
    assert repr(view) == "<LiveView: 2 updates, 1 event, 1 rejected>"


def run(kernel: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run it in a thread of its own: a browser of other tests may have a loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(kernel())).result(60)


def test_it_looks_again_by_itself_until_the_server_stops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "_PACE", 0.01)

    async def kernel() -> None:
        server = tk.serve(tk.ProfileTable())
        view = tk.LiveView(server)
        assert f"Listening at {server.url}" in view._where.value
        update = {"$distinct_id": "7", "$set": {"plan": "pro"}}
        await asyncio.to_thread(requests.post, f"{server.url}/engage", json=update, timeout=10)
        for _ in range(500):
            if "$set plan" in view._table.value:
                break
            await asyncio.sleep(0.01)
        assert "$set plan" in view._table.value
        server.stop()
        await asyncio.wait_for(view._ticking, 10)
        assert "The server is stopped." in view._where.value

    run(kernel)


def test_a_view_that_is_closed_looks_no_more(monkeypatch: pytest.MonkeyPatch, taker: Any) -> None:
    monkeypatch.setattr(live, "_PACE", 0.01)

    async def kernel() -> None:
        view = tk.LiveView(taker)
        ticking = view._ticking
        await asyncio.sleep(0.03)
        assert not ticking.done()
        view.close()
        await asyncio.sleep(0.03)
        assert ticking.done()

    run(kernel)


def test_it_is_of_a_server_or_a_consumer() -> None:
    with pytest.raises(tk.ToolkitError, match=r"tk\.serve or tk\.consumer returned, not of Prof"):
        tk.LiveView(tk.ProfileTable())  # type: ignore[arg-type]
