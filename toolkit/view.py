"""Some profiles, as they were when they were picked out; and how profiles are shown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd

from toolkit import html
from toolkit.errors import InvalidIdError, ProfileNotFoundError
from toolkit.ids import normalise_id
from toolkit.reserved import HIDDEN
from toolkit.snapshot import Snapshot
from toolkit.values import Json, copied

_SHOWN_ROWS: Final = 10


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
            raise ProfileNotFoundError(f"no profile {key!r} where {self.condition}")
        return {name: copied(value) for name, value in self._snapshot.row(position).items()}

    def __contains__(self, distinct_id: object) -> bool:
        try:
            return self._snapshot.position(normalise_id(distinct_id)) >= 0
        except InvalidIdError:
            return False

    def __len__(self) -> int:
        return len(self._snapshot)

    def __iter__(self) -> Iterator[str]:
        return iter(self._snapshot)

    def __repr__(self) -> str:
        return f"<ProfileView: {len(self):,} profiles where {self.condition}>"

    def _repr_html_(self) -> str:
        return shown(self._snapshot, f"{len(self):,} profiles where {self.condition}")


def shown(snapshot: Snapshot, heading: str) -> str:
    if not len(snapshot):
        hint = 'No profiles yet. Add one: profiles.set("123", {"$name": "Alice"})'
        return html.card(heading, html.paragraph(hint))
    head = snapshot.take(np.arange(min(len(snapshot), _SHOWN_ROWS)))
    names = [name for name in snapshot.names if name not in HIDDEN]
    frame = head.frame(names).reset_index()
    return html.card(heading, html.table(frame, rows=_SHOWN_ROWS, total=len(snapshot)))
