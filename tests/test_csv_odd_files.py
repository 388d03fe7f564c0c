"""CSV files as strangers bring them: who the user is, which columns are left out, odd lines."""

from __future__ import annotations

import csv
import io
import re
import shlex
from ast import literal_eval
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from tests.effort import examples
from toolkit.base.errors import ColumnMappingError, CsvError, CsvRowsError, ToolkitError
from toolkit.base.notation import written
from toolkit.cli import _as_option, main
from toolkit.forms.csv.state import CsvImportState
from toolkit.profiles.table import ProfileTable
from toolkit.sources.csv.dialect import column_title
from toolkit.sources.csv.importing import import_csv, preview_csv

PLANES = (
    b"tailnum,year,type,manufacturer,model,engines,seats,speed,engine\n"
    b"N10156,2004,Fixed wing multi engine,EMBRAER,EMB-145XR,2,55,,Turbo-fan\n"
    b"N102UW,1998,Fixed wing multi engine,AIRBUS INDUSTRIE,A320-214,2,182,,Turbo-fan\n"
    b"N103US,1999,Fixed wing multi engine,AIRBUS INDUSTRIE,A320-214,2,182,,Turbo-fan\n"
)


@pytest.fixture
def profiles() -> ProfileTable:
    return ProfileTable()


def contents(profiles: ProfileTable) -> dict[str, dict[str, Any]]:
    return {distinct_id: profiles[distinct_id] for distinct_id in profiles}


def rejected(content: str | bytes, **options: Any) -> tuple[list[str], list[tuple[int, str]]]:
    """Return the IDs imported, and line and reason of the rows that are not."""
    profiles = ProfileTable()
    data = content.encode() if isinstance(content, str) else content
    report = import_csv(profiles, data, on_error="skip", **options)
    found = report.rejected[["line", "reason"]].itertuples(index=False, name=None)
    return list(profiles), list(found)


# The header again, lines above and below


@pytest.mark.parametrize(
    "again",
    ["id,plan,n", "id, plan ,n", "\ufeffid,plan,n", '"id","plan","n"', "ID,Plan,N", " Id,PLAN,n"],
)
@pytest.mark.parametrize(
    "options", [{}, {"header": True}, {"mapping": {"id": "$distinct_id", "plan": "plan"}}]
)
def test_CSV_10_a_header_that_occurs_again_is_rejected(again: str, options: Any) -> None:
    content = f"id,plan,n\n1,pro,3\n{again}\n2,free,4\n"

    assert rejected(content, **options) == (["1", "2"], [(3, "it is the header again")])
    with pytest.raises(CsvRowsError, match="line 3: it is the header again"):
        import_csv(ProfileTable(), content.encode(), **options)


def test_CSV_10_a_header_is_known_however_often_it_occurs() -> None:
    content = "distinct_id,plan\n1,pro\ndistinct_id,plan\n" * 3
    ids, lines = rejected(content)

    assert ids == ["1"]
    assert [line for line, _ in lines] == [3, 4, 6, 7, 9]


def test_CSV_10_rows_of_data_that_repeat_make_no_header() -> None:
    content = b"active,Oslo\npaused,Rome\nactive,Oslo\n"

    assert not preview_csv(content).header
    assert import_csv(ProfileTable(), content, {0: "plan", 1: "town"}).imported == 3


@pytest.mark.parametrize(
    ("footer", "reason"),
    [
        ("Total;;1234", 'it looks like a line of totals, "Total", below the rows'),
        ("Total:;;7", 'it looks like a line of totals, "Total:", below the rows'),
        ("Summe;x;7", 'it looks like a line of totals, "Summe", below the rows'),
        ("GRAND TOTAL;x;7,0", None),
        ("Total;x;8", None),
        (";Total;7", 'it looks like a line of totals, "Total", below the rows'),
        ("Sum;;1234", 'it looks like a line of totals, "Sum", below the rows'),
        ("(2 rows);;", 'it is a count of rows, "(2 rows)"'),
        ("(2 rows)", "1 cell where 3 are expected"),
        ("2 rows affected;;", 'it is a count of rows, "2 rows affected"'),
        ("Average;x;3.5", 'it looks like a line of averages, "Average", below the rows'),
        ("Durchschnitt;;1", 'it looks like a line of averages, "Durchschnitt", below the rows'),
        ("Mean;x;4", None),
        ("Totally;;5", None),
    ],
)
def test_CSV_10_a_line_of_totals_below_the_rows_is_rejected_or_doubted(
    footer: str, reason: str | None
) -> None:
    content = f"id;plan;n\n1;pro;3\n2;free;4\n{footer}\n".encode()
    profiles = ProfileTable()

    report = import_csv(profiles, content, on_error="skip")

    if reason is None:
        assert len(profiles) == 3
        doubted = any("begins with" in each for each in report.warnings)
        assert doubted == (not footer.startswith("Totally"))
    else:
        assert list(profiles) == ["1", "2"]
        assert report.rejected["reason"].tolist() == [
            reason if not footer.startswith(";") else f"{reason}"
        ]


@pytest.mark.parametrize("row", ["Total;;1234", "Average;x;7", "Summe:;;"])
def test_CSV_10_a_row_of_totals_without_others_is_imported_and_doubted(row: str) -> None:
    report = import_csv(ProfileTable(), f"id;plan;n\n{row}\n".encode(), header=True)

    assert report.imported == 1
    assert any(f'Line 2 begins with "{row.partition(";")[0]}"' in each for each in report.warnings)


def test_CSV_10_remarks_below_a_line_of_totals_hide_it_no_more() -> None:
    rows = "id;plan;n\n1;pro;3\n2;free;4\n"
    remark = (5, "it is a remark below the line of totals")
    totals = (4, 'it looks like a line of totals, "Total", below the rows')

    assert rejected(f"{rows}Total;;7\nAs of 2024-01-05;;\n") == (["1", "2"], [totals, remark])
    # Without one, a row of one cell is a row; so is one that has more.
    assert rejected(f"{rows}As of 2024-01-05;;\n")[1] == []
    assert rejected(f"{rows}Total;;7\n3;pro;\n")[1] == []


@pytest.mark.parametrize("first", ["Subtotal;;7", "Total;x;7", "(2 rows);;"])
def test_CSV_10_lines_of_totals_do_not_hide_each_other(first: str) -> None:
    ids, lines = rejected(f"id;plan;n\n1;pro;3\n2;free;4\n{first}\nGrand total;;7\n")

    assert ids == ["1", "2"]
    assert [line for line, _ in lines] == [4, 5]


def test_CSV_7_a_file_of_which_no_row_can_be_imported_has_no_others() -> None:
    with pytest.raises(CsvRowsError, match="1 of 1 row cannot be") as caught:
        import_csv(ProfileTable(), b'id,plan\n1,"pro\n')
    assert str(caught.value).endswith("\nCorrect the file")


def test_CSV_3_the_time_of_a_mapping_stays_in_the_one_that_is_proposed() -> None:
    content = b"id,since,plan,$set\n1,2024-01-05,pro,a\n"
    with pytest.raises(ToolkitError, match="nothing else") as caught:
        import_csv(ProfileTable(), content, {"id": "$distinct_id", "since": "$time"})
    mapping = literal_eval(str(caught.value).rpartition("mapping=")[2])

    assert mapping == {0: "$distinct_id", 1: "$time", 2: "plan", 3: "$set of the file"}
    assert import_csv(ProfileTable(), content, mapping).imported == 1


def test_CSV_10_a_user_called_total_among_others_is_a_user() -> None:
    assert rejected("id,plan\nTotal,\n1,pro\n2,free\n") == (["Total", "1", "2"], [])


@pytest.mark.parametrize(
    ("above", "lines"),
    [
        ("Users of the shop\n", [1]),
        ("Users of the shop,,\n\n", [1]),
        ("# made by hand, of course, and late\n", [1]),
        ('Exported\n"by, Ann",,\n', [1, 2]),
    ],
)
def test_CSV_10_lines_above_the_header_are_rejected_and_the_header_is_found(
    above: str, lines: list[int]
) -> None:
    content = f"{above}user_id,plan,n\nu1,pro,3\nu2,free,4\nu3,,5\n"

    ids, found = rejected(content)

    assert ids == ["u1", "u2", "u3"]
    assert [line for line, _ in found] == lines
    preview = preview_csv(content.encode())
    assert preview.header_reason.startswith(f"line {1 + above.count(chr(10))} is a header")


@pytest.mark.parametrize("rule", ["--,----", "---------,---", "==,=="])
def test_CSV_10_a_line_drawn_under_the_header_is_rejected(rule: str) -> None:
    reason = "it is a line drawn under the header"
    assert rejected(f"id,plan\n{rule}\n1,pro\n2,-\n") == (["1", "2"], [(2, reason)])
    assert rejected("id,plan\n-,-\n2,-\n") == (["-", "2"], [])


def test_CSV_10_a_line_drawn_in_a_table_of_markdown_is_rejected() -> None:
    content = "| id | name |\n|----|------|\n| 1 | Ann |\n| 2 | Bob |\n"

    assert rejected(content)[1] == [(2, "it is a line drawn under the header")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("'id','plan'\n'1','pro'\n'2','free'\n", "All cells of column \"'id'\", column \"'plan'\""),
        ('"id,""plan"""\n"1,""pro"""\n"2,""free"""\n', "are there quotes around whole lines?"),
    ],
)
def test_quotes_of_other_formats_are_told(content: str, said: str) -> None:
    preview = preview_csv(content.encode(), header=True)

    assert any(said in problem for problem in preview.problems)
    report = import_csv(ProfileTable(), content.encode(), header=True)
    assert any(said in warning for warning in report.warnings)
    plain = b"id,plan\n1,'pro\n2,it's\n3,''\n"
    assert import_csv(ProfileTable(), plain).warnings == ()


def test_a_row_of_another_delimiter_is_told_as_such() -> None:
    assert rejected("user_id,plan\nu1,pro\nu2;free\nu3,pro\nu4\n")[1] == [
        (3, "1 cell where 2 are expected; with a semicolon it has them"),
        (5, "1 cell where 2 are expected"),
    ]


def test_CSV_10_a_row_that_begins_with_a_byte_order_mark_is_rejected() -> None:
    ids, lines = rejected("id,plan\n1,pro\n\ufeff2,free\n")

    assert ids == ["1"]
    assert lines[0][0] == 3
    assert "byte order mark" in lines[0][1]


@pytest.mark.parametrize(
    ("content", "mapping"),
    [
        # Of R's write.table and of programs that end each row with a delimiter.
        ("plan,n\na,pro,3\nb,free,4\n", {1: "plan", 2: "n"}),
        ("user_id,plan\n1,pro,\n2,free,\n", {0: "$distinct_id", 1: "plan"}),
        ("user_id,plan,\n1,pro\n2,free\n", {0: "$distinct_id", 1: "plan"}),
    ],
)
def test_CSV_1_a_header_one_cell_short_or_long_is_found(
    content: str, mapping: dict[int, str]
) -> None:
    preview = preview_csv(content.encode())

    assert (preview.header, preview.mapping, preview.rows) == (True, mapping, 2)
    assert import_csv(ProfileTable(), content.encode()).imported == 2


def test_CSV_1_a_header_that_is_short_of_two_cells_is_none() -> None:
    assert not preview_csv(b"user_id\n1,pro,x\n2,free,y\n").header


# Who the user is (CSV-2)


def test_CSV_2_the_preview_names_the_identifier_the_reason_and_the_best_candidate() -> None:
    preview = preview_csv(PLANES)

    assert (preview.identifier, preview.candidate) == (None, "tailnum")
    assert preview.identifier_reason == (
        "no column is the identifier, so each row gets a random ID; "
        'column "tailnum" may be it, because its cells are all filled and all different: '
        'pass key="tailnum"'
    )
    for shown in (repr(preview), preview._repr_html_().replace("&quot;", '"')):
        assert 'pass key="tailnum"' in shown
    keyed = preview_csv(PLANES, key=preview.candidate)
    assert (keyed.identifier, keyed.candidate) == ("tailnum", None)
    assert keyed.mapping[0] == "$distinct_id"


@pytest.mark.parametrize(
    ("content", "identifier", "candidate", "said"),
    [
        (b"distinct_id,plan\n1,a\n", "distinct_id", None, "is the identifier by its name"),
        (b"User ID,plan\n1,a\n", "User ID", None, "named like one"),
        (b"code,email\nx1,a@b.cc\nx2,a@b.cc\n", "email", "code", "for lack of another"),
        (b"code,email\nx1,a@b.cc\nx2,c@b.cc\n", "email", "code", 'pass key="code"'),
        (
            b"Kundennummer;E-Mail;Ort\nK1;a@x.de;B\nK2;b@x.de;C\n",
            *("E-Mail", "Kundennummer", 'column "Kundennummer" may be it'),
        ),
        (b"who,email\nAnn,a@b.cc\nBob,c@b.cc\n", "email", None, "for lack of another"),
        (b"id,plan\n1,a\n1,b\n1,c\n", None, "plan", 'column "id" is not the identifier'),
        (b"plan,score\na,1.5\na,2.5\n", None, None, "no column has a different text in every row"),
        (b"7,ann@b.cc\n8,bob@b.cc\n", 0, None, "2 of 2 cells filled, 2 different"),
        (b"7,x\n8,x\n7,x\n9,x\n", 0, None, "4 of 4 cells filled, 3 different"),
        (b"7,a1\n7,a2\n7,a3\n7,a4\n", None, 1, "column 0 (the first) is not the identifier"),
        (b"plan,plan\na,x\na,y\n", None, 1, "column 1 (the second"),
        *(
            (name + b",tail,plan\n" + rows, None, "tail", 'pass key="tail"')
            for name in (b"row", b"#", b"Index", b"No.")
            for rows in (b"0,N1,a\n1,N2,a\n", b"1,N1,a\n2,N2,a\n")
        ),
        (b"row,plan\n1,a\n2,a\n", None, "row", "all different, but look like row numbers: pass"),
        (b"row,plan\n7,a\n9,a\n", None, "row", "all filled and all different: pass"),
    ],
)
def test_CSV_2_what_becomes_the_identifier_and_why(
    content: bytes, identifier: object, candidate: object, said: str
) -> None:
    preview = preview_csv(content)

    assert (preview.identifier, preview.candidate) == (identifier, candidate)
    assert said in preview.identifier_reason


def test_CSV_2_key_makes_a_column_the_identifier_and_leaves_the_others(
    profiles: ProfileTable,
) -> None:
    report = import_csv(profiles, PLANES, key="tailnum")

    assert len(profiles) == 3
    assert profiles["N102UW"] == {
        "year": 1998,
        "type": "Fixed wing multi engine",
        "manufacturer": "AIRBUS INDUSTRIE",
        "model": "A320-214",
        "engines": 2,
        "seats": 182,
        "engine": "Turbo-fan",
    }
    assert len(report.left_out) == 0
    assert report.warnings == ()


@pytest.mark.parametrize(
    ("key", "mapping", "expected"),
    [
        ("a", None, {"1": {"user_id": "u1", "$email": "x@y.zz"}}),
        (0, None, {"1": {"user_id": "u1", "$email": "x@y.zz"}}),
        (np.int64(0), None, {"1": {"user_id": "u1", "$email": "x@y.zz"}}),
        ("email", None, {"x@y.zz": {"a": 1, "user_id": "u1", "$email": "x@y.zz"}}),
        ("a", {"user_id": "who"}, {"1": {"who": "u1"}}),
        ("a", {"a": "$distinct_id", "user_id": "who"}, {"1": {"who": "u1"}}),
    ],
)
def test_CSV_2_key_goes_before_names_and_beside_a_mapping(
    profiles: ProfileTable, key: Any, mapping: Any, expected: Any
) -> None:
    import_csv(profiles, b"a,user_id,email\n1,u1,x@y.zz\n", mapping, key=key, header=True)

    assert contents(profiles) == expected


@pytest.mark.parametrize(
    ("key", "mapping", "said"),
    [
        ("tail", None, 'there is no column "tail"'),
        (99, None, "there is no column 99"),
        (True, None, "True names no column"),
        ("tailnum", {"year": "$distinct_id"}, "leave one of them out"),
        ("tailnum", {"tailnum": "tail"}, "leave one of them out"),
    ],
)
def test_a_key_that_cannot_be_used_says_why(
    profiles: ProfileTable, key: Any, mapping: Any, said: str
) -> None:
    with pytest.raises(ColumnMappingError, match=said):
        import_csv(profiles, PLANES, mapping, key=key)
    assert len(profiles) == 0


def test_CSV_2_a_key_shows_that_row_1_is_a_header(profiles: ProfileTable) -> None:
    import_csv(profiles, b"foo,bar\nx,y\n", key="foo")

    assert contents(profiles) == {"x": {"bar": "y"}}


# Columns left out (CSV-3)


def test_CSV_3_a_mapping_of_nothing_but_the_identifier_is_refused(profiles: ProfileTable) -> None:
    with pytest.raises(ColumnMappingError, match="would make empty profiles") as caught:
        import_csv(profiles, PLANES, {"tailnum": "$distinct_id"})

    assert len(profiles) == 0
    message = str(caught.value)
    assert all(f'"{name}"' in message for name in ("year", "type", "model", "seats", "engine"))
    assert message.endswith('pass key="tailnum" in place of mapping=')


def test_CSV_3_a_file_of_nothing_but_ids_makes_empty_profiles_and_says_so(
    profiles: ProfileTable,
) -> None:
    report = import_csv(profiles, b"distinct_id\n1\n2\n")

    assert contents(profiles) == {"1": {}, "2": {}}
    assert any("new profiles are empty" in each for each in report.warnings)
    again = import_csv(ProfileTable(), b"distinct_id,plan\n1,\n", {0: "$distinct_id", 1: "plan"})
    assert any("new profiles are empty" in each for each in again.warnings)


def test_CSV_3_a_report_names_every_column_left_out(profiles: ProfileTable) -> None:
    report = import_csv(profiles, PLANES, {"tailnum": "$distinct_id", "year": "year", 2: None})

    assert report.left_out["header"].tolist() == PLANES.decode().splitlines()[0].split(",")[2:]
    assert set(report.left_out["reason"]) == {"not in the mapping"}
    told = "7 columns left out: type, manufacturer, model, engines, seats, speed, engine."
    assert told in repr(report)
    assert told in report._repr_html_()
    assert len(import_csv(profiles, PLANES, key=0).left_out) == 0


@settings(max_examples=examples(60), deadline=None)
@given(st.sets(st.integers(0, 8), min_size=1), st.booleans())
def test_CSV_3_imported_and_left_out_are_all_columns(columns: set[int], has_header: bool) -> None:
    content = PLANES if has_header else PLANES.partition(b"\n")[2]
    mapping = {at: f"p{at}" for at in columns}

    report = import_csv(ProfileTable(), content, mapping, dry_run=True, on_error="skip")

    assert sorted([*report.columns["position"], *report.left_out["position"]]) == list(range(9))


@pytest.mark.parametrize(
    ("content", "held"),
    [
        (pd.DataFrame({"user_id": ["a", "b"], "n": [1, 2]}).to_csv(), "0, 1"),
        ('"","user_id","n"\n"1","a",1\n"2","b",2\n', "1, 2"),
        ('"","user_id","n"\n"Mazda RX4","a",1\n"Fiat 128","b",2\n', "Mazda RX4, Fiat 128"),
        (",user_id,n\n0,a,1\n0,b,2\n", "0"),
    ],
)
def test_CSV_3_an_index_without_a_name_is_left_out_with_a_warning_or_is_the_key(
    profiles: ProfileTable, content: str, held: str
) -> None:
    report = import_csv(profiles, content.encode())

    assert contents(profiles) == {"a": {"n": 1}, "b": {"n": 2}}
    assert report.left_out["position"].tolist() == [0]
    assert f"it holds {held}. If it is the identifier, pass key=0." in report.warnings[0]
    assert "1 column left out: column 0 (the first)." in repr(report)
    keyed = ProfileTable()
    import_csv(keyed, content.encode(), key=0)
    assert all(set(keyed[each]) == {"user_id", "n"} for each in keyed)


# Advice that works as it is written, and loses nothing

ADVICE = [
    # No header; a column without a name; a name twice; a name that may not be.
    (b"7,ann@b.cc,a,b,c,d,e\n8,bob@b.cc,f,g,h,i,j\n", None, 7),
    (b"user_id,,plan,a,b,c\nu1,7,pro,1,2,3\nu2,7,pro,1,2,3\n", None, 6),
    (b"user_id,plan,plan,plan,a\nu1,a,b,c,d\n", None, 5),
    (b"user_id,bucket,$set,plan,a,b\nu1,a,b,c,d,e\n", None, 6),
    (b"tail,$bucket,n,m,o,p\nx1,b,c,d,e,f\nx2,b,c,d,e,f\n", None, 6),
    # A slip, a reversed mapping, two columns of one name, no column.
    (b"user_id,plan,a,b\nu1,pro,1,2\n", {0: "$distinctid", "plan": "plan", 2: "a", 3: "b"}, 4),
    (b"user_id,plan,a\nu1,pro,1\n", {"$distinct_id": "user_id", "tier": "plan", "x": "a"}, 3),
    (b"user_id,plan,a\nu1,pro,1\n", {0: "$distinct_id", 1: "x", 2: "x"}, 3),
    (b"user_id,plan,a,b,c,d\nu1,pro,1,2,3,4\n", {}, 6),
    (PLANES.partition(b"\n")[2].replace(b",,", b",90,"), {0: "$distinct_id"}, 9),
]


@pytest.mark.parametrize(("content", "mapping", "columns"), ADVICE)
def test_the_mapping_in_an_error_works_and_leaves_no_column_out(
    profiles: ProfileTable, content: bytes, mapping: Any, columns: int
) -> None:
    with pytest.raises(ColumnMappingError) as caught:
        import_csv(profiles, content, mapping)

    advice = re.search(r"mapping=(\{.*?\})", str(caught.value))
    assert advice is not None
    report = import_csv(profiles, content, eval(advice[1]))
    assert len(report.columns) == columns
    assert len(report.left_out) == 0


@pytest.mark.parametrize(("content", "mapping", "columns"), ADVICE)
def test_the_options_in_an_error_work_and_leave_no_column_out(
    profiles: ProfileTable, content: bytes, mapping: Any, columns: int, tmp_path: Any
) -> None:
    from toolkit.cli import main

    with written(_as_option), pytest.raises(ColumnMappingError) as caught:
        import_csv(profiles, content, mapping)

    options = re.search(r"--map .*?(?=\. Columns|$)", str(caught.value))
    assert options is not None
    (tmp_path / "users.csv").write_bytes(content)
    database = tmp_path / "users.db"
    assert (
        main(["import", str(database), str(tmp_path / "users.csv"), *shlex.split(options[0])]) == 0
    )
    with ProfileTable(database) as imported:
        assert len(imported) == len(content.splitlines()) - bool(preview_csv(content).header)
        # The identifier is no property.
        assert len(imported.properties) in (columns - 1, columns)


def test_a_warning_of_random_ids_names_the_key_to_pass(profiles: ProfileTable) -> None:
    report = import_csv(profiles, PLANES)

    (warning,) = report.warnings
    assert warning.startswith("No column is the distinct ID, so each row got a random one")
    assert warning.endswith('if it is the distinct ID, pass key="tailnum".')
    mapped = import_csv(profiles, PLANES, {"tailnum": "tail", "year": "year"}, dry_run=True)
    assert 'pass key="tailnum"' in mapped.warnings[0]
    mailed = import_csv(ProfileTable(), b"code,email\nx1,a@b.cc\nx2,a@b.cc\n")
    assert 'column "email", is used.' in mailed.warnings[0]
    assert 'pass key="code"' in mailed.warnings[0]


# Names, kinds, near misses


@pytest.mark.parametrize(
    "name", ["$set", "$set_once", "$add", "$append", "$remove", "$union", "$unset", "$delete"]
)
def test_CSV_3_a_property_named_as_an_operator_is_refused(
    profiles: ProfileTable, name: str
) -> None:
    with pytest.raises(ColumnMappingError, match="is an operator of messages, never a property"):
        import_csv(profiles, PLANES, {0: "$distinct_id", 1: name})
    with pytest.raises(ColumnMappingError, match="is an operator of messages"):
        import_csv(profiles, f"user_id,{name}\n1,2\n".encode())
    assert preview_csv(f"user_id,{name}\n1,2\n".encode()).mapping == {0: "$distinct_id"}


@pytest.mark.parametrize("name", ["$phone", "$name", "$email", "$city", "$country_code"])
def test_CSV_5_a_reserved_text_of_digits_stays_text(profiles: ProfileTable, name: str) -> None:
    content = f"distinct_id,{name}\n1,4712345\n2,4798765\n".encode()

    report = import_csv(profiles, content)

    assert profiles["1"] == {name: "4712345"}
    assert report.columns["type"].tolist() == ["text", "text"]
    assert [column.type for column in preview_csv(content).columns] == ["number", "text"]
    import_csv(profiles, content, types={name: "number"})
    assert profiles["1"] == {name: 4_712_345}


def test_ids_that_differ_by_capitals_are_told(profiles: ProfileTable) -> None:
    content = b"distinct_id,n\na@x.com,1\nA@X.com,2\nb@x.com,3\n"

    report = import_csv(profiles, content)

    said = "2 distinct IDs written with other capitals elsewhere, and each a profile of its own"
    assert any(each.startswith(said) for each in report.warnings)
    assert len(profiles) == 3
    later = import_csv(profiles, b"distinct_id,n\nB@x.com,1\nc@x.com,2\n")
    assert (
        "1 distinct ID written with other capitals elsewhere, and each a profile of its own: "
        '"B@x.com".' in later.warnings
    )
    assert import_csv(profiles, b"distinct_id,n\nb@x.com,4\n").warnings == ()


def test_a_column_is_called_by_its_name_or_by_a_place_nobody_mistakes() -> None:
    names = ["id", None, "plan", "plan", *[None] * 8]

    assert [column_title(at, names) for at in (0, 1, 2, 3, 11)] == [
        'column "id"',
        "column 1 (the second)",
        'column 2 (the third, "plan")',
        'column 3 (the fourth, "plan")',
        "column 11 (the 12th)",
    ]


# Anything odd at all

odd_lines = st.sampled_from(
    [
        *("id,plan,n", "1,pro,3", "2,free,4", "Total,,7", "--,--,--", "(3 rows)", "# x", ",,"),
        *(
            '3,"a"b,1',
            '3,"a\\"b",1',
            '3, "a",1',
            "\ufeff1,pro,3",
            "sep=,",
            "4;x;y",
            "Title,,",
            "id,plan",
        ),
    ]
)


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(odd_lines, max_size=12), st.sampled_from([None, 0, "id"]))
def test_CSV_7_every_row_is_imported_or_rejected(lines: list[str], key: Any) -> None:
    content = "\n".join(lines).encode()
    profiles = ProfileTable()

    try:
        report = import_csv(profiles, content, key=key, on_error="skip")
    except CsvError:
        assert len(profiles) == 0
        return

    assert report.rows == report.imported + len(report.rejected)
    assert "\ufeff1" not in profiles
    assert not (report.header and "id" in profiles)
    assert not any("\\" in str(profiles[each].get("plan")) for each in profiles)


def test_the_reader_and_the_writer_of_python_agree_with_ours(profiles: ProfileTable) -> None:
    values = ['say "hi"', 'a "b", c', "x\ny", '"', '""', "\\", '\\"', 'a\\"b', " x", '5"']
    for style in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC):
        content = io.StringIO()
        csv.writer(content, quoting=style).writerows(
            [["distinct_id", "v"], *[[f"u{at}", value] for at, value in enumerate(values)]]
        )
        report = import_csv(profiles, content.getvalue().encode(), types={"v": "text"})
        assert [profiles[f"u{at}"]["v"] for at in range(len(values))] == values
        assert len(report.rejected) == 0


def test_CSV_2_an_import_by_e_mail_names_the_column_that_may_be_the_identifier(
    tmp_path: Path,
) -> None:
    data = b"Kundennummer;E-Mail;Ort\nK1;a@x.de;B\nK2;b@x.de;C\n"
    report = import_csv(ProfileTable(), data)
    assert any('pass key="Kundennummer"' in each for each in report.warnings)
    state = CsvImportState(ProfileTable())
    path = tmp_path / "people.csv"
    path.write_bytes(data)
    state.choose(path)
    assert state.job.wait(30)
    assert state.preview is not None and state.preview.candidate == "Kundennummer"
    assert state.candidate == 0


def test_one_column_of_cells_with_line_ends_or_of_great_length_is_read() -> None:
    for content in (b'"\n$_"', b'a\n"x\ry"\n', b'"' + b"x" * 200_000 + b'"\n"y"\n'):
        assert preview_csv(content).columns


def test_CSV_2_the_doubt_about_row_numbers_is_in_preview_report_form_and_command(
    profiles: ProfileTable, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = b"row,plan\n1,a\n2,a\n3,b\n"
    doubt = "look like row numbers"
    assert doubt in preview_csv(content).candidate_reason
    report = import_csv(profiles, content, progress=False)
    assert any(doubt in each for each in report.warnings)
    state = CsvImportState(profiles)
    (tmp_path / "rows.csv").write_bytes(content)
    state.choose(tmp_path / "rows.csv")
    assert state.job.wait(30)
    assert doubt in state.identifier_told
    assert main(["import", str(tmp_path / "x.db"), str(tmp_path / "rows.csv")]) == 0
    assert doubt in "".join(capsys.readouterr())


@pytest.mark.parametrize("name", ["Unnamed: 0", "Unnamed: 0.1"])
def test_CSV_3_an_index_that_pandas_read_and_wrote_again_is_left_out_and_told(
    profiles: ProfileTable, name: str
) -> None:
    content = f"{name},user_id,plan\n0,u1,a\n1,u2,b\n".encode()
    assert preview_csv(content).columns[0].property is None
    report = import_csv(profiles, content, progress=False)
    assert profiles["u1"] == {"plan": "a"}
    assert report.left_out["header"].to_list() == [name]
    told = next(each for each in report.warnings if "counts the rows from 0" in each)
    assert f"0: '{name}'" in told  # it is in the mapping that is offered

    # What counts no rows is a property like any other.
    import_csv(profiles, f"user_id,{name}\nu1,5\nu2,9\n".encode(), progress=False)
    assert profiles["u1"] == {"plan": "a", name: 5}
