"""Arithmetic on whole columns of numbers (EXPR-10).

Integers are exact at any size. 64-bit integers are calculated as arrays; the few cells
that could overflow them are located first and calculated one by one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.base import TOO_LARGE
from toolkit.columns import Mask
from toolkit.expressions.cells import NUMBERS, TEXT, Cells, Family, finite
from toolkit.expressions.functions import function

# Integers up to here are floats without loss.
_EXACT: Final = 2**53
# The product of two integers is exact in 64 bits if as floats it stays below this.
_SAFE: Final = float(2**62)
# Floats below this, and above its negative, are integers of 64 bits when whole.
_INT64_END: Final = float(2**63)

_FLOATS: Final[dict[str, Callable[..., Any]]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": np.fmod,  # the sign of the dividend, as documented
}


def arithmetic(operator: str, left: Cells, right: Cells) -> Cells:
    """Return *left* ``+ - * /`` or ``%`` *right*, no value where that is undefined."""
    length = left.length if right.length == 1 else right.length
    pieces: list[tuple[Family, Mask, Any]] = []
    for left_family, (left_at, left_values) in left.parts.items():
        for right_family, (right_at, right_values) in right.parts.items():
            both = left_at & right_at
            families = {left_family, right_family}
            if not both.any():
                continue
            if families <= NUMBERS:
                if operator in "/%":
                    both &= np.asarray(right_values != 0, np.bool_)
                compute = (
                    _exactly
                    if "big" in families
                    else (_with_floats if "float" in families else _with_integers)
                )
                pieces += compute(operator, left_values, right_values, both)
            elif families == {"text"} and operator == "+":
                pieces.append(("text", both, _joined_texts(left_values, right_values)))
    return Cells.joined(length, pieces)


def _joined_texts(left: Any, right: Any) -> Any:
    if len(left) != len(right):
        left = left[0] if len(left) == 1 else left
        right = right[0] if len(right) == 1 else right
    return pc.binary_join_element_wise(left, right, pa.scalar("", TEXT))


def _with_floats(
    operator: str, left: Any, right: Any, both: Mask
) -> list[tuple[Family, Mask, Any]]:
    with np.errstate(all="ignore"):
        result = _FLOATS[operator](left.astype(np.float64), right.astype(np.float64))
    return [finite(result, both)]


def _with_integers(
    operator: str, left: Any, right: Any, both: Mask
) -> list[tuple[Family, Mask, Any]]:
    family: Family = "int"
    if operator == "+":
        result = left + right
        fits = ((left ^ result) & (right ^ result)) >= 0
    elif operator == "-":
        result = left - right
        fits = ((left ^ right) & (left ^ result)) >= 0
    elif operator == "*":
        result = left * right
        fits = np.abs(left.astype(np.float64) * right.astype(np.float64)) < _SAFE
    elif operator == "%":
        result = np.fmod(left, np.where(right == 0, 1, right))
        fits = np.True_
    else:
        family, result = "float", left / np.where(right == 0, 1, right)
        fits = (np.abs(left) <= _EXACT) & (np.abs(right) <= _EXACT)
        fits &= (left != np.iinfo(np.int64).min) & (right != np.iinfo(np.int64).min)
    pieces: list[tuple[Family, Mask, Any]] = [(family, both & fits, result)]
    if (rest := both & ~fits).any():
        pieces += _exactly(operator, left, right, rest)
    return pieces


def _exactly(operator: str, left: Any, right: Any, both: Mask) -> list[tuple[Family, Mask, Any]]:
    """Return the result cell by cell, in Python's numbers."""
    at = np.flatnonzero(both)
    lefts = np.broadcast_to(left, both.shape)[at].tolist()
    rights = np.broadcast_to(right, both.shape)[at].tolist()
    results = np.full(len(both), None, object)
    for position, a, b in zip(at.tolist(), lefts, rights, strict=True):
        results[position] = exact(operator, a, b)
    cells = Cells.of_objects(results, both)
    return cells.only("int", "float", "big")


def exact(operator: str, left: float, right: float) -> float | None:
    """Return *left* operator *right* of two numbers, None where that is undefined.

    A quotient of integers that is whole is an exact integer.

    >>> exact("/", 2**60 + 2, 2) == 2**59 + 1, exact("%", -7, 3), exact("/", 1, 0)
    (True, -1, None)
    """
    integers = isinstance(left, int) and isinstance(right, int)
    try:
        if operator == "+":
            result = left + right
        elif operator == "-":
            result = left - right
        elif operator == "*":
            result = left * right
        elif right == 0:
            return None
        elif operator == "/":
            result = left // right if integers and left % right == 0 else left / right
        elif integers:
            result = abs(left) % abs(right) * (-1 if left < 0 else 1)
        else:
            result = math.fmod(left, right)
    except OverflowError:  # an integer too large for a float
        return None
    if isinstance(result, int):
        return result if -TOO_LARGE < result < TOO_LARGE else None
    return result if math.isfinite(result) else None


@function("-", takes="number", gives="number", method="__neg__")
def negated(cells: Cells) -> Cells:
    """Return the numbers with the opposite sign."""
    return arithmetic("-", Cells.constant(0), cells)


@function("floor", takes="number", gives="number", in_formulas=True)
def floor(cells: Cells) -> Cells:
    """Return each number rounded down."""
    return _rounded(cells, np.floor)


@function("ceil", takes="number", gives="number", in_formulas=True)
def ceil(cells: Cells) -> Cells:
    """Return each number rounded up."""
    return _rounded(cells, np.ceil)


@function("round", takes="number", gives="number", in_formulas=True)
def round_half_away(cells: Cells) -> Cells:
    """Return each number rounded to the nearest integer, halves away from zero."""
    return _rounded(cells, _half_away)


def _half_away(numbers: Any) -> Any:
    whole = np.trunc(numbers)  # adding 0.5 first would round 0.49999999999999994 up
    return whole + np.where(np.abs(numbers - whole) >= 0.5, np.copysign(1.0, numbers), 0.0)


def _rounded(cells: Cells, rounding: Callable[[Any], Any]) -> Cells:
    """Return the numbers rounded, as integers: what follows is exact again."""
    pieces = cells.only("int", "big")
    for _, at, values in cells.only("float"):
        whole = rounding(values)
        fits = np.abs(whole) < _INT64_END
        pieces.append(("int", at & fits, np.where(fits, whole, 0.0).astype(np.int64)))
        if (rest := at & ~fits).any():
            big = np.zeros(len(whole), object)
            big[rest] = [int(number) for number in whole[rest].tolist()]
            pieces.append(("big", rest, big))
    return Cells.joined(cells.length, pieces)
