"""What we show is never read as maths: two dollar signs in one output are no formula."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import ipywidgets
import pandas as pd
import pytest

import toolkit
from tests.formulas import CARDS, DATA, FORMS
from toolkit.base import html
from toolkit.forms.parts import parts
from toolkit.forms.parts.form import Form

# What the page typesets by itself, though nobody asked for maths.
TYPESET = (ipywidgets.HTMLMath, ipywidgets.Label)
LABELLED = ipywidgets.widgets.widget_description.DescriptionWidget
# Their words are no element that is typeset.
PLAIN = (ipywidgets.HTML, ipywidgets.Button, ipywidgets.ToggleButton, ipywidgets.Tab)


@pytest.fixture(scope="module")
def shown() -> dict[str, list[Any]]:
    """One of each card, and all forms."""
    names: dict[str, Any] = {"display": lambda _: None}
    for cell in (DATA, CARDS, FORMS):
        exec(cell, names)
    return {"cards": names["shown"], "forms": names["forms"]}


def kinds_of_cards() -> list[type]:
    """All classes of the package that have HTML of their own."""
    kinds = set()
    for module in pkgutil.walk_packages(toolkit.__path__, "toolkit."):
        if not module.name.endswith("__main__"):
            members = vars(importlib.import_module(module.name)).values()
            kinds |= {each for each in members if isinstance(each, type)}
    ours = (each for each in kinds if each.__module__.startswith("toolkit."))
    return sorted((each for each in ours if "_repr_html_" in vars(each)), key=str)


def widgets(root: ipywidgets.Widget) -> Iterator[ipywidgets.Widget]:
    """A widget and all that is in it."""
    yield root
    for child in getattr(root, "children", ()):
        yield from widgets(child)


@pytest.mark.parametrize("kind", kinds_of_cards(), ids=lambda kind: kind.__name__)
def test_every_kind_of_card_is_left_alone_by_mathjax(
    kind: type, shown: dict[str, list[Any]]
) -> None:
    cards = [each for each in shown["cards"] if isinstance(each, kind)]
    assert cards, f"add a {kind.__name__} to the cards of tests/formulas.py"
    for each in cards:
        page = each._repr_html_()
        style, _, content = page.partition("</style>")
        assert style.startswith("<style>") and "<style>" not in content
        root = re.match(r'\s*<div class="([^"]*)">', content)
        assert root is not None and set(html.NO_MATHS) <= set(root[1].split())
        # All of it is in that one box.
        assert len(re.findall(r"<div[ >]", content)) == content.count("</div>")
        assert content.endswith("</div>")


def test_forms_and_their_labels_are_left_alone_by_mathjax(shown: dict[str, list[Any]]) -> None:
    labels = 0
    for form in shown["forms"]:
        assert isinstance(form, Form)
        assert set(html.NO_MATHS) <= set(form._dom_classes)
        for widget in widgets(form):
            assert not isinstance(widget, TYPESET)
            if isinstance(widget, LABELLED) and not isinstance(widget, PLAIN):
                label = widget.get_state()["description"]
                assert "$" not in label.replace("$time", "").replace("$ignore_time", "") or (
                    'class="mathjax_ignore' in label
                )
                labels += "mathjax_ignore" in label
    assert labels >= 4  # the editor has properties that look like formulas


@pytest.mark.parametrize(
    "label", ["from $5 to $10", "$$x$$", r"\(x\)", r"\[x\]", r"\begin{equation}x", "$\n$"]
)
def test_a_label_like_a_formula_is_marked_and_reads_as_it_was(label: str) -> None:
    for field in (parts.text(label), parts.checkbox(label), parts.dropdown(label, ["a"], "a")):
        travels = field.get_state()["description"]
        assert travels.startswith('<span class="mathjax_ignore')
        assert field.get_state()["description_allow_html"]
        assert field.description == label
        field.description = "<b>bold</b>"
        assert field.get_state()["description"] == "&lt;b&gt;bold&lt;/b&gt;"


def test_a_data_frame_is_read_as_maths_only_while_pandas_asks_for_it() -> None:
    frame = pd.DataFrame({"price": ["from $5 to $10"]})
    assert "mathjax_ignore" not in frame._repr_html_()
    with pd.option_context("display.html.use_mathjax", False):
        assert "mathjax_ignore" in frame._repr_html_()
