"""What holds for every key of every section: it is described, shown by an example that is right, and can be used."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from tests.unit.sections.mutation import seed
from tusk_platform.errors import Problem
from tusk_platform.sections.block import Block, example
from tusk_platform.sections.reading import read
from tusk_platform.sections.validate import SECTIONS, Validated, validate
from tusk_platform.tsk.parser import parse
from tusk_platform.tsk.values import plain

EVERYTHING = Path(__file__).with_name("everything.tsk").read_text(encoding="utf-8")


def blocks() -> list[type[Block]]:
    """Every table of the sections."""

    def below(block: type[Block]) -> Iterator[type[Block]]:
        for inner in block.__subclasses__():
            yield inner
            yield from below(inner)

    return sorted(
        {b for b in below(Block) if b.__module__.startswith("tusk_platform.sections")}, key=lambda b: b.__qualname__
    )


def fields() -> list[tuple[type[Block], str, FieldInfo]]:
    """Every key of every table."""
    return [(block, key, field) for block in blocks() for key, field in block.config_keys().items()]


EVERY_KEY = pytest.mark.parametrize(
    ("block", "key", "field"), fields(), ids=[f"{block.__name__}.{key}" for block, key, _ in fields()]
)


def checked(text: str) -> Validated:
    """A config that is right."""
    validated = validate(parse(text, "a.tsk"))
    found: list[Problem] = list(validated.problems)
    assert [p.render() for p in found] == []
    return validated


@EVERY_KEY
def test_every_key_is_described(block: type[Block], key: str, field: FieldInfo) -> None:
    assert block.__doc__
    assert field.description
    assert field.description.endswith((".", "..."))
    assert key.isidentifier()


@EVERY_KEY
def test_the_example_of_a_key_is_right(block: type[Block], key: str, field: FieldInfo) -> None:
    if not field.examples:
        assert not field.is_required()
        return
    values = read(parse(example(key, field), "a.tsk").root).data

    try:
        block.model_validate(values)
    except ValidationError as error:
        about = [e for e in error.errors() if e["loc"][:1] == (key,) and e["ctx"]["on"] not in {"missing", "absent"}]
        assert about == []


def test_the_keys_beyond_the_seed_are_right() -> None:
    validated = checked(EVERYTHING)

    assert validated.top.timezone == "Europe/Berlin"
    assert "KAFKA" in {use.variable for use in validated.environment}


def test_every_key_is_used_in_one_of_the_two_files() -> None:
    written: set[str] = set()

    def collect(value: object) -> None:
        if isinstance(value, Mapping):
            written.update(value)
            for inner in value.values():
                collect(inner)
        elif isinstance(value, list):
            for inner in value:
                collect(inner)

    for text in (seed(), EVERYTHING):
        collect(plain(parse(text, "a.tsk").root))

    assert {key for _, key, _ in fields()} <= written


@pytest.mark.parametrize("text", [seed(), EVERYTHING], ids=["seed", "everything"])
def test_models_can_be_written_as_json(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for section in checked(text).sections.values():
            assert json.loads(json.dumps(section.model_dump(mode="json"))) is not None


@pytest.mark.parametrize(("name", "section"), SECTIONS.items(), ids=SECTIONS)
def test_every_section_has_a_schema_for_editors(name: str, section: type[BaseModel]) -> None:
    schema = section.model_json_schema()

    assert section.__name__.lower() == name.replace("_", "")
    assert schema["description"]
    assert _without_description(schema) == []


def _without_description(schema: dict[str, Any]) -> list[str]:
    tables = [schema, *schema.get("$defs", {}).values()]
    keys = [(name, key) for table in tables for name, key in table.get("properties", {}).items()]
    # A description equal to that of the table it refers to is not repeated.
    return [name for name, key in keys if "description" not in key and "$ref" not in key]


def test_models_cannot_be_changed() -> None:
    section = checked("performance_config = { }").sections["performance_config"]

    with pytest.raises(ValidationError):
        section.__class__.__setattr__(section, "caching", None)
