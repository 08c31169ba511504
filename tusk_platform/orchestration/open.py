"""The platform behind the definitions, opened once per process when the first tick or run needs it."""

from __future__ import annotations

import functools
from pathlib import Path

from tusk_platform.errors import Held, Unavailable
from tusk_platform.runtime.apply import Applying
from tusk_platform.runtime.platform import Platform, open_platform


@functools.cache
def platform_at(config: Path) -> Platform:
    """The open platform of a config file, one a process: sources and engine stay warm between ticks.

    A change of the config that cannot be applied now is no platform: Refused or Unavailable, and the next one to ask
    tries again.
    """
    try:
        return open_platform(config, Applying(command="Dagster's code location"))
    except Held as held:
        # Not the held lease of a stream, which ticks take for another tick at work.
        raise Unavailable(str(held)) from None
