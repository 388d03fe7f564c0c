"""What fails in a callback is shown in the form, whichever callback it is."""

from __future__ import annotations

import ast
import asyncio
import os
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from traitlets import HasTraits

import toolkit as tk
from tests.widgets.page import (
    change,
    changes,
    failures,
    message,
    messages,
    overheard,
    press,
    visible,
    widgets,
)
from toolkit.base.errors import ArgumentError, WorkCancelled
from toolkit.base.html import Html
from toolkit.forms.parts import guarded, parts
from toolkit.forms.parts.failure import Failure
from toolkit.forms.parts.failure_note import FailureNote
from toolkit.forms.parts.form import Form
from toolkit.forms.parts.job import Job
from toolkit.sources.sample import sample_files

__all__ = ["overheard"]

WIDGETS = Path(guarded.__file__).parent
XSS = "<img src=x onerror=alert(1)>"


def profiles() -> tk.ProfileTable:
    table = tk.ProfileTable()
    table.apply(
        [
            {
                "$distinct_id": str(number),
                "$set": {
                    "$name": [f"Person {number}", XSS][number % 2],
                    "$email": f"p{number}@example.com",
                    "plan": ["free", "pro", XSS][number % 3],
                    "age": number,
                    "tags": ["a", "b"][: number % 3],
                    "since": f"2026-0{1 + number % 9}-01",
                },
                "$time": 1_700_000_000 + number,
            }
            for number in range(30)
        ]
    )
    table.set("1", {"plan": "basic", XSS: None})
    table.groups("company").set("acme", {"seats": 3, "$name": "Acme"})
    return table


def events() -> tk.Events:
    return tk.Events(
        pd.DataFrame(
            {
                "event": ["View", "Buy", XSS] * 40,
                "distinct_id": [str(n * 7 % 33) for n in range(120)],
                "time": pd.date_range("2026-03-01", periods=120, freq="7h", tz="UTC"),
                "item": [["tea", "jam", None][n % 3] for n in range(120)],
                "amount": [n % 9 for n in range(120)],
                "company": [["acme", "umbra"][n % 2] for n in range(120)],
            }
        )
    )


def csv_import() -> tk.CsvImport:
    form = tk.CsvImport(profiles())
    form.state.choose(sample_files()["profiles"])
    form.state.wait()
    return form


def live_view() -> tk.LiveView:
    taker = tk.consumer(profiles())
    taker.send("people", '{"$distinct_id": "7", "$set": {"plan": "pro"}}')
    return tk.LiveView(taker)


def open_user() -> tk.Users:
    form = tk.Users(profiles(), events())
    form.state.open("1")
    return form


FORMS: dict[str, Callable[[], Any]] = {
    "users": lambda: tk.Users(profiles(), events()),
    "a user": open_user,
    "groups": lambda: tk.Users(profiles().groups("company"), events()),
    "profile editor": lambda: tk.ProfileEditor(profiles(), "1"),
    "new profile": lambda: tk.ProfileEditor(profiles()),
    "CSV import": csv_import,
    "report builder": lambda: tk.ReportBuilder(events(), profiles()),
    "operator lab": lambda: tk.OperatorLab("$union after duplicates", predict=True),
    "live view": live_view,
    "workbench": lambda: tk.workbench(profiles(), events()),
}


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> Iterator[Any]:
    made = FORMS[request.param]()
    settle(made)
    yield made
    settle(made, stop=True)


def settle(form: Any, *, stop: bool = False) -> None:
    """Wait for the work beside the page."""
    for job in jobs(form):
        if stop:
            job.cancel()
    for each in widgets(form):
        wait = getattr(getattr(each, "state", None), "wait", None)
        assert wait is None or wait(30)
    for job in jobs(form):
        assert job.wait(30)


def boom(*_: Any) -> None:
    raise KeyError(f"boom {XSS}")


# -- nothing can do without the guard --------------------------------------------------------


@pytest.mark.parametrize("path", sorted(WIDGETS.glob("*.py")), ids=lambda path: path.name)
def test_only_one_module_makes_widgets_and_threads(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").partition(".")[0])
    if path.name != "guarded.py":
        assert not imported & {"ipywidgets", "anywidget"}, "take them from guarded.py"
    started = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in {"Thread", "Timer", "create_task", "ensure_future", "call_soon"}
    }
    allowed = {"job.py": {"Thread"}, "abandon.py": {"Thread"}, "live.py": {"create_task"}}
    assert started <= allowed.get(path.name, set()), "use a Job: it tells what fails"


def test_every_widget_of_every_form_is_guarded_and_knows_its_form(form: Any) -> None:
    for each in widgets(form):
        assert isinstance(each, guarded.Guarded), each
        called = [*each._msg_callbacks.callbacks]
        called += each._click_handlers.callbacks if hasattr(each, "_click_handlers") else []
        assert all(isinstance(callback, guarded._Callback) for callback in called)
        if each is not form:
            holder = each._holder
            assert holder is not None and each in holder.children


def test_FORM_1_whatever_fails_in_a_callback_is_shown_and_nothing_is_logged(
    form: Any, overheard: list[str]
) -> None:
    tried = 0
    for each in list(widgets(form)):
        if isinstance(each, FailureNote) or isinstance(each._holder, FailureNote):
            continue
        for sent in changes(each)[:1]:
            for name in each.keys & sent.keys():
                each._trait_notifiers.setdefault(name, {}).setdefault("change", []).append(boom)
            change(each, **sent)
            tried += 1
            assert boomed(each), each
        if not isinstance(each, guarded.Button):
            each._msg_callbacks.callbacks.clear()
            each.on_msg(boom)
            message(each, {"type": "anything"})
        else:
            each._click_handlers.callbacks.clear()
            each.on_click(boom)
            press(each)
        tried += 1
        assert boomed(each), each
    assert tried > 10
    assert overheard == []


def boomed(widget: Any) -> bool:
    """Return whether the form around shows that something failed, and put that away."""
    form = widget
    while not isinstance(form, Form):
        form = form._holder
    shown = any("boom" in told for told in failures(form))
    form._failure.clear()
    return shown


# -- what is shown ---------------------------------------------------------------------------


def test_a_failure_is_red_has_details_to_copy_and_can_be_put_away() -> None:
    button = parts.button("Count <b>", boom)
    field = parts.text("Name")
    form = Form("Any", [button, field])
    press(button)
    [note] = [each for each in widgets(form) if isinstance(each, FailureNote)]
    assert note.layout.display == ""
    red, row, code = note.children
    assert 'class="tk-note tk-error" role="alert"' in red.value
    assert "This failed: Count &lt;b&gt;" in red.value
    assert "KeyError: &#x27;boom &lt;img" in red.value
    assert code.layout.display == "none"
    press(row.children[0])
    assert code.layout.display == ""
    assert code.code.startswith("Traceback (most recent call last):")
    assert "in boom" in code.code
    change(field, value="typed")  # the form goes on
    assert (field.value, note.layout.display) == ("typed", "")
    press(row.children[1])
    assert (note.layout.display, red.value, code.layout.display) == ("none", "", "none")
    press(button)
    assert note.layout.display == ""


def test_the_innermost_form_shows_it_though_the_widget_is_off_the_page() -> None:
    def leave() -> None:
        inner.show([])
        raise ArgumentError("no such page")

    back = parts.button("Back", leave)
    inner = Form("Inner", [parts.row(back)])
    outer = Form("Outer", [inner])
    press(back)
    assert failures(outer) == failures(inner)
    assert failures(inner)[0].startswith("Back: No such page.\n")


def test_FORM_1_code_that_changes_a_form_gets_the_exception_itself() -> None:
    field = parts.text("Name")
    form = Form("Any", [field])
    field.observe(boom, "value")
    with pytest.raises(KeyError, match="boom"):
        field.value = "Ann"
    assert failures(form) == []


def test_outside_a_form_ipywidgets_hears_of_it(overheard: list[str]) -> None:
    press(parts.button("Alone", boom))
    assert "KeyError" in overheard[0]


def test_a_callback_can_be_taken_back() -> None:
    button = guarded.Button()
    called: list[Any] = []
    button.on_click(called.append)
    button.on_click(called.append)
    press(button)
    button.on_click(called.append, remove=True)
    press(button)
    assert called == [button]


# -- jobs and live views ---------------------------------------------------------------------


def shown_of_job(**steps: Any) -> tuple[Job, list[str]]:
    job = Job()
    form = Form("Any", [parts.ProgressBar(job)])
    job.start(**{"work": lambda progress: 1, **steps})
    assert job.wait(20)
    time.sleep(0)
    return job, failures(form)


@pytest.mark.parametrize("step", ["work", "on_done", "on_end"])
def test_FORM_1_what_fails_in_a_job_is_shown_whichever_part_of_it(step: str) -> None:
    job, shown = shown_of_job(**{step: boom})
    assert "KeyError" in shown[0] and "in boom" in shown[0]
    assert job.failure is not None and job.failure.words.startswith("KeyError")
    assert job.error == ""  # once is enough
    assert not job.running


def test_a_job_goes_on_to_its_end_whatever_fails() -> None:
    ended: list[int] = []
    job = Job()
    form = Form("Any", [parts.ProgressBar(job)])
    job.observe(boom, "running")
    with pytest.raises(KeyError):
        job.start(lambda progress: 1)  # the caller is there to hear it
    job.unobserve(boom, "running")
    job.running = False

    def fails_at_the_end(change: Any) -> None:
        if not change["new"]:
            boom()

    job.observe(fails_at_the_end, "running")
    job.start(lambda progress: 1, ended.append, lambda: ended.append(2))
    assert job.wait(20)
    assert ended == [1, 2]
    assert "KeyError" in failures(form)[0]


def refuse(_: Any) -> None:
    raise ArgumentError("no")


def cancel(_: Any) -> None:
    raise WorkCancelled("stopped")


def test_a_refusal_is_for_the_form_to_show_and_a_stop_is_no_failure() -> None:
    job, shown = shown_of_job(work=refuse)
    assert (job.error, shown) == ("no", [])
    job, shown = shown_of_job(work=cancel)
    assert (job.error, job.cancelled, shown) == ("", True, [])


def jobs(form: Any) -> Iterator[Job]:
    """Yield the jobs that the states of a form, and of forms in it, begin."""
    states = [getattr(each, "state", None) for each in widgets(form)]
    values = [
        value for state in states if isinstance(state, HasTraits) for value in vars(state).values()
    ]
    yield from {id(job): job for job in values if isinstance(job, Job)}.values()


def test_what_fails_in_any_job_of_a_form_is_shown_whatever_part_is_in_view(form: Any) -> None:
    for job in jobs(form):
        job.failure = Failure.of(KeyError("boom"), "Work")
        assert any("boom" in told for told in failures(form))
        for each in widgets(form):
            if isinstance(each, FailureNote):
                each.clear()


def test_FORM_1_a_live_view_that_fails_says_so_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    from toolkit.forms import live

    monkeypatch.setattr(live, "_PACE", 0.01)

    async def watched() -> list[str]:
        view = live_view()
        monkeypatch.setattr(view.state._receiver, "recent", boom)
        await asyncio.sleep(0.05)
        shown = failures(view)
        monkeypatch.undo()
        taker = view.state._source
        taker.send("people", '{"$distinct_id": "8", "$set": {"plan": "pro"}}')
        for _ in range(200):
            await asyncio.sleep(0.02)
            if view.state.updates == 1:
                break
        assert view.state.rows[0].distinct_id == "8"
        view.close()
        return shown

    # In a thread of its own: a browser of other tests may have a loop in this one.
    with ThreadPoolExecutor(1) as pool:
        shown = pool.submit(lambda: asyncio.run(watched())).result(60)
    assert "Checking for what has arrived: KeyError" in shown[0]


# -- any order -------------------------------------------------------------------------------

_SEEDS = 40 if os.environ.get("LONGER_TESTS") else 3
_ACTIONS = 120 if os.environ.get("LONGER_TESTS") else 40


@pytest.mark.parametrize("seed", range(_SEEDS))
def test_nothing_fails_in_whatever_order_a_form_is_used(
    form: Any,
    seed: int,
    overheard: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)  # an export is written here
    chance = random.Random(seed)
    done: list[str] = []
    for _ in range(_ACTIONS):
        there = [
            (each, send, sent)
            for each in visible(form)
            for send, all_of in ((message, messages(each)), (change, changes(each)))
            for sent in all_of[:12]
            if not getattr(each, "disabled", False)
        ]
        # A widget first, then what is done to it: one with many choices is one of many.
        those = chance.choice(list({id(each): each for each, _, _ in there}.values()))
        _, send, sent = chance.choice([each for each in there if each[0] is those])
        done.append(f"{type(those).__name__} {those._called()!r} {sent}")
        if send is message:
            message(those, sent)
        else:
            change(those, **sent)
        settle(form)
        assert failures(form) == [], "\n".join(done)
        assert overheard == [], "\n".join(done)


def test_text_that_is_not_finished_html_is_escaped_by_the_widget_that_shows_it() -> None:
    shown = parts.block(XSS)
    assert shown.value == "&lt;img src=x onerror=alert(1)&gt;"
    shown.value = f"<b>{XSS}</b>"
    assert shown.value == "&lt;b&gt;&lt;img src=x onerror=alert(1)&gt;&lt;/b&gt;"
    shown.value = Html("<b>{}</b>").format(XSS)
    assert shown.value == "<b>&lt;img src=x onerror=alert(1)&gt;</b>"
    assert shown.get_state("value") == {"value": "<b>&lt;img src=x onerror=alert(1)&gt;</b>"}
