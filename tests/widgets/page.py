"""What a page does to a form, without a browser: it sends messages to the widgets in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ipywidgets
import pytest
from ipywidgets.widgets import widget as ipywidgets_widget

from toolkit.forms.parts import guarded
from toolkit.forms.parts.failure_note import FailureNote
from toolkit.forms.parts.file_drop import FileDrop
from toolkit.forms.parts.form import Surroundings
from toolkit.forms.parts.grid import Grid


def widgets(root: Any) -> Iterator[Any]:
    """Yield a widget and all that is in it."""
    yield root
    for each in getattr(root, "children", ()):
        yield from widgets(each)


def visible(root: Any) -> Iterator[Any]:
    """Yield what a person can see of a form."""
    if root.layout.display == "none":
        return
    yield root
    parts = getattr(root, "children", ())
    if isinstance(root, ipywidgets.Tab):
        parts = [parts[root.selected_index]]
    for each in parts:
        yield from visible(each)


def change(widget: Any, **state: Any) -> None:
    """Have the page change traits of a widget."""
    data = {"method": "update", "state": state, "buffer_paths": []}
    widget._handle_msg({"content": {"data": data}, "buffers": []})


def message(widget: Any, content: dict[str, Any], *buffers: bytes) -> None:
    """Have the page send a message to a widget."""
    data = {"method": "custom", "content": content}
    widget._handle_msg({"content": {"data": data}, "buffers": list(map(memoryview, buffers))})


def press(button: Any) -> None:
    """Press a button on the page."""
    message(button, {"event": "click"})


def failures(form: Any) -> list[str]:
    """Return what the form, and forms in it, show as failed: what was done, and why."""
    notes = (each for each in widgets(form) if isinstance(each, FailureNote))
    return [
        f"{each._failure.doing}: {each._failure.words}\n{each._failure.details}"
        for each in notes
        if each._failure is not None
    ]


def changes(widget: Any) -> list[dict[str, Any]]:
    """Return changes that a page can make of a widget, as it sends them."""
    now = {name: getattr(widget, name) for name in ("value", "selected") if name in widget.keys}
    return [
        each
        for each in _changes(widget)
        if not any(now.get(name, ...) == value for name, value in each.items())
    ]


def _changes(widget: Any) -> list[dict[str, Any]]:
    match widget:
        case guarded.Dropdown() | guarded.Tab():
            number = len(getattr(widget, "options", getattr(widget, "children", ())))
            name = "index" if isinstance(widget, guarded.Dropdown) else "selected_index"
            return [{name: at} for at in range(number) if at != getattr(widget, name)]
        case guarded.Checkbox() | guarded.ToggleButton():
            return [{"value": not widget.value}]
        case guarded.IntSlider():
            steps = range(widget.min, widget.max + 1)
            return [{"value": each} for each in steps if each != widget.value]
        case guarded.DatePicker():
            day = {"year": 2026, "month": 4, "date": 2}  # months count from 0
            return [{"value": day}, {"value": None}][:: 1 if widget.value is None else -1]
        case guarded.TagsInput():
            tags = list(widget.allowed_tags) or ["a", "b"]
            return [{"value": tags[:1]}, {"value": tags[1:]}, {"value": []}]
        case guarded.Combobox() | guarded.Text() | guarded.Textarea():
            options = list(getattr(widget, "options", ()))[:6]
            texts = ["", "1", "x y", "2026-03-02", "<b>&", '{"$distinct_id": "1"}', "null"]
            return [{"value": each} for each in [*options, *texts] if each != widget.value]
        case Surroundings():
            return [{"dark": not widget.dark}]
        case Grid():
            ids = [row["id"] for row in widget.rows]
            ids = ids if widget.selectable else []
            ticks = [{"selected": ids[:2]}, {"selected": ids}, {"selected": []}]
            return [each for each in ticks if each["selected"] != widget.selected]
    return []


def messages(widget: Any) -> list[dict[str, Any]]:
    """Return messages that a page can send to a widget."""
    match widget:
        case guarded.Button():
            return [] if widget.disabled else [{"event": "click"}]
        case Surroundings():
            return [{"type": "key", "key": key} for key in widget.listens]
        case Grid():
            last = max(0, (widget.total - 1) // widget.page_size)
            opened = [{"type": "open", "id": row["id"]} for row in widget.rows if widget.opens]
            heads = [column for column in widget.columns if column.get("sortable")]
            sorts = [{"type": "sort", "key": column["key"]} for column in heads]
            return [*opened, *sorts, *({"type": "page", "page": page} for page in {0, last})]
        case FileDrop():
            return []
        case guarded.AnyWidget() if hasattr(widget, "png"):
            return [{"type": "click", "x": 0.5, "y": 0.5}] if widget.png else []
    return []


@pytest.fixture
def overheard(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What ipywidgets would have written to a log that nobody reads."""
    heard: list[str] = []

    class Shell:
        def showtraceback(self) -> None:
            import traceback

            heard.append(traceback.format_exc())

    monkeypatch.setattr(ipywidgets_widget, "get_ipython", Shell)
    return heard
