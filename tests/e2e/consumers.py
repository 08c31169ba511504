"""Who carries out each key of the seed: something outside the plan that another value changes, or the test of it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from tests.unit.serving.browser import Browser
from tusk_platform.adapters.source_host import HostAdapter
from tusk_platform.adapters.source_kafka import topic_of
from tusk_platform.generate import dbt_project, expectations
from tusk_platform.orchestration.specs import raw_spec
from tusk_platform.plan.nodes import Plan
from tusk_platform.ports import Budget, Position, SourceContext
from tusk_platform.runtime.platform import Platform
from tusk_platform.serving.app import create_app
from tusk_platform.units import DAY, SECOND


@dataclass(frozen=True, slots=True)
class Bench:
    """A platform with data, at one moment; ``plan`` is the one asked about."""

    platform: Platform
    plan: Plan


def models(bench: Bench) -> Any:  # noqa: ANN401 - compared only
    """The dbt project that computes aggregates and queries."""
    return dbt_project.files(bench.plan)


def suites(bench: Bench) -> Any:  # noqa: ANN401 - as above
    """The Great Expectations project."""
    return expectations.files(bench.plan)


def asset(bench: Bench) -> Any:  # noqa: ANN401 - as above
    """The assets of the streams in Dagster, without their code version, which changes with every node."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what of dagster is beta
        return [(s.key, s.description, sorted(s.kinds), s.deps) for s in map(raw_spec, bench.plan.streams)]


def topic(bench: Bench) -> Any:  # noqa: ANN401 - as above
    """The Kafka topic that is made where there is a broker."""
    return topic_of(bench.plan.stream("user_events"))


def samples(bench: Bench) -> Any:  # noqa: ANN401 - as above
    """The series that this machine is asked for, and when their next turn is."""
    stream = bench.plan.stream("system_metrics")
    source = HostAdapter(lambda: DAY + SECOND).open(stream, SourceContext())
    start: Position = {}
    read = source.read(start, Budget(seconds=0))
    return source.partitions(), [c.next_offset for c in read.chunks]


def pages(bench: Bench) -> Any:  # noqa: ANN401 - as above
    """Every dashboard as people get it, its JSON, and the overview."""
    app = create_app(bench.plan, bench.platform.lake, home=bench.platform.home, clock=bench.platform.clock)
    browser = Browser(app)
    paths = ["/", *(f"{kind}/{d.name}" for d in bench.plan.dashboards for kind in ("/dashboards", "/api/dashboards"))]
    return [re.sub(r"version=\w+", "", browser.get(path).text) for path in paths]


Consumer = Callable[[Bench], Any]
PROFILE: Final = "tests/unit/runtime/test_profile.py"
# Pattern of keys -> what they change outside the plan, or the test that shows it. The first that fits counts.
CONSUMERS: Final[tuple[tuple[str, Consumer | str], ...]] = (
    (r"real_time_analytics\.data_streams\.user_events\.(topic|partition_count|retention_hours)", topic),
    (r"real_time_analytics\.data_streams\.system_metrics\.(metrics|scrape_interval)", samples),
    (r"real_time_analytics\.data_streams\.business_events\.(table|change_detection|cdc_enabled)",
     "tests/services/test_source_database.py::test_keys_say_which_table_and_how_it_is_followed"),
    (r"real_time_analytics\.data_streams\.\w+\.source", asset),
    (r"multi_source_analytics\.data_sources\.\w+\.type", asset),
    (r"multi_source_analytics\.data_sources\.web_analytics\.(metrics|dimensions)", models),
    (r"multi_source_analytics\.data_sources\.crm_data\.fields", models),
    (r"multi_source_analytics\.data_sources\.iot_sensors\.topics", "tests/unit/core/test_demo.py"),
    (r"multi_source_analytics\.data_sources\.iot_sensors\.qos",
     "tests/services/test_source_mqtt.py::test_quality_of_service_decides_what_waits"),
    (r"real_time_analytics\.processing_pipelines\..*", models),
    (r"real_time_analytics\.dashboards\..*", pages),
    (r"live_dashboards\..*", pages),
    (r"stream_processing\.windows\..*", models),
    (r"stream_processing\.parallelism", f"{PROFILE}::test_parallelism_is_models_and_readers_at_once"),
    (r"stream_processing\.checkpoint_interval",
     f"{PROFILE}::test_checkpoint_interval_bounds_the_time_without_a_commit"),
    (r"stream_processing\.state_backend\.checkpoint_dir",
     "tests/unit/runtime/test_backups.py::test_another_place_gets_a_whole_backup_at_once"),
    (r"real_time_aggregations\..*", models),
    (r"analytics_data_sources\..*", models),
    (r"event_driven_analytics\.event_processors\.dashboard_updates", pages),
    (r"event_driven_analytics\..*", models),
    (r"performance_config\.caching\..*", pages),
    (r"performance_config\.data_compression\..*", f"{PROFILE}::test_every_file_of_the_lake_is_compressed_as_asked"),
    (r"performance_config\.parallel_processing\.enabled",
     f"{PROFILE}::test_without_parallel_processing_there_is_one_of_everything"),
    (r"performance_config\.parallel_processing\.worker_count",
     f"{PROFILE}::test_workers_are_runs_at_once_and_threads_of_a_query"),
    (r"performance_config\.parallel_processing\.batch_size", f"{PROFILE}::test_batch_size_is_rows_of_a_read"),
    (r"performance_config\.memory_management\.gc_frequency", f"{PROFILE}::test_memory_is_given_back_at_its_pace"),
    (r"performance_config\.memory_management\.max_memory_usage",
     f"{PROFILE}::test_memory_share_bounds_processes_and_their_databases"),
    (r"performance_config\.memory_management\.memory_pool_size", f"{PROFILE}::test_full_buffer_is_committed"),
    (r"scalability_config\.horizontal_scaling\.(enabled|max_instances)",
     f"{PROFILE}::test_most_instances_bound_the_runs"),
    (r"scalability_config\.fault_tolerance\.circuit_breaker",
     "tests/unit/runtime/test_circuits.py::test_switched_off_there_is_no_breaker"),
    (r"scalability_config\.fault_tolerance\.fallback_strategies",
     "tests/unit/serving/test_kept.py::test_last_good_value_is_served_as_stale_where_wanted"),
    (r"scalability_config\.fault_tolerance\.retry_policy\..*", "tests/unit/orchestration/test_retries.py"),
    (r"data_quality_config\.validation_rules\..*", suites),
    (r"data_quality_config\.data_cleansing\.duplicate_removal", models),
)  # fmt: skip


def consumer_of(path: str) -> Consumer | str | None:
    """What carries out a key; None where nothing is named."""
    return next((found for pattern, found in CONSUMERS if re.fullmatch(pattern, path)), None)


def names_a_test(reference: str, root: Path) -> bool:
    """Whether a test of that name is in that file."""
    file, _, name = reference.partition("::")
    return (root / file).is_file() and (not name or f"def {name}(" in (root / file).read_text(encoding="utf-8"))


def on(bench: Bench, plan: Plan) -> Bench:
    """The same platform, asked about another plan."""
    return replace(bench, plan=plan)
