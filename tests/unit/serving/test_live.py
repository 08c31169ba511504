"""What an open page hears."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import orjson
import pytest

from tests.unit.serving.lakes import FilledLake
from tests.unit.serving.plans import OVERVIEW, PLAN
from tusk_platform.serving.board import Board
from tusk_platform.serving.live import news
from tusk_platform.serving.pages import Pages
from tusk_platform.serving.warehouse import LakeWarehouse
from tusk_platform.storage.home import Home
from tusk_platform.units import MINUTE, SECOND

_NOW = 1_795_523_550 * SECOND


class Listening:
    """An open page, a clock that each look moves on, and the events heard."""

    def __init__(self, home: Home) -> None:
        self.now = _NOW
        self.filled = FilledLake(home.lake, PLAN)
        self.board = Board(PLAN, LakeWarehouse(PLAN, self.filled.lake), Pages(PLAN), self._clock)

    def _clock(self) -> int:
        self.now += SECOND
        return self.now

    def add(self, amount: str) -> None:
        row = {"t": _NOW - MINUTE, "user_id": 1, "country": "DE", "seconds": 1.0, "amount": Decimal(amount)}
        self.filled.add("user_events", [row])

    def hear(self, count: int, *, version: str = "", between: Any = None) -> list[tuple[str, Any]]:  # noqa: ANN401
        async def heard() -> list[tuple[str, Any]]:
            stream = news(self.board, OVERVIEW, {}, version=version, stopping=lambda: False, every=0.0)
            events: list[tuple[str, Any]] = []
            async for event in stream:
                lines = dict(line.split(b": ", 1) for line in event.strip().split(b"\n"))
                if b"data" in lines:
                    events.append((lines[b"event"].decode(), orjson.loads(lines[b"data"])))
                    if between and len(events) == 1:
                        between()
                if len(events) == count:
                    break
            await stream.aclose()
            return events

        return asyncio.run(heard())


@pytest.fixture
def page(home: Home) -> Listening:
    listening = Listening(home)
    listening.add("5")
    return listening


def test_page_hears_all_widgets_once(page: Listening) -> None:
    events = page.hear(1)

    assert events[0][0] == "widgets"
    assert set(events[0][1]["fragments"]) == {w.name for w in OVERVIEW.widgets}
    assert "$5.00" in events[0][1]["fragments"]["revenue_counter"]


def test_page_that_is_up_to_date_hears_a_beat(page: Listening) -> None:
    version = page.board.snapshot(OVERVIEW, {}).version

    events = page.hear(1, version=version)

    assert (events[0][0], events[0][1]["as_of"]["iso"][:10]) == ("beat", "2026-11-24")


def test_new_event_brings_only_what_changed(page: Listening) -> None:
    events = page.hear(2, between=lambda: page.add("7"))

    assert events[1][0] == "widgets"
    assert set(events[1][1]["fragments"]) <= {"revenue_counter", "sessions_chart"}
    assert "$12.00" in events[1][1]["fragments"]["revenue_counter"]


def test_lake_that_went_away_is_told(page: Listening, home: Home) -> None:
    def spoil() -> None:
        page.add("9")
        for file in (home.lake / "raw" / "user_events").rglob("*.parquet"):
            file.write_bytes(b"not parquet")

    events = page.hear(2, between=spoil)

    assert events[1][0] == "trouble"
    assert "cannot be read" in events[1][1]["message"]
