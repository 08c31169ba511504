"""MQTT topics as a source: the keys of such a stream. Without a connection the embedded log stands in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from tusk_platform.errors import Unavailable
from tusk_platform.plan.nodes import Stream
from tusk_platform.ports import Source, SourceContext, Stated
from tusk_platform.sections.block import Block
from tusk_platform.sections.fields import AtLeastOne, PlainText, came, wrong


def _filter(topic: str) -> str:
    levels = topic.split("/")
    whole = all(level in {"+", "#"} or not set(level) & set("+#") for level in levels)
    if not whole or "#" in levels[:-1]:
        hint = "`+` stands for one whole level, `#` for all levels at the end: `sensor/+/temperature`, `sensor/#`"
        raise wrong(f"expected an MQTT topic filter, got {came(topic)}", hint)
    return topic


class MqttOptions(Block):
    """Keys of an ``mqtt`` stream."""

    topics: AtLeastOne[Annotated[PlainText, AfterValidator(_filter)]] = Field(
        description="Topic filters to subscribe to.", examples=[["sensor/temperature"]]
    )
    qos: int = Field(default=1, ge=0, le=2, description="Quality of service to subscribe with.", examples=[1])


class MqttAdapter:
    """``type = "mqtt"``."""

    name: str = "mqtt"
    connection: str | None = "mqtt"
    stand_in: str | None = "log"
    free_form: bool = True
    replay: bool = False
    event_time: str | None = None
    columns: tuple[tuple[str, str], ...] = (("topic", "string"), ("value", "double"))
    options = MqttOptions
    in_use = frozenset({"topics"})
    not_yet = "reading from an MQTT broker is not carried out yet; without `connections.mqtt` the embedded log is read"

    def check_options(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Validated options of one stream."""
        return MqttOptions.model_validate(values).model_dump(mode="json")

    def stated(self, options: Mapping[str, Any]) -> Stated:  # noqa: ARG002 - the contract's
        """A message without a time of its own happened when it arrived."""
        return Stated(arrival_time=True)

    def open(self, stream: Stream, context: SourceContext) -> Source:  # noqa: ARG002 - the contract's
        """Always Unavailable: see the message."""
        raise Unavailable(f"stream `{stream.name}`: {self.not_yet}")


adapter = MqttAdapter()
