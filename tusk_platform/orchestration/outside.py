"""Asset checks of what is outside: a topic, a table and its slot, a broker, as far as a source can look at it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import dagster as dg

from tusk_platform.orchestration.specs import key_of
from tusk_platform.plan.nodes import Stream
from tusk_platform.runtime.connections import differences, is_inspected
from tusk_platform.runtime.platform import Platform
from tusk_platform.units import MINUTE

AS_CONFIGURED: Final = "source_as_configured"
# Asking is a connection each time; a slot that holds back a server's log must be told of while there is room.
_ASK_EVERY: Final = 5 * MINUTE
_REPEAT: Final = 30 * MINUTE


def outside_specs(stream: Stream) -> Iterator[dg.AssetCheckSpec]:
    """The check of a stream whose source can look at what is outside; none for others."""
    if is_inspected(stream):
        yield dg.AssetCheckSpec(
            AS_CONFIGURED,
            asset=key_of(stream.table),
            description="What is outside is as the config says, and nothing there is about to go wrong.",
        )


def outside_results(platform: Platform, stream: Stream) -> Iterator[dg.AssetCheckResult]:
    """The verdict of now, at the end of a run that materializes the stream."""
    for spec in outside_specs(stream):
        found = differences(platform.plan, stream, platform.config)
        yield dg.AssetCheckResult(check_name=spec.name, asset_key=spec.asset_key, **_said(found))


def outside_news(platform: Platform, cursor: dict[str, Any]) -> list[dg.AssetCheckEvaluation]:
    """Verdicts that changed since they were reported, and all of them every half hour."""
    now = platform.clock()
    if now - int(cursor.get("asked_at", 0)) < _ASK_EVERY:
        return []
    cursor["asked_at"] = now
    told: dict[str, Any] = cursor.setdefault("outside", {})
    news = []
    for stream in filter(is_inspected, platform.plan.streams):
        found = list(differences(platform.plan, stream, platform.config))
        before, at = told.get(stream.name, [None, 0])
        if found != before or now - at >= _REPEAT:
            told[stream.name] = [found, now]
            news.append(
                dg.AssetCheckEvaluation(asset_key=key_of(stream.table), check_name=AS_CONFIGURED, **_said(found))
            )
    return news


def _said(found: tuple[str, ...] | list[str]) -> dict[str, Any]:
    return {
        "passed": not found,
        "severity": dg.AssetCheckSeverity.WARN,
        "description": "; ".join(found) or None,
        "metadata": {"differences": len(found)},
    }
