"""Examples in docstrings of the light floors are true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import tusk_platform

LIGHT = ("errors", "units", "processes", "plan", "ports", "tsk", "core", "sections")


def modules() -> list[str]:
    """Names of all modules of the light floors."""
    found = [m.name for m in pkgutil.walk_packages(tusk_platform.__path__, "tusk_platform.")]
    return [name for name in found if name.split(".")[1] in LIGHT]


@pytest.mark.parametrize("name", modules())
def test_examples_in_docstrings_are_true(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))

    assert result.failed == 0
