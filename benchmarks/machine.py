"""The machine a run was made on, in one sentence."""

from __future__ import annotations

import datetime as dt
import os
import platform
import re
from pathlib import Path

import psutil


def described() -> str:
    """Processor, memory, system, load and date."""
    cores = os.cpu_count() or 1
    memory = psutil.virtual_memory().total / 2**30
    load = os.getloadavg()[1]
    return (
        f"{cores} cores of {_processor()}, {memory:.0f} GB of memory, {_system()}, Python {platform.python_version()}, "
        f"{dt.datetime.now(dt.UTC):%Y-%m-%d}; load over the five minutes before: {load:.1f}."
    )


def _processor() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", _text("/proc/cpuinfo"), re.MULTILINE)
    return found.group(1).strip() if found else platform.machine()


def _system() -> str:
    found = re.search(r'^PRETTY_NAME="?([^"\n]+)', _text("/etc/os-release"), re.MULTILINE)
    return f"{found.group(1) if found else platform.system()} (Linux {platform.release()})"


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""
