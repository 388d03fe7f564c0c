"""The text form of expressions: what it says, and how it points at mistakes."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, settings, strategies as st

from tests.effort import examples
from tests.expression_reference import conditions, rows
from toolkit import event, user
from toolkit.base.errors import ExpressionError
from toolkit.expressions import Expression, as_expression, evaluate, literal, mask_of, parse, tree

a, b, c = user["a"], user["b"], user["c"]

# -- there and back -----------------------------------------------------------------------


@settings(max_examples=examples(400), deadline=None)
@given(conditions())
def test_the_text_form_reads_back_as_the_same_expression(expression: Expression) -> None:
    assert parse(repr(expression)).same_as(expression)


@settings(max_examples=examples(400), deadline=None)
@given(conditions())
def test_the_python_form_builds_the_same_expression(expression: Expression) -> None:
    names = {"user": user, "event": event, "literal": literal}

    assert eval(expression.python, names).same_as(expression)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('user["a"] == "x"', a == "x"),
        ("user['a'] == 'x'", a == "x"),
        (' user [ "a" ]\n==\t1 ', a == 1),
        ('properties["a"] > 1', event["a"] > 1),
        ('event["a"] > 1', event["a"] > 1),
        ('user["a"] != null', tree.Comparison("!=", a, literal(None))),
        ('user["a"] == null', a.is_not_set()),
        ('defined(user["a"])', a.is_set()),
        ('not defined(user["a"])', ~a.is_set()),
        ('user["a"] in ["x", 1, true, null]', a.isin(["x", 1, True, None])),
        ('user["a"] not in []', ~a.isin([])),
        ('user["a"] in [user["b"], 1]', a.isin([b, 1])),
        ('"x" in user["a"]', a.contains("x")),
        ('user["a"] not in user["b"]', ~b.contains(a)),
        ('user["a"] in "abc"', literal("abc").contains(a)),
        ('contains(user["a"], "x")', a.contains("x")),
        ('any(user["a"]) == "vip"', a.any() == "vip"),
        ('all(user["a"]) in [1, 2]', a.all().isin([1, 2])),
        ('"x" in any(user["a"])', a.any().contains("x")),
        ('user["a"] == [1, [2.5], {"k": "v"}]', a == [1, [2.5], {"k": "v"}]),
        ("user['a'] == {}", a == {}),
        ('floor(user["a"]) + round(user["b"])', a.floor() + b.round()),
        ("ceil(1.5)", literal(1.5).ceil()),
        (
            'string(user["a"]) == "1" and number(user["b"]) == 1',
            (a.as_text() == "1") & (b.as_number() == 1),
        ),
        ('boolean(user["a"])', a.as_boolean()),
        (
            'datetime(user["a"]) >= datetime("2026-01-01")',
            a.as_datetime() >= literal("2026-01-01").as_datetime(),
        ),
        ('user["a"]', a),
        ("true", literal(True)),
        ("-1.5e-3", literal(-1.5e-3)),
        ("--1", literal(1)),
        ('-user["a"]', -a),
    ],
)
def test_a_text_is_the_expression_that_python_builds(text: str, expected: Expression) -> None:
    assert parse(text).same_as(expected)


@pytest.mark.parametrize(
    ("text", "grouped"),
    [
        ('user["a"] or user["b"] and user["c"]', a | (b & c)),
        ('(user["a"] or user["b"]) and user["c"]', (a | b) & c),
        ('not user["a"] == 1 and user["b"]', ~(a == 1) & b),
        ('not (user["a"] and user["b"])', ~(a & b)),
        ('not not user["a"]', ~~a),
        ('user["a"] + user["b"] * user["c"] > 1', a + (b * c) > 1),
        ('user["a"] - user["b"] - user["c"]', (a - b) - c),
        ('user["a"] - (user["b"] - user["c"])', a - (b - c)),
        ('user["a"] / user["b"] % user["c"]', (a / b) % c),
        ('-user["a"] * user["b"]', (-a) * b),
        ('user["a"] + -1', a + -1),
        ('(user["a"] == 1) == true', (a == 1) == literal(True)),
        ('user["a"] and (user["b"] and user["c"])', a & b & c),
    ],
)
def test_operators_bind_as_in_python(text: str, grouped: Expression) -> None:
    assert parse(text).same_as(grouped)


def test_text_literals_take_the_escapes_of_json() -> None:
    written = r'"\"\\\/\b\f\n\r\té\ud83d\ude00" + ' + r"'it\'s \u0022'"

    assert evaluate(parse(written), rows(x=[1])).cells() == ['"\\/\b\f\n\r\té😀it\'s "']


def test_integers_are_exact_at_any_size() -> None:
    assert repr(parse(f"user['a'] == {2**64 + 1}")) == f'user["a"] == {2**64 + 1}'
    assert evaluate(parse("1" * 4300), rows(x=[1])).cells() == [int("1" * 4300)]


def test_the_example_of_the_documentation_is_understood() -> None:
    expression = parse('user["$email"] == "a@b.c" and defined(properties["plan"])')

    assert expression.same_as((user["$email"] == "a@b.c") & event["plan"].is_set())


# -- mistakes -----------------------------------------------------------------------------

# The character under which the caret stands is the one after ›.
MISTAKES = [
    ('user["plan"] ›= "pro"', 'found "="; write == for equal'),
    ('user["plan"] ›=== "pro"', 'found "==="; write =='),
    ('user["plan"] ›<> "pro"', 'found "<>"; write !='),
    ('user["plan"] == ›"pro', 'has no closing "'),
    ("user['plan'] == ›'pro\"", "has no closing '"),
    ("›plan == 1", r'found "plan"; a property is user["…"]'),
    ('user›.plan == "pro"', 'a property is written user["plan"]'),
    ('user["plan"]›.is_set()', 'found ".is_set" of the Python form; write defined(…)'),
    ('›user == "pro"', 'a property is written user["plan"]'),
    ("user[›plan] == 1", 'found "plan", expected the name of a property in quotes'),
    ("user[›1] == 1", "found 1, expected the name of a property in quotes"),
    ('user["a" ›== 1', 'found "==", expected "]"'),
    ('user["a"]›["b"] == 1', "nothing within a property can be named"),
    ('user["a"] ›&& user["b"]', 'found "&&"; write and'),
    ('user["a"] ›| user["b"]', 'found "|"; write or'),
    ('›!user["a"]', 'found "!"; write not'),
    ('user["a"] ›AND user["b"]', 'found "AND"; write and'),
    ('user["a"] ›is null', 'found "is"; write =='),
    ('user["a"] == ›None', 'found "None"; write null'),
    ('user["a"] == ›True', 'found "True"; write true'),
    ('user["a"] == ›“pro”', "write straight quotes"),
    ('1 < user["a"] ›< 5', "comparisons cannot be chained"),
    ('user["a"] in [1] ›in [2]', "comparisons cannot be chained"),
    ('user["a"] == ›not user["b"]', "put parentheses around not"),
    ('user["a"] ›not user["b"]', 'found "not", expected the end, or an operator'),
    ('user["a"] ==›', "found the end, expected a value"),
    ('user["a"] and›', "found the end, expected a value"),
    ('›and user["a"]', 'found "and", expected a value'),
    ('(user["a"] == 1›', 'found the end, expected ")"'),
    ('user["a"] == 1›)', 'found ")", expected the end, or an operator'),
    ('user["a"] ›"b"', 'found "b", expected the end, or an operator'),
    ("(›)", 'found ")", expected a value'),
    ('›floor user["a"]', "a function takes its argument in parentheses: floor(…)"),
    ('›flor(user["a"])', 'no function "flor". Did you mean "floor"?'),
    ('defined(user["a"]›, 1)', 'found ",", expected ")"'),
    ('contains(user["a"]›)', 'found ")", expected ","'),
    ('user["a"] in [1 ›2]', 'found 2, expected "," or "]"'),
    ('user["a"] in [1, 2›', 'found the end, expected "," or "]"'),
    ('›[user["a"]] == 1', "a list holds literals only, unless it is after in"),
    ('user["a"] == {"x": ›user["b"]}', "an object holds literals only"),
    ('user["a"] == {›x: 1}', 'found "x", expected a name in quotes, or "}"'),
    ('user["a"] == {"x" ›1}', 'found 1, expected ":"'),
    ("user['a'] == ›007", "a number begins with no 0"),
    ("user['a'] == 1›abc", 'found "a" in a number'),
    ("user['a'] == 1›.", "digits before and after its one point"),
    ("user['a'] == ›.5", "digits before and after its one point"),
    ("user['a'] == ›1e999", "the number is too large"),
    ("user['a'] == ›" + "1" * 4301, "at most 4,300 digits"),
    ("user['a'] == \"a›\\q\"", "a backslash in text is written"),
    ('user["a"] == ›"\\ud800"', "half a surrogate pair"),
    ('user["a"] == 1›;', 'found ";"; join conditions with and'),
    ('user["a"] == ›\x00', "found the character U+0000"),
    ("›any(user['a'])", "any(…) needs a comparison"),
    ("›not any(user['a'])", "any(…) needs a comparison"),
    ("any(user['a']) ›== all(user['b'])", "takes one any(…) or all(…)"),
    ("any(›all(user['a'])) == 1", "cannot be nested"),
    ("datetime(›'soon') < user['a']", "'soon' is not a time"),
]


@pytest.mark.parametrize(("marked", "message"), MISTAKES)
def test_a_mistake_is_pointed_at(marked: str, message: str) -> None:
    position = marked.index("›")

    with pytest.raises(ExpressionError) as refused:
        parse(marked.replace("›", ""))

    said, line, caret = str(refused.value).rsplit("\n", 2)
    assert message in said
    assert caret.strip() == "^"
    shown = marked.replace("›", "").replace("\x00", "�")
    if len(marked) < 60:
        assert line == f"    {shown}"
        assert caret.index("^") - 4 == position


def test_of_several_lines_the_one_with_the_mistake_is_shown() -> None:
    with pytest.raises(ExpressionError) as refused:
        parse('user["a"] == 1\nand user["b"] = 2\nand true')

    assert str(refused.value).splitlines()[1:] == [
        '    and user["b"] = 2',
        "                  ^",
    ]


def test_of_a_long_line_the_part_with_the_mistake_is_shown() -> None:
    with pytest.raises(ExpressionError) as refused:
        parse("1 + " * 40 + "= 2" + " + 1" * 40)

    line, caret = str(refused.value).splitlines()[1:]
    assert len(line) < 120
    assert line[caret.index("^")] == "="


def test_the_caret_stands_below_wide_characters() -> None:
    with pytest.raises(ExpressionError) as refused:
        parse('user["日本"] = 1')

    assert str(refused.value).splitlines()[2] == "          \u3000\u3000   ^"


@pytest.mark.parametrize("text", ["", "   ", "\n"])
def test_an_empty_text_is_no_expression(text: str) -> None:
    with pytest.raises(ExpressionError, match="the expression is empty"):
        as_expression(text)


# -- any text -----------------------------------------------------------------------------

WORDS = st.sampled_from(
    [
        *('user["a"]', "event['b']", "properties", "user", "event", "[", "]", "(", ")", "{", "}"),
        *("and", "or", "not", "in", "==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%"),
        *("true", "false", "null", "1", "0", "2.5", "1e3", "9" * 20, '"x"', "'y'", '"\\n"', ","),
        *("any(", "all(", "defined(", "contains(", "floor(", "datetime(", "number(", ":", "="),
        *("&&", "nothing", '"', "'", "\\", "\n", "é", "日", "\ud800", '"2026-01-01"'),
    ]
)


@settings(max_examples=examples(500), deadline=None)
@given(st.lists(WORDS, max_size=12).map(" ".join) | st.text(max_size=9) | st.text(string.printable))
def test_any_text_is_an_expression_or_an_expression_error(text: str) -> None:
    try:
        expression = parse(text)
    except ExpressionError as error:
        str(error).encode()  # can be shown
        return
    assert parse(repr(expression)).same_as(expression)
    assert len(mask_of(expression, rows(a=[1, "x"]))) == 2


@pytest.mark.parametrize(
    "text",
    [
        *("(" * 200_000, "not " * 200_000, "-" * 200_000, "[" * 200_000, '{"a":' * 100_000),
        *("any(" * 100_000, "floor(" * 100_000, "1 + " * 100_000, "1 == (" * 50_000),
        *('"' * 200_001, "\\" * 200_000, '"' + "\\" * 200_001, "1" * 200_000, "x" * 200_000),
        "(" * 65 + "1" + ")" * 65,
        "1" + " + 1" * 64,
    ],
)
def test_a_huge_text_is_refused_in_time(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse(text)


def test_a_text_may_be_long_and_as_deep_as_the_limit() -> None:
    wide = parse(" or ".join(f'user["a"] == {number}' for number in range(10_000)))
    deep = parse("(" * 64 + "user['a'] == 1" + ")" * 64)
    nested = parse("floor(" * 62 + "user['a']" + ")" * 62 + " == 1")

    assert mask_of(wide, rows(a=[9_999, 10_000])).tolist() == [True, False]
    assert deep.same_as(a == 1)
    assert mask_of(nested, rows(a=[1.5])).tolist() == [True]
