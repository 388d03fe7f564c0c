"""HTML for notebooks: everything untrusted is escaped, nothing comes from outside."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

from toolkit.base import html

HOSTILE = "</td><script>alert(\"1\")</script><img src=x onerror='alert(2)'>"


class Reader(HTMLParser):
    """Collects what a browser would see: the elements, and the text of the cells."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.cells: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "td":
            self.cells.append("")

    def handle_data(self, data: str) -> None:
        if self.cells:
            self.cells[-1] += data

    def names(self) -> set[str]:
        return {name for name, _ in self.elements}


@pytest.mark.parametrize(
    "page",
    [
        html.card(HOSTILE, html.paragraph(HOSTILE), html.notes([HOSTILE])),
        html.table(pd.DataFrame({HOSTILE: [HOSTILE, [HOSTILE], {HOSTILE: HOSTILE}, object()]})),
        html.table(pd.DataFrame({"long": [HOSTILE * 40]})),
        html.facts({HOSTILE: HOSTILE}),
        html.picture(b"png", HOSTILE, width=10),
    ],
)
def test_hostile_text_makes_no_element_and_no_attribute(page: str) -> None:
    read = Reader(page)
    assert "script" not in read.names()
    allowed = {"class", "scope", "title", "src", "alt", "width", "tabindex"}
    for name, attributes in read.elements:
        assert set(attributes) <= allowed
        if name == "img":
            assert str(attributes["src"]).startswith("data:image/png;base64,")


@given(st.text(max_size=60))
def test_a_cell_reads_as_the_text_it_was(text: str) -> None:
    text = text.replace("\r", "").replace("\x00", "")  # which HTML cannot say
    cells = Reader(html.table(pd.DataFrame({"x": pd.Series([text, "end"], dtype=object)}))).cells
    assert cells[0] == text


def test_nothing_is_loaded_from_outside_and_no_colour_is_fixed() -> None:
    page = html.card("Title", html.table(pd.DataFrame({"a": [1]})), html.notes(["x"]))
    assert not re.search(r"https?:|url\(|@import|<link|<script", page)
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b|\bwhite\b(?!-space)|\bblack\b", page)
    for colour in re.findall(r"var\(--jp-[^)]*color[^)]*\)", page):
        assert "," in colour  # a fallback for pages that are not JupyterLab's


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1_234_567, "1,234,567"),
        (np.int64(-5), "-5"),
        (0.5, "0.5"),
        (1234567.891, "1,234,568"),
        (np.float64(2), "2"),
        (True, "true"),
        (np.bool_(False), "false"),
        (["a", {"b": None}], '["a",{"b":null}]'),
        ([{1}], "[{1}]"),
        (datetime(2026, 5, 1, tzinfo=UTC), "2026-05-01"),
        (pd.Timestamp("2026-05-01T12:30", tz="UTC"), "2026-05-01 12:30:00+00:00"),
        ("text", "text"),
    ],
)
def test_cells_read_well(value: Any, text: str) -> None:
    assert html.cell_text(value) == text


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT])
def test_a_missing_cell_is_a_dash(missing: Any) -> None:
    assert Reader(html.table(pd.DataFrame({"x": pd.Series([missing], dtype=object)}))).cells == [
        "–"
    ]


def test_a_long_table_says_how_many_rows_are_not_shown() -> None:
    page = html.table(pd.DataFrame({"x": range(1_000)}), rows=2)
    assert page.count("<tr>") == 1 + 2
    assert page.index("</div>") < page.index("2 of 1,000 rows")  # it does not scroll away
    assert "2 of 1,000 rows" in page
    assert "of 50 rows" in html.table(pd.DataFrame({"x": [1]}), rows=2, total=50)


@pytest.mark.parametrize(("length", "shown"), [(8, 8), (9, 9), (11, 11), (12, 8)])
def test_the_last_few_rows_are_not_hidden(length: int, shown: int) -> None:
    page = html.table(pd.DataFrame({"x": range(length)}), rows=8)
    assert page.count("<tr>") == 1 + shown
    assert (" rows" in page) == (shown < length)


def test_a_wide_table_scrolls_and_no_word_is_squeezed() -> None:
    page = html.card("Wide", html.table(pd.DataFrame({f"column_{n}": ["x"] for n in range(40)})))
    assert '<div class="tk-scroll" tabindex="0"><table' in page
    assert re.search(r"\.tk-scroll \{\s*overflow-x: auto", page)
    # Only the long cells break, and those have a least width.
    assert page.count("overflow-wrap") == 1
    assert re.search(r"td\.tk-long \{[^}]*overflow-wrap: anywhere; min-width: 20em", page)


def test_long_text_is_cut_and_whole_when_pointed_at() -> None:
    text, name = "long text " * 30, "a property of a name " * 5
    elements = Reader(html.table(pd.DataFrame({name: [text, "short"]}))).elements
    cells = [attributes for tag, attributes in elements if tag in ("th", "td")]
    assert cells == [
        {"scope": "col", "title": name},
        {"class": "tk-long", "title": text},
        {},
    ]
    read = Reader(html.table(pd.DataFrame({name: [text, "short"]})))
    assert read.cells[0] == text[: html.CELL_LENGTH - 1] + "…"


def test_a_missing_number_stands_where_numbers_stand() -> None:
    page = html.table(pd.DataFrame({"n": [1.5, None], "t": ["x", None]}))
    assert '<td class="tk-missing tk-number">' in page
    assert '<td class="tk-missing">' in page


def test_columns_of_one_name_and_any_index_are_shown() -> None:
    frame = pd.DataFrame([[1, 2], [3, 4]], columns=["x", "x"], index=["a", "a"])
    assert Reader(html.table(frame)).cells == ["1", "2", "3", "4"]


def test_numbers_stand_right_and_booleans_do_not() -> None:
    page = html.table(pd.DataFrame({"n": [1], "b": [True]}))
    assert re.search(r'<th scope="col" class="tk-number">n</th>', page)
    assert re.search(r'<th scope="col">b</th>', page)


def test_no_notes_are_no_list() -> None:
    assert html.notes([]) == ""


# -- what is finished HTML, and what is not ---------------------------------------------------

TOOLKIT = Path(html.__file__).parents[1]
# Opening and closing tags; in an f-string one whose name is put in, too.
TAG = re.compile(r"(?<!\?P)</?[a-z]+[0-9]?[\s>/]")
OPEN_TAG = re.compile(rf"{TAG.pattern}|</$")
#: What is taken for finished HTML though it is no text in the code, and why it is.
FINISHED = {
    "Html(css)",  # a file of ours
    "Html(re.sub('<img [^>]*>', '', widget.value))",  # of a widget whose value is finished
    "Html(html.card(name, *parts))",
}


def unescaped(source: str) -> Iterator[str]:
    """Yield HTML that is not made by the formatting of a literal ``Html("…")``."""
    literals, known = set(), set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            known.add(node.value.lineno)  # a docstring
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("Html", "html.Html"):
            for part in node.args:
                choice = [part.body, part.orelse] if isinstance(part, ast.IfExp) else [part]
                if all(isinstance(each, ast.Constant) for each in choice):
                    literals |= {ast.dump(each, include_attributes=True) for each in choice}
                elif ast.unparse(node) not in FINISHED:
                    yield ast.unparse(node)
        if isinstance(node, ast.JoinedStr):
            texts = [each.value for each in node.values if isinstance(each, ast.Constant)]
            if any(OPEN_TAG.search(text) for text in texts):
                yield ast.unparse(node)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            is_literal = ast.dump(node, include_attributes=True) in literals
            if TAG.search(node.value) and not is_literal and node.lineno not in known:
                yield ast.unparse(node)


def test_no_value_is_put_into_html_without_being_escaped() -> None:
    found = {
        (path.relative_to(TOOLKIT).as_posix(), text)
        for path in TOOLKIT.rglob("*.py")
        for text in unescaped(path.read_text(encoding="utf-8"))
    }
    # The first is a pattern, the second what a library in Go writes for nothing.
    assert found == {
        ("forms/parts/still.py", repr("<img [^>]*>")),
        ("sources/live/arriving_events.py", repr("<nil>")),
    }


@pytest.mark.parametrize(
    "source",
    [
        'f"<b>{value}</b>"',
        'f"<{tag}>{value}</{tag}>"',
        'Html(f"<b>{value}</b>")',
        '"<b>%s</b>" % value',
        '"<b>{}</b>".format(value)',
        '"<b>" + value + "</b>"',
        "Html(value)",
        'Html("<b>" + value)',
        'Html("<b>{}</b>" if value else value)',
    ],
)
def test_html_made_in_any_other_way_is_noticed(source: str) -> None:
    assert list(unescaped(source))
    assert not list(unescaped('Html("<b>{}</b>").format(value)'))
    assert not list(unescaped('Html("<b>{}</b>" if value else "").format(value)'))


def test_what_is_put_into_html_is_escaped_once() -> None:
    inner = html.Html("<b>{}</b>").format("<&\ud800>")
    assert inner == "<b>&lt;&amp;\\ud800&gt;</b>"
    assert html.Html("<p>{}{:,}</p>").format(inner, 1_000) == f"<p>{inner}1,000</p>"
    assert html.Html(", ").join(["<", inner]) == f"&lt;, {inner}"
    assert html.Html("<p>") + "<" == "<p>&lt;"
    assert html.Html('<p title="%s">') % "\"'" == '<p title="&quot;&#x27;">'


def test_a_card_leaves_the_toolkit_as_plain_text() -> None:
    assert "<h1>Mine</h1>" + html.card("A") == f"<h1>Mine</h1>{html.card('A')}"
    assert type(html.card("A")) is str
