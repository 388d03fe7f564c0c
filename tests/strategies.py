"""Hypothesis strategies: JSON values and batches of messages that collide."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

# Few IDs and few names, so that messages meet in the same cells. The second
# "1" is the same user as the first.
IDS = ["1", 1, "2", "ü ", "'; DROP TABLE profiles; --"]
NAMES = ["a", "b", "", "naïve \"q\" 'x'", "$name"]

texts = st.text(max_size=4) | st.sampled_from(["", "a", "1", "true", "\x00", '"', "\\", "日本"])
integers = st.integers(-3, 3) | st.sampled_from([2**53 + 1, 2**63, -(2**63), 2**64, 10**30])
floats = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([1.0, -0.0, 0.5, 1e300])
scalars = st.none() | st.booleans() | integers | floats | texts
values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
#: Values that make the interesting cells: lists that grow, numbers that add up.
cells = values | st.lists(scalars, max_size=3) | integers


def _arguments(value: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(NAMES), value, max_size=3)


operations = st.one_of(
    st.tuples(st.just("$set"), _arguments(cells)),
    st.tuples(st.just("$set_once"), _arguments(cells)),
    st.tuples(st.just("$add"), _arguments(integers | floats | values)),
    st.tuples(st.just("$union"), _arguments(st.lists(scalars, max_size=3) | values)),
    st.tuples(st.just("$append"), _arguments(values)),
    st.tuples(st.just("$remove"), _arguments(values)),
    st.tuples(st.just("$unset"), st.lists(st.sampled_from(NAMES), max_size=3)),
)
deletes = st.just([("$delete", "")])
#: What SDKs put beside the operators, what no SDK does yet, and operators that there are not.
FIELDS = ["$device_id", "$user_id", "$mp_metadata", "$browser_version", "$newest", "$SET", "$é"]
around = st.dictionaries(
    st.sampled_from(FIELDS), scalars | st.lists(scalars, max_size=2) | _arguments(cells), max_size=2
)
times = st.none() | st.integers(1_700_000_000, 1_700_000_009)


@st.composite
def messages(draw: st.DrawFn) -> dict[str, Any]:
    """A message, now and then one that is invalid in part."""
    chosen = draw(deletes | st.lists(operations, min_size=1, max_size=3))
    message: dict[str, Any] = {"$distinct_id": draw(st.sampled_from(IDS)), **dict(chosen)}
    if draw(st.integers(0, 5)) == 0:
        message = {**draw(around), **message, **draw(around)}
    time = draw(times)
    if time is not None:
        message["$time"] = time
    if draw(st.booleans()):
        message["$ignore_time"] = draw(st.booleans())
    if draw(st.integers(0, 30)) == 0:
        message["nonsense"] = 1
    return message


batches = st.lists(messages(), max_size=12)
