"""The server against those who mean it ill: connections, headers, bytes, and other machines."""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import logging
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import requests

import toolkit as tk
from tests.effort import examples
from tests.test_server import GOOD, ROOT, is_alive, raw
from toolkit.sources.live import calls, connections, handlers
from toolkit.sources.live.calls import MIXPANEL, SEGMENT
from toolkit.sources.live.server import Server

HEAD = b"POST /engage HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture
def server() -> Iterator[Server]:
    with tk.serve(tk.ProfileTable(), timeout=0.5) as started:
        yield started


@pytest.fixture(autouse=True)
def nothing_is_printed(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING] == []


# Connections

CROWDED = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
import toolkit as tk
server = tk.serve(tk.ProfileTable())
print(server.port, flush=True)
taken = []
for line in sys.stdin:
    if line == "fill\\n":
        try:
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            pass
    elif line == "free\\n":
        for each in taken:
            os.close(each)
    else:
        break
    print("done", flush=True)
"""


class Process:
    """A server in a process of its own that may have 256 files."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", CROWDED], text=True, cwd=ROOT,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def do(self, what: str) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n"

    def send(self) -> str:
        return requests.post(f"http://127.0.0.1:{self.port}/engage", json=GOOD, timeout=20).text

    def complaints(self) -> str:
        return self._process.communicate("end\n", timeout=20)[1]


@contextmanager
def crowded() -> Iterator[Process]:
    pytest.importorskip("resource")
    process = Process()
    try:
        yield process
    finally:
        process._process.kill()
        process._process.wait()


@pytest.mark.parametrize("sent", [b"", b"POST /eng", HEAD, HEAD + b"Content-Length: 9\r\n\r\n{"])
def test_a_thousand_idle_connections_lock_nobody_out(sent: bytes) -> None:
    with crowded() as process, ExitStack() as opened:
        for _ in range(450):
            one = opened.enter_context(
                socket.create_connection(("127.0.0.1", process.port), timeout=20)
            )
            one.send(sent)
            if sent.endswith(b"{") and len(opened._exit_callbacks) == 60:  # type: ignore[attr-defined]
                break  # those have a request, and may keep their place until it is late
        assert process.send() == "1"
        opened.close()
        assert process.send() == "1"
        assert process.complaints() == ""


def test_a_process_without_a_free_file_waits_and_prints_nothing() -> None:
    with crowded() as process:
        assert process.send() == "1"
        process.do("fill")
        with socket.create_connection(("127.0.0.1", process.port), timeout=20) as waiting:
            waiting.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            time.sleep(1.2)
            process.do("free")
            assert waiting.recv(100).startswith(b"HTTP/1.1 200 ")
        assert process.send() == "1"
        assert process.complaints() == ""


def test_where_all_connections_have_a_request_one_more_is_refused_in_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "MOST", 8)
    with tk.serve(tk.ProfileTable(), timeout=20) as server, ExitStack() as opened:
        for _ in range(8):
            one = opened.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            one.sendall(HEAD + b"Content-Length: 100\r\n\r\n{")
        until = time.monotonic() + 10
        while len(server.intake.open_requests) < 8 and time.monotonic() < until:
            time.sleep(0.01)
        assert raw(server, b"").startswith(b"HTTP/1.1 503 ")
        assert "8 connections are open" in server.log["reason"].iloc[-1]
        opened.close()
        while server.intake.open_requests and time.monotonic() < until:
            time.sleep(0.01)
        is_alive(server)


def test_a_connection_that_sends_again_is_not_the_one_that_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "MOST", 8)
    with tk.serve(tk.ProfileTable()) as server, ExitStack() as opened:
        lively = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        lively.request("GET", "/")
        lively.getresponse().read()
        first = lively.sock
        for _ in range(30):
            opened.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            lively.request("POST", "/engage", json.dumps(GOOD))
            assert lively.getresponse().read() == b"1"
        assert lively.sock is first
        lively.close()


# Time


@pytest.mark.parametrize(
    "sent", [b"", b"P", b"POST /engage HTTP/1.1\r\n", HEAD, HEAD + b"Content-Length: 5\r\n"]
)
def test_headers_that_are_not_whole_in_time_are_answered_and_end_the_connection(
    server: Server, sent: bytes
) -> None:
    began = time.monotonic()
    answer = raw(server, sent, wait=10)
    assert time.monotonic() - began < 5
    if sent:
        reason = "the headers were not whole after 0.5 s"
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert answer.endswith(reason.encode())
        assert server.log["reason"].tolist() == [reason]
    else:  # nobody has asked for anything
        assert answer == b""
        assert server.log.empty
    is_alive(server)


def test_headers_that_come_byte_by_byte_are_not_waited_for(server: Server) -> None:
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.port)) as connection, pytest.raises(OSError):
        for byte in HEAD * 100:
            connection.send(bytes([byte]))
            time.sleep(0.05)
    assert time.monotonic() - began < 5
    is_alive(server)


@pytest.mark.parametrize("start", ["OPTIONS /engage", "GET /", "PUT /engage", "POST /nothing"])
@pytest.mark.parametrize("length", ["Content-Length: 100000", "Transfer-Encoding: chunked"])
def test_a_body_that_nobody_asked_for_is_not_waited_for(
    server: Server, start: str, length: str
) -> None:
    began = time.monotonic()
    answer = raw(server, f"{start} HTTP/1.1\r\nHost: localhost\r\n{length}\r\n\r\n".encode())
    assert answer[:12] in (b"HTTP/1.1 408", b"HTTP/1.1 404", b"HTTP/1.1 405")
    assert time.monotonic() - began < 4
    is_alive(server)


# Bytes


@pytest.mark.parametrize(
    "length",
    ["9" * 5_000, "1" * 4_000, "0" * 5_000, "9" * 15, "9" * 20, "-0", "+5", "5_0", "0x5", "5.0",
     "\xb2", "5, 6", "5,", "", "5 5", "1e3"],
)  # fmt: skip
def test_an_odd_length_is_an_error_of_the_sender(server: Server, length: str) -> None:
    answer = raw(server, HEAD + f"Content-Length: {length}\r\n\r\n".encode("latin-1") + b"{}")
    assert answer[:10] in (b"HTTP/1.1 4", b"") or (length == "" and answer[:12] == b"HTTP/1.1 400")
    is_alive(server)


def mutated(chance: random.Random) -> bytes:
    """A request with something wrong, most of the time."""
    body = json.dumps(chance.choice([GOOD, [GOOD], {"batch": [GOOD]}, {"event": "x"}, 5])).encode()
    headers = {
        "Host": chance.choice(["localhost"] * 8 + ["[::1", "", "\xff", "a" * 9_000]),
        "Content-Length": chance.choice([str(len(body))] * 5 + ["3", "0", "9" * 40, "\x00", "-1"]),
        "Content-Type": chance.choice(
            ["application/json", "application/x-www-form-urlencoded", "multipart/x", "é", ""]
        ),
    }  # fmt: skip
    for name, values in {
        "Content-Encoding": ["gzip", "br", "identity, gzip", "\t"],
        "Transfer-Encoding": ["chunked", "gzip, chunked", "x"],
        "Authorization": ["Basic", "Basic ====", "Basic " + "A" * 5_000, "Bearer x", "Basic \xff"],
        "Origin": ["null", "http://[", "https://evil.example", "\x01"],
        "Referer": ["http://[", "//", "x" * 3_000, "http://a b/"],
        "Sec-Fetch-Site": ["none", "cross-site", ""],
        "Expect": ["100-continue", "x"],
        "Connection": ["close", "keep-alive", "upgrade"],
        "Access-Control-Request-Headers": ["a, b", "\x02", "x" * 2_000],
        "X": ["\r\n folded", "a" * 70_000],
    }.items():
        if chance.random() < 0.2:
            headers[name] = chance.choice(values)
    path = chance.choice(
        [*MIXPANEL, *SEGMENT, "/", "*", "http://localhost/engage", "/engage?data=%", "/%ff", "//",
         "/engage?" + "a=1&" * 200, "/import?strict=1", "/engage?data=e30=", "/v1/t", "\xe9"]
    )  # fmt: skip
    method = chance.choice(
        ["POST"] * 6 + ["GET", "OPTIONS", "PUT", "HEAD", "", "CONNECT", "p\x00st"]
    )
    version = chance.choice(["HTTP/1.1"] * 8 + ["HTTP/1.0", "HTTP/2.0", "", "HTTP/1.11"])
    sent = f"{method} {path} {version}\r\n".encode("latin-1")
    sent += b"".join(f"{name}: {value}\r\n".encode() for name, value in headers.items())
    sent += b"\r\n" + (gzip.compress(body, mtime=0) if chance.random() < 0.1 else body)
    if chance.random() < 0.4:
        bytes_ = bytearray(sent)
        for _ in range(chance.randrange(1, 6)):
            bytes_[chance.randrange(len(bytes_))] = chance.randrange(256)
        sent = bytes(bytes_)
    return sent[: chance.randrange(len(sent))] if chance.random() < 0.1 else sent


def test_no_bytes_are_answered_with_a_fault_of_the_server() -> None:
    chance = random.Random(7)
    with tk.serve(tk.ProfileTable(), timeout=0.2) as server:
        for _ in range(examples(1_000)):
            sent = mutated(chance)
            answer = raw(server, sent, wait=3, half_close=True)
            statuses = {line[9:12] for line in answer.split(b"\r\n") if line[:9] == b"HTTP/1.1 "}
            assert not any(status.startswith(b"5") for status in statuses), (sent, answer)
        until = time.monotonic() + 5
        while server.intake.open_requests and time.monotonic() < until:
            time.sleep(0.01)
        assert not server.intake.open_requests
        assert requests.post(f"{server.url}/engage", json=GOOD, timeout=10).text == "1"
        assert set(server.profiles) <= {"7"}


def test_many_headers_of_one_name_cost_little(server: Server) -> None:
    server.intake.timeout = 10
    began = time.monotonic()
    raw(server, HEAD + b"a:b\r\n" * 50_000 + b"\r\n")
    assert time.monotonic() - began < 5
    is_alive(server)


@pytest.mark.parametrize(
    "message",
    [
        '{"$distinct_id":"7","$unset":["\\ud800"]}',
        '{"$distinct_id":"7","$set":{"\\ud800":1}}',
        '{"$distinct_id":"7","$set":{"x":["\\udfff"]}}',
        '{"$distinct_id":"\\ud800","$set":{}}',
        '{"$distinct_id":"7","$delete":"\\ud800"}',
        '{"$distinct_id":"7","$set":{"x":1},"$token":"\\ud800"}',
        '{"$distinct_id":"7","\\ud800":{"x":1}}',
        '{"$distinct_id":"7","$set":{"x":1},"$\\ud800":1}',
        '{"$group_key":"\\ud800","$group_id":"a","$set":{}}',
        '{"$group_key":"a","$group_id":"\\ud800","$set":{}}',
    ],
)
def test_half_a_surrogate_pair_is_a_fault_of_the_message_never_of_the_server(
    tmp_path: Path, message: str
) -> None:
    with tk.ProfileTable(tmp_path / "shop.db") as profiles, tk.serve(profiles) as server:
        profiles.set("7", {"x": 1})
        sends_half_a_pair(server, message)
        assert profiles.check().is_sound


def sends_half_a_pair(server: Server, message: str) -> None:
    path = "/groups" if "$group_key" in message else "/engage"
    answer = requests.post(f"{server.url}{path}?verbose=1", data=f"[{message}]", timeout=10)
    assert answer.status_code == 200
    assert answer.json()["status"] in (0, 1)
    good = json.dumps({**GOOD, "$distinct_id": "8"} if path == "/engage" else
                      {"$group_key": "a", "$group_id": "b", "$set": {}})  # fmt: skip
    answer = requests.post(f"{server.url}{path}", data=f"[{message},{good}]", timeout=10)
    assert (answer.status_code, answer.text) == (200, "1")


@pytest.mark.parametrize("path", ["/track", "/import", "/v1/identify", "/v1/track", "/v1/batch"])
@pytest.mark.parametrize("place", ["name", "value", "id", "field"])
def test_half_a_surrogate_pair_in_an_event_or_a_trait_is_no_fault_of_the_server(
    server: Server, path: str, place: str
) -> None:
    half = "\ud800"
    named = {half: 1} if place == "name" else {"x": half} if place == "value" else {"x": 1}
    user = half if place == "id" else "7"
    extra = {half: {"x": 1}} if place == "field" else {}
    if path.startswith("/v1/"):
        kind = "identify" if path == "/v1/batch" else path[4:]
        sent: Any = {"type": kind, "userId": user, "traits": named, "event": "a",
                     "properties": named, **extra}  # fmt: skip
        sent = {"batch": [sent], **extra} if path == "/v1/batch" else sent
    else:
        sent = {"event": "a", "properties": {"distinct_id": user, **named}, **extra}
    for query in ("", "?verbose=1", "?strict=1"):
        answer = requests.post(f"{server.url}{path}{query}", data=json.dumps(sent), timeout=10)
        assert answer.status_code in (200, 400)
    server.log, server.notes, server._repr_html_()
    len(server.events)


# Much at once


def test_what_is_small_does_not_wait_until_what_is_large_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entered, goes_on = threading.Event(), threading.Event()

    def slowly(*given: Any) -> Any:
        entered.set()
        assert goes_on.wait(20)
        return calls.read(*given)

    monkeypatch.setattr(handlers, "read", slowly)
    with tk.serve(tk.ProfileTable()) as server:
        large = {"$distinct_id": "8", "$set": {"x": "x" * 100_000}}
        answers: list[str] = []
        sender = threading.Thread(
            target=lambda: answers.append(
                requests.post(f"{server.url}/engage", json=large, timeout=30).text
            )
        )
        sender.start()
        assert entered.wait(20)
        is_alive(server)
        assert answers == []
        goes_on.set()
        sender.join()
        assert answers == ["1"]
        assert list(server.profiles) == ["7", "8"]


@pytest.mark.parametrize("path", ["/engage", "/track", "/v1/batch", "/v1/identify"])
def test_millions_of_empty_lists_are_refused_at_once(server: Server, path: str) -> None:
    server.intake.timeout = 20
    lists = ",".join(["[]"] * 340_000)
    sent = {
        "/engage": ["[", '{"$distinct_id":"7","$set":{"x":[%s]}}', "]"],
        "/track": ["[", '{"event":"a","properties":{"x":[%s]}}', "]"],
        "/v1/batch": ['{"batch":[', '{"type":"identify","userId":"7","traits":{"x":[%s]}}', "]}"],
        "/v1/identify": ['{"userId":"7","traits":{"x":[', "%s", "]}}"],
    }[path]
    body = sent[0] + ",".join([sent[1] % lists] * 10) + sent[2]
    assert 10_000_000 < len(body) < 10_485_760
    began = time.monotonic()
    answer = requests.post(f"{server.url}{path}", data=body, timeout=30)
    assert answer.status_code == 413 and "more than 500,000 values" in answer.text
    assert time.monotonic() - began < 10
    is_alive(server)


def test_notes_of_hostile_names_are_text_in_the_card(server: Server) -> None:
    sent = {"event": "a", "properties": {}, "<script>x</script>\x1b[31m": 1}
    assert requests.post(f"{server.url}/track", json=sent, timeout=10).text == "1"
    card = server._repr_html_()
    assert "&lt;script&gt;" in card and "<script>" not in card


# Beyond loopback


def everything(path: str) -> dict[str, Any]:
    """A message that an endpoint would take, without a token."""
    if path in ("/track", "/import"):
        return {"event": "Buy", "properties": {"distinct_id": "7", "time": 1_700_000_000}}
    if path == "/groups":
        return {"$group_key": "company", "$group_id": "acme", "$set": {"x": 1}}
    if path == "/engage":
        return GOOD
    message = {"type": "identify", "userId": "7", "groupId": "a", "previousId": "b", "event": "Buy"}
    return {"batch": [message]} if "batch" in path or path == "/v1/import" else message


def with_token(path: str, message: dict[str, Any], token: str) -> dict[str, Any]:
    if path in ("/engage", "/groups"):
        return {**message, "$token": token}
    if path in ("/track", "/import"):
        return {**message, "properties": {**message["properties"], "token": token}}
    return {**message, "writeKey": token}


def doors(path: str, sent: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every way in which an endpoint can be asked to write: a name, and the request."""
    text = json.dumps(sent)
    packed = base64.b64encode(text.encode()).decode()
    for data in (text, packed):
        yield "GET", {"method": "GET", "params": {"data": data, "ip": "1"}}
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        yield "form", {"method": "POST", "data": urlencode({"data": data}), "headers": form}
        plain = {"Content-Type": "text/plain"}
        yield "beacon", {"method": "POST", "data": f"data={data}", "headers": plain}
    yield "JSON", {"method": "POST", "data": text}
    yield "list", {"method": "POST", "data": f"[{text}]"}
    yield "lines", {"method": "POST", "data": f"{text}\n{text}\n"}
    gzipped = {"Content-Encoding": "gzip"}
    yield (
        "gzip",
        {"method": "POST", "data": gzip.compress(text.encode(), mtime=0), "headers": gzipped},
    )


OPEN: list[dict[str, Any]] = [
    {"hosts": ["lanhost"]},
    {"hosts": ["localhost", "host.docker.internal"]},
    {"host": "0.0.0.0"},
]


@pytest.mark.parametrize("path", [*MIXPANEL, *SEGMENT, "/v1/i", "/beacon/v1/batch"])
def test_HTTP_4_beyond_loopback_no_door_opens_without_the_token(path: str) -> None:
    sent = everything(path)
    wrong = with_token(path, sent, "wrong")
    with tk.serve(tk.ProfileTable(), hosts=["lanhost"]) as server:
        headers = {"Host": f"lanhost:{server.port}"}
        for message in (sent, wrong, [], {}, {"batch": []}):
            for name, asked in doors(path, message):
                asked = {**asked, "headers": {**asked.get("headers", {}), **headers}}
                answer = requests.request(url=f"{server.url}{path}", timeout=10, **asked)
                assert answer.status_code in (400, 401), (name, message)
                is_read = not (path.startswith(("/v1", "/beacon")) and name == "GET")
                if message is sent and is_read and name not in ("list", "lines"):
                    assert answer.status_code == 401
                    assert "token is missing or wrong" in answer.text
        assert len(server.profiles) == len(server.events) == server.tally.messages == 0
        assert server.profiles.group_keys == []
        assert server.token is not None
        taken = 0
        for name, asked in doors(path, with_token(path, sent, server.token)):
            asked = {**asked, "headers": {**asked.get("headers", {}), **headers}}
            answer = requests.request(url=f"{server.url}{path}", timeout=10, **asked)
            if path.startswith(("/v1", "/beacon")) and name in ("list", "lines", "GET"):
                continue
            assert answer.status_code in (200, 400), (name, answer.text)
            taken += 1
        assert taken >= 5 and server.tally.messages >= 5


@pytest.mark.parametrize("options", OPEN, ids=str)
def test_HTTP_4_beyond_loopback_a_token_is_made_up_if_none_is_given(
    options: dict[str, Any],
) -> None:
    with tk.serve(tk.ProfileTable(), **options) as server:
        token = server.token
        assert token is not None and len(token) >= 16
        assert f"Clients need the token {token}" in server._repr_html_()
        assert requests.post(f"{server.url}/engage", json=GOOD, timeout=10).status_code == 401
        sent = {**GOOD, "$token": token}
        assert requests.post(f"{server.url}/engage", json=sent, timeout=10).text == "1"
    with tk.serve(tk.ProfileTable(), **options) as server:
        assert server.token != token
    with tk.serve(tk.ProfileTable(), token="mine", **options) as server:
        assert server.token == "mine"


def test_at_loopback_addresses_any_token_is_taken() -> None:
    for options in ({}, {"host": "localhost"}, {"hosts": ["127.0.0.1", "[::1]"]}):
        with tk.serve(tk.ProfileTable(), **options) as server:  # type: ignore[arg-type]
            assert server.token is None
            is_alive(server)


def test_what_an_old_browser_fetches_for_a_page_is_refused(server: Server) -> None:
    """A GET is the one request of a page that may name no origin, and old browsers say no more."""
    browser = {"User-Agent": "Mozilla/5.0 (Macintosh) AppleWebKit/605 Safari/605"}
    data = {"data": json.dumps(GOOD)}
    answer = requests.get(f"{server.url}/engage", params=data, headers=browser, timeout=10)
    assert answer.status_code == 403
    assert requests.get(server.url, headers=browser, timeout=10).status_code == 200
    typed = {**browser, "Sec-Fetch-Site": "none"}
    assert len(server.profiles) == 0
    answer = requests.get(f"{server.url}/engage", params=data, headers=typed, timeout=10)
    assert answer.text == "1"


def test_the_command_says_the_token_it_made_up(tmp_path: Any) -> None:
    from tests.test_server import started

    process, line = started(str(tmp_path / "shop.db"), "--allow-host", "lanhost")
    assert process.stdout is not None
    said = process.stdout.readline()
    assert said.startswith("Clients need this token, generated for this run: ")
    sent = {**GOOD, "$token": said.split()[-1]}
    assert requests.post(f"{line.split()[2]}/engage", json=sent, timeout=10).text == "1"
    process.terminate()
    assert process.communicate(timeout=20)[1] == ""
