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

from toolkit.base.errors import RejectedUpdateWarning, ToolkitError
from toolkit.base.wording import did_you_mean
from toolkit.events.events import Events
from toolkit.events.join import MatchReport, join, match
from toolkit.expressions import Expression, Tally, event, group, user
from toolkit.profiles import (
    DuplicateReport,
    deduplicate,
    delete_where,
    find_duplicates,
    rename_where,
    set_where,
    unset_where,
    update_where,
)
from toolkit.profiles.revenue import Revenue, revenue
from toolkit.profiles.table import ProfileTable
from toolkit.profiles.view import ProfileView
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
from toolkit.sources.csv.export import CsvLossWarning, write_csv
from toolkit.sources.csv.importing import import_csv, preview_csv
from toolkit.sources.csv.report import CsvPreview, ImportReport
from toolkit.sources.files.frame import import_frame
from toolkit.sources.files.jsonlines import Messages, read_messages, write_messages
from toolkit.sources.files.people import read_people, write_people
from toolkit.sources.geo.database import GeoDatabase
from toolkit.sources.sample import sample_files
from toolkit.store.backup import BackupReport
from toolkit.store.changes import Explanation
from toolkit.store.check import CheckReport
from toolkit.store.compaction import CompactReport
from toolkit.store.history import ProfilePast
from toolkit.updates.by_column import ColumnsResult
from toolkit.updates.results import ApplyResult, ChangeReport

if TYPE_CHECKING:
    from toolkit.forms.csv.form import CsvImport
    from toolkit.forms.editor.editor import ProfileEditor
    from toolkit.forms.lab.form import OperatorLab
    from toolkit.forms.live import LiveView
    from toolkit.forms.report.form import ReportBuilder
    from toolkit.forms.users.form import Users
    from toolkit.forms.workbench import Workbench, workbench
    from toolkit.sources.live.consumer import Consumer, consumer
    from toolkit.sources.live.server import Server, serve

# Loaded when they are asked for: scripts do without the libraries they need.
_LATER = {
    "Consumer": "toolkit.sources.live.consumer",
    "consumer": "toolkit.sources.live.consumer",
    "Server": "toolkit.sources.live.server",
    "serve": "toolkit.sources.live.server",
    "LiveView": "toolkit.forms.live",
    "OperatorLab": "toolkit.forms.lab.form",
    "CsvImport": "toolkit.forms.csv.form",
    "ProfileEditor": "toolkit.forms.editor.editor",
    "Users": "toolkit.forms.users.form",
    "ReportBuilder": "toolkit.forms.report.form",
    "Workbench": "toolkit.forms.workbench",
    "workbench": "toolkit.forms.workbench",
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
