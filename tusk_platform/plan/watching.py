"""Nodes of anomaly detection and alerting: what is watched, by which detectors, and who is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tusk_platform.plan.origin import Origin

DetectorMethod = Literal["z_score", "isolation_forest", "prophet"]
Severity = Literal["info", "warning", "critical"]


@dataclass(frozen=True, slots=True)
class Series:
    """A metric of a table over time, in total or one series for each combination of ``by``."""

    table: str
    metric: str
    origin: Origin
    by: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """How people write it: ``agg.business_metrics.revenue by region``."""
        return f"{self.table}.{self.metric}" + (f" by {', '.join(self.by)}" if self.by else "")


@dataclass(frozen=True, slots=True)
class Detector:
    """One way to find anomalies; it watches every series of the plan. ``options`` are the method's own keys."""

    name: str
    method: DetectorMethod
    options: Mapping[str, Any]
    origin: Origin


@dataclass(frozen=True, slots=True)
class AlertRule:
    """What raises an alert.

    ``threshold``: a metric reaches ``warning`` or ``critical``. ``silence``: no event for ``limit`` microseconds.
    ``anomaly``: a finding of the detectors on any metric of ``table``. ``freshness``: the newest final window of
    ``table`` is not there ``limit`` microseconds after its start.
    """

    name: str
    kind: Literal["threshold", "silence", "anomaly", "freshness"]
    table: str
    origin: Origin
    metric: str | None = None
    warning: float | None = None
    critical: float | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Escalation:
    """``threshold`` firing alerts of one severity within ``time_window`` microseconds lead to ``action``."""

    severity: Severity
    threshold: int
    time_window: int
    action: Literal["page_oncall"]
    origin: Origin

    @property
    def name(self) -> str:
        """Its severity: there is one escalation for each."""
        return self.severity


@dataclass(frozen=True, slots=True)
class Alerting:
    """Where alerts are delivered, and when somebody is paged."""

    channels: tuple[str, ...]
    escalations: tuple[Escalation, ...]
    origin: Origin
