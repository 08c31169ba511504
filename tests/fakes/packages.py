"""Packages of strangers: a module and an entry point where Python finds packages, as an installation leaves them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tusk_platform import ports


@contextmanager
def installed_package(folder: Path, module: str, program: str, group: str, entry_point: str) -> Iterator[None]:
    """The program installed as ``module``, with one entry point such as ``sqlite = "sqlite_source:adapter"``."""
    (folder / f"{module}.py").write_text(program)
    metadata = folder / f"{module}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module.replace('_', '-')}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{group}]\n{entry_point.replace(chr(34), '')}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        importlib.invalidate_caches()
        ports._entry_points.cache_clear()
        yield
    ports._entry_points.cache_clear()
    sys.modules.pop(module, None)
