"""The CSV wizard in JupyterLab, by mouse and keyboard."""

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
    found = list(profiles)[: int(sys.argv[2])] if len(sys.argv) > 2 else profiles
    print(json.dumps([len(profiles), {key: profiles[key] for key in found}]))
"""
SCRIPT = "<img src=x onerror=alert('run')>"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.db"
    with ProfileTable(path) as profiles:
        profiles.set("u1", {"$email": "ann@example.com", "plan": "free", "note": SCRIPT})
    return path


def cells(shop: Path) -> list[str]:
    return [
        f"import toolkit as tk\nprofiles = tk.ProfileTable({str(shop)!r})",
        "tk.CsvImport(profiles)",
    ]


def drop(book: Any, path: Path) -> None:
    """Choose a file, as somebody does who clicks."""
    with book.page.expect_file_chooser() as chooser:
        book.button("Drop a CSV file here, or click to choose one").click()
    chooser.value.set_files(path)


def stored(elsewhere: Callable[..., str], shop: Path, *arguments: object) -> tuple[int, Any]:
    number, profiles = json.loads(elsewhere(READ, shop, *arguments))
    return number, profiles


def test_a_file_of_hostile_ragged_and_doubled_rows_is_imported_and_undone(
    notebook: Callable[..., Any],
    elsewhere: Callable[..., str],
    shop: Path,
    tmp_path: Path,
) -> None:
    path = tmp_path / f"a {SCRIPT.replace('/', '')}.csv"
    path.write_text(
        f'distinct_id,$email,plan,"{SCRIPT}"\n'
        f"u1,ann@example.com,pro,{SCRIPT}\n"
        f'u2,bob@example.com,"{SCRIPT}",x\n'
        "u2,bob@example.com,basic,y\n"
        "null,ann@example.com,free,z\n"
        f"u4,{SCRIPT}\n"
        ",eve@example.com,=1+1,w\n"
    )
    book = notebook("csv-hostile", cells(shop))
    book.picture("choose")
    drop(book, path)
    book.sees("6 rows, 4 columns, utf-8, comma between cells")
    book.sees("1 row cannot be imported; the first, on line 6")
    book.picture("read")
    book.button("Next").click()
    book.sees("3 different IDs in 6 rows")
    book.picture("identifier")
    book.button("Next").click()
    book.sees("3 of 4 columns become properties")
    # A name that may not be written, told beside the field; what was typed stays.
    field = book.field(f"Property for {SCRIPT}")
    expect(field).to_have_value(SCRIPT)
    field.fill("$bucket")
    field.press("Tab")
    book.sees('"$bucket" is hidden from every table, form and report')
    book.button("Check").click()
    book.sees("1 column cannot be imported as it is")
    book.picture("column-refused")
    expect(field).to_have_value("$bucket")
    field.fill("plan")
    field.press("Tab")
    book.sees('"plan" has this name too')
    field.fill("remark")
    field.press("Tab")
    book.sees("3 of 4 columns become properties.")
    book.picture("columns")
    book.button("Check").click()
    book.sees("Rows that cannot be imported")
    expect(book.form.get_by_role("table", name="Rows that cannot be imported")).to_contain_text(
        SCRIPT
    )
    changed = book.form.get_by_role("table", name="Stored values that are overwritten")
    expect(changed).to_contain_text('"free"')
    expect(changed).to_contain_text('"pro"')
    book.sees("Placeholder IDs")
    book.sees("Same e-mail under another ID")
    book.picture("check")
    book.button("Import 4 rows").click()
    book.sees("2 rows cannot be imported. Correct the file, or tick")
    assert stored(elsewhere, shop)[0] == 1
    with book.page.expect_download() as download:
        book.button("Download these rows").click()
    assert download.value.suggested_filename == "rejected.csv"
    saved = Path(download.value.path()).read_text()
    assert saved.splitlines()[0] == "line,reason,text"
    assert "6,2 cells where 4 are expected" in saved
    book.field("Import the other 4 rows").check()
    book.button("Import 4 rows").click()
    book.sees("2 new profiles, 1 updated")
    book.picture("imported")
    number, profiles = stored(elsewhere, shop)
    assert number == 3
    assert profiles["u1"] == {
        "$email": "ann@example.com", "plan": "pro", "note": SCRIPT, "remark": SCRIPT
    }  # fmt: skip
    assert profiles["u2"] == {"$email": "bob@example.com", "plan": "basic", "remark": "y"}
    book.button("Undo this import").click()
    book.sees("The import was undone: the profiles are as they were before.")
    book.picture("undone")
    assert stored(elsewhere, shop) == (
        1, {"u1": {"$email": "ann@example.com", "plan": "free", "note": SCRIPT}}
    )  # fmt: skip
    book.button("Bring it back").click()
    book.sees("2 new profiles, 1 updated")
    assert stored(elsewhere, shop)[0] == 3
    book.fits()


def test_a_semicolon_file_in_latin_1_is_read_by_keyboard_and_its_mapping_used_again(
    notebook: Callable[..., Any], elsewhere: Callable[..., str], shop: Path, tmp_path: Path
) -> None:
    first, second = tmp_path / "june.csv", tmp_path / "july.csv"
    first.write_bytes(
        "kundnr;namn;ort;nivå\nu1;Zoë;Malmö;guld\nu7;Åsa;Lund;silver\n".encode("latin-1")
    )
    second.write_bytes("ort;kundnr;namn;nivå;ny\nYstad;u8;Bo;brons;x\n".encode("latin-1"))
    book = notebook("csv-latin", cells(shop), dark=True, width=900)
    path = book.field("Or its path")
    path.fill(str(first))
    path.press("Enter")
    book.sees("2 rows, 4 columns, cp1252, semicolon between cells")
    book.sees("Malmö")
    book.sees('if names look wrong, make another choice in "Encoding"')
    book.picture("read-dark")
    book.fits()
    # The wrong encoding shows at once, and the right one brings the names back.
    encoding = book.field("Encoding")
    encoding.fill("cp1251")
    encoding.press("Tab")
    book.sees("Malmц")
    encoding.fill("")
    encoding.press("Tab")
    book.sees("Malmö")
    book.field("Delimiter").select_option(label="tab")
    book.sees("2 rows, 1 column")
    book.field("Delimiter").select_option(label="find out")
    book.sees("2 rows, 4 columns")
    book.field("First row").select_option(label="data, as all others")
    book.sees("3 rows, 4 columns")
    book.field("First row").select_option(label="find out")
    book.sees("2 rows, 4 columns")
    encoding.press("Enter")
    book.sees("each row gets a random distinct ID")
    book.picture("identifier-dark")
    book.field("Distinct ID").select_option(index=1)
    book.sees("2 different IDs in 2 rows.")
    book.button("Next").press("Enter")
    name = book.field("Property for namn")
    name.fill("$name")
    name.press("Tab")
    book.sees("Shown as Name.")
    book.field("Import nivå").uncheck()
    book.sees("2 of 4 columns become properties.")
    book.field("Template name").fill("Kunder")
    book.button("Save as template").click()
    book.sees('Saved as "Kunder".')
    book.picture("columns-dark")
    book.fits()
    name.press("Enter")
    book.sees("Nothing has been written yet.")
    book.picture("check-dark")
    name = book.button("Import 2 rows")
    name.press("Enter")
    book.sees("1 new profile, 1 updated")
    book.picture("imported-dark")
    book.fits()
    number, profiles = stored(elsewhere, shop)
    assert number == 2
    assert profiles["u7"] == {"$name": "Åsa", "ort": "Lund"}

    book.button("Import another file").click()
    path = book.field("Or its path")
    path.fill(str(second))
    book.button("Open").click()
    book.sees("1 row, 5 columns")
    book.button("Next").click()
    book.button("Next").click()
    book.button("Use").click()
    book.sees('As in the template "Kunder". Not in the template, and not ticked: "ny".')
    book.picture("template-dark")
    book.button("Check").click()
    book.sees("Nothing has been written yet.")
    # Escape goes back, and nothing chosen is lost.
    book.button("Import 1 row").press("Escape")
    expect(book.field("Property for namn")).to_have_value("$name")
    book.button("Check").click()
    book.button("Import 1 row").click()
    book.sees("1 new profile, 0 updated")
    assert stored(elsewhere, shop)[1]["u8"] == {"ort": "Ystad", "$name": "Bo"}


# A disk that is slow the first time, so that there is something to stop.
SLOW = """
import time
from toolkit.forms.csv import state as wizard
real, tries = wizard.import_csv, []
def slowly(*args, progress, dry_run, **options):
    tries.append(dry_run)
    for done in range(600 if tries.count(False) == 1 and not dry_run else 0):
        progress("Writing", done * 1_000, 600_000)
        time.sleep(0.05)
    return real(*args, progress=progress, dry_run=dry_run, **options)
wizard.import_csv = slowly
"""


def test_the_sample_without_a_header_is_imported_after_one_import_was_stopped(
    notebook: Callable[..., Any], elsewhere: Callable[..., str], shop: Path
) -> None:
    setting, form = cells(shop)
    book = notebook("csv-sample", [setting + SLOW, form])
    book.button("The same customers, without a header").click()
    book.sees("1,772 rows, 11 columns")
    book.button("Next").click()
    book.sees("1,772 different IDs in 1,772 rows.")
    book.button("Next").click()
    book.sees("1 of 11 columns become properties.")
    for number, name in {3: "$name", 4: "plan", 8: "age"}.items():
        field = book.field(f"Property for Column {number}")
        field.fill(name)
        field.press("Tab")
    book.sees("4 of 11 columns become properties.")
    book.field("Type of Column 4").select_option(label="number")
    book.sees("1,772 cells do not fit the type number; their rows would not be imported.")
    book.field("Type of Column 4").select_option(label="text")
    book.picture("columns")
    book.button("Check").click()
    book.sees("New profiles")
    book.button("Import 1,772 rows").click()
    book.sees("rows/s")
    book.picture("running")
    book.button("Cancel").click()
    book.sees("Stopped. Nothing was written.")
    book.picture("stopped")
    assert stored(elsewhere, shop)[0] == 1

    book.button("Import 1,772 rows").click()
    book.sees("1,772 new profiles")
    number, profiles = stored(elsewhere, shop, 3)
    assert number == 1_773
    assert set(profiles["1001"]) == {"$email", "$name", "plan", "age"}


def test_a_wide_file_has_pages_of_columns(
    notebook: Callable[..., Any], elsewhere: Callable[..., str], shop: Path, tmp_path: Path
) -> None:
    names = [f"field {number}" for number in range(220)]
    path = tmp_path / "wide.csv"
    path.write_text(",".join(["distinct_id", *names]) + "\n" + ",".join(["u9", *(["7"] * 220)]))
    book = notebook("csv-wide", cells(shop), width=900)
    book.field("Or its path").fill(str(path))
    book.button("Open").click()
    book.sees("1 row, 221 columns")
    book.picture("read")
    book.fits()
    book.button("Next").click()
    book.button("Next").click()
    book.sees("220 of 221 columns become properties.")
    book.sees("1-15 of 221")
    book.idle()
    book.button("Untick all").click()
    none = book.form.get_by_text("0 of 221 columns become properties.", exact=True)
    expect(none.first).to_be_visible()
    book.button("›").click()
    book.sees("16-30 of 221")
    book.field("Import field 20").check()
    book.sees("1 of 221 columns become properties.")
    book.field("Find a column").fill("field 21")
    expect(book.field("Property for field 219")).to_be_visible()
    expect(book.field("Property for field 16")).to_have_count(0)
    book.button("Tick all").click()
    book.sees("12 of 221 columns become properties.")
    book.picture("columns")
    book.fits()
    book.button("Check").click()
    book.button("Import 1 row").click()
    book.sees("1 new profile")
    assert stored(elsewhere, shop)[1]["u9"] == {
        name: 7 for name in names if name in ("field 20", "field 21") or name.startswith("field 21")
    }


def test_who_the_user_is_and_what_is_left_out_is_seen_before_and_after(
    notebook: Callable[..., Any], elsewhere: Callable[..., str], shop: Path, tmp_path: Path
) -> None:
    path = tmp_path / "planes.csv"
    path.write_text(
        "# planes of 2013\n"
        ",tailnum,year,engine\n0,N10156,2004,Turbo-fan\n,tailnum,year,engine\n"
        '1,N102UW,1998,"Turbo-"fan\n2,N103US,1999,Turbo-fan\nTotal,,6001,\n'
    )
    book = notebook("csv-planes", cells(shop))
    drop(book, path)
    book.sees("Line 2 is a header")
    book.sees("4 rows cannot be imported; the first, on line 1")
    book.sees("1 column without a name in the header: Column 1.")
    book.picture("planes-read")
    book.button("Next").click()
    book.sees("each row gets a random distinct ID")
    book.sees('"tailnum" may be it: its cells are all filled and all different.')
    book.picture("planes-identifier")
    book.button('Use "tailnum"').click()
    book.sees("2 different IDs in 6 rows.")
    book.button("Next").click()
    book.button("Check").click()
    book.sees("Columns left out")
    book.sees("it is the header again")
    book.sees("text follows a closing quote; within a cell a quote is written twice")
    book.picture("planes-check")
    book.field("Import the other 2 rows").check()
    book.button("Import 2 rows").click()
    book.sees("2 new profiles, 0 updated")
    book.picture("planes-imported")
    number, profiles = stored(elsewhere, shop)
    assert number == 3
    assert profiles["N103US"] == {"year": 1999, "engine": "Turbo-fan"}
    book.fits()
