"""Every value of the runtime profile shows outside the plan: in settings, generated files, commits, databases."""

from __future__ import annotations

import gc
import os
import weakref
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from dbt.adapters.duckdb.credentials import DuckDBCredentials

from tests.fakes.quality import RuleJudge
from tests.fakes.source import ScriptedSource
from tests.fakes.streams import a_stream
from tusk_platform.adapters.dbt_plugin import Plugin
from tusk_platform.compile import compile_text
from tusk_platform.generate.dbt_project import files
from tusk_platform.jobs.ingest import Until, ingest
from tusk_platform.jobs.validate import validate_all
from tusk_platform.plan.nodes import Plan
from tusk_platform.ports import Batch, Budget, Position
from tusk_platform.runtime.duties import ingest_stream, refresh_aggregates
from tusk_platform.runtime.environment import source_context
from tusk_platform.runtime.instance import instance_settings
from tusk_platform.runtime.platform import open_platform
from tusk_platform.runtime.publishing import publish_events
from tusk_platform.storage.duck import query
from tusk_platform.storage.home import Home
from tusk_platform.storage.lake import Lake
from tusk_platform.storage.memory import Trimmer, of_database, of_platform
from tusk_platform.units import SECOND

CORES = os.cpu_count() or 1
NOW = 1_767_225_600 * SECOND


def planned(text: str) -> Plan:
    """The plan of a config with one stream and these lines."""
    compiled = compile_text(
        f'real_time_analytics = {{ data_streams = {{ orders = {{ source = "http" }} }} }}\n{text}', "platform.tsk"
    )
    assert not compiled.errors, compiled.errors
    return compiled.plan


def performing(text: str) -> Plan:
    """The plan of a config whose ``performance_config`` says this."""
    return planned(f"performance_config = {{ {text} }}")


def runs(plan: Plan) -> int:
    """Runs that Dagster starts at once."""
    found: int = instance_settings(plan)["concurrency"]["runs"]["max_concurrent_runs"]
    return found


def profile(plan: Plan) -> tuple[int, int | None]:
    """Models at once and threads of one in the generated dbt profile."""
    lake = yaml.safe_load(files(plan)["profiles.yml"])["tusk"]["outputs"]["lake"]
    return lake["threads"], lake["config_options"].get("threads")


def setting(plan: Plan, name: str, home: Home) -> object:
    """A setting of the database that `tusk sql` asks."""
    [row] = query(Lake(home.lake), plan, f"select current_setting('{name}') as value").to_pylist()
    return row["value"]


def test_workers_are_runs_at_once_and_threads_of_a_query(home: Home) -> None:
    plan = performing("parallel_processing = { worker_count = 3 }")

    assert runs(plan) == 3
    assert profile(plan) == (2, 3)
    assert setting(plan, "threads", home) == 3


def test_without_a_number_of_workers_the_machine_decides(home: Home) -> None:
    plan = performing("parallel_processing = {}")

    assert runs(plan) == min(CORES, plan.scaling.max_instances)
    assert profile(plan) == (2, None)  # the same file on every machine
    assert setting(plan, "threads", home) == CORES


def test_without_parallel_processing_there_is_one_of_everything(home: Home) -> None:
    plan = planned(
        "performance_config = { parallel_processing = { enabled = false, worker_count = 3 } }\n"
        "stream_processing = { parallelism = 4 }"
    )

    assert runs(plan) == 1
    assert profile(plan) == (1, 1)
    assert setting(plan, "threads", home) == 1
    assert source_context(plan, plan.streams[0], Path("platform.tsk"), home).parallelism == 1


def test_parallelism_is_models_and_readers_at_once(home: Home) -> None:
    plan = planned("stream_processing = { parallelism = 7 }")

    assert profile(plan)[0] == 7
    assert source_context(plan, plan.streams[0], Path("platform.tsk"), home).parallelism == 7


def test_most_instances_bound_the_runs() -> None:
    workers = "performance_config = { parallel_processing = { worker_count = 8 } }\nscalability_config = "

    assert runs(planned(f"{workers} {{ horizontal_scaling = {{ max_instances = 5 }} }}")) == 5
    assert runs(planned(f"{workers} {{ horizontal_scaling = {{ enabled = false, max_instances = 5 }} }}")) == 8


def test_memory_share_bounds_processes_and_their_databases(home: Home) -> None:
    small, large = (performing(f'memory_management = {{ max_memory_usage = "{n}%" }}') for n in (40, 80))

    assert of_platform(large.runtime.memory) == pytest.approx(2 * of_platform(small.runtime.memory), abs=2)
    bounds = [of_database(p.runtime.memory, "serving") / 2**20 for p in (small, large)]
    assert [mebibytes(setting(p, "memory_limit", home)) for p in (small, large)] == pytest.approx(bounds, rel=0.01)


def mebibytes(text: object) -> float:
    """What DuckDB writes of a bound, as a number."""
    number, unit = str(text).split()
    return float(number) * {"KiB": 2**-10, "MiB": 1, "GiB": 2**10, "TiB": 2**20}[unit]


def test_the_engine_gets_its_share_of_the_memory(home: Home, tmp_path: Path) -> None:
    plan = performing('memory_management = { max_memory_usage = "40%" }')
    for path, text in files(plan).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    plugin = Plugin("lake", {"project": str(tmp_path), "home": str(home.root)})
    given: dict[str, object] = {}
    plugin.update_connection_config(DuckDBCredentials(), given)

    assert given["memory_limit"] == f"{of_database(plan.runtime.memory, 'code')}B"
    assert of_database(plan.runtime.memory, "code") < 0.2 * of_platform(plan.runtime.memory)


class SlowSource(ScriptedSource):
    """Every read takes a twentieth of a second."""

    def __init__(self, events: int) -> None:
        super().__init__("0")
        self.now = NOW
        self.asked: set[int] = set()
        self.append([b'{"timestamp": 1767225600, "user_id": 1, "event_id": "%04d"}' % n for n in range(events)])

    def read(self, position: Position, budget: Budget) -> Batch:
        self.now += SECOND // 20
        self.asked.add(budget.rows)
        return super().read(position, budget)


def commits(plan: Plan, source: SlowSource, home: Home) -> int:
    """Batches in which ingest commits all events of the source."""
    report = ingest(
        a_stream(), (), source, Lake(home.lake), clock=lambda: source.now, until=Until(once=True), runtime=plan.runtime
    )
    assert report.position == {"0": source.lag({})}
    return report.batches


def test_batch_size_is_rows_of_a_read(home: Home) -> None:
    source = SlowSource(100)
    commits(performing("parallel_processing = { batch_size = 25 }"), source, home)

    assert source.asked == {25}


def test_checkpoint_interval_bounds_the_time_without_a_commit(home: Home) -> None:
    batches = {}
    for interval in ("30 seconds", "1 second", "100 ms"):
        plan = planned(
            f'stream_processing = {{ checkpoint_interval = "{interval}" }}\n'
            "performance_config = { parallel_processing = { batch_size = 10 } }"
        )
        batches[interval] = commits(plan, SlowSource(400), Home(home.root / interval))

    assert batches == {"30 seconds": 2, "1 second": 2, "100 ms": 20}


def test_full_buffer_is_committed(home: Home) -> None:
    rows = "parallel_processing = { batch_size = 10 }"
    small = performing(f'{rows}, memory_management = {{ memory_pool_size = "10KB" }}')

    assert commits(small, SlowSource(200), Home(home.root / "small")) == 7  # 60 bytes an event, eight times that held
    assert commits(performing(rows), SlowSource(200), Home(home.root / "usual")) == 1


class Knot:
    """Garbage that only the collector finds."""

    def __init__(self) -> None:
        self.itself = self


def test_memory_is_given_back_at_its_pace() -> None:
    at = [0.0]
    trim = Trimmer(clock=lambda: at[0])
    memory = performing('memory_management = { gc_frequency = "30 seconds" }').runtime.memory
    gc.disable()
    try:
        given = []
        for moment in (0, 29, 30, 59, 60):
            at[0], knot = moment, weakref.ref(Knot())
            given.append((trim(memory), knot() is None))
    finally:
        gc.enable()

    assert given == [(False, False), (False, False), (True, True), (False, False), (True, True)]


@pytest.mark.slow
def test_every_file_of_the_lake_is_compressed_as_asked(tmp_path: Path) -> None:
    config = tmp_path / "platform.tsk"
    config.write_text(
        """
        real_time_analytics = { data_streams = { orders = { source = "http", demo = false } } }
        real_time_aggregations = { sales = { metrics = { n = "count" }, window = "1 minute" } }
        performance_config = { data_compression = { algorithm = "gzip", compression_level = 9 } }
        """
    )
    platform = open_platform(config)
    try:
        stream = platform.plan.stream("orders")
        publish_events(platform, stream, [b'{"timestamp": "2026-01-01T00:00:00Z", "user_id": 1, "event_id": "1"}'])
        ingest_stream(platform, stream, Until(once=True), command="test")
        refresh_aggregates(platform, ["sales"], command="test")
        validate_all(platform.plan, RuleJudge(platform.plan), platform.lake, clock=platform.clock)
    finally:
        platform.close()
    stored = {
        table: pq.ParquetFile(file).metadata.row_group(0).column(0).compression
        for table in ("raw.orders", "agg.sales", "quality")
        for file in Path(platform.lake.path(table)).rglob("*.parquet")
    }

    assert stored == {"raw.orders": "GZIP", "agg.sales": "GZIP", "quality": "GZIP"}
