"""The documents keep what they promise."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
RULES = re.findall(r"^\| ([A-Z]+(?:-\d+)?) \|", (ROOT / "docs/rules.md").read_text(), flags=re.M)


def test_names() -> set[str]:
    """Every test function's name."""
    names = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                names.add(node.name)
    return names


NAMES = test_names()
del test_names


def test_the_rules_are_found() -> None:
    assert len(RULES) > 30
    assert len(set(RULES)) == len(RULES)


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_has_a_test_that_carries_its_name(rule: str) -> None:
    carried = f"test_{rule.replace('-', '_')}_"
    assert any(name.startswith(carried) for name in NAMES), f"no test is named {carried}…"


def test_the_map_of_rooms_in_the_README_is_true() -> None:
    text = (ROOT / "README.md").read_text()
    rooms = re.search(r"```\ntoolkit/\n(.*?)```", text, flags=re.S)
    assert rooms is not None
    listed = set(re.findall(r"^  (\S+)", rooms[1], flags=re.M))
    there = {
        path.name + ("/" if path.is_dir() else "")
        for path in (ROOT / "toolkit").iterdir()
        if not path.name.startswith(("_", ".")) and path.name != "py.typed"
    }
    assert listed == there | {"__init__.py", "__main__.py"}


def test_a_room_imports_only_from_rooms_above_it() -> None:
    text = (ROOT / "README.md").read_text()
    rooms = re.search(r"```\ntoolkit/\n(.*?)```", text, flags=re.S)
    assert rooms is not None
    names = [
        name.strip("/").removesuffix(".py") for name in re.findall(r"^  (\S+)", rooms[1], re.M)
    ]
    order = {name: place for place, name in enumerate(names)}
    wrong = []
    for path in (ROOT / "toolkit").rglob("*.py"):
        room = path.relative_to(ROOT / "toolkit").parts[0].removesuffix(".py")
        for line in re.findall(
            r"^from toolkit(?:\.(\w+)[\w.]*)? import (.*)$", path.read_text(), re.M
        ):
            for other in [line[0]] if line[0] else re.findall(r"\w+", line[1]):
                if other in order and other != room and order[other] > order[room]:
                    wrong.append(f"{room} imports {other}")
    assert wrong == []


def test_links_between_documents_lead_somewhere() -> None:
    pages = [
        ROOT / "README.md",
        ROOT / "CHANGELOG.md",
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("data/*.md"),
    ]
    for page in pages:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


PAGES = [
    path
    for path in sorted(ROOT.rglob("*.md"))
    if not {".venv", "out", "build", "node_modules"} & set(path.relative_to(ROOT).parts)
    and not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
]


def texts() -> dict[str, str]:
    """All Markdown that people read: pages, and the cells of notebooks."""
    found = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in PAGES}
    for path in sorted(ROOT.glob("notebooks/*.ipynb")):
        for place, cell in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"]):
            if cell["cell_type"] == "markdown":
                found[f"{path.name}[{place}]"] = "".join(cell["source"])
    return found


TEXTS = texts()


@pytest.mark.parametrize("name", TEXTS)
def test_examples_stand_in_fences_which_end(name: str) -> None:
    """Outside of them ``>>>`` is a quote in a quote in a quote, and two lines run into one."""
    language: str | None = None  # of the fence one is in
    for number, line in enumerate(TEXTS[name].splitlines(), 1):
        where = f"{name}, line {number}: {line}"
        if (mark := line.strip()).startswith("```"):
            assert language is None or mark == "```", f"{where} (a fence in a fence)"
            language = mark.strip("`") if language is None else None
        elif re.match(r"\s*(>>>|\.\.\.)( |$)", line):
            assert language is not None, f"{where} (outside of a fence)"
            assert language.split(" ")[0] in ("python", "pycon"), f"{where} (no fence of Python)"
    assert language is None, f"{name}: a fence does not end"


def test_the_pages_are_found() -> None:
    assert {"README.md", "docs/rules.md", "docs/forms/users.md", "data/README.md"} <= set(TEXTS)
    assert any(">>>" in text for text in TEXTS.values())


def test_the_tour_in_the_README_runs_as_pasted_and_prints_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)  # it needs no file of this folder
    monkeypatch.setenv("MPLBACKEND", "agg")
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.S)
    assert len(blocks) >= 7
    names: dict[str, object] = {}
    promised = 0
    for block in blocks:
        exec(block, names)
        printed = capsys.readouterr().out
        for line in re.findall(r"^# (.*)$", block, flags=re.M):
            assert line in printed
            promised += 1
    assert promised >= 6
    assert list(tmp_path.iterdir()) == []


def test_the_functions_that_the_walks_name_are_where_they_say() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    steps = re.findall(r"`([\w/]+\.py)`\s+`([\w.]+)`", text)
    assert len(steps) > 20
    for path, name in steps:
        tree: ast.AST = ast.parse((ROOT / "toolkit" / path).read_text(encoding="utf-8"))
        for part in name.split("."):
            inside = {
                each.name: each
                for each in ast.iter_child_nodes(tree)
                if isinstance(each, ast.FunctionDef | ast.ClassDef)
            }
            assert part in inside, f"{path}: {name}"
            tree = inside[part]
