"""The job that computes a span of the past again, as a person starts it in Dagster."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from tests.unit.runtime.test_apply import CONFIG
from tusk_platform.compile import load_plan
from tusk_platform.orchestration.jobs import backfill_job
from tusk_platform.orchestration.sensors import plan_sensors


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"stream": "sales", "from": "2026-01-01", "to": "2026-01-02"}, "no stream `sales`"),
        ({"stream": "orders", "from": "then", "to": "2026-01-02"}, "no span of time: then to 2026-01-02"),
    ],
)
def test_a_wrong_span_or_stream_is_a_failure_in_plain_words(tmp_path: Path, asked: dict[str, str], said: str) -> None:
    config = tmp_path / "platform.tsk"
    config.write_text(CONFIG)
    job = backfill_job(load_plan(config), config)
    run_config = {"ops": {"fill": {"config": asked}}}

    with pytest.raises(dg.Failure, match=said):
        job.execute_in_process(run_config=run_config)


def test_backups_have_a_sensor_where_there_is_a_place_for_them(tmp_path: Path) -> None:
    config = tmp_path / "platform.tsk"
    found = []
    for more in ("", 'stream_processing = { state_backend = { checkpoint_dir = "safe" } }'):
        config.write_text(f"{CONFIG}{more}\n")
        found.append("backup" in {s.name for s in plan_sensors(load_plan(config), config)})

    assert found == [False, True]
