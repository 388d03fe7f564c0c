"""Hostile names and values leave as text: in HTML, CSV, SQL, file names (docs/security.md)."""

from __future__ import annotations

import ast
import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import toolkit as tk
from toolkit import user
from toolkit.cli import main
from toolkit.forms.report.state import ReportBuilderState
from toolkit.forms.users.export import Exported
from toolkit.forms.users.state import UsersState
from toolkit.profiles.table import ProfileTable

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg/onload=alert(1)>',
    "' onmouseover='alert(1)",
    "</td></table><iframe src=//evil>",
    "javascript:alert(1)",
    "<!--",
    "&lt;script&gt;",
    "\u202eevil\u202c",
    '=HYPERLINK("//evil","x")',
    "+1+cmd|'/C calc'!A0",
    "@SUM(1+1)",
    "-2+3",
    "\t=1+1",
    "\r=1+1",
    "'; DROP TABLE profiles; --",
    '"; DROP TABLE profiles; --',
    "? OR 1=1",
    "../../etc/passwd",
    "con.txt",
    "{{7*7}}",
    "%s%n",
    "\x1b[2J",
]


class Tags(HTMLParser):
    """Which tags, and which attributes that run something, stand in HTML."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(params=["memory", "file"])
def profiles(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    with ProfileTable(None if request.param == "memory" else tmp_path / "shop.db") as table:
        result = table.apply(
            [
                {"$distinct_id": text, "$set": {text: text, "list": [text], "$name": text}}
                for text in HOSTILE
            ]
        )
        assert result.applied == len(HOSTILE)
        yield table


def test_it_is_kept_as_it_was_sent(profiles: ProfileTable) -> None:
    assert list(profiles) == HOSTILE
    for text in HOSTILE:
        assert profiles[text] == {text: text, "list": [text], "$name": text}
    if profiles.path is not None:
        assert profiles.check().problems == ()


def test_no_text_becomes_html(profiles: ProfileTable) -> None:
    harmless = ProfileTable()
    harmless.apply([{"$distinct_id": n, "$set": {"a": n, "$name": "x"}} for n in range(20)])
    events = pd.DataFrame({"event": HOSTILE, "distinct_id": HOSTILE, "time": "2026-01-01"})

    def shown(table: ProfileTable) -> list[Any]:
        return [
            table,
            table.where(user["$name"].is_set()),
            tk.match(events, table),
            tk.Events(events),
            tk.segmentation(events, table, HOSTILE[0], by=user["$name"], unit=None),
            table.explain(HOSTILE[0], HOSTILE[0]),
            tk.preview_csv(("distinct_id," + HOSTILE[0] + "\n1," + HOSTILE[1]).encode()),
        ]

    allowed = {"div", "table", "thead", "tbody", "tr", "th", "td", "p", "b", "span", "style"}
    allowed |= {"details", "summary", "ul", "li", "strong", "em", "h4", "h3", "img", "br", "figure"}
    for each in shown(profiles):
        told = each._repr_html_() if hasattr(each, "_repr_html_") else ""
        found = Tags(told)
        assert found.tags <= allowed, (type(each), found.tags - allowed)
        assert not {name for name in found.attributes if name.startswith("on")}, type(each)
        if "img" in found.tags:
            assert 'src="data:image/png;base64,' in told
    assert HOSTILE[0] in Tags(profiles._repr_html_()).text


def test_no_cell_of_a_csv_is_a_formula(profiles: ProfileTable, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    tk.write_csv(profiles, path)
    check_that_no_cell_is_a_formula(path.read_bytes())


# What begins a formula where a spreadsheet, or a reader that takes any line end, begins a cell.
FORMULAS = [
    *(
        "=1",
        "+1+1",
        "-1+1",
        "@A1",
        "\t=1",
        "\r=1",
        "\n=1",
        "\n\r =1",
        "x\r=1+1",
        "x\n=1+1",
        "\u2028=1",
    ),
    *(
        "\uff1d1",
        "\uff0b1+1",
        "\uff0d1+1",
        "\uff20A1",
        " =1",
        "\u200b=1",
        "\ufeff=1",
        '"=1',
        "a,=1",
    ),
]


def check_that_no_cell_is_a_formula(content: bytes) -> None:
    text = content.decode()
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert len({len(row) for row in rows}) == 1
    for cell in (cell for row in rows for cell in row):
        seen = cell.lstrip(" \t\r\n\u2028\u200b\ufeff")
        assert cell[:1] not in ("\t", "\r", "\n") or not seen, repr(cell)
        assert not seen.startswith(tuple("=+-@\uff1d\uff0b\uff0d\uff20")), repr(cell)
    # A line end outside of quotes ends a row, a carriage return alone too.
    outside = "".join(text.split('"')[::2])
    assert len([line for line in re.split(r"\r\n|\r|\n", outside) if line]) <= len(rows)


def test_DEFUSE_no_CSV_that_leaves_holds_a_formula(tmp_path: Path) -> None:
    database, given, out = (tmp_path / name for name in ("shop.db", "given.csv", "out.csv"))
    events = pd.DataFrame({"event": "e", "distinct_id": FORMULAS, "time": "2026-01-01"})
    events[FORMULAS[0]] = FORMULAS
    events.to_csv(tmp_path / "events.csv", lineterminator="\r\n")
    ragged = [[each] * 3 for each in FORMULAS]
    with given.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerows([["distinct_id", "a"], *([each, "x"] for each in "12" * 30), *ragged])
    with ProfileTable(database) as profiles:
        profiles.apply(
            [{"$distinct_id": each, "$set": {each: each, "$name": each}} for each in FORMULAS]
        )
        tk.write_csv(profiles, out)
        check_that_no_cell_is_a_formula(out.read_bytes())
        report = tk.import_csv(profiles, given, on_error="skip", dry_run=True)
        assert len(report.rejected) == len(FORMULAS)
        report.write_rejected(out)
        check_that_no_cell_is_a_formula(out.read_bytes())
        builder = ReportBuilderState(profiles, events, delay=0.0)
        builder.set(event="e", unit=None, by=user["$name"])
        assert builder.wait(60)
        check_that_no_cell_is_a_formula(builder.csv())
        builder.users = FORMULAS
        check_that_no_cell_is_a_formula(builder.users_csv())
        content: list[Exported] = []
        users = UsersState(profiles)
        users.export(on_ready=content.append)
        assert users.job.wait(60)
        check_that_no_cell_is_a_formula(content[0].content)
    for options in (
        ["--by", f'event["{FORMULAS[0]}"]'],
        ["--by", 'user["$name"]', "--unit", "none"],
    ):
        assert (
            main(
                [
                    "report",
                    str(database),
                    str(tmp_path / "events.csv"),
                    "e",
                    "--csv",
                    str(out),
                    "--overwrite",
                    *options,
                ]
            )
            == 0
        )
        check_that_no_cell_is_a_formula(out.read_bytes())
    assert main(["import", str(database), str(given), "--rejected", str(out), "--overwrite"]) == 1
    check_that_no_cell_is_a_formula(out.read_bytes())


def test_DEFUSE_nothing_writes_CSV_by_another_way() -> None:
    ways = re.compile(r"\.to_csv\(|csv\.writer\(|csv\.DictWriter|write_csv\(|to_clipboard|to_excel")
    root = Path(tk.__file__).parent
    found = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if ways.search(
            re.sub(r"(?m)^ *(>>>|\.\.\.).*|def write_csv\(", "", path.read_text(encoding="utf-8"))
        )
    }
    # The export, what is defused, rows of a file for people to read, and our own sample.
    assert found == {
        "sources/csv/defuse.py",
        "sources/csv/reading.py",
        "sources/sample.py",
    }


def test_what_was_exported_comes_back(profiles: ProfileTable, tmp_path: Path) -> None:
    tk.write_messages(profiles, tmp_path / "out.jsonl")
    again = ProfileTable()
    again.apply(tk.read_messages(tmp_path / "out.jsonl"))
    assert {key: again[key] for key in again} == {key: profiles[key] for key in profiles}


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_csv_is_data(text: str) -> None:
    stream = io.StringIO()
    csv.writer(stream).writerows([["distinct_id", text], ["1", text], [text, "2"]])
    profiles = ProfileTable()
    report = tk.import_csv(
        profiles,
        stream.getvalue().encode(),
        {0: "$distinct_id", 1: text},
        header=True,
        delimiter=",",
        types={1: "text"},
    )
    assert report.created == 2
    assert Tags(report._repr_html_()).tags.isdisjoint({"script", "svg", "iframe"})
    assert str(profiles["1"][text]).strip() == text.strip()


@pytest.mark.parametrize("name", ["a b.db", "'; --.db", "file:x?mode=memory", "%s.db", "<b>.db"])
def test_a_hostile_file_name_is_a_name(name: str, tmp_path: Path) -> None:
    with ProfileTable(tmp_path / name) as profiles:
        profiles.set("1", {"a": 1})
        profiles.compact(keep=0)
        assert profiles.check().problems == ()
        assert "<b>" not in profiles._repr_html_()
    assert (tmp_path / name).exists()
    assert {path.name for path in tmp_path.iterdir()} <= {name, name + "-wal", name + "-shm"}


def test_a_terminal_obeys_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "shop.db")
    clears = "a\x1b[2J\x07\x9b1m\u202eb"
    with ProfileTable(path) as profiles:
        profiles.apply([{"$distinct_id": clears, "$set": {clears: clears}}], source=clears)
    for command in (["show", path], ["show", path, clears], ["show", path, clears + "?"],
                    ["history", path, clears], ["history", path, clears, clears],
                    ["batches", path], ["check", path]):  # fmt: skip
        main(command)
        said = "".join(capsys.readouterr())
        assert not set(said) & set("\x1b\x07\x9b\u202e"), command
        assert said
    main(["show", path, clears])
    assert json.loads(capsys.readouterr().out) == {clears: clears}


def test_nothing_is_unpickled_or_evaluated() -> None:
    refused = {"pickle", "marshal", "shelve", "cloudpickle", "dill"}
    for path in Path(tk.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names = {(node.module or "").split(".")[0]}
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec"), path
                continue
            else:
                continue
            assert not names & refused, path
