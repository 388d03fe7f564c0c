"""Arguments that are yes or no: whatever else is given is refused, wherever there is one."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import toolkit as tk
from toolkit.errors import ToolkitError, WorkCancelled
from toolkit.forms.csv.form import CsvImport

EVENTS = pd.DataFrame({"event": ["e"], "distinct_id": ["1"], "time": ["2026-01-01Z"]})
MESSAGES = [{"$distinct_id": "1", "$set": {"plan": "pro"}}]


def parameters(function: Any) -> dict[str, inspect.Parameter]:
    try:
        return dict(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # exceptions and warnings
        return {}


def flags(function: Any) -> list[str]:
    every = parameters(function).values()
    return [each.name for each in every if each.default is True or each.default is False]


def _is_ours(function: Any) -> bool:
    return inspect.isfunction(function) and function.__module__.startswith("toolkit.")


def public() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield every function, class and method of the public surface, by name."""
    for name in tk.__all__:
        known = getattr(tk, name)
        if not inspect.isclass(known):
            yield name, known
            continue
        # A report is made by the toolkit, not by the user.
        if not dataclasses.is_dataclass(known):
            yield name, known
        for method in sorted({each for base in known.__mro__ for each in vars(base)}):
            function = inspect.getattr_static(known, method)
            if not method.startswith("_") and _is_ours(function):
                yield f"{name}.{method}", function


#: How each is called; its flags are added.
CALLS: dict[str, Callable[..., Any]] = {
    "ProfileTable.apply": lambda p, path, **flag: p.apply(MESSAGES, **flag),
    "ProfileTable.backup": lambda p, path, **flag: p.backup(path / "copy.db", **flag),
    "ProfileTable.check": lambda p, path, **flag: p.check(**flag),
    "ProfileTable.compact": lambda p, path, **flag: p.compact(0, **flag),
    "ProfileTable.delete": lambda p, path, **flag: p.delete("1", **flag),
    "ProfileTable.redo": lambda p, path, **flag: p.redo(1, **flag),
    "ProfileTable.snapshot": lambda p, path, **flag: p.snapshot(**flag),
    "ProfileTable.undo": lambda p, path, **flag: p.undo(1, **flag),
    "ProfileTable.unset": lambda p, path, **flag: p.unset("1", ["plan"], **flag),
    "ProfileTable.set_columns": lambda p, path, **flag: p.set_columns(
        p.snapshot().ids, {}, source="c", **flag
    ),
    **{
        f"ProfileTable.{name}": lambda p, path, name=name, **flag: getattr(p, name)(
            "1", {"x": 1}, **flag
        )
        for name in ("add", "append", "remove", "set", "set_once", "union")
    },
    "CsvImport": lambda p, path, **flag: tk.CsvImport(p, **flag),
    **{
        f"{name}.wide": lambda p, path, report=report, **flag: report(p).wide(**flag)
        for name, report in {
            "Flows": lambda p: tk.flows(EVENTS, p, "e"),
            "Frequency": lambda p: tk.frequency(EVENTS, p, "e"),
            "Funnel": lambda p: tk.funnel(EVENTS, p, ["e", "e"]),
            "Lifecycle": lambda p: tk.lifecycle(EVENTS, p),
            "ProfileReport": lambda p: tk.profile_report(p),
            "Report": lambda p: tk.segmentation(EVENTS, p, "e"),
            "Retention": lambda p: tk.retention(EVENTS, p, "e"),
            "Segmentation": lambda p: tk.segmentation(EVENTS, p, "e"),
        }.items()
    },
    "Funnel.users": lambda p, path, **flag: tk.funnel(EVENTS, p, ["e", "e"]).users(step=2, **flag),
    "OperatorLab": lambda p, path, **flag: tk.OperatorLab(**flag),
    "ProfileEditor": lambda p, path, **flag: tk.ProfileEditor(p, **flag),
    "Retention.users": lambda p, path, **flag: tk.retention(EVENTS, p, "e").users(bucket=0, **flag),
    "Segmentation.users": lambda p, path, **flag: tk.segmentation(EVENTS, p, "e").users(**flag),
    "deduplicate": lambda p, path, **flag: tk.deduplicate(p, "plan", **flag),
    "delete_where": lambda p, path, **flag: tk.delete_where(p, 'user["plan"] == "x"', **flag),
    "find_duplicates": lambda p, path, **flag: tk.find_duplicates(p, "plan", **flag),
    "flows": lambda p, path, **flag: tk.flows(EVENTS, p, "e", **flag),
    "import_csv": lambda p, path, **flag: tk.import_csv(p, b"distinct_id,a\n9,2\n", **flag),
    "read_messages": lambda p, path, **flag: tk.read_messages(path / "m.jsonl", **flag),
    "read_people": lambda p, path, **flag: tk.read_people(path / "m.jsonl", **flag),
    "rename_where": lambda p, path, **flag: tk.rename_where(p, "plan", "tier", **flag),
    "segmentation": lambda p, path, **flag: tk.segmentation(EVENTS, p, "e", **flag),
    "set_where": lambda p, path, **flag: tk.set_where(p, None, {"x": 1}, **flag),
    "step": lambda p, path, **flag: tk.step("e", **flag),
    "unset_where": lambda p, path, **flag: tk.unset_where(p, None, ["plan"], **flag),
    "update_where": lambda p, path, **flag: tk.update_where(p, None, {"$set": {"x": 1}}, **flag),
    "write_csv": lambda p, path, **flag: tk.write_csv(p, path / "a.csv", **flag),
    "write_messages": lambda p, path, **flag: tk.write_messages(p, path / "a.jsonl", **flag),
    "write_people": lambda p, path, **flag: tk.write_people(p, path / "a.jsonl", **flag),
}
FLAGS = [
    (name, flag)
    for name, function in public()
    # A widget takes the messages of the browser as ipywidgets does.
    if not name.endswith(".on_msg")
    for flag in flags(function)
]


def test_the_flags_of_the_public_surface_are_known() -> None:
    assert {name for name, _ in FLAGS} == set(CALLS)
    assert len(FLAGS) > 40
    assert flags(CsvImport) == ["keeps_table"]


@pytest.mark.parametrize(("name", "flag"), FLAGS)
def test_a_flag_is_True_or_False_and_nothing_else(name: str, flag: str, tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text('{"$distinct_id":"1","$set":{}}\n')
    with tk.ProfileTable(tmp_path / "shop.db") as profiles:
        profiles.set("1", {"plan": "free"})
        before = len(profiles.batches)
        for wrong in ("yes", 1, 0, None, [], "", pd.DataFrame({"a": [1]})):
            with pytest.raises(ToolkitError, match=rf"(?s)^{flag}=.*True or False is needed"):
                CALLS[name](profiles, tmp_path, **{flag: wrong})
        assert len(profiles.batches) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.jsonl", "shop.db"]


WATCHED = [name for name, function in public() if "progress" in parameters(function)]


def test_progress_has_one_type_everywhere() -> None:
    types = {
        name: parameters(function)["progress"].annotation
        for name, function in public()
        if name in WATCHED
    }
    assert types == dict.fromkeys(WATCHED, "AnyProgress")


@pytest.mark.parametrize("name", WATCHED)
def test_progress_is_True_False_or_a_function_that_is_called(name: str, tmp_path: Path) -> None:
    calls: list[tuple[Any, ...]] = []
    for number, progress in enumerate((True, False, lambda *call: calls.append(call))):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "m.jsonl").write_text('{"$distinct_id":"1","$properties":{}}\n')
        with tk.ProfileTable(folder / "shop.db") as profiles:
            profiles.set("1", {"plan": "free"})
            if name == "ProfileTable.redo":
                profiles.undo(1)
        with tk.ProfileTable(folder / "shop.db") as profiles:
            CALLS[name](profiles, folder, progress=progress)
    assert calls
    for stage, done, total in calls:
        assert isinstance(stage, str)
        assert 0 <= done <= total or not total


@pytest.mark.parametrize("name", [name for name in WATCHED if not name.startswith("read_")])
def test_what_the_function_raises_leaves_everything_as_it_was(name: str, tmp_path: Path) -> None:
    def stop(*_: Any) -> None:
        raise WorkCancelled("enough")

    (tmp_path / "a.csv").write_text("older")
    (tmp_path / "a.jsonl").write_text("older")
    with tk.ProfileTable(tmp_path / "shop.db") as profiles:
        profiles.set("1", {"plan": "free"})
        if name == "ProfileTable.redo":
            profiles.undo(1)
    with tk.ProfileTable(tmp_path / "shop.db") as profiles:
        before = {key: profiles[key] for key in profiles}, len(profiles.batches)
        with pytest.raises(WorkCancelled):
            CALLS[name](profiles, tmp_path, progress=stop)
        assert ({key: profiles[key] for key in profiles}, len(profiles.batches)) == before
    assert {path.name for path in tmp_path.iterdir()} == {"shop.db", "a.csv", "a.jsonl"}
    assert (tmp_path / "a.csv").read_text() == (tmp_path / "a.jsonl").read_text() == "older"


@pytest.mark.parametrize("word", ["before", "after"])
def test_before_and_after_are_steps_of_flows_and_nothing_else(word: str) -> None:
    assert [name for name, function in public() if word in parameters(function)] == ["flows"]
