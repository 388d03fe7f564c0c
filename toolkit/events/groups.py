"""Events meet the profiles of the groups they name: a company, an account, a project.

An event names its groups by their IDs, in the property that is called like the group
key: one ID, or a list of several (GROUP-2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from toolkit.base import NO_TIME, JoinError, quoted
from toolkit.columns import (
    COMPUTED,
    CodedLists,
    Codes,
    Column,
    Instants,
    Mask,
    Positions,
    ProfileRows,
    Snapshot,
)
from toolkit.events.events import Events
from toolkit.expressions import Scope, Side, Spread, Tally, group_key_of, group_side
from toolkit.store import Timeline


def require_past(name: str) -> None:
    """Refuse a property of which nobody knows what it was.

    Raises
    ------
    JoinError
        If it is computed, from the latest state alone.
    """
    if name in COMPUTED:
        raise JoinError(f'"{name}" has no past; use at="latest"')


@dataclass(frozen=True, eq=False)
class KeyedGroups:
    """The groups of one key that events name, next to their profiles.

    Attributes
    ----------
    key
        The group key.
    events
        The events.
    table
        The profiles of the groups, a ProfileTable.
    has_past
        Whether each event meets the state its groups had then (JOIN-4).
    """

    key: str
    events: Events
    table: Any
    has_past: bool

    @cached_property
    def ids(self) -> CodedLists:
        """The group IDs that each event names."""
        return self.events.groups(self.key)

    @cached_property
    def snapshot(self) -> Snapshot:
        """The latest state of the profiles."""
        snapshot: Snapshot = self.table.snapshot()
        return snapshot

    @cached_property
    def rows(self) -> Positions:
        """The profile of each group ID, -1 for none; and a last -1 for no ID."""
        return np.append(self.snapshot.positions(self.ids.texts), -1)

    @cached_property
    def names_any(self) -> Mask:
        """Whether each event names a group."""
        named = np.zeros(self.ids.length, np.bool_)
        named[self.ids.rows[self.ids.codes >= 0]] = True
        return named

    @cached_property
    def _codes(self) -> Codes:
        return np.append(self.ids.codes, np.int32(-1))

    def codes(self, places: Positions) -> Codes:
        """Return the group ID at each place of ``ids.codes``, -1 for none."""
        codes: Codes = self._codes[places]
        return codes

    def cells(self, name: str) -> Column | Instants:
        """Return a property, one cell per group ID and a last one for none."""
        return ProfileRows(self.snapshot, self.rows, first_seen=self._first_times).column(name)

    def _first_times(self) -> Positions:
        """Return the time of the first event in reports that names each group, last of none."""
        rows = self.ids.rows
        taking_part = self.events.is_counted[rows] & (self.ids.codes >= 0)
        latest = np.iinfo(np.int64).max
        first = np.full(len(self.ids.texts), latest)
        np.minimum.at(first, self.ids.codes[taking_part], self.events.times[rows[taking_part]])
        return np.append(np.where(first == latest, NO_TIME, first), NO_TIME)

    def cells_at(self, name: str, places: Positions) -> Column | Instants:
        """Return a property next to each of some events and groups.

        Parameters
        ----------
        name
            The property.
        places
            Places of ``ids.codes``, -1 for none.
        """
        if not self.has_past:
            return self.cells(name).take(self.codes(places).astype(np.int64))
        require_past(name)
        line: Timeline = self.table.timeline(name)
        moments = np.append(self.events.times[self.ids.rows], NO_TIME)[places]
        codes = self.codes(places).astype(np.int64)
        line.require_past(moments[codes >= 0], "groups")
        return line.at(self.ids.texts, codes, moments)

    def without_profile(self, rows: Positions) -> tuple[int, int, int]:
        """Return how much of some events has no profile.

        Returns
        -------
        events, ids, nameless
            How many events name a group without a profile, how many groups those are, and
            how many events name none.
        """
        owners, places = self.ids.beside(rows)
        owners = np.arange(len(rows)) if owners is None else owners
        codes = self.codes(places)
        lacks = (codes >= 0) & (self.rows[codes] < 0)
        return (
            len(np.unique(owners[lacks])),
            int(np.count_nonzero(np.bincount(codes[lacks], minlength=1))),
            int((codes < 0).sum()),
        )


class GroupTables:
    """The groups that events name, by group key.

    Parameters
    ----------
    events
        The events.
    profiles
        What a report or join was given as profiles.
    has_past
        Whether each event meets the state its groups had then.
    """

    def __init__(self, events: Events, profiles: Any, *, has_past: bool) -> None:
        self._events = events
        self._profiles = profiles
        self._has_past = has_past
        self._known: dict[str, KeyedGroups] = {}

    def __getitem__(self, key: str) -> KeyedGroups:
        """Return the groups of one key.

        Raises
        ------
        JoinError
            If there are no profiles of groups.
        EventsError
            If the events have no property of that name.
        """
        if not isinstance(key, str):
            raise JoinError(f'group={quoted(key):.60}; a group key such as "company" is needed')
        if key not in self._known:
            asked = f'{group_side(key)}["…"]'
            if self._profiles is None:
                raise JoinError(
                    f"{asked} needs profiles, and profiles is None; give a ProfileTable"
                )
            if not hasattr(self._profiles, "groups"):
                raise JoinError(
                    f"{asked} needs the ProfileTable itself, which has the profiles of groups, not "
                    f"{type(self._profiles).__name__}; filter with where= instead"
                )
            table = self._profiles.groups(key)
            groups = KeyedGroups(key, self._events, table, self._has_past)
            _ = groups.ids  # refused here, if the events name no groups
            self._known[key] = groups
        return self._known[key]

    def spread(
        self, scope: Scope, sides: Iterable[Side], rows_of: Callable[[str], Positions]
    ) -> Spread | None:
        """Return the rows of a scope for each of their groups, None if no side is of groups.

        Parameters
        ----------
        scope
            What is next to each row.
        sides
            Those that are to be looked at.
        rows_of
            Returns the event that each row of the scope has its groups from, by group key; -1
            for none.
        """
        sides = set(sides)
        keys = [key for key in map(group_key_of, sorted(sides)) if key is not None]
        if not keys:
            return None
        if len(sides) == 1 and not self._has_past:
            # Worked out once a group.
            groups = self[keys[0]]
            owners, places = groups.ids.beside(rows_of(keys[0]))
            return Spread(_GroupScope(groups), groups.codes(places), owners)
        owners = None
        result: dict[str, Positions] = {}
        for key in keys:
            rows = rows_of(key)
            further, places = self[key].ids.beside(rows if owners is None else rows[owners])
            if further is not None:
                owners = further if owners is None else owners[further]
                result = {name: at[further] for name, at in result.items()}
            result[key] = places
        length = len(scope) if owners is None else len(owners)
        within = _SpreadScope(scope, self, owners, result, length)
        return Spread(within, np.arange(length), owners)


@dataclass(frozen=True, eq=False)
class _GroupScope(Scope):
    """What an expression sees that is worked out once a group ID, and last for none."""

    groups: KeyedGroups

    def __len__(self) -> int:
        return len(self.groups.ids.texts) + 1

    def column(self, side: Side, name: str) -> Column | Instants:
        return self.groups.cells(name)


@dataclass(frozen=True, eq=False)
class _SpreadScope(Scope):
    """What an expression sees that is worked out once an event and group."""

    scope: Scope
    groups: GroupTables
    owners: Positions | None
    places: dict[str, Positions]
    length: int

    def __len__(self) -> int:
        return self.length

    def column(self, side: Side, name: str) -> Column | Instants:
        key = group_key_of(side)
        if key is not None:
            return self.groups[key].cells_at(name, self.places[key])
        cells = self.scope.column(side, name)
        return cells if self.owners is None else cells.take(self.owners)

    def tally(self, node: Tally) -> Column:
        cells = self.scope.tally(node)
        return cells if self.owners is None else cells.take(self.owners)

    def distinct_ids(self) -> pa.Array:
        ids = self.scope.distinct_ids()
        return ids if self.owners is None else ids.take(pa.array(self.owners))

    def members(self, name: str) -> pa.Array:
        return self.scope.members(name)
