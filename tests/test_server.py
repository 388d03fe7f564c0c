"""The server over HTTP: abuse, stops, kills, and many clients at once."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from mmdb_writer import MMDBWriter
from netaddr import IPSet

import toolkit as tk
from tests import server_load
from tests.optional import of_unix
from tests.test_server_wire import MALFORMED
from toolkit.sources.live import handlers
from toolkit.sources.live.server import Server

GOOD = {"$distinct_id": "7", "$set": {"plan": "pro"}}
ROOT = Path(__file__).parent.parent


@pytest.fixture
def server() -> Iterator[Server]:
    with tk.serve(tk.ProfileTable(), timeout=0.5) as started:
        yield started


def is_alive(server: Server) -> None:
    """Assert that a server takes an update, and that nothing was written before."""
    assert list(server.profiles) == [] and len(server.events) == 0
    answer = requests.post(f"{server.url}/engage", json=GOOD, timeout=10)
    assert (answer.status_code, answer.text) == (200, "1")
    assert server.profiles["7"] == {"plan": "pro"}


def raw(server: Server, sent: bytes, *, wait: float = 5.0, half_close: bool = False) -> bytes:
    """Send bytes as they are; return all that comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=wait) as connection:
        connection.sendall(sent)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        answered = b""
        while True:
            try:
                piece = connection.recv(65_536)
            except (TimeoutError, ConnectionResetError):
                break
            if not piece:
                break
            answered += piece
        return answered


# Refused, alive, nothing written


@pytest.mark.parametrize("path", ["/engage", "/groups", "/track", "/import", "/v1/batch"])
def test_HTTP_3_malformed_JSON_is_refused_and_the_server_stays(server: Server, path: str) -> None:
    for text, _ in MALFORMED:
        answer = requests.post(f"{server.url}{path}", data=text.encode(), timeout=10)
        assert answer.status_code == 400, text[:40]
        said = answer.json()
        assert said.get("error") or said.get("message")
    for bytes_ in (b'{"a": "\xff\xfe"}', b"\xff\xfe\x00{", b"\x00", b'[{"a": "\xc3"}]'):
        assert requests.post(f"{server.url}{path}", data=bytes_, timeout=10).status_code == 400
    is_alive(server)


WRONG: list[Any] = [
    None, True, 5, 1e308, "text", [[]], [None], [[GOOD]], {"$distinct_id": {}, "$set": {}},
    {"$distinct_id": True, "$set": {}}, {"$distinct_id": "7"}, {"$distinct_id": "7", "$set": []},
    {"$distinct_id": "7", "$set": {"$last_seen": 1}}, {"$distinct_id": "7", "$add": {"n": "1"}},
    {"$distinct_id": "7", "$unset": {"a": 1}}, {"$distinct_id": "7", "$set": {}, "$delete": ""},
    {"$distinct_id": "7", "$set": {}, "$time": "soon"}, {"$distinct_id": "7", "plan": "pro"},
    {"$distinct_id": "7", "$evil": {}}, {"$distinct_id": "\ud800", "$set": {}},
    {"$distinct_id": "7", "$set": {"\udfff": 1}},
]  # fmt: skip


def test_wrong_types_are_data_errors_with_a_reason(server: Server) -> None:
    for message in WRONG:
        sent = json.dumps(message).encode()
        answer = requests.post(f"{server.url}/engage?verbose=1", data=sent, timeout=10)
        assert answer.status_code in (200, 400), message
        assert answer.json()["status"] == 0 and answer.json()["error"], message
    deep: Any = 1
    for _ in range(300):
        deep = [deep]
    for value in (deep, 1e308 * 10):
        sent = json.dumps({"$distinct_id": "7", "$set": {"x": value}}).replace("Infinity", "1e999")
        answer = requests.post(f"{server.url}/engage?verbose=1", data=sent, timeout=10)
        assert answer.json()["status"] == 0
        assert answer.json()["error"]
    is_alive(server)


def peak() -> int:
    """The most memory this process ever had, in bytes."""
    resource = pytest.importorskip("resource")
    unit = 1 if sys.platform == "darwin" else 1024
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_100_MB_is_refused_in_words_and_in_bounded_memory(
    server: Server, chunked: bool
) -> None:
    megabyte = b" " * 1_048_576
    before = peak()

    def pieces() -> Iterator[bytes]:
        for _ in range(100):
            yield megabyte

    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    headers = {} if chunked else {"Content-Length": str(100 * len(megabyte))}
    server.intake.timeout = 30
    connection.request("POST", "/engage", pieces(), headers, encode_chunked=chunked)
    answer = connection.getresponse()
    assert answer.status == 413
    assert b"more than 33,554,432 bytes" in answer.read()
    connection.close()
    assert peak() - before < 150_000_000
    is_alive(server)


def test_what_says_it_will_be_endless_is_not_heard_out(server: Server) -> None:
    head = b"POST /engage HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n"
    assert raw(server, head).startswith(b"HTTP/1.1 413 ")
    asks = head.replace(b"99999999999", b"99999999").replace(
        b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"
    )
    assert raw(server, asks).startswith(b"HTTP/1.1 413 ")
    is_alive(server)


def test_a_gzip_bomb_over_HTTP_is_refused(server: Server) -> None:
    bomb = gzip.compress(b" " * 60_000_000, mtime=0)
    headers = {"Content-Encoding": "gzip"}
    answer = requests.post(f"{server.url}/import", data=bomb, headers=headers, timeout=30)
    assert answer.status_code == 413
    assert answer.json()["status"] == "Content Too Large"
    for headers, status in (({"Content-Encoding": "br"}, 415), ({"Content-Encoding": "gzip"}, 400)):
        answer = requests.post(f"{server.url}/engage", data=b"{}", headers=headers, timeout=10)
        assert answer.status_code == status
    is_alive(server)


def test_gzip_and_NDJSON_arrive(server: Server) -> None:
    lines = "\n".join(
        json.dumps({"event": "Tick", "properties": {"distinct_id": n, "n": n}})
        for n in range(1, 51)
    )
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/x-ndjson"}
    answer = requests.post(
        f"{server.url}/import?strict=0", data=gzip.compress(lines.encode(), mtime=0),
        headers=headers,
        timeout=10,
    )  # fmt: skip
    assert answer.text == "1"
    assert server.events.frame["n"].tolist() == list(range(1, 51))


def test_a_slow_sender_is_told_so_and_let_go(server: Server) -> None:
    head = b"POST /engage HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"
    started = time.monotonic()
    answer = raw(server, head + b'{"$distinct_id"')
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"was not whole after 0.5 s" in answer
    assert time.monotonic() - started < 4
    is_alive(server)


def test_a_connection_that_has_its_answer_is_closed_without_another(server: Server) -> None:
    answer = raw(server, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert answer.count(b"HTTP/1.1 ") == answer.count(b"HTTP/1.1 200 ") == 1
    assert server.log.empty
    is_alive(server)


def test_a_connection_closed_halfway_leaves_nothing(server: Server) -> None:
    body = json.dumps(GOOD).encode()
    head = b"POST /engage HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body)
    raw(server, head + body[:-5], half_close=True)
    raw(server, head[:-6], half_close=True)
    raw(server, b"", half_close=True)
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(head + body[:-5])
    until = time.monotonic() + 5
    while server.intake.open_requests and time.monotonic() < until:
        time.sleep(0.01)
    assert not server.intake.open_requests
    assert server.intake._room == handlers._ROOM
    is_alive(server)


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"GET\r\n\r\n",
        b"POST /engage HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"POST /engage HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        b"POST /engage HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        b"POST /engage HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n",
        b"POST /engage HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /engage HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 400_000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # somebody speaks TLS
        b"POST /engage HTTP/1.1\r\n\r\n",
    ],
    ids=range(10),
)
def test_what_is_no_HTTP_is_not_answered_with_success(server: Server, sent: bytes) -> None:
    answer = raw(server, sent, wait=1.0)
    assert answer[:12] in (b"", *(b"HTTP/1.1 %d" % status for status in (400, 403, 405, 408)))
    is_alive(server)


@pytest.mark.parametrize(
    "path",
    [
        "/../engage", "//engage", "/engage/../engage", "/engage/x", "/%65ngage", "/engage%00",
        "/ENGAGE", "/..%2f..%2fetc/passwd", "/etc/passwd", "/static/x", "/v1", "/v1/", "/v1/delete",
        "/engage;x", "/favicon.ico", "http://evil.example/engage", "/engage//",
    ],
)  # fmt: skip
def test_path_tricks_lead_nowhere(server: Server, path: str) -> None:
    body = json.dumps(GOOD)
    answer = raw(
        server,
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}".encode(),
    )
    assert answer.startswith((b"HTTP/1.1 404 ", b"HTTP/1.1 400 ")), answer[:60]
    is_alive(server)


def test_other_methods_are_refused_in_words(server: Server) -> None:
    for method in ("PUT", "DELETE", "PATCH", "HEAD", "TRACE", "NONSENSE"):
        answer = requests.request(method, f"{server.url}/engage", json=GOOD, timeout=10)
        assert answer.status_code == 405, method
    answer = requests.post(f"{server.url}/", json=GOOD, timeout=10)
    assert answer.status_code == 404
    assert "/engage" in answer.json()["error"]
    welcome = requests.get(server.url, timeout=10)
    assert welcome.status_code == 200 and "is listening" in welcome.text
    is_alive(server)


def test_a_page_of_another_origin_cannot_send(server: Server) -> None:
    page = {"Origin": "https://evil.example"}
    form = {"data": json.dumps(GOOD)}
    for send in (
        lambda: requests.post(f"{server.url}/engage", data=form, headers=page, timeout=10),
        lambda: requests.post(f"{server.url}/engage", json=GOOD, headers=page, timeout=10),
        lambda: requests.post(
            f"{server.url}/engage", data=form, headers={"Origin": "null"}, timeout=10
        ),
        lambda: requests.get(
            f"{server.url}/engage", params=form, headers={"Sec-Fetch-Site": "cross-site"},
            timeout=10,
        ),
        lambda: requests.post(
            f"{server.url}/engage", json=GOOD, headers={"Host": "evil.example"}, timeout=10
        ),
        lambda: requests.options(f"{server.url}/engage", headers=page, timeout=10),
    ):  # fmt: skip
        answer = send()
        assert answer.status_code == 403
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "toolkit.serve(" in answer.json()["error"]
    is_alive(server)


def test_a_page_that_is_allowed_can_send_and_read_the_answer() -> None:
    page = "http://localhost:3000"
    with tk.serve(tk.ProfileTable(), origins=[page]) as server:
        asked = requests.options(f"{server.url}/engage", headers={"Origin": page}, timeout=10)
        assert asked.status_code == 204
        assert asked.headers["Access-Control-Allow-Origin"] == page
        answer = requests.post(
            f"{server.url}/engage", json=GOOD, headers={"Origin": page}, timeout=10
        )
        assert answer.text == "1"
        assert answer.headers["Access-Control-Allow-Origin"] == page
        assert server.profiles["7"] == {"plan": "pro"}


def test_too_much_at_once_is_put_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "_ROOM", 1_000)
    with tk.serve(tk.ProfileTable()) as server:
        large = {"$distinct_id": "7", "$set": {"x": "x" * 2_000}}
        answer = requests.post(f"{server.url}/engage", json=large, timeout=10)
        assert answer.status_code == 429
        assert answer.headers["Retry-After"] == "1"
        is_alive(server)


# Starting and stopping


def test_a_port_in_use_is_explained() -> None:
    with (
        tk.serve(tk.ProfileTable()) as server,
        pytest.raises(tk.ToolkitError, match=r"in use by a server of this kernel: call its"),
    ):
        tk.serve(tk.ProfileTable(), server.port)
    with (
        socket.create_server(("127.0.0.1", 0)) as other,
        pytest.raises(OSError, match=r"in use by another program\. Or give another port"),
    ):
        tk.serve(tk.ProfileTable(), other.getsockname()[1])


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"port": -1}, "port=-1"), ({"port": 70_000}, "port=70000"), ({"port": "80"}, 'port="80"'),
        ({"port": True}, "port=True"), ({"token": ""}, 'token=""'), ({"token": 5}, "token=5"),
        ({"host": ""}, 'host=""'), ({"host": "256.1.1.1"}, "nothing can listen"),
        ({"timeout": 0}, "timeout=0"), ({"group_key": ""}, 'group_key=""'),
        ({"origins": "*"}, "origins"),
    ],
)  # fmt: skip
def test_arguments_are_checked(arguments: dict[str, Any], match: str) -> None:
    with pytest.raises(tk.ToolkitError, match=match):
        tk.serve(tk.ProfileTable(), **arguments)


def test_what_is_no_table_of_today_is_not_served() -> None:
    profiles = tk.ProfileTable()
    profiles.set("7", {"x": 1})
    with pytest.raises(tk.ToolkitError, match="the past cannot be changed"):
        tk.serve(profiles.as_of("2020-01-01"))
    with pytest.raises(tk.ToolkitError, match="of type ProfileView; a ProfileTable is needed"):
        tk.serve(profiles.where('user["x"] == 1'))  # type: ignore[arg-type]


def test_a_stopped_server_is_gone_and_can_be_started_again() -> None:
    server = tk.serve(tk.ProfileTable())
    session = requests.Session()
    assert session.post(f"{server.url}/engage", json=GOOD, timeout=10).text == "1"
    server.stop()
    server.stop()
    assert not server.is_running
    assert repr(server) == "<Server: stopped; 1 update, 0 events>"
    assert "Stopped" in server._repr_html_()
    with pytest.raises(requests.ConnectionError):
        session.post(f"{server.url}/engage", json=GOOD, timeout=10)
    session.close()
    with tk.serve(server.profiles, server.port) as again:
        assert again.port == server.port
        assert again.url in repr(again) and "Any token is taken" in again._repr_html_()


def test_stopping_waits_for_what_has_arrived(tmp_path: Path) -> None:
    """A request that is whole when the server stops is answered, and what it says is so."""
    with tk.ProfileTable(tmp_path / "shop.db") as profiles:
        server = tk.serve(profiles)
        answers: list[str] = []
        entered = threading.Event()

        def send() -> None:
            answers.append(requests.post(f"{server.url}/engage", json=GOOD, timeout=10).text)

        def hold() -> None:
            entered.set()
            until = time.monotonic() + 5
            while not server.intake.open_requests and time.monotonic() < until:
                time.sleep(0.01)
            threading.Thread(target=server.stop).start()
            time.sleep(0.3)

        sender = threading.Thread(target=lambda: (entered.wait(), send()))
        sender.start()
        # The table is busy meanwhile, so that the request has to wait for it.
        with profiles._engine.lock, profiles._engine.writing():
            hold()
        sender.join(10)
        assert answers == ["1"]
        assert profiles["7"] == {"plan": "pro"}
        server.stop()


def test_a_table_that_was_closed_refuses_and_nothing_is_acknowledged(tmp_path: Path) -> None:
    profiles = tk.ProfileTable(tmp_path / "shop.db")
    with tk.serve(profiles) as server:
        profiles.close()
        answer = requests.post(f"{server.url}/engage?verbose=1", json=GOOD, timeout=10)
        assert answer.status_code == 500
        assert answer.json()["status"] == 0 and "closed" in answer.json()["error"]


# What is acknowledged is there

SERVER = """
import sys, time
import toolkit as tk
server = tk.serve(tk.ProfileTable(sys.argv[1]))
print(server.port, flush=True)
time.sleep(600)
"""


def test_HTTP_1_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    chance = random.Random(5)
    acknowledged: dict[str, int] = {}
    for _ in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        assert process.stdout is not None
        port = int(process.stdout.readline())
        stop = time.monotonic() + chance.uniform(0.05, 0.6)
        killer = threading.Timer(stop - time.monotonic(), process.kill)
        killer.start()

        def send(user: str, port: int = port) -> None:
            with requests.Session() as session:
                while True:
                    message = {"$distinct_id": user, "$add": {"n": 1}}
                    try:
                        answer = session.post(
                            f"http://127.0.0.1:{port}/engage", json=message, timeout=10
                        )
                    except requests.RequestException:
                        return
                    if answer.text == "1":
                        acknowledged[user] = acknowledged.get(user, 0) + 1

        senders = [threading.Thread(target=send, args=(f"user {n}",)) for n in range(3)]
        for each in senders:
            each.start()
        for each in senders:
            each.join()
        process.wait()
        process.stdout.close()
        with tk.ProfileTable(path) as profiles:
            for user, number in acknowledged.items():
                # One more may have been written whose answer did not arrive any more.
                n = profiles[user]["n"]
                assert isinstance(n, int) and number <= n
                acknowledged[user] = n
            assert profiles.check().is_sound
    assert sum(acknowledged.values()) > 20


# Many at once


def test_clients_at_once_lead_to_what_the_log_says(tmp_path: Path) -> None:
    with tk.ProfileTable(tmp_path / "shop.db") as profiles, tk.serve(profiles) as server:
        run = server_load.send(server.url, clients=8, messages=500, at_a_time=5)
        assert run.statuses == {200: 8 * 500 // 5}
        server_load.check(profiles)
        assert server.tally.updates == 8 * 500


def test_the_table_is_used_by_others_while_messages_arrive(tmp_path: Path) -> None:
    """The kernel reads, writes, undoes and asks about the past; nothing gets in the way."""
    with tk.ProfileTable(tmp_path / "shop.db") as profiles, tk.serve(profiles) as server:
        profiles.set("own", {"n": 1})
        ended = threading.Event()
        errors: list[BaseException] = []
        rounds = [0, 0]

        def use(which: int) -> None:
            try:
                while not ended.is_set() or rounds[which] < 3:
                    rounds[which] += 1
                    seen = len(profiles.frame)
                    assert len(profiles) >= seen - 30
                    profiles.where('user["n"] > 3')
                    profiles.history("user 1")
                    profiles.timeline("n")
                    profiles.as_of(batch=1)
                    profiles.groups("company").frame  # noqa: B018
                    profiles.set(f"own {which}", {"rounds": rounds[which]})
                    batch = profiles.set(f"undone {which}", {"x": rounds[which]}).batch_id
                    assert batch is not None
                    profiles.undo(batch)
                    assert profiles[f"own {which}"] == {"rounds": rounds[which]}
                    server.events, server.log, repr(server)
            except BaseException as error:
                errors.append(error)

        users = [threading.Thread(target=use, args=(which,)) for which in range(2)]
        for each in users:
            each.start()
        run = server_load.send(server.url, clients=4, messages=200, at_a_time=5)
        ended.set()
        for each in users:
            each.join()
        assert errors == []
        assert set(run.statuses) == {200}
        assert min(rounds) >= 3
        assert profiles.check().is_sound
        server_load.check(profiles)


# The command line


def started(*arguments: str) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "toolkit", "serve", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    return process, process.stdout.readline()


@of_unix("signals that end a program in order")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_it_is_stopped(tmp_path: Path, how: signal.Signals) -> None:
    path = tmp_path / "shop.db"
    process, line = started(str(path), "--token", "secret", "--log")
    url = line.split()[2]
    assert line == f"Listening at {url} (only this machine can reach it). Stop it with Ctrl-C.\n"
    sent = [{**GOOD, "$token": "secret"}, {"$distinct_id": "8", "$token": "secret"}]
    assert requests.post(f"{url}/engage", json=sent, timeout=10).text == "1"
    assert requests.post(f"{url}/engage", json=GOOD, timeout=10).status_code == 401
    assert requests.post(f"{url}/\x1b[31m", json=GOOD, timeout=10).status_code == 404
    process.send_signal(how)
    said, complained = process.communicate(timeout=20)
    assert process.returncode == 0
    assert complained == ""
    assert process.stdout is not None
    lines = said.splitlines()
    assert lines[0].endswith("200 POST /engage 1 of 2 taken")
    assert lines[1].endswith("401 POST /engage refused")
    assert "\x1b" not in said
    assert lines[-1] == "Stopped: 2 updates, 0 events, 3 rejected."
    with tk.ProfileTable(path) as profiles:
        assert profiles["7"] == {"plan": "pro"}


@of_unix("signals that end a program in order")
def test_the_command_sets_where_users_are_and_names_the_groups_of_Segment(tmp_path: Path) -> None:
    pytest.importorskip("maxminddb")
    writer = MMDBWriter(ip_version=4, database_type="Test-City")
    writer.insert_network(IPSet(["127.0.0.0/8"]), {"country": {"iso_code": "NO"}})
    writer.to_db_file(str(tmp_path / "cities.mmdb"))
    path = tmp_path / "shop.db"
    given = ["--geo", f"{tmp_path}/cities.mmdb", "--group-key", "company"]
    process, line = started(str(path), *given)
    url = line.split()[2]
    assert requests.post(f"{url}/engage?ip=1", json=GOOD, timeout=10).text == "1"
    group = {"userId": "7", "groupId": "acme", "traits": {"plan": "pro"}}
    assert requests.post(f"{url}/v1/group", json=group, timeout=10).json() == {"success": True}
    look = {"userId": "7", "event": "Look", "traits": {"plan": "free"}}
    assert requests.post(f"{url}/v1/track", json=look, timeout=10).json() == {"success": True}
    process.terminate()
    said, complained = process.communicate(timeout=20)
    assert complained == ""
    assert said.splitlines()[-2:] == [
        "Taken, but not used as sent: traits of track (1)",
        "Stopped: 2 updates, 1 event, 0 rejected.",
    ]
    with tk.ProfileTable(path) as profiles:
        assert profiles["7"] == {"plan": "pro", "$country_code": "NO"}
        assert profiles.groups("company")["acme"] == {"plan": "pro"}


def test_the_command_explains_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        process, _ = started(str(tmp_path / "shop.db"), "--port", port)
        _, complained = process.communicate(timeout=20)
    assert process.returncode == 2
    assert f"port {port} is in use by another program" in complained
    assert "Traceback" not in complained
