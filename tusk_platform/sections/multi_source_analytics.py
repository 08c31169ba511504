"""``multi_source_analytics``: more sources, among them the services of others, and what is found across sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from tusk_platform.plan.drafts import Fragment, FusionDraft
from tusk_platform.plan.nodes import Inactive
from tusk_platform.sections.block import Block
from tusk_platform.sections.fields import Name
from tusk_platform.sections.place import Place
from tusk_platform.sections.streams import SourceName, StreamKeys, stream_draft, waiting


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


def lower(section: MultiSourceAnalytics, place: Place) -> Fragment:
    """A stream for each source, and what is to be found across them."""
    key, fusion = "multi_source_analytics", section.data_fusion
    wanted = [name for name in type(fusion).config_keys() if getattr(fusion, name)]
    draft = FusionDraft(
        correlations=fusion.correlation_analysis,
        insights=fusion.cross_source_insights,
        unified_metrics=fusion.unified_metrics,
        origin=place.at(key, "data_fusion"),
    )
    return Fragment(
        streams=tuple(
            stream_draft(name, s, s.type, place.at(key, "data_sources", name))
            for name, s in section.data_sources.items()
        ),
        fusions=(draft,) if wanted else (),
        inactive=(
            *(
                inactive
                for name, s in section.data_sources.items()
                for inactive in waiting(s, s.type, place.at(key, "data_sources", name))
            ),
            *(Inactive(f"{key}.data_fusion.{name}", "sources are not compared yet") for name in wanted),
        ),
    )
