"""The operator lab without a page."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

import toolkit as tk
from tests.strategies import batches
from toolkit import ProfileTable
from toolkit.base import times
from toolkit.base.errors import ArgumentError
from toolkit.base.values import equal
from toolkit.forms.lab.message import MessageRow
from toolkit.forms.lab.presets import PRESETS, SAMPLE
from toolkit.forms.lab.state import MOST_MESSAGES, OperatorLabState
from toolkit.forms.lab.trial import MINUTE, run
from toolkit.forms.parts.json_text import laid_out
from toolkit.updates.operators import OPERATORS
from toolkit.updates.rules import RULES

ARRIVAL = times.parse_time("2026-03-01T12:00:00Z")


@pytest.fixture
def state() -> OperatorLabState:
    return OperatorLabState()


def lab_of(profile: Any, *messages: Any) -> OperatorLabState:
    state = OperatorLabState()
    state.load_messages(json.dumps([{"$distinct_id": "ann", **each} for each in messages]))
    state.profile_text = json.dumps(profile)
    return state


# Results


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(batches)
def test_MSG_2_every_step_is_what_a_table_would_show(batch: list[dict[str, Any]]) -> None:
    start = {"a": 1, "b": ["x"]}
    profiles = ProfileTable()
    profiles.set("1", start, time=1_600_000_000)
    batch = [{**message, "$time": 1_700_000_000 + at} for at, message in enumerate(batch)]
    batch = [{"$distinct_id": "1", "$set": {}}, *batch]
    trials = run(batch, start, times.parse_time(1_600_000_000), ARRIVAL)
    for message, trial in zip(batch, trials, strict=True):
        result = profiles.apply([message])
        after = profiles.get(trial.address[1])
        assert (after is None) == (trial.after is None)
        assert equal(after, None if trial.after is None else dict(trial.after))
        reasons = [(each.property, each.reason) for each in trial.rejections]
        assert reasons == [(each.property, each.reason) for each in result.rejections]
        assert trial.verdict in ("created", "updated", "deleted", "unchanged", "rejected")
        assert result.applied == (trial.verdict != "rejected")
        if after is not None:
            assert times.timestamp(trial.seen_after) == profiles.last_seen(trial.address[1])


def test_SEEN_1_a_message_without_a_time_counts_from_its_arrival(state: OperatorLabState) -> None:
    state.load_messages('{"$distinct_id": "a", "$set": {"n": 1}}\n' * 3)
    state.go(2)
    assert state.trial.seen_before == ARRIVAL + MINUTE
    assert state.trial.seen_after == ARRIVAL + 2 * MINUTE


def test_a_result_follows_every_edit(state: OperatorLabState) -> None:
    state.profile_text = '{"tags": ["vip", "vip"]}'
    state.message_text = '{"$distinct_id": "ann", "$union": {"tags": "new"}}'
    assert state.trial.after == {"tags": ["vip", "new"]}
    assert state.trial.rules[0] == "UNION-1"
    state.updated_at, state.arrival = "2026-05-01", "2026-04-01"
    assert state.trial.seen_after == times.parse_time("2026-05-01")


def test_null_or_nothing_is_no_profile(state: OperatorLabState) -> None:
    for text in ("null", "", " \n"):
        state.profile_text = text
        assert (state.profile_error, state.before, state.trial.before) == ("", None, None)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"plan": pro}', "line 1, column 10"),
        ("[1]", "an object"),
        ('{"$last_seen": 1}', "field of its own"),
        ('{"a": NaN}', "NaN is not JSON"),
        ('{"a": "\\ud800"}', "surrogate"),
    ],
)
def test_a_profile_that_cannot_be_read_is_told_and_kept(
    state: OperatorLabState, text: str, told: str
) -> None:
    state.profile_text = text
    assert told in state.profile_error
    assert (state.profile_text, state.trial) == (text, None)
    assert "profile can be read" in state.waiting
    state.cancel()
    assert state.profile_text == laid_out(dict(PRESETS["A first look"].profile or {}))
    assert state.trial is not None


@pytest.mark.parametrize("name", ["updated_at", "arrival"])
def test_a_time_that_is_none_is_told_beside_its_field(state: OperatorLabState, name: str) -> None:
    setattr(state, name, "soon")
    assert "'soon' is not a time" in getattr(state, f"{name}_error")
    assert (state.trial, "times can be read" in state.waiting) == (None, True)
    setattr(state, name, "1767225600")
    assert (getattr(state, f"{name}_error"), state.waiting) == ("", "")


def test_a_message_that_cannot_be_read_is_told_and_kept(state: OperatorLabState) -> None:
    text = '{"$distinct_id": "ann", $set: {}}'
    state.message_text = text
    assert "line 1, column 25" in state.message_error
    assert state.texts == (text,)
    assert state.trial is None
    assert state.steps == [("", "", "unreadable")]
    assert state.before == {"plan": "free", "age": 41}
    state.cancel()
    assert (state.message_error, state.trial.verdict) == ("", "updated")


def test_messages_behind_one_that_cannot_be_read_wait_for_it() -> None:
    state = lab_of({}, {"$add": {"n": 1}}, {"$add": {"n": 10}})
    state.message_text = "{"
    state.next()
    assert state.position == 1
    assert "Message 1 cannot be read" in state.waiting
    state.back()
    assert (state.message_text, state.message_error) != ("{", "")
    state.message_text = '{"$distinct_id": "ann", "$add": {"n": 2}}'
    state.next()
    assert state.trial.after == {"n": 12}


def test_a_rejected_message_shows_its_reason(state: OperatorLabState) -> None:
    state.load_preset("$delete with another operator")
    assert (state.trial.verdict, state.trial.before) == ("rejected", state.trial.after)
    assert "combined with another operator" in state.trial.rejections[0].reason


# The cases


@pytest.mark.parametrize("name", PRESETS)
def test_every_case_has_results_and_rules(state: OperatorLabState, name: str) -> None:
    state.load_preset(name)
    assert (state.preset, state.question) == (name, PRESETS[name].question)
    for _ in state.texts:
        assert state.waiting == ""
        assert state.trial.rules
        assert set(state.trial.rules) <= set(RULES)
        state.next()
    assert state.position == len(state.texts) - 1


# The rule each case is there for; what it does is worked out, never stored.
TAUGHT = {
    "A first look": ["SET-1"],
    "$set of null": ["SET-2"],
    "$set of {} with no profile": ["SET-2"],
    "$set of NaN": ["SET-1", "MSG-3"],
    "$set_once over null": ["ONCE-1"],
    "$add to text": ["ADD-2", "ADD-1", "MSG-3"],
    "$add of numeric text": ["ADD-2"],
    "$add to what is not there": ["ADD-2", "ADD-1"],
    "$add past 2^53": ["ADD-1", "ADD-2"],
    "$union after duplicates": ["UNION-1"],
    "$union of a list with duplicates": ["UNION-1"],
    "$append of a list": ["APPEND-1", "UNION-1"],
    "$remove of what is there twice": ["REMOVE-1"],
    "$remove of what is not there": ["REMOVE-1", "SEEN-2"],
    "List operators on null": ["LIST-1"],
    '1, 1.0, true and "1"': ["REMOVE-1", "EQUAL"],
    '$union of 1.0, true and "1"': ["UNION-1", "EQUAL"],
    "$unset of the last property": ["UNSET-1"],
    "$delete with another operator": ["MSG-1"],
    "$delete, then a write": ["SET-1", "DELETE-1"],
    "Several operators in one message": ["MSG-1"],
    "An operator that does not exist": ["MSG-4"],
    "A rejected message makes no profile": ["ADD-2", "MSG-5"],
    "Updated At: a late message": ["SEEN-1"],
    "Updated At: an equal value": ["SEEN-2"],
    "Updated At: $ignore_time": ["META", "SEEN-2"],
    "Updated At: set by hand": ["SEEN-1"],
    "A number as distinct ID": ["ADD-1"],
    "A float as distinct ID": ["ID-1"],
    "What SDKs send next to the operators": ["MSG-4", "SET-1", "MSG-3"],
    "A group profile": ["GROUP-1"],
}


@pytest.mark.parametrize("name", PRESETS)
def test_the_last_message_of_a_case_meets_the_rule_it_teaches(
    state: OperatorLabState, name: str
) -> None:
    state.load_preset(name)
    state.go(len(state.texts) - 1)
    rules = state.trial.rules
    assert [rule for rule in rules if rule in TAUGHT[name]] == TAUGHT[name]


def test_the_cases_show_all_operators_and_nearly_all_rules(state: OperatorLabState) -> None:
    operators, rules = set(), set()
    for name in PRESETS:
        state.load_preset(name)
        for _ in state.texts:
            operators.update(set(state._read[state.message_text]) & set(OPERATORS))
            rules.update(state.trial.rules)
            state.next()
    assert operators == set(OPERATORS)
    # MSG-2 is the stepping itself; what HIDDEN hides is no case to show.
    assert set(RULES) - rules == {"MSG-2", "HIDDEN"}


@pytest.mark.parametrize(
    ("name", "after"),
    [
        ("$set of NaN", {"plan": "pro"}),
        ("$set_once over null", {"age": None, "nickname": "", "visits": 0, "city": "Oslo"}),
        ("$union after duplicates", {"tags": ["vip", "new"]}),
        ('1, 1.0, true and "1"', {"a": [True, "1"]}),
        ("$unset of the last property", {}),
        ("$delete, then a write", {"city": "Oslo"}),
        ("A rejected message makes no profile", None),
        ("A number as distinct ID", {"orders": 3}),
        ("A group profile", {"seats": 20}),
    ],
)
def test_a_case_ends_as_the_rules_say(state: OperatorLabState, name: str, after: Any) -> None:
    state.load_preset(name)
    state.go(len(state.texts) - 1)
    assert state.trial.after == after


def test_a_case_that_was_edited_is_ones_own(state: OperatorLabState) -> None:
    for edit in (
        lambda: setattr(state, "profile_text", "{}"),
        lambda: setattr(state, "message_text", "{}"),
        lambda: setattr(state, "arrival", "2026-01-01"),
        lambda: state.edit_row(0, value="1"),
        lambda: state.add_row(),
    ):
        state.load_preset("$set of null")
        edit()
        assert state.preset == ""
        assert state.question == PRESETS["$set of null"].question


@pytest.mark.parametrize("make", [OperatorLabState, OperatorLabState().load_preset, tk.OperatorLab])
def test_an_unknown_case_is_an_error_that_lists_the_cases(make: Any) -> None:
    with pytest.raises(ArgumentError) as told:
        make("$set of nul")
    assert 'there is no case "$set of nul". Did you mean "$set of null"' in str(told.value)
    assert all(f"\n  {name}" in str(told.value) for name in PRESETS)


def test_a_case_that_cannot_be_loaded_changes_nothing(state: OperatorLabState) -> None:
    with pytest.raises(ArgumentError):
        state.load_preset("no such thing at all")
    assert state.preset == "A first look"


# Stepping


def test_the_sample_is_stepped_through_and_back(state: OperatorLabState) -> None:
    state.load_sample()
    assert len(state.steps) == len(SAMPLE.messages)
    seen = []
    for _ in state.texts:
        seen.append(state.trial.after)
        state.next()
    assert seen[-1] == {"plan": "basic"}
    assert seen[-2] is None
    for after in reversed(seen):
        assert state.trial.after == after
        state.back()
    assert state.position == 0


def test_steps_say_who_what_and_what_became_of_it(state: OperatorLabState) -> None:
    state.load_messages(
        '{"$distinct_id": "a", "$set": {"n": 1}, "$time": 1767225600}\n'
        '{"$distinct_id": "b", "$add": {"n": 1}, "$union": {"t": 1}}\n'
        '{"$distinct_id": "", "$add": {"n": 1}}\n'
        "12"
    )
    assert state.steps == [
        ("a", "$set", "updated"),
        ("b", "$add, $union", "created"),
        ("a", "$add", "rejected"),
        ("a", "", "rejected"),
    ]
    state.go(1)
    assert (state.address, state.before) == (("", "b"), None)


def test_a_list_that_cannot_be_read_changes_nothing(state: OperatorLabState) -> None:
    before = state.texts
    for text, told in [
        ('{"a": 1}\n{"b": oops}', "line 2, column 7"),
        (" \n", "no message"),
        ("[]", "no message"),
        (f"[{','.join(['1'] * (MOST_MESSAGES + 1))}]", f"{MOST_MESSAGES:,} at most"),
    ]:
        state.load_messages(text)
        assert told in state.load_error
        assert state.texts == before
    state.load_messages("[1]")
    assert (state.load_error, state.texts) == ("", ("1",))


def test_messages_are_added_and_dropped(state: OperatorLabState) -> None:
    state.drop_message()
    assert "only message" in state.note
    state.add_message()
    assert (state.position, len(state.texts), state.trial.verdict) == (1, 2, "updated")
    state.back()
    state.drop_message()
    assert (state.position, len(state.texts)) == (0, 1)
    assert state.trial.before == {"plan": "free", "age": 41}


def test_a_message_added_for_a_group_is_for_the_group(state: OperatorLabState) -> None:
    state.load_preset("A group profile")
    state.add_message()
    assert state.address == ("company", "acme")
    assert state.trial.verdict == "updated"


def test_two_thousand_messages_are_followed_within_a_keystroke(state: OperatorLabState) -> None:
    from time import perf_counter

    state.load_messages('{"$distinct_id": "a", "$append": {"seen": 1}}\n' * MOST_MESSAGES)
    began = perf_counter()
    state.message_text = '{"$distinct_id": "a", "$append": {"seen": 2}}'
    assert perf_counter() - began < 3
    state.go(MOST_MESSAGES - 1)
    assert len(state.trial.after["seen"]) == MOST_MESSAGES


def test_the_messages_can_be_applied_to_a_table(state: OperatorLabState) -> None:
    state.load_sample()
    state.go(5)
    profiles = ProfileTable()
    profiles.apply(state.messages[:6])
    assert profiles["ann"] == state.trial.after
    assert "updated" in {verdict for *_, verdict in state.steps}


# The message as a form


def test_a_message_is_composed_by_its_form(state: OperatorLabState) -> None:
    state.load_messages('{"$distinct_id": "ann", "$set": {"plan": "pro"}}')
    state.add_row("$add", "orders", "1")
    state.add_row("$unset", "age")
    state.edit_row(0, value='["a"]')
    state.edit(time="2026-01-01", ignore_time=True, id="bob")
    assert json.loads(state.message_text) == {
        "$distinct_id": "bob",
        "$time": "2026-01-01",
        "$ignore_time": True,
        "$set": {"plan": ["a"]},
        "$add": {"orders": 1},
        "$unset": ["age"],
    }
    state.drop_row(0)
    state.edit(time="1767225600", ignore_time=False)
    assert json.loads(state.message_text) == {
        "$distinct_id": "bob",
        "$time": 1767225600,
        "$add": {"orders": 1},
        "$unset": ["age"],
    }
    assert (state.address[1], state.trial.verdict) == ("bob", "updated")


def test_the_form_follows_the_json(state: OperatorLabState) -> None:
    state.message_text = '{"$distinct_id": 12, "$delete": "", "$time": 1767225605}'
    assert (state.parts.id, state.parts.time) == ("12", "1767225605")
    assert [row.operator for row in state.parts.rows] == ["$delete"]


def test_META_what_SDKs_send_beside_the_operators_stays_where_the_form_edits() -> None:
    sdk = {"$device_id": "d", "$mp_metadata": {"$mp_session_seq_id": 0}, "$newest": 1}
    lab = lab_of(None, {"$distinct_id": "1", **sdk, "$set": {"plan": "free"}})
    assert (lab.parts.refusal, lab.parts.rows) == ("", (MessageRow("$set", "plan", '"free"'),))
    assert lab.steps[0][1] == "$set"
    lab.edit(rows=(MessageRow("$set", "plan", '"pro"'),))
    assert lab.messages == [{"$distinct_id": "1", **sdk, "$set": {"plan": "pro"}}]
    assert lab.trial is not None
    assert (lab.trial.after, lab.trial.rules[1]) == ({"plan": "pro"}, "META")


def test_what_the_form_did_not_touch_stays_as_written(state: OperatorLabState) -> None:
    state.message_text = (
        '{"$distinct_id": 12, "$time": 1767225605.5, "$ip": "0", "$set": {"a": 1.0}}'
    )
    state.add_row("$add", "n", "1")
    assert json.loads(state.message_text) == {
        "$distinct_id": 12,
        "$time": 1767225605.5,
        "$ip": "0",
        "$set": {"a": 1.0},
        "$add": {"n": 1},
    }
    assert "1.0" in state.message_text


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (("$set", "a", "pro"), 'double quotes: "pro"'),
        (("$set", "a", ""), "a value is missing"),
        (("$set", "", "1"), "needs a name"),
        (("$set", "bucket", "1"), "hidden"),
        (("$set", "plan", "1"), "twice"),
    ],
)
def test_a_row_that_is_not_finished_is_told_and_kept(
    state: OperatorLabState, row: tuple[str, str, str], told: str
) -> None:
    state.load_messages('{"$distinct_id": "a", "$set": {"plan": 1}}\n' * 2)
    text = state.message_text
    state.add_row(*row)
    assert state.row_errors[0] == ""
    assert told in state.row_errors[1]
    assert tuple(state.parts.rows[1]) == row
    assert (state.message_text, state.trial) == (text, None)
    state.next()
    assert (state.position, told in state.note) == (0, True)
    state.cancel()
    assert (len(state.parts.rows), state.trial is not None) == (1, True)


@pytest.mark.parametrize(
    "text",
    [
        "12",
        '{"$increment": {"a": 1}}',
        '{"$set": []}',
        '{"$set": {}}',
        '{"$unset": {"a": 1}}',
        '{"$set": {"$bucket": 1}}',
        '{"$distinct_id": [1], "$set": {"a": 1}}',
    ],
)
def test_what_the_form_cannot_show_stays_json(state: OperatorLabState, text: str) -> None:
    state.message_text = text
    assert "edit it as JSON" in state.parts.refusal
    assert state.parts.rows == ()
    state.add_row("$set", "a", "1")
    assert state.message_text == text
    assert "edit it as JSON" in state.note


def test_a_form_edit_waits_for_broken_json_to_be_mended(state: OperatorLabState) -> None:
    state.message_text = "{oops"
    state.add_row("$set", "a", "1")
    assert state.message_text == "{oops"
    assert "JSON" in state.note


# Predict first


@pytest.fixture
def guessing() -> OperatorLabState:
    state = lab_of({"tags": ["a"]}, {"$append": {"tags": "a"}}, {"$union": {"tags": "b"}})
    state.predict = True
    return state


def test_the_result_is_hidden_until_there_is_a_guess(guessing: OperatorLabState) -> None:
    assert guessing.trial is None
    assert [verdict for *_, verdict in guessing.steps] == ["", ""]
    guessing.guess('{"tags": ["a", "a"]}')
    assert guessing.trial.after == {"tags": ["a", "a"]}
    assert (guessing.mark, guessing.right, guessing.asked) == ("right", 1, 1)
    assert [verdict for *_, verdict in guessing.steps] == ["updated", ""]


def test_a_wrong_guess_is_told_where_it_differs(guessing: OperatorLabState) -> None:
    guessing.guess('{"tags": ["a"], "plan": null}', seen="stays")
    assert (guessing.mark, guessing.right, guessing.asked) == ("wrong", 0, 1)
    assert guessing.misses == [
        '"tags": you wrote ["a"], it is ["a", "a"].',
        '"plan" is not there.',
        "Updated At moves.",
    ]


def test_a_guess_is_compared_as_JSON(guessing: OperatorLabState) -> None:
    guessing.profile_text = '{"n": 1, "m": {"x": 1, "y": 2}}'
    guessing.message_text = '{"$distinct_id": "ann", "$add": {"n": 1}}'
    guessing.guess('{"m": {"y": 2, "x": 1}, "n": 2.0}')
    assert guessing.mark == "right"


def test_no_profile_is_guessed_as_null(guessing: OperatorLabState) -> None:
    guessing.message_text = '{"$distinct_id": "ann", "$delete": ""}'
    guessing.guess("{}")
    assert guessing.misses == ["There is no profile: the answer is null."]
    guessing.message_text = '{"$distinct_id": "ann", "$unset": ["tags"]}'
    guessing.guess("null")
    assert guessing.misses == ["There is a profile."]
    guessing.profile_text = '{"n": 1}'
    guessing.message_text = '{"$distinct_id": "ann", "$delete": ""}'
    guessing.guess("null")
    assert (guessing.mark, guessing.right, guessing.asked) == ("right", 1, 3)


@pytest.mark.parametrize(
    ("guess", "told"),
    [
        ('{"tags": [a]}', "line 1, column 11"),
        ("", "type the profile"),
        ('["a"]', "an object"),
        ('{"tags": NaN}', "NaN is not JSON"),
        ('{"$last_seen": 1}', "Updated At"),
    ],
)
def test_a_guess_that_cannot_be_read_costs_nothing(
    guessing: OperatorLabState, guess: str, told: str
) -> None:
    guessing.guess(guess)
    assert told in guessing.guess_error
    assert (guessing.mark, guessing.asked, guessing.trial) == ("", 0, None)
    assert guessing.guess_text == guess
    guessing.guess('{"tags": ["a", "a"]}')
    assert (guessing.guess_error, guessing.mark) == ("", "right")


def test_an_unknown_guess_of_Updated_At_costs_nothing(guessing: OperatorLabState) -> None:
    guessing.guess("{}", seen="jumps")
    assert ("jumps" in guessing.guess_error, guessing.asked) == (True, 0)


def test_a_question_counts_once(guessing: OperatorLabState) -> None:
    guessing.guess("{}")
    guessing.guess('{"tags": ["a", "a"]}')
    assert (guessing.mark, guessing.right, guessing.asked) == ("right", 0, 1)
    guessing.show()
    assert guessing.asked == 1


def test_showing_counts_as_asked(guessing: OperatorLabState) -> None:
    guessing.show()
    assert (guessing.mark, guessing.right, guessing.asked) == ("shown", 0, 1)
    assert guessing.trial.after == {"tags": ["a", "a"]}


def test_a_step_is_not_taken_past_a_hidden_result(guessing: OperatorLabState) -> None:
    guessing.next()
    assert guessing.position == 0
    assert "Check a guess" in guessing.note
    guessing.show()
    guessing.next()
    assert (guessing.position, guessing.note, guessing.trial) == (1, "", None)
    assert guessing.before == {"tags": ["a", "a"]}
    guessing.back()
    assert guessing.trial is not None


def test_what_is_typed_of_a_guess_is_kept(guessing: OperatorLabState) -> None:
    guessing.guess_text = '{"tags": ['
    guessing.message_text = '{"$distinct_id": "ann", "$append": {"tags": "z"}}'
    assert guessing.guess_text == '{"tags": ['
    guessing.show()
    guessing.next()
    assert guessing.guess_text == ""
    guessing.guess_text = "half"
    guessing.back()
    assert guessing.guess_text == '{"tags": ['
    guessing.next()
    assert guessing.guess_text == "half"


def test_a_guess_can_begin_with_the_profile_before(guessing: OperatorLabState) -> None:
    guessing.copy_before()
    assert json.loads(guessing.guess_text) == {"tags": ["a"]}


def test_a_guess_without_the_mode_is_told(state: OperatorLabState) -> None:
    state.guess("{}")
    assert "Predict first" in state.guess_error
    assert state.asked == 0


def test_a_guess_waits_for_what_cannot_be_read(guessing: OperatorLabState) -> None:
    guessing.message_text = "{"
    guessing.guess("{}")
    assert ("message can be read" in guessing.guess_error, guessing.asked) == (True, 0)


def test_beginning_again_hides_all_results(guessing: OperatorLabState) -> None:
    guessing.guess("{}")
    guessing.reset_score()
    assert (guessing.right, guessing.asked, guessing.mark, guessing.trial) == (0, 0, "", None)


def test_HIDDEN_properties_are_no_part_of_a_guess(guessing: OperatorLabState) -> None:
    guessing.message_text = '{"$distinct_id": "ann", "$set": {"bucket": 1}}'
    guessing.guess('{"tags": ["a"]}')
    assert guessing.mark == "right"
    assert "HIDDEN" in guessing.trial.rules


def test_the_state_needs_no_widgets() -> None:
    code = "import sys, toolkit.forms.lab.state; print('ipywidgets' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "False"
