"""What differs between two plans, node by node; both in the form of ``page.as_json``.

Nothing here knows the kinds of node: whatever has a name is found, with everything below it that has a place in the
config of its own (a dashboard's widgets, a stream's rules).
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from tusk_platform.plan.nodes import Plan, Session, Sliding, Tumbling
from tusk_platform.plan.page import plain

What = Literal["added", "changed", "renamed", "dropped"]
Json = Mapping[str, Any]

# Not nodes: what they say stands at the nodes that they are about.
_ASIDE: Final = frozenset({"schema_version", "fingerprint", "file", "assumptions", "environment"})
_INACTIVE: Final = "inactive"
# Says nothing of what a node does.
_POSITIONS: Final = frozenset({"origin", "name", "at"})
# A table of these may take another name with its rows; its pace and its place among the sections may change meanwhile.
_RENAMED: Final[Mapping[str, frozenset[str]]] = {"aggregates": frozenset({"update_frequency", "group"})}
_WINDOWS: Final = {"tumbling": Tumbling, "sliding": Sliding, "session": Session}


@dataclass(frozen=True, slots=True)
class Change:
    """One value of a node: its dotted name there, and what it was and is; None where there was none."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Node:
    """A node that differs. ``kind`` is the plan's own word (``aggregates``, ``widgets``); ``was``: its earlier name."""

    what: What
    kind: str
    name: str
    key: str
    at: str
    changes: tuple[Change, ...] = ()
    was: str | None = None


def difference(before: Json, after: Json) -> tuple[Node, ...]:
    """Every node that is not the same in both plans, in the order of the plan; none where nothing changed."""
    old, new = completed(before), completed(after)
    found: list[Node] = []
    for kind in new:
        if kind in _ASIDE:
            continue
        was, now = old.get(kind), new[kind]
        if isinstance(now, list):
            found += _listed(kind, was or [], now)
        elif was != now:
            found += _single(kind, was, now)
    keys = [n.key for n in found if n.key and n.kind != _INACTIVE]
    return tuple(n for n in found if n.kind != _INACTIVE or not any(_within(n.key, k) for k in keys))


def _within(one: str, other: str) -> bool:
    """Whether two keys are the same, or one is below the other: what is not active of a node goes without saying."""
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")


def completed(plan: Json) -> dict[str, Any]:
    """A plan of an earlier version with what has been added to plans since then, as if it had been left open."""
    hints = typing.get_type_hints(Plan)
    return {**plain(Plan(file="")), **{k: _completed(v, hints.get(k)) for k, v in plan.items()}}


def named(nodes: list[Any]) -> dict[str, Any]:
    """The nodes of a list by their names, or by where they are written."""
    keys = [n.get("name") or n.get("key") or n.get("origin", {}).get("key", "") for n in nodes]
    return {k if keys.count(k) == 1 else _told_apart(k, n): n for k, n in zip(keys, nodes, strict=True)}


def _completed(value: Any, hint: Any) -> Any:  # noqa: ANN401 - any value of a plan
    if isinstance(value, list):
        inner = typing.get_args(hint)
        return [_completed(v, inner[0] if inner else None) for v in value]
    if not isinstance(value, Mapping):
        return value
    if value.get("kind") in _WINDOWS:
        kind: Any = _WINDOWS[value["kind"]]
    else:
        options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
        kind = next((o for o in options if dataclasses.is_dataclass(o)), None)
    if kind is None:
        return dict(value)
    hints = typing.get_type_hints(kind)
    missing = {f.name: plain(d) for f in dataclasses.fields(kind) if f.name not in value and (d := _default(f)) != f}
    found = {**missing, **{k: _completed(v, hints.get(k)) for k, v in value.items()}}
    if "name" not in found and isinstance(said := getattr(kind, "name", None), property) and said.fget:
        # What the config gives no name is told apart by what people call it.
        found["name"] = said.fget(types.SimpleNamespace(**found))
    return found


def _default(field: dataclasses.Field[Any]) -> Any:  # noqa: ANN401 - any value of a node
    """What a field is when it is left out; the field itself where it may not be."""
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field if field.default is dataclasses.MISSING else field.default


def _told_apart(key: str, node: Json) -> str:
    words = [v for k, v in node.items() if isinstance(v, str) and k not in _POSITIONS]
    return f"{key} ({', '.join(words)})"


def _single(kind: str, was: Any, now: Any) -> Iterator[Node]:  # noqa: ANN401 - the node or None
    either = now or was
    place = _place(either)
    if was is None or now is None:
        yield Node("added" if was is None else "dropped", kind, kind, *place)
        return
    if changes := tuple(_changes(was, now, "")):
        yield Node("changed", kind, kind, *place, changes=changes)
    yield from _below(kind, "", was, now)


def _listed(kind: str, was: list[Any], now: list[Any], above: str = "") -> Iterator[Node]:
    old, new = named(was), named(now)
    renamed = _renames(kind, old, new)
    for name, node in new.items():
        path = f"{above}.{name}" if above else name
        if name not in old and name not in renamed:
            yield Node("added", kind, path, *_place(node))
            continue
        before = old[renamed.get(name, name)]
        changes = tuple(_changes(before, node, ""))
        if name in renamed:
            yield Node("renamed", kind, path, *_place(node), changes=changes, was=renamed[name])
        elif changes:
            yield Node("changed", kind, path, *_place(node), changes=changes)
        yield from _below(kind, path, before, node)
    for name, node in old.items():
        if name not in new and name not in renamed.values():
            yield Node("dropped", kind, f"{above}.{name}" if above else name, *_place(node))


def _below(kind: str, path: str, was: Json, now: Json) -> Iterator[Node]:
    """Nodes inside a node that have a place in the config of their own."""
    for field in now:
        if _of_their_own(was.get(field)) or _of_their_own(now[field]):
            yield from _listed(field, was.get(field) or [], now[field] or [], path or kind)


def _of_their_own(value: Any) -> bool:  # noqa: ANN401 - any value of a node
    return isinstance(value, list) and bool(value) and all(isinstance(v, Mapping) and v.get("origin") for v in value)


def _renames(kind: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, str]:
    """New name -> old name of what is the same but for its name."""
    if kind not in _RENAMED:
        return {}
    left = {name: _same(kind, node) for name, node in old.items() if name not in new}
    found: dict[str, str] = {}
    for name, node in new.items():
        match = next((was for was, same in left.items() if same == _same(kind, node)), None)
        if name not in old and match is not None:
            found[name] = match
            del left[match]
    return found


def _same(kind: str, node: Json) -> dict[str, Any]:
    return {k: v for k, v in node.items() if k not in _POSITIONS | _RENAMED[kind]}


def _changes(was: Any, now: Any, path: str) -> Iterator[Change]:  # noqa: ANN401 - any value of a node
    if was == now or _of_their_own(was) or _of_their_own(now):
        return
    if _table(was) and _table(now):
        for key in [*now, *(k for k in was if k not in now)]:
            if key not in _POSITIONS:
                yield from _changes(was.get(key), now.get(key), f"{path}.{key}" if path else key)
    elif _named(was) and _named(now):
        old, new = named(was), named(now)
        for name in [*new, *(k for k in old if k not in new)]:
            if name in old and name in new:
                yield from _changes(old[name], new[name], f"{path}.{name}")
            else:
                yield Change(f"{path}.{name}", old.get(name), new.get(name))
    else:
        yield Change(path, was, now)


def _table(value: Any) -> bool:  # noqa: ANN401 - any value of a node
    """Whether a value has parts that change on their own: a window and a reference to a variable are one value."""
    return isinstance(value, Mapping) and value.get("kind") not in _WINDOWS and "@env" not in value


def _named(value: Any) -> bool:  # noqa: ANN401 - any value of a node
    return isinstance(value, list) and all(isinstance(v, Mapping) and "name" in v for v in value)


def _place(node: Json) -> tuple[str, str]:
    """The key of a node in the config and its position there, where it has one."""
    origin = node.get("origin") or {}
    return origin.get("key") or node.get("key", ""), origin.get("at", "")
