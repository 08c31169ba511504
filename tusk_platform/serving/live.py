"""Server-sent events: the widgets that changed, a beat when none did, and word when the lake cannot be read."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Any, Final

import anyio
import orjson

from tusk_platform.plan.nodes import Dashboard
from tusk_platform.serving.board import Board
from tusk_platform.serving.pages import Chosen

LOOK_EVERY: Final = 0.5
_BEAT_EVERY: Final = 5.0
MOST_LISTENERS: Final = 64


async def news(
    board: Board,
    dashboard: Dashboard,
    chosen: Chosen,
    *,
    version: str,
    stopping: Callable[[], bool],
    every: float = LOOK_EVERY,
) -> AsyncGenerator[bytes]:
    """Events for one page that shows ``version`` already, until it goes away or the server stops."""
    # A browser that lost us comes back after two seconds.
    yield b"retry: 2000\n\n"
    shown: dict[str, str] | None = None
    trouble, silent = "", _BEAT_EVERY  # the first word comes at once
    while not stopping():
        snapshot = await anyio.to_thread.run_sync(board.snapshot, dashboard, chosen)
        if shown is None:
            shown = dict(snapshot.fragments) if snapshot.version == version else {}
        changed = {name: html for name, html in snapshot.fragments.items() if shown.get(name) != html}
        as_of = board.pages.clock(snapshot.as_of)
        if changed:
            yield _written("widgets", {"as_of": as_of, "fragments": changed}, snapshot.version)
            shown.update(changed)
        if snapshot.trouble != trouble or (not changed and silent >= _BEAT_EVERY):
            word: dict[str, Any] = {"message": snapshot.trouble} if snapshot.trouble else {"as_of": as_of}
            yield _written("trouble" if snapshot.trouble else "beat", word)
            silent = 0.0
        trouble = snapshot.trouble
        silent = 0.0 if changed else silent + every
        await anyio.sleep(every)


def _written(name: str, data: dict[str, Any], version: str = "") -> bytes:
    line = b"id: " + version.encode() + b"\n" if version else b""
    return b"event: " + name.encode() + b"\n" + line + b"data: " + orjson.dumps(data) + b"\n\n"
