"""The live view in a real browser: messages appear while the kernel waits for the next cell."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import expect

BAD = "<img src=x onerror=alert(1)>"
LIVE = """
from pathlib import Path
import toolkit as tk

server = tk.serve(tk.ProfileTable({path!r}))
_ = Path({told!r}).write_text(server.url)
tk.LiveView(server)
"""
READ = """
import sys
import toolkit as tk
with tk.ProfileTable(sys.argv[1]) as profiles:
    print(profiles["ann"])
"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_what_clients_send_appears_by_itself(
    notebook: Callable[..., Any], tmp_path: Path, elsewhere: Callable[..., str], dark: bool
) -> None:
    path, told = str(tmp_path / "shop.db"), tmp_path / "url"
    book = notebook(
        "live-dark" if dark else "live", [LIVE.format(path=path, told=str(told))], dark=dark
    )
    url = told.read_text()
    book.sees("Nothing has arrived yet.")

    def send(*updates: dict[str, Any]) -> None:
        assert requests.post(f"{url}/engage", json=updates, timeout=10).status_code == 200

    send({"$distinct_id": "ann", "$set": {"plan": "pro", "city": "Oslo"}, "$add": {"visits": 1}})
    book.sees("$set plan, city, $add visits")
    send({"$distinct_id": "ann", "$add": {"plan": 1}}, {"$distinct_id": BAD, "$set": {BAD: BAD}})
    event = {"event": "Purchase", "properties": {"distinct_id": "ann", "amount": 12}}
    requests.post(f"{url}/track", data={"data": json.dumps(event)}, timeout=10)
    requests.post(f"{url}/engage", data="{", timeout=10)
    book.sees("the stored value is the text 'pro', not a number")
    book.sees(BAD)
    book.sees("event Purchase")
    book.sees("request refused")
    book.sees("3 updates, 1 event, 2 rejected")
    book.fits()
    book.picture("1-arrived")

    book.button("Pause").click()
    book.sees("paused, 0 more arrived")
    send({"$distinct_id": "bob", "$set": {"plan": "free"}})
    book.sees("paused, 1 more arrived")
    expect(book.form.get_by_text("bob", exact=True)).to_have_count(0)
    book.button("Go on").click()
    book.sees("bob")
    book.form.get_by_text("Only rejected").click()
    expect(book.form.get_by_text("bob", exact=True)).to_have_count(0)
    book.sees("✗")
    book.picture("2-rejected")
    book.form.get_by_text("Only rejected").click()
    book.button("Clear").click()
    book.sees("Nothing has arrived yet.")
    book.sees("0 updates, 0 events")
    assert "'plan': 'pro', 'city': 'Oslo', 'visits': 1" in elsewhere(READ, path)
