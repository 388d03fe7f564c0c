"""What differs between the cells of some profiles before and after: counts, and a look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from toolkit.base import ABSENT, copied
from toolkit.columns import Column, Mask, cell_frame, objects

#: So many changes are kept for showing.
SHOWN: Final = 100

_KINDS: Final = ("added", "changed", "removed")


@dataclass(frozen=True, eq=False, slots=True)
class Comparison:
    """How cells differ.

    Attributes
    ----------
    length
        How many profiles were compared.
    differs
        For each property with a difference, which rows have one.
    properties
        DataFrame: ``property``, and how many cells were ``added``, ``changed`` and
        ``removed`` (``int64``); the properties without a difference are left out.
    changes
        DataFrame of the first differences: ``distinct_id``, ``property``, ``change``,
        ``old`` and ``new`` (``object``; NaN where there is nothing), profile by profile.
    """

    length: int
    differs: Mapping[str, Mask]
    properties: pd.DataFrame
    changes: pd.DataFrame

    @property
    def rows(self) -> Mask:
        """Which rows have a difference."""
        rows: Mask = np.zeros(self.length, np.bool_)
        for mask in self.differs.values():
            rows |= mask
        return rows


def compare(ids: pa.Array, before: Mapping[str, Column], after: Mapping[str, Column]) -> Comparison:
    """Return how the cells of profiles differ.

    Parameters
    ----------
    ids
        The distinct IDs, pyarrow ``large_string``.
    before, after
        For each property a column of as many cells. One that is in neither, or in one
        only, is absent there.
    """
    length = len(ids)
    differs: dict[str, Mask] = {}
    counts: list[tuple[str, int, int, int]] = []
    first: list[tuple[int, int, str, str, Any, Any]] = []
    for place, name in enumerate(dict.fromkeys([*before, *after])):
        old = before[name] if name in before else Column.absent(length)
        new = after[name] if name in after else Column.absent(length)
        other = ~old.equals(new)
        if not other.any():
            continue
        differs[name] = other
        was, is_now = old.is_present, new.is_present
        kinds = (other & ~was, other & was & is_now, other & ~is_now)
        counts.append((name, *(int(kind.sum()) for kind in kinds)))  # type: ignore[arg-type]
        for at in np.flatnonzero(other)[:SHOWN].tolist():
            kind = _KINDS[next(each for each, mask in enumerate(kinds) if mask[at])]
            first.append((at, place, name, kind, _shown(old, at), _shown(new, at)))
    first.sort(key=lambda each: each[:2])
    first = first[:SHOWN]
    shown = ids.take(pa.array([each[0] for each in first], pa.int64())).to_pylist()
    titles = ("property", "change", "old", "new")
    cells = {title: objects([each[at] for each in first]) for at, title in enumerate(titles, 2)}
    changes = cell_frame({"distinct_id": pd.Series(shown, dtype="str"), **cells})
    properties = pd.DataFrame(counts, columns=["property", *_KINDS])
    return Comparison(length, differs, properties.astype(dict.fromkeys(_KINDS, "int64")), changes)


def _shown(column: Column, at: int) -> Any:
    value = column.cell(at)
    return np.nan if value is ABSENT else copied(value)
