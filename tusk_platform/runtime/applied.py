"""The plan that the tables follow, as the state folder keeps it, and what a changed config would do to them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tusk_platform.errors import Refused, Unavailable
from tusk_platform.plan.difference import Json, Node, completed, difference
from tusk_platform.plan.impact import Effect, impact
from tusk_platform.plan.nodes import Plan, Stream
from tusk_platform.plan.page import as_json, fingerprint
from tusk_platform.runtime.facts import facts_of
from tusk_platform.storage.home import Home
from tusk_platform.storage.lake import Lake

_SCHEMA_VERSION: Final = 1
# Changes of these touch no row.
_ASIDE: Final = frozenset({"origin", "update_frequency", "group", "rules", "poll_interval", "idle_timeout"})


@dataclass(frozen=True, slots=True)
class Applied:
    """A plan as it was applied, and the tables that changes so far have left behind.

    ``unfinished``: another one was being applied since, so that some tables may follow that one already.
    """

    plan: Json
    kept: tuple[str, ...] = ()
    unfinished: bool = False

    def same(self, plan: Plan) -> bool:
        """Whether it is this plan, and all tables follow it."""
        return not self.unfinished and bool(self.plan.get("fingerprint") == fingerprint(plan))


@dataclass(frozen=True, slots=True)
class Pending:
    """What differs from the applied plan, and what that does to tables."""

    applied: Applied | None
    nodes: tuple[Node, ...] = ()
    effects: tuple[Effect, ...] = ()

    @property
    def losing(self) -> tuple[Effect, ...]:
        """The effects that lose something for good."""
        return tuple(e for e in self.effects if e.lost)

    @property
    def left_behind(self) -> tuple[str, ...]:
        """Tables that no node of the config has any more."""
        return tuple(e.table for e in self.effects if e.action == "dropped" and e.stored is not None)


def read_applied(home: Home) -> Applied | None:
    """The plan applied last, None where there is none yet. Unavailable where the file cannot be read."""
    try:
        found: Mapping[str, Any] = json.loads(home.applied.read_text(encoding="utf-8"))
        return Applied(found["plan"], tuple(found.get("kept", ())), bool(found.get("unfinished")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Unavailable(f"cannot read {home.applied}, which says what the tables follow: {error}") from None


def write_applied(home: Home, applied: Applied) -> None:
    """Remember a plan as the applied one, in one step."""
    content = {
        "schema_version": _SCHEMA_VERSION,
        "unfinished": applied.unfinished,
        "kept": list(applied.kept),
        "plan": applied.plan,
    }
    draft = home.applied.with_suffix(f".{os.getpid()}")
    try:
        home.root.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        draft.replace(home.applied)
    except OSError as error:
        raise Unavailable(f"writing {home.applied}: {error}") from error


def pending(plan: Plan, home: Home, lake: Lake) -> Pending:
    """What opening the platform with this plan changes."""
    applied = read_applied(home)
    now = as_json(plan)
    nodes = difference(applied.plan, now) if applied else ()
    kept = applied.kept if applied else ()
    facts = facts_of(lake, plan, nodes, kept)
    return Pending(applied, nodes, impact(applied.plan if applied else None, now, nodes, facts, kept=kept))


def require_applied(plan: Plan, stream: Stream, home: Home) -> None:
    """Refused where another process has meanwhile applied a config in which the stream, or what reads it, differs.

    Who went on by the old one would compute again by it what was computed by the new one.
    """
    applied = read_applied(home)
    if applied is None or applied.same(plan):
        return
    now, then = _tables(as_json(plan), stream.name), _tables(completed(applied.plan), stream.name)
    if applied.unfinished or now != then:
        raise Refused(
            f"the config was changed and applied by another process since this one started, and stream "
            f"`{stream.name}`, or an aggregate or query of it, is another one now: start this one again"
        )


def _tables(plan: Json, stream: str) -> list[dict[str, Any]]:
    own = [n for n in plan["streams"] if n["name"] == stream] + [a for a in plan["aggregates"] if a["stream"] == stream]
    own += [q for q in plan["queries"] if q["streams"][:1] == [stream]]
    return [{k: v for k, v in n.items() if k not in _ASIDE} for n in own]
