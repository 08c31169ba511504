"""What a key of a config does: from its line to nodes, assets, SQL, pages and tests; and from an asset back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from tusk_platform.compile import compile_text
from tusk_platform.editor.allowed import key_at, value_at
from tusk_platform.editor.buffer import Buffer
from tusk_platform.editor.completion import documentation
from tusk_platform.editor.places import bracket_ends
from tusk_platform.errors import Span, UsageError
from tusk_platform.generate.model_sql import metric_column
from tusk_platform.generate.reference_values import sentence
from tusk_platform.generate.trace import Asset, assets, readers, shown_in
from tusk_platform.plan.difference import Node, difference
from tusk_platform.plan.nodes import Aggregate, Assumption, Metric, Plan
from tusk_platform.plan.page import as_json
from tusk_platform.sections.validate import SECTIONS
from tusk_platform.tsk.nodes import Entry, Table
from tusk_platform.tsk.values import find

Path = tuple[str, ...]
# Kinds of node that are part of an asset, and the asset's schema.
_SCHEMAS = {
    "streams": ("raw", "clean", "quality"),
    "rules": ("raw", "quality"),
    "aggregates": ("agg",),
    "queries": ("query",),
    "dashboards": ("dashboard",),
    "widgets": ("dashboard",),
    "models": ("model",),
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """All that follows from a key, or leads to an asset.

    ``does``: what of the plan is there because of it (the difference from the config without it), nothing where the
    config is wrong without it: then ``needed`` says why. ``waits``: why nothing carries it out yet.
    """

    name: str
    span: Span
    means: str
    does: tuple[Node, ...] = ()
    needed: str = ""
    waits: str = ""
    assets: tuple[Asset, ...] = ()
    metric: str = ""
    expression: str = ""
    read_by: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    inferred: tuple[Assumption, ...] = ()


def explain(buffer: Buffer, name: str) -> Explanation:
    """What a dotted key does, or where an asset comes from; UsageError with the nearest name for an unknown one.

    An asset is ``agg.user_metrics``, one of its metrics ``agg.user_metrics.unique_pages``; ``/`` is as good as ``.``.
    """
    plan = buffer.compiled.plan
    known = assets(plan)
    table, metric = _asset(name.replace("/", "."), known)
    if table is not None:
        return _of_asset(plan, table, metric, known)
    path = _path(buffer, name)
    if path is None:
        raise UsageError(
            f"no key of {buffer.file} and no asset is called `{name}`; {_near(name, [*_keys(buffer), *known])}"
        )
    return _of_key(buffer, path, known)


def _asset(name: str, known: dict[str, Asset]) -> tuple[Asset | None, str]:
    if name in known:
        return known[name], ""
    table, _, column = name.rpartition(".")
    return (known[table], column) if table in known and column in known[table].columns else (None, "")


def _of_asset(plan: Plan, asset: Asset, metric: str, known: dict[str, Asset]) -> Explanation:
    return Explanation(
        name=f"{asset.name}.{metric}" if metric else asset.name,
        span=asset.origin.span,
        means=asset.words,
        waits=plan.waits_for(asset.origin.key),
        assets=(asset,),
        metric=metric,
        expression=_expression(plan, asset, metric),
        read_by=readers(known, asset.name),
        shown=shown_in(plan, asset.name, metric or None),
        inferred=_inferred(plan, asset.origin.key),
    )


def _of_key(buffer: Buffer, path: Path, known: dict[str, Asset]) -> Explanation:
    plan, key = buffer.compiled.plan, ".".join(path)
    entry = _entry(buffer, path)
    does, needed = _without(buffer, entry)
    touched = _assets(plan, key, does, known)
    names = {a.name for a in touched}
    metric = _metric(plan, path, touched, buffer)
    return Explanation(
        name=key,
        span=entry.key_span,
        means=_means(buffer, path),
        does=does,
        needed=needed,
        waits=plan.waits_for(key),
        assets=touched,
        metric=metric.name if metric else "",
        expression=_expression(plan, touched[0], metric.name) if metric else "",
        read_by=tuple(dict.fromkeys(r for a in touched for r in readers(known, a.name) if r not in names)),
        shown=tuple(dict.fromkeys(s for a in touched for s in shown_in(plan, a.name, metric.name if metric else None))),
        inferred=_inferred(plan, key),
    )


def _path(buffer: Buffer, name: str) -> Path | None:
    """The path of a dotted key that is in the file; a name may be quoted in it."""
    steps = tuple(part.strip('"') for part in name.split("."))
    return steps if isinstance(find(buffer.document.root, steps), Entry) else None


def _near(name: str, known: list[str]) -> str:
    """What may have been meant: a name that is nearly the same, else those that end in the same word."""
    last = name.rpartition(".")[2]
    near = get_close_matches(name, known, n=3) or [k for k in known if k.rpartition(".")[2] == last][:5]
    if near:
        return f"did you mean {' or '.join(f'`{n}`' for n in near)}?"
    return "`tusk plan` lists the assets, docs/reference.md the keys"


def _entry(buffer: Buffer, path: Path) -> Entry:
    found = find(buffer.document.root, path)
    if not isinstance(found, Entry):
        raise TypeError(f"{path} is no key")
    return found


def _keys(buffer: Buffer) -> Iterable[str]:
    def below(table: Table, path: Path) -> Iterable[str]:
        for entry in table.entries:
            yield ".".join((*path, entry.key))
            if isinstance(entry.value, Table):
                yield from below(entry.value, (*path, entry.key))

    return below(buffer.document.root, ())


def _without(buffer: Buffer, entry: Entry) -> tuple[tuple[Node, ...], str]:
    """What is in the plan because of a key; where the config is wrong without it, what is wrong then."""
    text = buffer.source.text
    start = buffer.offset(entry.key_span.line, entry.key_span.column)
    value = buffer.offset(entry.value.span.line, entry.value.span.column)
    ends = bracket_ends(buffer)
    # An operator's bracket comes after its name.
    opener = next((o for o in sorted(ends) if value <= o < value + max(1, entry.value.span.length)), None)
    end = max(value + entry.value.span.length, ends[opener]) if opener is not None else value + entry.value.span.length
    rest = text[:start] + "".join(c if c == "\n" else " " for c in text[start:end]) + text[end:]
    other = compile_text(rest, buffer.file)
    if other.errors:
        first = other.errors[0]
        return (), f"`{first.path}` would be wrong: {first.message}" if first.path else first.message
    return difference(as_json(other.plan), as_json(buffer.compiled.plan)), ""


def _assets(plan: Plan, key: str, does: tuple[Node, ...], known: dict[str, Asset]) -> tuple[Asset, ...]:
    """The assets whose nodes stand at a key, above or below it; where none does, those that differ without it."""
    at = [a for a in known.values() if _within(a.origin.key, key)]
    if at:
        return tuple(at)
    names = [
        f"{schema}.{n.name.partition('.')[0]}"
        for n in does
        if n.what in {"added", "changed"}
        for schema in _SCHEMAS.get(n.kind, ())
    ]
    of_rules = [f"{schema}.{s.name}" for s in plan.streams for schema in _SCHEMAS["rules"]
                if any(r.origin and _within(r.origin.key, key) for r in s.rules)]  # fmt: skip
    return tuple(known[name] for name in dict.fromkeys([*of_rules, *names]) if name in known)


def _within(one: str, other: str) -> bool:
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")


def _metric(plan: Plan, path: Path, touched: tuple[Asset, ...], buffer: Buffer) -> Metric | None:
    """The metric that a key below ``metrics`` speaks of."""
    if "metrics" not in path[:-1] or len(touched) != 1 or not touched[0].name.startswith("agg."):
        return None
    named = path[path.index("metrics") + 1]
    if named.isdigit():
        named = str(value_at(buffer.data, (*path[:-1], int(named))))
    aggregate = plan.aggregate(touched[0].node)
    return next((m for m in aggregate.metrics if m.name == named), None)


def _expression(plan: Plan, asset: Asset, metric: str) -> str:
    if not asset.name.startswith("agg.") or not metric:
        return ""
    aggregate: Aggregate = plan.aggregate(asset.node)
    found = next((m for m in aggregate.metrics if m.name == metric), None)
    return metric_column(aggregate, found) if found else ""


def _means(buffer: Buffer, path: Path) -> str:
    if len(path) == 1 and path[0] in SECTIONS:
        return sentence(SECTIONS[path[0]].__doc__)
    key = key_at(path, buffer.data)
    return documentation(key).replace("\n\n", "\n") if key else f"a name of your own in `{'.'.join(path[:-1])}`"


def _inferred(plan: Plan, key: str) -> tuple[Assumption, ...]:
    return tuple(a for a in plan.assumptions if _within(a.key, key) or (a.says and _within(a.says, key)))
