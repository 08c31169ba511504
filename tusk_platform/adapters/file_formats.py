"""Readers of one file each, which go on from an offset: lines of JSON, lines of CSV, rows of Parquet.

Offsets of line formats are byte offsets (of the unpacked file): a restart seeks there, and what is appended later goes
on from there. Offsets of Parquet are row numbers: a restart skips whole row groups.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BufferedIOBase
from itertools import accumulate
from pathlib import Path
from typing import IO, Final, Protocol, cast

import pyarrow as pa
import pyarrow.parquet as pq

from tusk_platform.errors import Refused, Unavailable, UsageError
from tusk_platform.ports import Chunk

_BOM: Final = b"\xef\xbb\xbf"
# Beyond this a line is cut: the border refuses it as too large anyway, but must not need the memory for it.
_LONGEST_LINE: Final = 4 * 2**20
_ROWS_AT_ONCE: Final = 8_192
_MOST_LINES: Final = 4_096
_FEWEST_LINES: Final = 8


@dataclass(frozen=True, slots=True)
class Taken:
    """Records of one file in order, and whether the file ends after them."""

    chunks: tuple[Chunk, ...]
    ended: bool

    @property
    def rows(self) -> int:
        """Number of records."""
        return sum(len(c.offsets) for c in self.chunks)


class Reader(Protocol):
    """One open file."""

    def take(self, offset: int, rows: int) -> Taken:
        """At most so many records from an offset on."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """A file and how it is read. ``growing``: a last line without its end is still being written."""

    partition: str
    path: Path
    growing: bool = False
    delimiter: str = ","


class Lines:
    """The lines of a file, packed or not, with their byte offsets."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._packed = place.path.suffix == ".gz"
        opened = gzip.open(place.path) if self._packed else place.path.open("rb")  # noqa: SIM115 - closed by close
        self._file = cast(BufferedIOBase | IO[bytes], opened)
        self.at = 0

    def seek(self, offset: int) -> None:
        """Go to an offset; Refused where the file is shorter than that."""
        if offset == self.at:
            return
        # Beyond the end an ordinary file can be sought, a packed one cannot.
        size = self._file.seek(offset) if self._packed else self._file.seek(0, 2)
        if size < offset:
            raise Refused(
                f"file {self._place.path} ends at byte {size} but was already read up to {offset}: it was cut or "
                f"replaced. Give what is new a name of its own"
            )
        self.at = self._file.seek(offset)

    def next(self) -> bytes:
        """The next line with its end, empty at the end of the file. A line still being written does not show."""
        try:
            line = self._file.readline(_LONGEST_LINE)
        except (EOFError, zlib.error) as error:
            raise Unavailable(f"file {self._place.path} is packed and not whole (yet)") from error
        self.at += len(line)
        if line.endswith(b"\n"):
            return line
        if len(line) == _LONGEST_LINE:
            self._skip_rest_of_line()
            return line
        if self._place.growing and line:
            self.at -= len(line)
            self._file.seek(self.at)
            return b""
        return line

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _skip_rest_of_line(self) -> None:
        while rest := self._file.readline(_LONGEST_LINE):
            self.at += len(rest)
            if rest.endswith(b"\n"):
                return


class JsonLines:
    """A file with one JSON object a line. Lines are not looked into: what is broken is for the border to judge."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._lines = Lines(place)

    def take(self, offset: int, rows: int) -> Taken:
        """At most so many lines; blank ones are no records."""
        lines = self._lines
        lines.seek(offset)
        offsets: list[int] = []
        payloads: list[bytes | None] = []
        ended = False
        while len(offsets) < rows:
            start = lines.at
            try:
                line = lines.next()
            except Unavailable:
                if not offsets:
                    raise
                break  # what is whole comes first
            if not line:
                ended = True
                break
            payload = (line.removeprefix(_BOM) if start == 0 else line).rstrip(b"\r\n")
            if payload and not payload.isspace():
                offsets.append(start)
                payloads.append(payload)
        chunk = Chunk(self._place.partition, offsets, lines.at, payloads)
        return Taken((chunk,) if offsets else (), ended)

    def close(self) -> None:
        """Let go of the file."""
        self._lines.close()


class _Feed:
    """Lines for the CSV parser, one by one as text or many as bytes; lines can be given back."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._again: deque[bytes] = deque()
        self.record: list[bytes] = []
        self.ended = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._lines.next()
        if not line:
            self.ended = True
            raise StopIteration
        self.record.append(line)
        return line.decode()

    def block(self, size: int) -> list[bytes]:
        """At most so many lines; what is not whole shows only where nothing stands before it."""
        block: list[bytes] = []
        while len(block) < size:
            try:
                line = self._again.popleft() if self._again else self._lines.next()
            except Unavailable:
                if not block:
                    raise
                break
            if not line:
                break
            block.append(line)
        return block

    def give_back(self, lines: Sequence[bytes]) -> None:
        """Have these lines again, before all others."""
        self._again.extendleft(reversed(lines))


class CsvLines:
    """A CSV file with a header. Values stay text: the stream's types decide what they are; an empty value is null.

    A record that is no CSV or has another number of values than the header is delivered as its bytes, with the reason.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._lines = Lines(place)
        self._names: list[str] = []
        self._begin = 0

    def take(self, offset: int, rows: int) -> Taken:
        """At most so many records after the header."""
        if not self._names and not self._read_header():
            return Taken((), ended=True)
        feed = _Feed(self._lines)
        runs = _Runs(self._place.partition, self._names, max(offset, self._begin))
        self._lines.seek(runs.end)
        size, ended = _MOST_LINES, False
        while runs.count < rows and not ended:
            try:
                block = feed.block(min(size, rows - runs.count))
                done = self._whole_records(block, runs)
                feed.give_back(block[done:])
                # Trouble makes the next blocks small: the lines after it are looked at twice.
                size = min(size * 2, _MOST_LINES) if done == len(block) else max(size // 4, _FEWEST_LINES)
                if done < len(block) or not block:
                    ended = self._one_record(feed, runs)
            except Unavailable:
                if not runs.count:
                    raise
                break
        # Lines that were looked at and given back are read again.
        self._lines.seek(runs.end)
        return Taken(runs.chunks(), ended)

    def _whole_records(self, block: list[bytes], runs: _Runs) -> int:
        """The records of a block up to the first that is not whole or no CSV; how many lines they are."""
        ends = list(accumulate(map(len, block), initial=runs.end))
        parser = csv.reader(map(bytes.decode, block), delimiter=self._place.delimiter, strict=True)
        done, width = 0, len(self._names)
        try:
            for fields in parser:
                first, done = done, parser.line_num
                if len(fields) == width:
                    runs.add(fields, ends[done])
                else:
                    runs.add_odd(fields, block[first:done], ends[done])
        except (csv.Error, UnicodeDecodeError):
            pass
        return done

    def _one_record(self, feed: _Feed, runs: _Runs) -> bool:
        """The next record, whatever it takes; true at the end of the file."""
        feed.record = []
        try:
            fields = next(csv.reader(feed, delimiter=self._place.delimiter, strict=True))
        except StopIteration:
            return True
        except (csv.Error, UnicodeDecodeError) as error:
            if feed.ended and self._place.growing:
                return True
            # Only its first line: what seemed to belong to it may be whole records.
            feed.give_back(feed.record[1:])
            first = feed.record[0]
            runs.add_broken(first, runs.end + len(first), f"no CSV: {error}")
            return False
        end = runs.end + sum(map(len, feed.record))
        if len(fields) == len(self._names):
            runs.add(fields, end)
        else:
            runs.add_odd(fields, feed.record, end)
        return False

    def close(self) -> None:
        """Let go of the file."""
        self._lines.close()

    def _read_header(self) -> bool:
        self._lines.seek(0)
        feed = _Feed(self._lines)
        try:
            parser = csv.reader(feed, delimiter=self._place.delimiter, strict=True)
            names = next((fields for fields in parser if fields), [])
        except (csv.Error, UnicodeDecodeError) as error:
            raise UsageError(f"file {self._place.path} does not begin with a CSV header: {error}") from error
        if not names:
            return False
        names[0] = names[0].removeprefix(_BOM.decode())
        names = [n.strip() for n in names]
        bad = next((n for i, n in enumerate(names) if not n or n in names[:i]), None)
        if bad is not None:
            what = f"names column `{bad}` twice" if bad else "has a column without a name"
            raise UsageError(f"the header of file {self._place.path} {what}; its first line must name each column once")
        self._names, self._begin = names, self._lines.at
        return True


class _Runs:
    """Good records and broken ones, gathered to chunks in the order of the file. ``end`` is where the next begins."""

    def __init__(self, partition: str, names: list[str], start: int) -> None:
        self._partition = partition
        self._names = names
        self._chunks: list[Chunk] = []
        self._offsets: list[int] = []
        self._rows: list[list[str]] = []
        self.end = start
        self.count = 0

    def add(self, fields: list[str], end: int) -> None:
        """A record with as many values as there are columns."""
        self._offsets.append(self.end)
        self._rows.append(fields)
        self.end = end
        self.count += 1

    def add_odd(self, fields: list[str], lines: Sequence[bytes], end: int) -> None:
        """A record with another number of values: broken, or only a blank line."""
        if fields:
            self.add_broken(b"".join(lines), end, f"{len(fields)} values for {len(self._names)} columns")
        self.end = end

    def add_broken(self, raw: bytes, end: int, reason: str) -> None:
        """A record that goes to quarantine as it is."""
        self._flush()
        self._chunks.append(Chunk(self._partition, [self.end], end, [raw.rstrip(b"\r\n")], broken=reason))
        self.end = end
        self.count += 1

    def chunks(self) -> tuple[Chunk, ...]:
        """All of them."""
        self._flush()
        return tuple(self._chunks)

    def _flush(self) -> None:
        if not self._rows:
            return
        columns = [pa.array([v or None for v in values], pa.string()) for values in zip(*self._rows, strict=True)]
        table = pa.table(columns, names=self._names)
        self._chunks.append(Chunk(self._partition, self._offsets, self.end, rows=table))
        self._offsets, self._rows = [], []


class ParquetRows:
    """The rows of a Parquet file."""

    def __init__(self, place: Place) -> None:
        self._place = place
        try:
            self._file = pq.ParquetFile(place.path)
        except pa.ArrowInvalid as error:
            raise UsageError(f"file {place.path} is no Parquet file: {error}") from error
        self.count: int = self._file.metadata.num_rows
        self._batches: Iterator[pa.RecordBatch] = iter(())
        self._rest: pa.RecordBatch | None = None
        self._at = -1

    def take(self, offset: int, rows: int) -> Taken:
        """At most so many rows."""
        if offset > self.count:
            raise Refused(
                f"file {self._place.path} has {self.count} rows but was already read up to {offset}: it was replaced. "
                f"Give what is new a name of its own"
            )
        if offset != self._at:
            self._go_to(offset)
        parts: list[pa.RecordBatch] = []
        while rows and (rest := self._rest or next(self._batches, None)) is not None:
            part = rest.slice(0, rows)
            rows -= part.num_rows
            parts.append(part)
            left = rest.num_rows - part.num_rows
            self._rest = rest.slice(part.num_rows) if left else None
        if not parts:
            return Taken((), ended=True)
        table = _plain(pa.Table.from_batches(parts))
        self._at = offset + table.num_rows
        chunk = Chunk(self._place.partition, range(offset, self._at), self._at, rows=table)
        return Taken((chunk,) if table.num_rows else (), self._at == self.count)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _go_to(self, offset: int) -> None:
        group, before = 0, 0
        while group < self._file.num_row_groups:
            size = self._file.metadata.row_group(group).num_rows
            if before + size > offset:
                break
            before += size
            group += 1
        groups = list(range(group, self._file.num_row_groups))
        self._batches = self._file.iter_batches(batch_size=_ROWS_AT_ONCE, row_groups=groups) if groups else iter(())
        self._rest, skip = None, offset - before
        while skip and (batch := next(self._batches, None)) is not None:
            passed = min(skip, batch.num_rows)
            skip -= passed
            self._rest = batch.slice(passed) if passed < batch.num_rows else None
        self._at = offset


def _plain(table: pa.Table) -> pa.Table:
    """The table without dictionaries: how a writer packed its texts is none of the reader's business."""
    fields = [f.with_type(f.type.value_type) if pa.types.is_dictionary(f.type) else f for f in table.schema]
    return table.cast(pa.schema(fields))
