"""``anomaly_detection``: detectors, what they watch, and who is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import Field

from tusk_platform.plan import watching
from tusk_platform.plan.drafts import Fragment, SeriesDraft
from tusk_platform.plan.nodes import Inactive
from tusk_platform.plan.watched import NOT_WATCHED
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
from tusk_platform.sections.place import Place
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


def lower(section: AnomalyDetection, place: Place) -> Fragment:
    """The detectors, the series named here, and who is told."""
    key = "anomaly_detection"
    alerting = section.alerting
    told = bool(alerting.channels) or any(rule for _, rule in _escalations(alerting))
    return Fragment(
        detectors=tuple(_detector(name, d, place) for name, d in section.algorithms.items()),
        series=tuple(
            SeriesDraft(s.metric, place.at(key, "series", str(i)), s.by or ()) for i, s in enumerate(section.series)
        ),
        alerting=watching.Alerting(
            channels=alerting.channels,
            escalations=tuple(
                watching.Escalation(
                    severity,
                    place.settle(rule.threshold, 1),
                    rule.time_window,
                    rule.action,
                    place.at(key, "alerting", "escalation_rules", severity),
                )
                for severity, rule in _escalations(alerting)
                if rule
            ),
            origin=place.at(key, "alerting"),
        )
        if told
        else None,
        inactive=(
            *(Inactive(f"{key}.algorithms.{name}", NOT_WATCHED) for name in section.algorithms),
            *([Inactive(f"{key}.series", NOT_WATCHED)] if section.series else []),
            *([Inactive(f"{key}.alerting", "alerts are not raised or delivered yet")] if told else []),
        ),
    )


def _escalations(alerting: Alerting) -> tuple[tuple[watching.Severity, Escalation | None], ...]:
    rules = alerting.escalation_rules
    return ("info", rules.info), ("warning", rules.warning), ("critical", rules.critical)


def _detector(name: str, d: ZScore | IsolationForest | Prophet, place: Place) -> watching.Detector:
    origin = place.at("anomaly_detection", "algorithms", name)
    options: dict[str, object]
    match d:
        case ZScore():
            options = {"threshold": place.settle(d.threshold, 3.0), "window_size": d.window_size}
        case IsolationForest():
            options = {"contamination": place.settle(d.contamination, 0.1), "training_window": d.training_window}
        case Prophet():
            options = {"seasonality": list(d.seasonality), "trend": d.trend}
    return watching.Detector(name, d.method, options, origin)
