"""The files that tell Dagster how this platform is to be run: instance settings and workspace."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import yaml

from tusk_platform.plan.nodes import Plan
from tusk_platform.storage.home import Home

# A tick that outlives this is cut off unseen; ours stop themselves long before.
TICK_TIMEOUT_SECONDS: Final = 300


def instance_settings(plan: Plan) -> dict[str, Any]:
    """``dagster.yaml``: sensors in threads (else they wait for each other), a worker for each and some to spare."""
    return {
        "telemetry": {"enabled": False},
        "nux": {"enabled": False},
        "sensors": {"use_threads": True, "num_workers": 2 * len(plan.streams) + 4},
        "schedules": {"use_threads": True, "num_workers": 2},
        "concurrency": {
            "runs": {"max_concurrent_runs": most_runs(plan)},
            "pools": {"granularity": "op"},
        },
        "run_monitoring": {"enabled": True, "free_slots_after_run_end_seconds": 300},
        "retention": {
            "sensor": {"purge_after_days": {"skipped": 1, "success": 3, "failure": 14, "started": 1}},
            "schedule": {"purge_after_days": 14},
        },
        "code_servers": {"local_startup_timeout": 180},
    }


def most_runs(plan: Plan) -> int:
    """Runs at once: as many as there are workers, by default a core each, bounded by the instances there may be."""
    if not plan.runtime.parallel:
        return 1
    workers = plan.runtime.workers or os.cpu_count() or 1
    return min(workers, plan.scaling.max_instances) if plan.scaling.enabled else workers


def write_instance(plan: Plan, home: Home, code_port: int) -> None:
    """Write ``dagster.yaml`` and ``workspace.yaml`` under ``DAGSTER_HOME``."""
    home.dagster.mkdir(parents=True, exist_ok=True)
    _write(home.dagster / "dagster.yaml", instance_settings(plan))
    server = {"host": "127.0.0.1", "port": code_port, "location_name": "tusk_platform"}
    _write(home.dagster / "workspace.yaml", {"load_from": [{"grpc_server": server}]})


def process_environment(home: Home, config: Path) -> dict[str, str]:
    """The environment of every process of the platform."""
    return {
        **os.environ,
        "TUSK_CONFIG": str(config),
        "TUSK_HOME": str(home.root),
        "DAGSTER_HOME": str(home.dagster),
        "DAGSTER_SENSOR_GRPC_TIMEOUT_SECONDS": str(TICK_TIMEOUT_SECONDS),
        "DAGSTER_GRPC_SHUTDOWN_GRACE_PERIOD": "5",
        "DAGSTER_DISABLE_TELEMETRY": "yes",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "GX_ANALYTICS_ENABLED": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "DO_NOT_TRACK": "1",
    }


def _write(path: Path, value: dict[str, Any]) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(yaml.safe_dump(value, sort_keys=False))
    fresh.replace(path)
