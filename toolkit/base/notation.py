"""Arguments in messages, written as the reader would give them.

A message that says what to do names an argument: ``header=True`` to somebody who
called a function, ``--header`` to somebody at the command line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, TypeAlias

from toolkit.base.values import quoted

#: Writes an argument: its name, and its value unless any will do (``...``).
Notation: TypeAlias = Callable[[str, object], str]


def as_python(name: str, value: object = ...) -> str:
    """Return an argument as Python writes it.

    >>> as_python("header", True), as_python("on_error", "skip"), as_python("encoding")
    ('header=True', 'on_error="skip"', 'encoding=')
    """
    if value is ...:
        return f"{name}="
    plain = isinstance(value, str) and value.isprintable() and '"' not in value
    return f'{name}="{value}"' if plain and "\\" not in str(value) else f"{name}={quoted(value)}"


_notation: Final[ContextVar[Notation]] = ContextVar("notation", default=as_python)


def argument(name: str, value: object = ...) -> str:
    """Return an argument as the reader of a message would give it."""
    return _notation.get()(name, value)


def either(python: str, shell: str) -> str:
    """Return what to do as the reader of a message would do it."""
    return python if _notation.get() is as_python else shell


@contextmanager
def written(notation: Notation) -> Iterator[None]:
    """Write arguments in messages that way until the block ends."""
    token = _notation.set(notation)
    try:
        yield
    finally:
        _notation.reset(token)
