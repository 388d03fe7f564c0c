"""Properties that the toolkit computes: no profile stores them, and no message writes them.

A row of :data:`COMPUTED` is all there is to know about one. Events are in a room above: whoever
has some gives the first times to :class:`ProfileRows`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import pyarrow as pa

from toolkit.base import FIRST_SEEN, LAST_SEEN, ExpressionError, display_name
from toolkit.columns.column import Column, Instants, Positions
from toolkit.columns.snapshot import Snapshot


@dataclass(frozen=True)
class Computed:
    """A property that is computed.

    Attributes
    ----------
    name
        Its name in an expression.
    type
        What its values are.
    value
        Returns the cells of some rows.
    needs_events
        Whether it is calculated from events. Profiles alone are refused then.
    """

    name: str
    type: Literal["time", "text", "number"]
    value: Callable[[ProfileRows], Column | Instants]
    needs_events: bool = False


@dataclass(frozen=True, eq=False)
class ProfileRows:
    """Rows of users or groups, such as events or those of a form, and their profiles.

    Attributes
    ----------
    snapshot
        The profiles.
    at
        The profile of each row, -1 for none; None: the rows are the profiles, in order.
    event_ids
        Returns the distinct IDs of the rows; None: they are those of the profiles.
    first_seen
        Returns the time of the first event of each row, NO_TIME for none; None: there are
        no events.

    Examples
    --------
    >>> import numpy as np
    >>> snapshot = Snapshot(pa.array(["ann", "bob"]), {}, np.array([0, 1]))
    >>> ProfileRows(snapshot, at=np.array([1, -1])).column("$distinct_id").cells()
    ['bob', ABSENT]
    """

    snapshot: Snapshot
    at: Positions | None = None
    event_ids: Callable[[], pa.Array] | None = None
    first_seen: Callable[[], Positions] | None = None

    def column(self, name: str) -> Column | Instants:
        """Return a property, one cell per row, absent throughout if there is none.

        Raises
        ------
        ExpressionError
            If it is computed from events, and there are none.
        """
        computed = COMPUTED.get(name)
        if computed is None:
            return self._beside(self.snapshot.column(name))
        if not computed.needs_events or self.first_seen is not None:
            return computed.value(self)
        if name in self.snapshot.columns:
            return self._beside(self.snapshot.column(name))
        raise ExpressionError(
            f'user["{name}"] ({display_name(name)}) is calculated from events, and none were '
            "given: profiles alone have none; use it in a report"
        )

    @property
    def distinct_ids(self) -> Column:
        """The distinct ID of each row."""
        if self.event_ids is not None:
            return Column.of_array(self.event_ids())
        return self._beside(Column.of_array(self.snapshot.ids))

    @property
    def last_seen(self) -> Instants:
        """Updated At of the profile of each row."""
        seen = Instants(self.snapshot.last_seen)
        return seen if self.at is None else seen.take(self.at)

    @property
    def first_times(self) -> Instants:
        """The time of the first event of each row."""
        assert self.first_seen is not None
        return Instants(self.first_seen())

    def _beside(self, column: Column) -> Column:
        return column if self.at is None else column.take(self.at)


#: Each computed property by its name, in the order in which a form offers them.
COMPUTED: Final[dict[str, Computed]] = {
    row.name: row
    for row in (
        Computed(LAST_SEEN, "time", lambda rows: rows.last_seen),
        Computed(FIRST_SEEN, "time", lambda rows: rows.first_times, needs_events=True),
        Computed("$distinct_id", "text", lambda rows: rows.distinct_ids),
    )
}


def computed_names(*, has_events: bool) -> list[str]:
    """Return the computed properties that there are with events, or of profiles alone.

    >>> computed_names(has_events=False)
    ['$last_seen', '$distinct_id']
    """
    return [row.name for row in COMPUTED.values() if has_events or not row.needs_events]
