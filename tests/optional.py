"""What of the tests needs packages, programs, the network or a system that is not there.

The package alone is enough to run most tests; the rest is skipped, with what is missing.
``make test`` has everything, and sets ``TESTS_ARE_WHOLE`` so that nothing is skipped
unseen.
"""

from __future__ import annotations

import os
from importlib.util import find_spec

import pytest

#: What the extra ``dev`` brings, by the names that Python imports.
PACKAGES = (
    "IPython",
    "axe_playwright_python",
    "duckdb",
    "hypothesis",
    "jupyterlab",
    "maxminddb",
    "mixpanel",
    "mmdb_writer",
    "nbconvert",
    "nbformat",
    "nbval",
    "phonenumbers",
    "playwright",
    "requests",
    "segment",
    "voila",
)
IS_WHOLE = os.environ.get("TESTS_ARE_WHOLE") == "1"


def missing(*packages: str) -> list[str]:
    """Return those of some packages that are not installed."""
    return [package for package in packages if find_spec(package) is None]


def of_unix(what: str) -> pytest.MarkDecorator:
    """Return the mark of a test of what only Unix has, in the plural."""
    return pytest.mark.skipif(os.name != "posix", reason=f"{what} are of Unix")


class Module(pytest.Module):
    """A file of tests, skipped if it imports a package of the extra that is not installed."""

    def collect(self):  # type: ignore[no-untyped-def]
        try:
            return super().collect()
        except self.CollectError as error:
            cause = error.__cause__
            name = (getattr(cause, "name", None) or "").partition(".")[0]
            if IS_WHOLE or not isinstance(cause, ModuleNotFoundError) or name not in PACKAGES:
                raise
            pytest.skip(f"needs {name}, of the extra dev", allow_module_level=True)
