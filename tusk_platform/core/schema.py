"""Arrow schemas of the lake's tables, from the plan."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from tusk_platform.plan.nodes import Aggregate, ColumnType, Metric, Stream

TIMESTAMP: Final = pa.timestamp("us", tz="UTC")
MONEY: Final = pa.decimal128(18, 4)
MONEY_SUM: Final = pa.decimal128(38, 4)

_ARROW: Final[dict[ColumnType, pa.DataType]] = {
    "string": pa.string(),
    "integer": pa.int64(),
    "double": pa.float64(),
    "decimal": MONEY,
    "boolean": pa.bool_(),
    "timestamp": TIMESTAMP,
    "date": pa.date32(),
    "uuid": pa.string(),
    "json": pa.string(),
}

# Columns every raw table has beside the stream's own (DESIGN: rows, verdict and position in one commit).
LINEAGE: Final[tuple[pa.Field, ...]] = (
    pa.field("_extra", pa.string()),
    pa.field("_event_time", TIMESTAMP),
    pa.field("_status", pa.string()),
    pa.field("_ingested_date", pa.date32()),
    pa.field("_reason", pa.string()),
    pa.field("_payload", pa.binary()),
    pa.field("_partition", pa.string()),
    pa.field("_offset", pa.int64()),
    pa.field("_batch", pa.int64()),
    pa.field("_ingested_at", TIMESTAMP),
    pa.field("_watermark", TIMESTAMP),
)


# And those of a change stream: what happened to the row, where in the table's history, and its primary key.
CHANGE_LINEAGE: Final[tuple[pa.Field, ...]] = (
    pa.field("_op", pa.string()),
    pa.field("_lsn", pa.int64()),
    pa.field("_key", pa.string()),
)


def lineage(stream: Stream) -> tuple[pa.Field, ...]:
    """The columns of the stream's raw table that are not its own."""
    return (*LINEAGE, *CHANGE_LINEAGE) if stream.changes else LINEAGE


def arrow_type(column: ColumnType) -> pa.DataType:
    """The Arrow type that stores a column type."""
    return _ARROW[column]


def raw_schema(stream: Stream) -> pa.Schema:
    """Schema of ``raw.<stream>``: the stream's columns, then the lineage columns."""
    own = [pa.field(c.name, arrow_type(c.type)) for c in stream.columns]
    return pa.schema([*own, *lineage(stream)])


def metric_type(metric: Metric) -> pa.DataType:
    """Arrow type of a metric's column; sums of money are wider than money."""
    if metric.type == "decimal" and metric.function == "sum":
        return MONEY_SUM
    return arrow_type(metric.type)


def aggregate_schema(aggregate: Aggregate, stream: Stream) -> pa.Schema:
    """Schema of the Delta table behind ``agg.<aggregate>`` (the view adds ``is_final``)."""
    columns = {c.name: c for c in stream.columns}
    dimensions = [pa.field(d, arrow_type(columns[d].type)) for d in aggregate.dimensions]
    metrics = [pa.field(m.name, metric_type(m)) for m in aggregate.metrics]
    return pa.schema(
        [
            pa.field("window_start", TIMESTAMP),
            pa.field("window_end", TIMESTAMP),
            *dimensions,
            pa.field("event_count", pa.int64()),
            *metrics,
            pa.field("updated_at", TIMESTAMP),
            pa.field("_window_date", pa.date32()),
        ]
    )
