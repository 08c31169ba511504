"""Keys of streams of messages and metrics: what would come twice is refused before it does."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tusk_platform.adapters.source_mqtt import adapter as mqtt
from tusk_platform.adapters.source_prometheus import adapter as prometheus
from tusk_platform.core.system_metrics import promql
from tusk_platform.units import MINUTE, SECOND


@pytest.mark.parametrize("topics", [["a/+", "a/b"], ["a/+", "+/b"], ["#", "a"], ["a/#", "a"], ["a/+/c", "a/#"]])
def test_filters_that_one_topic_fits_are_refused(topics: list[str]) -> None:
    with pytest.raises(ValidationError, match="its messages would come twice"):
        mqtt.check_options({"topics": topics})


@pytest.mark.parametrize("topics", [["a", "b"], ["a/+", "a"], ["a/+/c", "a/+/d"], ["a/b/#", "a/c/#"], ["+/a", "+/b"]])
def test_filters_apart_are_fine(topics: list[str]) -> None:
    assert mqtt.check_options({"topics": topics})["topics"] == topics


def test_metric_that_stands_twice_is_refused() -> None:
    with pytest.raises(ValidationError, match="stands twice"):
        prometheus.check_options({"metrics": {"cpu": "a", "cpu_usage": "b"}})


@pytest.mark.parametrize(("step", "span"), [(SECOND, "[60s]"), (15 * SECOND, "[60s]"), (MINUTE, "[240s]")])
def test_rates_span_four_steps_and_a_minute_at_least(step: int, span: str) -> None:
    assert span in promql("cpu_usage", step)
