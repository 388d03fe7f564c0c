"""What a request carries, without HTTP: bodies, forms, JSON, tokens, events, Segment."""

from __future__ import annotations

import base64
import gzip
import json
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlencode

import pytest

import toolkit as tk
from toolkit.base.errors import MessageError, RequestError
from toolkit.sources.live import arriving_events, wire
from toolkit.sources.live.arriving_events import ArrivingEvents, Event, read_event
from toolkit.sources.live.calls import Call, answer
from toolkit.sources.live.guard import Guard
from toolkit.sources.live.receiver import Receiver
from toolkit.sources.live.segment import translate
from toolkit.sources.live.wire import Body, read_form, read_records
from toolkit.updates import Rejection

GOOD_UPDATE = {"$distinct_id": "7", "$set": {"plan": "pro"}}
FORM = "application/x-www-form-urlencoded"


def values(text: str) -> list[Any]:
    return [record.value for record in read_records(text)]


@contextmanager
def refused(status: int, match: str) -> Iterator[None]:
    """Expect a refusal with this status."""
    with pytest.raises(RequestError, match=match) as found:
        yield
    assert found.value.status == status


# Bodies


def test_a_gzip_body_is_unpacked_piece_by_piece_several_members_too() -> None:
    packed = gzip.compress(b'{"a":1}\n', mtime=0) + gzip.compress(b'{"a":2}\n', mtime=0)
    for size in (1, 7, 1000):
        body = Body("gzip")
        for start in range(0, len(packed), size):
            body.feed(packed[start : start + size])
        assert body.whole() == b'{"a":1}\n{"a":2}\n'


def test_a_gzip_bomb_is_not_unpacked() -> None:
    packer = zlib.compressobj(9, wbits=31)
    zeros = b"0" * 1_048_576
    bomb = b"".join(packer.compress(zeros) for _ in range(200)) + packer.flush()
    assert len(bomb) < 220_000
    tracemalloc.start()
    with refused(413, "more than 33,554,432 bytes"):
        Body("gzip").feed(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * wire.MAX_BODY


def test_many_empty_gzip_files_are_not_unpacked_one_by_one() -> None:
    with refused(413, "more than 1,000 gzip files"):
        Body("gzip").feed(gzip.compress(b"", mtime=0) * 1_001)
    # Nor is what unpacks to nothing without end.
    body = Body("gzip")
    padding = b"\x1f\x8b\x08\x10" + b"\0" * 6  # a gzip file whose comment never ends
    with refused(413, "more than 33,554,432 bytes"):
        body.feed(padding)
        for _ in range(33):
            body.feed(b"x" * 1_048_576)


@pytest.mark.parametrize(
    ("content", "match"),
    [(b"no gzip", "not gzip"), (gzip.compress(b"x" * 999, mtime=0)[:-9], "ends too early")],
)
def test_a_broken_gzip_body_is_refused(content: bytes, match: str) -> None:
    body = Body("gzip")
    with refused(400, match):
        body.feed(content)
        body.whole()


def test_another_encoding_is_refused() -> None:
    with refused(415, 'Content-Encoding "br"; gzip or none is allowed'):
        Body("br")


# Forms

SENT = {"$distinct_id": "7", "$set": {"x": "~~~???>>>", "é": "+ &="}}
TEXT = json.dumps(SENT)


@pytest.mark.parametrize(
    "data",
    [
        TEXT,
        base64.b64encode(TEXT.encode()).decode(),
        base64.b64encode(TEXT.encode()).decode().rstrip("="),
        base64.urlsafe_b64encode(TEXT.encode()).decode(),
    ],
    ids=["json", "base64", "base64 without padding", "url-safe base64"],
)
def test_data_is_JSON_or_base64_in_a_form_or_a_query(data: str) -> None:
    encoded = urlencode({"data": data, "verbose": 1})
    for body, kind, query in (
        (encoded.encode(), FORM, {}),
        (f"data={data}&verbose=1".encode(), FORM, {}) if "{" not in data else (b"", "", {}),
        (encoded.encode(), "text/plain", {}),
        (b"", "", {"data": data, "verbose": "1"}),
    ):
        if not body and not query:
            continue
        text, parameters = read_form(body, kind, query)
        assert values(text) == [SENT]
        assert parameters == {"verbose": "1"}


@pytest.mark.parametrize("kind", ["", "application/json", "text/plain", FORM])
def test_JSON_is_JSON_whatever_it_is_called(kind: str) -> None:
    for text in (TEXT, f"[{TEXT}]", f"  \n{TEXT}\n{TEXT}", f"\ufeff{TEXT}"):
        found = values(read_form(text.encode(), kind, {"ip": "1"})[0])
        assert found[0] == SENT


@pytest.mark.parametrize(
    ("body", "kind", "status", "match"),
    [
        (b"", "", 400, "data, missing or empty"),
        (b"data=", FORM, 400, "data, missing or empty"),
        (b"other=1", FORM, 400, "data, missing or empty"),
        (b"data=%%%", FORM, 400, "neither JSON nor base64"),
        (b"data=!!", FORM, 400, "neither JSON nor base64"),
        (b"data=" + base64.b64encode(b"\xff\xfe"), FORM, 400, "data is not UTF-8"),
        (b'{"a": "\xff"}', "", 400, "the body is not UTF-8 at byte 8"),
        (b"data=%FF", FORM, 400, "the query is not UTF-8"),
        (b"&".join(b"a%d=1" % n for n in range(500)), FORM, 400, "more than 100 parameters"),
        (b"--x", "multipart/form-data; boundary=x", 415, "multipart"),
        (b"[" + b" " * wire.MAX_DATA + b"1]", "", 413, "more than 10,485,760 bytes of JSON"),
        ('["' + "é" * (wire.MAX_DATA // 2) + '"]', "", 413, "more than 10,485,760"),
    ],
)
def test_what_carries_no_messages_is_refused(
    body: bytes | str, kind: str, status: int, match: str
) -> None:
    content = body if isinstance(body, bytes) else body.encode()
    with refused(status, match):
        read_form(content, kind, {})


# JSON

MALFORMED = [
    ("nonsense", "invalid JSON: Expecting value at line 1, column 1"),
    ('{"a": 1', "invalid JSON"),
    ('[{"a": 1}', "invalid JSON: Expecting ',' delimiter"),
    ('[{"a": 1},]', "invalid JSON"),
    ('[{"a": 1}] x', "invalid JSON: Extra data"),
    ("[] []", "invalid JSON: Extra data"),
    ('{"a": 1}\n{"a": \n', "invalid JSON"),
    ("{'a': 1}", "invalid JSON"),
    ('{"a": NaN}', "NaN is not JSON"),
    ('{"a": -Infinity}', "-Infinity is not JSON"),
    ('{"a": 1, "a": 2}', "the key 'a' occurs twice"),
    ('[{"b": {"a": 1, "a": 2}}]', "the key 'a' occurs twice"),
    ('{"a": ' + "9" * 5_000 + "}", "more than 4,300 digits"),
    ("[" * 100_000, "nested too deeply|invalid JSON"),
    ('{"a":' * 100_000, "nested too deeply"),
    ('[{"a":' + "[" * 50_000 + "]" * 50_000 + "}]", "nested too deeply"),
    ('"text"', "invalid JSON"),
    ('"\\"text\\""', "not a JSON object or array"),
]


@pytest.mark.parametrize(("text", "match"), MALFORMED, ids=range(len(MALFORMED)))
def test_malformed_JSON_is_refused_with_its_place(text: str, match: str) -> None:
    with refused(400, match):
        read_records(text)


def test_a_key_that_comes_twice_after_many_others_is_found_in_time() -> None:
    many = ",".join(f'"k{n}":0' for n in range(200_000))
    started = time.monotonic()
    with refused(400, "the key 'k199999' occurs twice"):
        read_records("{" + many + ',"k199999":1}')
    assert time.monotonic() - started < 5


def test_integers_stay_exact() -> None:
    assert values('{"a": 123456789012345678901234567890}') == [
        {"a": 123456789012345678901234567890}
    ]


def test_the_limits_are_kept() -> None:
    assert len(values("[" + ",".join(["{}"] * 2_000) + "]")) == 2_000
    with refused(413, "more than 2,000 messages"):
        read_records("[" + ",".join(["{}"] * 2_001) + "]")
    with refused(413, "more than 2,000 messages"):
        read_records("{}\n" * 2_001)
    fitting = '{"a": "' + "x" * (wire.MAX_MESSAGE - 9) + '"}'
    assert len(fitting) == wire.MAX_MESSAGE
    assert len(values(fitting)) == 1
    with refused(413, "message 1 has 1,048,577 bytes; 1,048,576 are allowed"):
        read_records(f"[1, {fitting.replace('x', 'xx', 1)}]")
    with refused(413, "message 0 has"):
        read_records('["' + "é" * 600_000 + '"]')


def test_a_list_of_far_too_many_is_not_read() -> None:
    text = "[" + "[]," * 3_000_000 + "[]]"
    tracemalloc.start()
    with refused(413, "more than 500,000 values"):
        read_records(text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * len(text)


@pytest.mark.parametrize(
    "element", ["[]", "{}", "0", "[[]]", '{"a":[]}', '""', "null", "[" * 150 + "]" * 150]
)
@pytest.mark.parametrize(
    "around",
    [
        "[%s]",
        '[{"$distinct_id":"7","$set":{"x":[%s]}}]',
        '{"batch":[%s]}',
        '{"batch":[{"type":"identify","userId":"7","traits":{"x":[%s]}}]}',
        '{"a":[%s]',
    ],
)
def test_too_many_values_are_refused_before_one_is_read(element: str, around: str) -> None:
    text = around.replace("%s", ",".join([element] * (10_000_000 // (len(element) + 1))))
    started = time.process_time()
    with refused(413, "more than 500,000 values"):
        read_records(text)
    assert time.process_time() - started < 0.5


def test_commas_and_brackets_in_texts_are_no_values() -> None:
    many = [{"a": '[{,\\"' * 60_000, "\\": ["]}", ""]} for _ in range(10)]
    text = json.dumps(many)
    assert text.count(",") + text.count("[") + text.count("{") > 3 * wire.MAX_VALUES
    assert values(text) == many


# Events


def event(strict: bool = False, **properties: Any) -> Event | Rejection:
    arrival = 1_800_000_000_000_000
    return read_event({"event": "Buy", "properties": properties}, 3, 10, arrival, strict=strict)


def test_an_event_without_a_time_happened_when_it_arrived() -> None:
    assert event().time == 1_800_000_000_000_000  # type: ignore[union-attr]
    assert event(time=1_700_000_000).time == event(time=1_700_000_000_000).time  # type: ignore[union-attr]


def test_the_ID_of_an_event_is_its_distinct_id_user_or_device() -> None:
    found = [
        event(distinct_id=7.0), event(**{"$user_id": "u", "$device_id": "d"}),
        event(**{"$device_id": "d"}), event(distinct_id=""), event(),
    ]  # fmt: skip
    assert [each.distinct_id for each in found] == ["7", "u", "$device:d", None, None]


def test_the_address_and_the_token_are_not_kept() -> None:
    kept = event(ip="1.2.3.4", token="secret", event="shadow", x=1)
    assert isinstance(kept, Event)
    assert kept.properties == {"x": 1, "properties.event": "shadow"}


GOOD = {"distinct_id": "7", "time": 1_700_000_000, "$insert_id": "a-1"}


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"time": None}, "properties.time"),
        ({"time": 1}, "properties.time"),
        ({"time": 1_800_003_700}, "properties.time"),
        ({"time": "yesterday"}, "properties.time"),
        ({"distinct_id": None}, "properties.distinct_id"),
        ({"distinct_id": "Anonymous"}, "properties.distinct_id"),
        ({"distinct_id": 0}, "properties.distinct_id"),
        ({"$insert_id": None}, "properties.$insert_id"),
        ({"$insert_id": "a" * 37}, "properties.$insert_id"),
        ({"$insert_id": "a b"}, "properties.$insert_id"),
        ({"$insert_id": "null"}, "properties.$insert_id"),
    ],
    ids=str,
)
def test_strict_asks_for_what_the_product_asks_for(changed: dict[str, Any], field: str) -> None:
    assert isinstance(event(strict=True, **GOOD), Event)
    fault = event(strict=True, **{**GOOD, **changed})
    assert isinstance(fault, Rejection)
    assert (fault.index, fault.property) == (3, field)


def test_strict_takes_an_event_of_nobody() -> None:
    assert event(strict=True, **{**GOOD, "distinct_id": ""}).distinct_id is None


@pytest.mark.parametrize(
    "raw",
    [None, 1, "x", [], {}, {"event": ""}, {"event": 5}, {"event": "a", "properties": []},
     {"event": "a", "properties": {"distinct_id": []}}, {"event": "a", "properties": {"x": 1e999}},
     {"event": "a", "properties": {"time": True}}, {"event": "\ud800"},
     {"event": "a", "properties": {"\ud800": 1}}],
)  # fmt: skip
def test_what_is_no_event_is_a_fault_with_a_reason(raw: Any) -> None:
    fault = read_event(raw, 0, 1, 0, strict=False)
    assert isinstance(fault, Rejection)
    assert fault.reason


def test_EVENT_1_an_event_sent_twice_is_kept_once() -> None:
    kept = ArrivingEvents()
    first, other = event(**GOOD), event(**{**GOOD, "time": 1_700_000_001})
    nameless = event(distinct_id="7", time=1_700_000_005)
    assert kept.add([(0, first), (1, first), (2, other), (3, nameless), (4, nameless)]) == []
    assert len(kept) == 4


def test_the_oldest_events_make_room_for_new_ones_and_are_counted() -> None:
    kept = ArrivingEvents(most=10, most_bytes=1_000)
    kept.add((n, event(n=n, distinct_id="7", time=1_700_000_000 + n)) for n in range(25))
    assert kept.frame()["n"].tolist() == list(range(15, 25))
    assert kept.dropped == 15
    big = read_event({"event": "big"}, 0, 950, 0, strict=False)
    kept.add([(0, big)])
    assert len(kept) == 6  # 950 and five of 10
    # What went is forgotten: it may come again.
    again = ArrivingEvents(most=1)
    for each in (event(**GOOD), event(**{**GOOD, "$insert_id": "b"}), event(**GOOD)):
        again.add([(0, each)])
    assert again.dropped == 2


def test_there_is_room_for_so_many_properties(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arriving_events, "MOST_PROPERTIES", 3)
    kept = ArrivingEvents()
    faults = kept.add([(0, event(a=1, b=2)), (1, event(c=1, d=2)), (2, event(c=3))])
    assert [fault.index for fault in faults] == [1]
    assert "finds no room" in faults[0].reason
    assert list(kept.frame().columns) == ["event", "distinct_id", "time", "a", "b", "c"]


def test_events_are_made_once_until_more_arrive() -> None:
    kept = ArrivingEvents()
    assert len(kept.events()) == 0
    assert tk.join(kept.events(), tk.ProfileTable(), []).empty
    kept.add([(0, event(n=1, mixed="a", none=None))])
    first = kept.events()
    assert kept.events() is first
    kept.add([(0, event(n=2**70, mixed=[1]))])
    second = kept.events()
    assert second is not first
    assert second.frame["n"].tolist() == [1, 2**70]
    assert second.frame["mixed"].tolist() == ["a", [1]]
    assert second.frame["none"].tolist()[0] is None


# Segment


def test_SEGMENT_1_a_trait_under_its_reserved_name_wins() -> None:
    traits = {"email": "b", "$email": "a", "createdAt": 2, "created": 1, "age": 3}
    update = translate({"type": "identify", "userId": "7", "traits": traits}).value
    assert update["$set"] == {"$email": "a", "$created": 1, "age": 3}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"context": {"traits": {"plan": "pro"}}}, {"plan": "pro"}),
        ({"traits": {}, "context": {"traits": {"plan": "pro"}}}, {"plan": "pro"}),
        ({"traits": None, "context": {"traits": {"plan": "pro"}}}, {"plan": "pro"}),
        (
            {"traits": {"plan": "new", "a": 1}, "context": {"traits": {"plan": "old", "b": 2}}},
            {"plan": "new", "b": 2, "a": 1},
        ),
        (
            {"traits": {"$email": "new"}, "context": {"traits": {"email": "old"}}},
            {"$email": "new"},
        ),
        ({"traits": {"a": None}, "context": {"traits": {"a": 1}}}, {"a": None}),
        ({"context": {"traits": {}}}, {}),
        ({"context": {"traits": None}}, {}),
        ({}, {}),
    ],
)
def test_SEGMENT_1_traits_may_be_in_the_context_and_those_beside_it_win(
    receiver: Receiver, message: dict[str, Any], expected: Any
) -> None:
    sent = {"type": "identify", "userId": "7", "anonymousId": "a", **message}
    assert translate(sent) == ("update", {"$distinct_id": "7", "$set": expected}, ())
    # Alone, in a batch, beside the batch.
    asked(receiver, call("/v1/identify", sent))
    assert receiver.profiles["7"] == expected
    asked(receiver, call("/v1/batch", {"batch": [{**sent, "userId": "8"}]}))
    assert receiver.profiles["8"] == expected
    shared = {"batch": [{**sent, "userId": "9", "context": {}}], "context": sent.get("context", {})}
    asked(receiver, call("/v1/import", shared))
    assert receiver.profiles["9"] == expected
    assert receiver.notes == {} and receiver.tally == (3, 0, 0)


@pytest.mark.parametrize("traits", [[], "x", 1, True])
def test_traits_in_the_context_that_are_no_object_are_rejected(traits: Any) -> None:
    message = {"type": "identify", "userId": "7", "context": {"traits": traits}}
    with pytest.raises(MessageError, match=r"context\.traits is an object, not"):
        translate(message)


def test_the_time_of_a_client_counts_where_no_server_gave_one() -> None:
    old = {"originalTimestamp": "2026-01-01T00:00:00Z"}
    for kind, field in (("identify", "$time"), ("group", "$time"), ("track", "time")):
        sent = {"userId": "7", "groupId": "a", "event": "x", **old}
        value = translate(sent, kind).value
        assert value.get(field, value.get("properties", {}).get(field)) == "2026-01-01T00:00:00Z"
        value = translate({**sent, "timestamp": "2027-01-01"}, kind).value
        assert value.get(field, value.get("properties", {}).get(field)) == "2027-01-01"


@pytest.mark.parametrize(
    ("path", "sent", "unused"),
    [
        ("/v1/identify", {"properties": {"plan": "pro"}}, ["properties of identify"]),
        ("/v1/identify", {"groupId": "a"}, ["groupId of identify"]),
        ("/v1/identify", {"traits": {"bucket": "a"}},
         ["$set bucket: stored, but never shown in a table, form or report"]),
        ("/engage", {"$distinct_id": "7", "$set": {"$bucket": 1}},
         ["$set $bucket: stored, but never shown in a table, form or report"]),
        ("/v1/group", {"groupId": "a", "properties": {"x": 1}}, ["properties of group"]),
        ("/v1/group", {"groupId": "a", "context": {"traits": {"x": 1}}},
         ["context.traits of group"]),
        ("/v1/track", {"event": "Buy", "traits": {"x": 1}}, ["traits of track"]),
        ("/v1/track", {"event": "Buy", "context": {"traits": {"x": 1}}},
         ["context.traits of track"]),
        ("/v1/page", {"event": "Buy"}, ["event of page"]),
        ("/v1/screen", {"title": "Home"}, ["title of screen"]),
        ("/v1/alias", {"previousId": "a", "traits": {"x": 1}},
         ["$create_alias: profiles are not merged", "traits of alias"]),
        ("/v1/track", {"event": "Buy", "event_": None, "x": "", "y": {}}, []),
        ("/track", {"event": "Buy", "properties": {}, "distinct_id": "7"},
         ["distinct_id next to properties"]),
        ("/track", {"event": "$merge", "properties": {"$distinct_ids": ["a", "b"]}},
         ["$merge: profiles are not merged"]),
        ("/import", {"event": "$identify", "properties": {}},
         ["$identify: profiles are not merged"]),
        ("/engage?img=1", GOOD_UPDATE, ["/engage?img"]),
        ("/track?redirect=x&_=5&ip=1", {"event": "a", "properties": {}}, ["/track?redirect"]),
        ("/engage", {**GOOD_UPDATE, "$unheard_of": 1}, ["$unheard_of next to the operators"]),
        ("/engage", {**GOOD_UPDATE, "$device_id": "a", "$browser_version": 5,
         "$mp_metadata": {"a": 1}}, []),
    ],
)  # fmt: skip
def test_HTTP_5_what_is_taken_but_not_used_is_counted(
    receiver: Receiver, path: str, sent: dict[str, Any], unused: list[str]
) -> None:
    path, _, query = path.partition("?")
    if path.startswith("/v1/"):
        sent = {"userId": "7", **sent}
    status, found = asked(receiver, call(path, sent, query))
    assert status == 200 and found != 0
    assert sorted(receiver.notes) == sorted(unused)
    assert receiver.tally.rejected == 0
    if path.startswith("/v1/"):
        asked(receiver, call("/v1/batch", {"batch": [{"type": path[4:], **sent}], "x": 1}))
        counted = {**dict.fromkeys(unused, 2), "x next to batch": 1}
        assert receiver.notes == counted


def test_what_is_not_used_is_counted_boundedly(receiver: Receiver) -> None:
    for n in range(3):
        beside = {f"{n} {m}": 1 for m in range(200)}
        asked(receiver, call("/track", {"event": "a", "properties": {}, **beside}))
    assert len(receiver.notes) == 101
    assert next(iter(receiver.notes.items())) == ("others", 500)
    asked(receiver, call("/track", {"event": "a", "properties": {}, "<b>\ud800": 1}))


@pytest.mark.parametrize("path", ["/v1/identify", "/v1/i", "/v1/batch", "/beacon/v1/batch"])
def test_messages_of_Segment_come_in_the_body_alone(receiver: Receiver, path: str) -> None:
    query = f"data={quote(json.dumps({'userId': '7', 'batch': []}))}"
    assert asked(receiver, call(path, b"", query))[0] == 400
    assert len(receiver.profiles) == 0


def test_a_batch_may_be_larger_than_a_message(receiver: Receiver) -> None:
    message = {"type": "identify", "userId": "7", "traits": {"x": "y" * 500_000}}
    assert asked(receiver, call("/v1/batch", {"batch": [message] * 8}))[0] == 200
    assert asked(receiver, call("/v1/batch", {"batch": [message] * 25}))[0] == 413
    message["traits"]["x"] *= 3
    assert asked(receiver, call("/v1/batch", {"batch": [message]}))[0] == 413
    assert asked(receiver, call("/v1/identify", message))[0] == 413


@pytest.mark.parametrize(("short", "kind"), [
    ("i", "identify"), ("g", "group"), ("t", "track"), ("p", "page"), ("s", "screen"),
    ("a", "alias"),
])  # fmt: skip
def test_the_short_paths_of_the_client_in_browsers(
    receiver: Receiver, short: str, kind: str
) -> None:
    sent = {"userId": "7", "groupId": "a", "event": "Buy", "previousId": "b"}
    for path in (f"/v1/{short}", f"/v1/{short}/", f"/v1/{kind}"):
        assert asked(receiver, call(path, sent)) == (200, {"success": True})
    batch = {"batch": [{"type": kind, **sent}]}
    for path in ("/v1/b", "/v1/batch", "/beacon/v1/batch"):
        assert asked(receiver, call(path, batch, "writeKey=secret"), "secret")[0] == 200
        assert asked(receiver, call(path, batch, "writeKey=wrong"), "secret")[0] == 401
        assert asked(receiver, call(path, batch, "token=secret"), "secret")[0] == 401
    assert receiver.tally.messages == 6


def test_identify_without_a_user_is_of_the_anonymous_one() -> None:
    message = {
        "type": "identify", "userId": "", "anonymousId": "anon",
        "context": {"ip": "1.2.3.4"}, "timestamp": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    assert translate(message).value == {
        "$distinct_id": "anon",
        "$set": {},
        "$ip": "1.2.3.4",
        "$time": "2026-01-01T00:00:00Z",
    }


def test_SEGMENT_2_a_group_is_a_group_profile_under_the_key_asked_for() -> None:
    message = {"userId": "7", "groupId": 5, "traits": {"name": "Acme"}}
    found = translate(message, "group", "company")
    assert found.kind == "update"
    assert found.value == {"$group_key": "company", "$group_id": 5, "$set": {"$name": "Acme"}}
    event = {"userId": "7", "event": "Buy", "context": {"groupId": 5}}
    assert translate(event, "track", "company").value["properties"]["company"] == 5


def test_a_property_of_Segment_named_like_a_field_keeps_its_value() -> None:
    sent = {
        "type": "track", "event": "Run", "userId": "7", "messageId": "m-1",
        "timestamp": "2026-01-01T00:00:00Z", "properties": {"time": "10 min", "ip": "x"},
    }  # fmt: skip
    assert translate(sent).value["properties"] == {
        "properties.time": "10 min",
        "properties.ip": "x",
        "$insert_id": "m-1",
        "time": "2026-01-01T00:00:00Z",
        "distinct_id": "7",
    }


@pytest.mark.parametrize(
    ("message", "match"),
    [
        ([], "is an object, not list"),
        ({}, "the type is 'None'"),
        ({"type": "delete"}, "the type is 'delete'; known are identify"),
        ({"type": ["identify"]}, "known are identify"),
        ({"type": "identify"}, "neither userId nor anonymousId"),
        ({"type": "identify", "userId": "7", "traits": []}, "traits is an object, not list"),
        ({"type": "identify", "userId": "7", "context": 1}, "context is an object, not int"),
        ({"type": "group", "userId": "7"}, "no groupId"),
        ({"type": "alias", "userId": "7"}, "no previousId"),
    ],
)
def test_what_is_no_message_of_Segment_says_why(message: Any, match: str) -> None:
    with pytest.raises(MessageError, match=match):
        translate(message)


# Calls and answers


def call(path: str, body: Any = b"", query: str = "", **other: str) -> Call:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Call(
        path, query, content, other.get("kind", ""), other.get("authorization", ""), "10.0.0.1"
    )


def asked(receiver: Receiver, sent: Call, token: str | None = None) -> tuple[int, Any]:
    found = answer(receiver, sent, token)
    return found.status, json.loads(found.body)


@pytest.fixture
def receiver() -> Receiver:
    return Receiver(tk.ProfileTable())


BAD_UPDATE = {"$distinct_id": "7", "$add": {"plan": 1}}


@pytest.mark.parametrize(
    ("sent", "query", "expected"),
    [
        (GOOD_UPDATE, "", 1),
        (GOOD_UPDATE, "verbose=0", 1),
        (GOOD_UPDATE, "verbose=1", {"status": 1, "error": None}),
        (GOOD_UPDATE, "verbose=2", {"status": 1, "error": None}),
        ([GOOD_UPDATE, GOOD_UPDATE], "verbose=true", {"status": 1, "error": None}),
        ({"$set": {}}, "", 0),
        ({"$set": {}}, "verbose=1", {"status": 0, "error": "message 0: no $distinct_id"}),
        ([], "", 0),
        ([], "verbose=1", {"status": 0, "error": "no messages"}),
        ([GOOD_UPDATE, {}], "", 1),  # documented: one or more are valid
        ([GOOD_UPDATE, {}], "verbose=1", {"status": 1, "error": "message 1: no $distinct_id"}),
        (
            [GOOD_UPDATE, 5, BAD_UPDATE],
            "strict=1",
            {
                "status": 1,
                "error": "message 1: a message is an object, not int"
                " (2 messages with faults in all)",
                "num_records_imported": 1,
                "failed_records": [
                    {"index": 1, "insert_id": None, "field": "",
                     "message": "a message is an object, not int"},
                    {"index": 2, "insert_id": None, "field": "$add plan",
                     "message": "the stored value is the text 'pro', not a number"},
                ],
            },
        ),
    ],
)  # fmt: skip
def test_HTTP_2_engage_answers_as_documented_200_for_data_errors_too(
    receiver: Receiver, sent: Any, query: str, expected: Any
) -> None:
    assert asked(receiver, call("/engage", sent, query)) == (200, expected)


def test_import_answers_each_failed_record(receiver: Receiver) -> None:
    good = {"event": "Buy", "properties": GOOD}
    bad = {"event": "Buy", "properties": {**GOOD, "time": "soon", "$insert_id": "b-1"}}
    status, found = asked(receiver, call("/import", [good, bad], "strict=1&project_id=5"))
    assert status == 400
    assert found["code"] == 400
    assert found["status"] == "Bad Request"
    assert found["num_records_imported"] == 1
    assert found["failed_records"] == [
        {
            "index": 1,
            "insert_id": "b-1",
            "field": "properties.time",
            "message": "'soon' is not a time; unix seconds, unix milliseconds or ISO 8601 text "
            'are, such as "2026-05-01T12:00:00Z"',
        }
    ]
    assert asked(receiver, call("/import", [good], "strict=1")) == (
        200,
        {"code": 200, "num_records_imported": 1, "status": "OK"},
    )
    lines = f"{json.dumps(good)}\n{json.dumps(good)}\n".encode()
    assert asked(receiver, call("/import", lines, "strict=0")) == (200, 1)
    assert asked(receiver, call("/import", lines))[1]["num_records_imported"] == 2
    assert asked(receiver, call("/import", lines, "verbose=1"))[1] == {"status": 1, "error": None}
    assert len(receiver.arrived) == 1  # one and the same event
    assert asked(receiver, call("/import", [], "strict=1"))[0] == 400


def test_users_and_groups_have_an_endpoint_each(receiver: Receiver) -> None:
    group = {"$group_key": "company", "$group_id": "acme", "$set": {"x": 1}}
    assert asked(receiver, call("/engage", group, "verbose=1"))[1]["error"] == (
        "message 0: $distinct_id needed here; the other kind of profile is updated at /groups"
    )
    assert "$group_key" in asked(receiver, call("/groups", GOOD_UPDATE, "verbose=1"))[1]["error"]
    assert len(receiver.profiles) == 0 and receiver.profiles.group_keys == []
    assert asked(receiver, call("/groups/", group)) == (200, 1)
    assert receiver.profiles.groups("company")["acme"] == {"x": 1}


def test_rejections_name_the_place_in_the_request(receiver: Receiver) -> None:
    group = {"$group_key": "company", "$group_id": "acme", "$set": {"x": 1}}
    sent = [group, GOOD_UPDATE, BAD_UPDATE]
    found = asked(receiver, call("/engage", sent, "strict=1"))[1]["failed_records"]
    assert [each["index"] for each in found] == [0, 2]


BASIC = "Basic " + base64.b64encode(b"secret:").decode()


@pytest.mark.parametrize(
    ("sent", "is_let_in"),
    [
        (call("/engage", {**GOOD_UPDATE, "$token": "secret"}), True),
        (call("/engage", GOOD_UPDATE), False),
        (call("/engage", [{**GOOD_UPDATE, "$token": "secret"}, GOOD_UPDATE]), False),
        (call("/engage", {**GOOD_UPDATE, "$token": "Secret"}), False),
        (call("/engage", {**GOOD_UPDATE, "$token": ["secret"]}), False),
        (call("/engage", {**GOOD_UPDATE, "$token": "\ud800"}), False),
        (call("/engage", []), False),
        (call("/engage", [5]), False),
        (call("/engage", GOOD_UPDATE, authorization=BASIC), True),
        (call("/engage", GOOD_UPDATE, authorization="Basic !"), False),
        (call("/engage", GOOD_UPDATE, authorization="Bearer secret"), False),
        (call("/track", {"event": "a", "properties": {"token": "secret"}}), True),
        (call("/track", {"event": "a", "properties": {"token": "x"}}), False),
        (call("/track", {"event": "a"}), False),
        (call("/import", {"event": "a"}, "strict=0", authorization=BASIC), True),
        (call("/import", {"event": "a", "properties": {"token": "secret"}}, "strict=0"), True),
        (call("/import", {"event": "a"}, "strict=0"), False),
        (call("/v1/identify", {"userId": "7"}, authorization=BASIC), True),
        (call("/v1/identify", {"userId": "7", "writeKey": "secret"}), True),
        (call("/v1/identify", {"userId": "7"}), False),
        (call("/v1/batch", {"batch": []}), False),
    ],
)  # fmt: skip
def test_who_does_not_know_the_token_is_refused(
    receiver: Receiver, sent: Call, is_let_in: bool
) -> None:
    status, found = asked(receiver, sent, "secret")
    assert status == (200 if is_let_in else 401)
    if not is_let_in:
        assert "the token is missing or wrong" in json.dumps(found)
        assert len(receiver.profiles) == len(receiver.arrived) == 0


def test_Segment_is_answered_in_its_words(receiver: Receiver) -> None:
    batch = [
        {"type": "identify", "userId": "7", "traits": {"plan": "pro"}},
        {"type": "identify"},
        {"type": "track", "userId": "7", "event": ""},
        {"type": "track", "userId": "7", "event": "Buy"},
    ]
    status, found = asked(receiver, call("/v1/batch", {"batch": batch}))
    assert (status, found["success"]) == (200, True)
    assert [each["index"] for each in found["rejected"]] == [1, 2]
    assert asked(receiver, call("/v1/import", {"batch": []})) == (200, {"success": True})
    assert asked(receiver, call("/v1/track", {"userId": "7"}))[1]["success"] is False
    for sent in ([], [1], {"batch": 1}, {}, 5):
        status, found = asked(receiver, call("/v1/batch", sent))
        assert status == 400 and found["success"] is False and found["message"]
    assert asked(receiver, call("/v1/batch", {"batch": [{}] * 2_001}))[0] == 413
    large = {"type": "track", "event": "x" * 1_048_577, "userId": "7"}
    assert asked(receiver, call("/v1/batch", {"batch": [large]}))[0] == 413
    assert receiver.tally.events == 3


def test_the_context_of_a_batch_is_that_of_its_messages(receiver: Receiver) -> None:
    buy = {"type": "track", "userId": "7", "event": "Buy"}
    own = {**buy, "context": {"groupId": "hooli"}}
    batch = {"batch": [buy, own, 5], "context": {"groupId": "acme", "library": {"name": "x"}}}
    status, found = asked(receiver, call("/v1/batch", batch))
    assert (status, [each["index"] for each in found["rejected"]]) == (200, [2])
    assert receiver.arrived.frame["$group_id"].tolist() == ["acme", "hooli"]
    located = []

    class Locator:
        def locate(self, messages: list[Any], ip: str | None, profiles: Any) -> list[Any]:
            located.extend(each["$ip"] for each in messages)
            return messages

    known = Receiver(tk.ProfileTable(), geo=Locator())
    identify = {"type": "identify", "userId": "7"}
    batch = {"batch": [identify, {**identify, "context": None}], "context": {"ip": "10.0.0.1"}}
    assert asked(known, call("/v1/batch", batch)) == (200, {"success": True})
    assert located == ["10.0.0.1"] * 2
    batch["context"] = {"groupId": "x" * 10_000}
    assert asked(known, call("/v1/batch", batch))[0] == 413


def test_locations_are_found_before_updates_are_applied() -> None:
    class Oslo:
        asked: list[Any] = []

        def locate(self, messages: list[Any], ip: str | None, profiles: Any) -> list[Any]:
            self.asked.append((len(messages), ip))
            return [
                {**each, "$set": {**each["$set"], "$city": "Oslo"}}
                if isinstance(each, dict)
                else each
                for each in messages
            ]

    receiver = Receiver(tk.ProfileTable(), geo=Oslo())
    asked(receiver, call("/engage", [GOOD_UPDATE, 5], "ip=1"))
    asked(receiver, call("/engage", GOOD_UPDATE, "ip=0"))
    asked(receiver, call("/v1/identify", {"userId": "8", "traits": {}}))
    assert Oslo.asked == [(2, "10.0.0.1"), (1, None), (1, None)]
    assert receiver.profiles["7"] == {"plan": "pro", "$city": "Oslo"}
    assert receiver.profiles["8"] == {"$city": "Oslo"}
    with pytest.raises(tk.ToolkitError, match="a method locate is needed"):
        Receiver(tk.ProfileTable(), geo=5)  # type: ignore[arg-type]


def test_a_locator_that_fails_loses_nothing_in_silence() -> None:
    class Broken:
        def locate(self, messages: list[Any], ip: str | None, profiles: Any) -> list[Any]:
            raise KeyError("no database")

    class Forgetful:
        def locate(self, messages: list[Any], ip: str | None, profiles: Any) -> list[Any]:
            return []

    for geo, match in ((Broken(), "KeyError: 'no database'"), (Forgetful(), "returned 0 of 1")):
        receiver = Receiver(tk.ProfileTable(), geo=geo)
        status, found = asked(receiver, call("/engage", GOOD_UPDATE))
        assert status == 500
        assert match in found["error"]
        assert len(receiver.profiles) == 0


def test_what_arrived_is_remembered_boundedly(receiver: Receiver) -> None:
    updates = [{"$distinct_id": n, "$set": {"n": n}} for n in range(1_500)]
    asked(receiver, call("/engage", [{}, *updates]))
    asked(receiver, call("/track", {"event": "Buy", "properties": {"distinct_id": "7"}}))
    asked(receiver, call("/engage", b"nonsense"))
    assert receiver.tally == (1_501, 1, 2)
    recent = receiver.recent()
    assert len(recent) == 500
    assert recent[0].what == "request refused" and "invalid JSON" in recent[0].reason
    assert (recent[1].distinct_id, recent[1].what) == ("7", "event Buy")
    assert (recent[2].distinct_id, recent[2].what) == ("1499", "$set n")
    assert [each.number for each in receiver.recent(rejected=True)] == [0, 1]
    log = receiver.log()
    assert len(log) == 500
    assert log["number"].iloc[-2] == 1_502
    assert Receiver(tk.ProfileTable()).log().empty


# Where requests come from


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ({"Host": "127.0.0.1:8000"}, True),
        ({"Host": "LOCALHOST:8000"}, True),
        ({"Host": "[::1]:8000"}, True),
        ({"Host": "127.0.0.1"}, True),
        ({}, False),
        ({"Host": "evil.example:8000"}, False),
        ({"Host": "127.0.0.1.evil.example"}, False),
        ({"Host": "127.0.0.1:8000", "Origin": "https://evil.example"}, False),
        ({"Host": "127.0.0.1:8000", "Origin": "null"}, False),
        ({"Host": "127.0.0.1:8000", "Origin": "http://127.0.0.1:8000"}, True),
        ({"Host": "127.0.0.1:8000", "Origin": "http://127.0.0.1:9000"}, False),
        ({"Host": "127.0.0.1:8000", "Origin": "http://localhost:3000"}, True),
        ({"Host": "127.0.0.1:8000", "Origin": "http://localhost:3000.evil.example"}, False),
        ({"Host": "127.0.0.1:8000", "Origin": "https://localhost:3000"}, False),
        ({"Host": "127.0.0.1:8000", "Referer": "https://evil.example/x"}, False),
        ({"Host": "127.0.0.1:8000", "Referer": "http://localhost:3000/x"}, True),
        ({"Host": "127.0.0.1:8000", "Referer": "http://["}, False),
        ({"Host": "127.0.0.1:8000", "Referer": "http://[x]/"}, False),
        ({"Host": "127.0.0.1:8000", "Referer": "//"}, False),
        ({"Host": "127.0.0.1:8000", "Origin": "http://["}, False),
        ({"Host": "127.0.0.1:8000", "Sec-Fetch-Site": "cross-site"}, False),
        ({"Host": "127.0.0.1:8000", "Sec-Fetch-Site": "same-site"}, False),
        ({"Host": "127.0.0.1:8000", "Sec-Fetch-Site": "none"}, True),
        ({"Host": "127.0.0.1:8000", "Origin": "http://localhost:3000",
          "Sec-Fetch-Site": "cross-site"}, True),
    ],
)  # fmt: skip
def test_a_page_of_another_origin_is_refused(headers: dict[str, str], passes: bool) -> None:
    guard = Guard("127.0.0.1", origins=["http://localhost:3000/"])
    if passes:
        guard.check(headers)
    else:
        with refused(403, "another origin|web page|is for the host"):
            guard.check(headers)


def test_further_names_of_this_machine_can_be_allowed() -> None:
    guard = Guard("127.0.0.1", hosts=["host.docker.internal"])
    guard.check({"Host": "host.docker.internal:8000"})
    with refused(403, "is for the host"):
        guard.check({"Host": "192.168.1.5:8000"})
    # Open to other machines: they use an address; a name could be anybody's.
    open_ = Guard("0.0.0.0")
    open_.check({"Host": "192.168.1.5:8000"})
    with refused(403, "is for the host"):
        open_.check({"Host": "evil.example"})


@pytest.mark.parametrize("origins", ["http://localhost", ["*"], ["localhost:3000"], [""], [5]])
def test_an_origin_is_an_origin(origins: Any) -> None:
    with pytest.raises(tk.ToolkitError, match="origin"):
        Guard("127.0.0.1", origins=origins)


@pytest.mark.parametrize(
    "hosts",
    ["lanhost", [""], ["lanhost:8123"], ["http://lanhost"], [5], [None], ["a b"], ["::1"], ["[x]"]],
)
def test_a_host_is_a_name(hosts: Any) -> None:
    with pytest.raises(tk.ToolkitError, match="hosts"):
        Guard("127.0.0.1", hosts=hosts)


def test_a_query_is_read_as_it_was_sent(receiver: Receiver) -> None:
    query = f"data={quote(json.dumps(GOOD_UPDATE))}&verbose=1"
    assert asked(receiver, call("/engage", b"", query)) == (200, {"status": 1, "error": None})
