"""Tables of reports: one word for one thing, segments that keep their types, and wide tables."""

from __future__ import annotations

import io
import re
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import toolkit as tk
from toolkit import event, user
from toolkit.base import errors
from toolkit.reports.report import COLUMNS, Report
from toolkit.sources.csv.defuse import csv_of

PAGE = Path(__file__).parent.parent / "docs/events-and-reports.md"
#: (name, dtype) of each column, in the order of docs/events-and-reports.md.
LISTED = re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", PAGE.read_text(), flags=re.M)
BREAKDOWN = ("Int64", "Float64", "boolean", "category", "datetime64[us, UTC]", "datetime64[us]")


@pytest.fixture(scope="module")
def df() -> pd.DataFrame:
    random = np.random.default_rng(5)
    size = 300
    return pd.DataFrame(
        {
            "event": random.choice(["Sign Up", "View", "Cart", "Buy"], size),
            "distinct_id": random.choice([f"u{n}" for n in range(12)], size),
            "time": pd.Timestamp("2026-05-01", tz="UTC")
            + pd.to_timedelta(np.sort(random.integers(0, 20 * 86_400, size)), unit="s"),
            "amount": random.choice([1.5, 2.0, np.nan], size),
            "seats": pd.array(random.choice([1, 2, 3], size), "Int64"),
            "item": random.choice(["hat", "sock", "tie"], size),
        }
    )


@pytest.fixture(scope="module")
def profiles() -> tk.ProfileTable:
    table = tk.ProfileTable()
    for n in range(10):
        plan = ("pro", "free", None)[n % 3]
        born = f"200{n % 3}-01-0{n % 2 + 1}"
        table.set(f"u{n}", {"plan": plan, "age": 18 + n % 4, "vip": n % 2 == 0, "born": born})
    return table


BY: dict[str, Any] = {
    "nothing": None,
    "text": user["plan"],
    "number": "seats",
    "two": [user["vip"], "item"],
    "bucket": [tk.bucket(user["age"], 2), user["born"]],
    "cohort": tk.cohort_of(["u1", "u2"], "Some"),
}
SUM = {"measure": "sum", "of": event["amount"]}


def asked() -> dict[str, Any]:
    """Return a way to each report, of all measures and options that change its columns."""
    several = ["View", tk.metric("Buy", measure="per_user")]
    found: dict[str, Any] = {
        f"segmentation {measure}": (tk.segmentation, ("View",), {"measure": measure})
        for measure in ("total", "unique", "sessions", "dau", "wau", "mau", "per_user")
    }
    for measure in ("sum", "average", "median", "min", "max", "p90", "distinct"):
        more = {"measure": measure, "of": event["amount"]}
        found[f"segmentation {measure}"] = (tk.segmentation, ("View",), more)
        found[f"profiles {measure}"] = (tk.profile_report, (), {**more, "of": user["age"]})
    found |= {
        "segmentation whole": (tk.segmentation, ("View",), {"unit": None}),
        "segmentation cumulative": (tk.segmentation, ("View",), {"cumulative": True}),
        "segmentation rolling": (tk.segmentation, ("View",), {"rolling": 2}),
        "segmentation counts": (tk.segmentation, (["View", "Buy"],), {}),
        "segmentation several": (tk.segmentation, (several,), {}),
        "segmentation several whole": (tk.segmentation, (several,), {"unit": None}),
        "segmentation formula": (tk.segmentation, (several,), {"formula": "A / B"}),
        "segmentation compared": (
            tk.segmentation,
            ("View",),
            {"compare": "previous", "start": "2026-05-10"},
        ),
        "funnel": (tk.funnel, (["View", "Cart", "Buy"],), {}),
        "retention": (tk.retention, ("Sign Up",), {}),
        "retention users": (tk.retention, ("Sign Up",), {"measure": "users"}),
        "retention sum": (tk.retention, ("Sign Up",), SUM),
        "frequency": (tk.frequency, ("Sign Up",), {"criteria": "exactly"}),
        "lifecycle": (tk.lifecycle, (), {"unit": "week"}),
        "flows": (tk.flows, ("View",), {"before": 1, "after": 2}),
        "profiles": (tk.profile_report, (), {}),
    }
    return found


ASKED = asked()


def report_of(name: str, by: str, df: pd.DataFrame, profiles: tk.ProfileTable) -> Any:
    function, given, more = ASKED[name]
    if function is tk.profile_report:
        if by in ("number", "two"):
            pytest.skip("a property of events")
        return tk.profile_report(profiles, by=BY[by], **more)
    return function(df, profiles, *given, by=BY[by], **more)


# -- one word for one thing ------------------------------------------------------------------


def test_the_columns_are_those_of_the_documentation() -> None:
    assert [name for name, _ in LISTED] == list(COLUMNS)


@pytest.mark.parametrize(("name", "by"), [*product(ASKED, BY)])
def test_a_table_has_the_listed_columns_alone_in_that_order_and_of_that_dtype(
    name: str, by: str, df: pd.DataFrame, profiles: tk.ProfileTable
) -> None:
    table = report_of(name, by, df, profiles).table
    dtypes = {column: str(dtype) for column, dtype in table.dtypes.items()}
    breakdowns = [column for column in dtypes if column not in COLUMNS]
    assert len(breakdowns) == (0 if by == "nothing" else 2 if by in ("two", "bucket") else 1)
    assert list(dtypes) == breakdowns + [each for each, _ in LISTED if each in dtypes]
    for column, dtype in dtypes.items():
        allowed = BREAKDOWN if column in breakdowns else dict(LISTED)[column].split(" or ")
        assert dtype in [each.replace("tz", "UTC") for each in allowed], column


@pytest.mark.parametrize("name", ASKED)
def test_a_count_is_of_whole_things_and_all_that_is_measured_is_a_value(
    name: str, df: pd.DataFrame, profiles: tk.ProfileTable
) -> None:
    table = report_of(name, "text", df, profiles).table
    measured = re.search(r"per_user|sum|aver|med|min|max|p90|dist|roll|sev|form", name)
    assert ("value" in table) == (measured is not None)
    assert ("count" in table) == (measured is None and "retention" not in name)


# -- segments keep their types ---------------------------------------------------------------


def by_value(values: list[Any], **more: Any) -> Any:
    """Return a report of profiles with these values of x; ABSENT is an absent one."""
    table = tk.ProfileTable()
    for n, value in enumerate(values):
        table.set(f"u{n}", {} if value == "absent" else {"x": value})
    return tk.profile_report(table, by=more.pop("by", user["x"]), **more)


@pytest.mark.parametrize(
    ("values", "dtype", "segments"),
    [
        ([3, 10, 3, None], "Int64", [3, 10, pd.NA]),
        ([2.5, 3, "absent"], "Float64", [2.5, 3.0, pd.NA]),
        ([True, False, True, "absent"], "boolean", [True, False, pd.NA]),
        (
            ["2026-05-01T10:00:00Z", "2026-05-01T12:00:00.500000Z", None],
            "datetime64[us, UTC]",
            [pd.Timestamp("2026-05-01T10:00Z"), pd.Timestamp("2026-05-01T12:00:00.5Z"), pd.NaT],
        ),
        (
            ["2026-05-01", "2026-05-02", None],
            "datetime64[us]",
            [pd.Timestamp("2026-05-01"), pd.Timestamp("2026-05-02"), pd.NaT],
        ),
        (["b", "a", "b", None], "category", ["b", "a", "(not set)"]),
        ([None, None], "category", ["(not set)"]),
        ([[1, 2], [2]], "category", ["2", "1"]),
        ([1, "1", True], "category", ['"1"', "1", "true"]),
        ([2**70, 1], "category", ["1", str(2**70)]),
        ([2**53 + 1, 0.5], "category", ["0.5", str(2**53 + 1)]),
        (["2026-05-01", "2026-05-01T00:00:00Z"], "category", None),
        (["2026-02-30", "2026-05-01"], "category", None),
        (["2026-05-01T10:00:00Z", "2026-05-01T10:00:00.000000Z"], "category", None),
        (["0001-01-01", "2026-05-01"], "category", None),
    ],
)
def test_a_breakdown_has_the_dtype_of_its_values(
    values: list[Any], dtype: str, segments: list[Any] | None
) -> None:
    report = by_value(values)
    column = report.table["user.x"]
    assert str(column.dtype) == dtype
    if segments is not None:
        wanted = pd.Series(segments, dtype=column.dtype)
        pd.testing.assert_series_equal(column, wanted, check_names=False, check_categorical=False)
    else:
        assert column.nunique() == len(values)
    if dtype == "category":
        assert column.dtype.ordered
        assert column.cat.categories.tolist() == column.tolist()
    # Each is found by its value, and by what charts and notes call it.
    labels = report.labelled(report.table)["user.x"]
    for row, (value, name) in enumerate(zip(column, labels, strict=True)):
        users = report.users(**report.cell(row))
        assert len(users) == report.table["count"][row]
        assert report.users(segment=value) == report.users(segment=name) == users


def test_times_are_in_the_time_zone_of_the_report(df: pd.DataFrame) -> None:
    table = tk.segmentation(df, None, "Buy", by="time", tz="Europe/Oslo", unit=None).table
    assert str(table["event.time"].dtype) == "datetime64[us, Europe/Oslo]"
    assert set(table["event.time"]) == set(df.loc[df["event"] == "Buy", "time"])


def test_what_is_not_set_is_a_missing_value_among_numbers(
    df: pd.DataFrame, profiles: tk.ProfileTable
) -> None:
    report = tk.segmentation(df, profiles, "View", by=[user["age"], user["vip"]], unit=None)
    assert report.table.iloc[-1, :2].isna().all()
    nobody = report.users(segment=(None, None))
    assert nobody == ["u10", "u11"]
    for same in ((pd.NA, pd.NA), ("(not set)", float("nan"))):
        assert report.users(segment=same) == nobody
    for shown in (repr(report), report._repr_html_()):
        assert "(not set)" in shown and "&lt;NA&gt;" not in shown and "<NA>" not in shown


def test_with_other_a_column_of_numbers_is_an_ordered_categorical() -> None:
    table = by_value([5, 5, 30, 30, 30, 4, None], top=2).table
    assert table["user.x"].cat.categories.tolist() == ["30", "5", "(other)", "(not set)"]
    assert table["count"].tolist() == [3, 2, 1, 1]
    assert str(by_value([5, 30, None], top=2).table["user.x"].dtype) == "Int64"


def test_buckets_are_sorted_grouped_and_pivoted_by_their_values() -> None:
    ages = [5, 100, 20, "old", None, 21, 101]
    table = by_value(ages, by=tk.bucket(user["x"], 10)).table
    wanted = ["0 to <10", "20 to <30", "100 to <110", "(not a number)", "(not set)"]
    shuffled = table.sample(frac=1, random_state=1)
    assert shuffled.sort_values("user.x")["user.x"].tolist() == wanted
    assert shuffled.groupby("user.x", observed=True)["count"].sum().index.tolist() == wanted
    pivot = shuffled.assign(n=1).pivot(index="n", columns="user.x", values="count")
    assert pivot.columns.tolist() == wanted


def test_days_of_the_week_and_hours_are_in_the_order_of_time(df: pd.DataFrame) -> None:
    for by, first, last in (("day of week", "Monday", "Sunday"), ("hour of day", "00:00", "23:00")):
        table = tk.segmentation(df, None, None, by=tk.bucket("time", by), unit=None).table
        categories = table["event.time"].cat.categories
        assert (categories[0], categories[-1]) == (first, last)


def test_the_second_breakdown_has_an_order_of_its_own() -> None:
    df = pd.DataFrame(
        {
            "event": "A",
            "distinct_id": "u",
            "time": "2026-05-01",
            "first": ["x"] * 3 + ["y"] * 4,
            "second": ["few", "few", "many", "many", "many", "many", None],
        }
    )
    table = tk.segmentation(df, None, "A", by=["first", "second"], unit=None).table
    assert table["event.second"].cat.categories.tolist() == ["many", "few", "(not set)"]
    assert table["event.second"].tolist() == ["many", "(not set)", "few", "many"]


def test_a_csv_file_has_the_values_as_they_are() -> None:
    read = pd.read_csv(io.BytesIO(csv_of(by_value([10, 2026, 2026, None]).table)))
    assert read["user.x"].dropna().tolist() == [2026, 10]
    assert read["count"].tolist() == [2, 1, 1]


# -- wide ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "by"), [*product(ASKED, BY)])
def test_a_wide_table_has_each_number_of_the_table_in_its_place(
    name: str, by: str, df: pd.DataFrame, profiles: tk.ProfileTable
) -> None:
    report = report_of(name, by, df, profiles)
    table = report.table
    numbers = [each for each in table if COLUMNS.get(each) == "number"]
    for values in [None, *numbers]:
        wide = report.wide(values, incomplete=True)
        main = {"retention users": "retained", **dict.fromkeys(("funnel", "retention"), "rate")}
        main["frequency"] = "rate"
        number = values or main.get(name, "count" if "count" in table else "value")
        tidy: dict[Any, Any] = {}
        for row in table.to_dict("records"):
            keys = [(each, text(row[each])) for each in table if COLUMNS.get(each) != "number"]
            tidy[frozenset(keys)] = row[number]
        found: dict[Any, Any] = {}
        for at, line in enumerate(wide.index):
            for place, column in enumerate(wide.columns):
                names = named(wide.index, line) | named(wide.columns, column)
                cell = wide.iat[at, place]
                if frozenset(names.items()) in tidy:
                    found[frozenset(names.items())] = cell
                else:
                    assert pd.isna(cell)
        assert found.keys() == tidy.keys()
        for key, cell in found.items():
            assert cell == tidy[key] or (pd.isna(cell) and pd.isna(tidy[key]))


def text(key: Any) -> str:
    return "(not set)" if pd.isna(key) else str(key)


def named(index: pd.Index, label: Any) -> dict[str, str]:
    """Return what a label of an index is, by the names of its levels."""
    labels = label if isinstance(index, pd.MultiIndex) else (label,)
    pairs = zip(index.names, labels, strict=True)
    return {name: text(each) for name, each in pairs if name is not None}


def test_a_wide_table_is_laid_out_as_people_do(df: pd.DataFrame, profiles: tk.ProfileTable) -> None:
    def axes(name: str, by: str, values: Any = None) -> tuple[list[Any], list[Any]]:
        wide = report_of(name, by, df, profiles).wide(values)
        return list(wide.index.names), list(wide.columns.names)

    assert axes("segmentation total", "text") == (["time"], ["user.plan"])
    assert axes("segmentation total", "two") == (["time"], ["user.vip", "event.item"])
    assert axes("segmentation several", "text") == (["time"], ["user.plan", "metric"])
    assert axes("segmentation whole", "two") == (["user.vip"], ["event.item"])
    assert axes("funnel", "text") == (["step", "event"], ["user.plan"])
    assert axes("retention", "nothing") == (["cohort"], ["bucket"])
    assert axes("retention", "text") == (["cohort"], ["user.plan", "bucket"])
    assert axes("frequency", "nothing") == (["cohort"], ["units"])
    assert axes("lifecycle", "nothing") == (["time"], ["status"])
    assert axes("flows", "text") == (["step", "from", "to"], ["user.plan"])
    assert axes("profiles", "bucket") == (["user.age"], ["user.born"])
    assert axes("funnel", "text", ["count", "rate"]) == (["step", "event"], ["user.plan", None])


def test_several_columns_are_next_to_each_other_in_each_segment(
    df: pd.DataFrame, profiles: tk.ProfileTable
) -> None:
    report = report_of("segmentation compared", "text", df, profiles)
    wide = report.wide(["count", "previous"])
    assert wide.columns.tolist()[:3] == [
        (wide.columns[0][0], "count"),
        (wide.columns[0][0], "previous"),
        (wide.columns[2][0], "count"),
    ]
    for name in ("count", "previous"):
        one = report.wide(name)
        pd.testing.assert_frame_equal(wide.xs(name, axis=1, level=1), one, check_names=False)
    whole = report_of("funnel", "nothing", df, profiles).wide(["count", "rate"])
    assert whole.columns.tolist() == ["count", "rate"]


@pytest.mark.parametrize("name", ["retention", "frequency"])
def test_incomplete_cells_are_not_in_a_wide_table_unless_asked_for(
    name: str, df: pd.DataFrame, profiles: tk.ProfileTable
) -> None:
    report = report_of(name, "nothing", df, profiles)
    complete = report.table["complete"]
    assert not complete.all()
    assert report.wide("rate").count().sum() == report.table.loc[complete, "rate"].count()
    whole = report.wide("rate", incomplete=True)
    assert whole.count().sum() == report.table["rate"].count()


def test_segments_are_in_the_order_of_the_table_and_a_total_can_be_added(
    df: pd.DataFrame, profiles: tk.ProfileTable
) -> None:
    report = report_of("segmentation total", "text", df, profiles)
    wide = report.wide()
    assert wide.columns.tolist() == report.table["user.plan"].unique().tolist()
    wide["all"] = wide.sum(axis=1)
    whole = report_of("segmentation total", "nothing", df, profiles).wide()
    assert wide["all"].tolist() == whole["count"].tolist()


@pytest.mark.parametrize("values", ["share", "time", 3, [], ["count", "counts"]])
def test_a_column_that_is_not_there_is_refused(df: pd.DataFrame, values: Any) -> None:
    with pytest.raises(errors.ReportError, match="the table has"):
        tk.segmentation(df, None, "View").wide(values)


class Own(Report):
    """A report of one's own, with columns that no other has."""

    def __init__(self, table: pd.DataFrame) -> None:
        super().__init__("Own", {}, table, [])

    def plot(self, ax: Any = None) -> Any:
        raise NotImplementedError

    def users(self, **cell: Any) -> list[str]:
        raise NotImplementedError

    def cell(self, row: int) -> Any:
        raise NotImplementedError


def test_a_report_of_ones_own_has_columns_of_its_own() -> None:
    names = pd.DataFrame({"name": ["a", "b"], "seats": pd.array([1, 2], "Int64")})
    report = Own(names.assign(share=[0.0, 0.5], hits=[1, 2]))
    assert not report.is_empty
    assert report.wide().loc["b"].tolist()[1] == report.wide("share").loc["b"].tolist()[1] == 0.5
    assert Own(names.assign(share=0.0)).is_empty
    assert Own(names).is_empty
    with pytest.raises(errors.ReportError, match="the table has no numbers"):
        Own(names).wide()


def test_of_nothing_a_wide_table_has_no_cells() -> None:
    df = pd.DataFrame({"event": [], "distinct_id": [], "time": []}, dtype="str")
    assert tk.segmentation(df, None, "View").wide().empty
    assert tk.funnel(df, None, ["A", "B"]).wide()["rate"].isna().all()
