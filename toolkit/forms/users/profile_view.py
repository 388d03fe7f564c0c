"""The page of one user: card, properties now and then, and what the user did."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Any

from toolkit.base import Html
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
        self._card.value = Html('{}<p class="tk-hint">{}</p>').format(page.card, page.facts)
        self._note.show(page.note)
        last = len(page.moments)
        with self.slider.hold_trait_notifications():
            self.slider.max = max(last, 1)
            self.slider.value = page.moment if last else 1
        self.slider.disabled = not last
        self._when.value = Html("<span>{}</span>").format(page.when)
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
            self._history.value = parts.hint_html(hint if page.properties else "")
            return
        row = next((each for each in page.properties if each.name == page.opened), None)
        label = row.label if row else page.opened
        value = Html()
        if row and row.value:
            value = Html('<pre class="tk-json">{}</pre>').format(row.value)
        self._history.value = Html(
            '{}{}<div class="tk-scroll" tabindex="0"><table class="tk-plain-table">'
            "<thead><tr><th>When (UTC)</th><th>What</th><th>From</th></tr></thead>"
            "<tbody>{}</tbody></table></div>"
        ).format(
            parts.subheading_html(f"History of {label}"),
            value,
            Html().join(map(_change, page.changes)),
        )


def _property_row(row: PagePropertyRow, is_past: bool) -> GridRow:
    value = '""' if row.type == "text" and not row.value else row.value
    about = row.since if is_past else row.type
    return {"id": row.name, "cells": [row.label, value or None, about or None]}


def _change(row: ChangeRow) -> Html:
    values = []
    if row.old:
        values.append(Html('<span class="tk-removed">{}</span>').format(row.old))
    if row.new:
        values.append(Html('<span class="tk-added">{}</span>').format(row.new))
    return Html("<tr><td>{}</td><td>{} {}</td><td>{}</td></tr>").format(
        row.time, row.operator, Html(" → ").join(values), row.origin
    )


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
            self._list.value = parts.empty_html(why)
            return
        days = Html().join(
            Html('<div class="tk-users-day">{}</div><ol class="tk-users-feed">{}</ol>').format(
                day, Html().join(map(_event, events))
            )
            for day, events in groupby(page.events, key=lambda event: event.time[:10])
        )
        shown = f"{len(page.events):,} of {page.event_count:,} events"
        self._list.value = days + parts.hint_html(shown)


def _event(event: EventRow) -> Html:
    what = " · ".join(f"{name}: {value}" for name, value in event.properties)
    return Html(
        '<li><span class="tk-users-event">{}</span>'
        '<span class="tk-users-time">{}</span>'
        '<div class="tk-users-what">{}</div></li>'
    ).format(event.name, event.time[11:], what)
