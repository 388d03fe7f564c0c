"""Hostile arguments, to every public name: each error is a ToolkitError."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import toolkit as tk
from toolkit import user

HOSTILE: dict[str, Any] = {
    "many digits": 10**5000,
    "minus many digits": -(10**5000),
    "no float": 10**400,
    "NUL": "a\0b",
    "NUL in a path": "/nope\0.csv",
    "half a surrogate pair": "\ud800",
    "long": "x" * 10_000,
    "empty": "",
    "NaN": float("nan"),
    "infinity": float("inf"),
    "None": None,
    "True": True,
    "list": [],
    "nested": [[[]]],
    "dict": {},
    "number keys": {1: 2},
    "object": object(),
    "bytes": b"x",
    "NaT of numpy": np.datetime64("NaT", "us"),
    "NaT": pd.NaT,
    "NA": pd.NA,
    "negative": -1,
    "fraction": 3.5,
    "function": len,
    "complex": 1j,
    "type": type,
    "array": np.array([1, 2]),
    "frame": pd.DataFrame({"a": [1]}),
    "series": pd.Series([1, 2]),
    "set": {1},
    "tuple": ("a", "b"),
    "full list": ["a"],
    "full dict": {"a": 1},
}

VIEW = pd.DataFrame({"event": ["View"], "distinct_id": ["1"], "time": ["2026-05-01"], "n": [1]})


def table() -> tk.ProfileTable:
    profiles = tk.ProfileTable()
    profiles.set("1", {"plan": "pro"})
    return profiles


def raw_errors(call: Callable[[Any], object]) -> list[str]:
    """Return the errors, of every hostile argument, that are none of the toolkit's."""
    raw = []
    for kind, given in HOSTILE.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                call(given)
            except tk.ToolkitError as error:
                assert str(error)
            except Exception as error:
                raw.append(f"{kind}: {type(error).__name__}")
    return raw


Call = Callable[[Any, tk.ProfileTable, tk.Events], object]
CALLS: dict[str, Call] = {
    "ProfileTable": lambda h, p, ev: tk.ProfileTable(h),
    "set id": lambda h, p, ev: p.set(h, {"a": 1}),
    "set arg": lambda h, p, ev: p.set("1", h),
    "set value": lambda h, p, ev: p.set("1", {"a": h}),
    "set time": lambda h, p, ev: p.set("1", {"a": 1}, time=h),
    "add": lambda h, p, ev: p.add("1", h),
    "union": lambda h, p, ev: p.union("1", h),
    "unset": lambda h, p, ev: p.unset("1", h),
    "delete": lambda h, p, ev: p.delete(h),
    "edit": lambda h, p, ev: p.edit(h, {"a": 1}, expected=None),
    "edit2": lambda h, p, ev: p.edit("1", h, expected=None),
    "getitem": lambda h, p, ev: p[h],
    "get": lambda h, p, ev: p.get(h),
    "in": lambda h, p, ev: h in p,
    "history": lambda h, p, ev: p.history(h),
    "explain": lambda h, p, ev: p.explain("1", h),
    "explain id": lambda h, p, ev: p.explain(h, "plan"),
    "as_of": lambda h, p, ev: p.as_of(h),
    "as_of b": lambda h, p, ev: p.as_of(batch=h),
    "diff": lambda h, p, ev: p.diff(h),
    "undo": lambda h, p, ev: p.undo(h),
    "redo": lambda h, p, ev: p.redo(h),
    "compact": lambda h, p, ev: p.compact(h, dry_run=True),
    "where": lambda h, p, ev: p.where(h),
    "groups": lambda h, p, ev: p.groups(h),
    "apply": lambda h, p, ev: p.apply(h),
    "apply1": lambda h, p, ev: p.apply([h]),
    "title": lambda h, p, ev: p.title(h),
    "last_seen": lambda h, p, ev: p.last_seen(h),
    "past_of": lambda h, p, ev: p.past_of(h),
    "set frame key": lambda h, p, ev: p.set(pd.DataFrame({"distinct_id": ["1"]}), key=h),
    "timeline": lambda h, p, ev: p.timeline(h),
    "remembered": lambda h, p, ev: p.remembered(h),
    "preview_csv": lambda h, p, ev: tk.preview_csv(h),
    "import_csv": lambda h, p, ev: tk.import_csv(p, h),
    "import_csv map": lambda h, p, ev: tk.import_csv(p, b"id,a\n1,2\n", mapping=h),
    "import_csv p": lambda h, p, ev: tk.import_csv(h, b"id,a\n1,2\n"),
    "import_csv time": lambda h, p, ev: tk.import_csv(p, b"id,a\n1,2\n", time=h),
    "read_messages": lambda h, p, ev: list(tk.read_messages(h)),
    "write_messages": lambda h, p, ev: tk.write_messages(p, h),
    "read_people": lambda h, p, ev: list(tk.read_people(h)),
    "write_people": lambda h, p, ev: tk.write_people(p, h),
    "write_csv": lambda h, p, ev: tk.write_csv(p, h),
    "import_frame": lambda h, p, ev: tk.import_frame(p, h),
    "import_frame time": lambda h, p, ev: tk.import_frame(
        p, pd.DataFrame({"distinct_id": ["1"], "t": [1]}), time=h
    ),
    "import_frame id": lambda h, p, ev: tk.import_frame(
        p, pd.DataFrame({"distinct_id": ["1"]}), distinct_id=h
    ),
    "Events": lambda h, p, ev: tk.Events(h),
    "Events time": lambda h, p, ev: tk.Events(ev.frame, time=h),
    "Events cells": lambda h, p, ev: (
        tk.Events(
            pd.DataFrame(
                {"event": ["a"], "distinct_id": ["1"], "time": pd.Series([h], dtype=object)}
            )
        ).times
    ),
    "Events ev": lambda h, p, ev: (
        tk.Events(
            pd.DataFrame(
                {
                    "event": pd.Series([h], dtype=object),
                    "distinct_id": ["1"],
                    "time": ["2026-01-01"],
                }
            )
        ).names
    ),
    "by_group": lambda h, p, ev: ev.by_group(h),
    "join": lambda h, p, ev: tk.join(ev, p, h),
    "join ev": lambda h, p, ev: tk.join(h, p),
    "join p": lambda h, p, ev: tk.join(ev, h),
    "match": lambda h, p, ev: tk.match(h, p),
    "match g": lambda h, p, ev: tk.match(ev, p, group=h),
    "seg name": lambda h, p, ev: tk.segmentation(ev, p, h),
    "seg by": lambda h, p, ev: tk.segmentation(ev, p, "View", by=h),
    "seg where": lambda h, p, ev: tk.segmentation(ev, p, "View", where=h),
    "seg start": lambda h, p, ev: tk.segmentation(ev, p, "View", start=h),
    "seg end": lambda h, p, ev: tk.segmentation(ev, p, "View", end=h),
    "seg unit": lambda h, p, ev: tk.segmentation(ev, p, "View", unit=h),
    "seg tz": lambda h, p, ev: tk.segmentation(ev, p, "View", tz=h),
    "seg measure": lambda h, p, ev: tk.segmentation(ev, p, "View", measure=h),
    "seg top": lambda h, p, ev: tk.segmentation(ev, p, "View", by="event", top=h),
    "seg at": lambda h, p, ev: tk.segmentation(ev, p, "View", at=h),
    "funnel": lambda h, p, ev: tk.funnel(ev, p, h),
    "funnel2": lambda h, p, ev: tk.funnel(ev, p, ["View", h]),
    "funnel window": lambda h, p, ev: tk.funnel(ev, p, ["View", "View"], window=h),
    "funnel excl": lambda h, p, ev: tk.funnel(ev, p, ["View", "View"], exclude=h),
    "funnel hold": lambda h, p, ev: tk.funnel(ev, p, ["View", "View"], hold=h),
    "funnel order": lambda h, p, ev: tk.funnel(ev, p, ["View", "View"], order=h),
    "retention birth": lambda h, p, ev: tk.retention(ev, p, h),
    "retention buckets": lambda h, p, ev: tk.retention(ev, p, "View", buckets=h),
    "retention criteria": lambda h, p, ev: tk.retention(ev, p, "View", criteria=h),
    "flows": lambda h, p, ev: tk.flows(ev, p, h),
    "flows after": lambda h, p, ev: tk.flows(ev, p, "View", after=h),
    "flows expand": lambda h, p, ev: tk.flows(ev, p, "View", expand=h),
    "lifecycle": lambda h, p, ev: tk.lifecycle(ev, p, h),
    "lifecycle unit": lambda h, p, ev: tk.lifecycle(ev, p, unit=h),
    "frequency": lambda h, p, ev: tk.frequency(ev, p, h),
    "cohort": lambda h, p, ev: tk.cohort(ev, p, h),
    "cohort_of": lambda h, p, ev: tk.cohort_of(h, "x"),
    "did": lambda h, p, ev: tk.did(h),
    "did within": lambda h, p, ev: tk.did("View", within=h),
    "did least": lambda h, p, ev: tk.did("View", at_least=h),
    "total_of": lambda h, p, ev: tk.total_of(h, "View"),
    "profile_report": lambda h, p, ev: tk.profile_report(p, by=h),
    "profile_report m": lambda h, p, ev: tk.profile_report(p, measure=h),
    "revenue": lambda h, p, ev: tk.revenue(h),
    "user[]": lambda h, p, ev: user[h],
    "user==": lambda h, p, ev: user["a"] == h,
    "user<": lambda h, p, ev: user["a"] < h,
    "isin": lambda h, p, ev: user["a"].isin(h),
    "contains": lambda h, p, ev: user["a"].contains(h),
    "group": lambda h, p, ev: tk.group(h),
    "bucket": lambda h, p, ev: tk.bucket(h, 10),
    "bucket2": lambda h, p, ev: tk.bucket("a", h),
    "items": lambda h, p, ev: tk.items(h, ["a"]),
    "step": lambda h, p, ev: tk.step(h),
    "metric": lambda h, p, ev: tk.metric(h),
    "update_where": lambda h, p, ev: tk.update_where(p, h, {"$set": {"a": 1}}),
    "update_where2": lambda h, p, ev: tk.update_where(p, None, h, dry_run=True),
    "set_where": lambda h, p, ev: tk.set_where(p, None, h, dry_run=True),
    "unset_where": lambda h, p, ev: tk.unset_where(p, None, h, dry_run=True),
    "rename_where": lambda h, p, ev: tk.rename_where(p, None, h, dry_run=True),
    "find_duplicates": lambda h, p, ev: tk.find_duplicates(p, h),
    "deduplicate": lambda h, p, ev: tk.deduplicate(p, h, dry_run=True),
    "GeoDatabase": lambda h, p, ev: tk.GeoDatabase(h),
    "consumer": lambda h, p, ev: tk.consumer(h),
}


@pytest.mark.parametrize("name", CALLS)
def test_every_error_of_a_hostile_argument_is_a_ToolkitError(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert raw_errors(lambda given: CALLS[name](given, table(), tk.Events(VIEW))) == []


#: Functions whose every parameter is tried, with what they need.
WHOLE: dict[str, Callable[[], tuple[Any, ...]]] = {
    **{
        name: lambda: (tk.Events(VIEW), table(), "View")
        for name in ("flows", "frequency", "lifecycle", "retention", "segmentation")
    },
    "bucket": lambda: ("n", 10),
    "cohort": lambda: (tk.Events(VIEW), table(), 'user["plan"] == "pro"'),
    "cohort_of": lambda: (["1"], "x"),
    "cohorts": lambda: (table(),),
    "deduplicate": lambda: (table(), "plan"),
    "did": lambda: ("View",),
    "find_duplicates": lambda: (table(), "plan"),
    "funnel": lambda: (tk.Events(VIEW), table(), ["View", "View"]),
    "items": lambda: ("n", ["View"]),
    "join": lambda: (tk.Events(VIEW), table()),
    "match": lambda: (tk.Events(VIEW), table()),
    "metric": lambda: ("View",),
    "profile_report": lambda: (table(),),
    "revenue": lambda: (table(),),
    "step": lambda: ("View",),
    "times_did": lambda: ("View",),
    "total_of": lambda: ("n", "View"),
}


def _with(function: Callable[..., Any], usual: tuple[Any, ...], name: str, given: Any) -> object:
    """Call a function with what is usual, but for one parameter."""
    names = list(inspect.signature(function).parameters)
    arguments = dict(zip(names, usual, strict=False))
    return function(**{**arguments, name: given})


@pytest.mark.parametrize("name", WHOLE)
def test_every_parameter_of_a_report_refuses_what_it_does_not_take_in_words(name: str) -> None:
    function, usual = getattr(tk, name), WHOLE[name]()
    parameters = inspect.signature(function).parameters
    raw = {
        each: raw_errors(lambda given, each=each: _with(function, usual, each, given))
        for each in parameters
    }
    assert {each: errors for each, errors in raw.items() if errors} == {}
    choices = {"unit", "compare", "order", "count", "criteria", "measure", "mode", "at", "reentry"}
    for each in choices & set(parameters):
        for given in (HOSTILE["frame"], ["day"], {"day": 1}, "nonsense"):
            with pytest.raises(tk.ToolkitError, match="is unknown; allowed are "):
                _with(function, usual, each, given)


REPORTS: dict[str, Callable[[], Any]] = {
    "flows": lambda: tk.flows(VIEW, table(), "View", by=user["plan"]),
    "frequency": lambda: tk.frequency(VIEW, table(), "View", by=user["plan"]),
    "funnel": lambda: tk.funnel(VIEW, table(), ["View", "View"], by=user["plan"]),
    "lifecycle": lambda: tk.lifecycle(VIEW, table(), "View", by=user["plan"]),
    "profile_report": lambda: tk.profile_report(table(), by="plan"),
    "retention": lambda: tk.retention(VIEW, table(), "View", by=user["plan"]),
    "segmentation": lambda: tk.segmentation(VIEW, table(), "View", by=user["plan"]),
}


@pytest.mark.parametrize("name", REPORTS)
def test_what_a_report_is_asked_is_checked_too(name: str) -> None:
    report = REPORTS[name]()
    raw = {}
    for method in ("plot", "users", "cell"):
        function = getattr(report, method)
        for each in inspect.signature(function).parameters:
            raw[method, each] = raw_errors(
                lambda given, function=function, each=each: function(**{each: given})
            )
    assert {each: errors for each, errors in raw.items() if errors} == {}


FORMS: dict[str, Call] = {
    "ProfileEditor": lambda h, p, ev: tk.ProfileEditor(h),
    "ProfileEditor id": lambda h, p, ev: tk.ProfileEditor(p, h),
    "Users": lambda h, p, ev: tk.Users(h),
    "Users events": lambda h, p, ev: tk.Users(p, h),
    "CsvImport": lambda h, p, ev: tk.CsvImport(h),
    "ReportBuilder": lambda h, p, ev: tk.ReportBuilder(p, h),
    "ReportBuilder p": lambda h, p, ev: tk.ReportBuilder(h, ev),
    "OperatorLab": lambda h, p, ev: tk.OperatorLab(h),
    "OperatorLab predict": lambda h, p, ev: tk.OperatorLab(predict=h),
    "LiveView": lambda h, p, ev: tk.LiveView(h),
    "workbench": lambda h, p, ev: tk.workbench(p if h is None else h),
    "workbench events": lambda h, p, ev: tk.workbench(p, h),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_form_refuses_what_it_does_not_take_in_words(name: str) -> None:
    profiles, events = table(), tk.Events(VIEW)
    assert raw_errors(lambda given: FORMS[name](given, profiles, events)) == []


@pytest.mark.parametrize("name", inspect.signature(tk.serve).parameters)
def test_a_server_refuses_what_it_does_not_take_in_words(name: str) -> None:
    def serve(given: Any) -> None:
        if name == "host" and isinstance(given, str) and len(given) > 100:
            return  # resolving it may take the network
        with tk.serve(**{"profiles": table(), name: given}):
            pass

    assert raw_errors(serve) == []


def test_what_is_tried_are_nearly_all_public_functions() -> None:
    tried = Path(__file__).read_text()
    functions = {
        name
        for name in tk.__all__
        if callable(getattr(tk, name))
        and getattr(tk, name).__module__.startswith("toolkit.")
        and not isinstance(getattr(tk, name), type)
    }
    assert len([name for name in functions if f"tk.{name}(" in tried]) >= 0.75 * len(functions)


def test_a_damaged_page_of_the_schema_is_a_ToolkitError_wherever_the_damage_is(
    tmp_path: Path,
) -> None:
    with tk.ProfileTable(tmp_path / "sound.db") as sound:
        sound.set("1", {"a": "x" * 200})
    data = (tmp_path / "sound.db").read_bytes()
    draw = np.random.default_rng(7)
    for at in range(0, 4096, 61):
        damaged = bytearray(data)
        damaged[at : at + 24] = draw.bytes(24)
        path = tmp_path / f"{at}.db"
        path.write_bytes(damaged)
        try:
            with tk.ProfileTable(path) as profiles:
                profiles.set("1", {"b": 1})
                assert len(profiles.frame)
        except tk.ToolkitError as error:
            assert str(path) in str(error)
