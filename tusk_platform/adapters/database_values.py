"""Rows of PostgreSQL, values as the server writes them, to JSON objects: numbers exact, times in ISO 8601."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import orjson

# The settings of every session, so that a value is written the same way wherever it is read.
SESSION: Final = {
    "client_encoding": "UTF8",
    "datestyle": "ISO",
    "timezone": "UTC",
    "intervalstyle": "iso_8601",
    "extra_float_digits": "1",
    "bytea_output": "hex",
}

_DIGITS: Final = 15
_NULL: Final = b"null"
_WORDS: Final = frozenset({b"NaN", b"Infinity", b"-Infinity"})
# Year to second, not before Christ; what follows is a fraction and, where the type has a zone, that of the session.
_TIME: Final = re.compile(rb"(\d{4,}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)(\+00)?")
_ESCAPES: Final = {
    b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v",
}  # fmt: skip
_ESCAPED: Final = re.compile(rb"\\(.)", re.DOTALL)

ToJson = Callable[[bytes], bytes]


def _text(value: bytes) -> bytes:
    try:
        return orjson.dumps(value.decode())
    except UnicodeDecodeError:  # a database without an encoding
        return orjson.dumps(value.decode("utf-8", "replace"))


def _boolean(value: bytes) -> bytes:
    return b"true" if value == b"t" else b"false"


def _number(value: bytes) -> bytes:
    return b'"' + value + b'"' if value in _WORDS else value


def _decimal(value: bytes) -> bytes:
    """A number where a double holds every digit of it, else its text: so nobody who reads it can lose one."""
    return value if len(value) <= _DIGITS and value not in _WORDS else b'"' + value + b'"'


def _time(value: bytes) -> bytes:
    found = _TIME.fullmatch(value)
    if not found:  # infinity, or before Christ: no time that the lake could hold
        return _text(value)
    return b'"%b"' % (found[1] + b"T" + found[2] + (b"Z" if found[3] else b""))


def _document(value: bytes) -> bytes:
    """Objects and arrays as the text they are, to the letter; a single value as itself."""
    return _text(value) if value.lstrip()[:1] in {b"{", b"["} else value.strip()


def _same(value: bytes) -> bytes:
    return value


# By the numbers of the built-in types: bool, int8, int2, int4, oid, float4, float8, numeric, timestamps, json, jsonb.
_BY_TYPE: Final[Mapping[int, ToJson]] = {
    16: _boolean,
    20: _same,
    21: _same,
    23: _same,
    26: _same,
    700: _number,
    701: _number,
    1700: _decimal,
    1114: _time,
    1184: _time,
    114: _document,
    3802: _document,
}


class RowWriter:
    """Writes rows of one table as JSON. ``columns`` are names with numbers of types, ``key`` names of columns.

    >>> RowWriter([("id", 23), ("name", 25)], ["id"]).write([b"7", b"x"])
    ('[7]', b'{"id":7,"name":"x"}')
    """

    def __init__(self, columns: Sequence[tuple[str, int]], key: Sequence[str]) -> None:
        names = [name for name, _ in columns]
        self._converters = [_BY_TYPE.get(kind, _text) for _, kind in columns]
        self._labels = [orjson.dumps(name) + b":" for name in names]
        self._key = [names.index(name) for name in key]

    def write(self, values: Sequence[bytes | None]) -> tuple[str, bytes]:
        """The row's key as a JSON array, and the row."""
        written = [_NULL if v is None else to(v) for to, v in zip(self._converters, values, strict=True)]
        row = b"{" + b",".join([label + v for label, v in zip(self._labels, written, strict=True)]) + b"}"
        return self._key_of(written), row

    def key(self, values: Sequence[bytes | None]) -> str:
        """The row's key alone, where nothing else of it is known."""
        return self._key_of({n: _NULL if (v := values[n]) is None else self._converters[n](v) for n in self._key})

    def _key_of(self, written: Sequence[bytes] | Mapping[int, bytes]) -> str:
        return (b"[" + b",".join([written[n] for n in self._key]) + b"]").decode()


def copied(line: bytes) -> list[bytes | None]:
    """The values of one line of a ``COPY ... TO STDOUT`` in its text form."""
    parts = line.removesuffix(b"\n").split(b"\t")
    if b"\\" not in line:
        return list(parts)
    return [None if p == b"\\N" else _ESCAPED.sub(_unescaped, p) if b"\\" in p else p for p in parts]


def _unescaped(found: re.Match[bytes]) -> bytes:
    return _ESCAPES.get(found[1], found[1])
