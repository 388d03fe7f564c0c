"""Taking who was deleted, and whose history is forgotten, out of what is kept by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import pyarrow as pa

from toolkit.base import count, dumps, loads
from toolkit.store.log import Compaction, Log
from toolkit.updates import ColumnarUpdates

# The kind and the key of lists of distinct IDs.
_COHORTS: Final = "cohorts"
_IDS: Final = "ids"
# So many are named in a note.
_NAMED: Final = 3


def deleted_ids(log: Log, to: Compaction) -> set[str]:
    """Return the IDs that a ``$delete`` was for, in the batches that are to be compacted."""
    ids: set[str] = set()
    for batch in log.batches():
        for part in log.updates(batch.id) if batch.id <= to.batch else ():
            if isinstance(part, ColumnarUpdates):
                ids.update(part.ids.filter(pa.array(part.deletes)).to_pylist())
            else:
                ids.update(message.distinct_id for _, message in part if message.deletes)
    return ids


def named_ids(log: Log) -> set[str]:
    """Return the IDs that the updates of a log are for."""
    ids: set[str] = set()
    for batch in log.batches():
        for part in log.updates(batch.id):
            if isinstance(part, ColumnarUpdates):
                ids.update(part.ids.to_pylist())
            else:
                ids.update(message.distinct_id for _, message in part)
    return ids


def erased(kind: str, kept: Mapping[str, Any], gone: set[str]) -> tuple[dict[str, Any], list[str]]:
    """Return what takes the place of what is kept (None: nothing), and notes for a person.

    Parameters
    ----------
    kind
        What is kept, such as ``"cohorts"``.
    kept
        Values by name.
    gone
        The IDs that are to be forgotten.
    """
    changes: dict[str, Any] = {}
    notes: list[str] = []
    for name, value in kept.items():
        named = gone & {*_texts(name), *_texts(value)}
        if kind == _COHORTS and isinstance(value, dict) and isinstance(value.get(_IDS), list):
            changes |= _without(name, value, named, notes)
            text = f"{dumps(name)} {dumps({**value, _IDS: []})}"
            _note_mentions(name, [key for key in gone if _mentions(text, key)], notes)
        elif named:
            changes[name] = None
            notes.append(f"What was kept of {kind} named a deleted profile, and was forgotten.")
    return changes, notes


def _without(name: str, value: dict[str, Any], gone: set[str], notes: list[str]) -> dict[str, Any]:
    left = [key for key in value[_IDS] if key not in gone]
    if not (fewer := len(value[_IDS]) - len(left)):
        return {}
    notes.append(
        f"{count(fewer, 'distinct ID')} of deleted profiles {'was' if fewer == 1 else 'were'} "
        f"taken out of the cohort {dumps(name)}."
    )
    return {name: {**value, _IDS: left}}


def _note_mentions(name: str, keys: list[str], notes: list[str]) -> None:
    if keys:
        shown = ", ".join(map(dumps, sorted(keys)[:_NAMED]))
        notes.append(
            f"The cohort {dumps(name)} still names {shown} in its name or condition; delete it to "
            "forget that too."
        )


def _mentions(text: str, key: str) -> bool:
    """Whether a text names an ID in quotes, as conditions do; JSON in JSON has \\" for them."""
    quoted = dumps(key)
    return quoted in text or dumps(quoted)[1:-1] in text


def _texts(value: Any) -> Iterator[str]:
    """Yield every text in a JSON value; a text that is JSON itself is looked into."""
    if isinstance(value, str):
        yield value
        if value[:1] in ("[", "{"):
            try:
                yield from _texts(loads(value))
            except ValueError:
                return
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, dict):
        for name, each in value.items():
            yield name
            yield from _texts(each)
