"""A process that reads a stream of files into a database of its own until it is killed: rows and position at once."""

from __future__ import annotations

import json
import sqlite3
import sys
from pathlib import Path

from tests.fakes.streams import a_stream
from tusk_platform.adapters.source_file import adapter
from tusk_platform.ports import Budget, SourceContext


def read(folder: Path, path: str, *, until_ended: bool) -> None:
    """Read from where the database says, a transaction a batch."""
    options = adapter.check_options({"path": path, "format": "ndjson", "live": True})
    source = adapter.open(a_stream(source="file", options=options), SourceContext({}, folder, folder / "state"))
    with sqlite3.connect(folder / "state" / "kept.db", isolation_level=None) as kept:
        kept.execute("create table if not exists line (partition text, at integer, n integer)")
        kept.execute("create table if not exists position (partition text primary key, at integer)")
        while True:
            position = dict(kept.execute("select partition, at from position"))
            batch = source.read(position, Budget(50, 0.05))
            kept.execute("begin")
            for c in batch.chunks:
                numbers = [json.loads(p or b"")["n"] for p in c.payloads or ()]
                lines = [(c.partition, o, n) for o, n in zip(c.offsets, numbers, strict=True)]
                kept.executemany("insert into line values (?, ?, ?)", lines)
                kept.execute("insert or replace into position values (?, ?)", (c.partition, c.next_offset))
            kept.execute("commit")
            if until_ended and not batch.rows and batch.at_end >= set(source.partitions()):
                break
    kept.close()
    source.close()


if __name__ == "__main__":
    read(Path(sys.argv[1]), sys.argv[2], until_ended=False)
