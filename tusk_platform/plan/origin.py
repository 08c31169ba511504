"""Where in the config a node was written."""

from __future__ import annotations

from dataclasses import dataclass

from tusk_platform.errors import Span


@dataclass(frozen=True, slots=True)
class Origin:
    """Where in the config a node was written: the dotted key and its position."""

    key: str
    span: Span
