"""The house: ten rooms in order, each behind its face, without circles."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "toolkit"
#: From the ground up: a room imports from those before it.
ROOMS = (
    *("base", "columns", "expressions", "updates", "store"),
    *("profiles", "events", "sources", "reports", "forms"),
)
FILES = tuple(sorted(ROOT.rglob("*.py")))
FACES = tuple(ROOT / room / "__init__.py" for room in ROOMS)


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in FILES}


def room_of(module: str) -> str | None:
    """Return the room of a module, None for a file at the root."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in ROOMS else None


@cache
def imports(path: Path) -> tuple[str, ...]:
    """Return the modules of the toolkit that a file imports, wherever in it."""
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names if each.name.startswith("toolkit"))
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            if node.module and node.module.split(".")[0] == "toolkit":
                for each in node.names:
                    full = f"{node.module}.{each.name}"
                    yield full if full in MODULES else node.module


def test_the_rooms_are_there_and_nothing_else() -> None:
    there = {path.name for path in ROOT.iterdir() if path.is_dir() and path.name[0] not in "_."}
    assert there == set(ROOMS)
    assert len([path for path in FILES if path.parent == ROOT]) <= 6


def test_a_room_imports_only_from_rooms_below_it() -> None:
    wrong = [
        f"{module} imports {other}"
        for module, path in MODULES.items()
        if (room := room_of(module))
        for other in imports(path)
        if (above := room_of(other)) is None or ROOMS.index(above) > ROOMS.index(room)
    ]
    assert wrong == []


def test_rooms_see_one_another_through_their_faces() -> None:
    faces = {f"toolkit.{room}" for room in ROOMS}
    offers = {f"toolkit.{room}.{name}" for room in ROOMS for name in offered(room)}
    past = [
        f"{module} imports {other}"
        for module, path in MODULES.items()
        for other in imports(path)
        if room_of(other) != room_of(module) and other not in faces | offers | {"toolkit"}
        if room_of(other)
    ]
    assert past == []


@cache
def offered(room: str) -> tuple[str, ...]:
    """Return the names that the face of a room offers."""
    stub = ast.parse((ROOT / room / "__init__.pyi").read_text(encoding="utf-8"))
    return tuple(
        each.asname or each.name
        for node in ast.walk(stub)
        if isinstance(node, ast.ImportFrom)
        for each in node.names
    )


@pytest.mark.parametrize("room", ROOMS)
def test_a_face_says_what_the_room_is_for_and_offers_only_what_is_used(room: str) -> None:
    text = ast.get_docstring(ast.parse((ROOT / room / "__init__.py").read_text(encoding="utf-8")))
    assert text is not None
    assert 3 <= len(text.splitlines()) <= 6
    used = set()
    outside = [path for path in FILES if room_of(name_of(path)) != room]
    for path in (*outside, ROOT / "__init__.pyi"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module in {f"toolkit.{room}", room}:
                used |= {each.name for each in node.names}
    assert set(offered(room)) == used


def test_the_picture_of_the_rooms_is_drawn_from_the_code() -> None:
    """``python -m tests.house_picture`` draws it anew."""
    from tests.house_picture import PICTURE, arrows, floors, picture

    assert PICTURE.read_text(encoding="utf-8") == picture()
    assert len(floors(arrows())) <= 9


def test_no_module_imports_itself_by_way_of_others() -> None:
    """Not under TYPE_CHECKING or inside functions either."""
    assert circles() == []


def circles() -> list[tuple[str, ...]]:
    """Return the strongly connected parts of two modules or more (Tarjan's algorithm)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    parts: list[tuple[str, ...]] = []

    def visit(module: str) -> None:
        order[module] = low[module] = len(order)
        stack.append(module)
        for other in imports(MODULES[module]):
            if other not in MODULES or MODULES[other].name == "__init__.py":
                continue
            if other not in order:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], order[other])
        if low[module] == order[module]:
            part = []
            while not part or part[-1] != module:
                part.append(stack.pop())
            if len(part) > 1:
                parts.append(tuple(sorted(part)))

    for module in MODULES:
        if module not in order:
            visit(module)
    return sorted(parts)


def classes() -> Iterator[tuple[str, str]]:
    """Yield the name and the module of every class, whatever it is nested in."""
    for module, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                yield node.name, module


def test_a_class_name_stands_for_one_class() -> None:
    places: dict[str, list[str]] = {}
    for name, module in classes():
        places.setdefault(name, []).append(module)
    assert {name: modules for name, modules in places.items() if len(modules) > 1} == {}


#: Participles that say nothing of what a thing is; docs/style.md has the reason.
PARTICIPLES = {"found", "told", "chosen", "known", "given"}


def names(path: Path) -> Iterator[str]:
    """Yield the names of a file's variables, parameters, functions and attributes."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Name(name) | ast.arg(name) | ast.Attribute(_, name) | ast.FunctionDef(name):
                yield name


@pytest.mark.parametrize("room", ["base", "columns", "updates", "store", "profiles"])
def test_names_are_nouns(room: str) -> None:
    wrong = {
        f"{name} in {path.name}"
        for path in (ROOT / room).glob("*.py")
        for name in names(path)
        if PARTICIPLES & set(name.split("_"))
    }
    assert wrong == set()
