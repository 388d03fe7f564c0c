"""JupyterLab reads what is between two dollar signs as a formula; ours is never one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import expect

from tests.formulas import CARDS, DATA, FORMS


def formulas(book: Any) -> list[str]:
    """Where the page made formulas, once it has had time to."""
    book.page.wait_for_timeout(3_000)
    return book.page.locator("mjx-container").evaluate_all(
        "nodes => nodes.map(node => node.parentElement.outerHTML.slice(0, 90))"
    )


def test_no_output_and_no_label_is_typeset_as_maths(notebook: Callable[..., Any]) -> None:
    book = notebook("maths", [DATA, CARDS, FORMS, 'HTML("<p>$e^x$</p>")'])
    # The page does read formulas: this one is not ours.
    expect(book.page.locator("mjx-container").first).to_be_attached()
    expect(book.form.first.get_by_label("Value of from $5 to $10", exact=True)).to_be_attached()
    assert len(formulas(book)) == 1, formulas(book)


def test_the_title_of_a_column_is_not_typeset_as_maths(notebook: Callable[..., Any]) -> None:
    book = notebook("maths-csv", ["import toolkit as tk\ntk.CsvImport(tk.ProfileTable())"])
    with book.page.expect_file_chooser() as chooser:
        book.button("Drop a CSV file here, or click to choose one").click()
    content = b"id,from $5 to $10\n1,$1 or $2\n2,$3 or $4\n"
    chooser.value.set_files({"name": "a.csv", "mimeType": "text/csv", "buffer": content})
    for words in ("Encoding", "Distinct ID", "Import from $5 to $10"):
        expect(book.field(words)).to_be_visible()
        if words != "Import from $5 to $10":
            book.button("Next").click()
    tick = book.field("Import from $5 to $10")
    tick.focus()
    # Read when pointed at: what travels as the label of a tick is HTML.
    expect(tick).to_have_attribute("title", "Import from $5 to $10")
    assert formulas(book) == []
