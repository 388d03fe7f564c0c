"""Comparisons of whole columns, each cell true, false or undefined (EXPR-2 to EXPR-8)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.base import ABSENT, Json, equal, key
from toolkit.columns import Column, Mask
from toolkit.expressions.casting import as_datetime
from toolkit.expressions.cells import NUMBERS, TEXT, Cells, Family


class Truth(NamedTuple):
    """Whether each cell is true, and whether it is undefined; false is neither."""

    true: Mask
    undefined: Mask

    @classmethod
    def of(cls, true: Mask) -> Truth:
        """Return a truth of which nothing is undefined."""
        return cls(true, np.zeros(len(true), np.bool_))


_NUMPY: Final[dict[str, Callable[..., Any]]] = {
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}
_ARROW: Final[dict[str, Callable[..., Any]]] = {
    "==": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
_ORDERED: Final[frozenset[Family]] = NUMBERS | {"text", "time"}


def compare(operator: str, left: Cells, right: Cells) -> Truth:
    """Return *left* ``== != < <= >`` or ``>=`` *right* for each cell."""
    length = left.length if right.length == 1 else right.length
    true, defined = np.zeros(length, np.bool_), np.zeros(length, np.bool_)
    # EXPR-12; a column that holds times holds nothing else.
    if "time" in left.parts:
        right = as_datetime(right)
    elif "time" in right.parts:
        left = as_datetime(left)
    for left_family, (left_at, left_values) in left.parts.items():
        for right_family, (right_at, right_values) in right.parts.items():
            kernel = _kernel(left_family, right_family)
            if kernel is None or (operator not in ("==", "!=") and left_family not in _ORDERED):
                continue
            both = left_at & right_at
            if both.any():
                true |= both & kernel(operator, left_values, right_values, both)
                defined |= both
    return Truth.of(true) if operator == "==" else Truth(true, ~defined)


def can_compare(operator: str, left: Family, right: Family) -> bool:
    """Return whether values of two types can meet in a comparison, which else is undefined."""
    is_ordering = operator not in ("==", "!=")
    return _kernel(left, right) is not None and (left in _ORDERED or not is_ordering)


def _kernel(left: Family, right: Family) -> Callable[[str, Any, Any, Mask], Any] | None:
    """Return what compares values of two families, None if they are of different types."""
    if left in NUMBERS and right in NUMBERS:
        if "big" in (left, right):
            return _one_by_one
        if left == right:
            return _arrays
        return _integers_with_floats if left == "int" else _floats_with_integers
    if left != right:
        return None
    if left == "text":
        return _texts
    return _json if left in ("list", "object") else _arrays


def _arrays(operator: str, left: Any, right: Any, both: Mask) -> Any:
    return _NUMPY[operator](left, right)


def _texts(operator: str, left: Any, right: Any, both: Mask) -> Any:
    # Arrow compares bytes of UTF-8, which are in the order of code points.
    if len(left) != len(right):
        left = left[0] if len(left) == 1 else left
        right = right[0] if len(right) == 1 else right
    truths = pc.fill_null(_ARROW[operator](left, right), False)
    return truths.to_numpy(zero_copy_only=False)


def _integers_with_floats(operator: str, left: Any, right: Any, both: Mask) -> Any:
    return _NUMPY[operator](_sign(left, right), 0)


def _floats_with_integers(operator: str, left: Any, right: Any, both: Mask) -> Any:
    return _NUMPY[operator](-_sign(right, left), 0)


def _sign(integers: Any, floats: Any) -> Any:
    """Return -1, 0 or 1 where the integer is less than, equal to or greater than the float.

    As floats, integers past 2**53 would be rounded and 2**53 + 1 equal 2**53.
    """
    above, below = floats >= 2.0**63, floats < -(2.0**63)
    inside = np.where(above | below, 0.0, floats)
    floor = np.floor(inside)
    whole = floor.astype(np.int64)
    sign = (integers > whole).astype(np.int8) - (integers < whole)
    sign = np.where((integers == whole) & (inside > floor), -1, sign)
    return np.where(above, -1, np.where(below, 1, sign))


def _one_by_one(operator: str, left: Any, right: Any, both: Mask) -> Any:
    result = np.zeros(len(both), np.bool_)
    at = np.flatnonzero(both)
    lefts = np.broadcast_to(left, both.shape)[at].tolist()
    rights = np.broadcast_to(right, both.shape)[at].tolist()
    relation = _NUMPY[operator]
    # Python compares integers of any size with floats exactly.
    result[at] = [relation((a > b) - (a < b), 0) for a, b in zip(lefts, rights, strict=True)]
    return result


def _json(operator: str, left: Any, right: Any, both: Mask) -> Any:
    result = np.zeros(len(both), np.bool_)
    at = np.flatnonzero(both)
    lefts = np.broadcast_to(left, both.shape)[at]
    rights = np.broadcast_to(right, both.shape)[at]
    same = [equal(a, b) for a, b in zip(lefts, rights, strict=True)]
    result[at] = same if operator == "==" else np.logical_not(same)
    return result


def is_among(cells: Cells, options: Sequence[Json]) -> Mask:
    """Return whether each cell equals one of *options*; null is equal to what is not set."""
    true = ~cells.has_value if None in options else np.zeros(cells.length, np.bool_)
    if "time" in cells.parts:
        times = as_datetime(Cells.of(Column.of(options))).only("time")
        options = [moment for _, at, values in times for moment in values[at].tolist()]
    for family, (at, values) in cells.parts.items():
        true |= at & _among(family, values, at, options)
    return true


def _among(family: Family, values: Any, at: Mask, options: Sequence[Json]) -> Any:
    if family == "bool":
        return np.isin(values, [option for option in options if isinstance(option, bool)])
    if family == "time":
        return np.isin(values, np.array(options, np.int64))
    if family == "text":
        texts = [option for option in options if isinstance(option, str)]
        return pc.is_in(values, value_set=pa.array(texts, TEXT)).to_numpy(zero_copy_only=False)
    if family in NUMBERS:
        numbers = [n for n in options if isinstance(n, int | float) and not isinstance(n, bool)]
        return _among_numbers(family, values, at, numbers)
    result = np.zeros(len(at), np.bool_)
    if family in ("list", "object"):
        kind = list if family == "list" else dict
        keys = {key(option) for option in options if isinstance(option, kind)}
        if keys:
            result[at] = [key(value) in keys for value in values[at]]
    return result


def _among_numbers(family: Family, values: Any, at: Mask, numbers: Sequence[float]) -> Any:
    if family == "big":
        result = np.zeros(len(at), np.bool_)
        whole = {int(number) for number in numbers if number == int(number)}
        result[at] = [value in whole for value in values[at]]
        return result
    if family == "int":
        within = [int(n) for n in numbers if -(2**63) <= n < 2**63 and n == int(n)]
        options = pa.array(within, pa.int64())
    else:
        # Adding 0.0 turns -0.0, which Arrow distinguishes, into 0.0.
        options = pa.array([_float(n) + 0.0 for n in numbers if _float(n) == n], pa.float64())
        values = values + 0.0
    return pc.is_in(pa.array(values), value_set=options).to_numpy(zero_copy_only=False)


def _float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return float("nan")  # equal to no integer


def contains(container: Cells, element: Cells, *, null: bool = False) -> Truth:
    """Return whether each text contains the text, or each list the element.

    Parameters
    ----------
    container, element
        Lists take any element, texts only text; anything else is undefined.
    null
        Whether the element is the literal null, which a list may contain.
    """
    length = container.length if element.length == 1 else element.length
    true, defined = np.zeros(length, np.bool_), np.zeros(length, np.bool_)
    if "text" in container.parts and "text" in element.parts:
        both = container.where("text") & element.where("text")
        texts, parts = container.parts["text"].values, element.parts["text"].values
        if len(parts) == 1:
            matches = pc.match_substring(texts, pattern=parts[0].as_py())
            true |= both & pc.fill_null(matches, False).to_numpy(zero_copy_only=False)
        else:
            at = np.flatnonzero(both)
            pairs = zip(_texts_at(texts, at), _texts_at(parts, at), strict=True)
            true[at] = [part in text for text, part in pairs]
        defined |= both
    if "list" in container.parts:
        both = container.where("list") & (element.has_value | null)
        at = np.flatnonzero(both)
        # A list holds JSON: never a time.
        json = Cells.joined(element.length, [p for p in _pieces(element) if p[0] != "time"])
        values = np.full(element.length, None, object) if null else json.objects()
        elements = np.broadcast_to(values, both.shape)[at]
        lists = np.broadcast_to(container.parts["list"].values, both.shape)[at]
        true[at] = [_has(a_list, value) for a_list, value in zip(lists, elements, strict=True)]
        defined |= both
    return Truth(true, ~defined)


def _pieces(cells: Cells) -> list[tuple[Family, Mask, Any]]:
    return cells.only(*cells.parts)


def _texts_at(texts: pa.Array, at: Any) -> list[str]:
    listed = [texts[0].as_py()] * len(at) if len(texts) == 1 else texts.take(pa.array(at))
    return listed if isinstance(listed, list) else listed.to_pylist()


def _has(values: list[Any], element: Any) -> bool:
    if element is ABSENT:
        return False
    if isinstance(element, str):
        return element in values  # nothing but the same text equals a text
    return any(equal(value, element) for value in values)
