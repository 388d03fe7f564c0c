"""Names that a property may not have."""

from __future__ import annotations

from toolkit.base import FIRST_SEEN, HIDDEN, LAST_SEEN, MESSAGE_FIELDS
from toolkit.updates.operators import OPERATORS


def name_refusal(name: str) -> str | None:
    """Return why a form or a CSV mapping may not write a property of this name, None if it may.

    Messages are freer: they store any name but Updated At, hidden ones with a warning.

    >>> name_refusal("plan") is None
    True
    >>> name_refusal("$bucket")
    '"$bucket" is hidden from every table, form and report; choose another name'
    """
    if not name.strip():
        return "a property needs a name"
    if name in HIDDEN:
        return f'"{name}" is hidden from every table, form and report; choose another name'
    if name == LAST_SEEN:  # SEEN-1
        return f'"{name}" (Updated at) is kept by the table'
    if name == FIRST_SEEN:
        return f'"{name}" (First Seen) is computed from the events'
    if name in OPERATORS:
        return f'"{name}" is an operator of messages, never a property; choose another name'
    if name in MESSAGE_FIELDS:
        return f'"{name}" is a field of messages, never a property; choose another name'
    return None
