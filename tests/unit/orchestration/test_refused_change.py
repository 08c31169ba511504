"""A change of the config that cannot be applied is told by ticks and runs, not thrown at people."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from tusk_platform.compile import load_plan
from tusk_platform.errors import Unavailable
from tusk_platform.jobs.ingest import Until
from tusk_platform.orchestration.open import platform_at
from tusk_platform.orchestration.sensors import plan_sensors
from tusk_platform.runtime.duties import ingest_stream
from tusk_platform.runtime.platform import open_platform
from tusk_platform.storage.lease import hold

CONFIG = """\
real_time_analytics = { data_streams = {
    orders = { source = "file", path = "a.ndjson", event_time = "at", schema = { at = "timestamp" } }
} }
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A config whose file is another one than that which was read."""
    path = tmp_path / "platform.tsk"
    path.write_text(CONFIG)
    (tmp_path / "a.ndjson").write_text('{"at": "2026-01-01T00:00:00Z"}\n')
    platform = open_platform(path)
    ingest_stream(platform, platform.plan.stream("orders"), Until(once=True), command="test")
    path.write_text(CONFIG.replace("a.ndjson", "b.ndjson"))
    return path


def test_ticks_say_what_would_be_lost(config: Path) -> None:
    with dg.instance_for_test() as instance:
        said = [
            sensor(dg.build_sensor_context(instance, sensor_name=sensor.name))
            for sensor in plan_sensors(load_plan(config), config)
        ]

    assert said
    assert all(isinstance(answer, dg.SkipReason) for answer in said)
    assert all("path: a.ndjson → b.ndjson" in str(answer.skip_message) for answer in said)  # type: ignore[union-attr]  # as asserted


def test_somebody_who_works_by_the_old_config_is_no_held_tick(config: Path) -> None:
    config.write_text(CONFIG.replace('"timestamp" }', '"timestamp", note = "string" }'))
    open_platform(config).close()
    config.write_text(CONFIG.replace('"timestamp" }', '"timestamp", note = "integer" }'))

    with (
        hold(config.parent / ".tusk" / "leases", "ingest-orders", command="tusk ingest orders"),
        pytest.raises(Unavailable, match="somebody still works by the one before"),
    ):
        platform_at(config)
