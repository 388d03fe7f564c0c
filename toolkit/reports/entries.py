"""Who enters which cohort when, and what each of them comes back to do.

Births and returns are put in one order, by user and time. There the returns of an
entry stand in a row, so what follows works on whole columns, never user by user.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np

from toolkit.columns import Mask, Positions
from toolkit.reports.brackets import LENGTHS, Brackets
from toolkit.reports.breakdowns import Breakdown
from toolkit.reports.periods import Periods
from toolkit.reports.segments import Segments
from toolkit.reports.selection import Selection
from toolkit.series import Codes, Microseconds

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
    segments
        The segment, None if there is no breakdown.
    """

    users: Codes
    cohorts: Positions
    births: Microseconds
    begin: Positions
    stop: Positions
    segments: Codes | None = None

    def __len__(self) -> int:
        return len(self.users)

    def take(self, chosen: Positions | Mask) -> Entries:
        """Return some of the entries."""
        cells = {field.name: getattr(self, field.name) for field in fields(self)}
        return Entries(**{name: _taken(values, chosen) for name, values in cells.items()})


def _taken(values: Any, chosen: Positions | Mask) -> Any:
    return None if values is None else values[chosen]


@dataclass(frozen=True, eq=False)
class Returns:
    """What users came back to do, sorted by user and time.

    Attributes
    ----------
    rows
        The row of each among the events.
    times
        In microseconds since 1970 UTC.
    """

    rows: Positions
    times: Microseconds


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

    @classmethod
    def of(cls, births: Selection, returns: Selection) -> _Steps:
        events = births.events
        marks = np.zeros(len(events), np.uint8)
        marks[_rows(births)] = _BIRTH
        marks[_rows(returns)] |= _RETURN
        in_order = marks[events.timelines.rows]
        chosen = np.flatnonzero(in_order)
        rows, marks = events.timelines.rows[chosen], in_order[chosen]
        users, times = events.ids.codes[rows], events.times[rows]
        is_birth = (marks & _BIRTH) != 0
        if (places := _births_first(users, times, is_birth)) is not None:
            rows, marks, is_birth = rows[places], marks[places], is_birth[places]
        return cls(rows, users, times, is_birth, (marks & _RETURN) != 0)

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
    segment. What a user does at the moment of the birth is a return if it is no birth.

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
    cohorts = range_.index(steps.times[at])
    codes: Codes | None = None
    segments: Segments | None = None
    if by is not None and not births.is_of_users(by):
        segments = births.at_rows(steps.rows[at]).event_segments(by)
        codes = segments.codes
        if segments.owners is not None:
            at, cohorts = at[segments.owners], cohorts[segments.owners]
        order = np.lexsort((cohorts, codes, steps.users[at]))
        at, cohorts, codes = at[order], cohorts[order], codes[order]
    keys = [steps.users[at], cohorts] if codes is None else [steps.users[at], cohorts, codes]
    is_entry = is_new(*keys)
    at, cohorts = at[is_entry], cohorts[is_entry]
    codes = None if codes is None else codes[is_entry]

    users = steps.users[at]
    if steps.is_return.all():
        begin = steps.after_births(at)
    else:
        returned = np.concatenate([[0], np.cumsum(steps.is_return)])
        begin = returned[steps.after_births(at)]
    sizes = np.bincount(steps.users[steps.is_return], minlength=len(births.events.ids.texts))
    stop = np.cumsum(sizes)[users]
    entries = Entries(users, cohorts, steps.times[at], begin, stop, codes)
    if by is not None and births.is_of_users(by):
        segments = births.user_segments(by)
        rows, codes = segments.beside(users)
        entries = entries if rows is None else entries.take(rows)
        entries = Entries(
            entries.users, entries.cohorts, entries.births, entries.begin, entries.stop, codes
        )
    came = Returns(steps.rows[steps.is_return], steps.times[steps.is_return])
    return Course(entries, came, segments)


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
            yield owners, at, self.units(entries, owners, at)
            start = stop
