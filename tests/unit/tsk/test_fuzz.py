"""No text makes the parser raise, hang, or point outside the file."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tusk_platform.tsk import leaves, parse, plain

PLATFORM = (Path(__file__).parents[3] / "platform.tsk").read_text(encoding="utf-8")
PIECES = [
    "{", "}", "[", "]", "(", ")", '"', "'", '"""', "=", ":", ",", ";", "@", "@env(", "//", "#", "/*", "*/", "\\",
    "\\u12", "\n", "\r\n", "\t", " ", ".", "-", "1", "1_0", "1e", "true", "ture", "key", "key = ", "[a.b]", "[[",
    "$x", "\x00",
    "\u200b", "\u201c", "\ufeff", "é", "=>", "==", "- item", '= "x', "x\"", "{{", "}}",
]  # fmt: skip


def check(text: str) -> None:
    """The promises of parse, for one text."""
    document = parse(text, "f.tsk")

    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for problem in document.problems:
        assert problem.span.file == "f.tsk"
        assert 1 <= problem.span.line <= len(lines)
        line = lines[problem.span.line - 1]
        assert problem.span.text == line
        assert 1 <= problem.span.column <= len(line) + 1
        assert 1 <= problem.span.length <= max(1, len(line) - problem.span.column + 1)
        assert problem.message
        assert problem.hint
        assert "\n" not in problem.message + problem.hint
    positions = [(p.span.line, p.span.column) for p in document.problems]
    assert positions == sorted(positions)
    assert len({(p.span, p.message) for p in document.problems}) == len(document.problems)
    json.dumps(plain(document.root))
    leaves(document.root)


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_mutated_platforms_are_survived(data: st.DataObject) -> None:
    begin = data.draw(st.integers(0, len(PLATFORM) - 1))
    text = PLATFORM[begin : begin + data.draw(st.integers(0, 1500))]
    for _ in range(data.draw(st.integers(1, 6))):
        at, cut = data.draw(st.integers(0, len(text))), data.draw(st.integers(0, 12))
        text = text[:at] + data.draw(st.sampled_from(["", *PIECES])) + text[at + cut :]

    check(text)


@settings(deadline=None, max_examples=300)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
def test_heaps_of_pieces_are_survived(text: str) -> None:
    check(text)


@settings(deadline=None, max_examples=150)
@given(st.text(max_size=60))
def test_any_text_is_survived(text: str) -> None:
    check(text)
