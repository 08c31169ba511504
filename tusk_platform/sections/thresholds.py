"""Bounds at which a value is worth a warning or critical: of a gauge's bands and of threshold alerts."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from tusk_platform.sections.block import Block, more_than
from tusk_platform.sections.fields import EnvReference, number


class Thresholds(Block):
    """From ``warning`` on a value is worth a look, from ``critical`` on it is an emergency."""

    warning: Annotated[float | EnvReference, number()] | None = Field(
        default=None, description="Values from here on are a warning.", examples=[70]
    )
    critical: Annotated[float | EnvReference, number()] | None = Field(
        default=None, description="Values from here on are critical; more than `warning`.", examples=[90]
    )

    @field_validator("critical")
    @classmethod
    def _critical_is_above_warning(cls, value: float | EnvReference | None, info: ValidationInfo) -> object:
        return more_than(value, info, "warning")
