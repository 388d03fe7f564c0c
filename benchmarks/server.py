"""Clients at once, sending to the server.

The claim: eight clients send 5,000 messages each, with every operator, and no answer
is an error; afterwards the table in SQLite is exactly what the reference operators make
of the log in its order. Printed are messages a second and how long a client waits.

The peer is what one would write by hand in the same libraries: a tornado handler that
applies the messages with the reference operators and upserts the profiles with
sqlite-utils, as durable (``synchronous=FULL``). It keeps no log, rejects nothing and
checks nobody.

    python benchmarks/server.py [--clients 8] [--messages 5000]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import sqlite_utils
from tornado.web import Application, RequestHandler

import toolkit as tk
from toolkit.updates import operators
from toolkit.updates.messages import MESSAGE_FIELDS

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests import server_load


class ByHand(RequestHandler):
    """A handler as one writes it by hand."""

    def initialize(self, database: sqlite_utils.Database) -> None:
        self._database = database

    def post(self) -> None:
        touched: dict[str, Any] = {}
        table = self._database["profiles"]
        for message in json.loads(self.request.body):
            key = message["$distinct_id"]
            if key not in touched:
                rows = list(table.rows_where("id = ?", [key]))
                touched[key] = json.loads(rows[0]["properties"]) if rows else None
            sent = [(name, value) for name, value in message.items() if name not in MESSAGE_FIELDS]
            touched[key], _ = operators.apply(touched[key], sent)
        with self._database.conn:
            for key, properties in touched.items():
                if properties is None:
                    self._database.execute("DELETE FROM profiles WHERE id = ?", [key])
                else:
                    table.upsert({"id": key, "properties": json.dumps(properties)}, pk="id")
        self.write("1")


class Peer:
    """The handler by hand, served from a thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self._ready.wait()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        database = sqlite_utils.Database(self._path)
        database.enable_wal()
        database.execute("PRAGMA synchronous = FULL")
        database["profiles"].create({"id": str, "properties": str}, pk="id")
        application = Application(
            [("/engage", ByHand, {"database": database})], log_function=lambda _: None
        )
        server = application.listen(0, "127.0.0.1")
        port = next(iter(server._sockets.values())).getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._stopped = asyncio.Event()
        self._ready.set()
        await self._stopped.wait()
        server.stop()
        await server.close_all_connections()
        database.close()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()


def told(name: str, run: server_load.Run, messages: int) -> float:
    """Print a line and return messages a second."""
    rate = messages / run.seconds
    waits = [1_000 * each for each in run.latencies]
    p99 = statistics.quantiles(waits, n=100)[98]
    print(
        f"  {name}: {rate:,.0f} messages/s; an answer takes {statistics.median(waits):.1f} ms, "
        f"p99 {p99:.1f} ms; answers {dict(run.statuses)}",
        flush=True,
    )
    assert set(run.statuses) == {200}
    return rate


def main() -> None:
    """Run both sides in turn and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--messages", type=int, default=5_000)
    given = parser.parse_args()
    total = given.clients * given.messages
    load = {"clients": given.clients, "messages": given.messages}
    for at_a_time in (1, 50):
        print(f"{given.clients} clients, {total:,} messages, {at_a_time} a request")
        with (
            tempfile.TemporaryDirectory() as folder,
            tk.ProfileTable(Path(folder) / "shop.db") as profiles,
            tk.serve(profiles) as server,
        ):
            run = server_load.send(server.url, **load, at_a_time=at_a_time)
            ours = told("toolkit", run, total)
            server_load.check(profiles)
            assert profiles.check().is_sound
        with tempfile.TemporaryDirectory() as folder:
            peer = Peer(Path(folder) / "peer.db")
            theirs = told("by hand", server_load.send(peer.url, **load, at_a_time=at_a_time), total)
            peer.stop()
        print(f"  {ours / theirs:.1f} times the rate of the handler by hand", flush=True)


if __name__ == "__main__":
    main()
