"""The pages for people say what there is: every key, command and table, with links that lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.core import TyperGroup

from tests.meta.test_docs_source import blocks, installed
from tests.unit.sections.test_schemas import fields
from tusk_platform.cli.main import app
from tusk_platform.compile import Compiled, compile_text, reference_page
from tusk_platform.core.schema import LINEAGE
from tusk_platform.generate.reference import QUESTIONS
from tusk_platform.jobs.validate import quality_schema
from tusk_platform.plan.page import as_json
from tusk_platform.ports import Described, Waiting, names, source_adapter
from tusk_platform.sections.streams import sources
from tusk_platform.sections.top_level import TopLevel
from tusk_platform.sections.validate import SECTIONS
from tusk_platform.tsk.nodes import Scalar, Table
from tusk_platform.tsk.parser import parse
from tusk_platform.tsk.values import plain

__all__ = ["installed"]

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
EVERY_KEY = (DOCS / "every_key.tsk").read_text(encoding="utf-8")


@cache
def text(name: str) -> str:
    """A page."""
    return (ROOT / name).read_text(encoding="utf-8")


@cache
def with_every_key() -> Compiled:
    """The config that uses every key."""
    return compile_text(EVERY_KEY, "every_key.tsk")


def anchors(page: Path) -> set[str]:
    """What a link into a page may point to."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"https?://", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)

    assert broken == []


EXAMPLES = [
    pytest.param(block, id=f"{page.name}-{number}")
    for page in PAGES
    for number, block in enumerate(blocks(page.read_text(encoding="utf-8"), "tsk"))
]


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_of_a_config_is_right(example: str) -> None:
    compiled = compile_text(example, "example.tsk")

    assert [p.render() for p in compiled.errors] == []


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 6


def test_the_reference_is_what_the_code_says() -> None:
    page = reference_page(DOCS / "every_key.tsk")

    assert text("docs/reference.md") == page, "run `make generated`"
    assert page == reference_page(DOCS / "every_key.tsk")


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_is_explained(section: str) -> None:
    title = f"### {section}\n"
    assert title in text("docs/guide.md")
    said = text("docs/guide.md").split(title)[1].split("\n##")[0]
    plan = with_every_key().plan
    keys = [path for path, *_ in leaves_on_one_line() if path.startswith(f"{section}.")]

    assert ("*Planned, not active yet.*" in said) == (bool(keys) and all(plan.waits_for(key) for key in keys))


def test_what_the_guide_calls_not_active_is_not_active() -> None:
    waiting = {i.key.rpartition(".")[2] for i in with_every_key().plan.inactive} | {"apache_flink", "data_cleansing"}
    sentences = re.split(r"(?<=\.)\s", " ".join(text("docs/guide.md").split()))
    claims = [s for s in sentences if "not active yet" in s and "Planned" not in s]

    assert len(claims) >= 3
    assert {word for s in claims for word in re.findall(r"`(\w+)`", s)} - waiting == set()


def test_the_guide_names_the_connections_in_use() -> None:
    waiting = {i.key for i in with_every_key().plan.inactive}
    used = [f"`{c}`" for c in SECTIONS["connections"].model_fields if f"connections.{c}" not in waiting]

    assert f"Today {', '.join(used)} are used; the others are checked only." in text("docs/guide.md")


def test_every_key_is_in_the_reference() -> None:
    listed = set(re.findall(r"^\| `(\w+)`", text("docs/reference.md"), re.MULTILINE))
    own = {key for name in names("sources") if isinstance(a := source_adapter(name), Described)
           for key in a.options.config_keys() if name in sources()}  # fmt: skip

    assert {key for _, key, _ in fields()} - listed == set()
    assert own - listed == set()


@pytest.mark.parametrize("source", sources())
def test_every_source_is_named(source: str) -> None:
    assert f"### Source {source}\n" in text("docs/reference.md")
    assert f"`{source}`" in text("docs/guide.md")
    if source in names("sources") and isinstance(adapter := source_adapter(source), Waiting):
        assert adapter.not_yet in text("docs/reference.md")


@pytest.mark.parametrize("question", [q for q, _ in QUESTIONS])
def test_every_rule_is_listed_in_its_order(question: str) -> None:
    said = text("docs/reference.md").split(f"### {question}\n")[1].split("\n#")[0]

    assert re.findall(r"^\d+\. (.+)$", said, re.MULTILINE) == [rule.name for rule in dict(QUESTIONS)[question]]


def commands() -> Mapping[str, Any]:
    """The commands that help shows."""
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    return {name: command for name, command in group.commands.items() if not command.hidden}


@pytest.mark.parametrize("command", commands())
def test_every_command_and_option_is_named(command: str) -> None:
    told = text("README.md")
    options = {o for p in commands()[command].params for o in p.opts if o.startswith("--")}

    assert f"`tusk {command}" in told
    assert {o for o in options if not re.search(rf"(?<![\w-]){o}(?![\w-])", told)} == set()


def test_every_column_of_the_tables_is_named() -> None:
    columns = {f.name for f in LINEAGE} | set(quality_schema().names)
    columns |= {"window_start", "window_end", "event_count", "is_final", "updated_at"}

    assert {c for c in columns if f"`{c}`" not in text("docs/guide.md")} == set()


# -- The config with every key ----------------------------------------------------------------------------------------


def test_the_config_with_every_key_is_right_and_whole() -> None:
    written: set[str] = set()

    def collect(value: object) -> None:
        if isinstance(value, Mapping):
            written.update(value)
            for inner in value.values():
                collect(inner)
        elif isinstance(value, list):
            for inner in value:
                collect(inner)

    collect(plain(parse(EVERY_KEY, "every_key.tsk").root))

    assert [p.render() for p in with_every_key().errors] == []
    assert {key for _, key, _ in fields()} | set(TopLevel.config_keys()) <= written


def leaves_on_one_line() -> Iterator[tuple[str, int, int, int]]:
    """Path of each leaf, its line, and the columns from its key to the end of its value."""

    def below(table: Table, path: tuple[str, ...]) -> Iterator[tuple[str, int, int, int]]:
        for entry in table.entries:
            here = (*path, entry.key)
            if isinstance(entry.value, Table):
                yield from below(entry.value, here)
            elif isinstance(entry.value, Scalar):
                span = entry.value.span
                yield ".".join(here), span.line, entry.key_span.column, span.column + span.length

    yield from below(parse(EVERY_KEY, "every_key.tsk").root, ())


def nodes(compiled: Compiled) -> dict[str, Any]:
    """What a platform is made of, without where it was written and why."""
    aside = {"fingerprint", "assumptions", "inactive", "environment"}

    def bare(value: Any) -> Any:  # noqa: ANN401 - any JSON
        if isinstance(value, dict):
            return {k: bare(v) for k, v in value.items() if k not in {"origin", "at"}}
        return [bare(v) for v in value] if isinstance(value, list) else value

    return {k: bare(v) for k, v in as_json(compiled.plan).items() if k not in aside}


def test_every_key_changes_the_plan() -> None:
    whole, lines = nodes(with_every_key()), EVERY_KEY.split("\n")
    dead = []
    for path, line, start, end in leaves_on_one_line():
        text = lines[line - 1]
        before, written, after = text[: start - 1], text[start - 1 : end - 1], text[end - 1 :]
        # Without the key its default holds, which a switch may say too.
        others = ["", *(re.sub(rf"= {a}$", f"= {b}", written) for a, b in (("true", "false"), ("false", "true")))]
        plans = [
            compile_text("\n".join([*lines[: line - 1], before + other + after, *lines[line:]]), "every_key.tsk")
            for other in others
            if other != written
        ]
        if all(not p.errors and nodes(p) == whole for p in plans):
            dead.append(path)

    assert dead == []
