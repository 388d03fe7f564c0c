"""Takes the pictures of forms that the documents show: ``make pictures``."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.sync_api import sync_playwright

from tests.browser.conftest import ROOT, Lab, Notebook, launched

# What is lower is cut off: a table of many rows says no more than its first ones.
_TALLEST: Final = {"users": 640, "users-page": 1190, "report-builder": 1270}
IMAGES: Final = ROOT / "docs" / "images"
SAMPLE: Final = """
import pandas as pd
import toolkit as tk
files = tk.sample_files()
profiles = tk.ProfileTable()
mapping = tk.preview_csv(files["profiles"]).mapping
mapping[4] = "$country_code"
tk.import_csv(profiles, files["profiles"], mapping, time="2024-12-31", progress=False)
events = tk.Events(pd.read_parquet(files["events"]))
"""


def editor(book: Notebook) -> None:
    """Three changes of one profile, before they are saved."""
    book.field("Value of plan").fill("pro")
    book.field("Value of newsletter").select_option("true")
    book.form.locator(".tk-property", has_text="postal_code").get_by_role("button").click()
    book.sees("removed")


def users(book: Notebook) -> None:
    """Two conditions, and who meets them."""
    book.button("Filter").click()
    book.field("Property 1").select_option("plan")
    book.field("Value 1").fill("pro")
    book.button("Add a condition").click()
    book.field("Property 2").select_option("age")
    book.field("Operator 2").select_option("≥")
    book.field("Value 2").fill("60")
    book.field("Value 2").press("Tab")
    book.sees('user["age"] >= 60')
    book.form.locator(".tk-users-summary").click()


def one_user(book: Notebook) -> None:
    """A user's page, as it was in April."""
    grid = book.form.get_by_role("table", name="Users", exact=True)
    grid.locator("tbody tr").first.click()
    book.sees("Properties")


def report(book: Notebook) -> None:
    """Purchases by plan, and the users behind one bar."""
    book.field("Event").select_option("Purchase")
    book.field("Break down by").select_option("User: plan")
    book.field("Unit").select_option("The range as a whole")
    table = book.form.get_by_role("table", name="Table of the report")
    book.page.wait_for_timeout(1500)
    table.locator("tbody tr").nth(1).click()
    book.sees("Users of segment")
    book.page.wait_for_timeout(1500)


def workbench(book: Notebook) -> None:
    """The list of users."""
    book.sees("of 1,772")


PICTURES: Final[dict[str, tuple[str, Callable[[Notebook], None]]]] = {
    "profile-editor": ('tk.ProfileEditor(profiles, "1001")', editor),
    "users": (
        'profiles.apply(tk.read_messages(files["updates"]))\ntk.Users(profiles, events)',
        users,
    ),
    "users-page": (
        'profiles.apply(tk.read_messages(files["updates"]))\ntk.Users(profiles, events)',
        one_user,
    ),
    "report-builder": ("tk.ReportBuilder(profiles, events)", report),
    "workbench": ("tk.workbench(profiles, events)", workbench),
}


def main() -> None:
    """Take all pictures, each at twice the size it is shown at."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = launched(playwright.chromium)
        lab = Lab(Path(folder), browser)
        for name, (code, prepare) in PICTURES.items():
            book = lab.open(name, [SAMPLE, code], width=1150)
            prepare(book)
            taken = book.picture("for-docs")
            with Image.open(taken) as whole:
                picture = whole.crop(
                    (0, 0, whole.width, min(whole.height, _TALLEST.get(name, whole.height)))
                )
                # Few colours do for a form, and make small files.
                picture.convert("RGB").quantize(128).save(IMAGES / f"{name}.png", optimize=True)
            book.clean()
            book.page.context.close()
        lab.stop()
        browser.close()


if __name__ == "__main__":
    main()
