"""What is seen of a CSV file before its import, and told after it."""

from __future__ import annotations

import io

import pandas as pd
import pytest

from toolkit.profiles.table import ProfileTable
from toolkit.sources.csv.defuse import defused, defused_frame
from toolkit.sources.csv.importing import import_csv, preview_csv


@pytest.fixture
def profiles() -> ProfileTable:
    return ProfileTable()


# The preview


def test_a_preview_shows_each_column() -> None:
    preview = preview_csv(
        b"ID;Name;Email;Age;name\n7;Ann;ann@b.cc;30;x\n8;Ann;;41;y\n9;Bob;bob@b.cc;;z\n"
    )

    assert preview.header
    assert (preview.rows, preview.delimiter, preview.encoding) == (3, ";", "utf-8")
    assert preview.frame.to_dict("list") == {
        "position": [0, 1, 2, 3, 4],
        "header": ["ID", "Name", "Email", "Age", "name"],
        "property": ["$distinct_id", "$name", "$email", "Age", "name"],
        "type": ["number", "text", "text", "number", "text"],
        "empty": [0, 0, 1, 1, 0],
        "distinct": [3, 2, 2, 2, 3],
        "samples": ["7, 8, 9", "Ann, Bob", "ann@b.cc, bob@b.cc", "30, 41", "x, y, z"],
    }


def test_CSV_3_a_preview_suggests_no_name_that_is_refused() -> None:
    preview = preview_csv(b"distinct_id,bucket,$last_seen,plan\nu1,a,b,c\n")

    assert preview.mapping == {0: "$distinct_id", 3: "plan"}
    assert [column.property for column in preview.columns] == ["$distinct_id", None, None, "plan"]


def test_a_preview_suggests_a_mapping_that_can_be_imported(profiles: ProfileTable) -> None:
    preview = preview_csv(b"id,e-mail,first name,plan,id\n7,a@b.cc,Ann,pro,x\n")

    assert preview.mapping == {
        0: "$distinct_id",
        1: "$email",
        2: "$first_name",
        3: "plan",
        4: "id",
    }
    import_csv(profiles, b"id,e-mail,first name,plan,id\n7,a@b.cc,Ann,pro,x\n", preview.mapping)
    assert profiles["7"]["$first_name"] == "Ann"


def test_a_preview_without_a_header_goes_by_the_cells() -> None:
    preview = preview_csv(b"7,ann@b.cc,pro\n8,bob@b.cc,pro\n")

    assert not preview.header
    assert preview.mapping == {0: "$distinct_id", 1: "$email"}
    assert [column.header for column in preview.columns] == [None, None, None]


def test_a_preview_shows_five_different_samples() -> None:
    (column,) = preview_csv(b"n\n" + b"\n".join(b"%d" % (n % 7) for n in range(99))).columns

    assert column.samples == ("0", "1", "2", "3", "4")
    assert column.distinct == 7


def test_a_preview_tells_problems() -> None:
    preview = preview_csv(b"distinct_id,plan,plan,\nu1,a,b,c\nu2,caf\xe9,,\nu3\n")

    assert [problem.partition(" cannot")[0] for problem in preview.problems] == [
        "The file is not UTF-8 and was read as cp1252, which is a guess; "
        "if names look wrong, pass encoding=",
        "1 row",
        '2 columns are named "plan".',
        "1 column without a name in the header: column 3 (the fourth).",
    ]
    assert "on line 4: 1 cell where 4 are expected" in preview.problems[1]


def test_a_preview_leaves_a_file_object_for_the_import(profiles: ProfileTable) -> None:
    file = io.BytesIO(b"distinct_id,plan\nu1,pro\nu2,free\n")
    preview_csv(file)

    assert import_csv(profiles, file).created == 2


# What is shown

HOSTILE = '<script>alert("x")</script>'


def test_previews_and_reports_escape_what_stands_in_the_file(profiles: ProfileTable) -> None:
    content = f"distinct_id,{HOSTILE}\nnull,{HOSTILE}\nu1\n{HOSTILE},a\n".replace('"', "")
    profiles.set("null", {HOSTILE.replace('"', ""): HOSTILE})

    shown = [
        preview_csv(content.encode())._repr_html_(),
        import_csv(profiles, content.encode(), on_error="skip")._repr_html_(),
    ]

    for page in shown:
        assert "&lt;script&gt;" in page
        assert "<script" not in page


def test_a_report_reads_as_sentences(profiles: ProfileTable) -> None:
    report = import_csv(
        profiles, b'distinct_id,plan\nu1,pro\n,free\n"u\n2",x\nu3\n', on_error="skip"
    )

    assert repr(report).startswith(
        "<ImportReport of data: 2 of 4 rows imported: 2 profiles created, 0 updated, 0 unchanged ("
    )
    assert repr(report).splitlines()[1:] == [
        '  Row 1 is a header: "distinct_id" is the name of a property.',
        "  2 rows rejected:",
        "    line 3: no distinct ID",
        "    line 6: 1 cell where 2 are expected",
    ]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_text_that_a_spreadsheet_would_run_gets_an_apostrophe(start: str) -> None:
    assert defused(f"{start}a1") == f"'{start}a1"
    frame = pd.DataFrame({f"{start}a": [f"{start}a1", "x", None], "n": [-1, 2, 3]})

    result = defused_frame(frame)

    assert result.columns.tolist() == [f"'{start}a", "n"]
    assert result.iloc[:2, 0].tolist() == [f"'{start}a1", "x"]
    assert result.iloc[:, 0].isna().tolist() == [False, False, True]
    assert result["n"].tolist() == [-1, 2, 3]
    assert frame.iloc[0, 0] == f"{start}a1"


def test_a_plain_number_with_a_sign_is_no_formula() -> None:
    plain, formulas = ["-5", "+4712345", "+1.50"], ["+1-2", "-5\n", "-", "=5", "-1e5"]
    frame = pd.DataFrame({"text": plain + formulas, "mixed": [*plain, *formulas]}, dtype=object)

    for result in (defused_frame(frame), defused_frame(frame.astype("str"))):
        for name in frame:
            assert result[name].tolist() == plain + [f"'{each}" for each in formulas]


def test_text_among_other_objects_is_defused_too() -> None:
    frame = pd.DataFrame({"mixed": ["=1", 5, None, ["=1"]]}, dtype=object)

    assert defused_frame(frame)["mixed"].tolist() == ["'=1", 5, None, ["=1"]]


def test_a_report_tells_everything_worth_a_look(profiles: ProfileTable) -> None:
    profiles.set("u1", {"$email": "ann@example.com", "plan": "free"})

    report = import_csv(
        profiles,
        b"$distinct_id,$email,plan\nu1,,pro\nnull,ann@example.com,a\nnull,,b\n",
        dry_run=True,
    )

    assert repr(report).splitlines() == [
        "<ImportReport of data: 3 of 3 rows would be imported: "
        "1 profile created, 1 updated, 0 unchanged (dry run)>",
        "  1 stored value overwritten.",
        "  1 distinct ID in several rows (2 rows); of each property the last cell counts.",
        '  Distinct IDs that look like placeholders for a missing ID: "null".',
        "  1 new profile with the $email of a profile under another distinct ID.",
        '  Row 1 is a header: "$distinct_id" is the name of a property.',
    ]
    assert "Dry run of the import of data" in report._repr_html_()
    assert "Overwritten values" in report._repr_html_()
