"""The notebooks keep what they say: exercises can be solved, and numbers in prose are true."""

from __future__ import annotations

import ast
import io
import itertools
import json
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import toolkit as tk

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))

# Said elsewhere, and tested there.
KNOWN = {
    "06-funnels.ipynb": {"40.1"},  # all together: the sums of the table
    "09-live-from-an-app.ipynb": {"500"},  # messages that a server remembers
    "10-time-travel.ipynb": {"175"},  # who moved up, below
}

_NUMBER = re.compile(r"(?<![\w.,#-])(\d[\d,]*(?:\.\d+)?)(\s?%)?(?![\w-])")
# Code, what a link leads to, headings, dates and times are no claims.
_NO_PROSE = re.compile(
    r"```.*?```|`[^`]*`|\]\([^)]*\)|^#[^\n]*|\b[A-Z]+-\d+\b|\d\d:\d\d(:\d\d)?|\b20\d\d\b",
    flags=re.DOTALL | re.MULTILINE,
)
_ANSWER = re.compile(r"<details><summary>Answer</summary>(.*?)</details>", flags=re.DOTALL)


@dataclass
class Read:
    """A notebook after a person has gone through it, exercises and all."""

    prose: list[str] = field(default_factory=list)
    #: Lines of outputs, and of code.
    lines: list[str] = field(default_factory=list)
    answers: int = 0


def cells(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((ROOT / "notebooks" / name).read_text())["cells"]
    return found


def run(code: str, names: dict[str, Any]) -> str:
    """Run a cell and return what it prints and shows."""
    body = ast.parse(code).body
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(compile(ast.Module(body, []), "<cell>", "exec"), names)
        if isinstance(last, ast.Expr):
            print(repr(eval(compile(ast.Expression(last.value), "<cell>", "eval"), names)))
    return printed.getvalue()


def told(cell: dict[str, Any]) -> Iterator[str]:
    """The outputs of a cell, as text."""
    for output in cell.get("outputs", ()):
        yield "".join(output.get("text", ""))
        yield "".join(output.get("data", {}).get("text/plain", ""))


def read(name: str) -> Read:
    notebook, names = Read(), {"__name__": "__main__", "display": print}
    for cell in cells(name):
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            run(source, names)
            for text in (source, *told(cell)):
                notebook.lines += text.splitlines()
            continue
        notebook.prose.append(_NO_PROSE.sub(" ", source))
        if not (answers := _ANSWER.findall(source)):
            continue
        notebook.answers += len(answers)
        blocks = re.findall(r"```python\n(.*?)```", source, flags=re.DOTALL)
        for answer in answers:  # of one line
            blocks += re.findall(r"^`(\w+\.[^`]*\))`", answer, flags=re.MULTILINE)
        assert blocks
        for block in blocks:
            shown = run(block, names)
            notebook.lines += [*block.splitlines(), *shown.splitlines()]
            for promised in re.findall(r"  # (.*)$", block, flags=re.MULTILINE):
                assert promised.split(":")[0] in shown or promised in shown
    return notebook


def numbers(line: str) -> list[float]:
    found = re.findall(r"(?<![\w.])-?\d[\d,]*\.?\d*(?:e[+-]?\d+)?%?", line)
    return [
        float(each.rstrip("%").replace(",", "")) / (100 if each.endswith("%") else 1)
        for each in found
        if each.rstrip("%").replace(",", "").strip(".")
    ]


def is_claim(digits: str, percent: str) -> bool:
    """Whether a number in prose is about the data: small ones are days, steps and sections."""
    return bool(percent) or "." in digits or len(digits.replace(",", "")) >= 3


def unsaid(notebook: Read, known: set[str]) -> list[str]:
    """The claims of the prose that no output bears out."""
    lines = [numbers(line) for line in notebook.lines]
    said = {abs(each) for line in lines for each in line}
    # "364 of 492" says 74 %.
    said_rates = said | {
        min(pair) / max(pair)
        for line in lines
        for pair in itertools.pairwise(line)
        if min(pair) >= 0 and max(pair) > 0
    }
    missing = []
    for prose in notebook.prose:
        for match in _NUMBER.finditer(prose):
            digits, percent = match[1].rstrip(","), match[2] or ""
            if not is_claim(digits, percent) or digits in known:
                continue
            places = len(digits.partition(".")[2])
            value = float(digits.replace(",", ""))
            scale = 100 if percent else 1
            pool = said_rates if percent else said
            if not any(round(each * scale, places) == value for each in pool):
                around = prose[max(0, match.start() - 40) : match.end() + 40]
                missing.append(f"{match[0]}: …{' '.join(around.split())}…")
    return missing


@pytest.fixture(scope="module")
def here() -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    patch.chdir(ROOT / "notebooks")
    patch.setenv("MPLBACKEND", "agg")
    yield
    patch.undo()


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_exercises_can_be_solved_and_numbers_in_prose_are_those_of_outputs(
    name: str, here: None
) -> None:
    if name == "09-live-from-an-app.ipynb":
        pytest.importorskip("mixpanel")
        pytest.importorskip("requests")
    notebook = read(name)
    assert notebook.answers == sum("".join(c["source"]).count("<summary>") for c in cells(name))
    assert unsaid(notebook, KNOWN.get(name, set())) == []


def test_175_people_of_the_shop_went_from_free_to_pro() -> None:
    plans: dict[str, str] = {}
    moved = set()
    for message in tk.read_messages(tk.sample_files()["updates"]):
        who, written = message.get("$distinct_id"), message.get("$set")
        plan = written.get("plan") if isinstance(written, dict) else None
        if isinstance(who, str) and isinstance(plan, str):
            if (plans.get(who), plan) == ("free", "pro"):
                moved.add(who)
            plans[who] = plan
    assert len(moved) == 175


def test_a_wrong_number_in_prose_is_noticed() -> None:
    right = Read(["82 of 1,946 are in, 66 % of them, 1.5 each"], ["82 of 1946", "54 of 82", "1.49"])
    assert unsaid(right, set()) == []
    wrong = Read(["82 of 2,013 are in, 67 % of them, 1.4 each"], right.lines)
    assert [each.split(":")[0] for each in unsaid(wrong, set())] == ["2,013", "67 %", "1.4"]
