"""The operators, one pure function each, under the name that people read them by."""

from toolkit.updates import (
    OPERATORS,
    add,
    append,
    apply,
    delete,
    remove,
    set,
    set_once,
    union,
    unset,
)

__all__ = [
    "OPERATORS",
    "add",
    "append",
    "apply",
    "delete",
    "remove",
    "set",
    "set_once",
    "union",
    "unset",
]
