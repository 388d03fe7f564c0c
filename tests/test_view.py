"""Profiles picked out by a condition, and the card that shows profiles."""

from __future__ import annotations

from typing import Any

import toolkit as tk
from tests.test_html import Reader
from toolkit import user


def table_of(*profiles: dict[str, Any]) -> tk.ProfileTable:
    table = tk.ProfileTable()
    table.apply([{"$distinct_id": str(n), "$set": each} for n, each in enumerate(profiles)])
    return table


def test_one_profile_is_in_the_singular() -> None:
    table = table_of({"plan": "pro"}, {"plan": "free"}, {"plan": "free"})
    one, two = table.where(user["plan"] == "pro"), table.where(user["plan"] == "free")
    assert repr(one) == '<ProfileView: 1 profile where user["plan"] == "pro">'
    assert "1 profile where" in one._repr_html_()
    assert "2 profiles where" in two._repr_html_()


def test_a_condition_true_of_no_profile_is_not_taken_for_an_empty_table() -> None:
    none = table_of({"plan": "pro"}).where(user["plan"] == "<b>")
    assert "No profile is one where user[&quot;plan&quot;] == &quot;&lt;b&gt;" in none._repr_html_()
    assert "profiles.set" not in none._repr_html_()
    assert "profiles.set" in tk.ProfileTable()._repr_html_()


def test_the_card_shows_all_rows_if_few_more_would_be_hidden() -> None:
    assert Reader(table_of(*[{"n": n} for n in range(13)])._repr_html_()).cells[-2] == "12"
    shown = table_of(*[{"n": n} for n in range(14)])._repr_html_()
    assert "10 of 14 rows" in shown


def test_of_many_properties_the_card_names_those_without_a_value_in_its_rows() -> None:
    wide = {f"p{n}": n for n in range(8)}
    table = table_of(*[wide] * 20, {"later": 1, "<i>": 2}, {"p1": None})
    shown = table._repr_html_()
    assert "No value in these rows: later, &lt;i&gt;." in shown
    assert '<th scope="col" class="tk-number">p7</th>' in shown
    assert ">later</th>" not in shown


def test_of_few_properties_the_card_shows_all() -> None:
    shown = table_of(*[{"a": 1}] * 20, {"later": 1})._repr_html_()
    assert ">later</th>" in shown
    assert "No value" not in shown


def test_hidden_properties_are_not_named() -> None:
    wide = {f"p{n}": n for n in range(9)}
    table = tk.ProfileTable()
    table.apply([{"$distinct_id": str(n), "$set": wide} for n in range(20)])
    table.apply([{"$distinct_id": "late", "$set": {"bucket": 1, "$bucket": 2, "later": 3}}])
    shown = table._repr_html_()
    assert "No value in these rows: later." in shown
    assert "bucket" not in shown


def test_properties_called_like_the_index_are_shown() -> None:
    shown = table_of({"distinct_id": "mine", "index": "other"})._repr_html_()
    assert Reader(shown).cells[:3] == ["0", "mine", "other"]
