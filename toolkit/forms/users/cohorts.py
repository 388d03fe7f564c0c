"""A cohort of the users that were found or ticked in a form."""

from __future__ import annotations

import pyarrow as pa

from toolkit.base import dumps
from toolkit.columns import Positions
from toolkit.expressions import Expression
from toolkit.forms.users.rows import UserRows
from toolkit.reports import Cohort


def cohort_of_rows(
    name: str,
    source: UserRows,
    rows: Positions,
    condition: Expression | None,
    *,
    search: str,
    is_by_hand: bool,
) -> Cohort:
    """Return the cohort of some rows, found by a condition and a search, or ticked.

    Its condition is the one they were found by, where that is all there is to it.
    """
    parts = ["seen in events"] if source.everybody else []
    if condition is not None:
        parts.append(f"where {condition.text}")
    if search.strip():
        parts.append(f"found by {dumps(search.strip())}")
    if is_by_hand:
        parts.append("ticked by hand")
    is_condition = not (search.strip() or is_by_hand or source.everybody)
    members = pa.array(sorted(source.ids.take(pa.array(rows)).to_pylist()), pa.large_string())
    return Cohort(
        name,
        members,
        ", ".join(parts) or "all profiles",
        condition if is_condition else None,
        len(source.ids),
    )
