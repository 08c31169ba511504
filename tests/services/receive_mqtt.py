"""A process that receives a stream's messages until it is killed: ``python -m tests.services.receive_mqtt ...``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.fakes.streams import a_stream
from tusk_platform.adapters.source_mqtt import adapter
from tusk_platform.errors import Unavailable
from tusk_platform.ports import Budget, SourceContext


def main(topic: str, connection: str, folder: str) -> None:
    """Read and read; a line for each batch says that it got so far."""
    stream = a_stream(source="mqtt", options=adapter.check_options({"topics": [topic]}))
    source = adapter.open(stream, SourceContext(connection=json.loads(connection), log_folder=Path(folder)))
    position: dict[str, int] = {}
    while True:
        try:
            batch = source.read(position, Budget(1000, 0.2))
        except Unavailable:
            continue
        position |= {c.partition: c.next_offset for c in batch.chunks}
        if batch.rows:
            print(batch.rows, flush=True)  # noqa: T201 - what the test waits for


if __name__ == "__main__":
    main(*sys.argv[1:])
