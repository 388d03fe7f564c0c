"""The form of users at 1,000,000 profiles: seconds to answer, and bytes that travel.

The claims: the form opens in under five seconds, of which the first page is a part; a
search, a sort, a filter and another page answer in under a second each, once what they
look through was worked out (the first search and the first sort of a property are shown
too); a page is some kilobytes, whatever the number of profiles. Sent are the traits of
the widgets as the notebook would get them, JSON and buffers.

With ``--peers`` named grid widgets show the same rows as a DataFrame in the same run, if
they are installed (``pip install ipydatagrid itables quak`` in an environment of its own,
where this file is run with the toolkit on ``PYTHONPATH``): seconds to build the widget,
and the bytes of its state or of the page it puts out.

    python benchmarks/users_form.py [--profiles 1000000] [--runs 5] [--peers]
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

import toolkit as tk
from toolkit.columns.column import Column

PLANS = ["free", "basic", "pro", "enterprise"]
FIRST = [f"First{number}" for number in range(2_000)]
LAST = [f"Last{number}" for number in range(5_000)]
DAY = 86_400_000_000


def sample(number: int) -> tuple[tk.ProfileTable, pd.DataFrame]:
    """Return profiles, and the same as a DataFrame."""
    draw = np.random.default_rng(0)

    def some(words: list[str]) -> pa.Array:
        return pa.array(words, pa.large_string()).take(
            pa.array(draw.integers(0, len(words), number))
        )

    ids = pa.array([f"user-{at:08d}" for at in range(number)], pa.large_string())
    space = pa.scalar(" ", pa.large_string())
    names = pc.binary_join_element_wise(some(FIRST), some(LAST), space)
    emails = pa.array([f"u{at}@example.com" for at in range(number)], pa.large_string())
    columns = {
        "$name": Column.of_array(names),
        "$email": Column.of_array(emails),
        "plan": Column.of_array(some(PLANS)),
        "age": Column.of_array(draw.integers(18, 90, number)),
        "score": Column.of_array(draw.random(number)),
    }
    table = tk.ProfileTable()
    table.set_columns(ids, columns, source="benchmark", seen=DAY)
    return table, table.frame


def sent(widget: Any, seen: set[str] | None = None) -> int:
    """Return the bytes of a widget's state and that of all widgets in it."""
    seen = set() if seen is None else seen
    if widget.model_id in seen:
        return 0
    seen.add(widget.model_id)
    total = _size(widget.get_state())
    for name in widget.keys:
        total += sum(sent(each, seen) for each in _widgets(getattr(widget, name)))
    return total


def _widgets(value: Any) -> list[Any]:
    import ipywidgets

    if isinstance(value, ipywidgets.Widget):
        return [value]
    if isinstance(value, list | tuple):
        return [each for each in value if isinstance(each, ipywidgets.Widget)]
    return []


def _size(state: Any) -> int:
    buffers = 0

    def written(value: Any) -> Any:
        nonlocal buffers
        if isinstance(value, bytes | bytearray | memoryview):
            buffers += len(value)
            return ""
        if isinstance(value, np.ndarray):
            buffers += value.nbytes
            return ""
        return str(value)

    return len(json.dumps(state, default=written)) + buffers


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds some work took, and those of the processor."""
    started, worked = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - started, time.process_time() - worked


def told(what: str, runs: list[tuple[float, float]]) -> None:
    """Print the median, that of the processor, and every run."""
    seconds, busy = zip(*runs, strict=True)
    every = " ".join(f"{one:.3f}" for one in seconds)
    print(
        f"  {what:44} {statistics.median(seconds):7.3f} s, "
        f"processor {statistics.median(busy):.3f} s   ({every})"
    )


def ours(table: tk.ProfileTable, runs: int) -> None:
    """Measure the form."""
    made: list[tk.Users] = []
    told("open, first page", [timed(lambda: made.append(tk.Users(table)))])
    form = made[0]
    print(f"  {'bytes of the form with its first page':44} {sent(form):,}")
    print(f"  {'of these the page':44} {_page(form):,}")
    state = form.state
    told("first search", [timed(lambda: setattr(state, "search", "last77 first1"))])
    print(f"    finds {state.matching:,}")
    words = ["u1234", "last499", "first3 last7", "user-0000", "example"]
    told("search", [timed(lambda w=w: setattr(state, "search", w)) for w in words[:runs]])
    state.search = ""
    for name in ("age", "score", "plan", "$title", "$email"):
        told(f"first sort by {name}", [timed(lambda n=name: state.sort(n))])
        told("  the other way", [timed(lambda n=name: state.sort(n))])
    told(
        "page",
        [timed(lambda p=page: setattr(state, "page", p)) for page in (1, 400, 39_999, 7, 20_000)],
    )
    state.sort_by = ""
    rows = [
        ("user.plan", "is", "pro"),
        ("user.age", "≥", "65"),
        ("user.$email", "contains", "77@"),
    ]
    told(
        "choose a property (its values are sampled)",
        [timed(lambda name=row[0]: state.filter.add(name)) for row in rows],
    )
    state.filter.clear()
    filters = [*([row] for row in rows), rows]
    told("filter", [timed(lambda f=f: _filter(state, f)) for f in filters])
    row = state.filter.rows[-1]
    told("type another value", [timed(lambda v=v: setattr(row, "value", v)) for v in "123"])
    state.filter.clear()
    told("search while sorted", [_search_sorted(state)])
    told("open a profile", [timed(lambda: state.open("user-00500000"))])
    page = state.profile
    assert page is not None
    told("move its slider", [timed(lambda: setattr(page, "moment", 0))])


def _filter(state: Any, rows: list[tuple[str, str, str]]) -> None:
    with state.together():
        state.filter.clear()
        for row in rows:
            state.filter.add(*row)


def _search_sorted(state: Any) -> tuple[float, float]:
    state.sort("score")
    return timed(lambda: setattr(state, "search", "last12"))


def _page(form: tk.Users) -> int:
    return _size({"rows": form.grid.rows, "columns": form.grid.columns})


def peers(frame: pd.DataFrame) -> None:
    """Measure the widgets that are installed, on the same rows."""
    flat = frame.reset_index()
    makers: dict[str, Callable[[], tuple[Any, Callable[[], int]]]] = {
        "ipydatagrid": lambda: _ipydatagrid(flat),
        "itables": lambda: _itables(flat),
        "quak": lambda: _quak(flat),
    }
    for name, make in makers.items():
        if importlib.util.find_spec(name) is None:
            print(f"  {name:16} not installed")
            continue
        made: list[tuple[str, Callable[[], int]]] = []
        runs = [timed(lambda m=make, all_=made: all_.append(m()))]
        version, size = made[0]
        told(f"{name} {version}, build", runs)
        print(f"  {'  bytes':44} {size():,}")


def _ipydatagrid(frame: pd.DataFrame) -> tuple[str, Callable[[], int]]:
    import ipydatagrid

    grid = ipydatagrid.DataGrid(frame)
    state = grid.get_state()
    return ipydatagrid.__version__, lambda: _size(state)


def _itables(frame: pd.DataFrame) -> tuple[str, Callable[[], int]]:
    import itables

    # Without a limit, so that all rows can be searched and sorted.
    page = itables.to_html_datatable(frame, maxBytes=0, maxRows=0, connected=True)
    return itables.__version__, lambda: len(page.encode())


def _quak(frame: pd.DataFrame) -> tuple[str, Callable[[], int]]:
    from importlib.metadata import version

    import quak

    widget = quak.Widget(frame)
    state = widget.get_state()
    return version("quak"), lambda: _size(state)


def main() -> None:
    """Run and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--profiles", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--peers", action="store_true")
    given = parser.parse_args()
    print(f"{given.profiles:,} profiles")
    print(
        f"Python {platform.python_version()}, pandas {pd.__version__}, pyarrow {pa.__version__}, "
        f"{platform.machine()}"
    )
    table, frame = sample(given.profiles)
    print("tk.Users")
    ours(table, given.runs)
    if given.peers:
        print("others, all rows")
        peers(frame)


if __name__ == "__main__":
    main()
