"""The columns of one stream, gathered while the nodes that read it are resolved."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from tusk_platform.plan.drafts import Mention, StreamDraft
from tusk_platform.plan.names import normal
from tusk_platform.plan.nodes import Assumption, Column, ColumnType
from tusk_platform.plan.rules import (
    ROLE_NAMES,
    WHICH_ROLE,
    WHICH_TYPE,
    Role,
    WhichRole,
    WhichType,
    decide,
)

# Events of a free-form stream say in one of these what makes them the same event.
DEDUP_NAMES: Final = ("event_id", "id")


@dataclass(slots=True)
class StreamColumns:
    """Columns and roles of a stream so far. Asking for a role decides it, once, and adds its column."""

    draft: StreamDraft
    uses: dict[str, set[str]] = field(default_factory=dict)
    types: dict[str, ColumnType] = field(default_factory=dict)
    roles: dict[Role, str | None] = field(default_factory=dict)
    assumptions: list[Assumption] = field(default_factory=list)
    _by_normal: dict[str, str] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        for name in self.draft.schema:
            self.add(name)
        for name, _ in self.draft.facts.columns:
            self.add(name)
        for name in self.draft.derive:
            self.add(name)
        self.mention(self.draft.mentions)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, in the order they were found."""
        return tuple(self.uses)

    def add(self, column: str, use: str = "any") -> str:
        """The column's own name, after it was added if no column matches it without case and ``_``."""
        name = self._by_normal.setdefault(normal(column), column)
        self.uses.setdefault(name, set()).add(use)
        return name

    def mention(self, mentions: tuple[Mention, ...]) -> None:
        """Add the columns that a node's SQL names."""
        for m in mentions:
            self.add(m.column, m.use)

    def has(self, column: str) -> bool:
        """Whether a column of that name is known."""
        return normal(column) in self._by_normal

    def shows(self, role: Role) -> bool:
        """Whether something gives the stream a column for a role, without deciding it."""
        if self.roles.get(role) or getattr(self.draft, role):
            return True
        return any(self.has(n) for n in ROLE_NAMES[role])

    def role(self, role: Role) -> str | None:
        """The column that plays a role; None where the stream has none."""
        if role not in self.roles:
            decision = decide(WHICH_ROLE, WhichRole(role, self.draft, self.names))
            self.roles[role] = self.add(decision.answer, "any" if role != "value" else "number") if decision else None
            if decision and not decision.explicit:
                self.assume(f"{role} of `{self.draft.name}`", decision.rule, f"`{decision.answer}`", role)
            if decision and role == "event_time":
                self.add(decision.answer, "event_time")
        return self.roles[role]

    def assume(self, what: str, rule: str, answer: str, says: str) -> None:
        """Record a decision about the stream that the config left open; ``says`` is its own key that would say it."""
        key = self.draft.origin.key
        self.note(Assumption(key, rule, f"{what} is {answer}", f"{key}.{says}"))

    def note(self, entry: Assumption) -> None:
        """Record a decision once."""
        if entry not in self.assumptions:
            self.assumptions.append(entry)

    def dedup_key(self) -> tuple[str, ...]:
        """What makes two events the same one; empty: only their position does."""
        if said := self.draft.dedup_key or self.draft.facts.dedup_key:
            return tuple(self.add(c) for c in said)
        found = next((n for n in DEDUP_NAMES if self.has(n)), None)
        if found is None and self.draft.facts.free_form and not self.draft.schema:
            found = self.add(DEDUP_NAMES[0])
        if found is None:
            return ()
        column = self.add(found)
        self.assume(
            f"dedup key of `{self.draft.name}`", "usual name, where events carry it", f"`{column}`", "dedup_key"
        )
        return (column,)

    def column_type(self, name: str) -> ColumnType:
        """The type of a column, by the rules."""
        stated = dict(self.draft.facts.columns)
        question = WhichType(
            name, self.draft.schema.get(name), stated.get(name), self.types.get(name), frozenset(self.uses[name])
        )
        decision = decide(WHICH_TYPE, question)
        if decision is None:
            raise AssertionError("the last rule of WHICH_TYPE answers always")
        answer: ColumnType = decision.answer
        return answer

    def columns(self) -> tuple[Column, ...]:
        """All columns with types and the other names events may use for them."""
        taken = {normal(n) for n in self.names}
        free = self.draft.facts.free_form and not self.draft.schema

        def aliases(name: str) -> tuple[str, ...]:
            usual: tuple[str, ...] = ()
            if free and name == self.roles.get("event_time"):
                usual = ROLE_NAMES["event_time"]
            elif free and name == DEDUP_NAMES[0]:
                usual = DEDUP_NAMES
            elif free and name == self.roles.get("event_type"):
                usual = ROLE_NAMES["event_type"]
            return tuple(n for n in usual if normal(n) not in taken)

        return tuple(Column(n, self.column_type(n), aliases(n)) for n in self.names)
