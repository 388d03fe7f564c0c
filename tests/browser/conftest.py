"""JupyterLab in a real browser: a server, a page, and notebooks made of a few cells."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_server.services.kernels.connection.base import deserialize_msg_from_ws_v1
from playwright.sync_api import (
    Browser,
    BrowserType,
    ConsoleMessage,
    Error as PlaywrightError,
    Locator,
    Page,
    WebSocket,
    expect,
    sync_playwright,
)

ROOT = Path(__file__).parents[2]
#: Screenshots of the last run, to be looked at.
PICTURES = ROOT / "out" / "screenshots"

_FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
_TOKEN = "test"
#: What JupyterLab itself writes to the console.
_NOT_OURS: tuple[str, ...] = ()
_PATIENCE = 30_000  # milliseconds; a machine may be busy


class Lab:
    """A JupyterLab server whose files are in a temporary folder."""

    def __init__(self, folder: Path, browser: Browser) -> None:
        self.folder = folder
        self.files = folder / "files"
        self.files.mkdir()
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = found.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self._browser = browser
        settings = folder / "settings" / "@jupyterlab" / "apputils-extension"
        settings.mkdir(parents=True)
        (settings / "notification.jupyterlab-settings").write_text(
            '{"fetchNews": "false", "checkForUpdates": false}'
        )
        environment = {
            **os.environ,
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
            "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
            "IPYTHONDIR": str(folder / "ipython"),
            "XDG_CONFIG_HOME": str(folder / "xdg"),
            "PYTHONPATH": os.pathsep.join(
                filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")])
            ),
        }
        self._log = (folder / "server.log").open("wb")
        self._server = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyter", "lab", "--no-browser", "--ip=127.0.0.1"),
                *(f"--port={self.port}", f"--IdentityProvider.token={_TOKEN}", "--allow-root"),
                *("--ServerApp.port_retries=0", f"--ServerApp.root_dir={self.files}"),
                # Ports of kernels are looked for, then used: two servers may find the same one.
                "--KernelManager.transport=ipc",
            ],
            env=environment,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self._wait()

    def _wait(self) -> None:
        for _ in range(600):
            try:
                with urllib.request.urlopen(f"{self.address}/api?token={_TOKEN}", timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                assert self._server.poll() is None, (self.folder / "server.log").read_text()
                time.sleep(0.1)
        raise AssertionError("JupyterLab did not start")

    def log(self) -> str:
        """Return what the server, and kernels beside the page, have written so far."""
        return (self.folder / "server.log").read_text(errors="replace")

    def stop(self) -> None:
        self._server.terminate()
        try:
            self._server.wait(10)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()
        self._log.close()

    def open(
        self, name: str, cells: Sequence[str], *, dark: bool = False, width: int = 1240
    ) -> Notebook:
        """Open a notebook of these cells, run all of them, and return it."""
        book = nbformat.v4.new_notebook()
        book.metadata["kernelspec"] = {
            "name": "python3",
            "display_name": "Python 3 (ipykernel)",
            "language": "python",
        }
        book.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
        for cell in book.cells:
            cell.pop("id", None)  # Jupyter gives them; ours would be random
        book.nbformat_minor = 4
        (self.files / f"{name}.ipynb").write_text(nbformat.writes(book))
        themes = self.folder / "settings" / "@jupyterlab" / "apputils-extension"
        theme = "JupyterLab Dark" if dark else "JupyterLab Light"
        (themes / "themes.jupyterlab-settings").write_text(f'{{"theme": "{theme}"}}')
        context = self._browser.new_context(viewport={"width": width, "height": 1400})
        page = context.new_page()
        page.set_default_timeout(_PATIENCE)
        opened = Notebook(page, name, self.port)
        page.goto(f"{self.address}/lab/tree/{name}.ipynb?token={_TOKEN}&reset")
        page.wait_for_selector(".jp-Notebook .jp-Cell")
        try:
            opened.idle()
            opened.restored()
            # The file browser takes room that the notebook can use.
            page.keyboard.press("Control+b")
            opened.run_all()
        except PlaywrightError:
            opened.picture_of_page("failed")
            raise
        return opened


class Notebook:
    """A notebook open in the browser."""

    def __init__(self, page: Page, name: str, port: int) -> None:
        self.page = page
        self.name = name
        #: Requests that went elsewhere than to the server.
        self.outside: list[str] = []
        #: What the page itself complained of.
        self.complaints: list[str] = []
        own = f"//127.0.0.1:{port}/"
        page.on(
            "request",
            lambda request: (
                None
                if own in request.url or request.url.startswith(("data:", "blob:", "about:"))
                else self.outside.append(request.url)
            ),
        )
        #: Exceptions that the kernel or the server wrote to a log.
        self.exceptions: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        #: Whether the page has asked the kernel for the widgets that it may already have.
        self.is_restored = False
        page.on("console", self._heard_console)
        page.on("websocket", self._listen)
        # A dialogue is what a script from a property would open.
        page.on("dialog", lambda dialog: (self.complaints.append(dialog.message), dialog.dismiss()))

    def _heard_console(self, said: ConsoleMessage) -> None:
        # What would not come from elsewhere is among the requests that went there.
        is_outside = said.location.get("url", "") in self.outside
        if said.type == "error" and not is_outside and not any(e in said.text for e in _NOT_OURS):
            self.complaints.append(said.text)

    def _listen(self, socket: WebSocket) -> None:
        if "/channels" in socket.url:
            socket.on("framereceived", self._heard_kernel)

    def _heard_kernel(self, frame: bytes | str) -> None:
        """Keep what the kernel says of exceptions, to a cell or to a log."""
        if not isinstance(frame, bytes):
            return
        _, [header, _, _, content, *_] = deserialize_msg_from_ws_v1(frame)
        kind, said = json.loads(header)["msg_type"], json.loads(content)
        if kind == "comm_info_reply":
            self.is_restored = True
        if kind == "error":
            self.exceptions.append("\n".join(said["traceback"]))
        elif kind == "stream" and "Traceback (most recent call last)" in said["text"]:
            self.exceptions.append(said["text"])

    def idle(self) -> None:
        """Wait until the kernel has nothing to do."""
        self.page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()

    def restored(self) -> None:
        """Wait for the answer about widgets; what a cell shows before it may be lost."""
        for _ in range(_PATIENCE // 50):
            if self.is_restored:
                return
            self.page.wait_for_timeout(50)
        raise AssertionError("the page did not ask for the widgets of the kernel")

    def run_all(self) -> None:
        """Run all cells and wait for the first form."""
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.get_by_text("Run All Cells", exact=True).click()
        error = self.page.locator(".jp-OutputArea [data-mime-type='application/vnd.jupyter.error']")
        self.form.or_(error).first.wait_for()
        assert not error.count(), error.first.inner_text()
        self.idle()

    @property
    def form(self) -> Locator:
        """The forms on the page."""
        return self.page.locator(".jp-OutputArea .tk-form:not(.tk-form .tk-form)")

    def button(self, words: str) -> Locator:
        """The button with these words, in a form."""
        return self.form.get_by_role("button", name=words, exact=True)

    def field(self, label: str) -> Locator:
        """The field with this label."""
        return self.form.get_by_label(label, exact=True)

    def sees(self, words: str) -> None:
        """Wait until somebody who looks at the forms can read these words."""
        expect(self.form.get_by_text(words).first).to_be_visible(timeout=_PATIENCE)

    def picture(self, step: str) -> Path:
        """Keep a screenshot of the first form."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        path = PICTURES / f"{self.name}-{step}.png"
        self.form.first.screenshot(path=path)
        return path

    def picture_of_page(self, step: str) -> Path:
        """Keep a screenshot of all that is in view."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        path = PICTURES / f"{self.name}-{step}.png"
        self.page.screenshot(path=path)
        return path

    def fits(self) -> None:
        """Assert that no form needs scrolling sideways."""
        over = self.form.first.evaluate(
            "node => node.scrollWidth - node.clientWidth + Math.max(0, "
            "node.getBoundingClientRect().right - node.closest('.jp-OutputArea-output')"
            ".getBoundingClientRect().right)"
        )
        assert over <= 1, f"the form is {over} pixels wider than its place"

    def restart_kernel(self) -> None:
        """Restart the kernel and run nothing."""
        self.page.get_by_role("menuitem", name="Kernel", exact=True).click()
        self.page.get_by_text("Restart Kernel…", exact=True).click()
        self.page.get_by_role("button", name="Confirm Kernel Restart").click()

    def clean(self) -> None:
        """Assert that nothing left the machine, no script came from data, and nothing failed."""
        assert self.outside == []
        assert self.complaints == []
        assert self.exceptions == []
        assert self.page.locator(".tk-failure:visible").all_inner_texts() == []


def found_browser() -> str | None:
    """The system's browser; without one it is Playwright's."""
    return shutil.which("chromium") or shutil.which("google-chrome")


def launched(chromium: BrowserType, *flags: str) -> Browser:
    """Start the browser: the system's, else that of Playwright."""
    return chromium.launch(executable_path=found_browser(), args=[*_FLAGS, *flags])


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = launched(playwright.chromium)
        yield started
        started.close()


@pytest.fixture(scope="session")
def lab(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    server = Lab(tmp_path_factory.mktemp("lab"), browser)
    yield server
    server.stop()


@pytest.fixture
def notebook(lab: Lab) -> Iterator[Callable[..., Notebook]]:
    """Open notebooks; at the end they are checked, as ``Notebook.clean`` says, and closed."""
    opened: list[Notebook] = []
    already = len(lab.log())

    def open_(name: str, cells: Sequence[str], **options: Any) -> Notebook:
        opened.append(lab.open(name, cells, **options))
        return opened[-1]

    yield open_
    for each in opened:
        each.clean()
        each.page.context.close()
    assert "Traceback (most recent call last)" not in lab.log()[already:], lab.log()[already:]


@pytest.fixture
def elsewhere() -> Callable[[str], str]:
    """Run code in a process of its own and return what it printed."""

    def run(code: str, *arguments: object) -> str:
        done = subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)],
            capture_output=True, text=True, timeout=60, check=False, cwd=ROOT,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
