"""How fast Dagster's own storage grows."""

from __future__ import annotations

import logging
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import dagster as dg
import yaml
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.test_utils import freeze_time
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget
from dagster._daemon.sensor import execute_sensor_iteration

from benchmarks import shop
from benchmarks.report import Row, figures
from tusk_platform.orchestration import sensors
from tusk_platform.orchestration.build import build_definitions
from tusk_platform.orchestration.open import platform_at
from tusk_platform.orchestration.specs import key_of
from tusk_platform.runtime.duties import validate_stream
from tusk_platform.runtime.instance import instance_settings
from tusk_platform.runtime.platform import Platform, now
from tusk_platform.runtime.publishing import publish_events
from tusk_platform.units import SECOND

ABOUT: Final = (
    "Growth of Dagster's SQLite files, vacuumed, for a stream with two aggregates and seven rules, its share of the "
    "sensors for checks and maintenance included. Dagster's own daemon code evaluates the sensors of a running "
    "platform under a clock that is put forward by 54 seconds, which is what a tick of 50 seconds and the daemon's "
    "loop of five take together. An hour is measured and given as a day: materializations come once a minute, "
    "unchanged checks every half hour. Of this a week is kept of the events and days of the ticks. The first row is "
    "against a limit, the second against a run that materializes the stream and its aggregates once a minute."
)
STEP: Final = 54
DAY: Final = 86_400
LIMIT: Final = 24_000_000
# A tick does its first batch, or its refresh, and has nothing more to do.
_TICK_SECONDS: Final = 0.05
_logger: Final = logging.getLogger("benchmarks.storage")


def run(*, quick: bool) -> list[Row]:
    """Bytes of an hour, against an hour of runs."""
    warm_up, measured = (STEP, 2 * STEP) if quick else (2 * STEP, 66 * STEP)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        root = Path(folder)
        os.environ["TUSK_CONFIG"] = str(root / "platform.tsk")
        (root / "platform.tsk").write_text(shop.config(aggregates=2))
        platform = platform_at(root / "platform.tsk")
        stack.callback(platform.close)
        stack.callback(setattr, sensors, "TICK_SECONDS", sensors.TICK_SECONDS)
        sensors.TICK_SECONDS = _TICK_SECONDS  # type: ignore[misc]  # final for everybody but a clock that is put forward
        (root / "dagster").mkdir()
        (root / "dagster" / "dagster.yaml").write_text(yaml.safe_dump(_settings(platform)))
        instance = stack.enter_context(dg.DagsterInstance.from_config(str(root / "dagster")))
        daemon = stack.enter_context(_Daemon.of(platform, instance))
        daemon.let_pass(warm_up)
        before = stored(root / "dagster")
        daemon.let_pass(measured)
        grown = (stored(root / "dagster") - before) * DAY / measured
        by_runs = _bytes_of_a_run(root, instance) * 24 * 60
    limit, peer = f"limit: {LIMIT / 1e6:g} MB", f"a run a minute: {figures(by_runs / 1e6)} MB"
    return [
        Row("Dagster's storage, a stream for a day", grown / 1e6, "MB", limit, grown / LIMIT, 1),
        Row("the same, beside runs", grown / 1e6, "MB", peer, grown / by_runs, 0.2),
    ]


def _settings(platform: Platform) -> dict[str, Any]:
    kept = ("telemetry", "retention")
    quiet = {"python_logs": {"python_log_level": "ERROR"}}
    return quiet | {name: value for name, value in instance_settings(platform.plan).items() if name in kept}


class _Daemon:
    """The sensor daemon over definitions in this process, under a clock of its own."""

    def __init__(self, platform: Platform, workspace: WorkspaceProcessContext) -> None:
        self._platform = platform
        self._workspace = workspace
        self._offset = 0
        self._number = 0
        platform.clock = self.clock

    @classmethod
    @contextmanager
    def of(cls, platform: Platform, instance: dg.DagsterInstance) -> Iterator[_Daemon]:
        """One that has seen a first verdict of the stream's suite."""
        target = LoadableTargetOrigin(module_name="tusk_platform.definitions", working_directory=str(Path.cwd()))
        load = InProcessWorkspaceLoadTarget(InProcessCodeLocationOrigin(target, location_name="tusk_platform"))
        with WorkspaceProcessContext(instance, load) as workspace:
            daemon = cls(platform, workspace)
            daemon.let_pass(STEP)
            validate_stream(platform, platform.plan.stream(shop.ORDERS), command="benchmark")
            yield daemon

    def clock(self) -> int:
        """Now, as far as it was put forward."""
        return now() + self._offset * SECOND

    def let_pass(self, seconds: int) -> None:
        """Events and whatever is due of the sensors; halfway through a step the long ticks are still under way."""
        for _ in range(seconds // STEP):
            self._number += 1
            events = shop.events(100, first=self._number * 100, start=self.clock(), span=STEP * SECOND)
            publish_events(self._platform, self._platform.plan.stream(shop.ORDERS), events)
            for under_way in (True, False):
                self._offset += STEP // 2
                self._look(under_way=under_way)

    def _look(self, *, under_way: bool) -> None:
        """One iteration of the daemon's loop."""
        known = self._workspace.instance.all_instigator_state(instigator_type=InstigatorType.SENSOR)
        long = {s.selector_id for s in known if s.instigator_name.startswith(("ingest_", "refresh_"))}
        ticks: dict[str, Future[Any]] = {sensor: Future() for sensor in long} if under_way else {}
        with freeze_time(self.clock() / SECOND), ThreadPoolExecutor(2) as pool:
            for error in execute_sensor_iteration(self._workspace, _logger, pool, None, ticks):
                assert error is None, error


def _bytes_of_a_run(root: Path, instance: dg.DagsterInstance) -> float:
    definitions = build_definitions(root / "platform.tsk")
    keys = [key_of(f"raw.{shop.ORDERS}"), *(key_of(f"agg.orders_{i}") for i in range(2))]
    job = definitions.resolve_implicit_global_asset_job_def()
    runs = 2
    before = stored(root / "dagster")
    for _ in range(runs):
        assert job.execute_in_process(instance=instance, asset_selection=keys).success
    return (stored(root / "dagster") - before) / runs


def stored(folder: Path) -> int:
    """Bytes of all SQLite files below a folder, vacuumed."""
    found = 0
    for path in sorted(folder.rglob("*.db")):
        connection = sqlite3.connect(path, isolation_level=None, timeout=30)
        connection.execute("vacuum")
        connection.execute("pragma wal_checkpoint(truncate)")
        connection.close()
        found += path.stat().st_size
    return found
