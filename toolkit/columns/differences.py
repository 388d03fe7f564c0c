"""What differs between two states: of one profile, or of the cells of many."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from toolkit.base import ABSENT, Json, copied, dumps, equal
from toolkit.columns.column import Column, Mask, cell_frame, objects
from toolkit.columns.snapshot import Snapshot

#: So many differences are kept for showing.
SHOWN: Final = 100

# Equal values of one of these types are written the same.
_PLAIN: Final = (str, int, bool)
_KINDS: Final = ("added", "changed", "removed")


class Difference(NamedTuple):
    """One property of a profile before and after.

    Attributes
    ----------
    distinct_id
        Whose; ``""`` where only one profile is compared.
    property
        Which, None for the profile itself.
    old, new
        The values; ABSENT where there is none.
    """

    distinct_id: str
    property: str | None
    old: Any
    new: Any

    @builtins.property
    def change(self) -> str:
        """What was done; ``"rewritten"`` if the values are equal as JSON, such as 1 and 1.0."""
        if self.old is ABSENT:
            return "created" if self.property is None else "added"
        if self.new is ABSENT:
            return "deleted" if self.property is None else "removed"
        if type(self.old) is type(self.new) and type(self.old) in _PLAIN:
            return "kept" if self.old == self.new else "changed"
        if not equal(self.old, self.new):
            return "changed"
        return "kept" if dumps(self.old) == dumps(self.new) else "rewritten"


def differences(
    before: Mapping[str, Json] | None, after: Mapping[str, Json] | None
) -> list[Difference]:
    """Return every property of a profile before and after, those too that are kept.

    They are in the order of *after*; what is gone is where it was.

    >>> [each.change for each in differences({"a": 1, "b": 2, "d": 5}, {"b": 3, "c": 4, "d": 5})]
    ['removed', 'changed', 'added', 'kept']
    """
    left, right = before or {}, after or {}
    gone = [name for name in left if name not in right]
    places = {name: place for place, name in enumerate(left)}
    names: list[str] = []
    for name in right:
        while gone and name in places and places[gone[0]] < places[name]:
            names.append(gone.pop(0))
        names.append(name)
    return [
        Difference("", name, left.get(name, ABSENT), right.get(name, ABSENT))
        for name in [*names, *gone]
    ]


def difference_frame(
    rows: Iterable[Difference],
    titles: Sequence[str] = ("distinct_id", "property", "change", "old", "new"),
) -> pd.DataFrame:
    """Return differences as a DataFrame, a row each; ABSENT, and a whole profile, is NaN."""
    listed = list(rows)
    cells: dict[str, list[Any]] = {
        "property": [each.property for each in listed],
        "change": [each.change for each in listed] if "change" in titles else [],
        "old": [_shown(name, value) for _, name, value, _ in listed],
        "new": [_shown(name, value) for _, name, _, value in listed],
    }
    ids = pd.Series([each.distinct_id for each in listed], dtype="str")
    shown = {title: objects(cells[title]) for title in titles if title != "distinct_id"}
    return cell_frame({"distinct_id": ids, **shown})


def _shown(name: str | None, value: Any) -> Any:
    return np.nan if value is ABSENT or name is None else copied(value)


@dataclass(frozen=True, eq=False, slots=True)
class Differences:
    """How many profiles differ, as columns.

    Attributes
    ----------
    created, deleted, updated
        Which profiles there are only after, only before, and in both with a difference.
    cells
        For each property with a difference, which rows have one.
    properties
        DataFrame: ``property``, and how many cells were ``added``, ``changed`` and
        ``removed`` (``int64``); the properties without a difference are left out.
    rows
        The differences, profile by profile: all of them, or the first.
    """

    created: Mask
    deleted: Mask
    updated: Mask
    cells: Mapping[str, Mask]
    properties: pd.DataFrame
    rows: list[Difference]


def compare(
    ids: pa.Array,
    before: Mapping[str, Column],
    after: Mapping[str, Column],
    there: tuple[Mask, Mask],
    at_most: int | None = SHOWN,
) -> Differences:
    """Return how the cells of profiles differ.

    Parameters
    ----------
    ids
        The distinct IDs, pyarrow ``large_string``.
    before, after
        For each property a column of as many cells. One that is in neither, or in one
        only, is absent there.
    there
        Which profiles there are before and after.
    at_most
        So many differences of cells are listed; None: all, and those of whole profiles.
    """
    length = len(ids)
    created, deleted = there[1] & ~there[0], there[0] & ~there[1]
    differs: Mask = np.zeros(length, np.bool_)
    cells: dict[str, Mask] = {}
    counts: list[tuple[str, int, int, int]] = []
    first: list[tuple[int, int, str | None, Any, Any]] = []
    if at_most is None:
        first += [(at, -1, None, ABSENT, {}) for at in np.flatnonzero(created).tolist()]
        first += [(at, -1, None, {}, ABSENT) for at in np.flatnonzero(deleted).tolist()]
    for place, name in enumerate(dict.fromkeys([*after, *before])):
        old = before[name] if name in before else Column.absent(length)
        new = after[name] if name in after else Column.absent(length)
        other = ~old.equals(new)
        if not other.any():
            continue
        cells[name] = other
        differs |= other
        kinds = (other & ~old.is_present, other & old.is_present & new.is_present)
        numbers = [int(kind.sum()) for kind in kinds]
        counts.append((name, *numbers, int(other.sum()) - sum(numbers)))  # type: ignore[arg-type]
        picked = np.flatnonzero(other)[:at_most]
        values = zip(
            picked.tolist(), old.take(picked).cells(), new.take(picked).cells(), strict=True
        )
        first += [(at, place, name, was, is_now) for at, was, is_now in values]
    first.sort(key=lambda each: each[:2])
    first = first[:at_most]
    keys = ids.take(pa.array([each[0] for each in first], pa.int64())).to_pylist()
    rows = [Difference(key, *each[2:]) for key, each in zip(keys, first, strict=True)]
    properties = pd.DataFrame(counts, columns=["property", *_KINDS])
    properties = properties.astype(dict.fromkeys(_KINDS, "int64"))
    return Differences(created, deleted, differs & there[0] & there[1], cells, properties, rows)


def compare_snapshots(before: Snapshot, after: Snapshot) -> list[Difference]:
    """Return what differs between two moments, whole profiles too.

    Profiles are in the order of *after*, then those that are gone.
    """
    ids = pa.concat_arrays([after.ids, before.ids]).unique()
    then, now = before.positions(ids), after.positions(ids)
    left = {name: column.take(then) for name, column in before.columns.items()}
    right = {name: column.take(now) for name, column in after.columns.items()}
    return compare(ids, left, right, (then >= 0, now >= 0), at_most=None).rows
