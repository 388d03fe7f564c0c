"""Text that nobody can write, half a surrogate pair, ends nothing wherever it is."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st

import toolkit as tk
from tests.effort import examples
from toolkit.base import html
from toolkit.sources.live.receiver import Receiver
from toolkit.sources.live.wire import read_records
from toolkit.updates import by_message as batch_module
from toolkit.updates.messages import parse_message

HALF = "a\ud800"

#: Messages with a place for hostile text; "@" is replaced, in names and values.
TEMPLATES: list[dict[str, Any]] = [
    {"$distinct_id": "@", "$set": {"a": 1}},
    {"$group_key": "@", "$group_id": "1", "$set": {"a": 1}},
    {"$group_key": "k", "$group_id": "@", "$set": {"a": 1}},
    *({"$distinct_id": "1", op: {"@": 1}} for op in ("$set", "$set_once", "$add", "$union")),
    *({"$distinct_id": "1", op: {"a": "@"}} for op in ("$set", "$append", "$union", "$remove")),
    *({"$distinct_id": "1", op: {"a": ["@", 1]}} for op in ("$set", "$union", "$append")),
    *({"$distinct_id": "1", op: {"a": {"b": {"@": 1}}}} for op in ("$set", "$append", "$remove")),
    {"$distinct_id": "1", "$remove": {"@": 1}},
    {"$distinct_id": "1", "$append": {"@": 1}},
    {"$distinct_id": "1", "$unset": ["@"]},
    {"$distinct_id": "1", "$unset": ["a", "@", "b"]},
    {"$distinct_id": "1", "$unset": "@"},
    {"$distinct_id": "nobody", "$unset": ["@"]},
    {"$distinct_id": "1", "$delete": "@"},
    {"$distinct_id": "1", "$set": "@"},
    {"$distinct_id": "1", "@": {}},
    {"$distinct_id": "1", "$@": {}},
    {"$distinct_id": "1", "$@": {}, "$set": {"a": 1}},
    {"$distinct_id": "1", "$@": 1, "$set": {"a": 1}},
    *(
        {"$distinct_id": "1", "$set": {"a": 1}, field: "@"}
        for field in ("$time", "$token", "$ip", "$ignore_time", "$ignore_alias", "$device_id")
    ),
]

#: Texts that break readers and writers somewhere.
hostile = st.sampled_from(
    [HALF, "\udfff", "\ud83d", "\x00", "\ufeff", "\u202e", "\ud800" * 300, "'; --", "\u0000\ud800"]
) | st.text(st.characters(categories=["Cs", "Cc", "Cf", "Co"]), min_size=1, max_size=5)


def filled(template: Any, text: str) -> Any:
    if isinstance(template, str):
        return template.replace("@", text)
    if isinstance(template, dict):
        return {filled(name, text): filled(value, text) for name, value in template.items()}
    return [filled(each, text) for each in template] if isinstance(template, list) else template


def shown(result: Any) -> None:
    """Look at it in every way a person would; fail if it cannot be written."""
    for text in (repr(result), result._repr_html_(), repr(result.rejected), repr(result.warnings)):
        text.encode("utf-8")
    result.rejected.to_csv()


@pytest.fixture(params=["row by row", "whole columns"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "whole columns":
        monkeypatch.setattr(batch_module, "ROWS_AT_MOST", -1)
        monkeypatch.setattr(batch_module, "_ONE_ROW_IN", 10**9)
    return str(request.param)


@settings(
    max_examples=examples(100),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.tuples(st.sampled_from(TEMPLATES), hostile), max_size=6))
@example([(template, HALF) for template in TEMPLATES])
def test_MSG_3_hostile_text_at_any_place_of_a_message_never_ends_a_batch(
    way: str, drawn: list[tuple[Any, str]]
) -> None:
    before = {"$distinct_id": "first", "$set": {"a": [1]}}
    after = {"$distinct_id": "last", "$set": {"a": 2}}
    sent = [before, *(filled(template, text) for template, text in drawn), after]
    memory = tk.ProfileTable()
    result = memory.apply(sent)
    shown(result)
    assert (memory["first"], memory["last"]) == ({"a": [1]}, {"a": 2})
    rejected = {each.index for each in result.rejections}
    assert all(parse_message(each, 0, []) for at, each in enumerate(sent) if at not in rejected)
    with tempfile.TemporaryDirectory() as folder:
        with tk.ProfileTable(Path(folder) / "shop.db") as stored:
            same = stored.apply(sent)
            assert (same.applied, len(same.rejections)) == (result.applied, len(result.rejections))
        with tk.ProfileTable(Path(folder) / "shop.db") as stored:
            assert {key: stored[key] for key in stored} == {key: memory[key] for key in memory}
            assert stored.check()


@pytest.mark.parametrize("template", TEMPLATES, ids=str)
def test_MSG_3_half_a_surrogate_pair_is_named_with_its_place(template: Any) -> None:
    message = filled(template, HALF)
    result = tk.ProfileTable().apply([message, {"$distinct_id": "2", "$set": {}}])
    shown(result)
    if template.keys() & {"$token", "$ip", "$ignore_alias", "$device_id", "$delete"}:
        assert result.applied == 2
    elif template.get("$@") == 1:
        assert result.warnings["operator"].tolist() == ["$a\\ud800"]
    else:
        assert {each.index for each in result.rejections} == {0}
    profiles = tk.ProfileTable()
    profiles.set("1", {"a": 1, "b": 2})
    result = profiles.apply([{"$distinct_id": "1", "$unset": ["a", HALF]}])
    assert (result.applied, profiles["1"]) == (1, {"b": 2})
    assert "surrogate" in result.rejected["reason"][0]


def test_a_property_name_that_is_no_text_can_be_shown() -> None:
    profiles = tk.ProfileTable()
    result = profiles.apply([{"$distinct_id": "1", "$set": {1: 2, None: 3, (1,): 4, "a": 1}}])
    shown(result)
    assert "not text" in result.rejected["reason"][0]


def test_HTTP_2_what_arrives_is_answered_and_shown(tmp_path: Path) -> None:
    with tk.ProfileTable(tmp_path / "shop.db") as profiles:
        receiver = Receiver(profiles)
        sent = [filled(template, HALF) for template in TEMPLATES if "$group_key" not in template]
        records = read_records(
            "[" + ",".join(json.dumps(each) for each in [*sent, {"$distinct_id": "z", "$set": {}}])
            + "]"
        )  # fmt: skip
        outcome = receiver.updates(records, source="test", groups=False)
        assert "z" in profiles
        assert outcome.refusal is not None
        for text in (outcome.refusal, repr(receiver.log()), *(map(str, receiver.recent()))):
            text.encode("utf-8")


frame = pd.DataFrame({"distinct_id": ["1", "2"], "plan": ["free", "pro"]})
bad_ids = pd.DataFrame({"distinct_id": pd.Series(["1", HALF], dtype=object), "plan": ["a", "b"]})
bad_name = pd.DataFrame([["1", 1]], columns=pd.Index(["distinct_id", HALF], dtype=object))
events = pd.DataFrame(
    {
        "event": pd.Series(["View", HALF, "View"], dtype=object),
        "distinct_id": pd.Series(["1", "2", HALF], dtype=object),
        "time": "2026-01-01",
        "item": pd.Series(["x", HALF, "y"], dtype=object),
        "company": pd.Series(["acme", HALF, ["acme", HALF]], dtype=object),
    }
)


@pytest.mark.parametrize(
    "work",
    [
        lambda p: p.set(HALF, {}),
        lambda p: p.set("1", {HALF: 1}),
        lambda p: p.unset("1", HALF),
        lambda p: p.get(HALF),
        lambda p: p[HALF],
        lambda p: HALF in p,
        lambda p: p.groups(HALF),
        lambda p: p.history(HALF),
        lambda p: p.explain("1", HALF),
        lambda p: p.edit("1", {HALF: 1}, before=p["1"]),
        lambda p: p.apply([], source=HALF),
        lambda p: p.apply([{"$distinct_id": "1", "$set": {}}], source=HALF),
        lambda p: tk.import_frame(p, frame, source=HALF),
        lambda p: tk.import_frame(p, bad_ids),
        lambda p: tk.import_frame(p, bad_name),
        lambda p: p.set(bad_ids),
        lambda p: p.set(bad_name),
        lambda p: p.where(tk.user[HALF] == HALF).frame,
        lambda p: p.where(f'user["{HALF}"] == 1'),
        lambda p: tk.set_where(p, tk.user["plan"] == "free", {HALF: 1}),
        lambda p: tk.unset_where(p, tk.user["plan"] == "free", HALF),
        lambda p: tk.rename_where(p, "plan", HALF),
        lambda p: tk.update_where(p, tk.user["plan"] == "free", {"$unset": [HALF]}),
        lambda p: tk.find_duplicates(p, HALF).groups,
        lambda p: tk.revenue(p, by=HALF),
        lambda p: tk.cohort_of(["1"], HALF),
        lambda p: tk.cohort_of([HALF], "name"),
        lambda p: tk.cohort(events, p, tk.user["plan"] == "free", name=HALF),
        lambda p: tk.match(events, p, group="company"),
        lambda p: tk.match(events, p),
        lambda p: tk.join(events, p, HALF).columns,
        lambda p: tk.segmentation(events, p, HALF).table,
        lambda p: tk.segmentation(events, p, ["View", HALF]).table,
        lambda p: tk.segmentation(events, p, "View", by="item").table,
        lambda p: tk.funnel(events, p, ["View", HALF]).table,
        lambda p: tk.retention(events, p, birth=HALF).table,
        lambda p: tk.flows(events, p, HALF).table,
        lambda p: tk.import_csv(p, b"distinct_id,a\n1,2\n", {0: "$distinct_id", 1: HALF}),
        lambda p: tk.import_csv(p, b"distinct_id,a\n1,2\n", {0: "$distinct_id", HALF: "a"}),
        lambda p: tk.consumer(p).send("people", '{"$distinct_id": "b", "$unset": ["\\ud800"]}'),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kept", ["memory", "SQLite"])
@pytest.mark.filterwarnings("ignore::toolkit.errors.UnknownPropertyWarning")
@pytest.mark.filterwarnings("ignore::toolkit.errors.InvalidCellsWarning")
@pytest.mark.filterwarnings("ignore::toolkit.errors.RejectedUpdateWarning")
def test_half_a_surrogate_pair_is_refused_in_words_or_is_nobodys(
    tmp_path: Path, work: Any, kept: str
) -> None:
    profiles = tk.ProfileTable(tmp_path / "shop.db" if kept == "SQLite" else None)
    profiles.set("1", {"plan": "free"})
    try:
        repr(work(profiles)).encode("utf-8")
    except tk.ToolkitError as error:
        str(error).encode("utf-8")
    assert "1" in profiles
    assert isinstance(profiles.batches["source"], pd.Series)
    profiles.close()


def test_a_table_of_cells_with_half_a_pair_has_HTML() -> None:
    text = html.table(pd.DataFrame({"a": pd.Series([HALF, "b"], dtype=object)}))
    assert "a\\ud800" in text
