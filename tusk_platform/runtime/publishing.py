"""Events from people into a stream: its topic where it is connected, its embedded log elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from tusk_platform.errors import UsageError
from tusk_platform.plan.nodes import Stream
from tusk_platform.ports import Publisher, source_adapter
from tusk_platform.runtime.platform import Platform


def publish_events(platform: Platform, stream: Stream, events: Sequence[bytes]) -> None:
    """Write undecoded events to a stream, durable on return; UsageError where a stream takes none."""
    adapter = source_adapter(stream.adapter)
    if not isinstance(adapter, Publisher):
        raise UsageError(f"stream `{stream.name}` is read from {stream.adapter}; nothing can be published to it")
    adapter.publish(stream, platform.context(stream), events)
