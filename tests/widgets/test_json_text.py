"""JSON as people type it."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from tests.strategies import values
from toolkit.base.errors import JsonTextError
from toolkit.base.values import equal
from toolkit.forms.parts.json_text import json_text, laid_out, read_json, read_several


@pytest.mark.parametrize(
    ("text", "line", "column", "advice"),
    [
        ("", 1, 1, "missing"),
        ("  \n ", 2, 2, "missing"),
        ("{'plan': 1}", 1, 2, 'double quotes: "plan"'),
        ("{“plan”: 1}", 1, 2, 'double quotes: "plan"'),
        ('{"a": 1,\n "b": 2,\n}', 3, 1, "leave it out"),
        ('{"a": [1, 2, ]}', 1, 14, "leave it out"),
        ('{"a": pro}', 1, 7, 'double quotes: "pro"'),
        ('{"a": True}', 1, 7, "JSON writes true for True"),
        ('{"a": None}', 1, 7, "JSON writes null for None"),
        ('{"a": +1}', 1, 7, "not a JSON number"),
        ('{"a": .5}', 1, 7, "not a JSON number"),
        ('{"a": 1', 1, 8, "not closed"),
        ('{\n "a": "b\n}', 2, 9, "on one line"),
        ('{\n "a": "b', 2, 7, "no closing double quote"),
        ('{"a": "C:\\x"}', 1, 10, "backslash"),
        ('{"a": 1 "b": 2}', 1, 9, "comma is missing"),
        ('{"a" 1}', 1, 6, "colon is missing"),
        ('{"a": 1} {"b": 2}', 1, 10, "more follows"),
        ('{"a": 1, "b": {"a": 1}, "a": 2}', 1, 25, "twice"),
        ('{"a": NaN}', 1, 7, "NaN is not JSON"),
        ('{"a": [-Infinity]}', 1, 8, "-Infinity is not JSON"),
        ("{:}", 1, 2, ": is not expected"),
        ("1" * 5_000, 1, 1, "digits"),
        ("[" * 100_000, 1, 1, "nested"),
    ],
)
def test_an_error_says_where_and_what_to_do(text: str, line: int, column: int, advice: str) -> None:
    with pytest.raises(JsonTextError) as caught:
        read_json(text)
    assert advice in str(caught.value)
    assert (caught.value.line, caught.value.column) == (line, column)


def test_brackets_and_colons_inside_text_mean_nothing() -> None:
    assert read_json('{"a:{": "}\\"NaN[", "b": "a:{"}') == {"a:{": '}"NaN[', "b": "a:{"}


def test_the_same_key_in_another_object_is_another_key() -> None:
    assert read_json('[{"a": 1}, {"a": {"a": 2}}]') == [{"a": 1}, {"a": {"a": 2}}]


def test_a_key_written_twice_in_two_spellings_is_the_same_key() -> None:
    with pytest.raises(JsonTextError, match="twice"):
        read_json('{"a": 1, "\\u0061": 2}')


def test_NaN_is_read_on_request() -> None:
    assert str(read_json("[NaN, -Infinity]", nan=True)) == "[nan, -inf]"


def test_an_error_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(JsonTextError("so: not", 3, 4)))
    assert (str(error), error.line, error.column) == ("line 3, column 4: so: not", 3, 4)


@pytest.mark.parametrize(
    "text",
    ['[{"a": 1}, 2]', '{"a": 1}\n2', '\n{"a":\n 1}\n\n2\n', '{"a": 1} 2'],
)
def test_several_values_are_an_array_or_follow_each_other(text: str) -> None:
    assert read_several(text) == [{"a": 1}, 2]


def test_no_value_at_all_is_an_empty_list() -> None:
    assert read_several(" \n") == read_several("[]") == []


def test_a_broken_line_among_several_is_named() -> None:
    with pytest.raises(JsonTextError, match="line 2, column 7"):
        read_several('{"a": 1}\n{"a": oops}\n{"a": 3}')


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(values)
def test_what_is_laid_out_reads_back(value: Any) -> None:
    for text in (laid_out(value), json_text(value)):
        assert equal(read_json(text), value)
        text.encode("utf-8")
    assert "\n" not in json_text(value)


def test_half_a_surrogate_pair_is_escaped() -> None:
    assert json_text(["\ud800ü"]) == '["\\ud800\\u00fc"]'


def test_a_long_value_takes_a_line_an_element() -> None:
    text = laid_out({"$set": {"plan": "p" * 30, "tags": ["a", "b"]}, "$unset": ["x"]})
    assert text.splitlines() == [
        "{",
        '  "$set": {',
        f'    "plan": "{"p" * 30}",',
        '    "tags": ["a", "b"]',
        "  },",
        '  "$unset": ["x"]',
        "}",
    ]
