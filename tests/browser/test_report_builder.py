"""The report builder in a real browser: mouse, keyboard, saved files, copied Python."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import expect

from toolkit.reports.form.declared import DECLARED

XSS = "<img src=x onerror=alert(1)>"

SHOP = f"""
import pandas as pd
import toolkit as tk
XSS = {XSS!r}
profiles = tk.ProfileTable("shop.db")
profiles.apply(
    [{{"$distinct_id": f"u{{n}}", "$set": {{"plan": ["pro", "free", XSS][n % 3], "age": 20 + n,
      "$name": f"{{XSS}} {{n}}", "$created": f"2026-0{{1 + n % 3}}-01"}}}} for n in range(60)]
)
events = pd.DataFrame({{
    "event": ["View", "Buy", XSS] * 200,
    "distinct_id": [f"u{{n * 7 % 70}}" for n in range(600)],
    "time": pd.date_range("2026-03-01T08:00", periods=600, freq="113min", tz="UTC"),
    "item": [["tea", "jam", XSS, "=1+1"][n % 4] for n in range(600)],
    "amount": [n % 50 for n in range(600)],
}})
"""
FORM = """
form = tk.ReportBuilder(profiles, events)
form
"""

# What a second process says of the same events and profiles, in SQL.
COUNT = """
import json, sqlite3, sys
db = sqlite3.connect(sys.argv[1])
plans = {}
for id, text in db.execute("select distinct_id, properties from profiles"):
    plans[id] = json.loads(text)["plan"]
counts = {}
for n in range(600):
    if ["View", "Buy", "x"][n % 3] == "Buy" and n % 50 >= 25:
        plan = plans.get(f"u{n * 7 % 70}", "(not set)")
        counts[plan] = counts.get(plan, 0) + 1
print(json.dumps(counts))
"""


def cells(book: Any) -> list[list[str]]:
    table = book.form.get_by_role("table", name="Table of the report")
    return [row.locator("td").all_inner_texts() for row in table.locator("tbody tr").all()]


def counted(book: Any) -> None:
    """Wait until the answer to what was chosen last is there."""
    book.page.wait_for_timeout(500)  # a moment in which a change is on its way
    expect(book.form.locator(".tk-progress").first).to_be_hidden(timeout=30_000)
    answer = book.form.locator(".tk-chart:not(.tk-old) img[src], .tk-empty, .tk-note.tk-error")
    expect(answer.first).to_be_visible(timeout=30_000)


def test_a_report_is_built_by_mouse_and_keyboard(
    notebook: Callable[..., Any], lab: Any, elsewhere: Callable[..., str], tmp_path: Path
) -> None:
    book = notebook("report", [SHOP, FORM])
    book.page.set_viewport_size({"width": 1240, "height": 1900})
    counted(book)
    book.picture("start")
    book.fits()

    # Choose: an event, a breakdown, a filter.
    book.field("Event").select_option("Buy")
    book.field("Break down by").select_option("User: plan")
    book.field("Unit").select_option("The range as a whole")
    book.button("Add a condition").click()
    book.sees("Choose a property; until then this row does not count.")
    book.field("Property 1").select_option("Event: amount")
    book.field("Operator 1").select_option("≥")
    book.field("Value 1").fill("many")
    book.field("Value 1").press("Enter")
    book.sees('"many" is not a number; write 12 or 2.5.')
    book.picture("error")
    assert book.field("Value 1").input_value() == "many"
    book.field("Value 1").fill("25")
    book.field("Value 1").press("Tab")
    expect(book.form.get_by_text("is not a number")).to_have_count(0)
    counted(book)

    told = json.loads(elsewhere(COUNT, lab.files / "shop.db"))
    assert XSS in told and "(not set)" in told
    assert {row[0]: int(row[1]) for row in cells(book)} == told
    book.picture("bars")

    # A row leads to its users; so does the chart.
    table = book.form.get_by_role("table", name="Table of the report")
    first = table.locator("tbody tr").first
    first.focus()
    first.press("Enter")
    book.sees("Users of segment")
    users = book.form.get_by_role("table", name="Users", exact=True)
    expect(users).to_contain_text(f"{XSS} ")
    book.picture("users")
    image = book.form.locator(".tk-chart img")
    assert "Chart: Buy: events by user.plan" in (image.get_attribute("alt") or "")
    box = image.bounding_box()
    assert box is not None
    book.form.get_by_role("button", name="Close").click()
    expect(users).to_have_count(0)
    image.hover(position={"x": box["width"] * 0.5, "y": box["height"] * 0.2})
    expect(book.form.locator(".tk-chart-tip")).to_be_visible()
    image.click(position={"x": box["width"] * 0.5, "y": box["height"] * 0.2})
    book.sees("Users of segment")
    expect(users).to_be_visible()

    # What is saved.
    with book.page.expect_download() as saved:
        book.button("Save chart (PNG)").click()
    assert saved.value.suggested_filename == "report.png"
    saved.value.save_as(tmp_path / "report.png")
    assert (tmp_path / "report.png").read_bytes().startswith(b"\x89PNG")
    book.field("Break down by").select_option("Event: item")
    counted(book)
    with book.page.expect_download() as saved:
        book.button("Save table (CSV)").click()
    saved.value.save_as(tmp_path / "report.csv")
    text = (tmp_path / "report.csv").read_text()
    assert "'=1+1" in text and XSS in text

    # The expert's text, with the place of an error.
    book.button("Write it as text").click()
    expression = book.field("Expression")
    expect(expression).to_have_value('event["amount"] >= 25')
    expression.fill('event["amount"] => 25')
    expression.press("Tab")
    book.sees('found "="')
    book.picture("text")
    expression.fill('event["amount"] >= 25 and user["plan"] != "pro"')
    expression.press("Tab")
    counted(book)
    expect(book.field("Python of this report")).to_contain_text('& (user["plan"] != "pro")')
    book.picture("end")


def test_the_python_shown_runs_in_a_cell_and_gives_the_same_table(
    notebook: Callable[..., Any],
) -> None:
    check = """
form.state.wait(60)
made = eval(form.state.python.rsplit("\\n\\n", 1)[1], {**globals(), "user": tk.user})
print("same", made.table.equals(form.state.report.table), made.title, len(form.state.users))
"""
    shop, form = (code.replace("events", "clicks") for code in (SHOP, FORM))
    book = notebook("report-python", [shop, form, check])
    counted(book)
    book.field("Event").select_option(XSS)
    book.field("Measure").select_option("Unique users")
    book.field("Break down by").select_option("User: Name")
    book.field("From").fill("2026-03-05")
    book.field("To").fill("2026-03-09")
    book.field("Time zone").fill("Europe/Oslo")
    book.field("Time zone").press("Enter")
    counted(book)
    book.picture("lines")
    code = book.field("Python of this report")
    expect(code).to_contain_text("clicks, profiles")
    expect(code).to_contain_text('tz="Europe/Oslo"')
    book.form.get_by_role("table", name="Table of the report").locator("tbody tr").first.click()
    book.sees("Users of segment")
    users = book.form.get_by_text("Users of segment").inner_text()
    last = book.page.locator(".jp-Notebook .jp-CodeCell").nth(2)
    last.locator(".cm-content").click()
    book.page.keyboard.press("Shift+Enter")
    found = last.locator(".jp-OutputArea-output")
    expect(found).to_contain_text(f"same True {XSS}: users per day by user.$name")
    assert found.inner_text().split()[-1] == users.rsplit(": ", 1)[1].split()[0]


def test_it_fits_a_narrow_dark_page_and_says_why_nothing_is_there(
    notebook: Callable[..., Any],
) -> None:
    book = notebook("report-dark", [SHOP, FORM], dark=True, width=900)
    book.page.set_viewport_size({"width": 900, "height": 1900})
    counted(book)
    expect(book.page.locator(".tk-form.tk-dark")).to_be_visible()
    book.field("Break down by").select_option("Event: item")
    book.field("Event").select_option("Buy")
    counted(book)
    book.fits()
    book.picture("lines")
    book.button("Add a condition").click()
    book.field("Property 1").select_option("User: plan")
    book.field("Value 1").fill("platinum")
    book.field("Value 1").press("Enter")
    book.sees("Nothing matches.")
    book.picture("nothing")
    book.field("From").fill("2026-04-05")
    book.field("To").fill("2026-03-09")
    book.sees("is not before")
    book.picture("wrong-range")
    book.button("Start over").click()
    counted(book)
    expect(book.form.locator(".tk-chart img")).to_be_visible()
    book.fits()

    # A step of a funnel has a filter of its own.
    book.field("Report").select_option("Funnel")
    book.field("Step").select_option("View")
    book.field("Step 2").select_option("Buy")
    counted(book)
    book.page.get_by_title("Filter of Step 2").click()
    book.field("Property 1").select_option("Event: amount")
    book.field("Operator 1").select_option("≥")
    book.field("Value 1").fill("40")
    book.field("Value 1").press("Tab")
    counted(book)
    expect(book.field("Python of this report")).to_contain_text(
        'tk.step("Buy", where=event["amount"] >= 40)'
    )
    book.fits()
    book.picture("funnel")
    book.page.get_by_title("Remove the filter of Step 2").click()
    counted(book)
    expect(book.field("Python of this report")).to_contain_text('["View", "Buy"]')


def test_every_report_follows_every_other_by_mouse_and_keyboard(
    notebook: Callable[..., Any],
) -> None:
    book = notebook("report-orders", [SHOP, FORM])
    book.page.set_viewport_size({"width": 1240, "height": 1900})
    counted(book)
    book.field("Unit").select_option("Week")
    counted(book)
    reports = book.field("Report").locator("option").all_inner_texts()
    assert len(reports) == 7

    # By mouse, there and back, with something typed in each.
    for report in [*reports, *reversed(reports)]:
        book.field("Report").select_option(report)
        expect(book.form).to_contain_text(DECLARED[report].about)
        book.page.wait_for_timeout(300)
        book.idle()  # its fields are there
        book.page.wait_for_timeout(300)
        unit = book.field("Unit")
        if unit.count():
            unit.select_option("Month")
        dates = book.field("From")
        if dates.count():
            dates.fill("2026-03-05")
        steps = book.field("Step")  # nothing is asked before there are some
        if steps.count() and steps.input_value() == "Choose an event":
            steps.select_option("View")
            book.field("Step 2").select_option("Buy")
        book.picture(f"mouse-{report.lower()}")
        counted(book)
        assert book.form.locator(".tk-failure:visible").count() == 0
    assert book.field("Unit").input_value() == "Month"

    # By keyboard: the list of reports has the focus, and arrows go through it.
    book.field("Report").focus()
    for report in reports[1:]:
        book.page.keyboard.press("ArrowDown")
        expect(book.field("Report")).to_have_value(report)
        counted(book)
        assert book.form.locator(".tk-failure:visible").count() == 0
        focused = book.page.evaluate("document.activeElement.closest('.widget-dropdown') !== null")
        assert focused, report
    book.fits()
    book.picture("keyboard-end")
