"""Prometheus range queries as a source: the keys of such a stream. Without a connection this machine stands in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from tusk_platform.core.system_metrics import PROMQL, long_name
from tusk_platform.errors import Unavailable, nearest
from tusk_platform.plan.nodes import Stream
from tusk_platform.ports import Source, SourceContext
from tusk_platform.sections.block import Block
from tusk_platform.sections.fields import AtLeastOne, Duration, Name, PlainText, wrong
from tusk_platform.units import SECOND


def _known(metric: str) -> str:
    if long_name(metric) not in PROMQL:
        raise wrong(
            f"`{metric}` is no metric with a short name", nearest(metric, PROMQL) or 'write `{ name = "PromQL" }`'
        )
    return long_name(metric)


def _named(metrics: tuple[str, ...] | dict[str, str]) -> tuple[str, ...] | dict[str, str]:
    if not isinstance(metrics, dict):
        return metrics
    return {long_name(name): query for name, query in metrics.items()}


class PrometheusOptions(Block):
    """Keys of a ``prometheus`` stream."""

    scrape_interval: Duration = Field(default=15 * SECOND, description="How often to ask.", examples=["15s"])
    metrics: Annotated[
        AtLeastOne[Annotated[Name, AfterValidator(_known)]] | Annotated[dict[Name, PlainText], Field(min_length=1)],
        AfterValidator(_named),
    ] = Field(
        default=tuple(PROMQL),
        description="What to ask for: short names, or names with their PromQL.",
        examples=[["cpu", "memory", "disk", "network"]],
    )


class PrometheusAdapter:
    """``source = "prometheus"``."""

    name: str = "prometheus"
    connection: str | None = "prometheus"
    stand_in: str | None = "host"
    free_form: bool = False
    replay: bool = False
    event_time: str | None = "timestamp"
    columns: tuple[tuple[str, str], ...] = (
        ("timestamp", "timestamp"),
        ("metric", "string"),
        ("value", "double"),
        ("labels", "json"),
    )
    options = PrometheusOptions
    in_use = frozenset({"metrics", "scrape_interval"})
    not_yet = (
        "reading from a Prometheus server is not carried out yet; "
        "without `connections.prometheus` this machine's own metrics are read"
    )

    def check_options(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Validated options of one stream; short names of metrics become those of their series."""
        return PrometheusOptions.model_validate(values).model_dump(mode="json")

    def open(self, stream: Stream, context: SourceContext) -> Source:  # noqa: ARG002 - the contract's
        """Always Unavailable: see the message."""
        raise Unavailable(f"stream `{stream.name}`: {self.not_yet}")


adapter = PrometheusAdapter()
