"""Another value for any leaf of a config, found by its kind and by what the refusal of a wrong one names."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.unit.sections.mutation import Leaf, text_with_value
from tusk_platform.compile import Compiled, compile_text
from tusk_platform.sections.block import written
from tusk_platform.tsk.nodes import Array, Operator, Scalar
from tusk_platform.tsk.values import plain

SPANS = ("7 minutes", "40 seconds", "90 minutes", "3 hours", "2 days", "10 days")
FORMS = ("768MB", "60%", "100 requests per 1 minute", "4x3", "weekly", "http://elsewhere:9090", "s3://elsewhere/there")


def another(leaf: Leaf) -> Compiled | None:
    """The file with the first other value of a leaf that is right; None where there is only one right value."""
    tried = []
    for value in candidates(leaf):
        compiled = _mended(leaf, text_with_value(leaf, value))
        if not compiled.errors:
            return compiled
        tried.append(value)
    if isinstance(leaf.value, Scalar) and _named(leaf) == [leaf.value.value]:
        return None
    raise AssertionError(f"no other value of {leaf.path} is right; tried {tried}")


def _mended(leaf: Leaf, text: str) -> Compiled:
    """The text without the keys that do not go with the new value beside them, and with those that it needs."""
    table = leaf.path.rpartition(".")[0]
    compiled = compile_text(text, "platform.tsk")
    for _ in range(4):
        beside = [p for p in compiled.errors if table in {p.path, p.path.rpartition(".")[0]} and p.path != leaf.path]
        # Then what elsewhere speaks of something that the new value does not have.
        beside = beside or [p for p in compiled.errors if p.path != leaf.path]
        if not beside:
            break
        lines = text.split("\n")
        for problem in beside:
            if " is missing in " in problem.message or problem.path == table:
                lines[leaf.key.line - 1] += "\n" + problem.hint.split("`")[1]
            elif problem.span.line != leaf.key.line:
                lines[problem.span.line - 1] = ""
        text = "\n".join(lines)
        compiled = compile_text(text, "platform.tsk")
    return compiled


def candidates(leaf: Leaf) -> Iterator[str]:
    """Values to try, as they would be written."""
    value = leaf.value
    match value:
        case Operator(name="env"):
            yield "@env(ANOTHER_VARIABLE)"
        case Operator():
            [text] = [a.value for a in value.args if isinstance(a, Scalar)]
            yield '@query("' + re.sub(r"INTERVAL \d+", "INTERVAL 3", str(text)) + '")'
        case Scalar(value=bool(said)):
            yield str(not said).lower()
        case Scalar(value=int() | float() as number):
            yield from map(str, (number + 1, number / 2, number * 2, number - 1))
        case Scalar(value=str(text)):
            yield from (f'"{other}"' for other in (*_named(leaf), *SPANS, *FORMS, f"{text}_else") if other != text)
        case Array():
            yield from _lists(leaf, value)


def _lists(leaf: Leaf, value: Array) -> Iterator[str]:
    items = [written(plain(item)) for item in value.items]
    if len(items) > 1:
        yield f"[{', '.join(items[:-1])}]"
    yield from (f'["{other}"]' for other in _named(leaf, in_list=True))
    yield '["something_else"]'


def _named(leaf: Leaf, *, in_list: bool = False) -> list[str]:
    """The words that the refusal of a wrong one puts forward."""
    wrong = '["no_such_thing"]' if in_list else '"no_such_thing"'
    problems = compile_text(text_with_value(leaf, wrong), "platform.tsk").errors
    said = " ".join(f"{p.message} {p.hint}" for p in problems if p.path.startswith(leaf.path))
    words = re.findall(r"(?:`|\")(\w+)(?:`|\")", said)
    return [word for word in dict.fromkeys(words) if word not in {"no_such_thing", leaf.entry.key}]
