"""The choice of an event on the page, with what has to be true of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from toolkit.forms.parts import parts
from toolkit.forms.parts.choosing import Chooser
from toolkit.forms.parts.filter_rows import FilterRows
from toolkit.forms.parts.filter_state import FilterState
from toolkit.reports import Choices, Chosen


class EventChoice:
    """The name of an event, and a filter of its own for who wants one.

    Parameters
    ----------
    label
        The label.
    names
        What a person reads, by name; ``""`` is not an event, or any.
    raw
        What is chosen at first: a name or a :class:`~toolkit.reports.form.fields.Chosen`.
    on_pick
        Called with the name that was chosen, or a Chosen if it has a filter.
    choices
        What a filter may be of.
    tooltip
        What it is for.
    may_be_any
        Whether ``""`` is any event, which can be filtered too.
    """

    def __init__(
        self,
        label: str,
        names: Mapping[Any, str],
        raw: Any,
        on_pick: Callable[[Any], None],
        choices: Choices,
        tooltip: str = "",
        may_be_any: bool = False,
    ) -> None:
        self._label, self._names, self._on_pick = label, names, on_pick
        self._may_be_any = may_be_any
        self._event = Chosen("")
        self._is_quiet = False
        self._chooser = Chooser(label, names, "", self._picked_name, width="100%")
        self._chooser.widget.tooltip = tooltip or label
        #: What the filter of this event knows.
        self.filter = FilterState(lambda: choices)
        self.filter.on_change(self._picked_filter)
        self._add = parts.button("Filter", self._open, kind="plain", tooltip=f"Filter of {label}")
        self._drop = parts.button(
            "Without filter", self._leave, kind="plain", tooltip=f"Remove the filter of {label}"
        )
        self._rows: FilterRows | None = None
        self.widget: Any = parts.column()
        self.widget.add_class("tk-event-choice")
        self.show(raw)

    @property
    def is_open(self) -> bool:
        """Whether the filter is in view."""
        return self._rows is not None

    def show(self, value: Any) -> None:
        """Put a choice in view."""
        pick = Chosen.of(value)
        self._chooser.show(pick.event)
        before = self._event
        was_filtered = before.where is not None or not before.is_right
        if pick.where is None and pick.is_right:
            if was_filtered or pick.event != before.event:  # chosen elsewhere
                self._close()
        elif pick.where is not None and self.filter.condition is not pick.where:
            self._is_quiet = True
            self.filter.show(pick.where)
            self._is_quiet = False
            self._rows = self._made()
        self._event = pick
        self._draw()

    def _draw(self) -> None:
        shown = [self._chooser.widget]
        if self._rows is not None:
            shown.append(parts.column(self._rows, self._drop))
        elif self._event.event or self._may_be_any:
            shown.append(self._add)
        self.widget.children = tuple(shown)
        # Rows of conditions need the width of the form.
        (self.widget.add_class if self.is_open else self.widget.remove_class)("tk-is-wide")

    def _made(self) -> FilterRows:
        return self._rows or FilterRows(self.filter, f"Filter of {self._label}")

    def _open(self) -> None:
        self._rows = self._made()
        if not self.filter.rows and self.filter.mode == "rows":
            self.filter.add()
        self._draw()

    def _leave(self) -> None:
        self._close()
        self._pick(replace(self._event, where=None, is_right=True))
        self._draw()

    def _close(self) -> None:
        self._rows = None
        self._is_quiet = True
        self.filter.clear()
        self._is_quiet = False

    def _picked_name(self, name: Any) -> None:
        self._pick(replace(self._event, event=name))

    def _picked_filter(self) -> None:
        if not self._is_quiet:
            condition, is_right = self.filter.condition, self.filter.is_right
            if condition is not self._event.where or is_right != self._event.is_right:
                self._pick(replace(self._event, where=condition, is_right=is_right))

    def _pick(self, pick: Chosen) -> None:
        # Known before it is shown: what is chosen here does not close the filter.
        self._event = pick
        is_name = pick.where is None and pick.is_right and pick.step is None
        self._on_pick(pick.event if is_name else pick)
        self._draw()
