"""The real clients for Node, installed by npm and unmodified: part of ``make test-all``."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import toolkit as tk
from tests.conftest import NODE_CLIENTS as FOLDER
from toolkit.sources.live.server import Server

TOKEN = "project token"
ASKED_FOR = bool(os.environ.get("NODE_CLIENTS"))

pytestmark = pytest.mark.skipif(
    not ASKED_FOR, reason="the clients for Node are tested by `make test-all` (NODE_CLIENTS=1)"
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with (
        tk.ProfileTable(tmp_path / "shop.db") as profiles,
        tk.serve(profiles, token=TOKEN) as started,
    ):
        yield started


def node(folder: Path, *arguments: object) -> None:
    proxies = {"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"}
    done = subprocess.run(
        ["node", *map(str, arguments)],
        cwd=folder, capture_output=True, text=True, timeout=120, check=False,
        env={name: value for name, value in os.environ.items() if name not in proxies},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout


def test_mixpanel_for_Node(installed: Path, server: Server) -> None:
    node(installed, "mixpanel.js", server.port, TOKEN)
    profiles = server.profiles
    assert list(profiles) == ["1", "2"]
    assert profiles["1"] == {
        "$name": "Ann",
        "plan": "free",
        "é": "ü+&=",
        "age": 41,
        "visits": 3,
        "score": -1.5,
        "seen": ["Map"],
        "tags": ["a", "b"],
        "$transactions": [{"$amount": 50, "$time": "2026-01-02T03:04:05.000Z"}],
    }
    assert profiles["2"] == {"x": 1, "$transactions": []}
    assert list(profiles.groups("company")) == ["acme"]
    assert profiles.groups("company")["acme"] == {"$name": "Acme", "tags": ["b"]}
    frame = server.events.frame
    assert frame["event"].value_counts().to_dict() == {
        "Tick": 120,
        "Old": 2,
        "Buy": 1,
        "$create_alias": 1,
    }
    ticks = frame[frame["event"] == "Tick"]
    assert sorted(ticks["n"].tolist()) == list(range(120))
    old = frame[frame["event"] == "Old"]
    assert old["time"].astype("str").tolist() == [
        "2020-01-01 00:00:00+00:00",
        "2020-01-02 00:00:00+00:00",
    ]


def test_segment_for_Node(installed: Path, server: Server) -> None:
    node(installed, "segment.js", server.url, TOKEN)
    assert server.profiles["7"] == {
        "$email": "ann@mail.example",
        "$first_name": "Ann",
        "$created": "1970-01-01T00:00:00.000Z",
        "plan": "pro",
    }
    assert server.profiles.groups("$group_id")["acme"] == {"$name": "Acme"}
    frame = server.events.frame.set_index("event")
    assert frame.index.tolist() == ["Buy", "Viewed Start", "Viewed Home", "$create_alias"]
    assert frame["distinct_id"].tolist() == ["7", "7", "anon", "anon"]
    assert frame.loc["Buy", "$group_id"] == "acme"


def test_nothing_that_was_committed_names_a_registry() -> None:
    for file in (*FOLDER.glob("*.json"), FOLDER / ".npmrc"):
        text = file.read_text(encoding="utf-8")
        assert "resolved" not in text.replace("omit-lockfile-registry-resolved", "")
        assert "://" not in text
