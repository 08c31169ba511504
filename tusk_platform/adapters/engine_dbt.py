"""The embedded engine: dbt in this process, its manifest kept warm, one caller at a time."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest

from tusk_platform.core import transactions
from tusk_platform.errors import Unavailable, UsageError, nearest
from tusk_platform.plan.nodes import Plan
from tusk_platform.ports import RefreshResult, Windows
from tusk_platform.storage.home import Home
from tusk_platform.storage.lake import Lake

# dbt keeps flags, adapter and log in globals: of two callers in one process one in four calls failed.
_ONE_CALLER: Final = threading.Lock()
_QUIET: Final = (
    "--quiet", "--no-print", "--log-level", "none", "--log-level-file", "none", "--no-use-colors",
    "--no-send-anonymous-usage-stats", "--no-populate-cache", "--no-write-json",
)  # fmt: skip
_SUCCESS: Final = "success"


def open_engine(plan: Plan, project_folder: Path, home: Home) -> DbtEngine:
    """The engine of a generated project; the first refresh parses it, later ones find it warm."""
    return DbtEngine(plan, project_folder, home)


class DbtEngine:
    """Refreshes aggregates by ``dbt run``; target and log folders are this process's own."""

    def __init__(self, plan: Plan, project_folder: Path, home: Home) -> None:
        self._tables = {a.name: a.table for a in plan.aggregates}
        self._queries = {q.name: q.table for q in plan.queries}
        self._names = (*self._tables, *self._queries)
        self._project = project_folder.resolve()
        self._lake = Lake(home.lake, compression=plan.runtime.compression)
        self._scratch = home.scratch.resolve() / "dbt" / f"process-{os.getpid()}"
        # In the profile too, so that dbt opens another connection for another project or state folder.
        self._vars = {"tusk_home": str(home.root.resolve()), "tusk_project": str(self._project)}
        self._manifest: Manifest | None = None

    def refresh(
        self, aggregates: Sequence[str], *, full: bool = False, windows: Windows | None = None
    ) -> tuple[RefreshResult, ...]:
        """Bring aggregates and queries up to date with raw, in one call; ``full``: computed anew from raw.

        ``windows``: only these, of aggregates that are up to date.
        """
        for name in aggregates:
            if name not in self._names:
                raise UsageError(f"no aggregate or query `{name}`; {nearest(name, self._names)}")
        if not aggregates:
            return ()
        with _ONE_CALLER:
            done = self._run(["run", "--select", *aggregates, *(["--full-refresh"] if full else [])], windows)
        found = {r.node.name: r for r in done}
        return tuple(self._result(name, found.get(name)) for name in aggregates)

    def close(self) -> None:
        """Forget the manifest and the connection, remove this process's folder."""
        with _ONE_CALLER:
            self._manifest = None
            DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]  # dbt has no types here
            shutil.rmtree(self._scratch, ignore_errors=True)

    def _run(self, command: list[str], windows: Windows | None) -> list[Any]:
        if self._manifest is None:
            _forget_dead(self._scratch.parent)
            self._manifest = self._invoke(["parse"]).result
        result = self._invoke(command, {} if windows is None else {"tusk_windows": asdict(windows)})
        return list(result.result.results)

    def _invoke(self, command: list[str], more: Mapping[str, object] = MappingProxyType({})) -> Any:  # noqa: ANN401 - what dbt gives differs by command
        folders = {"--project-dir": self._project, "--profiles-dir": self._project}
        folders |= {"--target-path": self._scratch / "target", "--log-path": self._scratch / "logs"}
        options = [str(part) for pair in folders.items() for part in pair]
        variables = json.dumps({**self._vars, **more})
        result = dbtRunner(manifest=self._manifest).invoke([*command, *options, *_QUIET, "--vars", variables])
        if result.exception is not None:
            raise Unavailable(f"dbt {command[0]}: {plainly(str(result.exception))}") from result.exception
        return result

    def _result(self, name: str, done: Any) -> RefreshResult:  # noqa: ANN401 - dbt's RunResult has no types
        if done is None:
            return RefreshResult(name, 0, 0, 0.0, "dbt did not run this model", self._schema(name))
        error = None if done.status == _SUCCESS else plainly(str(done.message))
        rows = 0 if error else int(done.adapter_response.get("rows_affected") or 0)
        seconds = float(done.execution_time)
        return RefreshResult(name, rows, self._through(name), seconds, error, self._schema(name))

    def _schema(self, name: str) -> Literal["agg", "query"]:
        return "query" if name in self._queries else "agg"

    def _through(self, name: str) -> int:
        """The last raw batch an aggregate's table contains; 0 where it is not there yet, and for queries."""
        table = self._tables.get(name)
        if table is None:
            return 0
        return self._lake.open(table).transaction(transactions.refreshed(name)) or 0 if self._lake.exists(table) else 0


def plainly(message: str) -> str:
    """dbt's message with what went wrong in its first line."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    wrapped = len(lines) > 1 and " Error in " in lines[0]
    return "\n".join(lines[1:] if wrapped else lines) or "dbt gave no reason"


def _forget_dead(folder: Path) -> None:
    """Folders of processes that are gone."""
    for old in folder.glob("process-*"):
        pid = int(old.name.removeprefix("process-"))
        with contextlib.suppress(PermissionError):
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                shutil.rmtree(old, ignore_errors=True)
