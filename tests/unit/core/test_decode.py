from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, get_args

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.streams import COLUMNS, a_stream
from tusk_platform.core.decode import Decoded, decode
from tusk_platform.core.schema import raw_schema
from tusk_platform.errors import Refused
from tusk_platform.plan.nodes import Column, ColumnType, Op, Stream
from tusk_platform.ports import Batch, Changes, Chunk
from tusk_platform.units import HOUR

NOW = 1_704_110_400_000_000  # 2024-01-01T12:00:00Z
NOON = dt.datetime(2024, 1, 1, 12, tzinfo=dt.UTC)
EVERY_TYPE = tuple(Column(t, t) for t in get_args(ColumnType))
GOOD = {"timestamp": "2024-01-01T12:00:00Z", "event_id": "e1", "user_id": 7, "amount": 123.45}


def decoded(*payloads: bytes | None, stream: Stream | None = None, arrivals: list[int] | None = None) -> Decoded:
    offsets = range(len(payloads))
    batch = Batch((Chunk("0", offsets, len(payloads), payloads=payloads, arrivals=arrivals),))
    return decode(stream or a_stream(), batch, NOW)


def rows(*events: Mapping[str, object] | bytes | None, stream: Stream | None = None) -> list[dict[str, Any]]:
    payloads = [e if e is None or isinstance(e, bytes) else json.dumps(e).encode() for e in events]
    found: list[dict[str, Any]] = decoded(*payloads, stream=stream).rows.to_pylist()
    return found


def row(event: Mapping[str, object] | bytes | None, stream: Stream | None = None) -> dict[str, Any]:
    return rows(event, stream=stream)[0]


def test_good_event_becomes_a_typed_row() -> None:
    result = decoded(
        b'{"timestamp":"2024-01-01T13:00:00+01:00","event_id":"e1","user_id":7,"amount":123.45,"x":[1.50]}'
    )

    assert result.rows.schema.equals(raw_schema(a_stream()))
    assert result.rows.to_pylist() == [
        {
            "timestamp": NOON, "event_id": "e1", "user_id": 7, "amount": Decimal("123.4500"),
            "_extra": '{"x":[1.5]}', "_event_time": NOON, "_status": "ok", "_ingested_date": dt.date(2024, 1, 1),
            "_reason": None, "_payload": None, "_partition": "0", "_offset": 0, "_batch": None, "_ingested_at": NOON,
            "_watermark": None,
        }
    ]  # fmt: skip
    assert (dict(result.newest), result.quarantined) == ({"0": NOW}, 0)


DEEP = b"[" * 2_000 + b"]" * 2_000
NESTED = b"[" * 400 + b"]" * 400
BAD_INPUT: Sequence[tuple[bytes | None, str]] = [
    (None, "undecodable: no payload"),
    (b"", "undecodable: empty payload"),
    (b"{", "undecodable: {"),
    (b"\xff\xfe", "undecodable: \ufffd\ufffd"),
    (b'{"user_id":NaN}', 'undecodable: {"user_id":NaN}'),
    (b'{"amount":1e999}', 'undecodable: {"amount":1e999}'),
    (b'{"event_id":"\\ud800"}', 'undecodable: {"event_id":"\\ud800"}'),
    (b'{"event_id":"a","event_id":"b"}', 'undecodable: key "event_id" repeated'),
    (b'{"event_id" :"a","event_id":"b"}', 'undecodable: key "event_id" repeated'),
    (b'{"x":{"y":1,"y":2}}', 'undecodable: key "y" repeated'),
    (DEEP, "undecodable: " + "[" * 79 + "…"),
    (b'{"x":' + NESTED + b"}", "undecodable: nested too deeply"),
    (b"[1]", "not an object: [1]"),
    (b"7", "not an object: 7"),
    (b'"text"', 'not an object: "text"'),
    (b"null", "not an object: null"),
    (b'{"x":"' + b"y" * 2**20 + b'"}', "too large: 1048584 bytes"),
]


@pytest.mark.parametrize(("payload", "reason"), BAD_INPUT, ids=[reason[:40] for _, reason in BAD_INPUT])
def test_unreadable_payload_is_a_row_with_its_reason(payload: bytes | None, reason: str) -> None:
    bad, good = rows(payload, GOOD)

    assert (bad["_status"], bad["_reason"], bad["_event_time"]) == ("quarantined", reason, None)
    assert bad["_payload"] == (payload[: 2**20] if payload is not None else None)
    assert (good["_status"], good["_payload"]) == ("ok", None)


BAD_VALUES: Sequence[tuple[Mapping[str, object], str]] = [
    ({"user_id": None}, "required:user_id: missing"),
    ({"user_id": "abc"}, 'type:user_id: "abc"'),
    ({"user_id": 1.5}, "type:user_id: 1.5"),
    ({"user_id": True}, "type:user_id: true"),
    ({"user_id": 2**63}, "type:user_id: 9223372036854775808"),
    ({"user_id": 10**30}, "type:user_id: 1e+30"),
    ({"user_id": {"a": 1}}, 'type:user_id: {"a":1}'),
    ({"amount": "NaN"}, 'type:amount: "NaN"'),
    ({"amount": "Infinity"}, 'type:amount: "Infinity"'),
    ({"amount": "1_000"}, 'type:amount: "1_000"'),
    ({"amount": ""}, 'type:amount: ""'),
    ({"amount": 1e15}, "type:amount: 1000000000000000.0"),
    ({"amount": "1e999999"}, 'type:amount: "1e999999"'),
    ({"amount": -0.01}, "range:amount: -0.01"),
    ({"amount": 1_000_000.0001}, "range:amount: 1000000.0001"),
    ({"timestamp": None}, "required:timestamp: missing"),
    ({"timestamp": "yesterday"}, 'event time invalid: "yesterday"'),
    ({"timestamp": True}, "event time invalid: true"),
    ({"timestamp": 1e300}, "event time invalid: 1e+300"),
    ({"timestamp": "2024-01-01T13:00:00.000001Z"}, "event time too far ahead: 2024-01-01T13:00:00.000001+00:00"),
    ({"timestamp": "x", "user_id": None, "amount": "y"}, "required:user_id: missing"),
    ({"timestamp": "x", "amount": "y"}, 'event time invalid: "x"'),
    ({"amount": "y", "event_id": NESTED.decode()}, 'type:amount: "y"'),
]


@pytest.mark.parametrize(("change", "reason"), BAD_VALUES, ids=[f"{c}"[:40] for c, _ in BAD_VALUES])
def test_bad_value_is_quarantined_with_the_first_broken_rule(change: Mapping[str, object], reason: str) -> None:
    event = {**GOOD, **change}
    bad = row(event)

    assert (bad["_status"], bad["_reason"]) == ("quarantined", reason)
    assert bad["_payload"] == json.dumps(event).encode()


def test_event_time_without_a_rule_is_needed_all_the_same() -> None:
    bad = row({"user_id": 1}, a_stream(rules=()))

    assert bad["_reason"] == "event time missing: no `timestamp`"


def test_time_too_far_ahead_moves_no_clock() -> None:
    ahead = {**GOOD, "timestamp": (NOW + HOUR) // 1_000_000 + 1}
    result = decoded(*(json.dumps(e).encode() for e in (GOOD, ahead)))

    assert result.newest == {"0": NOW}
    assert [r["_event_time"] for r in result.rows.to_pylist()] == [NOON, None]
    assert result.rows.column("timestamp")[1].as_py() == NOON + dt.timedelta(hours=1, seconds=1)


TIMES = [
    ("2024-01-01T12:00:00Z", "UTC"),
    ("2024-01-01 13:00:00+0100", "UTC"),
    ("2024-01-01T12:00:00.000000000Z", "UTC"),
    ("2024-01-01T13:00", "Europe/Berlin"),
    ("2024-01-01 12:00:00 UTC", "Europe/Berlin"),
    (1704110400, "UTC"),
    (1704110400.0, "UTC"),
    (1704110400000, "UTC"),
    (1704110400000000, "UTC"),
    (1704110400000000000, "UTC"),
    ("1704110400", "UTC"),
    ("1704110400.000", "UTC"),
    (" 1704110400000 ", "UTC"),
]


@pytest.mark.parametrize(("text", "zone"), TIMES)
def test_every_usual_form_of_noon_is_noon(text: object, zone: str) -> None:
    alone = row({**GOOD, "timestamp": text}, a_stream(timezone=zone))
    among = rows({**GOOD, "timestamp": text}, {**GOOD, "timestamp": 1.5}, stream=a_stream(timezone=zone))[0]

    assert (alone["_event_time"], among["_event_time"], alone["_status"]) == (NOON, NOON, "ok")


def test_stream_with_a_time_format_reads_only_that() -> None:
    stream = a_stream(time_format="%d/%m/%Y %H:%M", timezone="Europe/Berlin")
    good, bad = rows({**GOOD, "timestamp": "01/01/2024 13:00"}, GOOD, stream=stream)

    assert (good["_event_time"], bad["_reason"]) == (NOON, 'event time invalid: "2024-01-01T12:00:00Z"')


def test_number_in_a_text_column_is_kept_as_written() -> None:
    events = [
        b'{"event_id":%s,"timestamp":1704110400,"user_id":1}' % n for n in (b"1.10", b"1E5", b"-0.0", b"12", b'"a"')
    ]
    found = [r["event_id"] for r in rows(*events, b'{"timestamp":1704110400,"user_id":1,"EventId":0.50}')]

    assert found == ["1.10", "1E5", "-0.0", "12", "a", "0.50"]


def test_nested_values_and_booleans_become_their_json_in_a_text_column() -> None:
    values = [{"a": [1, None]}, [True], True, "x\x00y"]
    found = [r["event_id"] for r in rows(*({**GOOD, "event_id": v} for v in values))]

    assert found == ['{"a":[1,null]}', "[true]", "true", "x\x00y"]


def test_other_names_fill_a_column_that_its_own_name_leaves_empty() -> None:
    found = rows(
        {"created_at": 1704110400, "event_time": 1704110401, "userId": 1, "AMOUNT": 2},
        {"timestamp": 1704110402, "created_at": 1704110400, "user_id": 3, "USER_ID": 4},
        {"timestamp": None, "created_at": 1704110400, "user_id": 5},
    )

    assert [r["user_id"] for r in found] == [1, 3, 5]
    assert [r["_event_time"].second for r in found] == [1, 2, 0]
    assert [r["_extra"] for r in found] == [
        '{"created_at":1704110400}', '{"created_at":1704110400,"USER_ID":4}', None,
    ]  # fmt: skip


def test_extra_keeps_digits_that_a_double_would_lose() -> None:
    payload = (
        b'{"timestamp":1704110400,"user_id":1,"big":123456789012345678901234567890,"n":{"f":0.12345678901234567891}}'
    )

    assert row(payload)["_extra"] == '{"big":123456789012345678901234567890,"n":{"f":0.12345678901234567891}}'


def test_arrival_is_the_time_only_where_the_source_says_so() -> None:
    payload = b'{"user_id":1,"amount":2}'
    stream = a_stream(rules=(), arrival_time=True)
    said = decoded(payload, stream=stream, arrivals=[NOW]).rows.to_pylist()[0]
    unsaid = decoded(payload, stream=a_stream(rules=()), arrivals=[NOW]).rows.to_pylist()[0]

    assert (said["_event_time"], said["timestamp"], said["_status"]) == (NOON, NOON, "ok")
    assert unsaid["_reason"] == "event time missing: no `timestamp`"


def test_csv_line_gives_the_columns_in_order() -> None:
    stream = a_stream(format="csv")
    good, short, long, torn = rows(
        b'2024-01-01T12:00:00Z,"a,b",7,1.5\r\n', b"2024-01-01T12:00:00Z,e2,8", b"1,2,3,4,5", b'1,"2', stream=stream
    )

    assert (good["event_id"], good["user_id"], good["amount"]) == ("a,b", 7, Decimal("1.5"))
    assert (short["_status"], short["amount"]) == ("ok", None)
    assert (long["_reason"], torn["_reason"]) == ("undecodable: 1,2,3,4,5", 'undecodable: 1,"2')


def test_table_of_a_file_is_judged_like_events() -> None:
    table = pa.table(
        {
            "Event_Time": pa.array([NOW * 1000, None, NOW * 1000], pa.timestamp("ns")),
            "event_id": pa.array(["a", "b", "c"]).dictionary_encode(),
            "user_id": pa.array([1.0, 2.0, 2.5]),
            "amount": pa.array(["1.25", "x", "-3"]),
            "colour": ["red", None, None],
        }
    )
    result = decode(a_stream(), Batch((Chunk("f", range(3), 3, rows=table),)), NOW)
    first, second, third = result.rows.to_pylist()

    assert (first["_event_time"], first["user_id"], first["amount"]) == (NOON, 1, Decimal("1.25"))
    assert (first["_extra"], first["_status"], second["_extra"]) == ('{"colour":"red"}', "ok", None)
    assert (second["_reason"], third["_reason"]) == ("required:timestamp: missing", "type:user_id: 2.5")
    assert json.loads(third["_payload"])["user_id"] == 2.5
    assert (result.newest, result.quarantined) == ({"f": NOW}, 2)


ARROW_COLUMNS = [
    pa.array([1, None], pa.uint64()),
    pa.array([2**64 - 1, None], pa.uint64()),
    pa.array([float("nan"), None]),
    pa.array([1.5, None], pa.float32()),
    pa.array([Decimal("1.23456"), None], pa.decimal128(20, 5)),
    pa.array([Decimal(10) ** 40, None], pa.decimal256(60, 0)),
    pa.array([b"\xff", None]),
    pa.array([True, None]),
    pa.array([dt.date(2024, 1, 1), None]),
    pa.array([dt.time(1, 2), None]),
    pa.array([dt.timedelta(days=1), None]),
    pa.array([NOW * 1000 + 1, None], pa.timestamp("ns", tz="Asia/Tokyo")),
    pa.array([{"a": b"x", "b": NOON}, None]),
    pa.array([[1.5], None]),
    pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())),
]


@pytest.mark.parametrize("column", ARROW_COLUMNS, ids=[str(c.type) for c in ARROW_COLUMNS])
def test_any_column_of_a_file_becomes_any_type_or_a_reason(column: pa.Array) -> None:
    table = pa.table({"at": [NOW, NOW], **dict.fromkeys(get_args(ColumnType), column), "other": column})
    stream = a_stream(columns=(Column("at", "timestamp"), *EVERY_TYPE), event_time="at", rules=())
    first, second = decode(stream, Batch((Chunk("f", [0, 1], 2, rows=table),)), NOW).rows.to_pylist()

    assert (second["_status"], second["_extra"]) == ("ok", None)
    assert (first["_status"] == "ok") == (first["_reason"] is None) == (first["_payload"] is None)


def test_several_partitions_keep_their_order_and_their_clocks() -> None:
    late, early = (json.dumps({**GOOD, "timestamp": t}).encode() for t in (1704110400, 1704110300))
    batch = Batch(
        (Chunk("1", [5, 9], 10, payloads=[late, early]), Chunk("0", [3], 4, payloads=[early]), Chunk("2", [], 7))
    )
    result = decode(a_stream(), batch, NOW)

    assert result.rows.select(["_partition", "_offset"]).to_pydict() == {
        "_partition": ["1", "1", "0"],
        "_offset": [5, 9, 3],
    }
    assert result.newest == {"1": NOW, "0": NOW - 100_000_000}


def test_derived_column_replaces_and_its_failure_is_a_type_error() -> None:
    columns = (*COLUMNS, Column("twice", "decimal"))
    stream = a_stream(columns=columns, expressions={"twice": "amount * 2"})

    def derive(table: pa.Table) -> pa.Table:
        amounts = table.column("amount").to_pylist()
        twice = pa.array([a * 2 if a < 100 else None for a in amounts], pa.decimal128(18, 4))
        return pa.table({"twice": twice, "_failed": pa.array([None if a < 100 else "twice" for a in amounts])})

    payloads = [json.dumps({**GOOD, "amount": a}).encode() for a in (2, 200)]
    batch = Batch((Chunk("0", [0, 1], 2, payloads=payloads),))
    good, bad = decode(stream, batch, NOW, derive=derive).rows.to_pylist()

    assert (good["twice"], good["_status"], bad["_reason"]) == (4, "ok", "type:twice: no value for amount * 2")
    with pytest.raises(Refused, match="derived columns"):
        decode(stream, batch, NOW)


def test_empty_read_has_the_schema_and_no_rows() -> None:
    result = decode(a_stream(), Batch(()), NOW)

    assert (result.rows.num_rows, result.rows.schema) == (0, raw_schema(a_stream()))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates().map(str),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
EVENTS = st.dictionaries(st.sampled_from([c.name for c in EVERY_TYPE] + ["Double", "other"]), JSON_VALUES)


@settings(max_examples=200, deadline=None)
@given(st.lists(EVENTS.map(lambda e: json.dumps(e).encode()) | st.binary(max_size=20) | st.none(), max_size=8))
def test_any_payloads_at_all_are_one_row_each(payloads: list[bytes | None]) -> None:
    stream = a_stream(columns=EVERY_TYPE, rules=(), dedup_key=())
    together = decoded(*payloads, stream=stream).rows.drop_columns(["_offset"]).to_pylist()
    alone = [decoded(p, stream=stream).rows.drop_columns(["_offset"]).to_pylist()[0] for p in payloads]

    assert together == alone
    assert all((r["_status"] == "ok") == (r["_reason"] is None) for r in alone)
    assert all(r["_payload"] == p for r, p in zip(alone, payloads, strict=True) if r["_status"] != "ok")


def test_what_takes_a_row_back_is_only_placed_in_time() -> None:
    """Rules may be others by now than those that let the row in; its later images are judged by those of now."""
    stream = a_stream(changes=True)
    at: dict[str, object] = {"timestamp": "2024-01-01T11:00:00Z"}
    far: dict[str, object] = {"timestamp": "2024-01-01T20:00:00Z", "user_id": 7, "amount": 1}
    events: list[tuple[Op, dict[str, object] | bytes]] = [
        ("delete", at),
        ("update_preimage", {**at, "amount": -1}),
        ("update_postimage", {**at, "user_id": 7, "amount": -1}),
        ("insert", at),
        ("delete", far),
        ("insert", far),
        ("delete", {"user_id": 7}),
        ("delete", b"no json"),
    ]
    payloads = [e if isinstance(e, bytes) else json.dumps(e).encode() for _, e in events]
    ops = [op for op, _ in events]
    changes = Changes(ops, list(range(8)), [str(n) for n in range(8)])
    found = decode(stream, Batch((Chunk("0", range(8), 8, payloads=payloads, changes=changes),)), NOW)

    table = found.rows.to_pylist()
    assert [r["_status"] == "ok" for r in table] == [True, True, False, False, True, False, False, False]
    assert [(r["_op"], r["_lsn"], r["_key"]) for r in table] == [(op, n, str(n)) for n, op in enumerate(ops)]
    # Not from the row that is still hours ahead, although what takes it back must be found at its time.
    assert dict(found.newest) == {"0": NOW - HOUR}
    assert table[4]["_event_time"] == NOON + dt.timedelta(hours=8)
