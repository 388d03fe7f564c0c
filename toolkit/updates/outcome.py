"""What becomes of many updates: counts, and what was refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from toolkit.columns import Difference
from toolkit.updates.columnar import Updates
from toolkit.updates.messages import Message
from toolkit.updates.rejection import Rejection
from toolkit.updates.state import Change

#: A message and its index in the batch as the caller sent it.
Indexed: TypeAlias = tuple[int, Message]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of many updates (MSG-3).

    Attributes
    ----------
    applied
        Updates accepted, wholly or in part; among them are those without effect.
    created, updated, deleted
        Those that made, changed or deleted a profile.
    unchanged
        Those that had nothing to do, such as a ``$remove`` of a value that is not there.
    rejections
        What was refused.
    batch_id
        The batch in the log, None if nothing was written.
    """

    applied: int = 0
    created: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    rejections: Sequence[Rejection] = ()
    batch_id: int | None = None

    @property
    def effects(self) -> dict[str, int]:
        """How many created, updated or deleted a profile, or left all unchanged."""
        return {
            "created": self.created,
            "updated": self.updated,
            "deleted": self.deleted,
            "unchanged": self.unchanged,
        }

    def __add__(self, other: Outcome) -> Outcome:
        counts = {name: number + getattr(other, name) for name, number in self.effects.items()}
        rejections = [*self.rejections, *other.rejections]
        return Outcome(self.applied + other.applied, **counts, rejections=rejections)


@dataclass(slots=True)
class Planned:
    """What updates lead to in one table, and what becomes of them."""

    change: Change = field(default_factory=Change)
    outcome: Outcome = field(default_factory=Outcome)
    #: The updates accepted, without what was refused of them.
    accepted: Updates = field(default_factory=list)
    #: How many cells held another value (or null) before, where that was counted; and the
    #: first of them.
    changed_cells: int = 0
    changes: list[Difference] = field(default_factory=list)
