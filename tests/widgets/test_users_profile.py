"""The page of one user, and the list of batches, without a browser."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import toolkit as tk
from tests.moments import START
from toolkit.base import errors
from toolkit.forms.parts.job import Job
from toolkit.forms.users.batches import BatchList
from toolkit.forms.users.profile import ProfilePage

DAYS = ["2026-05-01T10:00", "2026-05-02T11:00", "2026-05-02T12:00", "2026-05-02T13:00"]


@pytest.fixture
def profiles() -> tk.ProfileTable:
    table = tk.ProfileTable()
    table.set("ann", {"$name": "Ann van Lee", "plan": "free", "n": 1}, time="2026-01-01")
    table.union("ann", {"tags": ["a"]}, time="2026-02-01")
    table.set("ann", {"plan": "pro", "bucket": 3}, time="2026-03-01")
    table.unset("ann", ["n"], time="2026-04-01")
    return table


@pytest.fixture
def events() -> tk.Events:
    return tk.Events(
        pd.DataFrame(
            {
                "event": ["View", "Buy", "View", "Buy"],
                "distinct_id": "ann",
                "time": DAYS,
                "amount": [None, 2.5, None, 1.0],
                3: [None, np.array(["a", "b"]), None, None],
                "$bucket": [None, None, None, 1],
            }
        )
    )


def told(page: ProfilePage) -> dict[str, str]:
    return {row.name: row.value for row in page.properties}


def since(page: ProfilePage) -> dict[str, str]:
    return {row.name: row.since for row in page.properties}


def test_the_page_shows_the_profile_as_it_is(profiles: tk.ProfileTable) -> None:
    page = ProfilePage(profiles, "ann")
    assert (page.title, page.when) == ("Ann van Lee", "Now")
    assert page.updated_at == pd.Timestamp("2026-04-01", tz="UTC")
    assert ">AL<" in page.card
    assert told(page) == {"$name": "Ann van Lee", "plan": "pro", "tags": '["a"]'}
    assert [row.label for row in page.properties] == ["Name", "plan", "tags"]
    assert [row.type for row in page.properties] == ["text", "text", "list"]


def test_the_slider_shows_it_as_it_was_and_what_became_of_it(profiles: tk.ProfileTable) -> None:
    page = ProfilePage(profiles, "ann")
    assert len(page.moments) == 4
    assert page.moment == 4
    page.moment = 0
    assert page.when == "As of 2026-01-01 00:00:00 UTC"
    assert told(page) == {"$name": "Ann van Lee", "plan": "free", "n": "1", "tags": ""}
    assert since(page) == {
        "$name": "",
        "n": "removed since",
        "plan": "changed since",
        "tags": "came later",
    }
    page.moment = 4
    assert set(since(page).values()) == {""}


def test_the_slider_agrees_with_as_of_at_every_moment(profiles: tk.ProfileTable) -> None:
    page = ProfilePage(profiles, "ann")
    for place, moment in enumerate(page.moments):
        page.moment = place
        then = profiles.as_of(moment)["ann"]
        then.pop("bucket", None)
        names = [row.name for row in page.properties if row.since != "came later"]
        assert sorted(names) == sorted(then)


def test_a_time_can_be_named(profiles: tk.ProfileTable) -> None:
    page = ProfilePage(profiles, "ann")
    page.show_time("2026-02-15")
    assert page.moment == 1
    with pytest.raises(errors.ProfileNotFoundError, match="nothing is known"):
        page.show_time("2025-01-01")


def test_the_history_of_a_property_is_newest_first(profiles: tk.ProfileTable) -> None:
    page = ProfilePage(profiles, "ann")
    page.open("plan")
    assert [(row.operator, row.old, row.new) for row in page.changes] == [
        ("$set", "free", "pro"),
        ("$set", "", "free"),
    ]
    assert page.changes[0].time == "2026-03-01 00:00:00"
    assert page.changes[0].origin.startswith("batch 3, set, arrived ")
    page.close()
    assert (page.opened, page.changes) == ("", [])


def test_a_deleted_profile_keeps_its_past(profiles: tk.ProfileTable) -> None:
    profiles.delete("ann")
    page = ProfilePage(profiles, "ann")
    assert (page.exists, page.existed, page.properties) == (False, False, [])
    assert "was deleted" in page.note
    page.moment = 2
    assert page.existed
    assert told(page)["plan"] == "pro"
    page.open("plan")
    assert (page.changes[0].operator, page.changes[0].old) == ("$delete", "pro")


def test_late_updates_are_said_where_the_order_matters(profiles: tk.ProfileTable) -> None:
    profiles.set("ann", {"plan": "basic"}, time="2026-01-15")
    page = ProfilePage(profiles, "ann")
    assert told(page)["plan"] == "basic"
    assert "arrived late" in page.note
    page.moment = len(page.moments) - 1
    assert told(page)["plan"] == "pro"


def test_a_user_without_a_profile_has_a_page(events: tk.Events) -> None:
    page = ProfilePage(tk.ProfileTable(), "ann", events)
    assert (page.title, page.exists, page.moments) == ("ann", False, [])
    assert page.note == "There are events with this ID, but no profile."
    assert page.event_count == 3


def test_the_feed_is_newest_first_without_hidden_events(
    profiles: tk.ProfileTable, events: tk.Events
) -> None:
    page = ProfilePage(profiles, "ann", events)
    assert [(row.time, row.name) for row in page.events] == [
        ("2026-05-02 12:00:00", "View"),
        ("2026-05-02 11:00:00", "Buy"),
        ("2026-05-01 10:00:00", "View"),
    ]
    assert page.events[1].properties == (("amount", "2.5"), ("3", '["a","b"]'))
    assert page.days == ["2026-05-02", "2026-05-01"]
    assert page.event_names == [("View", 2), ("Buy", 1)]
    assert page.facts == "3 events, 4 properties"


def test_the_feed_is_narrowed_to_a_day_and_names(
    profiles: tk.ProfileTable, events: tk.Events
) -> None:
    page = ProfilePage(profiles, "ann", events)
    page.day = "2026-05-02"
    assert [row.name for row in page.events] == ["View", "Buy"]
    page.hide("View")
    assert ([row.name for row in page.events], page.event_count) == (["Buy"], 1)
    page.unhide("View")
    page.day = ""
    assert page.event_count == 3


def test_of_many_events_some_are_shown_and_more_on_request() -> None:
    data = pd.DataFrame({"event": "View", "distinct_id": "ann", "time": range(START, START + 60)})
    page = ProfilePage(tk.ProfileTable(), "ann", tk.Events(data))
    assert (len(page.events), page.event_count) == (25, 60)
    page.show_more()
    assert len(page.events) == 50


def test_a_change_elsewhere_is_read_again(profiles: tk.ProfileTable) -> None:
    page = ProfilePage(profiles, "ann")
    page.open("plan")
    profiles.set("ann", {"plan": "gold"})
    page.reload()
    assert told(page)["plan"] == "gold"
    assert page.moment == len(page.moments) == 5
    assert page.changes[0].new == "gold"


# batches


def done(batches: BatchList) -> None:
    assert batches._job.wait(10)


def test_batches_are_listed_newest_first(profiles: tk.ProfileTable) -> None:
    batches = BatchList(profiles, Job())
    assert [(row.id, row.source, row.counts) for row in batches.batches[:2]] == [
        (4, "unset", "1 updated"),
        (3, "set", "1 updated"),
    ]
    assert batches.batches[-1].counts == "1 created"


def test_a_batch_is_undone_and_redone(profiles: tk.ProfileTable) -> None:
    changed: list[int] = []
    batches = BatchList(profiles, Job(), lambda: changed.append(1))
    batches.undo(4)
    done(batches)
    assert profiles["ann"]["n"] == 1
    assert batches.message == "Batch 4 undone: 1 updated."
    assert [(row.id, row.status, row.action) for row in batches.batches[:2]] == [
        (5, "", ""),
        (4, "undone by batch 5", "redo"),
    ]
    batches.redo(4)
    done(batches)
    assert "n" not in profiles["ann"]
    assert batches.batches[2].status == "redone by batch 6"
    assert batches.batches[2].action == "undo"
    assert len(changed) == 2


def test_a_refused_undo_says_why_and_offers_the_rest(profiles: tk.ProfileTable) -> None:
    profiles.set("ann", {"n": 5})
    batches = BatchList(profiles, Job())
    batches.undo(1)
    done(batches)
    assert batches.refused == 1
    assert "was not undone" in batches.problem
    assert batches.conflicts == [("ann", "", "created by the batch, and updated since")]
    assert "ann" in profiles

    two = profiles.apply(
        [{"$distinct_id": key, "$set": {"x": 1}} for key in ("bob", "cid")]
    ).batch_id
    profiles.set("bob", {"x": 2})
    batches.undo(two)
    done(batches)
    assert batches.refused == two
    batches.undo_untouched()
    done(batches)
    assert ("bob" in profiles, "cid" in profiles) == (True, False)
    assert (batches.problem, batches.refused) == ("", 0)


def test_what_cannot_be_undone_is_said(profiles: tk.ProfileTable) -> None:
    profiles.compact(keep=1)
    batches = BatchList(profiles, Job())
    batches.undo(int(profiles.batches.index[0]))
    done(batches)
    assert "compacted" in batches.problem
    assert batches.refused == 0


def test_only_the_latest_batches_are_listed() -> None:
    table = tk.ProfileTable()
    for number in range(25):
        table.set("1", {"n": number})
    batches = BatchList(table, Job())
    assert (len(batches.batches), batches.total) == (20, 25)
    assert batches.batches[0].id == 25


def test_a_busy_form_says_so(profiles: tk.ProfileTable) -> None:
    job = Job()
    gate: Any = __import__("threading").Event()
    job.start(lambda progress: gate.wait(10))
    batches = BatchList(profiles, job)
    batches.undo(4)
    assert "in progress" in batches.problem
    gate.set()
    assert job.wait(10)
