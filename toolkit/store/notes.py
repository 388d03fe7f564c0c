"""What is kept with the profiles: JSON values by kind and name, in the file or in memory.

All of it happens inside a moment of the engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toolkit.base import StoreError, dumps, loads
from toolkit.store.connection import Connection


class Notes:
    """JSON values by kind and name, those written last at the end of their kind."""

    def __init__(self, store: Connection | None) -> None:
        self._store = store
        self._held: dict[str, dict[str, Any]] = {}

    def kinds(self) -> list[str]:
        """Return the kinds of what is kept."""
        if self._store is None:
            return list(self._held)
        if not self._store.database["remembered"].exists():
            return []
        rows = self._store.execute("SELECT DISTINCT kind FROM remembered").fetchall()
        return [row[0] for row in rows]

    def read(self, kind: str) -> dict[str, Any]:
        """Return what is kept of a kind."""
        if self._store is None:
            return self._held.get(kind, {}).copy()
        if not self._store.database["remembered"].exists():
            return {}
        rows = self._store.execute(
            "SELECT name, value FROM remembered WHERE kind = ? ORDER BY rowid", [kind]
        ).fetchall()
        try:
            return {name: loads(value) for name, value in rows}
        except ValueError as error:
            raise StoreError(
                f"{self._store.path}: what is remembered for {kind} cannot be read ({error}). "
                'The file was changed by something else; its table "remembered" can be emptied.'
            ) from None

    def write(self, kind: str, name: str, value: Any) -> None:
        """Keep a value, at the end."""
        self.forget(kind, name)
        if self._store is None:
            self._held.setdefault(kind, {})[name] = value
            return
        self._store.database.create_table(
            "remembered",
            {"kind": str, "name": str, "value": str},
            pk=("kind", "name"),
            not_null={"kind", "name", "value"},
            if_not_exists=True,
        )
        self._store.execute(
            "INSERT INTO remembered (kind, name, value) VALUES (?, ?, ?)",
            [kind, name, dumps(value)],
        )

    def forget(self, kind: str, name: str) -> None:
        """Keep a value no longer, if it is kept."""
        if self._store is None:
            self._held.get(kind, {}).pop(name, None)
        elif self._store.database["remembered"].exists():
            self._store.execute("DELETE FROM remembered WHERE kind = ? AND name = ?", [kind, name])

    def replace(self, kind: str, changes: Mapping[str, Any]) -> None:
        """Put values in the place of others, or forget them where they are None; in order."""
        for name, value in self.read(kind).items():
            self.forget(kind, name)
            if (new := changes.get(name, value)) is not None:
                self.write(kind, name, new)

    def take_over(self, others: Notes) -> None:
        """Keep what is kept elsewhere, too."""
        for kind in others.kinds():
            for name, value in others.read(kind).items():
                self.write(kind, name, value)
