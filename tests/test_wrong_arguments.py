"""Arguments that are something else are refused in a few words, which say what to do."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import toolkit as tk
from toolkit.base import errors
from toolkit.base.errors import ToolkitError, bounded
from toolkit.expressions.evaluation import evaluate, mask_of

FRAME = pd.DataFrame(
    {"event": ["a"], "distinct_id": ["1"], "time": pd.to_datetime(["2026-01-01"], utc=True)}
)
BIG = {
    "frame": pd.DataFrame({f"column {n}": range(1_000) for n in range(30)}),
    "list": list(range(5_000)),
    "dict": {f"key {n}": n for n in range(2_000)},
    "text": "x" * 5_000,
}


def table() -> tk.ProfileTable:
    profiles = tk.ProfileTable()
    profiles.set("1", {"plan": "pro"})
    return profiles


#: Everything that takes events and profiles, with what else it needs.
ON_BOTH: dict[str, dict[str, Any]] = {
    "ReportBuilder": {},
    "Users": {},
    "cohort": {"definition": 'user["plan"] == "pro"'},
    "flows": {"event": "a"},
    "frequency": {"birth": "a"},
    "funnel": {"steps": ["a", "b"]},
    "join": {"properties": ["plan"]},
    "lifecycle": {"event": "a"},
    "match": {},
    "profile_report": {},
    "retention": {"birth": "a"},
    "segmentation": {"event": "a"},
    "workbench": {},
}
#: What comes first in their signatures: the subject of forms is profiles, of all else events.
FORMS = {"ReportBuilder", "Users", "profile_report", "workbench"}


def test_each_function_and_form_on_events_and_profiles_is_tried_and_has_them_in_order() -> None:
    found = {}
    for name in tk.__all__:
        public = getattr(tk, name)
        if callable(public) and not (isinstance(public, type) and issubclass(public, Exception)):
            both = {"events", "profiles"}
            taken = [each for each in signature(public).parameters if each in both]
            if len(taken) == 2:
                found[name] = taken[0]
    del found["MatchReport"], found["Workbench"]  # numbers; what workbench makes
    assert found == {name: "profiles" if name in FORMS else "events" for name in ON_BOTH}


@pytest.mark.parametrize("name", ON_BOTH)
@pytest.mark.parametrize("as_events", [tk.Events, pd.DataFrame])
@pytest.mark.parametrize("as_profiles", [lambda p: p, lambda p: p.where('user["plan"] == "pro"')])
def test_swapped_events_and_profiles_are_recognised(
    name: str, as_events: Callable[..., Any], as_profiles: Callable[..., Any]
) -> None:
    events, profiles = as_events(FRAME), as_profiles(table())
    function = partial(getattr(tk, name), **ON_BOTH[name])
    for wrong in ((profiles, events), (events, events), (profiles, profiles)):
        with pytest.raises(errors.SwappedError, match="Did you swap events and profiles") as error:
            function(events=wrong[0], profiles=wrong[1])
        assert isinstance(error.value, ToolkitError)
        assert isinstance(error.value, TypeError)
        assert isinstance(error.value, ValueError)
    if name in ("Users", "workbench") and not isinstance(profiles, tk.ProfileTable):
        return  # which change the profiles they show
    function(events=events, profiles=profiles)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: tk.segmentation(FRAME, "Buy"), "after the events comes a ProfileTable, or None"),
        (lambda: tk.segmentation(FRAME, "shop.db", "Buy"), 'give tk.ProfileTable("shop.db")'),
        (lambda: tk.segmentation(FRAME, table().frame, "Buy"), "give the ProfileTable itself"),
        (lambda: tk.profile_report(table(), by=tk.bucket("plan", 10)), 'write user["plan"]'),
        (lambda: tk.segmentation(FRAME, None, "Buy", measure="uniques"), 'Did you mean "unique"?'),
        (lambda: tk.segmentation(FRAME, None, "Buy", measure="mean"), 'Did you mean "average"?'),
        (lambda: tk.segmentation(FRAME, None, "Buy", unit="weeks"), 'Did you mean "week"?'),
        (lambda: tk.funnel(FRAME, None, ["Buy", "Buy"], count="uniques"), 'mean "unique"?'),
    ],
)
def test_a_likely_mistake_has_a_hint(call: Callable[[], Any], said: str) -> None:
    with pytest.raises(ToolkitError) as error:
        call()
    assert said in str(error.value)
    assert "swap" not in str(error.value)


@pytest.mark.parametrize("events", [tk.Events(FRAME), FRAME], ids=["Events", "DataFrame"])
def test_events_in_place_of_profiles_alone_are_recognised_too(events: Any) -> None:
    for call in (
        lambda: tk.ProfileEditor(events),
        lambda: tk.CsvImport(events),
        lambda: tk.cohorts(events),
        lambda: tk.revenue(events),
        lambda: tk.serve(events),
        lambda: tk.consumer(events),
        lambda: tk.set_where(events, "true", {"plan": "pro"}),
        lambda: tk.ReportBuilder(events),
        lambda: tk.Users(events),
    ):
        with pytest.raises(ToolkitError, match="Did you swap events and profiles"):
            call()


@pytest.mark.parametrize("write", [tk.write_csv, tk.write_messages, tk.write_people])
def test_only_profiles_are_written(write: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "out"
    for wrong in (tk.Events(FRAME), FRAME, None, [{"$distinct_id": "1"}]):
        with pytest.raises(ToolkitError, match="a ProfileTable is needed"):
            write(wrong, path)
    assert not path.exists()
    write(table().where('user["plan"] == "pro"'), path)
    assert path.exists()


def test_a_table_made_from_a_frame_says_what_to_do_instead() -> None:
    with pytest.raises(ToolkitError) as error:
        tk.ProfileTable(BIG["frame"])
    assert "profiles.set(frame) or tk.import_frame(profiles, frame)" in str(error.value)
    assert len(str(error.value)) < 250 and "\n" not in str(error.value)
    with pytest.raises(ToolkitError, match=r"profiles\.apply\(messages\)"):
        tk.ProfileTable([{"$distinct_id": "1", "$set": {}}])  # type: ignore[arg-type]
    with pytest.raises(ToolkitError, match="path is of type Events"):
        tk.ProfileTable(tk.Events(FRAME))  # type: ignore[arg-type]


CALLS: dict[str, Callable[[Any], object]] = {
    "groups": lambda big: table().groups(big),
    "undo": lambda big: table().undo(big),
    "redo": lambda big: table().redo(big),
    "compact": lambda big: table().compact(big),
    "as_of": lambda big: table().as_of(big),
    "start": lambda big: tk.segmentation(FRAME, None, "a", start=big),
    "tz": lambda big: tk.segmentation(FRAME, None, "a", tz=big),
    "by": lambda big: tk.segmentation(FRAME, None, "a", by=big),
    "window": lambda big: tk.funnel(FRAME, None, ["a", "b"], window=big),
    "top": lambda big: tk.flows(FRAME, None, "a", top=big),
    "limits": lambda big: tk.ProfileTable(limits=big),
    "path": tk.ProfileTable,
    "geo": tk.GeoDatabase,
}


@pytest.mark.parametrize("big", ["list", "dict", "text"])
@pytest.mark.parametrize("call", CALLS)
def test_no_error_prints_a_whole_argument(call: str, big: str) -> None:
    if (call, big) in {("path", "text"), ("geo", "text")}:
        pytest.skip("a path may be any text; the system refuses it")
    try:
        CALLS[call](BIG[big])
    except ToolkitError as error:
        assert len(str(error)) < 800
        assert str(error)[-1:] not in ("…", "[")


def test_the_ends_of_a_message_stay_and_the_argument_does_not() -> None:
    rows = str(BIG["frame"])
    told = bounded(f"start={rows}; a date or time is needed, such as 2026-05-01")
    assert told.endswith("; a date or time is needed, such as 2026-05-01")
    assert "\n" not in told and len(told) < 300
    told = bounded(f"top={BIG['list']}; a number is needed")
    assert told.startswith("top=[0, 1, 2") and told.endswith("; a number is needed")
    # A long message that lists columns to be mapped is not an argument.
    mapping = "map the columns: " + ", ".join(f"column {n}" for n in range(300))
    assert bounded(mapping) == mapping
    error = ToolkitError(f"x={'y' * 9_000}; no")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_COPY_1_what_is_handed_out_is_a_copy() -> None:
    profiles = tk.ProfileTable()
    profiles.set("1", {"plan": "free", "tags": ["a"]})
    profiles["1"]["plan"] = "pro"
    profiles["1"]["tags"].append("b")  # type: ignore[union-attr]
    frame = profiles.frame
    frame.loc["1", "plan"] = "pro"
    profiles.frame.loc["1", "tags"].append("b")
    profiles.where("true")["1"]["plan"] = "pro"
    of_view, history = profiles.where("true").frame, profiles.history("1")
    of_view.loc["1", "plan"] = "pro"
    history.loc[:, "new"] = "pro"
    assert profiles["1"] == {"plan": "free", "tags": ["a"]}
    with pytest.raises(ToolkitError, match=r"profiles\.set\('1'"):
        profiles["1"] = {"plan": "pro"}
    with pytest.raises(ToolkitError, match="a number of more than 4,300 digits"):
        profiles[10**5000] = {"plan": "pro"}
    with pytest.raises(ToolkitError, match=r"profiles\.delete\('1'\)"):
        del profiles["1"]
    assert "1" in profiles
    profiles.set(frame)
    assert profiles["1"]["plan"] == "pro"


def test_COPY_1_is_said_where_people_look() -> None:
    said = (tk.ProfileTable.__doc__, tk.ProfileTable.frame.__doc__)
    for each in (*said, tk.ProfileTable.__getitem__.__doc__):
        assert "COPY-1" in str(each) and "profiles.set" in str(each)
    readme = (Path(__file__).parent.parent / "README.md").read_text()
    assert 'profiles["1001"]["plan"] = "pro"' in readme


@pytest.mark.parametrize(
    ("name", "meant"),
    [("increment", "add"), ("updatee", "set"), ("apppend", "append"), ("filter", "where")],
)
def test_a_misspelt_name_of_a_table_is_asked_for(name: str, meant: str) -> None:
    with pytest.raises(AttributeError, match=f'Did you mean .*"{meant}"'):
        getattr(tk.ProfileTable(), name)


def test_a_name_like_no_other_is_refused_as_usual() -> None:
    with pytest.raises(AttributeError, match=r"has no attribute 'qqqqq'$"):
        getattr(tk.ProfileTable(), "qqqqq")  # noqa: B009
    assert not hasattr(tk.ProfileTable(), "_repr_mimebundle_")


def test_a_DataFrame_given_to_import_csv_is_told_what_imports_it() -> None:
    frame = pd.DataFrame({"distinct_id": ["1"], "a": [1]})
    with pytest.raises(errors.CsvError, match=r"import_frame.*profiles\.set\(frame\)"):
        tk.import_csv(tk.ProfileTable(), frame)  # type: ignore[arg-type]


def test_a_file_of_which_no_row_can_be_imported_does_not_offer_the_other_0() -> None:
    with pytest.raises(errors.CsvRowsError, match="Correct the file") as caught:
        tk.import_csv(
            tk.ProfileTable(),
            b"id,a,when\n1,x,soon\n2,y,later\n",
            {"id": "$distinct_id", "a": "a", "when": "$time"},
        )
    assert "other 0" not in str(caught.value)


def test_the_choice_of_many_values_names_isin() -> None:
    with pytest.raises(errors.ExpressionError, match=r"\.isin\("):
        assert tk.user["plan"] in ["pro", "basic"]


def test_an_ID_after_its_properties_is_asked_for() -> None:
    with pytest.raises(errors.ArgumentError, match="Did you swap the ID and the properties"):
        tk.ProfileTable().set({"plan": "pro"}, "a")  # type: ignore[call-overload]


def test_every_import_takes_key_for_the_column_of_the_IDs() -> None:
    frame = pd.DataFrame({"tailnum": ["a"], "seats": [1]})
    tables = [tk.ProfileTable() for _ in range(3)]
    tk.import_frame(tables[0], frame, key="tailnum")
    tables[1].set(frame, key="tailnum")
    tk.import_csv(tables[2], b"tailnum,seats\na,1\n", key="tailnum")
    assert [dict(table["a"])["seats"] for table in tables] == [1, 1, 1]
    with pytest.raises(errors.FrameError, match="give one"):
        tk.import_frame(tables[0], frame, key="tailnum", distinct_id="seats")


@pytest.mark.parametrize("name", ["buy", "iPhone opened"])
def test_titles_keep_the_names_of_events(name: str) -> None:
    events = pd.DataFrame({"event": name, "distinct_id": ["a"], "time": ["2026-05-01"]})
    assert tk.retention(events, None, name, name).title.startswith(name)
    assert tk.lifecycle(events, None, name).title.startswith(name)
    assert tk.frequency(events, None, name, name).title.startswith(name)
    assert tk.flows(events, None, name, after=1).title.startswith(f"After {name}: ")
    profiles = tk.ProfileTable()
    profiles.set("a", {name: 1})
    told = tk.profile_report(profiles, measure="sum", of=name).title
    assert told == f"Sum of user.{name}"


def test_a_name_that_is_not_there_is_told_with_those_that_are() -> None:
    profiles = table()
    tk.cohorts(profiles).save(tk.cohort_of(["1"], "Paying"))
    profiles.remembered("templates")["Weekly"] = {"a": 1}
    for look in (
        lambda: tk.cohorts(profiles)["paying"],
        lambda: tk.cohorts(profiles).pop("paying"),
        lambda: tk.cohorts(profiles).__delitem__("paying"),
    ):
        with pytest.raises(ToolkitError, match=r'no saved cohort "paying".*Did you mean "Paying"'):
            look()
        with pytest.raises(KeyError):
            look()
    with pytest.raises(KeyError, match=r'no name in templates "weekly".*Did you mean "Weekly"'):
        profiles.remembered("templates")["weekly"]
    assert tk.cohorts(profiles).get("paying") is None
    for wrong in BIG.values():
        with pytest.raises(ToolkitError):
            tk.cohorts(profiles)[wrong]  # type: ignore[index]
        assert tk.cohorts(profiles).get(wrong) is None  # type: ignore[call-overload]
        assert wrong is BIG["frame"] or wrong not in tk.cohorts(profiles)
    assert list(tk.cohorts(profiles)) == ["Paying"]


def test_a_view_names_a_near_ID_too() -> None:
    for some in (table(), table().where("true")):
        with pytest.raises(KeyError, match="there is '1'"):
            some["001"]
    with pytest.raises(ToolkitError, match='no segment "Pro"'):
        tk.profile_report(table(), by="plan").users(segment="Pro")


ODD = [None, "x", 1.5, True, [], {}, object(), float("nan"), "\0", "\ud800", b"x", -1, 10**30,
       pd.DataFrame({"a": [1]}), np.datetime64("2026-01-01")]  # fmt: skip


@pytest.mark.parametrize(
    "odd", ODD, ids=[f"{type(each).__name__}-{n}" for n, each in enumerate(ODD)]
)
def test_what_reaches_the_inside_is_answered_in_words(odd: Any, tmp_path: Path) -> None:
    events = tk.Events(
        pd.DataFrame(
            {"event": ["e"], "distinct_id": ["1"], "time": ["2026-01-01Z"], "company": "a"}
        )
    )
    with tk.ProfileTable(tmp_path / "shop.db") as profiles:
        profiles.set("1", {"plan": "pro"})
        cohort = tk.cohort(events, profiles, tk.user["plan"] == "pro")
        saved = tk.cohorts(profiles)
        calls: list[Callable[[Any], Any]] = [
            profiles.past_of("1").at,
            events.column,
            events.called,
            events.groups,
            lambda code: events.named(code, counted=True),
            partial(evaluate, cohort),
            partial(mask_of, cohort),
            saved.update,
            lambda cohort: saved.update({"one": cohort}),
            lambda path: profiles.backup(
                tmp_path if isinstance(path, str) and path == "x" else path
            ),
        ]
        for call in calls:
            try:
                call(odd)
            except ToolkitError as error:
                assert len(str(error)) > 15
        assert "one" not in saved


def test_several_cohorts_are_kept_all_or_none() -> None:
    profiles = tk.ProfileTable()
    saved = tk.cohorts(profiles)
    one = tk.cohort_of(["1"], "One")
    with pytest.raises(errors.ArgumentError, match="is not a cohort"):
        saved.update({"One": one, "Two": "2"})
    assert list(saved) == []
    saved.update({"One": one}, Two=one)
    assert list(saved) == ["One", "Two"]


def test_a_backup_goes_to_a_file(tmp_path: Path) -> None:
    with tk.ProfileTable(tmp_path / "shop.db") as profiles:
        for path in ("/dev/null", tmp_path, "", "\ud800", "a\0b", 1, None, tmp_path / "no" / "a.db",
                     tmp_path / "shop.db"):  # fmt: skip
            with pytest.raises(ToolkitError):
                profiles.backup(path, overwrite=True)  # type: ignore[arg-type]
        assert [each.name for each in tmp_path.iterdir() if each.suffix == ".db"] == ["shop.db"]
