"""Events that are pushed over HTTP: the receiver appends them to the embedded log, which is then read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tusk_platform.errors import Unavailable
from tusk_platform.plan.nodes import Stream
from tusk_platform.ports import Source, SourceContext
from tusk_platform.sections.block import Block


class HttpOptions(Block):
    """An ``http`` stream has no keys of its own."""


class HttpAdapter:
    """``source = "http"``."""

    name: str = "http"
    connection: str | None = None
    stand_in: str | None = "log"
    free_form: bool = True
    replay: bool = False
    event_time: str | None = None
    columns: tuple[tuple[str, str], ...] = ()
    options = HttpOptions

    def check_options(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Validated options of one stream."""
        return HttpOptions.model_validate(values).model_dump(mode="json")

    def open(self, stream: Stream, context: SourceContext) -> Source:  # noqa: ARG002 - the contract's
        """Always Unavailable: pushed events are read from the embedded log, by the adapter `log`."""
        raise Unavailable(f"stream `{stream.name}`: pushed events are read from the embedded log, by the adapter `log`")


adapter = HttpAdapter()
