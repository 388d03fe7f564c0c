"""A CSV of 1,000,000 rows and 8 columns into SQLite, against sqlite-utils.

The claim: ``tk.import_csv`` into an empty and into a full table is at least 8
times faster than ``sqlite-utils insert --csv`` and ``sqlite-utils upsert --csv``
of the same file, in under 2 GB of memory. Each run is a process of its own, the
two sides in turn; ratios are of medians.

    python benchmarks/csv_import.py [--rows 1000000] [--runs 3]
"""

from __future__ import annotations

import argparse
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

OURS = """
import resource, sys, time
import toolkit as tk
started = time.perf_counter()
mapping = {0: "$distinct_id", 1: "$email", 2: "$name", 3: "plan", 4: "country", 5: "created",
           6: "age", 7: "score"}
with tk.ProfileTable(sys.argv[1]) as profiles:
    report = tk.import_csv(profiles, sys.argv[2], mapping, header=True, progress=False)
seconds = time.perf_counter() - started
assert report.rows == report.created + report.updated + report.unchanged, report
print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def write_csv(path: Path, rows: int, seed: int) -> None:
    """Write *rows* profiles in random order; another seed gives the same IDs, other values."""
    order = list(range(rows))
    random.Random(0).shuffle(order)
    values = random.Random(seed)
    plans, countries = ["free", "basic", "pro"], ["NO", "DE", "US", "BR", "IN"]
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write("distinct_id,email,name,plan,country,created,age,score\n")
        for number in order:
            file.write(
                f"user-{number:07d},person{number}@example.com,Person {number} Of Sample,"
                f"{values.choice(plans)},{values.choice(countries)},"
                f"2026-{values.randint(1, 12):02d}-{values.randint(1, 28):02d}T12:00:00Z,"
                f"{values.randint(18, 90)},{values.random():.6f}\n"
            )


def ours(database: Path, csv: Path) -> tuple[float, float]:
    """Return seconds and peak megabytes of one import."""
    done = subprocess.run(
        [sys.executable, "-c", OURS, str(database), str(csv)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    seconds, megabytes = map(float, done.stdout.split())
    return seconds, megabytes


def peer(verb: str, database: Path, csv: Path) -> float:
    """Return the seconds of sqlite-utils."""
    command = [sys.executable, "-m", "sqlite_utils", verb, str(database), "profiles", str(csv)]
    started = time.perf_counter()
    subprocess.run([*command, "--csv", "--pk", "distinct_id", "--silent"], check=True)
    return time.perf_counter() - started


def main() -> None:
    """Run and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--no-peer", action="store_true", help="only our side")
    given = parser.parse_args()
    times: dict[tuple[str, str], list[float]] = {}
    peak = 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        first, second = folder / "first.csv", folder / "second.csv"
        write_csv(first, given.rows, 1)
        write_csv(second, given.rows, 2)
        print(f"{given.rows:,} rows, {first.stat().st_size / 1e6:.0f} MB, {given.runs} runs each")
        for run in range(given.runs):
            sides = [("toolkit", "insert", "upsert"), ("sqlite-utils", "insert", "upsert")]
            for side, *verbs in sides[: 1 if given.no_peer else 2]:
                database = folder / f"{side}-{run}.db"
                for verb, csv in zip(verbs, (first, second), strict=True):
                    if side == "toolkit":
                        seconds, megabytes = ours(database, csv)
                        peak = max(peak, megabytes)
                    else:
                        seconds = peer(verb, database, csv)
                    times.setdefault((side, verb), []).append(seconds)
                    print(f"  {side:12} {verb}: {seconds:6.1f} s", flush=True)
                for file in folder.glob(f"{database.name}*"):
                    file.unlink()
    for verb, table in (("insert", "empty"), ("upsert", "full")):
        mine = statistics.median(times["toolkit", verb])
        line = f"into {table} table: {mine:.1f} s"
        if not given.no_peer:
            theirs = statistics.median(times["sqlite-utils", verb])
            line += f"; sqlite-utils {verb}: {theirs:.1f} s; {theirs / mine:.1f} times faster"
        print(line)
    print(f"peak memory: {peak:.0f} MB")


if __name__ == "__main__":
    main()
