"""The start notebook's job without a browser: from a CSV and messages to a chart."""

from __future__ import annotations

import shlex
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from toolkit.events import Events, match
from toolkit.expressions import user
from toolkit.profiles import ProfileTable
from toolkit.reports import as_png, segmentation
from toolkit.sources import import_csv, parquet_frame, read_messages, sample_files, write_whole

#: The columns of the sample CSV, which has no header.
MAPPING = {
    **{0: "$distinct_id", 1: "$email", 2: "$name", 3: "plan", 4: "$country_code", 5: "$city"},
    **{6: "$created", 7: "age", 8: "newsletter", 9: "interests", 10: "postal_code"},
}


def run_demo(folder: Path, say: Callable[[str], None] = print) -> Path:
    """Import the sample, apply updates, join events, report; return the chart's path.

    Parameters
    ----------
    folder
        Where ``shop.db`` and the chart go; it is made if missing. A ``shop.db`` of an
        earlier demo is replaced.
    say
        Called with each line of what is going on.
    """
    started = time.perf_counter()
    folder.mkdir(parents=True, exist_ok=True)
    say("1. Sample data: a made-up shop (made once, then kept)")
    files = sample_files()
    database = folder / "shop.db"
    for name in ("shop.db", "shop.db-wal", "shop.db-shm"):
        (folder / name).unlink(missing_ok=True)
    with ProfileTable(database) as profiles:
        say(f"2. Importing {files['profiles_no_header'].name} into {database}")
        report = import_csv(profiles, files["profiles_no_header"], MAPPING)
        say(f"   {report.created:,} profiles created from {report.rows:,} rows")
        say(f"3. Applying {files['updates'].name}: messages with all eight operators")
        result = profiles.apply(read_messages(files["updates"]), source=files["updates"].name)
        say(
            f"   {result.applied:,} applied: {result.created:,} profiles created, "
            f"{result.updated:,} times changed, {result.deleted:,} deleted"
        )
        say(f"   {len(result.rejected):,} rejected, such as:")
        for index, reason in result.rejected[["index", "reason"]].head(2).to_numpy().tolist():
            say(f"     message {index}: {reason}")
        say(f"4. Joining {files['events'].name}: each event meets its user's latest profile")
        events = Events(parquet_frame(files["events"]))
        say(f"   {match(events, profiles)!r}")
        by_plan = segmentation(events, profiles, "Purchase", by=user["plan"], unit=None)
        say("5. Purchases by plan:")
        for line in by_plan.table.to_string(index=False).splitlines():
            say(f"   {line}")
        monthly = segmentation(events, profiles, "Purchase", by=user["plan"], unit="month")
        chart = folder / "purchases-by-plan.png"
        write_whole(chart, as_png(monthly.plot, transparent=False))
    say(f"6. Chart: {chart}")
    look = f"{_program()} show {shlex.quote(str(database))}"
    say(f"   The profiles stay in {database}; look: {look}")
    say(f"Done in {time.perf_counter() - started:.1f} s.")
    return chart


def _program() -> str:
    """Return how to call the command line from the current folder."""
    there = Path(sys.executable).with_name("profile-toolkit")
    if not there.exists() or shutil.which("profile-toolkit") == str(there):
        return "profile-toolkit"
    here = Path.cwd()
    return shlex.quote(str(there.relative_to(here) if there.is_relative_to(here) else there))
