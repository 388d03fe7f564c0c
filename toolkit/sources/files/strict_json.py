"""JSON read strictly: no key twice in an object, no NaN, integers exact."""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        # Adding to a set returns None: the first name that was there already is found.
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice!r} occurs twice in one object")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


#: Reads one value; one of two values under the same key would be lost, so it is refused.
DECODER: Final = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_refuse_constant)


def loads(text: str) -> Any:
    """Return the value of JSON *text*.

    Raises
    ------
    ValueError
        If it is not JSON, or an object in it names a key twice.
    RecursionError
        If it is nested too deeply.

    Examples
    --------
    >>> loads('{"n": 1, "n": 2}')
    Traceback (most recent call last):
    ...
    ValueError: the key 'n' occurs twice in one object
    """
    return DECODER.decode(text)
