"""DuckDB's extensions, from packages that are installed and never from the network."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Collection
from pathlib import Path
from typing import Final

import duckdb

from tusk_platform.errors import Unavailable
from tusk_platform.storage.sql_guard import cleaned

_ALWAYS: Final = ("delta", "icu")


def load_extensions(connection: duckdb.DuckDBPyConnection, names: Collection[str] = _ALWAYS) -> None:
    """Load what reading the lake needs from the installed packages, never from the network, and set UTC."""
    for name in names:
        path = _extension(name)
        try:
            connection.execute(f"load '{path}'")
        except duckdb.Error as error:
            raise Unavailable(f"DuckDB's extension {name} ({path}) cannot be loaded: {cleaned(error)}") from error
    connection.execute("set global timezone = 'UTC'")


@functools.cache
def _extension(name: str) -> str:
    spec = importlib.util.find_spec(f"duckdb_extension_{name}")
    folders = (spec.submodule_search_locations or []) if spec else []
    found = [path for folder in folders for path in Path(folder).rglob(f"{name}.duckdb_extension")]
    if not found:
        raise Unavailable(f"install duckdb-extension-{name}=={duckdb.__version__}: without it the lake cannot be read")
    return str(found[0]).replace("'", "''")
