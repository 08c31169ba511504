"""Commands that stay: up, and the processes it starts."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Annotated

import typer

from tusk_platform.cli.output import ConfigOption, DropOption, say
from tusk_platform.processes import PORT_BASE, PROCESSES
from tusk_platform.runtime.environment import config_path, home_of

if TYPE_CHECKING:
    from tusk_platform.runtime.supervisor import Supervisor

_VALIDATE_SECONDS = 60.0


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command("up")(up)
    app.command("serve-pages", hidden=True)(serve_pages)
    app.command("serve-quality", hidden=True)(serve_quality)


def up(
    config: ConfigOption = None,
    port_base: Annotated[int, typer.Option("--port-base", help="First of the platform's ports.")] = PORT_BASE,
    allow_drop: DropOption = False,  # noqa: FBT002 - an option
) -> None:
    """The whole platform on this machine, until Ctrl-C."""
    from tusk_platform.runtime.apply import Applying
    from tusk_platform.runtime.instance import process_environment, write_instance
    from tusk_platform.runtime.platform import open_platform
    from tusk_platform.runtime.supervisor import Supervisor
    from tusk_platform.storage.lease import hold
    from tusk_platform.storage.memory import of_platform

    path = config_path(config)
    home = home_of(path)
    with hold(home.leases, "up", command=f"tusk up --port-base {port_base}"):
        platform = open_platform(path, Applying("tusk up", allow_drop, frozenset({"up"})))
        write_instance(platform.plan, home, port_base + next(p.port or 0 for p in PROCESSES if p.name == "code"))
        (home.mlflow / "artifacts").mkdir(parents=True, exist_ok=True)
        environment = process_environment(home, path) | {"TUSK_PORT_BASE": str(port_base)}
        supervisor = Supervisor(home, environment, port_base, of_platform(platform.plan.runtime.memory), say)
        supervisor.check_ports()
        _run(supervisor)


def _run(supervisor: Supervisor) -> None:
    stopping: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda n, _: stopping.append(n))
    announced = False

    def stop() -> bool:
        nonlocal announced
        if not announced and supervisor.ready():
            announced = True
            say("everything runs; Ctrl-C stops all of it")
        return bool(stopping)

    say("starting; the first start takes half a minute")
    try:
        supervisor.start(lambda: bool(stopping))
        supervisor.watch(stop)
    finally:
        say("stopping")
        supervisor.stop()


def serve_pages(
    port: Annotated[int, typer.Option("--port", help="Port on loopback.")],
    config: ConfigOption = None,
) -> None:
    """Dashboards and the receiver for pushed events."""
    from tusk_platform.runtime.platform import open_platform
    from tusk_platform.serving.run import serve

    platform = open_platform(config_path(config), reading=True)
    serve(platform.plan, platform.home, port, links=page_links(os.environ.get("TUSK_PORT_BASE")))


def page_links(port_base: str | None) -> list[tuple[str, str]]:
    """Title and address of the platform's other pages, where ``tusk up`` says its ports."""
    if port_base is None:
        return []
    return [
        (p.page, f"http://127.0.0.1:{int(port_base) + (p.port or 0)}")
        for p in PROCESSES
        if p.page and p.name != "serving"
    ]


def serve_quality(config: ConfigOption = None) -> None:
    """Judges new rows against the expectation suites, once a minute."""
    from tusk_platform.jobs.validate import validate_all
    from tusk_platform.runtime.platform import open_platform
    from tusk_platform.storage.memory import trim

    platform = open_platform(config_path(config))
    memory = platform.plan.runtime.memory
    stopping: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda n, _: stopping.append(n))
    quality = platform.quality()
    while not stopping:
        for report in validate_all(
            platform.plan, quality, platform.lake, clock=platform.clock, stopping=lambda: bool(stopping)
        ):
            if report.error:
                say(f"{report.stream} is judged later: {report.error}")
        until = time.monotonic() + _VALIDATE_SECONDS
        while not stopping and time.monotonic() < until:
            trim(memory)
            time.sleep(0.2)
