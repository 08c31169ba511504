"""Records of one Salesforce object as a source: the keys of such a stream and the columns they give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from tusk_platform.errors import Unavailable
from tusk_platform.plan.nodes import Stream
from tusk_platform.ports import Source, SourceContext, Stated
from tusk_platform.sections.block import Block
from tusk_platform.sections.fields import AtLeastOne, Duration, PlainText, Text
from tusk_platform.units import MINUTE


class SalesforceOptions(Block):
    """Keys of a ``salesforce`` stream."""

    object: Text = Field(description="The object that is read.", examples=["Lead"])
    fields: AtLeastOne[PlainText] = Field(description="Fields that are read.", examples=[["Status", "Source"]])
    sync_frequency: Duration = Field(
        default=5 * MINUTE, description="How often changed records are read.", examples=["5 minutes"]
    )


class SalesforceAdapter:
    """``type = "salesforce"``: records by their time of change."""

    name: str = "salesforce"
    connection: str | None = "salesforce"
    stand_in: str | None = "log"
    free_form: bool = False
    replay: bool = False
    event_time: str | None = "SystemModstamp"
    columns: tuple[tuple[str, str], ...] = (("Id", "string"), ("SystemModstamp", "timestamp"))
    options = SalesforceOptions
    in_use = frozenset({"fields"})
    not_yet = (
        "reading from Salesforce is not carried out yet; without `connections.salesforce` the embedded log is read"
    )

    def check_options(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Validated options of one stream."""
        return SalesforceOptions.model_validate(values).model_dump(mode="json")

    def stated(self, options: Mapping[str, Any]) -> Stated:
        """A column for each field; a later version of a record takes its place."""
        columns = tuple((f, "string") for f in options["fields"] if f not in {"Id", "SystemModstamp"})
        return Stated(columns, dedup_key=("Id", "SystemModstamp"), poll_interval=options["sync_frequency"])

    def open(self, stream: Stream, context: SourceContext) -> Source:  # noqa: ARG002 - the contract's
        """Always Unavailable: see the message."""
        raise Unavailable(f"stream `{stream.name}`: {self.not_yet}")


adapter = SalesforceAdapter()
