"""Profiles that are the same person: finding them, and making one of each group."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Literal, TypeAlias, get_args

import numpy as np
import pandas as pd

from toolkit.base import (
    ABSENT,
    NO_TIME,
    ArgumentError,
    InvalidTimeError,
    Json,
    check_choice,
    check_flag,
    count,
    html,
    key,
    parse_time,
    quoted,
    visible,
)
from toolkit.columns import Snapshot, cell_frame, objects
from toolkit.profiles.changing import change, checked_table
from toolkit.profiles.revenue import TRANSACTIONS
from toolkit.profiles.table import ProfileTable
from toolkit.updates import ChangeReport

Keep: TypeAlias = Literal["last_seen", "created", "first", "most properties"]
Merge: TypeAlias = Literal["fill", "union", "none"]
#: Picks of the profiles of a group, by distinct ID, the one to keep.
Picks: TypeAlias = Callable[[dict[str, dict[str, Json]]], str]

_LATEST: Final = 2**63 - 1


@dataclass(frozen=True, eq=False)
class DuplicateReport:
    """Profiles that share a value.

    Attributes
    ----------
    by
        The property.
    groups
        DataFrame, one row per profile: ``group`` (from 0), ``value`` as it is stored,
        ``distinct_id`` and ``$last_seen``. Groups are in the order of their first
        profile.
    """

    by: str
    groups: pd.DataFrame

    def __len__(self) -> int:
        """Return how many groups there are."""
        return int(self.groups["group"].nunique())

    def __repr__(self) -> str:
        return f"<DuplicateReport: {self._sentence()}>"

    def _sentence(self) -> str:
        profiles = count(len(self.groups), "profile")
        return f'{profiles} in {count(len(self), "group")} of the same "{self.by}"'

    def _repr_html_(self) -> str:
        return html.card(self._sentence(), html.table(self.groups))


def find_duplicates(
    profiles: ProfileTable, by: str = "$email", *, fold: bool = True
) -> DuplicateReport:
    """Return the profiles that have the value of a property in common.

    Parameters
    ----------
    profiles
        A table.
    by
        The property. Profiles without it, or with null or blank text, are nobody's
        duplicates.
    fold
        Whether upper and lower case, the spaces around text, invisible characters in it and
        its Unicode form (composed or not) are ignored.

    Examples
    --------
    >>> profiles = ProfileTable()
    >>> for distinct_id, email in (("1", "ann@x.org"), ("2", "bob@x.org"), ("3", "Ann@x.org ")):
    ...     _ = profiles.set(distinct_id, {"$email": email})
    >>> find_duplicates(profiles)
    <DuplicateReport: 2 profiles in 1 group of the same "$email">
    """
    snapshot = checked_table(profiles).snapshot()
    groups = _groups(snapshot, by, fold)
    rows = np.array([at for group in groups for at in group], np.int64)
    part = snapshot.take(rows)
    frame = part.frame([])
    column = part.column(by)
    return DuplicateReport(
        by,
        cell_frame(
            {
                "group": np.repeat(np.arange(len(groups)), [len(group) for group in groups]),
                "value": objects(column.cells()),
                "distinct_id": frame.index.to_series().reset_index(drop=True),
                "$last_seen": frame["$last_seen"].reset_index(drop=True),
            }
        ),
    )


def _groups(snapshot: Snapshot, by: str, fold: bool) -> list[list[int]]:
    if not isinstance(by, str):
        raise ArgumentError(f"by={quoted(by)}; the name of a property is needed")
    check_flag("fold", fold, ArgumentError)
    groups: dict[Hashable, list[int]] = {}
    for at, value in enumerate(snapshot.column(by).cells()):
        if value is ABSENT or value is None or (isinstance(value, str) and not visible(value)):
            continue
        folded = visible(value).casefold() if fold and isinstance(value, str) else value
        groups.setdefault(key(folded), []).append(at)
    return [group for group in groups.values() if len(group) > 1]


def deduplicate(
    profiles: ProfileTable,
    by: str = "$email",
    *,
    keep: Keep | Picks = "last_seen",
    merge: Merge = "fill",
    fold: bool = True,
    dry_run: bool = True,
) -> ChangeReport:
    """Keep one profile of each group that shares a value, and delete the others.

    By default it only says what it would do; ``dry_run=False`` does it, as one batch of
    plain operators, which ``profiles.undo`` takes back. Updated At stays (UPKEEP-1). The
    events of the deleted IDs stay as they are, and no longer meet a profile (DELETE-1).

    Parameters
    ----------
    profiles, by, fold
        As for :func:`find_duplicates`.
    keep
        Which one stays: the last updated (``"last_seen"``), the one with the earliest
        ``$created`` (``"created"``), the first in the table (``"first"``), or the one
        with the most properties (``"most properties"``); of equals the first. Or a
        function that gets the profiles of a group, ``{distinct ID: properties}``, and
        returns a distinct ID.
    merge
        What the others leave to it (UPKEEP-3): ``"fill"`` what it lacks, from the
        others in the order in which they would be kept; ``"union"`` that, and the
        elements of lists that both have, of ``$transactions`` every one; ``"none"``
        nothing.
    dry_run
        Whether only to say what would change.
    """
    table = checked_table(profiles)
    if not callable(keep):
        check_choice("keep", keep, get_args(Keep), ArgumentError)
    check_choice("merge", merge, get_args(Merge), ArgumentError)
    check_flag("dry_run", dry_run, ArgumentError)
    with table._engine.lock, table._engine.moment(write=not dry_run):
        snapshot = table.snapshot()
        messages: list[dict[str, Any]] = []
        groups = _groups(snapshot, by, fold)
        # All at once: a take of its own for each group is slow.
        part = snapshot.take(np.array([at for group in groups for at in group], np.int64))
        rows = part.rows(np.arange(len(part)))
        every = zip(part, rows, part.last_seen.tolist(), strict=True)
        for group in groups:
            duplicates = list(islice(every, len(group)))
            members = {each: properties for each, properties, _ in duplicates}
            seen = {each: at for each, _, at in duplicates}
            first, *others = _ranked(members, seen, keep)
            operations = _merged(members[first], [members[each] for each in others], merge)
            if operations:
                messages.append({**table.address(first), **operations})
            messages += [{**table.address(each), "$delete": ""} for each in others]
        return change(table, messages, dry_run=dry_run, source=f'deduplicate by "{by}"')


def _ranked(
    members: dict[str, dict[str, Json]], seen: Mapping[str, int], keep: Keep | Picks
) -> list[str]:
    """Return the IDs of a group, the one to keep first; equals in the order of the table."""
    if callable(keep):
        picked = keep({each: dict(properties) for each, properties in members.items()})
        if picked not in members:
            raise ArgumentError(f"keep returned {picked!r}; one of {list(members)} is needed")
        return [picked, *(each for each in members if each != picked)]
    ranks: dict[str, Callable[[str], int]] = {
        "last_seen": lambda each: -seen[each] if seen[each] != NO_TIME else _LATEST,
        "created": lambda each: _created(members[each]),
        "first": lambda each: 0,
        "most properties": lambda each: -len(members[each]),
    }
    return sorted(members, key=ranks[keep])


def _created(properties: Mapping[str, Json]) -> int:
    try:
        return parse_time(properties.get("$created"))
    except InvalidTimeError:
        return _LATEST


def _merged(
    kept: Mapping[str, Json], others: Iterable[Mapping[str, Json]], merge: Merge
) -> dict[str, Any]:
    """Return the operators that give a profile what others leave to it."""
    filled: dict[str, Json] = {}
    united: dict[str, list[Json]] = {}
    charged: dict[str, list[Json]] = {}
    if merge != "none":
        for other in others:
            for name, value in other.items():
                have = kept.get(name, filled.get(name, ABSENT))
                if have is ABSENT:
                    filled[name] = value
                elif merge == "union" and isinstance(have, list) and isinstance(value, list):
                    if name == TRANSACTIONS:  # two charges of one amount are two charges
                        charged[name] = [*charged.get(name, have), *value]
                    else:
                        united.setdefault(name, []).extend(value)
    operators: dict[str, Any] = {"$set_once": filled, "$set": charged, "$union": united}
    return {operator: argument for operator, argument in operators.items() if argument}
