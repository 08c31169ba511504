"""The coverage-guided search as a command: ``python -m tests.fuzz.guided SECONDS [--page]``; exit 1 where it found any.

Texts that break a promise are written to tests/fuzz/found, where the suite tries them from then on.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.machine import described
from tests.fuzz.texts import FOUND, PIECES, ROOT, seeds, words

RESULTS: Final = ROOT / "benchmarks" / "results" / "fuzz.md"
KINDS: Final = ("bytes", "words")
_TOP: Final = """\
# Fuzz

`make fuzz`: a coverage-guided search for a text that makes the parser, the compiler or the formatter raise, take too
long, or complain about a place outside the text. It begins with this repository's configs, their sections and every
example of the tests. *bytes* changes any of them, *words* puts words of configs where others belong. After each text
the formatter's output must also say the same and be formatted already.

{machine}

| changes | seconds | texts | edges seen | texts kept | promises broken | slowest text, s | peak memory, MB |
|---|--:|--:|--:|--:|--:|--:|--:|
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one search did; ``broken`` are the files of the texts that broke a promise."""

    kind: str
    seconds: int
    texts: int
    edges: int
    kept: int
    slowest: int
    memory: int
    broken: tuple[str, ...]
    ended: bool

    def __str__(self) -> str:
        cells = (
            self.kind,
            self.seconds,
            self.texts,
            self.edges,
            self.kept,
            len(self.broken),
            self.slowest,
            self.memory,
        )
        return f"| {' | '.join(map(str, cells))} |"


def search(kind: str, seconds: int) -> Outcome:
    """One search in a process of its own."""
    before = set(FOUND.glob("*.tsk"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _prepare(folder)
        command = [sys.executable, "-m", "tests.fuzz.search", kind, str(folder), str(seconds)]
        process = subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, errors="replace", check=False)
        for artifact in (p for pattern in ("timeout-*", "oom-*", "crash-*") for p in folder.glob(pattern)):
            (FOUND / f"{artifact.name[:20]}.tsk").write_bytes(artifact.read_bytes())
    said = process.stderr
    broken = tuple(sorted(p.name for p in set(FOUND.glob("*.tsk")) - before))
    if broken or process.returncode:
        print(said[-8_000:], file=sys.stderr)  # noqa: T201 - the command's own output
    return Outcome(
        kind=kind,
        seconds=seconds,
        texts=_last(r"number_of_executed_units:\s*(\d+)", said),
        edges=_last(r"cov: (\d+)", said),
        kept=_last(r"corp: (\d+)", said),
        slowest=_last(r"slowest_unit_time_sec:\s*(\d+)", said),
        memory=_last(r"peak_rss_mb:\s*(\d+)", said),
        broken=broken,
        ended=process.returncode == 0,
    )


def _prepare(folder: Path) -> None:
    (folder / "texts").mkdir()
    for number, text in enumerate(seeds()):
        (folder / "texts" / f"{number:03}").write_text(text, encoding="utf-8", newline="")
    entries = dict.fromkeys(text.encode("utf-8") for text in [*PIECES, *words()] if len(text) <= 32)
    lines = ("".join(f"\\x{byte:02x}" for byte in entry) for entry in entries)
    (folder / "dictionary").write_text("".join(f'"{line}"\n' for line in lines))


def _last(pattern: str, text: str) -> int:
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0


def page(outcomes: Iterable[Outcome]) -> str:
    """The outcomes as a table, and the machine they are of."""
    return _TOP.format(machine=described()) + "".join(f"{outcome}\n" for outcome in outcomes)


def main(arguments: list[str]) -> int:
    """Search in every way for an equal share of the time."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.guided")
    parser.add_argument("seconds", type=int)
    parser.add_argument("--page", action="store_true", help="write benchmarks/results/fuzz.md")
    options = parser.parse_args(arguments)
    outcomes = [search(kind, options.seconds // len(KINDS)) for kind in KINDS]
    text = page(outcomes)
    print(text)  # noqa: T201 - the command's own output
    if options.page:
        RESULTS.write_text(text, encoding="utf-8")
    return 0 if all(o.ended and not o.broken for o in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
