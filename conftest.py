"""What is collected: tests of the package, doctests of code and documents, notebooks."""

from __future__ import annotations

import os
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
#: What takes more than some seconds: other processes, servers, random streams, every order.
#: ``make check`` leaves it out, ``make test`` does not.
_SLOW = (
    *("notebooks/*", "tests/browser/*", "tests/test_backup.py", "tests/test_by_users.py"),
    *("tests/test_check.py", "tests/test_cli*.py", "tests/test_csv_progress.py"),
    *("tests/test_flows.py", "tests/test_hostile.py", "tests/test_package.py"),
    *("tests/test_public_names.py", "tests/test_sample.py", "tests/test_segmentation_against.py"),
    *("tests/test_server*.py", "tests/test_stateful.py", "tests/test_store.py"),
    *("tests/test_table_reference.py", "tests/test_trust.py", "tests/test_undo.py"),
    *("tests/widgets/test_guard.py", "tests/widgets/test_report_*.py"),
    *("tests/widgets/test_still.py", "tests/widgets/test_users_panels.py"),
)
collect_ignore = list(_LEFT_OUT)
collect_ignore_glob = list(_SLOW) if os.environ.get("FAST_TESTS") == "1" else []


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
