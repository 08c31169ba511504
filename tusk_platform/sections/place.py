"""Where a section is lowered: positions of its keys, and the environment behind ``@env``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from tusk_platform.errors import Span
from tusk_platform.plan.origin import Origin
from tusk_platform.sections.fields import EnvReference, settled

T = TypeVar("T", int, float, str)


@dataclass(frozen=True, slots=True)
class Place:
    """What lowering needs beside the section itself. ``unusable`` says by variable what is wrong with its text."""

    spans: Callable[[str], Span]
    environment: Mapping[str, str]
    unusable: dict[str, str] = field(default_factory=dict)

    def at(self, *path: str) -> Origin:
        """The origin of the node under a key."""
        key = ".".join(path)
        return Origin(key, self.spans(key))

    def settle(self, value: T | EnvReference, otherwise: T) -> T:
        """A number or text with its ``@env`` filled in; ``otherwise`` where the variable is not set or of no use."""
        try:
            return settled(value, self.environment, otherwise)
        except ValueError as error:
            if isinstance(value, EnvReference):
                self.unusable[value.variable] = str(error)
            return otherwise

    def text(self, value: str | EnvReference | None) -> str | None:
        """A text with its ``@env`` filled in, None where there is none."""
        return None if value is None else self.settle(value, "") or None

    def number(self, value: float | EnvReference | None) -> float | None:
        """A bound with its ``@env`` filled in, None where there is none."""
        if value is None:
            return None
        if isinstance(value, EnvReference) and value.settle(self.environment) is None:
            return None
        return self.settle(value, 0.0)
