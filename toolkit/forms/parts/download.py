"""A file for the user's machine, saved by the browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from traitlets import Unicode

from toolkit.forms.parts import guarded, parts
from toolkit.forms.parts.guarded import ASSETS

_PIECE: Final = 1 << 20


class Download(guarded.AnyWidget):
    """A file the browser saves when it is offered; nothing is seen until then.

    The browser asks for it piece by piece, so that large files pass, and leaves a link
    to save it once more.
    """

    _esm = (ASSETS / "download.js").read_text(encoding="utf-8")
    #: What precedes the name of the file.
    label = Unicode("Save again:").tag(sync=True)

    def __init__(self) -> None:
        super().__init__()
        self._number = 0
        self._content = b""
        self.on_msg(self._take)

    def offer(self, name: str, content: bytes, media_type: str) -> None:
        """Have the browser save *content* under a name."""
        self._number += 1
        self._content = content
        self.send(
            {
                "type": "offer",
                "number": self._number,
                "name": name,
                "media_type": media_type,
                "size": len(content),
            }
        )

    def _take(self, _: object, asked: dict[str, Any], __: object) -> None:
        if asked.get("type") != "piece" or asked.get("number") != self._number:
            return  # of a file that another has replaced
        start = int(asked["start"])
        piece = self._content[start : start + _PIECE]
        # Kept until another is offered: the form may be on the page twice.
        self.send({"type": "piece", "number": self._number, "start": start}, buffers=[piece])


class DownloadButton(guarded.Box):
    """A button that has the browser save a file, which is made when it is pressed.

    Parameters
    ----------
    label
        What is on the button.
    name
        The file's name.
    content
        Called for its bytes.
    media_type
        What it is, such as ``"text/csv"``.
    """

    def __init__(
        self,
        label: str,
        name: str,
        content: Callable[[], bytes],
        media_type: str = "text/csv",
    ) -> None:
        self.download = Download()
        super().__init__(
            [
                parts.button(label, lambda: self.download.offer(name, content(), media_type)),
                self.download,
            ]
        )
        self.add_class("tk-row")
