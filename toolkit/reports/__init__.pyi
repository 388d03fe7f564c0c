from .cohorts import (
    Cohort as Cohort,
    SavedCohorts as SavedCohorts,
    cohort as cohort,
    cohort_of as cohort_of,
    cohorts as cohorts,
)
from .drawing.plots import (
    PICTURE_WIDTH as PICTURE_WIDTH,
    Picture as Picture,
    as_png as as_png,
    draw_picture as draw_picture,
)
from .drawing.spots import Cell as Cell, Spots as Spots
from .flows.flows import Flows as Flows, flows as flows
from .form.choices import (
    COHORT as COHORT,
    Choices as Choices,
    Suggestions as Suggestions,
    label_of as label_of,
)
from .form.conditions import condition as condition, operators as operators, spelled as spelled
from .form.declared import DECLARED as DECLARED
from .form.fields import (
    ChoiceField as ChoiceField,
    DateField as DateField,
    Declaration as Declaration,
    EventField as EventField,
    EventsField as EventsField,
    Field as Field,
    FilteredEvent as FilteredEvent,
    FilterField as FilterField,
    Input as Input,
    PropertyField as PropertyField,
    ZoneField as ZoneField,
)
from .funnels.funnel import Funnel as Funnel, funnel as funnel
from .profile_report import ProfileReport as ProfileReport, profile_report as profile_report
from .question.breakdowns import Breakdown as Breakdown
from .question.buckets import bucket as bucket, items as items
from .question.periods import Unit as Unit
from .question.steps import Step as Step, step as step
from .question.tallies import did as did, times_did as times_did, total_of as total_of
from .report import Report as Report
from .retention.frequency import Frequency as Frequency, frequency as frequency
from .retention.lifecycle import Lifecycle as Lifecycle, lifecycle as lifecycle
from .retention.retention import Retention as Retention, retention as retention
from .segmentation.answer import Segmentation as Segmentation
from .segmentation.metrics import Metric as Metric, metric as metric
from .segmentation.segmentation import segmentation as segmentation
