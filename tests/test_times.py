"""Times and lengths of time: one rule for scalars and columns, wherever one is taken."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings, strategies as st

import toolkit as tk
from tests.effort import examples
from tests.moments import START
from toolkit import user
from toolkit.base import durations, errors, times
from toolkit.base.times import NO_TIME, parse_time
from toolkit.columns import series
from toolkit.sources.live.arriving_events import read_event
from toolkit.updates import Rejection

FIRST, END = 315_532_800, 4_102_444_800
MEANT = [
    (20240105, "the date 2024-01-05"),
    (20240105.0, "the date 2024-01-05"),
    (31122023, "the date 2023-12-31"),
    (45292, "the Excel date 2024-01-01"),
    (45292.75, "the Excel date 2024-01-01T18:00:00"),
    (202401, "the month of 2024-01-01"),
    (2024, "the year of 2024-01-01"),
    (202401051230, "the time 2024-01-05T12:30"),
    (20240105123000, "the time 2024-01-05T12:30:00"),
    (1_700_000_000_000_000, "the unix microseconds of 2023-11-14T22:13:20Z"),
    (1_700_000_000_000_000_000, "the unix nanoseconds of 2023-11-14T22:13:20Z"),
]
NO_TIMES = [0, 1, -1, FIRST - 1, END, END * 1_000, 10**400, 1e300, float("inf"), 20241399]


@pytest.mark.parametrize(("number", "meant"), MEANT)
def test_TIME_1_a_number_that_is_no_time_is_refused_with_what_was_meant(
    number: float, meant: str
) -> None:
    with pytest.raises(errors.InvalidTimeError, match=re.escape(meant)) as caught:
        parse_time(number)
    # What the error says to write is read, and is what it says.
    text = re.search(r'give "(.*)", as text$', str(caught.value))
    assert text is not None
    assert parse_time(text[1]) > parse_time("1980-01-01")


@pytest.mark.parametrize("number", NO_TIMES)
def test_TIME_1_what_looks_like_nothing_is_refused_too(number: float) -> None:
    with pytest.raises(errors.InvalidTimeError, match="not a unix time from 1980 to 2100"):
        parse_time(number)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (FIRST, "1980-01-01"),
        (FIRST * 1_000, "1980-01-01"),
        (END - 1, "2099-12-31T23:59:59"),
        ((END - 1) * 1_000, "2099-12-31T23:59:59"),
        (np.int32(1_700_000_000), "2023-11-14T22:13:20"),
        (np.uint64(1_700_000_000_000), "2023-11-14T22:13:20"),
        (1_700_000_000.5, "2023-11-14T22:13:20.5"),
    ],
)
def test_TIME_1_seconds_and_milliseconds_from_1980_to_2100_are_times(
    number: float, text: str
) -> None:
    assert parse_time(number) == parse_time(text)


numbers = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.integers(FIRST - 3, FIRST + 3).flatmap(lambda at: st.sampled_from([at, at * 1_000])),
    st.integers(END - 3, END + 3).flatmap(lambda at: st.sampled_from([at, at * 1_000])),
    st.integers(FIRST, END),
)


@given(st.lists(numbers, max_size=5), st.sampled_from(["int64", "float64", object, "Int64"]))
@example([20240105, START], "int64")
def test_TIME_1_a_column_is_read_as_each_of_its_numbers(given: list[int], dtype: Any) -> None:
    def alone(number: Any) -> int:
        try:
            return parse_time(number)
        except errors.InvalidTimeError:
            return NO_TIME

    cells = [float(each) if dtype == "float64" else each for each in given]
    read = series.times(pd.Series(cells, dtype=dtype))
    assert read.microseconds.tolist() == [alone(each) for each in cells]
    refused = [each for each in cells if alone(each) == NO_TIME]
    assert read.no_time == (refused[0] if refused else None)


def profiles_of_one() -> tk.ProfileTable:
    profiles = tk.ProfileTable()
    profiles.set("1", {"plan": "free", "since": 20240105}, time=START)
    return profiles


def rejection(result: Any) -> str:
    assert result.applied == 0
    return str(result.rejected["reason"].iloc[0])


def raised(call: Callable[[], Any]) -> str:
    with pytest.raises(errors.ToolkitError) as caught, warnings.catch_warnings():
        warnings.simplefilter("error")
        call()
    return str(caught.value)


def events_at(*moments: Any, dtype: Any = None) -> pd.DataFrame:
    column = pd.Series(moments, dtype=dtype)
    return pd.DataFrame({"event": "View", "distinct_id": "1", "time": column})


def csv_with(cell: str) -> str:
    profiles = tk.ProfileTable()
    source = f"id,when,plan\n1,{cell},pro\n".encode()
    mapping = {"id": "$distinct_id", "when": "$time", "plan": "plan"}
    report = tk.import_csv(profiles, source, mapping=mapping, header=True, on_error="skip")
    assert len(profiles) == 0
    return str(report.rejected["reason"].iloc[0])


def sent(number: Any) -> str:
    fault = read_event(
        {"event": "A", "properties": {"distinct_id": "1", "time": number}}, 0, 9, 0, strict=False
    )
    assert isinstance(fault, Rejection)
    return fault.reason


# Every way in: each refuses the number, and says what it looks like.
PLACES: dict[str, Callable[[Any], str]] = {
    "as_of": lambda number: raised(lambda: profiles_of_one().as_of(number)),
    "diff": lambda number: raised(lambda: profiles_of_one().diff(number)),
    "$time": lambda number: rejection(
        tk.ProfileTable().apply([{"$distinct_id": "1", "$set": {"a": 1}, "$time": number}])
    ),
    "set frame": lambda number: raised(
        lambda: tk.ProfileTable().set(pd.DataFrame({"distinct_id": ["1"], "a": [1]}), time=number)
    ),
    "import_frame": lambda number: raised(
        lambda: tk.import_frame(
            tk.ProfileTable(),
            pd.DataFrame({"distinct_id": ["1"], "a": [1], "when": [number]}),
            time="when",
        )
    ),
    "import_csv time=": lambda number: raised(
        lambda: tk.import_csv(
            tk.ProfileTable(), b"id,a\n1,2\n", mapping={"id": "$distinct_id", "a": "a"}, time=number
        )
    ),
    "CSV column": lambda number: csv_with(str(number)),
    "Events": lambda number: raised(lambda: tk.Events(events_at(number))),
    "Events of objects": lambda number: raised(lambda: tk.Events(events_at(number, dtype=object))),
    "Events of categories": lambda number: raised(
        lambda: tk.Events(events_at(number, dtype="category"))
    ),
    "Events with missing": lambda number: raised(lambda: tk.Events(events_at(number, None))),
    "a report": lambda number: raised(lambda: tk.segmentation(events_at(number), None, "View")),
    "start": lambda number: raised(
        lambda: tk.segmentation(events_at(START), None, "View", start=number)
    ),
    "end": lambda number: raised(
        lambda: tk.segmentation(events_at(START), None, "View", end=number)
    ),
    "datetime": lambda number: raised(
        lambda: profiles_of_one().where(f'user["since"] > datetime({number})')
    ),
    "the server": sent,
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("number", "meant"), [(20240206, "the date 2024-02-06"), (45292, "the Excel date 2024-01-01")]
)
def test_TIME_1_holds_wherever_a_time_is_taken(place: str, number: int, meant: str) -> None:
    if place == "CSV column" and number > 10_000_000:
        pytest.skip("the cells of a CSV are text, and as text these digits are the date")
    assert meant in PLACES[place](number)


def test_TIME_1_digits_of_a_date_in_text_are_the_date() -> None:
    assert parse_time("20240105") == parse_time("2024-01-05")
    assert series.times_of_cells(
        series.pa.array(["20240105", "45292", "1700000000"], series.pa.large_string())
    ).microseconds.tolist() == [parse_time("2024-01-05"), NO_TIME, parse_time(1_700_000_000)]


def test_TIME_1_a_batch_number_is_no_time_and_the_error_says_so() -> None:
    profiles = profiles_of_one()
    for call in (lambda: profiles.as_of(1), lambda: profiles.diff(1, 2)):
        with pytest.raises(errors.InvalidTimeError, match=r"as_of\(batch=1\)"):
            call()
    with pytest.raises(errors.InvalidTimeError) as caught:
        profiles.as_of(True)
    assert "batch" not in str(caught.value)
    assert profiles.as_of(batch=1)["1"]["plan"] == "free"


def test_TIME_1_an_event_among_others_whose_number_is_no_time_is_left_out_and_told() -> None:
    events = tk.Events(events_at(START, 45292))
    report = tk.segmentation(events, None, "View")
    assert report.table["count"].sum() == 1
    assert "Left out because their time cannot be read: 1 event." in report.notes
    (note,) = (each for each in events.notes if "cannot be read" in each)
    assert "It looks like the Excel date 2024-01-01" in note


def test_TIME_1_what_an_error_says_of_a_column_reads_it() -> None:
    for number, form in ((20240105, "2024-01-05"), (45292, "2024-01-01"), (202401051230, None)):
        df = events_at(number, number)
        said = raised(lambda df=df: tk.Events(df))
        call = re.search(r"give (pd\.to_datetime\(.*\))$", said)
        assert call is not None
        read = eval(call[1], {"pd": pd, "df": df})
        assert str(read.iloc[0])[:10] == (form or "2024-01-05")
        tk.Events(df.assign(time=read))


def test_TIME_1_a_number_that_is_no_time_is_not_set_in_a_comparison_with_one() -> None:
    profiles = profiles_of_one()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert list(profiles.where(user["since"] < datetime(2024, 1, 1, tzinfo=UTC))) == []


# -- text ---------------------------------------------------------------------------------

NOON = parse_time("2024-01-05T12:00:00Z")
AT_NOON = [
    *("2024-01-05 12:00:00 UTC", "2024-01-05 12:00:00 GMT", "2024-01-05T12:00:00 utc"),
    *("2024-01-05 12:00:00UTC", "2024-01-05 12:00:00Z", "2024-01-05 12:00:00z"),
    *("2024-01-05 12:00:00 Z", "2024-01-05T12:00 UTC", "2024-01-05 12:00:00.000 UTC"),
    *("2024-01-05 12:00:00 +0000", "2024-01-05 12:00:00 +0000 UTC", "2024-01-05 12:00:00+00"),
    *("2024-01-05 14:00:00 +02:00", "2024-01-05T14:00:00+0200", "2024-01-05 07:00 -0500"),
    *("20240105T120000Z", "Fri, 05 Jan 2024 12:00:00 GMT", "Fri, 5 Jan 2024 14:00:00 +0200"),
    *("fri, 5 jan 2024 14:00:00 +02:00", "Fri, 05 JAN 2024 12:00:00 -0000"),
    *(" 2024-01-05 12:00:00 UTC ", "2024-01-05 12:00:00", "2024-01-05T12:00"),
]
MIDNIGHTS = [
    ("2024-01-05 UTC", "2024-01-05T00:00Z"),
    ("2024-01-05Z", "2024-01-05T00:00Z"),
    ("2024-01-05+02:00", "2024-01-04T22:00Z"),
    ("2024-01-05-0500", "2024-01-05T05:00Z"),
]
NO_TEXTS = [
    *("2024-01-05 12:00:00 +0200 UTC", "2024-01-05 12:00:00 UTC+2", "UTC", " GMT", "Z"),
    *("2024-01-05 12:00:00 CEST", "2024-01-05x12:00", "12:00 UTC", "05.01.2024", "1700000000"),
    *("2024-01-05 12:00:00+02:00 +02:00", "2024", "2024-01", "Fri, 99 Jan 2024 12:00:00 GMT"),
    *(
        "Fri, 05 Jxn 2024 12:00:00 GMT",
        "Fri, 30 Feb 2024 12:00:00 GMT",
        "Fri, 05 Jan 24 12:00:00 GMT",
    ),
]


HTTP_DATES = st.builds(
    "{}, {} {} {} {}:{:02}:{:02}{}".format,
    st.sampled_from(["Mon", "fri", "Xyz", "Mo"]),
    st.integers(0, 32) | st.sampled_from(["01", "09", "001"]),
    st.sampled_from(["Jan", "FEB", "feb", "Sept", "Dec", "Jxn"]),
    st.integers(1, 9999).map("{:04}".format) | st.just("24"),
    st.sampled_from(["00", "7", "23", "24"]),
    *(st.integers(0, 60), st.integers(0, 60)),
    st.sampled_from([" GMT", " UTC", "Z", " +0200", "-09:30", " -0000", " +9999", "", " CET"]),
)


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(HTTP_DATES, max_size=20))
def test_TIME_2_a_column_of_dates_of_HTTP_reads_them_as_one_by_one(texts: list[str]) -> None:
    def alone(text: str) -> int:
        try:
            return parse_time(text)
        except errors.InvalidTimeError:
            return NO_TIME

    found = series.times(pd.Series(texts, dtype=object)).microseconds
    assert found.tolist() == [alone(text) for text in texts]


def test_TIME_2_a_column_of_dates_of_HTTP_is_read_as_a_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(series, "_parsed", lambda value: pytest.fail(f"{value} alone"))
    days = pd.date_range("2024-01-01", periods=400, freq="D", tz="UTC")
    texts = pd.Series(days.strftime("%a, %d %b %Y %H:%M:%S GMT"))
    assert series.times(texts).microseconds.tolist() == [parse_time(str(day)) for day in days]


def every_reader(text: str) -> list[int | None]:
    """Return what each reader of times makes of a text, None where it refuses it."""

    def alone() -> int:
        try:
            return parse_time(text)
        except errors.InvalidTimeError:
            return NO_TIME

    def as_start() -> int:
        try:
            return tk.reports.periods.as_moment(text, None, "start")
        except errors.ReportError:
            return NO_TIME

    column = pd.Series([text, None])
    found = [
        alone(),
        int(series.times(column).microseconds[0]),
        int(series.times(column.astype(object)).microseconds[0]),
        int(series.times(column.astype("category")).microseconds[0]),
        int(series.times(pd.Series([text, datetime(2024, 1, 5)], dtype=object)).microseconds[0]),
    ]
    profiles = tk.ProfileTable()
    message = {"$distinct_id": "1", "$set": {"at": text}, "$time": text}
    applied = profiles.apply([message]).applied
    seen = profiles.last_seen("1") if applied else None
    found.append(NO_TIME if seen is None else parse_time(seen))
    profiles = tk.ProfileTable()
    profiles.set("1", {"at": text})
    cast = profiles.snapshot()
    cells = tk.expressions.evaluate(
        user["at"].as_datetime(), tk.expressions.SnapshotScope(cast)
    ).cells()
    found.append(parse_time(cells[0]) if isinstance(cells[0], str) else NO_TIME)
    return [None if at == NO_TIME else at for at in found]


@pytest.mark.parametrize("text", AT_NOON)
def test_TIME_2_every_reader_takes_every_zone(text: str) -> None:
    assert set(every_reader(text)) == {NOON}


@pytest.mark.parametrize(("text", "same"), MIDNIGHTS)
def test_TIME_2_a_date_with_a_zone_is_its_midnight_there(text: str, same: str) -> None:
    assert set(every_reader(text)) == {parse_time(same)}


@pytest.mark.parametrize("text", NO_TEXTS)
def test_TIME_2_what_names_no_one_moment_is_read_by_no_reader(text: str) -> None:
    assert set(every_reader(text)) == {None}


@pytest.mark.parametrize("text", [*AT_NOON[:-2], *(text for text, _ in MIDNIGHTS)])
def test_TIME_2_only_a_time_without_a_zone_is_said_to_be_read_as_UTC(text: str) -> None:
    assert not tk.Events(events_at(text)).has_times_without_zone
    naive = tk.Events(events_at(text, "2024-01-05"))
    assert "Times without a time zone are read as UTC." in naive.notes


@pytest.mark.parametrize("text", AT_NOON)
def test_TIME_2_start_reads_them_as_well(text: str) -> None:
    report = tk.segmentation(
        events_at("2024-01-05T12:00Z", "2024-01-05T11:59Z"), None, "View", unit=None, start=text
    )
    assert report.table["count"].tolist() == [1]


# -- lengths ------------------------------------------------------------------------------

HOUR = 3_600_000_000
LENGTHS = {
    **{"7d": 168 * HOUR, "2 weeks": 336 * HOUR, "90ms": 90_000, "1h 30min": HOUR * 3 // 2},
    **{"1.5 hours": HOUR * 3 // 2, "90 D": 2160 * HOUR, "12hrs": 12 * HOUR, "5 us": 5},
    **{"45 secs": 45_000_000, "2w": 336 * HOUR, " 1 day ": 24 * HOUR, "1 wk": 168 * HOUR},
}
NO_LENGTHS = ["1M", "1 month", "2 years", "1y", "7", "d", "", "-7d", "7 moons", "0.1us", "1e3d"]


def lengths_read(text: Any) -> list[int | None]:
    """Return what each argument that is a length of time makes of one."""
    df = events_at("2026-05-01")

    def of(call: Callable[[], Any]) -> Any:
        try:
            return call()
        except errors.ToolkitError:
            return None

    def kept() -> int:
        from toolkit.store.compaction import _moment  # what compact(keep=) asks

        return -_moment(text, 0)

    def within() -> int:
        node = tk.times_did("View", within=text)
        period = tk.expressions.period(node.period)
        assert isinstance(period, int)
        return period

    def plan(**options: Any) -> int:
        tk.flows(df, None, "View", **options)
        return durations.as_duration(text, "x")

    def funnel(**options: Any) -> int:
        tk.funnel(df, None, ["View", "View"], **options)
        return durations.as_duration(text, "x")

    return [
        of(kept),
        of(within),
        of(lambda: plan(window=text)),
        of(lambda: plan(gap=text)),
        of(lambda: funnel(window=text)),
    ]


@pytest.mark.parametrize("text", LENGTHS)
def test_DURATION_1_every_argument_reads_lengths_alike(text: str) -> None:
    assert set(lengths_read(text)) == {LENGTHS[text]}


@pytest.mark.parametrize("given", [timedelta(hours=36), np.timedelta64(36, "h")])
def test_DURATION_1_a_timedelta_is_one_everywhere(given: Any) -> None:
    assert set(lengths_read(given)) == {36 * HOUR}


@pytest.mark.parametrize("text", NO_LENGTHS)
def test_DURATION_1_what_is_none_is_refused_everywhere(text: str) -> None:
    assert set(lengths_read(text)) == {None}


def test_DURATION_1_months_are_refused_with_what_to_give() -> None:
    with pytest.raises(errors.ReportError, match='give days, such as "30d"'):
        tk.funnel(events_at("2026-05-01"), None, ["View", "View"], window="1M")
    with pytest.raises(errors.ArgumentError, match='give days, such as "30d"'):
        tk.ProfileTable().compact(keep="2 months")


@given(st.integers(0, 10**6), st.sampled_from(["w", "d", "h", "m", "s", "ms", "us"]))
def test_DURATION_1_words_and_letters_are_the_same(number: int, unit: str) -> None:
    words = {"w": "week", "d": "day", "h": "hour", "m": "minute", "s": "second"}
    words |= {"ms": "millisecond", "us": "microsecond"}
    length = durations.length(f"{number}{unit}")
    assert length == durations.length(f"{number} {words[unit]}s") != None  # noqa: E711
    assert length is not None
    assert durations.length(timedelta(microseconds=length)) == length


@pytest.mark.parametrize("keep", [20240105, 1_700_000_000, 10**12])
def test_TIME_1_a_moment_as_a_number_is_no_number_of_batches_to_keep(keep: int) -> None:
    with pytest.raises(errors.ArgumentError, match="write a moment as text"):
        tk.ProfileTable().compact(keep=keep)
    assert times.parse_time("2024-01-05")


@pytest.mark.parametrize("given", [np.timedelta64(3, "D"), np.timedelta64("NaT", "s")])
def test_TIME_1_a_length_of_time_is_no_moment_and_no_number_though_NumPy_has_it_for_one(
    given: np.timedelta64,
) -> None:
    profiles = tk.ProfileTable()
    profiles.set("1", {"n": 1})
    with pytest.raises(errors.InvalidTimeError):
        times.parse_time(given)
    with pytest.raises(errors.InvalidTimeError):
        profiles.as_of(given)
    with pytest.raises(errors.ArgumentError):
        profiles.undo(given)  # type: ignore[arg-type]
    result = profiles.apply(
        [
            {"$distinct_id": "1", "$time": given, "$set": {"n": 2}},
            {"$distinct_id": "2", "$set": {"n": 2}},
        ]
    )
    assert (result.rejected.index.tolist(), profiles.ids.tolist()) == ([0], ["1", "2"])
    if pd.isna(given):
        with pytest.raises(errors.ArgumentError):
            profiles.compact(given, dry_run=True)
    else:
        assert "nothing to compact" in repr(profiles.compact(given, dry_run=True))


@pytest.mark.parametrize(
    ("texts", "call"),
    [
        (["01.02.2024 10:00", "", "13.02.2024 10:00"], 'df["time"], format="%d.%m.%Y %H:%M"'),
        (["1704448800000", "1704448800001"], 'pd.to_numeric(df["time"]), unit="ms", utc=True'),
        (["1704448800"], 'pd.to_numeric(df["time"]), unit="s", utc=True'),
        (["1704448800.5"], 'pd.to_numeric(df["time"]), unit="s", utc=True'),
        (["1704448800000000"], 'pd.to_numeric(df["time"]), unit="us", utc=True'),
        (["45292"], 'pd.to_numeric(df["time"]), unit="D", origin="1899-12-30"'),
        (["12/31/2024 01:00 PM"], 'df["time"], format="%m/%d/%Y %I:%M %p"'),
        (["01/02/2024"], 'df["time"], format="%d/%m/%Y"'),
        (["5 May 2024", None], 'df["time"], format="%d %b %Y"'),
        (["31.12.2024", "5 May 2024"], 'df["time"], format="mixed", dayfirst=True'),
    ],
)
@pytest.mark.parametrize("dtype", ["object", "str", "category", "string"])
def test_TIME_1_events_of_which_no_time_is_read_are_refused_with_the_call_that_reads_them(
    texts: list[str | None], call: str, dtype: str
) -> None:
    df = pd.DataFrame({"event": "E", "distinct_id": "u", "time": pd.Series(texts, dtype=dtype)})
    with pytest.raises(errors.EventsError, match=r"can(not)? be read") as caught:
        tk.Events(df)
    message = str(caught.value)
    assert repr(texts[0]) in message
    assert f"pd.to_datetime({call})" in message.replace("'time'", '"time"')
    how = message.replace("'time'", '"time"').split("give ")[1].split(" or, where")[0]
    df = df[df["time"].notna() & (df["time"] != "")].astype({"time": "str"})
    df["time"] = eval(how, {"pd": pd, "df": df})
    assert not tk.Events(df).times.tolist().count(times.NO_TIME)


@pytest.mark.parametrize("cells", [["soon", "later"], ["\ud800"], [True], [b"x"]])
def test_TIME_1_events_with_words_for_times_are_refused(cells: list[object]) -> None:
    df = pd.DataFrame({"event": "E", "distinct_id": "u", "time": pd.Series(cells, dtype=object)})
    with pytest.raises(errors.EventsError, match="such as"):
        tk.Events(df)


def test_TIME_1_where_months_may_come_first_the_error_says_both() -> None:
    df = pd.DataFrame({"event": "E", "distinct_id": "u", "time": ["01/02/2024"]})
    with pytest.raises(errors.EventsError, match=r"%d/%m/%Y.*month comes first.*%m/%d/%Y"):
        tk.Events(df)


@pytest.mark.parametrize("cells", [[], ["", None], [None], [" "]])
def test_TIME_1_events_without_any_time_are_no_mistake(cells: list[object]) -> None:
    df = pd.DataFrame({"event": "E", "distinct_id": "u", "time": pd.Series(cells, dtype=object)})
    assert (tk.Events(df).times == times.NO_TIME).all()
