"""A replication slot and its publication: made, looked at, read, confirmed. What a slot holds is the server's disk.

The client library's own replication cursor is not used: it confirms positions by itself while nothing is read, and
then nobody could tell a slot that is fine from one that has lost what we had not stored.
"""

from __future__ import annotations

import select
import time
from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING, Final

from tusk_platform.adapters.database import (
    APPLICATION,
    LONG,
    Database,
    Table,
    address,
    conninfo,
    gone,
    in_words,
    lsn_number,
    lsn_text,
    quoted,
)
from tusk_platform.adapters.database_limits import result_of
from tusk_platform.core.formats import Unit
from tusk_platform.errors import Unavailable, UsageError
from tusk_platform.ports import SourceContext

if TYPE_CHECKING:
    from psycopg.pq import abc

_SLOT: Final = """
    select plugin, database = current_database(), active_pid, wal_status,
           restart_lsn::text, confirmed_flush_lsn::text,
           (case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end
            - restart_lsn)::bigint
    from pg_replication_slots where slot_name = %s
"""
_PUBLISHED: Final = """
    select p.pubinsert and p.pubupdate and p.pubdelete and p.pubtruncate,
           p.puballtables or exists (select from pg_publication_rel r where r.prpubid = p.oid and r.prrelid = %s),
           p.oid::bigint
    from pg_publication p where p.pubname = %s
"""
_PUBLISHES: Final = "publish = 'insert, update, delete, truncate'"
_DATA: Final = Struct("!QQq")
_KEEPALIVE: Final = Struct("!QqB")
_STATUS: Final = Struct("!cQQQqB")
_GRANT: Final = "It takes `alter role ... replication`, and `wal_level = logical` on the server"
_EPOCH_2000: Final = 946_684_800
_KIND_AT: Final = 25
_PAGE, _PAGE_HEADERS = 8192, 40
# Seconds: until a connection that is ended has let go of its slot, and between two looks at it.
_LETS_GO: Final = 5.0
_LOOK_AGAIN: Final = 0.02


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot as the server shows it: ``held`` are the bytes of its log that it keeps for us."""

    name: str
    active_pid: int | None
    lost: bool
    confirmed: int
    held: int


def publication_name(table: Table) -> str:
    """The publication of a table, the same for everybody who follows it."""
    return f"tusk_{table.schema}_{table.name}"[:63]


def publish(database: Database, table: Table) -> int:
    """The number of the table's publication, made if it is missing; UsageError with the SQL for who may make it."""
    name = publication_name(table)
    making = f"create publication {quoted(name)} for table {table.quoted} with ({_PUBLISHES})"
    found = database.rows(_PUBLISHED, table.oid, name)
    if found and not all(found[0][:2]):
        raise UsageError(
            f"publication `{name}` at {database.address} does not publish all changes of `{table.name}`: "
            f"`drop publication {quoted(name)}; {making}`"
        )
    if not found:
        from psycopg import sql

        try:
            database.rows(
                sql.SQL("create publication {} for table {} with (" + _PUBLISHES + ")").format(
                    sql.Identifier(name), sql.Identifier(table.schema, table.name)
                )
            )
        except UsageError as error:
            raise UsageError(f"{error}. The owner of the table can: `{making}`") from error
        found = database.rows(_PUBLISHED, table.oid, name)
    return int(found[0][2])


def find(database: Database, name: str) -> Slot | None:
    """The slot of that name; None where there is none, or one that is not ours to read."""
    found = database.rows(_SLOT, name)
    if not found or found[0][0] != "pgoutput" or not found[0][1]:
        return None
    _, _, active, status, restart, confirmed, held = found[0]
    lost = restart is None or status == "lost"
    return Slot(name, active, lost, lsn_number(confirmed) if confirmed else 0, held or 0)


def make(database: Database, name: str) -> int:
    """Make the slot anew; the position from which on all that is committed will come out of it."""
    take_over(database, name)
    drop(database, name)
    try:
        making = "select lsn::text from pg_create_logical_replication_slot(%s, 'pgoutput')"
        [lsn] = database.row(making, name, limit=LONG)
    except UsageError as error:
        raise UsageError(f"{error}. {_GRANT}") from error
    return lsn_number(str(lsn))


def drop(database: Database, name: str) -> None:
    """Remove the slot; Unavailable while somebody reads from it."""
    for (active,) in database.rows("select active_pid from pg_replication_slots where slot_name = %s", name):
        if active is not None:
            raise in_use(database, name, active)
        database.rows("select pg_drop_replication_slot(%s)", name)


def take_over(database: Database, name: str) -> None:
    """End another connection of ours that reads from the slot; nothing where nobody does, or somebody else.

    For whoever alone may read now: the others of this platform left theirs open for their next turn.
    """
    ended = """
        select pg_terminate_backend(a.pid) from pg_replication_slots s join pg_stat_activity a on a.pid = s.active_pid
        where s.slot_name = %s and a.application_name = %s and a.usename = current_user
    """
    deadline = time.monotonic() + _LETS_GO
    while database.rows(ended, name, APPLICATION):
        if time.monotonic() > deadline:
            return  # starting to read will say who holds it
        time.sleep(_LOOK_AGAIN)


def in_use(database: Database, name: str, pid: int) -> Unavailable:
    """What to raise where another reads from the slot."""
    return Unavailable(f"slot `{name}` at {database.address} is being read by another connection (process {pid} there)")


def complaints(database: Database, slot: Slot, table: str, *, most: int, idle: int, longest: int) -> tuple[str, ...]:
    """What is wrong with what the slot holds, with what to do; ``idle`` microseconds since we last took something."""
    found: list[str] = []
    size = Unit("bytes")
    way_out = (
        f"run ingest, so that it catches up; if nobody follows the table any more, let it go: "
        f"`select pg_drop_replication_slot('{slot.name}')`"
    )
    if slot.lost:
        found.append(
            f"slot `{slot.name}` of table `{table}` at {database.address} has lost changes, as the server keeps no "
            f"more for it (`max_slot_wal_keep_size`): the next ingest reads the whole table anew"
        )
    if slot.held > most:
        found.append(
            f"slot `{slot.name}` of table `{table}` makes {database.address} keep {size.write(slot.held)} of its log, "
            f"more than slot_max_bytes = {size.write(most)}: {way_out}"
        )
    if idle > longest:
        found.append(
            f"slot `{slot.name}` of table `{table}` at {database.address} was not read from for "
            f"{Unit('duration').write(idle // 1_000_000)}, longer than slot_max_age allows: {way_out}"
        )
    return tuple(found)


class Replication:
    """The stream of a slot. What is read is confirmed by ``confirm`` alone."""

    def __init__(self, context: SourceContext, slot: str, publication: str, start: int) -> None:
        self._context = context
        self._confirmed = 0
        self._told_at = time.monotonic()
        # How far the server has looked: all that was committed before it has come out.
        self.sent = 0
        self._connection = self._started(slot, publication, start)
        self._poll = select.poll()
        self._poll.register(self._connection.socket, select.POLLIN)

    @property
    def idle(self) -> float:
        """Seconds since the server last heard of us."""
        return time.monotonic() - self._told_at

    def read(self, seconds: float, position: int) -> bytes | None:
        """The next message of the plug-in; None where none comes within the time, or up to a position."""
        import psycopg

        deadline = time.monotonic() + seconds
        try:
            while (data := self._next()) is None:
                left = max(0.0, deadline - time.monotonic())
                if self.reached(position) or not (self._poll.poll(left * 1000) or left):
                    return None
                self._connection.consume_input()
        except psycopg.OperationalError as error:
            raise gone(self._context, self._connection) from error
        return data

    def confirm(self, lsn: int) -> None:
        """Everything before is safe with us: the server may forget it."""
        self._confirmed = max(self._confirmed, lsn)
        self._tell()

    def ask(self) -> None:
        """Have the server say how far it has looked."""
        self._tell(answer=True)

    def reached(self, position: int) -> bool:
        """Whether all that was committed before a position has come out.

        A record that ends with a page of the log is followed by the header of the next, where nothing can be.
        """
        ahead = position - self.sent
        return ahead <= 0 or (self.sent % _PAGE == 0 and ahead <= _PAGE_HEADERS)

    def close(self) -> None:
        """End the stream."""
        self._connection.finish()

    def _started(self, slot: str, publication: str, start: int) -> abc.PGconn:
        import psycopg
        from psycopg import pq

        connection = pq.PGconn.connect(conninfo(self._context, replication="database").encode())
        if connection.status != pq.ConnStatus.OK:
            problem = in_words(self._context, psycopg.OperationalError(connection.get_error_message()))
            raise problem if isinstance(problem, Unavailable) else UsageError(f"{problem}. {_GRANT}")
        names = publication.replace('"', '""').replace("'", "''")
        try:
            started = result_of(
                connection,
                f'START_REPLICATION SLOT "{slot}" LOGICAL {lsn_text(start)} '
                f"(proto_version '1', publication_names '\"{names}\"')",
            )
            # A server that takes nothing must not hold us up where we only say that we are there.
            connection.nonblocking = 1
        except psycopg.OperationalError as error:
            connection.finish()
            raise in_words(self._context, error) from error
        if started.status != pq.ExecStatus.COPY_BOTH:
            connection.finish()
            raise Unavailable(
                f"slot `{slot}` at {address(self._context)} cannot be read just now: "
                f"{started.get_error_message().removeprefix('ERROR:').strip()}"
            )
        return connection

    def _next(self) -> bytes | None:
        while True:
            length, data = self._connection.get_copy_data(1)
            if length == 0:
                return None
            if length < 0:
                raise gone(self._context, self._connection)
            message = bytes(data)
            if message[0] == 119:  # w: data of the plug-in
                self.sent = max(self.sent, _DATA.unpack_from(message, 1)[0])
                return message[_KIND_AT:]
            if message[0] == 107:  # k: keepalive
                sent, _, wants_answer = _KEEPALIVE.unpack_from(message, 1)
                self.sent = max(self.sent, sent)
                if wants_answer:
                    self._tell()

    def _tell(self, *, answer: bool = False) -> None:
        import psycopg

        now = int((time.time() - _EPOCH_2000) * 1_000_000)
        lsn = self._confirmed
        try:
            self._connection.put_copy_data(_STATUS.pack(b"r", lsn, lsn, lsn, now, answer))
            self._connection.flush()
        except psycopg.OperationalError as error:
            raise gone(self._context, self._connection) from error
        self._told_at = time.monotonic()
