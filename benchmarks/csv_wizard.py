"""The CSV wizard on a file of 1,000,000 rows, given by its path.

The claim: each step takes seconds, and Cancel answers within one second wherever the
import is, with the table as it was before. There is no peer.

    python benchmarks/csv_wizard.py [--rows 1000000] [--stops 12]
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from csv_import import write_csv

import toolkit as tk
from toolkit.forms.csv.state import CsvImportState


def timed(action: Callable[[], None], state: CsvImportState) -> float:
    """Return the seconds an action takes, what it begins included."""
    started = time.perf_counter()
    action()
    state.wait()
    assert not state.error, state.error
    return time.perf_counter() - started


def stopped(state: CsvImportState, after: float) -> tuple[str, float] | None:
    """Begin the import, stop it after some seconds; return where it was and how long that took."""
    profiles, before = state.profiles, len(state.profiles)
    state.start_import()
    if state.wait(after):
        return None
    stage = state.job.stage
    asked = time.perf_counter()
    state.cancel()
    state.wait()
    answered = time.perf_counter() - asked
    if state.result is not None:  # it had been committed
        return None
    assert (len(profiles), state.step) == (before, "check"), state.error
    return stage, answered


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--stops", type=int, default=12)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, tk.ProfileTable(Path(name) / "x.db") as profiles:
        for seed, kind in ((1, "new profiles"), (2, "changed profiles")):
            path = Path(name) / f"{seed}.csv"
            write_csv(path, given.rows, seed)
            print(f"{given.rows:,} {kind}, {path.stat().st_size / 1e6:.0f} MB")
            state = CsvImportState(profiles)
            print(f"  read      {timed(lambda: state.choose(path), state):5.1f} s")  # noqa: B023
            print(f"  check     {timed(state.check, state):5.1f} s")
            answers = []
            for stop in range(given.stops):
                found = stopped(state, 0.05 + 0.6 * stop)
                if found is None:
                    break
                answers.append(found)
            if answers:
                stage, slowest = max(answers, key=lambda answer: answer[1])
                print(f"  cancel    {slowest:5.2f} s at most of {len(answers)} tries ({stage})")
            if state.result is None:
                print(f"  import    {timed(state.start_import, state):5.1f} s")
            assert state.result is not None
            assert state.result.imported == given.rows
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
