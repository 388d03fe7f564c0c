"""ID-1: a float that may have lost digits is nobody's ID, wherever it comes from."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, strategies as st

import toolkit as tk
from toolkit.base.errors import InexactIdError, InexactIdWarning, InvalidIdError
from toolkit.base.ids import is_inexact, normalise_id
from toolkit.columns.series import coded, coded_lists
from toolkit.updates.rules import applied_rules

#: 2**53 may have been 2**53 + 1, which is another user.
LOSSY: list[Any] = [
    2.0**53,
    -(2.0**53),
    1e17,
    1e300,
    np.float64(1e17),
    np.float32(2**24),
    np.float16(2048),
]
EXACT: list[Any] = [
    2.0**53 - 1,
    2**53,
    10**17,
    np.int64(2**62),
    "1e17",
    np.float32(2**24 - 1),
    123.0,
]


@pytest.fixture
def profiles() -> tk.ProfileTable:
    """Profiles under the IDs that the floats would be taken for."""
    table = tk.ProfileTable()
    for value in [*LOSSY, *EXACT]:
        table.set(value if isinstance(value, str) else str(int(value)), {"a": 1})
    return table


@pytest.mark.parametrize("given_id", LOSSY, ids=repr)
@pytest.mark.parametrize(
    "work",
    [
        lambda p, key: p[key],
        lambda p, key: p.get(key),
        lambda p, key: key in p,
        lambda p, key: p.last_seen(key),
        lambda p, key: p.history(key),
        lambda p, key: p.explain(key, "a"),
        lambda p, key: p.title(key),
        lambda p, key: p.edit(key, {"a": 2}, expected={"a": 1}),
        lambda p, key: p.where(tk.user["a"] == 1)[key],
        lambda p, key: key in p.where(tk.user["a"] == 1),
        lambda p, key: key in p.as_of("2030-01-01"),
        lambda p, key: tk.cohort_of(["1", key], "some"),
        lambda p, key: key in tk.cohort_of(["1"], "some"),
        lambda p, key: tk.import_frame(p, pd.DataFrame({"distinct_id": [key], "a": [2]})),
        lambda p, key: p.set(pd.DataFrame({"distinct_id": [key], "a": [2]})),
        lambda p, key: p.set(pd.DataFrame({"a": [2]}, index=pd.Index([1e17], name="distinct_id"))),
    ],
)
def test_ID_1_it_is_refused_where_it_is_asked_for_or_written(
    profiles: tk.ProfileTable, work: Callable[..., Any], given_id: Any
) -> None:
    before = len(profiles.batches)
    with pytest.raises(tk.ToolkitError, match="digits"):
        work(profiles, given_id)
    assert len(profiles.batches) == before


@pytest.mark.parametrize("given_id", LOSSY, ids=repr)
@pytest.mark.filterwarnings("ignore::toolkit.errors.RejectedUpdateWarning")
def test_ID_1_a_message_with_it_is_rejected(profiles: tk.ProfileTable, given_id: Any) -> None:
    for message in (
        {"$distinct_id": given_id, "$set": {"a": 2}},
        {"$group_key": "k", "$group_id": given_id, "$set": {"a": 2}},
    ):
        [rejection] = profiles.apply([message]).rejections
        assert "digits" in rejection.reason
        assert applied_rules(None, message, None, [rejection]) == ["ID-1"]
    assert profiles.set(given_id, {"a": 2}).applied == 0
    assert profiles.delete(given_id).applied == 0


@pytest.mark.parametrize("given_id", EXACT, ids=repr)
def test_ID_1_what_has_all_its_digits_is_an_ID(given_id: Any) -> None:
    text = given_id if isinstance(given_id, str) else str(int(given_id))
    assert normalise_id(given_id) == text
    assert coded(pd.Series([given_id], dtype=object)).texts.to_pylist() == [text]


def columns(values: list[Any]) -> dict[str, pd.Series]:
    floats = [float(each) for each in values]
    return {
        "float64": pd.Series(floats),
        "Float64": pd.Series(floats, dtype="Float64"),
        "Arrow": pd.Series(floats, dtype=pd.ArrowDtype(pa.float64())),
        "object": pd.Series(floats, dtype=object),
        "mixed": pd.Series([*floats[:-1], "x"], dtype=object),
        "category": pd.Series(floats).astype("category"),
    }


@pytest.mark.parametrize("kind", columns([1.0]))
def test_ID_1_a_column_of_events_matches_nobody_by_it_and_says_so(
    profiles: tk.ProfileTable, kind: str
) -> None:
    ids = columns([2.0**53, 1e17, 123.0, np.nan, 1e17, 123.0])[kind]
    df = pd.DataFrame({"event": "View", "distinct_id": ids, "time": "2026-01-01"})
    events = tk.Events(df)
    with pytest.warns(InexactIdWarning, match="3 floats"):
        codes = events.ids.codes
    assert (codes[[0, 1, 4]] == -1).all()
    assert events.ids.texts.to_pylist()[0] == "123"
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # said once
        report = tk.match(events, profiles)
        assert "3 too large as a float to be exact" in str(report)
        assert report.matched_events == (1 if kind == "mixed" else 2)
        joined = tk.join(events, profiles, "a")["user.a"]
        assert joined.isna().tolist()[:5] == [True, True, False, True, True]


@pytest.mark.parametrize("kind", columns([1.0]))
def test_ID_1_a_float_column_made_of_integers_and_a_gap_keeps_its_IDs(kind: str) -> None:
    values = [1.0, 123.0, 2.0**53 - 1, np.nan, 7.0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = coded(columns(values)[kind])
    texts = found.texts.to_pylist()
    assert [texts[code] for code in found.codes[:3]] == ["1", "123", str(2**53 - 1)]


def test_ID_1_a_column_of_groups_says_so_too(profiles: tk.ProfileTable) -> None:
    df = pd.DataFrame({"event": "View", "distinct_id": "1", "time": "2026-01-01"}, index=range(3))
    plain = df.assign(company=[1e17, 5.0, np.nan])
    listed = df.assign(company=pd.Series([[1e17, 5.0], 1e17, None], dtype=object))
    for frame, lossy in ((plain, 1), (listed, 2)):
        with pytest.warns(InexactIdWarning, match=f"{lossy} float"):
            assert tk.Events(frame).groups("company").texts.to_pylist() == ["5"]
    assert coded_lists(plain["company"]).inexact == 1


@pytest.mark.parametrize(
    ("dtype", "limit"), [("float16", 2**11), ("float32", 2**24), ("float64", 2**53)]
)
def test_ID_1_smaller_floats_end_earlier(dtype: str, limit: int) -> None:
    series = pd.Series(np.array([limit - 1, limit], dtype))
    assert coded(series).texts.to_pylist() == [str(limit - 1)]
    assert is_inexact(series.to_numpy()).tolist() == [False, True]


def test_ID_1_decimals_are_exact() -> None:
    found = coded(pd.Series([Decimal(10**20), Decimal("1.5"), Decimal("12345678901234567.5")]))
    assert found.texts.to_pylist() == [str(10**20), "1.5"]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_ID_1_no_two_integers_have_one_ID(number: float) -> None:
    try:
        text = normalise_id(number)
    except InexactIdError:
        assert abs(number) >= 2**53
        return
    # Every whole number that reads as this float is this number.
    assert float(text) == number
    if number.is_integer():
        assert float(int(number) + 1) != number != float(int(number) - 1)


@pytest.mark.parametrize("given_id", [np.timedelta64(5, "D"), np.datetime64("2026-01-01")])
def test_MSG_4_times_and_durations_of_numpy_are_no_numbers(given_id: Any) -> None:
    with pytest.raises(InvalidIdError):
        normalise_id(given_id)


@pytest.mark.parametrize("endpoint", ["people", "events"])
def test_ID_1_it_is_refused_where_it_arrives(endpoint: str) -> None:
    sent = {
        "people": '{"$distinct_id": 100000000000000000.0, "$set": {}}',
        "events": '{"event": "View", "properties": {"distinct_id": 1e17}}',
    }
    with pytest.raises(tk.ToolkitError, match="digits"):
        tk.consumer(tk.ProfileTable()).send(endpoint, sent[endpoint])


#: What a spreadsheet leaves of a long number; and what only looks like it.
ROUNDED = ["1.23457E+17", "1,23457E+17", "1.2e+05", " 9E+15 ", "-1E+20"]
TEXTS = ["1E5", "4e10", "E+17", "12E+17", "+491234", "1.2.3E+17"]


@pytest.mark.parametrize("text", ROUNDED)
def test_ID_1_text_that_a_spreadsheet_rounded_is_an_ID_with_a_warning(text: str) -> None:
    profiles = tk.ProfileTable()
    with pytest.warns(InexactIdWarning, match="spreadsheet"):
        profiles.set(text, {"a": 1})
    result = profiles.apply([{"$distinct_id": text, "$set": {"a": 2}}])
    assert "ID-1" in result.warnings["reason"][0]
    frame = pd.DataFrame({"distinct_id": [text, "7"], "a": [3, 4]})
    for report in (profiles.set(frame), tk.import_frame(profiles, frame)):
        assert any(text in each and "ID-1" in each for each in report.notes)
    assert list(profiles) == [text, "7"] and profiles[text] == {"a": 3}
    companies = profiles.groups("company")
    group = {"$group_key": "company", "$group_id": text, "$set": {"a": 2}}
    assert "ID-1" in companies.apply([group]).warnings["reason"][0]

    events = pd.DataFrame({"event": "e", "distinct_id": text, "time": "2026-01-01Z", "g": [[text]]})
    with pytest.warns(InexactIdWarning, match="spreadsheet"):
        assert tk.Events(events).ids.texts.to_pylist() == [text]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tk.Events(events).groups("g")
    assert [each.category for each in caught] == [InexactIdWarning]


@pytest.mark.parametrize("text", TEXTS)
def test_ID_1_other_text_is_an_ID_without_a_word(text: str) -> None:
    profiles = tk.ProfileTable()
    assert len(profiles.set(text, {"a": 1}).warnings) == 0
    assert not profiles.set(pd.DataFrame({"distinct_id": [text], "a": [3]})).notes
    frame = pd.DataFrame({"event": "e", "distinct_id": [text], "time": "2026-01-01Z"})
    assert tk.Events(frame).ids.texts.to_pylist() == [text]


def test_ID_1_the_server_notes_it() -> None:
    taker = tk.consumer(tk.ProfileTable())
    taker.send("people", '{"$distinct_id": "1.23457E+17", "$set": {"a": 1}}')
    assert any("ID-1" in each for each in taker.notes)
