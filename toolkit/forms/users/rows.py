"""The users a form lists, as whole columns: found, filtered and sorted at a million rows.

Nothing here draws. What follows from one snapshot (titles, what a search
looks through, orders) is kept until the profiles change.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.base import (
    ABSENT,
    HIDDEN,
    NO_TIME,
    ExpressionError,
    dumps,
    html,
    joined_texts,
    texts_where,
    times,
)
from toolkit.columns import (
    Column,
    Instants,
    Mask,
    Positions,
    ProfileRows,
    Snapshot,
    computed_names,
)
from toolkit.events import Events
from toolkit.expressions import (
    NUMBERS,
    Cells,
    Expression,
    Family,
    Property,
    Scope,
    Side,
    is_known,
    mask_of,
    never_true,
    require_closed,
    unknown,
)
from toolkit.profiles import saved_ids

#: Sorts by the title of a profile.
TITLE: Final = "$title"
#: Shows, sorts and filters by the distinct ID.
DISTINCT_ID: Final = "$distinct_id"

_TEXT: Final = pa.large_string()
# Values of different types are sorted in this order; numbers are one type.
_FAMILY_ORDER: Final[tuple[Family, ...]] = ("time", "int", "bool", "text", "list", "object")
_CELL_LENGTH: Final = 200


class UserRows(Scope):
    """The users of a table: those with a profile, or those seen in events.

    A scope for expressions: it has the properties of users, and First Seen where
    there are events.

    Parameters
    ----------
    snapshot
        The profiles.
    events
        The events, None if there are none.
    everybody
        Whether the rows are the users seen in events, with or without a profile, in
        the order of their first appearance, in place of the profiles.
    saved
        Returns the distinct IDs of a saved cohort by its name; None if there are none.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        events: Events | None = None,
        *,
        everybody: bool = False,
        saved: Callable[[str], pa.Array] | None = None,
    ) -> None:
        self._saved = saved
        self.snapshot = snapshot
        self.events = events
        self.everybody = everybody and events is not None
        #: The row of each in the snapshot, -1 for no profile; None: all, in order.
        self._at: Positions | None = None
        self.ids: pa.Array = snapshot.ids
        self._codes: Positions | None = None
        if self.everybody and events is not None:
            counted = np.bincount(
                events.ids.codes[events.is_counted & (events.ids.codes >= 0)],
                minlength=len(events.ids.texts),
            )
            self._codes = np.flatnonzero(counted)
            self.ids = events.ids.texts.take(pa.array(self._codes))
            self._at = events.rows(snapshot)[self._codes]
        self._columns: dict[str, Column | Instants] = {}
        self._ranks: dict[str, tuple[Positions, int]] = {}
        self._orders: dict[tuple[str, bool], Positions] = {}

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def names(self) -> list[str]:
        """The properties there are to show, in the order of their first write, then Updated At."""
        names = [name for name in self.snapshot.names if name not in HIDDEN]
        computed = computed_names(has_events=self.events is not None)
        computed.remove(DISTINCT_ID)
        return [*(name for name in names if name not in computed), *computed]

    @cached_property
    def has_profile(self) -> Mask:
        """Whether each user has a profile."""
        if self._at is None:
            return np.ones(len(self), np.bool_)
        return self._at >= 0

    def position(self, distinct_id: str) -> int:
        """Return the row of a user, -1 if it is not listed."""
        if self._at is None:
            return self.snapshot.position(distinct_id)
        place: int = self.ids.index(pa.scalar(distinct_id, _TEXT)).as_py()
        return place

    def profiles(self, positions: Positions) -> Snapshot:
        """Return the profiles of some rows, those without one left out."""
        if self._at is None:
            return self.snapshot.take(positions)
        at = self._at[positions]
        return self.snapshot.take(at[at >= 0])

    # -- as a scope for expressions -------------------------------------------------------

    def column(self, side: Side, name: str) -> Column | Instants:
        """Return a property, one cell per row.

        Raises
        ------
        ExpressionError
            For a property of events, and for First Seen where there are no events.
        """
        if side == "event":
            raise ExpressionError(
                f'event["{name}"] is a property of events, and here are users; write user["{name}"]'
            )
        if name not in self._columns:
            self._columns[name] = self._read(name)
        return self._columns[name]

    def _read(self, name: str) -> Column | Instants:
        begun = None if self.events is None else self._begun
        return ProfileRows(self.snapshot, self._at, lambda: self.ids, begun).column(name)

    def _begun(self) -> Positions:
        """Return the time of the first event of each user."""
        assert self.events is not None
        first = self.events.first_times
        if self._codes is not None:
            return first[self._codes]
        result = np.full(len(self), NO_TIME, np.int64)
        rows = self.events.rows(self.snapshot)
        result[rows[rows >= 0]] = first[rows >= 0]
        return result

    def distinct_ids(self) -> pa.Array:
        """Return the distinct ID of each row."""
        return self.ids

    def members(self, name: str) -> pa.Array:
        """Return the distinct IDs of a saved cohort.

        Raises
        ------
        ReportError
            If there is none of that name.
        """
        return saved_ids(None, name) if self._saved is None else self._saved(name)

    def where(self, condition: Expression) -> tuple[Mask, list[str]]:
        """Return for which rows a condition is true, and what is odd about it, in sentences."""
        require_closed(condition)
        mask = mask_of(condition, self)
        if not len(self):
            return mask, []
        odd = [
            unknown(node.name, self.snapshot)
            for node in condition.properties
            if not is_known(node.name, self.snapshot)
        ]

        def look(node: Property) -> Column | Instants:
            return self.column(node.side, node.name)

        return mask, odd + never_true(condition, look)

    # -- searching ------------------------------------------------------------------------

    @cached_property
    def titles(self) -> pa.Array:
        """What to call each user, by the rule of ``reserved.title``, as whole text."""
        name, first, last, email = (
            self._stripped(each) for each in ("$name", "$first_name", "$last_name", "$email")
        )
        both = joined_texts([first, last], " ")
        both = texts_where(_true(pc.not_equal(both, "")), both)
        return pc.coalesce(name, both, email, self.ids)

    def _stripped(self, name: str) -> pa.Array:
        """Return a text property without white space around, null where nothing is left."""
        column = self.column("user", name)
        assert isinstance(column, Column)
        if column.kind == "text":
            texts = column.values
            if not column.has_value.all():
                texts = texts_where(column.has_value, texts)
        elif column.kind == "json":
            cells = [cell if isinstance(cell, str) else None for cell in column.cells()]
            texts = pa.array(cells, _TEXT)
        else:
            return pa.nulls(len(self), _TEXT)
        texts = pc.utf8_trim_whitespace(texts)
        filled = _true(pc.not_equal(texts, ""))
        return texts if filled.all() else texts_where(filled, texts)

    @cached_property
    def _searched(self) -> pa.Array:
        """Title, e-mail and ID of each user in lower case, a line each."""
        parts = [self.titles, self._stripped("$email"), self.ids]
        return pc.utf8_lower(joined_texts(parts, "\n"))

    def matches(self, search: str) -> Mask | None:
        """Return for which users each word is in the title, the e-mail or the ID.

        Upper and lower case are alike. None if there is no word.
        """
        result: Mask | None = None
        for word in search.split():
            low = pc.utf8_lower(pa.scalar(word, _TEXT)).as_py()
            here = _true(pc.match_substring(self._searched, low))
            result = here if result is None else result & here
        return result

    # -- sorting --------------------------------------------------------------------------

    def order(self, name: str | None, *, descending: bool = False) -> Positions | None:
        """Return the rows sorted by a property, by TITLE, or as they are for None.

        Numbers by value, text without regard to upper and lower case, mixed types one
        after the other. What is not set comes last, either way; equals stay in order.
        """
        if name is None:
            return None
        key = (name, descending)
        if key not in self._orders:
            ranks, not_set = self._rank(name)
            if descending:
                ranks = np.where(ranks == not_set, not_set, not_set - 1 - ranks)
            if not_set < np.iinfo(np.int16).max:
                ranks = ranks.astype(np.int16)  # numpy sorts these many times as fast
            # One order at a time: eight bytes a row each.
            self._orders = {key: np.argsort(ranks, kind="stable")}
        return self._orders[key]

    def _rank(self, name: str) -> tuple[Positions, int]:
        """Return a number for each row that sorts as its value does, and that for not set."""
        if name not in self._ranks:
            if name == TITLE:
                cells = Cells.of(Column.of_array(self.titles))
            else:
                cells = Cells.of(self.column("user", name))
            self._ranks[name] = _ranked(cells, len(self))
        return self._ranks[name]

    # -- what a page shows ----------------------------------------------------------------

    def is_number(self, name: str) -> bool:
        """Return whether a property holds numbers only."""
        if name == TITLE:
            return False
        column = self.column("user", name)
        return isinstance(column, Column) and column.kind in ("int", "float")

    def texts(self, name: str, positions: Positions) -> list[str]:
        """Return how the cells of some rows read; plain text, not escaped, ``""`` for not set."""
        if name == TITLE:
            return self.titles.take(pa.array(positions)).to_pylist()
        column = self.column("user", name)
        if isinstance(column, Instants):
            return [time_text(moment) for moment in column.microseconds[positions].tolist()]
        return [cell_text(cell) for cell in column.take(positions).cells()]


def cell_text(cell: Any) -> str:
    """Return how a JSON value reads in a table; plain text, cut if it is long."""
    if cell is ABSENT:
        return ""
    text = "null" if cell is None else html.cell_text(cell)
    return text if len(text) <= _CELL_LENGTH else text[: _CELL_LENGTH - 1] + "…"


def time_text(microseconds: int) -> str:
    """Return a time for people, in UTC to the second, ``""`` for none.

    >>> time_text(0), time_text(NO_TIME)
    ('1970-01-01 00:00:00', '')
    """
    if microseconds == NO_TIME:
        return ""
    return times.iso(microseconds)[:19].replace("T", " ")


def _true(booleans: pa.Array) -> Mask:
    return np.asarray(pc.fill_null(booleans, False).to_numpy(zero_copy_only=False), np.bool_)


def _ranked(cells: Cells, length: int) -> tuple[Positions, int]:
    result = np.full(length, -1, np.int64)
    offset = 0
    numbers = [part for part in cells.parts if part in NUMBERS]
    for family in _FAMILY_ORDER:
        if family == "int" and len(numbers) > 1:
            at, ranks = _rank_mixed_numbers(cells, length)
        else:
            here = numbers[0] if family == "int" and numbers else family
            if here not in cells.parts:
                continue
            at, values = cells.parts[here]
            ranks = _RANKERS.get(here, _rank_numbers)(at, values)
        result[at] = ranks + offset
        offset += int(ranks.max(initial=-1)) + 1
    result[result < 0] = offset
    return result, offset


def _rank_mixed_numbers(cells: Cells, length: int) -> tuple[Mask, Positions]:
    at = np.zeros(length, np.bool_)
    values = np.zeros(length)
    for family in NUMBERS & cells.parts.keys():
        here, numbers = cells.parts[family]
        at |= here
        values[here] = [_float(number) for number in numbers[here].tolist()]
    return at, _rank_numbers(at, values)


def _float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return float("inf") if number > 0 else float("-inf")


def _rank_numbers(at: Mask, values: Any) -> Positions:
    return np.unique(values[at], return_inverse=True)[1].astype(np.int64)


def _rank_texts(at: Mask, texts: pa.Array) -> Positions:
    kept = texts if at.all() else texts.filter(pa.array(at))
    encoded = pc.utf8_lower(kept).dictionary_encode()
    order = pc.sort_indices(encoded.dictionary).to_numpy()
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order))
    result: Positions = ranks[encoded.indices.to_numpy()]
    return result


def _rank_json(at: Mask, values: Any) -> Positions:
    texts = pa.array([dumps(value) for value in values[at]], _TEXT)
    return _rank_texts(np.ones(len(texts), np.bool_), texts)


_RANKERS: Final[dict[Family, Callable[[Mask, Any], Positions]]] = {
    "text": _rank_texts,
    "list": _rank_json,
    "object": _rank_json,
}
