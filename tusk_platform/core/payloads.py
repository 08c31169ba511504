"""Payload bytes to objects. What is no object of its own is an empty one with a reason, never an exception."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from tusk_platform.core.values import shown
from tusk_platform.errors import BadRecord
from tusk_platform.plan.nodes import Stream

MAX_PAYLOAD: Final = 2**20

Payload = bytes | None
Object = dict[str, Any]

# Numbers stay the text they were: a fragment is written out again as it is.
_AS_WRITTEN: Final = json.JSONDecoder(parse_float=orjson.Fragment, parse_int=orjson.Fragment)
# A key followed by white space has no `":` to count.
_SPACED_KEY: Final = re.compile(rb'"\s+:')


@dataclass(frozen=True, slots=True)
class Parsed:
    """One object a payload, in their order; ``reasons`` say which rows hold none and why."""

    objects: list[Object]
    reasons: dict[int, str]


def unreadable(payloads: Sequence[Payload], why: str) -> Parsed:
    """An empty object a payload, each refused for the same reason."""
    return Parsed([{} for _ in payloads], dict.fromkeys(range(len(payloads)), f"undecodable: {why}"))


def parse(payloads: Sequence[Payload], stream: Stream) -> Parsed:
    """The objects of payloads in the stream's format.

    An object that repeats a key is refused: which of the two values was meant cannot be known.
    """
    if stream.format == "csv":
        names = [c.name for c in stream.columns if c.name not in stream.expressions]
        return _each(payloads, lambda payload: _line(payload, names))
    parsed = _all_at_once(payloads) or _each(payloads, _object)
    for row in _doubtful(payloads, parsed.objects):
        payload = payloads[row]
        if payload is not None and row not in parsed.reasons and (key := _repeated_key(payload)):
            parsed.reasons[row] = f"undecodable: key {shown(key)} repeated"
            parsed.objects[row] = {}
    return parsed


def as_written(payload: bytes) -> Object:
    """The object again, each number as the text its sender wrote; ValueError if nested too deeply for that."""
    try:
        found: Object = _AS_WRITTEN.decode(payload.decode())
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return found


def _all_at_once(payloads: Sequence[Payload]) -> Parsed | None:
    try:
        objects = list(map(orjson.loads, payloads))  # type: ignore[arg-type]  # None raises as text that is no JSON does
    except orjson.JSONDecodeError:
        return None
    if set(map(type, objects)) - {dict} or max(map(len, payloads), default=0) > MAX_PAYLOAD:  # type: ignore[arg-type]  # no None came through
        return None
    return Parsed(objects, {})


def _each(payloads: Sequence[Payload], one: Any) -> Parsed:  # noqa: ANN401 - a callable from bytes to an object
    objects: list[Object] = []
    reasons: dict[int, str] = {}
    for row, payload in enumerate(payloads):
        try:
            if not payload:
                raise BadRecord("undecodable: no payload" if payload is None else "undecodable: empty payload")
            if len(payload) > MAX_PAYLOAD:
                raise BadRecord(f"too large: {len(payload)} bytes")
            objects.append(one(payload))
        except BadRecord as problem:
            objects.append({})
            reasons[row] = str(problem)
    return Parsed(objects, reasons)


def _object(payload: bytes) -> Object:
    try:
        found = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise BadRecord(f"undecodable: {shown(payload)}") from error
    if not isinstance(found, dict):
        raise BadRecord(f"not an object: {shown(payload)}")
    return found


def _line(payload: bytes, names: Sequence[str]) -> Object:
    try:
        lines = list(csv.reader([payload.decode().rstrip("\r\n")], strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadRecord(f"undecodable: {shown(payload)}") from error
    if len(lines) != 1 or len(lines[0]) > len(names):
        raise BadRecord(f"undecodable: {shown(payload)}")
    return {name: text or None for name, text in zip(names, lines[0], strict=False)}


def _doubtful(payloads: Sequence[Payload], objects: Sequence[Object]) -> Sequence[int]:
    """Rows that may repeat a key: those that have more `":` than keys. Counted over all first, which is nearly free."""
    joined = b"\n".join(p for p in payloads if p)
    if _colons(joined) == sum(map(len, objects)) and not _SPACED_KEY.search(joined):
        return ()
    return [
        row
        for row, payload in enumerate(payloads)
        if payload and (_colons(payload) != _keys(objects[row]) or _SPACED_KEY.search(payload))
    ]


def _colons(payload: bytes) -> int:
    return payload.count(b'":') - payload.count(b'\\":')


def _keys(value: object) -> int:
    """Keys of an object and of all objects in it."""
    total, waiting = 0, [value]
    while waiting:
        match waiting.pop():
            case dict() as found:
                total += len(found)
                waiting += found.values()
            case list() as found:
                waiting += found
    return total


def _repeated_key(payload: bytes) -> str | None:
    repeated: list[str] = []

    def look(pairs: list[tuple[str, object]]) -> Mapping[str, object]:
        found = dict(pairs)
        if len(found) < len(pairs):
            repeated.append(Counter(key for key, _ in pairs).most_common(1)[0][0])
        return found

    try:
        json.loads(payload, object_pairs_hook=look)
    except (RecursionError, ValueError):
        return None
    return repeated[0] if repeated else None
