"""The reports that a form can ask for, in the order of its list."""

from __future__ import annotations

from typing import Final

from toolkit.reports.flows.flows import DECLARATION as FLOWS
from toolkit.reports.form.fields import Declaration
from toolkit.reports.funnels.funnel import DECLARATION as FUNNEL
from toolkit.reports.profile_report import DECLARATION as PROFILE_REPORT
from toolkit.reports.retention.frequency import DECLARATION as FREQUENCY
from toolkit.reports.retention.lifecycle import DECLARATION as LIFECYCLE
from toolkit.reports.retention.retention import DECLARATION as RETENTION
from toolkit.reports.segmentation.segmentation import DECLARATION as SEGMENTATION

#: By title.
DECLARED: Final[dict[str, Declaration]] = {
    each.title: each
    for each in (SEGMENTATION, FUNNEL, RETENTION, FREQUENCY, LIFECYCLE, FLOWS, PROFILE_REPORT)
}


def declare(declaration: Declaration) -> Declaration:
    """Offer a report of one's own in the form of all reports; return its declaration."""
    DECLARED[declaration.title] = declaration
    return declaration
