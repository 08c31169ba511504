"""Whatever the text, parsing ends soon and says something."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tusk_platform.tsk import leaves, parse, plain
from tusk_platform.tsk.source import MOST_CHARACTERS, MOST_NESTING, MOST_PROBLEMS

NASTY = [
    "{", "}", "[", "(", "a=[", "a={b:", "( ]", "{\n}", "a = {\n", "a = [\n", "  }\n", "[a.b]\n", "[a.b.c", "[[a]]\n",
    '"', "'", '"""', '\\"\n', '"\\"\n', 'a = "\n', "a = 'x\n", '"a" b ', 'a = x"y" ', 'a = "b "c ', 'a = """\n',
    "/*", "x = 1 /*\n", "@", "@a(", "@a(\n", "a b ", "a.", "- x\n", "==\n", "a: b\n", "a =\n", "  a =\n   b = 1\n",
    'x = @q("s "a" t\n', 'a = "x\\q"\n', "a = 1,000 ", "1", "\\u", "\x00", "\u201c", ",", "\n", "#", "a = {b = [1, ",
]  # fmt: skip


@pytest.mark.parametrize("piece", NASTY, ids=ascii)
def test_time_grows_with_the_length_only(piece: str) -> None:
    text = piece * (60_000 // len(piece))

    begin = time.process_time()
    parse(text, "p.tsk")

    # Some 0.3 seconds; anything that grows with the square would take minutes.
    assert time.process_time() - begin < 8


def test_two_megabytes_are_read() -> None:
    platform = (Path(__file__).parents[3] / "platform.tsk").read_text(encoding="utf-8")
    copies = 2_000_000 // len(platform)

    document = parse("".join(f"copy_{i} = {{\n{platform}}}\n" for i in range(copies)), "p.tsk")

    assert document.problems == ()
    assert len(leaves(document.root)) == copies * 179


def test_a_file_too_large_is_refused_at_once() -> None:
    (problem,) = parse("x = 1\n" * (MOST_CHARACTERS // 6 + 1), "p.tsk").problems

    assert str(problem.span) == "p.tsk:1:1"
    assert "4,194,304" in problem.message


@pytest.mark.parametrize(("opener", "closer"), [("{ a = ", " }"), ("[", "]"), ("@f(", ")")])
def test_nesting_is_refused_below_64_levels(opener: str, closer: str) -> None:
    def nested(levels: int) -> str:
        return "a = " + opener * levels + "1" + closer * levels

    assert parse(nested(MOST_NESTING), "p.tsk").problems == ()
    for levels in (MOST_NESTING + 1, 500, 5_000):
        (problem,) = parse(nested(levels), "p.tsk").problems
        assert problem.message == "nested deeper than 64 levels"
        plain(parse(nested(levels), "p.tsk").root)


def test_long_headers_count_as_nesting() -> None:
    assert parse(f"[{'.'.join('a' * 63)}]\nx = [1]", "p.tsk").problems == ()
    assert len(parse(f"[{'.'.join('a' * 64)}]\nx = [1]", "p.tsk").problems) == 1
    assert len(parse(f"[{'.'.join('a' * 5000)}]\nx = 1", "p.tsk").problems) == 1


def test_a_list_of_mistakes_ends_somewhere() -> None:
    problems = parse("x 1\n" * 3000, "p.tsk").problems

    assert len(problems) == MOST_PROBLEMS + 1
    assert problems[-1].message == "there are more problems from here on"
