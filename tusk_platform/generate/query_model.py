"""The dbt model of a query, and what is said of it there."""

from __future__ import annotations

from typing import Any, Final

from tusk_platform.generate.model_sql import as_text
from tusk_platform.plan.nodes import Plan, Query
from tusk_platform.plan.words import query_words
from tusk_platform.sections.query_now import is_now
from tusk_platform.units import spell

# Stands in the text for a macro call while the text is still SQL.
_MARK: Final = "__macro_{}__"


def query_model(plan: Plan, query: Query) -> str:
    """Text of ``models/queries/<name>.sql``: the query over rows as of one commit, the present as the plugin says."""
    import sqlglot  # noqa: PLC0415 - a third of a second, and most configs hold no query
    from sqlglot import exp  # noqa: PLC0415 - as above

    calls = ["present()"]
    root = sqlglot.parse_one(query.sql, dialect="duckdb")
    read = {i.table for i in query.inputs}
    for node in list(root.walk()):
        if isinstance(node, exp.Table) and f"{node.db}.{node.name}" in read:
            calls.append(f"rows_of({node.db!r}, {node.name!r})")
            mark = exp.Table(this=exp.to_identifier(_MARK.format(len(calls) - 1)), alias=node.args.get("alias"))
            node.replace(mark)
        elif is_now(node):
            node.replace(exp.column(_MARK.format(0)))
    text = root.sql("duckdb", pretty=True)
    head = [f"-- {in_words(plan, query)}", f"-- Generated from {query.origin.key}; change it there."]
    return "\n".join([*head, _with_calls(text, calls), ""])


def in_words(plan: Plan, query: Query) -> str:
    """One line that says what the query is."""
    moved = " or time has passed" if query.uses_now and not is_replay(plan, query) else ""
    return f"Query, {query_words(query)}; at most every {spell(query.update_frequency)} when they have changed{moved}."


def is_replay(plan: Plan, query: Query) -> bool:
    """Whether all streams behind a query are replays, so that its present is theirs and stands still."""
    return bool(query.streams) and all(plan.stream(s).replay for s in query.streams)


def described(plan: Plan, query: Query) -> dict[str, Any]:
    """The query in a schema file of dbt, without where it was written."""
    return {
        "name": query.name,
        "description": in_words(plan, query),
        "columns": [{"name": c.name, "description": f"A column of type {c.type}."} for c in query.columns],
    }


def _with_calls(text: str, calls: list[str]) -> str:
    for number, call in enumerate(calls):
        pieces = text.split(_MARK.format(number))
        text = f"\0{call}\1".join(pieces)
    parts: list[str] = []
    for piece in text.split("\0"):
        call, _, rest = piece.rpartition("\1")
        parts += [f"{{{{ {call} }}}}" if call else "", as_text(rest)]
    return "".join(parts)
