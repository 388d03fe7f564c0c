"""What every test does."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

NODE_CLIENTS = Path(__file__).parent / "node"


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clients for Node and for browsers, installed by npm into a folder of their own."""
    npm = shutil.which("npm")
    assert npm is not None, "Node is needed for these tests: install nodejs and npm"
    folder = tmp_path_factory.mktemp("node")
    for file in (*NODE_CLIENTS.glob("*.js*"), NODE_CLIENTS / ".npmrc"):
        shutil.copy(file, folder)
    done = subprocess.run(
        [npm, "install", "--omit=dev", "--ignore-scripts"],
        cwd=folder, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(autouse=True)
def _no_figure_stays_open() -> Iterator[None]:
    """Close the figures a test made: matplotlib warns of more than twenty."""
    yield
    if (pyplot := sys.modules.get("matplotlib.pyplot")) is not None:
        pyplot.close("all")
