"""Numbers and names in sentences, and the names that completion offers."""

from __future__ import annotations

import re
import sys
from collections.abc import Container, Iterable
from difflib import get_close_matches
from typing import Final, TypeVar

_T = TypeVar("_T")

#: What an error adds that got profiles in place of events, or the other way round.
SWAPPED: Final = ". Did you swap events and profiles?"


def count(number: int, noun: str) -> str:
    """Return a number and what it counts, in the plural if it is not 1.

    >>> count(1, "event"), count(0, "batch"), count(12_000, "property")
    ('1 event', '0 batches', '12,000 properties')
    """
    if number != 1:
        if noun.endswith("ch"):
            noun += "es"
        elif noun.endswith("rty"):
            noun = f"{noun[:-1]}ies"
        else:
            noun += "s"
    return f"{number:,} {noun}"


_ORDINALS = (
    *("first", "second", "third", "fourth", "fifth"),
    *("sixth", "seventh", "eighth", "ninth", "tenth"),
)


def ordinal(number: int) -> str:
    """Return which of several one is, from 1.

    >>> ordinal(1), ordinal(10), ordinal(22), ordinal(113)
    ('first', 'tenth', '22nd', '113th')
    """
    if number <= len(_ORDINALS):
        return _ORDINALS[number - 1]
    is_teen = number % 100 in (11, 12, 13)
    return f"{number:,}{'th' if is_teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def listed(names: Iterable[str], at_most: int = 12) -> str:
    """Return names one after the other; of many only the first, and how many follow.

    >>> listed(["a", "b", "c"], at_most=2)
    'a, b and 1 more'
    """
    names = list(names)
    shown = ", ".join(names[:at_most])
    return f"{shown} and {len(names) - at_most:,} more" if len(names) > at_most else shown


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return a question naming what *name* may have been meant to be, or nothing.

    >>> did_you_mean("plna", ["plan", "city"])
    ' Did you mean "plan"?'
    """
    by_lower = {candidate.lower(): candidate for candidate in names}
    close = get_close_matches(name.lower(), list(by_lower), n=2)
    quoted = " or ".join(f'"{by_lower[candidate]}"' for candidate in close)
    return f" Did you mean {quoted}?" if quoted else ""


def sentence(text: str) -> str:
    """Return the message of an error as a sentence; code it begins with stays small.

    >>> sentence("give a value"), sentence("end=2026 is not a date"), sentence("Why?")
    ('Give a value.', 'end=2026 is not a date.', 'Why?')
    >>> sentence('event["item"] is of events')
    'event["item"] is of events.'
    """
    first = text.split(" ", 1)[0]
    begun = text if {*"=[("} & {*first} else text[:1].upper() + text[1:]
    return begun if begun.endswith((".", "?", "!")) else f"{begun}."


def begun(title: str) -> str:
    """Return a title that begins with an event: its name stays as it is written.

    >>> begun("buy, then view"), begun("any event, then view")
    ('buy, then view', 'Any event, then view')
    """
    return f"A{title[1:]}" if re.match(r"any (other )?event\b", title) else title


def completed_by_dir(kind: type[_T]) -> type[_T]:
    """Let IPython, where it runs, complete objects of a class by their ``__dir__`` alone.

    Without jedi it would add what their class has.
    """
    if "IPython" in sys.modules:
        from IPython.utils.generics import complete_object

        @complete_object.register(kind)
        def _(thing: object, names: list[str]) -> list[str]:
            return dir(thing)

    return kind


def completions(thing: object, internal: Container[str]) -> list[str]:
    """Return the names that completion offers for an object: those made for its users.

    Parameters
    ----------
    thing
        The object; what it is called by is ``__dir__``.
    internal
        Its names that begin with no underscore and are for other parts of the toolkit alone.
    """
    return sorted(
        name
        for name in object.__dir__(thing)
        if name not in internal and (not name.startswith("_") or name.endswith("__"))
    )
