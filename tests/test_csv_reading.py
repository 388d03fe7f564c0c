"""CSV files as columns of text: encodings, delimiters, quotes, lines, headers."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st

from tests.effort import examples
from toolkit.base.errors import CsvEncodingError, CsvError, CsvFileError, CsvFileNotFoundError
from toolkit.sources.csv import reading as csv_reading, source as csv_source
from toolkit.sources.csv.dialect import guess_header, sniff
from toolkit.sources.csv.quotes import AFTER_QUOTE, BACKSLASH, BEFORE_QUOTE, QuoteCheck
from toolkit.sources.csv.reading import CsvText, read_csv_text
from toolkit.sources.csv.source import CsvSource, Source, Utf8Stream


def read(
    source: Source,
    encoding: str | None = None,
    delimiter: str | None = None,
    at_most: int = 1_000,
) -> CsvText:
    return read_csv_text(
        CsvSource.of(source), encoding=encoding, delimiter=delimiter, at_most=at_most
    )


def broken_lines(text: str) -> list[int]:
    """Return the lines of quotes out of place, found a character at a time."""
    found, line, place, is_indented = [], 1, "start", False
    characters = iter(enumerate(text))
    for at, character in characters:
        after = text[at + 1 : at + 2]
        if place == "quoted":
            if character == '"' and after == '"':
                next(characters)
            elif character == '"':
                place = "start" if after in ("", *",\r\n") else "cell"
                is_indented = False
                found += [line] * (place == "cell")
        elif character in ",\r\n":
            place = "start"
        elif place == "start":
            place, is_indented = "quoted" if character == '"' else "cell", character == " "
        elif character == '"':
            found += [line] * is_indented
            is_indented = False
        else:
            is_indented = is_indented and character == " "
        line += character == "\n" or (character == "\r" and after != "\n")
    return found


def rows(text: CsvText) -> list[tuple[str, ...]]:
    return list(zip(*(column.to_pylist() for column in text.columns), strict=True))


# Where it comes from


def test_a_file_is_read_from_a_path_bytes_and_file_objects_alike(tmp_path: Path) -> None:
    content = "id,name\n1,Zoë\n"
    path = tmp_path / "users.csv"
    path.write_text(content, encoding="utf-8")
    expected = [("id", "name"), ("1", "Zoë")]

    assert rows(read(path)) == rows(read(str(path))) == expected
    assert rows(read(content.encode())) == rows(read(bytearray(content.encode()))) == expected
    assert rows(read(io.BytesIO(content.encode()))) == rows(read(io.StringIO(content))) == expected
    with path.open("rb") as file:
        assert CsvSource.of(file).name == "users.csv"


def test_a_file_object_is_left_where_it_stood() -> None:
    file = io.BytesIO(b"skipped\na,b\n1,2\n")
    file.readline()

    assert rows(read(file)) == rows(read(file)) == [("a", "b"), ("1", "2")]


def test_gzip_is_unpacked_whatever_the_name(tmp_path: Path) -> None:
    path = tmp_path / "users.dat"
    path.write_bytes(gzip.compress(b"a,b\n1,2\n", mtime=0))

    assert rows(read(path)) == rows(read(path.read_bytes())) == [("a", "b"), ("1", "2")]


def test_a_damaged_gzip_file_is_refused() -> None:
    packed = gzip.compress(b"a,b\n1,2\n" * 100, mtime=0)

    with pytest.raises(CsvError, match="damaged gzip"):
        read(packed[:-12])


def test_a_missing_file_is_refused_as_python_would(tmp_path: Path) -> None:
    with pytest.raises(CsvFileNotFoundError, match="there is no file") as caught:
        read(tmp_path / "none.csv")

    assert isinstance(caught.value, FileNotFoundError)


def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CsvFileError, match="is a folder"):
        read(tmp_path)


def test_csv_text_in_place_of_a_path_says_what_to_pass() -> None:
    with pytest.raises(CsvError, match=r"io\.StringIO\(text\)"):
        read("a,b\n1,2\n")


def test_an_object_that_is_no_file_is_refused() -> None:
    with pytest.raises(CsvError, match=r"source='12' \(int\)"):
        read(12)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (gzip.compress(b"", mtime=0), "is empty"),
        (b"\n\r\n\n", "nothing but blank lines"),
        (b",,\n,,\n", "nothing but blank lines"),
        (b"\xef\xbb\xbf", "nothing but blank lines"),
        (b"PK\x03\x04\x14\0\0", r"Excel's \.xlsx is, not CSV"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "old Excel file"),
        (b"PAR1\x15\x04", "Parquet"),
        (b"SQLite format 3\0", "SQLite"),
        (b'[{"id": 1}, {"id": 2}]', "not CSV but JSON"),
        (b'\xef\xbb\xbf{"id": 1}\r\n{"id": 2}\r\n', "not CSV but JSON"),
        (b'{\n  "id": 1,\n  "plan": ', "not CSV but JSON"),
        (b"[\n  {", "not CSV but JSON"),
        ('[{"id": 1}]'.encode("utf-16"), "not CSV but JSON"),
        (gzip.compress(b'{"id": 1}', mtime=0), "not CSV but JSON"),
        (b"\n <!DOCTYPE html>\n<html>", "HTML page"),
        (b"<html lang='en'><head>", "HTML page"),
        (b"<table><tr><td>", "HTML page"),
        (b'<?xml version="1.0"?>', "XML"),
        (b"<users>\n  <user id='1'/>", "XML"),
        (b"-- dump of 2026\nCREATE TABLE users", "SQL script"),
        (b"INSERT INTO users VALUES (1)", "SQL script"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "Git LFS"),
        (b"{\\rtf1\\ansi", "RTF"),
        (gzip.compress(gzip.compress(b"id,plan", mtime=0), mtime=0), "packed by gzip twice"),
        (gzip.compress(b"PK\x03\x04", mtime=0), "ZIP archive"),
        (b"users.csv".ljust(257, b"\0") + b"ustar", "tar archive"),
        (b"id,name\n1,a\0b\n", "NUL character on line 2"),
        (b"id,name\r\n1,a\r\n2,\0\r\n", "NUL character on line 3"),
    ],
)
def test_what_is_no_csv_is_refused_by_name(content: bytes, said: str) -> None:
    with pytest.raises(CsvError, match=said):
        read(content)


@pytest.mark.parametrize(
    "content",
    [b"[1],a\n[2],b\n", b"[id],[plan]\n1,pro\n", b"<b>,x\n1,2\n", b'["a"];1\n["b"];2\n',
     b"{x},y\n1,2\n", b"--,x\n1,2\n", b"version,x\n1,2\n"],
)  # fmt: skip
def test_a_csv_file_that_begins_oddly_is_read(content: bytes) -> None:
    assert len(rows(read(content))) == 2


def test_a_file_object_that_gives_no_text_and_no_bytes_is_refused() -> None:
    class Silent(io.RawIOBase):
        def read(self, size: int = -1) -> bytes | None:
            return None

    with pytest.raises(CsvFileError, match="it gave NoneType"):
        read(Silent())  # type: ignore[arg-type]


def test_a_closed_file_is_refused() -> None:
    file = io.BytesIO(b"a,b\n")
    file.close()

    with pytest.raises(CsvFileError, match="closed file"):
        read(file)


# Encodings


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-16"),
        ("utf-32", "utf-32"),
    ],
)
def test_an_encoding_with_a_mark_of_its_own_is_found(written: str, named: str) -> None:
    text = read("id,name\n1,Zoë 🎈\n".encode(written))

    assert text.encoding == named
    assert rows(text) == [("id", "name"), ("1", "Zoë 🎈")]
    assert text.notes == ()


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("cp1252", ["José", "Müller", "5 €", "O’Neil"]),
        ("cp1252", ["François Lefèvre", "João Conceição", "Søren Ærø", "Åsa Öberg", "Peña"] * 9),
        ("cp1250", ["Łukasz Żółty", "Małgorzata Święcka", "Němcová", "Šťastný", "Łódź"] * 9),
        ("cp1251", ["Иван Петров", "Мария Иванова", "Алексей Смирнов", "Екатерина"] * 3),
        ("cp932", ["山田太郎", "佐藤花子", "鈴木一郎さん", "東京"] * 3),
    ],
)
def test_an_encoding_without_a_mark_is_guessed_and_the_guess_is_told(
    encoding: str, names: list[str]
) -> None:
    content = "".join(f"{position},{name}\n" for position, name in enumerate(names))

    text = read(content.encode(encoding))

    assert text.encoding == encoding
    assert text.columns[1].to_pylist() == names
    assert "which is a guess" in text.notes[0]


def test_an_encoding_is_found_however_late_it_shows() -> None:
    content = b"id,name\n" + b"1,Ann\n" * 400_000 + "2,Zoë\n".encode("cp1252")

    text = read(content, at_most=500_000)

    assert text.encoding == "cp1252"
    assert rows(text)[-1] == ("2", "Zoë")


def test_bytes_that_cp1252_lacks_are_read_as_latin_1() -> None:
    text = read(b"id,name\n1,caf\xe9\n2,\x81\n")

    assert text.encoding == "latin-1"
    assert rows(text)[2] == ("2", "\x81")


def test_a_forced_encoding_that_fails_names_the_byte_and_the_line() -> None:
    with pytest.raises(CsvEncodingError, match=r"not utf-8: byte 14 \(0xeb, line 3\)"):
        read(b"id,name\n1,A\n2,\xeb\n", encoding="utf8")


@pytest.mark.parametrize("piece_size", [1, 4, 1_000])
def test_the_byte_named_is_the_byte_of_the_file(
    piece_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_source, "_PIECE", piece_size)

    with pytest.raises(CsvEncodingError, match=r"byte 10 \(0xe2, line 2\)"):
        read(b"id,n\r\n1,Zo\xe2\x82A\n", encoding="utf-8")


def test_a_forced_encoding_is_used() -> None:
    assert rows(read("1,Zoë\n".encode("cp437"), encoding="cp437")) == [("1", "Zoë")]
    assert rows(read("1,Zoë\n".encode("utf-16-le"), encoding="utf-16-le")) == [("1", "Zoë")]


@pytest.mark.parametrize("encoding", ["klingon", "base64", "idna", "", "utf-8\0"])
def test_an_unknown_encoding_is_refused(encoding: str) -> None:
    with pytest.raises(CsvError, match="is unknown; for example 'utf-8'"):
        read(b"a,b\n", encoding=encoding)


def test_an_encoding_for_what_is_text_already_is_refused() -> None:
    with pytest.raises(CsvError, match="was opened as text"):
        read(io.StringIO("a,b\n"), encoding="cp1252")


def test_half_a_surrogate_pair_in_a_text_file_is_refused_with_its_line() -> None:
    with pytest.raises(CsvError, match="surrogate pair on line 2"):
        read(io.StringIO("a,b\n1,\ud800\n"))


def test_utf_16_without_a_mark_says_which_encoding_to_pass() -> None:
    with pytest.raises(CsvError, match='encoding="utf-16-le"'):
        read("id,name\n1,Ann\n".encode("utf-16-le"))
    with pytest.raises(CsvError, match='encoding="utf-16-be"'):
        read("id,name\n1,Ann\n".encode("utf-16-be"))


@given(
    st.text(alphabet='a",\r\n€', max_size=40),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.integers(2, 9),
    st.integers(1, 9),
)
def test_a_stream_keeps_windows_line_ends_together_and_counts_them(
    text: str, encoding: str, size: int, piece_size: int
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(csv_source, "_PIECE", piece_size)
        stream = Utf8Stream(io.BytesIO(text.encode(encoding)), encoding, "data")
        pieces = []
        while piece := stream.read(size):
            pieces.append(piece)

    whole = b"".join(pieces)
    assert whole.decode() == text + ("" if text[-1:] in ("\r", "\n", "") else "\n") + "\0"
    assert not any(
        left.endswith(b"\r") and right.startswith(b"\n") for left, right in pairwise(pieces)
    )
    assert stream.line_ends == len(io.StringIO(whole.decode(), newline=None).readlines()) - 1


# Delimiters


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(delimiter: str) -> None:
    content = f'id{delimiter}name{delimiter}x\n1{delimiter}"a,b;c|d\t\te"{delimiter}2\n'

    text = read(content.encode())

    assert text.delimiter == delimiter
    assert rows(text)[1] == ("1", "a,b;c|d\t\te", "2")


@pytest.mark.parametrize(
    ("content", "delimiter", "width"),
    [
        ("1;Doe, Ann\n2;Roe, Bob\n", ";", 2),
        ("1;3,5;2,5\n2;4,5;1,5\n", ";", 3),
        ("1,red;blue,x\n2,green;blue,y\n", ",", 3),
        ("id;text\n1;a, b, c, d\n2;e\n3;f, g, h, i\n4;j, k\n", ";", 2),
        ("id,plan,x\n1,2,3\n1,2\n1,2,3\n", ",", 3),
        ("name\nAnn\nBob\n", ",", 1),
        ("a,b\n1,2,3\n", ",", 2),
    ],
)
def test_the_delimiter_is_the_one_rows_agree_on(content: str, delimiter: str, width: int) -> None:
    assert sniff(content, None)[:2] == (delimiter, width)


def test_a_forced_delimiter_is_used() -> None:
    assert rows(read(b"a,b~c\n", delimiter="~")) == [("a,b", "c")]


@pytest.mark.parametrize("delimiter", ["", ",,", '"', "\n", "\0", "→", 1])
def test_a_delimiter_that_cannot_separate_is_refused(delimiter: str) -> None:
    with pytest.raises(CsvError, match="cannot separate cells"):
        read(b"a,b\n", delimiter=delimiter)


# Rows and lines


def test_cells_may_hold_delimiters_quotes_and_line_ends() -> None:
    text = read(b'1,"a, ""b""\r\nc"\r\n2,d\r\n')

    assert rows(text) == [("1", 'a, "b"\r\nc'), ("2", "d")]
    assert text.lines.tolist() == [1, 3]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_CSV_7_lines_are_counted_as_an_editor_shows_them(end: str) -> None:
    content = end.join(["id,name", "", '1,"a', 'b"', "2", '3,"c', "", 'd",e', ",", "4,f"])

    text = read(content.encode())

    assert rows(text) == [("id", "name"), ("1", f"a{end}b"), ("4", "f")]
    assert text.lines.tolist() == [1, 3, 10]
    assert [(row.line, row.reason) for row in text.ragged] == [
        (5, "1 cell where 2 are expected"),
        (6, "3 cells where 2 are expected"),
    ]
    assert text.rows == 5


def test_blank_lines_and_lines_of_delimiters_are_no_rows() -> None:
    text = read(b'\n\na,b\n,\n\n"",""\n1,2\n\n')

    assert rows(text) == [("a", "b"), ("1", "2")]
    assert text.rows == 2


def test_CSV_7_the_most_common_width_tells_which_rows_are_ragged() -> None:
    text = read(b"Users of the shop\n1,Ann,pro\n2,Bob,free\n3,Cid\n")

    assert not text.has_wide_first_row
    assert [(row.line, row.text) for row in text.ragged] == [(1, "Users of the shop"), (4, "3,Cid")]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b'1,Ann\n2,"Bob\n3,Cid\n4,Dan\n', 2),
        (b'1,Ann\n2,"Bob', 2),
        (b'"1,Ann\n2,Bob\n', 1),
        (b'1,Ann\n2,Bob,"x\n', 2),
        (b'1\n2\n"3\n', 3),
    ],
)
def test_CSV_7_a_quote_that_is_never_closed_is_found(content: bytes, line: int) -> None:
    ragged = read(content).ragged

    assert ragged[-1].line == line
    assert ragged[-1].reason == "a quote is opened in this row and never closed"
    assert "\0" not in ragged[-1].text


def test_a_cell_may_end_with_a_line_end() -> None:
    text = read(b'1,"Ann\n"\n2,"Bob\n"')

    assert rows(text) == [("1", "Ann\n"), ("2", "Bob\n")]
    assert text.ragged == ()


def test_a_row_longer_than_a_block_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_reading, "_BLOCK", 1_024)
    content = b"a,b\n" + b"1,2\n" * 500 + b'3,"' + b"x" * 5_000

    with pytest.raises(CsvError, match=r"more than 1,024 bytes after its first \d+ rows"):
        read(content)


def test_CSV_6_more_rows_than_asked_for_are_counted_and_not_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(csv_reading, "_BLOCK", 4_096)
    content = b"id,name\n" + b"1,Ann\n\n2\n" * 10_000

    text = read(content, at_most=1_000)

    assert text.rows == 20_001
    assert not text.is_whole
    assert len(text.lines) < 3_000


@settings(max_examples=examples(300))
@given(st.text(alphabet='a",\r\n é', max_size=60), st.sampled_from([64, 1 << 20]))
def test_rows_and_lines_are_those_of_pythons_reader(content: str, block: int) -> None:
    reader = csv.reader(io.StringIO(content, newline=""))
    expected, broken, line = [], set(), 1
    for row in reader:
        if any(row):
            expected.append((line, tuple(row)))
            if any(line <= each <= reader.line_num for each in broken_lines(content)):
                broken.add(line)
        line = reader.line_num + 1
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(csv_reading, "_BLOCK", block)
        try:
            text = read(content.encode(), delimiter=",")
        except CsvError as error:
            assert not expected or "more than 64 bytes" in str(error)
            return

    even = list(zip(text.lines.tolist(), rows(text), strict=True))
    is_open = bool(text.ragged) and "never closed" in text.ragged[-1].reason
    if is_open:
        broken.add(text.ragged[-1].line)
    width = len(text.columns)
    assert even == [
        (line, row) for line, row in expected if len(row) == width and line not in broken
    ]
    assert text.rows == len(even) + len(text.ragged)
    if not is_open:
        assert [row.line for row in text.ragged] == [
            line for line, row in expected if len(row) != width or line in broken
        ]


# Quotes out of place


@settings(max_examples=examples(500))
@given(st.text(alphabet='aa""",\r\n ', max_size=30), st.integers(2, 9))
def test_every_quote_out_of_place_is_found_whatever_the_pieces(text: str, size: int) -> None:
    check = QuoteCheck(",")
    stream = Utf8Stream(io.BytesIO(text.encode()), "utf-8", "data", check)

    while stream.read(size):
        pass

    assert [quote.line for quote in check.broken] == broken_lines(text)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ('2,"abc"def', AFTER_QUOTE),
        ('2,"abc" ', AFTER_QUOTE),
        ('2,""abc', AFTER_QUOTE),
        ('2,"the "big" one"', AFTER_QUOTE),
        ('2,"the "big, bad" one"', AFTER_QUOTE),
        ('2,"two\nlines"x', AFTER_QUOTE),
        ('2, "abc"', BEFORE_QUOTE),
        (' "2",abc', BEFORE_QUOTE),
        ('2,"{\\"a\\": 1}"', BACKSLASH),
    ],
)
@pytest.mark.parametrize("around", ["", "9" * (1 << 18)])
def test_CSV_9_a_row_with_a_quote_out_of_place_is_rejected_as_it_stands(
    row: str, reason: str, around: str
) -> None:
    content = f'id,note\n1,"say ""{around}"""\n{row}\n3,"x"\n'

    text = read(content.encode())

    assert rows(text) == [("id", "note"), ("1", f'say "{around}"'), ("3", "x")]
    assert text.ragged == ((3, reason, row),)
    assert text.lines.tolist() == [1, 2, 4 + row.count("\n")]
    assert text.rows == 4


@pytest.mark.parametrize("row", ['2,6" pipe', "2,6' 2\"", '2,a "b" c', '2,""', '2,""""', '2,a""b'])
def test_a_quote_within_a_cell_without_quotes_is_text(row: str) -> None:
    text = read(f'id,note\n1,"x"\n{row}\n3,"y"\n'.encode())

    assert text.ragged == ()
    assert rows(text)[2] == tuple(next(csv.reader([row])))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("size", [1 << 20, 3])
def test_CSV_9_quotes_escaped_by_backslashes_are_read_so_and_noted(
    delimiter: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_source, "_PIECE", size)
    values = [
        ("id", "note", "z"),
        ("1", '{"a": 1, "b": "x\\\\y"}', "u"),
        ("2", "C:\\new", ""),
        ("3", 'two\nlines; of, "text"\\', "5\\"),
    ]
    content = io.StringIO()
    csv.writer(
        content, quoting=csv.QUOTE_ALL, doublequote=False, escapechar="\\", delimiter=delimiter
    ).writerows(values)

    text = read(content.getvalue().encode())

    assert rows(text) == values
    assert text.ragged == ()
    assert "escaped by backslashes" in text.notes[0]


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[str | bool]:
    """The escape character of each time that a whole file is read."""
    made: list[str | bool] = []
    csv_batches = csv_reading.csv_batches

    def counted(stream: Any, on_ragged_row: Any, read: Any, parse: Any, convert: Any) -> Any:
        made.append(parse["escape_char"])
        return csv_batches(stream, on_ragged_row, read, parse, convert)

    monkeypatch.setattr(csv_reading, "csv_batches", counted)
    return made


@pytest.mark.parametrize(
    ("note", "expected"), [(r'"say \"hi\", ok"', ["\\"]), ('"say ""hi"", ok"', [False])]
)
def test_a_file_is_read_once_however_it_escapes_quotes(
    note: str, expected: list[str | bool], readings: list[str | bool]
) -> None:
    text = read(("id,note\n" + f"1,{note}\n" * 500).encode())

    assert readings == expected
    assert text.columns[1].to_pylist()[1:] == ['say "hi", ok'] * 500


def test_a_file_that_also_doubles_quotes_further_down_is_read_as_csv_writes_it(
    readings: list[str | bool],
) -> None:
    filler = "2,plain text\n" * 30_000
    content = f'id,note\n1,"a \\"b\\" c"\n{filler}3,"say ""hi"", ok"\n'

    text = read(content.encode(), at_most=100_000)

    assert len(filler) > 1 << 18  # beyond what is looked at first
    assert readings == ["\\", False]
    assert [(each.line, each.reason) for each in text.ragged] == [(2, BACKSLASH)]
    assert text.columns[1][-1].as_py() == 'say "hi", ok'


def test_a_backslash_that_escapes_nothing_stays() -> None:
    text = read(b'id,note\n1,"a \\"b\\" \\n c"\n2,\\N\n3,a\\b\n')

    assert text.columns[1].to_pylist() == ["note", 'a "b" \\n c', "\\N", "a\\b"]


@pytest.mark.parametrize("row", ['2,"C:\\dir\\"', "2,C:\\dir", '2,"a\\\\b"'])
def test_backslashes_are_text_where_quotes_are_doubled(row: str) -> None:
    text = read(f'id,note\n1,"say ""hi"", ok"\n{row}\n'.encode())

    assert rows(text)[2] == tuple(next(csv.reader([row])))
    assert (text.ragged, text.notes) == ((), ())


# What stands around the rows


@pytest.mark.parametrize("first", ["sep=;", "SEP=;", '"sep=;"'])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_first_line_that_names_the_delimiter_is_no_row(
    first: str, end: str, encoding: str
) -> None:
    content = end.join([first, "id;a,b,c,d", "1;2,3,4,5", ""])

    text = read(content.encode(encoding))

    assert rows(text) == [("id", "a,b,c,d"), ("1", "2,3,4,5")]
    assert (text.delimiter, text.lines.tolist(), text.rows) == (";", [2, 3], 2)


def test_a_delimiter_given_wins_over_the_one_a_file_names() -> None:
    assert rows(read(b"sep=;\nid,a;b\n", delimiter=",")) == [("id", "a;b")]
    assert rows(read(b"sep=\nid,a\n")) == [("id", "a")]
    assert rows(read(b"sep=;x\n1;2\n"))[0] == ("sep=", "x")


def test_marks_of_byte_order_at_the_beginning_do_not_count() -> None:
    assert rows(read(codecs.BOM_UTF8 * 2 + b"id,a\n1,2\n")) == [("id", "a"), ("1", "2")]


# Headers


def guess(content: str) -> tuple[bool, str]:
    first, *below = csv.reader(io.StringIO(content))
    columns = [
        pa.array([row[position] for row in below], pa.large_string())
        for position in range(len(first))
    ]
    return guess_header(first, columns)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("who,years\nAnn,30\nBob,41", '"years" is above a column of type number'),
        ("who,seit\nAnn,2026-01-01", '"seit" is above a column of type date'),
        ("kunde,x\nu1,a\nu2,b", '"kunde" is above codes such as "u1"'),
        ("kunde,post\na,a@b.cc\nb,b@b.cc", '"post" is above an e-mail address'),
        ("Name,City\nAnn,Oslo\nBob,Rome", '"Name" is a common name of a column'),
        ("signup_source,x\nweb,y", '"signup_source" is written as the name of a column'),
        ("x,$email\nx,x\n", '"$email" is the name of a property'),
        ("plan,Distinct ID\nplan,plan", '"Distinct ID" is the name of a property'),
        ("distinct_id,plan", '"distinct_id" is the name of a property'),
        ("id,2024,2025,amount,plan\na,1,2,3,pro", '"id" is a common name of a column'),
    ],
)
def test_CSV_1_a_header_is_detected_and_the_reason_given(content: str, reason: str) -> None:
    assert guess(content) == (True, f"row 1 is a header: {reason}")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("ann@b.cc,Ann\nbob@b.cc,Bob", '"ann@b.cc" is an e-mail address, not a name'),
        ("1,Ann\n2,Bob", '"1" is a number, not a name'),
        ("pro,Oslo\npro,Rome", '"pro" occurs again below'),
        ("Ann,Oslo\nBob,Rome", "nothing in it looks like the name of a column"),
        ("true,x\nfalse,y", '"true" is a boolean, not a name'),
        ("u1,Ann\nu2,Bob", "nothing in it looks like the name of a column"),
        ("https://a.bc,x\nhttps://d.ef,y", '"https://a.bc" is a web address, not a name'),
    ],
)
def test_CSV_1_no_header_is_expected_where_nothing_speaks_for_one(
    content: str, reason: str
) -> None:
    assert guess(content) == (False, f"row 1 is data: {reason}")
