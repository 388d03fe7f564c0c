"""Looking after many profiles: changing those that match, finding and merging duplicates."""

from toolkit.upkeep.duplicates import DuplicateReport, deduplicate, find_duplicates
from toolkit.upkeep.where import (
    delete_where,
    rename_where,
    set_where,
    unset_where,
    update_where,
)

__all__ = [
    "DuplicateReport",
    "deduplicate",
    "delete_where",
    "find_duplicates",
    "rename_where",
    "set_where",
    "unset_where",
    "update_where",
]
