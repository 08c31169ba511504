"""A config says the same in any spelling, and formatting changes nothing of what it comes to."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.sections.configs import Values, configs
from tests.unit.tsk.documents import Writer, exact
from tusk_platform.compile import compile_text
from tusk_platform.plan.page import as_json
from tusk_platform.sections.validate import validate
from tusk_platform.tsk import parse, plain
from tusk_platform.tsk.formatting import format_text

_PLACE = re.compile(r"r\.tsk:\d+:\d+")


@settings(deadline=None, max_examples=40)
@given(configs(), st.integers(0, 2**32))
def test_a_config_in_any_spelling_is_what_was_meant(values: Values, seed: int) -> None:
    document = parse(Writer(seed).document(values), "r.tsk")

    assert exact(plain(document.root)) == exact(values)
    assert [p.render() for p in validate(document).problems] == []


@settings(deadline=None, max_examples=40)
@given(configs(), st.integers(0, 2**32))
def test_formatting_changes_no_plan(values: Values, seed: int) -> None:
    written = Writer(seed).document(values)

    assert outcome(format_text(written, "r.tsk")) == outcome(written)


def outcome(text: str) -> tuple[Any, Counter[tuple[str, str, str]]]:
    """What a config comes to: its plan and what is wrong with it, without positions."""
    compiled = compile_text(text, "r.tsk")
    return _unplaced(as_json(compiled.plan)), Counter(
        (p.path, p.message, _PLACE.sub("", p.hint)) for p in compiled.problems
    )


def _unplaced(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        return {k: _unplaced(v) for k, v in value.items() if k not in {"at", "span", "fingerprint"}}
    return [_unplaced(v) for v in value] if isinstance(value, list) else value
