"""The platform as a Dagster component, for a ``defs.yaml``."""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from tusk_platform.orchestration.build import build_definitions


class TuskPlatform(dg.Component, dg.Model, dg.Resolvable):
    """A ``defs.yaml`` with ``type: tusk_platform.orchestration.component.TuskPlatform`` and the config's path."""

    config: str = "platform.tsk"

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The platform's definitions; ``config`` is relative to the component's folder."""
        return build_definitions(Path(context.path) / self.config)
