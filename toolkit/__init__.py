"""User profiles in a notebook: edit, import, join with events, report.

>>> import toolkit as tk
>>> profiles = tk.ProfileTable()
>>> profiles.set("123", {"$name": "Alice", "plan": "pro"})
<ApplyResult: 1 applied, 1 created>
>>> profiles["123"]
{'$name': 'Alice', 'plan': 'pro'}
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from toolkit.backup import BackupReport
from toolkit.batch_columns import ColumnsResult
from toolkit.changes import Explanation
from toolkit.check import CheckReport
from toolkit.compaction import CompactReport
from toolkit.errors import RejectedUpdateWarning, ToolkitError
from toolkit.events import Events
from toolkit.expressions import Expression, Tally, event, group, user
from toolkit.history import ProfilePast
from toolkit.join import MatchReport, join, match
from toolkit.reports import (
    Breakdown,
    Cohort,
    Flows,
    Frequency,
    Funnel,
    Lifecycle,
    Metric,
    ProfileReport,
    Report,
    Retention,
    SavedCohorts,
    Segmentation,
    Step,
    bucket,
    cohort,
    cohort_of,
    cohorts,
    did,
    flows,
    frequency,
    funnel,
    items,
    lifecycle,
    metric,
    profile_report,
    retention,
    segmentation,
    step,
    times_did,
    total_of,
)
from toolkit.results import ApplyResult, ChangeReport
from toolkit.revenue import Revenue, revenue
from toolkit.sample import sample_files
from toolkit.sources.csv import import_csv, preview_csv
from toolkit.sources.csv_export import CsvLossWarning, write_csv
from toolkit.sources.csv_report import CsvPreview, ImportReport
from toolkit.sources.frame import import_frame
from toolkit.sources.geo import GeoDatabase
from toolkit.sources.jsonlines import Messages, read_messages, write_messages
from toolkit.sources.people import read_people, write_people
from toolkit.table import ProfileTable
from toolkit.upkeep import (
    DuplicateReport,
    deduplicate,
    delete_where,
    find_duplicates,
    rename_where,
    set_where,
    unset_where,
    update_where,
)
from toolkit.view import ProfileView
from toolkit.wording import did_you_mean

if TYPE_CHECKING:
    from toolkit.sources.consumer import Consumer, consumer
    from toolkit.sources.server import Server, serve
    from toolkit.widgets.csv_import import CsvImport
    from toolkit.widgets.editor import ProfileEditor
    from toolkit.widgets.live import LiveView
    from toolkit.widgets.operator_lab import OperatorLab
    from toolkit.widgets.report_builder import ReportBuilder
    from toolkit.widgets.users import Users
    from toolkit.widgets.workbench import Workbench, workbench

# Loaded when they are asked for: scripts do without the libraries they need.
_LATER = {
    "Consumer": "toolkit.sources.consumer",
    "consumer": "toolkit.sources.consumer",
    "Server": "toolkit.sources.server",
    "serve": "toolkit.sources.server",
    "LiveView": "toolkit.widgets.live",
    "OperatorLab": "toolkit.widgets.operator_lab",
    "CsvImport": "toolkit.widgets.csv_import",
    "ProfileEditor": "toolkit.widgets.editor",
    "Users": "toolkit.widgets.users",
    "ReportBuilder": "toolkit.widgets.report_builder",
    "Workbench": "toolkit.widgets.workbench",
    "workbench": "toolkit.widgets.workbench",
}

try:
    __version__ = version("profile-toolkit")
except PackageNotFoundError:  # run from a folder that is not installed
    __version__ = "0+unknown"

__all__ = [
    "ApplyResult",
    "BackupReport",
    "Breakdown",
    "ChangeReport",
    "CheckReport",
    "Cohort",
    "ColumnsResult",
    "CompactReport",
    "Consumer",
    "CsvImport",
    "CsvLossWarning",
    "CsvPreview",
    "DuplicateReport",
    "Events",
    "Explanation",
    "Expression",
    "Flows",
    "Frequency",
    "Funnel",
    "GeoDatabase",
    "ImportReport",
    "Lifecycle",
    "LiveView",
    "MatchReport",
    "Messages",
    "Metric",
    "OperatorLab",
    "ProfileEditor",
    "ProfilePast",
    "ProfileReport",
    "ProfileTable",
    "ProfileView",
    "RejectedUpdateWarning",
    "Report",
    "ReportBuilder",
    "Retention",
    "Revenue",
    "SavedCohorts",
    "Segmentation",
    "Server",
    "Step",
    "Tally",
    "ToolkitError",
    "Users",
    "Workbench",
    "bucket",
    "cohort",
    "cohort_of",
    "cohorts",
    "consumer",
    "deduplicate",
    "delete_where",
    "did",
    "event",
    "find_duplicates",
    "flows",
    "frequency",
    "funnel",
    "group",
    "import_csv",
    "import_frame",
    "items",
    "join",
    "lifecycle",
    "match",
    "metric",
    "preview_csv",
    "profile_report",
    "read_messages",
    "read_people",
    "rename_where",
    "retention",
    "revenue",
    "sample_files",
    "segmentation",
    "serve",
    "set_where",
    "step",
    "times_did",
    "total_of",
    "unset_where",
    "update_where",
    "user",
    "workbench",
    "write_csv",
    "write_messages",
    "write_people",
]


def __dir__() -> list[str]:
    return list(__all__)


if not TYPE_CHECKING:  # to a type checker a misspelt name would be any value

    def __getattr__(name):
        if name in _LATER:
            return getattr(import_module(_LATER[name]), name)
        hint = did_you_mean(name, __all__)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}.{hint}")
