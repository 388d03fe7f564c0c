"""The list of users that a form shows: searched, filtered, sorted, page by page, ticked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
from traitlets import Bool, HasTraits, Int, List, Unicode, observe

from toolkit.base import LAST_SEEN, ToolkitError, count
from toolkit.columns import COMPUTED, Mask, Positions, Snapshot
from toolkit.events import Events
from toolkit.expressions import Expression
from toolkit.forms.parts.filter_state import FilterState
from toolkit.forms.users.rows import DISTINCT_ID, TITLE, UserRows
from toolkit.profiles import ProfileTable, saved_ids, saved_names
from toolkit.reports import Choices

# What the profiles' title is made of, and so need not be a column at first.
_IN_TITLE: Final = frozenset({"$name", "$first_name", "$last_name", "$avatar"})
_COLUMNS_AT_FIRST: Final = 4


class UserRow(NamedTuple):
    """A row of the page: whose, how its cells read (None: not set), and if there is a profile."""

    id: str
    cells: tuple[str | None, ...]
    has_profile: bool


class UserList(HasTraits):
    """The users of a table, as far as they are asked for.

    Attributes
    ----------
    search
        Words to be found in title, e-mail or distinct ID.
    filter
        The conditions to be met; where they are wrong, nobody is listed.
    everybody
        Whether all users seen in events are listed, in place of the profiles.
    columns
        The properties shown next to the title, in order.
    sort_by, descending
        The property sorted by, ``"$title"`` for the title, ``""`` for the order of creation.
    page, page_size
        Which page is in view, from 0, and rows a page.
    total, matching
        How many users there are, and how many are found.
    rows
        The page in view, :class:`UserRow` each.
    expression
        What the filter says, as text; empty for nothing, or for something wrong.
    notes
        What is odd about what was asked for, as sentences.
    revision
        Goes up with each look at the users, when all of the above is in place.
    picked, inverse
        The distinct IDs ticked; with *inverse* all that are found but those.
    """

    search = Unicode("")
    everybody = Bool(False)
    columns = List(Unicode())
    sort_by = Unicode("")
    descending = Bool(False)
    page = Int(0)
    page_size = Int(25)

    total = Int(0)
    matching = Int(0)
    rows: Any = List()
    expression = Unicode("")
    notes = List(Unicode())
    revision = Int(0)
    picked = List(Unicode())
    inverse = Bool(False)

    def __init__(self, profiles: ProfileTable, events: Events | None = None) -> None:
        super().__init__()
        if events is not None and profiles.group_key is not None:
            events = events.by_group(profiles.group_key)
        self.profiles = profiles
        self.events = events
        self.is_users = profiles.group_key is None
        self._deferred = 0
        self._masks: dict[str, tuple[Mask, list[str]]] = {}
        self._search_mask: tuple[str, Mask | None] = ("", None)
        self._positions: Positions = np.zeros(0, np.int64)
        self._joined: Expression | None = None
        self.source = self._rows(profiles.snapshot())
        self.choices = self._choices()
        self.filter = FilterState(lambda: self.choices)
        self.filter.on_change(self._ask_anew)
        with self.together():
            self.columns = self._first_columns()

    def _first_columns(self) -> list[str]:
        names = [
            name for name in self.source.names if name not in _IN_TITLE and name not in COMPUTED
        ]
        return [DISTINCT_ID, *names[:_COLUMNS_AT_FIRST], LAST_SEEN]

    # -- listing --------------------------------------------------------------------------

    @contextmanager
    def together(self) -> Iterator[None]:
        """Change several of the traits, and list once at the end."""
        self._deferred += 1
        try:
            yield
        finally:
            self._deferred -= 1
            if not self._deferred:
                self.refresh()

    @observe("search", "everybody")
    def _ask_anew(self, _: object = None) -> None:
        """Begin at the first page; ticks on all that was found say nothing of what is found now."""
        with self.together():
            self.page = 0
            if self.inverse:
                self.pick_none()

    @observe("columns", "sort_by", "descending", "page", "page_size")
    def _list(self, _: object = None) -> None:
        if not self._deferred:
            self.refresh()

    def refresh(self) -> None:
        """List the users as they are now, whoever changed them."""
        snapshot = self.profiles.snapshot()
        is_new = (
            snapshot is not self.source.snapshot or self.source.everybody != self._wants_everybody
        )
        if is_new:
            self._look_at(self._rows(snapshot))
        mask, notes = self._mask()
        source = self.source
        self._joined = self.filter.condition if self.filter.is_right else None
        order = source.order(self.sort_by or None, descending=self.descending)
        if not self.filter.is_right:
            # Better nothing than rows that were not asked for: bulk actions work on them.
            self._positions = np.zeros(0, np.int64)
        elif mask is None:
            self._positions = np.arange(len(source)) if order is None else order
        else:
            self._positions = np.flatnonzero(mask) if order is None else order[mask[order]]
        self.total, self.matching = len(source), len(self._positions)
        self.expression = "" if self._joined is None else self._joined.text
        self.notes = notes
        last = max(0, (self.matching - 1) // self.page_size)
        with self._quiet():
            self.page = min(max(self.page, 0), last)
        self.rows = self._page_rows()
        self.revision += 1

    def look_again(self) -> None:
        """List the users as they are now, and offer the cohorts saved by now."""
        self.choices = self._choices()
        self._masks = {}
        self.filter.reread()
        self.refresh()

    def _rows(self, snapshot: Snapshot) -> UserRows:
        saved = partial(saved_ids, self.profiles)
        return UserRows(snapshot, self.events, everybody=self.everybody, saved=saved)

    def _choices(self, rows: UserRows | None = None) -> Choices:
        return Choices(
            self.events,
            (rows or self.source).snapshot,
            only_users=True,
            cohorts=saved_names(self.profiles),
        )

    @property
    def _wants_everybody(self) -> bool:
        return self.everybody and self.events is not None

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        self._deferred += 1
        try:
            yield
        finally:
            self._deferred -= 1

    def _look_at(self, rows: UserRows) -> None:
        """Turn to other rows; what the filter was found to be depends on them."""
        if rows.snapshot is not self.source.snapshot:
            self.choices = self._choices(rows)
        self.source = rows
        self._masks, self._search_mask = {}, ("", None)
        self.filter.reread()

    def _mask(self) -> tuple[Mask | None, list[str]]:
        """Return which rows are asked for, None for all, and what is odd about it."""
        if self._search_mask[0] != self.search:
            self._search_mask = (self.search, self.source.matches(self.search))
        mask, condition = self._search_mask[1], self.filter.condition
        if condition is None or not self.filter.is_right:
            return mask, []
        if condition.text not in self._masks:
            try:
                self._masks = {condition.text: self.source.where(condition)}
            except ToolkitError as error:
                self.filter.refuse(str(error))
                return mask, []
        true, notes = self._masks[condition.text]
        return (true if mask is None else mask & true), notes

    def _page_rows(self) -> list[UserRow]:
        here = self._positions[self.page * self.page_size :][: self.page_size]
        names = [TITLE, *self.columns]
        texts = [self._texts(name, here) for name in names]
        ids = self.source.ids.take(pa.array(here)).to_pylist()
        has_profile = self.source.has_profile[here].tolist()
        return [
            UserRow(key, tuple(text or None for text in cells), there)
            for key, there, *cells in zip(ids, has_profile, *texts, strict=True)
        ]

    def _texts(self, name: str, here: Positions) -> list[str]:
        try:
            return self.source.texts(name, here)
        except ToolkitError:  # First Seen, where there are no events
            return [""] * len(here)

    @property
    def available(self) -> list[str]:
        """The properties that can be columns, filtered and sorted by."""
        return [DISTINCT_ID, *self.source.names]

    @property
    def noun(self) -> str:
        """What one of those that are listed is called."""
        return "user" if self.is_users else "group"

    @property
    def summary(self) -> str:
        """How many users there are and how many are found, in words."""
        noun = self.noun if self._wants_everybody else "profile"
        total = count(self.total, noun)
        words = total if self.matching == self.total else f"{self.matching:,} of {total}"
        if self._wants_everybody and (without := int((~self.source.has_profile).sum())):
            words += f", {without:,} without a profile"
        return words

    def sort(self, name: str) -> None:
        """Sort by a property; once more: the other way, and once more: no longer."""
        with self.together():
            self.page = 0
            if self.sort_by != name:
                self.sort_by, self.descending = name, False
            elif not self.descending:
                self.descending = True
            else:
                self.sort_by, self.descending = "", False

    # -- ticks ----------------------------------------------------------------------------

    def pick_on_page(self, ids: Sequence[str]) -> None:
        """Tick these rows of the page in view, and no others of it."""
        here = [row.id for row in self.rows]
        wanted = set(ids)
        kept = [key for key in self.picked if key not in set(here)]
        self.picked = kept + [key for key in here if (key in wanted) != self.inverse]

    @property
    def picked_on_page(self) -> list[str]:
        """The rows of the page in view that are ticked."""
        picks = set(self.picked)
        return [row.id for row in self.rows if (row.id in picks) != self.inverse]

    def pick_all(self) -> None:
        """Tick all that are found, on every page."""
        self.inverse, self.picked = True, []

    def pick_none(self) -> None:
        """Tick nobody."""
        self.inverse, self.picked = False, []

    @property
    def picked_count(self) -> int:
        """How many are ticked."""
        return len(self.selection())

    def selection(self, which: str = "picked") -> Positions:
        """Return the rows of :attr:`source` that are ``"picked"``, ``"found"`` or ``"all"``."""
        if which == "all":
            return np.arange(len(self.source))
        if which == "found":
            return self._positions
        ticked = [self.source.position(key) for key in self.picked]
        at = np.array([place for place in ticked if place >= 0], np.int64)
        return self._positions[~np.isin(self._positions, at)] if self.inverse else at
