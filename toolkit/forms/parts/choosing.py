"""Fields to choose from a list, short or long, one value or several."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from toolkit.forms.parts import guarded, parts

# None is a value like any other here; to ipywidgets it means that nothing is selected.
_NOTHING: Final = ("nothing",)
# A longer list is typed into rather than scrolled through.
_MOST_SCROLLED: Final = 100


class Chooser:
    """One choice of several: a list to drop down, or a line to type in if it is long.

    Parameters
    ----------
    label
        The label.
    options
        What a person reads, by value.
    value
        The value at first.
    on_pick
        Called with the value that a person chose. Text typed that is not an option is
        passed on as it is.
    place, width
        As for the parts.
    """

    def __init__(
        self,
        label: str,
        options: Mapping[Any, str],
        value: Any,
        on_pick: Callable[[Any], None],
        *,
        place: parts.LabelPlace = "beside",
        width: str | None = None,
        placeholder: str = "",
    ) -> None:
        self._options = dict(options)
        self._on_pick = on_pick
        self._is_quiet = False
        self._is_typed = len(options) > _MOST_SCROLLED
        if self._is_typed:
            self.widget: Any = parts.combobox(
                label, place=place, width=width, placeholder=placeholder
            )
            self.widget.continuous_update = False
        else:
            self.widget = parts.dropdown(label, [], place=place, width=width)
        self.widget.observe(lambda _: self._picked(), "value")
        self.show(value)

    def show(self, value: Any, options: Mapping[Any, str] | None = None) -> None:
        """Put a value in view, and other options to choose from if there are any."""
        if options is not None:
            self._options = dict(options)
        self._is_quiet = True
        try:
            if self._is_typed:
                self.widget.options = tuple(self._options.values())
                self.widget.value = self._options.get(value, str(value))
            else:
                options = self._options
                if value not in options:  # it stays to be seen, and to be corrected
                    options = {value: str(value), **options}
                pairs = tuple((text, _as_option(each)) for each, text in options.items())
                if self.widget.options != pairs:
                    self.widget.options = pairs
                self.widget.value = _as_option(value)
        finally:
            self._is_quiet = False

    def _picked(self) -> None:
        if self._is_quiet:
            return
        value = self.widget.value
        if self._is_typed:
            by_text = {text: each for each, text in self._options.items()}
            value = by_text.get(value, value)
        self._on_pick(None if value == _NOTHING else value)


def _as_option(value: Any) -> Any:
    return _NOTHING if value is None else value


class Choice(Protocol):
    """One thing to choose: what is on the page, and a way to put a value there."""

    widget: Any

    def show(self, value: Any) -> None:
        """Put a value in view."""


class Choosers(guarded.Box):
    """Several choices one below the other, with a place for one more until there are enough.

    Parameters
    ----------
    label
        The label; each further one is numbered.
    make
        Returns a further choice, of its label and what to call with the value picked;
        ``""`` is not a choice.
    on_pick
        Called with the list of what was chosen.
    most
        How many may be chosen.
    """

    def __init__(
        self,
        label: str,
        make: Callable[[str, Callable[[Any], None]], Choice],
        values: Sequence[Any],
        on_pick: Callable[[list[Any]], None],
        *,
        most: int,
    ) -> None:
        super().__init__()
        self.add_class("tk-column")
        self._label, self._make, self._on_pick = label, make, on_pick
        self._most = most
        self._choosers: list[Choice] = []
        self.show(values)

    def show(self, values: Sequence[Any]) -> None:
        """Put chosen values in view."""
        self._values = [value for value in values if value != ""]
        wanted = min(len(self._values) + 1, self._most)
        while len(self._choosers) < wanted:
            at = len(self._choosers)
            label = f"{self._label} {at + 1}" if at else self._label
            self._choosers.append(
                self._make(
                    label,
                    lambda value, at=at: self._picked(at, value),  # type: ignore[misc]
                )
            )
        del self._choosers[wanted:]
        for chooser, value in zip(self._choosers, [*self._values, ""], strict=False):
            chooser.show(value)
        self.children = tuple(chooser.widget for chooser in self._choosers)

    def _picked(self, at: int, value: Any) -> None:
        values = [*self._values, ""]
        values[at] = value
        self._on_pick([each for each in values if each != ""])
