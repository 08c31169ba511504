"""One table at the version a writer read, and the commits that are only made if nobody got in between.

Measured with deltalake 1.6.6, and why this module is as it is:

- A commit whose transaction id another writer used since the handle was opened is refused ("Concurrent transaction
  failed"), whatever the versions; a fresh handle accepts an equal or lower version. So positions are read and written
  through one handle.
- An append is refused when another writer deleted rows or changed columns meanwhile, a compaction does not disturb it.
- A commit that removes files is accepted though another one removed the same files: two compactions at once double the
  rows, delta-rs's own ``optimize`` too. So every commit that removes files uses the id ``REWRITES``.
- Commits that the log no longer holds are not overlooked: "Invalid table version".
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Transaction
from deltalake.exceptions import DeltaError
from deltalake.schema import Schema
from deltalake.transaction import AddAction, RemoveAction

from tusk_platform.errors import Conflict, Unavailable
from tusk_platform.plan.profile import Compression
from tusk_platform.storage.choosing import Chooser
from tusk_platform.storage.failures import STORE_ERRORS, explained, reason
from tusk_platform.storage.faultpoints import reach
from tusk_platform.storage.files import ROW_GROUP, Folder, Layout, write, write_file

if TYPE_CHECKING:
    import pyarrow.dataset as pa_dataset

# The transaction id of every commit that removes files.
REWRITES: Final = "_rewrites"
# Deletes and changes of columns by others that one commit survives.
_ATTEMPTS: Final = 8
# Looking for expired log entries costs a listing of the log, so only now and then a commit does it.
_CLEAN_EVERY: Final = 100
_STATISTICS: Final = "delta.dataSkippingStatsColumns"


@dataclass(frozen=True, slots=True)
class DataFile:
    """A data file that a table consists of. ``written`` is in milliseconds UTC."""

    path: str
    size: int
    rows: int
    written: int
    partition: tuple[tuple[str, Any], ...]


Actions = Sequence[AddAction | RemoveAction]


class Handle:
    """A table as of the commit that was read when it was opened; for one writer, in one thread.

    After an own commit it stands at that commit. After a Conflict it is of no more use: open another one.
    """

    def __init__(self, name: str, path: str, options: Mapping[str, str] | None, compression: Compression) -> None:
        self.name = name
        self._path = path
        self._options = dict(options or {}) or None
        self._compression = compression
        self._known: dict[str, int | None] = {}
        # Whether the handle may have seen commits of others that its reader has not.
        self._doubtful = False
        self._refusal = ""
        self._load()

    @property
    def version(self) -> int:
        """Number of the commit at which the table stands."""
        return self.delta.version()

    @property
    def schema(self) -> pa.Schema:
        """The table's columns."""
        return self.layout.schema

    def transaction(self, app: str) -> int | None:
        """The version last committed under a transaction id, None where there is none."""
        if app not in self._known:
            try:
                self._known[app] = self.delta.transaction_version(app)
            except DeltaError:
                # It is read from the log, which may have been shortened beyond this handle meanwhile.
                self._doubtful = True
                self._load()
                self._check()
                self._known[app] = self.delta.transaction_version(app)
        return self._known[app]

    def append(self, rows: pa.Table, transactions: Mapping[str, int]) -> None:
        """One commit: rows added, versions set. Conflict when another writer was first."""
        with explained(f"writing to {self.name}"):
            added = self._write(rows)
        self._commit(lambda: added, transactions)

    def replace(
        self, rows: pa.Table, predicate: str, transactions: Mapping[str, int], *, among: pa.Table | None = None
    ) -> None:
        """One commit: rows that match removed, rows added, versions set. Conflict when another writer was first.

        The predicate is SQL in the words that DuckDB and delta-rs share: times as strings with their offset. Rows that
        others append meanwhile stay, even where they match. ``among``: only rows with the values of one of its rows.
        """
        added: list[AddAction] = []

        def plan() -> Actions:
            removal = self._removal(predicate, among)
            added.extend(self._write(rows) if not added else ())
            return [*removal, *added]

        self._commit(plan, transactions)

    def delete(self, predicate: str, transactions: Mapping[str, int]) -> None:
        """One commit: rows that match removed, versions set; without either, none."""
        self.replace(self.schema.empty_table(), predicate, transactions)

    def overwrite(self, rows: pa.Table, transactions: Mapping[str, int]) -> None:
        """One commit: all rows and columns of the table replaced by these, versions set. Conflict as in ``replace``."""
        layout = replace(self.layout, schema=rows.schema)
        with explained(f"writing to {self.name}"):
            added = write(self.folder, layout, rows)
        for app in (*transactions, REWRITES):
            self.transaction(app)
        versions = {**transactions, REWRITES: self.version + 1}
        self._check()
        reach("in_migration")
        try:
            self.delta.create_write_transaction(
                list(added),
                "overwrite",
                Schema.from_arrow(rows.schema),
                list(layout.partitions),
                commit_properties=_properties(versions),
            )
        except STORE_ERRORS as error:
            # The next reader finds whichever of the two came about; nothing here may be used any more.
            raise Conflict(f"{self.name} could not be replaced: {reason(error)}") from error
        self._known.update(versions)
        self._load()

    def files(self) -> tuple[DataFile, ...]:
        """The files that the table consists of."""
        found = pa.table(self.delta.get_add_actions(flatten=True)).to_pylist()
        return tuple(
            DataFile(
                path=row["path"],
                size=row["size_bytes"],
                rows=row["num_records"] or 0,
                written=row["modification_time"],
                partition=tuple((name, row[f"partition.{name}"]) for name in self.layout.partitions),
            )
            for row in found
        )

    def merge(self, files: Sequence[DataFile]) -> None:
        """One commit: one file of the same rows, in the files' order, in place of several of one partition.

        Conflict when another commit that removes files was first; appenders are not disturbed.
        """
        with explained(f"compacting {self.name}"):
            fragments = {fragment.path: fragment for fragment in self._dataset(None).get_fragments()}
            if not all(f.path in fragments for f in files):
                raise self._rewritten()
            pieces = self._pieces([fragments[f.path] for f in files])
            merged = write_file(self.folder, self.layout, dict(files[0].partition), pieces, new=False)
            reach("in_compaction")
        replaced = {f.path for f in files}
        actions: list[AddAction | RemoveAction] = [*(_removed(f, data_change=False) for f in files), merged]
        for _ in range(_ATTEMPTS):
            if self._made(actions, {}):
                return
            if not replaced <= {f.path for f in self.files()}:
                break
        self.folder.forget([merged.path])
        raise self._rewritten()

    def _load(self) -> None:
        with explained(f"opening {self.name}"):
            self.delta = DeltaTable(self._path, storage_options=self._options)
            self._lay_out()
            self.folder = Folder(self.delta, self._path, self._options)

    def _lay_out(self) -> None:
        metadata = self.delta.metadata()
        statistics = metadata.configuration.get(_STATISTICS, "")
        self._delta_schema = self.delta.schema()
        self.layout = Layout(
            schema=pa.schema(self._delta_schema.to_arrow()),
            partitions=tuple(metadata.partition_columns),
            statistics=tuple(name for name in statistics.split(",") if name),
            compression=self._compression,
        )

    def _rewritten(self) -> Conflict:
        return Conflict(f"{self.name} was rewritten by another process meanwhile")

    def _write(self, rows: pa.Table) -> list[AddAction]:
        return write(self.folder, self.layout, self.layout.conform(rows, self.name))

    def _commit(self, plan: Callable[[], Actions], transactions: Mapping[str, int]) -> None:
        """Commit what ``plan`` finds to do, once more on the newest version where others changed nothing we know of."""
        for app in transactions:
            self.transaction(app)
        for attempt in range(_ATTEMPTS):
            self._check()
            with explained(f"writing to {self.name}"):
                actions = plan()
                if not actions and not transactions:
                    return
                if actions:
                    reach("inside_write")
            if self._made(actions, transactions):
                return
            time.sleep(0.01 * attempt)
        raise Unavailable(f"writing to {self.name}: {self._refusal} ({_ATTEMPTS} attempts)")

    def _made(self, actions: Actions, transactions: Mapping[str, int]) -> bool:
        """Whether the commit was accepted, and if not, the handle at the newest version for the next attempt.

        Conflict where another writer changed what was read here, Unavailable where the store failed.
        """
        versions = dict(transactions)
        if any(isinstance(action, RemoveAction) for action in actions):
            versions[REWRITES] = self.version + 1
        clean = None if (self.version + 1) % _CLEAN_EVERY == 0 else False
        try:
            self.delta.create_write_transaction(
                list(actions),
                "append",
                self._delta_schema,
                list(self.layout.partitions),
                commit_properties=_properties(versions),
                post_commithook_properties=PostCommitHookProperties(cleanup_expired_logs=clean),
            )
        except STORE_ERRORS as error:
            if not self._landed(error, actions):
                return False
        self._advance(transactions)
        return True

    def _landed(self, error: Exception, actions: Actions) -> bool:
        """After a failed commit: whether it was made all the same. A checkpoint after it may be what failed."""
        added = [action.path for action in actions if isinstance(action, AddAction)]
        # From here on the handle stands at a commit that its reader may not know: _check decides before the next one.
        self._doubtful = True
        self._refusal = reason(error)
        self._load()
        if added and added[0] in {f.path for f in self.files()}:
            return True
        if self._changed():
            self.folder.forget(added)
            raise Conflict(f"another writer was first in {self.name}; read its position again") from error
        # delta-rs speaks for itself where others were first or the log was shortened, and for the store by OSError.
        if isinstance(error, OSError):
            self.folder.forget(added)
            raise Unavailable(f"writing to {self.name}: {self._refusal}") from error
        return False

    def _advance(self, transactions: Mapping[str, int]) -> None:
        """Stand at the own commit. It is made, so nothing that fails from here on may look like a failed commit."""
        before = self.version
        self._known.update(transactions)
        try:
            self.delta.update_incremental()
        except STORE_ERRORS:
            self._doubtful = True
            return
        if self.version == before + 1:
            with suppress(OSError):
                self.folder.settle(f"_delta_log/{self.version:020}.json")
        else:
            self._doubtful = True
            self._lay_out()

    def _check(self) -> None:
        """Conflict if the handle has moved past a commit that changed what its reader knows."""
        if self._doubtful and self._changed():
            raise Conflict(f"another writer was first in {self.name}; read its position again")
        self._doubtful = False

    def _changed(self) -> bool:
        def differs() -> bool:
            return any(self.delta.transaction_version(app) != version for app, version in self._known.items())

        try:
            return differs()
        except DeltaError:
            self._load()  # the log was shortened beyond this handle
            return differs()

    def _removal(self, predicate: str, among: pa.Table | None) -> list[AddAction | RemoveAction]:
        """What removes the rows that match: files go whole, and the rows to keep of a mixed one into one of their own.

        The kept rows are not put together with new ones, so that the next replacement of the newest rows finds small
        files: 30 ms also where a day has millions of rows.
        """
        import pyarrow.dataset as pa_dataset  # noqa: PLC0415 - brings pandas, a second that appending need not wait

        actions: list[AddAction | RemoveAction] = []
        candidates = self._candidates(predicate)
        known = {f.path: f for f in self.files()} if candidates else {}
        with closing(Chooser(self.name, predicate, among)) as chooser:
            for fragment in candidates:
                rows = pa_dataset.FileSystemDataset([fragment], self.schema, fragment.format, fragment.filesystem)
                total, matching = chooser.count(rows)
                if not matching:
                    continue
                file = known[fragment.path]
                actions.append(_removed(file))
                if matching < total:
                    rest = (self.layout.conform(piece, self.name) for piece in chooser.rest(rows))
                    actions.append(write_file(self.folder, self.layout, dict(file.partition), rest))
        return actions

    def _candidates(self, predicate: str) -> list[pa_dataset.Fragment]:
        """Files that may hold rows that match: those the log's statistics do not rule out."""
        try:
            return list(self._dataset(predicate).get_fragments())
        except DeltaError:
            return list(self._dataset(None).get_fragments())  # words of SQL that only DuckDB has

    def _dataset(self, predicate: str | None) -> pa_dataset.FileSystemDataset:
        return self.delta.to_pyarrow_dataset(
            filesystem=self.folder.files, schema=self.schema, file_pruning_predicate=predicate
        )

    def _pieces(self, fragments: Sequence[pa_dataset.Fragment]) -> Iterator[pa.Table]:
        """The rows of some files, in pieces of a row group."""
        waiting: list[pa.Table] = []
        rows = 0
        for fragment in fragments:
            for batch in fragment.to_batches(schema=self.schema, batch_size=ROW_GROUP):
                waiting.append(pa.table(batch).cast(self.schema))
                rows += batch.num_rows
                if rows >= ROW_GROUP:
                    yield pa.concat_tables(waiting).combine_chunks()
                    waiting, rows = [], 0
        if waiting:
            yield pa.concat_tables(waiting).combine_chunks()


def _properties(versions: Mapping[str, int]) -> CommitProperties:
    return CommitProperties(app_transactions=[Transaction(app, version) for app, version in versions.items()])


def _removed(file: DataFile, *, data_change: bool = True) -> RemoveAction:
    values = {name: None if value is None else str(value) for name, value in file.partition}
    return RemoveAction(file.path, data_change, time.time_ns() // 1_000_000, file.size, values)
