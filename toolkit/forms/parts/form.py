"""The root of every form: its look, its keys, the theme of the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from IPython.display import display
from traitlets import Bool, List, Unicode

from toolkit.base import NO_MATHS
from toolkit.forms.parts import guarded, parts as form_parts
from toolkit.forms.parts.failure import Failure
from toolkit.forms.parts.failure_note import FailureNote
from toolkit.forms.parts.still import charts, still

ASSETS: Final = guarded.ASSETS
_STYLE: Final = (ASSETS / "form.css").read_text(encoding="utf-8")

_display: Final[Callable[..., Any]] = display  # which has no types
#: What a key does.
Action = Callable[[], None]


class Surroundings(guarded.AnyWidget):
    """What a form knows of the page around it.

    Attributes
    ----------
    name
        What assistive technology calls the form.
    listens
        The keys that do something, such as ``"Enter"``.
    dark
        Whether the page is dark.
    """

    _esm = (ASSETS / "surroundings.js").read_text(encoding="utf-8")
    name = Unicode("").tag(sync=True)
    listens = List(Unicode()).tag(sync=True)
    dark = Bool(False).tag(sync=True)

    def __init__(self, name: str, actions: Mapping[str, Action]) -> None:
        super().__init__(name=name, listens=list(actions))
        self._actions = dict(actions)
        self.on_msg(self._take)

    def _take(self, _: object, content: dict[str, Any], __: object) -> None:
        if content.get("type") == "ping":
            self.send({"type": "pong", "number": content.get("number")})
        elif content.get("type") == "key":
            action = self._actions.get(str(content.get("key")))
            if action is not None:
                action()


class Form(guarded.VBox):
    """A form: parts one below the other, with the look and the keys all forms share.

    Parameters
    ----------
    name
        What assistive technology calls it.
    parts
        Widgets, from top to bottom.
    on_enter, on_escape
        What these keys do, pressed in a field. Enter in a long text is a new line;
        with Ctrl it counts there too.
    """

    def __init__(
        self,
        name: str,
        parts: Sequence[guarded.Widget] = (),
        *,
        on_enter: Action | None = None,
        on_escape: Action | None = None,
    ) -> None:
        actions = {"Enter": on_enter, "Escape": on_escape}
        self.surroundings = Surroundings(name, {key: do for key, do in actions.items() if do})
        self._failure = FailureNote()
        self._fixed = (form_parts.style(_STYLE), self.surroundings, self._failure)
        super().__init__([*self._fixed, *parts])
        for kind in ("tk-form", *NO_MATHS):
            self.add_class(kind)

    def show(self, parts: Sequence[guarded.Widget]) -> None:
        """Put other parts in place of those there are."""
        self.children = (*self._fixed, *parts)

    def fail(self, failure: Failure) -> bool:
        """Show what failed in a callback of one of the parts."""
        if self._failure.show(failure):
            self.surroundings.send({"type": "failed"})
        return True

    def _ipython_display_(self) -> None:
        """Show the form, and leave in the notebook what can be read without a kernel.

        In an output of its own: of one output a page shows the form or nothing.
        """
        from toolkit.forms.parts.still import HERE  # it knows the parts, which know this

        saved: Any = _display(self._saved(), raw=True, display_id=True)
        live = self._repr_mimebundle_() or {}
        _display({**live, "text/html": HERE, "text/plain": ""}, raw=True)
        for chart in charts(self):
            # A report is there some time after its form; without a page there is no handle.
            if saved is not None:
                chart.observe(lambda _: saved.update(self._saved(), raw=True), "png")

    def _saved(self) -> dict[str, str]:
        return {"text/html": still(self, self.surroundings.name), "text/plain": repr(self)}

    def __repr__(self) -> str:
        # That of ipywidgets would list the whole form.
        return f"<{type(self).__name__}: a form, shown in JupyterLab>"

    @property
    def dark(self) -> bool:
        """Whether the page is dark; watch it with ``form.surroundings.observe(…, "dark")``."""
        return bool(self.surroundings.dark)
