"""No text makes the language, the schemas, the plan or the formatter raise, hang, or point outside the file."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.promises import check
from tests.fuzz.texts import FOUND, PIECES, mixed_up, spoilt

# Nothing here takes a tenth of it; what grows with the square of its length takes minutes.
MOST_SECONDS = 30


@settings(deadline=None, max_examples=150)
@given(spoilt())
def test_spoilt_configs_are_survived(text: str) -> None:
    check(text, most_seconds=MOST_SECONDS)


@settings(deadline=None, max_examples=60)
@given(mixed_up())
def test_configs_with_words_in_wrong_places_are_survived(text: str) -> None:
    check(text, most_seconds=MOST_SECONDS)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
def test_heaps_of_pieces_are_survived(text: str) -> None:
    check(text, most_seconds=MOST_SECONDS)


@settings(deadline=None, max_examples=150)
@given(st.text(max_size=60))
def test_any_text_is_survived(text: str) -> None:
    check(text, most_seconds=MOST_SECONDS)


def test_what_was_found_once_is_mended() -> None:
    for file in sorted(FOUND.glob("*.tsk")):
        check(file.read_bytes().decode("utf-8", "replace"), most_seconds=MOST_SECONDS)


LARGE = {
    "braces": "{" * 100_000,
    "brackets": "[" * 100_000,
    "tables in tables": "a = {" * 50_000,
    "lists in a list": "a = " + "[" * 100_000,
    "parentheses": "a = @env" + "(" * 100_000,
    "text": 'a = "' + "x" * 1_000_000 + '"',
    "lines of text": 'a = "' + "x\n" * 500_000 + '"',
    "text without end": "a = '" + "x" * 1_000_000,
    "commas": "," * 1_000_000,
    "comments on one line": "a = 1 " + "/**/" * 100_000,
    "keys": "".join(f"key_{i} = {i}\n" for i in range(50_000)),
    "keys of a section": "".join(["connections {\n", *(f"key_{i} = {i}\n" for i in range(50_000)), "}"]),
    "mistakes": "x 1\n" * 50_000,
    "other mistakes": "a = 5 minutes\n" * 50_000,
    "aggregates of one stream": "".join([
        'real_time_analytics = { data_streams = { events = { source = "kafka" } } }\nreal_time_aggregations = {\n',
        *(f'a{i} = {{ dimensions = ["d{i}"], metrics = {{ m{i} = "sum" }}, window = "1 hour" }}\n' for i in range(500)),
        "}",
    ]),
    "condition": f'real_time_aggregations = {{ a = {{ window = "1 hour", where = "{"(" * 50_000}" }} }}',
    "query": f'analytics_data_sources = {{ a = @query("SELECT {"x, " * 100_000}1") }}',
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("text", LARGE.values(), ids=LARGE)
def test_large_texts_end_soon(text: str) -> None:
    check(text, most_seconds=MOST_SECONDS)
