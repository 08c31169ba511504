"""Assets whose materialization does the same work as the sensors, at a person's click.

No postponed annotations here: dagster looks at the type of `context` itself.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg

from tusk_platform.errors import Held
from tusk_platform.jobs.news import last_batch
from tusk_platform.jobs.show import dashboard_values
from tusk_platform.orchestration.checks import stream_check_results, stream_check_specs
from tusk_platform.orchestration.open import platform_at
from tusk_platform.orchestration.retries import plainly
from tusk_platform.orchestration.specs import aggregate_spec, clean_spec, dashboard_spec, query_spec, raw_spec
from tusk_platform.plan.nodes import Aggregate, Dashboard, Plan, Query, Stream
from tusk_platform.runtime.duties import ingest_stream, refresh_aggregates, within
from tusk_platform.storage.duck import query

# A run takes what is there now; a stream that never pauses must not keep it for ever.
_RUN_SECONDS = 600


def plan_assets(plan: Plan, config: Path) -> list[dg.AssetsDefinition]:
    """One asset for every stream (raw and clean), aggregate, query and dashboard."""
    return [
        *(_raw_asset(plan, s, config) for s in plan.streams),
        *(_clean_asset(plan, s, config) for s in plan.streams),
        *(_aggregate_asset(plan, a, config) for a in plan.aggregates),
        *(_query_asset(plan, q, config) for q in plan.queries),
        *(_dashboard_asset(plan, d, config) for d in plan.dashboards),
    ]


def _named(prefix: str, name: str) -> str:
    return f"{prefix}_{name}".replace(".", "_").replace("-", "_")


def _raw_asset(plan: Plan, stream: Stream, config: Path) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name=_named("raw", stream.name),
        specs=[raw_spec(stream)],
        check_specs=stream_check_specs(stream),
    )
    def ingest_now(context: dg.AssetExecutionContext) -> Iterator[Any]:
        with plainly(context, plan.fault_tolerance):
            platform = platform_at(config)
            try:
                report = ingest_stream(
                    platform, stream, within(platform, _RUN_SECONDS, once=True), command=_who(context)
                )
                metadata: dict[str, Any] = {
                    "rows": report.rows,
                    "quarantined": report.quarantined,
                    "late": report.late,
                    "batches": report.batches,
                    "offsets": dict(report.position),
                }
            except Held as e:
                # The sensor is at it: what is there is being read this moment.
                context.log.info(str(e))
                metadata = {"rows": 0, "note": str(e)}
            metadata["through_batch"] = last_batch(platform.lake, stream)
            checks = list(stream_check_results(platform, stream))
        yield dg.MaterializeResult(metadata=metadata)
        yield from checks

    return ingest_now


def _clean_asset(plan: Plan, stream: Stream, config: Path) -> dg.AssetsDefinition:
    @dg.multi_asset(name=_named("clean", stream.name), specs=[clean_spec(stream)])
    def count_clean(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        sql = f"""select (select count(*) from clean."{stream.name}") as rows,
                         (select count(*) from raw."{stream.name}" where _status = 'ok') as ok"""  # noqa: S608 - a name of the plan
        with plainly(context, plan.fault_tolerance):
            platform = platform_at(config)
            row = query(platform.lake, platform.plan, sql).to_pylist()[0]
        return dg.MaterializeResult(metadata={"dagster/row_count": row["rows"], "repeated": row["ok"] - row["rows"]})

    return count_clean


def _aggregate_asset(plan: Plan, aggregate: Aggregate, config: Path) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name=_named("agg", aggregate.name),
        specs=[aggregate_spec(plan, aggregate)],
    )
    def refresh_now(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        with plainly(context, plan.fault_tolerance):
            platform = platform_at(config)
            [result] = refresh_aggregates(platform, [aggregate.name], command=_who(context))
        return dg.MaterializeResult(
            metadata={"rows": result.rows, "seconds": result.seconds, "through_batch": result.through_batch},
        )

    return refresh_now


def _query_asset(plan: Plan, asked: Query, config: Path) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name=_named("query", asked.name),
        specs=[query_spec(plan, asked)],
    )
    def ask_now(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        with plainly(context, plan.fault_tolerance):
            platform = platform_at(config)
            [result] = refresh_aggregates(platform, [asked.name], command=_who(context))
        return dg.MaterializeResult(metadata={"dagster/row_count": result.rows, "seconds": result.seconds})

    return ask_now


def _dashboard_asset(plan: Plan, dashboard: Dashboard, config: Path) -> dg.AssetsDefinition:
    @dg.multi_asset(name=_named("dashboard", dashboard.name), specs=[dashboard_spec(dashboard)])
    def look(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        with plainly(context, plan.fault_tolerance):
            platform = platform_at(config)
            values = dashboard_values(platform.plan, dashboard, platform.lake, clock=platform.clock)
        return dg.MaterializeResult(metadata=dict(values))

    return look


def _who(context: dg.AssetExecutionContext) -> str:
    return f"Dagster run {context.run.run_id[:8]}"
