from .backup import BackupReport as BackupReport, back_up as back_up
from .changes import (
    Explanation as Explanation,
    effects_of as effects_of,
    explain as explain,
    history_frame as history_frame,
)
from .check import CheckReport as CheckReport, check as check
from .compaction import CompactReport as CompactReport, compact as compact
from .connection import TIMEOUT as TIMEOUT
from .engine import Engine as Engine
from .file import Store as Store
from .history import (
    ProfilePast as ProfilePast,
    Timeline as Timeline,
    Update as Update,
    past_of as past_of,
    snapshot_as_of as snapshot_as_of,
    state_after as state_after,
    timeline as timeline,
    updates_of as updates_of,
)
from .pending import is_beside_database as is_beside_database, is_database as is_database
from .remembered import Remembered as Remembered
