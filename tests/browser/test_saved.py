"""What a saved notebook shows of a form, with a kernel and without."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import nbformat
import pytest
from nbconvert import HTMLExporter, WebPDFExporter
from playwright.async_api import BrowserType
from playwright.sync_api import expect

from tests.browser.conftest import PICTURES, found_browser

CODE = """
import pandas as pd, toolkit as tk
profiles = tk.ProfileTable()
profiles.set("1", {"$name": "Ann", "plan": "pro"})
events = pd.DataFrame({"event": ["Buy"] * 3, "distinct_id": "1",
    "time": pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-02"], utc=True)})
"""


def test_a_form_is_seen_once_while_it_lives_and_still_when_its_kernel_is_gone(
    notebook: Callable[..., Any], lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = notebook("saved", [CODE, "tk.ReportBuilder(profiles, events)", "tk.Users(profiles)"])
    book.form.nth(1).get_by_text("Ann").first.wait_for()
    book.field("Event").select_option("Buy")
    expect(book.form.get_by_role("img").first).to_be_visible()
    saved = book.page.locator(".tk-saved")
    expect(saved).to_have_count(2)
    for each in saved.all():
        expect(each).not_to_be_visible()
    # The report came later than its form, and is saved all the same.
    expect(saved.first.locator("img")).to_be_attached()
    expect(saved.first).to_contain_text("2026-01-02")  # a row of the table of the report
    book.page.keyboard.press("Control+s")
    path = lab.files / "saved.ipynb"
    for _ in range(100):
        if "data:image/png" in path.read_text():
            break
        book.page.wait_for_timeout(100)
    content = path.read_text()
    assert "data:image/png" in content and "tk-saved" in content

    page, _ = HTMLExporter().from_notebook_node(nbformat.reads(content, 4))
    book.page.set_content(page)
    book.page.wait_for_timeout(4_500)
    expect(book.page.locator(".tk-saved").first).to_contain_text("Report builder")
    expect(book.page.locator(".tk-saved img").first).to_be_visible()
    expect(book.page.locator(".tk-saved").nth(1)).to_contain_text("Ann")
    outputs = book.page.locator(".jp-OutputArea-child:visible").all_inner_texts()
    assert len(outputs) == 2 and all(each.strip() for each in outputs)

    # Paper has no time to wait for.
    book.page.emulate_media(media="print")
    book.page.set_content(page, wait_until="domcontentloaded")
    for each in book.page.locator(".tk-saved").all():
        expect(each).to_be_visible(timeout=1_000)
    with monkeypatch.context() as patch:
        launch = BrowserType.launch

        async def ours(self: BrowserType, **options: Any) -> Any:
            return await launch(self, **{**options, "executable_path": found_browser()})

        patch.setattr(BrowserType, "launch", ours)
        pdf, _ = WebPDFExporter(disable_sandbox=True).from_notebook_node(nbformat.reads(content, 4))
    assert pdf.startswith(b"%PDF") and b"/Subtype /Image" in pdf
    book.outside.clear()  # nbconvert's page loads MathJax, not ours


FORMS = {
    "Profile editor": "tk.ProfileEditor(profiles)",
    "CSV import": "tk.CsvImport(profiles)",
    "Users": "tk.Users(profiles, events)",
    "Report builder": "tk.ReportBuilder(profiles, events)",
    "Operator lab": "tk.OperatorLab()",
    "Live view": "tk.LiveView(tk.serve(tk.ProfileTable()))",
    "Workbench": "tk.workbench(profiles, events)",
}


def test_every_form_is_seen_still_in_JupyterLab_when_its_kernel_is_gone(
    notebook: Callable[..., Any], lab: Any
) -> None:
    book = notebook("saved-all", [CODE, *FORMS.values()])
    expect(book.form).to_have_count(len(FORMS))
    book.page.keyboard.press("Control+s")
    path = lab.files / "saved-all.ipynb"
    for _ in range(100):
        if path.read_text().count("tk-saved") >= len(FORMS):
            break
        book.page.wait_for_timeout(100)
    book.restart_kernel()
    book.page.reload()
    cards = book.page.locator(".tk-saved")
    expect(cards).to_have_count(len(FORMS), timeout=60_000)
    for name, card in zip(FORMS, cards.all(), strict=True):
        card.scroll_into_view_if_needed()
        expect(card).to_be_visible()
        expect(card).to_contain_text(name)
        expect(card).to_contain_text("open the notebook in Jupyter and run this cell")
        card.screenshot(path=PICTURES / f"saved-{name.lower().replace(' ', '-')}.png")
    book.picture_of_page("without-kernel")
    # JupyterLab's own words about widgets that are gone.
    book.complaints[:] = [each for each in book.complaints if "model not found" not in each]
