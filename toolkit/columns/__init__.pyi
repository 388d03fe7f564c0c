from . import series as series
from .column import (
    IS_ABSENT as IS_ABSENT,
    IS_NULL as IS_NULL,
    IS_VALUE as IS_VALUE,
    Column as Column,
    Instants as Instants,
    Kind as Kind,
    Mask as Mask,
    Positions as Positions,
    cell_frame as cell_frame,
    last_of_each as last_of_each,
    objects as objects,
)
from .computed import (
    COMPUTED as COMPUTED,
    ProfileRows as ProfileRows,
    computed_names as computed_names,
)
from .differences import (
    Difference as Difference,
    compare as compare,
    compare_snapshots as compare_snapshots,
    difference_frame as difference_frame,
    differences as differences,
)
from .series import (
    Coded as Coded,
    CodedLists as CodedLists,
    Codes as Codes,
    Microseconds as Microseconds,
    is_number as is_number,
    iso_column as iso_column,
)
from .snapshot import Snapshot as Snapshot, places as places
