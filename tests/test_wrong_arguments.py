"""Arguments that are something else are refused in a few words, which say what to do."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import toolkit as tk
from toolkit.errors import ToolkitError, bounded

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
ON_BOTH: dict[str, tuple[Any, ...]] = {
    "cohort": ('user["plan"] == "pro"',),
    "flows": ("a",),
    "frequency": ("a",),
    "funnel": (["a", "b"],),
    "join": (["plan"],),
    "lifecycle": ("a",),
    "match": (),
    "retention": ("a",),
    "segmentation": ("a",),
}


@pytest.mark.parametrize("name", ON_BOTH)
@pytest.mark.parametrize("as_events", [tk.Events, pd.DataFrame])
@pytest.mark.parametrize("as_profiles", [lambda p: p, lambda p: p.where('user["plan"] == "pro"')])
def test_swapped_events_and_profiles_are_recognised(
    name: str, as_events: Callable[..., Any], as_profiles: Callable[..., Any]
) -> None:
    events, profiles = as_events(FRAME), as_profiles(table())
    function = getattr(tk, name)
    with pytest.raises(ToolkitError, match="Did you swap events and profiles"):
        function(profiles, events, *ON_BOTH[name])
    with pytest.raises(ToolkitError, match="Did you swap events and profiles"):
        function(events, events, *ON_BOTH[name])
    function(events, profiles, *ON_BOTH[name])


@pytest.mark.parametrize("events", [tk.Events(FRAME), FRAME], ids=["Events", "DataFrame"])
def test_forms_recognise_swapped_events_and_profiles_too(events: Any) -> None:
    profiles = table()
    for call in (
        lambda: tk.Users(events, profiles),
        lambda: tk.Users(events),
        lambda: tk.workbench(events, profiles),
        lambda: tk.workbench(events),
        lambda: tk.ReportBuilder(profiles, events),
        lambda: tk.ProfileEditor(events),
        lambda: tk.CsvImport(events),
        lambda: tk.cohorts(events),
    ):
        with pytest.raises(ToolkitError, match="Did you swap events and profiles"):
            call()


@pytest.mark.parametrize("write", [tk.write_csv, tk.write_messages, tk.write_people])
def test_only_profiles_are_written(write: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "out.json"
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
