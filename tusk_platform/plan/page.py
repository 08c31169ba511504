"""The plan as JSON (schema-versioned), and its fingerprint."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any, Final

from tusk_platform.errors import Span
from tusk_platform.plan.nodes import Plan, Session, Sliding, Tumbling
from tusk_platform.plan.origin import Origin

SCHEMA_VERSION: Final = 1
# Raised when the generators change what they make of the same plan.
GENERATOR_VERSION: Final = 1
_WINDOW_KINDS: Final = {Tumbling: "tumbling", Sliding: "sliding", Session: "session"}


def as_json(plan: Plan) -> dict[str, Any]:
    """The whole plan as plain values, times in microseconds, positions as ``file:line:column``."""
    return {"schema_version": SCHEMA_VERSION, "fingerprint": fingerprint(plan), **plain(plan)}


def fingerprint(plan: Plan) -> str:
    """Twelve hex digits that change when, and only when, what is generated may change. Positions do not count."""
    text = json.dumps([GENERATOR_VERSION, _without_positions(plain(plan))], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def definition_hash(node: object) -> str:
    """A hash of one node's definition without its position in the file."""
    text = json.dumps([GENERATOR_VERSION, _without_positions(plain(node))], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def plain(value: Any) -> Any:  # noqa: ANN401 - any node
    """A node, or any value of one, as plain values."""
    if isinstance(value, Span):
        return str(value)
    if isinstance(value, Origin):
        return {"key": value.key, "at": str(value.span)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        kind = {"kind": _WINDOW_KINDS[type(value)]} if type(value) in _WINDOW_KINDS else {}
        return kind | {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [plain(v) for v in value]
    return value


def _without_positions(value: Any) -> Any:  # noqa: ANN401 - any plain value
    if isinstance(value, dict):
        return {k: _without_positions(v) for k, v in value.items() if k not in {"at", "span", "file", "origin"}}
    if isinstance(value, list):
        return [_without_positions(v) for v in value]
    return value
