"""A query as Dagster knows it: its asset with lineage, and the sensor that refreshes it."""

from __future__ import annotations

import warnings
from pathlib import Path

import dagster as dg

from tests.unit.sections.mutation import seed
from tusk_platform.compile import load_plan
from tusk_platform.orchestration.sensors import plan_sensors
from tusk_platform.orchestration.specs import key_of, query_spec


def test_each_query_of_the_seed_is_an_asset_after_what_it_reads(tmp_path: Path) -> None:
    config = tmp_path / "platform.tsk"
    config.write_text(seed())
    plan = load_plan(config)
    with warnings.catch_warnings():
        # Links to code are in beta.
        warnings.simplefilter("ignore", dg.BetaWarning)
        specs = {spec.key: spec for spec in (query_spec(plan, q) for q in plan.queries)}

    assert specs.keys() == {key_of(f"query.{n}") for n in ("real_time_metrics", "user_segments", "system_performance")}
    segments = specs[key_of("query.user_segments")]
    assert [d.asset_key for d in segments.deps] == [dg.AssetKey(["clean", "user_events"])]
    assert segments.group_name == "analytics_data_sources"
    assert "SUM(" in str(segments.metadata["sql"].value)
    assert [c.name for c in segments.metadata["columns"].value.columns][-1] == "total_spent"


def test_a_stream_with_queries_alone_has_a_refresh_sensor(tmp_path: Path) -> None:
    config = tmp_path / "platform.tsk"
    config.write_text(
        'real_time_analytics = { data_streams = { visits = { source = "http" } } }\n'
        'analytics_data_sources = { n = @query("SELECT COUNT(*) AS n FROM visits") }\n'
    )

    [sensor] = [s for s in plan_sensors(load_plan(config), config) if s.name == "refresh_visits"]
    assert "query.n" in (sensor.description or "")
