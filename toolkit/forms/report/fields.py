"""The fields of a report on the page: one way to show each kind of field, for all reports."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import cache
from typing import Any, Final, Protocol, TypeAlias
from zoneinfo import available_timezones

from toolkit.forms.parts import guarded, parts
from toolkit.forms.parts.choosing import Choice, Chooser, Choosers
from toolkit.forms.report.event_choice import EventChoice
from toolkit.forms.report.state import FieldState
from toolkit.reports import (
    ChoiceField,
    Choices,
    DateField,
    EventField,
    EventsField,
    Field,
    PropertyField,
    ZoneField,
)

_WIDTH: Final = "100%"


class Shown(Protocol):
    """What shows a field: a widget, and a way to put something in it."""

    widget: Any

    def show(self, raw: Any) -> None:
        """Put what was typed or chosen elsewhere in view."""


Pick: TypeAlias = Callable[[Any], None]


class FieldPart(guarded.Box):
    """A field with its label, its help and what is wrong with it."""

    def __init__(self, state: FieldState, choices: Choices) -> None:
        self.state = state
        self._shown = _shown(state.field, state.raw, choices, self._pick)
        self._error = parts.FieldError(self._shown.widget)
        super().__init__([self._shown.widget, self._error])
        self.add_class("tk-column")
        self.add_class("tk-report-field")
        state.observe(self._draw, ["raw", "error", "shown"])
        self._draw()

    def leave(self) -> None:
        """Follow the field no more: another part shows it from now on."""
        self.state.unobserve(self._draw, ["raw", "error", "shown"])
        self.close()

    def _pick(self, raw: Any) -> None:
        self.state.raw = raw

    def _draw(self, _: object = None) -> None:
        self._shown.show(self.state.raw)
        self._error.show(self.state.error, is_asked=self.state.is_empty)
        self.layout.display = "" if self.state.shown else "none"


def _shown(field: Field, raw: Any, choices: Choices, pick: Pick) -> Shown:
    match field:
        case EventField(label=label, may_be_any=may_be_any):
            names = {"": "Any event" if may_be_any else "Choose an event"}
            names |= {name: name for name in choices.event_names}
            if field.may_be_filtered:
                return EventChoice(label, names, raw, pick, choices, field.help, may_be_any)
            return _tooltip(Chooser(label, names, raw, pick, width=_WIDTH), field)
        case EventsField(label=label, most=most):
            names = {"": "Choose an event", **{name: name for name in choices.event_names}}
            if not field.may_be_filtered:
                return _Several(label, names, raw, pick, most)

            def choice(label: str, pick: Pick) -> EventChoice:
                return EventChoice(label, names, "", pick, choices, field.help)

            return _Several(label, choice, raw, pick, most)
        case ChoiceField(label=label, options=options):
            labels = {value: text for text, value in options}
            return _tooltip(Chooser(label, labels, raw, pick, width=_WIDTH), field)
        case PropertyField(label=label, most=most):
            offered = {"": "Nothing", **field.offered(choices)}
            if most > 1:
                return _Several(label, offered, raw, pick, most)
            return _One(label, offered, raw, pick, field)
        case DateField():
            return _Date(field, raw, pick)
    return _Line(field, raw, pick)


def _tooltip(chooser: Chooser, field: Field) -> Chooser:
    chooser.widget.tooltip = field.help or field.label
    return chooser


class _One:
    """A list of at most one choice."""

    def __init__(
        self, label: str, offered: dict[Any, str], raw: Any, pick: Pick, field: Field
    ) -> None:
        first = raw[0] if raw else ""
        self._chooser = Chooser(
            label, offered, first, lambda each: pick([each] if each else []), width=_WIDTH
        )
        self.widget = _tooltip(self._chooser, field).widget

    def show(self, raw: Any) -> None:
        self._chooser.show(raw[0] if raw else "")


class _Several:
    """A list of several choices."""

    def __init__(
        self,
        label: str,
        of: dict[Any, str] | Callable[[str, Pick], Choice],
        raw: Any,
        pick: Pick,
        most: int,
    ) -> None:
        def chooser(label: str, pick: Pick) -> Choice:
            return of(label, pick) if callable(of) else Chooser(label, of, "", pick, width=_WIDTH)

        self.widget = Choosers(label, chooser, raw, pick, most=most)

    def show(self, raw: Any) -> None:
        self.widget.show(raw)


class _Line:
    """A line of text: numbers, names, time zones."""

    def __init__(self, field: Field, raw: Any, pick: Pick) -> None:
        options = _zones() if isinstance(field, ZoneField) else ()
        make = parts.combobox if options else parts.text
        self.widget: Any = make(field.label, placeholder=field.empty, width=_WIDTH)
        if options:
            self.widget.options = options
        self.widget.continuous_update = False
        self.widget.value = str(raw)
        self.widget.tooltip = field.help or field.label
        self.widget.observe(lambda change: pick(change.new), "value")

    def show(self, raw: Any) -> None:
        if self.widget.value != str(raw):
            self.widget.value = str(raw)


class _Date:
    """A day from a calendar. A time of day, which a program may set, is shown next to it."""

    def __init__(self, field: Field, raw: Any, pick: Pick) -> None:
        self._picker = parts.date(field.label, width=_WIDTH)
        self._picker.tooltip = field.help or field.label
        self._other = parts.block()
        self.widget = parts.column(self._picker, self._other)
        self._pick, self._is_quiet = pick, False
        self._picker.observe(lambda change: self._picked(change.new), "value")
        self.show(raw)

    def _picked(self, day: date | None) -> None:
        if not self._is_quiet:
            self._pick("" if day is None else day.isoformat())

    def show(self, raw: Any) -> None:
        text = str(raw).strip()
        try:
            day = date.fromisoformat(text) if text else None
            other = ""
        except ValueError:
            day, other = None, text
        self._is_quiet = True
        self._picker.value = day
        self._is_quiet = False
        self._other.value = parts.hint_html(f"Set to {other}" if other else "")
        self._other.layout.display = "" if other else "none"


@cache
def _zones() -> tuple[str, ...]:
    return tuple(sorted(available_timezones()))
