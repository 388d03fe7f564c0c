"""Many clients at once with every operator, and what the table must be afterwards."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.test_table_reference import exactly
from toolkit.profiles.table import ProfileTable
from toolkit.updates import operators

USERS = 40


def message(chance: random.Random) -> dict[str, Any]:
    """One update, of few users so that clients meet, with any operator."""
    user = f"user {chance.randrange(USERS)}"
    what = chance.choice(
        ["$set", "$set_once", "$add", "$union", "$append", "$remove", "$unset", "$delete", "two"]
    )
    argument: Any = {
        "$set": {"plan": chance.choice(["free", "pro", None]), "n": chance.randrange(9)},
        "$set_once": {"first": chance.random(), "n": 0},
        "$add": {"n": chance.choice([1, -2, 0.5]), "total": 1},
        "$union": {"tags": [chance.randrange(5), "a"]},
        "$append": {"seen": chance.choice(["Tent", ["Map"], 1])},
        "$remove": {"seen": "Tent", "tags": chance.randrange(5)},
        "$unset": ["plan", "total"],
        "$delete": "",
    }
    if what == "two":
        sent = {"$set": argument["$set"], "$append": argument["$append"]}
    elif what == "$delete" and chance.random() < 0.8:  # few, or nobody has a past
        sent = {"$add": argument["$add"]}
    else:
        sent = {what: argument[what]}
    return {"$distinct_id": user, **sent}


@dataclass
class Run:
    """What clients saw."""

    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    #: Seconds from request to answer, one each.
    latencies: list[float] = field(default_factory=list)


def send(url: str, *, clients: int, messages: int, at_a_time: int, path: str = "/engage") -> Run:
    """Let clients send so many messages each, all at once."""
    run = Run()
    lock = threading.Lock()
    address = urlsplit(url)

    def client(number: int) -> None:
        chance = random.Random(number)
        assert address.hostname is not None
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
        statuses: Counter[int] = Counter()
        latencies = []
        for _ in range(0, messages, at_a_time):
            body = json.dumps([message(chance) for _ in range(at_a_time)])
            began = time.perf_counter()
            connection.request("POST", path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            latencies.append(time.perf_counter() - began)
            statuses[answer.status] += 1
        connection.close()
        with lock:
            run.statuses += statuses
            run.latencies += latencies

    began = time.perf_counter()
    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run.seconds = time.perf_counter() - began
    return run


def check(profiles: ProfileTable) -> None:
    """Assert that the table is what the reference makes of the log, in its order."""
    assert profiles.path is not None
    log = profiles._engine.log
    expected: dict[str, dict[str, Any]] = {}
    for batch in log.batches():
        for updates in log.updates(batch.id):
            for _, logged in updates:  # type: ignore[union-attr]
                if not logged.group_key:
                    before = expected.get(logged.distinct_id)
                    after, _ = operators.apply(before, logged.operations)
                    if after is None:
                        expected.pop(logged.distinct_id, None)
                    else:
                        expected[logged.distinct_id] = after
    assert len(expected) >= USERS // 2
    assert {key: exactly(value) for key, value in expected.items()} == {
        key: exactly(profiles[key]) for key in profiles
    }
