"""Formatting changes how a file looks and nothing that it says."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.tsk.documents import KEYS, VALUES, Writer, exact
from tusk_platform.errors import ConfigError
from tusk_platform.tsk import parse, plain
from tusk_platform.tsk.formatting import WIDTH, format_text


@settings(deadline=None, max_examples=200)
@given(st.dictionaries(KEYS, VALUES, max_size=5), st.integers(0, 2**32))
def test_any_document_keeps_values_and_comments_and_settles(values: dict[str, Any], seed: int) -> None:
    written = Writer(seed).document(values)

    formatted = format_text(written, "f.tsk")

    assert exact(plain(parse(formatted, "f.tsk").root)) == exact(plain(parse(written, "f.tsk").root))
    assert parse(formatted, "f.tsk").problems == ()
    assert Counter(re.findall(r"note \d+\.", formatted)) == Counter(re.findall(r"note \d+\.", written))
    assert format_text(formatted, "f.tsk") == formatted


def test_no_line_of_structure_is_longer_than_it_must_be() -> None:
    many = ", ".join(f"key_{i} = {{ inner = [{i}, {i}] }}" for i in range(50))

    lines = format_text(f"a = {{ {many} }}", "f.tsk").split("\n")

    assert max(map(len, lines)) <= WIDTH
    assert lines[:3] == ["a = {", "    key_0 = { inner = [0, 0] }", "    key_1 = { inner = [1, 1] }"]


def test_a_text_longer_than_a_line_stays_whole() -> None:
    text = "x" * 300

    assert format_text(f"a = ['{text}']", "f.tsk") == f'a = [\n    "{text}",\n]\n'


def test_a_file_with_mistakes_is_refused_with_all_of_them() -> None:
    with pytest.raises(ConfigError) as refused:
        format_text("a = 5 minutes\nb = 1\nb = 2\n", "f.tsk")

    assert [str(p.span) for p in refused.value.problems] == ["f.tsk:1:5", "f.tsk:3:1"]
