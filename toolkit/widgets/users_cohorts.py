"""A cohort: a named set of users, and how it came about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from toolkit import html
from toolkit.columns import Positions
from toolkit.errors import InvalidIdError
from toolkit.expressions import Expression, user
from toolkit.ids import normalise_id
from toolkit.values import dumps
from toolkit.widgets.users_rows import DISTINCT_ID, Rows
from toolkit.wording import count


@dataclass(frozen=True, eq=False)
class Cohort:
    """A named set of users, as they were found when it was saved.

    Attributes
    ----------
    name
        What it is called.
    ids
        Their distinct IDs, a pandas Index of ``str``.
    definition
        How they were found, in words.
    expression
        A condition that is true of them: the one they were found by, where that is all
        there is to it, else the list of their IDs. ``profiles.where(cohort.expression)``
        finds those that have a profile; with the condition they were found by, it finds
        whoever meets it by then.

    Examples
    --------
    >>> from toolkit import ProfileTable
    >>> from toolkit.widgets.users_state import UsersState
    >>> profiles = ProfileTable()
    >>> _ = profiles.set("1", {"plan": "pro"})
    >>> state = UsersState(profiles)
    >>> state.filter.show('user["plan"] == "pro"')
    >>> state.save_cohort("Paying")
    <Cohort "Paying": 1 user, where user["plan"] == "pro">
    >>> list(state.cohorts["Paying"].ids), state.cohorts["Paying"].expression
    (['1'], user["plan"] == "pro")
    """

    name: str
    ids: pd.Index
    definition: str
    condition: Expression | None = None

    @classmethod
    def of(
        cls,
        name: str,
        source: Rows,
        rows: Positions,
        condition: Expression | None,
        *,
        search: str,
        is_by_hand: bool,
    ) -> Cohort:
        """Return the cohort of some rows, found by a condition and a search, or ticked."""
        dtype: Any = pd.StringDtype("pyarrow", na_value=np.nan)
        ids: pd.Index = pd.Index(
            dtype.__from_arrow__(source.ids.take(pa.array(rows))), name="distinct_id"
        )
        told = ["seen in events"] if source.everybody else []
        if condition is not None:
            told.append(f"where {condition.text}")
        if search.strip():
            told.append(f"found by {dumps(search.strip())}")
        if is_by_hand:
            told.append("ticked by hand")
        is_condition = not (search.strip() or is_by_hand or source.everybody)
        words = ", ".join(told) or "all profiles"
        return cls(name, ids, words, condition if is_condition else None)

    @cached_property
    def expression(self) -> Expression:
        """A condition that is true of these users."""
        if self.condition is not None:
            return self.condition
        return user[DISTINCT_ID].isin(self.ids.tolist())

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.ids)

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[str]:
        return iter(self.ids)

    def __contains__(self, distinct_id: object) -> bool:
        try:
            return normalise_id(distinct_id) in self._known
        except InvalidIdError:
            return False

    def __repr__(self) -> str:
        return f'<Cohort "{self.name}": {count(len(self), "user")}, {self.definition}>'

    def _repr_html_(self) -> str:
        shown = pd.DataFrame({"distinct_id": self.ids[:10]})
        about = html.paragraph(f"{count(len(self), 'user')}, {self.definition}")
        return html.card(f'Cohort "{self.name}"', about, html.table(shown, total=len(self)))
