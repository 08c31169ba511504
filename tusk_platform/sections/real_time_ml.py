"""``real_time_ml``: models that learn event by event, the store of features, the prediction service."""

from __future__ import annotations

from typing import Final, Literal
from urllib.parse import urlsplit

from pydantic import Field

from tusk_platform.plan import learning
from tusk_platform.plan.drafts import Fragment
from tusk_platform.plan.learning import Cadence
from tusk_platform.plan.nodes import Inactive
from tusk_platform.sections.block import Block
from tusk_platform.sections.fields import AtLeastOne, Count, Duration, HttpAddress
from tusk_platform.sections.frequency import OftenOrRealTime
from tusk_platform.sections.place import Place
from tusk_platform.units import DAY


class OnlineLearning(Block):
    """Models that learn with every event."""

    enabled: bool = Field(default=True, description="Whether models learn online at all.", examples=[True])
    algorithms: AtLeastOne[Literal["online_gradient_descent", "vowpal_wabbit"]] = Field(
        default=("online_gradient_descent",), description="Which of them run.", examples=[["online_gradient_descent"]]
    )
    update_frequency: OftenOrRealTime = Field(
        default=Cadence("real_time"), description="`real_time`: with each micro-batch.", examples=["real_time"]
    )
    model_drift_detection: bool = Field(
        default=True, description="Drift is a check, an alert and a reason to train again.", examples=[True]
    )


class FeatureStore(Block):
    """Where the newest features of each entity are kept."""

    type: Literal["redis", "embedded"] = Field(
        default="embedded", description="`redis` needs `connections.redis`, else it is embedded.", examples=["redis"]
    )
    ttl: Duration = Field(default=DAY, description="Features expire after this.", examples=["24 hours"])
    batch_size: Count = Field(default=1000, description="Rows of one pipelined write.", examples=[1000])
    real_time_ingestion: bool = Field(
        default=True, description="Written with each micro-batch, else on schedule.", examples=[True]
    )


class ModelServing(Block):
    """The service that answers with predictions."""

    endpoint: HttpAddress | None = Field(
        default=None,
        description="Its address; on one machine its port is used on the loopback interface.",
        examples=["http://ml-service:8080"],
    )
    load_balancing: bool = Field(default=True, description="Several workers behind one address.", examples=[True])
    auto_scaling: bool = Field(
        default=False, description="More workers under load, within `scalability_config`.", examples=[True]
    )
    health_checks: bool = Field(
        default=True, description="Answers on `/health/live` and `/health/ready`.", examples=[True]
    )


class RealTimeMl(Block):
    """Online learning, features and serving."""

    online_learning: OnlineLearning | None = Field(default=None, description="Models that learn with every event.")
    feature_store: FeatureStore | None = Field(default=None, description="Where features are kept.")
    model_serving: ModelServing | None = Field(default=None, description="The service that answers with predictions.")


_PORT: Final = 8080
_WAITING: Final = {
    "online_learning": "models do not learn from single events yet",
    "feature_store": "features are not kept yet",
    "model_serving": "predictions are not served yet",
}


def lower(section: RealTimeMl, place: Place) -> Fragment:
    """Online learning, the feature store and the prediction service, each where it is said."""
    key = "real_time_ml"
    online, store, serving = section.online_learning, section.feature_store, section.model_serving
    return Fragment(
        online_learning=_online(online, place) if online else None,
        feature_store=_store(store, place) if store else None,
        model_serving=_serving(serving, place) if serving else None,
        inactive=tuple(Inactive(f"{key}.{name}", why) for name, why in _WAITING.items() if getattr(section, name)),
    )


def _online(online: OnlineLearning, place: Place) -> learning.OnlineLearning:
    return learning.OnlineLearning(
        enabled=online.enabled,
        algorithms=online.algorithms,
        models=(),
        update=online.update_frequency,
        drift_detection=online.model_drift_detection,
        origin=place.at("real_time_ml", "online_learning"),
    )


def _store(store: FeatureStore, place: Place) -> learning.FeatureStore:
    return learning.FeatureStore(
        type=store.type,
        adapter=store.type,
        ttl=store.ttl,
        batch_size=place.settle(store.batch_size, 1000),
        real_time_ingestion=store.real_time_ingestion,
        origin=place.at("real_time_ml", "feature_store"),
    )


def _serving(serving: ModelServing, place: Place) -> learning.ModelServing:
    endpoint = place.text(serving.endpoint)
    return learning.ModelServing(
        endpoint=endpoint,
        port=_port(endpoint),
        load_balancing=serving.load_balancing,
        auto_scaling=serving.auto_scaling,
        health_checks=serving.health_checks,
        origin=place.at("real_time_ml", "model_serving"),
    )


def _port(endpoint: str | None) -> int:
    if endpoint is None:
        return _PORT
    parts = urlsplit(endpoint)
    return parts.port or (443 if parts.scheme == "https" else 80)
