"""Who enters which cohort when, and what each of them comes back to do.

Births and returns are put in one order, by user and time. There the returns of an
entry are in a row, so what follows works on whole columns, never user by user.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Final

import numpy as np

from toolkit.columns import Codes, Mask, Microseconds, Positions
from toolkit.reports.question.breakdowns import Breakdown
from toolkit.reports.question.periods import Periods
from toolkit.reports.question.segments import Segments
from toolkit.reports.question.selection import Selection
from toolkit.reports.retention.brackets import LENGTHS, Brackets

_BIRTH: Final = 1
_RETURN: Final = 2
# So many births at one moment are passed one by one.
_FEW: Final = 8
# So many pairs of an entry and a return are looked at together.
_CHUNK: Final = 2**23


@dataclass(frozen=True, eq=False)
class Entries:
    """Users entering cohorts, a cell each; a user may enter several.

    Attributes
    ----------
    users
        The user, a position in ``events.ids.texts``.
    cohorts
        The bucket of the range in which the birth lies.
    births
        The time of the birth in microseconds since 1970 UTC.
    begin, stop
        The user's returns from the birth on, as positions in the returns.
    places
        The place of the birth among all births and returns.
    segments
        The segment, None if there is no breakdown.
    behind
        Before which return there may be births of the segment, which are not returns to it;
        None if there are none.
    """

    users: Codes
    cohorts: Positions
    births: Microseconds
    begin: Positions
    stop: Positions
    places: Positions
    segments: Codes | None = None
    behind: Positions | None = None

    def __len__(self) -> int:
        return len(self.users)

    def take(self, places: Positions | Mask) -> Entries:
        """Return some of the entries."""
        cells = {each.name: getattr(self, each.name) for each in fields(self)}
        return Entries(**{name: _taken(values, places) for name, values in cells.items()})


def _taken(values: Any, places: Positions | Mask) -> Any:
    return None if values is None else values[places]


@dataclass(frozen=True, eq=False)
class Returns:
    """What users came back to do, sorted by user and time.

    Attributes
    ----------
    rows
        The row of each among the events.
    times
        In microseconds since 1970 UTC.
    births
        Those that are births, each as a key of its position and its segment, ascending;
        only of moments at which a user has births in several segments.
    segments
        How many segments there are.
    """

    rows: Positions
    times: Microseconds
    births: Positions = field(default_factory=lambda: np.zeros(0, np.int64))
    segments: int = 1

    def are_births_of(self, at: Positions, segments: Codes | Positions) -> Mask:
        """Return whether each of some returns is a birth in a segment."""
        keys = at * self.segments + segments
        places = np.minimum(np.searchsorted(self.births, keys), len(self.births) - 1)
        are_births: Mask = self.births[places] == keys
        return are_births


@dataclass(frozen=True, eq=False)
class Course:
    """Entries, their returns and their segments.

    Attributes
    ----------
    segments
        What the codes of the entries stand for; None if there is no breakdown.
    """

    entries: Entries
    returns: Returns
    segments: Segments | None


@dataclass(frozen=True, eq=False)
class _Steps:
    """Births and returns in one order, a cell each."""

    rows: Positions
    users: Codes
    times: Microseconds
    is_birth: Mask
    is_return: Mask

    @cached_property
    def returned(self) -> Positions:
        """How many returns there are before each place, and last in all."""
        counted: Positions = np.concatenate([[0], np.cumsum(self.is_return)])
        return counted

    @classmethod
    def of(cls, births: Selection, returns: Selection) -> _Steps:
        events = births.events
        marks = np.zeros(len(events), np.uint8)
        marks[_rows(births)] = _BIRTH
        marks[_rows(returns)] |= _RETURN
        in_order = marks[events.timelines.rows]
        marked = np.flatnonzero(in_order)
        rows, marks = events.timelines.rows[marked], in_order[marked]
        users, times = events.ids.codes[rows], events.times[rows]
        is_birth = (marks & _BIRTH) != 0
        if (places := _births_first(users, times, is_birth)) is not None:
            rows, marks, is_birth = rows[places], marks[places], is_birth[places]
        return cls(rows, users, times, is_birth, (marks & _RETURN) != 0)

    def before_births(self, births: Positions) -> Positions:
        """Return the place of the first birth of its user at the moment of each birth."""
        begins = np.ones(len(self.rows), np.bool_)
        begins[1:] = ~self._is_same_birth(np.arange(1, len(self.rows)))
        starts = np.flatnonzero(begins)
        latest: Positions = starts[np.searchsorted(starts, births, side="right") - 1]
        return latest

    def all_at_the_moment(self, births: Positions) -> Positions:
        """Return the places of all births at the moment of some, each of another user."""
        first = self.before_births(births)
        sizes = self.after_births(births) - first
        nth = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        positions: Positions = np.repeat(first, sizes) + nth
        return positions

    def after_births(self, births: Positions) -> Positions:
        """Return the place behind each birth and those of its user at the same moment."""
        behind = births + 1
        moving = np.arange(len(births))
        for _ in range(_FEW):
            moving = moving[behind[moving] < len(self.rows)]
            moving = moving[self._is_same_birth(behind[moving])]
            if not len(moving):
                return behind
            behind[moving] += 1
        begins = np.ones(len(self.rows) + 1, np.bool_)
        begins[1:-1] = ~self._is_same_birth(np.arange(1, len(self.rows)))
        starts = np.flatnonzero(begins)
        return starts[np.searchsorted(starts, births, side="right")]

    def _is_same_birth(self, places: Positions) -> Mask:
        """Return whether each place holds a birth at the very moment of the one before."""
        before = places - 1
        same: Mask = self.is_birth[places] & self.is_birth[before]
        same &= self.users[places] == self.users[before]
        same &= self.times[places] == self.times[before]
        return same


def sorted_rows(selection: Selection) -> Positions:
    """Return the rows of selected events sorted by user and time."""
    rows = selection.events.timelines.rows
    if selection.positions is None:
        return rows
    is_selected = np.zeros(len(selection.events), np.bool_)
    is_selected[selection.positions] = True
    return rows[is_selected[rows]]


def is_new(*keys: Any) -> Mask:
    """Return whether each cell differs from the one before in one of the keys."""
    differs = np.ones(len(keys[0]), np.bool_)
    if len(differs):
        differs[1:] = keys[0][1:] != keys[0][:-1]
        for key in keys[1:]:
            differs[1:] |= key[1:] != key[:-1]
    return differs


def _rows(selection: Selection) -> Any:
    return slice(None) if selection.positions is None else selection.positions


def _births_first(users: Codes, times: Microseconds, is_birth: Mask) -> Positions | None:
    """Return the places in which births come first of what a user did at one moment.

    None if they do already.
    """
    is_wrong = is_birth[1:] & ~is_birth[:-1]
    at = np.flatnonzero(is_wrong)
    if not ((users[at] == users[at + 1]) & (times[at] == times[at + 1])).any():
        return None
    return np.lexsort((~is_birth, times, users))


def course(
    births: Selection,
    returns: Selection,
    range_: Periods,
    *,
    by: Breakdown | None,
    first_only: bool,
) -> Course:
    """Return who enters which cohort, and their returns.

    A user enters the cohort of each period of the range with a birth, at the first
    birth in it; with a breakdown by what an event says, the cohort of each period and
    segment. What a user does at the moment of the birth is a return if it is not a birth.

    Parameters
    ----------
    births, returns
        Events with an ID before the end of the range: births also those before its
        start, returns only later ones.
    by
        What to break down by. A property of the event is that of the birth.
    first_only
        Only the first birth of a user ever makes an entry.
    """
    steps = _Steps.of(births, returns)
    at = np.flatnonzero(steps.is_birth)
    if first_only:
        at = at[is_new(steps.users[at])]
    if len(at) and int(steps.times[at].min()) < range_.start:
        at = at[steps.times[at] >= range_.start]
    came = Returns(steps.rows[steps.is_return], steps.times[steps.is_return])
    if by is None:
        return Course(_entries(steps, at, range_), came, None)
    if births.is_of_users(by):
        entries = _entries(steps, at, range_)
        segments = births.user_segments(by)
        rows, codes = segments.beside(entries.users)
        entries = entries if rows is None else entries.take(rows)
        return Course(replace(entries, segments=codes), came, segments)
    places = steps.all_at_the_moment(at) if first_only else at
    segments = births.at_rows(steps.rows[places]).event_segments(by)
    owners, codes = segments.owners, segments.codes
    theirs = _Theirs(steps, places if owners is None else places[owners], codes, len(segments))
    kept = np.isin(theirs.places, at) if first_only else slice(None)
    entries = _entries(steps, theirs.places[kept], range_, codes[kept])
    return Course(theirs.with_returns(entries), theirs.marked(came), segments)


def _entries(steps: _Steps, at: Positions, range_: Periods, codes: Codes | None = None) -> Entries:
    """Return the entries that births make: the first of a user, a cohort and a segment.

    Parameters
    ----------
    at
        The places of the births.
    codes
        The segment of each.
    """
    cohorts = range_.index(steps.times[at])
    if codes is not None:
        order = np.lexsort((cohorts, codes, steps.users[at]))
        at, cohorts, codes = at[order], cohorts[order], codes[order]
    keys = [steps.users[at], cohorts] if codes is None else [steps.users[at], cohorts, codes]
    is_entry = is_new(*keys)
    at, cohorts = at[is_entry], cohorts[is_entry]
    codes = None if codes is None else codes[is_entry]
    users = steps.users[at]
    begin = steps.returned[steps.after_births(at)]
    sizes = np.bincount(steps.users[steps.is_return], minlength=int(users.max(initial=-1)) + 1)
    stop = np.cumsum(sizes)[users]
    return Entries(users, cohorts, steps.times[at], begin, stop, at, codes)


@dataclass(frozen=True, eq=False)
class _Theirs:
    """Births, once for each of their segments.

    Attributes
    ----------
    places
        Where they are among the steps.
    codes
        Their segments.
    size
        How many segments there are.
    """

    steps: _Steps
    places: Positions
    codes: Codes
    size: int

    @cached_property
    def _near(self) -> Positions:
        """Which of them are returns, too, at a moment with more than one birth of the user."""
        behind = self.steps.after_births(self.places)
        several = behind - self.steps.before_births(self.places) > 1
        return np.flatnonzero(several & self.steps.is_return[self.places])

    def _keys(self, positions: Positions, codes: Codes) -> Positions:
        keys: Positions = positions.astype(np.int64) * self.size + codes
        return keys

    def marked(self, came: Returns) -> Returns:
        """Return the returns, that know which of them are births of which segments."""
        near = self._near
        at = self.steps.returned[self.places[near]]
        keys = np.unique(self._keys(at, self.codes[near]))
        return replace(came, births=keys, segments=self.size)

    def with_returns(self, entries: Entries) -> Entries:
        """Return entries to which births of other segments at their moment are returns."""
        near = self._near
        if not len(near):
            return entries
        assert entries.segments is not None
        steps = self.steps
        first = steps.before_births(entries.places)
        moments = steps.before_births(self.places[near])
        own, often = np.unique(self._keys(moments, self.codes[near]), return_counts=True)
        keys = self._keys(first, entries.segments)
        at = np.minimum(np.searchsorted(own, keys), len(own) - 1)
        owned = np.where(own[at] == keys, often[at], 0)
        begin = steps.returned[first]
        has_other = (entries.begin - begin > owned) & np.isin(first, moments)
        return replace(
            entries, begin=np.where(has_other, begin, entries.begin), behind=entries.begin
        )


@dataclass(frozen=True, eq=False)
class Timing:
    """How long after its birth an entry came back, in units."""

    returns: Returns
    brackets: Brackets

    def units(self, entries: Entries, owners: Any, at: Positions) -> Positions:
        """Return in which unit after its birth each of some entries came back.

        Parameters
        ----------
        entries
            The entries.
        owners
            Which of them each pair is about; a slice or positions.
        at
            The return of each pair.
        """
        times = self.returns.times[at]
        if self.brackets.mode == "calendar":
            units: Positions = self.brackets.range.index(times) - entries.cohorts[owners]
        else:
            units = (times - entries.births[owners]) // LENGTHS[self.brackets.unit]
        return units

    def pairs(self, entries: Entries) -> Iterator[tuple[Positions, Positions, Positions]]:
        """Yield each entry with each of its returns: the entry, the return, the unit.

        In chunks of whole entries, in the order of the entries, and of each of them in
        the order of time.
        """
        sizes = np.maximum(entries.stop - entries.begin, 0)
        ends = np.cumsum(sizes)
        start = 0
        while start < len(entries):
            done = int(ends[start - 1]) if start else 0
            stop = max(int(np.searchsorted(ends, done + _CHUNK, side="right")), start + 1)
            owners = np.repeat(np.arange(start, stop), sizes[start:stop])
            # The n-th return of an entry stands n places behind its first.
            shift = entries.begin[start:stop] - (ends[start:stop] - sizes[start:stop] - done)
            at = np.arange(len(owners)) + np.repeat(shift, sizes[start:stop])
            if entries.behind is not None:
                owners, at = self._without_births(entries, owners, at)
            yield owners, at, self.units(entries, owners, at)
            start = stop

    def _without_births(
        self, entries: Entries, owners: Positions, at: Positions
    ) -> tuple[Positions, Positions]:
        """Leave out births of the entry's segment at the moment of its birth."""
        assert entries.behind is not None and entries.segments is not None
        kept = np.ones(len(at), np.bool_)
        near = np.flatnonzero(at < entries.behind[owners])
        kept[near] = ~self.returns.are_births_of(at[near], entries.segments[owners[near]])
        return owners[kept], at[kept]
