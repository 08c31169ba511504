"""A short coverage-guided search finds nothing; ``make fuzz`` searches longer."""

from __future__ import annotations

import pytest

from tests.fuzz.guided import KINDS, Outcome, page, search


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_short_search_finds_no_broken_promise(kind: str) -> None:
    outcome = search(kind, 10)

    assert outcome.broken == ()
    assert outcome.ended
    assert outcome.texts > 0
    assert outcome.edges > 1_000


def test_the_page_has_a_row_for_each_search() -> None:
    outcome = Outcome(
        kind="bytes", seconds=300, texts=9_000, edges=4_000, kept=700, slowest=1, memory=300, broken=(), ended=True
    )

    assert page([outcome]).endswith("| bytes | 300 | 9000 | 4000 | 700 | 0 | 1 | 300 |\n")
