"""One property as it is edited: its name, its type, and what was typed for its value."""

from __future__ import annotations

import re
from typing import Any, Final, Literal, TypeAlias

from traitlets import Bool, HasTraits, List, Unicode

from toolkit.base import (
    ABSENT,
    MAX_DIGITS,
    RESERVED,
    Json,
    ToolkitError,
    as_json,
    display_name,
    times,
)
from toolkit.forms.parts.json_text import laid_out, read_json
from toolkit.updates import name_refusal

#: The types a value can be edited as, and what they are called.
Kind: TypeAlias = Literal["text", "number", "boolean", "date", "time", "list", "json", "null"]
KINDS: Final[dict[Kind, str]] = {
    "text": "Text",
    "number": "Number",
    "boolean": "True or false",
    "date": "Date",
    "time": "Date and time",
    "list": "List of texts",
    "json": "JSON",
    "null": "Null (not set)",
}
#: What is said of a phone number where the extra that checks it is not installed.
NOT_CHECKED: Final = (
    "The phone number is not checked. To have it checked, install the extra: "
    "pip install 'profile-toolkit[phone]'."
)
_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIME: Final = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}.*")
_TRUE: Final = frozenset({"true", "yes", "1"})


class PropertyRow(HasTraits):
    """One property as it is edited.

    Attributes
    ----------
    name
        The property.
    kind
        The type its value is edited as: a key of :data:`KINDS`.
    text
        What was typed, for the types that are typed.
    flag
        The value of a boolean.
    items
        The elements of a list of texts.
    removed
        Whether the property is to be removed.
    """

    name = Unicode("")
    kind = Unicode("text")
    text = Unicode("")
    flag = Bool(False)
    items = List(Unicode())
    removed = Bool(False)

    def __init__(self, name: str = "", value: Any = ABSENT, *, is_proposed: bool = False) -> None:
        super().__init__(name=name)
        #: Whether the name was proposed, and is not asked for.
        self.is_proposed = is_proposed
        #: The stored value; ABSENT for a property that was added here.
        self.stored: Any = value
        # What was entered when it was read last, with the value or the reason against it.
        self._entry: tuple[tuple[Any, ...], Json, ValueError | None] | None = None
        if value is not ABSENT:
            self.kind = kind_of(value)
            self._fill(value)

    @property
    def is_stored(self) -> bool:
        """Whether the profile had the property when it was read."""
        return self.stored is not ABSENT

    def _fill(self, value: Json) -> None:
        """Put a value where its type is edited."""
        if self.kind == "boolean":
            self.flag = value is True
        elif self.kind == "list":
            self.items = list(value)  # type: ignore[arg-type]
        elif self.kind in ("text", "date", "time"):
            self.text = str(value)
        elif self.kind != "null":
            self.text = laid_out(value)

    def change_kind(self, kind: Kind) -> None:
        """Edit the value as another type, what was typed turned into it as far as possible."""
        if kind == self.kind:
            return
        try:
            value: Any = self.value()
        except ValueError:
            value = self.text  # half typed: it goes along as it is
        if self.kind == "null":
            value = self.stored if self.is_stored and self.stored is not None else ""
        self.kind = kind
        if kind == "boolean":
            self.flag = value is True or str(value).strip().lower() in _TRUE
        elif kind == "list":
            self.items = _as_items(value)
        elif kind == "json":
            self.text = laid_out(value)
        elif kind == "date":
            self.text = _as_text(value)[:10]
        elif kind in ("text", "number", "time"):
            self.text = _as_text(value)

    def value(self) -> Json:
        """Return the value that was entered.

        Raises
        ------
        ValueError
            Saying what is wrong with what was typed.
        """
        if self._entry is None or self._entry[0] != self.entered:
            try:
                self._entry = (self.entered, self._value(), None)
            except ValueError as error:
                self._entry = (self.entered, None, error)
        _, value, problem = self._entry
        if problem is not None:
            raise problem.with_traceback(None)
        return value

    @property
    def entered(self) -> tuple[Any, ...]:
        """What was entered: rows with the same entry look alike."""
        return self.kind, self.text, self.flag, tuple(self.items)

    def _value(self) -> Json:
        if self.kind == "null":
            return None
        if self.kind == "boolean":
            return self.flag
        if self.kind == "list":
            return list(self.items)
        if self.kind == "number":
            return read_number(self.text)
        if self.kind in ("date", "time"):
            return read_moment(self.text, self.kind)
        if self.kind == "json":
            return as_json(read_json(self.text))
        return as_json(self.text)

    def problem(self) -> str:
        """Return why the property cannot be saved as it is, empty if it can."""
        return "" if self.removed else self.read()[1]

    def read(self) -> tuple[Json, str]:
        """Return the value that was entered, or why it cannot be saved."""
        refusal = None if self.is_stored else name_refusal(self.name)
        if refusal is not None:
            return None, f"{refusal[:1].upper()}{refusal[1:]}."
        try:
            return self.value(), ""
        except ToolkitError as error:
            return None, f"{str(error)[:1].upper()}{str(error)[1:]}."
        except ValueError as error:
            return None, str(error)

    def caution(self, country_code: object = None) -> str:
        """Return what is worth a look, empty if nothing is.

        Parameters
        ----------
        country_code
            The profile's ``$country_code``.
        """
        if self.removed or self.problem():
            return ""
        value = self.value()
        if self.name == "$phone" and isinstance(value, str):
            country = country_code if isinstance(country_code, str) else None
            try:
                from toolkit.forms.editor.phone import doubt
            except ImportError:  # the extra is not installed
                return NOT_CHECKED
            return doubt(value, country) or ""
        if not self.is_stored:
            for reserved, row in RESERVED.items():
                if self.name.strip().lower() in (row.label.lower(), reserved.lower(), reserved[1:]):
                    if self.name == reserved:
                        break
                    return (
                        f'"{self.name}" is a property of its own. The reserved one is '
                        f"{reserved} ({row.label})."
                    )
        return ""

    @property
    def label(self) -> str:
        """What to call the property."""
        return display_name(self.name) or "new property"


def kind_of(value: Json) -> Kind:
    """Return the type a value is best edited as.

    >>> [kind_of(each) for each in ("a", 1.5, True, ["a"], ["a", 1], {}, None)]
    ['text', 'number', 'boolean', 'list', 'json', 'json', 'null']
    >>> kind_of("2026-05-01"), kind_of("2026-05-01T10:00:00Z"), kind_of("2026")
    ('date', 'time', 'text')
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        for kind in ("date", "time"):
            try:
                read_moment(value, kind)
            except ValueError:
                continue
            return kind
        return "text"
    if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
        # Elements that a tag cannot show stay as JSON.
        return "list" if all(value) and len(set(value)) == len(value) else "json"
    return "list" if value == [] else "json"


def read_number(text: str) -> int | float:
    """Return the number that was typed; integers of any size are exact.

    >>> read_number(" 42 "), read_number("-1.50"), read_number("1e3")
    (42, -1.5, 1000.0)

    Raises
    ------
    ValueError
        If it is not one.
    """
    typed = text.strip()
    if not typed:
        raise ValueError("A number is missing.")
    if _INTEGER.fullmatch(typed):
        if len(typed.lstrip("+-")) > MAX_DIGITS:
            raise ValueError(
                f"That is a number of {len(typed):,} digits; at most {MAX_DIGITS:,} are possible."
            )
        return as_json(int(typed))  # type: ignore[return-value]
    if not _NUMBER.fullmatch(typed):
        hint = ""
        if _NUMBER.fullmatch(typed.replace(",", ".")):
            hint = f" Did you mean {typed.replace(',', '.')}?"
        elif _NUMBER.fullmatch(typed.replace(",", "").replace(" ", "")):
            hint = f" Did you mean {typed.replace(',', '').replace(' ', '')}?"
        raise ValueError(f'"{typed[:40]}" is not a number such as 12, -0.5 or 1e6.{hint}')
    number = float(typed)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{typed[:40]} is too large for a number.")
    return number


def read_moment(text: str, kind: str) -> str:
    """Return the ``"date"`` or ``"time"`` that was typed, as it was typed.

    Raises
    ------
    ValueError
        If it is not one in ISO 8601.
    """
    typed = text.strip()
    form, example = (_DATE, "2026-05-01") if kind == "date" else (_TIME, "2026-05-01T14:30:00Z")
    if not typed:
        raise ValueError(f"A {kind} is missing, such as {example}.")
    if not form.fullmatch(typed):
        raise ValueError(f'"{typed[:40]}" is not a {kind} such as {example}.')
    times.parse_time(typed)
    return typed


def _as_items(value: Any) -> list[str]:
    if isinstance(value, list):
        texts = [_as_text(each) for each in value]
    else:
        texts = [part.strip() for part in _as_text(value).split(",")]
    return list(dict.fromkeys(filter(None, texts)))


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ", ".join(value)
    return "" if value is None else laid_out(value)
