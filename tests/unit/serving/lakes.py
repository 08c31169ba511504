"""A real lake that tests fill by hand: raw commit by commit, aggregates by the plain reference engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from tests.oracle import engine
from tests.oracle.engine import Event
from tests.oracle.quick import raw_rows
from tusk_platform.core import transactions
from tusk_platform.core.catalog import definition
from tusk_platform.core.schema import TIMESTAMP, aggregate_schema, raw_schema
from tusk_platform.plan.nodes import DEMO_PARTITION, END_OF_TIME, Plan
from tusk_platform.storage.lake import Lake
from tusk_platform.units import DAY


class FilledLake:
    """Streams and aggregates of one plan."""

    def __init__(self, root: Path, plan: Plan) -> None:
        self.plan = plan
        self.lake = Lake(root)
        self.events: dict[str, list[Event]] = {}
        self.batches: dict[str, int] = {}
        self.generations: dict[str, int] = {}

    def add(
        self,
        stream: str,
        rows: Sequence[Mapping[str, Any]],
        *,
        watermark: int | None = None,
        after: int | None = None,
        partition: str = "0",
    ) -> None:
        """One commit of raw; each row has its event time under ``t``, ``ok`` False quarantines it.

        ``watermark`` is the stream's when the batch began, ``after`` when it was over.
        """
        node = self.plan.stream(stream)
        self.lake.create(
            node.table,
            raw_schema(node),
            partition_by=("_status", "_ingested_date"),
            statistics=("_event_time", "_batch"),
        )
        known = self.events.setdefault(stream, [])
        batch = self.batches[stream] = self.batches.get(stream, -1) + 1
        events = [
            Event(
                row["t"],
                batch,
                len(known) + i,
                watermark,
                partition,
                {k: v for k, v in row.items() if k not in {"t", "ok"}},
                row.get("ok", True),
            )
            for i, row in enumerate(rows)
        ]
        known += events
        table = raw_rows(node, events)
        date = pa.array([e.time // DAY for e in events], pa.int32()).cast(pa.date32())
        table = table.set_column(table.schema.get_field_index("_ingested_date"), "_ingested_date", date)
        versions = {
            transactions.batch(stream): batch,
            transactions.position(stream, partition): len(known),
            transactions.generation(stream): self.generations.get(stream, 0),
        }
        if (reached := after or watermark) is not None:
            versions[transactions.watermark(stream)] = reached
        self.lake.open(node.table).append(table, versions)

    def refresh(self, name: str, *, now: int = 0) -> None:
        """The aggregate as of all events so far."""
        aggregate = self.plan.aggregate(name)
        stream = self.plan.stream(aggregate.stream)
        schema = aggregate_schema(aggregate, stream)
        self.lake.create(aggregate.table, schema, partition_by=("_window_date",), statistics=("window_start",))
        rows = [
            {"window_start": start, "window_end": end, "updated_at": now, "_window_date": start // DAY}
            | dict(zip(aggregate.dimensions, key, strict=True))
            | values
            for (start, end, key), values in engine.rows(self.plan, aggregate, self.events[stream.name]).items()
        ]
        columns = [pa.array([r[f.name] for r in rows], _plain(f.type)).cast(f.type) for f in schema]
        self.lake.open(aggregate.table).replace(
            pa.Table.from_arrays(columns, schema=schema),
            "true",
            {
                transactions.refreshed(name): self.batches[stream.name],
                transactions.refreshed_generation(name): self.generations.get(stream.name, 0),
                transactions.definition(name): definition(self.plan, aggregate),
            },
        )

    def remove_demo(self, stream: str) -> None:
        """What ingest does when the first event of somebody else arrives."""
        self.events[stream] = [e for e in self.events[stream] if e.partition != DEMO_PARTITION]
        self.generations[stream] = self.generations.get(stream, 0) + 1
        versions = {
            transactions.generation(stream): self.generations[stream],
            transactions.position(stream, DEMO_PARTITION): END_OF_TIME,
        }
        self.lake.open(self.plan.stream(stream).table).delete(f"_partition = '{DEMO_PARTITION}'", versions)


def _plain(kind: pa.DataType) -> pa.DataType:
    if kind == TIMESTAMP:
        return pa.int64()
    return pa.int32() if pa.types.is_date32(kind) else kind
