"""Reports: a definition goes in, numbers, a picture and the users behind them come out."""

from toolkit.reports.base import Report
from toolkit.reports.segmentation import Segmentation, segmentation
from toolkit.reports.steps import step

# isort: split
# In the order in which the form of all reports offers them.
from toolkit.reports.retention import Retention, retention

__all__ = ["Report", "Retention", "Segmentation", "retention", "segmentation", "step"]
