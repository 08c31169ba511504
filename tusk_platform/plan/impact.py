"""What a change of plan does to stored tables: rebuilt, moved, started over, left behind, and what would be lost.

Pure: plans in the form of ``page.as_json``, and what the lake says of its tables as ``Facts``. The same answer is shown
by ``tusk plan --against`` and carried out when the changed config is first opened.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from tusk_platform.plan.difference import Json, Node, completed
from tusk_platform.plan.page import definition_hash
from tusk_platform.units import DAY

Action = Literal["rebuilt", "moved", "retyped", "restarted", "dropped"]

# Kinds of node that have a table, and its schema.
TABLES: Final[Mapping[str, str]] = {"streams": "raw", "aggregates": "agg", "queries": "query"}
# Options by which a source knows what was read of it: with other values stored positions mean nothing.
_POSITIONED_BY: Final = ("topic", "path", "table", "property_id", "object")
# What decides the event time of a table's row, and whether it is one.
_TIMED_BY: Final = ("changes", "timezone", "time_format")
_EMBEDDED: Final = "log"
_WORD: Final = re.compile(r"\w+")
_ANOTHER_NAME: Final = "give it another name: then it is read from its beginning, and what is here stays"
EVERY_WINDOW: Final = "every window"
_FAILED: Final = "the rows that are there stay until a refresh of it succeeds"


@dataclass(frozen=True, slots=True)
class Span:
    """Some rows of a table: how many, of how many windows, from when to when (microseconds)."""

    rows: int = 0
    windows: int = 0
    first: int | None = None
    last: int | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What the lake says of one table.

    ``current``: the rows of an aggregate or query are those of its definition now; or they are, ``under`` another name.
    ``whole_from``: windows that start before it, of which some may be there (``older``), cannot be computed again, None
    where all can.
    ``read``: somebody's events were read, so that positions matter. ``retyped``: columns stored in another type.
    """

    all: Span = Span()
    size: int = 0
    current: bool = False
    under: str | None = None
    whole_from: int | None = None
    older: Span = Span()
    read: bool = False
    retyped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Loss:
    """What is in a table now, can be computed from nothing any more, and would go: a metric's values, or all rows."""

    what: str
    span: Span


@dataclass(frozen=True, slots=True)
class Effect:
    """What happens to one table. ``since``: from when on it is computed again, None: from its beginning.

    ``metrics`` are those of the older windows that are emptied. ``raw_rows`` are read for it, None: not known.
    """

    action: Action
    table: str
    why: tuple[str, ...] = ()
    since: int | None = None
    raw_rows: int | None = None
    stored: Facts | None = None
    lost: tuple[Loss, ...] = ()
    notes: tuple[str, ...] = ()
    was: str | None = None
    columns: tuple[str, ...] = ()

    @property
    def emptied(self) -> tuple[str, ...]:
        """Metrics whose values in the older windows go; with ``drops_older`` the windows themselves do."""
        return tuple(loss.what for loss in self.lost if loss.what != EVERY_WINDOW)

    @property
    def drops_older(self) -> bool:
        """Whether the windows that cannot be computed again go."""
        return any(loss.what == EVERY_WINDOW for loss in self.lost)


def impact(
    before: Json | None,
    after: Json,
    nodes: Sequence[Node],
    facts: Mapping[str, Facts] | None,
    *,
    kept: Sequence[str] = (),
) -> tuple[Effect, ...]:
    """What happens to each stored table; ``facts`` is None where there is no lake to ask, ``kept`` was left before.

    Without ``before`` only what the tables themselves say is known.
    """
    old, new = (completed(before) if before else {}), completed(after)
    known = facts or {}
    streams = tuple(_streams(old, new, facts))
    over = {e.table for e in streams if e.action == "restarted"}
    aggregates = tuple(e for table, e in _aggregates(old, new, nodes, facts) if table not in over)
    found = [
        *streams,
        *aggregates,
        *_queries(old, new, facts, {e.table for e in aggregates if e.action == "rebuilt"}),
        *_dropped(nodes, new, known, kept),
    ]
    return tuple(found)


def _by_name(plan: Json, kind: str) -> dict[str, Any]:
    return {n["name"]: n for n in plan.get(kind) or []}


# --- streams


def _streams(old: Json, new: Json, facts: Mapping[str, Facts] | None) -> Iterator[Effect]:
    was = _by_name(old, "streams")
    for name, stream in _by_name(new, "streams").items():
        table, earlier = f"raw.{name}", was.get(name)
        reasons = _positions_lost(earlier, stream) if earlier else ()
        if facts is None and reasons:
            yield Effect("restarted", table, reasons, notes=(f"refused where events of it were read; {_ANOTHER_NAME}",))
        there = (facts or {}).get(table)
        if there is None:
            continue
        if facts and reasons and there.read:
            yield _restarted(new, name, there, facts, reasons)
        elif there.retyped and there.all.rows:
            note = "rows that are there stay as they are, and are read in the new type where they fit it"
            types = {c["name"]: c["type"] for c in earlier["columns"]} if earlier else {}
            now = {c["name"]: c["type"] for c in stream["columns"]}
            words = tuple(f"{n}: {types.get(n, 'another type')} → {now[n]}" for n in there.retyped)
            yield Effect("retyped", table, words, stored=there, notes=(note,), columns=there.retyped)


def _restarted(new: Json, name: str, there: Facts, facts: Mapping[str, Facts], why: tuple[str, ...]) -> Effect:
    """A stream whose source is another one now: nothing of what was read, or computed of it, holds for that."""
    computed = {f"agg.{a['name']}" for a in new["aggregates"] if a["stream"] == name}
    losses = [Loss("every event", there.all)]
    losses += [
        Loss(f"{EVERY_WINDOW} of {t}", facts[t].all) for t in sorted(computed & facts.keys()) if facts[t].all.rows
    ]
    return Effect("restarted", f"raw.{name}", why, stored=there, lost=tuple(losses), notes=(_ANOTHER_NAME,))


def _positions_lost(was: Json, now: Json) -> tuple[str, ...]:
    """Why what was read of a stream's source says nothing of the source it has now."""
    found = []
    if was["adapter"] != now["adapter"]:
        found.append(f"it is read through `{now['adapter']}` instead of `{was['adapter']}`")
    elif now["adapter"] != _EMBEDDED:
        for option in _POSITIONED_BY:
            before, after = was["options"].get(option), now["options"].get(option)
            if before != after:
                found.append(f"{option}: {_said(before)} → {_said(after)}")
    if was["event_time"] != now["event_time"]:
        found.append(f"event_time: {was['event_time']} → {now['event_time']}")
    elif was.get("changes") or now.get("changes"):
        # What takes a row back is found by the time that the row had.
        for key in _TIMED_BY:
            if was.get(key) != now.get(key):
                found.append(f"{key}: {_said(was.get(key))} → {_said(now.get(key))}")
        before, after = (s["expressions"].get(s["event_time"]) for s in (was, now))
        if before != after:
            found.append(f"derive.{now['event_time']}: {_said(before)} → {_said(after)}")
    return tuple(found)


def _said(value: object) -> str:
    return "none" if value is None else str(value)


# --- aggregates


def _aggregates(
    old: Json, new: Json, nodes: Sequence[Node], facts: Mapping[str, Facts] | None
) -> Iterator[tuple[str, Effect]]:
    """The effects on aggregates, each with the raw table that it is computed from."""
    was = _by_name(old, "aggregates")
    renamed = {n.name: n.was for n in nodes if n.kind == "aggregates" and n.what == "renamed"}
    for name, aggregate in _by_name(new, "aggregates").items():
        table, raw = f"agg.{name}", f"raw.{aggregate['stream']}"
        known = facts or {}
        there, source = known.get(table), known.get(raw)
        earlier = was.get(renamed.get(name) or name)
        parts = _parts(old, earlier, new, aggregate) if earlier else ()
        rows = source.all.rows if source else None
        source_name = renamed.get(name)
        if source_name and (there is None or not there.all.rows):
            yield raw, _renamed(table, source_name, known.get(f"agg.{source_name}"), rows)
        elif there is not None and there.all.rows:
            if not there.current:
                yield raw, _rebuilt(table, there, parts, unknown=earlier is None, rows=rows)
        elif parts and there is None and facts is None:
            yield raw, Effect("rebuilt", table, tuple(p.words for p in parts))


def _renamed(table: str, was: str, there: Facts | None, rows: int | None) -> Effect:
    why = (f"agg.{was} has another name",)
    if there is not None and there.all.rows and there.under == table.removeprefix("agg."):
        return Effect("moved", table, why, stored=there, was=f"agg.{was}", notes=("all windows come along",))
    return Effect("rebuilt", table, why, raw_rows=rows, stored=there)


@dataclass(frozen=True, slots=True)
class _Part:
    """One part of a definition that changed; ``windows``: what was computed before has another meaning as a whole."""

    words: str
    windows: bool = False
    lost: str | None = None
    note: str | None = None


def _rebuilt(table: str, there: Facts, parts: Sequence[_Part], *, unknown: bool, rows: int | None) -> Effect:
    why = tuple(p.words for p in parts) or ("it was computed by another definition",)
    if not there.older.windows:
        return Effect("rebuilt", table, why, since=there.whole_from, raw_rows=rows, stored=there)
    whole = unknown or any(p.windows for p in parts)
    losses = [EVERY_WINDOW] if whole else [p.lost for p in parts if p.lost]
    notes = () if whole else tuple(p.note for p in parts if p.note)
    if not whole:
        count = "1 older window stays" if there.older.windows == 1 else f"{there.older.windows} older windows stay"
        notes = (f"{count}: raw no longer holds all their events", *notes)
    return Effect(
        "rebuilt", table, why, since=there.whole_from, raw_rows=rows, stored=there,
        lost=tuple(Loss(what, there.older) for what in losses), notes=notes,
    )  # fmt: skip


def _parts(old: Json, was: Json, new: Json, now: Json) -> tuple[_Part, ...]:
    """What of an aggregate's definition changed, as far as its rows depend on it."""
    found = [_Part(key, windows=True) for key in ("stream", "window", "dimensions", "where") if was[key] != now[key]]
    streams = _by_name(old, "streams").get(was["stream"], {}), _by_name(new, "streams").get(now["stream"], {})
    if all(streams):
        if _dedup(streams[0]) != _dedup(streams[1]):
            found.append(_Part("which events are repeated", windows=True))
        changed = _changed_columns(*streams)
        found += [_Part(f"column {c}", windows=True) for c in changed if c in _columns_of_rows(now)]
    else:
        changed = frozenset()
    if _zone(old, was) != _zone(new, now):
        found.append(_Part("timezone", windows=True))
    if was["allowed_lateness"] != now["allowed_lateness"]:
        found.append(_Part("allowed_lateness"))
    return (*found, *_metrics(was, now, changed))


def _metrics(was: Json, now: Json, changed: frozenset[str]) -> Iterator[_Part]:
    old, new = {m["name"]: m for m in was["metrics"]}, {m["name"]: m for m in now["metrics"]}
    for name, metric in new.items():
        if name not in old:
            yield _Part(f"metric {name} is new", note=f"{name} is empty in them")
        elif old[name] != metric or changed & _columns_of_metric(metric):
            yield _Part(f"metric {name}", lost=name)
    for name in old:
        if name not in new:
            yield _Part(f"metric {name} is gone", note=f"{name} goes from them too")


def _dedup(stream: Json) -> object:
    if stream.get("changes"):
        return "newest image"
    return stream["dedup_key"] if stream["deduplicate"] else None


def _changed_columns(was: Json, now: Json) -> frozenset[str]:
    """Columns of a stream with another type or another expression."""
    old = {c["name"]: (c["type"], was["expressions"].get(c["name"])) for c in was["columns"]}
    new = {c["name"]: (c["type"], now["expressions"].get(c["name"])) for c in now["columns"]}
    return frozenset(name for name in old.keys() & new.keys() if old[name] != new[name])


def _columns_of_rows(aggregate: Json) -> frozenset[str]:
    return frozenset({*aggregate["dimensions"], *_WORD.findall(aggregate["where"] or "")})


def _columns_of_metric(metric: Json) -> frozenset[str]:
    conditions = " ".join(metric[k] or "" for k in ("where", "numerator", "denominator"))
    return frozenset({metric["column"] or "", *_WORD.findall(conditions)})


def _zone(plan: Json, aggregate: Json) -> str | None:
    """The time zone where the aggregate's windows are whole days, else None."""
    steps = [v for k, v in aggregate["window"].items() if k in {"size", "slide"}]
    return plan["runtime"]["timezone"] if steps and all(s % DAY == 0 for s in steps) else None


# --- queries


def query_parts(query: Json, timezone: str) -> dict[str, Any]:
    """What a query's result depends on besides the rows of its inputs, each part under the name people know it by."""
    return {**{part: query.get(part) for part in ("sql", "inputs", "columns")}, "timezone": timezone}


def _queries(old: Json, new: Json, facts: Mapping[str, Facts] | None, rebuilt: set[str]) -> Iterator[Effect]:
    """Those that are another one now, or read a table that is; each comes after those it reads."""
    was = _by_name(old, "queries")
    for name, query in _by_name(new, "queries").items():
        table, earlier, there = f"query.{name}", was.get(name), (facts or {}).get(f"query.{name}")
        if there is None and (facts is not None or earlier is None):
            continue
        parts = _changed_parts(old, earlier, new, query) if earlier else ()
        read = tuple(f"{i['table']} is rebuilt" for i in query["inputs"] if i["table"] in rebuilt)
        if there is None:
            why = (*parts, *read)
        else:
            why = read if there.current else (*(parts or ("it was computed by another definition",)), *read)
        if why:
            rebuilt = rebuilt | {table}
            tried = earlier is not None and not parts and not read
            yield Effect("rebuilt", table, why, stored=there, notes=(_FAILED,) if tried else ())


def _changed_parts(old: Json, was: Json, new: Json, now: Json) -> tuple[str, ...]:
    before, after = (query_parts(q, p["runtime"]["timezone"]) for p, q in ((old, was), (new, now)))
    return tuple(part for part in after if definition_hash(before[part]) != definition_hash(after[part]))


# --- the rest


def _dropped(nodes: Sequence[Node], new: Json, facts: Mapping[str, Facts], kept: Sequence[str]) -> Iterator[Effect]:
    """Tables that no node of the config has any more."""
    in_use = {f"{schema}.{name}" for kind, schema in TABLES.items() for name in _by_name(new, kind)}
    gone: dict[str, tuple[str, ...]] = {}
    for n in nodes:
        if n.kind in TABLES and n.what in {"dropped", "renamed"}:
            gone[f"{TABLES[n.kind]}.{n.was or n.name}"] = ()
    gone |= {table: ("an earlier change left it behind",) for table in kept if table in facts}
    for table, why in gone.items():
        if table not in in_use:
            yield Effect("dropped", table, why, stored=facts.get(table))
