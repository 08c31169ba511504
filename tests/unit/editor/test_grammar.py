"""The TextMate grammar, read by a TextMate engine: every part of a file has the scope of what the parser says it is."""

from __future__ import annotations

import json
import logging
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import onigurumacffi
import pytest

from tusk_platform.tsk.nodes import Array, Operator, Scalar, Table, Value
from tusk_platform.tsk.parser import parse

ROOT = Path(__file__).resolve().parents[3]
GRAMMAR = ROOT / "docs/editor/tusk.tmLanguage.json"
# Files of the language without a mistake.
FILES = [ROOT / "platform.tsk", *sorted(f.with_suffix(".tsk") for f in (ROOT / "tests/golden/tsk").glob("*.json"))]
RIGHT = [f for f in FILES if not parse(f.read_text(encoding="utf-8"), "").problems]
# As much of SQL as shows that it is read as SQL.
SQL = {
    "name": "SQL",
    "scopeName": "source.sql",
    "fileTypes": ["sql"],
    "repository": {},
    "patterns": [
        {"name": "keyword.other.sql", "match": r"\b(?i:select|from|where|as)\b"},
        {"name": "string.quoted.single.sql", "begin": "'", "end": "'"},
    ],
}

Scopes = Callable[[str], dict[tuple[int, int], list[str]]]


@pytest.fixture(scope="module")
def scopes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scopes]:
    """The scopes of every character of a text, by line and column from 1."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("engine"))  # it makes a folder where it stands
        from textmate_grammar.parsers.base import LanguageParser  # noqa: PLC0415 - only now the folder is the right one

        logging.getLogger("textmate_grammar").setLevel(logging.CRITICAL)
        LanguageParser(SQL)
        parser = LanguageParser(json.loads(GRAMMAR.read_text(encoding="utf-8")))

        def read(text: str) -> dict[tuple[int, int], list[str]]:
            element = parser.parse_string(text)
            assert element
            return {
                (line + 1, column + 1 + n): found
                for (line, column), content, found in element.flatten()
                for n in range(len(content))
            }

        yield read


def expected(value: Value) -> Iterator[tuple[Value, str]]:
    """Values that the parser found, with the scope that their first character has."""
    match value:
        case Scalar(value=bool()):
            yield value, "constant.language.boolean.tusk"
        case Scalar(value=None):
            yield value, "constant.language.null.tusk"
        case Scalar(value=int() | float()):
            yield value, "constant.numeric.tusk"
        case Scalar():
            yield value, "punctuation.definition.string.begin.tusk"
        case Array(items=items):
            for item in items:
                yield from expected(item)
        case Operator():
            yield value, "punctuation.definition.operator.tusk"
        case Table(entries=entries):
            for entry in entries:
                yield from expected(entry.value)


def keys(table: Table) -> Iterator[tuple[int, int]]:
    """Where keys stand, below operators as well."""
    for entry in table.entries:
        yield entry.key_span.line, entry.key_span.column
        if isinstance(entry.value, Table):
            yield from keys(entry.value)


@pytest.mark.parametrize("file", RIGHT, ids=lambda f: f.stem)
def test_every_key_and_value_has_its_scope(file: Path, scopes: Scopes) -> None:
    text = file.read_text(encoding="utf-8")
    root = parse(text, file.name).root
    found = scopes(text)
    wrong = []

    for line, column in keys(root):
        at = " ".join(found[line, column])
        if "support.type.property-name.tusk" not in at and "entity.name.section.tusk" not in at:
            wrong.append((line, column, at))
    for value, scope in expected(root):
        at = " ".join(found[value.span.line, value.span.column])
        if scope not in at:
            wrong.append((value.span.line, value.span.column, at))

    assert wrong == []


@pytest.mark.parametrize(
    ("text", "part", "scope"),
    [
        ("a = 1 // why", "why", "comment.line.double-slash.tusk"),
        ("a = 1 # why", "why", "comment.line.number-sign.tusk"),
        ("/* a\n why */ b = 1", "why", "comment.block.tusk"),
        ("/* why */ b = 1", "b", "support.type.property-name.tusk"),
        ("[a.b]\nc = 1", "b", "entity.name.section.tusk"),
        ('["a b"]', "a b", "entity.name.section.tusk"),
        ("a = [\n  [1]\n]", "1", "constant.numeric.tusk"),
        ('"a b" = 1', "a b", "support.type.property-name.tusk"),
        ("a: 1", ":", "keyword.operator.assignment.tusk"),
        ('a = "b\\n"', "\\n", "constant.character.escape.tusk"),
        ('a = "b\\q"', "\\q", "invalid.illegal.escape.tusk"),
        ("a = 'b # c'", "# c", "string.quoted.single.tusk"),
        ('a = """b "c" d"""', "d", "string.quoted.triple.tusk"),
        ('a = "true"', "true", "string.quoted.double.tusk"),
        ("a = @env(HOME, 5)", "env", "support.function.operator.tusk"),
        ("a = @env(HOME, 5)", "HOME", "variable.other.constant.tusk"),
        ('a = @env("HOME", default = 5)', "default", "support.type.property-name.tusk"),
        ('a = @env(HOME, "http://b") c = true', "true", "constant.language.boolean.tusk"),
        ('a = @query("SELECT 1")', "SELECT", "keyword.other.sql"),
        ('a = @query("\n  SELECT 1 -- \\"x\\"\n  FROM b\n") c = 1', "FROM", "keyword.other.sql"),
        ("a = @query(\"SELECT 'x' AS y\")", "x", "string.quoted.single.sql"),
        ('a = @query("SELECT 1") b = true', "true", "constant.language.boolean.tusk"),
    ],
)
def test_a_part_of_a_text_has_its_scope(text: str, part: str, scope: str, scopes: Scopes) -> None:
    start = text.index(part)
    place = text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start)

    assert scope in " ".join(scopes(text)[place])


def patterns(rule: Any) -> Iterator[str]:  # noqa: ANN401 - any part of a grammar
    """Every pattern of a grammar."""
    if isinstance(rule, dict):
        yield from (rule[k] for k in ("match", "begin", "end", "while") if isinstance(rule.get(k), str))
        for inner in rule.values():
            yield from patterns(inner)
    elif isinstance(rule, list):
        for inner in rule:
            yield from patterns(inner)


def test_every_pattern_is_one_of_the_engine_that_editors_use() -> None:
    found = list(patterns(json.loads(GRAMMAR.read_text(encoding="utf-8"))))

    assert len(found) > 20
    for pattern in found:
        onigurumacffi.compile(pattern)


def test_the_settings_for_editors_are_well_formed() -> None:
    extension = ROOT / "docs/editor/vscode"
    manifest = json.loads((extension / "package.json").read_text(encoding="utf-8"))
    language = json.loads((extension / "language-configuration.json").read_text(encoding="utf-8"))
    readme = (ROOT / "docs/editor/README.md").read_text(encoding="utf-8")
    [helix] = [tomllib.loads(block) for block in re.findall(r"^```toml\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)]
    [grammar] = manifest["contributes"]["grammars"]

    assert (extension / manifest["main"]).is_file()
    assert grammar["scopeName"] == json.loads(GRAMMAR.read_text(encoding="utf-8"))["scopeName"]
    assert Path(grammar["path"]).name == GRAMMAR.name
    assert language["comments"]["lineComment"] == "//"
    assert helix["language-server"]["tusk"] == {"command": "tusk", "args": ["lsp"]}
