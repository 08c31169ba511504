"""Which file is which: a log that was renamed, or copied and emptied, is read on where its reading stopped.

A name says nothing once logs are rotated. A file is known by its inode, and where that is new or holds something else
by what it holds: the beginning, and the bytes before the place up to which it was known. Each file that ever had a name
is a generation of it, and a partition of its own.
"""

from __future__ import annotations

import gzip
import hashlib
import sys
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import orjson

from tusk_platform.errors import Refused
from tusk_platform.storage.log import EventLog

# Bytes at the beginning and before the end that a generation is known by.
_HEAD: Final = 1024
_TAIL: Final = 256
# A rotated file that was not written to for so long has ended, even if its last line has not.
_FINISHED: Final = 60 * 10**9
_MOST_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Seen:
    """A file as it is now. ``name`` is what the config would call it; ``wanted``: it is one that the config means."""

    name: str
    path: Path
    device: int
    inode: int
    size: int
    changed: int
    wanted: bool = True

    @property
    def packed(self) -> bool:
        """Whether what it holds is not its bytes."""
        return self.path.suffix == ".gz"


@dataclass(frozen=True, slots=True)
class Generation:
    """A file as it was known: so many bytes, and what they were told by."""

    partition: str
    name: str
    device: int
    inode: int
    size: int
    print: str


@dataclass(frozen=True, slots=True)
class Found:
    """A generation and the file that it is now. ``finished``: nobody writes to it any more."""

    partition: str
    file: Seen
    finished: bool


def look(name: str, path: Path, *, wanted: bool = True) -> Seen | None:
    """A file as it is now; None where it is gone."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return Seen(name, path, stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, wanted)


class Moving(Exception):
    """Files were renamed or emptied while they were looked at: look again."""


class Generations:
    """All files of a stream that were ever seen, remembered in ``log`` before anything is read of them."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._known: dict[str, Generation] | None = None
        self._prints: dict[tuple[int, int, int, int], str | None] = {}

    def find(self, files: Sequence[Seen]) -> tuple[Found, ...]:
        """The generations among some files, oldest first; Refused where one was replaced and is nowhere to be found."""
        known = self._remembered()
        free = {f.path: f for f in files}
        placed: dict[str, Seen] = {}
        for which in (self._same, self._holding):
            for generation in known.values():
                if generation.partition not in placed and (file := which(generation, free.values())):
                    placed[generation.partition] = free.pop(file.path)
        free = {path: f for path, f in free.items() if f.size}
        originals = [f for f in (*placed.values(), *free.values()) if f.size]
        fresh = [f for f in sorted(free.values(), key=_age) if self._is_new(f, placed, originals)]
        made, lost = self._first_seen(fresh, placed, [f.name for f in files])
        # A rotated file is empty while it is being copied or packed; it is nobody's beginning.
        names = {*(g.name for g in known.values()), *(f.name for f in files)}
        begun = [f for f in files if f.wanted and not any(_after(f.name, n) for n in names)]
        empty = self._empty_yet(begun)
        if any(not _still(f) for f in files):
            raise Moving
        if lost:
            raise Refused(lost)
        self._remember([*self._moved(placed), *made, *empty])
        for file in begun:
            # Nothing can be read of it yet, but it is there.
            made_now = file.name in {g.partition for g in empty}
            if made_now or (file.name not in {*self._remembered(), *placed} and not _bytes(file, 0, 1)):
                placed[file.name] = file
        return tuple(Found(p, f, self._is_finished(p, f)) for p, f in sorted(placed.items(), key=lambda i: _age(i[1])))

    def read(self, partition: str, path: Path, upto: int) -> None:
        """Remembers how far a file that was read is known; Moving where it is another one meanwhile."""
        generation = self._remembered().get(partition)
        if generation is None:
            if upto:
                raise Moving  # it was empty when it was looked at, and must be known before it is read
            return
        before = look(generation.name, path)
        print_ = _told(before, upto) if before is not None and upto > generation.size else None
        # Looked at last: a file that still begins as it did was none other when its bytes were taken.
        file = look(generation.name, path)
        if file is None or (file.device, file.inode) != (generation.device, generation.inode):
            raise Moving
        if _told(file, generation.size) != generation.print or (upto > generation.size and print_ is None):
            raise Moving
        if print_ is not None:
            self._remember([replace(generation, size=upto, print=print_)])

    def close(self) -> None:
        """Let go of the log."""
        self._log.close()

    def _same(self, generation: Generation, files: Iterable[Seen]) -> Seen | None:
        """The very file, whatever it is called, if it was not emptied."""
        mine = (f for f in files if (f.device, f.inode) == (generation.device, generation.inode))
        return next((f for f in mine if self._fits(f, generation)), None)

    def _holding(self, generation: Generation, files: Iterable[Seen]) -> Seen | None:
        """Another file that holds all that was known of it: at its own place, else wherever."""
        if not generation.size:
            return None
        mine = sorted(files, key=lambda f: (f.name != generation.name, f.name))
        return next((f for f in mine if self._fits(f, generation)), None)

    def _fits(self, file: Seen, generation: Generation) -> bool:
        return (file.packed or file.size >= generation.size) and self._print(file, generation.size) == generation.print

    def _is_new(self, file: Seen, placed: Mapping[str, Seen], originals: Sequence[Seen]) -> bool:
        """Whether a file that is no known generation is one of its own, and not a copy that is just being made."""
        known = self._remembered()
        if any(_after(file.name, o.name) and _alike(file, o) for o in originals):
            return False
        if file.wanted:
            return True
        # Beside the file of a config that names only one: what was rotated while nobody looked.
        moved = [f for p, f in placed.items() if known[p].name != f.name and _after(file.name, known[p].name)]
        return bool(moved) and file.changed >= min(f.changed for f in moved)

    def _first_seen(
        self, files: Sequence[Seen], placed: dict[str, Seen], names: Sequence[str]
    ) -> tuple[list[Generation], str]:
        """New generations, which are placed; and what is lost, if anything is."""
        known = list(self._remembered().values())
        for file in files:
            first = min((n for n in (*names, *(g.name for g in known)) if _after(file.name, n)), key=len, default="")
            name = first or file.name
            before = [g for g in known if g.name == name]
            if before and before[-1].partition not in placed:
                return [], (
                    f"file {file.path} was cut or replaced, and no file beside it begins as it did: what was written "
                    f"to it after byte {before[-1].size} cannot be found. Bring the old file back as {file.path}.1, or "
                    f"read the new one as a stream of another name"
                )
            size = len(_bytes(file, 0, _HEAD)) if file.packed else file.size
            print_ = self._print(file, size)
            if not size or print_ is None:
                continue
            taken = {g.partition for g in known}
            partition = file.name
            if partition in taken or (before and first):
                numbers = (f"{name}#{n}" for n in range(len(before) + 1, sys.maxsize))
                partition = next(n for n in numbers if n not in taken)
            known.append(Generation(partition, name, file.device, file.inode, size, print_))
            placed[partition] = file
        return known[len(self._remembered()) :], ""

    def _empty_yet(self, files: Sequence[Seen]) -> list[Generation]:
        """Files that nothing was written to when they were first looked at: what becomes of them is theirs."""
        known = {g.name for g in self._remembered().values()}
        fresh = (f for f in files if not f.size and f.name not in known)
        return [Generation(f.name, f.name, f.device, f.inode, 0, self._print(f, 0) or "") for f in fresh]

    def _moved(self, placed: Mapping[str, Seen]) -> list[Generation]:
        known = self._remembered()
        return [
            replace(known[p], device=f.device, inode=f.inode)
            for p, f in placed.items()
            if p in known and (known[p].device, known[p].inode) != (f.device, f.inode)
        ]

    def _is_finished(self, partition: str, file: Seen) -> bool:
        generation = self._remembered().get(partition)
        return bool(generation and file.name != generation.name and time.time_ns() - file.changed > _FINISHED)

    def _print(self, file: Seen, upto: int) -> str | None:
        """What so many bytes are told by; None where there are not so many."""
        key = (file.inode, file.size, file.changed, upto)
        if key not in self._prints:
            if len(self._prints) > _MOST_REMEMBERED:
                self._prints.clear()
            self._prints[key] = _told(file, upto)
        return self._prints[key]

    def _remembered(self) -> dict[str, Generation]:
        if self._known is None:
            names = orjson.loads(self._log.mark("generations") or "[]")
            stored = (self._log.mark(f"generation {n}") for n in names)
            self._known = {n: Generation(**orjson.loads(g)) for n, g in zip(names, stored, strict=True) if g}
        return self._known

    def _remember(self, generations: Sequence[Generation]) -> None:
        if not generations:
            return
        known = self._remembered() | {g.partition: g for g in generations}
        marks = {f"generation {g.partition}": orjson.dumps(asdict(g)).decode() for g in generations}
        if len(known) > len(self._remembered()):
            marks["generations"] = orjson.dumps(list(known)).decode()
        self._log.append([], marks=marks)
        self._known = known


def _age(file: Seen) -> tuple[int, str]:
    return file.changed, file.name


def _told(file: Seen, upto: int) -> str | None:
    """What so many bytes of a file are told by; None where there are not so many, or they change meanwhile."""
    head, tail = _bytes(file, 0, min(upto, _HEAD)), _bytes(file, max(0, upto - _TAIL), min(upto, _TAIL))
    whole = len(head) == min(upto, _HEAD) and len(tail) == min(upto, _TAIL)
    if not whole or head != _bytes(file, 0, min(upto, _HEAD)):
        return None
    return hashlib.sha256(head + b"\0" + tail).hexdigest()[:32]


def _after(name: str, first: str) -> bool:
    """Whether a name is that of a rotated file: `app.log.1` and `app.log-2026.gz` come after `app.log`."""
    return name.startswith(first) and name[len(first) : len(first) + 1] in {".", "-", "_", "~"}


def _still(file: Seen) -> bool:
    """Whether a file stands where it stood, with no less in it."""
    now = look(file.name, file.path)
    return now is not None and (now.device, now.inode) == (file.device, file.inode) and now.size >= file.size


def _alike(one: Seen, other: Seen) -> bool:
    """Whether one of two files begins with all that the other holds (of packed ones only their beginnings are seen)."""
    heads = _bytes(one, 0, _HEAD), _bytes(other, 0, _HEAD)
    length = min(map(len, heads))
    if not length or heads[0][:length] != heads[1][:length]:
        return False
    if one.packed or other.packed:
        return True
    end = min(one.size, other.size)
    start, count = max(0, end - _TAIL), min(end, _TAIL)
    return _bytes(one, start, count) == _bytes(other, start, count)


def _bytes(file: Seen, start: int, count: int) -> bytes:
    """Bytes of what a file holds; fewer where it ends, or is packed and not whole yet."""
    try:
        with gzip.open(file.path) if file.packed else file.path.open("rb") as opened:
            opened.seek(start)
            return opened.read(count)
    except (OSError, EOFError, zlib.error):
        return b""
