"""Segmentation: how many events, or users, over time and by a property."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import Final, get_args

from toolkit.base import ReportError, check_flag, check_number
from toolkit.events import AnyEvents, At, Profiles
from toolkit.expressions import Expression, Property
from toolkit.reports.form.fields import (
    AT,
    OF_PROPERTY,
    RANGE,
    BreakdownField,
    ChoiceField,
    Declaration,
    EventField,
    FilterField,
    NumberField,
    PropertyField,
    unit_field,
)
from toolkit.reports.numbers import measures
from toolkit.reports.question.breakdowns import By
from toolkit.reports.question.periods import Moment, Unit
from toolkit.reports.question.scope import ReportScope
from toolkit.reports.segmentation.answer import Segmentation
from toolkit.reports.segmentation.comparing import Compare, as_compare, earlier
from toolkit.reports.segmentation.counting import SegmentationPlan
from toolkit.reports.segmentation.metrics import AnyMetric, Formula, Metric, as_metrics

# What a form offers: any percentile may be asked for in Python.
_NO_WINDOWS: Final = (
    *("total", "unique", "sessions", "per_user"),
    *(value for _, value in OF_PROPERTY),
)


def segmentation(
    events: AnyEvents,
    profiles: Profiles | None,
    event: AnyMetric | Sequence[AnyMetric] = None,
    *,
    measure: str = "total",
    of: str | Property | None = None,
    formula: str | None = None,
    by: By = None,
    top: int | None = None,
    unit: Unit | None = "day",
    cumulative: bool = False,
    rolling: int | None = None,
    compare: Compare | None = None,
    where: str | Expression | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
    tz: str | tzinfo | None = None,
    at: At = "latest",
) -> Segmentation:
    """Return how often an event happened, or to how many users, or what of it, over time.

    Parameters
    ----------
    events
        An :class:`Events`, or a DataFrame with the usual column names.
    profiles
        The profiles, joined in their latest state (JOIN-1). None if no argument looks at
        a user property.
    event
        The name of the event; None counts every event. ``tk.step(name, where=…)`` counts
        some of them; ``tk.metric(name, measure=…)`` says what is counted. Or a list of these.
    measure
        ``"total"`` counts events, ``"unique"`` the distinct IDs among them, ``"sessions"``
        the sessions with one of them, ``"per_user"`` events per user. ``"dau"``, ``"wau"`` and
        ``"mau"`` count the users of the 1, 7 or 30 days that end with the last day of the
        bucket. ``"sum"``, ``"average"``, ``"median"``, ``"min"``, ``"max"``, a percentile such as
        ``"p90"`` and ``"distinct"`` are of the property *of*.
    of
        A property of the event, whose values all count, or of the user: each user counts
        once in a cell. Of a list its elements count.
    formula
        A number worked out of the metrics in each cell and shown in place of them:
        ``"A / B * 100"``, or with their names. Where it has no value it is NaN.
    by
        What to break the numbers down by: ``user["plan"]``, ``event["item"]``, text, which is
        a property of the event, ``tk.bucket(…)``, ``tk.items(…)``, or a list of these.
    top
        How many segments of each breakdown are shown, the largest. All others but ``(not
        set)`` are counted together as ``(other)``, each user once.
    unit
        ``"hour"``, ``"day"``, ``"week"`` (from Monday), ``"month"``, ``"quarter"``, ``"year"``
        of the calendar in *tz*; None counts the range as a whole.
    cumulative
        Counts from the start of the range up to each bucket, each user once.
    rolling
        Shows in place of each value the mean of the last so many buckets.
    compare
        ``"previous"``: next to each value that of the period before, with as many buckets;
        ``"previous month"`` and ``"previous year"``: of the same days then.
    where
        Counts only events for which this expression (or its text form) is true.
    start, end
        The range. A date is a day in *tz*, and as the end part of the range; a time is
        the first moment in it, or the first after it. By default the range is that
        of all events, whatever their name, in whole hours (for weeks and longer
        units in whole days).
    tz
        A time zone such as ``"Europe/Oslo"``; None is UTC.
    at
        ``"latest"``: user properties as they are now (JOIN-1). ``"event time"``: as they
        were at each event (JOIN-4).

    Returns
    -------
    Segmentation
        Its ``table`` has a column named after the breakdown (``user.plan``), a column ``time``
        (start of the bucket, ``datetime64[us, tz]``; absent for ``unit=None``), of several
        metrics ``metric`` (``str``), and ``count`` (``int64``) where all numbers are of events,
        users or sessions, else ``value``: ``int64`` for sums of integers, else ``float64``, NaN
        where nothing is there to make it of. With *compare* also ``previous`` and ``change``
        (0.25 is a quarter more). A breakdown by numbers, booleans or times has their dtype
        (``Int64``, ``Float64``, ``boolean``, ``datetime64``), any other is an ordered
        categorical in the order of the segments. Every segment
        that occurs has a row for every bucket of the range, zeros included. Segments with
        larger values come first, equal ones by name, and ``(not set)`` last.

    Raises
    ------
    ReportError
        If an argument is none of the above.
    ExpressionError
        If *where*, *by*, *of* or *formula* cannot be read.
    EventsError
        If the events lack a column, or a property that is asked for.

    Notes
    -----
    An absent profile, an absent property and null fall in the segment ``(not set)``,
    ``""`` in ``(empty string)``, ``[]`` in ``(empty list)``. With a list the event
    counts once in each distinct element's segment.

    Examples
    --------
    >>> import pandas as pd
    >>> from toolkit import ProfileTable, user
    >>> profiles = ProfileTable()
    >>> profiles.set("ann", {"plan": "pro"})
    <ApplyResult: 1 applied, 1 created>
    >>> df = pd.DataFrame(
    ...     {
    ...         "event": "Buy",
    ...         "distinct_id": ["ann", "ann", "bob"],
    ...         "time": ["2026-05-01T10:00Z", "2026-05-01T12:00Z", "2026-05-02T09:00Z"],
    ...     }
    ... )
    >>> segmentation(df, profiles, "Buy", by=user["plan"], unit=None).table
       user.plan  count
    0        pro      2
    1  (not set)      1
    """
    metrics = as_metrics(event, measure, of)
    shown = None if formula is None else Formula.of(formula, metrics)
    compare = as_compare(compare)
    scope = ReportScope.of(events, profiles, by=by, where=where, start=start, end=end, tz=tz, at=at)
    _check_views(metrics, scope.by is None, top, unit, cumulative, rolling, at)
    range_ = scope.periods(unit)
    before = None if compare is None else earlier(range_, compare)
    plan = SegmentationPlan(scope, metrics, shown, range_, before, top, bool(cumulative), rolling)
    numbers = plan.answer(plan.count())
    names = [each.event for each in metrics]
    conditions = [scope.where, *(each.where for each in metrics)]
    named_ = scope.visible.any_of(names)
    if scope.is_ranged:
        named_ = named_.between(range_.start, range_.end)
    notes = [
        *scope.notes(
            range_,
            named_,
            names,
            conditions,
            before_filter=any(each is not None for each in conditions),
            further=[each.of for each in metrics if each.of is not None],
        ),
        *range_.notes(),
        *plan.notes(numbers),
    ]
    further = {
        "of": [each.of.label for each in metrics if each.of is not None],
        "formula": formula,
        "top": top,
        "cumulative": cumulative,
        "rolling": rolling,
        "compare": compare,
    }
    definition = {
        "event": names[0] if len(names) == 1 else names,
        "measure": metrics[0].measure if len(metrics) == 1 else [e.measure for e in metrics],
        "unit": unit,
        **scope.definition,
        **{name: value for name, value in further.items() if value},
    }
    return Segmentation(plan, numbers, definition, notes)


def _check_views(
    metrics: Sequence[Metric],
    is_whole_: bool,
    top: int | None,
    unit: str | None,
    cumulative: object,
    rolling: int | None,
    at: str,
) -> None:
    """Refuse what cannot be shown."""
    check_number("top", top)
    check_number("rolling", rolling)
    check_flag("cumulative", cumulative)
    if top is not None and is_whole_:
        raise ReportError("top= needs a breakdown, and the report has none (by=None)")
    if rolling is not None and unit is None:
        raise ReportError("rolling= needs buckets, and the report has none (unit=None)")
    for each in metrics:
        if each.measure in measures.WINDOWS:
            if cumulative:
                raise ReportError(
                    f'cumulative=True does not go with measure="{each.measure}", which looks at '
                    'the days before a bucket as it is; use measure="unique"'
                )
            if unit == "hour":
                raise ReportError(
                    f'measure="{each.measure}" looks at whole days; unit="hour" is too short'
                )
        if each.is_of_users and at != "latest":
            raise ReportError(
                f"of={each.of!r} counts each user once, with one value, and at each event "
                'there may be another; use at="latest"'
            )


DECLARATION: Final = Declaration(
    title="Segmentation",
    function=segmentation,
    call="tk.segmentation",
    about="How often an event happened, for how many users, or a measure of its properties.",
    fields=(
        EventField(name="event", label="Event", is_positional=True, may_be_filtered=True),
        ChoiceField(
            name="measure",
            label="Measure",
            default="total",
            options=(
                ("Total events", "total"),
                ("Unique users", "unique"),
                ("Sessions", "sessions"),
                ("Daily active users", "dau"),
                ("Weekly active users", "wau"),
                ("Monthly active users", "mau"),
                ("Events per user", "per_user"),
                *OF_PROPERTY,
            ),
        ),
        PropertyField(
            name="of",
            label="Of the property",
            help="Of the event; or of the user, who then counts once.",
            is_required=True,
            when=("measure", tuple(value for _, value in OF_PROPERTY)),
        ),
        BreakdownField(
            name="by", label="Break down by", help="A line or bar for each value.", most=3
        ),
        NumberField(
            name="top",
            label="Top segments",
            help="All others as one; empty: each for itself.",
            is_whole=True,
            least=1,
            most=10_000,
        ),
        FilterField(name="where", label="Filter"),
        *RANGE,
        unit_field("day"),
        ChoiceField(
            name="cumulative",
            label="Count",
            help="Each bucket alone, or all up to it.",
            default=False,
            options=(("Each bucket", False), ("From the start on", True)),
            when=("measure", _NO_WINDOWS),
        ),
        NumberField(
            name="rolling",
            label="Mean of buckets",
            help="How many, up to each; empty: the bucket itself.",
            is_whole=True,
            least=1,
            most=1_000,
            when=("unit", get_args(Unit)),
        ),
        ChoiceField(
            name="compare",
            label="Compare with",
            help="Give a first day as well.",
            default=None,
            options=(
                ("Nothing", None),
                ("The period before", "previous"),
                ("A month before", "previous month"),
                ("A year before", "previous year"),
            ),
        ),
        AT,
    ),
)
