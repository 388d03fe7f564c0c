"""What fails in a form is shown in it, in a real browser; and the tests here would hear of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import expect

XSS = "<img src=x onerror=alert(1)>"

USERS = f"""
import toolkit as tk
from toolkit.forms.users.batches import BatchList
from toolkit.forms.users.state import UsersState

def fails(*_):
    raise KeyError({XSS!r})

# A message of the grid, a button, a key, and a job.
UsersState.sort = UsersState.pick_all = UsersState.save_cohort = BatchList._tell = fails
profiles = tk.ProfileTable()
for n in range(30):
    profiles.set(str(n), {{"$name": f"Person {{n:02}}", "plan": ["free", "pro"][n % 2]}})
form = tk.Users(profiles)
form
"""


def failed(book: Any, doing: str) -> None:
    note = book.form.locator(".tk-failure")
    expect(note).to_contain_text(f"This failed: {doing}")
    expect(note).to_contain_text(f"KeyError: '{XSS}'")


def test_what_fails_is_shown_with_details_to_copy_and_the_form_goes_on(
    notebook: Callable[..., Any],
) -> None:
    book = notebook("guard", [USERS])
    grid = book.form.get_by_role("table", name="Users", exact=True)
    note = book.form.locator(".tk-failure")
    expect(note).to_be_hidden()

    # By mouse: the grid's own message.
    grid.get_by_role("button", name="plan").click()
    failed(book, "Users, plan")
    book.picture("grid")
    book.fits()
    book.button("Details").click()
    book.sees("Traceback (most recent call last):")
    book.button("Copy").click()
    expect(note.locator(".tk-code-copy")).to_have_text(re.compile("Copied|Selected: press Ctrl"))
    book.picture("details")
    book.fits()
    book.button("Hide details").click()
    expect(note.locator("pre")).to_be_hidden()
    book.field("Search").fill("Person 07")
    expect(grid.locator("tbody tr")).to_have_count(1)
    book.button("Put away").click()
    expect(note).to_be_hidden()

    # By keyboard: a button, and Enter in a field.
    book.field("Search").fill("")
    expect(grid.locator("tbody tr")).to_have_count(25)
    book.button("Tick all 30 found").focus()
    book.page.keyboard.press("Enter")
    failed(book, "Tick all 30 found")
    book.button("Save cohort…").focus()
    book.page.keyboard.press("Space")
    book.field("Name").fill("Paying")
    book.page.keyboard.press("Enter")
    failed(book, "Users, Enter")
    book.button("Details").focus()
    book.page.keyboard.press("Enter")
    book.sees("in fails")
    book.button("Put away").focus()
    book.page.keyboard.press("Enter")
    expect(note).to_be_hidden()

    # A job beside the page; the note comes into view wherever one is.
    book.page.set_viewport_size({"width": 1240, "height": 700})
    book.button("Batches").click()
    batches = book.form.get_by_role("table", name="Batches")
    batches.locator("tbody tr").first.click()
    book.button("Undo batch 30").click()
    failed(book, "Writing")
    expect(note).to_be_in_viewport(ratio=1)
    book.picture("job")
    book.button("Put away").click()
    expect(note).to_be_hidden()
    book.field("Search").fill("Person 07")
    expect(grid.locator("tbody tr")).to_have_count(1)


LIVE = """
import toolkit as tk
profiles = tk.ProfileTable()
taker = tk.consumer(profiles)
view = tk.LiveView(taker)
recent, left = view.state._receiver.recent, [None] * 12

def fails_at_first(*arguments):
    if not left:
        return recent(*arguments)
    if left.pop() is None:
        1 / 0

view.state._receiver.recent = fails_at_first
taker.send("people", '{"$distinct_id": "7", "$set": {"plan": "pro"}}')
view
"""


def test_a_live_view_that_fails_says_so_and_goes_on_by_itself(
    notebook: Callable[..., Any],
) -> None:
    book = notebook("guard-live", [LIVE], dark=True)
    note = book.form.locator(".tk-failure")
    expect(note).to_contain_text("This failed: Checking for what has arrived")
    expect(note).to_contain_text("ZeroDivisionError: division by zero")
    book.picture("note")
    expect(book.form.get_by_role("table", name="Messages")).to_contain_text(
        "$set plan", timeout=20_000
    )
    book.button("Put away").click()
    expect(note).to_be_hidden()


SILENT = """
import ipywidgets
from toolkit.forms.parts.form import Form
from toolkit.forms.parts import parts
from IPython.display import display
button = ipywidgets.Button(description="Silent")  # one that no form should have
button.on_click(lambda _: 1 / 0)
Form("Any", [button])
"""


def test_an_exception_that_only_a_log_has_fails_every_test_here(
    notebook: Callable[..., Any],
) -> None:
    book = notebook("guard-silent", [SILENT])
    book.button("Silent").click()
    for _ in range(100):
        if book.exceptions:
            break
        book.page.wait_for_timeout(100)
    assert "ZeroDivisionError" in book.exceptions.pop()
    book.page.evaluate("console.error('from the page')")
    book.page.wait_for_timeout(100)
    assert book.complaints.pop() == "from the page"
