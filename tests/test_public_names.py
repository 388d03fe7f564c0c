"""Names people type: what completion offers, what a misspelt one says, what annotations take."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import toolkit as tk

ROOT = Path(__file__).parent.parent


def test_dir_of_the_package_is_its_public_names() -> None:
    assert set(dir(tk)) == set(tk.__all__)
    assert {"workbench", "serve", "consumer", "Users", "ReportBuilder"} <= set(dir(tk))
    for name in tk.__all__:
        assert getattr(tk, name) is not None


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("segmentatoin", "segmentation"),
        ("ProfielTable", "ProfileTable"),
        ("import_cvs", "import_csv"),
    ],
)
def test_a_misspelt_name_says_what_was_meant(typed: str, meant: str) -> None:
    with pytest.raises(AttributeError, match=f'Did you mean "{meant}"'):
        getattr(tk, typed)
    with pytest.raises(ImportError):
        exec(f"from toolkit import {typed}")


def test_nothing_is_proposed_for_a_name_like_no_other() -> None:
    with pytest.raises(AttributeError, match=r"'toolkit' has no attribute 'qqqq'\.$"):
        _ = tk.qqqq  # type: ignore[attr-defined]


def things() -> dict[str, Any]:
    profiles = tk.ProfileTable()
    profiles.set("1", {"plan": "pro"})
    return {
        "profiles": profiles,
        "view": profiles.where('user["plan"] == "pro"'),
        "events": _events(),
        "cohort": tk.cohort_of(["1"], "x"),
        "condition": tk.user["plan"] == "pro",
        "taker": tk.consumer(profiles),
        "report": tk.segmentation(_events(), profiles, "a"),
        "result": profiles.apply([]),
    }


def _events() -> tk.Events:
    time = pd.to_datetime(["2026-01-01"], utc=True)
    return tk.Events(pd.DataFrame({"event": ["a"], "distinct_id": ["1"], "time": time}))


#: Public in Python's sense, and for other parts of the toolkit.
INTERNAL = {
    "profiles": {"snapshot", "timeline", "remembered", "address"},
    "view": {"snapshot"},
    "events": {"ids", "times", "column", "rows", "named", "timelines", "counted_rows"},
    "cohort": {"members", "operands", "sides", "python", "expression"},
    "condition": {"operands", "left", "right", "python", "is_condition"},
    "taker": {"receiver"},
    "report": set(),
    "result": set(),
}
WANTED = {
    "profiles": {"set", "apply", "frame", "history", "undo", "where", "as_of", "explain"},
    "view": {"frame", "ids", "condition"},
    "events": {"frame", "names", "notes", "properties", "by_group", "rows_of"},
    "cohort": {"ids", "name", "named", "definition", "notes", "among", "condition"},
    "condition": {"is_set", "isin", "contains", "any", "as_number", "text"},
    "taker": {"profiles", "events", "send", "log", "tally"},
    "report": {"table", "wide", "plot", "users", "cell", "notes", "title"},
    "result": {"applied", "created", "rejected", "warnings", "batch_id"},
}


@pytest.mark.parametrize("name", INTERNAL)
def test_dir_of_an_object_is_what_people_use(name: str) -> None:
    thing = things()[name]
    offered = {each for each in dir(thing) if not each.startswith("__")}
    assert not {each for each in offered if each.startswith("_")} or name in {"report", "result"}
    assert offered.isdisjoint(INTERNAL[name])
    assert offered >= WANTED[name]
    for each in INTERNAL[name]:
        assert hasattr(thing, each)  # it is hidden, not gone


def test_completion_in_a_notebook_finds_the_same() -> None:
    completer = pytest.importorskip("IPython.core.completer")
    pytest.importorskip("jedi")
    ask = completer.IPCompleter(namespace={"tk": tk, **things()}, use_jedi=True)

    def offered(line: str) -> set[str]:
        with completer.provisionalcompleter():
            return {each.text for each in ask.completions(line, len(line))}

    assert offered("tk.work") >= {"workbench"}
    assert offered("tk.") == set(tk.__all__)
    for name, internal in INTERNAL.items():
        assert offered(f"{name}.").isdisjoint(internal)
        assert offered(f"{name}.") >= WANTED[name]


def test_completion_without_jedi_finds_the_same() -> None:
    pytest.importorskip("IPython.core.completer")
    # A session of its own: in a notebook IPython is there before the toolkit.
    script = """
import json, warnings
warnings.simplefilter("ignore")
from IPython.core import completer
from tests.test_public_names import INTERNAL, things
ask = completer.IPCompleter(namespace=things(), use_jedi=False)
names = {name: ask.complete(f"{name}.")[1] for name in INTERNAL}
print(json.dumps(names))
"""
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120
    )
    for name, offered in json.loads(run.stdout.splitlines()[-1]).items():
        found = {each.rpartition(".")[2] for each in offered}
        assert found.isdisjoint(INTERNAL[name])
        assert found >= WANTED[name]


def returned() -> dict[str, str]:
    """The classes of ours that public functions return, and by whom."""
    found: dict[str, str] = {}

    def note(function: Callable[..., Any], where: str) -> None:
        hint = str(getattr(function, "__annotations__", {}).get("return", ""))
        for kind in re.findall(r"[A-Z]\w+", hint):
            value = getattr(sys.modules[function.__module__], kind, None)
            if inspect.isclass(value) and value.__module__.startswith("toolkit."):
                found.setdefault(kind, where)

    for name in tk.__all__:
        thing = getattr(tk, name)
        if not inspect.isclass(thing):
            if callable(thing) and hasattr(thing, "__module__"):
                note(thing, name)
        elif name in {"ProfileTable", "ProfileView", "Cohort", "Report"}:
            hidden = set().union(*INTERNAL.values())
            for member, value in inspect.getmembers_static(thing):
                if not member.startswith("_") and member not in hidden:
                    called = getattr(value, "fget", None) or getattr(value, "func", None) or value
                    note(called, f"{name}.{member}")
    return found


def test_what_functions_return_can_be_imported_for_annotations() -> None:
    kinds = returned()
    assert len(kinds) > 20
    missing = {kind: where for kind, where in kinds.items() if kind not in tk.__all__}
    assert missing == {}
    for kind in ("ApplyResult", "ProfileView", "Report", "Cohort", "Expression", "CsvPreview",
                 "ImportReport", "Step", "Metric", "Server"):  # fmt: skip
        assert inspect.isclass(getattr(tk, kind))


def test_scripts_load_neither_forms_nor_charts_nor_the_server() -> None:
    code = (
        "import sys, toolkit\n"
        "from toolkit import ApplyResult, Cohort, Expression, Report\n"
        "later = {'ipywidgets', 'anywidget', 'matplotlib', 'tornado', 'IPython'}\n"
        "print(sorted(later & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"


TYPED = """
import toolkit as tk
from toolkit import ApplyResult, Cohort, CsvPreview, Expression, ImportReport, Metric
from toolkit import ProfileView, Report, Server, Step, Workbench

def first(profiles: tk.ProfileTable) -> ApplyResult:
    return profiles.set_once("1", {"plan": "pro"})

def second(profiles: tk.ProfileTable) -> ProfileView:
    return profiles.where("true")

def third(profiles: tk.ProfileTable) -> Server:
    return tk.serve(profiles)

def fourth(profiles: tk.ProfileTable, events: tk.Events) -> tk.Segmentation:
    return tk.segmentation(events, profiles, "a")

kinds: list[type] = [Cohort, CsvPreview, ImportReport, Expression, Metric, Step, Workbench]
report: type[Report] = tk.Segmentation
tk.segmentatoin
"""


def test_mypy_sees_a_misspelt_name_and_nothing_else(tmp_path: Path) -> None:
    mypy = pytest.importorskip("mypy.api")
    script = tmp_path / "script.py"
    script.write_text(TYPED)
    told, errors, _ = mypy.run(["--strict", "--config-file", str(ROOT / "pyproject.toml"),
                                "--cache-dir", str(ROOT / ".mypy_cache"), str(script)])  # fmt: skip
    assert errors == ""
    found = [line for line in told.splitlines() if ": error:" in line]
    assert len(found) == 1, told
    assert 'Module has no attribute "segmentatoin"' in found[0]


def test_pyright_sees_a_misspelt_name_and_nothing_else(tmp_path: Path) -> None:
    pytest.importorskip("basedpyright")
    # A folder of its own: the package is found where it is installed, not by its place.
    (tmp_path / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}')
    (tmp_path / "typed.py").write_text(TYPED)
    every = ", ".join(f"tk.{name}" for name in tk.__all__)
    (tmp_path / "named.py").write_text(
        f"import toolkit as tk\n\nnames: list[object] = [{every}]\n"
        'reveal_type(tk.ProfileTable().set("1", {}))\n'
    )
    done = subprocess.run(
        [sys.executable, "-m", "basedpyright", "--outputjson", "--pythonpath", sys.executable],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    found = [
        (each["severity"], each["message"], each.get("rule"))
        for each in json.loads(done.stdout)["generalDiagnostics"]
    ]
    assert sorted(found) == [
        (
            "error",
            '"segmentatoin" is not a known attribute of module "toolkit"',
            "reportAttributeAccessIssue",
        ),
        ("error", 'Type of "segmentatoin" is unknown', "reportUnknownMemberType"),
        ("information", 'Type of "tk.ProfileTable().set("1", {})" is "ApplyResult"', None),
    ]
