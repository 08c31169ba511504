"""``multi_source_analytics``: more sources, among them the services of others, and what is found across sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from tusk_platform.sections.block import Block
from tusk_platform.sections.fields import Name
from tusk_platform.sections.streams import SourceName, StreamKeys


class DataSource(StreamKeys):
    """A source of events; its other keys are those of its type."""

    source_key: ClassVar[str] = "type"

    type: SourceName = Field(description="What delivers the events.", examples=["mqtt"])


class DataFusion(Block):
    """What is found across sources."""

    correlation_analysis: bool = Field(
        default=False, description="Lagged correlations between metrics of different sources.", examples=[True]
    )
    cross_source_insights: bool = Field(
        default=False, description="Findings in plain language, with their numbers.", examples=[True]
    )
    unified_metrics: bool = Field(
        default=False, description="One long table of time, source, metric and value.", examples=[True]
    )


class MultiSourceAnalytics(Block):
    """Sources and what is found across them."""

    data_sources: Mapping[Name, DataSource] = Field(default_factory=dict, description="Sources by name.")
    data_fusion: DataFusion = Field(default_factory=DataFusion, description="What is found across sources.")
