"""Which column of a CSV file becomes which property (CSV-2, CSV-3)."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.base import (
    LAST_SEEN,
    RESERVED,
    ColumnMappingError,
    InvalidValueError,
    argument,
    as_json,
    count,
    did_you_mean,
    is_reserved_text,
    listed,
    quoted,
    sentence,
)
from toolkit.sources.csv.dialect import SAMPLE_ROWS, HeaderGuess, column_title, is_email
from toolkit.sources.csv.types import COLUMN_TYPES, ColumnType, infer_type, is_filled, is_key
from toolkit.updates import name_refusal

#: Marks the column of distinct IDs in a mapping.
DISTINCT_ID: Final = "$distinct_id"
EMAIL: Final = "$email"
#: Marks the column that says when each row happened (PAST-4).
TIME: Final = "$time"

#: {column: property name}; a column is its position from 0 or its name in the header.
ColumnMapping: TypeAlias = Mapping[Any, str | None]

#: {property name or column: type}.
ColumnTypes: TypeAlias = Mapping[Any, ColumnType]

_SAMPLES: Final = 5
# So many columns are listed in an error.
_OVERVIEW: Final = 100

# Without case, spaces and signs.
_ID_NAME: Final = "distinctid"
#: What marks it too where the profiles are of groups.
_GROUP_ID: Final = ("$group_id", "group_id")
#: What else a column of distinct IDs is called; the first that fits is it (CSV-2).
_ID_NAMES: Final = (
    *("userid", "customerid", "memberid", "subscriberid", "profileid", "contactid"),
    *("customerno", "customernumber", "memberno", "membernumber", "uid", "id"),
)
#: What a column is called that counts the rows.
_ROW_NAMES: Final = frozenset(
    {
        *("", "id", "index", "idx", "row", "rows", "rowid", "rowindex", "rowno", "rownum"),
        *("rownumber", "no", "nr", "num", "number", "line", "lineno", "linenumber"),
        *("zeile", "lfdnr", "pos", "seq", "serial", "sno"),
    }
)
# What pandas calls a column without a name, and one of a file written and read once more.
_UNNAMED: Final = re.compile(r"Unnamed: \d+(?:\.\d+)*")
# Of a column so named, this share of the cells must be filled, and of those this
# share different. Users repeat in a list of purchases; codes of a few kinds are not IDs.
_FILLED: Final = 0.9
_DIFFERENT: Final = 0.5
# By so much a name must resemble a reserved one to be taken for a slip.
_SLIP: Final = 0.8


@dataclass(frozen=True)
class MappedColumns:
    """The columns of a CSV file that are imported.

    Attributes
    ----------
    identifier
        Position of the column of distinct IDs; None for random ones.
    properties
        {position: property name}, in the order of the columns. The identifier is
        among them if it is a property too, as an e-mail address is.
    notes
        What was left out or guessed, in sentences.
    renamed
        {name in the header: property} of the columns that, for lack of a mapping,
        got another name than they have.
    identifier_reason
        Why a column was, or was not, guessed to be the identifier, in words.
    time
        Position of the column that says when each row happened, if there is one.
    id_name
        What the IDs are called: "distinct ID", or "group ID" for profiles of groups.
    left_out
        {position: reason} of the other columns.
    candidate
        Position of the column that may be the identifier where none is.
    """

    identifier: int | None
    properties: Mapping[int, str]
    notes: tuple[str, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)
    identifier_reason: str | None = None
    time: int | None = None
    id_name: str = "distinct ID"
    left_out: Mapping[int, str] = field(default_factory=dict)
    candidate: int | None = None

    @property
    def positions(self) -> list[int]:
        """The columns that are read, in their order."""
        marked = {at for at in (self.identifier, self.time) if at is not None}
        return sorted(marked | set(self.properties))


@dataclass(frozen=True, eq=False)
class FileColumns:
    """The columns of a CSV file, as a mapping may name them.

    Attributes
    ----------
    names
        The names in the header without white space around them; None in place of an
        empty one, and for all columns of a file without a header.
    cells
        The cells below: pyarrow ``large_string``.
    header
        Whether there is a header, and why.
    """

    names: tuple[str | None, ...]
    cells: Sequence[pa.Array]
    header: HeaderGuess

    def title(self, position: int) -> str:
        """Return what to call a column in a sentence: by its name if it alone has it.

        A form shows the place from 1, so the word after the position says which it is.
        """
        return column_title(position, self.names)

    def key(self, position: int) -> str | int:
        """Return what names a column in a mapping: its name if it alone has it, or its position."""
        name = self.names[position]
        return name if name is not None and self.names.count(name) == 1 else position

    def samples(self, position: int) -> list[str]:
        """Return the first different cells of a column that are not empty."""
        cells = self.cells[position].slice(0, SAMPLE_ROWS).to_pylist()
        return list(dict.fromkeys(filter(None, cells)))[:_SAMPLES]

    @property
    def is_exported(self) -> bool:
        """Whether the file is the CSV of a table, where every cell is as it was."""
        return LAST_SEEN in self.names

    def position(self, key: object) -> int:
        """Return the position of the column that a key of a mapping names.

        Raises
        ------
        ColumnMappingError
            If no column has it, or more than one.
        """
        if isinstance(key, str):
            return self._position_of_name(key)
        if not isinstance(key, int | np.integer) or isinstance(key, bool):
            raise ColumnMappingError(
                f"{key!r} names no column; give its position (0, 1, …) or its name in the header"
            )
        if not 0 <= key < len(self.names):
            raise ColumnMappingError(
                f"there is no column {key}; the file has columns 0 (the first) to "
                f"{len(self.names) - 1} (the last)"
            )
        return int(key)

    def _position_of_name(self, key: str) -> int:
        name = key if key in self.names else key.strip()
        positions = [position for position, each in enumerate(self.names) if each == name and name]
        if not positions and name:  # the CSV of a table keeps the spaces of its names
            positions = [at for at, each in enumerate(self.names) if each and each.strip() == name]
        if len(positions) == 1:
            return positions[0]
        if positions:
            places = listed(map(str, positions))
            raise ColumnMappingError(
                f'columns {places} (counted from 0) are all named "{name}"; '
                "give their positions instead"
            )
        if not self.header.header:
            raise ColumnMappingError(
                f'there is no column "{key}": the file has no header ({self.header.reason}). '
                f"Give positions (0, 1, …), or pass {argument('header', True)}"
            )
        each = [name for name in self.names if name is not None]
        raise ColumnMappingError(
            f'there is no column "{key}".{did_you_mean(key, each)} The header has '
            + listed(f'"{name}"' for name in each)
        )

    def overview(self) -> str:
        """Return a line of text a column: its position, name and samples."""
        lines = []
        for position, name in enumerate(self.names[:_OVERVIEW]):
            shown = listed((_short(sample) for sample in self.samples(position)), _SAMPLES)
            named = "" if name is None else f' "{name}"'
            lines.append(f"  {position}{named}: {shown or '(empty)'}")
        if left := len(self.names) - len(lines):
            lines.append(f"  and {count(left, 'column')} more")
        return "\n".join(lines)


class Suggestion(NamedTuple):
    """What the columns of a file seem to be.

    Attributes
    ----------
    names
        A property name for each column, ``"$distinct_id"`` for the identifier, None
        where there is nothing to go by, for columns that may not be imported, and for
        the second of two that would share a name.
    identifier
        The position of the column of distinct IDs, which may be that of the e-mail
        addresses; None for random ones.
    identifier_reason
        Why that column, or none, is the identifier.
    candidate
        The position of the column that may be the identifier where none was found by its
        name: no cell is empty, and no two are alike.
    """

    names: list[str | None]
    identifier: int | None
    identifier_reason: str
    candidate: int | None = None


def suggest_names(
    columns: FileColumns, group_key: str | None = None, key: object = None
) -> Suggestion:
    """Return what an import without a mapping makes of the columns (CSV-2).

    For profiles of groups the IDs are first looked for under names such as ``group_id`` and
    ``company_id``, and last under that of the group key. *key* names their column.

    The others go by their names in the header, common ones under reserved names: ``email``
    is ``$email``. In the CSV of a table, which has a column ``$last_seen``, each column
    is the property it is named after. Without a header columns go by their cells.
    """
    is_exported = columns.is_exported
    if key is None:
        identifier, reason = _identifier_by_name(columns, is_exported, group_key)
        if identifier is None and not columns.header.header and reason is None:
            identifier, reason = _first_as_identifier(columns)
    else:
        identifier = columns.position(key)
        reason = f"{columns.title(identifier)} is the identifier, as given"
    suggested: list[str | None] = []
    for position, name in enumerate(columns.names):
        if position == identifier:
            suggestion: str | None = DISTINCT_ID
        elif name is None:
            suggestion = _suggested_by_cells(columns, position)
        else:
            suggestion = name if is_exported else _reserved(name)
            # A column that bears the reserved name itself has the better claim to it.
            if suggestion != name and suggestion in (*columns.names, *suggested):
                suggestion = name
        if suggestion in suggested:
            suggestion = None
        if suggestion not in (None, TIME) and position != identifier and name_refusal(suggestion):
            suggestion = None
        if position != identifier and is_index(columns, position):
            suggestion = None
        suggested.append(suggestion)
    if identifier is not None:
        return Suggestion(suggested, identifier, reason or "")
    email = suggested.index(EMAIL) if EMAIL in suggested else None
    candidate = _candidate(columns, email)
    return Suggestion(suggested, email, _fallback(columns, email, candidate, reason), candidate)


def _first_as_identifier(columns: FileColumns) -> tuple[int | None, str | None]:
    """Return whether the first column of a file without a header can be the identifier."""
    cells = columns.cells[0]
    head = [each for each in cells.slice(0, SAMPLE_ROWS).to_pylist() if each]
    if not head or all(map(is_email, head)):
        return None, None
    filled = cells.filter(pa.array(is_filled(cells)))
    different = len(filled.unique())
    total = count(len(cells), "cell")
    facts = f"{len(filled):,} of {total} filled, {different:,} different"
    if len(filled) == len(cells) and different >= _DIFFERENT * len(cells):
        return 0, f"{columns.title(0)} is the identifier: {facts}, in a file without a header"
    return None, f"{columns.title(0)} is not the identifier: {facts}"


def _candidate(columns: FileColumns, email: int | None = None) -> int | None:
    """Return the first column with a different value in every row that may hold IDs.

    If the e-mails all differ too, numbers and codes are IDs, and names of people are not.
    """
    is_sure = email is not None and is_key(columns.cells[email])
    numbering: int | None = None
    for position, cells in enumerate(columns.cells):
        if position == email or (is_sure and not _are_codes(cells)):
            continue
        kind = infer_type(cells.slice(0, SAMPLE_ROWS))
        is_whole = kind == "text" or (kind == "number" and infer_whole(cells))
        if not is_whole or not is_key(cells) or is_index(columns, position):
            continue
        if not is_row_number(columns, position):
            return position
        numbering = position if numbering is None else numbering
    return numbering


def candidate_reason(columns: FileColumns, candidate: int) -> str:
    """Return why a column may be the identifier, and what speaks against it."""
    reason = "its cells are all filled and all different"
    return f"{reason}, but look like row numbers" if is_row_number(columns, candidate) else reason


def _are_codes(cells: pa.Array) -> bool:
    """Return whether each of the first cells holds a digit and no space."""
    return bool(
        pc.all(pc.match_substring_regex(cells.slice(0, SAMPLE_ROWS), r"^\s*\S*\d\S*\s*$")).as_py()
    )


def infer_whole(numbers: pa.Array) -> bool:
    """Return whether the first cells of a column of numbers are whole."""
    return not pc.any(
        pc.match_substring_regex(numbers.slice(0, SAMPLE_ROWS), pattern="[.eE]")
    ).as_py()


def is_index(columns: FileColumns, position: int) -> bool:
    """Return whether a column is the index that pandas and R write first.

    It has no name; read and written again by pandas it is ``Unnamed: 0``, and counts the
    rows from 0.
    """
    name = columns.names[position]
    if not columns.header.header:
        return False
    if name is not None:
        is_named_so = not columns.is_exported and _UNNAMED.fullmatch(name) is not None
        return is_named_so and _counts_rows(columns.cells[position], 0)
    numbers = pc.match_substring_regex(columns.cells[0], pattern="^[0-9]+$")
    return position == 0 and bool(pc.all(numbers).as_py())


def is_row_number(columns: FileColumns, position: int) -> bool:
    """Return whether a column is called like a number of the row, and counts the rows."""
    is_named_so = _plain(columns.names[position] or "") in _ROW_NAMES
    cells = columns.cells[position]
    return is_named_so and any(_counts_rows(cells, first) for first in (0, 1))


def _counts_rows(cells: pa.Array, first: int) -> bool:
    """Return whether cells are the whole numbers from one on."""
    if not len(cells) or cells[0].as_py() != str(first):
        return False
    numbers = pa.array(np.arange(first, first + len(cells))).cast(cells.type)
    return bool(cells.equals(numbers))


def _fallback(
    columns: FileColumns, email: int | None, candidate: int | None, doubt: str | None
) -> str:
    """Return why no column is the identifier by its name, and what is in its place."""
    parts = [] if doubt is None else [doubt]
    if email is not None:
        parts.append(f"the e-mail, {columns.title(email)}, is the identifier for lack of another")
    else:
        parts.append("no column is the identifier, so each row gets a random ID")
    if candidate is not None:
        parts.append(
            f"{columns.title(candidate)} may be it, because "
            f"{candidate_reason(columns, candidate)}: "
            f"pass {argument('key', columns.key(candidate))}"
        )
    elif email is None:
        parts.append("no column has a different text in every row")
    return "; ".join(parts)


def _suggested_by_cells(columns: FileColumns, position: int) -> str | None:
    if columns.header.header:
        return None
    cells = columns.cells[position].slice(0, SAMPLE_ROWS).to_pylist()
    filled = list(filter(None, cells))
    return EMAIL if filled and all(map(is_email, filled)) else None


def map_columns(
    mapping: ColumnMapping | None,
    columns: FileColumns,
    group_key: str | None = None,
    key: object = None,
) -> MappedColumns:
    """Return what a mapping says, or without one what the header suggests.

    In a mapping for profiles of groups ``"$group_id"`` marks the identifier too. *key*
    names the column of the identifier next to a mapping or in place of one.

    Raises
    ------
    ColumnMappingError
        If it names unknown columns, gives two columns one property, or a property
        a name that may not be written; if it imports nothing but the IDs of a file that
        holds more; or if there is neither mapping nor header.
    """
    renamed: dict[str, str] = {}
    reason: str | None = None
    candidate: int | None = None
    if mapping is None:
        suggestion = suggest_names(columns, group_key, key)
        property_names, notes, left_out = _by_header(columns, suggestion)
        reason, candidate = suggestion.identifier_reason, suggestion.candidate
        renamed = {
            name: property_names[at]
            for at, name in enumerate(columns.names)
            if name is not None
            and at in property_names
            and property_names[at] != name
            and _plain(name) != _ID_NAME
        }
    else:
        property_names = _by_mapping(mapping, columns, group_key, key)
        notes = _slips(property_names, mapping, columns)
        others = (at for at in range(len(columns.names)) if at not in property_names)
        left_out = dict.fromkeys(others, "not in the mapping")
        _refuse_ids_alone(property_names, columns)
        candidate = None if DISTINCT_ID in property_names.values() else _candidate(columns)
    _refuse_shared_names(property_names, columns)
    identifier = next((at for at, name in property_names.items() if name == DISTINCT_ID), None)
    if identifier is None:  # CSV-2
        identifier = next((at for at, name in property_names.items() if name == EMAIL), None)
    time = next((at for at, name in property_names.items() if name == TIME), None)
    properties = {
        at: property_names[at]
        for at in sorted(property_names)
        if property_names[at] not in (DISTINCT_ID, TIME)
    }
    if mapping is None and key is not None and identifier is not None:
        properties = _with_email_kept(properties, columns, identifier)
        notes += _ids_as_properties(properties, columns, identifier)
    return MappedColumns(
        identifier,
        properties,
        tuple(notes),
        renamed,
        reason,
        time,
        "distinct ID" if group_key is None else "group ID",
        left_out,
        candidate if candidate != identifier else None,
    )


def _ids_as_properties(
    properties: Mapping[int, str], columns: FileColumns, identifier: int
) -> list[str]:
    """Return in sentences which columns are called the identifier, where ``key=`` names another."""
    return [
        f'{sentence(columns.title(at)).removesuffix(".")} became the property "{name}", for '
        f"{columns.title(identifier)} is the identifier, as given. If it is the identifier, "
        f"pass {argument('key', columns.key(at))}; else leave it out with "
        f"{argument('mapping')}."
        for at, name in properties.items()
        if at != identifier and _plain(columns.names[at] or "") == _ID_NAME
    ]


def _with_email_kept(
    properties: Mapping[int, str], columns: FileColumns, identifier: int
) -> dict[int, str]:
    """Return the properties with the identifier among them if it is the e-mail by its name."""
    name = columns.names[identifier]
    is_email = name is not None and _reserved(name) == EMAIL
    if not is_email or EMAIL in properties.values():
        return dict(properties)
    return dict(sorted({**properties, identifier: EMAIL}.items()))


def _by_mapping(
    mapping: ColumnMapping, columns: FileColumns, group_key: str | None, key: object
) -> dict[int, str]:
    if not isinstance(mapping, Mapping):
        raise ColumnMappingError(
            f"mapping={quoted(mapping):.60}; a dict of columns and property names is needed, "
            f"such as {example_mapping(columns)!r}"
        )
    _refuse_reversed(mapping, columns)
    properties: dict[int, str] = {}
    seen: set[int] = set()
    for column, name in mapping.items():
        position = columns.position(column)
        if position in seen:
            raise ColumnMappingError(
                f"{columns.title(position)} is mapped twice, by its position and by its name"
            )
        seen.add(position)
        if name is None:
            continue
        if not isinstance(name, str):
            raise ColumnMappingError(
                f"{columns.title(position)} is mapped to {name!r}; a property name is needed, "
                "or None to leave the column out"
            )
        if name == "distinct_id" or (group_key is not None and name in _GROUP_ID):
            name = DISTINCT_ID
        _check_name(name, columns, position)
        properties[position] = name
    if key is not None:
        _add_key(properties, columns, key)
    if not properties:
        raise ColumnMappingError(
            f"the mapping imports no column. The columns are\n{columns.overview()}\n"
            f"For example: {_example(columns)}"
        )
    return properties


def _add_key(properties: dict[int, str], columns: FileColumns, key: object) -> None:
    position = columns.position(key)
    other = next((at for at, name in properties.items() if name == DISTINCT_ID), position)
    if other != position or properties.get(position, DISTINCT_ID) != DISTINCT_ID:
        at = other if other != position else position
        raise ColumnMappingError(
            f"{argument('key', key)} makes {columns.title(position)} the identifier, and "
            f'the mapping gives {columns.title(at)} "{properties[at]}"; leave one of them out'
        )
    properties[position] = DISTINCT_ID


def _refuse_ids_alone(properties: Mapping[int, str], columns: FileColumns) -> None:
    """Refuse a mapping that would make empty profiles of a file that holds more than IDs."""
    if any(name not in (DISTINCT_ID, TIME) for name in properties.values()):
        return
    others = [
        at
        for at, cells in enumerate(columns.cells)
        if at not in properties and is_filled(cells).any()
    ]
    identifier = next((at for at, name in properties.items() if name == DISTINCT_ID), None)
    if identifier is None or not others:
        return
    if TIME in properties.values():
        every = {**example_mapping(columns, identifier), **properties}
        advice = f"To import them too: {argument('mapping', dict(sorted(every.items())))}"
    elif columns.header.header:
        key = argument("key", columns.key(identifier))
        advice = f"To import them under their names pass {key} in place of {argument('mapping')}"
    else:
        advice = f"To import all: {_example(columns, identifier)}"
    left_out = listed(columns.title(at).removeprefix("column ") for at in others)
    raise ColumnMappingError(
        "the mapping imports the identifier and nothing else, which would make empty profiles. "
        f"{count(len(others), 'column')} {'is' if len(others) == 1 else 'are'} left out: "
        f"{left_out}. {advice}"
    )


def _refuse_reversed(mapping: ColumnMapping, columns: FileColumns) -> None:
    """Refuse {property: column} in place of {column: property}."""
    names = [name for name in columns.names if name is not None]
    for key, column in mapping.items():
        if not isinstance(key, str) or _is_column(key, names):
            continue
        if not key.strip():  # turned round it would give a property without a name
            raise ColumnMappingError(
                f'{argument("mapping", {key: column})}: there is no column "{key}". A column comes '
                f"first, then the property. The columns are {listed(names)}"
            )
        is_place = isinstance(column, int) and not isinstance(column, bool)
        is_column = _is_column(column, names)
        # {"plam": "plan"} is a slip in the name of the column "plan".
        if is_column and (is_place or key.startswith("$") or not did_you_mean(key, names)):
            turned = {
                each if _is_column(each, names) else name: name if _is_column(each, names) else each
                for name, each in mapping.items()
            }
            raise ColumnMappingError(
                f'the mapping looks reversed: there is no column "{key}", but {column!r} is one. '
                "The column comes first, then the property: "
                f"{argument('mapping', turned)}"
            )


def _is_column(column: object, names: Sequence[str]) -> bool:
    """Return whether something names a column: one of these, or a position."""
    if isinstance(column, str):
        return column.strip() in {*names, *(name.strip() for name in names)}
    return isinstance(column, int) and not isinstance(column, bool)


def _slips(
    properties: Mapping[int, str], mapping: ColumnMapping, columns: FileColumns
) -> list[str]:
    """Return in sentences which names look like reserved ones misspelt.

    Raises
    ------
    ColumnMappingError
        If that is the name of the identifier, and no column has it.
    """
    notes = []
    for position, name in properties.items():
        meant = meant_name(name)
        if meant is None:
            continue
        if meant == DISTINCT_ID and DISTINCT_ID not in properties.values():
            mended = {key: meant if value == name else value for key, value in mapping.items()}
            raise ColumnMappingError(
                f'{columns.title(position)} is mapped to "{name}". Did you mean "{meant}", '
                f"which marks the identifier? {argument('mapping', mended)}"
            )
        notes.append(
            f'"{name}" is not a reserved name and became a property of its own. '
            f'Did you mean "{meant}"?'
        )
    return notes


def _reserved(header: str) -> str:
    """Return the reserved property that a header means, else the header."""
    plain = _plain(header)
    return next((row.name for row in RESERVED.values() if plain in row.headers), header)


def meant_name(name: str) -> str | None:
    """Return the reserved name of which a name is a misspelling or the beginning."""
    if _plain(name) == _ID_NAME and name != DISTINCT_ID:
        return DISTINCT_ID
    if not name.startswith("$") or name in RESERVED or name == TIME:
        return None
    lower = name.lower()
    for reserved in RESERVED:
        begins = len(lower) > 4 and reserved.startswith(lower)
        if begins or SequenceMatcher(None, lower, reserved).ratio() >= _SLIP:
            return reserved
    return None


def _by_header(
    columns: FileColumns, suggestion: Suggestion
) -> tuple[dict[int, str], list[str], dict[int, str]]:
    """Return every column under the name the preview suggests for it, and those left out.

    The nameless index that pandas and R write is left out, and that is noted. Where another
    column with cells has no name, it is refused: nothing else is left out silently.
    """
    if not columns.header.header:
        raise ColumnMappingError(
            f"the file has no header ({columns.header.reason}), so say what its columns are:\n"
            f"{columns.overview()}\n"
            f"For example: {_example(columns, _identifier_position(suggestion))}. "
            f"Columns left out are not imported. "
            f"Pass {argument('header', True)} if row 1 is a header"
        )
    properties: dict[int, str] = {}
    notes: list[str] = []
    left_out: dict[int, str] = {}
    for position, name in enumerate(columns.names):
        name_of = suggestion.names[position]
        title = sentence(columns.title(position)).removesuffix(".")
        if name_of is not None:
            if name_of != DISTINCT_ID:
                _check_name(name_of, columns, position)
            properties[position] = name_of
        elif name is None:
            if not is_filled(columns.cells[position]).any():
                left_out[position] = "no name and no cells"
                notes.append(f"{title} has no name and no cells, and was left out.")
            elif position == 0 and (is_index(columns, 0) or is_key(columns.cells[0])):
                left_out[position] = "no name in the header"
                notes.append(
                    f"{title} has no name in the header and was left out, as the index of pandas "
                    f"or R; it holds {_some(columns, position)}. If it is the identifier, "
                    f"pass {argument('key', position)}."
                )
            else:
                raise ColumnMappingError(
                    f"{columns.title(position)} has no name in the header, and holds "
                    f"{_some(columns, position)}. Name it in the file, or name all columns: "
                    f"{_example(columns, _identifier_position(suggestion))}"
                )
        elif is_index(columns, position):
            left_out[position] = "the row number of pandas"
            notes.append(
                f"{title} was left out, as an index that pandas wrote and read again: it counts "
                f"the rows from 0. If it is a property, map it: {_example(columns)}."
            )
        elif name == LAST_SEEN:  # SEEN-1; an exported table holds it
            left_out[position] = "kept by the table"
            notes.append(f"{title} was left out: {name_refusal(name)}.")
        else:
            others = f"Or map all others: {_example(columns, _identifier_position(suggestion))}"
            _check_name(name, columns, position, others)
            properties[position] = name  # of two with one name, which are refused together
    return properties, notes, left_out


def _identifier_position(suggestion: Suggestion) -> int | None:
    """Return the position of the identifier that is not an e-mail, or of what may be it."""
    if suggestion.identifier is None:
        return suggestion.candidate
    is_email = suggestion.names[suggestion.identifier] == EMAIL
    return None if is_email else suggestion.identifier


def _some(columns: FileColumns, position: int) -> str:
    return listed(map(_short, columns.samples(position)), _SAMPLES)


def _identifier_by_name(
    columns: FileColumns, is_exported: bool, group_key: str | None
) -> tuple[int | None, str | None]:
    """Return the column of distinct IDs by its name, and why it or the likeliest one is not it."""
    plain = [_plain(name or "") for name in columns.names]
    named = [*(DISTINCT_ID, "distinct_id"), *(() if group_key is None else _GROUP_ID)]
    exact = next((columns.names.index(name) for name in named if name in columns.names), None)
    if exact is None and _ID_NAME in plain:
        exact = plain.index(_ID_NAME)
    if exact is not None:
        return exact, f"{columns.title(exact)} is the identifier by its name"
    if is_exported:
        return None, None
    doubts = []
    wanted_names: tuple[str, ...] = _ID_NAMES
    if group_key is not None:
        key = _plain(group_key)
        wanted_names = ("groupid", f"{key}id", *_ID_NAMES, key)
    for wanted in wanted_names:
        for position, name in enumerate(plain):
            if name == wanted:
                fits, facts = _as_identifier(columns.cells[position])
                if fits:
                    return position, f"{columns.title(position)} is the identifier: {facts}"
                doubts.append(f"{columns.title(position)} is not the identifier: {facts}")
    return None, doubts[0] if doubts else None


def _as_identifier(cells: pa.Array) -> tuple[bool, str]:
    """Return whether cells are filled and different enough for IDs, and what they are."""
    filled = cells.filter(pa.array(is_filled(cells)))
    different = len(filled.unique())
    total = count(len(cells), "cell")
    facts = f"named like one, {len(filled):,} of {total} filled, {different:,} different"
    fits = len(filled) >= _FILLED * len(cells) and different >= _DIFFERENT * len(filled)
    if fits:
        return True, facts
    return False, facts + f" ({_FILLED:.0%} and {_DIFFERENT:.0%} are needed)"


def property_refusal(name: str) -> str | None:
    """Return why a column may not be a property of this name, None if it may (CSV-3)."""
    try:
        as_json(name)
    except InvalidValueError as error:
        return str(error)
    return name_refusal(name)


def _check_name(
    name: str, columns: FileColumns, position: int, advice: str = "Or leave the column out"
) -> None:
    reason = None if name in (DISTINCT_ID, TIME) else property_refusal(name)
    if reason is not None:
        title = columns.title(position)
        raise ColumnMappingError(f'{title} cannot be mapped to "{name[:80]}": {reason}. {advice}')


def _refuse_shared_names(properties: Mapping[int, str], columns: FileColumns) -> None:
    sharing: dict[str, list[int]] = defaultdict(list)
    for position, name in properties.items():
        sharing[name].append(position)
    for name, positions in sharing.items():
        if len(positions) > 1:
            *others, last = map(str, sorted(positions))
            both = "both" if len(positions) == 2 else "all"
            apart = dict(sorted(properties.items()))
            for position in sorted(positions)[1:]:
                apart[position] = _unlike(name, apart.values())
            raise ColumnMappingError(
                f"columns {', '.join(others)} and {last} (counted from 0) are {both} mapped to "
                f'"{name}". Give each column its own property, or leave one out. For example: '
                f"{argument('mapping', apart)}"
            )


def choose_types(
    types: ColumnTypes | None, columns: FileColumns, mapped: MappedColumns
) -> dict[int, ColumnType]:
    """Return the types asked for, by position; a key is a property name or names a column.

    ``$phone``, ``$name`` and the like are text unless another type is asked for.

    Raises
    ------
    ColumnMappingError
        If a key names no imported column, or a type is unknown.
    """
    kinds: dict[int, ColumnType] = {
        position: "text" for position, name in mapped.properties.items() if is_reserved_text(name)
    }
    by_property = {name: position for position, name in mapped.properties.items()}
    for key, kind in (types or {}).items():
        shown = kind if isinstance(kind, str) else quoted(kind)[:40]
        typed = argument("types", {key: shown})
        if not isinstance(kind, str) or kind not in COLUMN_TYPES:
            allowed = ", ".join(f'"{each}"' for each in COLUMN_TYPES)
            raise ColumnMappingError(f"{typed} is not a type; allowed are {allowed}")
        if key in (DISTINCT_ID, "distinct_id") and mapped.identifier is not None:
            position = mapped.identifier
        else:
            position = by_property[key] if key in by_property else columns.position(key)
        if position not in mapped.properties:
            if position == mapped.time:
                raise ColumnMappingError(f"{typed}: the times of the rows have no type to choose")
            if position != mapped.identifier:
                raise ColumnMappingError(f"{typed}: {columns.title(position)} is not imported")
            if kind != "text":
                raise ColumnMappingError(
                    f'{typed}: distinct IDs are text as written; only "text" fits'
                )
            continue
        kinds[position] = kind
    return kinds


def _example(columns: FileColumns, identifier: int | None = None) -> str:
    """Return a mapping of all columns as the reader of a message would give it."""
    return argument("mapping", example_mapping(columns, identifier))


def example_mapping(columns: FileColumns, identifier: int | None = None) -> dict[int, str]:
    """Return a mapping that leaves no column out but those without name and cells.

    By default the identifier is the one suggested.
    """
    suggestion = suggest_names(columns, None, identifier)
    if identifier is None and suggestion.identifier is None and suggestion.candidate is not None:
        suggestion = suggest_names(columns, None, suggestion.candidate)
    names: dict[int, str] = {}
    for position, (name, header) in enumerate(zip(suggestion.names, columns.names, strict=True)):
        if name is None and header is None and is_filled(columns.cells[position]).any():
            name = f"name of column {position}"
        elif name is None and header not in (None, LAST_SEEN):
            is_refused = property_refusal(str(header)) is not None
            taken = {*names.values(), *suggestion.names}
            name = _unlike(f"{header} of the file" if is_refused else str(header), taken)
        if name is not None:
            names[position] = name
    return names


def _unlike(name: str, taken: Collection[str | None]) -> str:
    """Return a name that is not taken, with a number if need be."""
    numbered = (f"{name} {number}" for number in itertools.count(2))
    return next(each for each in itertools.chain([name], numbered) if each not in taken)


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name.lower())


def _short(text: str) -> str:
    text = repr(text)[1:-1]
    return text if len(text) <= 40 else text[:39] + "…"
