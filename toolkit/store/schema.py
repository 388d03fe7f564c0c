"""The tables of a file, and what turns an older layout into the next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

import sqlite_utils

#: The layout that :func:`create` makes (``PRAGMA user_version``).
SCHEMA_VERSION: Final = 3


def create(database: sqlite_utils.Database) -> None:
    """Make the tables of the latest layout, inside a transaction."""
    profile = {"properties": str, "last_seen": str}
    _table(
        database,
        "profiles",
        {"distinct_id": str, **profile},
        nullable=["last_seen"],
        unique=["distinct_id"],
    )
    _table(
        database,
        "group_profiles",
        {"group_key": str, "group_id": str, **profile},
        nullable=["last_seen"],
        unique=["group_key", "group_id"],
    )
    _table(
        database,
        "properties",
        {"id": int, "group_key": str, "name": str},
        unique=["group_key", "name"],
    )
    counts = ("messages", "created", "updated", "deleted", "unchanged", "rejected")
    _table(
        database,
        "batches",
        {"id": int, "time": str, "source": str, **dict.fromkeys(counts, int), "undoes": int},
        nullable=["undoes"],
    )
    address = {"group_key": str, "distinct_id": str}
    _table(
        database,
        "updates",
        {"id": int, "batch_id": int, "position": int, **address, "time": str, "message": str},
        indexes=[["batch_id"], ["group_key", "distinct_id"]],
    )
    times = {"time": str, "last_seen": str}
    content = {"updates": int, "parquet": bytes}
    _table(
        database,
        "bulk_updates",
        {"id": int, "batch_id": int, "form": str, "group_key": str, **times, **content},
        nullable=times,
        indexes=[["batch_id"]],
    )
    _table(
        database,
        "checkpoints",
        {"id": int, "batch_id": int, "group_key": str, "profiles": int, "parquet": bytes},
    )
    _create_compactions(database)


def _create_compactions(database: sqlite_utils.Database) -> None:
    _table(
        database,
        "compactions",
        {"id": int, "time": str, "batch_id": int, "through_batch_id": int},
    )
    _table(
        database,
        "bases",
        {"id": int, "group_key": str, "clock": str, "profiles": int, "parquet": bytes},
    )


def _only_refused_by_older(database: sqlite_utils.Database) -> None:
    """Do nothing: the layout is new because an older toolkit would misread its rows."""


#: What turns a layout into the next. Layout 3 has no other tables: an older toolkit would
#: take an undo in columns for an import.
MIGRATIONS: Final[Mapping[int, Callable[[sqlite_utils.Database], None]]] = MappingProxyType(
    {1: _create_compactions, 2: _only_refused_by_older}
)

# What the columns of these names refer to.
_REFERENCES: Final = {"batch_id": "batches", "undoes": "batches"}


def _table(
    database: sqlite_utils.Database,
    name: str,
    columns: Mapping[str, Any],
    *,
    nullable: Iterable[str] = (),
    unique: list[str] | None = None,
    indexes: Iterable[list[str]] = (),
) -> None:
    # Nothing of this commits: it is part of the transaction that is open.
    key = "id" if "id" in columns else None
    table = database.create_table(
        name,
        dict(columns),
        pk=key,
        not_null={each for each in columns if each != key} - set(nullable),
        foreign_keys=[(each, _REFERENCES[each], "id") for each in columns if each in _REFERENCES],
    )
    for each in [*indexes, *([unique] if unique else [])]:
        table.create_index(each, index_name=f"{name}_{each[-1]}", unique=each is unique)
