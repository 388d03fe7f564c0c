"""A button in a form that saves a file on the user's machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anywidget
from traitlets import Unicode

from toolkit.widgets.form import ASSETS


class Download(anywidget.AnyWidget):
    """A button that saves a file, which is made when the button is pressed.

    Parameters
    ----------
    label
        What stands on the button.
    name
        The file's name.
    content
        Called for its bytes.
    kind
        Its media type.
    """

    _esm = (ASSETS / "download.js").read_text(encoding="utf-8")
    label = Unicode("").tag(sync=True)

    def __init__(
        self, label: str, name: str, content: Callable[[], bytes], kind: str = "text/csv"
    ) -> None:
        super().__init__(label=label)
        self.name = name
        self._content, self._kind = content, kind
        self.on_msg(self._take)

    def _take(self, _: object, content: dict[str, Any], __: object) -> None:
        if content.get("type") == "want":
            made = self._content()
            self.send({"type": "file", "name": self.name, "kind": self._kind}, buffers=[made])
