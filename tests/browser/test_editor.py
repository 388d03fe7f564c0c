"""The profile editor in JupyterLab, by mouse and keyboard."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from toolkit.profiles.table import ProfileTable

READ = """
import json, sys, toolkit as tk
with tk.ProfileTable(sys.argv[1]) as profiles:
    print(json.dumps({key: profiles[key] for key in profiles}))
"""
SCRIPT = "<img src=x onerror=alert('run')>"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.db"
    with ProfileTable(path) as profiles:
        profiles.set(
            "1001",
            {
                "$name": f"Ann {SCRIPT}",
                "$email": "ann@example.com",
                "plan": "free",
                "age": 30,
                "since": "2025-03-01",
                "vip": False,
                "tags": ["new", SCRIPT],
                "address": {"city": "Oslo", "zip": "0150"},
            },
            time="2026-01-02T03:04:05Z",
        )
        profiles.set("1002", {"$name": "Bob Lee"})
    return path


def test_a_profile_is_edited_and_the_edit_undone(
    notebook: Callable[..., Any], elsewhere: Callable[..., str], shop: Path
) -> None:
    book = notebook(
        "editor",
        [
            f"import toolkit as tk\nprofiles = tk.ProfileTable({str(shop)!r})",
            "tk.ProfileEditor(profiles)",
        ],
    )
    book.sees("Add a profile")
    book.picture("empty")
    # By the beginning of a name, from the proposals.
    book.field("Distinct ID").fill("ann")
    options = book.page.locator('datalist option[value*="·"]')
    expect(options).to_have_count(1)
    assert str(options.first.get_attribute("value")).startswith("1001")
    book.field("Distinct ID").fill(str(options.first.get_attribute("value")))
    book.sees("Edit a profile")
    expect(book.field("Distinct ID")).to_have_value("1001")
    book.sees("Updated at 2026-01-02 03:04:05 UTC")
    book.field("Value of plan").fill("pro")
    book.field("Value of vip").select_option("true")
    book.field("Value of since").fill("2025-04-01")
    tags = book.form.locator(".jupyter-widget-tagsinput input")
    tags.fill("vip")
    expect(tags).to_have_attribute("aria-label", "Value of tags")
    tags.press("Enter")
    book.field("Value of age").fill("thirty")
    book.sees('"thirty" is not a number')
    book.button("Save").click()
    book.form.get_by_text('"thirty" is not a number').nth(1).wait_for()
    assert json.loads(elsewhere(READ, shop))["1001"]["plan"] == "free"
    book.field("Value of age").fill("31")
    # The kernel has heard of it: a row that is drawn anew would lose the click.
    expect(book.form.get_by_text('"thirty" is not a number')).to_have_count(0)
    book.idle()
    email = book.form.locator(".tk-property", has_text="Email")
    email.get_by_role("button").click()
    expect(email).to_contain_text("Removed when you save")
    book.button("+ Add property").click()
    book.field("Property name").fill("city")
    book.page.keyboard.press("Tab")
    book.page.keyboard.press("Tab")
    book.page.keyboard.type("Bergen")
    book.sees("Bergen")
    book.form.get_by_text("The message that is sent").click()
    book.sees('"$unset": ["$email"]')
    book.picture("edited")
    book.fits()
    book.field("Value of city").press("Enter")
    book.sees("Saved")
    saved = json.loads(elsewhere(READ, shop))["1001"]
    assert saved == {
        "$name": f"Ann {SCRIPT}",
        "plan": "pro",
        "age": 31,
        "since": "2025-04-01",
        "vip": True,
        "tags": ["new", SCRIPT, "vip"],
        "address": {"city": "Oslo", "zip": "0150"},
        "city": "Bergen",
    }
    book.picture("saved")
    book.button("Undo").click()
    book.sees("Undone")
    assert json.loads(elsewhere(READ, shop))["1001"]["plan"] == "free"


def test_a_new_profile_by_keyboard_and_its_deletion(
    notebook: Callable[..., Any], elsewhere: Callable[..., str], shop: Path
) -> None:
    book = notebook(
        "editor-new",
        [f"import toolkit as tk\ntk.ProfileEditor(tk.ProfileTable({str(shop)!r}))"],
        dark=True,
        width=1000,
    )
    keyboard = book.page.keyboard
    book.field("Distinct ID").focus()
    keyboard.type("2001")
    keyboard.press("Tab")  # the type of the name
    keyboard.press("Tab")  # its value
    keyboard.type("Cleo")
    keyboard.press("Enter")
    book.sees('Saved "2001"')
    assert json.loads(elsewhere(READ, shop))["2001"] == {"$name": "Cleo"}
    book.button("Delete").click()
    book.sees("it can be undone")
    book.picture("dark")
    book.fits()
    book.button("Delete for good").click()
    book.sees('Deleted "2001"')
    assert "2001" not in json.loads(elsewhere(READ, shop))
    book.field("Distinct ID").fill("1002")
    book.sees("Bob Lee")
    book.field("Value of Name").fill("Robert")
    book.field("Value of Name").press("Escape")
    book.sees("Nothing was changed.")
    expect(book.field("Value of Name")).to_have_value("Bob Lee")


def test_a_change_by_another_process_is_not_overwritten(
    notebook: Callable[..., Any], elsewhere: Callable[..., str], shop: Path
) -> None:
    book = notebook(
        "editor-conflict",
        [f"import toolkit as tk\ntk.ProfileEditor(tk.ProfileTable({str(shop)!r}), 1001)"],
    )
    book.field("Value of plan").fill("pro")
    elsewhere("import sys, toolkit as tk\nwith tk.ProfileTable(sys.argv[1]) as p:\n"
              "    p.set('1001', {'plan': 'basic'})", shop)  # fmt: skip
    book.button("Save").click()
    book.sees("changed meanwhile by somebody else")
    book.picture("conflict")
    assert json.loads(elsewhere(READ, shop))["1001"]["plan"] == "basic"
    book.button("Show what is stored").click()
    book.sees("This is what is stored now")
    expect(book.field("Value of plan")).to_have_value("pro")
    book.button("Save").click()
    book.sees("Saved")
    assert json.loads(elsewhere(READ, shop))["1001"]["plan"] == "pro"


def test_a_text_of_several_lines_keeps_them(
    notebook: Callable[..., Any], elsewhere: Callable[..., str], shop: Path
) -> None:
    with ProfileTable(shop) as profiles:
        profiles.set("1002", {"note": "one\ntwo"})
    book = notebook(
        "editor-lines",
        [f"import toolkit as tk\ntk.ProfileEditor(tk.ProfileTable({str(shop)!r}), 1002)"],
    )
    book.field("Value of note").press("Control+End")
    book.page.keyboard.type("!")
    book.sees("two!")
    book.picture("lines")
    book.button("Save").click()
    book.sees("Saved")
    assert json.loads(elsewhere(READ, shop))["1002"]["note"] == "one\ntwo!"
