"""User profiles in a notebook: edit, import, join with events, report.

>>> import toolkit as tk
>>> profiles = tk.ProfileTable()
>>> profiles.set("123", {"$name": "Alice", "plan": "pro"})
<ApplyResult: 1 applied, 1 created>
>>> profiles["123"]
{'$name': 'Alice', 'plan': 'pro'}

What it offers is listed in ``__init__.pyi``; each name is loaded when it is first used.
"""

from typing import TYPE_CHECKING

import lazy_loader

_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


if not TYPE_CHECKING:  # to a type checker a misspelt name would be any value

    def __getattr__(name):
        if name == "__version__":
            return _version()
        if name in __all__:
            return _load(name)
        from toolkit.base import did_you_mean

        hint = did_you_mean(name, __all__)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}.{hint}")


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("profile-toolkit")
    except PackageNotFoundError:  # run from a folder that is not installed
        return "0+unknown"
