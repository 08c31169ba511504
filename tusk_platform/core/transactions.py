"""Names of the Delta transaction ids that hold positions. One place, because a typo here loses exactly-once."""

from __future__ import annotations

from collections.abc import Iterable


def position(stream: str, partition: str) -> str:
    """Next offset to read of one partition."""
    return f"{stream}/{partition}"


def partitions(stream: str, names: Iterable[str]) -> set[str]:
    """The partitions of a stream, among the names of all transaction ids of its raw table."""
    others = {watermark(stream), batch(stream), generation(stream), trimmed(stream)}
    own = {n for n in names if n.startswith(position(stream, ""))} - others
    return {n.removeprefix(position(stream, "")) for n in own if not n.endswith(("/time", "/active"))}


def newest(stream: str, partition: str) -> str:
    """Greatest event time read of one partition, microseconds UTC."""
    return f"{stream}/{partition}/time"


def activity(stream: str, partition: str) -> str:
    """When one partition last brought records, or was first seen: microseconds UTC of the wall clock."""
    return f"{stream}/{partition}/active"


def watermark(stream: str) -> str:
    """The stream's watermark, microseconds UTC."""
    return f"{stream}/watermark"


def batch(stream: str) -> str:
    """Number of the last batch committed to raw."""
    return f"{stream}/batch"


def generation(stream: str) -> str:
    """Raised when rows were removed from raw or rewritten: every aggregate of the stream starts over."""
    return f"{stream}/generation"


def refreshed(aggregate: str) -> str:
    """On the aggregate's table: the last raw batch it contains."""
    return f"{aggregate}/batch"


def refreshed_generation(aggregate: str) -> str:
    """On the aggregate's table: the generation of raw it was computed from."""
    return f"{aggregate}/generation"


def definition(aggregate: str) -> str:
    """On the aggregate's table: hash of the definition it was computed by; another one means start over."""
    return f"{aggregate}/definition"


def validated(stream: str) -> str:
    """On the quality table: the last raw batch that the expectation suite has seen."""
    return f"quality/{stream}"


def expired() -> str:
    """On the quality table: what was found before it (microseconds UTC) is gone."""
    return "quality/expired"


def refreshed_at(aggregate: str) -> str:
    """On the aggregate's table: when it was last refreshed, microseconds UTC."""
    return f"{aggregate}/time"


def trimmed(stream: str) -> str:
    """On raw: no row that retention removed has a later event time (microseconds UTC)."""
    return f"{stream}/trimmed"


def kept(aggregate: str) -> str:
    """On the aggregate's table: windows that start before it (microseconds UTC) stay when all are computed anew."""
    return f"{aggregate}/kept"


def kept_for(aggregate: str) -> str:
    """On the aggregate's table: the definition to which ``kept`` belongs."""
    return f"{aggregate}/kept_for"


def changed_at(query: str) -> str:
    """On the query's table: when its rows were last replaced by others, microseconds UTC."""
    return f"{query}/changed"


def inputs(query: str) -> str:
    """On the query's table: a number that says which state of its inputs it was computed from."""
    return f"{query}/inputs"
