"""``analytics_data_sources``: named queries whose results are tables."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, RootModel

from tusk_platform.plan.drafts import Fragment
from tusk_platform.sections.fields import Name
from tusk_platform.sections.place import Place
from tusk_platform.sections.query_text import draft
from tusk_platform.sections.sql import QuerySql


class AnalyticsDataSources(RootModel[Mapping[Name, QuerySql]]):
    """Queries by name."""

    model_config = {"frozen": True, "strict": True}
    root: Mapping[Name, QuerySql] = Field(
        description='Queries by name: `name = @query("SELECT ...")`, over streams, aggregates, queries and event types.'
    )


def lower(section: AnalyticsDataSources, place: Place) -> Fragment:
    """A query for each key of the section."""
    return Fragment(
        queries=tuple(
            draft(name, query, place.at("analytics_data_sources", name)) for name, query in section.root.items()
        )
    )
