"""Which column of a CSV file becomes which property (CSV-2, CSV-3)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.errors import ColumnMappingError, InvalidValueError
from toolkit.reserved import DISPLAY_NAMES, LAST_SEEN, name_refusal
from toolkit.sources.arguments import argument
from toolkit.sources.csv_dialect import SAMPLE_ROWS, HeaderGuess, is_email
from toolkit.sources.csv_types import COLUMN_TYPES, ColumnType, is_filled
from toolkit.values import as_json
from toolkit.wording import count, did_you_mean, listed

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
# Of a column so named, this share of the cells must be filled, and of those this
# share different. Users repeat in a list of purchases; codes of a few kinds are no IDs.
_FILLED: Final = 0.9
_DIFFERENT: Final = 0.5
# By so much a name must resemble a reserved one to be taken for a slip.
_SLIP: Final = 0.8
_SUGGESTED: Final = {
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
    renamed
        {name in the header: property} of the columns that, for want of a mapping,
        got another name than they have.
    identifier_reason
        Why a column was, or was not, guessed to be the identifier, in words.
    time
        Position of the column that says when each row happened, if there is one.
    id_name
        What the IDs are called: "distinct ID", or "group ID" for profiles of groups.
    """

    identifier: int | None
    properties: Mapping[int, str]
    notes: tuple[str, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)
    identifier_reason: str | None = None
    time: int | None = None
    id_name: str = "distinct ID"

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
                f"Give positions (0, 1, …), or pass {argument('header', True)}"
            )
        known = [name for name in self.names if name is not None]
        raise ColumnMappingError(
            f'there is no column "{key}".{did_you_mean(key, known)} The header has '
            + listed(f'"{name}"' for name in known)
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
    identifier_reason
        Why a column was, or was not, taken for the identifier by a name such as
        ``id``; None where no column has one.
    """

    names: list[str | None]
    identifier_reason: str | None = None


def suggest_names(columns: FileColumns, group_key: str | None = None) -> Suggestion:
    """Return what an import without a mapping makes of the columns (CSV-2).

    For profiles of groups the IDs are first looked for under names such as ``group_id`` and
    ``company_id``, and last under that of the group key.

    They go by their names in the header, common ones under reserved names: ``email``
    is ``$email``. In the CSV of a table, which has a column ``$last_seen``, each column
    is the property it is named after. Without a header columns go by their cells.
    """
    is_exported = LAST_SEEN in columns.names
    identifier, reason = _identifier_by_name(columns, is_exported, group_key)
    suggested: list[str | None] = []
    for position, name in enumerate(columns.names):
        if position == identifier:
            suggestion: str | None = DISTINCT_ID
        elif name is None:
            suggestion = _suggested_by_cells(columns, position)
        else:
            suggestion = name if is_exported else _SUGGESTED.get(_plain(name), name)
            # A column that bears the reserved name itself has the better claim to it.
            if suggestion != name and suggestion in (*columns.names, *suggested):
                suggestion = name
        if suggestion in suggested:
            suggestion = None
        if suggestion not in (None, DISTINCT_ID, TIME) and name_refusal(suggestion):
            suggestion = None
        suggested.append(suggestion)
    return Suggestion(suggested, reason)


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


def map_columns(
    mapping: ColumnMapping | None, columns: FileColumns, group_key: str | None = None
) -> MappedColumns:
    """Return what a mapping says, or without one what the header suggests.

    In a mapping for profiles of groups ``"$group_id"`` marks the identifier too.

    Raises
    ------
    ColumnMappingError
        If it names unknown columns, gives two columns one property, or a property
        a name that may not be written; or if there is neither mapping nor header.
    """
    reason, renamed = None, {}
    if mapping is None:
        chosen, notes, reason = _by_header(columns, group_key)
        renamed = {
            name: chosen[at]
            for at, name in enumerate(columns.names)
            if name is not None and at in chosen and chosen[at] != name and _plain(name) != _ID_NAME
        }
    else:
        chosen = _by_mapping(mapping, columns, group_key)
        notes = _slips(chosen, columns)
    _refuse_shared_names(chosen)
    identifier = next((at for at, name in chosen.items() if name == DISTINCT_ID), None)
    if identifier is None:  # CSV-2
        identifier = next((at for at, name in chosen.items() if name == EMAIL), None)
    time = next((at for at, name in chosen.items() if name == TIME), None)
    properties = {at: chosen[at] for at in sorted(chosen) if chosen[at] not in (DISTINCT_ID, TIME)}
    id_name = "distinct ID" if group_key is None else "group ID"
    return MappedColumns(identifier, properties, tuple(notes), renamed, reason, time, id_name)


def _by_mapping(
    mapping: ColumnMapping, columns: FileColumns, group_key: str | None
) -> dict[int, str]:
    if not isinstance(mapping, Mapping):
        raise ColumnMappingError(
            f"mapping={mapping!r}; a dict of columns and property names is needed, "
            f"such as {_example_mapping(columns)!r}"
        )
    _refuse_reversed(mapping, columns)
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
        if name == "distinct_id" or (group_key is not None and name in _GROUP_ID):
            name = DISTINCT_ID
        _check_name(name, columns.title(position))
        chosen[position] = name
    if not chosen:
        raise ColumnMappingError(
            f"the mapping imports no column. The columns are\n{columns.overview()}\n"
            f"For example: {_example(columns)}"
        )
    return chosen


def _refuse_reversed(mapping: ColumnMapping, columns: FileColumns) -> None:
    """Refuse {property: column} in place of {column: property}."""
    known = [name for name in columns.names if name is not None]
    for key, column in mapping.items():
        if not isinstance(key, str) or key.strip() in known:
            continue
        is_place = isinstance(column, int) and not isinstance(column, bool)
        is_column = is_place or (isinstance(column, str) and column.strip() in known)
        # {"plam": "plan"} is a slip in the name of the column "plan".
        if is_column and (is_place or key.startswith("$") or not did_you_mean(key, known)):
            turned = {column: key}
            raise ColumnMappingError(
                f'the mapping looks reversed: there is no column "{key}", but {column!r} is one. '
                "The column comes first, then the property: "
                f"{argument('mapping', turned)}"
            )


def _slips(chosen: Mapping[int, str], columns: FileColumns) -> list[str]:
    """Return in sentences which names look like reserved ones misspelt.

    Raises
    ------
    ColumnMappingError
        If that is the name of the identifier, and no column has it.
    """
    notes = []
    for position, name in chosen.items():
        meant = meant_name(name)
        if meant is None:
            continue
        if meant == DISTINCT_ID and DISTINCT_ID not in chosen.values():
            raise ColumnMappingError(
                f'{columns.title(position)} is mapped to "{name}". Did you mean "{meant}", '
                f"which marks the identifier? {argument('mapping', {position: meant})}"
            )
        notes.append(
            f'"{name}" is no reserved name and became a property of its own. '
            f'Did you mean "{meant}"?'
        )
    return notes


def meant_name(name: str) -> str | None:
    """Return the reserved name of which a name is a misspelling or the beginning."""
    if _plain(name) == _ID_NAME and name != DISTINCT_ID:
        return DISTINCT_ID
    if not name.startswith("$") or name in DISPLAY_NAMES or name == TIME:
        return None
    lower = name.lower()
    for known in DISPLAY_NAMES:
        begins = len(lower) > 4 and known.startswith(lower)
        if begins or SequenceMatcher(None, lower, known).ratio() >= _SLIP:
            return known
    return None


def _by_header(
    columns: FileColumns, group_key: str | None
) -> tuple[dict[int, str], list[str], str | None]:
    """Return every column under the name the preview suggests for it.

    Where a column with cells has none, nothing is left out in silence: it is refused.
    """
    if not columns.header.header:
        raise ColumnMappingError(
            f"the file has no header ({columns.header.reason}), so say what its columns are:\n"
            f"{columns.overview()}\n"
            f"For example: {_example(columns)}. Columns left out are not imported. "
            f"Pass {argument('header', True)} if row 1 is a header"
        )
    chosen: dict[int, str] = {}
    notes: list[str] = []
    suggested, reason = suggest_names(columns, group_key)
    for position, name in enumerate(columns.names):
        suggestion = suggested[position]
        if suggestion is not None:
            if suggestion != DISTINCT_ID:
                _check_name(suggestion, columns.title(position))
            chosen[position] = suggestion
        elif name is None:
            if pc.any(pc.not_equal(columns.cells[position], "")).as_py():
                raise ColumnMappingError(
                    f"column {position} has no name in the header, and holds "
                    f"{listed(map(_short, columns.samples(position)), _SAMPLES)}. Name the columns "
                    f"to import: {_example(columns)}"
                )
            notes.append(f"Column {position} has no name and no cells, and was left out.")
        elif name == LAST_SEEN:  # SEEN-1; an exported table holds it
            notes.append(f"Column {position} was left out: {name_refusal(name)}.")
        else:
            _check_name(name, columns.title(position))
            chosen[position] = name  # of two with one name, which are refused together
    return chosen, notes, reason


def _identifier_by_name(
    columns: FileColumns, is_exported: bool, group_key: str | None
) -> tuple[int | None, str | None]:
    """Return the column of distinct IDs by its name, and why, if it is not named distinct_id."""
    plain = [_plain(name or "") for name in columns.names]
    for exact in (DISTINCT_ID, "distinct_id", *(() if group_key is None else _GROUP_ID)):
        if exact in columns.names:
            return columns.names.index(exact), None
    if _ID_NAME in plain:
        return plain.index(_ID_NAME), None
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


def _check_name(name: str, title: str) -> None:
    if name in (DISTINCT_ID, TIME):
        return
    reason = property_refusal(name)
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
            if position == mapped.time:
                raise ColumnMappingError(
                    f"types[{key!r}]={kind!r}: the times of the rows have no type to choose"
                )
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
    """Return a mapping of the first columns as the reader of a message would give it."""
    return argument("mapping", _example_mapping(columns))


def _example_mapping(columns: FileColumns) -> dict[int, str]:
    suggested = suggest_names(columns).names
    if DISTINCT_ID not in suggested and EMAIL not in suggested:
        suggested[0] = DISTINCT_ID
    return {
        position: name or f"name of column {position}"
        for position, name in enumerate(suggested[:4])
    }


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name.lower())


def _short(text: str) -> str:
    text = repr(text)[1:-1]
    return text if len(text) <= 40 else text[:39] + "…"
