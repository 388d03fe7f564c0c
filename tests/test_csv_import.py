"""CSV files as profiles: what is seen before, what is written, what is told after."""

from __future__ import annotations

import csv
import io
import time
import uuid
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import example, given, settings, strategies as st

import toolkit as tk
from tests.effort import examples
from toolkit.base.errors import ColumnMappingError, CsvError, CsvRowsError
from toolkit.profiles.table import ProfileTable
from toolkit.sources.csv import file as csv_file, reading
from toolkit.sources.csv.importing import import_csv, preview_csv
from toolkit.sources.csv.reading import read_csv_text
from toolkit.sources.csv.report import ImportReport
from toolkit.sources.csv.rows import random_ids
from toolkit.store import writer

USERS = b"distinct_id,$email,plan,age\nu1,ann@example.com,pro,30\nu2,bob@example.com,free,\n"


@pytest.fixture
def profiles() -> ProfileTable:
    return ProfileTable()


def contents(profiles: ProfileTable) -> dict[str, dict[str, Any]]:
    return {distinct_id: profiles[distinct_id] for distinct_id in profiles}


# CSV-1: the header


def test_CSV_1_a_header_is_detected_and_the_report_says_why(profiles: ProfileTable) -> None:
    report = import_csv(profiles, USERS)

    assert report.header
    assert report.header_reason == 'row 1 is a header: "distinct_id" is the name of a property'
    assert contents(profiles) == {
        "u1": {"$email": "ann@example.com", "plan": "pro", "age": 30},
        "u2": {"$email": "bob@example.com", "plan": "free"},
    }


def test_CSV_1_without_a_header_columns_go_by_position(profiles: ProfileTable) -> None:
    report = import_csv(profiles, b"7,Ann,30\n8,Bob,41\n", {0: "$distinct_id", 2: "age"})

    assert not report.header
    assert contents(profiles) == {"7": {"age": 30}, "8": {"age": 41}}


def test_CSV_1_a_header_can_be_forced(profiles: ProfileTable) -> None:
    report = import_csv(
        profiles, b"Ann,Oslo\nBob,Rome\n", {"Ann": "$distinct_id", 1: "town"}, header=True
    )

    assert (report.header, report.rows) == (True, 1)
    assert list(profiles) == ["Bob"]


def test_CSV_1_a_header_can_be_ruled_out(profiles: ProfileTable) -> None:
    import_csv(profiles, b"id,plan\n1,pro\n", {0: "$distinct_id", 1: "plan"}, header=False)

    assert contents(profiles) == {"id": {"plan": "plan"}, "1": {"plan": "pro"}}


def test_CSV_1_a_mapping_by_the_names_in_row_1_shows_that_it_is_a_header(
    profiles: ProfileTable,
) -> None:
    report = import_csv(profiles, b"foo,bar\nx,y\n", {"foo": "$distinct_id", "bar": "plan"})

    assert report.header_reason == "row 1 is a header: the mapping names its columns"
    assert contents(profiles) == {"x": {"plan": "y"}}


def test_CSV_1_neither_header_nor_mapping_shows_the_columns_and_how_to_map_them(
    profiles: ProfileTable,
) -> None:
    with pytest.raises(ColumnMappingError) as caught:
        import_csv(profiles, b"7,ann@example.com,pro\n8,bob@example.com,free\n")

    message = str(caught.value)
    assert 'the file has no header (row 1 is data: "7" is a number, not a name)' in message
    assert "  0: 7, 8\n  1: ann@example.com, bob@example.com\n  2: pro, free\n" in message
    assert "mapping={0: '$distinct_id', 1: '$email', 2: 'name of column 2'}" in message


def test_CSV_1_a_header_as_wide_as_no_row_cannot_be_forced(profiles: ProfileTable) -> None:
    with pytest.raises(CsvError, match="row 1 cannot be the header: 1 cell where 2 are expected"):
        import_csv(profiles, b"id\n1,2\n3,4\n", header=True)


def test_a_header_that_is_neither_true_nor_false_is_refused(profiles: ProfileTable) -> None:
    with pytest.raises(CsvError, match="header='yes'; True, False, or None"):
        import_csv(profiles, USERS, header="yes")  # type: ignore[arg-type]


# CSV-2: the identifier


def test_CSV_2_the_column_mapped_to_distinct_id_is_the_identifier(profiles: ProfileTable) -> None:
    import_csv(profiles, USERS, {"$email": "$email", "plan": "$distinct_id"})

    assert contents(profiles) == {
        "pro": {"$email": "ann@example.com"},
        "free": {"$email": "bob@example.com"},
    }


@pytest.mark.parametrize(
    "name", ["distinct_id", "$distinct_id", "Distinct ID", "distinctId", "user_id", "User ID"]
)
def test_CSV_2_without_a_mapping_the_name_of_the_identifier_is_known(
    profiles: ProfileTable, name: str
) -> None:
    import_csv(profiles, f"plan,{name}\npro,u1\n".encode())

    assert contents(profiles) == {"u1": {"plan": "pro"}}


def test_CSV_2_user_id_is_a_property_beside_distinct_id(profiles: ProfileTable) -> None:
    import_csv(profiles, b"user_id,distinct_id\nx1,u1\n")

    assert contents(profiles) == {"u1": {"user_id": "x1"}}


def test_CSV_2_without_an_identifier_the_email_is_it_and_stays_a_property(
    profiles: ProfileTable,
) -> None:
    import_csv(profiles, b"Ann,ann@example.com\n", {0: "$name", 1: "$email"})

    assert contents(profiles) == {"ann@example.com": {"$name": "Ann", "$email": "ann@example.com"}}


def test_CSV_2_with_neither_each_row_gets_a_random_id_and_a_warning(
    profiles: ProfileTable,
) -> None:
    report = import_csv(profiles, b"name,plan\nAnn,pro\nAnn,pro\n")

    assert [properties["plan"] for properties in contents(profiles).values()] == ["pro", "pro"]
    assert all(uuid.UUID(distinct_id).version == 4 for distinct_id in profiles)
    assert any("each row got a random one" in warning for warning in report.warnings)


def test_CSV_2_random_ids_are_different_uuids() -> None:
    ids = random_ids(500).to_pylist()

    assert len(set(ids)) == 500
    assert all(str(uuid.UUID(each)) == each for each in ids)
    assert {(uuid.UUID(each).version, uuid.UUID(each).variant) for each in ids} == {
        (4, uuid.RFC_4122)
    }
    assert random_ids(0).to_pylist() == []


def test_CSV_2_a_row_that_would_make_an_empty_profile_of_a_random_id_is_rejected(
    profiles: ProfileTable,
) -> None:
    report = import_csv(profiles, b"Ann,x\n,y\n", {0: "$name"}, on_error="skip")

    assert len(profiles) == 1
    assert report.rejected["reason"].tolist() == ["every cell to import is empty"]


def test_CSV_2_an_id_is_the_text_as_written(profiles: ProfileTable) -> None:
    report = import_csv(profiles, b"distinct_id,n\n007,1\n 8,2\n9.0,3\n1.23E15,4\n")

    assert list(profiles) == ["007", " 8", "9.0", "1.23E15"]
    assert [warning.partition(",")[0] for warning in report.warnings] == [
        "1 distinct ID with spaces around",
        "1 distinct ID ending in .0",
        "1 distinct ID in scientific notation",
    ]


# CSV-3: the mapping


def test_CSV_3_columns_left_out_or_mapped_to_none_are_not_imported(profiles: ProfileTable) -> None:
    report = import_csv(profiles, USERS, {0: "$distinct_id", "plan": "tier", 3: None})

    assert contents(profiles) == {"u1": {"tier": "pro"}, "u2": {"tier": "free"}}
    assert report.columns.to_dict("records") == [
        {"position": 0, "header": "distinct_id", "property": "$distinct_id", "type": "text"},
        {"position": 2, "header": "plan", "property": "tier", "type": "text"},
    ]


def test_CSV_3_two_columns_may_not_share_a_name(profiles: ProfileTable) -> None:
    with pytest.raises(ColumnMappingError) as caught:
        import_csv(profiles, b"1,a,b\n", {0: "$distinct_id", 1: "plan", 2: "plan"})

    assert str(caught.value) == (
        'columns 1 and 2 (counted from 0) are both mapped to "plan". Give each column its own '
        "property, or leave one out. For example: "
        "mapping={0: '$distinct_id', 1: 'plan', 2: 'plan 2'}"
    )


def test_CSV_3_two_columns_of_one_name_in_the_header_may_not_be_imported_by_name(
    profiles: ProfileTable,
) -> None:
    content = b"distinct_id,plan,plan\n1,a,b\n"

    with pytest.raises(ColumnMappingError, match=r"1 and 2 \(counted from 0\) are both mapped"):
        import_csv(profiles, content)
    with pytest.raises(ColumnMappingError, match='are all named "plan"; give their p'):
        import_csv(profiles, content, {"distinct_id": "$distinct_id", "plan": "plan"})
    import_csv(profiles, content, {0: "$distinct_id", 2: "plan"})
    assert contents(profiles) == {"1": {"plan": "b"}}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("$bucket", "hidden from every table"),
        ("bucket", "hidden from every table"),
        ("$last_seen", "is kept by the table"),
        ("$mp_first_event_time", "computed from the events"),
        ("", "a property needs a name"),
        ("  ", "a property needs a name"),
        ("\ud800", "surrogate"),
    ],
)
def test_CSV_3_reserved_names_are_refused_with_the_reason(
    profiles: ProfileTable, name: str, said: str
) -> None:
    with pytest.raises(ColumnMappingError, match=said):
        import_csv(profiles, USERS, {0: "$distinct_id", 2: name})
    assert len(profiles) == 0


def test_CSV_3_a_hidden_name_in_the_header_is_refused_too(profiles: ProfileTable) -> None:
    with pytest.raises(ColumnMappingError, match=r'column "bucket" cannot be mapped'):
        import_csv(profiles, b"distinct_id,bucket\n1,x\n")


def test_CSV_3_an_exported_table_comes_back_without_its_updated_at(profiles: ProfileTable) -> None:
    profiles.set("u1", {"plan": "pro", "tags": 3})
    exported = profiles.frame.to_csv().encode()
    fresh = ProfileTable()

    report = import_csv(fresh, exported)

    assert contents(fresh) == contents(profiles)
    assert '"$last_seen" (Updated at) is kept by the table' in report.warnings[0]


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ({"plam": "x"}, r'there is no column "plam"\. Did you mean "plan"\?'),
        ({9: "x"}, r"no column 9; the file has columns 0 \(the first\) to 3 \(the last\)"),
        ({-1: "x"}, "there is no column -1"),
        ({True: "x"}, "True names no column"),
        ({None: "x"}, "None names no column"),
        ({0: 5}, 'column "distinct_id" is mapped to 5; a property name is needed'),
        ({2: "a", "plan": "b"}, "mapped twice, by its position and by its name"),
        ({}, "the mapping imports no column"),
        ({0: None}, "the mapping imports no column"),
        (["plan"], "a dict of columns and property names is needed"),
    ],
)
def test_CSV_3_a_mapping_that_cannot_be_used_says_why(
    profiles: ProfileTable, mapping: Any, said: str
) -> None:
    with pytest.raises(ColumnMappingError, match=said):
        import_csv(profiles, USERS, mapping)


def test_CSV_3_a_name_where_there_is_no_header_is_refused(profiles: ProfileTable) -> None:
    with pytest.raises(ColumnMappingError, match=r"the file has no header .* Give positions"):
        import_csv(profiles, b"7,Ann\n8,Bob\n", {"name": "$name"})


def test_CSV_3_a_column_without_a_name_must_be_mapped_unless_it_is_empty(
    profiles: ProfileTable,
) -> None:
    with pytest.raises(ColumnMappingError, match=r"column 1 \(the second\) has no name in the"):
        import_csv(profiles, b"distinct_id,,plan\nu1,7,pro\n")

    report = import_csv(profiles, b"distinct_id,plan,\nu1,pro,\n")

    assert contents(profiles) == {"u1": {"plan": "pro"}}
    assert "no name and no cells" in report.warnings[0]


def test_CSV_3_spaces_around_the_names_in_a_header_do_not_count(profiles: ProfileTable) -> None:
    import_csv(profiles, b"distinct_id, plan ,age\nu1,pro,3\n", {0: "$distinct_id", "plan": "plan"})

    assert contents(profiles) == {"u1": {"plan": "pro"}}


@pytest.mark.parametrize("name", ["$distinctid", "$distinct-id", "$dist", "distinctId"])
def test_CSV_3_a_misspelt_identifier_is_refused_with_the_right_name(
    profiles: ProfileTable, name: str
) -> None:
    with pytest.raises(ColumnMappingError, match=r'Did you mean "\$distinct_id"'):
        import_csv(profiles, USERS, {0: name, "plan": "plan"})
    assert len(profiles) == 0


def test_CSV_3_another_misspelt_reserved_name_is_a_warning(profiles: ProfileTable) -> None:
    report = import_csv(profiles, USERS, {0: "$distinct_id", 1: "$emial", 2: "$district"})

    assert report.warnings == (
        '"$emial" is not a reserved name and became a property of its own. Did you mean "$email"?',
    )


@pytest.mark.parametrize(
    "mapping",
    [
        {"$distinct_id": "user_id", "$name": "name"},
        {"tier": "plan"},
        {"$distinct_id": 0},
    ],
)
def test_CSV_3_a_reversed_mapping_is_recognised(
    profiles: ProfileTable, mapping: dict[str, Any]
) -> None:
    with pytest.raises(ColumnMappingError, match="the mapping looks reversed") as caught:
        import_csv(profiles, b"user_id,name,plan\n7,Ann,pro\n", mapping)
    turned = {column: key for key, column in mapping.items()}
    assert f"mapping={turned!r}" in str(caught.value)


@pytest.mark.parametrize("rounded", ["1.23457E+17", "1,23457E+17", "1.2e+05", " 9E+15 ", "-1E+20"])
def test_ID_1_an_ID_that_a_spreadsheet_has_rounded_is_rejected_and_shown_before(
    rounded: str, profiles: ProfileTable
) -> None:
    text = f'user_id;plan\n7;pro\n"{rounded}";free\n4e10;free\n'.encode()
    assert any("digits are lost (ID-1)" in each for each in preview_csv(text).problems)
    with pytest.raises(CsvRowsError, match=r"digits are lost \(ID-1\)"):
        import_csv(profiles, text)
    report = import_csv(profiles, text, on_error="skip")
    assert list(profiles) == ["7", "4e10"]
    assert report.rejected["line"].tolist() == [3]
    assert not any("(ID-1)" in each for each in preview_csv(b"user_id;n\n7;1E+17").problems)


def test_ID_1_such_an_ID_in_the_CSV_of_a_table_comes_back(
    profiles: ProfileTable, tmp_path: Path
) -> None:
    profiles.apply([{"$distinct_id": "1.5E+17", "$set": {"plan": "pro"}}])
    tk.write_csv(profiles, tmp_path / "out.csv")
    again = ProfileTable()
    import_csv(again, tmp_path / "out.csv")
    assert again["1.5E+17"] == {"plan": "pro"}


@pytest.mark.parametrize("name", ["distinct_id", "Distinct ID", "distinctId"])
def test_CSV_2_a_column_named_like_the_identifier_beside_key_is_named(
    name: str, profiles: ProfileTable
) -> None:
    text = f"customer,{name},plan\nc1,d1,pro\n".encode()
    report = import_csv(profiles, text, key="customer")
    assert profiles["c1"] == {name: "d1", "plan": "pro"}
    assert any(f'became the property "{name}"' in each for each in report.warnings)
    assert not import_csv(ProfileTable(), text, key=name).warnings
    mapping = {"customer": "$distinct_id", name: "old", "plan": "plan"}
    assert not import_csv(ProfileTable(), text, mapping).warnings
    frame = pd.DataFrame({"customer": ["c1"], "distinct_id": ["d1"]})
    notes = tk.import_frame(ProfileTable(), frame, distinct_id="customer").notes
    assert any('"distinct_id" became a property' in each for each in notes)
    assert len(ProfileTable().set(frame, key="customer").notes) == len(notes)


def test_CSV_3_a_mapping_names_a_column_exactly_first_and_then_without_its_spaces(
    profiles: ProfileTable, tmp_path: Path
) -> None:
    path = tmp_path / "out.csv"
    profiles.set("1", {" plan ": "with", "plan": "without", " city": "Oslo"})
    tk.write_csv(profiles, path)
    mapping = {"$distinct_id": "$distinct_id", " plan ": "a", "plan": "b", "city": "c"}
    again = ProfileTable()
    import_csv(again, path, mapping, types={" plan ": "text"})
    assert again["1"] == {"a": "with", "b": "without", "c": "Oslo"}
    for key in (" city", "city", " city "):
        again = ProfileTable()
        import_csv(again, path, {"$distinct_id": "$distinct_id", key: " town "})
        assert again["1"] == {" town ": "Oslo"}
    again = ProfileTable()
    import_csv(again, b"id, plan \n1,pro\n", {"id": "$distinct_id", " plan": "p"})
    assert again["1"] == {"p": "pro"}


def test_what_is_no_profile_table_is_refused(profiles: ProfileTable) -> None:
    with pytest.raises(CsvError, match=r"profiles is of type dict; a ProfileTable is needed"):
        import_csv({}, USERS)  # type: ignore[arg-type]
    with pytest.raises(CsvError, match="import into the ProfileTable itself"):
        import_csv(profiles.where("true"), USERS)  # type: ignore[arg-type]


# CSV-2: what an import without a mapping makes of names


SAME_AS_PREVIEWED = [
    b"id,email,name,plan\n1,ann@b.cc,Ann,pro\n2,bob@b.cc,Bob,free\n",
    b"email,$email,mail,name\nx@b.cc,a@b.cc,c@b.cc,Ann\n",
    b"Customer-ID,id,city\n1,9,Oslo\n2,8,Rome\n",
    b"id,plan\n1,a\n1,b\n1,c\n1,d\n",
    b"distinct_id,id,first name,$last_seen\n1,2,Ann,2026-01-01\n",
]


@pytest.mark.parametrize("content", SAME_AS_PREVIEWED)
def test_CSV_2_without_a_mapping_an_import_does_what_the_preview_shows(content: bytes) -> None:
    plain, mapped = ProfileTable(), ProfileTable()
    mapping = preview_csv(content).mapping

    report = import_csv(plain, content)
    import_csv(mapped, content, mapping)

    imported = dict(report.columns[["position", "property"]].itertuples(index=False))
    assert imported == mapping
    assert list(contents(plain).values()) == list(contents(mapped).values())


def test_CSV_2_columns_under_another_name_are_listed_without_a_warning(
    profiles: ProfileTable,
) -> None:
    report = import_csv(profiles, SAME_AS_PREVIEWED[0])

    assert report.renamed == {"id": "$distinct_id", "email": "$email", "name": "$name"}
    assert report.warnings == ()
    assert "another name than in the header: id → $distinct_id, email → $email" in repr(report)
    assert profiles["1"] == {"$email": "ann@b.cc", "$name": "Ann", "plan": "pro"}


@pytest.mark.parametrize(
    ("content", "mapping", "said"),
    [
        (
            SAME_AS_PREVIEWED[2],
            {0: "$distinct_id", 1: "id", 2: "$city"},
            'column "Customer-ID" is the identifier: named like one, 2 of 2 cells filled',
        ),
        (
            SAME_AS_PREVIEWED[3],
            {0: "id", 1: "plan"},
            'column "id" is not the identifier: named like one, 4 of 4 cells filled, '
            "1 different (90% and 50% are needed)",
        ),
        (b"id,plan\n1,a\n,b\n3,c\n", {0: "id", 1: "plan"}, "2 of 3 cells filled"),
    ],
)
def test_CSV_2_a_column_named_like_an_id_is_it_if_filled_and_different(
    content: bytes, mapping: dict[int, str], said: str
) -> None:
    preview = preview_csv(content)

    assert preview.mapping == mapping
    assert said in str(preview.identifier_reason)
    assert said in repr(preview)


# CSV-4: what is written


def test_CSV_4_an_empty_cell_leaves_what_is_stored(profiles: ProfileTable) -> None:
    profiles.set("u1", {"plan": "pro", "town": "Oslo", "age": 30})

    report = import_csv(profiles, b'distinct_id,plan,town,age\nu1,,Rome,""\n')

    assert profiles["u1"] == {"plan": "pro", "town": "Rome", "age": 30}
    assert (report.created, report.updated, report.unchanged) == (0, 1, 0)


def test_CSV_4_existing_profiles_keep_what_the_file_does_not_name(profiles: ProfileTable) -> None:
    profiles.set("u1", {"plan": "free", "city": "Oslo"})

    report = import_csv(profiles, USERS)

    assert profiles["u1"] == {
        "plan": "pro",
        "city": "Oslo",
        "$email": "ann@example.com",
        "age": 30,
    }
    assert (report.created, report.updated, report.unchanged) == (1, 1, 0)
    assert report.changed_cells == 1
    assert report.changes.to_dict("records") == [
        {"distinct_id": "u1", "property": "plan", "old": "free", "new": "pro"}
    ]


def test_CSV_4_a_second_import_of_the_same_file_changes_nothing(profiles: ProfileTable) -> None:
    import_csv(profiles, USERS)
    before = contents(profiles)

    report = import_csv(profiles, USERS)

    assert contents(profiles) == before
    assert (report.created, report.updated, report.unchanged) == (0, 0, 2)


def test_CSV_4_a_row_with_nothing_but_an_id_makes_an_empty_profile(profiles: ProfileTable) -> None:
    import_csv(profiles, b"distinct_id,plan\nu1,\n")

    assert contents(profiles) == {"u1": {}}
    assert profiles.properties == ()


def test_CSV_4_the_same_email_or_name_under_another_id_makes_a_second_profile(
    profiles: ProfileTable,
) -> None:
    profiles.set("a", {"$email": "ann@example.com", "$name": "Ann"})
    profiles.set("b", {"$email": "bob@example.com"})

    report = import_csv(
        profiles,
        b"$distinct_id,$email,$name\n"
        b"a,ann@example.com,Ann\nc,ann@example.com,Cid\nd,dan@example.com,Ann\n"
        b"e,dan@example.com,Eve\nf,,Ann\n",
    )

    assert len(profiles) == 6
    assert report.same_email == 2  # c has a's, and e has d's
    assert report.same_name == 2  # d and f have a's


def test_SEEN_2_an_import_leaves_updated_at(profiles: ProfileTable) -> None:
    profiles.set("u1", {"plan": "free"}, time=1_700_000_000)

    import_csv(profiles, USERS)

    assert profiles.last_seen("u1") == pd.Timestamp(1_700_000_000, unit="s", tz="UTC")
    assert profiles.last_seen("u2") is None


# CSV-5: types


def test_CSV_5_each_column_gets_the_type_all_its_cells_fit(profiles: ProfileTable) -> None:
    report = import_csv(
        profiles,
        b"distinct_id,age,score,zip,active,signup,tags,note\n"
        b'u1,30,1,0150,true,2026-11-24,"[""a""]",1\n'
        b"u2,41,2.5,9001,FALSE,2026-11-24T10:00:00Z,[],x\n",
    )

    assert contents(profiles) == {
        "u1": {
            "age": 30,
            "score": 1.0,
            "zip": "0150",
            "active": True,
            "signup": "2026-11-24",
            "tags": ["a"],
            "note": "1",
        },
        "u2": {
            "age": 41,
            "score": 2.5,
            "zip": "9001",
            "active": False,
            "signup": "2026-11-24T10:00:00Z",
            "tags": [],
            "note": "x",
        },
    }
    assert report.columns["type"].tolist() == [
        *("text", "number", "number", "text", "boolean", "date", "json", "text")
    ]


def test_CSV_5_a_type_can_be_forced_by_property_position_or_header(profiles: ProfileTable) -> None:
    import_csv(
        profiles,
        b"distinct_id,a,b,c\nu1,1,2,3\n",
        {0: "$distinct_id", 1: "x", 2: "y", 3: "z"},
        header=True,
        types={"x": "text", 2: "text", "c": "text"},
    )

    assert profiles["u1"] == {"x": "1", "y": "2", "z": "3"}


def test_CSV_5_a_cell_that_does_not_fit_a_forced_type_rejects_its_row(
    profiles: ProfileTable,
) -> None:
    content = b"distinct_id,age,on\nu1,30,true\nu2,007,yes\nu3,,false\nu4,x,true\n"

    report = import_csv(
        profiles, content, types={"age": "number", "on": "boolean"}, on_error="skip"
    )

    assert contents(profiles) == {"u1": {"age": 30, "on": True}, "u3": {"on": False}}
    assert report.rejected["line"].tolist() == [3, 5]
    assert report.rejected["reason"].tolist() == [
        'age: "007" is not a number that is kept exactly (no leading zeros, + or spaces; at most '
        '17 digits); on: "yes" is neither true nor false',
        'age: "x" is not a number that is kept exactly (no leading zeros, + or spaces; at most 17 '
        "digits)",
    ]


@pytest.mark.parametrize(
    ("types", "said"),
    [
        ({"age": "integer"}, 'allowed are "text", "number", "boolean", "date", "json"'),
        ({"agge": "text"}, 'Did you mean "age"'),
        ({"$email": "text"}, r'column "\$email" is not imported'),
        ({"distinct_id": "number"}, "distinct IDs are text as written"),
    ],
)
def test_CSV_5_a_type_that_cannot_be_used_says_why(
    profiles: ProfileTable, types: Any, said: str
) -> None:
    mapping = {"distinct_id": "$distinct_id", "age": "age"}

    with pytest.raises(ColumnMappingError, match=said):
        import_csv(profiles, USERS, mapping, types=types)


def test_CSV_5_the_identifier_may_be_declared_text(profiles: ProfileTable) -> None:
    import_csv(profiles, USERS, types={"$distinct_id": "text"})

    assert "u1" in profiles


# CSV-6: the largest file


@pytest.mark.parametrize("header", ["", "distinct_id,plan\n"])
def test_CSV_6_one_row_too_many_is_refused_with_the_count(
    profiles: ProfileTable, header: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_file, "MAX_ROWS", 1_000)
    mapping = {0: "$distinct_id", 1: "plan"}
    rows = "".join(f"u{number},7\n" for number in range(1_001))

    with pytest.raises(CsvError, match="data holds 1,001 rows; at most 1,000 are imported"):
        import_csv(profiles, (header + rows).encode(), mapping)
    assert len(profiles) == 0

    report = import_csv(profiles, (header + rows).encode().removesuffix(b"u1000,7\n"), mapping)
    assert report.rows == len(profiles) == 1_000


def test_CSV_6_the_limit_is_a_million_rows(profiles: ProfileTable) -> None:
    content = b"id\n" + b"x\n" * 1_000_001

    with pytest.raises(CsvError, match="holds 1,000,001 rows; at most 1,000,000"):
        import_csv(profiles, content, {"id": "$distinct_id"})
    with pytest.raises(CsvError, match="holds 1,000,001 rows"):
        preview_csv(content)


# CSV-7: all rows or none

FAULTY = b'distinct_id,plan\nu1,pro\n,free\n"u\n2",x\nu3\nu4,a,b\n  ,y\nu5,"=1+1"\n'


def test_CSV_7_one_row_that_cannot_be_imported_stops_all(profiles: ProfileTable) -> None:
    with pytest.raises(CsvRowsError) as caught:
        import_csv(profiles, FAULTY)

    assert len(profiles) == 0
    assert str(caught.value) == (
        "4 of 7 rows cannot be imported, and nothing was written.\n"
        "  line 3: no distinct ID\n"
        "  line 6: 1 cell where 2 are expected\n"
        "  line 7: 3 cells where 2 are expected\n"
        "  line 8: no distinct ID\n"
        'Correct the file, or pass on_error="skip" to import the other 3'
    )
    assert caught.value.rejected.to_dict("list") == {
        "line": [3, 6, 7, 8],
        "reason": [
            "no distinct ID",
            "1 cell where 2 are expected",
            "3 cells where 2 are expected",
            "no distinct ID",
        ],
        "text": [",free", "u3", "u4,a,b", "  ,y"],
    }


def test_CSV_7_the_error_shows_the_first_five_rows(profiles: ProfileTable) -> None:
    content = b"distinct_id,plan\n" + b",x\n" * 9

    with pytest.raises(CsvRowsError, match="line 6: no distinct ID\n  … and 4 more\n"):
        import_csv(profiles, content)


def test_CSV_7_the_rest_is_imported_if_the_user_says_so(profiles: ProfileTable) -> None:
    report = import_csv(profiles, FAULTY, on_error="skip")

    assert contents(profiles) == {
        "u1": {"plan": "pro"},
        "u\n2": {"plan": "x"},
        "u5": {"plan": "=1+1"},
    }
    assert (report.rows, report.imported, len(report.rejected)) == (7, 3, 4)


def test_CSV_7_a_file_of_which_no_row_can_be_imported_writes_nothing(
    profiles: ProfileTable,
) -> None:
    report = import_csv(profiles, b"distinct_id,plan\n,a\n,b\n", on_error="skip")

    assert (report.imported, report.batch_id, len(profiles)) == (0, None, 0)


def test_CSV_7_an_import_is_one_batch(tmp_path: Path) -> None:
    path = tmp_path / "users.csv"
    path.write_bytes(USERS)
    with ProfileTable(tmp_path / "shop.db") as profiles:
        report = import_csv(profiles, path)
        assert profiles.batches["source"].to_dict() == {report.batch_id: "csv: users.csv"}

    with ProfileTable(tmp_path / "shop.db") as profiles:
        assert len(profiles.batches) == 1
        assert profiles["u2"] == {"$email": "bob@example.com", "plan": "free"}


def test_CSV_7_a_table_that_fails_to_write_stays_as_it_was(
    profiles: ProfileTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    profiles.set("u1", {"plan": "free"})

    def interrupted(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(writer.Moment, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        import_csv(profiles, USERS)

    assert contents(profiles) == {"u1": {"plan": "free"}}


def test_CSV_7_an_interrupt_at_a_ragged_row_is_an_interrupt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(parsed: reading._Parsed, text: str) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(reading._Parsed, "_holds_nothing", interrupted)
    started = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        tk.preview_csv(b"a,b\n1,2\n1,2,3\n")
    assert time.perf_counter() - started < 4, "waited for Arrow to let go of what was raised"


def test_CSV_7_rejected_rows_are_written_as_csv_without_formulas(
    profiles: ProfileTable, tmp_path: Path
) -> None:
    report = import_csv(
        profiles,
        b'distinct_id,plan\n,"=HYPERLINK(""x"")"\n=cmd\n-1,a,b\n@x\n"\tx"\nu1,a\n',
        on_error="skip",
    )

    report.write_rejected(tmp_path / "rejected.csv")

    with (tmp_path / "rejected.csv").open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    assert header == ["line", "reason", "text"]
    assert [row[2] for row in rows] == [
        ',"=HYPERLINK(""x"")"',
        "'=cmd",
        "'-1,a,b",
        "'@x",
        '"\tx"',
    ]
    assert [row[0] for row in rows] == ["2", "3", "4", "5", "6"]


def test_an_unknown_on_error_is_refused(profiles: ProfileTable) -> None:
    with pytest.raises(CsvError, match='on_error=\'ignore\'; "raise" or "skip" is allowed'):
        import_csv(profiles, USERS, on_error="ignore")  # type: ignore[arg-type]


# CSV-8: IDs that stand more than once, or for none


def test_CSV_8_of_an_id_in_several_rows_the_last_cell_wins_per_property(
    profiles: ProfileTable,
) -> None:
    report = import_csv(
        profiles,
        b"distinct_id,plan,town,age\nu1,free,Oslo,\nu2,a,,\nu1,pro,,30\nu3,b,,\nu1,,Rome,\nu2,,,\n",
    )

    assert contents(profiles) == {
        "u1": {"plan": "pro", "town": "Rome", "age": 30},
        "u2": {"plan": "a"},
        "u3": {"plan": "b"},
    }
    assert report.duplicate_ids.to_dict("records") == [
        {"distinct_id": "u1", "rows": 3},
        {"distinct_id": "u2", "rows": 2},
    ]
    assert (report.imported, report.created) == (6, 3)


rows_of_ids = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from(["", "x", "y"]), st.integers(0, 9)),
    max_size=30,
)


@settings(max_examples=examples(60), deadline=None)
@given(rows_of_ids)
def test_CSV_8_the_result_equals_setting_row_after_row(rows: list[tuple[str, str, int]]) -> None:
    one_by_one, imported = ProfileTable(), ProfileTable()
    content = io.StringIO()
    writer = csv.writer(content)
    writer.writerow(["distinct_id", "plan", "age"])
    for distinct_id, plan, age in rows:
        writer.writerow([distinct_id, plan, age])
        one_by_one.set(distinct_id, {"age": age} | ({"plan": plan} if plan else {}))

    import_csv(imported, content.getvalue().encode())

    assert contents(imported) == contents(one_by_one)
    assert list(imported) == list(one_by_one)


def test_CSV_8_placeholder_ids_are_imported_and_flagged(profiles: ProfileTable) -> None:
    report = import_csv(
        profiles,
        b"distinct_id,n\nnull,1\nAnonymous,2\nu1,3\n0,4\nnull,5\n"
        b"00000000-0000-0000-0000-000000000000,6\n",
    )

    assert len(profiles) == 5
    assert report.placeholder_ids.set_index("distinct_id")["rows"].to_dict() == {
        "null": 2,
        "Anonymous": 1,
        "0": 1,
        "00000000-0000-0000-0000-000000000000": 1,
    }


# Dry runs, limits, small files


def test_a_dry_run_writes_nothing_and_tells_what_would_be(profiles: ProfileTable) -> None:
    profiles.set("u1", {"plan": "free"})

    report = import_csv(profiles, USERS, dry_run=True)

    assert contents(profiles) == {"u1": {"plan": "free"}}
    assert (report.dry_run, report.batch_id) == (True, None)
    assert (report.created, report.updated, report.changed_cells) == (1, 1, 1)
    assert "would be imported" in repr(report)


def test_what_the_tables_limits_cut_is_told() -> None:
    profiles = ProfileTable(limits="mixpanel")

    report = import_csv(profiles, b"distinct_id,note\nu1," + b"x" * 300 + b"\n")

    assert len(profiles["u1"]["note"]) == 255  # type: ignore[arg-type]
    assert report.cut.to_dict("records") == [
        {"distinct_id": "u1", "property": "note", "reason": "text cut to 255 bytes"}
    ]


def test_a_header_without_rows_imports_nothing_and_says_so(profiles: ProfileTable) -> None:
    report = import_csv(profiles, b"distinct_id,plan\n")

    assert (report.rows, report.created, report.batch_id) == (0, 0, None)
    assert report.warnings == ("The file holds a header and no rows.",)


def test_an_empty_file_is_refused(profiles: ProfileTable) -> None:
    with pytest.raises(CsvError, match="data is empty"):
        import_csv(profiles, b"")


def test_an_import_of_less_than_a_second_prints_nothing(
    profiles: ProfileTable, capfd: pytest.CaptureFixture[str]
) -> None:
    import_csv(profiles, USERS)

    assert capfd.readouterr() == ("", "")


def test_an_import_of_more_than_a_second_shows_a_bar_unless_told_not_to(
    profiles: ProfileTable, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly(*args: Any, **options: Any) -> Any:
        time.sleep(1.1)
        return read_csv_text(*args, **options)

    monkeypatch.setattr(csv_file, "read_csv_text", slowly)

    import_csv(profiles, USERS, progress=False)
    assert capfd.readouterr().err == ""

    import_csv(profiles, USERS)
    assert "Reading: 100%" in capfd.readouterr().err


# Anything at all

csv_like = st.lists(
    st.sampled_from(
        [
            *(b"distinct_id", b"$email", b"plan", b"u1", b"u2", b"1", b"2.5", b"true", b"[1]"),
            *(b",", b",", b",", b";", b"\t", b'"', b"\n", b"\n", b"\r\n", b"\r", b" ", b"\0"),
            *(b"\xff\xfe", b"\xef\xbb\xbf", b"\xe9", "é".encode(), b"\x81", b"\x1f\x8b", b"1e999"),
        ]
    ),
    max_size=40,
).map(b"".join)


@settings(max_examples=examples(400), deadline=None)
@given(
    st.binary(max_size=200) | csv_like,
    st.sampled_from([None, {0: "$distinct_id"}, {"distinct_id": "$distinct_id", 1: "x"}, {0: "x"}]),
    st.sampled_from(["raise", "skip"]),
)
@example(b"distinct_id,plan\nu1,pro\n", None, "raise")
@example(b"\x1f\x8b\x08\x00", None, "skip")
def test_any_bytes_give_a_report_or_a_csv_error(
    content: bytes, mapping: Any, on_error: Any
) -> None:
    profiles = ProfileTable()

    try:
        report = import_csv(profiles, content, mapping, on_error=on_error)
    except CsvError:
        assert len(profiles) == 0
        return

    assert isinstance(report, ImportReport)
    assert report.rows == report.imported + len(report.rejected)
    assert len(profiles) == report.created <= report.imported


# Groups


@pytest.mark.parametrize(
    "header",
    ["group_id,plan", "$group_id,plan", "company_id,plan", "Company ID,plan", "company,plan"],
)
def test_CSV_2_the_ids_of_groups_are_found_by_their_name(header: str) -> None:
    table = ProfileTable().groups("company")
    report = import_csv(table, f"{header}\nacme,pro\nhooli,free\n".encode())
    assert contents(table) == {"acme": {"plan": "pro"}, "hooli": {"plan": "free"}}
    assert report.id_name == "group ID"


def test_the_ids_of_groups_are_told_as_such(profiles: ProfileTable) -> None:
    table = profiles.groups("company")
    data = b"acme,pro\nacme,free\nnull,x\n,y\n"
    report = import_csv(table, data, {0: "$group_id", 1: "plan"}, header=False, on_error="skip")
    assert report.rejected["reason"].tolist() == ["no group ID"]
    told = repr(report)
    assert "1 group ID in several rows" in told
    assert 'Group IDs that look like placeholders for a missing ID: "null"' in told
    assert "istinct ID" not in told
    without = import_csv(table, data, {1: "plan"}, header=False)
    assert any("No column is the group ID" in each for each in without.warnings)
    with pytest.raises(ColumnMappingError):
        import_csv(profiles, data, {0: "$group_id", 1: "plan"}, header=False)
    assert len(profiles) == 0
