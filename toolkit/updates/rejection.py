"""What was refused, wherever it was, and why: one type, one table, one way to print it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import pandas as pd
import pyarrow as pa

from toolkit.base import glimpse, printable

#: What a table of cells left out has of a rejection.
CELLS: Final = ("distinct_id", "property", "reason")

# So many are printed.
_SHOWN_ROWS: Final = 5


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why an update, or one property of it, was not applied (MSG-3).

    Attributes
    ----------
    index
        Its place in the batch, or the row; -1 for what is of no single update.
    distinct_id, operator, property
        Where in it, as far as that is known.
    reason
        Why.
    rule
        The rule by which it was refused, as in ``docs/rules.md``; "" for none.
    """

    index: int = -1
    distinct_id: str | None = None
    operator: str | None = None
    property: str | None = None
    reason: str = ""
    rule: str = ""

    def at(self, index: int, distinct_id: str) -> Rejection:
        """Return it with its place, which an operator does not know."""
        return Rejection(index, distinct_id, self.operator, self.property, self.reason, self.rule)


class CellRejections(NamedTuple):
    """The same property of many profiles refused for the same reason, as a column of IDs."""

    ids: pa.Array
    property: str | None
    reason: str


def rejections_of(parts: Iterable[CellRejections]) -> Iterator[Rejection]:
    """Yield the rejection of each cell, which columns hold together."""
    for ids, name, reason in parts:
        for key in ids.to_pylist():
            yield Rejection(-1, key, None, name, reason)


def rejection_frame(
    rejected: Iterable[Rejection],
    columns: Sequence[str] = ("index", "distinct_id", "operator", "property", "reason"),
) -> pd.DataFrame:
    """Return rejections as a DataFrame: ``index`` is ``int64``, the others are ``object``."""
    rows = [[_shown(getattr(each, name)) for name in columns] for each in rejected]
    frame = pd.DataFrame(rows, columns=list(columns), dtype=object)
    return frame.astype({"index": "int64"}) if "index" in columns else frame


def first_rejections(rejected: pd.DataFrame, word: str) -> list[str]:
    """Return the first rows of a table of rejections as lines, and how many more there are."""
    lines = []
    for row in rejected.head(_SHOWN_ROWS).to_dict("records"):
        reason, index = row.pop("reason"), row.pop("index", None)
        start = f"{word}: " if index is None else f"{word} [{index}] "
        lines.append(f"{start}{' '.join(filter(None, row.values()))}: {reason}")
    if (more := len(rejected) - _SHOWN_ROWS) > 0:
        lines.append(f"… and {more:,} more {word}")
    return lines


def _shown(value: Any) -> Any:
    """Return what was rejected as text that can be printed, however it was sent."""
    if value is None or isinstance(value, int):
        return value
    return printable(value) if isinstance(value, str) else glimpse(value)
