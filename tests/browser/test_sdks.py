"""The real browser SDKs, installed by npm and unmodified, on a page of another origin."""

from __future__ import annotations

import functools
import http.server
import itertools
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

import toolkit as tk
from tests.browser.conftest import ROOT
from toolkit.sources.live.server import Server

pytestmark = pytest.mark.skipif(
    not os.environ.get("NODE_CLIENTS"),
    reason="the browser SDKs are tested by `make test-all` (NODE_CLIENTS=1)",
)

TOKEN = "project token"
BUILDS = {
    "mixpanel": "mixpanel-browser/dist/mixpanel.umd.js",
    "segment": "@segment/analytics-next/dist/umd/index.js",
    "rudderstack": "@rudderstack/analytics-js/dist/npm/modern/bundled/umd/index.js",
}
#: What an import gives, in a page without a bundler.
NAMES = {
    "mixpanel": "",
    "segment": "const { AnalyticsBrowser } = window.AnalyticsNext;",
    "rudderstack": "const { RudderAnalytics } = window.rudderanalytics;",
}
_PATIENCE = 20.0


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture(scope="module")
def pages(installed: Path) -> Iterator[str]:
    """The origin of pages, one for each SDK, beside what npm installed."""
    for name, build in BUILDS.items():
        script = f'<script src="node_modules/{build}"></script>'
        (installed / f"{name}.html").write_text(
            f'<!doctype html><link rel="icon" href="data:,">{script}'
        )
    handler = functools.partial(Quiet, directory=str(installed))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def snippet(of: str) -> str:
    """The lines that the document tells people to write."""
    text = (ROOT / "docs/live-from-an-app.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```js\n(.*?)```", text, flags=re.S)
    found = [each for each in blocks if of in each]
    assert len(found) == 1
    return str(found[0])


class Sender:
    """A page with an SDK, and the server it sends to."""

    def __init__(self, browser: Browser, pages: str, sdk: str, server: Server) -> None:
        self._context = browser.new_context()
        self.page = self._context.new_page()
        self.server = server
        self._pages = pages
        self.answers: list[tuple[str, str, int]] = []
        self.outside: list[str] = []
        self.complaints: list[str] = []
        server.intake.on_answer = lambda method, path, answer: self.answers.append(
            (method, path, answer.status)
        )
        own = (pages, server.url, "data:", "blob:")
        self.page.on(
            "request",
            lambda asked: None if asked.url.startswith(own) else self.outside.append(asked.url),
        )
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "console",
            lambda said: self.complaints.append(said.text) if said.type == "error" else None,
        )
        self.sdk = sdk
        self.arrived = 0

    def begin(self, lines: str, sent: int = 0) -> None:
        """Open the page and run the lines of the document; later ones see their names."""
        self.page.goto(f"{self._pages}/{self.sdk}.html")
        address = self.server.url.removeprefix("http://")
        lines = lines.replace("127.0.0.1:8123", address)
        assert TOKEN in lines and address in lines
        self.page.add_script_tag(content=f"{NAMES[self.sdk]}\n{lines}")
        self.wait(sent)

    def do(self, lines: str, sent: int = 1) -> None:
        """Run lines in the page, and wait until so many messages arrived."""
        self.page.evaluate(f"async () => {{ {lines} }}")
        self.wait(sent)

    def wait(self, sent: int) -> None:
        self.arrived += sent
        until = time.monotonic() + _PATIENCE
        while self.server.tally.messages < self.arrived and time.monotonic() < until:
            self.page.wait_for_timeout(20)
        assert self.server.tally.messages == self.arrived, self.server.log.tail(5).to_dict("list")

    def end(self) -> None:
        """Assert that all was taken, and that the page asked nobody else."""
        self.page.wait_for_timeout(300)
        assert self.server.tally.messages == self.arrived
        log = self.server.log
        assert self.server.tally.rejected == 0, log[log["reason"] != ""].to_dict("list")
        assert {status for _, _, status in self.answers} <= {200, 204}
        assert self.outside == []
        assert self.complaints == []
        self._context.close()


@pytest.fixture
def sender(browser: Browser, pages: str, tmp_path: Path) -> Iterator[Callable[[str], Sender]]:
    with (
        tk.ProfileTable(tmp_path / "shop.db") as profiles,
        tk.serve(profiles, token=TOKEN, origins=[pages]) as server,
    ):
        yield lambda sdk: Sender(browser, pages, sdk, server)


READ = """
import json, sys
import toolkit as tk
with tk.ProfileTable(sys.argv[1]) as profiles:
    tables = {"": profiles} | {key: profiles.groups(key) for key in profiles.group_keys}
    print(json.dumps({key: {each: table[each] for each in table} for key, table in tables.items()}))
"""


@pytest.fixture
def stored(elsewhere: Callable[..., str], tmp_path: Path) -> Callable[[], dict[str, Any]]:
    """What another process reads in the file: the profiles of each table."""
    return lambda: json.loads(elsewhere(READ, tmp_path / "shop.db"))  # type: ignore[no-any-return]


def without_browser(profile: dict[str, Any]) -> dict[str, Any]:
    """A profile without what the SDK adds of the browser, which is checked."""
    found = dict(profile)
    assert found.pop("$os") == "Linux"
    assert "Chrom" in found.pop("$browser")
    assert isinstance(found.pop("$browser_version"), int)
    for name in ("$initial_referrer", "$initial_referring_domain"):
        assert found.pop(name, "$direct") == "$direct"
    return found


@pytest.mark.parametrize(
    "options",
    [
        {"batch_requests": batched, "api_transport": transport, "api_payload_format": form}
        for batched, transport, form in itertools.product(
            (True, False), ("XHR", "sendBeacon"), ("base64", "json")
        )
    ],
    ids=lambda options: "-".join(map(str, options.values())),
)
def test_mixpanel_in_a_browser(
    sender: Callable[[str], Sender],
    stored: Callable[[], dict[str, Any]],
    options: dict[str, Any],
) -> None:
    page = sender("mixpanel")
    init = snippet("mixpanel.init")
    more = json.dumps({**options, "batch_flush_interval_ms": 50}).strip("{}")
    page.begin(init.replace(" });", f", {more} }});"))
    # The first referrer is sent once, when the user is known.
    page.do(
        'mixpanel.identify("7"); mixpanel.people.set({ plan: "free", gone: 1, "é": "ü+&=" })', 3
    )
    page.do('mixpanel.people.set("age", 41)')
    page.do('mixpanel.people.set_once({ plan: "never", first: true })')
    page.do('mixpanel.people.increment("visits")')
    page.do("mixpanel.people.increment({ visits: 2, score: -1.5 })")
    page.do('mixpanel.people.append("seen", "Tent")')
    page.do('mixpanel.people.append({ seen: "Map" })')
    page.do('mixpanel.people.union({ tags: ["a", "b"] })')
    page.do('mixpanel.people.union("tags", "b")')
    page.do('mixpanel.people.remove({ seen: "Tent" })')
    page.do('mixpanel.people.unset("gone")')
    # The SDK's own track_charge has no effect any more.
    page.do("mixpanel.people.track_charge(50)", 0)
    charge = {"$amount": 50, "$time": "2026-01-02T03:04:05.000Z"}
    page.do(f"mixpanel.people.append({{ $transactions: {json.dumps(charge)} }})")
    page.do('mixpanel.track("Buy", { amount: 12, items: ["Tent"], "<b>": null })')
    page.do('mixpanel.track_with_groups("Visit", { x: 1 }, { company: "acme" })')
    page.do('mixpanel.get_group("company", "acme").set({ plan: "pro", gone: 1 })')
    page.do('mixpanel.get_group("company", "acme").set("seats", 5)')
    page.do('mixpanel.get_group("company", "acme").set_once("plan", "never")')
    page.do('mixpanel.get_group("company", "acme").union("tags", ["a", "b"])')
    page.do('mixpanel.get_group("company", "acme").remove("tags", "a")')
    page.do('mixpanel.get_group("company", "acme").unset("gone")')
    page.do('mixpanel.get_group("company", "gone").set("x", 1)')
    page.do('mixpanel.get_group("company", "gone").delete()')
    page.do('mixpanel.reset(); mixpanel.track("Look")')
    page.do('mixpanel.identify("8"); mixpanel.people.set("x", 1)', 2)
    page.do("mixpanel.people.append({ $transactions: { $amount: 5 } })")
    page.do("mixpanel.people.clear_charges()")
    page.do('mixpanel.reset(); mixpanel.identify("9"); mixpanel.people.set("x", 1)', 2)
    page.do("mixpanel.people.delete_user()")
    page.end()
    assert page.server.notes == {"$identify: profiles are not merged": 3}
    found = stored()
    assert list(found[""]) == ["7", "8"]
    assert without_browser(found[""]["7"]) == {
        "plan": "free", "é": "ü+&=", "age": 41, "first": True, "visits": 3, "score": -1.5,
        "seen": ["Map"], "tags": ["a", "b"], "$transactions": [charge],
    }  # fmt: skip
    assert without_browser(found[""]["8"]) == {"x": 1, "$transactions": []}
    assert found["company"] == {"acme": {"plan": "pro", "seats": 5, "tags": ["b"]}}
    frame = page.server.events.frame.set_index("event")
    assert frame.index.tolist() == [
        "$identify", "Buy", "Visit", "Look", "$identify", "$identify",
    ]  # fmt: skip
    assert frame.loc["Buy", ["distinct_id", "amount", "items"]].tolist() == ["7", 12, ["Tent"]]
    assert frame.loc["Visit", "company"] == "acme"
    anonymous = frame.loc["Look", "distinct_id"]
    assert anonymous.startswith("$device:") and anonymous != frame["$device_id"].iloc[0]
    assert frame.loc["$identify", "distinct_id"].tolist() == ["7", "8", "9"]


def test_what_mixpanel_queues_before_the_user_is_known_arrives_in_one_batch(
    sender: Callable[[str], Sender], stored: Callable[[], dict[str, Any]]
) -> None:
    page = sender("mixpanel")
    page.begin(snippet("mixpanel.init").replace(" });", ", batch_flush_interval_ms: 400 });"))
    page.do(
        'mixpanel.people.set("plan", "pro"); mixpanel.people.increment("n", 2);'
        'mixpanel.people.union("tags", "a"); mixpanel.people.append("seen", 1);'
        'mixpanel.identify("7")', 6,
    )  # fmt: skip
    page.do('for (let n = 0; n < 120; n++) mixpanel.people.increment("n", 1)', 120)
    page.end()
    assert without_browser(stored()[""]["7"]) == {
        "plan": "pro", "n": 122, "tags": ["a"], "seen": [1],
    }  # fmt: skip


#: SDKs, and what may be said beside a field of their options: how they send.
BATCHES = 'deliveryStrategy: { strategy: "batching", config: { size: 3, timeout: 100 } }'
BEACONS = "useBeacon: true, beaconQueueOptions: { flushQueueInterval: 100 }"
CDP: list[tuple[str, dict[str, str]]] = [
    ("segment", {}),
    ("segment", {"protocol:": BATCHES}),
    ("rudderstack", {}),
    ("rudderstack", {"getSourceConfig:": BEACONS}),
]


@pytest.mark.parametrize(
    ("sdk", "options"), CDP, ids=["segment", "segment batches", "rudderstack", "rudder beacons"]
)
def test_the_SDKs_of_segment_and_rudderstack_in_a_browser(
    sender: Callable[[str], Sender],
    stored: Callable[[], dict[str, Any]],
    sdk: str,
    options: dict[str, str],
) -> None:
    page = sender(sdk)
    lines = snippet({"segment": "AnalyticsBrowser.load", "rudderstack": "new Rudder"}[sdk])
    for field, more in options.items():
        assert lines.count(field) == 1
        lines = lines.replace(field, f"{more}, {field}")
    page.begin(lines)
    traits = '{ email: "ann@mail.example", firstName: "Ann", plan: "free", n: 1, tags: ["a"] }'
    page.do(f'analytics.identify("7", {traits})')
    page.do('analytics.identify("7", { plan: "pro", "é": "ü+&=" })')
    page.do('analytics.track("Buy", { amount: 12, items: ["Tent"] })')
    page.do('analytics.page("Start")')
    page.do('analytics.group("acme", { name: "Acme", seats: 5 })')
    page.do('analytics.alias("new", "7")')
    page.do('analytics.reset(); analytics.track("Look")')
    page.do('analytics.identify({ theme: "dark" })')
    if sdk == "segment":
        page.do('analytics.screen("Home")')
    page.end()
    asked_first = "OPTIONS" in {method for method, _, _ in page.answers}
    assert asked_first == (BEACONS not in options.values())
    found = stored()
    frame = page.server.events.frame.set_index("event")
    anonymous = frame.loc["Look", "distinct_id"]
    assert len(anonymous) == 36
    known = {
        "$email": "ann@mail.example", "$first_name": "Ann", "plan": "pro", "n": 1, "tags": ["a"],
        "é": "ü+&=",
    }  # fmt: skip
    assert found[""] == {"7": known, anonymous: {"theme": "dark"}}
    assert found["$group_id"] == {"acme": {"$name": "Acme", "seats": 5}}
    names = ["Buy", "Viewed Start", "$create_alias", "Look"]
    assert frame.index.tolist() == (names if sdk == "rudderstack" else [*names, "Viewed Home"])
    assert frame.loc["Buy", ["distinct_id", "amount", "items"]].tolist() == ["7", 12, ["Tent"]]
    merged = {"$create_alias: profiles are not merged": 1}
    if sdk == "segment":
        assert page.server.notes == merged
    else:  # each message has the traits that an identify sent before
        assert page.server.notes.items() >= merged.items()
        rest = set(page.server.notes) - set(merged)
        assert rest <= {f"context.traits of {kind}" for kind in ("track", "page", "group", "alias")}
