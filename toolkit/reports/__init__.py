"""Reports: a definition goes in, numbers, a picture and the users behind them come out."""

from toolkit.reports.cohorts import Cohort, SavedCohorts, cohort, cohort_of, cohorts
from toolkit.reports.question.breakdowns import Breakdown
from toolkit.reports.question.buckets import bucket, items
from toolkit.reports.question.steps import Step, step
from toolkit.reports.question.tallies import did, times_did, total_of
from toolkit.reports.report import Report
from toolkit.reports.segmentation.answer import Segmentation
from toolkit.reports.segmentation.metrics import Metric, metric
from toolkit.reports.segmentation.segmentation import segmentation

# isort: split
# In the order in which the form of all reports offers them.
from toolkit.reports.funnels.funnel import Funnel, funnel
from toolkit.reports.retention.retention import Retention, retention

# isort: split
from toolkit.reports.retention.frequency import Frequency, frequency
from toolkit.reports.retention.lifecycle import Lifecycle, lifecycle

# isort: split
from toolkit.reports.flows.flows import Flows, flows
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
