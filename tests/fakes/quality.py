"""A small honest judge of rows, and a stream with a rule of every kind for any judge to be held against."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from tests.fakes.streams import COLUMNS, RULES, a_stream
from tusk_platform.core.decode import decode
from tusk_platform.core.quality import COLUMNS as COLUMNS_RULE
from tusk_platform.core.quality import EVENT_TIME, READABLE
from tusk_platform.core.schema import arrow_type
from tusk_platform.errors import UsageError, nearest
from tusk_platform.plan.nodes import Column, Plan, RowRule, Stream
from tusk_platform.ports import Batch, Chunk, ExpectationResult

NOW = 1_704_110_400_000_000  # 2024-01-01T12:00:00Z
MORE = (
    Column("score", "double"),
    Column("paid", "boolean"),
    Column("session", "uuid"),
    Column("basket", "json"),
    Column("born", "date"),
    Column("page", "string"),
)
TYPES = tuple(RowRule(f"type:{c.name}", "type", c.name) for c in (*COLUMNS, *MORE) if c.name != "amount")
STREAM = a_stream(
    columns=(*COLUMNS, *MORE),
    rules=(*RULES, *TYPES, RowRule("range:score", "range", "score", maximum=0.5)),
)
PLAN = Plan("shop.tsk", streams=(STREAM, a_stream(name="sensor/temperature", rules=())))
GOOD = {
    "timestamp": "2024-01-01T12:00:00+01:00", "event_id": "e1", "user_id": 7, "amount": 123.4567, "score": 0.25,
    "paid": True, "session": "7D444840-9DC0-11D1-B245-5FFDCE74FAD2", "basket": {"a": [1.5]}, "born": "1999-12-31",
    "page": "jane.doe@example.org",
}  # fmt: skip
BARE = {"timestamp": "2024-01-01T12:00:00Z", "user_id": 1}


def decoded(*events: object, stream: Stream = STREAM) -> pa.Table:
    """Rows of events as the border judges them; bytes are a payload of their own."""
    payloads = [e if isinstance(e, bytes) else json.dumps(e).encode() for e in events]
    chunk = Chunk("0", range(len(payloads)), len(payloads), payloads=payloads)
    return decode(stream, Batch((chunk,)), NOW).rows


def with_status(rows: pa.Table, status: str) -> pa.Table:
    """The rows that are ``ok``, or ``quarantined``."""
    return rows.filter(pc.equal(rows["_status"], status))


class RuleJudge:
    """A Quality that knows the stream's rules and nothing of suites."""

    def __init__(self, plan: Plan) -> None:
        self.published = 0
        self._streams = {s.name: s for s in plan.streams}
        self.calls: list[tuple[str, int, int]] = []  # stream, rows and last batch of each validation

    def validate(self, stream: str, rows: pa.Table, *, through_batch: int) -> tuple[ExpectationResult, ...]:
        """One result a rule."""
        if stream not in self._streams:
            raise UsageError(f"no expectation suite for stream `{stream}`; {nearest(stream, self._streams)}")
        self.calls.append((stream, rows.num_rows, through_batch))
        node = self._streams[stream]
        missing = [c.name for c in node.columns if c.name not in rows.column_names]
        broken: dict[str, tuple[str | None, int]] = {COLUMNS_RULE: (None, rows.num_rows if missing else 0)}
        broken.update(self._broken(node, rows))
        return tuple(
            ExpectationResult(
                stream=stream,
                expectation=rule,
                column=column,
                success=not (count or (rule == COLUMNS_RULE and missing)),
                evaluated=rows.num_rows,
                unexpected=count,
                through_batch=through_batch,
                detail=f"missing columns: {', '.join(missing)}" if missing and rule == COLUMNS_RULE else "",
                rule=rule,
            )
            for rule, (column, count) in broken.items()
        )

    def publish(self) -> None:
        """Count the call."""
        self.published += 1

    def _broken(self, stream: Stream, rows: pa.Table) -> Iterable[tuple[str, tuple[str | None, int]]]:
        yield EVENT_TIME, ("_event_time", rows["_event_time"].null_count)
        yield READABLE, ("_reason", rows.num_rows - rows["_reason"].null_count)
        for rule in stream.rules:
            values = rows[rule.column] if rule.column in rows.column_names else pa.nulls(rows.num_rows)
            yield rule.name, (rule.column, _breaking(stream, rule, values))


def _breaking(stream: Stream, rule: RowRule, values: pa.ChunkedArray) -> int:
    column = stream.column(rule.column)
    if rule.kind == "required":
        return int(values.null_count)
    if rule.kind == "type":
        return 0 if column and values.type == arrow_type(column.type) else len(values)
    low = float("-inf") if rule.minimum is None else rule.minimum
    high = float("inf") if rule.maximum is None else rule.maximum
    return sum(not low <= value <= high for value in values.to_pylist() if value is not None)
