"""Nodes of machine learning: models, their features, learning event by event, the prediction service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tusk_platform.plan.origin import Origin

Algorithm = Literal["arima", "random_forest", "lstm"]


@dataclass(frozen=True, slots=True)
class Cadence:
    """How often something is done again; ``text`` is what the config says.

    ``every`` so many microseconds, or at the times of ``cron`` (in the platform's time zone); neither: in real time.
    """

    text: str
    every: int | None = None
    cron: str | None = None

    @property
    def real_time(self) -> bool:
        """Whether it happens with every micro-batch."""
        return self.every is None and self.cron is None


@dataclass(frozen=True, slots=True)
class LearningInput:
    """What a model learns from.

    A forecast reads ``metric`` of ``table`` per step of ``step`` microseconds: for an aggregate or a query one of its
    columns, for a stream the ``count`` of rows. ``where`` is SQL over the rows of ``table``. ``by``: also one series
    for each value of these columns. A classification reads the history of each ``entity``. ``history``: the span, in
    microseconds, that training needs.
    """

    table: str
    metric: str | None = None
    where: str | None = None
    by: tuple[str, ...] = ()
    step: int | None = None
    entity: str | None = None
    history: int = 0


@dataclass(frozen=True, slots=True)
class Model:
    """A model that is trained on a schedule. Spans are microseconds; shares and thresholds lie between 0 and 1.

    ``retrain``: trained from scratch; ``update``: learns from what is new and predicts again.
    """

    name: str
    algorithm: Algorithm
    learns_from: LearningInput
    retrain: Cadence
    update: Cadence
    origin: Origin
    forecast_horizon: int | None = None
    confidence_interval: float | None = None
    sequence_length: int | None = None
    features: tuple[str, ...] = ()
    prediction_window: int | None = None
    threshold: float | None = None

    @property
    def table(self) -> str:
        """Name of the table of its predictions."""
        return f"predictions.{self.name}"


@dataclass(frozen=True, slots=True)
class Feature:
    """One input of a classification: its definition in words over the columns that it reads."""

    name: str
    definition: str
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FeatureEngineering:
    """What models get to see: features of the latest windows, of history, of outside sources."""

    real_time: bool
    historical: bool
    external: tuple[str, ...]
    features: tuple[Feature, ...]
    origin: Origin


@dataclass(frozen=True, slots=True)
class OnlineLearning:
    """Models that learn with every event, beside those that are trained on a schedule."""

    enabled: bool
    algorithms: tuple[str, ...]
    models: tuple[str, ...]
    update: Cadence
    drift_detection: bool
    origin: Origin


@dataclass(frozen=True, slots=True)
class FeatureStore:
    """Where the newest features of each entity are kept for ``ttl`` microseconds, written ``batch_size`` at a time."""

    type: Literal["redis", "embedded"]
    adapter: Literal["redis", "embedded"]
    ttl: int
    batch_size: int
    real_time_ingestion: bool
    origin: Origin


@dataclass(frozen=True, slots=True)
class ModelServing:
    """The service that answers with predictions. ``port`` is that of the endpoint, on the loopback interface."""

    endpoint: str | None
    port: int
    load_balancing: bool
    auto_scaling: bool
    health_checks: bool
    origin: Origin
