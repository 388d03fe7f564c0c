"""The operator lab's results as HTML, and the form around them."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

import toolkit as tk
from tests.effort import examples
from tests.strategies import NAMES, cells, messages, values
from toolkit.base.values import ABSENT, equal
from toolkit.columns import Difference, differences
from toolkit.forms.lab import view as lab_view
from toolkit.forms.lab.difference import elements, shown_differences
from toolkit.forms.lab.form import OperatorLab
from toolkit.forms.lab.state import OperatorLabState
from toolkit.forms.lab.trial import Trial, run
from toolkit.updates.rules import RULES

BAD = "<img src=x onerror=alert(1)>"
TAGS = {"p", "strong", "pre", "span", "div", "ins", "del", "details", "summary", "code", "ul", "li"}


class Reader(HTMLParser):
    """Collects the tags and the text of HTML, and checks that tags are closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def trial_of(before: Any, message: dict[str, Any]) -> Trial:
    return run([{"$distinct_id": "ann", **message}], before, 0, 60_000_000)[0]


def read(before: Any, message: dict[str, Any]) -> str:
    reader = Reader(str(lab_view.result(trial_of(before, message))))
    assert reader.tags <= TAGS
    return reader.text


def changes(before: Any, after: Any) -> list[tuple[str, str]]:
    return [(each.change, each.property) for each in shown_differences(before, after)]


def test_differences_name_what_became_of_each_property() -> None:
    before = {"a": 1, "gone": 2, "b": 3, "c": 1, "also gone": None}
    after = {"a": 1, "b": [3], "c": 1.0, "new": None}
    assert changes(before, after) == [
        ("kept", "a"),
        ("removed", "gone"),
        ("changed", "b"),
        ("rewritten", "c"),
        ("added", "new"),
        ("removed", "also gone"),
    ]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(st.sampled_from(NAMES), cells), st.dictionaries(st.sampled_from(NAMES), cells)
)
def test_differences_lead_from_one_profile_to_the_other(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    found = differences(before, after)
    old = {each.property: each.old for each in found if each.old is not ABSENT}
    new = {each.property: each.new for each in found if each.new is not ABSENT}
    assert equal(old, before)
    assert equal(new, after)
    assert list(new) == list(after)
    for each in found:
        if isinstance(each.old, list) and isinstance(each.new, list):
            parts = list(elements(each.old, each.new))
            assert equal([p.old for p in parts if p.change != "added"], each.old)
            assert equal([p.new for p in parts if p.change != "removed"], each.new)


def test_elements_of_a_list_are_compared_one_by_one() -> None:
    assert list(elements([1, 2, 3], [1, 3, True])) == [
        Difference("", "", 1, 1),
        Difference("", "", 2, ABSENT),
        Difference("", "", 3, 3),
        Difference("", "", ABSENT, True),
    ]


def test_lists_too_long_to_compare_are_shown_whole() -> None:
    assert list(elements([*range(1_000)], [*range(1_000)][::-1])) == []


def test_HIDDEN_properties_show_in_no_difference_but_are_told() -> None:
    assert changes({"a": 1}, {"a": 1, "bucket": 2}) == [("kept", "a")]
    text = read({"a": 1}, {"$set": {"$bucket": "secret"}})
    assert "secret" not in text.partition("HIDDEN")[0]
    assert "never shown is stored" in text


def test_a_change_has_a_sign_and_a_word_beside_its_colour() -> None:
    text = read({"a": 1, "b": 2}, {"$set": {"a": 3, "c": 4}, "$unset": ["b"]})
    for told in ("~changed: ", "+added: ", "−removed: ", "+ added, ~ changed, − removed"):
        assert told in text


@pytest.mark.parametrize(
    ("before", "message", "told"),
    [
        (None, {"$set": {"a": 1}}, "A profile was created."),
        (None, {"$set": {}}, "An empty profile: {}"),
        (None, {"$remove": {"a": 1}}, "There is no profile."),
        ({"a": 1}, {"$set": {"a": 1}}, "values equal to the old ones"),
        ({"a": 1}, {"$set_once": {"a": 1}}, "nothing had to be written"),
        ({"a": 1}, {"$set_once": {"a": 1}}, "No property differs."),
        ({"a": 1}, {"$set": {"a": 1.0}}, "equal, written differently"),
        ({"a": "x"}, {"$add": {"a": 1}}, "Rejected: nothing was written."),
        ({"a": "x"}, {"$add": {"a": 1, "b": 1}}, "Written. A part was rejected."),
        ({"a": "x"}, {"$add": {"a": 1}}, "the stored value is the text 'x'"),
        ({"a": 1}, {"$delete": ""}, "The profile was deleted."),
        ({"a": 1}, {"$delete": ""}, "The profile no longer exists."),
        ({"a": 1}, {"$set": {"a": 2}}, "moves from 1970-01-01 00:00 to 1970-01-01 00:01"),
        ({"a": 1}, {"$set": {"a": 2}, "$ignore_time": True}, "stays 1970-01-01 00:00"),
        (None, {"$set": {"a": 2}, "$ignore_time": True}, "stays never"),
        (None, {"$set": {"a": 2}}, "begins at 1970-01-01 00:01"),
    ],
)
def test_a_result_is_told_in_words(before: Any, message: dict[str, Any], told: str) -> None:
    assert told in read(before, message)


def test_nothing_of_a_profile_or_message_becomes_markup() -> None:
    before = {BAD: [BAD], "b": {BAD: BAD}, "c": BAD}
    message = {
        "$set": {BAD + "2": BAD, "\ud800" + BAD: 1},
        "$union": {BAD: [BAD + "3"]},
        "$append": {"c": 1},
        "$unset": ["b"],
    }
    text = read(before, message)
    assert text.count(BAD) > 5
    assert "\\ud800" in text
    text.encode("utf-8")
    unknown = read({"a": 1}, {BAD: {}})
    assert "unknown operator" in unknown


def test_a_long_list_shows_its_ends_and_what_changed() -> None:
    text = read({"a": [*range(1_000)]}, {"$append": {"a": "new"}})
    assert '[0, 1, 2, … 994 more …, 997, 998, 999, "new"]' in text


def test_a_long_text_is_cut() -> None:
    assert len(read({}, {"$set": {"a": "x" * 100_000}})) < 10_000


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_shows_all_its_words(rule: str) -> None:
    shown = Reader(str(lab_view.rules([rule])))
    words = re.sub(r"\s+", "", shown.text)
    assert words == re.sub(r"\s+", "", f"{rule}{RULES[rule]}".replace("`", ""))


def test_the_nearest_rule_is_open_and_the_others_wait() -> None:
    shown = lab_view.rules(["LIST-1", "SET-1", "SEEN-2"])
    assert shown.count("<details") == 2
    assert shown.count(" open>") == 0  # LIST-1 is one sentence: nothing to open
    assert lab_view.rules(["SET-1", "SEEN-2"]).count(" open>") == 1


# The form


def test_the_form_shows_what_the_state_says() -> None:
    lab = OperatorLab()
    lab.state.load_preset("$append of a list")
    assert lab._case.value == "$append of a list"
    assert json.loads(lab._profile.value) == {"seen": ["Tent"], "tags": ["a"]}
    assert [view.name.value for view in lab._rows[:2]] == ["seen", "tags"]
    assert "APPEND-1" in lab._result.value
    lab.state.load_sample()
    lab.state.go(11)
    assert "DELETE-1" in lab._result.value
    assert [row["cells"][0] for row in lab._grid.rows] == ["11", "12", "13", "14"]
    assert [row["kind"] for row in lab._grid.rows] == ["", "selected", "", ""]


def test_a_hidden_result_does_not_travel_to_the_page() -> None:
    lab = OperatorLab("$add to text", predict=True)
    sent = json.dumps([widget.get_state() for widget in widgets_of(lab)], default=str)
    assert "ADD-2" not in sent
    assert "not a number" not in sent
    lab.state.show()
    assert "ADD-2" in lab._result.value


def test_typing_in_a_row_changes_the_json_and_no_other_field() -> None:
    lab = OperatorLab("$add to text")
    lab._rows[0].value.value = "12"
    assert json.loads(lab.state.message_text)["$add"] == {"plan": 12, "orders": 1}
    lab._rows[0].value.value = "12x"
    assert lab._rows[0].value.value == "12x"
    assert "value, column 3: one JSON value" in lab._rows[0]._error.value
    assert json.loads(lab._message.value)["$add"] == {"plan": 12, "orders": 1}
    lab._message.value = '{"$distinct_id": "ann", "$unset": ["plan"]}'
    assert lab._rows[0].operator.value == "$unset"
    assert lab._rows[0].value.layout.display == "none"


def test_the_form_stays_in_place_while_json_is_typed() -> None:
    lab = OperatorLab("$add to text")
    lab._message.value = '{"$distinct_id": "ann", "$ad'
    assert lab._fields.layout.display == ""
    assert lab._rows[0].value.disabled
    assert lab._rows[0].name.value == "plan"
    lab._message.value = '{"$distinct_id": "ann", "$ad": {}}'
    assert "edit it as JSON" in lab._refusal.value
    assert lab._rows[0].value.disabled
    lab._message.value = '{"$distinct_id": "ann", "$add": {"n": 1}}'
    assert (lab._rows[0].value.disabled, lab._rows[0].name.value) == (False, "n")


def test_a_loaded_message_that_is_json_only_has_no_form() -> None:
    lab = OperatorLab("An operator that does not exist")
    assert lab._fields.layout.display == "none"
    assert "$increment" in lab._refusal.value
    lab.state.load_preset("$add to text")
    assert lab._fields.layout.display == ""


def test_the_lab_is_a_name_of_the_toolkit() -> None:
    assert tk.OperatorLab is OperatorLab
    assert isinstance(tk.OperatorLab().state, OperatorLabState)
    assert repr(tk.OperatorLab("$set of null")) == "<OperatorLab: $set of null, message 1 of 1>"


def widgets_of(widget: Any) -> list[Any]:
    return [
        widget,
        *(each for child in getattr(widget, "children", ()) for each in widgets_of(child)),
    ]


anything = st.one_of(
    st.text(max_size=12),
    values.map(json.dumps),
    messages().map(json.dumps),
    st.sampled_from(
        [
            '{"$distinct_id": "\\ud800", "$set": {"a": 1}}',
            '{"$distinct_id": "a", "\\ud800": {}, "$set": {"\\ud800": "\\ud800"}}',
            '{"$distinct_id": "a", "$set": {"a": NaN, "b": Infinity}, "$time": 1e999}',
            '{"$distinct_id": "a", "$set": {"a": ' + "[" * 240 + "]" * 240 + "}}",
            "[" * 260 + "]" * 260,
            '{"$distinct_id": "a", "$add": {"a": ' + "9" * 4_299 + "}}",
            "{}{}",
        ]
    ),
)


@settings(deadline=None, max_examples=examples(60), suppress_health_check=[*HealthCheck])
@given(anything, anything, anything, st.booleans())
def test_whatever_is_typed_is_answered_and_can_travel_to_the_page(
    profile: str, message: str, guess: str, predict: bool
) -> None:
    lab = OperatorLab(predict=predict)
    lab._profile.value = profile
    lab._message.value = message
    lab.state.guess(guess)
    lab.state.load_messages(f"{message}\n{guess}")
    lab.state.next()
    lab.state.add_row("$set", profile, guess)
    lab.state.edit(id=guess, time=message)
    lab.state.cancel()
    lab.state.show()
    for widget in widgets_of(lab):
        texts = json.dumps(widget.get_state(), default=str, ensure_ascii=False)
        # What was typed travels back as it came; it cannot hold half a surrogate pair.
        texts.encode("utf-8")
