"""Jobs that a person starts with a configuration of the run."""

from pathlib import Path
from typing import Any

import dagster as dg

from tusk_platform.core.timestamps import micros
from tusk_platform.errors import UsageError
from tusk_platform.jobs.backfill import Span
from tusk_platform.orchestration.open import platform_at
from tusk_platform.orchestration.retries import plainly
from tusk_platform.plan.nodes import Plan
from tusk_platform.runtime.mending import backfill_stream

_SCHEMA: dict[str, Any] = {
    "stream": dg.Field(str, description="The stream, by its name in the config."),
    "from": dg.Field(str, description="Beginning of the span, by event time, such as 2026-01-31."),
    "to": dg.Field(str, description="Its end, which does not belong to it."),
    "from_source": dg.Field(
        bool, default_value=False, description="First read the source again for events that raw does not hold."
    ),
}


def backfill_job(plan: Plan, config: Path) -> dg.JobDefinition:
    """The job ``backfill``: the windows of a span computed again, for a span in the configuration of the run."""

    @dg.op(name="fill", config_schema=_SCHEMA)
    def fill(context: dg.OpExecutionContext) -> None:
        asked: dict[str, Any] = context.op_config
        with plainly(context, plan.fault_tolerance):
            if asked["stream"] not in plan.stream_names:
                raise UsageError(f"no stream `{asked['stream']}`: {', '.join(plan.stream_names)}")
            try:
                span = Span(*(micros(asked[end], plan.runtime.timezone) for end in ("from", "to")))
            except ValueError:
                raise UsageError(f"no span of time: {asked['from']} to {asked['to']}") from None
            report = backfill_stream(
                platform_at(config),
                plan.stream(asked["stream"]),
                span,
                from_source=asked["from_source"],
                command=f"Dagster run {context.run_id[:8]}",
            )
        done: dict[str, Any] = {w.table: w.rows for w in report.windows}
        left = {f"{w.table} left until": w.left_until for w in report.windows if w.left_until is not None}
        context.add_output_metadata(done | left | ({"added": report.fetched.added} if report.fetched else {}))

    @dg.job(name="backfill", description="Computes the windows of a span again.")
    def backfill() -> None:
        fill()

    return backfill
