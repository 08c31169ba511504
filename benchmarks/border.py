"""The row rules at the border, against the same rules as one query."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Final

import duckdb
import orjson
import pyarrow as pa

from benchmarks import shop
from benchmarks.report import Row, figures
from benchmarks.timing import in_turn
from tusk_platform.core import row_rules
from tusk_platform.core.decode import decode
from tusk_platform.core.records import of_payloads
from tusk_platform.plan.nodes import RowRule
from tusk_platform.ports import Batch, Chunk

ABOUT: Final = (
    "Seven rules (three required fields, two types, two ranges) over a decoded batch of 10,000 events of which one in "
    "a hundred breaks one, as ingest applies them, and as one SQL query by DuckDB over the same columns in memory. "
    "Both answer with the bad rows and the rule each breaks first, and the answers are compared. The second row is "
    "all that stands before a commit: JSON to typed columns, unknown keys kept, reasons and bytes of bad rows, "
    "positions; its peer only extracts, casts and judges the eight columns. Best of the rounds."
)
GOAL: Final = 2.0
_TYPES: Final = {
    "event_id": "varchar", "at": "timestamp", "user_id": "bigint", "event_type": "varchar", "country": "varchar",
    "device_type": "varchar", "duration": "double", "amount": "decimal(18, 4)",
}  # fmt: skip
_JUDGED: Final = ((3, "user_id"), (8, "amount"))
_BAD: Final = ({"user_id": None}, {"user_id": "seven"}, {"amount": "dear"}, {"amount": -5}, {"duration": 100_000})


def run(*, quick: bool) -> list[Row]:
    """The rules alone, and all of the border."""
    stream = shop.stream()
    assert len(stream.rules) == 7, stream.rules
    records = of_payloads(stream, _payloads())
    columns = {name: c.array for name, c in records.columns.items()}
    failures = {name: c.bad for name, c in records.columns.items() if c.bad}
    query = _Query(columns, failures, stream.rules)

    def ours() -> dict[int, str]:
        found: dict[int, str] = {}
        for verdict in (
            row_rules.missing(columns, stream.rules, failures),
            row_rules.mistyped(failures, stream.rules),
            row_rules.outside(columns, stream.rules),
        ):
            for row, reason in verdict.items():
                found.setdefault(row, reason)
        return found

    assert {row: reason.split(": ")[0] for row, reason in ours().items()} == query.answer()
    mine, theirs = in_turn(ours, query.answer, 20 if quick else 200)
    rules = _row("seven rules over 10,000 events", mine, theirs, GOAL)
    payloads = _payloads()
    batch = Batch((Chunk("0", list(range(len(payloads))), len(payloads), payloads=payloads),))
    query.of_json(payloads)
    mine, theirs = in_turn(
        lambda: decode(stream, batch, shop.BEGIN + shop.BATCH_SPAN),
        lambda: query.of_json(payloads),
        3 if quick else 20,
    )
    return [rules, _row("the whole border: 10,000 events from JSON to judged rows", mine, theirs, None)]


def _row(what: str, mine: Sequence[float], theirs: Sequence[float], goal: float | None) -> Row:
    peer = f"one SQL query: {figures(min(theirs) * 1000)} ms"
    return Row(what, min(mine) * 1000, "ms", peer, min(mine) / min(theirs), goal)


def _payloads() -> list[bytes]:
    chance = random.Random(3)
    good = [orjson.loads(p) for p in shop.events(shop.BATCH)]
    return [
        orjson.dumps(e | {"amount": 10} | (chance.choice(_BAD) if i % 100 == 7 else {})) for i, e in enumerate(good)
    ]


class _Query:
    """The rules as a case of SQL, in the order in which the border gives its reasons."""

    def __init__(
        self, columns: Mapping[str, pa.Array], failures: Mapping[str, Mapping[int, str]], rules: tuple[RowRule, ...]
    ) -> None:
        count = len(next(iter(columns.values())))
        failed = {f"{n}_failed": pa.array([bad.get(i) for i in range(count)]) for n, bad in failures.items()}
        self._rows = pa.table({**columns, **failed, "row": pa.array(range(count))})
        self._connection = duckdb.connect()
        cases = [
            f"when {condition} then '{rule.name}'"
            for kind in ("required", "type", "range")
            for rule in rules
            if rule.kind == kind and (condition := _broken(rule, failures))
        ]
        self._verdict = f"case {' '.join(cases)} end as reason"
        self._sql = f"select row, {self._verdict} from rows where reason is not null"

    def answer(self) -> dict[int, str]:
        """Row -> the rule it breaks."""
        self._connection.register("rows", self._rows)
        return dict(self._connection.execute(self._sql).fetchall())

    def of_json(self, payloads: Sequence[bytes]) -> pa.Table:
        """The typed columns and verdicts of undecoded events."""
        self._connection.register("payloads", pa.table({"payload": pa.array(payloads, pa.binary())}))
        paths = ", ".join(f"'$.{name}'" for name in _TYPES)
        typed = ", ".join(f"try_cast(v[{i}] as {kind}) as {name}" for i, (name, kind) in enumerate(_TYPES.items(), 1))
        sql = f"""
            with texts as (select json_extract_string(decode(payload), [{paths}]) as v from payloads),
            typed as (select {typed}, {", ".join(f"v[{i}] as {name}_text" for i, name in _JUDGED)} from texts),
            failed as (select *, {", ".join(f"if({n} is null, {n}_text, null) as {n}_failed" for _, n in _JUDGED)}
                       from typed)
            select * exclude ({", ".join(f"{n}_text, {n}_failed" for _, n in _JUDGED)}), {self._verdict} from failed"""
        return self._connection.execute(sql).to_arrow_table()


def _broken(rule: RowRule, failures: Mapping[str, Mapping[int, str]]) -> str:
    match rule.kind:
        case "required":
            failed = f" and {rule.column}_failed is null" if rule.column in failures else ""
            return f'"{rule.column}" is null{failed}'
        case "type":
            return f"{rule.column}_failed is not null" if rule.column in failures else ""
        case "range":
            return f'"{rule.column}" < {rule.minimum} or "{rule.column}" > {rule.maximum}'
