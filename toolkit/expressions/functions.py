"""The functions of expressions that work a value out of one other: a decorator enters each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

from toolkit.expressions.cells import Cells

Worked: TypeAlias = Callable[[Cells], Cells]


class NamedFunction(NamedTuple):
    """A function, and whether formulas of reports know it, too."""

    apply: Worked
    in_formulas: bool = False


#: Each function by its name in an expression, ``-`` for the sign.
FUNCTIONS: Final[dict[str, NamedFunction]] = {}


def function(name: str, *, in_formulas: bool = False) -> Callable[[Worked], Worked]:
    """Enter a function of one value under its name; parser, evaluation and hints find it there.

    It gets the cells of a value and returns as many. A cell it cannot work out is not set.

    Examples
    --------
    ::

        @function("length")
        def length(cells):
            return ...
    """

    def enter(apply: Worked) -> Worked:
        FUNCTIONS[name] = NamedFunction(apply, in_formulas)
        return apply

    return enter
