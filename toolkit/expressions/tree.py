"""The tree of an expression: what users build with operators, and its nodes, which never change.

``user["age"] >= 18`` is a :class:`Comparison` of a :class:`Property` with a
:class:`Literal`. What a node means for a row is in
:mod:`toolkit.expressions.evaluation`, how it is written in
:mod:`toolkit.expressions.writing`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Final, Literal as OneOf, NoReturn, Self, TypeAlias

import numpy as np
import pyarrow as pa

from toolkit.base import (
    DAY,
    ExpressionError,
    InvalidTimeError,
    Json,
    PropertyAccessError,
    ReportError,
    as_duration,
    completed_by_dir,
    completions,
    dumps,
    quoted,
    times,
)
from toolkit.expressions import casting as _entered  # noqa: F401 (casting enters functions)
from toolkit.expressions.functions import FUNCTIONS, ValueType
from toolkit.expressions.literals import (
    as_literal,
    check_time,
    is_time,
    nesting,
    shortened,
    shown,
    time_text,
)

#: Whose properties: ``user``, ``event`` or ``group("company")``, as it is written.
Side: TypeAlias = str

_GROUP: Final = "group("


def group_side(group_key: str) -> Side:
    """Return the side of the properties of groups.

    >>> group_side("company")
    'group("company")'
    """
    if not isinstance(group_key, str) or not group_key:
        raise ExpressionError(
            f'a group key is text such as "company", not {shown(group_key)}; '
            'write group("company")["plan"]'
        )
    as_literal(group_key)
    return f"{_GROUP}{dumps(group_key)})"


def group_key_of(side: Side) -> str | None:
    """Return the group key of a side, None for users and events.

    >>> group_key_of('group("company")'), group_key_of("user")
    ('company', None)
    """
    if not side.startswith(_GROUP):
        return None
    key: str = json.loads(side[len(_GROUP) : -1])
    return key


#: Expressions may be nested this deep, far below Python's own limit.
MAX_DEPTH: Final = 64

#: An expression has at most this many parts; a list of values is one part.
MAX_SIZE: Final = 100_000

# For reports, filters and forms.
_INTERNAL: Final = frozenset(
    {"is_condition", "is_of_users", "operands", "properties", "python", "sides", "type"}
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
    _open: Quantified | None

    # How it is written; :mod:`toolkit.expressions.writing`, which knows the nodes, puts it here.
    _as_text: ClassVar[Callable[[Expression], str]]
    _as_python: ClassVar[Callable[[Expression], str]]

    # numpy and pandas leave operators with an expression on the right to it.
    __array_ufunc__ = None
    __pandas_priority__ = 10_000

    @property
    def operands(self) -> tuple[Expression, ...]:
        """The expressions this one is built of."""
        return ()

    @property
    def type(self) -> ValueType | None:
        """The type of its value wherever it has one, None if that depends on the rows."""
        return "boolean" if self.is_condition else None

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
        object.__setattr__(self, "_open", None if self.is_condition or not opened else opened[0])

    # -- what it says ---------------------------------------------------------------------

    @cached_property
    def text(self) -> str:
        """The text form, which :func:`toolkit.expressions.parse` reads back."""
        return self._as_text()

    @property
    def python(self) -> str:
        """The Python form, which builds the same expression.

        >>> from toolkit import user
        >>> (user["plan"].is_set() & ~(user["age"] < 18)).python
        'user["plan"].is_set() & ~(user["age"] < 18)'
        """
        return self._as_python()

    def __dir__(self) -> list[str]:
        # What it is built of differs from kind to kind, and is nobody's to write.
        internal = {*vars(self), *_INTERNAL}
        if self.type is not None:
            internal |= {each.method for each in FUNCTIONS.values() if self.type not in each.takes}
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
    def properties(self) -> tuple[Property, ...]:
        """The properties it reads, each once, in order of appearance."""
        properties: dict[tuple[str, str], Property] = {}
        for node in self._walked():
            if isinstance(node, Property):
                properties.setdefault((node.side, node.name), node)
        return tuple(properties.values())

    @property
    def sides(self) -> frozenset[Side]:
        """Whose properties it reads: ``"user"``, ``"event"``, ``'group("company")'``."""
        return frozenset(node.side for node in self.properties)

    @property
    def is_of_users(self) -> bool:
        """Whether it asks what users did, or in which cohorts they are, profile or none."""
        return any(isinstance(node, Members | Tally) for node in self._walked())

    def _walked(self) -> Iterator[Expression]:
        waiting: list[Expression] = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(reversed(node.operands))

    # -- comparisons ----------------------------------------------------------------------

    def __eq__(self, other: object) -> Comparison:  # type: ignore[override]
        return Comparison("==", self, as_node(other))

    def __ne__(self, other: object) -> Comparison:  # type: ignore[override]
        return Comparison("!=", self, as_node(other))

    def __lt__(self, other: object) -> Expression:
        return Comparison("<", self, as_node(other))

    def __le__(self, other: object) -> Expression:
        return Comparison("<=", self, as_node(other))

    def __gt__(self, other: object) -> Expression:
        return Comparison(">", self, as_node(other))

    def __ge__(self, other: object) -> Expression:
        return Comparison(">=", self, as_node(other))

    def isin(self, values: object) -> Expression:
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
            return Contains(values, self)
        if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
            raise ExpressionError(
                f"isin takes a list of values, not {shown(values)}; "
                'write isin(["pro", "basic"]), or == for one value'
            )
        options = list(values)
        if isinstance(values, set | frozenset):  # the same set gives the same text
            options.sort(key=repr)
        if any(isinstance(option, Expression) or is_time(option) for option in options):
            return In(self, listed([*map(as_node, options)]))
        return In(self, Literal.of(options))

    def contains(self, element: object) -> Expression:
        """Return the condition that a text contains a text, or a list an element.

        Upper and lower case differ. Undefined for anything but text and lists.

        >>> from toolkit import user
        >>> user["$email"].contains("@example.com")
        contains(user["$email"], "@example.com")
        """
        return Contains(self, as_node(element))

    def is_set(self) -> Expression:
        """Return the condition that there is a value, neither absent nor null."""
        return IsSet(self)

    def is_not_set(self) -> Expression:
        """Return the condition that there is no value: absent, null or undefined."""
        return Comparison("==", self, Literal.of(None))

    def any(self) -> Expression:
        """Return the elements of a list, to be compared: true if it is true of at least one.

        A value that is not a list is compared as a list of that one value.

        >>> from toolkit import user
        >>> user["tags"].any() == "vip"
        any(user["tags"]) == "vip"
        """
        return Quantified("any", self)

    def all(self) -> Expression:
        """Return the elements of a list, to be compared: true if it is true of every one.

        False for an empty list. A value that is not a list is compared as a list of
        that one value.
        """
        return Quantified("all", self)

    # -- and, or, not ---------------------------------------------------------------------

    def __and__(self, other: object) -> Expression:
        return And.of([self, _condition(other, "&")])

    def __rand__(self, other: object) -> Expression:
        return And.of([_condition(other, "&"), self])

    def __or__(self, other: object) -> Expression:
        return Or.of([self, _condition(other, "|")])

    def __ror__(self, other: object) -> Expression:
        return Or.of([_condition(other, "|"), self])

    def __invert__(self) -> Expression:
        return Not(self)

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

    def __add__(self, other: object) -> Expression:
        return Arithmetic("+", self, as_node(other))

    def __radd__(self, other: object) -> Expression:
        return Arithmetic("+", as_node(other), self)

    def __sub__(self, other: object) -> Expression:
        return Arithmetic("-", self, as_node(other))

    def __rsub__(self, other: object) -> Expression:
        return Arithmetic("-", as_node(other), self)

    def __mul__(self, other: object) -> Expression:
        return Arithmetic("*", self, as_node(other))

    def __rmul__(self, other: object) -> Expression:
        return Arithmetic("*", as_node(other), self)

    def __truediv__(self, other: object) -> Expression:
        return Arithmetic("/", self, as_node(other))

    def __rtruediv__(self, other: object) -> Expression:
        return Arithmetic("/", as_node(other), self)

    def __mod__(self, other: object) -> Expression:
        return Arithmetic("%", self, as_node(other))

    def __rmod__(self, other: object) -> Expression:
        return Arithmetic("%", as_node(other), self)

    def __neg__(self) -> Expression:
        return negative(self)

    def floor(self) -> Expression:
        """Return the number rounded down."""
        return Function("floor", self)

    def round(self) -> Expression:
        """Return the number rounded to the nearest integer, halves away from zero."""
        return Function("round", self)

    def ceil(self) -> Expression:
        """Return the number rounded up."""
        return Function("ceil", self)

    # -- casts ----------------------------------------------------------------------------

    def as_text(self) -> Expression:
        """Return the value as text: ``"1.5"``, ``"true"``, ISO 8601, JSON for lists."""
        return Function("string", self)

    def as_number(self) -> Expression:
        """Return the value as a number.

        Decimal text is read, true is 1, false 0, a time unix seconds; anything else
        is undefined.
        """
        return Function("number", self)

    def as_boolean(self) -> Expression:
        """Return false for not set, ``false``, 0, ``""`` and ``"false"``, true for all else."""
        return Function("boolean", self)

    def as_datetime(self) -> Expression:
        """Return the value as a time.

        ISO 8601 text, unix seconds and unix milliseconds are read, UTC where no zone
        is named; anything else is undefined.
        """
        return Function("datetime", self)


def _condition(value: object, operator: str) -> Expression:
    if isinstance(value, Expression):
        return value
    if isinstance(value, bool | np.bool_):
        return Literal.of(value)
    raise ExpressionError(
        f"{operator} joins conditions, and {shown(value)} is not one. Put each comparison in "
        f'parentheses: (user["plan"] == "pro") {operator} (user["age"] > 18)'
    )


_A_DAY: Final = re.compile(r"\d{4}-?\d{2}-?\d{2}", re.ASCII)


@dataclass(frozen=True, eq=False, repr=False)
class Property(Expression):
    """A property of the user, of the event, or of the groups that the event names.

    Attributes
    ----------
    side
        ``"user"``, ``"event"`` or ``'group("company")'``.
    name
        Its name: any text, the empty one too.
    """

    side: Side
    name: str

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise ExpressionError(
                f"a property is named by text, not {shown(self.name)}; "
                f'write {self.side}["{quoted(self.name):.40}"]'
            )
        object.__setattr__(self, "name", as_literal(self.name))
        super().__post_init__()

    @property
    def label(self) -> str:
        """What a column with it is called: ``user.plan``, ``event.item``, ``company.plan``."""
        key = self.group_key
        if key is None or key in ("user", "event") or set(key) & set('."'):
            return f"{self.side}.{self.name}"
        return f"{key}.{self.name}"

    @property
    def group_key(self) -> str | None:
        """The group key if it is a property of groups, else None."""
        return group_key_of(self.side)


_JSON_TYPES: Final[dict[type, ValueType]] = {
    **{bool: "boolean", int: "number", float: "number"},
    **{str: "text", list: "list", dict: "object"},
}


@dataclass(frozen=True, eq=False, repr=False)
class Literal(Expression):
    """A JSON value written in the expression.

    Attributes
    ----------
    json
        The value as JSON text, so that nobody can change a list in it.
    """

    json: str

    @classmethod
    def of(cls, value: object) -> Literal:
        """Return the literal of a JSON value, or of a Python object that stands for one."""
        checked = as_literal(value)
        depth = 1 + nesting(checked)
        if depth > MAX_DEPTH:
            raise ExpressionError(f"a literal is nested more than {MAX_DEPTH} deep")
        node = cls(json.dumps(checked, ensure_ascii=False, allow_nan=False))
        object.__setattr__(node, "_depth", depth)
        return node

    @property
    def value(self) -> Json:
        """The value, in containers of its own."""
        value: Json = json.loads(self.json)
        return value

    @property
    def type(self) -> ValueType | None:
        return _JSON_TYPES.get(type(self.value))

    @property
    def is_null(self) -> bool:
        """Whether it is null, which stands for "not set"."""
        return self.json == "null"


@dataclass(frozen=True, eq=False, repr=False)
class ListOf(Expression):
    """The list of an ``in`` that holds more than literals; it is nowhere else."""

    items: tuple[Expression, ...]

    @property
    def operands(self) -> tuple[Expression, ...]:
        return self.items


@dataclass(frozen=True, eq=False, repr=False)
class Arithmetic(Expression):
    """Two values joined by ``+ - * /`` or ``%``."""

    operator: OneOf["+", "-", "*", "/", "%"]
    left: Expression
    right: Expression

    @property
    def operands(self) -> tuple[Expression, ...]:
        return self.left, self.right

    @property
    def type(self) -> ValueType | None:
        return None if self.operator == "+" else "number"


@dataclass(frozen=True, eq=False, repr=False)
class Function(Expression):
    """A value made from one other: rounded, cast, or with the opposite sign (``-``)."""

    name: str
    operand: Expression

    def __post_init__(self) -> None:
        if self.name == "datetime" and isinstance(self.operand, Literal):
            check_time(self.operand.value)
        FUNCTIONS[self.name].require(self.operand.type, self.operand)
        super().__post_init__()

    @property
    def type(self) -> ValueType:
        return FUNCTIONS[self.name].gives

    @property
    def operands(self) -> tuple[Expression, ...]:
        return (self.operand,)


@dataclass(frozen=True, eq=False, repr=False)
class Quantified(Expression):
    """The elements of a list, of which ``any`` or ``all`` are to meet the comparison around."""

    quantifier: OneOf["any", "all"]
    operand: Expression

    def __post_init__(self) -> None:
        super().__post_init__()
        if self._open is not None:
            raise ExpressionError("any(…) and all(…) cannot be nested")
        object.__setattr__(self, "_open", self)

    @property
    def operands(self) -> tuple[Expression, ...]:
        return (self.operand,)


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Expression):
    """Two values compared; with the literal null, whether the other is set."""

    is_condition = True

    operator: OneOf["==", "!=", "<", "<=", ">", ">="]
    left: Expression
    right: Expression

    @property
    def operands(self) -> tuple[Expression, ...]:
        return self.left, self.right


@dataclass(frozen=True, eq=False, repr=False)
class In(Expression):
    """Whether a value equals one of several."""

    is_condition = True

    operand: Expression
    options: Literal | ListOf

    @property
    def operands(self) -> tuple[Expression, ...]:
        return self.operand, self.options


@dataclass(frozen=True, eq=False, repr=False)
class Contains(Expression):
    """Whether a text contains a text, or a list an element."""

    is_condition = True

    container: Expression
    element: Expression

    @property
    def operands(self) -> tuple[Expression, ...]:
        return self.container, self.element


@dataclass(frozen=True, eq=False, repr=False)
class IsSet(Expression):
    """Whether there is a value."""

    is_condition = True

    operand: Expression

    @property
    def operands(self) -> tuple[Expression, ...]:
        return (self.operand,)


@dataclass(frozen=True, eq=False, repr=False)
class Members(Expression):
    """Whether the user is one of a named set, a cohort; of a name alone, of the set saved so.

    Attributes
    ----------
    name
        What the set is called.
    members
        The distinct IDs in it, a ``large_string`` array; None where only the name is known.
    """

    is_condition = True

    name: str
    members: pa.Array | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Tally(Expression):
    """How often a user did an event, or what a property of it adds up to.

    Attributes
    ----------
    event
        The name of the event; None is any.
    period
        ``"30d"``: the time before the moment of the question; ``"2026-05-01/2026-05-31"``:
        from a date or time to another; empty: all time.
    where
        What has to be true of the event; None is nothing.
    of
        The number that is added up; None counts events.
    """

    event: str | None
    period: str = ""
    where: Expression | None = None
    of: Expression | None = None

    @property
    def type(self) -> ValueType:
        return "number"

    def __post_init__(self) -> None:
        if self.event is not None and not isinstance(self.event, str):
            raise ExpressionError(
                f"an event is named by text, or null for any event, not {shown(self.event)}"
            )
        for part in (self.where, self.of):
            if part is not None:
                require_closed(part)
        period(self.period)
        super().__post_init__()
        inner = [part for part in (self.where, self.of) if part is not None]
        # They are of the events that are looked for, not of the row asked about, and so no
        # operands; they are as deep all the same.
        deepest = 1 + max((part._depth for part in inner), default=0)
        if deepest > MAX_DEPTH:
            raise ExpressionError(f"the expression is nested more than {MAX_DEPTH} deep")
        object.__setattr__(self, "_depth", deepest)
        object.__setattr__(self, "_size", 1 + sum(part._size for part in inner))


@dataclass(frozen=True, eq=False, repr=False)
class Not(Expression):
    """True where the condition is false or undefined."""

    is_condition = True

    operand: Expression

    def __post_init__(self) -> None:
        require_closed(self.operand)
        super().__post_init__()

    @property
    def operands(self) -> tuple[Expression, ...]:
        return (self.operand,)


@dataclass(frozen=True, eq=False, repr=False)
class _Joined(Expression):
    """Several conditions joined by one word; made with :meth:`of`."""

    is_condition = True

    conditions: tuple[Expression, ...]

    @property
    def operands(self) -> tuple[Expression, ...]:
        return self.conditions

    @classmethod
    def of(cls, conditions: Iterable[Expression]) -> Self:
        """Return the conditions joined; those joined by the same word already are taken in."""
        flat: list[Expression] = []
        for condition in conditions:
            require_closed(condition)
            flat += condition.conditions if isinstance(condition, cls) else (condition,)
        return cls(tuple(flat))


@dataclass(frozen=True, eq=False, repr=False)
class And(_Joined):
    """True where every condition is true."""


@dataclass(frozen=True, eq=False, repr=False)
class Or(_Joined):
    """True where at least one condition is true."""


def period(text: str) -> tuple[int, int] | int | None:
    """Return what the period of a tally says, in microseconds.

    Returns
    -------
    tuple or int or None
        From when (since 1970 UTC, included) to when (not included); or how long before the
        moment of the question; None for all time.

    Raises
    ------
    ExpressionError
        If it says neither.

    Examples
    --------
    >>> period("30d") == 30 * 86_400_000_000
    True
    >>> start, end = period("2026-05-01/2026-05-02")
    >>> (end - start) // 3_600_000_000
    48
    """
    if not text:
        return None
    first, is_range, last = text.partition("/")
    try:
        if not is_range:
            return as_duration(text, "within")
        start, end = times.parse_time(first), times.parse_time(last)
        if _A_DAY.fullmatch(last.strip()):
            end += DAY  # a date as the end is part of the period
    except (InvalidTimeError, ReportError):
        raise ExpressionError(
            f'"{text[:60]}" is not a period; write "30d" for the last 30 days, or '
            '"2026-05-01/2026-05-31" for those days'
        ) from None
    if start >= end:
        raise ExpressionError(f'the period "{text[:60]}" ends before it begins')
    return start, end


# -- building -----------------------------------------------------------------------------


class Properties:
    """The properties of one side: ``user["plan"]`` is a :class:`Property`."""

    def __init__(self, side: Side) -> None:
        self._side: Side = side

    def __getitem__(self, name: str) -> Property:
        return Property(self._side, name)

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):  # what copy, pickle and notebooks ask of every object
            raise AttributeError(name)
        raise PropertyAccessError(
            f'{self._side}.{name} is not a property; write {self._side}["{name}"]'
        )

    def __repr__(self) -> str:
        return self._side


#: The properties of the user's profile.
user: Final = Properties("user")

#: The properties of the event.
event: Final = Properties("event")


class Groups:
    """The properties of groups: ``group("company")["plan"]`` is a :class:`Property`.

    An event names its groups in the property that is called like the group key.
    """

    def __call__(self, group_key: str) -> Properties:
        return Properties(group_side(group_key))

    def __getitem__(self, name: str) -> NoReturn:
        raise ExpressionError(
            f'a property of groups needs the group key: write group("company")["{str(name)[:40]}"]'
        )

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):  # what copy, pickle and notebooks ask of every object
            raise AttributeError(name)
        raise PropertyAccessError(
            f'group.{name} is not a property; write group("{name}")["plan"] for that of a {name}'
        )

    def __repr__(self) -> str:
        return "group"


#: The properties of the groups that the event names, by group key.
group: Final = Groups()


def literal(value: object) -> Expression:
    """Return a value as an expression, for where Python would not build one by itself.

    >>> literal(100) - literal(10)
    100 - 10
    """
    return as_node(value)


def as_node(value: object) -> Expression:
    """Return *value* itself if it is an expression, a literal otherwise; a time as a time."""
    if isinstance(value, Expression):
        return value
    if isinstance(value, Groups):
        raise ExpressionError('group is not a value; name a property: group("company")["plan"]')
    if isinstance(value, Properties):
        raise ExpressionError(f'{value!r} is not a value; name a property: {value!r}["plan"]')
    if is_time(value):
        return Function("datetime", Literal.of(time_text(value)))
    return Literal.of(value)


def listed(items: list[Expression]) -> Literal | ListOf:
    """Return the list of an ``in``, a literal if all its items are."""
    if all(isinstance(item, Literal) for item in items):
        return Literal.of([item.value for item in items if isinstance(item, Literal)])
    return ListOf(tuple(items))


def negative(operand: Expression) -> Expression:
    """Return an expression with the opposite sign; a number literal as a literal."""
    if isinstance(operand, Literal):
        value = operand.value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return Literal.of(-value)
    return Function("-", operand)


def conjuncts(expression: Expression) -> tuple[Expression, ...]:
    """Return the conditions that an expression joins by ``and``, itself if it joins none.

    The expression is true where all of them are, so that a caller can work out
    those on the user alone once a user.

    >>> conjuncts((user["plan"] == "pro") & (event["amount"] > 10))
    (user["plan"] == "pro", event["amount"] > 10)
    """
    return expression.conditions if isinstance(expression, And) else (expression,)


def require_closed(expression: Expression) -> None:
    """Raise ExpressionError if an any() or all() in it still lacks its comparison."""
    if expression._open is not None:
        quantifier = expression._open.quantifier
        raise ExpressionError(
            f"{quantifier}(…) needs a comparison: "
            f'{quantifier}(user["tags"]) == "vip", or in Python '
            f'user["tags"].{quantifier}() == "vip"'
        )
