"""What every expression can do: the operators users build with, its forms, its value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Final, NoReturn

import numpy as np

from toolkit.base import ExpressionError, completed_by_dir, completions
from toolkit.expressions.literals import is_time, shortened, shown

if TYPE_CHECKING:
    from toolkit.columns import Column, Mask
    from toolkit.expressions.evaluation import Scope

#: Expressions may stand this deep in each other, far below Python's own limit.
MAX_DEPTH: Final = 64

#: An expression has at most this many parts; a list of values is one part.
MAX_SIZE: Final = 100_000

# For reports, filters and forms.
_INTERNAL: Final = frozenset(
    {"evaluate", "is_condition", "is_of_users", "mask", "operands", "properties", "python", "sides"}
)


@completed_by_dir
class Expression:
    """A condition on, or a value of, user and event properties.

    Built from ``user["…"]`` and ``event["…"]`` with the operators of Python, or
    read from text by :func:`toolkit.expressions.parse`. Its ``repr`` is that text.

    Because ``==`` builds a condition, expressions are compared with
    :meth:`same_as`, and found in sets and dicts as objects, not by what they say.
    """

    #: Whether it is true, false or undefined, rather than a value.
    is_condition: ClassVar[bool] = False

    _depth: int
    _size: int
    #: The any() or all() whose comparison is still to come.
    _open: nodes.Quantified | None

    # numpy and pandas leave operators with an expression on the right to it.
    __array_ufunc__ = None
    __pandas_priority__ = 10_000

    @property
    def operands(self) -> tuple[Expression, ...]:
        """The expressions this one is built of."""
        return ()

    def __post_init__(self) -> None:
        operands = self.operands
        depth = 1 + max((operand._depth for operand in operands), default=0)
        size = 1 + sum(operand._size for operand in operands)
        if depth > MAX_DEPTH:
            raise ExpressionError(
                f"the expression is nested more than {MAX_DEPTH} deep; "
                "join many conditions with & or | side by side, or use isin([…])"
            )
        if size > MAX_SIZE:
            raise ExpressionError(
                f"the expression has more than {MAX_SIZE:,} parts; "
                "use isin([…]) for a choice of many values"
            )
        opened = [operand._open for operand in operands if operand._open is not None]
        if len(opened) > 1:
            raise ExpressionError(
                "a comparison takes one any(…) or all(…); join two comparisons with and / &"
            )
        # What is frozen is set as dataclasses do it.
        object.__setattr__(self, "_depth", depth)
        object.__setattr__(self, "_size", size)
        object.__setattr__(self, "_open", opened[0] if opened and self._passes_on else None)

    @property
    def _passes_on(self) -> bool:
        """Whether an any() or all() in it is left open for the comparison around it."""
        return not self.is_condition

    # -- what it says ---------------------------------------------------------------------

    @cached_property
    def text(self) -> str:
        """The text form, which :func:`toolkit.expressions.parse` reads back."""
        from toolkit.expressions.writing import as_text  # it imports the nodes

        return as_text(self)

    @property
    def python(self) -> str:
        """The Python form, which builds the same expression.

        >>> from toolkit import user
        >>> (user["plan"].is_set() & ~(user["age"] < 18)).python
        'user["plan"].is_set() & ~(user["age"] < 18)'
        """
        from toolkit.expressions.writing import as_python

        return as_python(self)

    def __dir__(self) -> list[str]:
        # What it is built of differs from kind to kind, and is nobody's to write.
        internal = {*vars(self), *_INTERNAL}
        return [name for name in completions(self, internal) if hasattr(Expression, name)]

    def __repr__(self) -> str:
        return self.text

    def same_as(self, other: object) -> bool:
        """Return whether *other* is the same expression, part by part.

        >>> from toolkit import user
        >>> (user["plan"] == "pro").same_as(user["plan"] == "pro")
        True
        """
        return isinstance(other, Expression) and self.text == other.text

    __hash__ = object.__hash__

    @cached_property
    def properties(self) -> tuple[nodes.Property, ...]:
        """The properties it reads, each once, in order of appearance."""
        found: dict[tuple[str, str], nodes.Property] = {}
        for node in self._walked():
            if isinstance(node, nodes.Property):
                found.setdefault((node.side, node.name), node)
        return tuple(found.values())

    @property
    def sides(self) -> frozenset[nodes.Side]:
        """Whose properties it reads: ``"user"``, ``"event"``, ``'group("company")'``."""
        return frozenset(node.side for node in self.properties)

    @property
    def is_of_users(self) -> bool:
        """Whether it asks what users did, or in which cohorts they are, profile or none."""
        return any(isinstance(node, nodes.Members | nodes.Tally) for node in self._walked())

    def _walked(self) -> Iterator[Expression]:
        waiting: list[Expression] = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(reversed(node.operands))

    # -- what it comes to -----------------------------------------------------------------

    def mask(self, scope: Scope) -> Mask:
        """Return for each row of *scope* whether the condition is true (not undefined).

        Raises
        ------
        ExpressionError
            If the scope does not have one of the properties' sides.
        """
        from toolkit.expressions.evaluation import mask  # it imports the nodes

        return mask(self, scope)

    def evaluate(self, scope: Scope) -> Column:
        """Return the value for each row of *scope*, absent where there is none.

        A condition gives booleans, absent where it is undefined. Times are ISO 8601
        text.
        """
        from toolkit.expressions.evaluation import evaluate

        return evaluate(self, scope)

    # -- comparisons ----------------------------------------------------------------------

    def __eq__(self, other: object) -> nodes.Comparison:  # type: ignore[override]
        return nodes.Comparison("==", self, nodes.as_node(other))

    def __ne__(self, other: object) -> nodes.Comparison:  # type: ignore[override]
        return nodes.Comparison("!=", self, nodes.as_node(other))

    def __lt__(self, other: object) -> nodes.Comparison:
        return nodes.Comparison("<", self, nodes.as_node(other))

    def __le__(self, other: object) -> nodes.Comparison:
        return nodes.Comparison("<=", self, nodes.as_node(other))

    def __gt__(self, other: object) -> nodes.Comparison:
        return nodes.Comparison(">", self, nodes.as_node(other))

    def __ge__(self, other: object) -> nodes.Comparison:
        return nodes.Comparison(">=", self, nodes.as_node(other))

    def isin(self, values: object) -> nodes.In | nodes.Contains:
        """Return the condition that the value equals one of *values*.

        Parameters
        ----------
        values
            A list, set, array or Series of JSON values or times. An expression is
            a property that contains the value: ``event["item"].isin(user["wishes"])``.

        Examples
        --------
        >>> from toolkit import user
        >>> user["plan"].isin(["pro", "basic"])
        user["plan"] in ["pro", "basic"]
        """
        if isinstance(values, Expression):
            return nodes.Contains(values, self)
        if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
            raise ExpressionError(
                f"isin takes a list of values, not {shown(values)}; "
                'write isin(["pro", "basic"]), or == for one value'
            )
        options = list(values)
        if isinstance(values, set | frozenset):  # the same set gives the same text
            options.sort(key=repr)
        if any(isinstance(option, Expression) or is_time(option) for option in options):
            return nodes.In(self, nodes.listed([*map(nodes.as_node, options)]))
        return nodes.In(self, nodes.Literal.of(options))

    def contains(self, element: object) -> nodes.Contains:
        """Return the condition that a text contains a text, or a list an element.

        Upper and lower case differ. Undefined for anything but text and lists.

        >>> from toolkit import user
        >>> user["$email"].contains("@example.com")
        contains(user["$email"], "@example.com")
        """
        return nodes.Contains(self, nodes.as_node(element))

    def is_set(self) -> nodes.IsSet:
        """Return the condition that there is a value, neither absent nor null."""
        return nodes.IsSet(self)

    def is_not_set(self) -> nodes.Comparison:
        """Return the condition that there is no value: absent, null or undefined."""
        return nodes.Comparison("==", self, nodes.Literal.of(None))

    def any(self) -> nodes.Quantified:
        """Return the elements of a list, to be compared: true if it is true of at least one.

        A value that is no list is compared as a list of that one value.

        >>> from toolkit import user
        >>> user["tags"].any() == "vip"
        any(user["tags"]) == "vip"
        """
        return nodes.Quantified("any", self)

    def all(self) -> nodes.Quantified:
        """Return the elements of a list, to be compared: true if it is true of every one.

        False for an empty list. A value that is no list is compared as a list of
        that one value.
        """
        return nodes.Quantified("all", self)

    # -- and, or, not ---------------------------------------------------------------------

    def __and__(self, other: object) -> nodes.And:
        return nodes.And.of([self, _condition(other, "&")])

    def __rand__(self, other: object) -> nodes.And:
        return nodes.And.of([_condition(other, "&"), self])

    def __or__(self, other: object) -> nodes.Or:
        return nodes.Or.of([self, _condition(other, "|")])

    def __ror__(self, other: object) -> nodes.Or:
        return nodes.Or.of([_condition(other, "|"), self])

    def __invert__(self) -> nodes.Not:
        return nodes.Not(self)

    def __bool__(self) -> NoReturn:
        raise ExpressionError(
            f"{shortened(self.text)} is true or false only once there are rows. "
            "Join conditions with & | ~ in place of and, or, not, each comparison in "
            'parentheses: (user["plan"] == "pro") & ~(user["age"] < 18); '
            "write 1 < x < 5 as (x > 1) & (x < 5), and `in` as .isin([…])"
        )

    def __contains__(self, element: object) -> NoReturn:
        raise ExpressionError(
            f"write {shortened(self.python)}.contains({shortened(repr(element))}); "
            "in Python `in` cannot build an expression"
        )

    # -- arithmetic -----------------------------------------------------------------------

    def __add__(self, other: object) -> nodes.Arithmetic:
        return nodes.Arithmetic("+", self, nodes.as_node(other))

    def __radd__(self, other: object) -> nodes.Arithmetic:
        return nodes.Arithmetic("+", nodes.as_node(other), self)

    def __sub__(self, other: object) -> nodes.Arithmetic:
        return nodes.Arithmetic("-", self, nodes.as_node(other))

    def __rsub__(self, other: object) -> nodes.Arithmetic:
        return nodes.Arithmetic("-", nodes.as_node(other), self)

    def __mul__(self, other: object) -> nodes.Arithmetic:
        return nodes.Arithmetic("*", self, nodes.as_node(other))

    def __rmul__(self, other: object) -> nodes.Arithmetic:
        return nodes.Arithmetic("*", nodes.as_node(other), self)

    def __truediv__(self, other: object) -> nodes.Arithmetic:
        return nodes.Arithmetic("/", self, nodes.as_node(other))

    def __rtruediv__(self, other: object) -> nodes.Arithmetic:
        return nodes.Arithmetic("/", nodes.as_node(other), self)

    def __mod__(self, other: object) -> nodes.Arithmetic:
        return nodes.Arithmetic("%", self, nodes.as_node(other))

    def __rmod__(self, other: object) -> nodes.Arithmetic:
        return nodes.Arithmetic("%", nodes.as_node(other), self)

    def __neg__(self) -> Expression:
        return nodes.negative(self)

    def floor(self) -> nodes.Function:
        """Return the number rounded down."""
        return nodes.Function("floor", self)

    def round(self) -> nodes.Function:
        """Return the number rounded to the nearest integer, halves away from zero."""
        return nodes.Function("round", self)

    def ceil(self) -> nodes.Function:
        """Return the number rounded up."""
        return nodes.Function("ceil", self)

    # -- casts ----------------------------------------------------------------------------

    def as_text(self) -> nodes.Function:
        """Return the value as text: ``"1.5"``, ``"true"``, ISO 8601, JSON for lists."""
        return nodes.Function("string", self)

    def as_number(self) -> nodes.Function:
        """Return the value as a number.

        Decimal text is read, true is 1, false 0, a time unix seconds; anything else
        is undefined.
        """
        return nodes.Function("number", self)

    def as_boolean(self) -> nodes.Function:
        """Return false for not set, ``false``, 0, ``""`` and ``"false"``, true for all else."""
        return nodes.Function("boolean", self)

    def as_datetime(self) -> nodes.Function:
        """Return the value as a time.

        ISO 8601 text, unix seconds and unix milliseconds are read, UTC where no zone
        is named; anything else is undefined.
        """
        return nodes.Function("datetime", self)


def _condition(given: object, operator: str) -> Expression:
    if isinstance(given, Expression):
        return given
    if isinstance(given, bool | np.bool_):
        return nodes.Literal.of(given)
    raise ExpressionError(
        f"{operator} joins conditions, and {shown(given)} is none. Put each comparison in "
        f'parentheses: (user["plan"] == "pro") {operator} (user["age"] > 18)'
    )


# Expressions build nodes, and nodes are expressions: each module needs the
# other, and the nodes need this one whole.
from toolkit.expressions import nodes  # noqa: E402
