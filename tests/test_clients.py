"""The real clients, unmodified: pointed at a server, what they send lands in the table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mixpanel
import pytest
import requests
import segment.analytics as segment

import toolkit as tk
from toolkit.sources.live.server import Server

TOKEN = "project token"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with (
        tk.ProfileTable(tmp_path / "shop.db") as profiles,
        tk.serve(profiles, token=TOKEN) as started,
    ):
        yield started


def over_http(server: Server, kind: type = mixpanel.Consumer, **options: Any) -> Any:
    """A consumer of the client, its addresses those of the server."""
    return kind(
        events_url=f"{server.url}/track",
        people_url=f"{server.url}/engage",
        groups_url=f"{server.url}/groups",
        import_url=f"{server.url}/import",
        retry_limit=0,
        **options,
    )


def send_everything(client: mixpanel.Mixpanel) -> None:
    """Every people_* and group_* method of the client, and its events."""
    client.people_set("1", {"$name": "Ann", "plan": "free", "gone": 1, "tags": ["a"], "é": "ü+&="})
    client.people_set_once("1", {"plan": "never", "first": "kept"})
    client.people_increment("1", {"visits": 2})
    client.people_increment("1", {"visits": -0.5})
    client.people_append("1", {"seen": "Tent"})
    client.people_append("1", {"seen": "Map"})
    client.people_union("1", {"tags": ["a", "b"]})
    client.people_remove("1", {"seen": "Tent"})
    client.people_unset("1", ["gone"])
    client.people_track_charge("1", 50, {"$time": "2026-01-02T03:04:05"})
    client.people_track_charge("2", 5)
    client.people_clear_charges("2")
    client.people_set("3", {"x": 1})
    client.people_delete("3")
    client.people_update({"$distinct_id": "4", "$set": {"x": 1}}, meta={"$ignore_time": True})
    client.group_set("company", "acme", {"$name": "Acme", "gone": 1, "tags": ["a"]})
    client.group_set_once("company", "acme", {"$name": "never", "size": 7})
    client.group_union("company", "acme", {"tags": ["a", "b"]})
    client.group_remove("company", "acme", {"tags": "a"})
    client.group_unset("company", "acme", ["gone"])
    client.group_set("company", "gone", {"x": 1})
    client.group_delete("company", "gone")
    client.group_update({"$group_key": "team", "$group_id": 5, "$set": {"x": None}})
    client.track("1", "Purchase", {"amount": 12.5, "items": ["Tent"], "time": 1_767_225_600})
    client.import_data(None, "2", "Sign Up", 1_700_000_000, {"plan": "pro"})


def all_arrived(profiles: tk.ProfileTable, events: tk.Events) -> None:
    assert profiles["1"] == {
        "$name": "Ann",
        "plan": "free",
        "tags": ["a", "b"],
        "é": "ü+&=",
        "first": "kept",
        "visits": 1.5,
        "seen": ["Map"],
        "$transactions": [{"$time": "2026-01-02T03:04:05", "$amount": 50}],
    }
    assert dict.fromkeys(profiles) == dict.fromkeys(["1", "2", "4"])
    assert profiles["2"] == {}
    assert profiles.frame["$last_seen"].isna().tolist() == [False, False, True]
    companies = profiles.groups("company")
    assert list(companies) == ["acme"]
    assert companies["acme"] == {"$name": "Acme", "tags": ["b"], "size": 7}
    assert profiles.groups("team")["5"] == {"x": None}
    frame = events.frame
    assert frame["event"].tolist() == ["Purchase", "Sign Up"]
    assert frame["distinct_id"].tolist() == ["1", "2"]
    assert frame["time"].astype("str").tolist() == [
        "2026-01-01 00:00:00+00:00",
        "2023-11-14 22:13:20+00:00",
    ]
    assert frame["amount"].tolist()[0] == 12.5
    assert frame["items"].tolist()[0] == ["Tent"]
    assert "token" not in frame.columns
    joined = tk.join(events, profiles, ["plan"])
    assert joined["user.plan"].tolist()[0] == "free"


def test_mixpanel_for_Python_with_its_Consumer(server: Server) -> None:
    send_everything(mixpanel.Mixpanel(TOKEN, consumer=over_http(server)))
    all_arrived(server.profiles, server.events)
    assert server.tally == (23, 2, 0)


def test_mixpanel_for_Python_with_its_BufferedConsumer(server: Server) -> None:
    consumer = over_http(server, mixpanel.BufferedConsumer, max_size=10)
    send_everything(mixpanel.Mixpanel(TOKEN, consumer=consumer))
    consumer.flush()
    all_arrived(server.profiles, server.events)
    # Two buffers of people, one of groups: a batch each.
    assert server.profiles.batches["source"].tolist() == [
        "HTTP /engage",
        "HTTP /engage",
        "HTTP /groups",
    ]


def test_mixpanel_for_Python_without_HTTP(tmp_path: Path) -> None:
    with tk.ProfileTable(tmp_path / "shop.db") as profiles:
        consumer = tk.consumer(profiles)
        send_everything(mixpanel.Mixpanel(TOKEN, consumer=consumer))
        consumer.flush()
        all_arrived(profiles, consumer.events)
        assert repr(consumer) == "<Consumer: 23 updates, 2 events, 0 rejected>"


def test_HTTP_5_a_consumer_counts_what_it_takes_but_does_not_use() -> None:
    consumer = tk.consumer(tk.ProfileTable())
    consumer.send("people", '{"$distinct_id": "7", "$set": {"plan": "pro"}, "$unheard_of": 1}')
    consumer.send("events", '{"event": "$merge", "properties": {}}')
    assert consumer.notes == {
        "$unheard_of next to the operators": 1,
        "$merge: profiles are not merged": 1,
    }


def test_the_client_without_HTTP_hears_what_is_rejected(tmp_path: Path) -> None:
    profiles = tk.ProfileTable()
    client = mixpanel.Mixpanel(TOKEN, consumer=tk.consumer(profiles))
    client.people_set("1", {"plan": "free"})
    with pytest.raises(tk.ToolkitError, match=r"\$add plan: the stored value is the text 'free'"):
        client.people_increment("1", {"plan": 1})
    with pytest.raises(tk.ToolkitError, match="an event needs a name"):
        client.track("1", "")
    with pytest.raises(tk.ToolkitError, match="known are events, people"):
        tk.consumer(profiles).send("persons", "{}")
    with pytest.raises(tk.ToolkitError, match="invalid JSON"):
        tk.consumer(profiles).send("people", '{"$distinct_id": ')


def test_the_clients_hear_of_a_wrong_token_and_of_data_errors(server: Server) -> None:
    stranger = mixpanel.Mixpanel("another", consumer=over_http(server))
    for send in (
        lambda: stranger.people_set("1", {"x": 1}),
        lambda: stranger.group_set("company", "1", {"x": 1}),
        lambda: stranger.track("1", "Buy"),
        lambda: stranger.import_data(None, "1", "Buy", 1_700_000_000),
    ):
        with pytest.raises(mixpanel.MixpanelException, match="the token is missing or wrong"):
            send()
    assert len(server.profiles) == 0 and len(server.events) == 0
    client = mixpanel.Mixpanel(TOKEN, consumer=over_http(server))
    with pytest.raises(mixpanel.MixpanelException, match="the distinct ID is empty"):
        client.people_set("", {"x": 1})


def segment_client(server: Server, **options: Any) -> Any:
    failed: list[Exception] = []
    client = segment.Client(
        TOKEN, host=server.url, on_error=lambda error, _: failed.append(error), max_retries=0,
        **options,
    )  # fmt: skip
    client.failed = failed
    return client


@pytest.mark.parametrize("options", [{"sync_mode": True}, {"gzip": True}, {}], ids=str)
def test_segment_for_Python(server: Server, options: dict[str, Any]) -> None:
    client = segment_client(server, **options)
    traits = {
        "email": "ann@mail.example", "firstName": "Ann", "lastName": "Lee", "name": "Ann Lee",
        "username": "ann", "phone": "+4712345678", "createdAt": "2026-01-01", "plan": "pro",
    }  # fmt: skip
    client.identify("7", traits, context={"ip": "1.2.3.4"})
    client.group("7", "acme", {"name": "Acme", "size": 3})
    client.track("7", "Buy", {"amount": 5}, context={"groupId": "acme"})
    client.page("7", "Docs", "Start")
    client.screen("7", name="Home")
    client.alias("anon-1", "7")
    if not options.get("sync_mode"):
        client.flush()
        client.shutdown()
    assert client.failed == []
    assert server.profiles["7"] == {
        "$email": "ann@mail.example",
        "$first_name": "Ann",
        "$last_name": "Lee",
        "$name": "Ann Lee",
        "$username": "ann",
        "$phone": "+4712345678",
        "$created": "2026-01-01",
        "plan": "pro",
    }
    assert server.profiles.groups("$group_id")["acme"] == {"$name": "Acme", "size": 3}
    frame = server.events.frame.set_index("event")
    assert frame.index.tolist() == ["Buy", "Viewed Start", "Viewed Home", "$create_alias"]
    assert frame["distinct_id"].tolist() == ["7", "7", "7", "anon-1"]
    assert frame.loc["Buy", ["amount", "$group_id"]].tolist() == [5, "acme"]
    assert frame.loc["$create_alias", "alias"] == "7"


def test_segment_for_Python_hears_of_a_wrong_write_key(server: Server) -> None:
    client = segment.Client("another", host=server.url, sync_mode=True, max_retries=0)
    with pytest.raises(Exception, match="the token is missing or wrong"):
        client.identify("7", {"plan": "pro"})
    assert len(server.profiles) == 0


def test_the_documented_script_with_nothing_changed_but_the_address(server: Server) -> None:
    # As documented, with `requests`: a list of profiles, `verbose=2`.
    url = f"{server.url}/engage"
    profiles = [
        {"$token": TOKEN, "$distinct_id": str(n), "$set": {"$email": f"user{n}@mail.example"}}
        for n in range(250)
    ]
    headers = {"Accept": "text/plain", "Content-Type": "application/json"}
    for start in range(0, len(profiles), 200):
        part = profiles[start : start + 200]
        response = requests.post(
            url, params={"verbose": "2"}, headers=headers, json=part, timeout=10
        )
        assert response.status_code == 200
        assert response.json() == {"status": 1, "error": None}
    assert len(server.profiles) == 250
    # Another sample sends the JSON as the text of a JSON string, to an address with a fragment.
    response = requests.post(
        f"{server.url}/engage#profile-batch-update", json=json.dumps(profiles[:2]), timeout=10
    )
    assert response.text == "1"


def test_the_clients_take_what_the_server_answers_at_once(server: Server) -> None:
    """One connection is kept for many requests: no answer leaves it half read."""
    client = mixpanel.Mixpanel(TOKEN, consumer=over_http(server))
    for n in range(50):
        client.people_increment("1", {"n": 1})
        client.track("1", "Tick", {"n": n})
    assert server.profiles["1"] == {"n": 50}
    assert len(server.events) == 50
