"""Cohorts: named sets of users, by what their profiles say and by what they did."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableMapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from toolkit.base import (
    NO_TIME,
    SWAPPED,
    ArgumentError,
    InexactIdError,
    ReportError,
    as_json,
    count,
    dumps,
    html,
    listed,
    normalise_id,
    quoted,
    times,
)
from toolkit.columns import Column, Instants, Mask, ProfileRows, Snapshot
from toolkit.events import AnyEvents, Events, Profiles
from toolkit.expressions import (
    Expression,
    Members,
    Scope,
    Side,
    Tally,
    as_expression,
    is_known,
    mask_of,
    parse,
    unknown,
)
from toolkit.profiles import remembered
from toolkit.reports.question import remarks
from toolkit.reports.question.periods import Moment, as_moment
from toolkit.reports.question.selection import Selection, UserScope

_SHOWN: Final = 10
# What completion offers of a cohort, beside what it offers of every condition.
_SHOWN_NAMES: Final = ("among", "condition", "definition", "ids", "name", "named", "notes")


@dataclass(frozen=True, eq=False, repr=False)
class Cohort(Members):
    """A named set of users; made by :func:`cohort` or :func:`cohort_of`.

    It is a condition: given as ``where=`` a report is of its users alone, ``&``, ``|`` and ``~``
    join it with others; given as ``by=`` a report is broken down by who is in it and who
    is not. Who is in it was found when it was made, and stays (COHORT-3).

    Attributes
    ----------
    name
        What it is called.
    definition
        How it came about, in words.
    condition
        The condition its users met; None if they were given as IDs.
    among
        How many users were looked at; None if they were given as IDs.
    notes
        What one should know before trusting it, as sentences.
    """

    definition: str = ""
    condition: Expression | None = None
    among: int | None = None
    notes: list[str] = field(default_factory=list)

    @cached_property
    def ids(self) -> pd.Index:
        """The distinct IDs, sorted; a pandas Index of ``str``."""
        dtype: Any = pd.StringDtype("pyarrow", na_value=np.nan)
        index: pd.Index = pd.Index(dtype.__from_arrow__(self.members), name="distinct_id")
        return index

    @property
    def expression(self) -> Expression:
        """The condition that is true of its users."""
        return self

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.ids)

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[str]:
        return iter(self.ids)

    def __contains__(self, distinct_id: object) -> bool:  # type: ignore[override]
        try:
            return normalise_id(distinct_id) in self._known
        except InexactIdError:  # ID-1: it may be one of several
            raise
        except ValueError:
            return False

    def named(self, name: str) -> Cohort:
        """Return the same users under another name."""
        return Cohort(
            _as_name(name),
            self.members,
            self.definition,
            self.condition,
            self.among,
            list(self.notes),
        )

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *_SHOWN_NAMES})

    def __repr__(self) -> str:
        # Why nobody is in it may be in the notes.
        notes = [] if len(self) else self.notes
        return "\n  ".join([f'<Cohort "{self.name}": {self._summary}>', *notes])

    @property
    def _summary(self) -> str:
        how_many = count(len(self), "user")
        if self.among is not None:
            how_many = f"{len(self):,} of {count(self.among, 'user')}"
        return f"{how_many}, {self.definition}"

    def _repr_html_(self) -> str:
        shown = pd.DataFrame({"distinct_id": self.ids[:_SHOWN]})
        return html.card(
            f'Cohort "{self.name}"',
            html.paragraph(self._summary),
            html.table(shown, total=len(self)),
            html.notes(self.notes),
        )


def cohort(
    events: AnyEvents | None,
    profiles: Profiles | None,
    definition: str | Expression,
    *,
    name: str | None = None,
    now: Moment | None = None,
) -> Cohort:
    """Return the users that meet a condition on their profiles and on what they did.

    Parameters
    ----------
    events
        An :class:`Events`, or a DataFrame with the usual column names; None if the condition
        looks at profiles alone.
    profiles
        The profiles, in their latest state. None if it looks at events alone.
    definition
        A condition on the user, such as ``(user["plan"] == "pro") & tk.did("Purchase",
        at_least=3, within="30d")``, or its text form. It may name other cohorts.
    name
        What to call it; by default the definition.
    now
        The moment that a length of time such as "the last 30 days" ends at; what happened
        later does not count. A date is all of that day. By default that of the last event,
        so that the same events give the same cohort.

    Returns
    -------
    Cohort
        Those of whom the condition is true (not undefined), among all that have a profile
        or an event (COHORT-1).

    Raises
    ------
    ExpressionError
        If *definition* cannot be read, or asks about one event.
    ReportError
        If it looks at events or profiles, and there are none.

    Examples
    --------
    >>> import toolkit as tk
    >>> from toolkit import user
    >>> profiles = tk.ProfileTable()
    >>> for key, plan in {"ann": "pro", "bob": "free", "cem": "pro"}.items():
    ...     result = profiles.set(key, {"plan": plan})
    >>> df = pd.DataFrame(
    ...     {"event": "Buy", "distinct_id": ["ann", "bob"], "time": ["2026-05-01", "2026-05-02"]}
    ... )
    >>> tk.cohort(df, profiles, (user["plan"] == "pro") & ~tk.did("Buy"), name="Not yet")
    <Cohort "Not yet": 1 of 3 users, user["plan"] == "pro" and not times_did("Buy") >= 1>
    """
    condition = as_expression(definition)
    if not condition.is_condition:
        raise ReportError(f"{condition.text} is a value, not a condition; compare it with one")
    if condition.sides - {"user"}:
        (first, *_) = (prop for prop in condition.properties if prop.side != "user")
        whose = "one event" if first.side == "event" else "the groups of one event"
        raise ReportError(
            f"{first.text} is a property of {whose}, and a cohort is of users; write "
            f'tk.did("…", where=…) for who did such an event'
        )
    if events is None:
        events = pd.DataFrame({"event": [], "distinct_id": [], "time": []}, dtype="str")
        if tallies := _tallies(condition):
            raise ReportError(f"{tallies[0].text} counts events, and events is None; give them")
    everything = Selection.of(events, profiles, "latest")
    moment = None if now is None else as_moment(now, None, "now")
    everything = replace(everything, now=moment)
    users = UserScope(everything)
    ids, begun = everything.events.ids.texts, everything.events.first_times
    # Hidden events and those after the moment make nobody a user.
    is_there = begun != NO_TIME if moment is None else (begun != NO_TIME) & (begun <= moment)
    found = [ids.filter(pa.array(mask_of(condition, users)[:-1] & is_there))]
    among = int(is_there.sum())
    if everything.snapshot is not None:
        others = _Quiet(everything, is_there)
        found.append(others.ids.filter(pa.array(mask_of(condition, others))))
        among += len(others)
    members = pa.array(sorted(pa.concat_arrays(found).to_pylist()), pa.large_string())
    notes = _notes(everything, condition, members)
    told = condition.text
    if moment is not None:
        told += f", as of {times.iso(moment)}"
    return Cohort(
        _as_name(condition.text if name is None else name), members, told, condition, among, notes
    )


def cohort_of(ids: Iterable[object], name: str) -> Cohort:
    """Return the cohort of some distinct IDs, such as those behind a cell of a report.

    Parameters
    ----------
    ids
        Distinct IDs; numbers are read as in messages (MSG-4). Each counts once; missing
        values are left out, and noted.
    name
        What to call it.

    Raises
    ------
    InvalidIdError
        If one is not a distinct ID.

    Examples
    --------
    >>> cohort_of(["bob", "ann", "bob"], "Friends")
    <Cohort "Friends": 2 users, given as distinct IDs>
    """
    if isinstance(ids, Cohort):
        return ids.named(name)
    if isinstance(ids, str):
        raise ArgumentError(f"ids={quoted(ids):.60}; give a list of distinct IDs")
    if not isinstance(ids, Iterable) or isinstance(ids, type):
        raise ReportError(f"ids={quoted(ids):.60}; several distinct IDs are needed")
    try:
        given = list(ids)
    except TypeError:  # an array without dimensions
        raise ReportError(f"ids={quoted(ids):.60}; several distinct IDs are needed") from None
    is_missing = pd.isna(pd.Series(given, dtype=object)).tolist()
    there = [each for each, missing in zip(given, is_missing, strict=True) if not missing]
    known = sorted({normalise_id(each) for each in there})
    notes = []
    if missing := len(given) - len(there):
        notes.append(f"Left out, because there is no distinct ID: {count(missing, 'value')}.")
    members = pa.array(known, pa.large_string())
    return Cohort(_as_name(name), members, "given as distinct IDs", notes=notes)


def _as_name(name: object) -> str:
    if not isinstance(name, str) or not name.strip():
        raise ArgumentError(f"name={quoted(name):.60}; give the name of a cohort as text")
    as_json(name)
    return name.strip()


@dataclass(frozen=True, eq=False)
class _Quiet(Scope):
    """The users with a profile and no event; one row per profile."""

    selection: Selection
    has_events: Mask

    @cached_property
    def snapshot(self) -> Snapshot:
        assert self.selection.snapshot is not None
        rows = self.selection.events.rows(self.selection.snapshot)
        is_quiet = np.ones(len(self.selection.snapshot), np.bool_)
        is_quiet[rows[(rows >= 0) & self.has_events]] = False
        return self.selection.snapshot.keep(is_quiet)

    @property
    def ids(self) -> pa.Array:
        return self.snapshot.ids

    def __len__(self) -> int:
        return len(self.snapshot)

    def column(self, side: Side, name: str) -> Column | Instants:
        never = np.full(len(self), NO_TIME, np.int64)
        return ProfileRows(self.snapshot, first_seen=lambda: never).column(name)

    def distinct_ids(self) -> pa.Array:
        return self.ids

    def tally(self, node: Tally) -> Column:
        return Column.of_array(np.zeros(len(self), np.int64))

    def members(self, name: str) -> pa.Array:
        return self.selection.members(name)


def _tallies(condition: Expression) -> list[Tally]:
    found = [node for node in condition._walked() if isinstance(node, Tally)]
    return found + [
        inner for each in found if each.where is not None for inner in _tallies(each.where)
    ]


def _notes(everything: Selection, condition: Expression, members: pa.Array) -> list[str]:
    """Return what one should know before trusting the cohort, as sentences."""
    tallies = _tallies(condition)
    snapshot, events = everything.snapshot, everything.events
    wheres = [each.where for each in tallies]
    notes = remarks.unknown_names([each.event for each in tallies], events.names)
    conditions = [condition, *(each for each in wheres if each is not None)]
    names = dict.fromkeys(
        prop.name for each in conditions for prop in each.properties if prop.side == "user"
    )
    if names and snapshot is not None:
        notes += [unknown(name, snapshot) for name in names if not is_known(name, snapshot)]
    notes += remarks.never_true(everything, conditions)
    lengths = [each.period for each in tallies if each.period and "/" not in each.period]
    observed = everything.visible.observed
    if lengths and everything.now is None and observed is not None:
        notes.append(
            f"{listed(dict.fromkeys(lengths))} counted back from the last event, "
            f"{times.iso(observed[1])}; now= sets another moment."
        )
    if snapshot is not None and names:
        without = int((snapshot.positions(members) < 0).sum())
        if without:
            notes.append(f"Without a profile: {count(without, 'user')} of the cohort.")
    if tallies:
        asked = [each.event for each in tallies]
        notes += remarks.left_out(everything, asked, None)
        if events.has_times_without_zone:
            notes.append("Times without a time zone are read as UTC.")
    return notes


class SavedCohorts(MutableMapping[str, Cohort]):
    """The cohorts that are kept with the profiles, by name; made by :func:`cohorts`.

    They are in the SQLite file of the profiles, so other processes and the forms see
    them; a table in memory forgets them with its profiles. A text such as
    ``cohort("Paying")`` in any condition means the one saved so.
    """

    def __init__(self, profiles: Any) -> None:
        self._profiles = profiles

    def __getitem__(self, name: str) -> Cohort:
        found = remembered(self._profiles)[name]
        condition = None if found.get("condition") is None else parse(found["condition"])
        members = pa.array(found["ids"], pa.large_string())
        among, notes = found.get("among"), list(found.get("notes", []))
        return Cohort(name, members, found["definition"], condition, among, notes)

    def __setitem__(self, name: str, cohort: Cohort) -> None:
        name = _check(name, cohort)
        remembered(self._profiles)[name] = {
            "ids": cohort.ids.tolist(),
            "definition": cohort.definition,
            "condition": None if cohort.condition is None else cohort.condition.text,
            "among": cohort.among,
            "notes": cohort.notes,
        }

    def update(self, other: Any = (), /, **named: Any) -> None:
        """Keep several cohorts: of a dict, of pairs, or by keyword; all of them or none."""
        try:
            given = dict(other, **named)
        except (TypeError, ValueError) as error:
            raise ArgumentError(
                f"{quoted(other):.60} names no cohorts; give {{name: cohort}}. One cohort is kept "
                "under its own name by tk.cohorts(profiles).save(cohort)"
            ) from error
        for name, cohort in given.items():
            _check(name, cohort)
        for name, cohort in given.items():
            self[name] = cohort

    def save(self, cohort: Cohort) -> None:
        """Keep a cohort under its own name, in place of what was kept so before."""
        self[getattr(cohort, "name", "")] = cohort

    def __delitem__(self, name: str) -> None:
        del remembered(self._profiles)[name]

    def __iter__(self) -> Iterator[str]:
        return iter(remembered(self._profiles))

    def __len__(self) -> int:
        return len(remembered(self._profiles))

    def __repr__(self) -> str:
        return f"<{count(len(self), 'saved cohort')}: {listed(map(dumps, self)) or 'none'}>"


def _check(name: object, cohort: object) -> str:
    """Return the name under which a cohort is kept; refuse what is not one."""
    if not isinstance(cohort, Cohort):
        raise ArgumentError(
            f"{quoted(cohort):.60} is not a cohort; make one with tk.cohort(…) or "
            "tk.cohort_of(ids, name)"
        )
    return _as_name(name)


def cohorts(profiles: Any) -> SavedCohorts:
    """Return the cohorts kept with some profiles, by name: read, saved and deleted as a dict's.

    Examples
    --------
    >>> import toolkit as tk
    >>> profiles = tk.ProfileTable()
    >>> tk.cohorts(profiles).save(cohort_of(["ann"], "Friends"))
    >>> tk.cohorts(profiles)["Friends"]
    <Cohort "Friends": 1 user, given as distinct IDs>
    >>> del tk.cohorts(profiles)["Friends"]
    """
    if not hasattr(profiles, "remembered"):
        raise ReportError(
            f"cohorts are saved with a ProfileTable, and {type(profiles).__name__} is not one"
            f"{SWAPPED if isinstance(profiles, Events | pd.DataFrame) else ''}"
        )
    return SavedCohorts(profiles)
