"""What a form leaves in a saved notebook, for whoever opens it without a kernel."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import ipywidgets
import nbformat
import pytest

import toolkit as tk
from tests.formulas import DATA, FORMS
from toolkit.forms.parts import form as form_module, guarded, parts
from toolkit.forms.parts.chart import Chart
from toolkit.forms.parts.code import Code
from toolkit.forms.parts.form import Form
from toolkit.forms.parts.grid import Grid
from toolkit.forms.parts.still import charts, still

XSS = "<script>alert(1)</script><img src=//x.example/a.png>"


class Shown:
    """Collects what is displayed; a handle of what may be shown anew."""

    def __init__(self) -> None:
        self.outputs: list[dict[str, Any]] = []

    def __call__(self, data: dict[str, Any], **_: Any) -> Shown:
        self.outputs.append(data)
        return self

    def update(self, data: dict[str, Any], **_: Any) -> None:
        self.outputs[0] = data


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Shown:
    collected = Shown()
    monkeypatch.setattr(form_module, "_display", collected)
    return collected


@pytest.fixture(scope="module")
def forms() -> list[Form]:
    names: dict[str, Any] = {"display": lambda _: None}
    for cell in (DATA, FORMS):
        exec(cell, names)
    return list(names["forms"])


def words(page: str) -> str:
    return re.sub(r"<style.*?</style>|<script.*?</script>|<[^>]*>", " ", page, flags=re.DOTALL)


def notebook_of(forms: list[Form], shown: Shown) -> nbformat.NotebookNode:
    """A saved notebook with a cell for each form."""
    cells = []
    for form in forms:
        shown.outputs.clear()
        form._ipython_display_()
        outputs = [nbformat.v4.new_output("display_data", data) for data in shown.outputs]
        cells.append(nbformat.v4.new_code_cell("form", outputs=outputs))
    return nbformat.v4.new_notebook(cells=cells)


@pytest.mark.parametrize("state", [False, True], ids=["without state", "with the state of widgets"])
def test_nbconvert_shows_every_form_in_words(state: bool, forms: list[Form], shown: Shown) -> None:
    nbconvert = pytest.importorskip("nbconvert")
    book = notebook_of(forms, shown)
    if state:
        widgets = ipywidgets.Widget.get_manager_state()
        book.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": widgets}
    page, _ = nbconvert.HTMLExporter().from_notebook_node(book)
    shown_cells = page.split('class="jp-Cell jp-CodeCell')[1:]
    assert len(shown_cells) == len(forms)
    for form, cell in zip(forms, shown_cells, strict=True):
        told = words(cell)
        assert form.surroundings.name in told
        assert "open the notebook in Jupyter and run this cell" in told
        assert len(told.split()) > 25


@pytest.mark.parametrize("exporter", ["slides", "markdown", "rst", "latex", "notebook", "python"])
def test_every_exporter_of_nbconvert_shows_the_forms_as_well_as_its_format_can(
    exporter: str, forms: list[Form], shown: Shown
) -> None:
    nbconvert = pytest.importorskip("nbconvert")
    page, _ = nbconvert.get_exporter(exporter)().from_notebook_node(notebook_of(forms, shown))
    if exporter == "latex":  # of HTML it takes the plain text
        assert page.count(r"\begin{Verbatim}") >= 2 * len(forms)
        for form in forms:
            assert type(form).__name__ in page
    elif exporter != "python":  # which is the code alone
        assert page.count("open the notebook in Jupyter and run this cell") == len(forms)


def test_what_a_form_holds_is_in_its_still_picture(forms: list[Form]) -> None:
    pages = [still(form, form.surroundings.name) for form in forms]
    editor, users = words(pages[0]), words(pages[1])
    assert "from $5 to $10" in editor and "$1 and $2" in editor
    assert "a@x.org" in users
    for page in pages:
        assert 'class="tk-card mathjax_ignore tex2jax_ignore"' in page


def test_tables_pictures_and_fields_are_shown_and_what_is_hidden_is_not() -> None:
    grid = Grid(label="People")
    grid.show([{"key": "n", "label": XSS}], [{"id": "1", "cells": [XSS]}], total=9)
    chart, hidden, tabs = Chart(lambda x, y: None), parts.text("Secret", "hidden"), guarded.Tab()
    chart.alt, chart.png = f"A chart of {XSS}", b"png"
    hidden.layout.display = "none"
    tabs.children = [parts.text("One", "first"), parts.text("Two", "second")]
    tabs.titles, tabs.selected_index = ("A", "B"), 1
    tags = guarded.TagsInput(value=["x", "y"], tooltip="Tags")
    fields = [parts.text(XSS, XSS), parts.text("Same", "1"), parts.text("Same", "2"), tags]
    code = Code(label="Python", code="a < b")
    fields += [
        parts.heading("Parts"),
        code,
        parts.checkbox("Ticked", True),
        parts.dropdown("Choice", [("Words", 7)], 7),
    ]
    page = still(Form("Parts", [*fields, parts.hint(XSS), hidden, grid, chart, tabs]), "Parts")
    assert "<script" not in page and "x.example" not in re.sub(r"&lt;.*?&gt;", "", page)
    assert re.findall(r"<img src=\"(.*?)[;,]", page) == ["data:image/png"]
    told = words(page)
    for piece in ("x, y", "Ticked", "yes", "Words", "1 of 9 rows", "A · B", "second"):
        assert piece in told
    assert page.count(">Same<") == 2
    assert "<pre>a &lt; b</pre>" in page
    assert page.count(">Parts<") == 1  # the title of the card
    assert '<div style="background-color: #fff"><img ' in page
    for piece in ("hidden", "Secret", "first"):
        assert piece not in told


def test_each_step_of_an_import_has_its_number_once(forms: list[Form]) -> None:
    page = still(next(form for form in forms if isinstance(form, tk.CsvImport)), "Import")
    steps = re.findall(r"<li .*?>(.*?)</li>", page)
    assert steps == [
        *("<strong>File</strong>", "First rows", "Identifier", "Columns", "Check", "Import")
    ]


def test_what_an_operator_changed_is_one_line_per_property() -> None:
    lab = tk.OperatorLab()
    text = unescape(re.sub(r"<[^>]*>", "", still(lab, "Operator lab")))
    assert re.search(r'"plan": .*\n.*"age": 41\n.*"city": ', text)


def test_nothing_without_words_is_kept_nor_what_introduces_buttons(forms: list[Form]) -> None:
    for form in forms:
        page = still(form, form.surroundings.name)
        assert not re.search(r"<(p|div|span)[^>]*></\1>", page)
        assert "Or try a sample:" not in page


def test_pictures_from_elsewhere_are_left_out() -> None:
    profiles = tk.ProfileTable()
    profiles.set("1", {"$avatar": "https://x.example/a.png", "$name": "Ann"})
    form = tk.ProfileEditor(profiles, "1", remote_images=True)
    page = still(form, "Profile editor")
    assert "<img" not in page and "Ann" in page


def test_a_picture_that_comes_later_is_saved_too(shown: Shown) -> None:
    form = Form("Picture", [Chart(lambda x, y: None)])
    form._ipython_display_()
    assert [set(data) for data in shown.outputs] == [
        {"text/html", "text/plain"},
        {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"},
    ]
    assert "<img" not in shown.outputs[0]["text/html"]
    (chart,) = charts(form)
    chart.alt, chart.png = "Buys", b"later"
    assert 'alt="Buys"' in shown.outputs[0]["text/html"]
