"""``predictive_analytics``: models that forecast and classify, and the features they learn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Final, Literal

from pydantic import Field

from tusk_platform.plan import learning
from tusk_platform.plan.drafts import Fragment, ModelDraft
from tusk_platform.plan.nodes import Inactive
from tusk_platform.sections.block import Block, kind_of
from tusk_platform.sections.fields import (
    AtLeastOne,
    Duration,
    EnvReference,
    Name,
    Parsed,
    Several,
    number,
    whole,
)
from tusk_platform.sections.frequency import Often
from tusk_platform.sections.place import Place
from tusk_platform.units import DAY

Probability = Annotated[float | EnvReference, number(above=0, below=1)]


class Model(Block):
    """What every model says: what it learns from, and how often it learns again."""

    source: Name | None = Field(
        default=None,
        description="The aggregate or query it learns from; not said: found by the model's name.",
        examples=["business_metrics"],
    )
    target: Name | None = Field(
        default=None, description="The metric it predicts; not said: found by the model's name.", examples=["revenue"]
    )
    update_frequency: Often | None = Field(
        default=None,
        description="How often it learns again and predicts; not said: as `retrain_frequency`.",
        examples=["daily"],
    )
    retrain_frequency: Often | None = Field(
        default=None, description="How often it is trained from scratch; not said: weekly.", examples=["weekly"]
    )


class Arima(Model):
    """A forecast by autoregression; its order is searched."""

    algorithm: Literal["arima"] = Field(description="The kind of model.", examples=["arima"])
    forecast_horizon: Duration = Field(description="How far ahead it looks.", examples=["7 days"])
    confidence_interval: Probability = Field(
        default=0.95, description="Share of outcomes expected between the lower and upper bound.", examples=[0.95]
    )


class Lstm(Model):
    """A forecast by a small recurrent network."""

    algorithm: Literal["lstm"] = Field(description="The kind of model.", examples=["lstm"])
    forecast_horizon: Duration = Field(description="How far ahead it looks.", examples=["14 days"])
    sequence_length: Annotated[int | EnvReference, whole(2, 10_000)] = Field(
        default=30, description="Steps of history that it reads at once.", examples=[30]
    )
    confidence_interval: Probability = Field(
        default=0.95, description="Share of outcomes expected between the lower and upper bound.", examples=[0.95]
    )


class RandomForest(Model):
    """A classifier: the probability that a user is not active in the following window."""

    algorithm: Literal["random_forest"] = Field(description="The kind of model.", examples=["random_forest"])
    features: AtLeastOne[Name] = Field(
        description="What is known of a user at a point in time.", examples=[["session_frequency", "engagement_score"]]
    )
    prediction_window: Duration = Field(
        default=30 * DAY, description="The window whose activity is predicted.", examples=["30 days"]
    )
    threshold: Probability = Field(
        default=0.5, description="Who is more probable than this is on the at-risk list.", examples=[0.7]
    )


_MODELS: Final[Mapping[str, type[Block]]] = {"arima": Arima, "random_forest": RandomForest, "lstm": Lstm}
ModelChoice = Annotated[
    Arima | RandomForest | Lstm,
    Parsed(kind_of("algorithm", _MODELS), Arima | RandomForest | Lstm),
]


class FeatureEngineering(Block):
    """What models get to see."""

    real_time_features: bool = Field(default=True, description="Features of the latest windows.", examples=[True])
    historical_features: bool = Field(
        default=True, description="Lags, rolling means and the calendar.", examples=[True]
    )
    external_data_sources: Several[Literal["weather", "holidays", "events"]] = Field(
        default=(), description="Data from outside, joined as of event time.", examples=[["holidays"]]
    )


class PredictiveAnalytics(Block):
    """Models and their features."""

    models: Mapping[Name, ModelChoice] = Field(default_factory=dict, description="Models by name.")
    feature_engineering: FeatureEngineering = Field(
        default_factory=FeatureEngineering, description="What models get to see."
    )


_NOT_TRAINED: Final = "models are not trained yet"


def lower(section: PredictiveAnalytics, place: Place) -> Fragment:
    """The models, and what they get to see."""
    key = "predictive_analytics"
    features = section.feature_engineering
    said = "feature_engineering" in section.model_fields_set
    return Fragment(
        models=tuple(_model(name, m, place) for name, m in section.models.items()),
        feature_engineering=learning.FeatureEngineering(
            real_time=features.real_time_features,
            historical=features.historical_features,
            external=features.external_data_sources,
            features=(),
            origin=place.at(key, "feature_engineering"),
        )
        if said or section.models
        else None,
        inactive=(
            *(Inactive(f"{key}.models.{name}", _NOT_TRAINED) for name in section.models),
            *([Inactive(f"{key}.feature_engineering", _NOT_TRAINED)] if said or section.models else []),
        ),
    )


def _model(name: str, m: Arima | Lstm | RandomForest, place: Place) -> ModelDraft:
    draft = ModelDraft(
        name=name,
        algorithm=m.algorithm,
        origin=place.at("predictive_analytics", "models", name),
        source=m.source,
        target=m.target,
        retrain=m.retrain_frequency,
        update=m.update_frequency,
    )
    if isinstance(m, RandomForest):
        threshold = place.settle(m.threshold, 0.5)
        return replace(draft, features=m.features, prediction_window=m.prediction_window, threshold=threshold)
    return replace(
        draft,
        forecast_horizon=m.forecast_horizon,
        confidence_interval=place.settle(m.confidence_interval, 0.95),
        sequence_length=place.settle(m.sequence_length, 30) if isinstance(m, Lstm) else None,
    )
