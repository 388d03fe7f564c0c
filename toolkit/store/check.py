"""Checking a file: does its state follow from its log?"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from toolkit.base import ABSENT, StoreDamagedError, StoreError, count, dumps, html
from toolkit.columns import Column, Snapshot
from toolkit.store import parquet as bulk
from toolkit.store.engine import Engine
from toolkit.store.file import Store
from toolkit.store.history import state_after
from toolkit.store.rows import StoredProfiles
from toolkit.updates import USERS

_SHOWN = 5


@dataclass(frozen=True)
class CheckReport:
    """What a check of a file found.

    Attributes
    ----------
    batches, profiles
        How many batches were replayed, and how many profiles they lead to.
    problems
        What is wrong, as sentences; empty if all is well.
    repaired
        Whether the state was rebuilt from the log.
    """

    batches: int
    profiles: int
    problems: tuple[str, ...]
    repaired: bool = False

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong, or it has been repaired."""
        return not self.problems or self.repaired

    def __repr__(self) -> str:
        replayed = f"{count(self.batches, 'batch')} replayed, {count(self.profiles, 'profile')}"
        lines = [f"<CheckReport: {replayed}: {self._verdict()}>"]
        return "\n".join([*lines, *(f"  {problem}" for problem in self.problems)])

    def _verdict(self) -> str:
        if not self.problems:
            return "state and log agree"
        problems = count(len(self.problems), "problem")
        return f"{problems}, repaired from the log" if self.repaired else problems

    def _repr_html_(self) -> str:
        return html.card(repr(self).split("\n")[0][1:-1], html.notes(self.problems))


def check(engine: Engine, *, repair: bool) -> CheckReport:
    """Return whether the file's state follows from its log; with *repair* make it so.

    Raises
    ------
    StoreError
        If the profiles are in memory.
    """
    store = engine.store
    if store is None:
        raise StoreError("these profiles are in memory; only a file can be checked")
    with engine.lock, engine.moment(write=repair):
        report = _check(store, repair)
    if repair:
        engine.states.forget()
    return report


def _check(store: Store, repair: bool) -> CheckReport:
    problems = _sqlite_problems(store)
    is_whole = not problems
    try:
        batches, has_gap = _numbered(store)
        compared = [_compared(store, key) for key in _keys(store)]
    except _DAMAGE as error:
        # Without its log there is nothing to compare with, nor to repair from.
        return CheckReport(0, 0, (*problems, f"the log cannot be read: {_said(error)}"))
    if has_gap:
        problems.append("the log has a gap: a batch is missing")
    problems += [problem for each in compared for problem in each.problems]
    if repair and problems:
        for each in compared:
            if each.problems or not is_whole:
                each.stored.rebuild(each.expected, store.last())
        store.execute("REINDEX")
        is_whole = not _sqlite_problems(store)
    profiles = sum(len(each.expected) for each in compared)
    repaired = repair and bool(problems) and is_whole and not has_gap
    return CheckReport(batches, profiles, tuple(problems), repaired)


#: What reading bytes that are not what was written ends in.
_DAMAGE = (sqlite3.DatabaseError, bulk.UnreadableError, StoreDamagedError)


def _said(error: Exception) -> str:
    """Return what is wrong, without the advice that a caller of the table would get."""
    cause = error.__cause__ if isinstance(error, StoreDamagedError) else None
    return str(cause or error)


class _Compared(NamedTuple):
    """A table, what its log leads to, and how it differs from that."""

    stored: StoredProfiles
    expected: Snapshot
    problems: list[str]


def _numbered(store: Store) -> tuple[int, bool]:
    """Return how many batches there are, and whether one of them is missing."""
    batches, compaction = store.batches(), store.compaction()
    first = 0 if compaction is None else compaction.batch
    numbers = [batch.id for batch in batches if batch.id > first]
    return len(batches), numbers != list(range(first + 1, store.last() + 1))


def _keys(store: Store) -> list[str]:
    """Return the keys of all tables: those there are, and those that the log knows."""
    based = store.execute("SELECT DISTINCT group_key FROM bases").fetchall()
    return sorted({USERS, *store.group_keys(), *store.keys(), *(row[0] for row in based)})


def _compared(store: Store, group_key: str) -> _Compared:
    stored = StoredProfiles(store, group_key)
    expected = state_after(store, group_key, store.last()).snapshot()
    table = "profiles" if group_key == USERS else f"group_profiles of {group_key!r}"
    try:
        problems = _differences(table, expected, stored.load_rows())
    except _DAMAGE as error:
        problems = [f"{table} cannot be read: {_said(error)}"]
    if stored.has_checkpoint():
        problems += _checkpoint_problems(f"the checkpoint of {table}", expected, stored)
    return _Compared(stored, expected, problems)


def _sqlite_problems(store: Store) -> list[str]:
    try:
        rows = store.execute("PRAGMA integrity_check").fetchall()
    except sqlite3.DatabaseError as error:
        rows = [(str(error),)]
    lines = [line for row in rows for line in str(row[0]).splitlines() if line != "ok"]
    return [f"SQLite: {line}" for line in lines[:_SHOWN]]


def _checkpoint_problems(name: str, expected: Snapshot, stored: StoredProfiles) -> list[str]:
    try:
        return _differences(name, expected, stored.load(trusting_rows=False))
    except _DAMAGE as error:
        return [f"{name} cannot be read: {_said(error)}"]


def _differences(table: str, expected: Snapshot, actual: Snapshot) -> list[str]:
    """Return, as sentences, how a state differs from what the log leads to."""
    left, right = expected.ids.to_pylist(), actual.ids.to_pylist()
    problems = []
    missing, surplus = sorted(set(left) - set(right)), sorted(set(right) - set(left))
    for what, keys in (("lacks", missing), ("has, unknown to the log,", surplus)):
        if keys:
            named = ", ".join(map(repr, keys[:_SHOWN]))
            problems.append(f"{table} {what} {count(len(keys), 'profile')}: {named}")
    if problems:
        return problems
    if left != right:
        return [f"{table}: the profiles are in another order than they were created in"]
    for name in dict.fromkeys([*expected.columns, *actual.columns]):
        differ = [
            key
            for key, one, other in zip(
                left, _exactly(expected.column(name)), _exactly(actual.column(name)), strict=True
            )
            if one != other
        ]
        if differ:
            whose = f"{count(len(differ), 'profile')}: {', '.join(map(repr, differ[:_SHOWN]))}"
            problems.append(f"{table}: {name!r} differs in {whose}")
    at = np.flatnonzero(expected.last_seen != actual.last_seen)
    if len(at):
        named = ", ".join(repr(left[place]) for place in at[:_SHOWN])
        problems.append(f"{table}: Updated At of {count(len(at), 'profile')} differs: {named}")
    return problems


def _exactly(column: Column) -> list[str | None]:
    return [None if cell is ABSENT else _sorted_text(cell) for cell in column.cells()]


def _sorted_text(value: object) -> str:
    """Return JSON text that does not depend on the order of an object's keys."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{dumps(k)}:{_sorted_text(value[k])}" for k in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_sorted_text, value)) + "]"
    return dumps(value)  # type: ignore[arg-type]
