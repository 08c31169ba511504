"""``performance_config``: caching, compression, workers and memory."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, ValidationInfo, field_validator

from tusk_platform.plan import profile
from tusk_platform.plan.drafts import Fragment, RuntimeDraft
from tusk_platform.sections.block import Block
from tusk_platform.sections.fields import Count, Duration, EnvReference, Share, Size, whole, wrong
from tusk_platform.sections.place import Place
from tusk_platform.units import MINUTE

Codec = Literal["lz4", "zstd", "snappy", "gzip"]
_LEVELS: Final = {"lz4": (1, 12), "zstd": (1, 22), "gzip": (1, 9)}


class Caching(Block):
    """The cache of aggregates in front of pages and API."""

    aggregation_cache: bool = Field(default=True, description="Whether there is one.", examples=[True])
    cache_ttl: Duration = Field(default=5 * MINUTE, description="Entries expire after this.", examples=["5 minutes"])
    cache_size: Size = Field(default=256 * 10**6, description="Its bound in bytes.", examples=["1GB"])


class DataCompression(Block):
    """How stored files and produced messages are compressed."""

    enabled: bool = Field(default=True, description="Whether they are compressed.", examples=[True])
    algorithm: Codec = Field(default="zstd", description="The codec.", examples=["zstd"])
    compression_level: Annotated[int | EnvReference, whole(1, 22)] | None = Field(
        default=None, description="More is smaller and slower; not said: the codec's own default.", examples=[1]
    )

    @field_validator("compression_level")
    @classmethod
    def _the_codec_has_that_level(cls, value: int | EnvReference | None, info: ValidationInfo) -> object:
        codec = info.data.get("algorithm")
        least, greatest = _LEVELS.get(str(codec), (1, 22))
        if codec == "snappy" and value is not None:
            raise wrong("`snappy` has no levels", "leave it out")
        if isinstance(value, int) and not least <= value <= greatest:
            raise wrong(f"`{codec}` has levels {least} to {greatest}, got {value}", "such as `1`")
        return value


class ParallelProcessing(Block):
    """How much is done at once."""

    enabled: bool = Field(default=True, description="Without it one thing is done after the other.", examples=[True])
    worker_count: Count | None = Field(
        default=None, description="Runs at once and threads of queries; not said: the machine's cores.", examples=[4]
    )
    batch_size: Count | None = Field(
        default=None, description="Rows of one read; a commit groups reads of up to a second.", examples=[1000]
    )


class MemoryManagement(Block):
    """How much memory may be used."""

    gc_frequency: Duration = Field(
        default=MINUTE, description="How often caches are trimmed and memory is given back.", examples=["1 minute"]
    )
    max_memory_usage: Share = Field(
        default=0.8, description="Share of the machine's memory for all processes together.", examples=["80%"]
    )
    memory_pool_size: Size | None = Field(
        default=None, description="Bound of the buffer of read events.", examples=["512MB"]
    )


class PerformanceConfig(Block):
    """How hard the machine is used."""

    caching: Caching = Field(default_factory=Caching, description="The cache of aggregates.")
    data_compression: DataCompression = Field(
        default_factory=DataCompression, description="How files and messages are compressed."
    )
    parallel_processing: ParallelProcessing = Field(
        default_factory=ParallelProcessing, description="How much is done at once."
    )
    memory_management: MemoryManagement = Field(
        default_factory=MemoryManagement, description="How much memory may be used."
    )


def lower(section: PerformanceConfig, place: Place) -> Fragment:
    """The part of the runtime profile that is said here."""
    caching, compression = section.caching, section.data_compression
    parallel, memory = section.parallel_processing, section.memory_management
    level = compression.compression_level
    workers, rows = parallel.worker_count, parallel.batch_size
    usual = profile.Memory()
    return Fragment(
        runtime=RuntimeDraft(
            cache=profile.Cache(caching.aggregation_cache, caching.cache_ttl, caching.cache_size),
            compression=profile.Compression(
                compression.algorithm if compression.enabled else "uncompressed",
                place.settle(level, 1) if compression.enabled and level is not None else None,
            ),
            parallel=parallel.enabled,
            workers=None if workers is None else place.settle(workers, 1),
            batch_rows=None if rows is None else place.settle(rows, profile.BATCH_ROWS),
            memory=profile.Memory(
                share=memory.max_memory_usage,
                pool=memory.memory_pool_size or usual.pool,
                trim_every=memory.gc_frequency,
            ),
        )
    )
