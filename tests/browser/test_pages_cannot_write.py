"""What docs/security.md promises: web pages cannot write. Each way a page can ask, in a browser."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser

import toolkit as tk
from tests.browser.conftest import launched
from toolkit.sources.live.server import Server

GOOD = {"$distinct_id": "7", "$set": {"plan": "stolen"}}
EVENT = {"event": "Buy", "properties": {"distinct_id": "7"}}
IDENTIFY = {"userId": "7", "traits": {"plan": "stolen"}}
#: Names that lead to this machine, for this browser.
NAMES = ("evil.example", "lanhost", "rebound.example")

#: Every way a page can send: lines of JavaScript, given the address and the data.
WAYS = {
    "img": "new Image().src = get",
    "img without referrer": "const i = new Image(); i.referrerPolicy = 'no-referrer'; i.src = get",
    "script": "add('script', { src: get })",
    "script without referrer": "add('script', { src: get, referrerPolicy: 'no-referrer' })",
    "module": "add('script', { type: 'module', src: get })",
    "iframe": "add('iframe', { src: get })",
    "sandboxed iframe": "add('iframe', { sandbox: 'allow-scripts', src: get })",
    "iframe without referrer": "add('iframe', { referrerPolicy: 'no-referrer', src: get })",
    "style": "add('link', { rel: 'stylesheet', href: get })",
    "prefetch": "add('link', { rel: 'prefetch', href: get })",
    "preload": "add('link', { rel: 'preload', as: 'fetch', href: get })",
    "video": "add('video', { src: get, preload: 'auto' })",
    "object": "add('object', { data: get })",
    "font": "document.fonts.add(new FontFace('f', `url(${get})`)); document.fonts.load('9px f')",
    "background": "document.body.style.background = `url(${get})`",
    "ping": "const a = add('a', { href: '#', ping: get }); a.click()",
    "fetch": "fetch(get).catch(() => 0)",
    "fetch no-cors": "fetch(get, { mode: 'no-cors' }).catch(() => 0)",
    "fetch without referrer": (
        "fetch(get, { mode: 'no-cors', referrerPolicy: 'no-referrer', credentials: 'omit' })"
        ".catch(() => 0)"
    ),
    "post no-cors": "fetch(url, { method: 'POST', mode: 'no-cors', body: json }).catch(() => 0)",
    "post": "fetch(url, { method: 'POST', body: json }).catch(() => 0)",
    "post with preflight": (
        "fetch(url, { method: 'POST', headers: { Authorization: 'Basic eDo=' }, body: json })"
        ".catch(() => 0)"
    ),
    "keepalive": (
        "fetch(url, { method: 'POST', mode: 'no-cors', keepalive: true, "
        "referrerPolicy: 'no-referrer', body: json }).catch(() => 0)"
    ),
    "XHR": "const x = new XMLHttpRequest(); x.open('POST', url); x.send(json)",
    "beacon": "navigator.sendBeacon(url, json)",
    "beacon form": "navigator.sendBeacon(url, new URLSearchParams({ data: json }))",
    "form get": "form('GET')",
    "form post": "form('POST')",
    "form plain": "form('POST', 'text/plain')",
    "worker": (
        "new Worker(URL.createObjectURL(new Blob(["
        "`fetch(${JSON.stringify(get)}, { mode: 'no-cors' }).catch(() => 0)`])))"
    ),
    "socket": "new WebSocket(get.replace('http', 'ws'))",
    "events": "new EventSource(get)",
}
PRELUDE = """
const add = (tag, fields) => {
  const made = Object.assign(document.createElement(tag), fields);
  if (fields.sandbox) made.setAttribute("sandbox", fields.sandbox);
  document.body.append(made);
  return made;
};
const form = (method, kind) => {
  add("iframe", { name: "target" });
  const made = add("form", { method, action: url, target: "target" });
  if (kind) made.enctype = kind;
  made.innerHTML = '<input name="data">';
  made.firstChild.value = json;
  made.submit();
};
"""


class Blank(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Answer with an empty page."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>page</title><link rel=icon href=data:,><body>")

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture(scope="module")
def page_port() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Blank) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture(scope="module")
def resolving(browser: Browser) -> Iterator[Browser]:
    """A browser for which some names are this machine, as in a network or by DNS rebinding."""
    rules = ", ".join(f"MAP {name} 127.0.0.1" for name in NAMES)
    started = launched(browser.browser_type, f"--host-resolver-rules={rules}")
    yield started
    started.close()


def attack(
    browser: Browser, origin: str, name_of_server: str, **options: Any
) -> tuple[Server, list[str]]:
    """Let a page try to write in every way; return the server and the ways that reached it."""
    reached: list[str] = []
    with tk.serve(tk.ProfileTable(), **options) as server:
        context = browser.new_context()
        for name, lines in WAYS.items():
            page = context.new_page()
            page.goto(origin)
            before = len(seen := _seen(server))
            for path, message in (("engage", GOOD), ("track", EVENT), ("v1/identify", IDENTIFY)):
                data = json.dumps(message)
                url = f"http://{name_of_server}:{server.port}/{path}"
                get = f"{url}?data={quote(data)}&ip=1"
                given = f"const url = {url!r}, get = {get!r}, json = {json.dumps(data)};"
                page.evaluate(f"() => {{ {given} {PRELUDE} {lines} }}")
            until = time.monotonic() + 1.0
            while len(seen) < before + 3 and time.monotonic() < until:
                page.wait_for_timeout(20)
            if len(seen) > before:
                reached.append(name)
            page.close()
        context.close()
    return server, reached


def _seen(server: Server) -> list[int]:
    """The statuses of the answers so far, as they come."""
    if server.intake.on_answer is None:
        statuses: list[int] = []
        server.intake.on_answer = lambda method, path, answer: statuses.append(answer.status)
        server.statuses = statuses  # type: ignore[attr-defined]
    return server.statuses  # type: ignore[attr-defined, no-any-return]


def nothing_written(server: Server) -> None:
    assert len(server.profiles) == len(server.events) == 0
    assert server.tally.updates == server.tally.events == 0


def test_HTTP_3_web_pages_cannot_write_to_a_server_of_this_machine(
    browser: Browser, page_port: int
) -> None:
    # Another port is another origin, though it is the same site.
    server, reached = attack(browser, f"http://127.0.0.1:{page_port}", "127.0.0.1")
    nothing_written(server)
    assert len(reached) >= 25, sorted(set(WAYS) - set(reached))
    assert set(_seen(server)) == {403}


def test_HTTP_3_web_pages_of_other_sites_cannot_write_to_localhost(
    resolving: Browser, page_port: int
) -> None:
    server, reached = attack(resolving, f"http://evil.example:{page_port}", "localhost")
    nothing_written(server)
    assert set(_seen(server)) <= {403}
    del reached  # newer browsers do not even send these


@pytest.mark.parametrize("options", [{}, {"host": "0.0.0.0"}], ids=str)
def test_HTTP_4_web_pages_cannot_write_by_another_name_of_the_machine(
    resolving: Browser, page_port: int, options: dict[str, Any]
) -> None:
    server, reached = attack(
        resolving, f"http://evil.example:{page_port}", "lanhost", hosts=["lanhost"], **options
    )
    nothing_written(server)
    # The browser does not say where pictures come from: only the token is in their way.
    assert "img without referrer" in reached and len(reached) >= 25
    assert {401, 403} <= set(_seen(server)) <= {400, 401, 403}


def test_HTTP_3_a_name_that_is_made_to_point_here_is_refused(resolving: Browser) -> None:
    """DNS rebinding: the page's own origin is the server."""
    with tk.serve(tk.ProfileTable()) as server:
        page = resolving.new_page()
        url = f"http://rebound.example:{server.port}"
        for path in ("/", f"/engage?data={quote(json.dumps(GOOD))}"):
            answer = page.goto(url + path)
            assert answer is not None and answer.status == 403
        sent = json.dumps(GOOD)
        status = page.evaluate(
            "async (sent) => (await fetch('/engage', { method: 'POST', body: sent })).status", sent
        )
        assert status == 403
        page.close()
        nothing_written(server)


def test_a_page_that_is_allowed_and_knows_the_token_can_write(
    resolving: Browser, page_port: int
) -> None:
    """The attacks above fail for the reason they should: this is their control."""
    origin = f"http://evil.example:{page_port}"
    with tk.serve(tk.ProfileTable(), token="secret", origins=[origin], hosts=["lanhost"]) as server:
        page = resolving.new_page()
        page.goto(origin)
        url = f"http://lanhost:{server.port}/engage"
        sent = json.dumps({**GOOD, "$token": "secret"})
        said = page.evaluate(
            "([url, sent]) => fetch(url, { method: 'POST', body: sent }).then((got) => got.text())",
            [url, sent],
        )
        assert said == "1"
        get = f"{url}?data={quote(json.dumps({**GOOD, '$distinct_id': '8', '$token': 'secret'}))}"
        page.evaluate("(get) => { new Image().src = get }", get)
        until = time.monotonic() + 10
        while len(server.profiles) < 2 and time.monotonic() < until:
            page.wait_for_timeout(20)
        assert list(server.profiles) == ["7", "8"]
        page.close()
