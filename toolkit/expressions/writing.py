"""How an expression is written: as text, and as the Python that builds it.

Both ways an operand is put in parentheses when it binds less tightly than its
place needs; a higher number binds more tightly.
"""

from __future__ import annotations

from typing import Final

from toolkit.base import dumps
from toolkit.expressions.tree import (
    And,
    Arithmetic,
    Comparison,
    Contains,
    Expression,
    Function,
    In,
    IsSet,
    ListOf,
    Literal,
    Members,
    Not,
    Or,
    Property,
    Quantified,
    Tally,
)

OR: Final = 1
AND: Final = 2
NOT: Final = 3
COMPARISON: Final = 4
SUM: Final = 5
PRODUCT: Final = 6
SIGN: Final = 7
PRIMARY: Final = 8

#: How tightly the operators of the text form bind.
PRECEDENCE: Final = {
    "or": OR,
    "and": AND,
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">=", "in", "not in"), COMPARISON),
    **dict.fromkeys(("+", "-"), SUM),
    **dict.fromkeys(("*", "/", "%"), PRODUCT),
}


def as_text(node: Expression) -> str:
    """Return the text form."""
    return _text(node)[0]


def _text(node: Expression) -> tuple[str, int]:
    """Return the text form, and how tightly it binds."""
    match node:
        case Property(side, name):
            return f"{side}[{dumps(name)}]", PRIMARY
        case Literal(json):
            return json, SIGN if json.startswith("-") else PRIMARY
        case ListOf(items):
            return f"[{', '.join(as_text(item) for item in items)}]", PRIMARY
        case Function("-", operand):
            return f"-{_in_text(operand, SIGN)}", SIGN
        case Function(name, operand):
            return f"{name}({as_text(operand)})", PRIMARY
        case Quantified(quantifier, operand):
            return f"{quantifier}({as_text(operand)})", PRIMARY
        case IsSet(operand):
            return f"defined({as_text(operand)})", PRIMARY
        case Contains(container, element):
            return f"contains({as_text(container)}, {as_text(element)})", PRIMARY
        case Arithmetic(operator, left, right):
            level = PRECEDENCE[operator]
            return f"{_in_text(left, level)} {operator} {_in_text(right, level + 1)}", level
        case Comparison(operator, left, right):
            return f"{_in_text(left, SUM)} {operator} {_in_text(right, SUM)}", COMPARISON
        case In(operand, options):
            return f"{_in_text(operand, SUM)} in {as_text(options)}", COMPARISON
        case Members(name):
            return f"cohort({dumps(name)})", PRIMARY
        case Tally():
            return _tally(node), PRIMARY
        case Not(In(operand, options)):
            return f"{_in_text(operand, SUM)} not in {as_text(options)}", COMPARISON
        case Not(operand):
            return f"not {_in_text(operand, NOT)}", NOT
        case And(conditions):
            return " and ".join(_in_text(condition, NOT) for condition in conditions), AND
        case Or(conditions):
            return " or ".join(_in_text(condition, AND) for condition in conditions), OR
    raise AssertionError(type(node))


def _in_text(node: Expression, least: int) -> str:
    text, level = _text(node)
    return text if level >= least else f"({text})"


def _tally(node: Tally) -> str:
    """Return the text of a tally: the last arguments are left out where they say nothing."""
    arguments = [
        "null" if node.event is None else dumps(node.event),
        dumps(node.period) if node.period else "null",
        "null" if node.where is None else as_text(node.where),
    ]
    while len(arguments) > 1 and arguments[-1] == "null":
        arguments.pop()
    if node.of is None:
        return f"times_did({', '.join(arguments)})"
    return f"total_of({', '.join([as_text(node.of), *arguments])})"


# In Python & and | bind more tightly than comparisons.
_PYTHON_COMPARISON: Final = 1
_PYTHON_OR: Final = 2
_PYTHON_AND: Final = 3
_METHODS: Final = {
    "string": "as_text",
    "number": "as_number",
    "boolean": "as_boolean",
    "datetime": "as_datetime",
}


def as_python(node: Expression) -> str:
    """Return the Python form."""
    return _python(node)[0]


def _python(node: Expression) -> tuple[str, int]:
    """Return the Python form, and how tightly it binds."""
    match node:
        case Property(side, name):
            return f"{side}[{dumps(name)}]", PRIMARY
        case Literal():
            return f"literal({_value(node)})", PRIMARY
        case ListOf(items):
            return f"[{', '.join(_value(item) for item in items)}]", PRIMARY
        case Function("-", operand):
            return f"-{_in_python(operand, SIGN)}", SIGN
        case Function(name, operand):
            return f"{_in_python(operand, PRIMARY)}.{_METHODS.get(name, name)}()", PRIMARY
        case Quantified(quantifier, operand):
            return f"{_in_python(operand, PRIMARY)}.{quantifier}()", PRIMARY
        case IsSet(operand):
            return f"{_in_python(operand, PRIMARY)}.is_set()", PRIMARY
        case Contains(container, element):
            return f"{_in_python(container, PRIMARY)}.contains({_value(element)})", PRIMARY
        case Arithmetic(operator, left, right):
            level = PRECEDENCE[operator]
            return f"{_in_python(left, level)} {operator} {_operand(right, level + 1)}", level
        case Comparison("==", left, Literal("null")):
            return f"{_in_python(left, PRIMARY)}.is_not_set()", PRIMARY
        case Comparison(operator, left, right):
            written = f"{_in_python(left, _PYTHON_OR)} {operator} {_operand(right, _PYTHON_OR)}"
            return written, _PYTHON_COMPARISON
        case In(operand, options):
            return f"{_in_python(operand, PRIMARY)}.isin({_value(options)})", PRIMARY
        case Members(name):
            return f"cohorts[{dumps(name)}]", PRIMARY
        case Tally():
            return _python_tally(node), PRIMARY
        case Not(operand):
            return f"~{_in_python(operand, SIGN)}", SIGN
        case And(conditions):
            parts = (_in_python(condition, _PYTHON_AND + 1) for condition in conditions)
            return " & ".join(parts), _PYTHON_AND
        case Or(conditions):
            parts = (_in_python(condition, _PYTHON_OR + 1) for condition in conditions)
            return " | ".join(parts), _PYTHON_OR
    raise AssertionError(type(node))


def _python_tally(node: Tally) -> str:
    arguments = [] if node.of is None else [as_python(node.of)]
    arguments.append("None" if node.event is None else dumps(node.event))
    start, is_range, end = node.period.partition("/")
    if is_range:
        arguments.append(f"within=({dumps(start)}, {dumps(end)})")
    elif start:
        arguments.append(f"within={dumps(start)}")
    if node.where is not None:
        arguments.append(f"where={as_python(node.where)}")
    return f"{'times_did' if node.of is None else 'total_of'}({', '.join(arguments)})"


def _in_python(node: Expression, least: int) -> str:
    text, level = _python(node)
    return text if level >= least else f"({text})"


def _operand(node: Expression, least: int) -> str:
    """Return an operand to the right of another, where a plain value is enough."""
    return _value(node) if isinstance(node, Literal) else _in_python(node, least)


def _value(node: Expression) -> str:
    """Return an argument, a literal as the plain Python value."""
    if not isinstance(node, Literal):
        return as_python(node)
    value = node.value
    # Text in JSON is text in Python.
    return dumps(value) if isinstance(value, str) else repr(value)


Expression._as_text = as_text
Expression._as_python = as_python
