"""A generated dbt project on disk, its lake, and the engine over it: everything real."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa

from tests.oracle.engine import Event, Key, Row
from tests.oracle.macros import PROJECT
from tests.oracle.quick import keyed, raw_rows
from tusk_platform.core import transactions
from tusk_platform.core.schema import raw_schema
from tusk_platform.generate.dbt_project import GENERATED_FOLDERS, files
from tusk_platform.plan.nodes import Plan, Stream
from tusk_platform.storage.duck import query
from tusk_platform.storage.home import Home
from tusk_platform.storage.lake import Lake


def write_project(plan: Plan, home: Home) -> Path:
    """The project of a plan where a build puts it."""
    folder = home.build / "fingerprint" / "dbt"

    def skip(at: str, names: list[str]) -> list[str]:
        inside = Path(at).relative_to(PROJECT)
        return [n for n in names if (inside / n).as_posix() in (*GENERATED_FOLDERS, "target", "logs")]

    shutil.copytree(PROJECT, folder, ignore=skip)
    for path, text in files(plan, home="../../..").items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return folder


def add(lake: Lake, stream: Stream, events: list[Event], batch: int, **more: int) -> None:
    """One batch of raw in one commit, as ingest makes it; ``more`` are further transactions of the stream."""
    lake.create(
        stream.table,
        raw_schema(stream),
        partition_by=("_status", "_ingested_date"),
        statistics=("_event_time", "_batch"),
    )
    versions = {f"{stream.name}/{name}": version for name, version in more.items()}
    versions[transactions.batch(stream.name)] = batch
    lake.open(stream.table).append(raw_rows(stream, events), versions)


def stored_rows(lake: Lake, plan: Plan, name: str, sql: str | None = None) -> dict[Key, Row]:
    """What an aggregate's view (or a query like it) shows, keyed as the oracle keys it; times in microseconds."""
    aggregate = plan.aggregate(name)
    times = {"window_start", "window_end"} if sql else {"window_start", "window_end", "updated_at"}
    replaced = ", ".join(f"epoch_us({t}) as {t}" for t in sorted(times))
    source = f"({sql})" if sql else aggregate.table
    found: pa.Table = query(lake, plan, f"select * replace ({replaced}) from {source}")
    return keyed(aggregate, found)
