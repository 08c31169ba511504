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


def _lacks_kafka() -> str | None:
    if not shutil.which("java"):
        return "no java on PATH"
    # The copy of pom.xml is the installer's last step: without it the jars may be half there.
    return None if (kafka_jars().parent / "pom.xml").exists() else f"no jars in {kafka_jars()}"


def _lacks_chromium() -> str | None:
    return None if shutil.which("chromium") else "no chromium on PATH"


_CHECKS: Final[dict[str, Callable[[], str | None]]] = {"kafka": _lacks_kafka, "chromium": _lacks_chromium}


def lacking(service: str) -> str | None:
    """Why the service cannot be started here, or None. Services that come with the Python packages are always there."""
    check = _CHECKS.get(service)
    reason = check() if check else None
    return f"{service} is not installed ({reason}): {INSTALL}" if reason else None
