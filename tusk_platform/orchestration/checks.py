"""Asset checks: the newest verdicts of the expectation suites, as Dagster shows them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

import dagster as dg

from tusk_platform.core.quality import CARRIED
from tusk_platform.generate.expectations import suite
from tusk_platform.jobs.validate import Verdict, latest
from tusk_platform.orchestration.outside import AS_CONFIGURED, outside_news, outside_results, outside_specs
from tusk_platform.orchestration.specs import key_of
from tusk_platform.plan.nodes import Stream
from tusk_platform.ports import ExpectationResult
from tusk_platform.runtime.platform import Platform
from tusk_platform.units import MINUTE

# An unchanged verdict is repeated this often, so that a check never looks forgotten.
REPEAT: Final = 30 * MINUTE


def check_name(rule: str) -> str:
    """A rule's name as Dagster allows it: ``required:user_id`` is ``required_user_id``."""
    return re.sub(r"[^A-Za-z0-9_]+", "_", rule)


def stream_check_specs(stream: Stream) -> list[dg.AssetCheckSpec]:
    """A check for each expectation of the stream's suite, one for columns that no event carries, one of its source."""
    rules = [(e["meta"]["rule"], f"{e['type']} ({e['meta']['key']})") for e in suite(stream)["expectations"]]
    rules.append((CARRIED, "Every column that an aggregate reads was carried by some event."))
    specs = [
        dg.AssetCheckSpec(check_name(rule), asset=key_of(stream.table), description=text, metadata={"rule": rule})
        for rule, text in rules
    ]
    return [*specs, *outside_specs(stream)]


def stream_check_results(platform: Platform, stream: Stream) -> Iterator[dg.AssetCheckResult]:
    """The newest verdicts of a stream, at the end of a run that materializes it."""
    verdicts = {check_name(v.result.rule): v for v in _verdicts(platform) if v.result.stream == stream.name}
    yield from outside_results(platform, stream)
    for spec in stream_check_specs(stream):
        if spec.name == AS_CONFIGURED:
            continue
        verdict = verdicts.get(spec.name)
        if verdict is None:
            yield dg.AssetCheckResult(
                passed=True, check_name=spec.name, asset_key=spec.asset_key, description="no rows were judged yet"
            )
        else:
            yield dg.AssetCheckResult(check_name=spec.name, asset_key=spec.asset_key, **_said(verdict))


def check_news(platform: Platform, cursor: dict[str, Any]) -> list[dg.AssetCheckEvaluation]:
    """Verdicts that changed since they were reported, and all of them every half hour."""
    known = {(s.name, spec.name) for s in platform.plan.streams for spec in stream_check_specs(s)}
    told: dict[str, Any] = cursor.setdefault("told", {})
    again = platform.clock() - int(cursor.get("all_at", 0)) >= REPEAT
    news = []
    for verdict in _reportable(_verdicts(platform), known):
        key = f"{verdict.result.stream}/{check_name(verdict.result.rule)}"
        if again or told.get(key) != verdict.result.success:
            told[key] = verdict.result.success
            news.append(_evaluation(verdict))
    if again and news:
        cursor["all_at"] = platform.clock()
    return news + outside_news(platform, cursor)


def _verdicts(platform: Platform) -> Iterator[Verdict]:
    """The newest verdicts, those on single columns that no event carries put together to one a stream."""
    columns: dict[str, list[Verdict]] = {}
    for verdict in latest(platform.lake, platform.plan):
        if verdict.result.rule.startswith(f"{CARRIED}:"):
            columns.setdefault(verdict.result.stream, []).append(verdict)
        else:
            yield verdict
    for found in columns.values():
        absent = [v.result.column for v in found if not v.result.success]
        detail = f"no event carried {', '.join(f'`{c}`' for c in absent)}" if absent else ""
        together = replace(
            found[0].result,
            rule=CARRIED,
            column=None,
            success=not absent,
            evaluated=len(found),
            unexpected=len(absent),
            detail=detail,
        )
        yield Verdict(together, found[0].validated_at)


def _reportable(verdicts: Iterable[Verdict], known: set[tuple[str, str]]) -> Iterator[Verdict]:
    return (v for v in verdicts if (v.result.stream, check_name(v.result.rule)) in known)


def _evaluation(verdict: Verdict) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        asset_key=key_of(f"raw.{verdict.result.stream}"), check_name=check_name(verdict.result.rule), **_said(verdict)
    )


def _said(verdict: Verdict) -> dict[str, Any]:
    r = verdict.result
    return {
        "passed": r.success,
        "severity": _severity(r),
        "description": r.detail or None,
        "metadata": {
            "evaluated": r.evaluated,
            "unexpected": r.unexpected,
            "unexpected_percent": round(100 * r.unexpected / r.evaluated, 4) if r.evaluated else 0.0,
            "through_batch": r.through_batch,
            "validated_at": dg.MetadataValue.timestamp(verdict.validated_at / 1_000_000),
        },
    }


def _severity(result: ExpectationResult) -> dg.AssetCheckSeverity:
    return dg.AssetCheckSeverity.WARN if result.severity == "warning" else dg.AssetCheckSeverity.ERROR
