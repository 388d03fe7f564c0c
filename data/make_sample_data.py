"""Make the sample data of this folder anew: ``python data/make_sample_data.py``."""

from pathlib import Path

import pandas as pd

from toolkit.sources.sample import make_sample


def count_rows(path: Path) -> int:
    """Return the number of rows of a sample file, a header not counted."""
    if path.suffix == ".parquet":
        return len(pd.read_parquet(path))
    if path.suffix == ".csv":
        # Not the number of lines: a quoted cell may hold line breaks.
        header = None if path.stem.endswith("no_header") else 0
        return len(pd.read_csv(path, header=header, dtype="str"))
    return len(path.read_text(encoding="utf-8").splitlines())


def main() -> None:
    """Make the files and print the size and the number of rows of each."""
    for path in make_sample(Path(__file__).parent).values():
        print(f"{path.name:<24}{path.stat().st_size:>12,} bytes{count_rows(path):>10,} rows")


if __name__ == "__main__":
    main()
