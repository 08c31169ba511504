"""Request bodies to events: one JSON object, an array of them, or a line each. Events keep the bytes they came with."""

from __future__ import annotations

import json
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

import orjson

from tusk_platform.core.payloads import MAX_PAYLOAD
from tusk_platform.plan.nodes import Stream

_ONE: Final = frozenset({"application/json"})
_LINES: Final = frozenset(
    {"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"}
)
_SPACE: Final = " \t\r\n"
# The decoder is asked only where an element ends: numbers stay text, so that none is too long for it.
_ELEMENTS: Final = json.JSONDecoder(parse_int=str, parse_float=str)


class Unacceptable(Exception):
    """A request that is refused: HTTP status, what is wrong, what would be right."""

    def __init__(self, status: int, message: str, hint: str = "") -> None:
        self.status, self.message, self.hint = status, message, hint
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one request may bring: bytes after unpacking, events, bytes of one event."""

    body: int = 16 * 2**20
    events: int = 20_000
    event: int = MAX_PAYLOAD


async def collected(chunks: AsyncIterator[bytes], encoding: str, bounds: Bounds) -> bytes:
    """The whole body, unpacked; 413 as soon as it is too long, however small it was packed."""
    match encoding.strip().lower():
        case "" | "identity":
            unpacker = None
        case "gzip" | "x-gzip":
            unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
        case _:
            raise Unacceptable(415, f"content-encoding `{encoding}` is not understood", "send gzip or no encoding")
    parts: list[bytes] = []
    length = 0
    async for chunk in chunks:
        try:
            part = unpacker.decompress(chunk, bounds.body + 1 - length) if unpacker else chunk
        except zlib.error:
            raise Unacceptable(400, "the body is not valid gzip") from None
        length += len(part)
        if length > bounds.body or (unpacker and unpacker.unconsumed_tail):
            raise Unacceptable(
                413, f"the body is longer than {bounds.body:,} bytes", "send the events in several requests"
            )
        parts.append(part)
    if unpacker and not unpacker.eof:
        raise Unacceptable(400, "the gzip body ends too early")
    if unpacker and unpacker.unused_data:
        raise Unacceptable(400, "something follows the end of the gzip body", "send one gzip stream")
    return b"".join(parts)


def split(content_type: str, body: bytes, stream: Stream, bounds: Bounds) -> list[bytes]:
    """The events of a body, byte by byte as they came; Unacceptable says which one is wrong."""
    kind = content_type.split(";", maxsplit=1)[0].strip().lower()
    if stream.format == "csv":
        if kind != "text/csv":
            raise Unacceptable(
                415, f"`{stream.name}` takes CSV, not `{kind or 'none'}`", "send `text/csv`, a line an event"
            )
        events = [line for line in body.splitlines() if line.strip()]
    elif kind in _LINES:
        events = _lines(body)
    elif kind in _ONE:
        events = _document(body)
    else:
        raise Unacceptable(
            415, f"content-type `{kind or 'none'}` is not understood",
            "send `application/json` (one object or an array) or `application/x-ndjson` (one object a line)",
        )  # fmt: skip
    if not events:
        raise Unacceptable(400, "the body holds no event")
    if len(events) > bounds.events:
        raise Unacceptable(
            413, f"{len(events):,} events are more than {bounds.events:,}", "send them in several requests"
        )
    for number, event in enumerate(events, 1):
        if len(event) > bounds.event:
            raise Unacceptable(413, f"event {number} has {len(event):,} bytes, more than {bounds.event:,}")
    return events


def _lines(body: bytes) -> list[bytes]:
    events = []
    for number, line in enumerate(body.split(b"\n"), 1):
        event = line.strip(_SPACE.encode())
        if event:
            _check(event, f"line {number}")
            events.append(event)
    return events


def _document(body: bytes) -> list[bytes]:
    whole = body.strip(_SPACE.encode())
    if not whole:
        return []
    if not whole.startswith(b"["):
        _check(whole, "the body")
        return [whole]
    try:
        elements = orjson.loads(whole)
        text = whole.decode()
        events, at = [], 1
        for number, element in enumerate(elements, 1):
            if not isinstance(element, dict):
                raise Unacceptable(400, f"event {number} of the array is not a JSON object")
            start = _past(text, at, ",")
            _, at = _ELEMENTS.raw_decode(text, start)
            events.append(text[start:at].encode())
    except (ValueError, RecursionError) as error:
        raise Unacceptable(400, f"the body is not valid JSON: {_said(error)}") from None
    return events


def _past(text: str, at: int, separator: str) -> int:
    while text[at] in _SPACE or text[at] == separator:
        at += 1
    return at


def _check(event: bytes, where: str) -> None:
    try:
        value = orjson.loads(event)
    except orjson.JSONDecodeError as error:
        hint = "for one event a line send content-type `application/x-ndjson`" if b"\n" in event else ""
        raise Unacceptable(400, f"{where} is not valid JSON: {_said(error)}", hint) from None
    if not isinstance(value, dict):
        raise Unacceptable(400, f"{where} is not a JSON object")


def _said(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)
