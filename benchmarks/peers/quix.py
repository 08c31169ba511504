"""Quix Streams over a topic of orders: each decoded, judged by the seven rules, and sent on, exactly once.

Run by benchmarks/exactly_once.py with the peers' own Python: ADDRESS TOPIC EVENTS FOLDER. Prints events and seconds.
"""

from __future__ import annotations

import json
import math
import sys
import time
from decimal import Decimal, InvalidOperation
from typing import Any

from quixstreams import Application


def judged(order: dict[str, Any]) -> dict[str, Any]:
    """The order with its verdict: the first rule that it breaks, or none."""
    return {**order, "reason": broken(order)}


def broken(order: dict[str, Any]) -> str | None:
    """The first of the seven rules that an order breaks."""
    for name in ("user_id", "event_type", "at"):
        if order.get(name) is None:
            return f"required:{name}"
    if not isinstance(order["user_id"], int):
        return "type:user_id"
    try:
        amount = Decimal(str(order["amount"]))
    except (KeyError, InvalidOperation):
        return "type:amount"
    if not 0 <= amount <= 10_000:
        return "range:amount"
    duration = order.get("duration")
    if duration is not None and not (math.isfinite(duration) and 0 <= duration <= 86_400):
        return "range:duration"
    return None


def main(address: str, topic: str, events: str, folder: str) -> None:
    """Read all events there are."""
    app = Application(
        broker_address=address,
        consumer_group=f"quix-{time.time_ns()}",
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        commit_interval=1.0,
        state_dir=folder,
        loglevel="ERROR",
    )
    began: list[float] = []

    def seen(_: dict[str, Any]) -> None:
        if not began:
            began.append(time.perf_counter())

    orders = app.dataframe(app.topic(topic, value_deserializer="json"))
    orders.update(seen).apply(judged).to_topic(app.topic(f"{topic}-quix", value_serializer="json"))
    app.run(count=int(events))
    sys.stdout.write(json.dumps({"events": int(events), "seconds": time.perf_counter() - began[0]}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
