from __future__ import annotations

import multiprocessing
import sqlite3
import threading
from pathlib import Path

import pytest

from tusk_platform.errors import Unavailable
from tusk_platform.storage.log import EventLog

WRITERS = 3
GROUPS = 15


@pytest.fixture
def log(tmp_path: Path) -> EventLog:
    return EventLog(tmp_path / "log", "orders")


def write_groups(folder: Path, writer: int) -> None:
    """One of several processes that append at the same time."""
    log = EventLog(folder, "orders")
    for n in range(GROUPS):
        log.append([f"{writer}/{n}/{part}".encode() for part in range(3)], producer=str(writer))


def payloads(log: EventLog, offset: int = 0) -> list[bytes]:
    return [payload for _, _, payload in log.read(offset, 1000)]


def test_records_come_back_in_order_from_any_offset(log: EventLog) -> None:
    assert (log.start(), log.end(), log.read(0, 10)) == (0, 0, [])
    assert log.append([b"a", b"", b"\x00"], arrival=5) == (0, 3)
    assert log.append([b"d"], arrival=6) == (3, 4)

    assert log.read(1, 2) == [(1, 5, b""), (2, 5, b"\x00")]
    assert log.read(3, 10) == [(3, 6, b"d")]
    assert (log.start(), log.end()) == (0, 4)


def test_other_process_sees_what_was_appended(log: EventLog, tmp_path: Path) -> None:
    log.append([b"a"])
    other = EventLog(tmp_path / "log", "orders")

    assert payloads(other) == [b"a"]
    assert other.append([b"b"]) == (1, 2)
    assert payloads(log) == [b"a", b"b"]


def test_many_processes_append_whole_groups(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=write_groups, args=(tmp_path, n)) for n in range(WRITERS)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

    found = EventLog(tmp_path, "orders").read(0, 1000)
    assert [offset for offset, _, _ in found] == list(range(WRITERS * GROUPS * 3))
    groups = [[payload.decode().rsplit("/", 1) for _, _, payload in found[i : i + 3]] for i in range(0, len(found), 3)]
    assert all(len({name for name, _ in group}) == 1 and [p for _, p in group] == ["0", "1", "2"] for group in groups)
    assert len({group[0][0] for group in groups}) == WRITERS * GROUPS


def test_threads_share_one_log(log: EventLog) -> None:
    threads = [threading.Thread(target=lambda n=n: log.append([bytes([n])] * 5)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert log.end() == 40
    assert sorted(payloads(log)) == sorted(bytes([n]) for n in range(8) for _ in range(5))


def test_key_seen_before_is_left_out(log: EventLog) -> None:
    assert log.append([b"a", b"b"], producer="shop", keys=["1", "2"]) == (0, 2)
    assert log.append([b"b", b"c", b"c", b"d"], producer="shop", keys=["2", "3", "3", None]) == (2, 4)
    assert log.append([b"a"], producer="shop", keys=["1"]) == (4, 4)
    assert log.append([b"e"], producer="till", keys=["1"]) == (4, 5)

    assert payloads(log) == [b"a", b"b", b"c", b"d", b"e"]


def test_keys_that_do_not_match_the_payloads_append_nothing(log: EventLog) -> None:
    with pytest.raises(ValueError, match="zip"):
        log.append([b"a", b"b"], keys=["1"])

    assert (log.end(), log.read(0, 9)) == (0, [])


def test_offsets_are_never_used_again(log: EventLog, tmp_path: Path) -> None:
    log.append([b"a", b"b"], arrival=1, keys=["1", "2"])
    assert log.trim(10) == 2

    assert (log.start(), log.end()) == (2, 2)
    log.close()
    assert EventLog(tmp_path / "log", "orders").append([b"a"], keys=["1"]) == (2, 3)


def test_trim_keeps_what_is_new_or_unread(log: EventLog) -> None:
    for arrival in range(6):
        log.append([b"%d" % arrival], arrival=arrival)

    assert log.trim(5, through=2) == 2
    assert log.trim(5, through=2) == 0
    assert log.trim(4) == 2
    assert log.read(0, 9) == [(4, 4, b"4"), (5, 5, b"5")]


def test_clock_that_goes_back_leaves_no_hole(log: EventLog) -> None:
    for arrival in (5, 1, 6):
        log.append([b"x"], arrival=arrival)

    assert log.trim(3) == 0
    assert log.start() == 0


def test_every_commit_waits_for_the_disk(log: EventLog) -> None:
    log.append([b"a"])
    connection = log._opened
    assert connection is not None

    assert connection.execute("pragma journal_mode").fetchone() == ("wal",)
    assert connection.execute("pragma synchronous").fetchone() == (2,)


def test_file_that_is_no_log_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "orders.db").write_bytes(b"something else entirely, longer than a header of SQLite" * 9)

    with pytest.raises(Unavailable, match=r"the log of `orders` .*not a database"):
        EventLog(tmp_path, "orders").append([b"a"])


def test_streams_do_not_share_a_file(tmp_path: Path) -> None:
    for stream in ("sensor/temperature", "sensor_temperature", "../up"):
        EventLog(tmp_path / "log", stream).append([stream.encode()])

    assert len(list((tmp_path / "log").glob("*.db"))) == 3
    assert payloads(EventLog(tmp_path / "log", "../up")) == [b"../up"]


def test_writer_waits_for_another_instead_of_failing(log: EventLog, tmp_path: Path) -> None:
    log.append([b"a"])
    other = sqlite3.connect(tmp_path / "log" / "orders.db", isolation_level=None, check_same_thread=False)
    other.execute("begin immediate")
    release = threading.Timer(0.1, other.execute, ["commit"])
    release.start()
    assert log.append([b"b"]) == (1, 2)
    release.join()
    other.close()
