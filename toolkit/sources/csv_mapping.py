"""Which column of a CSV file becomes which property (CSV-2, CSV-3)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.errors import ColumnMappingError, InvalidValueError
from toolkit.reserved import LAST_SEEN, name_refusal
from toolkit.sources.csv_dialect import SAMPLE_ROWS, HeaderGuess, is_email
from toolkit.sources.csv_types import COLUMN_TYPES, ColumnType
from toolkit.values import as_json
from toolkit.wording import did_you_mean, listed

#: Marks the column of distinct IDs in a mapping.
DISTINCT_ID: Final = "$distinct_id"
EMAIL: Final = "$email"

#: {column: property name}; a column is its position from 0 or its name in the header.
ColumnMapping: TypeAlias = Mapping[Any, str | None]

#: {property name or column: type}.
ColumnTypes: TypeAlias = Mapping[Any, ColumnType]

_SAMPLES: Final = 5

# Without case, spaces and signs.
_ID_NAME: Final = "distinctid"
_USER_ID_NAME: Final = "userid"
_SUGGESTED: Final = {
    "id": DISTINCT_ID,
    "uid": DISTINCT_ID,
    "email": EMAIL,
    "emailaddress": EMAIL,
    "mail": EMAIL,
    "name": "$name",
    "fullname": "$name",
    "firstname": "$first_name",
    "lastname": "$last_name",
    "phone": "$phone",
    "phonenumber": "$phone",
    "avatar": "$avatar",
    "created": "$created",
    "createdat": "$created",
    "city": "$city",
    "region": "$region",
    "countrycode": "$country_code",
    "timezone": "$timezone",
}


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
    """

    identifier: int | None
    properties: Mapping[int, str]
    notes: tuple[str, ...] = ()

    @property
    def positions(self) -> list[int]:
        """The columns that are read, in their order."""
        identifier = set() if self.identifier is None else {self.identifier}
        return sorted(identifier | set(self.properties))


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
        """Return what to call a column in a sentence."""
        name = self.names[position]
        return f"column {position}" if name is None else f'column {position} ("{name}")'

    def samples(self, position: int) -> list[str]:
        """Return the first different cells of a column that are not empty."""
        cells = self.cells[position].slice(0, SAMPLE_ROWS).to_pylist()
        return list(dict.fromkeys(filter(None, cells)))[:_SAMPLES]

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
                f"there is no column {key}; the file has columns 0 to {len(self.names) - 1}"
            )
        return int(key)

    def _position_of_name(self, key: str) -> int:
        name = key.strip()
        found = [position for position, known in enumerate(self.names) if known == name and name]
        if len(found) == 1:
            return found[0]
        if found:
            places = listed(map(str, found))
            raise ColumnMappingError(
                f'columns {places} are all named "{name}"; give their positions instead'
            )
        if not self.header.header:
            raise ColumnMappingError(
                f'there is no column "{key}": the file has no header ({self.header.reason}). '
                "Give positions (0, 1, …), or pass header=True"
            )
        known = [name for name in self.names if name is not None]
        raise ColumnMappingError(
            f'there is no column "{key}".{did_you_mean(key, known)} The header has '
            + listed(f'"{name}"' for name in known)
        )

    def overview(self) -> str:
        """Return a line of text a column: its position, name and samples."""
        lines = []
        for position, name in enumerate(self.names):
            shown = listed((_short(sample) for sample in self.samples(position)), _SAMPLES)
            named = "" if name is None else f' "{name}"'
            lines.append(f"  {position}{named}: {shown or '(empty)'}")
        return "\n".join(lines)


def suggest_names(columns: FileColumns) -> list[str | None]:
    """Return a property name for each column, ``"$distinct_id"`` for the identifier.

    By its name in the header, or for want of one by its cells; None where there is
    nothing to go by, for columns that may not be imported, and for the second of
    two that would share a name.
    """
    suggested: list[str | None] = []
    identifier = _identifier_by_name(columns.names)
    for position, name in enumerate(columns.names):
        if position == identifier:
            suggestion: str | None = DISTINCT_ID
        elif name is not None:
            suggestion = _SUGGESTED.get(_plain(name), name)
        else:
            suggestion = _suggested_by_cells(columns, position)
        if suggestion == DISTINCT_ID and identifier not in (None, position):
            suggestion = name
        if suggestion in suggested:
            suggestion = name if name not in suggested else None
        if suggestion is None or (suggestion != DISTINCT_ID and name_refusal(suggestion)):
            suggestion = None
        suggested.append(suggestion)
    return suggested


def _suggested_by_cells(columns: FileColumns, position: int) -> str | None:
    if columns.header.header:
        return None
    cells = columns.cells[position].slice(0, SAMPLE_ROWS).to_pylist()
    filled = list(filter(None, cells))
    if filled and all(map(is_email, filled)):
        return EMAIL
    if position == 0 and filled and len(set(filled)) == len(cells):
        return DISTINCT_ID
    return None


def map_columns(mapping: ColumnMapping | None, columns: FileColumns) -> MappedColumns:
    """Return what a mapping says, or without one what the header says.

    Raises
    ------
    ColumnMappingError
        If it names unknown columns, gives two columns one property, or a property
        a name that may not be written; or if there is neither mapping nor header.
    """
    if mapping is None:
        chosen, notes = _by_header(columns)
    else:
        chosen, notes = _by_mapping(mapping, columns), []
    _refuse_shared_names(chosen)
    identifier = next((at for at, name in chosen.items() if name == DISTINCT_ID), None)
    if identifier is None:  # CSV-2
        identifier = next((at for at, name in chosen.items() if name == EMAIL), None)
    properties = {at: chosen[at] for at in sorted(chosen) if chosen[at] != DISTINCT_ID}
    return MappedColumns(identifier, properties, tuple(notes))


def _by_mapping(mapping: ColumnMapping, columns: FileColumns) -> dict[int, str]:
    if not isinstance(mapping, Mapping):
        raise ColumnMappingError(
            f"mapping={mapping!r}; a dict of columns and property names is needed, "
            f"such as {_example(columns)}"
        )
    chosen: dict[int, str] = {}
    for key, name in mapping.items():
        position = columns.position(key)
        if position in chosen:
            raise ColumnMappingError(
                f"{columns.title(position)} is mapped twice, by its position and by its name"
            )
        if name is None:
            continue
        if not isinstance(name, str):
            raise ColumnMappingError(
                f"{columns.title(position)} is mapped to {name!r}; a property name is needed, "
                "or None to leave the column out"
            )
        if name == "distinct_id":
            name = DISTINCT_ID
        _check_name(name, columns.title(position))
        chosen[position] = name
    if not chosen:
        raise ColumnMappingError(
            f"the mapping imports no column. The columns are\n{columns.overview()}\n"
            f"For example: mapping={_example(columns)}"
        )
    return chosen


def _by_header(columns: FileColumns) -> tuple[dict[int, str], list[str]]:
    """Return every column under the name it has in the header."""
    if not columns.header.header:
        raise ColumnMappingError(
            f"the file has no header ({columns.header.reason}), so say what its columns are:\n"
            f"{columns.overview()}\n"
            f"For example: mapping={_example(columns)}. Columns left out are not imported. "
            "Pass header=True if row 1 is a header"
        )
    chosen: dict[int, str] = {}
    notes: list[str] = []
    identifier = _identifier_by_name(columns.names)
    for position, name in enumerate(columns.names):
        if position == identifier:
            chosen[position] = DISTINCT_ID
        elif name is None:
            if (
                columns.samples(position)
                or pc.any(pc.not_equal(columns.cells[position], "")).as_py()
            ):
                raise ColumnMappingError(
                    f"column {position} has no name in the header, and holds "
                    f"{listed(map(_short, columns.samples(position)), _SAMPLES)}. Name the columns "
                    f"to import: mapping={_example(columns)}"
                )
            notes.append(f"Column {position} has no name and no cells, and was left out.")
        elif name == LAST_SEEN:  # SEEN-1; an exported table holds it
            notes.append(f"Column {position} was left out: {name_refusal(name)}.")
        else:
            if name != DISTINCT_ID:
                _check_name(name, columns.title(position))
            chosen[position] = name
    return chosen, notes


def _identifier_by_name(names: Sequence[str | None]) -> int | None:
    """Return the column of distinct IDs: distinct_id in any spelling, else user_id."""
    plain = [_plain(name or "") for name in names]
    for wanted in (_ID_NAME, _USER_ID_NAME):
        if wanted in plain:
            exact = [at for at, name in enumerate(names) if name == DISTINCT_ID]
            return exact[0] if exact else plain.index(wanted)
    return None


def _check_name(name: str, title: str) -> None:
    if name == DISTINCT_ID:
        return
    reason = name_refusal(name)
    try:
        as_json(name)
    except InvalidValueError as error:
        reason = str(error)
    if reason is not None:
        raise ColumnMappingError(
            f'{title} cannot be mapped to "{name[:80]}": {reason}. Or leave the column out'
        )


def _refuse_shared_names(chosen: Mapping[int, str]) -> None:
    sharing: dict[str, list[int]] = defaultdict(list)
    for position, name in chosen.items():
        sharing[name].append(position)
    for name, positions in sharing.items():
        if len(positions) > 1:
            *others, last = map(str, sorted(positions))
            both = "both" if len(positions) == 2 else "all"
            so_far = listed(f'{at} → "{chosen[at]}"' for at in sorted(chosen))
            raise ColumnMappingError(
                f'columns {", ".join(others)} and {last} are {both} mapped to "{name}". '
                f"Give each column its own property, or leave one out. Mapped so far: {so_far}"
            )


def choose_types(
    types: ColumnTypes | None, columns: FileColumns, mapped: MappedColumns
) -> dict[int, ColumnType]:
    """Return the types asked for, by position; a key is a property name or names a column.

    Raises
    ------
    ColumnMappingError
        If a key names no imported column, or a type is unknown.
    """
    chosen: dict[int, ColumnType] = {}
    by_property = {name: position for position, name in mapped.properties.items()}
    for key, kind in (types or {}).items():
        if kind not in COLUMN_TYPES:
            allowed = ", ".join(f'"{each}"' for each in COLUMN_TYPES)
            raise ColumnMappingError(f"types[{key!r}]={kind!r} is no type; allowed are {allowed}")
        if key in (DISTINCT_ID, "distinct_id") and mapped.identifier is not None:
            position = mapped.identifier
        else:
            position = by_property[key] if key in by_property else columns.position(key)
        if position not in mapped.properties:
            if position != mapped.identifier:
                raise ColumnMappingError(
                    f"types[{key!r}]: {columns.title(position)} is not imported"
                )
            if kind != "text":
                raise ColumnMappingError(
                    f'types[{key!r}]={kind!r}: distinct IDs are text as written; only "text" fits'
                )
            continue
        chosen[position] = kind
    return chosen


def _example(columns: FileColumns) -> str:
    """Return a mapping of the first columns that can be typed in."""
    suggested = suggest_names(columns)
    if DISTINCT_ID not in suggested and EMAIL not in suggested:
        suggested[0] = DISTINCT_ID
    pairs: dict[int, str] = {}
    for position, name in enumerate(suggested[:4]):
        pairs[position] = name or f"name of column {position}"
    return repr(pairs)


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name.lower())


def _short(text: str) -> str:
    text = repr(text)[1:-1]
    return text if len(text) <= 40 else text[:39] + "…"
