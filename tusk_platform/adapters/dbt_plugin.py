"""The plugin `lake` of the dbt profile: shows dbt the lake's tables as views, and writes aggregates back.

Named in profiles.yml; the materialization macros/lake.sql calls ``store`` twice a model, before and after its SQL ran.
"""

from __future__ import annotations

import json
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any, Final

from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.adapters.duckdb.plugins import BasePlugin
from dbt.adapters.duckdb.utils import TargetConfig
from dbt.flags import get_flags
from dbt_common.exceptions import DbtRuntimeError
from duckdb import DuckDBPyConnection

from tusk_platform.core.catalog import from_plain
from tusk_platform.core.views import STREAM_VIEWS
from tusk_platform.errors import TuskError, nearest
from tusk_platform.plan.nodes import Aggregate, Plan
from tusk_platform.ports import Windows
from tusk_platform.storage import aggregate_table, query_table
from tusk_platform.storage.duck import create_views, load_extensions
from tusk_platform.storage.home import Home
from tusk_platform.storage.lake import Lake
from tusk_platform.storage.memory import of_database
from tusk_platform.storage.snapshot import rows_sql

# In the process table: where refreshes run.
_PROCESS: Final = "code"


class Plugin(BasePlugin):
    """One for each connection that dbt opens: the tables of one project's lake."""

    plan: Plan
    home: Home
    lake: Lake

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        """Read what the project knows of the plan, and find the lake."""
        flags: Any = get_flags()  # type: ignore[no-untyped-call]  # dbt has no types here
        project = Path(plugin_config.get("project") or flags.PROJECT_DIR).resolve()
        home = plugin_config.get("home") or project / plugin_config["home_without_TUSK_HOME"]
        self.plan = from_plain(json.loads((project / "lake.json").read_text(encoding="utf-8")))
        self.home = Home(Path(home).resolve())
        self.lake = Lake(self.home.lake, compression=self.plan.runtime.compression)
        # dbt opens a cursor in the thread that uses it; a model's own statements leave their variables and rows there.
        self._cursors: dict[int, DuckDBPyConnection] = {}
        self._shown: set[str] = set()
        self._lock = threading.Lock()

    def update_connection_config(self, creds: DuckDBCredentials, config: dict[str, Any]) -> None:  # noqa: ARG002 - dbt's
        """As much memory as is the engine's; what does not fit goes where everything else that may be deleted is."""
        config.setdefault("memory_limit", f"{of_database(self.plan.runtime.memory, _PROCESS)}B")
        config.setdefault("temp_directory", str(self.home.scratch / "spill"))

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        """Extensions by path, UTC, and a view of every table."""
        load_extensions(conn)
        create_views(conn, self.lake, self.plan)
        self._connection = conn

    def configure_cursor(self, cursor: DuckDBPyConnection) -> None:
        """Remember whose it is: dbt-duckdb shows a cursor to its plugin only here."""
        with self._lock:
            alive = {t.ident for t in threading.enumerate()}
            self._cursors = {thread: c for thread, c in self._cursors.items() if thread in alive}
            self._cursors[threading.get_ident()] = cursor

    def store(self, target_config: TargetConfig) -> None:
        """The first time from where on a model must be computed; the second time what it computed, in one commit."""
        refresh = target_config.config
        cursor = self._cursors[threading.get_ident()]
        try:
            if "begun" not in refresh:
                self._begin(cursor, str(target_config.relation.identifier), refresh)
            else:
                self._commit(cursor, refresh)
        except TuskError as e:
            raise DbtRuntimeError(str(e)) from e

    def _begin(self, cursor: DuckDBPyConnection, name: str, refresh: dict[str, Any]) -> None:
        cursor.execute("set session timezone = 'UTC'")
        if any(q.name == name for q in self.plan.queries):
            self._begin_query(cursor, name, refresh)
            return
        aggregate = self._aggregate(name)
        refresh |= {"begun": None, "wanted": False, "rows": 0, "message": "no events yet"}
        windows = Windows(**refresh["windows"]) if refresh["windows"] else None
        begun = aggregate_table.begin(self.lake, self.plan, aggregate, full=refresh["full"], windows=windows)
        if begun is None:
            return
        self._show(*(f"{layer}.{aggregate.stream}" for layer in STREAM_VIEWS), aggregate.table)
        begun = aggregate_table.advance(cursor, begun, refresh["sql"], partial(rows_sql, self.lake))
        refresh |= {"begun": begun, "wanted": begun.since is not None}

    def _commit(self, cursor: DuckDBPyConnection, refresh: dict[str, Any]) -> None:
        begun = refresh["begun"]
        if isinstance(begun, query_table.QueryBegun):
            self._commit_query(cursor, begun, refresh)
        elif begun is not None:
            done = aggregate_table.commit(cursor, begun, now=time.time_ns() // 1000)
            refresh |= {"rows": done.rows, "message": str(done)}
            if begun.remade:
                with self._lock:
                    self._shown.discard(begun.aggregate.table)
                self._show(begun.aggregate.table)

    def _begin_query(self, cursor: DuckDBPyConnection, name: str, refresh: dict[str, Any]) -> None:
        now = time.time_ns() // 1000
        query, rows = self.plan.query(name), partial(rows_sql, self.lake)
        begun = query_table.begin(cursor, self.lake, self.plan, query, rows, now=now)
        refresh |= {"begun": begun, "wanted": True, "rows": 0, "message": ""}

    def _commit_query(self, cursor: DuckDBPyConnection, begun: query_table.QueryBegun, refresh: dict[str, Any]) -> None:
        done = query_table.commit(cursor, self.lake, begun, partial(rows_sql, self.lake))
        refresh |= {"rows": done.rows, "message": str(done)}
        with self._lock:
            # Its table may be new, or have got other columns.
            self._shown.discard(begun.query.table)
        self._show(begun.query.table)

    def _show(self, *views: str) -> None:
        """Renew views once: when the connection was opened, their tables may not have been there, or lacked columns.

        Not with the model's cursor: what that makes, other models see only once it is committed.
        """
        with self._lock:
            stale = [v for v in views if v not in self._shown]
            if stale:
                with self._connection.cursor() as cursor:
                    create_views(cursor, self.lake, self.plan, only=stale)
                self._shown.update(stale)

    def _aggregate(self, name: str) -> Aggregate:
        known = {a.name: a for a in self.plan.aggregates}
        if name not in known:
            raise DbtRuntimeError(
                f"`{name}` is no aggregate or query of the plan, so it cannot be `lake`; {nearest(name, known)}"
            )
        return known[name]
