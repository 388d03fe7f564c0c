"""A funnel as one would count it by hand: event by event, user by user.

It says the same as toolkit/reports/funnels/entries.py in the plainest way, and is far too
slow for more than a test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any


def one_form(value: Any) -> Any:
    """Return a number as a float, for 1 and 1.0 are one value; all else as it is."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if is_number else value


@dataclass
class Happening:
    """An event of one user."""

    name: str | None
    time: int
    row: int
    values: dict[str, Any] = field(default_factory=dict)
    is_no_step: bool = False


@dataclass
class Entry:
    """What became of a first step."""

    steps: list[Happening]
    end: int  # the place of the last event it takes up
    stopped: bool = False


@dataclass
class Funnel:
    """What is counted: each step says whether an event is it."""

    steps: list[Callable[[Happening], bool]]
    window: int
    grace: int = 0
    groups: list[list[int]] | None = None
    excluded: list[tuple[Callable[[Happening], bool], int, int]] = field(default_factory=list)
    hold: list[str] = field(default_factory=list)
    totals: bool = False
    optimized: bool = False
    start: int | None = None
    stop: int | None = None

    def does(self, happening: Happening, step: int) -> bool:
        return not happening.is_no_step and self.steps[step](happening)

    def attempt(self, log: list[Happening], first: int, used_up: int) -> Entry:
        """Return what becomes of the first step at place *first*."""
        groups = self.groups or [[step] for step in range(len(self.steps))]
        deadline = log[first].time + self.window
        group = groups[0]
        done = [next(step for step in group if self.does(log[first], step))]
        used = [first]
        for number, group in enumerate(groups):
            waiting = [step for step in group if step not in done]
            while waiting:
                is_new_group = number > 0 and len(waiting) == len(group)
                previous = used[-1]
                found = None
                for place in range(len(log)):
                    happening = log[place]
                    if place <= used_up or place in used or happening.time > deadline:
                        continue
                    if is_new_group:
                        if place < previous and happening.time < log[previous].time - self.grace:
                            continue
                    elif place <= previous:
                        continue
                    if any(self.does(happening, step) for step in waiting):
                        found = place
                        break
                for place in range(max(used) + 1, len(log) if found is None else found):
                    if log[place].time <= deadline and any(
                        is_it(log[place]) and low <= len(used) < high
                        for is_it, low, high in self.excluded
                    ):
                        return Entry([log[at] for at in used], place, stopped=True)
                if found is None:
                    within = [at for at in range(first, len(log)) if log[at].time <= deadline]
                    return Entry([log[at] for at in used], within[-1])
                step = next(step for step in waiting if self.does(log[found], step))
                waiting.remove(step)
                done.append(step)
                used.append(found)
        return Entry([log[at] for at in used], max(used))

    def tried(self, log: list[Happening], first: int, used_up: int) -> Entry:
        """Return the attempt; one that would reach back to what is used up does not reach back."""
        entry = self.attempt(log, first, -1)
        if min(log.index(step) for step in entry.steps) <= used_up:
            entry = self.attempt(log, first, first)
        return entry

    def firsts(self, log: list[Happening]) -> list[int]:
        group = self.groups[0] if self.groups else [0]
        return [
            place
            for place, happening in enumerate(log)
            if any(self.does(happening, step) for step in group)
            and (self.start is None or happening.time >= self.start)
            and (self.stop is None or happening.time < self.stop)
        ]

    def entries_of(self, log: list[Happening]) -> list[Entry]:
        """Return all entries of the events of one user, with the same held values."""
        if self.optimized:
            return self._optimized(log)
        entries, end, used_up = [], -1, -1
        for first in self.firsts(log):
            if first > end:
                entries.append(self.tried(log, first, used_up))
                end = entries[-1].end
                used_up = max(log.index(step) for step in entries[-1].steps)
        return entries

    def _optimized(self, log: list[Happening]) -> list[Entry]:
        kept: list[Entry] = []
        used_up, firsts = -1, self.firsts(log)
        while firsts := [first for first in firsts if first > used_up]:
            attempts = [self.tried(log, first, used_up) for first in firsts]
            whole = [each for each in attempts if len(each.steps) == len(self.steps)]
            end = whole[0].end if whole else len(log)
            for number, each in enumerate(attempts):
                if len(each.steps) == len(self.steps) or each.end >= end:
                    continue
                last = len(each.steps) - 1
                shared = last > 0 and any(
                    len(later.steps) > last and later.steps[last] is each.steps[last]
                    for later in attempts[number + 1 :]
                )
                if not shared:
                    kept.append(each)
            if not whole:
                break
            kept.append([each for each in whole if each.end == end][-1])
            used_up = end
        return sorted(kept, key=lambda each: (each.steps[0].time, each.steps[0].row))

    def entries(self, log: Iterable[Happening]) -> list[Entry]:
        """Return all entries of the events of one user."""
        ordered = sorted(log, key=lambda each: (each.time, each.row))
        lanes: dict[str, list[Happening]] = {}
        ending = []
        for each in ordered:
            held = [each.values.get(name) for name in self.hold]
            if None not in held:
                lanes.setdefault(repr([*map(one_form, held)]), []).append(each)
            elif any(is_it(each) for is_it, _, _ in self.excluded):
                ending.append(replace(each, is_no_step=True))
        entries = []
        for lane in lanes.values():
            whole = sorted([*lane, *ending], key=lambda each: (each.time, each.row))
            entries += self.entries_of(whole)
        return sorted(entries, key=lambda each: (each.steps[0].time, each.steps[0].row))

    def chosen(self, entries: list[Entry]) -> Entry:
        """Return the entry that counts for a user."""
        if not self.optimized:
            return entries[0]
        furthest = max(len(each.steps) for each in entries)

        def order(each: Entry) -> tuple[int, ...]:
            first, last = each.steps[0], each.steps[-1]
            return (last.time, last.row, -first.time, -first.row)

        return min((each for each in entries if len(each.steps) == furthest), key=order)

    def counted(self, log: Iterable[Happening]) -> list[Entry]:
        """Return the entries of one user that count, without a breakdown."""
        entries = self.entries(log)
        return entries if self.totals or not entries else [self.chosen(entries)]
