"""Values of events to the types of columns: a whole column at once where it is plain, one by one where it is not."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from tusk_platform.core import timestamps
from tusk_platform.core.schema import MONEY, TIMESTAMP, arrow_type
from tusk_platform.plan.nodes import ColumnType

# The JSON text of the value in a row, with every number as its sender wrote it.
Written = Callable[[int], str]

_NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
_BOOLEANS: Final = {
    "true": True, "t": True, "yes": True, "y": True, "1": True,
    "false": False, "f": False, "no": False, "n": False, "0": False,
}  # fmt: skip
# A double shows at most 17 digits: whoever wrote as many may have written more than it holds.
_LONG_NUMBER: Final = re.compile(r"[0-9][0-9.]{15,}(e[+-]?[0-9]+)?")
# What a column type takes as it is; the values of other kinds among them are looked at one by one.
_PLAIN: Final[Mapping[ColumnType, frozenset[type]]] = {
    "string": frozenset({str}),
    "integer": frozenset({int}),
    "double": frozenset({int, float}),
    "decimal": frozenset({int, float}),
    "boolean": frozenset({bool}),
    "timestamp": frozenset({str}),
}
_INT64: Final = 2**63
_EXACT_FLOAT: Final = 2**53
_UNIT: Final = 10_000
_FOUR_PLACES: Final = Decimal("0.0001")
_MONEY_BOUND: Final = 10**18
# Wide enough that rounding to four places is the only rounding, whatever was sent.
_CONTEXT: Final = Context(prec=40, Emax=999_999, Emin=-999_999)
_SHOWN: Final = 80


@dataclass(frozen=True, slots=True)
class Zone:
    """How a stream reads times: the zone of naive ones, and the format of those in a form of its own."""

    timezone: str = "UTC"
    time_format: str | None = None


@dataclass(frozen=True, slots=True)
class Converted:
    """A column in its type; null where the value is missing or is in ``bad`` (row -> what came, shortened)."""

    array: pa.Array
    bad: Mapping[int, str]


def convert(values: Sequence[object], kind: ColumnType, written: Written, zone: Zone = Zone()) -> Converted:
    """The values in a column type; what cannot be one is null and named, never an exception.

    >>> convert([1, "2", None, "x"], "integer", str).bad
    {3: '"x"'}
    """
    kinds = set(map(type, values))
    kinds.discard(type(None))
    if not kinds:
        return Converted(pa.nulls(len(values), arrow_type(kind)), {})
    array = _whole(values, kinds, kind, zone)
    if array is not None:
        return Converted(array, {})
    if kind == "decimal" and kinds <= {int, float}:
        return _money(values, written)
    plain = _PLAIN.get(kind, frozenset())
    if not kinds <= plain and not kinds.isdisjoint(plain):
        return _mixed(values, kind, written, zone)
    return _one_by_one(values, kind, written, zone)


def _mixed(values: Sequence[object], kind: ColumnType, written: Written, zone: Zone) -> Converted:
    """The plain values as a column, and the others one by one in between."""
    plain = _PLAIN[kind]
    odd = [row for row, value in enumerate(values) if value is not None and type(value) not in plain]
    most = convert([v if type(v) in plain else None for v in values], kind, written, zone)
    few = _one_by_one([values[row] for row in odd], kind, lambda at: written(odd[at]), zone)
    is_odd = pa.array([v is not None and type(v) not in plain for v in values], pa.bool_())
    array = pc.replace_with_mask(most.array, is_odd, few.array)
    return Converted(array, {**most.bad, **{odd[at]: came for at, came in few.bad.items()}})


def shown(value: object) -> str:
    """What came, in at most 80 characters, as JSON where it has a form there."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else _json(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def json_text(value: object, written: Callable[[], str], sent: bytes = b"") -> str:
    """JSON of a nested value; ValueError if too deep.

    ``written`` is asked for it where doubles may not hold the numbers, unless these stand in what was ``sent``.
    """
    text = _json(value)
    return text if all(_stands_in(m.group().encode(), sent) for m in _LONG_NUMBER.finditer(text)) else written()


def _stands_in(number: bytes, sent: bytes) -> bool:
    found = sent.find(number)
    return found >= 0 and sent[found + len(number) : found + len(number) + 1] not in b"0123456789.eE"


def _json(value: object) -> str:
    try:
        return orjson.dumps(value, default=str).decode()
    except TypeError as error:
        if isinstance(value, (int, str)):  # an integer beyond 64 bits, text that is no Unicode
            return ascii(value)
        raise ValueError("nested too deeply") from error


def _whole(values: Sequence[object], kinds: set[type], kind: ColumnType, zone: Zone) -> pa.Array | None:
    """The whole column at once, or None where a value needs a look of its own."""
    try:
        match kind:
            case "string" if kinds == {str}:
                return pa.array(values, pa.string())
            case "integer" if kinds == {int}:
                return pa.array(values, pa.int64())
            case "double" if kinds <= {int, float}:
                return _finite(pa.array(values, pa.float64()))
            case "boolean" if kinds == {bool}:
                return pa.array(values, pa.bool_())
            case "timestamp" if zone.time_format is None:
                return timestamps.column(values, kinds, zone.timezone)
            case "integer" | "double" | "decimal" | "date" | "uuid" if kinds == {str}:
                return _texts(pa.array(values, pa.string()), kind)
    except (pa.ArrowInvalid, OverflowError, UnicodeEncodeError):
        return None
    return None


def _texts(texts: pa.Array, kind: ColumnType) -> pa.Array | None:
    match kind:
        case "integer" if _all_match(texts, r"^-?[0-9]{1,18}$"):
            return texts.cast(pa.int64())
        case "double":
            return _finite(texts.cast(pa.float64()))
        case "decimal":
            return texts.cast(MONEY)
        case "date" if _all_match(texts, r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"):
            return texts.cast(pa.date32())
        case "uuid" if _all_match(texts, r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"):
            return texts
    return None


def _all_match(texts: pa.Array, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(texts, pattern)).as_py())


def _finite(numbers: pa.Array) -> pa.Array | None:
    return numbers if pc.all(pc.is_finite(numbers)).as_py() else None


def _one_by_one(values: Sequence[object], kind: ColumnType, written: Written, zone: Zone) -> Converted:
    one = _CONVERTERS[kind]
    out: list[object] = []
    bad: dict[int, str] = {}
    for row, value in enumerate(values):
        try:
            out.append(None if value is None else one(value, row, written, zone))
        except (ValueError, ArithmeticError):
            out.append(None)
            bad[row] = _came(value)
    if kind == "decimal":
        return Converted(_of_units(pa.array(out, pa.int64())), bad)
    return Converted(pa.array(out, TIMESTAMP if kind == "timestamp" else arrow_type(kind)), bad)


def _came(value: object) -> str:
    try:
        return shown(value)
    except ValueError as error:
        return str(error)


def _money(values: Sequence[object], written: Written) -> Converted:
    """Numbers to four places; only those near a tie, or too large for a double's digits, are read again as written."""
    doubles = pa.array([None if v is None else float(v) for v in values], pa.float64())  # type: ignore[arg-type]  # kinds were looked at
    scaled = pc.multiply(doubles, float(_UNIT))
    units = pc.round(scaled, ndigits=0, round_mode="half_to_even")
    # Up to 10^12 units a double is off by less than 0.0003 of a unit, so rounding is certain farther from a tie.
    off_tie = pc.abs(pc.subtract(pc.abs(pc.subtract(scaled, units)), 0.5))
    certain = pc.and_(pc.less(pc.abs(scaled), 1e12), pc.greater(off_tie, 1e-3))
    whole = pc.if_else(certain, units, 0.0).cast(pa.int64())
    doubtful: list[int] = pc.indices_nonzero(pc.invert(certain)).to_pylist()
    if not doubtful:
        return Converted(_of_units(whole), {})
    bad: dict[int, str] = {}
    exact: list[int | None] = []
    for row in doubtful:
        try:
            value = values[row]
            exact.append(_units(str(value) if isinstance(value, int) else written(row)))
        except (ValueError, ArithmeticError):
            exact.append(None)
            bad[row] = _came(values[row])
    mask = pc.fill_null(pc.invert(certain), fill_value=False)
    return Converted(_of_units(pc.replace_with_mask(whole, mask, pa.array(exact, pa.int64()))), bad)


def _of_units(units: pa.Array) -> pa.Array:
    """Ten-thousandths as money: the same 128-bit integers under another scale."""
    wide = units.cast(pa.decimal128(19, 0))
    return pa.Array.from_buffers(MONEY, len(wide), wide.buffers(), offset=wide.offset)


def _units(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise ValueError("not a number")
    rounded = Decimal(text).quantize(_FOUR_PLACES, ROUND_HALF_EVEN, _CONTEXT)
    units = int(rounded.scaleb(4, _CONTEXT))
    if abs(units) >= _MONEY_BOUND:
        raise ValueError("more than 14 digits before the point")
    return units


def _string(value: object, row: int, written: Written, _: Zone) -> str:
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return written(row)
        case bytes():
            return value.decode()
        case dict() | list():
            return json_text(value, lambda: written(row))
    return str(value)


def _integer(value: object, row: int, written: Written, _: Zone) -> int:
    number: int | None = None
    match value:
        case bool():
            pass
        case int():
            number = value
        case str():
            number = _whole_number(value.strip())
        case float() if value.is_integer():
            number = int(value) if abs(value) < _EXACT_FLOAT else _whole_number(written(row))
        case Decimal() if value == value.to_integral_value():
            number = int(value)
    if number is None or not -_INT64 <= number < _INT64:
        raise ValueError("not a whole number of 64 bits")
    return number


def _whole_number(text: str) -> int | None:
    if not _NUMBER.fullmatch(text):
        return None
    if text.lstrip("+-").isdigit():
        return int(text)
    number = Decimal(text)
    # The size first: making an integer of 1e999999 would take for ever.
    return int(number) if abs(number) < _INT64 * 2 and number == number.to_integral_value() else None


def _double(value: object, _: int, __: Written, ___: Zone) -> float:
    number: float | None = None
    match value:
        case bool():
            pass
        case int() | float() | Decimal():
            number = float(value)
        case str() if _NUMBER.fullmatch(value.strip()):
            number = float(value)
    if number is None or number - number != 0:  # only what is infinite or no number differs from itself
        raise ValueError("not a finite number")
    return number


def _decimal(value: object, row: int, written: Written, _: Zone) -> int:
    match value:
        case bool():
            raise ValueError("not a number")
        case int() | Decimal():
            return _units(str(value))
        case float():
            return _units(written(row))
        case str():
            return _units(value.strip())
    raise ValueError("not a number")


def _boolean(value: object, _: int, __: Written, ___: Zone) -> bool:
    match value:
        case bool():
            return value
        case int() | float() if value in {0, 1}:
            return bool(value)
        case str() if (found := _BOOLEANS.get(value.strip().lower())) is not None:
            return found
    raise ValueError("not true or false")


def _timestamp(value: object, _: int, __: Written, zone: Zone) -> int:
    return timestamps.micros(value, zone.timezone, zone.time_format)


def _date(value: object, _: int, __: Written, ___: Zone) -> dt.date:
    match value:
        case dt.datetime():
            return value.date()
        case dt.date():
            return value
        case str():
            # The day as written: a zone would move it.
            return dt.datetime.fromisoformat(value.strip()).date()
    raise ValueError("not a date")


def _uuid(value: object, _: int, __: Written, ___: Zone) -> str:
    match value:
        case str():
            return str(uuid.UUID(value.strip()))
        case bytes() if len(value) == 16:
            return str(uuid.UUID(bytes=value))
    raise ValueError("not a UUID")


def _json_column(value: object, row: int, written: Written, _: Zone) -> str:
    match value:
        case str():
            return value if _is_document(value) else _json(value)
        case float():
            return written(row)
        case bytes():
            return _json(value.decode())
    return json_text(value, lambda: written(row))


def _is_document(text: str) -> bool:
    """Whether text is a JSON object or array already; other text becomes a JSON string."""
    if text.lstrip()[:1] not in {"{", "["}:
        return False
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


_CONVERTERS: Final[Mapping[ColumnType, Callable[[object, int, Written, Zone], object]]] = {
    "string": _string,
    "integer": _integer,
    "double": _double,
    "decimal": _decimal,
    "boolean": _boolean,
    "timestamp": _timestamp,
    "date": _date,
    "uuid": _uuid,
    "json": _json_column,
}
