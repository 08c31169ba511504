"""``tusk schema`` prints the schema; ``tusk lsp`` says what is missing where its library is."""

from __future__ import annotations

import importlib.util
from importlib.machinery import ModuleSpec

import pytest

from tests.unit.cli.conftest import Tusk
from tusk_platform.cli import editor
from tusk_platform.generate.json_schema import config_schema
from tusk_platform.sections.streams import sources


def test_the_schema_is_printed_with_the_sources_installed_here(tusk: Tusk) -> None:
    answer = tusk("schema")

    assert (answer.code, answer.err) == (0, "")
    assert answer.json() == config_schema(sources())


def test_without_its_library_the_server_says_how_to_get_it(tusk: Tusk, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec

    def without(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name == "pygls" else find(name, package)

    monkeypatch.setattr(editor, "find_spec", without)

    answer = tusk("lsp")

    assert (answer.code, answer.out) == (1, "")
    assert "pip install 'tusk-platform[editor]'" in answer.err
