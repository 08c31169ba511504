"""Sensors: ticks that do the work without runs, and report from the lake what became of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import dagster as dg

from tusk_platform.errors import Held, TuskError
from tusk_platform.jobs.news import aggregate_news, query_news, stream_news
from tusk_platform.orchestration.checks import check_news
from tusk_platform.orchestration.open import platform_at
from tusk_platform.orchestration.specs import key_of
from tusk_platform.orchestration.upkeep import forget_old_events
from tusk_platform.plan.nodes import Plan, Stream
from tusk_platform.runtime.backups import back_up_due
from tusk_platform.runtime.duties import ingest_stream, maintain_all, refresh_due, within
from tusk_platform.runtime.platform import Platform
from tusk_platform.units import MINUTE

# Well under the minute between two reports, and short enough for a code location that is asked to stop.
TICK_SECONDS: Final = 50.0
REPORT_EVERY: Final = MINUTE - 5_000_000
MAINTAIN_SECONDS: Final = 120
# A tick that takes longer than the 300 s of a call is lost. What a backup has copied by then stays copied, and tables
# that had no turn come first the next time.
BACKUP_SECONDS: Final = 200.0
UPKEEP_SECONDS: Final = 200.0
BACKUP_LOOK_SECONDS: Final = 60

Reporter = Callable[[Platform, dict[str, Any]], list[Any]]


def plan_sensors(plan: Plan, config: Path) -> list[dg.SensorDefinition]:
    """For every stream an ingest and a refresh sensor, one for checks, one for maintenance."""
    return [
        *(_ingest_sensor(s, config) for s in plan.streams),
        *(
            _refresh_sensor(plan, s, config)
            for s in plan.streams
            if plan.aggregates_of(s.name) or plan.queries_of(s.name)
        ),
        _check_sensor(config),
        _maintain_sensor(config),
        *([_backup_sensor(config)] if plan.runtime.checkpoint_dir else []),
    ]


def _sensor(
    name: str, description: str, tick: Callable[[dg.SensorEvaluationContext], Any], seconds: int = 5
) -> dg.SensorDefinition:
    return dg.SensorDefinition(
        name=name.replace("-", "_"),
        evaluation_fn=tick,
        minimum_interval_seconds=seconds,
        description=description,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )


def _ingest_sensor(stream: Stream, config: Path) -> dg.SensorDefinition:
    def work(platform: Platform) -> str:
        report = ingest_stream(platform, stream, within(platform, TICK_SECONDS), command=f"sensor ingest_{stream.name}")
        return f"{report.rows} rows, {report.quarantined} quarantined in {report.batches} batches"

    def report(platform: Platform, cursor: dict[str, Any]) -> list[Any]:
        news = stream_news(platform.lake, platform.plan, stream, int(cursor.get("batch", 0)))
        if news is None:
            return []
        cursor["batch"] = news.through_batch
        metadata: dict[str, Any] = {
            "rows": news.rows,
            "quarantined": news.quarantined,
            "through_batch": news.through_batch,
            "offsets": news.positions,
        }
        if news.median_latency is not None:
            metadata["latency_seconds"] = float(news.median_latency)
        if news.newest_event_time:
            metadata["newest_event_time"] = news.newest_event_time
        return [dg.AssetMaterialization(key_of(stream.table), metadata=metadata)]

    return _sensor(
        f"ingest_{stream.name}",
        f"Reads stream `{stream.name}` in micro-batches, a commit at least every second while events flow.",
        _tick(config, work, report),
    )


def _refresh_sensor(plan: Plan, stream: Stream, config: Path) -> dg.SensorDefinition:
    def work(platform: Platform) -> str:
        done = refresh_due(platform, stream, within(platform, TICK_SECONDS), command=f"sensor refresh_{stream.name}")
        return f"{done} refreshes"

    def report(platform: Platform, cursor: dict[str, Any]) -> list[Any]:
        events = []
        for aggregate in plan.aggregates_of(stream.name):
            since, after = cursor.get(aggregate.name, [0, 0])
            news = aggregate_news(platform.lake, platform.plan, aggregate, since, after)
            if news is None:
                continue
            cursor[aggregate.name] = [news.through_batch, platform.clock()]
            metadata: dict[str, Any] = {
                "rows": news.rows,
                "dagster/row_count": news.total,
                "through_batch": news.through_batch,
            }
            if news.newest_window:
                metadata["newest_window"] = news.newest_window
            events.append(dg.AssetMaterialization(key_of(aggregate.table), metadata=metadata))
        for query in plan.queries_of(stream.name):
            asked = query_news(platform.lake, query, int(cursor.get(query.table, 0)))
            if asked is not None:
                cursor[query.table] = asked.refreshed_at
                events.append(dg.AssetMaterialization(key_of(query.table), metadata={"dagster/row_count": asked.rows}))
        return events

    tables = [a.table for a in plan.aggregates_of(stream.name)] + [q.table for q in plan.queries_of(stream.name)]
    names = ", ".join(tables)
    return _sensor(f"refresh_{stream.name}", f"Refreshes what is due of {names}.", _tick(config, work, report))


def _check_sensor(config: Path) -> dg.SensorDefinition:
    return _sensor(
        "report_checks",
        "Reports the results of the expectation suites as asset checks, when a verdict changes and every half hour.",
        _tick(config, lambda _: "", check_news, every=0),
        # Suites are run once a minute.
        seconds=60,
    )


def _maintain_sensor(config: Path) -> dg.SensorDefinition:
    def tick(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        try:
            platform = platform_at(config)
            done = maintain_all(platform, within(platform, UPKEEP_SECONDS), command="sensor maintain")
            left = f", {len(done.left)} left for the next time" if done.left else ""
            said = "; ".join([f"{len(done.tables)} tables looked after{left}", *done.errors])
        except TuskError as e:
            said = str(e)
        gone = forget_old_events(context.instance)
        return dg.SkipReason(f"{said}; {gone} old events forgotten")

    return _sensor("maintain", "Compacts and vacuums tables, applies retention.", tick, seconds=MAINTAIN_SECONDS)


def _backup_sensor(config: Path) -> dg.SensorDefinition:
    def tick() -> dg.SkipReason:
        try:
            platform = platform_at(config)
            report = back_up_due(platform, within(platform, BACKUP_SECONDS), command="sensor backup")
        except TuskError as e:
            return dg.SkipReason(str(e))
        if report is None:
            return dg.SkipReason("not due yet")
        if report.nothing_new:
            return dg.SkipReason(f"nothing new since {report.manifest}")
        done = f"{report.files_copied} files, {report.bytes_copied} bytes copied"
        return dg.SkipReason(f"{done}: {report.manifest}" if report.complete else f"{done}; it goes on next time")

    return _sensor(
        "backup", "Copies what is new in the lake to `checkpoint_dir`.", lambda _: tick(), BACKUP_LOOK_SECONDS
    )


def _tick(
    config: Path, work: Callable[[Platform], str], report: Reporter, every: int | None = None
) -> Callable[[dg.SensorEvaluationContext], Any]:
    def tick(context: dg.SensorEvaluationContext) -> Any:  # noqa: ANN401 - dagster takes several kinds of answer
        cursor: dict[str, Any] = json.loads(context.cursor or "{}")
        try:
            platform = platform_at(config)
            note = work(platform)
        except Held as e:
            note = str(e)
        except TuskError as e:
            # Nothing is lost by waiting; the reason stands in the tick, and the next one tries again.
            return dg.SkipReason(str(e))
        if platform.clock() - int(cursor.get("reported", 0)) < (REPORT_EVERY if every is None else every):
            return dg.SkipReason(note)
        try:
            events = report(platform, cursor)
        except TuskError as e:
            return dg.SkipReason(f"{note}; not reported: {e}")
        if not events:
            return dg.SensorResult(skip_reason=dg.SkipReason(note or "nothing new"), cursor=json.dumps(cursor))
        cursor["reported"] = platform.clock()
        return dg.SensorResult(asset_events=events, cursor=json.dumps(cursor))

    return tick
