"""What a comparison nearly asks for: values written otherwise, and text that hides dates."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.base import InvalidTimeError, Json, dumps, listed, no_time, parse_time
from toolkit.columns import Column, Instants, is_number
from toolkit.expressions.casting import as_datetime
from toolkit.expressions.cells import TEXT, Cells
from toolkit.expressions.tree import (
    Comparison,
    Contains,
    Expression,
    Function,
    In,
    Literal,
    Property,
    Quantified,
)

#: Where a property is found; None where nothing is known of it.
Look: TypeAlias = Callable[[Property], Column | Instants | None]

# What is looked at of a column: so many cells, and so many distinct texts.
_CELLS: Final = 100_000
_TEXTS: Final = 200_000
_VALUES: Final = 20
_INVISIBLE: Final = "[\u00ad\u200b-\u200f\u2060\ufeff]"
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d([T ].*)?", re.ASCII)
_MONTH: Final = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}\.?"
# 31.12.2023, 12/31/23; 2023/12/31; 2023-9-1; 20231231; 31 Dec 2023; Dec 31, 2023; and ISO
# 8601 that is not in UTC.
_OTHER_DATES: Final = (
    r"^\s*(?:\d{1,2}[./-]\d{1,2}[./-](?:\d{4}|\d\d)|\d{4}[./]\d{1,2}[./]\d{1,2}"
    r"|\d{4}-(?:\d-\d{1,2}|\d\d-\d)|(?:19|20)\d{6}"
    rf"|(?:[A-Z][a-z]{{2,8}},? )?(?:\d{{1,2}}(?:st|nd|rd|th)?[ -]{_MONTH},?[ -]\d{{2,4}}"
    rf"|{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}}))\b"
)
_WITH_ZONE: Final = r"^\d{4}-\d\d-\d\d[T ].*[+-](?:0[1-9]|1\d|00:?[1-9]\d|00:?0[1-9]):?(?:\d\d)?$"


def nearly(condition: Expression, look: Look) -> list[str]:
    """Return a sentence for each comparison that asks for what is there in another form.

    - No cell is equal to a text, and some differ from it only in case, spaces, invisible
      characters or their Unicode form; or a number is there as text, or the other way.
    - Text that hides dates (``31.12.2023``) is compared with a date as text.
    - What is not a time is compared with a time, and counts as not set.

    Parameters
    ----------
    condition
        The condition.
    look
        Returns a property, all its cells.
    """
    sentences: dict[str, None] = {}
    for node, operator, operand, values in _asked(condition):
        column = look(operand)
        if not isinstance(column, Column) or not column.has_any_value:
            continue
        if operator == "datetime":
            sentences.update(dict.fromkeys(_no_times(operand, column)))
            continue
        sentences.update(dict.fromkeys(_near_values(operator, operand, values, column)))
        sentences.update(dict.fromkeys(_hidden_dates(node, operator, operand, values, column)))
    return list(sentences)


def _asked(condition: Expression) -> Iterator[tuple[Expression, str, Property, list[Json]]]:
    """Yield comparisons of a property with literals, and properties that are read as times."""
    for node in condition._walked():
        match node:
            case Comparison(operator, left, right):
                for one, other in ((left, right), (right, left)):
                    operand = one.operand if isinstance(one, Quantified) else one
                    if isinstance(operand, Property) and isinstance(other, Literal):
                        yield node, operator, operand, [other.value]
                    elif isinstance(operand, Property) and _is_datetime(other):
                        yield node, "datetime", operand, []
            case In(left, Literal() as options) if isinstance(options.value, list):
                operand = left.operand if isinstance(left, Quantified) else left
                if isinstance(operand, Property):
                    yield node, "in", operand, options.value[:_VALUES]
            case Contains(Property() as operand, Literal() as element):
                yield node, "contains", operand, [element.value]
            case Function("datetime", Property() as operand):
                yield node, "datetime", operand, []


def _is_datetime(node: Expression) -> bool:
    return isinstance(node, Function) and node.name == "datetime"


def _near_values(
    operator: str, operand: Property, values: list[Json], column: Column
) -> Iterator[str]:
    if operator not in ("==", "!=", "in", "contains"):
        return
    texts, others = _texts(column, lists_only=operator == "contains")
    # Several values may well be of several types.
    others = frozenset() if operator == "in" else others
    for value in values:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            continue
        if isinstance(value, str) and pc.index(texts, pa.scalar(value, TEXT)).as_py() >= 0:
            continue
        if isinstance(value, str):
            asked, *near = _shown([value, *_alike(texts, value)])
            near += [f"the number {value.strip()}"] if value.strip() in others else []
        else:
            asked, near = dumps(value), []
            if asked not in others:
                near = [f"the text {each}" for each in _shown(_alike(texts, asked))]
        if near:
            yield f"No value of {operand.text} is {asked}; there is {listed(near, 3)}."


def _texts(column: Column, *, lists_only: bool) -> tuple[pa.Array, frozenset[str]]:
    """Return the texts of a column, those in lists too, and its numbers as text."""
    if column.kind == "text":
        return (pa.array([], TEXT) if lists_only else column.values), frozenset()
    if column.kind != "json":
        return pa.array([], TEXT), frozenset()
    texts: list[str] = []
    numbers: set[str] = set()
    for cell in column.values[column.has_value][:_CELLS].tolist():
        of_cell = cell if isinstance(cell, list) else [] if lists_only else [cell]
        texts += [each for each in of_cell if isinstance(each, str)]
        numbers.update(dumps(each) for each in of_cell if is_number(each))
    return pa.array(texts, TEXT), frozenset(numbers)


def _alike(texts: pa.Array, value: str) -> list[str]:
    """Return the texts that are *value* except for case, spaces, invisible characters or form."""
    distinct = pc.unique(texts).slice(0, _TEXTS)
    alike = pc.equal(_folded(distinct), _folded(pa.array([value], TEXT))[0])
    spellings: list[str] = distinct.filter(pc.fill_null(alike, False)).to_pylist()
    return spellings


def _folded(texts: pa.Array) -> pa.Array:
    plain = pc.utf8_lower(pc.utf8_normalize(texts, form="NFKC"))
    plain = pc.replace_substring_regex(plain, pattern=_INVISIBLE, replacement="")
    return pc.utf8_trim_whitespace(
        pc.replace_substring_regex(plain, pattern=r"\s+", replacement=" ")
    )


def _shown(texts: list[str]) -> list[str]:
    """Return texts in quotes; with escapes where case and spaces do not distinguish them."""
    seen = {" ".join(each.casefold().split()) for each in texts}
    is_plain = len(seen) == 1 or all(each.isascii() for each in texts)
    return [f'"{each}"' if is_plain else f'"{ascii(each)[1:-1]}"' for each in texts]


def _hidden_dates(
    node: Expression, operator: str, operand: Property, values: list[Json], column: Column
) -> Iterator[str]:
    texts, _ = _texts(column, lists_only=False)
    if operator == "contains" or not len(texts):
        return
    is_equality = operator in ("==", "!=", "in")
    for value in values:
        if isinstance(value, str) and re.match(_OTHER_DATES, value) and not is_equality:
            yield (
                f'"{_cut(value)}" looks like a date, and text is compared letter by letter, so '
                f"{_cut(node.text)} is not about which is earlier. Write dates as 2023-12-31."
            )
    dates = [value for value in values if isinstance(value, str) and _is_date(value)]
    if not dates:
        return
    texts = pc.drop_null(texts)
    some = texts.take(pa.array(_spread(len(texts))))
    for pattern, advice in (
        (_OTHER_DATES, "Write such dates as 2023-12-31"),
        (_WITH_ZONE, f'To compare moments write datetime("{dates[0]}")'),
    ):
        other = some.filter(pc.match_substring_regex(some, pattern=pattern))
        if len(other) and not (is_equality and pc.index(texts, dates[0]).as_py() >= 0):
            yield (
                f'{operand.text} holds dates such as "{other[0].as_py()[:40]}", and text is '
                f"compared letter by letter, so {_cut(node.text)} is not about which is "
                f"{'the same day' if is_equality else 'earlier'}. {advice}."
            )


def _is_date(text: str) -> bool:
    try:
        return bool(_DATE.fullmatch(text)) and parse_time(text) is not None
    except InvalidTimeError:
        return False


def _no_times(operand: Property, column: Column) -> Iterator[str]:
    filled = np.flatnonzero(column.has_value)
    some = column.take(filled[_spread(len(filled))])
    unread = np.flatnonzero(~as_datetime(Cells.of(some)).has_value)
    cells = [some.cell(place) for place in unread[:_VALUES].tolist()]
    # Beside times a word such as "soon" is a word; a date written otherwise was meant as a date.
    examples = cells[:1] if len(unread) == len(some) else list(filter(_looks_like_a_date, cells))
    for cell in examples[:1]:
        why = no_time(cell) if is_number(cell) else f"{_cut(dumps(cell))} is not a time"
        yield (
            f"{operand.text} holds what is not a time, and that counts as not set in a comparison "
            f"with a time: {why}."
        )


def _looks_like_a_date(cell: Any) -> bool:
    if is_number(cell):
        return "looks like" in no_time(cell)
    return isinstance(cell, str) and bool(re.match(_OTHER_DATES, cell))


def _spread(length: int) -> Any:
    """Return positions all over a column, every one of them if it is short."""
    return np.arange(0, length, max(1, length // _CELLS))


def _cut(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"
