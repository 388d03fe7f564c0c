"""Changing all profiles that match an expression."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from toolkit.base import ArgumentError, check_flag, count, quoted
from toolkit.columns import Snapshot
from toolkit.expressions import Expression
from toolkit.profiles.changing import change, checked_table
from toolkit.profiles.table import ProfileTable
from toolkit.updates import ChangeReport, name_refusal


def update_where(
    profiles: ProfileTable,
    where: Expression | str | None,
    operations: Mapping[str, Any],
    *,
    dry_run: bool = False,
    source: str = "update where",
) -> ChangeReport:
    """Apply operators to every profile that matches, as one batch; return what changed.

    Updated At stays (UPKEEP-1). Where nothing differs afterwards there is no batch.

    Parameters
    ----------
    profiles
        The table.
    where
        Such as ``user["plan"] == "pro"``, as an object or as text; None for all profiles.
    operations
        Operators and their arguments, in the order they apply:
        ``{"$add": {"credits": 5}, "$union": {"tags": ["gift"]}}``.
    dry_run
        Whether only to say what would change.
    source
        In words, for the log.

    Examples
    --------
    >>> profiles = ProfileTable()
    >>> profiles.set("1", {"plan": "pro", "credits": 1}).applied
    1
    >>> update_where(profiles, 'user["plan"] == "pro"', {"$add": {"credits": 5}}, dry_run=True)
    <ChangeReport: 1 profile: 1 updated; dry run, nothing written>
      credits: 1 changed
    """
    if not isinstance(operations, Mapping) or not operations:
        raise ArgumentError(
            f"operations={quoted(operations)}; operators and arguments are needed, such as "
            '{"$set": {"plan": "pro"}}'
        )
    operators = dict(operations)
    return _each(profiles, where, lambda _: lambda at: operators, dry_run, source)


def set_where(
    profiles: ProfileTable,
    where: Expression | str | None,
    properties: Mapping[str, Any],
    *,
    dry_run: bool = False,
) -> ChangeReport:
    """Write properties of every profile that matches. The rest is as for :func:`update_where`."""
    return update_where(profiles, where, {"$set": properties}, dry_run=dry_run, source="set where")


def unset_where(
    profiles: ProfileTable,
    where: Expression | str | None,
    names: str | Iterable[str],
    *,
    dry_run: bool = False,
) -> ChangeReport:
    """Remove properties of every profile that matches, as for :func:`update_where`."""
    if not isinstance(names, Iterable):
        raise ArgumentError(f"names={quoted(names):.60}; one name or several are needed")
    properties = [names] if isinstance(names, str) else list(names)
    return update_where(
        profiles, where, {"$unset": properties}, dry_run=dry_run, source="unset where"
    )


def delete_where(
    profiles: ProfileTable, where: Expression | str, *, dry_run: bool = False
) -> ChangeReport:
    """Delete every profile that matches, as for :func:`update_where`."""
    if where is None:
        raise ArgumentError("where=None would delete all profiles; say which, as an expression")
    return update_where(profiles, where, {"$delete": ""}, dry_run=dry_run, source="delete where")


def rename_where(
    profiles: ProfileTable,
    old: str,
    new: str,
    *,
    where: Expression | str | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
) -> ChangeReport:
    """Give a property another name in every profile that matches.

    Parameters
    ----------
    profiles, where, dry_run
        As for :func:`update_where`.
    old, new
        The names.
    overwrite
        Whether the value goes to the new name where that is in use, too. By default such
        profiles stay as they are, and the report says how many (UPKEEP-2).
    """
    check_flag("overwrite", overwrite, ArgumentError)
    for name in (old, new):
        reason = name_refusal(name) if isinstance(name, str) else "a property's name is text"
        if reason is not None:
            raise ArgumentError(f"{name!r} cannot be renamed or named so: {reason}")
    if old == new:
        raise ArgumentError(f'the property is called "{old}" already')
    left: list[int] = []

    def operations(selection: Snapshot) -> Callable[[int], dict[str, Any] | None]:
        values, taken = selection.column(old), selection.column(new).is_present
        renamed = values.is_present & (overwrite | ~taken)
        left.append(int((values.is_present & ~renamed).sum()))
        return lambda at: {"$set": {new: values.cell(at)}, "$unset": [old]} if renamed[at] else None

    report = _each(profiles, where, operations, dry_run, f'rename "{old}" to "{new}"')
    if not left[0]:
        return report
    note = f'{count(left[0], "profile")} left alone: "{new}" is in use there (overwrite=True).'
    return replace(report, notes=(*report.notes, note))


def _each(
    profiles: ProfileTable,
    where: Expression | str | None,
    operations: Callable[[Snapshot], Callable[[int], dict[str, Any] | None]],
    dry_run: bool,
    source: str,
) -> ChangeReport:
    """Send each profile that matches the operations it gets."""
    table = checked_table(profiles)
    check_flag("dry_run", dry_run, ArgumentError)
    with table._engine.lock, table._engine.moment(write=not dry_run):
        selection = table.snapshot() if where is None else table.where(where).snapshot()
        operations_at = operations(selection)
        messages = [
            {**table.address(distinct_id), **sent}
            for at, distinct_id in enumerate(selection)
            if (sent := operations_at(at)) is not None
        ]
        return change(table, messages, dry_run=dry_run, source=source)
