"""Single updates of a large table in memory.

The claim: one ``profiles.set(...)`` on a table of 1,000,000 profiles takes less
than 1 ms, amortised over 1,000 calls with a read of the whole frame at the end.
The peer does the same to a pandas DataFrame with ``frame.loc[id, name] = value``.

    python benchmarks/single_updates.py [--rows 1000000] [--runs 5]
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import pandas as pd
import pyarrow as pa

import toolkit as tk
from toolkit.columns.column import Column

CALLS = 1_000


def profiles_of(rows: int) -> tk.ProfileTable:
    """Return a table of so many profiles with eight properties."""
    random = np.random.default_rng(0)
    ids = pa.array([f"user-{n}" for n in range(rows)], pa.large_string())
    plans = pa.array(["free", "basic", "pro"]).take(pa.array(random.integers(0, 3, rows)))
    columns = {
        "plan": Column.of_array(plans),
        "name": Column.of_array(pa.array([f"Name {n}" for n in range(rows)])),
        "age": Column.of_array(random.integers(18, 90, rows)),
        "score": Column.of_array(random.random(rows)),
        "active": Column.of_array(random.random(rows) > 0.5),
        **{f"n{n}": Column.of_array(random.integers(0, 100, rows)) for n in range(3)},
    }
    profiles = tk.ProfileTable()
    profiles.set_columns(ids, columns, source="benchmark")
    return profiles


def main() -> None:
    """Run and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    ours, peers = [], []
    for run in range(given.runs):
        profiles = profiles_of(given.rows)
        frame: pd.DataFrame = profiles.frame
        ids = np.random.default_rng(run).integers(0, given.rows, CALLS)
        started = time.perf_counter()
        for n in ids:
            profiles.set(f"user-{n}", {"plan": "team", "age": 40})
        after = profiles.frame
        ours.append((time.perf_counter() - started) / CALLS * 1_000)
        assert (after["plan"] == "team").sum() == len(set(ids))
        started = time.perf_counter()
        for n in ids:
            frame.loc[f"user-{n}", ["plan", "age"]] = ["team", 40]
        peers.append((time.perf_counter() - started) / CALLS * 1_000)
        assert (frame["plan"] == "team").sum() == len(set(ids))
        print(f"  run {run + 1}: {ours[-1]:.3f} ms; pandas {peers[-1]:.3f} ms", flush=True)
    mine, theirs = statistics.median(ours), statistics.median(peers)
    print(f"one set of {given.rows:,} profiles: {mine:.3f} ms; pandas .loc: {theirs:.3f} ms; "
          f"{theirs / mine:.1f} times faster")  # fmt: skip


if __name__ == "__main__":
    main()
