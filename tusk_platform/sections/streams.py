"""The keys that every stream has, whatever its source, and the check of those that only its source knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import Annotated, Any, ClassVar, Final, Literal, Self, cast, get_args

from pydantic import Field, ModelWrapValidatorHandler, PrivateAttr, ValidationError, model_validator
from pydantic_core import ErrorDetails

from tusk_platform import ports
from tusk_platform.plan.drafts import SourceFacts, StreamDraft
from tusk_platform.plan.nodes import ColumnType, Inactive
from tusk_platform.plan.origin import Origin
from tusk_platform.sections.block import Block, in_words, rebuilt, unknown_key
from tusk_platform.sections.explain import Explained, complaints
from tusk_platform.sections.fields import (
    ColumnKind,
    ColumnName,
    Duration,
    OneOrMore,
    Parsed,
    PlainText,
    TimeZone,
    came,
    did_you_mean,
    listed,
    misplaced,
    wrong,
)
from tusk_platform.sections.sql import RowSql, mentions
from tusk_platform.units import HOUR

Format = Literal["json", "ndjson", "csv", "parquet"]
_FORMATS: Final = get_args(Format)
# Adapters that stand in for others and are not named in a config.
_STAND_INS: Final = frozenset({"host", "log"})


def sources() -> tuple[str, ...]:
    """Every source a config may name."""
    return tuple(n for n in ports.names("sources") if n not in _STAND_INS)


def _source(value: object) -> str:
    known = sources()
    if not isinstance(value, str) or value not in known:
        hint = misplaced(value) or did_you_mean(value, known) or f'such as `"{known[0]}"`'
        raise wrong(f"expected {listed(known)}, got {came(value)}", hint)
    return value


def _is_for_files(key: str, value: object) -> bool:
    """Whether a key of every stream is also one that a source of files wants to know."""
    return (key == "format" and value in _FORMATS) or (key == "live" and isinstance(value, bool))


def _only_files(value: Mapping[str, Any], source: str) -> list[Explained]:
    """Complaints about what only a source of files can be told."""
    found = []
    if value.get("live") is True:
        found.append(
            Explained(("live",), f"`live` does nothing where the source is `{source}`", "leave it out", value["live"])
        )
    form = value.get("format")
    if form in _FORMATS and form not in {"json", "csv"}:
        message = f"expected `json` or `csv` where the source is `{source}`, got {came(form)}"
        found.append(Explained(("format",), message, "files alone have other formats", form))
    return found


SourceName = Annotated[str, Parsed(_source)]


class StreamKeys(Block):
    """What any stream may say of its events.

    ``options`` are the keys of its source, checked by it.
    """

    source_key: ClassVar[str] = "source"

    schema_: Mapping[ColumnName, ColumnKind] = Field(
        default_factory=dict,
        alias="schema",
        description="Columns with types; not said: those that readers of the stream name.",
        examples=[{"user_id": "string", "amount": "decimal"}],
    )
    event_time: ColumnName | None = Field(
        default=None,
        description="The column that says when it happened; not said: by its name.",
        examples=["created_at"],
    )
    key: ColumnName | None = Field(
        default=None, description="The column of the user or other entity; not said: by its name.", examples=["user_id"]
    )
    value: ColumnName | None = Field(
        default=None, description="The column that is measured; not said: by its name.", examples=["amount"]
    )
    event_type: ColumnName | None = Field(
        default=None, description="The column of the type of event; not said: by its name.", examples=["event_type"]
    )
    format: Format | None = Field(
        default=None, description="How events are written; not said: JSON, for files by their name.", examples=["csv"]
    )
    dedup_key: OneOrMore[ColumnName] | None = Field(
        default=None,
        description="What makes two events the same one; not said: `event_id` or `id`, else the position.",
        examples=["event_id"],
    )
    time_format: PlainText | None = Field(
        default=None,
        description="Form of times that are not ISO 8601 or an epoch, as `strptime` reads it.",
        examples=["%d/%m/%Y %H:%M"],
    )
    timezone: TimeZone | None = Field(
        default=None, description="Time zone of times without one; not said: UTC.", examples=["Europe/Berlin"]
    )
    derive: Mapping[ColumnName, RowSql] = Field(
        default_factory=dict,
        description="Columns computed from others, as SQL over the row.",
        examples=[{"amount": "quantity * unit_price"}],
    )
    demo: bool | None = Field(
        default=None, description="Generated events until real ones come; not said: as the file does.", examples=[False]
    )
    live: bool = Field(
        default=False, description="Files that still grow, instead of files that are complete.", examples=[True]
    )
    lake_retention: Duration | None = Field(
        default=None,
        description="How long raw rows are kept; not said: as long as a reader needs.",
        examples=["30 days"],
    )
    max_future: Duration | None = Field(
        default=None,
        description="Events further ahead of the clock go to quarantine; not said: 1 hour.",
        examples=["1 hour"],
    )
    idle_timeout: Duration | None = Field(
        default=None,
        description="A partition silent for so long no longer holds back the others; not said: 1 minute.",
        examples=["1 minute"],
    )

    _options: Mapping[str, Any] = PrivateAttr(default_factory=dict)
    _written: tuple[str, ...] = PrivateAttr(default=())

    @property
    def options(self) -> Mapping[str, Any]:
        """The keys of the source itself, validated, with its defaults."""
        return self._options

    @property
    def written_options(self) -> tuple[str, ...]:
        """The keys of the source itself that the config says."""
        return self._written

    @model_validator(mode="wrap")
    @classmethod
    def _in_words(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:  # noqa: ANN401 - any config value
        if not isinstance(value, Mapping):
            whole: Self = handler(value)
            return whole
        common = {k: v for k, v in value.items() if k in cls.config_keys()}
        errors: list[ErrorDetails] = []
        options: Mapping[str, Any] = {}
        try:
            stream = handler(common)
        except ValidationError as error:
            errors += error.errors(include_url=False)
        try:
            options = cls._checked(value)
        except ValidationError as error:
            errors += error.errors(include_url=False)
        if errors:
            raise in_words(cls, errors, value) from None
        # Its own class, and before anybody has seen it.
        stream._options = options  # noqa: SLF001
        stream._written = tuple(k for k in value if k in options and k not in cls.config_keys())  # noqa: SLF001
        return stream

    @classmethod
    def _checked(cls, value: Mapping[str, Any]) -> Mapping[str, Any]:
        """The source's own keys as it understands them."""
        source = value.get(cls.source_key)
        own = {k: v for k, v in value.items() if k not in cls.config_keys()}
        if not isinstance(source, str) or source not in sources():
            # Nobody knows what these keys should be; all that can be said is that one looks like a common one.
            near = {k: get_close_matches(k, cls.config_keys(), n=1, cutoff=0.8) for k in own}
            raise rebuilt(
                cls.__name__, [unknown_key(k, own[k], f"did you mean `{n[0]}`?") for k, n in near.items() if n]
            )
        adapter = ports.source_adapter(source)
        words: list[Explained] = []
        if adapter.replay:
            own |= {k: v for k, v in value.items() if _is_for_files(k, v)}
        else:
            words += _only_files(value, source)
        try:
            options = adapter.check_options(own)
            if not words:
                return options
        except ValidationError as error:
            words += map(cls._also_common, complaints(error.errors(include_url=False), own))
        raise rebuilt(cls.__name__, words)

    @classmethod
    def _also_common(cls, e: Explained) -> Explained:
        """The complaint about an unknown key with the keys of every stream among the known ones."""
        if e.on != "unknown" or len(e.path) != 1 or e.hint.startswith("did"):
            return e
        near = did_you_mean(e.path[0], list(cls.config_keys()))
        every = f"for every stream {', '.join(f'`{k}`' for k in sorted(cls.config_keys()))}"
        return replace(e, hint=near or "; ".join(part for part in (e.hint, every) if part))


def not_yet(source: str) -> str:
    """Why nothing is read from a source yet; nothing where it is."""
    adapter = ports.source_adapter(source)
    return adapter.not_yet if isinstance(adapter, ports.Waiting) else ""


def waiting(keys: StreamKeys, source: str, origin: Origin) -> tuple[Inactive, ...]:
    """The keys of a stream's source that have no effect yet."""
    adapter = ports.source_adapter(source)
    if not isinstance(adapter, ports.Waiting):
        return ()
    written = (k for k in keys.written_options if k not in adapter.in_use)
    return tuple(Inactive(f"{origin.key}.{k}", adapter.not_yet) for k in written)


def stream_draft(name: str, keys: StreamKeys, source: str, origin: Origin) -> StreamDraft:
    """What a stream's keys say, with what its source says of itself."""
    options = dict(keys.options)
    adapter = ports.source_adapter(source)
    stated = adapter.stated(options) if isinstance(adapter, ports.Stating) else ports.Stated()
    hours = options.get("retention_hours")
    return StreamDraft(
        name=name,
        source=source,
        origin=origin,
        facts=SourceFacts(
            connection=adapter.connection,
            stand_in=adapter.stand_in,
            free_form=adapter.free_form,
            replay=adapter.replay and not keys.live,
            event_time=adapter.event_time,
            columns=cast(tuple[tuple[str, ColumnType], ...], (*adapter.columns, *stated.columns)),
            dedup_key=stated.dedup_key,
            arrival_time=stated.arrival_time,
            step=stated.step,
            changes=stated.changes,
        ),
        options=options,
        schema=dict(keys.schema_),
        event_time=keys.event_time,
        key=keys.key,
        value=keys.value,
        event_type=keys.event_type,
        dedup_key=keys.dedup_key or (),
        derive=dict(keys.derive),
        mentions=mentions(*keys.derive.values()),
        format="csv" if keys.format == "csv" else "json",
        time_format=keys.time_format,
        timezone=keys.timezone,
        demo=keys.demo,
        lake_retention=keys.lake_retention,
        topic_retention=hours * HOUR if isinstance(hours, int) else None,
        poll_interval=options.get("scrape_interval") or stated.poll_interval,
        max_future=keys.max_future,
        idle_timeout=keys.idle_timeout,
    )
