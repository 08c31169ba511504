"""The platform behind the definitions, opened once per process when the first tick or run needs it."""

from __future__ import annotations

import functools
from pathlib import Path

from tusk_platform.runtime.platform import Platform, open_platform


@functools.cache
def platform_at(config: Path) -> Platform:
    """The open platform of a config file, one a process: sources and engine stay warm between ticks."""
    return open_platform(config)
