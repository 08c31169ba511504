"""What holds for every text, whoever wrote it: no exception, an end in good time, mistakes that point into the text."""

from __future__ import annotations

import json
import time

from tusk_platform.compile import compile_text
from tusk_platform.errors import ConfigError, Problem
from tusk_platform.plan.page import as_json
from tusk_platform.tsk import leaves, parse, plain
from tusk_platform.tsk.formatting import format_text

FILE = "any.tsk"


class Slow(AssertionError):
    """A text took longer than any of its length should."""


def check(text: str, *, most_seconds: float) -> None:
    """Parse, compile and format a text; AssertionError where a promise is broken, anything else is a broken one too."""
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    began = time.process_time()
    document = parse(text, FILE)
    began = _in_time("parse", began, most_seconds)
    for problem in document.problems:
        _points_into(problem, lines)
        assert problem.hint
    positions = [(p.span.line, p.span.column) for p in document.problems]
    assert positions == sorted(positions)
    assert len({(p.span, p.message) for p in document.problems}) == len(document.problems)
    leaves(document.root)
    values = json.dumps(plain(document.root))

    began = time.process_time()
    compiled = compile_text(text, FILE)
    began = _in_time("compile_text", began, most_seconds)
    for problem in compiled.problems[:2_000]:  # more are alike
        _points_into(problem, lines)
    assert {p.message for p in document.problems} <= {p.message for p in compiled.problems}
    json.dumps(as_json(compiled.plan))

    began = time.process_time()
    formatted = _formatted(text)
    _in_time("format_text", began, most_seconds)
    if isinstance(formatted, ConfigError):
        assert document.problems
        assert set(formatted.problems) == set(document.problems)
    else:
        again = parse(formatted, FILE)
        assert again.problems == ()
        assert json.dumps(plain(again.root)) == values
        assert _formatted(formatted) == formatted


def _formatted(text: str) -> str | ConfigError:
    try:
        return format_text(text, FILE)
    except ConfigError as refused:
        return refused


def _in_time(what: str, began: float, most_seconds: float) -> float:
    spent = time.process_time() - began
    if spent > most_seconds:
        raise Slow(f"{what} took {spent:.1f} s")
    return time.process_time()


def _points_into(problem: Problem, lines: list[str]) -> None:
    """A problem is somewhere in the text, and can be shown."""
    span = problem.span
    assert span.file == FILE
    assert 1 <= span.line <= len(lines), problem
    line = lines[span.line - 1]
    assert span.text in ("", line), problem
    assert 1 <= span.column <= len(line) + 1, problem
    assert 1 <= span.length <= max(1, len(line) - span.column + 1), problem
    assert problem.message
    assert "\n" not in problem.message + problem.hint
    shown = problem.render()
    assert shown.startswith(f"{FILE}:{span.line}:{span.column}: ")
    assert all(c.isprintable() or c in "\n\t" for c in shown)
    json.dumps(problem.as_json())
