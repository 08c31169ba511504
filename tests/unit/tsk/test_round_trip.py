"""Values written in any style of the dialect come back as they were."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.tsk.documents import KEYS, SCALARS, VALUES, Writer, exact
from tusk_platform.tsk import parse, plain


@settings(deadline=None, max_examples=150)
@given(st.dictionaries(KEYS, VALUES, max_size=5), st.integers(0, 2**32))
def test_values_survive_any_style(values: dict[str, Any], seed: int) -> None:
    text = Writer(seed).document(values)

    document = parse(text, "r.tsk")

    assert [p.render() for p in document.problems] == []
    assert exact(plain(document.root)) == exact(values)


@settings(deadline=None, max_examples=50)
@given(st.lists(KEYS, min_size=1, max_size=4), st.dictionaries(KEYS, SCALARS, max_size=3), st.integers(0, 2**32))
def test_headers_nest_like_braces(path: list[str], values: dict[str, Any], seed: int) -> None:
    writer = Writer(seed)
    header = ".".join(writer.key(part) for part in path)

    document = parse(f"[{header}]\n{writer.entries(values)}", "r.tsk")

    expected: Any = values
    for part in reversed(path):
        expected = {part: expected}
    assert document.problems == ()
    assert exact(plain(document.root)) == exact(expected)
