"""What the rows of a followed table were, out of the lake, where the log that knew it was lost."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import orjson

from tusk_platform.core import transactions
from tusk_platform.core.views import newest_images, quoted
from tusk_platform.plan.nodes import Column, Stream
from tusk_platform.ports import Remembering, source_adapter
from tusk_platform.runtime.platform import Platform
from tusk_platform.storage.duck import query
from tusk_platform.storage.log import LOG_PARTITION

# Longer numbers are written as text, as those of the table are.
_DIGITS: Final = 15

_logger = logging.getLogger(__name__)


def bring_back_images(platform: Platform, stream: Stream) -> None:
    """Where the log of a followed table ends before what was read of it, it goes on there with what the lake holds.

    So the table is read anew, and what changed or was deleted since is taken back. The caller holds the stream's lease.
    Times in a form of the config's own cannot be written back: such a stream stays as it is.
    """
    adapter = source_adapter(stream.adapter)
    if not (stream.changes and isinstance(adapter, Remembering)) or stream.time_format is not None:
        return
    position = platform.lake.open(stream.table).transaction(transactions.position(stream.name, LOG_PARTITION))
    context = platform.context(stream)
    if position is None or not adapter.lost(stream, context, position):
        return
    told = f"select * from raw.{quoted(stream.name)} where _key is not null"  # noqa: S608 - a name of the plan
    rows = query(platform.lake, platform.plan, newest_images(told))
    images = {row["_key"]: _image(stream, row) for batch in rows.to_batches() for row in batch.to_pylist()}
    _logger.warning(
        "stream %s: its log was lost; the table is read anew against %d rows of the lake", stream.name, len(images)
    )
    adapter.remember(stream, context, position, images)


def _image(stream: Stream, row: Mapping[str, Any]) -> bytes:
    """A row as its table would tell it; of a quarantined one what came."""
    if row["_payload"] is not None:
        return bytes(row["_payload"])
    own = {c.name: _told(c, row[c.name]) for c in stream.columns if c.name not in stream.expressions}
    return orjson.dumps({**own, **orjson.loads(row["_extra"] or "{}")}, option=orjson.OPT_UTC_Z)


def _told(column: Column, value: Any) -> Any:  # noqa: ANN401 - any value of a row
    if isinstance(value, Decimal):
        text = f"{value.normalize():f}"
        return orjson.Fragment(text) if len(text) <= _DIGITS else text
    if isinstance(value, float) and value in {float("inf"), float("-inf")}:
        return "Infinity" if value > 0 else "-Infinity"
    if column.type == "json" and value is not None and value.lstrip()[:1] not in {"{", "["}:
        return orjson.Fragment(value)
    return value
