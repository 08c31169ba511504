"""Which services this machine can start, and what to do where one is missing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).resolve().parents[2]
INSTALL: Final = "run tests/services/install.sh"


def services_folder() -> Path:
    """Where ``install.sh`` puts what it brings: ``$TUSK_SERVICES``, else ``.cache/services`` in the repository."""
    return Path(os.environ.get("TUSK_SERVICES") or REPOSITORY / ".cache" / "services")


def kafka_jars() -> Path:
    """The folder of the broker's jars."""
    return services_folder() / "kafka" / "libs"


def postgres_programs() -> Path:
    """The folder of the newest PostgreSQL server's programs; Debian keeps them off PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parents[1].name))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path or "").parent


def _lacks_kafka() -> str | None:
    if not shutil.which("java"):
        return "no java on PATH"
    # The copy of pom.xml is the installer's last step: without it the jars may be half there.
    return None if (kafka_jars().parent / "pom.xml").exists() else f"no jars in {kafka_jars()}"


def _lacks_chromium() -> str | None:
    return None if shutil.which("chromium") else "no chromium on PATH"


def _lacks_postgres() -> str | None:
    return None if (postgres_programs() / "initdb").exists() else "no initdb in /usr/lib/postgresql or on PATH"


def _lacks_mosquitto() -> str | None:
    # Debian puts it beside what only root needs.
    return None if shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin") else "no mosquitto on PATH"


def _lacks_prometheus() -> str | None:
    needed = ("prometheus", "prometheus-node-exporter")
    return next((f"no {name} on PATH" for name in needed if not shutil.which(name)), None)


_CHECKS: Final[dict[str, Callable[[], str | None]]] = {
    "kafka": _lacks_kafka,
    "chromium": _lacks_chromium,
    "mosquitto": _lacks_mosquitto,
    "prometheus": _lacks_prometheus,
    "postgres": _lacks_postgres,
}


def lacking(service: str) -> str | None:
    """Why the service cannot be started here, or None. Services that come with the Python packages are always there."""
    check = _CHECKS.get(service)
    reason = check() if check else None
    return f"{service} is not installed ({reason}): {INSTALL}" if reason else None
