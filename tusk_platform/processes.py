"""The processes that make a running platform: one table, read by ``tusk up`` and by every deployment file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class Process:
    """One long-running process.

    ``command`` is given with ``{python}``, ``{port}``, ``{home}`` and ``{code_port}`` to fill in. ``port`` is an offset
    from the port base (None: it listens to nothing). ``health`` is an HTTP path, ``tcp`` or ``alive``.
    ``share`` is its part of the memory the platform may use.
    """

    name: str
    command: tuple[str, ...]
    port: int | None
    health: str
    share: float
    restart: Literal["always", "never"] = "always"
    page: str | None = None


PORT_BASE: Final = 3000

PROCESSES: Final[tuple[Process, ...]] = (
    Process(
        name="code",
        command=(
            "dagster",
            "code-server",
            "start",
            "-m",
            "tusk_platform.definitions",
            "-h",
            "127.0.0.1",
            "-p",
            "{port}",
        ),
        port=10,
        health="tcp",
        share=0.3,
    ),
    Process(
        name="webserver",
        command=("dagster-webserver", "-h", "127.0.0.1", "-p", "{port}", "-w", "{home}/dagster/workspace.yaml"),
        port=0,
        health="/server_info",
        share=0.15,
        page="Dagster",
    ),
    Process(
        name="daemon",
        command=("dagster-daemon", "run", "-w", "{home}/dagster/workspace.yaml"),
        port=None,
        health="alive",
        share=0.15,
    ),
    Process(
        name="quality",
        command=("tusk", "serve-quality"),
        port=None,
        health="alive",
        share=0.15,
    ),
    Process(
        name="serving",
        command=("tusk", "serve-pages", "--port", "{port}"),
        port=1,
        health="/health/ready",
        share=0.15,
        page="Dashboards",
    ),
    Process(
        name="mlflow",
        command=(
            "mlflow",
            "server",
            "--host",
            "127.0.0.1",
            "--port",
            "{port}",
            "--workers",
            "1",
            "--backend-store-uri",
            "sqlite:///{home}/mlflow/mlflow.db",
            "--artifacts-destination",
            "{home}/mlflow/artifacts",
        ),
        port=2,
        health="/health",
        share=0.1,
        page="MLflow",
    ),
)


def share_of(name: str) -> float:
    """The part of the platform's memory that the process of that name may hold; KeyError where there is none."""
    return {p.name: p.share for p in PROCESSES}[name]
