"""Code to copy into a cell."""

from __future__ import annotations

from traitlets import Unicode

from toolkit.forms.parts import guarded
from toolkit.forms.parts.guarded import ASSETS


class Code(guarded.AnyWidget):
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
