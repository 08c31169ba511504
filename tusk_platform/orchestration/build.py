"""Definitions from a config file, to be used as they are or merged with a user's own."""

from __future__ import annotations

import warnings
from pathlib import Path

import dagster as dg

from tusk_platform.compile import load_plan
from tusk_platform.orchestration.assets import plan_assets
from tusk_platform.orchestration.jobs import backfill_job
from tusk_platform.orchestration.sensors import plan_sensors
from tusk_platform.orchestration.specs import source_spec


def build_definitions(path: str | Path) -> dg.Definitions:
    """Dagster definitions of the platform that a ``.tsk`` file describes.

    >>> import dagster as dg
    >>> defs = dg.Definitions.merge(build_definitions("platform.tsk"), dg.Definitions(assets=[]))  # doctest: +SKIP
    """
    config = Path(path).absolute()
    plan = load_plan(config)
    with warnings.catch_warnings():
        # Links to code are the one thing here that dagster may still change; it would say so once an asset.
        warnings.simplefilter("ignore", dg.BetaWarning)
        assets = plan_assets(plan, config)
        sources = {spec.key: spec for spec in (source_spec(s) for s in plan.streams)}
    everything = dg.AssetSelection.assets(*(key for a in assets for key in a.keys))
    return dg.Definitions(
        assets=[*assets, *sources.values()],
        sensors=plan_sensors(plan, config),
        jobs=[
            dg.define_asset_job("everything", everything, description="Materializes every asset once, in order."),
            backfill_job(plan, config),
        ],
    )
