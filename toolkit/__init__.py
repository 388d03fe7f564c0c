"""User profiles in a notebook: edit, import, join with events, report.

>>> import toolkit as tk
>>> profiles = tk.ProfileTable()
>>> profiles.set("123", {"$name": "Alice", "plan": "pro"})
<ApplyResult: 1 applied, 1 created>
>>> profiles["123"]
{'$name': 'Alice', 'plan': 'pro'}
"""

from importlib.metadata import PackageNotFoundError, version

from toolkit.errors import RejectedUpdateWarning, ToolkitError
from toolkit.events import Events
from toolkit.expressions import event, user
from toolkit.join import join, match
from toolkit.reports import segmentation
from toolkit.sample import sample_files
from toolkit.sources.csv import import_csv, preview_csv
from toolkit.sources.csv_export import CsvLossWarning, write_csv
from toolkit.sources.frame import import_frame
from toolkit.sources.jsonlines import read_messages, write_messages
from toolkit.table import ProfileTable

try:
    __version__ = version("profile-toolkit")
except PackageNotFoundError:  # run from a folder that is not installed
    __version__ = "0+unknown"

__all__ = [
    "CsvLossWarning",
    "Events",
    "ProfileTable",
    "RejectedUpdateWarning",
    "ToolkitError",
    "event",
    "import_csv",
    "import_frame",
    "join",
    "match",
    "preview_csv",
    "read_messages",
    "sample_files",
    "segmentation",
    "user",
    "write_csv",
    "write_messages",
]
