"""From a position to a place: in files that are right, and in files that somebody is writing."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.editor.marked import place
from tusk_platform.editor.buffer import Buffer
from tusk_platform.editor.completion import completions
from tusk_platform.editor.hover import declaration, hover
from tusk_platform.editor.places import Role, place_at
from tusk_platform.editor.symbols import Symbol, symbols
from tusk_platform.tsk.nodes import Entry, Scalar, Table

ROOT = Path(__file__).resolve().parents[3]
TEXTS = [f.read_text(encoding="utf-8") for f in sorted((ROOT / "tests/golden/tsk").glob("*.tsk"))]


@pytest.mark.parametrize(
    ("text", "role", "path"),
    [
        ("|", "key", ("",)),
        ("dem|", "key", ("dem",)),
        ("demo | = 1", "nothing", ("demo",)),
        ("demo = |", "value", ("demo",)),
        ("demo = tr|", "value", ("demo",)),
        ("demo = |\nother = 1", "value", ("demo",)),
        ("demo =\n|other = 1", "key", ("other",)),
        ("a = { b = { | } }", "key", ("a", "b", "")),
        ("a { b { c: |", "value", ("a", "b", "c")),
        ("a = { b = 1, |", "key", ("a", "")),
        ("a = { b = 1 } |", "key", ("",)),
        ('a = { b = ["x", |] }', "item", ("a", "b", 1)),
        ('a = { b = ["x|"] }', "item", ("a", "b", 0)),
        ("a = [{ b = 1 }, { | }]", "key", ("a", 1, "")),
        ("a = @env(|)", "argument", ("a", 0)),
        ("a = @env(X, |)", "argument", ("a", 1)),
        ("[a.b]\n|", "key", ("a", "b", "")),
        ("[a.b]\nc = { | }", "key", ("a", "b", "c", "")),
        ("[a.|", "header", ("a", "")),
        ("[a.b|.c]", "header", ("a", "b")),
        ("a = 1 // what |", "comment", ()),
        ("/* a = |", "comment", ()),
        ('a = "// no comment |"', "value", ("a",)),
        ('a = "b|', "value", ("a",)),
        ('a = { "quoted k|ey" = 1 }', "key", ("a", "quoted key")),
    ],
)
def test_a_position_has_its_place(text: str, role: Role, path: tuple[str | int, ...]) -> None:
    found = place(text)

    assert (found.role, found.path) == (role, path)


def test_a_brace_not_closed_yet_is_still_open_where_the_line_is_indented() -> None:
    text = "a = {\n    b = {\n        c = 1\n{}\nd = { e = 2 }\n"

    inner = place(text.replace("{}", "        |"))
    outer = place(text.replace("{}", "    |"))
    outside = place(text.replace("{}", "|"))

    assert (inner.path, outer.path, outside.path) == (("a", "b", ""), ("a", ""), ("",))


def test_line_ends_of_windows_move_nothing() -> None:
    assert place("a = {\r\n    b = |\r\n}\r\n").path == ("a", "b")


def test_every_key_and_text_of_the_platform_is_found_where_it_stands() -> None:
    buffer = Buffer((ROOT / "platform.tsk").read_text(encoding="utf-8"), "platform.tsk")
    checked = 0

    def check(table: Table, path: tuple[str, ...]) -> None:
        nonlocal checked
        for entry in table.entries:
            here = (*path, entry.key)
            found = place_at(buffer, entry.key_span.line, entry.key_span.column + 1)
            assert (found.role, found.path, found.text) == ("key", here, entry.key)
            checked += 1
            check_value(entry, here)

    def check_value(entry: Entry, here: tuple[str, ...]) -> None:
        if isinstance(entry.value, Table):
            check(entry.value, here)
        elif isinstance(entry.value, Scalar):
            found = place_at(buffer, entry.value.span.line, entry.value.span.column + 1)
            assert (found.role, found.path) == ("value", here)

    check(buffer.document.root, ())
    assert checked > 200


def test_no_position_of_any_text_is_too_much() -> None:
    """Whatever a buffer holds, wherever the cursor stands."""

    def holds(symbol: Symbol) -> None:
        assert symbol.start <= symbol.name_start <= symbol.name_end <= symbol.end
        for child in symbol.children:
            assert symbol.start <= child.start <= child.end <= symbol.end
            holds(child)

    @given(st.sampled_from(TEXTS), st.integers(0, 2000), st.integers(0, 80), st.text(max_size=5))
    def check(text: str, start: int, length: int, typed: str) -> None:
        start %= len(text) + 1
        changed = text[:start] + typed + text[start + length :]
        buffer = Buffer(changed, "a.tsk")
        line, column = changed[:start].count("\n") + 1, start - changed.rfind("\n", 0, start) + len(typed)
        completions(buffer, line, column)
        hover(buffer, line, column)
        declaration(buffer, line + 1, column + 100)
        for symbol in symbols(buffer):
            holds(symbol)

    check()
