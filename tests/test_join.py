"""Events meet profiles: rows stay as they are, cells are the latest state, near misses are told."""

from __future__ import annotations

from html import escape as html_escape
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st

import toolkit as tk
from toolkit import event, user
from toolkit.base import errors
from toolkit.base.ids import near_miss_keys, near_miss_reasons
from toolkit.base.values import Json


def profiles_of(profiles: dict[Any, dict[str, Json]]) -> tk.ProfileTable:
    table = tk.ProfileTable()
    messages = [{"$distinct_id": key, "$set": properties} for key, properties in profiles.items()]
    assert not len(table.apply(messages).rejected)
    return table


def events_of(ids: Any, **columns: Any) -> pd.DataFrame:
    return pd.DataFrame(
        {"event": "View", "distinct_id": ids, "time": "2026-05-01T12:00Z", **columns}
    )


# -- JOIN-1, JOIN-2 -----------------------------------------------------------------------


def test_JOIN_1_a_profile_written_after_the_events_joins_all_of_them() -> None:
    events = tk.Events(events_of(["ann", "ann"]))
    profiles = profiles_of({"ann": {"plan": "free"}})
    assert tk.join(events, profiles, "plan")["user.plan"].tolist() == ["free", "free"]
    profiles.set("ann", {"plan": "pro"})
    assert tk.join(events, profiles, "plan")["user.plan"].tolist() == ["pro", "pro"]
    profiles.delete("ann")
    assert tk.join(events, profiles, "plan")["user.plan"].isna().all()  # DELETE-1


@pytest.mark.parametrize(
    "index",
    [
        pd.Index([5, 5, 1]),
        pd.Index(["b", "a", "b"], name="key"),
        pd.MultiIndex.from_tuples([("a", 1), ("a", 1), ("b", 2)], names=["x", "y"]),
        pd.DatetimeIndex(["2026-01-03", "2026-01-01", "2026-01-01"]),
    ],
)
def test_JOIN_2_every_event_stays_in_its_order_with_its_index_and_dtypes(index: pd.Index) -> None:
    df = events_of(
        ["bob", "zoe", "ann"],
        amount=pd.array([1, None, 3], "Int64"),
        item=pd.Categorical(["x", None, "y"]),
        tags=[["a"], None, {"b": 1}],
    ).set_index(index)
    before = df.copy()
    profiles = profiles_of({"ann": {"plan": "pro"}, "bob": {"plan": "free"}})
    joined = tk.join(df, profiles)
    pd.testing.assert_frame_equal(joined[df.columns], before)
    pd.testing.assert_frame_equal(df, before)
    assert joined.columns.tolist() == [*df.columns, "user.plan"]
    assert joined["user.plan"].fillna("?").tolist() == ["free", "?", "pro"]


def test_JOIN_2_no_profile_no_property_and_null_are_missing_alike() -> None:
    profiles = profiles_of({"ann": {"x": "1"}, "bob": {"x": None}, "cas": {}, "dan": {"x": ""}})
    joined = tk.join(events_of(["ann", "bob", "cas", "dan", "eve", None, ""]), profiles, "x")
    assert joined["user.x"].isna().tolist() == [False, True, True, False, True, True, True]
    assert joined["user.x"].iloc[3] == ""


@pytest.mark.parametrize("ids", [[7, 8], [7.0, 8.0], ["7", "8"], [7, "8"]])
def test_JOIN_3_number_ids_join_text_ids(ids: Any) -> None:
    profiles = profiles_of({"7": {"plan": "pro"}, 8: {"plan": "free"}})
    joined = tk.join(events_of(ids), profiles, "plan")
    assert joined["user.plan"].tolist() == ["pro", "free"]


def test_JOIN_3_near_misses_do_not_join() -> None:
    profiles = profiles_of({"Ann": {"x": 1}, "7": {"x": 2}})
    joined = tk.join(events_of(["ann", " Ann", "07", "7.0"]), profiles, "x")
    assert joined["user.x"].isna().all()


def test_JOIN_4_another_at_is_refused_with_what_there_is() -> None:
    with pytest.raises(errors.JoinError, match="allowed are latest, event time"):
        tk.join(events_of(["a"]), tk.ProfileTable(), at="yesterday")  # type: ignore[arg-type]


# -- which columns, of which type ---------------------------------------------------------


def test_cells_have_the_dtype_of_their_property() -> None:
    profiles = profiles_of(
        {
            "ann": {
                "t": "x",
                "i": 2**53 + 1,
                "f": 0.5,
                "b": True,
                "m": 1,
                "l": [1],
                "n": None,
                "h": 2**70,
            },
            "bob": {"t": None, "i": None, "f": 2, "b": False, "m": "1", "l": {"a": 1}, "n": None},
        }
    )
    joined = tk.join(events_of(["bob", "ann", "eve"]), profiles)
    dtypes = {name: str(dtype) for name, dtype in joined.dtypes.items()}
    assert dtypes["user.t"] == "str"
    assert dtypes["user.i"] == "Int64"
    assert dtypes["user.f"] == "float64"
    assert dtypes["user.b"] == "boolean"
    assert [dtypes[f"user.{name}"] for name in "mlnh"] == ["object"] * 4
    assert joined["user.i"].tolist() == [pd.NA, 2**53 + 1, pd.NA]
    assert joined["user.f"].tolist()[:2] == [2.0, 0.5]
    assert joined["user.m"].tolist()[:2] == ["1", 1]
    assert joined["user.l"].tolist()[:2] == [{"a": 1}, [1]]
    assert joined["user.h"].tolist()[1] == 2**70
    assert joined.iloc[2, 3:].isna().all()


def test_lists_in_cells_are_copies() -> None:
    profiles = profiles_of({"ann": {"tags": ["a"]}})
    tk.join(events_of(["ann"]), profiles)["user.tags"].iloc[0].append("b")
    assert profiles["ann"] == {"tags": ["a"]}
    assert tk.join(events_of(["ann"]), profiles)["user.tags"].iloc[0] == ["a"]


def test_by_default_every_property_somebody_has_is_joined_but_hidden_ones() -> None:
    profiles = tk.ProfileTable()
    profiles.apply(
        [
            {"$distinct_id": "ann", "$set": {"plan": "pro", "bucket": 1, "$bucket": 2}},
            {"$distinct_id": "ann", "$set": {"gone": 1}},
            {"$distinct_id": "ann", "$unset": ["gone"]},
        ]
    )
    assert tk.join(events_of(["ann"]), profiles).columns.tolist()[3:] == ["user.plan"]


@pytest.mark.parametrize("name", ["$bucket", "bucket"])
def test_a_hidden_property_is_refused_by_name(name: str) -> None:
    profiles = profiles_of({"ann": {name: 1}})
    with pytest.raises(errors.JoinError, match="is hidden and cannot be joined"):
        tk.join(events_of(["ann"]), profiles, [name])


def test_properties_may_be_a_name_a_property_or_several_each_joined_once() -> None:
    profiles = profiles_of({"ann": {"a": 1, "b": 2}})
    df = events_of(["ann"])
    for properties in ("b", user["b"], ["b"], (user["b"], "b")):
        assert tk.join(df, profiles, properties).columns.tolist()[3:] == ["user.b"]
    assert tk.join(df, profiles, ["b", user["a"]]).columns.tolist()[3:] == ["user.b", "user.a"]
    assert tk.join(df, profiles, []).columns.tolist() == df.columns.tolist()


def test_property_names_may_be_any_text() -> None:
    names = ["", " ", 'naïve "q"', "日本", "a.b", "<b>", "user.plan", "{x}"]
    profiles = profiles_of({"ann": {name: number for number, name in enumerate(names)}})
    joined = tk.join(events_of(["ann"]), profiles, names)
    assert joined.iloc[0, 3:].tolist() == list(range(len(names)))
    assert joined.columns.tolist()[3:] == [f"user.{name}" for name in names]


@pytest.mark.parametrize(("wrong", "said"), [(event["item"], "property of events"), (7, "not 7")])
def test_what_is_no_user_property_is_refused(wrong: Any, said: str) -> None:
    with pytest.raises(errors.JoinError, match=said):
        tk.join(events_of(["ann"]), tk.ProfileTable(), [wrong])


def test_a_column_of_the_same_name_is_refused_with_what_to_do() -> None:
    profiles = profiles_of({"ann": {"plan": "pro"}})
    df = tk.join(events_of(["ann"]), profiles)
    with pytest.raises(
        errors.EventsError, match=r'already have a column "user\.plan"; rename or drop'
    ):
        tk.join(df, profiles)


def test_an_unknown_property_is_missing_throughout_and_warned_about() -> None:
    profiles = profiles_of({"ann": {"plan": "pro"}})
    with pytest.warns(
        errors.UnknownPropertyWarning, match='"plna".* Did you mean "plan"'
    ) as caught:
        joined = tk.join(events_of(["ann"]), profiles, "plna")
    assert joined["user.plna"].isna().all()
    assert caught[0].filename == __file__


def test_what_is_no_table_of_profiles_is_refused() -> None:
    with pytest.raises(errors.SwappedError, match="of type DataFrame"):
        tk.join(events_of(["ann"]), pd.DataFrame({"distinct_id": ["ann"]}))  # type: ignore[arg-type]


def test_updated_at_and_first_seen_join_as_times() -> None:
    profiles = tk.ProfileTable()
    profiles.set("ann", {"plan": "pro"}, time="2026-05-07T00:00:00Z")
    df = events_of(["ann", "bob", "ann", None])
    df["time"] = ["2026-05-03", "2026-05-04", "2026-05-01", "2026-05-01"]
    joined = tk.join(df, profiles, ["$last_seen", "$mp_first_event_time", "$distinct_id"])
    seen, first = joined["user.$last_seen"], joined["user.$mp_first_event_time"]
    assert str(seen.dtype) == str(first.dtype) == "datetime64[us, UTC]"
    assert seen.isna().tolist() == [False, True, False, True]
    assert seen.dt.day.tolist()[::2] == [7, 7]
    assert first.dt.day.tolist()[:3] == [1, 4, 1]
    assert pd.isna(first.iloc[3])
    assert joined["user.$distinct_id"].fillna("?").tolist() == ["ann", "?", "ann", "?"]


def test_no_events_and_no_profiles_join_to_no_rows_and_no_columns() -> None:
    profiles = profiles_of({"ann": {"plan": "pro", "age": 1, "tags": [1]}})
    joined = tk.join(events_of([]), profiles)
    assert joined.shape == (0, 6)
    assert str(joined["user.plan"].dtype) == "str"
    assert tk.join(events_of(["ann"]), tk.ProfileTable()).shape == (1, 3)


def test_the_event_columns_are_not_copied() -> None:
    df = events_of(["ann", "bob"], amount=[1.5, 2.5])
    joined = tk.join(df, profiles_of({"ann": {"plan": "pro"}}))
    assert np.shares_memory(joined["amount"].to_numpy(), df["amount"].to_numpy())
    joined.loc[0, "amount"] = 9.0
    assert df["amount"].tolist() == [1.5, 2.5]


simple = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-9, 9),
    st.text(max_size=2),
    st.lists(st.integers(0, 2), max_size=2),
)


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from("abcd"), st.dictionaries(st.just("p"), simple), max_size=4),
    st.lists(st.sampled_from(["a", "b", "c", "d", "e", "", None]), max_size=8),
)
def test_JOIN_2_a_join_is_a_lookup_event_by_event(
    profiles: dict[str, dict[str, Any]], ids: list[str | None]
) -> None:
    table = profiles_of({**profiles, "nobody": {"p": 0}})
    joined = tk.join(events_of(pd.Series(ids, dtype=object)), table, "p")
    assert joined.index.tolist() == list(range(len(ids)))
    for cell, distinct_id in zip(joined["user.p"].array, ids, strict=True):
        expected = profiles.get(distinct_id or "", {}).get("p")
        if expected is None:
            assert pd.isna(cell)
        else:
            assert isinstance(cell, bool | np.bool_) == isinstance(expected, bool)
            assert cell == expected


# -- match --------------------------------------------------------------------------------


def test_match_counts_events_ids_and_profiles() -> None:
    profiles = profiles_of({"ann": {}, "bob": {}, "cas": {}})
    report = tk.match(events_of(["ann", "ann", "bob", "eve", "eve", "zed", None, ""]), profiles)
    assert (report.events, report.matched_events, report.unmatched_events) == (8, 3, 3)
    assert report.events_without_id == 2
    assert (report.ids, report.matched_ids, report.unmatched_ids) == (4, 2, 2)
    assert (report.profiles, report.profiles_without_events) == (3, 1)
    assert repr(report) == (
        "3 of 8 events (2 of 4 distinct IDs) have a profile; 2 IDs unmatched; "
        "2 events without a distinct ID (1 missing, 1 empty); 1 profile without events"
    )


def test_unmatched_ids_stand_in_order_of_their_events() -> None:
    report = tk.match(events_of(["b", "a", "c", "c"]), profiles_of({"x": {}}))
    assert report.unmatched["distinct_id"].tolist() == ["c", "a", "b"]
    assert report.unmatched["events"].tolist() == [2, 1, 1]
    assert report.unmatched["near_miss"].isna().all()
    assert len(report.near_misses) == 0


def test_JOIN_3_near_misses_are_reported_with_the_reason_and_placeholders_named() -> None:
    profiles = profiles_of({"Ann@x.no": {}, "7": {}, "bob": {}})
    report = tk.match(
        events_of(["ann@x.no", "007", "7.0", " bob ", "NULL", "eve", "bob"]), profiles
    )
    reasons = dict(
        zip(report.unmatched["distinct_id"], report.unmatched["reason"].fillna(""), strict=True)
    )
    assert reasons == {
        "ann@x.no": "case",
        "007": "leading zeros",
        "7.0": ".0",
        " bob ": "spaces",
        "NULL": "placeholder",
        "eve": "",
    }
    nearest = dict(
        zip(report.near_misses["distinct_id"], report.near_misses["near_miss"], strict=True)
    )
    assert nearest == {"ann@x.no": "Ann@x.no", "007": "7", "7.0": "7", " bob ": "bob"}
    assert report.matched_ids == 1


INVISIBLE = ["ann\u200b", "\ufeffann", "an\u00adn", "\u200eann", "an\u2060n"]
FORMS = [
    ("Zoe\u0308", "Zo\xeb"),
    ("Zo\xeb", "Zoe\u0308"),
    ("\uff17\uff18", "78"),
    ("a\xa0b", "a b"),
]


@pytest.mark.parametrize(
    ("given", "known", "reason"),
    [
        *((given, "ann", "invisible characters") for given in INVISIBLE),
        *(("ann", known, "invisible characters") for known in INVISIBLE),
        *((given, known, "Unicode form") for given, known in FORMS),
        ("ann\u200b ", "Ann", "invisible characters, spaces, case"),
        ("\u200b007", "7", "invisible characters, leading zeros"),
        ("ZOE\u0308", "zo\xeb", "Unicode form, case"),
    ],
)
def test_JOIN_3_what_looks_the_same_is_a_near_miss_and_never_joined(
    given: str, known: str, reason: str
) -> None:
    profiles = profiles_of({known: {"x": 1}, "other": {}})
    events = events_of([given, "other"])
    assert tk.join(events, profiles, "x")["user.x"].isna().all()
    report = tk.match(events, profiles)
    assert report.near_misses.to_dict("records") == [
        {"distinct_id": given, "events": 1, "near_miss": known, "reason": reason}
    ]
    card = report._repr_html_()
    assert html_escape(repr(given)) in card or html_escape(ascii(given)) in card
    assert given not in profiles


def test_JOIN_3_what_was_meant_is_named_where_a_profile_is_asked_for() -> None:
    profiles = profiles_of({"ann": {}, "Zo\xeb": {}})
    for asked in ("ann\u200b", "\ufeffann", "Zoe\u0308"):
        with pytest.raises(errors.ProfileNotFoundError, match="there is"):
            profiles[asked]


def test_match_counts_the_near_misses_among_the_unmatched() -> None:
    profiles = profiles_of({"ann": {}, "bob": {}})
    assert "; 3 IDs unmatched, 2 of them near misses" in repr(
        tk.match(events_of(["Ann", "bob ", "eve"]), profiles)
    )
    one = tk.match(events_of(["Ann", "bob", "eve"]), profiles)
    assert "; 2 IDs unmatched, 1 of them a near miss" in repr(one)
    assert repr(tk.match(events_of(["ann", "bob"]), profiles)).endswith("; 0 IDs unmatched")


def test_the_match_card_shows_near_misses_first_and_their_spaces() -> None:
    ids = [*["eve"] * 3, *["zed"] * 2, "bob "]
    report = tk.match(events_of(ids), profiles_of({"bob": {}}))
    shown = report._repr_html_()
    assert "<td>&#x27;bob &#x27;</td>" in shown
    assert shown.index("&#x27;bob &#x27;") < shown.index("<td>eve</td>") < shown.index("zed")
    assert "2 other distinct IDs without a profile:" in shown
    assert report.near_misses["distinct_id"].tolist() == ["bob "]  # not in quotes


def test_match_says_why_events_have_no_ID() -> None:
    report = tk.match(events_of(pd.Series([["a"], "b"], dtype=object)), profiles_of({"b": {}}))
    assert "; 1 event without a distinct ID (1 of type list)" in repr(report)
    assert "1 event without a distinct ID (1 of type list)." in report._repr_html_()


def test_match_of_nothing_is_nothing() -> None:
    report = tk.match(events_of([]), tk.ProfileTable())
    assert (report.events, report.ids, report.profiles, len(report.unmatched)) == (0, 0, 0, 0)
    assert report._repr_html_()


def test_match_escapes_ids_in_html() -> None:
    report = tk.match(events_of(["<script>", "<SCRIPT>"]), profiles_of({"<script>": {}}))
    shown = report._repr_html_()
    assert "<script" not in shown.lower().replace("&lt;script", "")
    assert "1 distinct ID" in shown


# -- near misses --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "known", "reason"),
    [
        ("Ann", "ann", "case"),
        ("Ann", "ANN", "case"),
        (" ann", "ann", "spaces"),
        ("ann\t", " ann", "spaces"),
        (" Ann", "ann", "spaces, case"),
        (" a", " A", "case"),
        ("007", "7", "leading zeros"),
        ("7", "07", "leading zeros"),
        ("7.0", "7", ".0"),
        ("7", "7.00", ".0"),
        ("007.0", "7", ".0, leading zeros"),
        (" 07.0", "7", "spaces, .0, leading zeros"),
        ("0.0", "0", ".0"),
        ("ÄÖ", "äö", "case"),
        ("00A", "0a", "case, leading zeros"),
    ],
)
def test_JOIN_3_a_near_miss_shares_a_key_and_the_difference_is_named(
    given: str, known: str, reason: str
) -> None:
    left, right = pa.array([given], pa.large_string()), pa.array([known], pa.large_string())
    assert near_miss_keys(left) == near_miss_keys(right)
    assert near_miss_reasons(left, right).to_pylist() == [reason]


@pytest.mark.parametrize(
    ("given", "known"),
    [
        ("7.5", "7"),
        ("a0", "a"),
        ("70", "7"),
        ("1.0.0", "1"),
        ("a.0", "a"),
        ("-7", "7"),
        ("a b", "ab"),
    ],
)
def test_ids_that_mean_something_else_are_no_near_misses(given: str, known: str) -> None:
    left, right = pa.array([given], pa.large_string()), pa.array([known], pa.large_string())
    assert near_miss_keys(left) != near_miss_keys(right)
