"""Messages as events: what was written stays as it was, what is none keeps its bytes."""

from __future__ import annotations

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tusk_platform.core.messages import event_of, without_topic


@pytest.mark.parametrize(
    ("payload", "event"),
    [
        (b"1e400", b'{"topic":"a","value":"1e400"}'),
        (b" 0.10 ", b'{"topic":"a","value":0.10}'),
        (b'"on"', b'{"topic":"a","value":"on"}'),
        (b"[1.50]", b'{"topic":"a","value":[1.50]}'),
        (b"", b'{"topic":"a","value":null}'),
        (b"ON", b'{"topic":"a","value":"ON"}'),
        (b"{}", b'{"topic":"a"}'),
        (b'{ "n" : 1.0, "n" : 2 }', b'{"topic":"a","n" : 1.0, "n" : 2 }'),
        (b'{"topic":"own","payload_topic":1}', b'{"topic":"a","payload_payload_topic":"own","payload_topic":1}'),
        (b'{"a":{"b":{"c":1.0}}}', b'{"topic":"a","a_b":{"c":1.0}}'),
        (b'{"a":{"b":1},"a_b":2}', b'{"topic":"a","a":{"b":1},"a_b":2}'),
    ],
)
def test_message_becomes_event(payload: bytes, event: bytes) -> None:
    found = event_of("a", payload)

    assert (found.payload, found.broken) == (event, None)


@pytest.mark.parametrize("payload", [b"\xff", b"a\x00b", b'{"a":', b"[1", b'{"a":{"x":1,"x":2}}', b'{"a":' * 2000])
def test_what_is_no_event_keeps_its_bytes(payload: bytes) -> None:
    found = event_of("room/1", payload)

    assert found.payload == payload
    assert 'topic "room/1": ' in (found.broken or "")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**50), 2**50) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=10,
)


@given(st.text(min_size=1, max_size=5), st.dictionaries(st.text(max_size=4), JSON, max_size=4))
def test_no_value_of_an_object_is_lost(topic: str, members: dict[str, object]) -> None:
    event = orjson.loads(event_of(topic, orjson.dumps(members)).payload)

    values = [v for m in members.values() for v in (m.values() if isinstance(m, dict) and m else [m])]
    assert event.pop("topic") == topic
    flat = [v for m in event.values() for v in (m.values() if isinstance(m, dict) and m else [m])]
    deep = [v for m in values for v in (m.values() if isinstance(m, dict) and m else [m])]
    assert sorted(map(json.dumps, flat)) == sorted(map(json.dumps, deep))


def test_topic_of_an_event_is_taken_out() -> None:
    assert without_topic(b'{"a": 1.50, "topic": "t"}') == ("t", b'{"a":1.50}')
    assert without_topic(b'{"topic": 1}') is None
    assert without_topic(b"[") is None
