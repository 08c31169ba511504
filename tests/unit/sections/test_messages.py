"""What is said about a wrong config, word for word: the cases stand in ``messages.txt``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tusk_platform.sections.validate import validate
from tusk_platform.tsk.parser import parse

FILE = Path(__file__).with_name("messages.txt")


def cases() -> list[tuple[str, str, str]]:
    """Title, config and everything that is said about it."""
    found = []
    for block in FILE.read_text(encoding="utf-8").removeprefix("## ").split("\n## "):
        title, rest = block.split("\n", 1)
        config, said = rest.split("\n--\n")
        found.append((title, config, said.rstrip("\n")))
    return found


@pytest.mark.parametrize(("config", "said"), [c[1:] for c in cases()], ids=[c[0] for c in cases()])
def test_a_mistake_is_explained(config: str, said: str) -> None:
    problems = validate(parse(config, "a.tsk")).problems

    assert "\n".join(p.render() for p in problems) == said
