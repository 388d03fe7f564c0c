"""The page of one user: card, properties now and then, and what the user did."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from toolkit.base import Html, escape
from toolkit.forms.parts import guarded, parts
from toolkit.forms.parts.grid import Grid, GridRow
from toolkit.forms.users.profile import ChangeRow, EventRow, PagePropertyRow, ProfilePage


class UserPage(guarded.Box):
    """A page of one user, bound to its state.

    Parameters
    ----------
    page
        What to show.
    on_back, on_edit
        What the buttons of the same names do.
    """

    def __init__(
        self, page: ProfilePage, on_back: Callable[[], None], on_edit: Callable[[], None]
    ) -> None:
        self.page = page
        self._card = parts.block()
        self._note = parts.Note()
        self.slider = guarded.IntSlider(
            description="As it was", readout=False, style={"description_width": "70px"},
            layout={"width": "300px"}, tooltip="Move the slider to see the profile as it was",
        )  # fmt: skip
        self.slider.add_class("tk-users-slider")
        self._when = parts.block()
        self._when.add_class("tk-users-when")
        self._now = parts.button("Now", self._back_to_now, kind="plain")
        self.grid = Grid(
            label="Properties",
            page_size=10_000,
            noun="property",
            nouns="properties",
            empty="No properties.",
            on_open=self._open,
        )
        self._history = parts.block()
        properties = parts.column(
            parts.subheading("Properties"),
            parts.row(self.slider, self._when, self._now),
            self.grid,
            self._history,
        )
        super().__init__(
            [
                parts.row(
                    parts.button("‹ Back to the list", on_back),
                    parts.button("Edit", on_edit, kind="primary"),
                ),
                self._card,
                self._note,
                self._body(properties),
            ]
        )
        self.add_class("tk-column")
        self.slider.observe(self._moved, "value")
        page.observe(
            lambda _: self._draw(),
            ["properties", "note", "title", "updated_at", "moments", "when"],
        )
        page.observe(lambda _: self._draw_history(), ["opened", "changes"])
        self._draw()
        self._draw_history()

    def _body(self, properties: guarded.Widget) -> guarded.Widget:
        both = guarded.Box([properties])
        both.add_class("tk-users-page")
        if self.page.has_events:
            self.feed = _Feed(self.page)
            both.children = (properties, self.feed)
        return both

    def _moved(self, change: Any) -> None:
        self.page.moment = change["new"]

    def _back_to_now(self) -> None:
        self.page.moment = len(self.page.moments)

    def _open(self, name: str) -> None:
        if self.page.opened == name:
            self.page.close()
        else:
            self.page.open(name)

    def _draw(self) -> None:
        page = self.page
        self._card.value = Html(f'{page.card}<p class="tk-hint">{escape(page.facts)}</p>')
        self._note.show(page.note)
        last = len(page.moments)
        with self.slider.hold_trait_notifications():
            self.slider.max = max(last, 1)
            self.slider.value = page.moment if last else 1
        self.slider.disabled = not last
        self._when.value = Html(f"<span>{escape(page.when)}</span>")
        self._now.layout.display = "none" if page.moment >= last else ""
        is_past = page.moment < last
        labels = ["Property", "Value", "Since then" if is_past else "Type"]
        self.grid.show(
            [{"key": label, "label": label} for label in labels],
            [_property_row(row, is_past) for row in page.properties],
        )
        self.grid.empty = "No properties." if page.existed else "No profile."

    def _draw_history(self) -> None:
        page = self.page
        if not page.opened:
            hint = "Click a property to see its whole value and its history."
            self._history.value = Html(
                f'<p class="tk-hint">{escape(hint)}</p>' if page.properties else ""
            )
            return
        row = next((each for each in page.properties if each.name == page.opened), None)
        label = row.label if row else page.opened
        value = ""
        if row and row.value:
            value = f'<pre class="tk-json">{escape(row.value)}</pre>'
        rows = "".join(map(_change, page.changes))
        head = "<thead><tr><th>When (UTC)</th><th>What</th><th>From</th></tr></thead>"
        self._history.value = Html(
            f'<div class="tk-subheading" role="heading" aria-level="3">History of '
            f"{escape(label)}</div>{value}"
            f'<div class="tk-scroll" tabindex="0"><table class="tk-plain-table">{head}'
            f"<tbody>{rows}</tbody></table></div>"
        )


def _property_row(row: PagePropertyRow, is_past: bool) -> GridRow:
    value = '""' if row.type == "text" and not row.value else row.value
    about = row.since if is_past else row.type
    return {"id": row.name, "cells": [row.label, value or None, about or None]}


def _change(row: ChangeRow) -> Html:
    parts_ = []
    if row.old:
        parts_.append(f'<span class="tk-removed">{escape(row.old)}</span>')
    if row.new:
        parts_.append(f'<span class="tk-added">{escape(row.new)}</span>')
    what = f"{escape(row.operator)} {' → '.join(parts_)}"
    return Html(f"<tr><td>{escape(row.time)}</td><td>{what}</td><td>{escape(row.origin)}</td></tr>")


class _Feed(guarded.Box):
    """What a user did, newest first."""

    def __init__(self, page: ProfilePage) -> None:
        self.page = page
        self.day = parts.dropdown(
            "Day", [("All days", ""), *((day, day) for day in page.days)], "",
            place="hidden", width="150px",
        )  # fmt: skip
        self._choices = parts.row()
        self._list = parts.block()
        self._more = parts.button("Show more", page.show_more)
        super().__init__(
            [
                parts.subheading("Activity"),
                self._choices,
                self._list,
                self._more,
            ]
        )
        self.add_class("tk-column")
        self.day.observe(self._day_changed, "value")
        page.observe(lambda _: self._draw(), ["events", "event_count", "hidden"])
        page.observe(lambda _: self._draw_names(), "hidden")
        self._draw_names()
        self._draw()

    def _day_changed(self, change: Any) -> None:
        self.page.day = change["new"]

    def _hide_changed(self, change: Any) -> None:
        if change["new"]:
            self.page.hide(change["new"])

    def _draw_names(self) -> None:
        page = self.page
        left = [
            (f"{name} ({n:,})", name) for name, n in page.event_names if name not in page.hidden
        ]
        # A field of its own each time: a choice comes as a place in the list it knew.
        hide = parts.dropdown(
            "Hide an event", [("Hide …", ""), *left], "", place="hidden", width="190px"
        )
        hide.observe(self._hide_changed, "value")

        def shows(name: str) -> Callable[[], None]:
            return lambda: page.unhide(name)

        hidden = [parts.button(f"Show {name}", shows(name), kind="plain") for name in page.hidden]
        self._choices.children = (self.day, hide, *hidden)

    def _draw(self) -> None:
        page = self.page
        self._more.layout.display = "" if page.event_count > len(page.events) else "none"
        if not page.events:
            why = "No events." if not page.event_names else "No such events; choose another day."
            self._list.value = Html(f'<div class="tk-empty">{escape(why)}</div>')
            return
        told, day = "", ""
        for event in page.events:
            if event.time[:10] != day:
                told += "</ol>" if day else ""
                day = event.time[:10]
                told += f'<div class="tk-users-day">{escape(day)}</div><ol class="tk-users-feed">'
            told += _event(event)
        shown = f"{len(page.events):,} of {page.event_count:,} events"
        self._list.value = Html(f'{told}</ol><p class="tk-hint">{escape(shown)}</p>')


def _event(event: EventRow) -> Html:
    what = " · ".join(f"{name}: {value}" for name, value in event.properties)
    return Html(
        f'<li><span class="tk-users-event">{escape(event.name)}</span>'
        f'<span class="tk-users-time">{escape(event.time[11:])}</span>'
        f'<div class="tk-users-what">{escape(what)}</div></li>'
    )
