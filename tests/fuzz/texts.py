"""Texts to begin with, and what to spoil them with."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final

from hypothesis import strategies as st

ROOT: Final = Path(__file__).parents[2]
FOUND: Final = Path(__file__).parent / "found"
PIECES: Final = [
    "{", "}", "[", "]", "(", ")", '"', "'", '"""', "=", ":", ",", ";", "@", "@env(", "@query(", "//", "#", "/*", "*/",
    "\\", "\\u12", "\n", "\r\n", "\t", " ", ".", "-", "1", "1_0", "1e", "1e400", "true", "ture", "null", "key",
    "key = ", "[a.b]", "[[", "$x", "\x00", "\u200b", "\u201c", "\ufeff", "é", "=>", "==", "- item", '= "x', "x\"",
    "{{", "}}", "-1", "0.5", "9223372036854775807", '""', '"5 minutes"', '"80%"', '"1GB"', "[]", "{}", '["a", "a"]',
    "@env(A, 1)", '@query("SELECT")', '@query("SELECT a FROM b")',
]  # fmt: skip
# The smallest pieces of a config that mean something: text in quotes, words, marks.
_TOKEN: Final = re.compile(r'"[^"]*"|[\w.]+|\S')


@cache
def seeds() -> tuple[str, ...]:
    """The config of this repository, whole and by its sections, the one with every key, and all examples of tests."""
    files = [ROOT / "platform.tsk", ROOT / "docs" / "every_key.tsk", *sorted((ROOT / "tests").rglob("*.tsk"))]
    texts = [file.read_bytes().decode("utf-8") for file in files if file.parent != FOUND]
    sections = re.split(r"(?m)^(?=\w+ = \{)", texts[0])
    return tuple(dict.fromkeys([*texts, *sections]))


@cache
def words() -> tuple[str, ...]:
    """Every key, text and mark that stands in one of the seeds."""
    return tuple(sorted({found for text in seeds() for found in _TOKEN.findall(text) if len(found) < 80}))


@st.composite
def spoilt(draw: st.DrawFn) -> str:
    """A stretch of a seed with something cut out and something put in, a few times."""
    text = draw(st.sampled_from(seeds()))
    begin = draw(st.integers(0, max(0, len(text) - 1)))
    text = text[begin : begin + draw(st.integers(0, 1500))]
    for _ in range(draw(st.integers(1, 6))):
        at, cut = draw(st.integers(0, len(text))), draw(st.integers(0, 12))
        text = text[:at] + draw(st.sampled_from(["", *PIECES])) + text[at + cut :]
    return text


@st.composite
def mixed_up(draw: st.DrawFn) -> str:
    """A seed in which some words stand where others belong: mostly the language is right and the config is not."""
    text = draw(st.sampled_from([seed for seed in seeds() if 0 < len(seed) < 6000]))
    spots = [(found.start(), found.end()) for found in _TOKEN.finditer(text)]
    chosen = draw(st.lists(st.sampled_from(spots), max_size=6, unique=True)) if spots else []
    for start, end in sorted(chosen, reverse=True):
        text = text[:start] + draw(st.sampled_from(words()) | st.sampled_from(PIECES)) + text[end:]
    return text
