"""The parts that all forms share, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import expect

PARTS = """
from pathlib import Path
from time import sleep
from toolkit.forms.parts import parts
from toolkit.forms.parts.file_drop import FileDrop
from toolkit.forms.parts.form import Form
from toolkit.forms.parts.grid import Grid
from toolkit.forms.parts.job import Job

note = parts.Note()
name = parts.text("Name")
def took(file_name, file):
    with file:
        note.show(f"{file_name}: {len(file.read())} bytes")
drop = FileDrop(took)
grid = Grid(
    label="People", selectable=True, page_size=2, nouns="people",
    on_open=lambda id: note.show(f"opened {id}"),
    on_sort=lambda key: note.show(f"sort by {key}"),
    on_page=lambda page: note.show(f"page {page}"),
)
grid.show(
    [
        {"key": "n", "label": "Name", "sortable": True},
        {"key": "a", "label": "Age", "number": True},
    ],
    [
        {"id": "1", "cells": ["<img src=x onerror=alert(1)>", "30"]},
        {"id": "2", "cells": ["Bob", None]},
    ],
    total=5,
)
job = Job()
def work(progress):
    for n in range(1000):
        progress("Counting", n, 1000)
        sleep(0.02)
start = parts.button("Count", lambda: job.start(work, on_end=lambda: note.show("stopped")))
Form(
    "Parts",
    [parts.heading("<b>Parts</b>"), name, note, drop, grid, start, parts.ProgressBar(job)],
    on_enter=lambda: note.show(f"saved {name.value}", "success"),
    on_escape=lambda: note.show("left", "warning"),
)
"""


def test_keys_rows_files_and_progress(notebook: Callable[..., Any], tmp_path: Path) -> None:
    book = notebook("parts", [PARTS])
    expect(book.form).to_contain_text("<b>Parts</b>")
    field = book.field("Name")
    field.fill("Ann")
    field.type(" Lee", delay=5)
    field.press("Enter")
    book.sees("saved Ann Lee")
    field.press("Escape")
    book.sees("left")

    grid = book.form.get_by_role("table", name="People")
    expect(grid).to_contain_text("<img src=x onerror=alert(1)>")
    expect(book.form).to_contain_text("1–2 of 5 people")
    book.button("Name").click()
    book.sees("sort by n")
    book.button("Next page").click()
    book.sees("page 1")
    grid.get_by_text("Bob").click()
    book.sees("opened 2")
    row = grid.locator("tbody tr").first
    row.focus()
    row.press("ArrowDown")
    book.page.keyboard.press("Space")
    expect(grid.get_by_label("Select Bob")).to_be_checked()
    book.page.keyboard.press("Enter")
    book.sees("opened 2")

    large = tmp_path / "large.csv"
    large.write_bytes(b"x" * 2_500_000)
    with book.page.expect_file_chooser() as chooser:
        book.button("Drop a file here, or click to choose one").click()
    chooser.value.set_files(large)
    book.sees("large.csv: 2500000 bytes")

    book.button("Count").click()
    book.sees("rows/s")
    book.picture("running")
    book.button("Cancel").click()
    book.sees("stopped")
    book.fits()


SLOW = """
from time import sleep
from toolkit.forms.parts import parts
from toolkit.forms.parts.form import Form
note, name = parts.Note(), parts.text("Name")
name.observe(lambda _: sleep(0.3), "value")
save = parts.button("Save", lambda: note.show(f"saved {name.value}."))
Form("Slow", [name, save, note], on_enter=lambda: note.show(f"entered {name.value}."))
"""


def test_what_was_typed_arrives_before_the_key_or_click_that_follows(
    notebook: Callable[..., Any],
) -> None:
    book = notebook("slow", [SLOW])
    field = book.field("Name")
    for word in ("Cleopatra", "Berenice"):
        field.fill("")
        field.focus()
        book.page.keyboard.type(word)
        book.page.keyboard.press("Enter")
        book.sees(f"entered {word}.")
        book.page.keyboard.type(" Lee")
        book.button("Save").click()
        book.sees(f"saved {word} Lee.")


def test_a_form_that_lost_its_kernel_says_so(notebook: Callable[..., Any]) -> None:
    book = notebook("stale", [PARTS], dark=True)
    expect(book.page.locator(".tk-form.tk-dark")).to_be_visible()
    book.restart_kernel()
    expect(book.page.locator(".tk-form.jupyter-widgets-disconnected")).to_be_visible()
    told = book.form.evaluate("node => getComputedStyle(node, '::before').content")
    assert "has lost its kernel" in told
    book.picture("dark")


KEYS = """
from toolkit.forms.parts import guarded, parts
from toolkit.forms.parts.form import Form
note = parts.Note()
fruit = parts.dropdown("Fruit", ["Apple", "Banana", "Cherry"], "Apple")
tick = parts.checkbox("Ripe")
slider = guarded.IntSlider(description="Days", min=0, max=9)
press = parts.button("Press", lambda: note.show("pressed"))
toggle = guarded.ToggleButton(description="More")
Form("Keys", [fruit, tick, slider, press, toggle, note])
"""


def test_FORM_2_keys_are_for_what_has_the_focus_and_never_for_the_notebook(
    notebook: Callable[..., Any],
) -> None:
    book = notebook("keys", [KEYS])
    keyboard = book.page.keyboard
    fruit = book.field("Fruit")
    fruit.focus()
    keyboard.press("ArrowDown")
    expect(fruit).to_have_value("Banana")
    keyboard.press("ArrowDown")
    expect(fruit).to_have_value("Cherry")
    keyboard.press("ArrowUp")
    expect(fruit).to_have_value("Banana")
    slider = book.form.get_by_role("slider")
    slider.focus()
    keyboard.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", "1")
    # A cell would be deleted, added, cut, or made text.
    cells = book.page.locator(".jp-Notebook .jp-Cell")
    for each in (fruit, slider, book.button("Press"), book.button("More"), book.field("Ripe")):
        each.focus()
        for key in ("d", "d", "b", "x", "m", "ArrowUp", "ArrowDown"):
            keyboard.press(key)
            book.page.wait_for_timeout(30)
        assert each.evaluate("node => node === document.activeElement")
    expect(cells).to_have_count(1)
    expect(book.form).to_be_visible()
    book.button("Press").focus()
    keyboard.press("Enter")
    book.sees("pressed")
