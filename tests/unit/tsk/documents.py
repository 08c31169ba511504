"""Random documents of the dialect: values, and a writer without fixed habits."""

from __future__ import annotations

import json
import random
import re
from typing import Any

from hypothesis import strategies as st

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
    """Writes values as a person of no fixed habits would; every comment has a number of its own."""

    def __init__(self, seed: int) -> None:
        self.choose = random.Random(seed)
        self.notes = 0

    def pick(self, *options: str) -> str:
        return self.choose.choice(options)

    def note(self) -> str:
        self.notes += 1
        return f"note {self.notes}."

    def gap(self) -> str:
        return self.pick("", "", " ", "  ", "\t", f" /* {self.note()} */ ")

    def line(self) -> str:
        return self.pick(
            "\n", "\n\n\n", f" // {self.note()}\n", f'\t# it\'s a "{self.note()}" {{\n', f" /* {self.note()}\n\tb */\n",
            f"\n   // {self.note()}  \n", f"\n\n\t/* {self.note()}\n  */ ", f" /* {self.note()} */\n\n",
        )  # fmt: skip

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
        written = [self.gap() + self.value(value) for value in values]
        text = "".join(w + self.between(closer) for w in written[:-1]) + "".join(written[-1:])
        return text + (self.pick("", ",", "\n", ",\n", self.line()) if values else "") + self.gap() + closer

    def between(self, closer: str) -> str:
        breaks = ["\n", self.line()] if closer == "]" else []
        return self.pick(",", ", ", " ,\n", "," + self.line(), "\n, ", *breaks)

    def table(self, value: dict[str, Any]) -> str:
        return "{" + self.pick("", " ", "\n", self.line()) + self.entries(value) + self.gap() + "}"

    def entries(self, value: dict[str, Any]) -> str:
        text = ""
        for key, inner in value.items():
            written = self.value(inner)
            signs = [" = ", "=", ": ", ":", " : ", " =\t", f"{self.gap()}={self.gap()}", f" ={self.line()}"]
            signs += [" "] if written.startswith("{") else []
            if written.startswith("{") and text.endswith(("\n", ",", ";")):
                signs.append("\n")
            text += self.gap() + self.key(key) + self.choose.choice(signs) + written
            text += self.pick("\n", ", ", ";", " ", ",\n", ";\n", self.line())
        return text

    def document(self, values: dict[str, Any]) -> str:
        """A whole file; tables at its end may stand below headers."""
        names = list(values)
        plain = len(names)
        while plain and is_table(values[names[plain - 1]]) and self.pick("header", "braces") == "header":
            plain -= 1
        text = self.pick("", self.line()) + self.entries({name: values[name] for name in names[:plain]})
        for name in names[plain:]:
            gaps = self.gap(), self.gap()
            text += f"\n{self.gap()}[{gaps[0]}{self.key(name)}{gaps[1]}]{self.line()}{self.entries(values[name])}"
        return text + self.pick("", self.line(), f"// {self.note()}")


def is_table(value: Any) -> bool:  # noqa: ANN401 - what JSON can hold
    """Whether a value is written as a table, not as an operator or otherwise."""
    return isinstance(value, dict) and not (len(value) == 1 and next(iter(value)).startswith("@"))


def exact(value: Any) -> str:  # noqa: ANN401 - what JSON can hold
    """The value with its types: 1, 1.0 and true differ."""
    return repr(value)
