"""``scalability_config``: how many instances run, how requests reach them, what happens when a service fails."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, ValidationInfo, field_validator

from tusk_platform.plan import profile
from tusk_platform.plan.drafts import Fragment
from tusk_platform.plan.nodes import Inactive
from tusk_platform.sections.block import Block, less_than, more_than
from tusk_platform.sections.fields import Count, EnvReference, Percent, number, whole
from tusk_platform.sections.place import Place


class HorizontalScaling(Block):
    """Instances of serving and of run workers."""

    enabled: bool = Field(default=True, description="Whether there may be more than one instance.", examples=[True])
    auto_scaling: bool = Field(default=False, description="Whether their number follows the load.", examples=[True])
    min_instances: Count = Field(default=1, description="Instances that always run.", examples=[2])
    max_instances: Count = Field(
        default=10,
        description="At most so many, and on one machine so many runs at once; at least `min_instances`.",
        examples=[10],
        validate_default=True,
    )
    scale_up_threshold: Percent = Field(
        default=70, description="Percent of load from which instances are added.", examples=[70]
    )
    scale_down_threshold: Percent = Field(
        default=30,
        description="Percent of load below which instances are removed; less than `scale_up_threshold`.",
        examples=[30],
        validate_default=True,
    )

    @field_validator("max_instances")
    @classmethod
    def _max_is_at_least_min(cls, value: int | EnvReference, info: ValidationInfo) -> int | EnvReference:
        return more_than(value, info, "min_instances", or_equal=True)

    @field_validator("scale_down_threshold")
    @classmethod
    def _down_is_below_up(cls, value: float | EnvReference, info: ValidationInfo) -> float | EnvReference:
        return less_than(value, info, "scale_up_threshold")


class LoadBalancing(Block):
    """How requests are spread over instances."""

    algorithm: Literal["round_robin", "least_connections", "random"] = Field(
        default="round_robin", description="Which instance is next.", examples=["round_robin"]
    )
    health_checks: bool = Field(default=True, description="Instances that fail get no requests.", examples=[True])
    session_affinity: bool = Field(default=False, description="A client stays with its instance.", examples=[False])


class RetryPolicy(Block):
    """How often a failed call is tried again."""

    max_retries: Annotated[int | EnvReference, whole(0, 100)] = Field(
        default=3, description="Tries after the first; 0: none.", examples=[3]
    )
    backoff_multiplier: Annotated[float | EnvReference, number(minimum=1, maximum=100)] = Field(
        default=2, description="Each wait is so many times the one before.", examples=[2]
    )


class FaultTolerance(Block):
    """What happens when a service outside fails."""

    circuit_breaker: bool = Field(
        default=True, description="A service that keeps failing is left alone.", examples=[True]
    )
    retry_policy: RetryPolicy = Field(default_factory=RetryPolicy, description="How often calls are tried again.")
    fallback_strategies: bool = Field(
        default=True, description="The last good value is served, marked stale.", examples=[True]
    )


class ScalabilityConfig(Block):
    """Instances, requests and failures."""

    horizontal_scaling: HorizontalScaling = Field(
        default_factory=HorizontalScaling, description="How many instances run."
    )
    load_balancing: LoadBalancing = Field(default_factory=LoadBalancing, description="How requests are spread.")
    fault_tolerance: FaultTolerance = Field(default_factory=FaultTolerance, description="What happens on failure.")


_ONE_PROCESS: Final = "one machine runs one process that serves; deployment files are not written yet"
_WAITING: Final = {
    "horizontal_scaling.auto_scaling": _ONE_PROCESS,
    "horizontal_scaling.min_instances": _ONE_PROCESS,
    "horizontal_scaling.scale_up_threshold": _ONE_PROCESS,
    "horizontal_scaling.scale_down_threshold": _ONE_PROCESS,
    "load_balancing": "there is one instance to reach; deployment files are not written yet",
}


def _said(section: ScalabilityConfig, name: str) -> bool:
    table, _, key = name.partition(".")
    return table in section.model_fields_set and (not key or key in getattr(section, table).model_fields_set)


def lower(section: ScalabilityConfig, place: Place) -> Fragment:
    """How many instances run, how requests reach them, and what happens when a call outside fails."""
    scaling, balancing, faults = section.horizontal_scaling, section.load_balancing, section.fault_tolerance
    return Fragment(
        scaling=profile.Scaling(
            enabled=scaling.enabled,
            auto_scaling=scaling.auto_scaling,
            min_instances=place.settle(scaling.min_instances, 1),
            max_instances=place.settle(scaling.max_instances, 10),
            scale_up_threshold=place.settle(scaling.scale_up_threshold, 70),
            scale_down_threshold=place.settle(scaling.scale_down_threshold, 30),
            balancing=balancing.algorithm,
            health_checks=balancing.health_checks,
            session_affinity=balancing.session_affinity,
        ),
        fault_tolerance=profile.FaultTolerance(
            circuit_breaker=faults.circuit_breaker,
            max_retries=place.settle(faults.retry_policy.max_retries, 3),
            backoff_multiplier=place.settle(faults.retry_policy.backoff_multiplier, 2),
            fallback=faults.fallback_strategies,
        ),
        inactive=tuple(
            Inactive(f"scalability_config.{name}", why) for name, why in _WAITING.items() if _said(section, name)
        ),
    )
