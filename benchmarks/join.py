"""One text property beside 10,000,000 events of 1,000,000 profiles, against pandas.merge.

The claim: ``tk.join`` of an ``Events`` and a count by the new column is at least 8 times
as fast as ``df.merge(profiles, on="distinct_id", how="left")`` and the same count. The
``Events`` was made once before, as one does; what its first join costs is printed as
well. Both sides run in turn in one process; the ratio is of medians.

    python benchmarks/join.py [--events 10000000] [--profiles 1000000] [--runs 5]
"""

from __future__ import annotations

import argparse
import platform
import re
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

import toolkit as tk
from toolkit.columns.column import Column
from toolkit.events.events import Events
from toolkit.events.join import join

PLANS = ["free", "basic", "pro", "enterprise"]
NAMES = ["View", "Cart", "Purchase"]
START = np.datetime64("2026-01-01", "us")
HALF_A_YEAR = 181 * 86_400
# One distinct ID in so many has no profile.
STRANGERS = 20


def sample(events: int, profiles: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return events in random order, and a plan for most of their users."""
    draw = np.random.default_rng(0)
    ids = pa.array([f"user-{number:08d}" for number in range(profiles + profiles // STRANGERS)])
    who = draw.integers(0, len(ids), events)
    frame = pd.DataFrame(
        {
            "event": _text(pa.array(NAMES).take(pa.array(draw.integers(0, len(NAMES), events)))),
            "distinct_id": _text(ids.take(pa.array(who))),
            "time": START + draw.integers(0, HALF_A_YEAR, events).astype("m8[s]"),
            "amount": draw.random(events),
        }
    )
    plans = pa.array(PLANS).take(pa.array(draw.integers(0, len(PLANS), profiles)))
    return frame, pd.DataFrame({"distinct_id": _text(ids[:profiles]), "plan": _text(plans)})


def _text(texts: pa.Array) -> pd.Series:
    return pd.Series(texts.cast(pa.large_string()).to_pandas(), dtype="str")


def table_of(frame: pd.DataFrame) -> tk.ProfileTable:
    """Return the profiles as a ProfileTable."""
    table = tk.ProfileTable()
    ids, plans = (pa.array(frame[name], pa.large_string()) for name in ("distinct_id", "plan"))
    table.set_columns(ids, {"plan": Column.of_array(plans)}, source="benchmark")
    return table


def measured(work: Callable[[], object]) -> tuple[float, float, object]:
    """Return the seconds, the megabytes added at the peak (Linux only) and the result."""
    before = _reset_peak()
    started = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - started
    return seconds, _status("VmHWM") - before, result


def _reset_peak() -> float:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return float("nan")
    return _status("VmRSS")


def _status(name: str) -> float:
    try:
        text = Path("/proc/self/status").read_text()
    except OSError:
        return float("nan")
    found = re.search(rf"{name}:\s+(\d+)", text)
    return int(found[1]) / 1024 if found else float("nan")


def compare(ours: Callable[[], object], theirs: Callable[[], object], runs: int) -> float:
    """Run both sides in turn, print their medians, and return how many times ours is faster."""
    times: dict[str, list[float]] = {"toolkit": [], "pandas": []}
    peaks = {"toolkit": 0.0, "pandas": 0.0}
    for _ in range(runs):
        results = {}
        for side, work in (("toolkit", ours), ("pandas", theirs)):
            seconds, megabytes, results[side] = measured(work)
            times[side].append(seconds)
            peaks[side] = max(peaks[side], megabytes)
        assert results["toolkit"] == results["pandas"], results
    for side, seconds in times.items():
        every = " ".join(f"{one:.2f}" for one in seconds)
        median = statistics.median(seconds)
        print(f"  {side:8} {median:7.2f} s  +{peaks[side]:6.0f} MB   ({every})")
    return statistics.median(times["pandas"]) / statistics.median(times["toolkit"])


def arguments(description: str | None) -> argparse.Namespace:
    """Return the sizes asked for, and print them and the versions."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--profiles", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    print(f"{given.events:,} events, {given.profiles:,} profiles, {given.runs} runs each")
    print(
        f"Python {platform.python_version()}, pandas {pd.__version__}, numpy {np.__version__}, "
        f"pyarrow {pa.__version__}, {platform.machine()}"
    )
    return given


def main() -> None:
    """Run and print the table."""
    given = arguments(__doc__)
    frame, profiles = sample(given.events, given.profiles)
    table = table_of(profiles)
    table.snapshot()

    def ours(events: Events) -> dict[str, int]:
        return join(events, table, "plan").groupby("user.plan").size().to_dict()

    def theirs() -> dict[str, int]:
        merged = frame.merge(profiles, on="distinct_id", how="left")
        return merged.groupby("plan").size().to_dict()

    events = Events(frame)
    seconds, megabytes, _ = measured(lambda: ours(events))
    print(f"first join, which codes the IDs: {seconds:.2f} s, +{megabytes:.0f} MB")
    ratio = compare(lambda: ours(events), theirs, given.runs)
    print(f"{ratio:.1f} times as fast")


if __name__ == "__main__":
    main()
