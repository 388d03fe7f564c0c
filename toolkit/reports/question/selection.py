"""Which events a report counts, and what is next to each: its user, time and segment."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set as AbstractSet
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Final

import numpy as np
import pyarrow as pa

from toolkit.base import (
    HIDDEN,
    NO_TIME,
    EventsError,
    ReportError,
    count,
    did_you_mean,
    listed,
)
from toolkit.columns import COMPUTED, Codes, Column, Instants, Mask, Positions, Snapshot
from toolkit.events import (
    AnyEvents,
    At,
    Events,
    GroupTables,
    Named,
    Past,
    Profiles,
    as_events,
    as_past,
    as_snapshot,
    user_cells,
)
from toolkit.expressions import (
    Expression,
    Property,
    Scope,
    Side,
    Spread,
    Tally,
    conjuncts,
    evaluate,
    group_key_of,
    group_side,
    is_known,
    mask_of,
    never_true,
    period,
    user_property,
)
from toolkit.profiles import saved_ids
from toolkit.reports.question.breakdowns import Breakdown
from toolkit.reports.question.periods import Periods
from toolkit.reports.question.segments import Segments
from toolkit.updates import is_number

# So many events at a time.
_PIECE: Final = 2**16
_EARLIEST: Final = int(np.iinfo(np.int64).min) + 1


@dataclass(frozen=True, eq=False)
class Selection:
    """Some of the events, next to their users.

    Attributes
    ----------
    events
        All the events.
    snapshot
        The profiles; None if the report was given none.
    rows
        Which of the events; None for all, or as in *base*.
    past
        The states of the users at the times of the events (JOIN-4); None where the
        latest state counts.
    known_groups
        The groups that the events name.
    now
        The moment that "the last 30 days" end at, in microseconds since 1970 UTC; None is
        the last event.
    saved
        Returns the distinct IDs of a saved cohort.
    base, places
        If all are of one name: the events of that name, and which of them these are,
        ascending; None for all of them.
    """

    events: Events
    snapshot: Snapshot | None
    rows: Positions | None = None
    past: Past | None = None
    known_groups: GroupTables | None = None
    now: int | None = None
    saved: Callable[[str], pa.Array] | None = None
    base: Named | None = None
    places: Positions | None = None

    @classmethod
    def of(cls, events: AnyEvents, profiles: Profiles | None, at: At) -> Selection:
        """Return all events next to the users they are to be joined with."""
        events = as_events(events)
        snapshot = None if profiles is None else as_snapshot(profiles)
        past = as_past(events, profiles, at)
        groups = GroupTables(events, profiles, has_past=past is not None)
        saved = partial(saved_ids, profiles)
        return cls(events, snapshot, past=past, known_groups=groups, saved=saved)

    @property
    def groups(self) -> GroupTables:
        """The groups that the events name, next to their profiles."""
        if self.known_groups is None:
            return GroupTables(self.events, None, has_past=False)
        return self.known_groups

    @cached_property
    def positions(self) -> Positions | None:
        """The rows of the selected events, ascending; None for all."""
        if self.base is None:
            return self.rows
        # Not before somebody asks: numbers and times are beside the base itself.
        return self.base.rows if self.places is None else self.base.rows[self.places]

    @cached_property
    def visible(self) -> Selection:
        """Those that take part in reports."""
        if self.events.all_counted:
            return self
        if self.is_everything:
            return self.at_rows(self.events.counted_rows)
        return self.keep(self._of(self.events.is_counted))

    @cached_property
    def observed(self) -> tuple[int, int] | None:
        """The first and the last time, in microseconds since 1970 UTC; None if there is none."""
        if self.is_everything:
            return self.events.observed
        return (int(self.times.min()), int(self.times.max())) if len(self) else None

    @property
    def is_everything(self) -> bool:
        """Whether all events are selected, whatever they are."""
        return self.rows is None and self.base is None

    def __len__(self) -> int:
        if self.base is not None:
            return len(self.base.rows if self.places is None else self.places)
        return len(self.events) if self.rows is None else len(self.rows)

    @cached_property
    def ids(self) -> Codes:
        """The distinct ID of each selected event, a position in ``events.ids.texts``, or -1."""
        if self.base is not None:
            return self.base.ids if self.places is None else self.base.ids[self.places]
        codes: Codes = self._of(self.events.ids.codes)
        return codes

    @property
    def times(self) -> Positions:
        """The time of each selected event in microseconds since 1970 UTC."""
        if self.base is not None:
            return self.base.times if self.places is None else self.base.times[self.places]
        moments: Positions = self._of(self.events.times)
        return moments

    def buckets(self, range_: Periods) -> Positions:
        """Return the bucket of each selected event, all of which lie in a range."""
        # Of one bucket nobody needs the times.
        return range_.index(self.times) if len(range_) > 1 else np.zeros(len(self), np.int64)

    def _of(self, values: Any) -> Any:
        return values if self.positions is None else values[self.positions]

    def keep(self, mask: Mask) -> Selection:
        """Return the selected events where *mask* is true."""
        if mask.all():
            return self
        return self._chosen(np.flatnonzero(mask))

    def _chosen(self, chosen: Positions) -> Selection:
        """Return some of the selected events, by their places among them."""
        if self.base is not None:
            places = chosen if self.places is None else self.places[chosen]
            return replace(self, places=places)
        return self.at_rows(chosen if self.rows is None else self.rows[chosen])

    def at_rows(self, rows: Positions | None) -> Selection:
        """Return other events, given by their rows, None for all, next to the same users."""
        return replace(self, rows=rows, base=None, places=None)

    @property
    def each_row(self) -> Positions:
        """The row of each selected event."""
        return np.arange(len(self.events)) if self.positions is None else self.positions

    def named(self, event: str | None) -> Selection:
        """Return the selected events of one name, all of them for None."""
        if event is None:
            return self
        code = self.events.event_names.code(event)
        if code < 0:
            return self.keep(np.zeros(len(self), np.bool_))
        is_visible = not self.events.all_counted and self.rows is self.events.counted_rows
        if self.is_everything or is_visible:
            base = self.events.named(code, counted=is_visible)
            return replace(self, rows=None, base=base, places=None)
        return self.keep(self._of(self.events.event_names.codes) == code)

    def any_of(self, names: Sequence[str | None]) -> Selection:
        """Return the selected events of some names, all of them if None is among them."""
        if len(names) == 1 or None in names:
            return self.named(None if None in names else names[0])
        known = self.events.event_names
        codes = [known.code(name) for name in names]
        return self.keep(np.isin(self._of(known.codes), [code for code in codes if code >= 0]))

    def between(self, start: int, end: int) -> Selection:
        """Return the selected events from *start* until before *end*, microseconds UTC."""
        return self.keep((self.times >= start) & (self.times < end))

    def where(self, condition: Expression | None) -> Selection:
        """Return the selected events for which *condition* is true."""
        if condition is None:
            return self
        kept = self
        # The parts on users alone are worked out once a user, and leave the fewer
        # events for the others.
        parts = conjuncts(condition)
        of_users = [self._of_users(part) for part in parts if not self._is_of_events(part)]
        if of_users:
            kept = kept._of_whom(np.logical_and.reduce(of_users))
        for part in parts:
            if self._is_of_events(part):
                kept = kept.keep(mask_of(part, _EventScope(kept)))
        return kept

    def _of_whom(self, chosen: Mask) -> Selection:
        """Return the events of some users; *chosen* says of each distinct ID, last of no ID."""
        if chosen.all():
            return self
        ids, found = self.ids, []
        # Piece by piece, whose steps then stay in the processor's cache.
        for at in range(0, len(ids), _PIECE):
            # -1, no ID, is the last one.
            mask = chosen.take(ids[at : at + _PIECE], mode="wrap")
            found.append(np.flatnonzero(mask) + at)
        return self._chosen(np.concatenate(found)) if found else self

    def _of_users(self, condition: Expression) -> Mask:
        """Return for each distinct ID, and last for no ID, whether a condition is true."""
        names = [prop.name for prop in condition.properties]
        if self._is_stored(names) and not condition.is_of_users:
            assert self.snapshot is not None
            # Of profiles, then looked up: that moves no text.
            of_profiles = self._of_profiles(condition, self.snapshot)
            rows = self.events.rows(self.snapshot)
            # -1, no profile, is the last one.
            return np.append(of_profiles.take(rows, mode="wrap"), of_profiles[-1])
        return mask_of(condition, UserScope(self))

    @staticmethod
    def _of_profiles(condition: Expression, snapshot: Snapshot) -> Mask:
        """Return for each profile, and last for no profile, whether a condition is true."""
        names = {prop.name for prop in condition.properties}
        coded = snapshot.coded(names.pop()) if len(names) == 1 else None
        if coded is not None:
            codes, texts = coded
            of_texts = mask_of(condition, _ColumnScope(texts))
            return np.append(of_texts.take(codes), of_texts[-1])
        of_nobody = mask_of(condition, _ColumnScope(Column.absent(1)))
        return np.append(mask_of(condition, _ProfileScope(snapshot)), of_nobody)

    def _is_stored(self, names: list[str]) -> bool:
        """Whether there are some user properties, all of them columns of the profiles."""
        snapshot = self.snapshot
        return bool(names) and all(
            snapshot is not None and name in snapshot.columns and name not in COMPUTED
            for name in names
        )

    @property
    def _profile_rows(self) -> Positions:
        """The profile of each distinct ID, and last that of no ID; of none the row after all."""
        assert self.snapshot is not None
        rows = np.append(self.events.rows(self.snapshot), -1)
        rows[rows < 0] = len(self.snapshot)
        return rows

    def never_true(self, condition: Expression) -> list[str]:
        """Return, as sentences, the comparisons that no event and no profile can make true."""

        def look(node: Property) -> Column | Instants | None:
            if node.side == "event":
                is_time = self.events.called(node.name) == self.events.time_column
                return Instants(self.events.times) if is_time else self.events.column(node.name)
            if node.group_key is not None:
                past = self.groups[node.group_key]
                return None if past.has_past else user_property(node, past.snapshot)
            if self.snapshot is None or self.past is not None:  # the past may hold other types
                return None
            return user_property(node, self.snapshot)

        return never_true(condition, look)

    def _is_of_events(self, part: Expression) -> bool:
        return bool(part.sides - {"user"} if self.past is None else part.sides)

    def is_of_users(self, by: Breakdown) -> bool:
        """Whether what to break down by is one a user, whatever the event."""
        return not by.is_by_event and (self.past is None or by.is_timeless)

    def with_id(self) -> Selection:
        """Return the selected events that have a distinct ID."""
        if (known := self._counts_of_ids) is not None and not known[1]:
            return self
        return self.keep(self.ids >= 0)

    def user_segments(self, by: Breakdown) -> Segments:
        """Return the segments of every distinct ID, and last those of no ID."""
        if len(by.parts) > 1:
            return Segments.crossed([self.user_segments(part) for part in by.parts])
        snapshot = self.snapshot
        if snapshot is None or not self._is_stored([prop.name for prop in by.properties]):
            return by.segments(UserScope(self))
        # Of profiles, then looked up as numbers: that moves no text.
        return by.segments(_EveryScope(snapshot)).of_rows(self._profile_rows)

    def event_segments(self, by: Breakdown) -> Segments:
        """Return the segments of every selected event."""
        return segments_beside(by, self, self.ids, _EventScope(self))

    def past_column(self, name: str) -> Column:
        """Return a user property as of the event, a cell a selected event."""
        assert self.past is not None
        return self.past.cells(name, self.positions)

    @property
    def all_ids(self) -> pa.Array:
        """Every distinct ID of the events, and a last null for no ID."""
        texts = self.events.ids.texts
        return pa.concat_arrays([texts, pa.nulls(1, texts.type)])

    def tally(self, node: Tally) -> Column:
        """Return how often each distinct ID did an event, or what it adds up to; last no ID.

        Of all events that take part in reports, whichever are selected.
        """
        everything = self.at_rows(None).visible
        start, end = self.period_of(node)
        found = everything.named(node.event).between(start, end).where(node.where).with_id()
        size = len(self.events.ids.texts) + 1
        if node.of is None:
            return Column.of_array(np.bincount(found.ids, minlength=size))
        return _added_up(evaluate(node.of, _EventScope(found)), found.ids, size)

    def period_of(self, node: Tally) -> tuple[int, int]:
        """Return from when until before when a tally counts, in microseconds since 1970 UTC."""
        observed = self.at_rows(None).visible.observed
        now = self.now if self.now is not None else observed[1] if observed else 0
        span = period(node.period)
        if isinstance(span, tuple):
            return span[0], min(span[1], now + 1)
        return (_EARLIEST if span is None else now - span), now + 1

    def members(self, name: str) -> pa.Array:
        """Return the distinct IDs of a saved cohort.

        Raises
        ------
        ReportError
            If there is none of that name.
        """
        if self.saved is None:
            raise ReportError(f'no cohort is saved as "{name}", because there are no profiles')
        return self.saved(name)

    def without_profile(self) -> tuple[int, int]:
        """Return how many selected events have an ID and no profile, and how many IDs those are."""
        if self.snapshot is None:
            return 0, 0
        lacks = self.events.rows(self.snapshot) < 0
        if (known := self._counts_of_ids) is not None:
            counts = known[0][np.flatnonzero(lacks)]
        else:
            codes = self.ids[np.append(lacks, False)[self.ids]]
            counts = np.bincount(codes)
        return int(counts.sum()), int(np.count_nonzero(counts))

    @property
    def _counts_of_ids(self) -> tuple[Positions, int] | None:
        """How many events each distinct ID has and how many have none, where that is kept."""
        if self.is_everything:
            return self.events.counts_of_ids
        return None if self.base is None or self.places is not None else self.base.counts_of_ids

    @property
    def without_id(self) -> int:
        """How many selected events have no distinct ID."""
        known = self._counts_of_ids
        return int(np.count_nonzero(self.ids < 0)) if known is None else known[1]

    def left_out(self, event: str | None, start: int, end: int) -> list[str]:
        """Return, as sentences, which events of a name no report counts.

        Hidden events are those from *start* until before *end*, microseconds UTC.
        """
        events = self.events
        if events.all_counted:
            return []
        named = self.named(event)
        notes = []
        hidden = named.keep(named._of(events.is_hidden)).between(start, end)
        if len(hidden):
            notes.append(
                f"Hidden, because of a value in $bucket or bucket: {count(len(hidden), 'event')}."
            )
        if timeless := int((named.times == NO_TIME).sum()):
            notes.append(f"Left out because their time cannot be read: {count(timeless, 'event')}.")
        return notes

    def nameless(self, start: int, end: int) -> list[str]:
        """Return a sentence if events have no name (EVENT-2).

        Those from *start* until before *end*, microseconds UTC, that reports count.
        """
        events = self.events
        if events.is_named.all():
            return []
        rows = np.flatnonzero(~events.is_named & events.is_counted)
        found = self.at_rows(rows).between(start, end)
        said = f"Without a name, so counted as any event only: {count(len(found), 'event')}."
        return [said] if len(found) else []

    def user_column(self, name: str) -> Column | Instants:
        """Return a user property, a cell a distinct ID and a last one for no ID."""
        if self.snapshot is None:
            raise ReportError(
                f'user["{name}"] needs profiles, and profiles is None; give a ProfileTable'
            )
        return user_cells(self.events, self.snapshot, name)

    def group_column(self, key: str, name: str) -> Column | Instants:
        """Return a property of groups, a cell a selected event.

        Raises
        ------
        ReportError
            If events name several groups, so that there is no one value.
        """
        groups = self.groups[key]
        owners, places = groups.ids.beside(self.each_row)
        if owners is not None and len(owners) > len(self):
            raise ReportError(
                f"events name several groups of {key}, so there is no single value of "
                f"{Property(group_side(key), name).label}; use it in by= or in a comparison"
            )
        return groups.cells_at(name, places)

    def _no_column(self, name: str) -> str:
        """Return what to say of an event property that is not there."""
        events = self.events
        own = (events.event_column, events.id_column, events.time_column)
        there = f'no event has a property "{name}"'
        bare = name.removeprefix("user.")
        known = self.snapshot is not None and is_known(bare, self.snapshot)
        if (known or bare != name) and bare and bare not in HIDDEN:
            return f'{there}; for that of the user write user["{bare}"]'
        meant = did_you_mean(name, (*events.properties, *own))
        if not meant and self.snapshot is not None:
            of_users = [each for each in self.snapshot.names if each not in HIDDEN]
            meant = did_you_mean(name, of_users)
            meant += " That is a property of users, written user[…]." if meant else ""
        return f"{there}; there are {listed((*events.properties, *own))}.{meant}"

    def event_column(self, name: str) -> Column | Instants:
        """Return an event property, a cell a selected event."""
        name = self.events.called(name)
        if name == self.events.time_column:
            return Instants(self.times)
        if name not in self.events.frame.columns:
            raise EventsError(self._no_column(name))
        if self.base is not None:
            return self.base.column(name, self.places)
        column = self.events.column(name)
        return column if self.rows is None else column.take(self.rows)


@dataclass(frozen=True, eq=False)
class _ProfileScope(Scope):
    """What an expression sees that is worked out once a profile."""

    snapshot: Snapshot

    def __len__(self) -> int:
        return len(self.snapshot)

    def column(self, side: Side, name: str) -> Column | Instants:
        assert side == "user"
        return self.snapshot.column(name)


@dataclass(frozen=True, eq=False)
class _ColumnScope(Scope):
    """What an expression sees of users of whom every property it asks for is the same column."""

    cells: Column

    def __len__(self) -> int:
        return len(self.cells)

    def column(self, side: Side, name: str) -> Column | Instants:
        assert side == "user"
        return self.cells


@dataclass(frozen=True, eq=False)
class _EveryScope(Scope):
    """What a breakdown sees that is worked out once a profile, and last for no profile."""

    snapshot: Snapshot

    def __len__(self) -> int:
        return len(self.snapshot) + 1

    def column(self, side: Side, name: str) -> Column | Instants:
        assert side == "user"
        return self.snapshot.column(name).followed_by(Column.absent(1))


@dataclass(frozen=True, eq=False)
class UserScope(Scope):
    """What an expression sees that is worked out once a distinct ID."""

    selection: Selection

    def __len__(self) -> int:
        return len(self.selection.events.ids.texts) + 1

    def column(self, side: Side, name: str) -> Column | Instants:
        assert side == "user"
        return self.selection.user_column(name)

    def distinct_ids(self) -> pa.Array:
        return self.selection.all_ids

    def tally(self, node: Tally) -> Column:
        return self.selection.tally(node)

    def members(self, name: str) -> pa.Array:
        return self.selection.members(name)


@dataclass(frozen=True, eq=False)
class _EventScope(Scope):
    """What an expression sees that is worked out once a selected event."""

    selection: Selection

    def __len__(self) -> int:
        return len(self.selection)

    def column(self, side: Side, name: str) -> Column | Instants:
        if side == "user" and self.selection.past is not None:
            return self.selection.past_column(name)
        if side == "user":
            return self.selection.user_column(name).take(self._ids)
        if (key := group_key_of(side)) is not None:
            return self.selection.group_column(key, name)
        return self.selection.event_column(name)

    def spread(self, sides: AbstractSet[Side]) -> Spread | None:
        return self.selection.groups.spread(self, sides, lambda _: self.selection.each_row)

    @property
    def _ids(self) -> Positions:
        return self.selection.ids.astype(np.int64)

    def distinct_ids(self) -> pa.Array:
        return self.selection.all_ids.take(pa.array(self._ids % len(self.selection.all_ids)))

    def tally(self, node: Tally) -> Column:
        return self.selection.tally(node).take(self._ids)

    def members(self, name: str) -> pa.Array:
        return self.selection.members(name)


def segments_beside(
    by: Breakdown, selection: Selection, ids: Codes | Positions, scope: Scope
) -> Segments:
    """Return the segments of each row of a scope.

    Parameters
    ----------
    by
        The breakdown.
    selection
        Says whose users they are.
    ids
        The distinct ID of each row, -1 for none.
    scope
        What is next to each row.
    """
    if selection.is_of_users(by):
        # Worked out once a user.
        return selection.user_segments(by).of_rows(ids)
    if len(by.parts) > 1:
        parts = [segments_beside(part, selection, ids, scope) for part in by.parts]
        return Segments.crossed(parts)
    spread = scope.spread({prop.side for prop in by.properties})
    if spread is not None:
        return by.segments(spread.scope).of_groups(spread.cells, spread.owners, len(scope))
    return by.segments(scope)


def _added_up(column: Column, ids: Codes, size: int) -> Column:
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
