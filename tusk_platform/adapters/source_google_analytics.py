"""Reports of the Google Analytics Data API as a source: the keys of such a stream and the columns they give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from tusk_platform.errors import Unavailable
from tusk_platform.plan.nodes import Stream
from tusk_platform.ports import Source, SourceContext, Stated
from tusk_platform.sections.block import Block
from tusk_platform.sections.fields import AtLeastOne, PlainText, Text
from tusk_platform.units import DAY


class GoogleAnalyticsOptions(Block):
    """Keys of a ``google_analytics`` stream."""

    property_id: Text = Field(description="The property that is read.", examples=["@env(GA_PROPERTY_ID)"])
    metrics: AtLeastOne[PlainText] = Field(description="Metrics of the reports.", examples=[["pageviews", "sessions"]])
    dimensions: AtLeastOne[PlainText] = Field(description="Dimensions of the reports.", examples=[["page_path"]])


class GoogleAnalyticsAdapter:
    """``type = "google_analytics"``: one row a day and combination of dimensions."""

    name: str = "google_analytics"
    connection: str | None = "google_analytics"
    stand_in: str | None = "log"
    free_form: bool = False
    replay: bool = False
    event_time: str | None = "date"
    columns: tuple[tuple[str, str], ...] = (("date", "timestamp"),)
    options = GoogleAnalyticsOptions
    in_use = frozenset({"metrics", "dimensions"})
    not_yet = (
        "reading from Google Analytics is not carried out yet; without `connections.google_analytics` the embedded log "
        "is read"
    )

    def check_options(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Validated options of one stream."""
        return GoogleAnalyticsOptions.model_validate(values).model_dump(mode="json")

    def stated(self, options: Mapping[str, Any]) -> Stated:
        """A column for each dimension and metric; a later report of the same day and dimensions takes its place."""
        dimensions, metrics = tuple(options["dimensions"]), tuple(options["metrics"])
        columns = (*((d, "string") for d in dimensions), *((m, "double") for m in metrics))
        return Stated(columns, dedup_key=("date", *dimensions), step=DAY)

    def open(self, stream: Stream, context: SourceContext) -> Source:  # noqa: ARG002 - the contract's
        """Always Unavailable: see the message."""
        raise Unavailable(f"stream `{stream.name}`: {self.not_yet}")


adapter = GoogleAnalyticsAdapter()
