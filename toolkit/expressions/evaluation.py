"""What an expression comes to: one evaluator, on whole columns.

A value is evaluated as :class:`~toolkit.expressions.cells.Cells`, a condition as
a :class:`~toolkit.expressions.comparing.Truth`. The rows come from a
:class:`~toolkit.expressions.scope.Scope`, which has the properties of a user or an event.

What is true of which value:

======== =======================================================================
rule     what
======== =======================================================================
EXPR-1   A value is a boolean, a number, a text, a time, a list or an object.
         Absent, null and undefined are not values: not set.
EXPR-2   ``==`` is true of two values of one type that are equal as JSON (numbers
         by value, exactly), and false of all else. It is never undefined.
EXPR-3   ``!=`` is undefined of different types and of what is not set, else the
         opposite of ``==``. (``not x == y`` is true there.)
EXPR-4   ``< <= > >=`` compare two numbers, two texts (by code point) or two times;
         all else is undefined.
EXPR-5   ``x == null`` is "not set", ``x != null`` and ``defined(x)`` are "set".
EXPR-6   undefined is false under ``and``, ``or`` and where; ``not undefined`` is
         true.
EXPR-7   ``x in [a, b]`` is ``x == a or x == b``; ``not in`` is the ``not`` of it.
EXPR-8   ``contains(x, y)``, or ``y in x``, is whether the text x contains the text
         y (upper and lower case differ), or the list x an element equal to y; all
         else is undefined.
EXPR-9   ``any(x)`` and ``all(x)`` stand for the elements of a list in one
         comparison: true if it is true of at least one, or of every one and there
         is one. What is not a list counts as a list of itself.
EXPR-10  ``+ - * /`` and ``%`` take two numbers, ``+`` also two texts, which it
         joins; all else is undefined, and so are division by zero and overflow.
         Integers are exact at any size, and so is their quotient where it is
         whole. The remainder has the sign of the dividend. ``round`` rounds
         halves away from zero.
EXPR-11  ``string`` of equal numbers is equal text: 1.0 is "1". ``number`` reads
         decimal text; true is 1, false 0, a time unix seconds; all else is
         undefined. ``boolean`` is false of not set, false, 0, "" and "false",
         true of all else.
EXPR-12  ``datetime`` reads ISO 8601 text, unix seconds and milliseconds (TIME-1), in
         UTC where no zone is named; a date is its midnight; all else is undefined.
         What is compared with a time, one of Python or pandas too, is read by
         ``datetime`` first.
EXPR-13  A value in place of a condition is true where it is the boolean true,
         false where it is false, else undefined. A condition in place of a value
         is a boolean, not set where it is undefined.
======== =======================================================================
"""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np
import pyarrow.compute as pc

from toolkit.base import ExpressionError
from toolkit.columns import Column, Mask, Positions
from toolkit.expressions import arithmetic, comparing
from toolkit.expressions.cells import Cells
from toolkit.expressions.comparing import Truth
from toolkit.expressions.doubts import warn_of_profiles
from toolkit.expressions.functions import FUNCTIONS
from toolkit.expressions.scope import Scope, SnapshotScope, Spread
from toolkit.expressions.tree import (
    And,
    Arithmetic,
    Comparison,
    Contains,
    Expression,
    Function,
    In,
    IsSet,
    Literal,
    Members,
    Not,
    Or,
    Property,
    Quantified,
    Tally,
    require_closed,
)


def mask_of(condition: Expression, scope: Scope) -> Mask:
    """Return for each row of *scope* whether the condition is true (not undefined).

    Raises
    ------
    ExpressionError
        If the scope does not have one of the properties' sides.

    Warns
    -----
    UserWarning
        If the rows are profiles, and what the condition looks at can make it true of
        none: an :class:`~toolkit.errors.UnknownPropertyWarning` for a property that no
        profile ever had.
    """
    require_closed(condition)
    _require_scope(scope)
    if isinstance(scope, SnapshotScope):
        # The caller is ProfileTable.where, and that of users.
        warn_of_profiles(condition, scope.snapshot, stacklevel=3)
    true = _Evaluation(scope).truth(condition).true
    return np.array(np.broadcast_to(true, len(scope)))


def evaluate(expression: Expression, scope: Scope) -> Column:
    """Return the value for each row of *scope*, absent where there is none.

    A condition gives booleans, absent where it is undefined. Times are ISO 8601 text.
    """
    require_closed(expression)
    _require_scope(scope)
    return _Evaluation(scope).value(expression).column(len(scope))


def _require_scope(scope: object) -> None:
    if not isinstance(scope, Scope):
        raise ExpressionError(
            f"scope is of type {type(scope).__name__}, which is not a scope of rows. "
            "profiles.where(condition) picks profiles, and reports take a condition as where="
        )


class _Evaluation:
    """One expression being evaluated on the rows of a scope."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._columns: dict[tuple[str, str], Cells] = {}

    # -- values ---------------------------------------------------------------------------

    def value(self, node: Expression) -> Cells:
        """Return the value of *node* for each row; that of a constant once."""
        match node:
            case Property(side, name):
                if (side, name) not in self._columns:
                    self._columns[side, name] = Cells.of(self._scope.column(side, name))
                return self._columns[side, name]
            case Literal():
                return Cells.constant(node.value)
            case Function(name, operand):
                return FUNCTIONS[name].of(self.value(operand))
            case Tally():
                return Cells.of(self._scope.tally(node))
            case Arithmetic(operator, left, right):
                return arithmetic.arithmetic(operator, self.value(left), self.value(right))
        true, undefined = self.truth(node)  # EXPR-13
        return Cells.joined(len(true), [("bool", ~undefined, true)])

    def _members(self, node: Members) -> Mask:
        ids = self._scope.members(node.name) if node.members is None else node.members
        # A user without a profile may be in the cohort; a null, no user, never is.
        mask: Mask = pc.is_in(self._scope.distinct_ids(), ids).to_numpy(zero_copy_only=False)
        return mask

    # -- conditions -----------------------------------------------------------------------

    def truth(self, node: Expression) -> Truth:
        """Return whether *node* is true for each row."""
        match node:
            case Not(operand):
                return Truth.of(~self.truth(operand).true)
            case And(conditions):
                return self._joined(np.logical_and, conditions)
            case Or(conditions):
                return self._joined(np.logical_or, conditions)
            case Members():
                return Truth.of(self._members(node))
        spread = self._scope.spread(node.sides | ({"user"} if node.is_of_users else set()))
        if spread is not None:
            return self._of_any(_Evaluation(spread.scope), spread, node)
        if node.is_condition:
            quantified = next((o._open for o in node.operands if o._open is not None), None)
            if quantified is None:
                return self.comparison(node)
            return self._quantified(node, quantified)
        cells = self.value(node)  # EXPR-13
        at = cells.where("bool")
        true = at & cells.parts["bool"].values if "bool" in cells.parts else at
        return Truth(true, ~at)

    def _of_any(self, within: _Evaluation, spread: Spread, node: Expression) -> Truth:
        """Return the truth of a comparison of which one value a row is enough (GROUP-3)."""
        match node:
            # Not set is what has no value in any of them.
            case Comparison("==", operand, Literal("null")) | Comparison(
                "==", Literal("null"), operand
            ) if operand._open is None:
                return Truth.of(~self._of_any(within, spread, IsSet(operand)).true)
        true, undefined = (
            np.broadcast_to(each, len(spread.scope))[spread.cells] for each in within.truth(node)
        )
        if spread.owners is None:
            return Truth(true, undefined)
        # Owners ascend, and there is one for each row.
        first = np.flatnonzero(np.diff(spread.owners, prepend=-1))
        return Truth(np.logical_or.reduceat(true, first), np.logical_and.reduceat(undefined, first))

    def _joined(self, join: Any, conditions: tuple[Expression, ...]) -> Truth:
        true = self.truth(conditions[0]).true
        for condition in conditions[1:]:
            true = join(true, self.truth(condition).true)
        return Truth.of(true)

    def comparison(self, node: Expression) -> Truth:
        """Return the truth of a comparison, its quantifier replaced by the elements at hand."""
        match node:
            case Comparison("==", operand, Literal("null")):
                return Truth.of(~self.value(operand).has_value)
            case Comparison("!=", operand, Literal("null")):
                return Truth.of(self.value(operand).has_value)
            case Comparison("==" | "!=" as operator, Literal("null") as null, operand):
                return self.comparison(Comparison(operator, operand, null))
            case Comparison(operator, left, right):
                return comparing.compare(operator, self.value(left), self.value(right))
            case IsSet(operand):
                return Truth.of(self.value(operand).has_value)
            case In(operand, Literal() as options):
                values: Any = options.value
                return Truth.of(comparing.is_among(self.value(operand), values))
            case In(operand, options):
                truths = (self.comparison(Comparison("==", operand, o)) for o in options.operands)
                return Truth.of(
                    np.logical_or.reduce(np.broadcast_arrays(*(t.true for t in truths)))
                )
            case Contains(container, Literal("null")):
                return comparing.contains(self.value(container), Cells.constant(None), null=True)
            case Contains(container, element):
                return comparing.contains(self.value(container), self.value(element))
        raise AssertionError(type(node))

    def _quantified(self, node: Expression, quantified: Quantified) -> Truth:
        """Return the truth of a comparison of any or all elements of a list (EXPR-9)."""
        length = len(self._scope)
        cells = self.value(quantified.operand)
        if cells.length != length:
            cells = cells.take(np.zeros(length, np.int64))
        is_list = cells.where("list")
        singles = np.flatnonzero(~is_list)
        true = np.zeros(length, np.bool_)
        true[singles] = _Elements(self, singles, cells.take(singles)).truths(node)
        if len(singles) < length:
            lists = cells.parts["list"].values[is_list]
            sizes = np.fromiter(map(len, lists), np.int64, len(lists))
            rows = np.repeat(np.flatnonzero(is_list), sizes)
            elements = Cells.of(Column.of(list(chain.from_iterable(lists))))
            met = rows[_Elements(self, rows, elements).truths(node)]
            counts = np.bincount(met, minlength=length)[is_list]
            wanted = 1 if quantified.quantifier == "any" else np.maximum(sizes, 1)
            true[is_list] = counts >= wanted
        return Truth.of(true)


class _Elements(_Evaluation):
    """A comparison being evaluated on elements of lists instead of rows."""

    def __init__(self, of: _Evaluation, rows: Positions, elements: Cells) -> None:
        super().__init__(of._scope)
        self._of = of
        self._rows = rows
        self._elements = elements

    def truths(self, node: Expression) -> Mask:
        """Return whether the comparison is true for each element."""
        return np.broadcast_to(self.comparison(node).true, len(self._rows))

    def value(self, node: Expression) -> Cells:
        """Return the value of *node* for each element."""
        if isinstance(node, Quantified):
            return self._elements
        if node._open is None:
            cells = self._of.value(node)
            return cells if cells.length == 1 else cells.take(self._rows)
        return super().value(node)
