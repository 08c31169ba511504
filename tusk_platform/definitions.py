"""Dagster's door: the definitions of the config named by ``$TUSK_CONFIG``, else of ``platform.tsk`` here."""

from __future__ import annotations

import dagster as dg

from tusk_platform.orchestration.build import build_definitions
from tusk_platform.runtime.environment import config_path


@dg.definitions
def defs() -> dg.Definitions:
    """Loaded when Dagster asks, not when this module is imported."""
    return build_definitions(config_path())
