"""The rows that an expression is evaluated on, and all that it may ask of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from toolkit.base import ExpressionError
from toolkit.columns import Column, Instants, Positions, ProfileRows, Snapshot
from toolkit.expressions.tree import Property, Side, Tally, group_key_of


class Scope(ABC):
    """The rows an expression is evaluated on, such as profiles, or events with their users.

    Every scope has rows and columns. What else an expression may ask is refused here, and
    answered by the scopes that can.
    """

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of rows."""

    @abstractmethod
    def column(self, side: Side, name: str) -> Column | Instants:
        """Return a property, one cell per row, absent throughout if no row has it.

        Raises
        ------
        ExpressionError
            If the rows have no properties of that side.
        """

    def spread(self, sides: AbstractSet[Side]) -> Spread | None:
        """Return where the properties of these sides have one value per row, None for here."""
        return None

    def tally(self, node: Tally) -> Column:
        """Return how often each row's user did an event, or what it adds up to.

        Raises
        ------
        ExpressionError
            If there are no events.
        """
        raise ExpressionError(
            f"{node.text} counts events, and there are none here; use it in tk.cohort or in "
            "a report, which have events"
        )

    def members(self, name: str) -> pa.Array:
        """Return the distinct IDs of the cohort that was saved under a name.

        Raises
        ------
        ExpressionError
            If there are no saved cohorts.
        """
        raise ExpressionError(
            f'cohort("{name}") names a saved cohort, and there are none here; give the '
            "cohort itself"
        )

    def distinct_ids(self) -> pa.Array:
        """Return the distinct ID of each row's user, null for none.

        Raises
        ------
        ExpressionError
            If the rows have no users.
        """
        raise ExpressionError("a cohort contains users, and there are none here")


@dataclass(frozen=True, eq=False)
class Spread:
    """Rows that each have several rows of another scope, such as events and their groups.

    Attributes
    ----------
    scope
        The other scope.
    cells
        Rows of it.
    owners
        The row that each of the cells belongs to, ascending, at least one per row; None if
        there is exactly one per row.
    """

    scope: Scope
    cells: Any
    owners: Positions | None


class SnapshotScope(Scope):
    """The profiles of a snapshot: one row per profile, user properties only.

    ``user["$last_seen"]`` is Updated At, a time, and ``user["$distinct_id"]`` the
    distinct ID. The profiles of a *group_key* have the properties of its groups instead.
    *saved* returns the distinct IDs of a saved cohort.

    Examples
    --------
    >>> from toolkit.expressions import mask_of, user
    >>> snapshot = Snapshot.empty(["plan"])
    >>> mask_of(user["plan"] == "pro", SnapshotScope(snapshot))
    array([], dtype=bool)
    """

    def __init__(
        self,
        snapshot: Snapshot,
        group_key: str | None = None,
        saved: Callable[[str], pa.Array] | None = None,
    ) -> None:
        self._snapshot = snapshot
        self._group_key = group_key
        self._saved = super().members if saved is None else saved

    @property
    def snapshot(self) -> Snapshot:
        """The profiles."""
        return self._snapshot

    def __len__(self) -> int:
        return len(self._snapshot)

    def column(self, side: Side, name: str) -> Column | Instants:
        """Return a user property, one cell per profile.

        Raises
        ------
        ExpressionError
            For an event property, and for First Seen, which needs events.
        """
        if side == "event":
            raise ExpressionError(
                f"{Property(side, name)!r} is a property of events, and profiles alone have none; "
                f"use {Property('user', name)!r}, or a report, which has events"
            )
        key = group_key_of(side)
        if key is not None and key != self._group_key:
            whose = "users" if self._group_key is None else f"groups ({self._group_key})"
            raise ExpressionError(
                f"{Property(side, name)!r} is a property of groups, and these are profiles of "
                f'{whose}; ask profiles.groups("{key}"), or a report, whose events name groups'
            )
        return ProfileRows(self._snapshot).column(name)

    def members(self, name: str) -> pa.Array:
        """Return the distinct IDs of a saved cohort.

        Raises
        ------
        ExpressionError
            If there are no saved cohorts.
        """
        return self._saved(name)

    def distinct_ids(self) -> pa.Array:
        """Return the distinct ID of each profile."""
        return self._snapshot.ids
