"""What expressions see of profiles, and what the values they give add up to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from toolkit.columns import Codes, Column, Instants, Snapshot
from toolkit.updates import is_number


@dataclass(frozen=True, eq=False)
class ProfileScope:
    """What an expression sees that is worked out once a profile."""

    snapshot: Snapshot

    def __len__(self) -> int:
        return len(self.snapshot)

    def column(self, side: str, name: str) -> Column | Instants:
        assert side == "user"
        return self.snapshot.column(name)


@dataclass(frozen=True, eq=False)
class ColumnScope:
    """What an expression sees of users of whom every property it asks for is the same column."""

    cells: Column

    def __len__(self) -> int:
        return len(self.cells)

    def column(self, side: str, name: str) -> Column | Instants:
        assert side == "user"
        return self.cells


@dataclass(frozen=True, eq=False)
class EveryScope:
    """What a breakdown sees that is worked out once a profile, and last for no profile."""

    snapshot: Snapshot

    def __len__(self) -> int:
        return len(self.snapshot) + 1

    def column(self, side: str, name: str) -> Column | Instants:
        assert side == "user"
        return self.snapshot.column(name).followed_by(Column.absent(1))


def added_up(column: Column, ids: Codes, size: int) -> Column:
    """Return the sum of the numbers of each ID, 0 where there are none."""
    if column.kind == "json":
        numbers = [cell if is_number(cell) else 0 for cell in column.cells()]
        column = Column.of(numbers) if len(numbers) else Column.absent(0)
    if column.kind == "json":  # integers of any size
        sums = [0] * size
        for owner, number in zip(ids.tolist(), column.cells(), strict=True):
            sums[owner] += number
        return Column.of(sums)
    if column.kind not in ("int", "float"):
        return Column.of_array(np.zeros(size, np.int64))
    values = np.where(column.has_value, column.values, 0)
    if column.kind == "int" and np.abs(values.astype(np.float64)).sum() < 2**62:
        exact = np.zeros(size, np.int64)
        np.add.at(exact, ids, values)
        return Column.of_array(exact)
    return Column.of_array(np.bincount(ids, weights=values, minlength=size))
