"""Whether a statement only reads, and which tables it names: decided by DuckDB's own parser before anything runs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import duckdb

from tusk_platform.errors import UsageError

_ALLOWED: Final = "one SELECT, WITH, FROM, VALUES, DESCRIBE, SUMMARIZE, SHOW or EXPLAIN of them"
_GAP: Final = r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*"
_EXPLAIN: Final = re.compile(rf"{_GAP}explain\b{_GAP}(?:analyze\b{_GAP})?(?:\([^)]*\))?", re.IGNORECASE | re.DOTALL)
# These read the log of any Delta table past DuckDB's own checks of paths, or run text as a query.
_HIDING: Final = re.compile(r"delta_\w+|query|query_table", re.IGNORECASE)
_HIDING_WORD: Final = re.compile(rf"\b(?:{_HIDING.pattern})\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that only reads. ``tables`` are (schema, name) as written; None where they cannot be told."""

    sql: str
    tables: frozenset[tuple[str, str]] | None


def read_only(connection: duckdb.DuckDBPyConnection, sql: str) -> Statement:
    """The statement if it only reads; UsageError says what is wrong with it."""
    found = _statements(connection, sql)
    if len(found) != 1:
        raise UsageError(f"{'no statement' if not found else f'{len(found)} statements'} given; allowed is {_ALLOWED}")
    statement = found[0]
    if statement.type == duckdb.StatementType.EXPLAIN:
        explained = _EXPLAIN.match(sql)
        # EXPLAIN ANALYZE runs what it explains.
        inner = read_only(connection, sql[explained.end() :]) if explained else None
        if inner is not None:
            return Statement(sql, inner.tables)
    if statement.type != duckdb.StatementType.SELECT:
        raise UsageError(f"{statement.type.name} is not allowed here, only {_ALLOWED}: the lake is read-only")
    return Statement(sql, _named(connection, sql))


def cleaned(error: duckdb.Error) -> str:
    """DuckDB's message in one line, without the echo of the statement."""
    text = str(error).split("\n\nLINE ")[0].split("\nLINE ")[0]
    return " ".join(line.strip() for line in text.splitlines() if line.strip())


def _statements(connection: duckdb.DuckDBPyConnection, sql: str) -> list[duckdb.Statement]:
    try:
        return connection.extract_statements(sql)
    except duckdb.Error as error:
        raise UsageError(cleaned(error)) from error


def _named(connection: duckdb.DuckDBPyConnection, sql: str) -> frozenset[tuple[str, str]] | None:
    # As a literal: binding a parameter makes DuckDB load pandas, to see whether the value is one of its.
    literal = sql.replace("'", "''")
    row = connection.execute(f"select json_serialize_sql('{literal}')").fetchone()
    tree = json.loads(row[0]) if row else {"error": True}
    if tree["error"]:
        hiding = _HIDING_WORD.search(sql)
        tables = None
    else:
        nodes = list(_walk(tree))
        functions = (str(n["function_name"]) for n in nodes if n.get("class") == "FUNCTION")
        hiding = next((found for name in functions if (found := _HIDING.fullmatch(name))), None)
        tables = _tables(nodes)
    if hiding:
        raise UsageError(
            f"{hiding.group()} is not allowed here; name the tables instead: raw.<stream>, agg.<aggregate>"
        )
    return tables


def _tables(nodes: list[dict[str, Any]]) -> frozenset[tuple[str, str]] | None:
    kinds = {str(n.get("type")) for n in nodes}
    functions = {str(n["function_name"]) for n in nodes if n.get("class") == "FUNCTION"}
    tables = frozenset((str(n["schema_name"]), str(n["table_name"])) for n in nodes if n.get("type") == "BASE_TABLE")
    catalog = any(f.startswith(("duckdb_", "pragma_")) for f in functions) or any(
        schema in {"information_schema", "pg_catalog"} for schema, _ in tables
    )
    # Who asks what there is must see all of it, not only what the statement names.
    return None if catalog or "SHOW_REF" in kinds else tables


def _walk(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for part in value.values():
            yield from _walk(part)
    elif isinstance(value, list):
        for part in value:
            yield from _walk(part)
