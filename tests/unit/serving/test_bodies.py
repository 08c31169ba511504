"""Request bodies to events."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.serving.plans import USER_EVENTS
from tusk_platform.serving.bodies import Bounds, Unacceptable, collected, split

_JSON, _LINES = "application/json", "application/x-ndjson"
_BOUNDS = Bounds(body=2_000, events=5, event=300)
_EVENTS = st.dictionaries(st.text(max_size=5), st.none() | st.integers() | st.text(max_size=5), max_size=3)


def _split(kind: str, body: bytes) -> list[bytes]:
    return split(kind, body, USER_EVENTS, _BOUNDS)


def _collected(*chunks: bytes, encoding: str = "") -> bytes:
    async def sent() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    return asyncio.run(collected(sent(), encoding, _BOUNDS))


def test_one_object_is_one_event() -> None:
    assert _split(_JSON, b' {"a": 1.50}\n') == [b'{"a": 1.50}']


def test_array_keeps_the_bytes_of_each_event() -> None:
    body = b'[ {"amount": 12.3400000000000000001, "note": "a, b]"} ,\n{"n": 123456789012345678901234567890}]'

    assert _split("application/json; charset=utf-8", body) == [
        b'{"amount": 12.3400000000000000001, "note": "a, b]"}',
        b'{"n": 123456789012345678901234567890}',
    ]


def test_lines_are_events_and_empty_ones_are_not() -> None:
    assert _split(_LINES, b'{"a":1}\r\n\n  {"b":2}  \n') == [b'{"a":1}', b'{"b":2}']


@given(st.lists(_EVENTS, min_size=1, max_size=5))
def test_array_and_lines_bring_the_same_events(events: list[dict[str, object]]) -> None:
    parts = [json.dumps(e).encode() for e in events]

    assert _split(_JSON, b"[" + b" , ".join(parts) + b"]") == parts
    assert _split(_LINES, b"\n".join(parts)) == parts


def test_csv_stream_takes_lines_as_they_are() -> None:
    stream = replace(USER_EVENTS, format="csv")

    assert split("text/csv", b"1,a\n2,b\n", stream, _BOUNDS) == [b"1,a", b"2,b"]


@pytest.mark.parametrize(
    ("kind", "body", "status", "said"),
    [
        ("text/plain", b"{}", 415, "text/plain"),
        ("", b"{}", 415, "none"),
        (_JSON, b"{", 400, "not valid JSON"),
        (_JSON, b"[1]", 400, "event 1"),
        (_JSON, b"3", 400, "not a JSON object"),
        (_JSON, b"", 400, "no event"),
        (_JSON, b"[]", 400, "no event"),
        (_JSON, b'{"a": NaN}', 400, "not valid JSON"),
        (_JSON, b'{"a":1}\n{"a":2}', 400, "not valid JSON"),
        (_JSON, b'{"a": "\xff"}', 400, "not valid JSON"),
        (_JSON, b"[" * 900, 400, "not valid JSON"),
        (_LINES, b'{"a":1}\nnonsense', 400, "line 2"),
        (_LINES, b"{}\n" * 6, 413, "6 events"),
        (_LINES, b'{"a": "' + b"x" * 400 + b'"}', 413, "event 1"),
    ],
)
def test_wrong_body_is_refused_with_the_reason(kind: str, body: bytes, status: int, said: str) -> None:
    with pytest.raises(Unacceptable, match=said) as refused:
        _split(kind, body)

    assert refused.value.status == status


def test_packed_body_is_unpacked() -> None:
    packed = gzip.compress(b'{"a":1}')

    assert _collected(packed[:9], packed[9:], encoding="gzip") == b'{"a":1}'


def test_small_bomb_is_refused_before_it_grows() -> None:
    with pytest.raises(Unacceptable, match="longer than") as refused:
        _collected(gzip.compress(b"0" * 50_000_000), encoding="gzip")

    assert refused.value.status == 413


@pytest.mark.parametrize(
    ("chunk", "encoding", "status"),
    [
        (b"x" * 2001, "", 413),
        (b"not gzip", "gzip", 400),
        (gzip.compress(b"{}")[:-4], "gzip", 400),
        (gzip.compress(b"{}") + b"more", "gzip", 400),
        (zlib.compress(b"{}"), "deflate", 415),
    ],
)
def test_wrong_packing_is_refused(chunk: bytes, encoding: str, status: int) -> None:
    with pytest.raises(Unacceptable) as refused:
        _collected(chunk, encoding=encoding)

    assert refused.value.status == status
