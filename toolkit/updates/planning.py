"""The one planner: from the updates of a table, in whatever form, to what they lead to."""

from __future__ import annotations

from toolkit.base import Progress, silent
from toolkit.updates.by_column import plan_columns
from toolkit.updates.by_message import Check, plan_messages
from toolkit.updates.columnar import ColumnarUpdates, Updates
from toolkit.updates.outcome import Planned
from toolkit.updates.state import State


def plan(
    state: State,
    updates: Updates,
    arrival: int,
    check: Check | None = None,
    progress: Progress = silent,
) -> Planned:
    """Return what valid updates of one table, in order, lead to (MSG-2).

    Parameters
    ----------
    state
        The state before; it is not changed.
    updates
        Messages with their indices, or whole columns.
    arrival
        The time of what names none, in microseconds since 1970 UTC.
    check
        A further check of each profile after each message, such as a limit on its
        properties. Columns are checked before.
    progress
        Called with how far it is; what it raises stops it.
    """
    if isinstance(updates, ColumnarUpdates):
        return plan_columns(state, updates, progress)
    return plan_messages(state, updates, arrival, check, progress)
