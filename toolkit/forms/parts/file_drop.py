"""A place in a form to put a file of the user's machine."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import IO, Any, Final

from traitlets import Int, Unicode

from toolkit.forms.parts import guarded
from toolkit.forms.parts.guarded import ASSETS

#: More travels through the browser slowly; such files are better given by path.
LARGE: Final = 20_000_000


class FileDrop(guarded.AnyWidget):
    """A place to put a file: by a click, by dragging, or with the keyboard.

    The file comes piece by piece into a temporary file, so that neither the page nor
    the kernel holds it whole.

    Parameters
    ----------
    on_file
        Called with the file's name and an open binary file at its beginning, whose
        closing is the caller's.
    on_error
        Called with a reason if the file could not be read.
    label
        What is in the place.
    accept
        Which files are proposed, such as ``".csv,.txt"``.
    """

    _esm = (ASSETS / "file_drop.js").read_text(encoding="utf-8")
    _css = (ASSETS / "file_drop.css").read_text(encoding="utf-8")
    label = Unicode("").tag(sync=True)
    accept = Unicode("").tag(sync=True)
    name = Unicode("").tag(sync=True)
    size = Int(0).tag(sync=True)
    received = Int(0).tag(sync=True)

    def __init__(
        self,
        on_file: Callable[[str, IO[bytes]], None],
        on_error: Callable[[str], None] | None = None,
        *,
        label: str = "Drop a file here, or click to choose one",
        accept: str = "",
    ) -> None:
        super().__init__(label=label, accept=accept)
        self._on_file, self._on_error = on_file, on_error
        self._number = 0
        self._file: IO[bytes] | None = None
        self.on_msg(self._take)

    def _take(self, _: object, content: dict[str, Any], buffers: list[memoryview]) -> None:
        kind, number = content.get("type"), content.get("number")
        if kind == "file":
            self._begin(int(content["number"]), str(content["name"]), int(content["size"]))
        elif number != self._number or self._file is None:
            return  # of a file that another has replaced
        elif kind == "piece" and content.get("start") == self.received:
            self._file.write(buffers[0])
            self.received += len(buffers[0])
            self._ask(stopped=not len(buffers[0]))
        elif kind == "failed":
            self._fail(str(content.get("reason")))

    def _begin(self, number: int, name: str, size: int) -> None:
        self._drop()
        self._number, self._file = number, tempfile.TemporaryFile()  # noqa: SIM115 - handed on
        with self.hold_sync():
            self.name, self.size, self.received = name, size, 0
        self._ask()

    def _ask(self, stopped: bool = False) -> None:
        """Ask for the next piece, or hand the file on if this was the last."""
        if self.received < self.size:
            if stopped:
                self._fail("it ended before its size; was it changed meanwhile?")
                return
            self.send({"type": "piece", "number": self._number, "start": self.received})
            return
        assert self._file is not None
        file, self._file = self._file, None
        file.seek(0)
        self._on_file(self.name, file)

    def _fail(self, reason: str) -> None:
        self._drop()
        self.size = 0
        if self._on_error is not None:
            self._on_error(f"{self.name} could not be read: {reason}")

    def _drop(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def close(self) -> None:
        """Close the widget, and a file that is on its way."""
        self._drop()
        super().close()
