"""Sources that are services of others and have no adapter of their own: what the config says of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from pydantic import Field

from tusk_platform.sections.block import Block
from tusk_platform.sections.fields import AtLeastOne, CallRate, Duration, PlainText, Text
from tusk_platform.units import MINUTE


class GoogleAnalytics(Block):
    """Reports of the Google Analytics Data API."""

    property_id: Text = Field(description="The property that is read.", examples=["@env(GA_PROPERTY_ID)"])
    metrics: AtLeastOne[PlainText] = Field(description="Metrics of the reports.", examples=[["pageviews", "sessions"]])
    dimensions: AtLeastOne[PlainText] = Field(description="Dimensions of the reports.", examples=[["page_path"]])


class Salesforce(Block):
    """Records of one Salesforce object, read by their time of change."""

    object: Text = Field(description="The object that is read.", examples=["Lead"])
    fields: AtLeastOne[PlainText] = Field(description="Fields that are read.", examples=[["Status", "Source"]])
    sync_frequency: Duration = Field(
        default=5 * MINUTE, description="How often changed records are read.", examples=["5 minutes"]
    )


class TwitterApi(Block):
    """Tweets of one or more endpoints."""

    endpoints: AtLeastOne[Literal["user_timeline", "search_tweets"]] = Field(
        description="Endpoints that are read.", examples=[["user_timeline", "search_tweets"]]
    )
    rate_limit: CallRate | None = Field(
        default=None, description="Calls are never more frequent than this.", examples=["300 requests per 15 minutes"]
    )


SERVICES: Final[Mapping[str, type[Block]]] = {
    "google_analytics": GoogleAnalytics,
    "salesforce": Salesforce,
    "twitter_api": TwitterApi,
}
