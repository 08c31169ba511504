"""Logs that are rotated while they are read and their reader is killed: every line once."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.fakes.streams import a_stream
from tests.faults.read_files import read
from tests.services.installed import REPOSITORY
from tusk_platform.adapters.source_file import FileSource, adapter
from tusk_platform.errors import Refused
from tusk_platform.ports import Budget, SourceContext

LINES = 1200


def started(module: str, *arguments: str) -> subprocess.Popen[bytes]:
    """A module of the tests as a process."""
    return subprocess.Popen([sys.executable, "-m", module, *arguments], cwd=REPOSITORY)


def numbers(folder: Path) -> list[int]:
    """All that was read, as the database of its reader has it."""
    with closing(sqlite3.connect(folder / "state" / "kept.db")) as kept:
        return sorted(n - 10**8 for (n,) in kept.execute("select n from line"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("how", ["renaming", "copying"])
@pytest.mark.parametrize("path", ["app.log", "app.log*"])
def test_rotated_log_is_read_whole_by_a_reader_that_is_killed(folder: Path, how: str, path: str) -> None:
    (folder / "app.log").write_text(f'{{"n": {10**8 - 1}}}\n')
    read(folder, path, until_ended=True)
    with started("tests.faults.write_rotated", how, str(folder / "app.log"), str(LINES), "50") as writer:
        while writer.poll() is None:
            with started("tests.faults.read_files", str(folder), path) as reader:
                time.sleep(0.4 + random.random())
                assert reader.poll() is None
                reader.kill()
    read(folder, path, until_ended=True)

    assert numbers(folder) == list(range(-1, LINES))


class Log:
    """A live log and its reader, which starts anew for each read."""

    def __init__(self, folder: Path, path: str = "app.log") -> None:
        self.folder = folder
        self.file = folder / "app.log"
        self.position: dict[str, int] = {}
        self._path = path

    def write(self, *lines: int, to: str = "app.log") -> None:
        """Append numbered lines."""
        with (self.folder / to).open("a") as file:
            file.writelines(f'{{"n": {n}}}\n' for n in lines)

    def open(self) -> FileSource:
        """A source as a process makes it when it starts."""
        options = adapter.check_options({"path": self._path, "format": "ndjson", "live": True})
        context = SourceContext(config_folder=self.folder, log_folder=self.folder / "state")
        return adapter.open(a_stream(source="file", options=options), context)

    def read(self) -> list[int]:
        """What is new."""
        with closing(self.open()) as source:
            batch = source.read(self.position, Budget(1000, 0))
        self.position |= {c.partition: c.next_offset for c in batch.chunks}
        return [json.loads(p or b"")["n"] for c in batch.chunks for p in c.payloads or ()]


def test_lines_written_before_and_after_a_rename_are_read_once(folder: Path) -> None:
    log = Log(folder)
    log.write(1, 2)
    first = log.read()
    log.write(3)
    log.file.rename(folder / "app.log.1")
    log.write(4, 5, 6, 7)
    log.write(8, to="app.log.1")  # by somebody who still has the old file open

    assert (first, sorted(log.read())) == ([1, 2], [3, 4, 5, 6, 7, 8])
    assert log.read() == []
    assert set(log.position) == {"app.log", "app.log#2"}


def test_files_rotated_while_nobody_read_are_found_beside(folder: Path) -> None:
    log = Log(folder)
    log.write(1)
    first = log.read()
    for age in (1, 2):
        log.write(age * 10)
        if age == 2:
            (folder / "app.log.1").rename(folder / "app.log.2")
        log.file.rename(folder / "app.log.1")
    log.write(30)
    (folder / "app.log.0").write_text('{"n": 99}\n')
    os.utime(folder / "app.log.0", (0, 0))

    assert (first, log.read()) == ([1], [10, 20, 30]), "what was there before the log is none of its files"


def test_copy_is_no_second_file(folder: Path) -> None:
    log = Log(folder, "app.log*")
    log.write(1, 2)
    first = log.read()
    (folder / "app.log.1").write_bytes(log.file.read_bytes()[:12])
    half = log.read()
    (folder / "app.log.1").write_bytes(log.file.read_bytes())
    whole = log.read()
    os.truncate(log.file, 0)
    log.write(3)

    assert (first, half, whole, log.read(), log.read()) == ([1, 2], [], [], [3], [])


def test_copy_that_was_made_before_anybody_looked_is_no_second_file(folder: Path) -> None:
    log = Log(folder, "app.log*")
    log.write(1, 2)
    (folder / "app.log.1").write_bytes(log.file.read_bytes())
    first = log.read()
    os.truncate(log.file, 0)
    log.write(3)

    assert (first, log.read()) == ([1, 2], [3])


def test_log_that_was_emptied_without_a_copy_is_refused(folder: Path) -> None:
    log = Log(folder)
    log.write(1, 2)
    log.read()
    log.file.write_text('{"n": 3}\n{"n": 4}\n{"n": 5}\n')

    with pytest.raises(Refused, match=r"app\.log was cut or replaced.*written to it after byte 18 cannot be found"):
        log.read()
    (folder / "app.log.1").write_text('{"n": 1}\n{"n": 2}\n{"n": 2.5}\n')

    assert sorted(log.read()) == [2.5, 3, 4, 5]


def test_file_written_anew_with_more_in_it_goes_on(folder: Path) -> None:
    log = Log(folder)
    log.write(1, 2)
    first = log.read()
    (folder / "fresh").write_text(log.file.read_text() + '{"n": 3}\n')
    (folder / "fresh").rename(log.file)

    assert (first, log.read()) == ([1, 2], [3])
    assert set(log.position) == {"app.log"}


def test_files_that_begin_alike_are_files_of_their_own(folder: Path) -> None:
    log = Log(folder, "*.log")
    log.write(1, to="a.log")
    log.write(1, to="b.log")

    assert (log.read(), log.read()) == ([1, 1], [])
    log.write(2, to="b.log")
    assert log.read() == [2]


def test_last_line_of_a_rotated_file_needs_no_end(folder: Path) -> None:
    log = Log(folder)
    log.write(1)
    log.file.write_text('{"n": 1}\n{"n": 2}')
    first = log.read()
    log.file.rename(folder / "app.log.1")
    log.write(3)
    second = log.read()
    os.utime(folder / "app.log.1", (time.time() - 120, time.time() - 120))

    assert (first, second, log.read()) == ([1], [3], [2])


def test_log_that_was_empty_when_it_was_first_looked_at_is_read_from_its_beginning(folder: Path) -> None:
    log = Log(folder)
    log.file.touch()
    assert log.read() == []
    assert log.read() == []
    for age in (1, 2):
        log.write(age)
        if age == 2:
            (folder / "app.log.1").rename(folder / "app.log.2")
        log.file.rename(folder / "app.log.1")
    log.write(3)

    assert log.read() == [1, 2, 3]
    assert set(log.position) == {"app.log", "app.log#2", "app.log#3"}
