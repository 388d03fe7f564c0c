"""What forms keep beside the profiles: settings by name, in the table's file or in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Final

from toolkit.base import (
    StoreError,
    UnknownNameError,
    as_json,
    did_you_mean,
    dumps,
    glimpse,
    is_text,
    listed,
    loads,
    quoted,
)
from toolkit.updates import USERS

if TYPE_CHECKING:
    from toolkit.store.engine import Engine
    from toolkit.store.file import Store

_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS remembered ("
    "kind TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (kind, name))"
)

# What a name of each kind names.
_NOUNS: Final = {"cohorts": "saved cohort"}


def remember(store: Store, kind: str, name: str, value: Any) -> None:
    """Keep a value in a file, at the end, inside a transaction."""
    store.execute(_TABLE)
    store.execute("DELETE FROM remembered WHERE kind = ? AND name = ?", [kind, name])
    store.execute(
        "INSERT INTO remembered (kind, name, value) VALUES (?, ?, ?)", [kind, name, dumps(value)]
    )


def kinds(engine: Engine) -> list[str]:
    """Return the kinds of what is remembered, inside a moment."""
    store = engine.store
    if store is None:
        return list(engine.remembered)
    if not store.database["remembered"].exists():
        return []
    return [row[0] for row in store.execute("SELECT DISTINCT kind FROM remembered")]


class Remembered(MutableMapping[str, Any]):
    """JSON values by name, those remembered last at the end.

    They stand in the SQLite file of the profiles, so they go where it goes and other
    processes see them; a table in memory forgets them with its profiles. They are no
    profiles: no log holds them, and no undo brings them back.
    """

    def __init__(self, engine: Engine, kind: str) -> None:
        self._engine = engine
        self._kind = kind

    def _read(self) -> dict[str, Any]:
        return self._engine.read(USERS, lambda _: self._read_now())

    def _read_now(self) -> dict[str, Any]:
        store = self._engine.store
        if store is None:
            return self._engine.remembered.setdefault(self._kind, {})
        if not store.database["remembered"].exists():
            return {}
        rows = store.execute(
            "SELECT name, value FROM remembered WHERE kind = ? ORDER BY rowid", [self._kind]
        ).fetchall()
        try:
            return {name: loads(value) for name, value in rows}
        except ValueError as error:
            raise StoreError(
                f"{store.path}: what is remembered for {self._kind} cannot be read ({error}). "
                'The file was changed by something else; its table "remembered" can be emptied.'
            ) from None

    def __getitem__(self, name: str) -> Any:
        known = self._read()
        self._check(name, known)
        return as_json(known[name])

    def _check(self, name: object, known: Iterable[str]) -> None:
        if not isinstance(name, str) or name not in known:
            noun = _NOUNS.get(self._kind, f"name in {self._kind}")
            raise UnknownNameError(
                f"no {noun} {dumps(name) if is_text(name) else quoted(name)}; there are "
                f"{listed(map(dumps, known)) or 'none'}.{did_you_mean(glimpse(name), known)}"
            )

    def __setitem__(self, name: str, value: Any) -> None:
        value = as_json(value)
        self._engine.write(lambda _: self._write(name, value))

    def _write(self, name: str, value: Any) -> None:
        store = self._engine.store
        if store is None:
            known = self._engine.remembered.setdefault(self._kind, {})
            known.pop(name, None)
            known[name] = value
            return
        remember(store, self._kind, name, value)

    def __delitem__(self, name: str) -> None:
        self._check(name, self._read())
        self._engine.write(lambda _: self._forget(name))

    def _forget(self, name: str) -> None:
        store = self._engine.store
        if store is None:
            self._engine.remembered[self._kind].pop(name, None)
        else:
            store.execute("DELETE FROM remembered WHERE kind = ? AND name = ?", [self._kind, name])

    def replace(self, changes: Mapping[str, Any]) -> None:
        """Put values in the place of others, or forget them where they are None.

        Inside a moment; the order stays.
        """
        now = self._read_now().copy()
        for name in now:
            self._forget(name)
        for name, value in now.items():
            if (new := changes.get(name, value)) is not None:
                self._write(name, new)

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._read()))

    def __len__(self) -> int:
        return len(self._read())
