"""Values written in any style of the dialect come back as they were."""

from __future__ import annotations

import json
import random
import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tusk_platform.tsk import parse, plain

KEYS = st.one_of(st.from_regex(r"\A[A-Za-z_0-9][A-Za-z0-9_-]{0,8}\Z"), st.text(min_size=1, max_size=8)).filter(
    lambda key: not re.search(r"[\n\r]", key)
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20).map(lambda text: text.replace("\r", "\n"))
SCALARS = st.one_of(
    TEXTS,
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.none(),
)


def operators(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    name = st.sampled_from(["@env", "@query", "@vault.secret"])
    return st.builds(lambda key, args: {key: args}, name, st.lists(values, max_size=3))


VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4), operators(inner)),
    max_leaves=20,
)


class Writer:
    """Writes values as a person of no fixed habits would."""

    def __init__(self, seed: int) -> None:
        self.choose = random.Random(seed)

    def pick(self, *options: str) -> str:
        return self.choose.choice(options)

    def gap(self) -> str:
        return self.pick("", " ", "  ", "\t", " /* gap */ ")

    def line(self) -> str:
        return self.pick("\n", "\n\n", " // note\n", '\t# it\'s a "note" {\n', " /* a\n b */\n")

    def text(self, value: str) -> str:
        quote = self.pick('"', "'", '"""')
        escaped = value.replace("\\", "\\\\").replace(quote[0], "\\" + quote[0]).replace("\t", self.pick("\t", "\\t"))
        escaped = escaped.replace("\n", self.pick("\n", "\\n"))
        if self.pick("raw", "coded") == "coded":
            escaped = "".join(f"\\u{ord(c):04x}" if 127 < ord(c) < 0xD800 else c for c in escaped)
        return quote + escaped + quote

    def key(self, key: str) -> str:
        plain_key = re.fullmatch(r"\w[\w-]*", key)
        if plain_key and self.pick("bare", "quoted") == "bare":
            return key
        return self.text(key)

    def value(self, value: Any) -> str:  # noqa: ANN401 - what JSON can hold
        if isinstance(value, dict):
            ((key, args),) = value.items() if len(value) == 1 else ((None, None),)
            if key and re.fullmatch(r"@[^\W\d][\w.]*", key) and isinstance(args, list):
                return f"{key}({self.gap()}{self.items(args, ')')}"
            return self.table(value)
        if isinstance(value, list):
            return "[" + self.gap() + self.items(value, "]")
        if isinstance(value, str):
            return self.text(value)
        return json.dumps(value)

    def items(self, values: list[Any], closer: str) -> str:
        between = [",", ", ", " ,\n"] + (["\n"] if closer == "]" else [])
        written = [self.value(value) for value in values]
        text = "".join(w + self.choose.choice(between) for w in written[:-1]) + "".join(written[-1:])
        return text + (self.pick("", ",", "\n", ",\n") if values else "") + self.gap() + closer

    def table(self, value: dict[str, Any]) -> str:
        return "{" + self.pick("", " ", "\n", self.line()) + self.entries(value) + self.gap() + "}"

    def entries(self, value: dict[str, Any]) -> str:
        text = ""
        for key, inner in value.items():
            written = self.value(inner)
            signs = [" = ", "=", ": ", ":", " : ", " =\t"] + ([" "] if written.startswith("{") else [])
            if written.startswith("{") and text.endswith(("\n", ",", ";")):
                signs.append("\n")
            text += self.gap() + self.key(key) + self.choose.choice(signs) + written
            text += self.pick("\n", ", ", ";", " ", ",\n", ";\n", self.line())
        return text


@settings(deadline=None, max_examples=150)
@given(st.dictionaries(KEYS, VALUES, max_size=5), st.integers(0, 2**32))
def test_values_survive_any_style(values: dict[str, Any], seed: int) -> None:
    text = Writer(seed).entries(values)

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


def exact(value: Any) -> str:  # noqa: ANN401 - what JSON can hold
    """The value with its types: 1, 1.0 and true differ."""
    return repr(value)
