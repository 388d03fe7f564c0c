"""The operator lab in a real browser: composing, typing, stepping, guessing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from playwright.sync_api import expect

# What the lab shows is also done to a table in SQLite, for another process to read.
LAB = """
from pathlib import Path
import toolkit as tk

form = tk.OperatorLab("$append of a list")

def keep(change=None):
    trial = form.state.trial
    if trial is None:
        return
    path = Path({path!r})
    with tk.ProfileTable(path) as profiles:
        profiles.delete("ann")
        if trial.before is not None:
            profiles.set("ann", trial.before, time="2026-01-01")
        profiles.apply([trial.message])

keep()
form.state.observe(keep, "changes")
form
"""

READ = """
import json, sqlite3, sys
rows = sqlite3.connect(sys.argv[1]).execute("SELECT distinct_id, properties FROM profiles")
print(json.dumps([json.loads(text) for name, text in rows if name == "ann"]))
"""

BAD = "<img src=x onerror=alert(1)>"


@pytest.fixture
def stores(tmp_path: Path, elsewhere: Callable[..., str]) -> Callable[[Any], None]:
    """Wait until another process reads this profile (None: none) from the table."""

    def check(expected: Any) -> None:
        path = tmp_path / "lab.db"
        wanted = [] if expected is None else [expected]
        until = monotonic() + 30
        # The page is drawn before the table is written.
        while (found := json.loads(elsewhere(READ, path))) != wanted and monotonic() < until:
            sleep(0.1)
        assert found == wanted

    return check


def test_a_message_is_composed_typed_and_stepped_through(
    notebook: Callable[..., Any], tmp_path: Path, stores: Callable[[Any], None]
) -> None:
    book = notebook("lab", [LAB.format(path=str(tmp_path / "lab.db"))])
    page = book.page
    page.set_viewport_size({"width": 1240, "height": 1500})
    book.sees("APPEND-1")
    book.picture("1-light")
    stores({"seen": ["Tent", ["Map", "Stove"]], "tags": ["a", "b", "c"]})

    # By form, with the keyboard alone from the property on.
    book.field("Case").select_option("A first look")
    book.sees("SET-1")
    book.button("Add property").click()
    book.sees("a property needs a name")
    book.field("Operator 3").select_option("$union")
    name = book.field("Property 3")
    name.click()
    page.keyboard.type(BAD)
    page.keyboard.press("Tab")
    page.keyboard.type(f'["{BAD}", ')
    book.sees("value, column")
    book.sees("The result follows when the message is finished.")
    page.keyboard.type('"a"]')
    book.sees(f'"{BAD}": ["{BAD}", "a"]')
    book.sees("UNION-1")
    stores({"plan": "pro", "age": 41, "city": "Oslo", BAD: [BAD, "a"]})
    book.picture("2-untrusted")
    # Escape gives up what is unfinished.
    book.field("Value 1").fill("pro")
    book.sees('text goes in double quotes: "pro"')
    book.field("Value 1").press("Escape")
    expect(book.field("Value 1")).to_have_value('"pro"')
    book.button("Remove property 3").click()
    expect(book.field("Property 3")).to_have_count(0)

    # As JSON: an error with its place, and what was typed stays.
    typed = book.field("Message as JSON")
    typed.fill('{"$distinct_id": "ann",\n "$add": {age: 1}}')
    book.sees("line 2, column 11")
    book.picture("3-broken")
    typed.fill('{"$distinct_id": "ann",\n "$add": {"age": 1, "plan": 1}}')
    book.sees("Written. A part was rejected.")
    expect(book.field("Property 2")).to_have_value("plan")
    stores({"plan": "free", "age": 42})
    rule = book.form.locator("details.tk-lab-rule", has_text="ADD-2")
    expect(rule).to_have_attribute("open", "")
    profile = book.field("Profile as JSON")
    profile.fill("{'plan'}")
    book.sees('double quotes: "plan"')
    profile.fill("null")
    book.sees("A profile was created.")
    stores({"age": 1, "plan": 1})

    # A list of messages, there and back.
    book.button("Paste messages…").click()
    pasted = book.field("Messages: a JSON list, or one message per line")
    pasted.fill('{"$distinct_id": "ann", "$set": {"n": 1}}\n{"$distinct_id": "ann", oops}')
    pasted.press("Control+Enter")
    book.sees("line 2, column 25")
    pasted.fill(
        '{"$distinct_id": "ann", "$set": {"n": 1}}\n'
        '{"$distinct_id": "ann", "$set": {"n": null}}\n{"$distinct_id": "ann", "$delete": ""}'
    )
    pasted.press("Control+Enter")
    book.sees("Message 1 of 3")
    expect(pasted).to_be_hidden()
    book.button("Next ›").press("Enter")
    book.sees("Message 2 of 3")
    stores({"n": None})
    book.form.get_by_role("table", name="Messages").get_by_text("$delete").click()
    book.sees("The profile no longer exists.")
    stores(None)
    book.picture("4-deleted")
    book.button("‹ Back").click()
    book.sees("Message 2 of 3")
    book.fits()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_guess_comes_before_the_result(
    notebook: Callable[..., Any], tmp_path: Path, stores: Callable[[Any], None], dark: bool
) -> None:
    name = f"guess-{'dark' if dark else 'light'}"
    book = notebook(name, [LAB.format(path=str(tmp_path / "lab.db"))], dark=dark, width=900)
    book.page.set_viewport_size({"width": 900, "height": 2100})
    book.field("Case").select_option("$union after duplicates")
    book.field("Predict first").check()
    book.sees("Hidden until you have guessed.")
    expect(book.form).not_to_contain_text("APPEND-1")
    book.button("Next ›").click()
    book.sees("Check a guess for it first")
    guess = book.field("Your guess as JSON")
    guess.fill('{"tags": [vip]}')
    guess.press("Control+Enter")
    book.sees('text goes in double quotes: "vip"')
    expect(book.form).not_to_contain_text("APPEND-1")
    book.picture("1-malformed")
    guess.fill('{"tags": ["vip"]}')
    guess.press("Control+Enter")
    book.sees("✓ Right.")
    book.sees("1 of 1 right")
    book.sees("APPEND-1")
    book.button("Next ›").click()
    book.button("Show me").click()
    book.sees("Shown without a guess.")
    book.sees("1 of 2 right")
    book.button("Next ›").click()
    book.sees("Message 3 of 3")
    expect(guess).to_have_value("")
    book.button("Start from Before").click()
    expect(guess).to_have_value('{"tags": ["vip", "vip"]}')
    guess.fill('{"tags": ["vip", "vip", "new"]}')
    book.form.get_by_role("form", name="Your guess").get_by_label("Updated at").select_option(
        "stays"
    )
    book.button("Check").click()
    book.sees('"tags": you wrote ["vip", "vip", "new"], it is ["vip", "new"].')
    book.sees("Updated At moves.")
    book.sees("1 of 3 right")
    book.sees("UNION-1")
    stores({"tags": ["vip", "new"]})
    book.picture("2-wrong")
    book.field("Predict first").uncheck()
    book.field("Case").select_option("Updated At: a late message")
    book.sees("stays 2026-02-01 09:00")
    book.picture("3-late")
    book.fits()
