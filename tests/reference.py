"""The public data that some tests compare with: found through ``TUSK_REFERENCE_DATA``, never part of the project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Read when the tests are collected: each test's own environment has no settings of this project.
_FOLDER = os.environ.get("TUSK_REFERENCE_DATA")


def reference_data(name: str) -> Path:
    """The folder of one data set; the test is skipped with the reason where it is not there."""
    if not _FOLDER:
        pytest.skip("TUSK_REFERENCE_DATA is not set: it names a folder with public data sets")
    folder = Path(_FOLDER) / name
    if not folder.is_dir():
        pytest.skip(f"no data set {name} in {_FOLDER}")
    return folder
