"""Profiles as a CSV file, which a spreadsheet opens and an import reads back."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.base import (
    ABSENT,
    HIDDEN,
    LAST_SEEN,
    NO_TIME,
    AnyProgress,
    argument,
    count,
    dumps,
    listed,
    path_of_format,
    texts_where,
    watched_by,
)
from toolkit.columns import IS_NULL, Column, Mask, Positions
from toolkit.profiles import ProfileTable, ProfileView, as_table
from toolkit.sources.csv.defuse import defused_texts
from toolkit.sources.csv.file import MAX_ROWS
from toolkit.sources.csv.mapping import DISTINCT_ID
from toolkit.sources.csv.types import typed
from toolkit.sources.files.whole_file import whole_file
from toolkit.updates import name_refusal

_TEXT: Final = pa.large_string()
# Rows joined into one piece of text at a time.
_CHUNK: Final = 50_000
# Cells with one of these are quoted.
_QUOTED: Final = r'[",\r\n]'


class CsvLossWarning(UserWarning):
    """A CSV file cannot hold all of the profiles written to it."""


@dataclass(frozen=True)
class CsvExport:
    """What was written to a CSV file.

    Attributes
    ----------
    profiles
        How many.
    losses
        What the file does not hold, or an import would read otherwise, in sentences.
    defused
        How many cells got an apostrophe, which an import takes off again.
    """

    profiles: int
    losses: tuple[str, ...]
    defused: int = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """The losses, and what other programs will see in the file."""
        if not self.defused:
            return self.losses
        return (
            f"An apostrophe before {count(self.defused, 'cell')}, since a spreadsheet would run "
            "the text as a formula. An import removes it again.",
            *self.losses,
        )


def write_csv(
    profiles: ProfileTable | ProfileView, path: str | PathLike[str], *, progress: AnyProgress = True
) -> int:
    """Write every profile as a row of a CSV file; return how many.

    The first column is ``$distinct_id``, the last ``$last_seen`` (ISO 8601, UTC);
    between them is one column per property. Lists and objects are written as JSON,
    booleans as true and false, numbers with all their digits. Text that a spreadsheet
    would run as a formula gets an apostrophe before it (DEFUSE); plain numbers such as
    ``-5`` and ``+4712345`` are not formulas.

    :func:`toolkit.import_csv` knows such a file by its header, takes the apostrophes off
    (RESTORE), and without a mapping gives the same profiles back, except for

    - null and empty text: empty cells, as absent ones are,
    - Updated At, which an import leaves alone,
    - NUL characters in text, which are left out, and properties with one in their name,
    - profiles whose ID is blank or holds a NUL, which are left out,
    - text that reads as something else in the whole column, such as postal codes
      without leading zeros: ``types={"zip": "text"}`` brings it back,
    - numbers and lists in a column that holds text too, and integers past 2**53: text,
    - the hidden properties and names of message fields, which a CSV may not write.

    What of this happened is said in a :class:`CsvLossWarning`.
    :func:`toolkit.write_messages` loses nothing.

    Parameters
    ----------
    profiles
        A table, or the profiles picked out by ``profiles.where``. Of a table of users
        the group profiles are left out; ``profiles.groups(key)`` can be written.
    path
        The file to write, UTF-8; gzipped if it ends in ``.gz``. A file that is there is
        written over, once the new one is whole.
    progress
        Whether to show a bar if it takes more than a second. Or a function to call now
        and then, as in :func:`toolkit.import_csv`; what it raises leaves an older file as it was.

    Examples
    --------
    >>> import tempfile
    >>> profiles = ProfileTable()
    >>> result = profiles.set("7", {"plan": "pro", "tags": ["a", "b"]}, ignore_time=True)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     number = write_csv(profiles, f"{folder}/profiles.csv")
    ...     print(number, Path(f"{folder}/profiles.csv").read_text())
    1 $distinct_id,plan,tags,$last_seen
    7,pro,"[""a"",""b""]",
    <BLANKLINE>
    """
    export = export_csv(profiles, path, progress=progress)
    if export.losses:
        name = Path(fspath(path)).name
        text = f"{name} does not hold everything. {' '.join(export.losses)}"
        warnings.warn(text, CsvLossWarning, stacklevel=2)
    return export.profiles


def export_csv(
    profiles: ProfileTable | ProfileView,
    path: str | PathLike[str],
    *,
    progress: AnyProgress = True,
) -> CsvExport:
    """Write profiles as :func:`write_csv` does; return what was lost in place of a warning."""
    snapshot = as_table(profiles, views=True).snapshot()
    path_of_format(path, "CSV")
    names = [name for name in snapshot.names if _may_be_column(name)]
    losses = _Losses([name for name in snapshot.names if not _may_be_column(name)])
    kept = losses.importable(snapshot.ids)
    if len(kept) < len(snapshot):
        snapshot = snapshot.take(kept)
    texts = [_quoted(losses.safe(snapshot.ids))]
    with watched_by(progress) as notice, whole_file(path) as out:
        for number, name in enumerate(names):
            notice("Preparing", number, len(names))
            texts.append(_quoted(losses.cells(name, snapshot.column(name))))
        texts.append(_times(snapshot.last_seen))
        header = _quoted(losses.safe(pa.array(names, _TEXT))).to_pylist()
        out.write((",".join([DISTINCT_ID, *header, LAST_SEEN]) + "\n").encode())
        for start in range(0, len(snapshot), _CHUNK):
            notice("Writing", start, len(snapshot))
            rows = pc.binary_join_element_wise(
                *(column.slice(start, _CHUNK) for column in texts), pa.scalar(",", _TEXT)
            )
            out.write(("\n".join(rows.to_pylist()) + "\n").encode())
    sentences = losses.sentences()
    if len(snapshot) > MAX_ROWS:  # CSV-6
        sentences.append(
            f"More rows than an import takes at once ({MAX_ROWS:,}): split the file to import it."
        )
    if isinstance(profiles, ProfileTable) and profiles.group_key is None:
        sentences += _groups(profiles)
    return CsvExport(len(snapshot), tuple(sentences), losses.defused)


class _Losses:
    """What the cells of a CSV file do not hold, counted while they are written."""

    def __init__(self, left_out: Sequence[str]) -> None:
        self.left_out = left_out
        self.lost_ids: list[str] = []
        self.nulls = self.empty = self.defused = 0
        self.nuls: list[str] = []
        self.retyped: list[str] = []
        self.mixed: list[str] = []

    def cells(self, name: str, column: Column) -> pa.Array:
        """Return the cells of a property as texts, absent and null ones empty."""
        column = column.narrowed()
        texts = _as_texts(column)
        safe, is_text = texts, column.has_value
        if column.kind == "json":
            is_text = np.array([isinstance(cell, str) for cell in column.cells()], np.bool_)
        self.nulls += int((column.state == IS_NULL).sum())
        if column.kind in ("text", "json"):
            is_empty = _mask(pc.equal(texts, "")) & is_text
            self.empty += int(is_empty.sum())
            holds_nul = _mask(pc.match_substring(texts, "\0"))
            if holds_nul.any():
                self.nuls.append(name)
                texts = pc.replace_substring(texts, "\0", "")
            safe = self.safe(texts, is_text)
            self._compare(name, column, texts, ~holds_nul & ~is_empty)
        elif column.kind == "int":
            self._compare(name, column, texts, column.has_value)
        return safe

    def safe(self, texts: pa.Array, is_text: Mask = True) -> pa.Array:
        """Return texts as a spreadsheet takes them."""
        safe = defused_texts(texts)
        differs = _mask(pc.not_equal(safe, texts)) & is_text
        if not differs.any():
            return texts
        self.defused += int(differs.sum())
        return texts_where(differs, safe, texts)

    def importable(self, ids: pa.Array) -> Positions:
        """Return which profiles have an ID that a CSV holds, and an import takes."""
        blank = pc.equal(pc.utf8_trim_whitespace(ids), "")
        lost = _mask(pc.or_(blank, pc.match_substring(ids, "\0")))
        if lost.any():
            self.lost_ids = ids.filter(pa.array(lost)).to_pylist()
        return np.flatnonzero(~lost)

    def _compare(self, name: str, column: Column, texts: pa.Array, wanted: Mask) -> None:
        """Note a property whose cells an import would read otherwise."""
        wanted = wanted & column.has_value
        if not (wanted & ~typed(texts).column.equals(column)).any():
            return
        as_text = typed(texts, "text").column.equals(column)
        (self.mixed if (wanted & ~as_text).any() else self.retyped).append(name)

    def sentences(self) -> list[str]:
        sentences = []
        counted = ((self.nulls, "null"), (self.empty, "empty text"))
        if lost := [count(number, noun) for number, noun in counted if number]:
            sentences.append(
                f"Written as empty cells, which an import leaves out: {', '.join(lost)}."
            )
        if self.lost_ids:
            sentences.append(
                f"Left out: {count(len(self.lost_ids), 'profile')} whose ID is blank or holds a "
                f"NUL character, which no import takes: {listed(map(repr, self.lost_ids))}."
            )
        if self.nuls:
            sentences.append(
                f"Without the NUL characters of some text, which no CSV holds: {_named(self.nuls)}."
            )
        if self.retyped:
            types = dict.fromkeys(self.retyped, "text")
            sentences.append(
                f"Text that reads as another type: {_named(self.retyped)}. "
                f"Import it with {argument('types', types)}."
            )
        if self.mixed:
            sentences.append(
                f"Values that come back as text, because the column holds several types or very "
                f"large numbers: {_named(self.mixed)}."
            )
        if self.left_out:
            hidden = " (hidden)" if set(self.left_out) <= set(HIDDEN) else ""
            sentences.append(
                "Left out, because a CSV import does not accept it: "
                f"{_named(self.left_out)}{hidden}."
            )
        return sentences


def _groups(profiles: ProfileTable) -> list[str]:
    sizes = {key: len(profiles.groups(key)) for key in profiles.group_keys}
    sizes_text = [f'{size:,} of "{key}"' for key, size in sizes.items() if size]
    if not sizes_text:
        return []
    total = count(sum(sizes.values()), "group profile")
    return [f"Left out: {total} ({listed(sizes_text)}); a .jsonl file of messages keeps them."]


def _as_texts(column: Column) -> pa.Array:
    if column.kind == "json":
        texts = [_as_text(cell) for cell in column.cells()]
        return pa.array(texts, _TEXT)
    texts = column.values if column.kind == "text" else column.as_json_text()
    empty = pa.repeat(pa.scalar("", _TEXT), len(column))
    return texts if column.has_value.all() else texts_where(column.has_value, texts, empty)


def _as_text(cell: Any) -> str:
    if isinstance(cell, str):
        return cell
    return "" if cell is None or cell is ABSENT else dumps(cell)


def _times(microseconds: Any) -> pa.Array:
    texts = np.datetime_as_string(microseconds.view("M8[us]"), timezone="UTC")
    texts = pa.array(np.where(microseconds == NO_TIME, "", texts).tolist(), _TEXT)
    return pc.replace_substring_regex(texts, pattern=r"\.000000Z$", replacement="Z")


def _quoted(texts: pa.Array) -> pa.Array:
    special = _mask(pc.match_substring_regex(texts, pattern=_QUOTED))
    if not special.any():
        return texts
    quote, nothing = pa.scalar('"', _TEXT), pa.scalar("", _TEXT)
    doubled = pc.replace_substring(texts, '"', '""')
    return texts_where(special, pc.binary_join_element_wise(quote, doubled, quote, nothing), texts)


def _mask(booleans: pa.Array) -> Mask:
    return np.array(pc.fill_null(booleans, False).to_numpy(zero_copy_only=False), np.bool_)


def _may_be_column(name: str) -> bool:
    return name_refusal(name) is None and "\0" not in name


def _named(names: Sequence[str]) -> str:
    """Return names in quotes, NUL as an escape."""
    return listed(f'"{name}"'.replace("\0", "\\0") for name in names)
