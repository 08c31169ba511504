"""From values to what is said of them: the unit they are written in, trend, gauge, bars, the bucket of a series."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Final

from tusk_platform.core.formats import Format, Number, Unit
from tusk_platform.core.widgets import Band, Bar, Bars, Direction, Gauge, Level, Trend
from tusk_platform.plan.nodes import Metric, Widget
from tusk_platform.units import DAY, HOUR, MINUTE, SECOND

MAX_POINTS: Final = 400
_STEPS: Final = (
    *(SECOND * n for n in (1, 2, 5, 10, 15, 30)),
    *(MINUTE * n for n in (1, 2, 5, 10, 15, 30)),
    *(HOUR * n for n in (1, 2, 3, 6, 12)),
    *(DAY * n for n in (1, 2, 7, 14, 28, 91, 364)),
)
# What goes down when things get better: a rise of these is shown as bad news.
_UNWELCOME: Final = frozenset(
    {"error", "errors", "failure", "failures", "failed", "latency", "bounce", "churn", "response", "lag", "late"}
    | {"quarantined", "cancelled", "refund", "refunds", "timeout", "timeouts", "usage"}
)
# The documented names of system metrics that are already percent, and those that are bytes.
_PERCENT_SERIES: Final = frozenset({"cpu", "cpu_usage", "memory", "memory_usage", "disk", "disk_usage"})
_BYTE_SERIES: Final = frozenset({"network", "network_throughput"})


def unit_of(widget: Widget, metric: Metric | None) -> Unit:
    """How the widget's values are written: its format, scaled by what the metric counts in."""
    name = widget.series or widget.metric or ""
    form: Format = widget.format
    if form == "number" and widget.kind == "stream":
        form = "percent" if name in _PERCENT_SERIES else "bytes" if name in _BYTE_SERIES else form
    if form == "number" and metric is not None and metric.function == "ratio":
        form = "percent"
    factor = Decimal(1)
    if form == "percent" and metric is not None and metric.function == "ratio":
        factor = Decimal(100)
    elif form == "duration":
        column = (metric.column if metric else None) or name
        per_second = {"ms": "0.001", "us": "0.000001", "minutes": "60", "hours": "3600"}
        factor = Decimal(per_second.get(column.rsplit("_", 1)[-1], "1"))
    return Unit(form, widget.currency, factor)


def title_of(name: str) -> str:
    """A name as a heading.

    >>> title_of("user_activity_chart"), title_of("cpu_usage")
    ('User activity', 'CPU usage')
    """
    words = name.split("_")
    if len(words) > 1 and words[-1] in {"chart", "counter", "gauge", "panel", "table", "widget"}:
        words.pop()
    capital = {"cpu": "CPU", "api": "API", "url": "URL", "id": "ID", "sla": "SLA", "p50": "p50", "p95": "p95",
               "p99": "p99", "http": "HTTP", "iot": "IoT", "crm": "CRM"}  # fmt: skip
    shown = [capital.get(w, w) for w in words if w]
    return " ".join([shown[0][:1].upper() + shown[0][1:], *shown[1:]]) if shown else name


def trend(current: Number | None, previous: Number | None, *, metric: str, span: str) -> Trend:
    """The change from ``previous`` to ``current``, computed in decimals; ``span`` names what is compared with.

    >>> trend(12, 10, metric="sales", span="the hour before").text
    '+20% against the hour before'
    """
    if current is None or previous is None:
        return Trend(current, previous, None, "unknown", None, "", f"nothing to compare with in {span}")
    now, before = Decimal(str(current)), Decimal(str(previous))
    direction: Direction = "up" if now > before else "down" if now < before else "flat"
    welcome = None if direction == "flat" else (direction == "up") != bool(_UNWELCOME & set(metric.split("_")))
    if direction == "flat":
        return Trend(current, previous, 0.0, direction, welcome, "no change", f"against {span}")
    if not before:
        return Trend(current, previous, None, direction, welcome, "new", f"as there was nothing in {span}")
    share = (now - before) / abs(before)
    amount = ("+" if share > 0 else "") + Unit("percent", factor=Decimal(100)).write(share)
    return Trend(current, previous, float(share), direction, welcome, amount, f"against {span}")


def gauge(value: Number | None, widget: Widget, unit: Unit, at: int | None = None) -> Gauge:
    """The value on a scale that fits its thresholds; where critical lies below warning, little is bad."""
    scale = Decimal(100) if unit.format == "percent" else None
    # Of a ratio people say 5, meaning percent, as often as 0.05.
    limits = [t for t in (widget.warning, widget.critical) if t is not None]
    as_percent = unit.factor == 100 and any(t > 1 for t in limits)
    warning, critical = (
        None if t is None else Decimal(str(t)) / (100 if as_percent else 1) for t in (widget.warning, widget.critical)
    )
    exact = None if value is None else Decimal(str(value))
    seen = [abs(x) for x in (exact, warning, critical) if x is not None]
    high = scale / unit.factor if scale is not None else nice_ceiling(max(seen, default=Decimal(1)) * Decimal("1.25"))
    low = min(Decimal(0), exact) if exact is not None else Decimal(0)
    if exact is not None and exact > high:
        high = nice_ceiling(exact)
    falling = warning is not None and critical is not None and critical < warning

    def share(x: Decimal) -> float:
        return min(1.0, max(0.0, float((x - low) / (high - low))))

    marks = [(x, level) for x, level in ((warning, "warning"), (critical, "critical")) if x is not None]
    bands: list[Band] = []
    if falling and warning is not None and critical is not None:
        bands = [Band(0, share(critical), "critical"), Band(share(critical), share(warning), "warning"),
                 Band(share(warning), 1, "ok")]  # fmt: skip
    else:
        edges = [0.0, *(share(x) for x, _ in marks), 1.0]
        levels: list[Level] = ["ok", *(level for _, level in marks)]  # type: ignore[list-item] # literals above
        bands = [Band(a, b, level) for (a, b), level in zip(pairwise(edges), levels, strict=True)]
    return Gauge(value, unit.write(value), low, high, None if exact is None else share(exact),
                 _level(exact, warning, critical, falling=falling), tuple(bands), at)  # fmt: skip


def _level(value: Decimal | None, warning: Decimal | None, critical: Decimal | None, *, falling: bool) -> Level:
    if value is None:
        return "unknown"
    if critical is not None and (value <= critical if falling else value >= critical):
        return "critical"
    if warning is not None and (value <= warning if falling else value >= warning):
        return "warning"
    return "ok"


def nice_ceiling(value: Decimal) -> Decimal:
    """The least of 1, 2, 2.5, 5 times a power of ten that is not below ``value``."""
    if value <= 0:
        return Decimal(1)
    power = Decimal(1).scaleb(value.adjusted())
    return next(
        m * power for m in (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10)) if m * power >= value
    )


def bars(groups: Sequence[tuple[str, Number | None]], unit: Unit, *, most: int = 8) -> Bars:
    """The groups with the greatest values, as bars."""
    ranked = sorted((g for g in groups if g[1] is not None), key=lambda g: (-Decimal(str(g[1])), g[0]))
    longest = max((abs(Decimal(str(v))) for _, v in ranked[:most]), default=Decimal(0)) or Decimal(1)
    shown = [Bar(label, v, unit.write(v), float(abs(Decimal(str(v))) / longest)) for label, v in ranked[:most]]
    return Bars(tuple(shown), max(0, len(ranked) - most))


def bucket_size(span: int, wanted: int | None, least: int, *, most: int = MAX_POINTS) -> int:
    """The bucket of a series over ``span``: ``wanted`` or ``least``, widened until no more than ``most`` points remain.

    >>> bucket_size(24 * HOUR, None, 5 * MINUTE) // MINUTE, bucket_size(365 * DAY, 5 * MINUTE, MINUTE) // HOUR
    (5, 24)
    """
    base = max(wanted or least, least)
    if span <= base * most:
        return base
    needed = -(-span // most)
    return next((s for s in _STEPS if s >= needed and s % base == 0), -(-needed // base) * base)
