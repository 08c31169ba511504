"""``stream_processing``: which engine computes windows, how hard it works, the named windows, where checkpoints go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from tusk_platform.plan.drafts import AggregateDraft, Fragment, MetricDraft, NamedWindow, RuntimeDraft
from tusk_platform.plan.nodes import Function, Inactive, Session, Sliding, Tumbling, Window
from tusk_platform.plan.origin import Origin
from tusk_platform.sections.block import CONFIG, Block, less_than, more_than
from tusk_platform.sections.fields import (
    Count,
    Duration,
    Location,
    Name,
    Parsed,
)
from tusk_platform.sections.place import Place
from tusk_platform.units import HOUR, spell


class TumblingWindow(Block):
    """Windows of one size, one after the other; whole days align to local midnight, weeks to Monday."""

    size: Duration = Field(description="Length of a window.", examples=["5 minutes"])
    allowed_lateness: Duration | None = Field(
        default=None,
        description="How long a window waits for late events; not said: not at all.",
        examples=["1 minute"],
    )
    offset: Duration | None = Field(
        default=None, description="Shifts the grid of windows; less than `size`.", examples=["15 minutes"]
    )

    @field_validator("offset")
    @classmethod
    def _offset_is_within_size(cls, value: int | None, info: ValidationInfo) -> int | None:
        return less_than(value, info, "size", spell=spell)


class SlidingWindow(Block):
    """Windows of one size that overlap: one begins every ``slide``."""

    size: Duration = Field(description="Length of a window.", examples=["10 minutes"])
    slide: Duration = Field(description="A window begins every so often; at most `size`.", examples=["2 minutes"])
    allowed_lateness: Duration | None = Field(
        default=None,
        description="How long a window waits for late events; not said: not at all.",
        examples=["1 minute"],
    )
    offset: Duration | None = Field(
        default=None, description="Shifts the grid of windows; less than `slide`.", examples=["30 seconds"]
    )

    @field_validator("slide")
    @classmethod
    def _slide_is_within_size(cls, value: int, info: ValidationInfo) -> int:
        return less_than(value, info, "size", or_equal=True, spell=spell)

    @field_validator("offset")
    @classmethod
    def _offset_is_within_slide(cls, value: int | None, info: ValidationInfo) -> int | None:
        return less_than(value, info, "slide", spell=spell)


class SessionWindow(Block):
    """Windows of activity: events at most ``gap`` apart belong together."""

    gap: Duration = Field(description="Silence that ends a session.", examples=["5 minutes"])
    max_size: Duration = Field(
        default=24 * HOUR, description="A session is cut here; the next event begins a new one.", examples=["1 hour"]
    )
    allowed_lateness: Duration | None = Field(
        default=None,
        description="How long a session waits for late events; not said: not at all.",
        examples=["1 minute"],
    )

    @field_validator("max_size")
    @classmethod
    def _session_holds_a_gap(cls, value: int, info: ValidationInfo) -> int:
        return more_than(value, info, "gap", or_equal=True, spell=spell)


WindowTable = TumblingWindow | SlidingWindow | SessionWindow


def _own_window(value: object) -> WindowTable:
    if isinstance(value, WindowTable):
        return value
    if isinstance(value, Mapping) and value.keys() & {"gap", "max_size"}:
        return SessionWindow.model_validate(value)
    if isinstance(value, Mapping) and "slide" in value:
        return SlidingWindow.model_validate(value)
    return TumblingWindow.model_validate(value)


class Windows(Block):
    """Named windows. A window of your own with ``gap`` is a session, with ``slide`` sliding, else tumbling."""

    model_config = CONFIG | ConfigDict(extra="allow")
    __pydantic_extra__: dict[Name, Annotated[WindowTable, Parsed(_own_window, WindowTable)]]

    tumbling: TumblingWindow | None = Field(
        default=None, description='What `window = "tumbling"` means.', examples=[{"size": "5 minutes"}]
    )
    sliding: SlidingWindow | None = Field(
        default=None,
        description='What `window = "sliding"` means.',
        examples=[{"size": "10 minutes", "slide": "2 minutes"}],
    )
    session: SessionWindow | None = Field(
        default=None, description='What `window = "session"` means.', examples=[{"gap": "5 minutes"}]
    )

    @property
    def named(self) -> Mapping[str, WindowTable]:
        """All windows by name, your own ones last."""
        usual = {"tumbling": self.tumbling, "sliding": self.sliding, "session": self.session}
        return {name: w for name, w in usual.items() if w is not None} | dict(self.__pydantic_extra__ or {})


class StateBackend(Block):
    """Where the state of windows lives, and where it is saved."""

    type: Literal["rocksdb", "hashmap"] = Field(
        default="rocksdb", description="Flink's state backend: on disk or in memory.", examples=["rocksdb"]
    )
    checkpoint_dir: Location | None = Field(
        default=None,
        description="Folder or `s3://` address that receives checkpoints; embedded: backups of the lake, at most one "
        "every 10 minutes.",
        examples=["s3://analytics/checkpoints"],
    )


class StreamProcessing(Block):
    """How windows are computed."""

    engine: Literal["duckdb", "apache_flink"] = Field(
        default="duckdb",
        description="`duckdb` is embedded; `apache_flink` drives a cluster where `connections.flink` names one.",
        examples=["apache_flink"],
    )
    parallelism: Count | None = Field(
        default=None, description="Flink's job parallelism; embedded: aggregates computed at once.", examples=[4]
    )
    checkpoint_interval: Duration | None = Field(
        default=None,
        description="Flink's checkpoint interval; embedded: longest time that read events stay uncommitted, and "
        "least time between two backups.",
        examples=["30 seconds"],
    )
    windows: Windows = Field(default_factory=Windows, description="Named windows, for use by aggregates.")
    state_backend: StateBackend = Field(default_factory=StateBackend, description="Where state is kept and saved.")


# The three metrics of the seed's own stream program.
_PROGRAM: Final[tuple[tuple[str, Function], ...]] = (
    ("user_count", "distinct"),
    ("avg_session_duration", "avg"),
    ("total_revenue", "sum"),
)


def lower(section: StreamProcessing, place: Place) -> Fragment:
    """The named windows, an aggregate over each, and the runtime profile."""
    named = section.windows.named
    key = "stream_processing"
    flink = Inactive(f"{key}.engine", "windows run on the embedded engine; Flink is not carried out yet")
    state = Inactive(f"{key}.state_backend.type", "it is Flink's; the embedded engine keeps its state in the lake")
    return Fragment(
        windows=tuple(_window(name, w, place) for name, w in named.items()),
        aggregates=tuple(_program(name, place) for name in named),
        runtime=RuntimeDraft(
            engine=section.engine,
            parallelism=None if section.parallelism is None else place.settle(section.parallelism, 2),
            checkpoint_interval=section.checkpoint_interval,
            state_backend=section.state_backend.type,
            checkpoint_dir=place.text(section.state_backend.checkpoint_dir),
        ),
        inactive=(
            *([flink] if section.engine == "apache_flink" else []),
            *([state] if "type" in section.state_backend.model_fields_set else []),
        ),
    )


def _window(name: str, w: WindowTable, place: Place) -> NamedWindow:
    window: Window
    match w:
        case TumblingWindow():
            window = Tumbling(w.size, w.offset or 0)
        case SlidingWindow():
            window = Sliding(w.size, w.slide, w.offset or 0)
        case SessionWindow():
            window = Session(w.gap, w.max_size)
    return NamedWindow(name, window, place.at("stream_processing", "windows", name), w.allowed_lateness)


def _program(window: str, place: Place) -> AggregateDraft:
    origin = place.at("stream_processing", "windows", window)
    return AggregateDraft(
        name=f"stream_{window}",
        origin=origin,
        window=window,
        group="stream_processing",
        metrics=tuple(_metric(name, function, origin) for name, function in _PROGRAM),
        first_event_stream=True,
    )


def _metric(name: str, function: Function, origin: Origin) -> MetricDraft:
    return MetricDraft(name, origin, function)
