"""Files of messages: read with every bad line named, written so that they read back."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.effort import examples
from tests.strategies import batches
from tests.test_table_reference import state_of
from toolkit.base.errors import MessageFileError
from toolkit.profiles.table import ProfileTable
from toolkit.sources.files.jsonlines import read_messages, write_messages

GOOD = '{"$distinct_id": "1", "$set": {"a": 1}}'


def test_reads_lines_an_array_and_gzip(tmp_path: Path) -> None:
    contents = {
        "lines.jsonl": f"{GOOD}\n\n  {GOOD}\r\n".encode(),
        "no end of line.jsonl": f"\ufeff{GOOD}\n{GOOD}".encode(),
        "array.json": f" [{GOOD},\n {GOOD}]".encode(),
        "packed.jsonl.gz": gzip.compress(f"{GOOD}\n{GOOD}\n".encode(), mtime=0),
    }
    for name, content in contents.items():
        path = tmp_path / name
        path.write_bytes(content)
        messages = read_messages(path)
        assert messages == [json.loads(GOOD)] * 2, name
        assert len(messages.skipped) == 0
    assert read_messages(tmp_path / "lines.jsonl").lines == [1, 3]


def test_a_first_line_that_is_a_list_is_one_bad_line(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text(f"\n[1]\n{GOOD}\n")
    messages = read_messages(path, on_error="skip")
    assert messages == [json.loads(GOOD)]
    assert messages.skipped["line"].tolist() == [2]
    (tmp_path / "array.json").write_text(f"\n\n[{GOOD}]")
    assert read_messages(tmp_path / "array.json") == [json.loads(GOOD)]


def test_an_empty_file_holds_no_messages(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"\n\n")
    assert read_messages(tmp_path / "empty") == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"$distinct_id": ', "not JSON"),
        (b"[1]", "object"),
        (b"3", "object"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b'{"a": "\xff"}', "UTF-8"),
        (b'{"a": ' + b"[" * 100_000, "not JSON|deep"),
    ],
)
def test_a_malformed_line_is_named_and_the_others_are_read_if_asked(
    tmp_path: Path, line: bytes, reason: str
) -> None:
    path = tmp_path / "messages.jsonl"
    path.write_bytes(f"{GOOD}\n\n".encode() + line + f"\n{GOOD}\n".encode())
    with pytest.raises(MessageFileError, match=f"line 3: .*({reason})"):
        read_messages(path)
    messages = read_messages(path, on_error="skip")
    assert len(messages) == 2
    assert messages.lines == [1, 4]
    assert messages.skipped["line"].tolist() == [3]


def test_a_broken_array_or_gzip_is_refused_whole(tmp_path: Path) -> None:
    (tmp_path / "array.json").write_text(f"[{GOOD},\n {GOOD}")
    (tmp_path / "packed.gz").write_bytes(gzip.compress(GOOD.encode() * 100, mtime=0)[:-20])
    for name in ("array.json", "packed.gz"):
        with pytest.raises(MessageFileError, match=name):
            read_messages(tmp_path / name, on_error="skip")
    with pytest.raises(FileNotFoundError):
        read_messages(tmp_path / "nowhere.jsonl")


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60) | st.text(alphabet='{}[]":,1an \n', max_size=40).map(str.encode))
def test_any_bytes_are_read_or_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bytes"
    path.write_bytes(content)
    try:
        messages = read_messages(path, on_error="skip")
    except MessageFileError:
        return
    assert all(isinstance(message, dict) for message in messages)


@pytest.mark.parametrize("name", ["out.jsonl", "out.json", "out.jsonl.gz", "out.json.gz"])
@settings(
    max_examples=examples(30),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(messages=batches)
def test_what_was_written_reads_back_to_the_same_table(
    tmp_path: Path, name: str, messages: list[dict[str, Any]]
) -> None:
    profiles = ProfileTable()
    profiles.apply(messages)
    assert write_messages(profiles, tmp_path / name) == len(profiles)
    again = ProfileTable()
    result = again.apply(read_messages(tmp_path / name))
    assert len(result.rejected) == 0
    assert state_of(again) == state_of(profiles)


def test_groups_and_picked_profiles_are_written_too(tmp_path: Path) -> None:
    profiles = ProfileTable()
    profiles.set("1", {"a": 1})
    profiles.set("2", {"a": 2})
    profiles.groups("company").set("acme", {"b": None})
    assert write_messages(profiles, tmp_path / "all.jsonl") == 3
    again = ProfileTable()
    again.apply(read_messages(tmp_path / "all.jsonl"))
    assert state_of(again.groups("company")) == state_of(profiles.groups("company"))
    assert write_messages(profiles.where('user["a"] > 1'), tmp_path / "some.jsonl") == 1
    [message] = read_messages(tmp_path / "some.jsonl")
    assert message["$distinct_id"] == "2"


def test_the_same_profiles_give_the_same_bytes(tmp_path: Path) -> None:
    profiles = ProfileTable()
    profiles.set("1", {"a": 1}, time=1_700_000_000)
    for name in ("a.jsonl.gz", "b.jsonl.gz"):
        write_messages(profiles, tmp_path / name)
    assert (tmp_path / "a.jsonl.gz").read_bytes() == (tmp_path / "b.jsonl.gz").read_bytes()


def test_a_failed_write_leaves_the_older_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profiles = ProfileTable()
    profiles.set("1", {"a": 1})
    path = tmp_path / "out.jsonl"
    path.write_text("older")

    def fail(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(KeyboardInterrupt):
        write_messages(profiles, path)
    assert [each.name for each in tmp_path.iterdir()] == ["out.jsonl"]
    assert path.read_text() == "older"
