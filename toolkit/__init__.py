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
from typing import TYPE_CHECKING, Any

from toolkit.errors import RejectedUpdateWarning, ToolkitError
from toolkit.events import Events
from toolkit.expressions import event, group, user
from toolkit.join import join, match
from toolkit.reports import (
    cohort,
    cohort_of,
    cohorts,
    did,
    flows,
    frequency,
    funnel,
    lifecycle,
    retention,
    segmentation,
    step,
    times_did,
    total_of,
)
from toolkit.sample import sample_files
from toolkit.sources.csv import import_csv, preview_csv
from toolkit.sources.csv_export import CsvLossWarning, write_csv
from toolkit.sources.frame import import_frame
from toolkit.sources.jsonlines import read_messages, write_messages
from toolkit.table import ProfileTable

if TYPE_CHECKING:
    from toolkit.widgets.csv_import import CsvImport
    from toolkit.widgets.editor import ProfileEditor
    from toolkit.widgets.operator_lab import OperatorLab
    from toolkit.widgets.report_builder import ReportBuilder
    from toolkit.widgets.users import Users
    from toolkit.widgets.workbench import workbench

# Forms are loaded when they are asked for: scripts do without the libraries they need.
_FORMS = {
    "OperatorLab": "toolkit.widgets.operator_lab",
    "CsvImport": "toolkit.widgets.csv_import",
    "ProfileEditor": "toolkit.widgets.editor",
    "Users": "toolkit.widgets.users",
    "ReportBuilder": "toolkit.widgets.report_builder",
    "workbench": "toolkit.widgets.workbench",
}

try:
    __version__ = version("profile-toolkit")
except PackageNotFoundError:  # run from a folder that is not installed
    __version__ = "0+unknown"

__all__ = [
    "CsvImport",
    "CsvLossWarning",
    "Events",
    "OperatorLab",
    "ProfileEditor",
    "ProfileTable",
    "RejectedUpdateWarning",
    "ReportBuilder",
    "ToolkitError",
    "Users",
    "cohort",
    "cohort_of",
    "cohorts",
    "did",
    "event",
    "flows",
    "frequency",
    "funnel",
    "group",
    "import_csv",
    "import_frame",
    "join",
    "lifecycle",
    "match",
    "preview_csv",
    "read_messages",
    "retention",
    "sample_files",
    "segmentation",
    "step",
    "times_did",
    "total_of",
    "user",
    "workbench",
    "write_csv",
    "write_messages",
]


def __getattr__(name: str) -> Any:
    if name in _FORMS:
        return getattr(import_module(_FORMS[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
