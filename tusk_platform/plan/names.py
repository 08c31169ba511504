"""How names are compared: tokens, singulars, shared tokens."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

# Every name of a long config is compared with many others.
_remembered = lru_cache(maxsize=1 << 16)

_GENERIC: Final = frozenset({
    "real", "time", "metric", "event", "data", "stream", "analytics", "stats",
    "table", "source", "dashboard", "widget", "chart", "panel", "counter", "gauge",
})  # fmt: skip


def singular(word: str) -> str:
    """An English noun without its plural ending, as far as names of streams and metrics need it.

    >>> [singular(w) for w in ("purchases", "categories", "status", "business", "series")]
    ['purchase', 'category', 'status', 'business', 'series']
    """
    if word in {"series", "analytics"} or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if re.search(r"(x|ch|sh|ss)es$", word):
        return word[:-2]
    return word[:-1] if word.endswith("s") and len(word) > 2 else word


def plural(word: str) -> str:
    """The usual English plural."""
    if word.endswith("y") and word[-2:-1] not in tuple("aeiou"):
        return word[:-1] + "ies"
    return word + ("es" if re.search(r"(s|x|ch|sh)$", word) else "s")


@_remembered
def parts(name: str) -> tuple[str, ...]:
    """The parts of a name between ``_``, lower-cased and singular, generic ones included."""
    return tuple(singular(p) for p in name.lower().split("_") if p)


@_remembered
def tokens(name: str) -> frozenset[str]:
    """The parts of a name that say something: without ``event``, ``metric``, ``chart`` and the like.

    >>> sorted(tokens("user_activity_chart"))
    ['activity', 'user']
    """
    return frozenset(p for p in parts(name) if p not in _GENERIC)


def most_shared(name: str, candidates: Iterable[str]) -> tuple[str, ...]:
    """The candidates that share most tokens with a name: none, the one, or several equal ones."""
    own = tokens(name)
    scores = {c: len(own & tokens(c)) for c in candidates}
    best = max(scores.values(), default=0)
    return tuple(c for c, score in scores.items() if score == best) if best else ()


def normal(name: str) -> str:
    """A column name as it is matched: without case and ``_``."""
    return name.replace("_", "").lower()
