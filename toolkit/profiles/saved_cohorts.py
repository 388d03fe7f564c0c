"""The cohorts that are kept with the profiles: their distinct IDs by name."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Final

import pyarrow as pa

from toolkit.base import ReportError, did_you_mean, dumps, listed

_KIND: Final = "cohorts"


def remembered(profiles: Any) -> MutableMapping[str, Any]:
    """Return what is kept of cohorts next to some profiles.

    Raises
    ------
    ReportError
        If nothing can be kept there.
    """
    remember = getattr(profiles, "remembered", None)
    if remember is None:
        raise ReportError(
            f"cohorts are saved with a ProfileTable, and {type(profiles).__name__} is not one"
        )
    kept: MutableMapping[str, Any] = remember(_KIND)
    return kept


def saved_names(profiles: Any) -> tuple[str, ...]:
    """Return the names of the cohorts saved with some profiles, none where none can be."""
    return tuple(remembered(profiles)) if hasattr(profiles, "remembered") else ()


def saved_ids(profiles: Any, name: str) -> pa.Array:
    """Return the distinct IDs of a saved cohort.

    Raises
    ------
    ReportError
        If there is none of that name.
    """
    kept = {} if profiles is None else remembered(profiles)
    if name not in kept:
        cohorts = list(kept)
        raise ReportError(
            f'no cohort is saved as "{name}"; there are {listed(map(dumps, cohorts)) or "none"}.'
            + did_you_mean(name, cohorts)
        )
    return pa.array(kept[name]["ids"], pa.large_string())
