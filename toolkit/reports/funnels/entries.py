"""Entries: who goes into a funnel, how far they get, and when they come out of it.

Every first step is tried at once, on whole columns: that gives an attempt each, with
its steps and its end. Which attempts are entries is then a matter of following, in each
lane, from the end of one to the beginning of the next.

An event serves one entry only. Grace lets a step are a little before the one it
follows, so an attempt may reach back beyond its own first step, to an event that the entry
before has used. There a second attempt counts, which begins at the first step and
does not reach back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from toolkit.columns import Mask, Positions
from toolkit.reports.funnels.plan import FunnelPlan
from toolkit.reports.funnels.track import FunnelTrack, is_new


@dataclass(frozen=True, eq=False, slots=True)
class Attempts:
    """What became of some first steps.

    Attributes
    ----------
    at
        ``int64``, one row per step and one column per attempt: the positions in the track, -1
        where it did not get that far.
    reach
        How many steps each did.
    ends
        The last position it takes up: the event of its last step, or the excluded event
        that ended it, or the last event within the window.
    stopped
        Whether an excluded event ended it.
    """

    at: Positions
    reach: Positions
    ends: Positions
    stopped: Mask

    def __len__(self) -> int:
        return len(self.reach)

    @property
    def starts(self) -> Positions:
        """The position of each first step."""
        starts: Positions = self.at[0]
        return starts

    def take(self, places: Positions) -> Attempts:
        """Return some of the attempts."""
        return Attempts(
            self.at[:, places], self.reach[places], self.ends[places], self.stopped[places]
        )

    def followed_by(self, other: Attempts) -> Attempts:
        """Return these attempts, then the others."""
        return Attempts(
            np.hstack([self.at, other.at]),
            np.concatenate([self.reach, other.reach]),
            np.concatenate([self.ends, other.ends]),
            np.concatenate([self.stopped, other.stopped]),
        )


def entries(
    track: FunnelTrack, plan: FunnelPlan, start: int, end: int, *, only_first: bool
) -> Attempts:
    """Return the entries into a funnel, in the order of the track.

    Parameters
    ----------
    track
        The events.
    plan
        What is a step, and when an entry ends.
    start, end
        The first step is from *start* until before *end*, microseconds UTC.
    only_first
        Of each user or session only the first entry is wanted.
    """
    starts = track.where(plan.groups[0])
    if len(starts):
        moments = track.times[starts]
        is_in_range = (moments >= start) & (moments < end)
        starts = starts if is_in_range.all() else starts[is_in_range]
    if plan.reentry == "optimized":
        return _optimized(track, plan, _both(track, plan, starts))
    if only_first:
        return attempts(track, plan, _first_of_owners(track, starts), needs_ends=False)
    return _one_after_the_other(track, _both(track, plan, starts))


def _first_of_owners(track: FunnelTrack, starts: Positions) -> Positions:
    """Return the first of the positions of each user, or of each session."""
    if track.ranks is None:
        return starts[is_new(track.owners[starts])]
    order = np.lexsort((track.ranks[starts], track.owners[starts]))
    return np.sort(starts[order[is_new(track.owners[starts[order]])]])


# -- attempts -----------------------------------------------------------------------------


def attempts(
    track: FunnelTrack,
    plan: FunnelPlan,
    starts: Positions,
    *,
    reaches_back: bool = True,
    needs_ends: bool = True,
) -> Attempts:
    """Return what becomes of first steps, each on its own.

    Every step is the first event of its name from the step before on, or up to the grace
    earlier, that the attempt has not used yet and that lies in the window.

    Parameters
    ----------
    track
        The events.
    plan
        The steps.
    starts
        The positions of the first steps.
    reaches_back
        Whether the grace may lead to events before the first step.
    needs_ends
        Whether it matters where those end that do not convert.
    """
    lanes = track.lanes[starts]
    begins = track.bounds[lanes] if reaches_back else starts
    stops = track.bounds[lanes + 1]
    deadlines = track.times[starts] + plan.window
    at = np.full((len(plan), len(starts)), -1, np.int64)
    at[0] = starts
    reach = np.ones(len(starts), np.int64)
    latest = starts.copy()
    ended = np.full(len(starts), -1, np.int64)
    on = np.arange(len(starts))
    search = _Search(track, plan)
    done = search.bit_of(plan.groups[0], starts)
    nth = 0
    for group in plan.groups:
        for place in range(len(group)):
            if nth:
                before = at[nth - 1, on]
                # Grace is for the order of the steps; in a run of free order there is none.
                low = before + 1 if place else track.since(before, begins[on], plan.grace)
                next_step, bits = search.next_of(group, done[on], low, at[:nth, on])
                moment = track.times[np.minimum(next_step, len(track) - 1)]
                is_found = (next_step < stops[on]) & (moment <= deadlines[on])
                stop = search.excluded(nth - 1, latest[on] + 1)
                if stop is not None:
                    moment = track.times[np.minimum(stop, len(track) - 1)]
                    is_stopped = (stop < stops[on]) & (moment <= deadlines[on])
                    is_stopped &= ~is_found | (stop < next_step)
                    ended[on[is_stopped]] = stop[is_stopped]
                    is_found &= ~is_stopped
                on, next_step = on[is_found], next_step[is_found]
                done[on] |= bits[is_found]
                at[nth, on] = next_step
                reach[on] += 1
                latest[on] = np.maximum(latest[on], next_step)
            nth += 1
    stopped = ended >= 0
    ended[on] = latest[on]
    if needs_ends:
        over = np.flatnonzero(ended < 0)
        ended[over] = track.until(starts[over], stops[over], deadlines[over])
    return Attempts(at, reach, ended, stopped)


class _Search:
    """Finds the next step of many attempts at once."""

    def __init__(self, track: FunnelTrack, plan: FunnelPlan) -> None:
        self._track = track
        self._excluding = [
            tuple(
                len(plan) + number
                for number, each in enumerate(plan.exclude)
                if after in plan.ends_between(each)
            )
            for after in range(len(plan) - 1)
        ]

    def excluded(self, after: int, low: Positions) -> Positions | None:
        """Return the first event from *low* on that ends an attempt after a step, if any can."""
        numbers = self._excluding[after]
        return self._track.following(numbers, low) if numbers else None

    def bit_of(self, group: tuple[int, ...], positions: Positions) -> Positions:
        """Return which step of a run an event does: of several the one listed first."""
        bits = np.full(len(positions), 1 << group[-1], np.int64)
        for number in group[-2::-1]:
            bits[self._track.are(number, positions)] = 1 << number
        return bits

    def next_of(
        self, group: tuple[int, ...], done: Positions, low: Positions, used: Positions
    ) -> tuple[Positions, Positions]:
        """Return the next event that does a step of a run, and which step, as a bit.

        Parameters
        ----------
        group
            The steps of the run.
        done
            The steps each attempt has done, as bits.
        low
            From where each looks.
        used
            The positions each has used, one row per step.
        """
        if len(group) == 1:
            following = self._unused(group[0], low, used)
            return following, np.full(len(following), 1 << group[0], np.int64)
        best = np.full(len(low), len(self._track), np.int64)
        bits = np.zeros(len(low), np.int64)
        for number in group:
            following = self._unused(number, low, used)
            is_next = (following < best) & (done & (1 << number) == 0)
            best = np.where(is_next, following, best)
            bits[is_next] = 1 << number
        return best, bits

    def _unused(self, number: int, low: Positions, used: Positions) -> Positions:
        following = self._track.following((number,), low)
        if not self._track.overlaps:
            return following
        while len(again := np.flatnonzero((following == used).any(axis=0))):
            following[again] = self._track.following((number,), following[again] + 1)
        return following


# -- from one entry to the next -----------------------------------------------------------


@dataclass(frozen=True, eq=False, slots=True)
class _Both:
    """Every first step tried twice: reaching back, and not reaching back.

    Attributes
    ----------
    starts
        The positions of the first steps, ascending.
    tried
        The attempts that may reach back, one a first step; then those of the first steps
        whose attempt did reach back, as they are without.
    without
        Where in *tried* the attempt of a first step without reaching back is.
    earliest
        The first position that each attempt which may reach back uses.
    lanes
        The lane of each first step.
    """

    starts: Positions
    tried: Attempts
    without: Positions
    earliest: Positions
    lanes: Positions

    def version(self, which: Positions, after: Positions) -> Positions:
        """Return the attempt that counts for first steps *which* if all up to *after* is used."""
        return np.where(self.earliest[which] > after, which, self.without[which])


def _both(track: FunnelTrack, plan: FunnelPlan, starts: Positions) -> _Both:
    tried = attempts(track, plan, starts)
    used = np.where(tried.at < 0, len(track), tried.at)
    earliest = used.min(axis=0, initial=len(track))
    back = np.flatnonzero(earliest < starts)
    without = np.arange(len(starts))
    if len(back):
        without[back] = len(starts) + np.arange(len(back))
        tried = tried.followed_by(attempts(track, plan, starts[back], reaches_back=False))
    return _Both(starts, tried, without, earliest, track.lanes[starts].astype(np.int64))


def _reached(following: Positions, begins: Positions) -> Mask:
    """Return which nodes are met on the way from *begins* along *following* (-1: an end).

    Each round looks twice as far ahead as the one before, so that a user with a
    million entries takes twenty.
    """
    met = np.zeros(len(following), np.bool_)
    met[begins] = True
    ahead = following
    while len(open_ := np.flatnonzero(ahead >= 0)):
        met[ahead[open_[met[open_]]]] = True
        further = np.full(len(ahead), -1, np.int64)
        further[open_] = ahead[ahead[open_]]
        ahead = further
    return met


def _one_after_the_other(track: FunnelTrack, both: _Both) -> Attempts:
    """Return the entries of which each begins after the end of the one before."""
    if not len(both.starts):
        return both.tried
    tried = both.tried
    lanes = track.lanes[tried.starts]
    which = np.searchsorted(both.starts, tried.ends, side="right")
    has_next = which < len(both.starts)
    which = np.minimum(which, len(both.starts) - 1)
    has_next &= both.lanes[which] == lanes
    # What lies in the window and was no step of the entry is free for the next one.
    following = np.where(has_next, both.version(which, tried.at.max(axis=0)), -1)
    begins = np.flatnonzero(is_new(both.lanes))
    reached = np.flatnonzero(_reached(following, begins))
    return tried.take(reached[np.argsort(tried.starts[reached], kind="stable")])


def _optimized(track: FunnelTrack, plan: FunnelPlan, both: _Both) -> Attempts:
    """Return the entries if every first step is tried, whatever else is in progress.

    When an attempt converts, the others in progress end with it and are not entries; those
    that had ended before stay. Of attempts that share a step, the one that began last is
    the entry.
    """
    tried, starts = both.tried, both.starts
    conversions = _Conversions(both, tried.reach == len(plan))
    lanes, first = np.unique(both.lanes, return_index=True)
    # The next conversion is looked for at the beginning of each lane and after each end.
    ends = conversions.ends
    begin = conversions.next(first, track.bounds[lanes] - 1, lanes)
    after_end = np.searchsorted(starts, ends, side="right")
    following = conversions.next(after_end, ends, track.lanes[ends].astype(np.int64))
    begin = begin[begin >= 0]
    places = np.where(following < 0, -1, conversions.places[following])
    met = _reached(places, conversions.places[begin])
    converting = np.concatenate([begin, following[met & (following >= 0)]])
    # All else that ended between one conversion and the next.
    exits = ends[met]
    nth = np.searchsorted(exits, starts, side="left")
    before = np.maximum(np.append(exits, -1)[nth - 1], track.bounds[both.lanes] - 1)
    following_exit = np.append(exits, len(track))[nth]
    is_last = following_exit >= track.bounds[both.lanes + 1]
    counted = both.version(np.arange(len(starts)), before)
    is_dropped = (tried.reach[counted] < len(plan)) & (
        is_last | (tried.ends[counted] < following_exit)
    )
    is_dropped &= ~_is_shared(tried.take(counted), len(track))
    kept = np.concatenate([counted[is_dropped], converting])
    return tried.take(kept[np.argsort(tried.starts[kept], kind="stable")])


def _is_shared(among: Attempts, positions: int) -> Mask:
    """Return whether a later attempt did the last step of each with the same event."""
    shared = np.zeros(len(among), np.bool_)
    for step in range(1, len(among.at)):
        # In the order of their first steps: what is written last stays.
        of = np.flatnonzero(among.reach > step)
        latest = np.empty(positions, np.int64)
        latest[among.at[step, of]] = of
        last = np.flatnonzero(among.reach == step + 1)
        shared[last] = latest[among.at[step, last]] > last
    return shared


class _Conversions:
    """The attempts that convert.

    Attributes
    ----------
    ends
        The events they convert with, each once, ascending.
    places
        Where in *ends* the event of each attempt is; means nothing of others.
    """

    def __init__(self, both: _Both, converts: Mask) -> None:
        tried = both.tried
        self._both = both
        self._converts = converts
        self.ends = np.unique(tried.ends[converts])
        self.places = np.searchsorted(self.ends, tried.ends)
        # For each of the ends, the last of the first steps that converts with it.
        nodes = np.flatnonzero(converts)
        steps = np.searchsorted(both.starts, tried.starts[nodes])
        self._last = np.zeros(len(self.ends), np.int64)
        np.maximum.at(self._last, self.places[nodes], steps)
        can = converts[: len(both.starts)] | converts[both.without]
        self._can = np.append(np.flatnonzero(can), len(both.starts))

    def next(self, which: Positions, after: Positions, lanes: Positions) -> Positions:
        """Return the next attempt that converts, -1 for none.

        Of several that convert with the same event it is the one that began last.

        Parameters
        ----------
        which
            The first steps from which to look.
        after
            All positions up to here are used up.
        lanes
            The lanes to stay in.
        """
        both = self._both
        attempts: Positions = np.full(len(which), -1, np.int64)
        which = self._can[np.searchsorted(self._can, which)]
        on = np.arange(len(which))
        while True:
            inside = which[on] < len(both.starts)
            inside[inside] = both.lanes[which[on[inside]]] == lanes[on[inside]]
            on = on[inside]
            if not len(on):
                return self._latest(attempts, after)
            candidates = both.version(which[on], after[on])
            is_so = self._converts[candidates]
            attempts[on[is_so]] = candidates[is_so]
            on = on[~is_so]
            which[on] = self._can[np.searchsorted(self._can, which[on] + 1)]

    def _latest(self, attempts: Positions, after: Positions) -> Positions:
        """Return in place of each attempt the last one that converts with the same event."""
        on = np.flatnonzero(attempts >= 0)
        ends = self._both.tried.ends
        which = np.full(len(attempts), -1, np.int64)
        which[on] = self._last[self.places[attempts[on]]]
        while len(on):
            candidates = self._both.version(which[on], after[on])
            is_so = self._converts[candidates] & (ends[candidates] == ends[attempts[on]])
            attempts[on[is_so]] = candidates[is_so]
            on = on[~is_so]
            which[on] -= 1
        return attempts
