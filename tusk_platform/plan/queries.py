"""Queries of the config: the tables and columns they name found, and the nodes made of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tusk_platform.errors import Problem, nearest
from tusk_platform.plan.drafts import AggregateDraft
from tusk_platform.plan.nodes import Assumption, Column, Plan, Query, QueryInput
from tusk_platform.plan.query_columns import QueryReading
from tusk_platform.plan.query_drafts import Meaning, QueryDraft, QueryNames, QueryTable, Starred, Table
from tusk_platform.plan.query_tables import SCHEMAS, WHICH_TABLE, WhichTable, in_order
from tusk_platform.plan.rules import decide
from tusk_platform.units import MINUTE

if TYPE_CHECKING:
    from tusk_platform.plan.resolution import Resolution

_OF_EVERY_AGGREGATE: Final = ("window_start", "window_end", "event_count", "is_final", "updated_at")
_PERCENTILES: Final = ("p50", "p95", "p99")


def read_queries(r: Resolution) -> None:
    """The pass that finds what queries name, before metrics do, so that streams have the columns of queries then."""
    drafts: dict[str, QueryDraft] = {q.name: q for q in r.draft.every("queries")}
    for draft in drafts.values():
        if any(draft.name == other.name for kind in ("streams", "aggregates") for other in r.draft.every(kind)):
            r.refuse(
                draft.origin, f"`{draft.name}` is the name of a stream or an aggregate too", "give one another name"
            )
    tables = {name: _tables(r, draft) for name, draft in drafts.items()}
    needs = {name: _needed(found) for name, found in tables.items()}
    order, circles = in_order(needs)
    for circle in circles:
        ways = " → ".join(f"`{n}`" for n in (*circle, circle[0]))
        r.refuse(drafts[circle[0]].origin, f"queries read each other in a circle: {ways}", "one of them must not")
    for name in order:
        reading = QueryReading(drafts[name], tables[name], r.columns, lambda a: _expected(r, a), r.queries)
        reading.read()
        r.queries[name] = reading
        r.problems += reading.problems
        r.assumptions += _assumed(r, reading)


def resolve_queries(plan: Plan, r: Resolution) -> tuple[Query, ...]:
    """The queries of a plan whose streams and aggregates are known, each after those it reads."""
    made: dict[str, Query] = {}
    for name, reading in r.queries.items():
        _check_aggregates(plan, reading, r)
        stars = _stars(plan, reading, made)
        columns = _result(reading, stars, r)
        names = QueryNames(reading.tables, tuple(reading.meanings), stars)
        inputs = _inputs(reading)
        slow = [made[i.table[6:]].update_frequency for i in inputs if i.table[6:] in made]
        slow += [plan.aggregate(i.table[4:]).update_frequency for i in inputs if _is_aggregate(plan, i)]
        slow += [plan.stream(i.table[6:]).poll_interval or 0 for i in inputs if i.table[6:] in plan.stream_names]
        made[name] = Query(
            name=name,
            # With a mistake in it nothing is made of it, and its names may be only half known.
            sql=reading.draft.sql if r.problems else r.draft.query_sql(reading.draft, names),
            inputs=inputs,
            origin=reading.draft.origin,
            columns=tuple(Column(n, "string") for n in columns),
            streams=_streams(plan, inputs, made),
            uses_now=reading.draft.uses_now,
            look_back=reading.draft.back,
            update_frequency=max([MINUTE, min(slow, default=0)]),
        )
    return tuple(made.values())


def _is_aggregate(plan: Plan, i: QueryInput) -> bool:
    return i.table.startswith("agg.") and any(a.table == i.table for a in plan.aggregates)


# -- Tables ------------------------------------------------------------------------------------------------------------


def _tables(r: Resolution, draft: QueryDraft) -> tuple[tuple[Table | None, ...], ...]:
    if not any(t.name for select in draft.selects for t in select.tables):
        r.refuse(draft.origin, f"query `{draft.name}` reads no table", "such as `FROM user_events`")
    return tuple(tuple(_table(r, draft, t) if t.name else None for t in select.tables) for select in draft.selects)


def _table(r: Resolution, draft: QueryDraft, written: QueryTable) -> Table | None:
    question = _question(r, written)
    decision = decide(WHICH_TABLE, question)
    if decision is None:
        name = f"{written.schema}.{written.name}" if written.schema else written.name
        hint = nearest(written.name, question.known)
        if written.schema and written.schema not in SCHEMAS:
            hint = f"schemas that a query reads: {', '.join(f'`{s}`' for s in SCHEMAS)}"
        elif not hint.startswith("did") and any(c.name == "database" for c in r.draft.every("connections")):
            hint = "; ".join(filter(None, (hint, "tables of `connections.database` are not read by queries yet")))
        r.problems.append(Problem(written.span, draft.origin.key, f"there is no table `{name}`", hint))
        return None
    table: Table = decision.answer
    if table.event_type is None:
        return table
    if len(r.typed_streams) > 1:
        several = ", ".join(f"`{s}`" for s in r.typed_streams)
        message = f"`{written.name}` could be events of several streams: {several}"
        hint = f"name the stream and the type: `FROM {table.name} WHERE event_type = '{table.event_type}'`"
        r.problems.append(Problem(written.span, draft.origin.key, message, hint))
        return None
    table = replace(table, type_column=r.columns[table.name].role("event_type") or "")
    what = f"`{written.name}` in query `{draft.name}` is events of type `{table.event_type}` of stream `{table.name}`"
    entry = Assumption(draft.origin.key, decision.rule, what, "")
    if entry not in r.assumptions:
        r.assumptions.append(entry)
    return table


def _question(r: Resolution, written: QueryTable) -> WhichTable:
    events = next(iter(r.typed_streams), None)
    columns = r.columns.get(events or "")
    typed = columns is not None and (
        columns.shows("event_type") or (columns.draft.facts.free_form and not columns.draft.schema)
    )
    return WhichTable(
        name=written.name,
        schema=written.schema,
        streams=tuple(r.columns),
        aggregates=tuple(a.name for a in r.aggregates),
        queries=tuple(q.name for q in r.draft.every("queries")),
        event_types=tuple(e.name for e in r.event_types),
        event_stream=events if typed else None,
    )


def _needed(tables: tuple[tuple[Table | None, ...], ...]) -> tuple[str, ...]:
    """The queries that a query reads."""
    return tuple(dict.fromkeys(t.name for of in tables for t in of if t is not None and t.kind == "query"))


def _inputs(reading: QueryReading) -> tuple[QueryInput, ...]:
    """The tables that are read, each once, with how far back where every reading of it is bounded."""
    backs: dict[str, list[int | None]] = {}
    for number, tables in enumerate(reading.tables):
        for index, table in enumerate(tables):
            if table is not None:
                bound = _bound(reading, (number, index)) if table.kind == "stream" else None
                backs.setdefault(table.table, []).append(bound)
    return tuple(
        QueryInput(t, None if None in found else max(b for b in found if b is not None)) for t, found in backs.items()
    )


def _bound(reading: QueryReading, place: tuple[int, int]) -> int | None:
    found = [
        b.span
        for b in reading.draft.bounds
        if reading.places.get(b.column) == place
        and reading.meanings[b.column].kind == "time"
        and reading.draft.columns[b.column].select == place[0]
    ]
    return min(found, default=None)


def _streams(plan: Plan, inputs: tuple[QueryInput, ...], made: dict[str, Query]) -> tuple[str, ...]:
    """The streams behind the tables that a query reads, in that order."""
    found: list[str] = []
    for i in inputs:
        schema, _, name = i.table.partition(".")
        if schema == "clean":
            found.append(name)
        elif schema == "query":
            found += made[name].streams if name in made else ()
        elif _is_aggregate(plan, i):
            found.append(plan.aggregate(name).stream)
    return tuple(dict.fromkeys(found))


# -- Columns -----------------------------------------------------------------------------------------------------------


def _expected(r: Resolution, aggregate: str) -> tuple[str, ...]:
    """The columns that an aggregate will have: its metrics are resolved later, and looked at again then."""
    draft: AggregateDraft = next(a for a in r.aggregates if a.name == aggregate)
    names = [*_OF_EVERY_AGGREGATE, *draft.dimensions, *(m.name for m in draft.metrics)]
    names += [f"{m.name}_{p}" for m in draft.metrics if m.name == "response_time" for p in _PERCENTILES]
    columns = r.columns[r.reads[aggregate]]
    for function in draft.summaries:
        column = columns.role("key" if function == "distinct" else "value") if function != "count" else None
        names += [f"{function}_{column}"] if column else []
    return tuple(names)


def _check_aggregates(plan: Plan, reading: QueryReading, r: Resolution) -> None:
    """Refuse what was expected of an aggregate that it does not have after all."""
    for number, place in reading.places.items():
        table = reading.tables[place[0]][place[1]]
        if table is None or table.kind != "aggregate" or table.name not in {a.name for a in plan.aggregates}:
            continue
        aggregate, meaning = plan.aggregate(table.name), reading.meanings[number]
        names = (*_OF_EVERY_AGGREGATE, *aggregate.dimensions, *(m.name for m in aggregate.metrics))
        if meaning.kind == "column" and meaning.name not in names:
            column = reading.draft.columns[number]
            message = f"`{table.table}` has no column `{column.name}`"
            r.problems.append(Problem(column.span, reading.draft.origin.key, message, nearest(column.name, names)))


def _stars(plan: Plan, reading: QueryReading, made: dict[str, Query]) -> dict[tuple[int, int], tuple[Starred, ...]]:
    """What each star stands for, now that all columns are known."""
    found: dict[tuple[int, int], tuple[Starred, ...]] = {}
    for number, select in enumerate(reading.draft.selects):
        for index, output in enumerate(select.outputs):
            if output.star:
                found[number, index] = tuple(
                    Starred(select.tables[place[1]].alias, meaning, name)
                    for place in reading.starred(number, output.table)
                    for name, meaning in _all_of(plan, reading, place, made, found)
                )
    return found


def _all_of(
    plan: Plan,
    reading: QueryReading,
    place: tuple[int, int],
    made: dict[str, Query],
    stars: dict[tuple[int, int], tuple[Starred, ...]],
) -> list[tuple[str, Meaning]]:
    table, select = reading.tables[place[0]][place[1]], reading.draft.selects[place[0]].tables[place[1]].select
    if select is not None:
        names = _names(reading, select, stars)
    elif table is None:
        names = []
    elif table.kind == "stream":
        columns = reading.streams[table.name]
        time = columns.roles.get("event_time")
        return [(n, Meaning("time") if n == time else Meaning("column", n)) for n in columns.names]
    elif table.kind == "query":
        names = [c.name for c in made[table.name].columns] if table.name in made else []
    else:
        aggregate = plan.aggregate(table.name)
        names = ["window_start", "window_end", *aggregate.dimensions, "event_count"]
        names += [*(m.name for m in aggregate.metrics), "is_final", "updated_at"]
    return [(n, Meaning("column", n)) for n in names]


def _names(reading: QueryReading, number: int, stars: dict[tuple[int, int], tuple[Starred, ...]]) -> list[str]:
    """Names of the columns of a SELECT's result."""
    names: list[str] = []
    for index, output in enumerate(reading.draft.selects[number].outputs):
        names += [s.name for s in stars[number, index]] if output.star else [output.name]
    return names


def _result(reading: QueryReading, stars: dict[tuple[int, int], tuple[Starred, ...]], r: Resolution) -> tuple[str, ...]:
    """Names of the result's columns; two of one name are refused, for a table has each once."""
    draft = reading.draft
    names = _names(reading, draft.result, stars)
    for name in dict.fromkeys(n.lower() for n in names if [m.lower() for m in names].count(n.lower()) > 1):
        outputs = [o for o in draft.selects[draft.result].outputs if o.name.lower() == name]
        span = outputs[-1].span if outputs else draft.origin.span
        message = f"two columns of query `{draft.name}` are called `{name}`"
        r.problems.append(Problem(span, draft.origin.key, message, "give one another name: `AS`"))
    return tuple(names)


def _assumed(r: Resolution, reading: QueryReading) -> list[Assumption]:
    key, found = reading.draft.origin.key, []
    for name, stream in sorted(reading.times):
        time = r.columns[stream].roles.get("event_time")
        if name != time:
            what = f"`{name}` in query `{reading.draft.name}` is the event time of stream `{stream}`"
            found.append(Assumption(key, "usual name of the event time", what, ""))
    for output in reading.draft.selects[reading.draft.result].outputs:
        if not output.named:
            what = f"`{output.text}` in query `{reading.draft.name}` is column `{output.name}`"
            found.append(Assumption(key, "a value without a name is called after its function", what, ""))
    return found
