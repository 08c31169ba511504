"""A table of a database as a source: the keys of such a stream. Without a connection the embedded log stands in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from tusk_platform.errors import Unavailable
from tusk_platform.plan.nodes import Stream
from tusk_platform.ports import Source, SourceContext
from tusk_platform.sections.block import Block
from tusk_platform.sections.fields import ColumnName, PlainText, came, wrong


def _table(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)?", text, re.ASCII):
        raise wrong(f"expected the name of a table, got {came(text)}", 'such as `"orders"` or `"shop.orders"`')
    return text


class DatabaseOptions(Block):
    """Keys of a ``database`` stream."""

    table: Annotated[PlainText, AfterValidator(_table)] = Field(
        description="The table to follow.", examples=["business_events"]
    )
    change_detection: bool = Field(
        default=True, description="Whether changes of rows are followed, or new rows only.", examples=[True]
    )
    cdc_enabled: bool = Field(
        default=False, description="Whether changes come by logical replication.", examples=[True]
    )
    cursor: ColumnName | None = Field(
        default=None, description="A column that grows with every change, to read on from.", examples=["updated_at"]
    )


class DatabaseAdapter:
    """``source = "database"``."""

    name: str = "database"
    connection: str | None = "database"
    stand_in: str | None = "log"
    free_form: bool = True
    replay: bool = False
    event_time: str | None = None
    columns: tuple[tuple[str, str], ...] = ()
    options = DatabaseOptions
    in_use: frozenset[str] = frozenset()
    not_yet = "reading from a database is not carried out yet; without `connections.database` the embedded log is read"

    def check_options(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Validated options of one stream."""
        return DatabaseOptions.model_validate(values).model_dump(mode="json")

    def open(self, stream: Stream, context: SourceContext) -> Source:  # noqa: ARG002 - the contract's
        """Always Unavailable: see the message."""
        raise Unavailable(f"stream `{stream.name}`: {self.not_yet}")


adapter = DatabaseAdapter()
