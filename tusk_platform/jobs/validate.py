"""Hold what came into raw against the expectation suites, each row once, and keep the verdicts in a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from tusk_platform.core import transactions
from tusk_platform.core.quality import CARRIED, carried, reason_name, settle, slices
from tusk_platform.core.schema import TIMESTAMP
from tusk_platform.errors import Conflict, TuskError
from tusk_platform.plan.nodes import Plan, Stream
from tusk_platform.ports import ExpectationResult, Quality
from tusk_platform.storage.duck import query
from tusk_platform.storage.lake import Handle, Lake

QUALITY_TABLE: Final = "quality"
# Rows read and judged at a time: a third of a second of Great Expectations, and some 300 MB while it lasts.
SLICE_ROWS: Final = 100_000
_ATTEMPTS: Final = 5


def never() -> bool:
    """No."""
    return False


@dataclass(frozen=True, slots=True)
class ValidateReport:
    """What one call judged: rows up to ``through_batch`` (0: none yet), and one result an expectation over all of them.

    ``error`` is why a stream could not be judged.
    """

    stream: str
    rows: int = 0
    quarantined: int = 0
    through_batch: int = 0
    results: tuple[ExpectationResult, ...] = ()
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The newest result of one expectation and when it was found, microseconds UTC."""

    result: ExpectationResult
    validated_at: int


@dataclass(frozen=True, slots=True)
class Total:
    """One rule of a stream over a span of time: rows it was held against, rows that broke it, how it stands now."""

    stream: str
    rule: str
    column: str | None
    severity: str
    evaluated: int
    unexpected: int
    success: bool
    detail: str


def quality_schema() -> pa.Schema:
    """Schema of the table ``quality``: a row for each expectation of each validation."""
    return pa.schema(
        [
            pa.field("stream", pa.string()),
            pa.field("rule", pa.string()),
            pa.field("expectation", pa.string()),
            pa.field("column_name", pa.string()),
            pa.field("severity", pa.string()),
            pa.field("success", pa.bool_()),
            pa.field("evaluated", pa.int64()),
            pa.field("unexpected", pa.int64()),
            pa.field("unexpected_percent", pa.float64()),
            pa.field("from_batch", pa.int64()),
            pa.field("through_batch", pa.int64()),
            pa.field("validated_at", TIMESTAMP),
            pa.field("detail", pa.string()),
            pa.field("source", pa.string()),
        ]
    )


def validate(
    plan: Plan,
    stream: Stream,
    quality: Quality,
    lake: Lake,
    *,
    clock: Callable[[], int],
    stopping: Callable[[], bool] = never,
) -> ValidateReport:
    """Judge every row of a stream that is new since the last time, a slice and a commit at a time until caught up.

    Rows that another process judges at the same moment are left to the one that commits first.
    """
    report = _judge_new(plan, stream, quality, lake, clock=clock, stopping=stopping)
    quality.publish()
    return report


def validate_all(
    plan: Plan,
    quality: Quality,
    lake: Lake,
    *,
    clock: Callable[[], int],
    stopping: Callable[[], bool] = never,
) -> tuple[ValidateReport, ...]:
    """One report a stream, in the order of the config; a stream that cannot be judged keeps no other from it."""
    reports = []
    for stream in plan.streams:
        if stopping():
            break
        try:
            reports.append(_judge_new(plan, stream, quality, lake, clock=clock, stopping=stopping))
        except TuskError as error:
            reports.append(ValidateReport(stream.name, error=str(error)))
    quality.publish()  # once for all streams: the index costs more than a validation
    return tuple(reports)


def latest(lake: Lake, plan: Plan) -> tuple[Verdict, ...]:
    """The results of each stream's newest validation, streams in the order of the config."""
    sql = f"""
        select *, epoch_us(validated_at) as at from {QUALITY_TABLE}
        qualify through_batch = max(through_batch) over (partition by stream)"""  # noqa: S608 - a constant
    order = {name: position for position, name in enumerate(plan.stream_names)}
    found = [row for row in query(lake, plan, sql).to_pylist() if row["stream"] in order]
    return tuple(_verdict(row) for row in sorted(found, key=lambda row: (order[row["stream"]], row["rule"])))


def totals(lake: Lake, plan: Plan, since: int) -> tuple[Total, ...]:
    """Each rule of each stream over the validations since a time (microseconds UTC), as a report shows them."""
    sql = f"""
        select stream, rule, any_value(column_name) as column_name, arg_max(severity, through_batch) as severity,
               sum(evaluated)::bigint as evaluated, sum(unexpected)::bigint as unexpected,
               arg_max(success, through_batch) as success, arg_max(detail, through_batch) as detail
        from {QUALITY_TABLE} where epoch_us(validated_at) >= {since} group by stream, rule"""  # noqa: S608 - a constant and an integer
    order = {name: position for position, name in enumerate(plan.stream_names)}
    found = [row for row in query(lake, plan, sql).to_pylist() if row["stream"] in order]
    found.sort(key=lambda row: (order[row["stream"]], row["rule"]))
    return tuple(Total(column=row.pop("column_name"), **row) for row in found)


def _judge_new(
    plan: Plan,
    stream: Stream,
    quality: Quality,
    lake: Lake,
    *,
    clock: Callable[[], int],
    stopping: Callable[[], bool],
) -> ValidateReport:
    report = ValidateReport(stream.name)
    for attempt in count(1):
        try:
            for rows, results in _catch_up(plan, stream, quality, lake, clock):
                report = _with_slice(report, rows, results)
                if stopping():
                    break
            break
        except Conflict:
            if attempt == _ATTEMPTS:
                raise
    return replace(report, through_batch=_seen(stream, lake.open(QUALITY_TABLE)))


def _catch_up(
    plan: Plan, stream: Stream, quality: Quality, lake: Lake, clock: Callable[[], int]
) -> Iterator[tuple[pa.Table, tuple[ExpectationResult, ...]]]:
    """Rows and results of each slice once its verdicts are in the lake. Conflict when another process was first."""
    handle = lake.open(QUALITY_TABLE)
    for first, last in slices(_batches(plan, stream, lake, _seen(stream, handle)), SLICE_ROWS):
        rows = _rows(plan, stream, lake, first, last)
        results = _judge(plan, stream, quality, lake, rows, last)
        handle.append(_table(results, first, clock()), {transactions.validated(stream.name): last})
        yield rows, results
        del rows
        # Arrow keeps what a slice took for the next one; a process that lives for weeks gives it back (200 MB).
        pa.default_memory_pool().release_unused()


def _seen(stream: Stream, handle: Handle) -> int:
    return handle.transaction(transactions.validated(stream.name)) or 0


def _batches(plan: Plan, stream: Stream, lake: Lake, seen: int) -> list[tuple[int, int]]:
    newest = lake.open(stream.table).transaction(transactions.batch(stream.name)) or 0
    if newest <= seen:
        return []
    sql = f"""
        select _batch as batch, count(*) as rows from raw."{stream.name}"
        where _batch > {seen} group by all order by batch"""  # noqa: S608 - a name of the plan and an integer
    return [(row["batch"], row["rows"]) for row in query(lake, plan, sql).to_pylist()]


def _rows(plan: Plan, stream: Stream, lake: Lake, first: int, last: int) -> pa.Table:
    sql = f"""
        select * exclude (_payload) from raw."{stream.name}"
        where _batch between {first} and {last}"""  # noqa: S608 - a name of the plan and integers
    return query(lake, plan, sql)


def _judge(
    plan: Plan, stream: Stream, quality: Quality, lake: Lake, rows: pa.Table, through_batch: int
) -> tuple[ExpectationResult, ...]:
    accepted = rows.filter(pc.equal(rows["_status"], "ok"))
    kept_out = rows.filter(pc.not_equal(rows["_status"], "ok"))
    results = quality.validate(stream.name, accepted, through_batch=through_batch)
    counted = pc.value_counts(kept_out["_reason"]).to_pylist()
    reasons: dict[str, int] = {}
    for entry in counted:
        name = reason_name(entry["values"] or "")
        reasons[name] = reasons.get(name, 0) + entry["counts"]
    settled = settle(results, accepted.num_rows, reasons)
    return settled + _carried(plan, stream, lake, accepted, through_batch)


def _carried(
    plan: Plan, stream: Stream, lake: Lake, accepted: pa.Table, through_batch: int
) -> tuple[ExpectationResult, ...]:
    aggregates = plan.aggregates_of(stream.name)
    used = {m.column for a in aggregates for m in a.metrics} | {d for a in aggregates for d in a.dimensions}
    results = [
        ExpectationResult(
            stream=stream.name,
            expectation="column_is_carried",
            column=column.name,
            success=True,
            evaluated=accepted.num_rows,
            unexpected=0,
            through_batch=through_batch,
            rule=f"{CARRIED}:{column.name}",
            severity="warning",
        )
        for column in stream.columns
        if column.name in used
    ]
    absent = {r.rule for r in results if accepted[r.column].null_count == accepted.num_rows}
    earlier = _without_column(plan, stream, lake) if absent else {}
    events = {rule: earlier.get(rule, 0) for rule in absent}
    return tuple(r if (seen := events.get(r.rule)) is None else carried(r, seen) for r in results)


def _without_column(plan: Plan, stream: Stream, lake: Lake) -> dict[str, int | None]:
    """Events judged so far for each column that none of them carried; None for a column that one did."""
    name = stream.name.replace("'", "''")
    sql = f"""
        select rule, case when bool_or(detail = '') then null else sum(evaluated)::bigint end as events
        from {QUALITY_TABLE} where stream = '{name}' and starts_with(rule, '{CARRIED}:') group by rule"""  # noqa: S608 - a quoted name of the plan
    return {row["rule"]: row["events"] for row in query(lake, plan, sql).to_pylist()}


def _with_slice(report: ValidateReport, rows: pa.Table, results: Sequence[ExpectationResult]) -> ValidateReport:
    before = {(r.rule, r.expectation, r.column): r for r in report.results}
    kept_out = pc.sum(pc.not_equal(rows["_status"], "ok")).as_py() or 0
    return replace(
        report,
        rows=report.rows + rows.num_rows,
        quarantined=report.quarantined + kept_out,
        results=tuple(_summed(before.get((r.rule, r.expectation, r.column)), r) for r in results),
    )


def _summed(before: ExpectationResult | None, result: ExpectationResult) -> ExpectationResult:
    if before is None:
        return result
    return replace(
        result,
        success=before.success and result.success,
        evaluated=before.evaluated + result.evaluated,
        unexpected=before.unexpected + result.unexpected,
        detail="; ".join(dict.fromkeys(filter(None, (before.detail, result.detail)))),
    )


def _table(results: Sequence[ExpectationResult], first: int, now: int) -> pa.Table:
    rows = [
        {
            "stream": r.stream,
            "rule": r.rule,
            "expectation": r.expectation,
            "column_name": r.column,
            "severity": r.severity,
            "success": r.success,
            "evaluated": r.evaluated,
            "unexpected": r.unexpected,
            "unexpected_percent": 100 * r.unexpected / r.evaluated if r.evaluated else 0.0,
            "from_batch": first,
            "through_batch": r.through_batch,
            "validated_at": now,
            "detail": r.detail,
            "source": r.source,
        }
        for r in results
    ]
    return pa.Table.from_pylist(rows, quality_schema())


def _verdict(row: dict[str, Any]) -> Verdict:
    result = ExpectationResult(
        stream=row["stream"],
        expectation=row["expectation"],
        column=row["column_name"],
        success=row["success"],
        evaluated=row["evaluated"],
        unexpected=row["unexpected"],
        through_batch=row["through_batch"],
        detail=row["detail"],
        rule=row["rule"],
        severity=row["severity"],
        source=row["source"],
    )
    return Verdict(result, row["at"])
