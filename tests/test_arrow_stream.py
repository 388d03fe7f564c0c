"""CSV that Arrow reads from a stream of Python's."""

from __future__ import annotations

import gc
import re
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

import toolkit
from toolkit.base.errors import CsvError
from toolkit.sources.csv import arrow_stream
from toolkit.sources.csv.reading import read_csv_text
from toolkit.sources.csv.source import CsvSource


def stop_after_some(stage: str, done: int, total: int) -> None:
    if done:
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("content", "progress", "raised"),
    [
        (b"a,b\n1,2\n", None, None),
        (b"a,b\n1,2\n1\n", None, None),
        (b'a,b\n1,"' + b"x" * 40_000_000, None, CsvError),
        (b"a,b\n" + b"1,2\n" * 9_000_000, stop_after_some, KeyboardInterrupt),
    ],
    ids=["whole", "ragged", "row too long", "stopped"],
)
def test_no_thread_of_Arrow_keeps_a_stream_of_Python(
    content: bytes,
    progress: Any,
    raised: type[BaseException] | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # One that drops it while the interpreter shuts down aborts the process.
    kept: list[Any] = []

    def count(held: Any) -> None:
        wait(held)
        kept.extend(each() for each in held)

    wait = arrow_stream._wait_for
    monkeypatch.setattr(arrow_stream, "_wait_for", count)
    given = {} if progress is None else {"progress": progress}
    with pytest.raises(raised) if raised else nullcontext():
        read_csv_text(CsvSource.of(content), at_most=10, **given)
    assert kept == [None, None]
    assert not [each for each in gc.get_objects() if type(each) is arrow_stream._Loan]


def test_nothing_hands_Arrow_an_open_file_or_bytes_of_Python() -> None:
    calls = re.compile(r"open_csv\(|read_parquet\(.*|BufferReader\(.*")
    found = {
        path.name: calls.findall(path.read_text("utf-8"))
        for path in Path(toolkit.__file__).parent.rglob("*.py")
    }
    assert {name: each for name, each in found.items() if each} == {
        "arrow_stream.py": ["read_parquet(path, filesystem=LocalFileSystem())", "open_csv("],
        "parquet.py": ["BufferReader(memory)"],
    }
