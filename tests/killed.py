"""Work for processes that are killed: each step is a batch, the same in every process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path

import toolkit as tk
from toolkit.profiles.table import ProfileTable
from toolkit.store import log, rows as stored, undo

#: Does one thing; returns the batch it made, None if it makes none.
Step = Callable[[ProfileTable], int | None]
KINDS = ("imports", "updates", "undos", "compactions")


def _rows(turn: int) -> bytes:
    lines = (f"{i},{turn},x{i}\n" for i in range(turn % 7 * 40 + 1))
    return b"distinct_id,n,t\n" + "".join(lines).encode()


def _import(turn: int) -> Step:
    return lambda profiles: tk.import_csv(profiles, _rows(turn)).batch_id


def _add(turn: int) -> Step:
    return lambda profiles: profiles.add(f"counter {turn % 3}", {"n": 1}).batch_id


def _append(turn: int) -> Step:
    messages = [{"$distinct_id": i, "$append": {"l": turn}} for i in range(9)]
    return lambda profiles: profiles.apply(messages).batch_id


def _delete(turn: int) -> Step:
    return lambda profiles: profiles.delete(f"counter {turn % 3}").batch_id


def _undo(profiles: ProfileTable) -> int | None:
    return profiles.undo(int(profiles.batches.index[-1])).batch_id


def _compact(profiles: ProfileTable) -> None:
    profiles.compact(keep=2)


def steps(kind: str) -> Iterator[Step]:
    """Yield the steps of one kind of work, without end."""
    for turn in count():
        if kind == "imports":
            yield _import(turn)
        elif kind == "updates":
            yield from (_add(turn), _append(turn), _add(turn + 1), _delete(turn))
        elif kind == "undos":
            yield from (_import(turn), _undo, _append(turn), _undo, _add(turn))
        else:
            yield from (_import(turn), _append(turn), _add(turn), _compact)


def work(path: Path, kind: str, told: Connection) -> None:
    """Do the steps, and tell of each batch once its call has returned."""
    stored._CHECKPOINT_FROM = stored._INDEX_LATER_FROM = 50  # type: ignore[misc]
    # Undos of imports are in columns then, but for the smallest.
    undo._AS_MESSAGES_AT_MOST = log._AS_MESSAGES_AT_MOST = 20  # type: ignore[misc]
    profiles = ProfileTable(path)
    for step in steps(kind):
        batch_id = step(profiles)
        if batch_id is not None:
            told.send(batch_id)
