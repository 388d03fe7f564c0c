"""Code to copy into a cell."""

from __future__ import annotations

import anywidget
from traitlets import Unicode

from toolkit.widgets.form import ASSETS


class Code(anywidget.AnyWidget):
    """Code to read, with a button that copies it.

    Attributes
    ----------
    code
        The code.
    label
        What assistive technology calls it.
    """

    _esm = (ASSETS / "code.js").read_text(encoding="utf-8")
    _css = (ASSETS / "code.css").read_text(encoding="utf-8")
    code = Unicode("").tag(sync=True)
    label = Unicode("Code").tag(sync=True)
