"""What the environment decides: the config file, the state folder, the values of ``@env``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tusk_platform.errors import Unavailable
from tusk_platform.plan.nodes import Connection, Plan, Stream
from tusk_platform.ports import SourceContext
from tusk_platform.storage.home import Home


def config_path(said: Path | None = None) -> Path:
    """The config file: the one said, else ``$TUSK_CONFIG``, else ``platform.tsk`` in this folder."""
    return (said or Path(os.environ.get("TUSK_CONFIG") or "platform.tsk")).absolute()


def home_of(config: Path) -> Home:
    """The state folder: ``$TUSK_HOME``, else ``.tusk`` beside the config."""
    said = os.environ.get("TUSK_HOME")
    return Home(Path(said).absolute() if said else config.parent / ".tusk")


def connection_values(connection: Connection) -> dict[str, Any]:
    """A connection's values with its ``@env`` references filled in; Unavailable names a variable that is not set."""
    values: dict[str, Any] = _filled(connection.values, connection.origin.key)
    return values


def source_context(plan: Plan, stream: Stream, config: Path, home: Home) -> SourceContext:
    """What a stream's adapter may use; Unavailable where its connection lacks a variable."""
    named = next((c for c in plan.connections if c.name == stream.connection), None)
    return SourceContext(
        connection=connection_values(named) if named else {},
        config_folder=config.parent,
        log_folder=home.log,
        parallelism=plan.runtime.readers,
        compression=plan.runtime.compression,
    )


def _filled(value: Any, key: str) -> Any:  # noqa: ANN401 - any config value
    if isinstance(value, Mapping):
        if set(value) == {"@env"}:
            name, *default = value["@env"]
            if name in os.environ:
                return os.environ[name]
            if default:
                return default[0]
            raise Unavailable(f"environment variable `{name}` is not set; `{key}` needs it")
        return {k: _filled(v, f"{key}.{k}") for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(v, key) for v in value]
    return value
