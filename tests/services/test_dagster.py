"""The platform as Dagster sees it: real definitions, a real instance, real tables."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from tests.fakes.quality import RuleJudge
from tests.services.kafka import Broker
from tusk_platform.compile import load_plan
from tusk_platform.jobs.validate import validate_all
from tusk_platform.orchestration import retries, sensors
from tusk_platform.orchestration.build import build_definitions
from tusk_platform.orchestration.open import platform_at
from tusk_platform.orchestration.specs import key_of
from tusk_platform.orchestration.upkeep import forget_old_events
from tusk_platform.ports import Publisher, SourceContext, source_adapter
from tusk_platform.runtime import steps
from tusk_platform.runtime.platform import Platform
from tusk_platform.runtime.publishing import publish_events
from tusk_platform.storage.duck import query
from tusk_platform.storage.lease import hold

CONFIG = """
real_time_analytics = {
    data_streams = { orders = { source = "kafka", topic = "orders", demo = false } }
}
real_time_aggregations = {
    by_country = {
        dimensions = ["country"]
        metrics = { revenue = "sum", buyers = { function = "distinct", column = "user_id" } }
        window = "1 minute"
        update_frequency = "1 second"
    }
}
live_dashboards = {
    sales = { widgets = { revenue = { type = "counter", data_source = "by_country", metric = "revenue" } } }
}
data_quality_config = {
    validation_rules = { required_fields = ["user_id"], streams = ["orders"] }
}
"""


def event(number: int, **changes: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """An order of 10.00 in the first minute of 2026."""
    value = {"event_id": f"e{number}", "timestamp": f"2026-01-01T00:00:{number % 60:02d}Z", "user_id": f"u{number % 3}"}
    return json.dumps(value | {"country": "NO", "amount": 10} | changes).encode()


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A config in a folder of its own; state stands beside it."""
    path = tmp_path / "platform.tsk"
    path.write_text(CONFIG)
    monkeypatch.delenv("TUSK_HOME", raising=False)
    monkeypatch.setattr(sensors, "TICK_SECONDS", 1.0)
    return path


@pytest.fixture
def platform(config: Path) -> Iterator[Platform]:
    """The platform that the definitions of this config use too."""
    opened = platform_at(config)
    yield opened
    opened.close()


def publish(platform: Platform, *events: bytes) -> None:
    publish_events(platform, platform.plan.stream("orders"), events)


def tick(defs: dg.Definitions, name: str, instance: dg.DagsterInstance, cursor: str | None = None) -> Any:  # noqa: ANN401
    """One evaluation of a sensor, as the daemon does it."""
    context = dg.build_sensor_context(instance=instance, cursor=cursor)
    return defs.resolve_sensor_def(name).evaluate_tick(context)


def test_lineage_runs_from_source_to_dashboard(config: Path) -> None:
    graph = build_definitions(config).resolve_asset_graph()

    path = [dg.AssetKey(["kafka", "orders"]), key_of("raw.orders"), key_of("clean.orders"), key_of("agg.by_country")]
    for above, below in zip(path, [*path[1:], key_of("dashboard.sales")], strict=True):
        assert above in graph.get(below).parent_keys


def test_every_asset_says_where_it_comes_from(config: Path) -> None:
    defs = build_definitions(config)

    for spec in defs.resolve_all_asset_specs():
        assert spec.description
        assert spec.group_name
        assert spec.owners
        assert spec.kinds
        [reference] = spec.metadata["dagster/code_references"].code_references
        line = config.read_text().splitlines()[reference.line_number - 1]
        assert str(spec.metadata["config"]).split(" ")[0].rsplit(".", 1)[-1] in line
    [aggregate] = [s for s in defs.resolve_all_asset_specs() if s.key == key_of("agg.by_country")]
    assert "select" in str(aggregate.metadata["sql"]).lower()


def test_code_version_follows_the_definition_only(config: Path) -> None:
    def version() -> str | None:
        [spec] = [s for s in build_definitions(config).resolve_all_asset_specs() if s.key == key_of("agg.by_country")]
        return spec.code_version

    before = version()
    config.write_text("// a line more\n" + CONFIG)
    moved = version()
    config.write_text(CONFIG.replace('"1 minute"', '"2 minutes"'))

    assert before == moved
    assert version() != before


@pytest.mark.slow
def test_each_asset_materializes_with_its_numbers(config: Path, platform: Platform) -> None:
    publish(platform, *(event(n) for n in range(5)), b"no json", event(9, user_id=None))
    defs = build_definitions(config)

    with dg.DagsterInstance.ephemeral() as instance:
        result = defs.resolve_job_def("everything").execute_in_process(instance=instance)
        raw = instance.get_latest_materialization_event(key_of("raw.orders"))

    assert result.success
    assert raw is not None
    assert raw.asset_materialization is not None
    shown = {k: v.value for k, v in raw.asset_materialization.metadata.items()}
    assert (shown["rows"], shown["quarantined"], shown["offsets"]) == (5, 2, {"0": 7})
    [row] = query(platform.lake, platform.plan, "select * from agg.by_country").to_pylist()
    assert (row["event_count"], str(row["revenue"]), row["buyers"]) == (5, "50.0000", 3)


def test_ticks_work_and_report_what_the_lake_holds(config: Path, platform: Platform) -> None:
    publish(platform, *(event(n) for n in range(4)))
    defs = build_definitions(config)

    with dg.DagsterInstance.ephemeral() as instance:
        first = tick(defs, "ingest_orders", instance)
        refreshed = tick(defs, "refresh_orders", instance)
        idle = tick(defs, "ingest_orders", instance, first.cursor)

    [materialized] = first.asset_events
    assert materialized.asset_key == key_of("raw.orders")
    assert materialized.metadata["rows"].value == 4
    [aggregate] = refreshed.asset_events
    assert aggregate.metadata["dagster/row_count"].value == 1
    assert idle.asset_events == []


def test_service_that_is_away_is_tried_again_with_growing_waits(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "FIRST_WAIT", 0.01)
    policy = "scalability_config = { fault_tolerance = { retry_policy = { max_retries = 2, backoff_multiplier = 3 } } }"
    broker = "connections = { kafka = { bootstrap_servers = @env(NOT_SET_YET) } }"
    config.write_text(f"{CONFIG}\n{policy}\n{broker}")
    asset = build_definitions(config).resolve_asset_graph().get(key_of("raw.orders")).assets_def
    result = dg.materialize([asset], raise_on_error=False)
    platform_at(config).close()

    waits = [
        e.step_retry_data.seconds_to_wait
        for e in result.all_events
        if e.event_type == dg.DagsterEventType.STEP_UP_FOR_RETRY
    ]
    assert waits == [0.01, 0.03]
    [failed] = result.get_step_failure_events()
    assert "environment variable `NOT_SET_YET` is not set" in str(failed.step_failure_data.error)


def test_mistake_is_not_tried_again(config: Path, platform: Platform) -> None:
    asset = build_definitions(config).resolve_asset_graph().get(key_of("raw.orders")).assets_def
    config.write_text(CONFIG.replace('source = "kafka"', 'source = "kafak"'))
    platform_at.cache_clear()
    result = dg.materialize([asset], raise_on_error=False)

    [failed] = result.get_step_failure_events()
    assert "did you mean `kafka`" in str(failed.step_failure_data.error)
    assert not [e for e in result.all_events if e.event_type == dg.DagsterEventType.STEP_UP_FOR_RETRY]


def test_lost_tick_loses_no_event(config: Path, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sensors, "REPORT_EVERY", 0)
    defs = build_definitions(config)

    with dg.DagsterInstance.ephemeral() as instance:
        publish(platform, event(1))
        cursor = tick(defs, "ingest_orders", instance).cursor
        publish(platform, event(2), event(3))
        tick(defs, "ingest_orders", instance, cursor)  # its answer is lost: the cursor stays
        publish(platform, event(4))
        after = tick(defs, "ingest_orders", instance, cursor)

    assert after.asset_events[0].metadata["rows"].value == 3


def test_held_stream_is_reported_and_not_read_twice(config: Path, platform: Platform) -> None:
    publish(platform, event(1))
    defs = build_definitions(config)

    with (
        hold(platform.home.leases, "ingest-orders", command="somebody else"),
        dg.DagsterInstance.ephemeral() as instance,
    ):
        answer = tick(defs, "ingest_orders", instance)

    assert answer.asset_events == []
    assert "somebody else" in answer.skip_message


@pytest.mark.slow
def test_materialize_waits_for_the_tick_in_hand(config: Path, platform: Platform) -> None:
    publish(platform, event(1))
    steps.perform(platform, steps.Step("raw", "orders"))
    defs = build_definitions(config)
    aggregate = defs.resolve_asset_graph().get(key_of("agg.by_country")).assets_def

    with ThreadPoolExecutor() as pool, ExitStack() as tick_in_hand:
        tick_in_hand.enter_context(hold(platform.home.leases, "refresh-orders", command="a tick"))
        run = pool.submit(dg.materialize, [aggregate])
        time.sleep(1)
        assert not run.done()
        tick_in_hand.close()

        assert run.result(60).success


@pytest.mark.slow
def test_verdicts_become_checks_when_they_change(config: Path, platform: Platform) -> None:
    defs = build_definitions(config)
    judge = RuleJudge(platform.plan)
    with dg.DagsterInstance.ephemeral() as instance:
        publish(platform, event(1))
        tick(defs, "ingest_orders", instance)
        validate_all(platform.plan, judge, platform.lake, clock=platform.clock)
        all_well = tick(defs, "report_checks", instance)
        again = tick(defs, "report_checks", instance, all_well.cursor)
        publish(platform, event(2, user_id=None))
        tick(defs, "ingest_orders", instance)
        validate_all(platform.plan, judge, platform.lake, clock=platform.clock)
        broken = tick(defs, "report_checks", instance, all_well.cursor)

    verdicts = {e.check_name: e.passed for e in all_well.asset_events}
    assert verdicts["required_user_id"] is True
    assert again.asset_events == []
    changed = {e.check_name: e for e in broken.asset_events}
    assert changed["required_user_id"].passed is False
    assert changed["required_user_id"].metadata["unexpected"].value == 1
    names = {spec.name for spec in defs.resolve_asset_graph().asset_check_keys}
    assert set(verdicts) <= names


def test_definitions_merge_with_a_persons_own(config: Path) -> None:
    @dg.asset(deps=[key_of("agg.by_country")])
    def report() -> None: ...

    merged = dg.Definitions.merge(build_definitions(config), dg.Definitions(assets=[report]))

    assert key_of("agg.by_country") in merged.resolve_asset_graph().get(dg.AssetKey("report")).parent_keys


def test_old_runless_events_are_forgotten_but_not_the_newest(tmp_path: Path) -> None:
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        for rows in range(5):
            instance.report_runless_asset_event(dg.AssetMaterialization("a", metadata={"rows": rows}))

        kept_all = forget_old_events(instance)
        gone = forget_old_events(instance, keep_seconds=-5)

        assert (kept_all, gone) == (0, 4)
        left = instance.get_latest_materialization_event(dg.AssetKey("a"))
        assert left is not None
        assert left.asset_materialization is not None
        assert left.asset_materialization.metadata["rows"].value == 4
    [copies] = tmp_path.rglob("runs/.db")
    with closing(sqlite3.connect(copies)) as connection:
        assert connection.execute("select count(*) from event_logs").fetchone() == (0,)


@pytest.mark.slow
def test_dagster_validates_the_repository_as_it_is(tmp_path: Path) -> None:
    program = Path(sys.executable).parent / "dagster"

    done = subprocess.run(
        [program, "definitions", "validate"],
        env={**os.environ, "TUSK_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.service("kafka")
def test_topic_that_differs_from_the_config_is_a_failed_check(config: Path, kafka: Broker) -> None:
    adapter = source_adapter("kafka")
    made = CONFIG.replace('topic = "orders"', 'topic = "orders-that-differ"\n            partition_count = 2')
    connection = f'connections = {{ kafka = {{ bootstrap_servers = "{kafka.address}" }} }}\n'
    config.write_text(connection + made)
    [stream] = load_plan(config).streams
    assert isinstance(adapter, Publisher)
    adapter.publish(stream, SourceContext(connection=kafka.connection), [event(1)])
    config.write_text(connection + made.replace("partition_count = 2", "partition_count = 3"))

    with dg.DagsterInstance.ephemeral() as instance:
        first = tick(build_definitions(config), "report_checks", instance)
        again = tick(build_definitions(config), "report_checks", instance, first.cursor)

    [told] = [e for e in first.asset_events if e.check_name == "source_as_configured"]
    assert not told.passed
    assert "has 2 partitions, the config says partition_count = 3" in told.description
    assert again.asset_events == []
