"""Expressions on the properties of users, events and groups.

``user["plan"] == "pro"`` in Python, ``user["plan"] == "pro"`` as text: both
build the same tree, which is worked out on whole columns. What is true of which
value:

======== =======================================================================
rule     what
======== =======================================================================
EXPR-1   A value is a boolean, a number, a text, a time, a list or an object.
         Absent, null and undefined are no value: not set.
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
         is one. What is no list counts as a list of itself.
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

from toolkit.expressions.cells import Instants
from toolkit.expressions.evaluation import Scope, SnapshotScope, Spread, spread_of
from toolkit.expressions.expression import Expression
from toolkit.expressions.nodes import (
    Members,
    Property,
    Side,
    Tally,
    conjuncts,
    event,
    group,
    group_key_of,
    group_side,
    literal,
    period,
    user,
)
from toolkit.expressions.parsing import as_expression, as_property, parse

__all__ = [
    "Expression",
    "Instants",
    "Members",
    "Property",
    "Scope",
    "Side",
    "SnapshotScope",
    "Spread",
    "Tally",
    "as_expression",
    "as_property",
    "conjuncts",
    "event",
    "group",
    "group_key_of",
    "group_side",
    "literal",
    "parse",
    "period",
    "spread_of",
    "user",
]
