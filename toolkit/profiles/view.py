"""Some profiles, as they were when they were picked out; and how profiles are shown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd

from toolkit.base import (
    HIDDEN,
    InexactIdError,
    InvalidIdError,
    Json,
    ProfileNotFoundError,
    completed_by_dir,
    completions,
    copied,
    count,
    html,
    listed,
    near_id,
    normalise_id,
)
from toolkit.columns import Snapshot

_SHOWN_ROWS: Final = 10
# A card of more columns leaves out those that are empty in all of its rows.
_MANY_COLUMNS: Final = 8
_NAMED: Final = 20


@completed_by_dir
class ProfileView:
    """Some profiles, as they were when they were picked out.

    Attributes
    ----------
    condition
        The expression they were picked by, as text.
    group_key
        The group key of the profiles; None for user profiles.
    """

    def __init__(self, snapshot: Snapshot, condition: str, group_key: str | None = None) -> None:
        self._snapshot = snapshot
        self.condition = condition
        self.group_key = group_key

    def snapshot(self) -> Snapshot:
        """Return the profiles as columns."""
        return self._snapshot

    @property
    def ids(self) -> pd.Index:
        """The distinct IDs, in the order the profiles were created."""
        return self._snapshot.index

    @property
    def frame(self) -> pd.DataFrame:
        """The profiles as a new DataFrame, in the form of :attr:`ProfileTable.frame`."""
        names = [name for name in self._snapshot.names if name not in HIDDEN]
        return self._snapshot.frame(names)

    def __getitem__(self, distinct_id: object) -> dict[str, Json]:
        """Return a profile's properties as a dict of its own."""
        key = normalise_id(distinct_id)
        position = self._snapshot.position(key)
        if position < 0:
            raise ProfileNotFoundError(
                f"no profile {key!r} where {self.condition}{near_id(key, self)}"
            )
        return {name: copied(value) for name, value in self._snapshot.row(position).items()}

    def __contains__(self, distinct_id: object) -> bool:
        try:
            return self._snapshot.position(normalise_id(distinct_id)) >= 0
        except InexactIdError:  # ID-1: it may be one of several
            raise
        except InvalidIdError:
            return False

    def __len__(self) -> int:
        return len(self._snapshot)

    def __iter__(self) -> Iterator[str]:
        return iter(self._snapshot)

    def __dir__(self) -> list[str]:
        return completions(self, ("snapshot",))

    def __repr__(self) -> str:
        return f"<ProfileView: {self._heading}>"

    def _repr_html_(self) -> str:
        hint = f"No profile is one where {self.condition}."
        return shown(self._snapshot, self._heading, hint=hint)

    @property
    def _heading(self) -> str:
        return f"{count(len(self), 'profile')} where {self.condition}"


_HINT: Final = 'No profiles yet. Add one: profiles.set("123", {"$name": "Alice"})'


def shown(snapshot: Snapshot, heading: str, *, hint: str = _HINT) -> str:
    """Return the first profiles as a card.

    Of many properties those that none of these profiles has are named below the
    table, so that what is there can be seen.

    Parameters
    ----------
    snapshot
        The profiles.
    heading
        What they are.
    hint
        What to say if there are none.
    """
    if not len(snapshot):
        return html.card(heading, html.paragraph(hint))
    rows = html.rows_shown(len(snapshot), _SHOWN_ROWS)
    head = snapshot.take(np.arange(rows))
    names = [name for name in snapshot.names if name not in HIDDEN]
    absent = []
    if len(names) > _MANY_COLUMNS:
        absent = [name for name in names if not head.column(name).has_value.any()]
        names = [name for name in names if name not in absent]
    # Not reset_index: a property may be called distinct_id.
    frame = head.frame(names).reset_index(names="distinct_id", allow_duplicates=True)
    parts = [html.table(frame, rows=rows, total=len(snapshot))]
    if absent:
        others = listed(absent, _NAMED)
        parts.append(html.notes([f"No value in these rows: {others}."]))
    return html.card(heading, *parts)
