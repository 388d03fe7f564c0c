"""The form of users, as a person uses it in a browser."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

import toolkit as tk

XSS = "<img src=x onerror=alert(1)>"

OPEN = """
import pandas as pd
import toolkit as tk
profiles = tk.ProfileTable({path!r})
events = pd.DataFrame({events!r}, columns=["event", "distinct_id", "time", "item"])
form = tk.Users(profiles, events)
form
"""

EVENTS = [
    ("View", "7", "2026-05-01T10:00", None),
    ("Purchase", "7", "2026-05-02T11:30", XSS),
    ("View", "7", "2026-05-02T11:00", "tea"),
    (XSS, "7", "2026-05-03T09:00", None),
    ("View", "stranger", "2026-05-03T10:00", None),
]

READ = """
import json, sqlite3, sys
rows = sqlite3.connect(sys.argv[1]).execute("SELECT distinct_id, properties FROM profiles")
print(json.dumps({key: json.loads(text) for key, text in rows}))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "shop.db"
    with tk.ProfileTable(path) as profiles:
        profiles.apply(
            [
                {
                    "$distinct_id": str(number),
                    "$set": {
                        "$name": f"Person {number:02}",
                        "$email": f"p{number}@example.com",
                        "plan": ["free", "basic", "pro"][number % 3],
                        "age": 20 + number,
                    },
                    "$time": 1_767_225_600 + 86_400 * number,
                }
                for number in range(1, 41)
            ]
        )
        profiles.set("7", {"plan": "pro", XSS: XSS, "tags": ["a", "vip"]}, time="2026-03-01")
        profiles.set("evil", {"$name": XSS, "$email": "=1+1", "plan": XSS}, time="2026-03-02")
    return path


def names(grid: Locator) -> list[str]:
    return grid.locator("tbody tr td:nth-child(2)").all_inner_texts()


def summary(book: Any, words: str) -> None:
    expect(book.form.locator(".tk-users-summary")).to_have_text(words)


def open_form(notebook: Callable[..., Any], path: Path, name: str, **options: Any) -> Any:
    return notebook(name, [OPEN.format(path=str(path), events=EVENTS)], **options)


def test_users_are_found_changed_and_brought_back(
    notebook: Callable[..., Any], elsewhere: Callable[..., str], path: Path
) -> None:
    book = open_form(notebook, path, "users")
    grid = book.form.get_by_role("table", name="Users")

    def stored() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(elsewhere(READ, path))
        return found

    before = stored()
    expect(book.form).to_contain_text("41 profiles")
    expect(book.form).to_contain_text("1–25 of 41 users")
    book.picture("list")
    book.fits()

    # Search
    book.field("Search").fill("PERSON p7@")
    summary(book, "1 of 41 profiles")
    book.field("Search").fill("nobody at all")
    book.sees("Nobody matches")
    book.field("Search").fill("")

    # Sort
    book.button("age").click()
    expect(grid.locator("tbody tr").first).to_contain_text("Person 01")
    book.button("age ▲").click()
    expect(grid.locator("tbody tr").first).to_contain_text("Person 40")

    # Filter
    book.button("Filter").click()
    book.sees("Choose a property; until then this row does not count.")
    book.field("Property 1").select_option("plan")
    book.field("Value 1").fill("pro")
    book.field("Value 1").press("Tab")
    summary(book, "14 of 41 profiles")
    book.button("Add a condition").click()
    book.field("Property 2").select_option("age")
    # Those for numbers are there once the kernel has heard of the property.
    book.field("Operator 2").select_option("≥")
    book.field("Value 2").fill("fifty")
    book.field("Value 2").press("Enter")
    book.sees('"fifty" is not a number; write 12 or 2.5.')
    summary(book, "0 of 41 profiles")
    book.sees("Correct what is wrong above to see users.")
    assert book.field("Value 2").input_value() == "fifty"
    book.picture("filter-error")
    book.field("Value 2").fill("50")
    book.field("Value 2").press("Tab")
    summary(book, "3 of 41 profiles")
    book.sees('user["plan"] == "pro" and user["age"] >= 50')
    book.picture("filter")
    book.fits()

    # One property of all that are found, kept by the file, Updated At as it was
    book.button("Add property…").click()
    book.form.locator(".tk-users-panel").filter(has_text="Write one").get_by_label("Property").fill(
        "$bucket"
    )
    book.form.get_by_label("Value", exact=True).last.fill("gold")
    book.button("Write…").click()
    book.sees("is hidden from every table")
    book.form.locator(".tk-users-panel").filter(has_text="Write one").get_by_label("Property").fill(
        "tier"
    )
    book.form.get_by_label("Value", exact=True).last.press("Enter")
    book.sees('Write "tier" of 3 profiles?')
    book.picture("question")
    book.button("Yes, write").click()
    book.sees('"tier" written in 3 profiles.')
    assert {key for key, each in stored().items() if each.get("tier") == "gold"} == {
        *("32", "35", "38")
    }
    book.field("Value").press("Escape")
    expect(book.form).not_to_contain_text("Write one property")

    # Delete asks once, and can be undone
    grid.get_by_label("Select all rows of this page").check()
    book.sees("3 ticked")
    book.button("Delete…").click()
    book.sees("Delete 3 profiles (Person 38, Person 35, Person 32)?")
    book.button("No").click()
    assert len(stored()) == 41
    book.button("Delete…").click()
    book.button("Yes, delete").click()
    book.sees("3 profiles deleted.")
    assert len(stored()) == 38
    book.picture("deleted")
    book.button("Undo").click()
    book.sees("Batch 5 undone: 3 created.")
    summary(book, "3 of 41 profiles")
    after = stored()
    assert {key: {**each, "tier": None} for key, each in after.items()} == {
        key: {**each, "tier": None} for key, each in before.items()
    }

    # Export, defused
    book.button("Remove").first.click()
    expect(book.button("Remove")).to_have_count(1)
    summary(book, "11 of 41 profiles")
    book.button("Remove").click()
    summary(book, "41 profiles")
    book.field("Search").fill("=1+1")
    summary(book, "1 of 41 profiles")
    book.button("Export…").click()
    with book.page.expect_download() as download:
        book.button("Download").click()
    book.sees("1 profile written for download.")
    text = Path(download.value.path()).read_text(encoding="utf-8")
    assert download.value.suggested_filename == "users.csv"
    assert text.splitlines()[0].startswith("$distinct_id,$name,$email,plan")
    assert f"evil,{XSS},'=1+1," in text
    book.picture("export")
    book.button("Export…").click()

    # A cohort
    book.button("Save cohort…").click()
    book.field("Name").fill(XSS)
    book.field("Name").press("Enter")
    book.sees(f'Cohort "{XSS}" saved: 1 user.')
    book.picture("cohort")
    book.button("Save cohort…").click()

    # Batches: what later updates wrote to is not undone in silence
    book.field("Search").fill("")
    book.button("Batches").click()
    batches = book.form.get_by_role("table", name="Batches")
    batches.get_by_text("messages").click()
    book.button("Undo batch 1").click()
    book.sees("Nothing was changed.")
    book.picture("batches")
    book.button("Leave it").click()
    book.fits()
    book.clean()


def test_a_user_is_looked_at_as_it_was_and_for_what_it_did(
    notebook: Callable[..., Any], elsewhere: Callable[..., str], path: Path
) -> None:
    book = open_form(notebook, path, "user")
    grid = book.form.get_by_role("table", name="Users")
    book.field("Who is listed").select_option("All users seen in events")
    summary(book, "2 users, 1 without a profile")
    expect(grid).to_contain_text("stranger (no profile)")
    row = grid.locator("tbody tr").filter(has_text="Person 07")
    row.focus()
    book.page.keyboard.press("Enter")

    book.sees("Updated at 2026-03-01 00:00:00 UTC")
    properties = book.form.get_by_role("table", name="Properties")
    expect(properties.locator("tr").filter(has_text=XSS)).to_be_visible()
    expect(properties.locator("tr").filter(has_text="plan")).to_contain_text("pro")
    book.picture("page")
    book.fits()

    slider = book.form.get_by_role("slider")
    slider.focus()
    book.page.keyboard.press("Home")
    book.sees("As of 2026-01-08 00:00:00 UTC")
    expect(properties.locator("tr").filter(has_text="plan")).to_contain_text("basic")
    expect(properties.locator("tr").filter(has_text="plan")).to_contain_text("changed since")
    expect(properties.locator("tr").filter(has_text="tags")).to_contain_text("came later")
    book.picture("as-it-was")
    book.button("Now").click()
    expect(properties.locator("tr").filter(has_text="plan")).to_contain_text("pro")

    properties.get_by_text("plan").click()
    book.sees("History of plan")
    book.sees("batch 2, set, arrived")
    book.picture("history")

    expect(book.form).to_contain_text("4 of 4 events")
    book.field("Day").select_option("2026-05-02")
    expect(book.form).to_contain_text("2 of 2 events")
    book.field("Hide an event").select_option(label="View (2)")
    expect(book.form).to_contain_text("1 of 1 events")
    expect(book.form).to_contain_text(f"item: {XSS}")
    book.picture("feed")
    book.button("Show View").click()
    book.button("‹ Back to the list").click()
    grid.get_by_text("stranger (no profile)").click()
    book.sees("There are events with this ID, but no profile.")
    book.button("‹ Back to the list").click()

    # The editor, in place
    grid.get_by_label("Select Person 07").check()
    book.form.get_by_role("button", name="Edit", exact=True).click()
    book.sees("What will be changed")
    editor = book.page.locator(".tk-form .tk-form")
    row = editor.locator(".tk-property").filter(has_text="plan")
    row.locator("input, textarea").last.fill("gold")
    editor.get_by_role("button", name="Save", exact=True).click()
    book.sees("Saved")
    book.picture("editor")
    book.button("‹ Back").click()
    expect(grid.locator("tr").filter(has_text="Person 07")).to_contain_text("gold")
    assert json.loads(elsewhere(READ, path))["7"]["plan"] == "gold"
    book.clean()


def test_the_form_fits_900_pixels_and_a_dark_page(notebook: Callable[..., Any], path: Path) -> None:
    book = open_form(notebook, path, "users-dark", dark=True, width=900)
    expect(book.page.locator(".tk-form.tk-dark")).to_be_visible()
    book.button("Filter").click()
    book.button("Columns").click()
    book.field("Property 1").select_option("plan")
    book.field("Value 1").fill(XSS)
    book.field("Value 1").press("Tab")
    summary(book, "1 of 41 profiles")
    book.button("Add a condition").click()
    book.field("Property 2").select_option("Updated at")
    book.field("Operator 2").select_option("is on or before")
    book.field("Value 2").fill("tomorrow")
    book.field("Value 2").press("Tab")
    book.sees('"tomorrow" is not a date')
    book.picture("narrow-filter")
    book.fits()
    book.field("Value 2").fill("2026-03-02")
    book.field("Value 2").press("Tab")
    summary(book, "1 of 41 profiles")
    book.button("Write it as text").click()
    expect(book.field("Expression")).to_have_value(re.compile('user."plan". == .* and '))
    book.field("Expression").fill('user["plna"] == ')
    book.field("Expression").press("Tab")
    book.picture("narrow-error")
    book.fits()
    book.field("Expression").fill('user["plna"] == 1')
    book.field("Expression").press("Tab")
    book.sees('Did you mean "plan"?')
    book.picture("narrow-list")
    book.field("Expression").fill("")
    book.field("Expression").press("Tab")
    book.form.get_by_role("table", name="Users").get_by_text("Person 07").click()
    book.sees("History")
    book.form.get_by_role("table", name="Properties").get_by_text("plan").click()
    book.sees("History of plan")
    book.picture("narrow-page")
    book.fits()


def test_a_panel_opens_before_between_and_after_ticks_by_mouse_and_keyboard(
    notebook: Callable[..., Any], path: Path
) -> None:
    book = open_form(notebook, path, "users-panels")
    grid = book.form.get_by_role("table", name="Users")
    panel = book.form.locator(".tk-users-panel").filter(has_text="Write one property")
    to = panel.get_by_label("Write it to")

    # By mouse: ticked first.
    grid.get_by_label("Select Person 01").check()
    grid.get_by_label("Select Person 02").check()
    book.sees("2 ticked")
    book.button("Add property…").click()
    expect(to).to_have_value("the ticked (2)")
    book.picture("ticked-first")
    book.fits()
    grid.get_by_label("Select Person 03").check()
    expect(to).to_have_value("the ticked (3)")
    book.button("Tick none").click()
    expect(to).to_have_value("all that are found (41)")
    for words, told in (("Save cohort…", "Save as cohort"), ("Export…", "Write file")):
        book.button(words).click()
        book.sees(told)
        grid.get_by_label("Select Person 01").click()
    book.button("Add property…").click()
    expect(to).to_be_visible()

    # By keyboard: closed, ticked, opened, filled in and written.
    panel.get_by_label("Property").press("Escape")
    expect(panel).to_be_hidden()
    row = grid.locator("tbody tr").first
    row.focus()
    book.page.keyboard.press("Space")
    book.sees("1 ticked")
    book.button("Add property…").focus()
    book.page.keyboard.press("Enter")
    expect(to).to_have_value("the ticked (1)")
    panel.get_by_label("Property").focus()
    book.page.keyboard.type("tier")
    book.page.keyboard.press("Tab")
    book.page.keyboard.type("gold")
    book.page.keyboard.press("Enter")
    book.sees('Write "tier" of 1 profile?')
    book.picture("question-of-one")
    book.button("Yes, write").focus()
    book.page.keyboard.press("Enter")
    book.sees('"tier" written in 1 profile.')
    with tk.ProfileTable(path) as stored:
        assert [key for key in stored if "tier" in stored[key]] == ["1"]
