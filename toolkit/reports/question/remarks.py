"""What one should know before trusting the numbers of a report, as sentences."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from toolkit.base import count, did_you_mean, times
from toolkit.columns import Positions
from toolkit.events import KeyedGroups
from toolkit.expressions import Expression, Property, is_known, unknown
from toolkit.reports.question.breakdowns import Breakdown
from toolkit.reports.question.periods import Moment, Periods
from toolkit.reports.question.segments import NOT_SET
from toolkit.reports.question.selection import Selection


def unknown_names(asked: Iterable[str | None], names: tuple[str, ...]) -> list[str]:
    """Return a sentence for each name that no event has."""
    return [
        f'No event is named "{name}".{did_you_mean(name, names)}'
        for name in dict.fromkeys(asked)
        if name is not None and name not in names
    ]


def empty_range(
    start: Moment | None, end: Moment | None, range_: Periods, visible: Selection
) -> list[str]:
    """Return a sentence if the range asked for has no event of any name."""
    if (start is None and end is None) or not len(visible):
        return []
    if len(visible.between(range_.start, range_.end)):
        return []
    first, last = (times.iso(int(at)) for at in (visible.times.min(), visible.times.max()))
    asked = [f"start={start!s}"] if start is not None else []
    asked += [f"end={end!s}"] if end is not None else []
    return [f"No event is in the range of {', '.join(asked)}: they go from {first} to {last}."]


def never_true(everything: Selection, conditions: Iterable[Expression | None]) -> list[str]:
    """Return the comparisons that no event and no profile can make true."""
    sentences: dict[str, None] = {}
    for condition in conditions:
        if condition is not None:
            sentences.update(dict.fromkeys(everything.never_true(condition)))
    return list(sentences)


def left_out(
    everything: Selection, asked: Iterable[str | None], range_: Periods | None
) -> list[str]:
    """Return which events of some names no report counts, and which have no name.

    Parameters
    ----------
    everything
        All events.
    asked
        The names; None is any name.
    range_
        The range of the report; None is all time.
    """
    start, end = times.NO_TIME + 1, int(np.iinfo(np.int64).max)
    if range_ is not None:
        start, end = range_.start, range_.end
    # Whatever the names asked for: these may be events of any.
    nameless = everything.nameless(start, end)
    if everything.events.all_counted:
        return nameless
    names = list(dict.fromkeys(asked))
    if None not in names:
        coded = everything.events.event_names
        codes = [coded.code(name) for name in names]
        codes = [code for code in codes if code >= 0]
        everything = everything.keep(np.isin(coded.codes, codes))
    return [*everything.left_out(None, start, end), *nameless]


def of_users(
    selection: Selection,
    by: Breakdown | None,
    conditions: Iterable[Expression | None],
    *,
    before_filter: bool = False,
    further: Iterable[Property] = (),
) -> list[str]:
    """Return what is not known of the users of the selected events.

    Parameters
    ----------
    selection
        The events that the report is about.
    by, conditions
        What the report looks at in them.
    before_filter
        Whether a filter leaves fewer of them to be counted.
    further
        Other properties that it looks at.
    """
    asked = [prop for each in conditions if each is not None for prop in each.properties]
    asked += [] if by is None else by.properties
    asked += further
    names = dict.fromkeys(prop.name for prop in asked if prop.side == "user")
    snapshot = selection.snapshot
    notes = []
    if names and snapshot is not None:
        notes += [unknown(name, snapshot) for name in names if not is_known(name, snapshot)]
        events, ids = selection.without_profile()
        if selection.past is not None:
            notes.append(
                "User properties are as of each event; an update without $time counts from "
                "its arrival."
            )
        elif events:
            before = ", before the filter" if before_filter else ""
            notes.append(
                f"Without a profile, so {NOT_SET} in every user property: "
                f"{count(events, 'event')} of {count(ids, 'distinct ID')}{before}."
            )
    for key in dict.fromkeys(prop.group_key for prop in asked if prop.group_key is not None):
        notes += _of_groups(
            selection.groups[key],
            selection.each_row,
            [prop.name for prop in asked if prop.group_key == key],
            ", before the filter" if before_filter else "",
        )
    if without_id := selection.without_id:
        notes.append(
            "Not counted for any user, because they have no distinct ID: "
            f"{count(without_id, 'event')}."
        )
    if selection.events.has_times_without_zone:
        notes.append("Times without a time zone are read as UTC.")
    return notes


def _of_groups(groups: KeyedGroups, rows: Positions, names: list[str], before: str) -> list[str]:
    """Return what is not known of the groups that some events name."""
    notes = [
        unknown(name, groups.snapshot, groups.key)
        for name in dict.fromkeys(names)
        if not is_known(name, groups.snapshot)
    ]
    if groups.has_past:
        notes.append(f"Properties of each {groups.key} are as of each event.")
        return notes
    events, ids, nameless = groups.without_profile(rows)
    if events:
        notes.append(
            f"Without a profile, so {NOT_SET} in every property of the {groups.key}: "
            f"{count(ids, f'{groups.key} ID')} of {count(events, 'event')}{before}."
        )
    if nameless:
        notes.append(f"Without a {groups.key}, so {NOT_SET}: {count(nameless, 'event')}{before}.")
    return notes
