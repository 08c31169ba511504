"""The scalars of a config that stand outside every section."""

from __future__ import annotations

from pydantic import Field

from tusk_platform.sections.block import Block
from tusk_platform.sections.fields import TimeZone


class TopLevel(Block):
    """What holds for the whole file."""

    timezone: TimeZone = Field(
        default="UTC",
        description="What a day and a week are, for windows, schedules and pages.",
        examples=["Europe/Berlin"],
    )
    demo: bool = Field(
        default=True,
        description="Streams without a connection show generated events until somebody publishes real ones.",
        examples=[False],
    )
