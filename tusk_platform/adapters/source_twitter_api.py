"""Tweets as a source: the keys of such a stream and the columns of a tweet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from tusk_platform.errors import Unavailable
from tusk_platform.plan.nodes import Stream
from tusk_platform.ports import Source, SourceContext, Stated
from tusk_platform.sections.block import Block
from tusk_platform.sections.fields import AtLeastOne, CallRate


class TwitterOptions(Block):
    """Keys of a ``twitter_api`` stream."""

    endpoints: AtLeastOne[Literal["user_timeline", "search_tweets"]] = Field(
        description="Endpoints that are read.", examples=[["user_timeline", "search_tweets"]]
    )
    rate_limit: CallRate | None = Field(
        default=None, description="Calls are never more frequent than this.", examples=["300 requests per 15 minutes"]
    )


class TwitterAdapter:
    """``type = "twitter_api"``: tweets, each once."""

    name: str = "twitter_api"
    connection: str | None = "twitter"
    stand_in: str | None = "log"
    free_form: bool = False
    replay: bool = False
    event_time: str | None = "created_at"
    columns: tuple[tuple[str, str], ...] = (
        ("id", "string"),
        ("created_at", "timestamp"),
        ("endpoint", "string"),
        ("author_id", "string"),
        ("text", "string"),
    )
    options = TwitterOptions
    in_use: frozenset[str] = frozenset()
    not_yet = "reading from X is not carried out yet; without `connections.twitter` the embedded log is read"

    def check_options(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Validated options of one stream."""
        return TwitterOptions.model_validate(values).model_dump(mode="json")

    def stated(self, options: Mapping[str, Any]) -> Stated:
        """A tweet is its ``id``; as often as the rate limit lets every endpoint be asked."""
        limit = options["rate_limit"]
        pace = -(-limit["per"] * len(options["endpoints"]) // limit["count"]) if limit else None
        return Stated(dedup_key=("id",), poll_interval=pace)

    def open(self, stream: Stream, context: SourceContext) -> Source:  # noqa: ARG002 - the contract's
        """Always Unavailable: see the message."""
        raise Unavailable(f"stream `{stream.name}`: {self.not_yet}")


adapter = TwitterAdapter()
