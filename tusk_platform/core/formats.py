"""Values as people read them: numbers, money, shares, durations, bytes. Decimals stay exact until they are text."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Final, Literal

Number = int | float | Decimal
Format = Literal["number", "currency", "percent", "duration", "bytes"]

NOTHING: Final = "–"  # shown where there is no value; zero is a value
_SYMBOLS: Final = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "INR": "₹", "KRW": "₩", "BRL": "R$", "CNY": "CN¥"}
_WHOLE_CURRENCIES: Final = frozenset({"JPY", "KRW", "CLP", "ISK", "VND"})
_SHORT: Final = ((Decimal(10) ** 12, "T"), (Decimal(10) ** 9, "B"), (Decimal(10) ** 6, "M"), (Decimal(10) ** 3, "K"))
_BYTES: Final = (
    (Decimal(10) ** 12, "TB"),
    (Decimal(10) ** 9, "GB"),
    (Decimal(10) ** 6, "MB"),
    (Decimal(10) ** 3, "kB"),
)


@dataclass(frozen=True, slots=True)
class Unit:
    """How values of one metric are written. ``factor`` brings them to percent, seconds or bytes first."""

    format: Format = "number"
    currency: str = "USD"
    factor: Decimal = Decimal(1)

    def write(self, value: Number | None, *, compact: bool = False) -> str:
        """The value as text; ``compact`` for axes and narrow places.

        >>> Unit("currency").write(Decimal("1234.5"))
        '$1,234.50'
        """
        if value is None or value != value:  # noqa: PLR0124 - NaN is the one number that differs from itself
            return NOTHING
        with localcontext(prec=60):  # a decimal(38, 4) must survive being rounded
            exact = (value if isinstance(value, Decimal) else Decimal(str(value))) * self.factor
            sign = "−" if exact < 0 else ""
            if not exact.is_finite():
                return f"{sign}∞"
            if exact.adjusted() >= (15 if compact else 36):
                return f"{sign}{abs(exact):.2e}"
            return sign + self._magnitude(abs(exact), compact=compact, whole=isinstance(value, int))

    def _magnitude(self, value: Decimal, *, compact: bool, whole: bool) -> str:
        match self.format:
            case "currency":
                return _money(value, self.currency, compact=compact)
            case "percent":
                return f"{_plain(value, 1)}%"
            case "duration":
                return _duration(value)
            case "bytes":
                return _scaled(value, _BYTES, " ") or f"{_plain(value, 0)} B"
            case _:
                return (_scaled(value, _SHORT, "") if compact else "") or _plain(value, 0 if whole else 2)


def _plain(value: Decimal, places: int) -> str:
    """Thousands separators, at most ``places`` decimals, but never a small value rounded away to zero."""
    if places and 0 < value < Decimal("0.1"):
        places = min(10, 1 - value.adjusted())
    text = f"{value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP):,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _scaled(value: Decimal, steps: tuple[tuple[Decimal, str], ...], space: str) -> str:
    # The rounded value decides the step: 999,996 is 1M, not 1,000K.
    for scale, suffix in steps:
        if value >= scale * Decimal("0.99995"):
            return f"{_plain(value / scale, 1 if space else 2)}{space}{suffix}"
    return ""


def _money(value: Decimal, currency: str, *, compact: bool) -> str:
    symbol = _SYMBOLS.get(currency, f"{currency} ")
    if compact:
        return symbol + (_scaled(value, _SHORT, "") or _plain(value, 2))
    places = 0 if currency in _WHOLE_CURRENCIES else 2
    return f"{symbol}{value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP):,f}"


def _duration(seconds: Decimal) -> str:
    if seconds and seconds < Decimal("0.99995"):
        return f"{_plain(seconds * 1000, 1)} ms"
    if seconds < Decimal("59.95"):
        return f"{_plain(seconds, 1)} s"
    whole = int(seconds.quantize(Decimal(1), rounding=ROUND_HALF_UP))
    for size, name, below, part in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // below
            return f"{whole // size} {name}" + (f" {rest} {part}" if rest else "")
    return f"{whole} s"
