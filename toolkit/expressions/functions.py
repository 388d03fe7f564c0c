"""The functions of expressions that make a value of one other: a decorator enters each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, NamedTuple, TypeAlias

from toolkit.base import ExpressionError
from toolkit.expressions.cells import Cells, Family

#: The types of values, as errors and the documentation call them.
ValueType: TypeAlias = Literal["boolean", "number", "text", "time", "list", "object"]
CellFunction: TypeAlias = Callable[[Cells], Cells]

TYPES: Final[dict[Family, ValueType]] = {
    **{"bool": "boolean", "int": "number", "float": "number", "big": "number"},
    **{"text": "text", "time": "time", "list": "list", "object": "object"},
}
#: What a function takes that takes every value.
ANY: Final = tuple(dict.fromkeys(TYPES.values()))
#: A type with its article.
ONE: Final[dict[ValueType, str]] = {
    **{"boolean": "a boolean", "number": "a number", "text": "text", "time": "a time"},
    **{"list": "a list", "object": "an object"},
}
_CASTS: Final = {"number": "number", "text": "string", "time": "datetime", "boolean": "boolean"}


class NamedFunction(NamedTuple):
    """A function with the types it takes and gives.

    Attributes
    ----------
    name
        Its name in the text form.
    apply
        Gets cells of the types it takes and returns as many.
    takes, gives
        The types of its argument and of its result.
    method
        The method of expressions that is the same in Python.
    in_formulas
        Whether formulas of reports have it, too.
    """

    name: str
    apply: CellFunction
    takes: tuple[ValueType, ...]
    gives: ValueType
    method: str
    in_formulas: bool

    @property
    def takes_text(self) -> str:
        """What it takes, as in "a number or text"."""
        return "any value" if self.takes == ANY else " or ".join(ONE[each] for each in self.takes)

    def require(self, value_type: ValueType | None, value: object) -> None:
        """Refuse an argument of another type; None is one that only the rows decide.

        Raises
        ------
        ExpressionError
            If the function has no value for it.
        """
        if value_type is None or value_type in self.takes:
            return
        cast = FUNCTIONS.get(_CASTS.get(self.takes[0], ""))
        hint = f"; {cast.name}(…) converts it" if cast and value_type in cast.takes else ""
        raise ExpressionError(
            f"{self.name} takes {self.takes_text}, and {value!s:.60} is {ONE[value_type]}{hint}"
        )

    def of(self, cells: Cells) -> Cells:
        """Return its value for each cell; a cell of another type is not set."""
        parts = {
            family: part for family, part in cells.parts.items() if TYPES[family] in self.takes
        }
        return self.apply(Cells(cells.length, parts))


#: Each function by its name in an expression, ``-`` for the sign.
FUNCTIONS: Final[dict[str, NamedFunction]] = {}


def function(
    name: str,
    *,
    takes: ValueType | tuple[ValueType, ...],
    gives: ValueType,
    method: str = "",
    in_formulas: bool = False,
) -> Callable[[CellFunction], CellFunction]:
    """Enter a function of one value under its name; parser, evaluation and hints find it there.

    It gets the cells of a value and returns as many. Cells of types that it does not take are
    not set before it sees them, and an argument that can only be of such a type is refused.

    Examples
    --------
    ::

        @function("length", takes="text", gives="number")
        def length(cells):
            return ...
    """

    def enter(apply: CellFunction) -> CellFunction:
        types = (takes,) if isinstance(takes, str) else takes
        FUNCTIONS[name] = NamedFunction(name, apply, types, gives, method or name, in_formulas)
        return apply

    return enter
