"""The formats in which profiles are written to files, and messages read: one entry each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias

from toolkit.base import ENDINGS, AnyProgress
from toolkit.profiles import ProfileTable, ProfileView
from toolkit.sources.csv.export import export_csv
from toolkit.sources.csv.source import CsvSource, Source
from toolkit.sources.files.jsonlines import Messages, read_messages, write_messages

OnError: TypeAlias = Literal["raise", "skip"]


class Written(NamedTuple):
    """How many profiles were written, and what the file does not hold, in sentences."""

    profiles: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Format:
    """A format of files.

    Attributes
    ----------
    name
        What it is called in code; a downloaded file ends in it.
    endings
        What names of such files end in; each may be gzipped, with ``.gz`` after it.
    label
        What a form calls it.
    media
        Its media type.
    write
        Writes profiles: a table or a part of one, the path, and ``progress=``.
    read
        Returns the messages of a file, with ``"raise"`` or ``"skip"`` for wrong ones; None:
        messages are not read from it.
    is_table
        Whether it has columns to choose, and a row for a user without a profile.
    table
        Returns the CSV that a file is, for the CSV import; None: no table is read from it.
    other_endings
        Further endings of files whose table is read.
    """

    name: str
    endings: tuple[str, ...]
    label: str
    media: str
    write: Callable[[ProfileTable | ProfileView, Path, AnyProgress], Written]
    read: Callable[[Path, OnError], Messages] | None = None
    is_table: bool = False
    table: Callable[[CsvSource], CsvSource] | None = None
    other_endings: tuple[str, ...] = ()


def _as_csv(profiles: ProfileTable | ProfileView, path: Path, progress: AnyProgress) -> Written:
    export = export_csv(profiles, path, progress=progress)
    return Written(export.profiles, export.notes)


#: Each format by its name, in the order in which the command line names their endings.
FORMATS: Final[dict[str, Format]] = {
    row.name: row
    for row in (
        Format(
            name="jsonl",
            endings=ENDINGS["messages"],
            label="JSON Lines of messages, loses nothing",
            media="application/x-ndjson",
            write=lambda profiles, path, progress: Written(
                write_messages(profiles, path, progress=progress)
            ),
            read=lambda path, on_error: read_messages(path, on_error=on_error),
        ),
        Format(
            name="csv",
            endings=ENDINGS["CSV"],
            label="CSV, for spreadsheets and CSV import",
            media="text/csv;charset=utf-8",
            write=_as_csv,
            is_table=True,
            table=lambda source: source,
            other_endings=(".tsv",),
        ),
    )
}


def format_of(path: Path) -> Format | None:
    """Return the format that the end of a name says, None for no known one.

    >>> format_of(Path("shop.csv.gz")).name, format_of(Path("shop.xlsx"))
    ('csv', None)
    """
    name = path.name.removesuffix(".gz")
    return next((each for each in FORMATS.values() if name.endswith(each.endings)), None)


def csv_table(source: Source | CsvSource) -> CsvSource:
    """Return the CSV of a file, which the end of its name says how to read; by default it is CSV.

    Raises
    ------
    CsvError
        If it cannot be read.
    """
    file = source if isinstance(source, CsvSource) else CsvSource.of(source)
    name = file.name.removesuffix(".gz")
    readers = (
        each.table
        for each in FORMATS.values()
        if each.table is not None and name.endswith(each.endings + each.other_endings)
    )
    return next(readers, lambda csv: csv)(file)


def table_endings() -> tuple[str, ...]:
    """Return what names of files whose table is read may end in."""
    readable = [each for each in FORMATS.values() if each.table is not None]
    return tuple(ending for each in readable for ending in each.endings + each.other_endings)


def all_endings() -> tuple[str, ...]:
    """Return what names of files may end in."""
    plain = [ending for each in FORMATS.values() for ending in each.endings]
    return tuple(f"{ending}{zipped}" for ending in plain for zipped in ("", ".gz"))
