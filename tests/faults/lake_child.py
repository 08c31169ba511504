"""A process that does one thing to a lake or a log and says what came of it: what the fault tests kill or starve."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import pyarrow as pa

from tusk_platform.errors import TuskError
from tusk_platform.storage.compaction import compact
from tusk_platform.storage.lake import Lake
from tusk_platform.storage.log import EventLog


def compact_table(root: str) -> str:
    """Merge the files of the table `t`."""
    report = compact(Lake(root), "t")
    return f"{report.before} {report.after}"


def publish(folder: str, first: str) -> str:
    """Append ten events to the log of `orders`, each with a key."""
    names = [f"e{n}" for n in range(int(first), int(first) + 10)]
    start, end = EventLog(Path(folder), "orders").append([n.encode() for n in names], producer="shop", keys=names)
    return f"{start} {end}"


def append(root: str, limit: str, *counts: str) -> str:
    """Append so many rows, one commit after the other, where no file can grow beyond a limit; what each one said."""
    handle = Lake(root).open("t")
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), resource.RLIM_INFINITY))
    said = []
    for number, count in enumerate(counts, 1):
        rows = pa.table({"number": range(int(count)), "text": [f"{n * 7919 % 10007:x}" for n in range(int(count))]})
        try:
            handle.append(rows, {"s/0": number, **{f"app {n}": number for n in range(20)}})
            said.append("ok")
        except TuskError as error:
            said.append(f"{type(error).__name__}: {error}")
    return "\n".join(said)


def main(command: str, *arguments: str) -> str:
    """Do what the command line says."""
    match command:
        case "compact":
            return compact_table(*arguments)
        case "publish":
            return publish(*arguments)
        case _:
            return append(*arguments)


if __name__ == "__main__":
    sys.stdout.write(main(*sys.argv[1:]) + "\n")
