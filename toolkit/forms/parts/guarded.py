"""The widgets that forms are made of: what fails in a callback of one is shown in its form.

ipywidgets writes the exception of a callback to a log that nobody reads. These widgets
are the only ones in the forms, and the only way to have something done when somebody
uses a form; so no callback can do without the guard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import anywidget
import ipywidgets
from ipywidgets.widgets.trait_types import InstanceDict
from traitlets import Unicode, observe

from toolkit.base import Html
from toolkit.forms.parts.failure import Failure

ASSETS: Final = Path(__file__).parent / "assets"

#: Any widget, for annotations.
Widget = ipywidgets.Widget
#: Any widget with a value, for annotations.
ValueWidget = ipywidgets.ValueWidget


class Deferred(ipywidgets.Widget):
    """A widget that is sent to the page when it is shown, alone or as part of another.

    ipywidgets sends a widget as soon as it exists, and each change from then on, so that
    a form of a hundred widgets costs hundreds of messages before anybody sees it. This
    one is sent once, in the state in which it is shown.
    """

    _is_closed = False

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._is_built = False
        super().__init__(*arguments, **options)
        self._is_built = True

    def open(self) -> None:
        """Send the widget to the page, unless it is being built or was closed."""
        if self._is_built and not self._is_closed:
            super().open()

    def close(self) -> None:
        """Take the widget from the page for good."""
        self._is_closed = True
        super().close()

    @property
    def model_id(self) -> str:
        """The name of the widget on the page. Only what is about to be shown needs one."""
        self.open()
        return str(super().model_id)

    def _repr_mimebundle_(self, **options: Any) -> Any:
        self.open()
        return super()._repr_mimebundle_(**options)


class _Layout(Deferred, ipywidgets.Layout):
    """Where a widget is put."""


class Guarded(Deferred):
    """A widget with a guard around all that the page can set off.

    The page sends changes of traits, which call whoever observes them, and messages.
    Code that changes a trait of a widget or a state gets the exception itself.
    """

    layout = InstanceDict(_Layout).tag(sync=True, **ipywidgets.widget_serialization)

    _holder: Guarded | None = None

    @observe("children")
    def _hold(self, change: Any) -> None:
        """Let the parts know what they are in; one taken out still knows where it was."""
        for part in change["new"]:
            if isinstance(part, Guarded):
                part._holder = self

    def fail(self, failure: Failure) -> bool:
        """Show what failed in the form around; return whether there is one."""
        return self._holder is not None and self._holder.fail(failure)

    @contextmanager
    def guard(self, doing: str = "") -> Iterator[None]:
        """Tell the form what fails inside; outside a form it is raised.

        Parameters
        ----------
        doing
            What is done, by default what the widget is called.
        """
        try:
            yield
        except Exception as error:
            if not self.fail(Failure.of(error, doing or self._called())):
                raise

    def _called(self) -> str:
        names = (getattr(self, each, "") for each in ("description", "tooltip", "label", "name"))
        called = (name for name in names if isinstance(name, str) and name)
        return next(called, type(self).__name__)

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take changes of traits from the page."""
        with self.guard():
            super().set_state(sync_data)

    def on_msg(self, callback: Callable[..., Any], remove: bool = False) -> None:
        """Call *callback* with messages from the page."""
        super().on_msg(_Callback(self, callback), remove)


@dataclass(frozen=True)
class _Callback:
    """A callback with the guard around it; equal to another of the same."""

    widget: Guarded
    callback: Callable[..., Any]

    def __call__(self, *arguments: Any) -> None:
        with self.widget.guard(self._doing(*arguments)):
            self.callback(*arguments)

    def _doing(self, _: object, content: object = None, *__: object) -> str:
        """Return what the widget is called, and which key or kind of message it was."""
        said = content if isinstance(content, dict) else {}
        kind = said.get("key") or said.get("type")
        return ", ".join(filter(None, [self.widget._called(), kind and str(kind)[:60]]))


class AnyWidget(Guarded, anywidget.AnyWidget):
    """A widget with a view of its own."""


class Box(Guarded, ipywidgets.Box):
    """Parts in a box."""


class VBox(Box, ipywidgets.VBox):
    """Parts one below the other."""


class Tab(Guarded, ipywidgets.Tab):
    """Parts of which one is in front."""


class _Finished(Unicode[Html, Any]):
    """Finished HTML; text that is not is escaped."""

    def validate(self, obj: Any, value: Any) -> Html:
        return value if isinstance(value, Html) else Html.escape(value)


class HTML(Guarded, ipywidgets.HTML):
    """Finished HTML; text that is not is escaped."""

    value = _Finished("").tag(sync=True)


class Button(Guarded, ipywidgets.Button):
    """A button."""

    def on_click(self, callback: Callable[..., Any], remove: bool = False) -> None:
        """Call *callback* with the button when it is pressed."""
        super().on_click(_Callback(self, callback), remove)


class ToggleButton(Guarded, ipywidgets.ToggleButton):
    """A button that stays pressed."""


class Checkbox(Guarded, ipywidgets.Checkbox):
    """A tick."""


class Text(Guarded, ipywidgets.Text):
    """A line of text."""


class Textarea(Guarded, ipywidgets.Textarea):
    """Text of several lines."""


class Combobox(Guarded, ipywidgets.Combobox):
    """A line of text with proposals."""


class Dropdown(Guarded, ipywidgets.Dropdown):
    """A list of which one is chosen."""


class DatePicker(Guarded, ipywidgets.DatePicker):
    """A day."""


class TagsInput(Guarded, ipywidgets.TagsInput):
    """Several texts."""


class IntSlider(Guarded, ipywidgets.IntSlider):
    """A whole number to slide to."""
