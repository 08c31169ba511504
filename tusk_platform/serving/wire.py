"""Panels as JSON for programs, and as a sentence for those who cannot see the picture."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, assert_never

from tusk_platform.core.formats import Number, Unit
from tusk_platform.core.widgets import Alerts, Bars, Body, Chart, Counter, Empty, Gauge, Panel, Rows, Series, Trend
from tusk_platform.units import spell

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def written_time(micros: int) -> str:
    """ISO 8601 in UTC, whatever the reader's zone."""
    return (_EPOCH + timedelta(microseconds=micros)).isoformat().replace("+00:00", "Z")


def as_json(panel: Panel) -> dict[str, Any]:
    """The panel for programs: decimals as strings, times as ISO 8601 UTC."""
    w = panel.widget
    return {
        "name": w.name,
        "type": w.type,
        "title": panel.title,
        "source": {"kind": w.kind, "name": w.source, "metric": w.metric},
        "format": panel.unit.format,
        "note": panel.note,
        "demo": panel.demo,
        "data": _body(panel.body),
    }


def _body(body: Body) -> dict[str, Any]:
    match body:
        case Counter():
            return {
                "value": _plain(body.value),
                "text": body.text,
                "window_start": written_time(body.start),
                "window_end": written_time(body.end),
                "is_final": body.final,
                "trend": _trend(body.trend),
            }
        case Chart():
            lines = [{"name": s.name, "step": spell(s.step), "points": _points(s)} for s in body.series]
            return {"start": written_time(body.start), "end": written_time(body.end), "series": lines}
        case Bars():
            return {"bars": [{"label": b.label, "value": _plain(b.value), "text": b.text} for b in body.bars],
                    "others": body.others}  # fmt: skip
        case Gauge():
            return {"value": _plain(body.value), "text": body.text, "level": body.level, "low": _plain(body.low),
                    "high": _plain(body.high), "at": None if body.at is None else written_time(body.at),
                    "bands": [{"from": b.start, "to": b.end, "level": b.level} for b in body.bands]}  # fmt: skip
        case Rows():
            return {"columns": list(body.columns), "rows": [list(r) for r in body.rows]}
        case Alerts():
            return {"active": body.active, "severities": list(body.severities), "alerts": []}
        case Empty():
            return {"empty": body.reason, "hint": body.hint, "command": body.command}
        case _:
            assert_never(body)


def _points(series: Series) -> list[Mapping[str, Any]]:
    return [{"start": written_time(p.start), "end": written_time(p.end), "value": _plain(p.value), "is_final": p.final}
            for p in series.points]  # fmt: skip


def _trend(change: Trend | None) -> dict[str, Any] | None:
    if change is None:
        return None
    return {"current": _plain(change.current), "previous": _plain(change.previous), "change": change.change,
            "direction": change.direction, "welcome": change.welcome, "text": change.text}  # fmt: skip


def _plain(value: Number | None) -> Number | str | None:
    if isinstance(value, Decimal):
        return f"{value:f}"
    return None if value is not None and value != value else value  # noqa: PLR0124 - NaN has no JSON


def describe(panel: Panel) -> str:
    """One sentence for those who cannot see the picture."""
    match panel.body:
        case Counter() as c:
            return f"{panel.title}: {c.text}" + (f", {c.trend.text}" if c.trend else "")
        case Gauge() as g:
            return f"{panel.title}: {g.text} of {panel.unit.write(g.high)}, {g.level}"
        case Chart() as c:
            parts = [_describe_series(s, panel.unit) for s in c.series]
            return f"{panel.title}: " + "; ".join(parts)
        case _:
            return panel.title


def _describe_series(series: Series, unit: Unit) -> str:
    values = [p.value for p in series.points if p.value is not None]
    if not values:
        return f"{series.name} has no values"
    least, most = min(values, key=Decimal), max(values, key=Decimal)
    return (f"{series.name} over {len(values)} points, lowest {unit.write(least)}, highest {unit.write(most)}, "
            f"newest {unit.write(values[-1])}")  # fmt: skip
