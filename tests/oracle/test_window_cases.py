"""Cases that broke simpler rules: seconds of events, ``@`` the watermark when they came, refreshed after each batch."""

from __future__ import annotations

import pytest

from tests.oracle.engine import Event, rows
from tests.oracle.histories import CONDITIONS, START, STREAM, aggregate, plan
from tests.oracle.quick import QuickEngine
from tusk_platform.plan.nodes import Session, Sliding, Tumbling, Window
from tusk_platform.units import SECOND

GAP_10 = Session(10 * SECOND, 1000 * SECOND)
CUT_100 = Session(60 * SECOND, 100 * SECOND)
CASES: dict[str, tuple[Window, list[str], list[str]]] = {
    "a late row before an open session begins it": (GAP_10, ["100 105", "97@105"], ["97-115"]),
    "a row joins no final session": (GAP_10, ["0", "5@12"], ["0-10", "5-15"]),
    "a session is final the moment the watermark is at its end": (GAP_10, ["0", "5@10"], ["0-10", "5-15"]),
    "a session is live up to that moment": (GAP_10, ["0", "5@9"], ["0-15"]),
    "a row between two live ones joins both": (GAP_10, ["0 8", "5@12"], ["0-18"]),
    "a final session keeps its rows": (GAP_10, ["90 99 108", "j:101@105"], ["90-118", "j:101-111"]),
    "a replay joins what is final": (GAP_10, ["0", "15@12", "8"], ["0-25"]),
    "a replay reaches every window it lies in": (
        Sliding(10 * SECOND, 5 * SECOND),
        ["20", "8"],
        ["0-10", "5-15", "15-25", "20-30"],
    ),
    "links across a cut do not count": (CUT_100, ["0 50 95", "120", "98@156"], ["0-155", "98-180"]),
    "a long session ends a gap after its last event": (CUT_100, ["0 50 95", "98@101"], ["0-158"]),
    "events exactly one gap apart are one session": (GAP_10, ["0 10", "21"], ["0-20", "21-31"]),
    "the end of a window lies in the next": (Tumbling(10 * SECOND), ["0 10"], ["0-10", "10-20"]),
    "a row is late once the watermark is at the end": (Tumbling(10 * SECOND), ["1", "2@9", "3@10"], ["0-10"]),
    "a replay counts in a final window": (Tumbling(10 * SECOND), ["1", "30@25", "2"], ["0-10", "30-40"]),
    "before the epoch the grid goes on": (Tumbling(7 * SECOND), ["-1698321601"], ["-1698321607--1698321600"]),
}


@pytest.mark.parametrize("name", CASES)
def test_case(name: str) -> None:
    window, batches, expected = CASES[name]
    the_plan = plan(aggregate("windows", window))
    engine = QuickEngine(the_plan)
    seen: list[Event] = []
    for number, batch in enumerate(batches, start=1):
        events = [_event(text, number, offset) for offset, text in enumerate(batch.split())]
        seen += events
        engine.add(STREAM, events, number)
        engine.refresh("windows")
    found = engine.rows("windows")
    engine.close()

    assert sorted(_spelled(*key) for key in found) == sorted(expected)
    assert found.keys() == rows(the_plan, the_plan.aggregates[0], seen, CONDITIONS).keys()


def _event(text: str, batch: int, offset: int) -> Event:
    key, _, rest = text.rpartition(":")
    time, _, watermark = rest.partition("@")
    known = START + int(watermark) * SECOND if watermark else None
    return Event(START + int(time) * SECOND, batch, offset, known, values={"user": key or "k"})


def _spelled(start: int, end: int, key: tuple[str, ...]) -> str:
    prefix = "" if key == ("k",) else f"{key[0]}:"
    return f"{prefix}{(start - START) // SECOND}-{(end - START) // SECOND}"
