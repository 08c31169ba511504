"""Answers of the lake, kept for those who ask the same again: bounded in bytes and age, hits and misses counted."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from cachetools import TTLCache

from tusk_platform.plan.profile import Cache
from tusk_platform.units import SECOND

Rows = list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class CacheFacts:
    """How well the cache does: questions answered from it and not, answers in it, their bytes and the bound."""

    enabled: bool
    hits: int = 0
    misses: int = 0
    answers: int = 0
    bytes: int = 0
    bound: int = 0


class KeptAnswers:
    """Answers by question, for one thread at a time. Without a cache every question is a new one, and not counted."""

    def __init__(self, cache: Cache, clock: Callable[[], float] = time.monotonic) -> None:
        self._kept: TTLCache[Hashable, Rows] | None = None
        if cache.enabled:
            self._kept = TTLCache(cache.size, cache.ttl / SECOND, timer=clock, getsizeof=_bytes)
        self._hits = self._misses = 0

    def get(self, question: Hashable) -> Rows | None:
        """The answer, where it is known and young enough."""
        if self._kept is None:
            return None
        found = self._kept.get(question)
        if found is None:
            self._misses += 1
        else:
            self._hits += 1
        return found

    def keep(self, question: Hashable, answer: Rows) -> None:
        """Remember an answer, in place of those not asked for longest; one that alone is too large is not kept."""
        if self._kept is not None and _bytes(answer) <= self._kept.maxsize:
            self._kept[question] = answer

    def trim(self) -> None:
        """Let go of what is too old."""
        if self._kept is not None:
            self._kept.expire()

    def facts(self) -> CacheFacts:
        """The numbers so far."""
        if self._kept is None:
            return CacheFacts(enabled=False)
        self._kept.expire()
        held, bound = int(self._kept.currsize), int(self._kept.maxsize)
        return CacheFacts(enabled=True, hits=self._hits, misses=self._misses, answers=len(self._kept), bytes=held,
                          bound=bound)  # fmt: skip


def _bytes(answer: Rows) -> int:
    return sys.getsizeof(answer) + sum(sys.getsizeof(row) + sum(map(sys.getsizeof, row)) for row in answer)
