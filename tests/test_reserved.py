"""Reserved properties: titles, display names, and names nobody may write in a form."""

from __future__ import annotations

from typing import Any

import pytest

from toolkit.base.reserved import HIDDEN, RESERVED, display_name, title
from toolkit.updates.names import name_refusal


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"$name": "Alice Doe", "$first_name": "A", "$email": "a@b.c"}, "Alice Doe"),
        ({"$first_name": "Alice", "$last_name": "Doe", "$email": "a@b.c"}, "Alice Doe"),
        ({"$last_name": "Doe", "$email": "a@b.c"}, "Doe"),
        ({"$first_name": "Alice"}, "Alice"),
        ({"$email": "a@b.c", "name": "no reserved name"}, "a@b.c"),
        ({}, "123"),
        ({"$name": ""}, "123"),
        ({"$name": "  ", "$email": "a@b.c"}, "a@b.c"),
        ({"$name": None, "$first_name": 7, "$last_name": ["Doe"]}, "123"),
        ({"$name": " 李伟 "}, "李伟"),
    ],
)
def test_TITLE_is_the_name_else_first_and_last_else_email_else_the_id(
    properties: dict[str, Any], expected: str
) -> None:
    assert title(properties, "123") == expected


def test_reserved_names_have_display_names_and_others_are_their_own() -> None:
    assert display_name("$last_seen") == "Updated at"
    assert display_name("$mp_first_event_time") == "First Seen"
    assert display_name("<b>") == "<b>"
    assert not set(HIDDEN) & set(RESERVED)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("$bucket", "hidden"),
        ("bucket", "hidden"),
        ("$last_seen", "kept by the table"),
        ("$mp_first_event_time", "computed from the events"),
        ("$distinct_id", "a field of messages"),
        ("$token", "a field of messages"),
        ("", "needs a name"),
        ("  ", "needs a name"),
    ],
)
def test_forms_refuse_names_that_are_not_theirs_to_write(name: str, reason: str) -> None:
    refusal = name_refusal(name)
    assert refusal is not None
    assert reason in refusal


@pytest.mark.parametrize("name", ["plan", "$email", "$name", "Bucket", "$buckets", "$created"])
def test_forms_take_other_names_reserved_ones_too(name: str) -> None:
    assert name_refusal(name) is None
