"""Events and users a day by a user property, 10,000,000 events of 1,000,000 profiles.

The claim: ``tk.segmentation`` is at least 8 times as fast as ``df.merge`` and
``groupby`` on plan and day in pandas, for totals and for unique users. The ``Events``
was made once before. Both sides run in turn in one process; ratios are of medians.

    python benchmarks/segmentation.py [--events 10000000] [--profiles 1000000] [--runs 3]
"""

from __future__ import annotations

import pandas as pd
from join import arguments, compare, measured, sample, table_of

from toolkit.events import Events
from toolkit.expressions import user
from toolkit.reports import segmentation


def main() -> None:
    """Run and print the table."""
    given = arguments(__doc__)
    frame, profiles = sample(given.events, given.profiles)
    table = table_of(profiles)
    events = Events(frame)

    def ours(measure: str) -> dict[tuple[str, object], int]:
        report = segmentation(events, table, None, measure=measure, by=user["plan"])
        counted = report.table[report.table["user.plan"] != "(not set)"]
        keys = zip(counted["user.plan"], counted["time"].dt.tz_localize(None), strict=True)
        return dict(zip(keys, counted["value"], strict=True))

    def theirs(measure: str) -> dict[tuple[str, object], int]:
        merged = frame.merge(profiles, on="distinct_id", how="left")
        grouped = merged.groupby(["plan", merged["time"].dt.floor("D")])
        counted: pd.Series = (
            grouped.size() if measure == "total" else grouped["distinct_id"].nunique()
        )
        return counted.to_dict()

    seconds, megabytes, _ = measured(lambda: ours("total"))
    print(f"first report, which codes the columns: {seconds:.2f} s, +{megabytes:.0f} MB")
    for measure in ("total", "unique"):
        print(f"{measure}:")
        ratio = compare(lambda m=measure: ours(m), lambda m=measure: theirs(m), given.runs)
        print(f"  {ratio:.1f} times as fast")


if __name__ == "__main__":
    main()
