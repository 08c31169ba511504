"""The nodes of a plan as plain values that can be compared, whatever the order in which they were found."""

from __future__ import annotations

from typing import Any

from tusk_platform.plan.nodes import Plan
from tusk_platform.plan.page import as_json

_KINDS = ("streams", "aggregates", "dashboards", "connections", "runtime")


def nodes(plan: Plan) -> dict[str, Any]:
    """Streams, aggregates, dashboards, connections and the runtime profile, without positions; named things by name."""
    return {kind: _bare(value) for kind, value in as_json(plan).items() if kind in _KINDS}


def _bare(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        return {
            k: sorted(v) if k == "event_types" else _bare(v)
            for k, v in sorted(value.items())
            if k not in {"origin", "at"}
        }
    if isinstance(value, list) and all(isinstance(v, dict) and "name" in v for v in value):
        return sorted((_bare(v) for v in value), key=lambda v: str(v["name"]))
    return [_bare(v) for v in value] if isinstance(value, list) else value
