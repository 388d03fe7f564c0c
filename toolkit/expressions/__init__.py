"""Conditions on the properties of users, events and groups, as objects and as text.

``user["plan"] == "pro"`` builds a tree, in Python or read from text; it is evaluated on
whole columns, and written back as text or Python.
"""

import lazy_loader

from toolkit.expressions import writing  # noqa: F401 - a tree anywhere can be written

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
