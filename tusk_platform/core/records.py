"""Records of a read, as payloads or as a table, to typed columns: names matched, values converted, the rest kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from tusk_platform.core import timestamps
from tusk_platform.core.payloads import MAX_PAYLOAD, Object, Payload, as_written, parse, unreadable
from tusk_platform.core.schema import MONEY, TIMESTAMP, arrow_type
from tusk_platform.core.values import Converted, Written, Zone, convert, json_text
from tusk_platform.plan.names import normal
from tusk_platform.plan.nodes import Column, ColumnType, Stream

_NAIVE: Final = pa.timestamp("us")


@dataclass(frozen=True, slots=True)
class Records:
    """Typed columns of some records. ``reasons`` say which rows hold nothing, ``payload`` gives a row's own bytes."""

    columns: Mapping[str, Converted]
    event_time: Converted
    extra: pa.Array
    reasons: Mapping[int, str]
    payload: Callable[[int], Payload]


class Keys:
    """Which column a key of an event belongs to: its own name, then one without case and ``_``, then an alias."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._exact = {c.name: (0, c.name) for c in columns}
        self._normal: dict[str, tuple[int, str]] = {}
        ranked = [(rank, name, c.name) for c in columns for rank, name in enumerate((c.name, *c.aliases), start=1)]
        for rank, name, column in sorted(ranked, key=lambda r: r[0]):
            self._normal.setdefault(normal(name), (rank, column))
        self._seen: dict[str, tuple[int, str] | None] = {}

    def matches(self, keys: Iterable[str]) -> list[tuple[int, str, str]]:
        """Those keys that belong to a column, as (rank, key, column), best first."""
        found = []
        for key in keys:
            if key not in self._seen:
                self._seen[key] = self._exact.get(key) or self._normal.get(normal(key))
            if match := self._seen[key]:
                found.append((match[0], key, match[1]))
        return sorted(found) if len(found) > 1 else found


def of_payloads(stream: Stream, payloads: Sequence[Payload], *, broken: str | None = None) -> Records:
    """The columns of undecoded events; ``broken`` says why the source knows that none of them can be decoded."""
    parsed = unreadable(payloads, broken) if broken else parse(payloads, stream)
    columns = _inputs(stream)
    keys = Keys(columns)
    values: dict[str, list[object]] = {c.name: [o.pop(c.name, None) for o in parsed.objects] for c in columns}
    _place_others(parsed.objects, values, keys)
    exact = _AsWritten(payloads, keys)

    def converted(column: str, kind: ColumnType) -> Converted:
        return convert(values[column], kind, exact.column(column), _zone(stream, column))

    typed = {c.name: converted(c.name, c.type) for c in columns}
    reasons = dict(parsed.reasons)
    return Records(
        typed,
        _event_time(stream, typed, converted),
        _extra(parsed.objects, exact, reasons),
        reasons,
        lambda row: _bounded(payloads[row]),
    )


def of_table(stream: Stream, rows: pa.Table) -> Records:
    """The columns of records that are a table already."""
    columns = _inputs(stream)
    taken: dict[str, str] = {}
    for _, key, column in Keys(columns).matches(rows.column_names):
        taken.setdefault(column, key)
    empty = pa.nulls(rows.num_rows)

    def converted(column: str, kind: ColumnType) -> Converted:
        array = rows.column(taken[column]).combine_chunks() if column in taken else empty
        return _of_array(array, kind, _zone(stream, column))

    typed = {c.name: converted(c.name, c.type) for c in columns}
    rest = rows.select([name for name in rows.column_names if name not in taken.values()])
    return Records(
        typed,
        _event_time(stream, typed, converted),
        _table_extra(rest),
        {},
        lambda row: orjson.dumps(rows.slice(row, 1).to_pylist()[0], default=_plain),
    )


def _inputs(stream: Stream) -> tuple[Column, ...]:
    """The stream's columns, and its event time where that is none of them."""
    if stream.column(stream.event_time):
        return stream.columns
    return (*stream.columns, Column(stream.event_time, "timestamp"))


def _zone(stream: Stream, column: str) -> Zone:
    return Zone(stream.timezone, stream.time_format if column == stream.event_time else None)


def _event_time(
    stream: Stream, typed: Mapping[str, Converted], converted: Callable[[str, ColumnType], Converted]
) -> Converted:
    own = typed[stream.event_time]
    return own if own.array.type == TIMESTAMP else converted(stream.event_time, "timestamp")


def _place_others(objects: Sequence[Object], values: Mapping[str, list[object]], keys: Keys) -> None:
    """Move what is left under other names into the columns that are still empty in its row."""
    for row, left in enumerate(objects):
        if left:
            for _, key, column in keys.matches(left):
                if values[column][row] is None:
                    values[column][row] = left.pop(key)


class _AsWritten:
    """Values in their sender's own writing: only the rows asked for are read again, each once."""

    def __init__(self, payloads: Sequence[Payload], keys: Keys) -> None:
        self._payloads = payloads
        self._keys = keys
        self._rows: dict[int, Object] = {}

    def row(self, row: int) -> Object:
        """The whole object of a row."""
        if row not in self._rows:
            self._rows[row] = as_written(self._payloads[row] or b"{}")
        return self._rows[row]

    def some(self, row: int, values: Object) -> str:
        """JSON of some of a row's values."""
        return json_text(values, lambda: text_of({k: self.row(row)[k] for k in values}), self._payloads[row] or b"")

    def column(self, column: str) -> Written:
        """The JSON text of a column's value by row."""

        def written(row: int) -> str:
            found = self.row(row)
            value = found.get(column)
            if value is None:
                value = next(found[k] for _, k, c in self._keys.matches(found) if c == column and found[k] is not None)
            return text_of(value)

        return written


def text_of(value: object) -> str:
    """JSON text of a value as it was written; ValueError if nested too deeply."""
    try:
        return orjson.dumps(value).decode()
    except TypeError as error:
        raise ValueError("nested too deeply") from error


def _extra(objects: Sequence[Object], exact: _AsWritten, reasons: dict[int, str]) -> pa.Array:
    """What has no column, a JSON object a row, null where that is nothing."""
    if not any(objects):
        return pa.nulls(len(objects), pa.string())
    extra: list[str | None] = []
    for row, left in enumerate(objects):
        try:
            extra.append(exact.some(row, left) if left else None)
        except ValueError as problem:
            extra.append(None)
            reasons.setdefault(row, f"undecodable: {problem}")
    return pa.array(extra, pa.string())


def _bounded(payload: Payload) -> Payload:
    return payload[:MAX_PAYLOAD] if payload else payload


def _of_array(array: pa.Array, kind: ColumnType, zone: Zone) -> Converted:
    """An Arrow column in a column type: by one cast where that keeps every value, else value by value."""
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    whole = _cast(array, kind, zone)
    if whole is not None:
        return Converted(whole, {})
    values: list[object] = array.to_pylist()
    return convert(values, kind, lambda row: orjson.dumps(values[row], default=_plain).decode(), zone)


def _cast(array: pa.Array, kind: ColumnType, zone: Zone) -> pa.Array | None:
    is_ = pa.types
    have = array.type
    try:
        if is_.is_null(have) or (kind == "string" and (is_.is_string(have) or is_.is_large_string(have))):
            return array.cast(arrow_type(kind))
        if kind == "integer" and is_.is_integer(have):
            return array.cast(pa.int64())
        if kind == "double" and (is_.is_floating(have) or is_.is_integer(have)):
            doubles = array.cast(pa.float64())
            return doubles if pc.all(pc.is_finite(doubles)).as_py() else None
        if kind == "decimal" and is_.is_decimal(have):
            return pc.round(array, ndigits=4, round_mode="half_to_even").cast(MONEY)
        if kind == "timestamp" and is_.is_timestamp(have) and have.unit in {"s", "ms", "us"}:
            return array.cast(TIMESTAMP) if have.tz else timestamps.localized(array.cast(_NAIVE), zone.timezone)
        if have == arrow_type(kind) and kind in {"boolean", "date"}:
            return array
    except pa.ArrowInvalid:
        return None
    return None


def _table_extra(rest: pa.Table) -> pa.Array:
    if not rest.num_columns:
        return pa.nulls(rest.num_rows, pa.string())
    rows = [{k: v for k, v in row.items() if v is not None} for row in rest.to_pylist()]
    return pa.array([orjson.dumps(r, default=_plain).decode() if r else None for r in rows], pa.string())


def _plain(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
