"""Messages with a topic to events: a number or text is the event's ``value``, an object its columns."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from tusk_platform.core.values import shown
from tusk_platform.errors import BadRecord

TOPIC: Final = "topic"
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Event:
    """One JSON object, or with ``broken`` the message's own bytes and why they are none."""

    payload: bytes
    broken: str | None = None


def event_of(topic: str, payload: bytes) -> Event:
    """The event that a message tells.

    >>> event_of("room/1", b"21.50").payload
    b'{"topic":"room/1","value":21.50}'
    >>> event_of("room/1", b'{"air":{"t":4.70,"h":9}}').payload
    b'{"topic":"room/1","air_t":4.70,"air_h":9}'
    """
    head = b'{"topic":' + orjson.dumps(topic)
    text = payload.strip()
    if not text:
        return Event(head + b',"value":null}')
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return _of_text(topic, payload, head)
    if not isinstance(found, dict):
        return Event(head + b',"value":' + text + b"}")
    if TOPIC not in found and not any(isinstance(v, dict) for v in found.values()):
        # As it was written: also a repeated key, which is for the border to judge.
        return Event(head + (b"," if found else b"") + text[1:].lstrip())
    try:
        return Event(orjson.dumps(_flat(topic, _AS_WRITTEN.decode(text.decode()))))
    except BadRecord as problem:
        return Event(payload, f"topic {shown(topic)}: {problem}")
    except (RecursionError, TypeError):
        return Event(payload, f"topic {shown(topic)}: nested too deeply")


def without_topic(event: bytes) -> tuple[str, bytes] | None:
    """The topic that an event names and the rest of it as it was written; None where it names none."""
    try:
        found = orjson.loads(event)
        if not isinstance(found, dict) or not isinstance(found.get(TOPIC), str):
            return None
        rest = _AS_WRITTEN.decode(event.decode())
    except (ValueError, BadRecord, RecursionError):
        return None
    topic: str = rest.pop(TOPIC)
    return topic, orjson.dumps(rest)


def _of_text(topic: str, payload: bytes, head: bytes) -> Event:
    """Words are a value too, which a column of numbers will refuse; what is no text keeps its bytes."""
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return Event(payload, f"topic {shown(topic)}: no text")
    if _CONTROL.search(text):
        return Event(payload, f"topic {shown(topic)}: no text")
    if text.lstrip().startswith(("{", "[")):
        return Event(payload, f"topic {shown(topic)}: no JSON: {shown(payload)}")
    return Event(head + b',"value":' + orjson.dumps(text) + b"}")


def _flat(topic: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """The object with the members of its objects as its own. The message's topic is ``topic``, whatever it says."""
    flat: dict[str, Any] = {TOPIC: topic}
    for key, value in found.items():
        own = key
        while own == TOPIC or (own != key and own in found):
            own = f"payload_{own}"
        inner = {f"{own}_{name}": v for name, v in value.items()} if isinstance(value, dict) else {}
        # Where a name is taken already, the object stays whole: nothing may be written over.
        if inner and not inner.keys() & (flat.keys() | found.keys()):
            flat |= inner
        else:
            flat[own] = value
    return flat


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise BadRecord(f"key {shown(next(n for n in names if names.count(n) > 1))} repeated")
    return found


# Numbers stay the text they were.
_AS_WRITTEN: Final = json.JSONDecoder(
    parse_float=orjson.Fragment, parse_int=orjson.Fragment, object_pairs_hook=_once
)  # fmt: skip
