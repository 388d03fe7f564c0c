"""Reports: a definition goes in, numbers, a picture and the users behind them come out."""

from toolkit.reports.base import Report
from toolkit.reports.segmentation import Segmentation, segmentation
from toolkit.reports.steps import step

# isort: split
# In the order in which the form of all reports offers them.
from toolkit.reports.funnel import Funnel, funnel
from toolkit.reports.retention import Retention, retention

# isort: split
from toolkit.reports.frequency import Frequency, frequency
from toolkit.reports.lifecycle import Lifecycle, lifecycle

# isort: split
from toolkit.reports.flows import Flows, flows

__all__ = [
    "Flows",
    "Frequency",
    "Funnel",
    "Lifecycle",
    "Report",
    "Retention",
    "Segmentation",
    "flows",
    "frequency",
    "funnel",
    "lifecycle",
    "retention",
    "segmentation",
    "step",
]
