"""The forms of groups in a real browser: listed, edited, reported on."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

XSS = "<img src=x onerror=alert(1)>"
SHOP = f"""
import pandas as pd
import toolkit as tk
profiles = tk.ProfileTable("NAME.db")
companies = profiles.groups("company")
for n, key in enumerate(["acme", "hooli", "pied", {XSS!r}]):
    _ = companies.set(key, {{"$name": key.title(), "plan": ["pro", "free"][n % 2], "seats": 5 * n}})
_ = profiles.set("ann", {{"plan": "pro"}})
events = pd.DataFrame({{
    "event": ["View", "Buy"] * 60,
    "distinct_id": [f"u{{n % 9}}" for n in range(120)],
    "time": pd.date_range("2026-03-01", periods=120, freq="3h", tz="UTC"),
    "company": [["acme"], ["acme", "hooli"], "pied", None] * 30,
}})
"""
READ = """
import json, sys, toolkit as tk
with tk.ProfileTable(sys.argv[1]) as profiles:
    table = profiles.groups("company")
    print(json.dumps([table["acme"], len(profiles)]))
"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_groups_are_listed_edited_and_reported_on(
    notebook: Callable[..., Any], lab: Any, elsewhere: Callable[..., str], dark: bool
) -> None:
    name = f"groups-{'dark' if dark else 'light'}"
    shop = SHOP.replace("NAME", name)
    book = notebook(name, [shop, "tk.workbench(profiles, events)"], dark=dark)
    book.page.set_viewport_size({"width": 1240, "height": 1600})
    book.sees("1 profile")
    book.field("Profiles of").select_option("Groups: company")
    book.sees("4 profiles")
    book.sees("Profiles of company")
    book.picture("list")
    book.fits()

    book.form.get_by_role("tab", name="Edit a profile").click()
    book.field("Group ID").fill("acme")
    book.field("Group ID").press("Enter")
    book.field("Value of plan").fill("team")
    book.field("Value of plan").press("Tab")
    book.picture("edit")
    book.button("Save").click()
    book.sees("Saved")
    assert json.loads(elsewhere(READ, str(lab.files / f"{name}.db"))) == [
        {"$name": "Acme", "plan": "team", "seats": 0},
        1,
    ]

    book.form.get_by_role("tab", name="Import a CSV").click()
    book.sees("Import a CSV file of company profiles")
    expect(book.field("Profiles of").last).to_be_hidden()
    book.picture("import")

    book.form.get_by_role("tab", name="Report").click()
    expect(book.form.locator(".tk-chart img[src]")).to_be_visible(timeout=30_000)
    book.field("Break down by").first.select_option("company: plan")
    table = book.form.get_by_role("table", name="Table of the report")
    expect(table).to_contain_text("team", timeout=30_000)
    book.sees('group("company")["plan"]')
    book.picture("report")
    book.clean()
