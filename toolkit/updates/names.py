"""Names that a property may not have."""

from __future__ import annotations

from toolkit.base import HIDDEN, MESSAGE_FIELDS, RESERVED
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
    if name in OPERATORS:
        return f'"{name}" is an operator of messages, never a property; choose another name'
    if name in MESSAGE_FIELDS:
        return f'"{name}" is a field of messages, never a property; choose another name'
    reserved = RESERVED.get(name)
    if reserved is not None and reserved.refusal:
        return f'"{name}" ({reserved.label}) {reserved.refusal}'
    return None
