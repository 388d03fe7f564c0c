"""Every form, step, panel and report is looked through by axe-core, on a light and a dark page.

What axe-core calls serious or critical is what keeps somebody from using the form: a field
without a name, a contrast too low to read, a control that cannot be reached.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import pytest
import requests
from playwright.sync_api import Locator, expect

from tests.browser.conftest import PICTURES
from toolkit.reports.form.declared import DECLARED

AXE: Final = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
#: What is asked of axe-core: all that keeps somebody out, each with the elements it is about.
LOOK: Final = """async node => {
    // JupyterLab's page is 0 pixels high, all of it overflow: axe-core takes no text for visible.
    document.body.style.height = "100vh";
    // The cells around would be worked through too, whatever it is asked about.
    const around = [...document.querySelectorAll(".jp-Cell")].filter(each => !each.contains(node));
    around.forEach(each => { each.style.display = "none"; });
    node.scrollIntoView();
    const found = await axe.run(node, {preload: false, resultTypes: ["violations", "passes"]});
    around.forEach(each => { each.style.display = ""; });
    const isText = one => !/^<(input|select|textarea)/.test(one.html);
    const contrast = found.passes.find(each => each.id === "color-contrast");
    if (!contrast?.nodes.some(isText)) return ["no text was looked at"];
    return found.violations
        .filter(each => ["serious", "critical"].includes(each.impact))
        .flatMap(each => each.nodes.map(
            one => `${each.id}: ${one.html.slice(0, 200)} (${one.failureSummary})`
        ));
}"""
SHOP: Final = """
from pathlib import Path
import pandas as pd
import toolkit as tk
profiles = tk.ProfileTable()
profiles.apply([{"$distinct_id": f"u{n}", "$time": 1_767_225_600 + 86_400 * n, "$set": {
    "$name": f"Person {n:02}", "$email": f"p{n}@example.com", "plan": ["pro", "free"][n % 2],
    "age": 20 + n, "vip": n % 3 == 0, "tags": ["a", "b"][: n % 3], "since": "2025-03-01",
    "address": {"city": "Oslo"}, "$created": f"2026-0{1 + n % 3}-01"}} for n in range(1, 41)])
profiles.set("u7", {"plan": "free"}, time="2026-03-01")
events = pd.DataFrame({
    "event": ["View", "Buy"] * 150,
    "distinct_id": [f"u{n * 7 % 50}" for n in range(300)],
    "time": pd.date_range("2026-03-01T08:00", periods=300, freq="113min", tz="UTC"),
    "amount": [n % 50 for n in range(300)],
})
server = tk.serve(tk.ProfileTable())
_ = Path("url.txt").write_text(server.url)
"""
FORMS: Final = (
    "tk.ProfileEditor(profiles)",
    "tk.CsvImport(profiles)",
    "tk.Users(profiles, events)",
    "tk.ReportBuilder(events, profiles)",
    "tk.OperatorLab()",
    "tk.LiveView(server)",
    "tk.workbench(profiles, events)",
)
CARDS: Final = """
# What cells show
from IPython.display import display
display(
    profiles,
    profiles["u7"],
    profiles.where('user["plan"] == "pro"'),
    profiles.apply([{"$distinct_id": "u1", "$add": {"plan": 1}}]),
    profiles.explain("u7", "plan"),
    tk.funnel(events, profiles, ["View", "Buy"], by=tk.user["plan"]),
    tk.retention(events, profiles, "View"),
    tk.match(events, profiles),
    tk.preview_csv(Path("planes.csv")),
)
"""
CSV: Final = """\
,tailnum,e-mail,joined,spent,vip
0,N1,ann@example.com,2026-01-01,1.5,true
1,N2,bob@example.com,2026-01-02,2.5,false
1,N2,bob@example.com
null,N3,ann@example.com,2026-01-03,3.5,true
Total,,,,7.5,
"""


class Form:
    """One of the forms of a notebook, by the words a person sees."""

    def __init__(self, book: Any, at: int) -> None:
        self.book = book
        self.part: Locator = book.form.nth(at)

    def button(self, words: str) -> Locator:
        return self.part.get_by_role("button", name=words, exact=True)

    def press(self, words: str) -> None:
        self.button(words).first.click()

    def field(self, label: str) -> Locator:
        return self.part.get_by_label(label, exact=True).first

    def table(self, name: str) -> Locator:
        return self.part.get_by_role("table", name=name, exact=True)

    def sees(self, words: str) -> None:
        expect(self.part.get_by_text(words).first).to_be_visible(timeout=30_000)


def editor(form: Form, _: Path) -> Iterator[str]:
    """Empty, a profile with every type of value, what is wrong, removed, sent, deleted."""
    yield "empty"
    form.field("Distinct ID").fill("u1")
    form.sees("Edit a profile")
    yield "a profile"
    form.field("Value of plan").fill("pro?")
    form.field("Value of age").fill("thirty")
    form.sees('"thirty" is not a number')
    form.part.locator(".tk-property", has_text="Email").get_by_role("button").click()
    form.sees("removed")
    form.press("+ Add property")
    form.part.get_by_text("The message that is sent").click()
    yield "changed"
    form.press("Cancel")
    form.press("Delete")
    form.sees("it can be undone")
    yield "deletion"


def csv_import(form: Form, folder: Path) -> Iterator[str]:
    """The four steps, with every kind of note."""
    path = folder / "planes.csv"
    path.write_text(CSV)
    yield "choose"
    with form.book.page.expect_file_chooser() as chooser:
        form.press("Drop a CSV file here, or click to choose one")
    chooser.value.set_files(path)
    form.sees("cannot be imported")
    yield "read"
    form.press("Next")
    form.sees("Identifier")
    yield "identifier"
    form.press("Next")
    form.sees("columns become properties")
    form.part.locator(".tk-csv-property input").first.fill("$bucket")
    form.part.locator(".tk-csv-property input").first.press("Tab")
    form.sees("is hidden from every table")
    yield "columns"
    form.part.locator(".tk-csv-property input").first.fill("first")
    form.part.locator(".tk-csv-property input").first.press("Tab")
    form.press("Check")
    form.sees("Rows that cannot be imported")
    yield "check"
    form.field("Import the other 3 rows").check()
    form.press("Import 3 rows")
    form.sees("new profile")
    yield "imported"


def users(form: Form, _: Path) -> Iterator[str]:
    """The list, its panels with and without ticks, and a user's page."""
    form.sees("40 profiles")
    yield "list"
    form.press("Filter")
    form.sees("until then this row does not count")
    form.press("Columns")
    form.press("Batches")
    yield "filter, columns, batches"
    for words in ("Filter", "Columns", "Batches"):
        form.press(words)
    for ticked in (False, True):
        if ticked:
            form.table("Users").get_by_label("Select Person 01").check()
            form.sees("1 ticked")
        for words in ("Add property…", "Save cohort…", "Export…"):
            form.press(words)
            expect(form.part.locator(".tk-users-panel:visible")).to_have_count(1)
            yield f"{words} {'with' if ticked else 'without'} ticks"
            form.press(words)
    form.press("Delete…")
    form.sees("Delete 1 profile")
    yield "question"
    form.press("No")
    form.table("Users").get_by_text("Person 07").click()
    form.sees("Updated at")
    form.table("Properties").get_by_text("plan").click()
    form.sees("History of plan")
    yield "a user"
    form.press("‹ Back to the list")


def reports(form: Form, _: Path) -> Iterator[str]:
    """Each report, drawn; filters and the users behind a row."""
    for name in DECLARED:
        form.field("Report").select_option(name)
        expect(form.part).to_contain_text(DECLARED[name].about)
        form.book.idle()
        steps = form.field("Step")
        if name == "Funnel":
            steps.select_option("View")
            form.field("Step 2").select_option("Buy")
        drawn(form)
        yield name
    form.field("Report").select_option("Segmentation")
    drawn(form)
    form.press("Add a condition")
    form.sees("until then this row does not count")
    form.table("Table of the report").locator("tbody tr").first.click()
    form.sees("Users of")
    yield "users of a row"
    form.press("Write it as text")
    form.field("Expression").fill('event["amount"] => 25')
    form.field("Expression").press("Tab")
    form.sees('found "="')
    yield "text with an error"


def drawn(form: Form) -> None:
    """Wait until the answer to what was chosen last is there."""
    form.book.page.wait_for_timeout(400)
    expect(form.part.locator(".tk-progress").first).to_be_hidden(timeout=30_000)
    answer = form.part.locator(".tk-chart:not(.tk-old) img[src], .tk-empty, .tk-note.tk-error")
    expect(answer.first).to_be_visible(timeout=30_000)


def lab_of_operators(form: Form, _: Path) -> Iterator[str]:
    """A message, one that is wrong, a guess, a list of messages."""
    form.sees("SET-1")
    yield "message"
    form.field("Message as JSON").fill('{"$distinct_id": "ann",\n "$add": {age: 1}}')
    form.sees("line 2, column 11")
    yield "broken"
    form.field("Message as JSON").fill('{"$distinct_id": "ann", "$add": {"age": 1, "plan": 1}}')
    form.sees("Written. A part was rejected.")
    yield "rejected"
    form.press("Paste messages…")
    yield "paste"
    form.field("Predict first").check()
    form.sees("Hidden until you have guessed.")
    yield "guess"


def live(form: Form, folder: Path) -> Iterator[str]:
    """Nothing yet; then messages, one of them rejected."""
    form.sees("Nothing has arrived yet.")
    yield "empty"
    url = (folder / "url.txt").read_text()
    messages = [
        {"$distinct_id": "ann", "$set": {"plan": "pro"}},
        {"$distinct_id": "ann", "$add": {"plan": 1}},
    ]
    requests.post(f"{url}/engage", json=messages, timeout=10)
    form.sees("not a number")
    yield "arrived"


def workbench(form: Form, _: Path) -> Iterator[str]:
    """Each tab."""
    for words in ("Users", "Edit a profile", "Import a CSV", "Report", "Operator lab"):
        form.part.get_by_role("tab", name=words, exact=True).click()
        form.book.page.wait_for_timeout(300)
        form.book.idle()
        if words == "Report":
            drawn(form)
        yield words


STEPS: Final = (editor, csv_import, users, reports, lab_of_operators, live, workbench)
SCHEMES: Final = pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])


@SCHEMES
@pytest.mark.parametrize(
    ("form", "steps"),
    [
        pytest.param(form, steps, id=steps.__name__)
        for form, steps in zip(FORMS, STEPS, strict=True)
    ],
)
def test_nothing_keeps_anybody_from_using_a_form(
    notebook: Callable[..., Any],
    lab: Any,
    tmp_path: Path,
    form: str,
    steps: Callable[[Form, Path], Iterator[str]],
    dark: bool,
) -> None:
    name = f"accessible-{steps.__name__}{'-dark' if dark else ''}"
    book = notebook(name, [SHOP, form], dark=dark)
    book.page.set_viewport_size({"width": 1240, "height": 2400})
    book.page.evaluate(AXE)
    part = Form(book, 0)
    problems = [
        f"{step}: {problem}"
        for step in steps(part, lab.files if steps is live else tmp_path)
        for problem in part.part.evaluate(LOOK)
    ]
    part.part.screenshot(path=PICTURES / f"{name}.png")
    assert not problems, "\n".join(problems)


@SCHEMES
def test_nothing_keeps_anybody_from_reading_what_cells_show(
    notebook: Callable[..., Any], lab: Any, dark: bool
) -> None:
    (lab.files / "planes.csv").write_text(CSV)
    name = f"accessible-cards{'-dark' if dark else ''}"
    book = notebook(name, [SHOP, FORMS[0], CARDS], dark=dark)
    book.page.set_viewport_size({"width": 1240, "height": 2400})
    book.page.evaluate(AXE)
    cards = (
        book.page.locator(".jp-Cell", has_text="What cells show").locator(".jp-OutputArea").first
    )
    cards.scroll_into_view_if_needed()
    problems = cards.evaluate(LOOK)
    cards.screenshot(path=PICTURES / f"{name}.png")
    assert not problems, "\n".join(problems)
