"""A process that writes numbered lines to a log and rotates it: ``python -m tests.faults.write_rotated ...``."""

from __future__ import annotations

import gzip
import logging
import logging.handlers
import shutil
import sys
import time
from pathlib import Path

LINES_A_FILE = 60
PAUSE = 0.002


def renaming(path: Path, count: int, backups: int) -> None:
    """As Python's own handler does it: the old file gets another name, and another file takes its place."""
    handler = logging.handlers.RotatingFileHandler(path, maxBytes=LINES_A_FILE * 20, backupCount=backups)
    handler.setFormatter(logging.Formatter('{"n": %(message)s}'))
    logger = logging.Logger("numbers")
    logger.addHandler(handler)
    for number in range(count):
        logger.info(10**8 + number)
        time.sleep(PAUSE)
    handler.close()


def copying(path: Path, count: int, backups: int) -> None:
    """As logrotate's `copytruncate` does it: the old lines are copied away, packed later, and the file is emptied."""
    with path.open("ab", buffering=0) as file:
        for number in range(count):
            file.write(b'{"n": %d}\n' % (10**8 + number))
            if number % LINES_A_FILE == LINES_A_FILE - 1:
                _shift(path, backups)
                shutil.copyfile(path, f"{path}.1")
                file.truncate(0)
            time.sleep(PAUSE)


def _shift(path: Path, backups: int) -> None:
    for number in range(backups - 1, 0, -1):
        for ending in ("", ".gz"):
            old = Path(f"{path}.{number}{ending}")
            if old.exists():
                old.replace(f"{path}.{number + 1}{ending}")
    second = Path(f"{path}.2")
    if second.exists():
        with second.open("rb") as plain, gzip.open(f"{path}.2.gz", "wb") as packed:
            shutil.copyfileobj(plain, packed)
        second.unlink()


if __name__ == "__main__":
    {"renaming": renaming, "copying": copying}[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
