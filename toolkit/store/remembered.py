"""What forms keep with the profiles: settings by name, in the table's file or in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableMapping
from typing import Any, Final

from toolkit.base import (
    UnknownNameError,
    as_json,
    did_you_mean,
    dumps,
    glimpse,
    is_text,
    listed,
    quoted,
)
from toolkit.store.engine import Engine

# What a name of each kind names.
_NOUNS: Final = {"cohorts": "saved cohort"}


class Remembered(MutableMapping[str, Any]):
    """JSON values by name, those remembered last at the end.

    They are in the SQLite file of the profiles, so they go where it goes and other
    processes see them; a table in memory forgets them with its profiles. They are not
    profiles: no log holds them, and no undo brings them back.
    """

    def __init__(self, engine: Engine, kind: str) -> None:
        self._engine = engine
        self._kind = kind

    def _read(self) -> dict[str, Any]:
        with self._engine.lock, self._engine.reading():
            return self._engine.notes.read(self._kind)

    def __getitem__(self, name: str) -> Any:
        values = self._read()
        self._check(name, values)
        return as_json(values[name])

    def _check(self, name: object, names: Iterable[str]) -> None:
        if not isinstance(name, str) or name not in names:
            noun = _NOUNS.get(self._kind, f"name in {self._kind}")
            raise UnknownNameError(
                f"no {noun} {dumps(name) if is_text(name) else quoted(name)}; there are "
                f"{listed(map(dumps, names)) or 'none'}.{did_you_mean(glimpse(name), names)}"
            )

    def __setitem__(self, name: str, value: Any) -> None:
        value = as_json(value)
        with self._engine.lock, self._engine.writing():
            self._engine.notes.write(self._kind, name, value)

    def __delitem__(self, name: str) -> None:
        self._check(name, self._read())
        with self._engine.lock, self._engine.writing():
            self._engine.notes.forget(self._kind, name)

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._read()))

    def __len__(self) -> int:
        return len(self._read())
