"""Looking after many profiles: changing those that match, finding and merging duplicates."""

from toolkit.profiles.duplicates import DuplicateReport, deduplicate, find_duplicates
from toolkit.profiles.where import delete_where, rename_where, set_where, unset_where, update_where

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
