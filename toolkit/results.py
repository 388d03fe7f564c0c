"""What a caller learns of a batch: what was applied and what was not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from functools import cached_property

import pandas as pd

from toolkit import html
from toolkit.messages import Rejection


def rejection_frame(rejected: Iterable[Rejection]) -> pd.DataFrame:
    """Return rejections as a DataFrame: index, distinct_id, operator, property, reason."""
    columns = [each.name for each in fields(Rejection)]
    rows = [astuple(each) for each in rejected]
    return pd.DataFrame(rows, columns=columns, dtype=object).astype({"index": "int64"})


@dataclass(frozen=True, eq=False)
class ApplyResult:
    """What became of a batch of messages (MSG-3).

    Attributes
    ----------
    applied
        Messages accepted, wholly or in part; among them are those without effect.
    created, updated, deleted
        Messages that made, changed or deleted a profile.
    unchanged
        Messages accepted that had nothing to do, such as a ``$remove`` of a value
        that is not there.
    rejections, cautions
        What :attr:`rejected` and :attr:`warnings` show.
    batch_id
        The batch in the log, None if nothing was accepted.
    """

    applied: int
    created: int
    updated: int
    deleted: int
    unchanged: int
    rejections: Sequence[Rejection] = ()
    cautions: Sequence[Rejection] = ()
    batch_id: int | None = None

    # Frames are made when somebody looks: a single update takes microseconds,
    # a DataFrame a millisecond.
    @cached_property
    def rejected(self) -> pd.DataFrame:
        """A row for each message or property left out.

        Columns ``index`` (``int64``, place of the message in the batch, from 0),
        ``distinct_id``, ``operator``, ``property`` and ``reason`` (``object``; None where
        there is none).
        """
        return rejection_frame(self.rejections)

    @cached_property
    def warnings(self) -> pd.DataFrame:
        """The same columns, for what was applied but not as sent, or is worth a look."""
        return rejection_frame(self.cautions)

    def _counts(self) -> str:
        counts = {
            "applied": self.applied,
            "created": self.created,
            "updated": self.updated,
            "deleted": self.deleted,
            "without effect": self.unchanged,
            "rejected": len(self.rejections),
            "warnings": len(self.cautions),
        }
        shown = [f"{count:,} {name}" for name, count in counts.items() if count]
        return ", ".join(shown) or "nothing to apply"

    def __repr__(self) -> str:
        lines = [f"<ApplyResult: {self._counts()}>"]
        for title, frame in (("rejected", self.rejected), ("warnings", self.warnings)):
            for index, *where, reason in frame.head(5).to_numpy().tolist():
                place = " ".join(part for part in where if part is not None)
                lines.append(f"  {title} [{index}] {place}: {reason}")
            if len(frame) > 5:
                lines.append(f"  … and {len(frame) - 5:,} more {title}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        parts = [html.paragraph(self._counts())]
        for title, frame in (("Rejected", self.rejected), ("Warnings", self.warnings)):
            if len(frame):
                parts += [html.paragraph(f"{title}:"), html.table(frame)]
        return html.card("Batch applied", *parts)
