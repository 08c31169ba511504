"""``real_time_ml``: models that learn event by event, the store of features, the prediction service."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tusk_platform.sections.block import Block
from tusk_platform.sections.fields import AtLeastOne, Count, Duration, HttpAddress
from tusk_platform.sections.frequency import Frequency, OftenOrRealTime
from tusk_platform.units import DAY


class OnlineLearning(Block):
    """Models that learn with every event."""

    enabled: bool = Field(default=True, description="Whether models learn online at all.", examples=[True])
    algorithms: AtLeastOne[Literal["online_gradient_descent", "vowpal_wabbit"]] = Field(
        default=("online_gradient_descent",), description="Which of them run.", examples=[["online_gradient_descent"]]
    )
    update_frequency: OftenOrRealTime = Field(
        default=Frequency("real_time"), description="`real_time`: with each micro-batch.", examples=["real_time"]
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
