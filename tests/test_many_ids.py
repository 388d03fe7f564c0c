"""Operators on several distinct IDs at once, and IDs that are none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import toolkit as tk
from toolkit import user
from toolkit.base import errors

SEVERAL = {
    "list": ["1", "2"],
    "tuple": ("1", "2"),
    "set": {"1", "2"},
    "array": np.array([1, 2]),
    "Index": pd.Index(["1", "2"]),
    "Series": pd.Series([1.0, 2.0], index=[7, 7]),
    "keys": {"1": 0, "2": 0}.keys(),
    "twice": ["1", 2, 1, "2"],
}
ARGUMENTS: dict[str, Any] = {
    **{"set": {"n": 5}, "set_once": {"m": 1}, "add": {"n": 1}, "union": {"tags": ["b"]}},
    **{"append": {"tags": "b"}, "remove": {"tags": "a"}, "unset": "n"},
}


def three() -> tk.ProfileTable:
    profiles = tk.ProfileTable()
    profiles.set(["1", "2", "3"], {"n": 1, "tags": ["a"]})
    return profiles


@pytest.mark.parametrize("form", SEVERAL)
def test_MANY_1_delete_takes_several_ids_as_one_batch(form: str) -> None:
    profiles = three()
    result = profiles.delete(SEVERAL[form])
    assert (result.applied, result.deleted, list(profiles)) == (2, 2, ["3"])
    assert len(profiles.batches) == 2
    profiles.undo(result.batch_id)
    assert len(profiles) == 3


@pytest.mark.parametrize("operator", ARGUMENTS)
def test_MANY_1_every_operator_does_to_each_what_it_does_to_one(operator: str) -> None:
    many, single = three(), three()
    result = getattr(many, operator)(["1", "2", "1"], ARGUMENTS[operator])
    for each in ("1", "2"):
        getattr(single, operator)(each, ARGUMENTS[operator])
    assert result.applied == 2
    assert [many[each] for each in many] == [single[each] for each in single]
    assert len(many.batches) == 2


def test_MANY_1_the_result_of_where_is_several_ids() -> None:
    profiles = three()
    profiles.add("3", {"n": 9})
    assert profiles.delete(profiles.where(user["n"] > 5)).deleted == 1
    assert list(profiles) == ["1", "2"]


def test_MANY_1_of_no_id_there_is_no_batch() -> None:
    profiles = three()
    assert profiles.delete([]).applied == 0
    assert len(profiles.batches) == 1


def test_MANY_1_ids_that_are_none_are_rejected_and_stop_no_other() -> None:
    profiles = three()
    with pytest.warns(tk.errors.RejectedUpdateWarning, match="and 3 rejections more") as caught:
        result = profiles.delete(["1", None, float("nan"), "", ["2"], "3"])
    assert len(caught) == 1
    assert result.rejected["index"].tolist() == [1, 2, 3, 4]
    assert list(profiles) == ["2"]


def test_MANY_1_a_DataFrame_is_refused_with_what_to_give() -> None:
    with pytest.raises(errors.ArgumentError, match=r'frame\["distinct_id"\]'):
        three().delete(pd.DataFrame({"distinct_id": ["1"]}))


def test_MANY_1_groups_take_several_too() -> None:
    companies = tk.ProfileTable().groups("company")
    assert companies.set(["acme", "hooli"], {"size": 3}).created == 2
    assert companies.delete(("acme", "hooli")).deleted == 2


@pytest.mark.parametrize(
    "given",
    ["12", b"12", {"a": 1}, 10**5000, True, None, object()],
    ids=lambda each: type(each).__name__,
)
def test_MSG_4_what_is_one_id_stays_one(given: Any) -> None:
    profiles = tk.ProfileTable()
    if isinstance(given, str):
        assert profiles.set(given, {}).created == 1
        return
    with pytest.warns(tk.errors.RejectedUpdateWarning, match="was not applied to"):
        assert profiles.set(given, {"a": 1}).applied == 0


def test_what_a_warning_of_a_rejection_quotes_can_be_printed() -> None:
    profiles = tk.ProfileTable()
    for half in ("\ud800", "a\udfff"):
        for write in (profiles.set, profiles.set_once, profiles.append):
            with pytest.warns(tk.errors.RejectedUpdateWarning) as caught:
                write("1", {half: half})
            assert str(caught[0].message).encode("utf-8")
