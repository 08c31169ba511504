"""What made-up events carry: for each well-known column name a value that fits the visitor, the page and the moment."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from random import Random
from typing import Any, Final

from tusk_platform.plan.nodes import Column
from tusk_platform.units import DAY, SECOND

PEOPLE: Final = 400
_FIRST_PERSON: Final = 1001
# A visitor is there for a stretch of so many seconds and then, mostly, away for some such stretches.
_VISIT: Final = 1200
_THERE: Final = 0.3
_MINUTE: Final = 60
_INCIDENT: Final = 180

_COUNTRIES: Final = (
    ("US", 34, "north_america"), ("DE", 16, "europe"), ("GB", 12, "europe"), ("IN", 12, "asia"),
    ("FR", 8, "europe"), ("BR", 7, "south_america"), ("JP", 6, "asia"), ("AU", 5, "oceania"),
)  # fmt: skip
_DEVICES: Final = (
    ("mobile", 55, "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Mobile/15E148"),
    ("desktop", 38, "Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0.0.0 Safari/537.36"),
    ("tablet", 7, "Mozilla/5.0 (iPad; CPU OS 18_0 like Mac OS X) Mobile/15E148"),
)
_PAGES: Final = ("/", "/products", "/search", "/cart", "/checkout", "/account", "/help", "/blog", "/pricing", "/about")
_REFERRERS: Final = ("https://search.example/", "https://news.example/", "https://social.example/", "", "newsletter")
_CATEGORIES: Final = ("books", "electronics", "fashion", "garden", "sports", "toys")
_PAYMENTS: Final = ("card", "card", "card", "paypal", "paypal", "invoice", "transfer")
_SERVICES: Final = ("web", "checkout", "catalog", "search", "accounts")
_ENDPOINTS: Final = ("/api/products", "/api/cart", "/api/orders", "/api/search", "/api/login")
_ERRORS: Final = ("timeout", "timeout", "validation", "not_found", "internal", "payment_declined")
_PRODUCTS: Final = 40


@dataclass(frozen=True, slots=True)
class Person:
    """A visitor, the same in every event of theirs."""

    number: int
    country: str
    region: str
    device: str
    user_agent: str
    visit_start: int


@dataclass(frozen=True, slots=True)
class Moment:
    """All that a value may depend on: ``at`` is the event time in microseconds, ``trouble`` that something is wrong."""

    random: Random
    at: int
    person: Person
    event_type: str
    topic: str = ""
    trouble: bool = False


Maker = Callable[[Moment], Any]


def share(*parts: object) -> float:
    """A number in [0, 1) that is always the same for the same parts."""
    digest = hashlib.blake2b(":".join(map(str, parts)).encode(), digest_size=6).digest()
    return int.from_bytes(digest, "big") / 2**48


def person(random: Random, seed: int, second: int) -> Person:
    """Somebody who is there at that second; a few people account for most events."""
    there, weights = _there(seed, second // _MINUTE)
    return _person(seed, random.choices(there, cum_weights=weights)[0], second)


def incident(seed: int, second: int) -> bool:
    """Whether something is wrong at that second: three minutes in about every fourth hour."""
    hour = second // 3600
    start = share(seed, "incident", hour) * 4 * 3600
    return start <= second % 3600 < start + _INCIDENT


def belongs(column: str, event_type: str) -> bool:
    """Whether events of that type carry the column: always, unless it belongs to other types alone."""
    owners = [t for t, marks in MARKS.items() if _known(column) in marks]
    return not owners or event_type in owners or event_type not in MARKS


def maker(column: Column, *, value: bool = False) -> Maker:
    """How the values of a column are made: by its name, else by the last words of it, else by its type."""
    known = _known(column.name)
    if known:
        return _MAKERS[known]
    if value:
        return _amount
    if column.name.endswith("_id") or column.name == "id":
        return lambda m: m.person.number
    return lambda m: _plain(column, m)


def _known(name: str) -> str:
    words = name.lower().split("_")
    return next((k for start in range(len(words)) if (k := "_".join(words[start:])) in _MAKERS), "")


@lru_cache(maxsize=256)
def _there(seed: int, minute: int) -> tuple[list[int], list[float]]:
    """The people who are there in a minute, and the sums of the weights with which they do something."""
    there = [r for r in range(PEOPLE) if share(seed, "there", r, _visit(seed, r, minute * _MINUTE)) < _THERE] or [0]
    return there, list(accumulate(1 / (rank + 3) for rank in there))


def _visit(seed: int, rank: int, second: int) -> int:
    """Number of the stretch of time in which a person is or is not there; everybody's begin at other moments."""
    return (second + _phase(seed, rank)) // _VISIT


@lru_cache(maxsize=4096)
def _phase(seed: int, rank: int) -> int:
    return int(share(seed, "phase", rank) * _VISIT)


def _person(seed: int, rank: int, second: int) -> Person:
    return _visitor(seed, rank, _visit(seed, rank, second) * _VISIT - _phase(seed, rank))


@lru_cache(maxsize=4096)
def _visitor(seed: int, rank: int, visit_start: int) -> Person:
    country, region = _weighted(_COUNTRIES, share(seed, "country", rank))
    device, agent = _weighted(_DEVICES, share(seed, "device", rank))
    return Person(_FIRST_PERSON + rank, country, region, device, agent, visit_start)


def _weighted(choices: tuple[tuple[str, int, str], ...], point: float) -> tuple[str, str]:
    left = point * sum(weight for _, weight, _ in choices)
    for name, weight, more in choices:
        left -= weight
        if left < 0:
            return name, more
    raise AssertionError("a point below one lies in some choice")


def _few_often(random: Random, count: int) -> int:
    """A number below ``count``, small ones far more often."""
    return int(count * random.random() ** 2.5)


def _product(m: Moment) -> int:
    # The same draw for all columns of one event: product, category and price must fit together.
    return _few_often(Random(f"{m.at}:{m.person.number}"), _PRODUCTS)  # noqa: S311 - made-up


def _quantity(m: Moment) -> int:
    return 1 + _few_often(Random(f"quantity:{m.at}:{m.person.number}"), 4)  # noqa: S311 - made-up


def _price(m: Moment) -> float:
    return round(5 * math.exp(4 * share("price", _product(m))), 2)


def _amount(m: Moment) -> float:
    return round(_price(m) * _quantity(m), 2)


def _response_time(m: Moment) -> float:
    return round(m.random.lognormvariate(4.6, 0.5) * (5 if m.trouble else 1), 1)


def _status(m: Moment) -> int:
    if m.event_type == "error":
        return m.random.choice((500, 500, 502, 404))
    return m.random.choices((200, 201, 404, 500), (90, 5, 4, 1))[0]


def _page(m: Moment) -> str:
    page = _PAGES[_few_often(m.random, len(_PAGES))]
    return f"{page}/p{_product(m):02d}" if page == "/products" else page


def _reading(m: Moment) -> float:
    """A sensor's value: a curve over the day around a level that fits the topic's name."""
    level, swing = (55.0, 10.0) if "humid" in m.topic else (21.0, 4.0)
    day = math.sin(2 * math.pi * ((m.at % DAY) / DAY - 0.4))
    return round(level + swing * day + m.random.gauss(0, swing / 10), 2)


def _value(m: Moment) -> float:
    return _reading(m) if m.topic else _amount(m)


def _plain(column: Column, m: Moment) -> Any:  # noqa: ANN401 - by the column's type
    match column.type:
        case "string":
            return f"{column.name}_{_few_often(m.random, 8) + 1}"
        case "uuid":
            bits = f"{m.random.getrandbits(128):032x}"
            return f"{bits[:8]}-{bits[8:12]}-4{bits[13:16]}-a{bits[17:20]}-{bits[20:]}"
        case "boolean":
            return m.random.random() < 0.5
        case "integer":
            return _few_often(m.random, 100)
        case "timestamp" | "date" | "json":
            return _few_often(m.random, 8)
        case "double" | "decimal":
            return round(m.random.lognormvariate(3, 0.8), 2)


_MAKERS: Final[Mapping[str, Maker]] = {
    "user_id": lambda m: m.person.number,
    "customer_id": lambda m: m.person.number,
    "account_id": lambda m: m.person.number,
    "device_id": lambda m: f"{m.person.device}-{m.person.number}",
    "session_id": lambda m: f"{m.person.number}-{m.person.visit_start}",
    "session_duration": lambda m: max(0, m.at // SECOND - m.person.visit_start),
    "duration": lambda m: max(0, m.at // SECOND - m.person.visit_start),
    "country": lambda m: m.person.country,
    "region": lambda m: m.person.region,
    "device_type": lambda m: m.person.device,
    "device": lambda m: m.person.device,
    "user_agent": lambda m: m.person.user_agent,
    "email": lambda m: f"visitor{m.person.number}@example.com",
    "page_url": _page,
    "page": _page,
    "page_path": _page,
    "referrer": lambda m: m.random.choice(_REFERRERS),
    "element": lambda m: m.random.choice(("buy", "menu", "search", "more")),
    "product_id": lambda m: f"p{_product(m):02d}",
    "category": lambda m: _CATEGORIES[_product(m) % len(_CATEGORIES)],
    "quantity": _quantity,
    "price": _price,
    "unit_price": _price,
    "amount": _amount,
    "revenue": _amount,
    "total": _amount,
    "order_value": _amount,
    "currency": lambda _: "USD",
    "payment_method": lambda m: m.random.choice(_PAYMENTS),
    "order_id": lambda m: f"o{m.at // 1000:x}",
    "error_type": lambda m: m.random.choice(_ERRORS),
    "service_name": lambda m: _SERVICES[_few_often(m.random, len(_SERVICES))],
    "environment": lambda _: "production",
    "response_time": _response_time,
    "latency": _response_time,
    "status_code": _status,
    "success": lambda m: m.event_type != "error",
    "endpoint": lambda m: m.random.choice(_ENDPOINTS),
    "method": lambda m: m.random.choice(("GET", "GET", "GET", "POST")),
    "topic": lambda m: m.topic or "sensor/temperature",
    "temperature": _reading,
    "value": _value,
}

_SALE: Final = frozenset({
    "product_id", "category", "quantity", "price", "unit_price", "amount", "revenue", "total", "order_value",
    "currency", "payment_method", "order_id",
})  # fmt: skip
# Columns that only events of some types carry.
MARKS: Final[Mapping[str, frozenset[str]]] = {
    "page_view": frozenset({"page_url", "page", "page_path", "referrer"}),
    "click": frozenset({"page_url", "page", "page_path", "element"}),
    "purchase": _SALE,
    "api_request": frozenset({"response_time", "latency", "status_code", "service_name", "endpoint", "method"}),
    "error": frozenset({"error_type", "service_name", "environment", "status_code"}),
    "support_ticket": frozenset(),
}
