"""The Python of a report's arguments, and what it has to import."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from toolkit.base import ExpressionError, dumps
from toolkit.expressions import Expression, Property, Side, Tally, group_key_of
from toolkit.reports.question.breakdowns import Breakdown
from toolkit.reports.question.steps import Step


def written(value: Any) -> str:
    """Return the Python of one argument.

    Raises
    ------
    ExpressionError
        If there is none.
    """
    if isinstance(value, Expression | Breakdown):
        return value.python
    if isinstance(value, str):
        return dumps(value)
    if isinstance(value, tuple):
        return f"({', '.join(map(written, value))})"
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, Step):
        return f"tk.step({', '.join(_arguments(value))})"
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    raise ExpressionError(f"{value!r:.60} ({type(value).__name__}) cannot be written as Python")


def _arguments(step: Step) -> list[str]:
    """Return the arguments of ``tk.step`` that make a step."""
    named = {
        "where": step.where,
        "anchored": step.anchored or None,
        "between": step.between,
        "name": step.called or None,
    }
    keywords = [f"{name}={written(value)}" for name, value in named.items() if value is not None]
    return [written(step.event), *keywords]


def kind_of(side: Side) -> str:
    """Return whose properties those of a side are, and what is imported to write them."""
    return side if group_key_of(side) is None else "group"


def nodes_of(values: Iterable[Any]) -> Iterator[Expression | Breakdown]:
    """Yield all that the Python of some values is written of."""
    for value in values:
        match value:
            case list() | tuple():
                yield from nodes_of(value)
            case Step():
                yield from nodes_of([value.where])
            case Breakdown():
                yield value
            case Expression():
                for node in value._walked():
                    yield node
                    if isinstance(node, Tally):
                        yield from nodes_of([node.where, node.of])


def imports_of(nodes: Iterable[Expression | Breakdown], call: str) -> list[str]:
    """Return what has to be imported for them, and for a call that holds them."""
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, Breakdown):
            names |= {kind_of(prop.side) for prop in node.properties}
        elif isinstance(node, Property):
            names.add(kind_of(node.side))
        elif isinstance(node, Tally):
            names.add("times_did" if node.of is None else "total_of")
    lines = [f"from toolkit import {', '.join(sorted(names))}"] if names else []
    if "literal(" in call:
        lines.append("from toolkit.expressions import literal")
    return lines
