"""A table of a PostgreSQL database as a source: every change of its rows, or its rows again and again.

What comes is put into an embedded log first (``change_log``), from which the stream is read by offset.
Without a connection the log of published events stands in.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from contextlib import closing
from typing import Annotated, Any, Final, TypeVar

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from tusk_platform.adapters import database_cdc, database_polling, database_slot
from tusk_platform.adapters.change_log import ChangeLog
from tusk_platform.adapters.database import Database
from tusk_platform.adapters.log_reader import LogHistory, LogReader, ReceivedSource, Receiver
from tusk_platform.plan.nodes import Stream
from tusk_platform.ports import Source, SourceContext, Stated
from tusk_platform.sections.block import Block, only_with
from tusk_platform.sections.fields import ColumnName, Duration, PlainText, Size, came, wrong
from tusk_platform.units import DAY, HOUR, MINUTE, SECOND

T = TypeVar("T")

# How often a table is asked where the config leaves it open: for what changed, and for all of it.
_CHANGES_EVERY: Final = 10 * SECOND
_WHOLE_EVERY: Final = HOUR
# Records of the log that the lake holds are kept so long, and removed so often.
_KEPT: Final = DAY
_TRIM_EVERY: Final = 600.0


def _table(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)?", text, re.ASCII):
        raise wrong(f"expected the name of a table, got {came(text)}", 'such as `"orders"` or `"shop.orders"`')
    return text


class DatabaseOptions(Block):
    """Keys of a ``database`` stream."""

    table: Annotated[PlainText, AfterValidator(_table)] = Field(
        description="The table to follow; it needs a primary key.", examples=["business_events"]
    )
    change_detection: bool = Field(
        default=True,
        description="Whether changes of rows are followed; else new rows only, or the whole table each time.",
        examples=[True],
    )
    cdc_enabled: bool = Field(
        default=False, description="Whether changes come by logical replication; else by asking.", examples=[True]
    )
    cursor: ColumnName | None = Field(
        default=None,
        description="Without replication: a column that grows with every change, to read on from.",
        examples=["updated_at"],
    )
    overlap: Duration = Field(
        default=MINUTE,
        description="With `cursor`: how late a change may become visible without being missed.",
        examples=["5 minutes"],
    )
    poll_interval: Duration | None = Field(
        default=None,
        description="Without replication: how often to ask; not said: 10 seconds, for the whole table 1 hour.",
        examples=["30 seconds"],
    )
    slot_max_bytes: Size = Field(
        default=10**9,
        description="With replication: more of its log that the server keeps for us is warned of.",
        examples=["5GB"],
    )
    slot_max_age: Duration = Field(
        default=DAY, description="With replication: so long without a reader is warned of.", examples=["6 hours"]
    )

    @field_validator("cursor", "overlap", "poll_interval")
    @classmethod
    def _asks(cls, value: T, info: ValidationInfo) -> T:
        return only_with(value, info, "cdc_enabled", {False})

    @field_validator("cursor", "overlap")
    @classmethod
    def _asks_for_changes(cls, value: T, info: ValidationInfo) -> T:
        return only_with(value, info, "change_detection", {True})

    @field_validator("overlap")
    @classmethod
    def _overlaps_something(cls, value: T, info: ValidationInfo) -> T:
        if info.data.get("cursor", "") is None:
            raise wrong("`overlap` does nothing without `cursor`", "leave it out, or say `cursor`")
        return value

    @field_validator("slot_max_bytes", "slot_max_age")
    @classmethod
    def _has_a_slot(cls, value: T, info: ValidationInfo) -> T:
        return only_with(value, info, "cdc_enabled", {True})


def _options(stream: Stream) -> DatabaseOptions:
    return DatabaseOptions.model_construct(**stream.options)


def _inserts_only(options: DatabaseOptions) -> bool:
    return options.cdc_enabled and not options.change_detection


def _interval(options: DatabaseOptions) -> int:
    return options.poll_interval or (_CHANGES_EVERY if options.change_detection else _WHOLE_EVERY)


def _way(options: DatabaseOptions) -> database_polling.Way:
    if not options.change_detection:
        return "snapshot"
    return "cursor" if options.cursor else "hash"


def _receiver(stream: Stream, context: SourceContext, changes: ChangeLog) -> Receiver:
    options = _options(stream)
    if options.cdc_enabled:
        return database_cdc.ReplicationReceiver(
            stream.name, context, changes,
            table=options.table,
            bounds=database_cdc.Bounds(options.slot_max_bytes, options.slot_max_age),
            whole=options.change_detection,
        )  # fmt: skip
    way = _way(options)
    return database_polling.PollingReceiver(
        stream.name, context, changes,
        table=options.table,
        way=way,
        interval=_interval(options),
        cursor=options.cursor if way == "cursor" else None,
        overlap=options.overlap,
    )  # fmt: skip


class _Trimming:
    """A receiver whose log forgets, now and then, what the lake has held for a day.

    A lake that begins anew where the log has forgotten something needs the table anew.
    """

    def __init__(self, receiver: Receiver, changes: ChangeLog) -> None:
        self._receiver = receiver
        self._changes = changes
        self._begun = False
        self._trimmed_at = time.monotonic()

    def receive(self, seconds: float) -> bool:
        """See ``Receiver``."""
        return self._receiver.receive(seconds)

    def committed(self, offset: int) -> None:
        """See ``Receiver``."""
        log = self._changes.log
        if not self._begun and offset == 0 and log.start() > 0:
            self._changes.forget()
        self._begun = True
        self._receiver.committed(offset)
        if time.monotonic() - self._trimmed_at > _TRIM_EVERY:
            self._trimmed_at = time.monotonic()
            log.trim(time.time_ns() // 1000 - _KEPT, through=offset)

    def behind(self) -> int | None:
        """See ``Receiver``."""
        return self._receiver.behind()

    def close(self) -> None:
        """See ``Receiver``."""
        self._receiver.close()


def inspect(stream: Stream, context: SourceContext) -> tuple[str, ...]:
    """What the slot holds too much of; UsageError where the table cannot be followed as the config says."""
    options = _options(stream)
    with closing(Database(context)) as database:
        if not options.cdc_enabled:
            database_polling.checked(database, options.table, options.cursor)
            return ()
        database_cdc.checked(database, options.table, whole=options.change_detection)
        return _slot_complaints(stream, context, database)


def _slot_complaints(stream: Stream, context: SourceContext, database: Database) -> tuple[str, ...]:
    options = _options(stream)
    changes = ChangeLog(context.log_folder, stream.name)
    with closing(changes.log):
        known = database_cdc.idle_time(changes)
    if known is None:
        return ()
    name, idle = known
    slot = database_slot.find(database, name)
    if slot is None:
        said = f"slot `{name}` of table `{options.table}` at {database.address} is gone"
        return (f"{said}: the next ingest makes another and reads the whole table anew",)
    return database_slot.complaints(
        database, slot, options.table, most=options.slot_max_bytes, idle=idle, longest=options.slot_max_age
    )


def _changes(stream: Stream, context: SourceContext) -> ChangeLog:
    return ChangeLog(context.log_folder, stream.name, inserts_only=_inserts_only(_options(stream)))


class DatabaseAdapter:
    """``source = "database"``."""

    name: str = "database"
    connection: str | None = "database"
    stand_in: str | None = "log"
    free_form: bool = True
    replay: bool = False
    event_time: str | None = None
    columns: tuple[tuple[str, str], ...] = ()
    options = DatabaseOptions
    inspect = staticmethod(inspect)

    def check_options(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Validated options of one stream."""
        return DatabaseOptions.model_validate(values).model_dump(mode="json")

    def stated(self, options: Mapping[str, Any]) -> Stated:
        """That records are changes of rows, and how often the table is asked."""
        said = DatabaseOptions.model_construct(**options)
        return Stated(changes=not _inserts_only(said), poll_interval=None if said.cdc_enabled else _interval(said))

    def open(self, stream: Stream, context: SourceContext) -> Source:
        """A source ready to read; the connection is made on first use."""
        changes = _changes(stream, context)
        reader = LogReader(stream.name, changes.log, changes.chunk)
        return ReceivedSource(reader, _Trimming(_receiver(stream, context, changes), changes))

    def lost(self, stream: Stream, context: SourceContext, position: int) -> bool:
        """Whether the log does not reach a position any more; of inserts alone no images are kept."""
        changes = _changes(stream, context)
        with closing(changes.log):
            return not _inserts_only(_options(stream)) and changes.log.end() < position

    def remember(self, stream: Stream, context: SourceContext, position: int, images: Mapping[str, bytes]) -> None:
        """Begin the log again at a position, and the whole table with it."""
        changes = _changes(stream, context)
        with closing(changes.log):
            changes.begin_again(position, images)

    def history(self, stream: Stream, context: SourceContext) -> Source:
        """What the stream's log still holds."""
        changes = _changes(stream, context)
        return LogHistory(LogReader(stream.name, changes.log, changes.chunk))


adapter = DatabaseAdapter()
