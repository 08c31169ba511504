"""The difference between two plans as a page for people, and the same as JSON."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tusk_platform.cli.difference_words import counted, kind_in_words, shown, value_in_words
from tusk_platform.core.formats import Unit
from tusk_platform.plan.difference import Change, Json, Node
from tusk_platform.plan.impact import TABLES, Effect, Facts, Loss, Span

SCHEMA_VERSION: Final = 1
_BYTES: Final = Unit("bytes")
_SHOWN_ONLY: Final = frozenset({"widgets", "dashboards"})
_STAYS: Final = "data stays until `--allow-drop`"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two plans in the form of ``plan.page.as_json``, what differs, and what that does to stored tables."""

    against: str
    before: Json
    after: Json
    nodes: tuple[Node, ...]
    effects: tuple[Effect, ...]

    def of(self, what: str) -> tuple[Node, ...]:
        """The nodes that were added, changed, renamed or dropped."""
        return tuple(n for n in self.nodes if n.what == what)

    def tables(self, action: str) -> tuple[Effect, ...]:
        """The tables that are rebuilt, moved, retyped, restarted or dropped."""
        return tuple(e for e in self.effects if e.action == action)

    @property
    def refused(self) -> bool:
        """Whether it is only applied with ``--allow-drop``."""
        return any(e.lost for e in self.effects)

    @property
    def left_behind(self) -> tuple[Effect, ...]:
        """Tables that are there without a node: of an earlier name, or left by an earlier change."""
        gone = {_table(n) for n in self.of("dropped")}
        return tuple(e for e in self.tables("dropped") if e.table not in gone and e.stored is not None)

    @property
    def summary(self) -> dict[str, int]:
        """How many of each, in the order and words of the last line."""
        return {
            **{what: len(self.of(what)) for what in ("added", "changed", "renamed")},
            "rebuilt": len(self.tables("rebuilt")),
            "moved": len(self.tables("moved")),
            "started over": len(self.tables("restarted")),
            "dropped": len(self.of("dropped")),
            "left behind": len(self.left_behind),
        }


def difference_page(c: Comparison) -> str:
    """What is added, changed, renamed, rebuilt and dropped, and one line that counts it."""
    parts = [
        _section("Added", (_node(n) for n in c.of("added"))),
        _section("Changed", (line for n in c.of("changed") for line in node_lines(n))),
        _section("Renamed", (line for n in c.of("renamed") for line in node_lines(n))),
        _section("Read in another type", (line for e in c.tables("retyped") for line in _effect(e))),
        _section("Started over", (line for e in c.tables("restarted") for line in _effect(e))),
        _section("Rebuilt", (line for e in c.tables("rebuilt") for line in _effect(e))),
        _section("Moved", (line for e in c.tables("moved") for line in _effect(e))),
        _section("Dropped", _dropped(c)),
        _section("Left behind", _left_behind(c)),
        _summary(c),
    ]
    return "\n\n".join(p for p in parts if p)


def difference_json(c: Comparison) -> dict[str, Any]:
    """The same as plain values; times are ISO 8601 UTC, spans of time microseconds."""
    effects = {e.table: e for e in c.tables("dropped")}
    return {
        "schema_version": SCHEMA_VERSION,
        "against": c.against,
        "before": {k: c.before.get(k) for k in ("file", "fingerprint")},
        "after": {k: c.after.get(k) for k in ("file", "fingerprint")},
        "summary": {k.replace(" ", "_"): v for k, v in c.summary.items()},
        "refused": c.refused,
        "added": [_node_json(n) for n in c.of("added")],
        "changed": [_node_json(n) for n in c.of("changed")],
        "renamed": [_node_json(n) for n in c.of("renamed")],
        "retyped": [_effect_json(e) for e in c.tables("retyped")],
        "started_over": [_effect_json(e) for e in c.tables("restarted")],
        "rebuilt": [_effect_json(e) for e in c.tables("rebuilt")],
        "moved": [_effect_json(e) for e in c.tables("moved")],
        "dropped": [_node_json(n) | _table_json(effects.get(_table(n))) for n in c.of("dropped")],
        "left_behind": [_table_json(e) for e in c.left_behind],
    }


def _section(title: str, lines: Iterable[str]) -> str:
    body = "\n".join(f"  {line}" for line in lines)
    return f"{title}\n{body}" if body else ""


def _summary(c: Comparison) -> str:
    counts = ", ".join(f"{number} {what}" for what, number in c.summary.items() if number)
    if not counts:
        return "no change"
    return f"{counts}; refused without `--allow-drop`" if c.refused else counts


def node_lines(n: Node) -> Iterator[str]:
    """A node that differs, and each of its values that does."""
    yield _node(n)
    yield from _changes(n)


def _node(n: Node) -> str:
    name = f"{n.was} → {n.name}" if n.was else n.name
    word = kind_in_words(n.kind)
    return (word if n.kind == n.name else f"{word} {name}") + (f" ({n.at})" if n.at else "")


def _changes(n: Node) -> Iterator[str]:
    for c in n.changes:
        before, after = (value_in_words(c.field, shown(n.kind, c.field, v)) for v in (c.before, c.after))
        if _whole(c) and c.before is None:
            yield f"  {c.field}: added, {after}"
        elif _whole(c) and c.after is None:
            yield f"  {c.field}: dropped"
        elif before == after:
            yield f"  {c.field}: another value"
        elif "\n" in before + after:
            yield f"  {c.field}:"
            yield from (f"    {line}" for line in _text_difference(before, after))
        else:
            yield f"  {c.field}: {before} → {after}"


def _text_difference(before: str, after: str) -> Iterator[str]:
    """The lines that differ and those around them, without the names of files that there are none of."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="")
    return (line.rstrip() for line in list(lines)[2:])


def _whole(c: Change) -> bool:
    """Whether a part of a node came or went, and not one of its values."""
    return "." in c.field and (c.before or c.after or {}) != {} and isinstance(c.before or c.after, dict)


def _effect(e: Effect) -> Iterator[str]:
    if e.action == "moved":
        there = f" ({_span(e.stored.all)})" if e.stored else ""
        yield f"{e.was} → {e.table}{there}"
    else:
        yield f"{e.table}: {', '.join(e.why)}{_reading(e)}"
    for loss in e.lost:
        yield f"  would be lost: {lost_in_words(loss)}"
    for note in e.notes:
        yield f"  {note}"


def _reading(e: Effect) -> str:
    if e.action != "rebuilt" or e.table.startswith("query.") or (e.stored is None and e.raw_rows is None):
        return ""
    start = "from its beginning" if e.since is None else f"from {moment(e.since)}"
    rows = "" if e.raw_rows is None else f", {counted(e.raw_rows, 'raw row')} to read"
    return f"; {start}{rows}"


def lost_in_words(loss: Loss) -> str:
    """What would go: of which metric, how many windows or rows, from when to when."""
    what = loss.what if loss.what.startswith("every") else f"metric {loss.what}"
    return f"{what}: {_span(loss.span)}"


def _span(span: Span) -> str:
    windows = f"{counted(span.windows, 'window')}, " if span.windows else ""
    times = f", {moment(span.first)} to {moment(span.last)}" if span.first is not None and span.last is not None else ""
    return f"{windows}{counted(span.rows, 'row')}{times}"


def _dropped(c: Comparison) -> Iterator[str]:
    effects = {e.table: e for e in c.tables("dropped")}
    for n in c.of("dropped"):
        yield _node(n)
        effect = effects.get(_table(n))
        if effect is not None and effect.stored is not None:
            yield f"  {_kept(effect.table, effect.stored)}"
        elif n.kind in TABLES:
            yield f"  {_table(n)}: {_STAYS}"
        elif n.kind in _SHOWN_ONLY:
            yield "  only the page changes"


def _left_behind(c: Comparison) -> Iterator[str]:
    for effect in c.left_behind:
        if effect.stored is not None:
            why = f" ({', '.join(effect.why)})" if effect.why else ""
            yield f"table {_kept(effect.table, effect.stored)}{why}"


def _kept(table: str, stored: Facts) -> str:
    return f"{table}: {_span(stored.all)}, {_BYTES.write(stored.size)}: {_STAYS}"


def _table(n: Node) -> str:
    return f"{TABLES[n.kind]}.{n.name}" if n.kind in TABLES else ""


def _node_json(n: Node) -> dict[str, Any]:
    changes = [
        {"field": c.field, "before": shown(n.kind, c.field, c.before), "after": shown(n.kind, c.field, c.after)}
        for c in n.changes
    ]
    return (
        {"kind": n.kind, "name": n.name, "key": n.key, "at": n.at}
        | ({"was": n.was} if n.was else {})
        | ({"changes": changes} if n.what in {"changed", "renamed"} else {})
    )


def _effect_json(e: Effect) -> dict[str, Any]:
    return {
        **_table_json(e),
        **({"was": e.was} if e.was else {}),
        "why": list(e.why),
        "since": None if e.since is None else _iso(e.since),
        "raw_rows": e.raw_rows,
        "kept": _span_json(e.stored.older) if e.stored and e.since is not None and not e.drops_older else None,
        "lost": [{"what": loss.what, **_span_json(loss.span)} for loss in e.lost],
        "notes": list(e.notes),
    }


def _table_json(e: Effect | None) -> dict[str, Any]:
    if e is None:
        return {}
    stored = {**_span_json(e.stored.all), "bytes": e.stored.size} if e.stored else None
    return {"table": e.table, "stored": stored}


def _span_json(span: Span) -> dict[str, Any]:
    times = {"from": span.first, "to": span.last}
    return {
        "rows": span.rows, "windows": span.windows, **{k: None if v is None else _iso(v) for k, v in times.items()}
    }  # fmt: skip


def moment(micros: int) -> str:
    """A point in time as people read it, UTC."""
    return f"{_time(micros):%Y-%m-%d %H:%M:%S}"


def _iso(micros: int) -> str:
    return _time(micros).isoformat().replace("+00:00", "Z")


def _time(micros: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
