"""Reports: a definition goes in, numbers, a picture and the users behind them come out."""

from toolkit.reports.base import Report
from toolkit.reports.segmentation import Segmentation, segmentation

__all__ = ["Report", "Segmentation", "segmentation"]
