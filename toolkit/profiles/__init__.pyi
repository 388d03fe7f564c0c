from .duplicates import (
    DuplicateReport as DuplicateReport,
    deduplicate as deduplicate,
    find_duplicates as find_duplicates,
)
from .revenue import Revenue as Revenue, revenue as revenue
from .saved_cohorts import (
    remembered as remembered,
    saved_ids as saved_ids,
    saved_names as saved_names,
)
from .table import ProfileTable as ProfileTable, as_table as as_table
from .view import ProfileView as ProfileView
from .where import (
    delete_where as delete_where,
    rename_where as rename_where,
    set_where as set_where,
    unset_where as unset_where,
    update_where as update_where,
)
