"""How hard machines are used, what happens when something fails, and what is done to rows for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from tusk_platform.plan.origin import Origin
from tusk_platform.units import MINUTE, SECOND

Codec = Literal["lz4", "zstd", "snappy", "gzip", "uncompressed"]
Balancing = Literal["round_robin", "least_connections", "random"]
Filling = Literal["interpolation", "forward_fill", "mean", "median", "drop", "none"]
# Where backups go.
BACKED_UP_TO: Final = "stream_processing.state_backend.checkpoint_dir"
# A backup lists every file of every table: not more often than that.
_BACKUP_AT_MOST_EVERY: Final = 10 * MINUTE
# Without `performance_config`, rows of one read.
BATCH_ROWS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Cache:
    """The cache of aggregates in front of pages and API: time to live in microseconds, bound in bytes."""

    enabled: bool = True
    ttl: int = 5 * MINUTE
    size: int = 256 * 10**6


@dataclass(frozen=True, slots=True)
class Compression:
    """Codec and level of stored files and produced messages; no level: the codec's own default."""

    codec: Codec = "zstd"
    level: int | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """Share of the machine's memory for all processes, bytes of the ingest buffer, pace at which memory is returned."""

    share: float = 0.8
    pool: int = 512 * 10**6
    trim_every: int = MINUTE


@dataclass(frozen=True, slots=True)
class Runtime:
    """How hard the machine may be used.

    ``workers``: runs at once and threads of queries; None: the machine's cores. ``parallelism``: aggregates at once.
    ``checkpoint_dir`` receives backups of the lake, one every ``backup_every`` microseconds.
    """

    timezone: str = "UTC"
    engine: Literal["duckdb", "apache_flink"] = "duckdb"
    parallelism: int = 2
    commit_interval: int = SECOND
    checkpoint_interval: int | None = None
    state_backend: Literal["rocksdb", "hashmap"] = "rocksdb"
    checkpoint_dir: str | None = None
    batch_rows: int = BATCH_ROWS
    parallel: bool = True
    workers: int | None = None
    compression: Compression = Compression()
    cache: Cache = Cache()
    memory: Memory = Memory()

    @property
    def readers(self) -> int:
        """Aggregates that are computed, and partitions that are read, at once."""
        return self.parallelism if self.parallel else 1

    @property
    def backup_every(self) -> int:
        """Microseconds between two backups."""
        return max(self.checkpoint_interval or 0, _BACKUP_AT_MOST_EVERY)

    @property
    def threads(self) -> int | None:
        """Threads of a query; None: the engine decides, by the machine's cores."""
        return self.workers if self.parallel else 1


@dataclass(frozen=True, slots=True)
class Scaling:
    """Instances of serving and of run workers; thresholds are percent of load."""

    enabled: bool = True
    auto_scaling: bool = False
    min_instances: int = 1
    max_instances: int = 10
    scale_up_threshold: float = 70
    scale_down_threshold: float = 30
    balancing: Balancing = "round_robin"
    health_checks: bool = True
    session_affinity: bool = False


@dataclass(frozen=True, slots=True)
class FaultTolerance:
    """What happens when a call outside fails: tried again with growing waits, left alone, answered from before."""

    circuit_breaker: bool = True
    max_retries: int = 3
    backoff_multiplier: float = 2
    fallback: bool = True


@dataclass(frozen=True, slots=True)
class Cleansing:
    """How ``clean`` differs from ``raw``, which keeps the original. ``dedup_horizon`` is in microseconds."""

    duplicate_removal: bool = True
    dedup_horizon: int | None = None
    outlier_detection: bool = False
    outlier_threshold: float = 3.5
    missing_data: Filling = "none"


@dataclass(frozen=True, slots=True)
class Audit:
    """The record of who or what changed something. ``personal``: columns that are masked, by stream."""

    retention: int
    masking: bool
    personal: tuple[tuple[str, tuple[str, ...]], ...]
    origin: Origin


@dataclass(frozen=True, slots=True)
class Fusion:
    """What is found across sources: ``sources`` are the streams, ``step`` their common clock in microseconds."""

    correlations: bool
    insights: bool
    unified_metrics: bool
    sources: tuple[str, ...]
    step: int
    origin: Origin
