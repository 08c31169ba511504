"""Whatever is published, the good events of it count, and each of the others is kept with the reason against it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

import pytest

from tests.e2e.test_million_events import aggregate
from tests.faults.scene import Scene

START: Final = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=1)


def event(number: int, *, minute: int = 0, **changes: object) -> bytes:
    """An event of one minute after the start; a change to None leaves the key out."""
    usual = {"event_id": f"e{number}", "at": (START + timedelta(minutes=minute, seconds=number)).isoformat(),
             "user_id": number, "country": "DE", "amount": 10}  # fmt: skip
    return json.dumps({k: v for k, v in {**usual, **changes}.items() if v is not None}).encode()


# What is published, and how the reason against it begins; None: it counts.
LINES: Final[list[tuple[bytes, str | None]]] = [
    (event(0), None),
    (b"\xff\xfe\x00 no text at all", "undecodable: "),
    (event(1)[:-9], "undecodable: "),
    (b'{"event_id": "e2", "amount": NaN}', "undecodable: "),
    (b'{"event_id": "e3", "event_id": "e4"}', 'undecodable: key "event_id" repeated'),
    (event(5).replace(b"e5", b"e\x005"), "undecodable: "),
    (b"[1, 2]", "not an object: [1, 2]"),
    (b'"text"', 'not an object: "text"'),
    (b"null", "not an object: null"),
    (event(6, at=None), "event time missing: no `at`"),
    (event(7, at="yesterday"), 'event time invalid: "yesterday"'),
    (event(8, at="2099-01-01T00:00:00Z"), "event time too far ahead: 2099-01-01T00:00:00+00:00"),
    (event(9, at="2026-02-30T00:00:00Z"), "event time invalid: "),
    (event(10, note="x" * 2_000_000), "too large: 2000"),
    (event(11, user_id=None), "required:user_id: missing"),
    (event(12, amount=-1), "range:amount: -1"),
    # A column that changes its type: what still is one of its values counts, what is none is kept aside.
    (event(13, amount="12.50"), None),
    (event(14, amount="a lot"), 'type:amount: "a lot"'),
    (event(15, amount=[10]), "type:amount: [10]"),
    (event(16, user_id="sixteen"), 'type:user_id: "sixteen"'),
    (event(17, country=49), None),
    (event(18, country="D\0E"), None),
    (event(19, amount={"value": 10, "currency": "EUR"}), "type:amount: "),
    (event(20, shoe_size=43, list=[{"deep": [[1]]}]), None),
]
# Published after all that: what came in 2099 must not have made them late.
LATER: Final = [event(21, minute=5), event(22, minute=6)]


@pytest.mark.slow
def test_bad_input_is_set_aside_and_the_rest_counts(log_scene: Scene) -> None:
    scene = log_scene
    scene.configure("50 ms")
    reports = []
    for number, lines in enumerate(([line for line, _ in LINES], LATER)):
        file = scene.tusk.folder / f"{number}.ndjson"
        file.write_bytes(b"\n".join(lines))
        scene.tusk("publish", "orders", str(file))
        reports.append(scene.tusk("ingest", "orders", "--once", "--json").json())
    scene.tusk("run", "agg.per_country")

    reasons = [reason for _, reason in LINES]
    rows = scene.tusk.sql("select _status, _reason, _payload from raw.orders order by _offset")
    for row, (line, reason) in zip(rows, [*LINES, *((line, None) for line in LATER)], strict=True):
        if reason is None:
            assert (row["_status"], row["_reason"], row["_payload"]) == ("ok", None, None), line
        else:
            assert row["_status"] == "quarantined", line
            assert row["_reason"].startswith(reason), (line[:99], row["_reason"])
            assert row["_payload"] == line[: 2**20].decode("utf-8", "backslashreplace")
    assert [(r["rows"], r["quarantined"], r["late"]) for r in reports] == [
        (reasons.count(None), len(LINES) - reasons.count(None), 0),
        (len(LATER), 0, 0),
    ]
    assert aggregate(scene.tusk) == {
        (window(0), "DE"): (3, Decimal("32.50"), 3, Decimal("12.50")),
        (window(0), "49"): (1, Decimal(10), 1, Decimal(10)),
        (window(0), "D\0E"): (1, Decimal(10), 1, Decimal(10)),
        (window(5), "DE"): (1, Decimal(10), 1, Decimal(10)),
        (window(6), "DE"): (1, Decimal(10), 1, Decimal(10)),
    }


def window(minute: int) -> int:
    """When the window of a minute after the start begins."""
    return round((START + timedelta(minutes=minute)).timestamp()) * 1_000_000
