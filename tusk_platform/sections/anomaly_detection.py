"""``anomaly_detection``: detectors, what they watch, and who is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import Field

from tusk_platform.sections.block import Block, kind_of
from tusk_platform.sections.fields import (
    ColumnName,
    Count,
    Duration,
    EnvReference,
    MetricPath,
    Name,
    OneOrMore,
    Parsed,
    Several,
    number,
)
from tusk_platform.units import DAY, HOUR

Season = Literal["hourly", "daily", "weekly", "yearly"]


class ZScore(Block):
    """A robust rolling score."""

    method: Literal["z_score"] = Field(description="The kind of detector.", examples=["z_score"])
    threshold: Annotated[float | EnvReference, number(above=0, maximum=100)] = Field(
        default=3.0, description="A finding from this score on, in standard deviations.", examples=[3.0]
    )
    window_size: Duration = Field(
        default=HOUR, description="The span of event time that a point is compared with.", examples=["1 hour"]
    )


class IsolationForest(Block):
    """Trees that isolate what is rare."""

    method: Literal["isolation_forest"] = Field(description="The kind of detector.", examples=["isolation_forest"])
    contamination: Annotated[float | EnvReference, number(above=0, maximum=0.5)] = Field(
        default=0.1, description="Share of points expected to be anomalies, up to one half.", examples=[0.1]
    )
    training_window: Duration = Field(
        default=7 * DAY, description="It is trained on the last such span.", examples=["7 days"]
    )


class Prophet(Block):
    """A forecast of trend and seasons; what leaves its interval is an anomaly."""

    method: Literal["prophet"] = Field(description="The kind of detector.", examples=["prophet"])
    seasonality: OneOrMore[Season] = Field(
        default=("daily",), description="Seasons of the series, one or a list.", examples=["daily"]
    )
    trend: Literal["linear", "logistic", "flat"] = Field(
        default="linear", description="How the level may move.", examples=["linear"]
    )


_DETECTORS: Final[Mapping[str, type[Block]]] = {
    "z_score": ZScore,
    "isolation_forest": IsolationForest,
    "prophet": Prophet,
}
Detector = Annotated[
    ZScore | IsolationForest | Prophet,
    Parsed(kind_of("method", _DETECTORS), ZScore | IsolationForest | Prophet),
]


class Series(Block):
    """A metric that detectors watch, in total or split."""

    metric: MetricPath = Field(description="A metric, or `aggregate.metric`.", examples=["business_metrics.revenue"])
    by: OneOrMore[ColumnName] | None = Field(
        default=None,
        description="Dimensions that split it into a series each; not said: in total.",
        examples=[["region"]],
    )


class Escalation(Block):
    """What happens when alerts of one severity pile up."""

    threshold: Count = Field(description="So many firing alerts ...", examples=[5])
    time_window: Duration = Field(description="... within this span ...", examples=["5 minutes"])
    action: Literal["page_oncall"] = Field(description="... lead to this, once an incident.", examples=["page_oncall"])


class EscalationRules(Block):
    """Escalation by severity."""

    info: Escalation | None = Field(default=None, description="For alerts of severity `info`.")
    warning: Escalation | None = Field(default=None, description="For alerts of severity `warning`.")
    critical: Escalation | None = Field(default=None, description="For alerts of severity `critical`.")


class Alerting(Block):
    """Who is told of anomalies."""

    channels: Several[Literal["email", "slack", "webhook"]] = Field(
        default=(),
        description="Where alerts are delivered; not connected: a local outbox.",
        examples=[["email", "slack"]],
    )
    escalation_rules: EscalationRules = Field(
        default_factory=EscalationRules, description="When somebody is paged, by severity."
    )


class AnomalyDetection(Block):
    """Detectors and alerting."""

    algorithms: Mapping[Name, Detector] = Field(default_factory=dict, description="Detectors by name.")
    alerting: Alerting = Field(default_factory=Alerting, description="Who is told, and when somebody is paged.")
    series: Several[Series] = Field(
        default=(),
        description="What is watched besides, or split by dimensions.",
        examples=[[{"metric": "business_metrics.revenue", "by": ["region"]}]],
    )
