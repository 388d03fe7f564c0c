"""Profiles in the shape of the query API, and messages in chunks: what is written reads back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

import toolkit as tk
from tests.effort import examples
from tests.strategies import batches
from tests.test_table_reference import state_of
from toolkit.base.errors import ArgumentError, MessageFileError
from toolkit.cli import main


@pytest.fixture
def profiles() -> tk.ProfileTable:
    table = tk.ProfileTable()
    table.set("1", {"plan": "pro", "n": None, "big": 2**70}, time="2026-05-01T10:00:00.000001Z")
    table.set("2", {}, ignore_time=True)
    return table


@pytest.mark.parametrize("name", ["out.jsonl", "out.json", "out.jsonl.gz", "out.json.gz"])
@settings(
    max_examples=examples(25),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(messages=batches)
def test_people_read_back_to_the_same_table(
    tmp_path: Path, name: str, messages: list[dict[str, Any]]
) -> None:
    profiles = tk.ProfileTable()
    profiles.apply(messages)
    assert tk.write_people(profiles, tmp_path / name) == len(profiles)
    again = tk.ProfileTable()
    assert len(again.apply(tk.read_people(tmp_path / name)).rejected) == 0
    assert state_of(again) == state_of(profiles)


def test_people_have_the_shape_of_the_query_api(tmp_path: Path, profiles: tk.ProfileTable) -> None:
    tk.write_people(profiles, tmp_path / "p.jsonl")
    first, second = map(json.loads, (tmp_path / "p.jsonl").read_text().splitlines())
    last_seen = "2026-05-01T10:00:00.000001Z"
    properties = {"plan": "pro", "n": None, "big": 2**70, "$last_seen": last_seen}
    assert first == {"$distinct_id": "1", "$properties": properties}
    assert second == {"$distinct_id": "2", "$properties": {}}


def test_pages_saved_from_the_query_api_are_read(tmp_path: Path, profiles: tk.ProfileTable) -> None:
    person = {"$distinct_id": 7, "$properties": {"$last_seen": "2026-01-02T03:04:05", "a": 1}}
    page = {"page": 0, "page_size": 1000, "results": [person], "status": "ok", "total": 1}
    (tmp_path / "pages.jsonl").write_text(json.dumps(page) + "\n" + json.dumps(page))
    assert profiles.apply(tk.read_people(tmp_path / "pages.jsonl")).applied == 2
    assert profiles["7"] == {"a": 1}
    assert str(profiles.last_seen("7")) == "2026-01-02 03:04:05+00:00"


def test_people_of_a_group_go_to_its_table(tmp_path: Path, profiles: tk.ProfileTable) -> None:
    profiles.groups("company").set("acme", {"seats": None})
    assert tk.write_people(profiles.groups("company"), tmp_path / "c.jsonl") == 1
    again = tk.ProfileTable()
    again.apply(tk.read_people(tmp_path / "c.jsonl", group_key="company"))
    assert state_of(again.groups("company")) == state_of(profiles.groups("company"))
    assert len(again) == 0


@pytest.mark.parametrize(
    "text", ['{"$distinct_id": "1", "$set": {}}', '{"$properties": {}}', '{"results": [3]}']
)
def test_what_is_no_profile_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "p.jsonl").write_text('{"$distinct_id": "1", "$properties": {}}\n' + text)
    with pytest.raises(MessageFileError, match="line 2: no"):
        tk.read_people(tmp_path / "p.jsonl")


@pytest.mark.parametrize("name", ["out.jsonl", "out.json", "out.jsonl.gz"])
def test_chunks_are_lists_to_post_and_read_back(tmp_path: Path, name: str) -> None:
    profiles = tk.ProfileTable()
    profiles.apply([{"$distinct_id": str(at), "$set": {"n": at}} for at in range(5)])
    assert tk.write_messages(profiles, tmp_path / name, chunk=2) == 5
    again = tk.ProfileTable()
    again.apply(tk.read_messages(tmp_path / name))
    assert state_of(again) == state_of(profiles)
    if name == "out.jsonl":
        chunks = [json.loads(line) for line in (tmp_path / name).read_text().splitlines()]
        assert [len(each) for each in chunks] == [2, 2, 1]
    if name == "out.json":
        assert [len(each) for each in json.loads((tmp_path / name).read_text())] == [2, 2, 1]


@pytest.mark.parametrize("chunk", [0, -1, True, 1.5, "2"])
def test_a_chunk_is_a_number_of_messages(tmp_path: Path, chunk: Any) -> None:
    with pytest.raises(ArgumentError, match="chunk="):
        tk.write_messages(tk.ProfileTable(), tmp_path / "x.jsonl", chunk=chunk)


def test_a_chunk_with_what_is_no_message_is_one_bad_line(tmp_path: Path) -> None:
    good = '{"$distinct_id": "1", "$set": {}}'
    (tmp_path / "m.jsonl").write_text(f"[{good}, 3]\n[{good}]\n[]\n")
    messages = tk.read_messages(tmp_path / "m.jsonl", on_error="skip")
    assert messages.lines == [2]
    assert messages.skipped["line"].tolist() == [1, 3]


def test_the_command_line_writes_and_applies_people_and_chunks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop, people = f"{tmp_path}/shop.db", f"{tmp_path}/people.jsonl"
    with tk.ProfileTable(shop) as profiles:
        profiles.set("1", {"a": None}, time="2026-05-01")
        profiles.set("2", {"a": 1}, ignore_time=True)
        expected = state_of(profiles)
    assert main(["export", shop, people, "--people"]) == 0
    assert "$properties" in Path(people).read_text()
    assert main(["apply", f"{tmp_path}/copy.db", people, "--people"]) == 0
    with tk.ProfileTable(tmp_path / "copy.db") as copy:
        assert state_of(copy) == expected
    assert main(["export", shop, f"{tmp_path}/m.jsonl", "--chunk", "2000"]) == 0
    assert len(Path(f"{tmp_path}/m.jsonl").read_text().splitlines()) == 1
    assert main(["export", shop, f"{tmp_path}/m.csv", "--people"]) == 2
    assert main(["export", shop, people, "--people", "--chunk", "2"]) == 2
    assert main(["export", shop, f"{tmp_path}/m.jsonl", "--chunk", "0"]) == 2
    assert "--chunk" in capsys.readouterr().err
