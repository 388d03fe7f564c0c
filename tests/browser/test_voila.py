"""The forms under Voila, which shows a notebook without its code."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import PICTURES, ROOT, Notebook
from toolkit.profiles.table import ProfileTable

READ = """
import json, sys, toolkit as tk
with tk.ProfileTable(sys.argv[1]) as profiles:
    print(json.dumps(profiles["1001"]))
"""


@pytest.fixture
def voila(tmp_path: Path) -> Iterator[Callable[[list[str]], str]]:
    """Serve a notebook of some cells; return its address."""
    servers = []

    def serve(cells: list[str]) -> str:
        book = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        )
        path = tmp_path / "bench.ipynb"
        path.write_text(nbformat.writes(book))
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = found.getsockname()[1]
        with (tmp_path / "voila.log").open("wb") as log:
            server = subprocess.Popen(
                [
                    *(sys.executable, "-m", "voila", str(path), "--no-browser"),
                    *(f"--port={port}", "--Voila.ip=127.0.0.1"),
                ],
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join(
                        filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")])
                    ),
                },
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        servers.append(server)
        for _ in range(600):
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=1):
                    return f"http://127.0.0.1:{port}/"
            except OSError:
                assert server.poll() is None, (tmp_path / "voila.log").read_text()
                time.sleep(0.1)
        raise AssertionError("Voila did not start")

    yield serve
    for server in servers:
        server.terminate()
        server.wait(20)


def test_the_workbench_renders_and_its_editor_saves(
    voila: Callable[[list[str]], str],
    browser: Browser,
    elsewhere: Callable[..., str],
    tmp_path: Path,
) -> None:
    shop = tmp_path / "shop.db"
    with ProfileTable(shop) as profiles:
        profiles.set("1001", {"$name": "Ann", "plan": "free"})
    address = voila(
        [f"import toolkit as tk\nbench = tk.workbench(tk.ProfileTable({str(shop)!r}))\nbench",
         "bench.go_to('Edit a profile');"]
    )  # fmt: skip
    context = browser.new_context(viewport={"width": 1240, "height": 1400})
    page = context.new_page()
    page.set_default_timeout(60_000)
    shown = Notebook(page, "voila", int(address.rsplit(":", 1)[1].strip("/")))
    page.goto(address)
    form = page.locator(".tk-form .tk-form")
    form.get_by_label("Distinct ID", exact=True).fill("1001")
    form.get_by_label("Value of plan", exact=True).fill("pro")
    form.get_by_role("button", name="Save", exact=True).click()
    form.get_by_text('Saved "1001"').wait_for()
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / "voila.png", full_page=True)
    assert json.loads(elsewhere(READ, shop)) == {"$name": "Ann", "plan": "pro"}
    # Voila's own page asks for an icon font; the forms ask for nothing.
    shown.outside = [address for address in shown.outside if "/@fortawesome/" not in address]
    shown.clean()
    context.close()
