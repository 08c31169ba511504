"""What the passes of the resolution hand on to each other."""

from __future__ import annotations

from dataclasses import dataclass, field

from tusk_platform.errors import Problem
from tusk_platform.plan.columns import StreamColumns
from tusk_platform.plan.drafts import AggregateDraft, Draft, EventTypeDraft, NamedWindow, RulesDraft, StreamDraft
from tusk_platform.plan.learning import Feature, Model
from tusk_platform.plan.nodes import Assumption, Inactive, Metric
from tusk_platform.plan.origin import Origin
from tusk_platform.plan.query_columns import QueryReading


@dataclass(slots=True)
class Resolution:
    """What the passes hand on: the draft, what is decided so far, and every problem found."""

    draft: Draft
    columns: dict[str, StreamColumns] = field(default_factory=dict)
    windows: dict[str, NamedWindow] = field(default_factory=dict)
    reads: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, tuple[Metric, ...]] = field(default_factory=dict)
    queries: dict[str, QueryReading] = field(default_factory=dict)
    models: list[Model] = field(default_factory=list)
    features: dict[str, Feature] = field(default_factory=dict)
    whole: dict[str, list[RulesDraft]] = field(default_factory=dict)
    assumptions: list[Assumption] = field(default_factory=list)
    inactive: list[Inactive] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def streams(self) -> tuple[StreamDraft, ...]:
        """Declared streams, in declared order."""
        return self.draft.every("streams")

    @property
    def aggregates(self) -> tuple[AggregateDraft, ...]:
        """Declared aggregates that still can be resolved."""
        return tuple(a for a in self.draft.every("aggregates") if a.name in self.reads)

    @property
    def event_types(self) -> tuple[EventTypeDraft, ...]:
        """Declared event types."""
        return self.draft.every("event_types")

    def refuse(self, origin: Origin, message: str, hint: str = "", key: str = "") -> None:
        """Record a problem at a node's position, or at the value of one of its keys."""
        path = f"{origin.key}.{key}" if key else origin.key
        self.problems.append(Problem(self.draft.spans(path) if key else origin.span, path, message, hint))

    @property
    def typed_streams(self) -> tuple[str, ...]:
        """The streams whose events have the declared types: those named, else the first event stream."""
        named: tuple[str, ...] = self.draft.every("event_type_streams")
        first = next((s.name for s in self.streams if s.facts.free_form), None)
        return tuple(n for n in named if n in self.columns) if named else (first,) if first else ()
