"""The operator lab: try a message on a profile, and see which rule decides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from traitlets import link

from toolkit.base import ArgumentError, Html, check_flag
from toolkit.forms.lab import view as lab_view
from toolkit.forms.lab.message import MessageRow, value_hint
from toolkit.forms.lab.presets import PRESETS
from toolkit.forms.lab.state import OperatorLabState
from toolkit.forms.parts import guarded, parts
from toolkit.forms.parts.form import ASSETS, Form
from toolkit.forms.parts.grid import Grid
from toolkit.updates import OPERATORS

_STYLE: Final = (ASSETS / "lab.css").read_text(encoding="utf-8")
_OWN: Final = "(your own)"
_PAGE: Final = 10


class OperatorLab(Form):
    """A form to learn the operators with: a profile, a message, and what it does.

    On the left is a profile as JSON, in the middle a message, composed by form or typed,
    right the profile afterwards with its differences and the rules that applied.
    Messages come one by one or as a list to step through. With *Predict first* the
    result stays hidden until you have typed what you expect.

    Nothing is stored: the lab has a profile of its own.

    Parameters
    ----------
    preset
        The case to begin with, such as ``"$set of null"``; the first by default.
    predict
        Whether to begin with *Predict first* on.

    Raises
    ------
    ArgumentError
        If there is no such case; the message lists those there are.

    Attributes
    ----------
    state
        All of it without the page: :class:`~toolkit.forms.lab.state.OperatorLabState`.

    Examples
    --------
    >>> lab = OperatorLab("$union after duplicates")
    >>> lab.state.go(2)
    >>> lab.state.trial.before, lab.state.trial.after
    ({'tags': ['vip', 'vip']}, {'tags': ['vip', 'new']})
    >>> lab.state.trial.rules
    ['UNION-1', 'SEEN-1']
    """

    def __init__(self, preset: str = "", *, predict: bool = False) -> None:
        self.state = OperatorLabState(preset)
        self.state.predict = check_flag("predict", predict, ArgumentError)
        self._drawing = False
        style = parts.style(_STYLE)
        columns = guarded.Box([self._left(), self._middle(), self._right()])
        columns.add_class("tk-lab-columns")
        super().__init__(
            "Operator lab",
            [
                style,
                parts.heading("Operator lab"),
                *self._top(),
                *self._stepping(),
                columns,
                self._list(),
            ],
            on_escape=self.state.cancel,
        )
        # What else changes does so on the way to one of these.
        self.state.observe(self._draw, ["changes", "note", "load_error", "guess_error"])
        self._draw()

    def __repr__(self) -> str:
        state = self.state
        what = state.preset or "messages of your own"
        return f"<OperatorLab: {what}, message {state.position + 1} of {len(state.texts)}>"

    # The layout

    def _top(self) -> list[guarded.Widget]:
        self._case = parts.dropdown("Case", [_OWN, *PRESETS], _OWN, width="360px")
        self._case.style.description_width = "auto"
        self._case.observe(self._choose, "value")
        self._question = parts.block()
        self._score = parts.block()
        self._predict = parts.checkbox("Predict first")
        link((self.state, "predict"), (self._predict, "value"))
        self._again = parts.button("Start score again", self.state.reset_score, kind="plain")
        self._pasted = parts.long_text(
            "Messages: a JSON list, or one message per line", place="hidden", rows=6,
            placeholder='{"$distinct_id": "ann", "$append": {"seen": "Tent"}}',
        )  # fmt: skip
        self._paste_error = parts.FieldError(self._pasted)
        self._paste = Form(
            "Messages to load",
            [
                parts.hint(
                    "Paste a JSON list, or JSON Lines: one message per line. The profile stays."
                ),
                self._pasted,
                self._paste_error,
                parts.row(
                    parts.button("Load", self._load, kind="primary"),
                    parts.button("Cancel", self._close_paste),
                ),
            ],
            on_enter=self._load,
            on_escape=self._close_paste,
        )
        self._paste.layout.display = "none"
        return [
            parts.row(
                self._case,
                parts.button("Sample list", self.state.load_sample, tooltip="14 messages to step"),
                parts.button("Paste messages…", self._open_paste),
            ),
            parts.row(self._predict, self._score, self._again),
            self._paste,
            self._question,
        ]

    def _stepping(self) -> list[guarded.Widget]:
        self._back = parts.button("‹ Back", self.state.back, tooltip="The message before")
        self._next = parts.button("Next ›", self.state.next, tooltip="The next message")
        self._where = parts.block()
        self._drop = parts.button("Remove message", self.state.drop_message, kind="plain")
        self._note = parts.Note()
        return [
            parts.row(
                self._back,
                self._where,
                self._next,
                parts.button("Add message", self.state.add_message, kind="plain"),
                self._drop,
            ),
            self._note,
        ]

    def _left(self) -> guarded.Widget:
        self._before_title = parts.block()
        self._profile = self._bound(
            parts.long_text("Profile as JSON", place="hidden", rows=9), "profile_text"
        )
        self._profile_error = parts.FieldError(self._profile)
        self._updated = self._bound(
            parts.text("Updated at", width="100%", placeholder="never"), "updated_at"
        )
        self._updated_error = parts.FieldError(self._updated)
        self._arrival = self._bound(parts.text("Arrives at", width="100%"), "arrival")
        self._arrival_error = parts.FieldError(self._arrival)
        self._start = parts.column(
            self._profile,
            self._profile_error,
            parts.hint("null means that there is no profile."),
            self._updated,
            self._updated_error,
            self._arrival,
            self._arrival_error,
        )
        self._before = parts.block()
        return parts.column(self._before_title, self._start, self._before)

    def _middle(self) -> guarded.Widget:
        self._id = parts.text("Distinct ID", width="100%")
        self._time = parts.text("$time", width="100%", placeholder="none: when it arrives")
        self._ignore = parts.checkbox("$ignore_time")
        self._add = parts.button(
            "Add property", self.state.add_row, tooltip="One more property in this message"
        )
        self._rows: list[_RowView] = []
        self._row_box = parts.column()
        self._fields = parts.column(
            self._id,
            self._row_box,
            parts.row(self._add),
            self._time,
            self._ignore,
        )
        self._refusal = parts.Note()
        for field, name in ((self._id, "id"), (self._time, "time"), (self._ignore, "ignore_time")):
            field.observe(lambda change, name=name: self._edit(name, change["new"]), "value")
        self._message = self._bound(
            parts.long_text("Message as JSON", place="hidden", rows=7), "message_text"
        )
        self._message_error = parts.FieldError(self._message)
        column = parts.column(
            parts.subheading("Message"),
            self._fields,
            parts.hint("The same as JSON. Type in either."),
            self._message,
            self._message_error,
            self._refusal,
        )
        column.add_class("tk-lab-message")
        return column

    def _right(self) -> guarded.Widget:
        self._guess = self._bound(
            parts.long_text(
                "Your guess as JSON", place="hidden", rows=7,
                placeholder="The profile you expect, as JSON; null for none",
            ),
            "guess_text",
        )  # fmt: skip
        self._guess_error = parts.FieldError(self._guess)
        options = [("leave out", ""), ("moves", "moves"), ("stays", "stays")]
        self._guess_seen = self._bound(
            parts.dropdown("Updated at", options, "", width="240px"), "guess_seen"
        )
        self._guessing = Form(
            "Your guess",
            [
                parts.hint("What will the profile be? Ctrl+Enter checks."),
                self._guess,
                self._guess_error,
                self._guess_seen,
                parts.row(
                    parts.button("Check", self.state.guess, kind="primary"),
                    parts.button("Show me", self.state.show, tooltip="See the result; no point"),
                    parts.button("Start from Before", self.state.copy_before, kind="plain"),
                ),
            ],
            on_enter=self.state.guess,
        )
        self._mark = parts.Note()
        self._result = parts.block()
        return parts.column(
            parts.subheading("Afterwards"), self._guessing, self._mark, self._result
        )

    def _list(self) -> guarded.Widget:
        self._grid = Grid(
            label="Messages", noun="message", nouns="messages", page_size=_PAGE,
            on_open=lambda id: self.state.go(int(id)), on_page=self._show_page,
        )  # fmt: skip
        self._list_box = parts.column(parts.subheading("All messages"), self._grid)
        return self._list_box

    def _bound(self, field: Any, trait: str) -> Any:
        """Return the field, tied to a trait of the state."""
        link((self.state, trait), (field, "value"))
        return field

    # What people do

    def _choose(self, change: Mapping[str, Any]) -> None:
        if not self._drawing and change["new"] != _OWN:
            self.state.load_preset(change["new"])

    def _edit(self, name: str, value: Any) -> None:
        if not self._drawing:
            self.state.edit(**{name: value})

    def _edit_row(self, place: int, name: str, value: str) -> None:
        if not self._drawing:
            self.state.edit_row(place, **{name: value})

    def _open_paste(self) -> None:
        self._paste.layout.display = ""

    def _close_paste(self) -> None:
        self._paste.layout.display = "none"
        self.state.load_error = ""

    def _load(self) -> None:
        self.state.load_messages(self._pasted.value)
        if not self.state.load_error:
            self._close_paste()

    def _show_page(self, page: int) -> None:
        steps = self.state.steps
        first = page * _PAGE
        self._grid.show(
            [
                {"key": "number", "label": "No.", "number": True, "width": "40px"},
                {"key": "id", "label": "Distinct ID"},
                {"key": "operators", "label": "Operators"},
                {"key": "verdict", "label": "What became of it"},
            ],
            [
                {
                    "id": str(place),
                    "cells": [str(place + 1), who, what, lab_view.SHORT_VERDICTS.get(verdict, "?")],
                    "kind": "selected" if place == self.state.position else "",
                }
                for place, (who, what, verdict) in enumerate(steps)
                if first <= place < first + _PAGE
            ],
            total=len(steps),
            page=page,
        )

    # What they see

    def _draw(self, _: object = None) -> None:
        """Show the state; a change of a field on the way is not an edit."""
        if self._drawing or self.state.busy:
            return
        self._drawing = True
        try:
            self._draw_top()
            self._draw_left()
            self._draw_middle()
            self._draw_right()
            self._list_box.layout.display = "" if len(self.state.texts) > 1 else "none"
            if len(self.state.texts) > 1:
                self._show_page(self.state.position // _PAGE)
        finally:
            self._drawing = False

    def _draw_top(self) -> None:
        state = self.state
        self._case.value = state.preset or _OWN
        question = Html('<p class="tk-lab-question">{}</p>' if state.question else "")
        self._question.value = question.format(state.question)
        score = Html('<span class="tk-lab-score">{} of {} right</span>' if state.asked else "")
        self._score.value = score.format(state.right, state.asked)
        self._again.layout.display = "" if state.asked else "none"
        self._paste_error.show(state.load_error)
        many, at = len(state.texts), state.position
        self._where.value = f"Message {at + 1} of {many:,}"
        self._back.disabled, self._next.disabled = at == 0, at == many - 1
        self._drop.layout.display = "" if many > 1 else "none"
        self._note.show(state.note, "warning")

    def _draw_left(self) -> None:
        state = self.state
        key, name = state.address
        whose = f"Before: {key} {name}" if key else f"Before: {name}"
        self._before_title.value = parts.subheading(whose).value
        is_first = state.position == 0
        self._start.layout.display = "" if is_first else "none"
        self._before.value = "" if is_first else _before(state)
        self._profile_error.show(state.profile_error)
        self._updated_error.show(state.updated_at_error)
        self._arrival_error.show(state.arrival_error)
        self._profile.rows = _height(state.profile_text)

    def _draw_middle(self) -> None:
        state = self.state
        shown = state.parts
        self._message_error.show(state.message_error)
        self._message.rows = _height(state.message_text)
        self._refusal.show("" if state.message_error else shown.refusal)
        is_stale = bool(shown.refusal or state.message_error)
        # Under the hands of somebody who types below, the form stays where it is.
        self._fields.layout.display = "none" if is_stale and not state.typed else ""
        (self._fields.add_class if is_stale else self._fields.remove_class)("tk-lab-stale")
        for field in (self._id, self._time, self._ignore, self._add):
            field.disabled = is_stale
        for view in self._rows:
            view.enable(not is_stale)
        if is_stale:
            return
        self._id.value, self._time.value = shown.id, shown.time
        self._id.description = "Group ID" if state.address[0] else "Distinct ID"
        self._ignore.value = shown.ignore_time
        while len(self._rows) < len(shown.rows):
            self._rows.append(_RowView(len(self._rows), self._edit_row, self.state.drop_row))
        errors = [*state.row_errors, *[""] * len(shown.rows)]
        for view, row, error in zip(self._rows, shown.rows, errors, strict=False):
            view.show(row, error)
        views = tuple(view.box for view in self._rows[: len(shown.rows)])
        if self._row_box.children != views:
            self._row_box.children = views

    def _draw_right(self) -> None:
        state = self.state
        is_asking = state.predict and not state.waiting
        self._guessing.layout.display = "" if is_asking else "none"
        self._guess_error.show(state.guess_error)
        self._mark.show(*_mark(state.mark, state.misses))
        if state.waiting:
            self._result.value = parts.empty_html(state.waiting)
        elif state.trial is None:
            self._result.value = parts.empty_html("Hidden until you have guessed.")
        else:
            self._result.value = lab_view.result(state.trial)


class _RowView:
    """One property of the message: operator, name, value."""

    def __init__(self, place: int, edit: Any, drop: Any) -> None:
        self.operator = parts.dropdown(
            f"Operator {place + 1}", list(OPERATORS), "$set", place="hidden", width="92px"
        )
        self.name = parts.text(
            f"Property {place + 1}", place="hidden", placeholder="property", width="70px"
        )
        self.value = parts.text(f"Value {place + 1}", place="hidden", width="70px")
        self.name.add_class("tk-grow")
        self.value.add_class("tk-grow")
        self.value.add_class("tk-mono")
        self.value.add_class("tk-lab-value")
        # Its cross is drawn by the stylesheet: the tooltip is what it is called.
        self._drop = parts.button(
            "", lambda: drop(place), kind="plain", tooltip=f"Remove property {place + 1}"
        )
        self._drop.add_class("tk-lab-drop")
        self._error = parts.FieldError()
        for field, name in (
            (self.operator, "operator"),
            (self.name, "name"),
            (self.value, "value"),
        ):
            field.observe(lambda change, name=name: edit(place, name, change["new"]), "value")
        line = parts.row(self.operator, self.name, self.value, self._drop)
        line.add_class("tk-lab-row")
        self.box = parts.column(line, self._error)

    def enable(self, on: bool) -> None:
        """Let the row be edited, or not."""
        for field in (self.operator, self.name, self.value, self._drop):
            field.disabled = not on

    def show(self, row: MessageRow, error: str) -> None:
        """Show a row, and what is wrong with it."""
        self.operator.value, self.name.value, self.value.value = row
        self.name.layout.display = "" if row.takes_property else "none"
        self.value.layout.display = "" if row.takes_value else "none"
        self.value.placeholder = value_hint(row.operator)
        self._error.show(error)


def _before(state: OperatorLabState) -> Html:
    seen = Html('<p class="tk-lab-seen">Updated at {}</p>' if state.before is not None else "")
    return (
        lab_view.profile_before(state.before)
        + seen.format(lab_view.moment(state.before_seen))
        + parts.hint_html("What the messages before led to. To change it, go back to 1.")
    )


def _mark(mark: str, misses: Iterable[str]) -> tuple[str, parts.Kind]:
    if mark == "right":
        return "✓ Right.", "success"
    if mark == "wrong":
        return "\n".join(["✗ Not quite.", *misses]), "error"
    if mark == "shown":
        return "Shown without a guess.", "info"
    return "", "info"


def _height(text: str) -> int:
    """Return how many rows a field needs to show a text without being huge."""
    return min(max(text.count("\n") + 2, 6), 18)
