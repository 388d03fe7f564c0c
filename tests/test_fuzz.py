"""Anything at all may arrive: it is taken, or refused by a ToolkitError, and never hangs."""

from __future__ import annotations

import gzip
import json
import time
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings, strategies as st

import toolkit as tk
from tests.effort import examples
from toolkit.base import errors
from toolkit.expressions import as_expression
from toolkit.profiles.table import ProfileTable

OPERATORS = [
    *("$set", "$set_once", "$add", "$union", "$append", "$remove", "$unset", "$delete"),
    *("$nonsense", "$SET", ""),
]
FIELDS = [
    *("$distinct_id", "$group_key", "$group_id", "$token", "$time", "$ip", "$ignore_time"),
    *("$latitude", "$last_seen", "$bucket", "plan"),
]
odd: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(float("nan"), float("inf"), -0.0, 10**400, -(10**400), 1e308, np.int64(3), np.float32(1)),
        *("\ud800", "\x00", "a" * 10_000, b"bytes", object(), object, lambda: 0, {1, 2}, (1, 2)),
        *(np.array([1, 2]), pd.NaT, pd.NA, pd.Timestamp("2026-01-01"), 1j, ..., range(3), [[]]),
    ]
)
plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | odd
anything = st.recursive(
    plain,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3) | st.integers() | st.none(), inner, max_size=3)
        | st.dictionaries(st.sampled_from([*OPERATORS, *FIELDS]), inner, max_size=3)
    ),
    max_leaves=8,
)
messages = st.dictionaries(st.sampled_from([*OPERATORS, *FIELDS]), anything, max_size=5) | anything

#: How long the slowest of these may take, on a machine that does other things too.
PATIENCE = 15.0


def refused_or_done(work: Callable[[], object]) -> bool:
    """Whether it was refused, by an error of ours, in time."""
    started = time.perf_counter()
    try:
        work()
    except errors.ToolkitError as error:
        assert str(error)
        assert len(str(error)) < 20_000
        return True
    finally:
        assert time.perf_counter() - started < PATIENCE
    return False


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def cyclic() -> Any:
    value: list[Any] = []
    value.append(value)
    return value


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(messages, max_size=5) | anything)
@example([{"$distinct_id": 10**5_000, "$set": {}}])
@example([{"$distinct_id": "1", "$add": {"a": 10**5_000}}])
@example([{"$distinct_id": "1", "$set": {"a": 1}, "$time": 10**400}])
def test_messages_of_any_python_objects(sent: Any) -> None:
    profiles = ProfileTable()
    profiles.set("1", {"a": [1], "n": 1})
    if refused_or_done(lambda: profiles.apply(sent)):
        assert len(profiles.batches) == 1
    # Whatever was taken is JSON, is shown, and can be read back.
    for key in profiles:
        json.dumps(profiles[key], allow_nan=False)
    assert "<" in profiles._repr_html_()
    assert len(profiles.frame) == len(profiles)


@pytest.mark.parametrize(
    "sent",
    [
        [{"$distinct_id": "1", "$set": {"a": deep(100_000)}}],
        [{"$distinct_id": "1", "$append": {"a": deep(5_000)}}],
        [{"$distinct_id": "1", "$set": {"a": cyclic()}}],
        [{"$distinct_id": deep(5_000), "$set": {}}],
        [{"$distinct_id": "1", "$set": deep(5_000)}],
        [{"$distinct_id": "1", "$unset": deep(5_000), "$time": deep(5_000)}],
    ],
    ids=range(6),
)
def test_messages_that_go_deep_are_rejected(sent: Any) -> None:
    profiles = ProfileTable()
    result = profiles.apply(sent)
    assert (result.applied, len(result.rejected)) == (0, 1)
    assert len(result.rejected["reason"][0]) < 500
    assert repr(result)
    assert len(profiles) == 0


@settings(max_examples=examples(200), deadline=None)
@given(
    st.binary(max_size=200)
    | st.lists(st.sampled_from([*'[]{}:,"\n\\', "1", "null", "$set", "1e999", "\ufeff"])).map(
        lambda parts: "".join(parts).encode()
    )
    | st.binary(max_size=100).map(gzip.compress)
)
@example(b"[" * 1_000_000)
@example(b'{"a":' * 200_000)
@example(b'{"$distinct_id": "1", "$set": {"a": ' + b"9" * 1_000_000 + b"}}")
@example(b'"' + b"x" * 3_000_000)
@example(gzip.compress(b"[" * 1_000, mtime=0)[:-9])
@example(b"\xff\xfe" + "{}".encode("utf-16-le"))
def test_files_of_messages_of_any_bytes(tmp_path_factory: Any, content: bytes) -> None:
    folder: Path = tmp_path_factory.mktemp("fuzz")
    for name in ("m.jsonl", "m.json", "m.jsonl.gz"):
        (folder / name).write_bytes(content)
        for on_error in ("raise", "skip"):
            refused_or_done(
                lambda: ProfileTable().apply(
                    tk.read_messages(folder / name, on_error=on_error)  # noqa: B023
                )
            )


csv_bytes = (
    st.binary(max_size=200)
    | st.lists(
        st.sampled_from(
            [
                *'",;\t\r\n|',
                "distinct_id",
                "$time",
                "$email",
                "1",
                "é",
                "\ufeff",
                "\x00",
                "{}",
                "[1",
            ]
        )
    ).map(lambda parts: "".join(parts).encode())
    | st.binary(max_size=100).map(gzip.compress)
)


@settings(max_examples=examples(200), deadline=None)
@given(csv_bytes, st.sampled_from([None, True, False]))
@example(b'"' * 1_000_001, None)
@example(b"," * 3_000 + b"\n1", None)
@example(b"distinct_id,a\n1," + b"x" * 5_000_000, True)
@example(b"distinct_id,a\n1," + b"[" * 300_000, True)
@example(b"distinct_id,a\n1," + b"9" * 300_000, True)
@example(b"distinct_id,$time\n1," + b"9" * 300_000, True)
@example(b"\n" * 500_000, None)
def test_csv_files_of_any_bytes(content: bytes, header: bool | None) -> None:
    refused_or_done(lambda: tk.preview_csv(content, header=header))
    profiles = ProfileTable()
    for mapping in (None, {0: "$distinct_id", 1: "a"}, {0: "$distinct_id", 1: "$time"}):
        refused_or_done(
            lambda: tk.import_csv(
                profiles,
                content,
                mapping,  # noqa: B023
                header=header,
                on_error="skip",
                progress=False,
            )
        )
    assert len(profiles.frame) == len(profiles)


words = st.sampled_from(
    [
        *('user["a"]', 'event["b"]', "user", "event", "(", ")", "[", "]", "and", "or", "not", "in"),
        *(
            "==",
            "!=",
            "<",
            ">=",
            "+",
            "-",
            "*",
            "/",
            "%",
            ".any()",
            ".is_set()",
            "1",
            "1e999",
            '"x"',
        ),
        *(" ", "null", "true", ".", ",", "'", "\\", "datetime", "number(", "if(", "&", "|", "~"),
    ]
)


@settings(max_examples=examples(400), deadline=None)
@given(st.text(max_size=60) | st.lists(words, max_size=15).map("".join))
@example("(" * 1_000_000)
@example("not " * 100_000)
@example("-" * 100_000 + "1")
@example('user["a"] == ' + "9" * 1_000_000)
@example('user["' + "a" * 1_000_000 + '"] == 1')
@example(" and ".join(['user["a"] == 1'] * 2_000))
@example(" + ".join(['user["a"]'] * 2_000) + " > 1")
@example('user["a"] in [' + "1, " * 30_000 + "1]")
@example('user["\ud800"] == "\ud800"')
def test_expressions_of_any_text(text: str) -> None:
    profiles = ProfileTable()
    profiles.set("1", {"a": 1})

    def work() -> None:
        expression = as_expression(text)
        profiles.where(expression)
        assert as_expression(str(expression)) is not None

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", errors.UnknownPropertyWarning)
        refused_or_done(work)


@pytest.mark.parametrize(
    "work",
    [
        lambda: as_expression("(" * 1_000_000),
        lambda: tk.preview_csv(b'a,b\n1,"' + b"[" * 1_000_000),
        lambda: ProfileTable().apply([{"$distinct_id": "1", "$set": {"a": deep(50_000)}}]),
    ],
)
def test_what_is_refused_takes_no_memory_to_speak_of(work: Callable[[], object]) -> None:
    tracemalloc.start()
    try:
        refused_or_done(work)
        assert tracemalloc.get_traced_memory()[1] < 300e6
    finally:
        tracemalloc.stop()
