"""A coverage-guided search for texts that break a promise: ``python -m tests.fuzz.search KIND FOLDER SECONDS``.

A process of its own, because the engine ends it. What is found is written down and the search goes on.
"""

from __future__ import annotations

import hashlib
import random
import re
import sys
import traceback
from pathlib import Path
from typing import Final

import atheris

from tests.fuzz.texts import FOUND, PIECES, words

# The code is several times slower while it is watched; what is slow by nature takes minutes.
MOST_SECONDS: Final = 20
LONGEST: Final = 16_384
_WATCHED: Final = ["tusk_platform.tsk", "tusk_platform.sections", "tusk_platform.plan", "tusk_platform.compile"]
_WORD: Final = re.compile(r'"[^"]*"|[\w.]+|\s+|.')
_PLACE: Final = re.compile(r'"[^"]*", line \d+, in \w+')


def main(kind: str, folder: Path, seconds: int) -> None:
    """Search; ``kind`` says how texts are changed, ``folder`` holds those to begin with and the dictionary."""
    with atheris.instrument_imports(include=_WATCHED, enable_loader_override=False):
        from tests.fuzz.promises import check  # noqa: PLC0415 - what is imported here is watched

    def try_one(data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        try:
            check(text, most_seconds=MOST_SECONDS)
        except Exception as broken:  # noqa: BLE001 - whatever it is, it is what the search is for
            write_down(text, broken)

    options = [
        f"-max_total_time={seconds}", f"-max_len={LONGEST}", "-len_control=0", "-timeout=120", "-rss_limit_mb=4096",
        f"-dict={folder / 'dictionary'}", f"-artifact_prefix={folder}/", "-print_final_stats=1", str(folder / "texts"),
    ]  # fmt: skip
    change = changed_words if kind == "words" else None
    atheris.Setup([sys.argv[0], *options], try_one, **({"custom_mutator": change} if change else {}))
    atheris.Fuzz()


def write_down(text: str, broken: Exception) -> None:
    """Keep the first text of every way to break a promise, and say where it broke."""
    where = traceback.format_exc()
    last = (_PLACE.findall(where) or [""])[-1]
    name = hashlib.sha256(f"{type(broken).__name__} {last}".encode()).hexdigest()[:10]
    file = FOUND / f"{name}.tsk"
    if not file.exists():
        file.write_text(text, encoding="utf-8", newline="")
        print(f"\nfound: {file.name}\n{where}", file=sys.stderr, flush=True)  # noqa: T201 - the search's own output


def changed_words(data: bytes, most: int, seed: int) -> bytes:
    """The text with some of its words put elsewhere, taken out, or replaced by words of other configs."""
    choose = random.Random(seed)
    pieces = _WORD.findall(data.decode("utf-8", "replace")) or [""]
    for _ in range(choose.randint(1, 4)):
        put = choose.choice((choose.choice(words()), choose.choice(PIECES), choose.choice(pieces), ""))
        at = choose.randrange(len(pieces))
        pieces[at : at + choose.randint(0, 1)] = [put]
    return "".join(pieces).encode("utf-8", "replace")[:most]


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
