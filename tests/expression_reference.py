"""What expressions mean, cell by cell, and strategies that build expressions and rows.

Written from the rules, apart from the evaluator: plain Python on one row, slow
and readable. Tests compare the two.
"""

from __future__ import annotations

import math
import re
from typing import Any

from hypothesis import strategies as st

from toolkit.base.errors import InvalidTimeError
from toolkit.base.times import iso, parse_time
from toolkit.base.values import ABSENT, dumps
from toolkit.columns.column import Column
from toolkit.expressions import Expression, Scope, event, literal, tree, user
from toolkit.expressions.functions import FUNCTIONS


class Time(int):
    """A time in microseconds: no number, and equal to nothing but a time."""


class _NoValue:
    def __repr__(self) -> str:
        return "NO_VALUE"


NO_VALUE = _NoValue()
Row = dict[tuple[str, str], Any]
Cells = dict[tuple[str, str], list[Any]]


def type_of(value: Any) -> str:
    """Return the type of a value by EXPR-1."""
    if value is NO_VALUE:
        return "no value"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, Time):
        return "time"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "text"
    return "list" if isinstance(value, list) else "object"


def same(left: Any, right: Any) -> bool:
    """Return whether two values are equal as JSON."""
    if left is None or right is None:
        return left is right
    if left is NO_VALUE or right is NO_VALUE or type_of(left) != type_of(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(same(a, b) for a, b in zip(left, right, strict=True))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    return bool(left == right)


def condition(node: Expression, row: Row, element: Any = NO_VALUE) -> bool | None:
    """Return True, False, or None for undefined; *element* is what any() or all() stands for."""
    match node:
        case tree.Not(operand):
            return condition(operand, row) is not True
        case tree.And(conditions):
            return all(condition(each, row) is True for each in conditions)
        case tree.Or(conditions):
            return any(condition(each, row) is True for each in conditions)
    if not node.is_condition:
        found = value(node, row, element)
        return found if isinstance(found, bool) else None
    quantified = _quantified(node)
    if quantified is None:
        return comparison(node, row, NO_VALUE)
    of = value(quantified.operand, row)
    elements = of if isinstance(of, list) else [of]
    results = [
        comparison(node, row, NO_VALUE if each is None else each) is True for each in elements
    ]
    if quantified.quantifier == "any":
        return any(results)
    return bool(results) and all(results)


def _quantified(node: Expression) -> tree.Quantified | None:
    """Return the any() or all() that *node* compares."""
    for operand in node.operands:
        if isinstance(operand, tree.Quantified):
            return operand
        if not operand.is_condition and (found := _quantified(operand)) is not None:
            return found
    return None


def comparison(node: Expression, row: Row, element: Any) -> bool | None:
    match node:
        case tree.Comparison(operator, left, right):
            return compared(operator, left, right, row, element)
        case tree.IsSet(operand):
            return value(operand, row, element) is not NO_VALUE
        case tree.In(operand, tree.Literal() as options):
            found = value(operand, row, element)
            wanted = None if found is NO_VALUE else found
            return any(same(*facing(wanted, option)) for option in _values_of(options))
        case tree.In(operand, tree.ListOf(items)):
            return any(compared("==", operand, item, row, element) for item in items)
        case tree.Contains(container, part):
            holder, held = value(container, row, element), value(part, row, element)
            if isinstance(holder, str) and isinstance(held, str):
                return held in holder
            null = isinstance(part, tree.Literal) and part.is_null
            if isinstance(holder, list) and (held is not NO_VALUE or null):
                return any(same(each, None if null else held) for each in holder)
            return None
    raise AssertionError(node)


def _values_of(options: tree.Literal) -> list[Any]:
    assert isinstance(options.value, list)
    return options.value


def facing(a: Any, b: Any) -> tuple[Any, Any]:
    """Return both, the one compared with a time read as a time (EXPR-12)."""
    if isinstance(a, Time):
        return a, applied("datetime", b)
    return (applied("datetime", a), b) if isinstance(b, Time) else (a, b)


def compared(
    operator: str, left: Expression, right: Expression, row: Row, element: Any
) -> bool | None:
    a, b = value(left, row, element), value(right, row, element)
    if operator in ("==", "!="):
        for one, other in ((left, b), (right, a)):
            if isinstance(one, tree.Literal) and one.is_null:
                return (other is NO_VALUE) == (operator == "==")
    a, b = facing(a, b)
    if operator == "==":
        return same(a, b)
    if type_of(a) != type_of(b) or a is NO_VALUE:
        return None
    if operator == "!=":
        return not same(a, b)
    if type_of(a) not in ("number", "text", "time"):
        return None
    if isinstance(a, str):
        a, b = [ord(char) for char in a], [ord(char) for char in b]
    return bool({"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[operator])


def value(node: Expression, row: Row, element: Any = NO_VALUE) -> Any:
    """Return the value of *node* in one row, NO_VALUE where there is none."""
    match node:
        case tree.Property(side, name):
            found = row.get((side, name), ABSENT)
            return NO_VALUE if found is ABSENT or found is None else found
        case tree.Literal():
            return NO_VALUE if node.is_null else node.value
        case tree.Quantified():
            return element
        case tree.Function(name, operand):
            return applied(name, value(operand, row, element))
        case tree.Arithmetic(operator, left, right):
            return calculated(operator, value(left, row, element), value(right, row, element))
    result = condition(node, row)
    return NO_VALUE if result is None else result


def calculated(operator: str, a: Any, b: Any) -> Any:
    if operator == "+" and isinstance(a, str) and isinstance(b, str):
        return a + b
    if type_of(a) != "number" or type_of(b) != "number":
        return NO_VALUE
    whole = isinstance(a, int) and isinstance(b, int)
    try:
        if operator == "+":
            result = a + b
        elif operator == "-":
            result = a - b
        elif operator == "*":
            result = a * b
        elif b == 0:
            return NO_VALUE
        elif operator == "/":
            result = a // b if whole and a % b == 0 else a / b
        elif whole:
            result = a - b * (abs(a) // abs(b)) * (1 if (a < 0) == (b < 0) else -1)
        else:
            result = math.fmod(a, b)
    except OverflowError:
        return NO_VALUE
    return result if isinstance(result, int) or math.isfinite(result) else NO_VALUE


def applied(name: str, given: Any) -> Any:
    kind = type_of(given)
    if name == "boolean":
        return not (given is NO_VALUE or (kind != "time" and given in (False, "", "false")))
    if given is NO_VALUE or given is None:
        return NO_VALUE
    if name in ("-", "floor", "ceil", "round"):
        if kind != "number":
            return NO_VALUE
        if name == "-":
            return -given
        if isinstance(given, int):
            return given
        down = math.floor(given)
        if name == "round":
            up = given - down > 0.5 or (given - down == 0.5 and given > 0)
            return down + up
        return down if name == "floor" else math.ceil(given)
    if name == "string":
        if kind == "text":
            return given
        if kind == "time":
            return iso(given)
        if isinstance(given, float) and given.is_integer():
            return str(int(given))
        return dumps(given)
    if name == "number":
        if kind == "time":
            return calculated("/", int(given), 1_000_000)
        if kind == "text":
            return number_of(given)
        return given + 0 if kind in ("number", "boolean") else NO_VALUE
    if kind == "time":
        return given
    if kind not in ("text", "number"):
        return NO_VALUE
    try:
        moment = parse_time(given)
        iso(moment)  # within the years 1 to 9999 in UTC
    except (InvalidTimeError, OverflowError):
        return NO_VALUE
    return Time(moment)


def number_of(text: str) -> Any:
    text = text.strip(" \t\r\n")
    if re.fullmatch(r"[+-]?[0-9]+", text):
        return int(text)
    if not re.fullmatch(r"[+-]?([0-9]+\.[0-9]*|[0-9]*\.[0-9]+|[0-9]+)([eE][+-]?[0-9]+)?", text):
        return NO_VALUE
    number = float(text)
    return number if math.isfinite(number) else NO_VALUE


# -- rows ---------------------------------------------------------------------------------

BOOLEANS = st.booleans()
INTEGERS = st.one_of(
    st.integers(-3, 3),
    st.sampled_from(
        [2**53, 2**53 + 1, -(2**53) - 1, 2**62, 2**63 - 1, -(2**63), 10**12, 1_767_225_600]
    ),
)
BIG_INTEGERS = st.sampled_from([2**63, 2**64 + 1, -(2**63) - 1, 10**30, -(10**400)])
FLOATS = st.one_of(
    st.sampled_from([0.0, -0.0, 0.5, -0.5, 1.0, 2.5, -2.5, 2.0**53, 2.0**63, -(2.0**63), 1e300]),
    st.sampled_from([0.49999999999999994, 1e-7, 1e22, 5e-324, 1.7e308, 1767225600.25]),
    st.floats(allow_nan=False, allow_infinity=False),
)
TEXTS = st.one_of(
    st.sampled_from(["", "a", "b", "ab", "A", "é", "e\u0301", "\uffff", "😀", "false", "true"]),
    st.sampled_from(["0", "1", "1.0", "-1", " 7 ", "+2", "007", ".5", "1.", "1e3", "1e999", "nan"]),
    st.sampled_from(["9007199254740993", "1" + "0" * 30, "1_000", "0x10", "٣", "--1", "1 2"]),
    st.sampled_from(["2026-01-01", "2026-01-01T00:00:00Z", "2026-01-01T02:00:00.5+02:00"]),
    st.sampled_from(["2026-02-30", " 2026-01-01 ", "20260101", "9999-12-31T23:59:59-14:00"]),
    st.text(max_size=3),
)
NUMBERS = st.one_of(INTEGERS, FLOATS, BIG_INTEGERS, st.integers(-9, 9).map(lambda n: n / 2))
SCALARS = st.one_of(BOOLEANS, INTEGERS, BIG_INTEGERS, FLOATS, TEXTS)
LISTS = st.lists(st.one_of(st.none(), SCALARS, st.lists(st.integers(0, 1), max_size=2)), max_size=3)
OBJECTS = st.dictionaries(
    st.sampled_from(["x", "y"]), st.one_of(st.none(), INTEGERS, FLOATS), max_size=2
)
JSON = st.one_of(SCALARS, LISTS, OBJECTS)

#: A column is of one kind, or of several: the evaluator takes different ways.
_KINDS = [BOOLEANS, INTEGERS, FLOATS, TEXTS, LISTS, BIG_INTEGERS | INTEGERS | FLOATS, JSON]
PROPERTIES = (user["a"], user["b"], event["a"], event["ü €"])


def columns(length: int) -> st.SearchStrategy[list[Any]]:
    """Return a strategy for the cells of one column."""
    missing = st.sampled_from([ABSENT, None])
    return st.sampled_from(_KINDS).flatmap(
        lambda kind: st.lists(
            st.one_of(kind, kind, kind, missing), min_size=length, max_size=length
        )
    )


@st.composite
def tables(draw: st.DrawFn) -> Rows:
    """Return rows with every property of PROPERTIES."""
    length = draw(st.integers(0, 6))
    cells: Cells = {(p.side, p.name): draw(columns(length)) for p in PROPERTIES}
    return Rows(length, cells)


class Rows(Scope):
    """A scope of a few columns."""

    def __init__(self, length: int, cells: Cells) -> None:
        self.length = length
        self.cells = cells

    def __len__(self) -> int:
        return self.length

    def __repr__(self) -> str:
        return f"Rows({self.length}, {self.cells})"

    def column(self, side: str, name: str) -> Column:
        cells = self.cells.get((side, name))
        return Column.absent(self.length) if cells is None else Column.of(cells)

    def rows(self) -> list[Row]:
        return [{key: cells[at] for key, cells in self.cells.items()} for at in range(self.length)]


def rows(**cells: list[Any]) -> Rows:
    """Return a scope of user properties."""
    length = len(next(iter(cells.values())))
    return Rows(length, {("user", name): values for name, values in cells.items()})


# -- expressions --------------------------------------------------------------------------

OPERATORS: st.SearchStrategy[Any] = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
_LITERALS = st.one_of(st.none(), JSON).map(literal)
_TIMES = st.sampled_from(["2026-01-01", "2026-01-01T00:00:00.5Z"]).map(
    lambda text: tree.Function("datetime", literal(text))
)


@st.composite
def values(draw: st.DrawFn, depth: int) -> Expression:
    """Return an expression that is a value, without any() and all()."""
    kind = draw(st.integers(0, 9)) if depth else draw(st.integers(0, 5))
    if kind <= 3:
        return draw(st.sampled_from(PROPERTIES))
    if kind == 4:
        return draw(_LITERALS)
    if kind == 5:
        return draw(_TIMES)
    if kind <= 7:
        return applied_to(draw, draw(values(depth - 1)))
    if kind == 8:
        return draw(conditions(depth - 1))
    operator: Any = draw(st.sampled_from("+-*/%"))
    return tree.Arithmetic(operator, draw(values(depth - 1)), draw(values(depth - 1)))


def applied_to(draw: st.DrawFn, operand: Expression) -> Expression:
    names = ["floor", "round", "ceil", "string", "number", "boolean", "datetime", "-"]
    name: Any = draw(st.sampled_from(names))
    if name == "datetime" and isinstance(operand, tree.Literal):
        return operand  # a text that is no time is refused
    if operand.type not in (None, *FUNCTIONS[name].takes):
        return operand  # what can only be of another type is refused
    return -operand if name == "-" else tree.Function(name, operand)


@st.composite
def operands(draw: st.DrawFn, depth: int) -> Expression:
    """Return a value, perhaps of the elements of a list."""
    operand = draw(values(depth))
    if draw(st.integers(0, 3)):
        return operand
    operand = draw(st.sampled_from([operand.any, operand.all]))()
    change = draw(st.integers(0, 3))
    if change == 0:
        return applied_to(draw, operand)
    return operand + draw(values(0)) if change == 1 else operand


@st.composite
def conditions(draw: st.DrawFn, depth: int = 3) -> Expression:
    """Return an expression that can stand as a condition."""
    kind = draw(st.integers(0, 9)) if depth else draw(st.integers(0, 4))
    if kind <= 1:
        left, right = draw(operands(depth and depth - 1)), draw(values(depth and depth - 1))
        if draw(st.booleans()):
            left, right = right, left
        return tree.Comparison(draw(OPERATORS), left, right)
    if kind == 2:
        return tree.IsSet(draw(operands(depth and depth - 1)))
    if kind == 3:
        left, right = draw(operands(depth and depth - 1)), draw(values(depth and depth - 1))
        if draw(st.booleans()):
            left, right = right, left
        return tree.Contains(left, right)
    if kind == 4:
        left = draw(operands(depth and depth - 1))
        options = draw(st.lists(st.one_of(_LITERALS, _LITERALS, values(0)), max_size=3))
        return tree.In(left, tree.listed(options))
    if kind == 5:
        return ~draw(conditions(depth - 1))
    if kind == 6:
        return draw(values(depth - 1))
    parts = draw(st.lists(conditions(depth - 1), min_size=2, max_size=3))
    return (tree.And if kind <= 8 else tree.Or).of(parts)
