"""What is collected: tests of the package, doctests of code and documents, notebooks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.optional import IS_WHOLE, Module, missing

# Documents and folders whose examples need packages of the extra dev.
_NEEDS = {
    "tests/browser": ("playwright", "jupyterlab", "nbformat"),
    "docs/live-from-an-app.md": ("mixpanel", "requests"),
    "docs/geolocation.md": ("maxminddb",),
    "toolkit/sources/geo/database.py": ("maxminddb",),
    "toolkit/forms/editor/phone.py": ("phonenumbers",),
    "hatch_build.py": ("hatchling",),
}
_LEFT_OUT = (
    {}
    if IS_WHOLE
    else {path: needs for path, names in _NEEDS.items() if (needs := missing(*names))}
)
collect_ignore = list(_LEFT_OUT)


def pytest_report_header() -> list[str]:
    return [
        f"not collected: {path}, which needs {', '.join(needs)}"
        for path, needs in _LEFT_OUT.items()
    ]


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module:
    return Module.from_parent(parent, path=module_path)


def pytest_configure(config: pytest.Config) -> None:
    # Files of tests are looked through for doctests, too.
    config.option.doctest_ignore_import_errors = not IS_WHOLE
