"""Reports: a definition goes in, numbers, a picture and the users behind them come out."""

from toolkit.reports.base import Report
from toolkit.reports.breakdowns import Breakdown
from toolkit.reports.buckets import bucket, items
from toolkit.reports.cohorts import Cohort, SavedCohorts, cohort, cohort_of, cohorts
from toolkit.reports.metrics import Metric, metric
from toolkit.reports.segmentation import segmentation
from toolkit.reports.segmented import Segmentation
from toolkit.reports.steps import Step, step
from toolkit.reports.tallies import did, times_did, total_of

# isort: split
# In the order in which the form of all reports offers them.
from toolkit.reports.funnel import Funnel, funnel
from toolkit.reports.retention import Retention, retention

# isort: split
from toolkit.reports.frequency import Frequency, frequency
from toolkit.reports.lifecycle import Lifecycle, lifecycle

# isort: split
from toolkit.reports.flows import Flows, flows
from toolkit.reports.profile_report import ProfileReport, profile_report

__all__ = [
    "Breakdown",
    "Cohort",
    "Flows",
    "Frequency",
    "Funnel",
    "Lifecycle",
    "Metric",
    "ProfileReport",
    "Report",
    "Retention",
    "SavedCohorts",
    "Segmentation",
    "Step",
    "bucket",
    "cohort",
    "cohort_of",
    "cohorts",
    "did",
    "flows",
    "frequency",
    "funnel",
    "items",
    "lifecycle",
    "metric",
    "profile_report",
    "retention",
    "segmentation",
    "step",
    "times_did",
    "total_of",
]
