"""The SQL of one aggregate: as a dbt model, and with every value written out for people to read and run."""

from __future__ import annotations

from textwrap import indent
from typing import Final, assert_never

from tusk_platform.core.catalog import columns_read, local_days
from tusk_platform.core.views import quoted
from tusk_platform.generate.metric_sql import all_of, merged_sql, metric_sql, partial_sql
from tusk_platform.plan.nodes import Aggregate, Metric, Plan, Session, Sliding, Stream, Tumbling
from tusk_platform.plan.words import aggregate_words
from tusk_platform.units import DAY, WEEK, spell

# The grid of whole weeks starts on a Monday; the epoch was a Thursday.
_MONDAY: Final = 4 * DAY
_INDENT: Final = "    "


def model(plan: Plan, aggregate: Aggregate) -> str:
    """Text of ``models/aggregates/<name>.sql``: what is computed is here, how windows work is in the macros."""
    stream = plan.stream(aggregate.stream)
    # Where a denominator counts the whole window, the filter must not take rows away before it has counted them.
    late_filter = aggregate.where if counts_beyond_filter(aggregate) else None
    call = _call(plan, aggregate, stream, where=None if late_filter else aggregate.where)
    head = [f"-- {in_words(aggregate)}", f"-- Generated from {aggregate.origin.key}; change it there."]
    if isinstance(aggregate.window, Sliding) and by_panes(aggregate):
        return "\n".join([*head, _by_panes(aggregate, aggregate.window, call), ""])
    rows = [
        "select",
        as_text(_columns(aggregate, late_filter)),
        "from (",
        f"{_INDENT}{{{{ {call} | indent(4) }}}}",
        ")",
        f"group by {', '.join(_keys(aggregate))}",
    ]
    return "\n".join([*head, *rows, ""])


def as_text(sql: str) -> str:
    """What dbt leaves as it is, whatever braces stand in it."""
    return f"{{% raw %}}{sql}{{% endraw %}}" if any(mark in sql for mark in ("{{", "{%", "{#")) else sql


def by_panes(aggregate: Aggregate) -> bool:
    """Whether events may be added up once and then for each window: all metrics can be, on a grid of equal steps."""
    mergeable = all(m.mergeable and m.denominator_scope == "group" for m in aggregate.metrics)
    return mergeable and isinstance(aggregate.window, Sliding) and not local_days(aggregate)


def _by_panes(aggregate: Aggregate, window: Sliding, call: str) -> str:
    dimensions = [quoted(d) for d in aggregate.dimensions]
    partial = {"event_count": "count(*)"}
    for m in aggregate.metrics:
        partial |= partial_sql(m)
    kept = [*dimensions, "_first", "_pane", *(f"{sql} as {quoted(name)}" for name, sql in partial.items())]
    merged = ["sum(event_count) as event_count", *(f"{merged_sql(m)} as {quoted(m.name)}" for m in aggregate.metrics)]
    ends = ["make_timestamptz(_start) as window_start", f"make_timestamptz(_start + {window.size}) as window_end"]
    lines = [
        "select",
        _listed([*_keys(aggregate), *merged], 1),
        "from (",
        f"{_INDENT}select * exclude (_start), {', '.join(ends)}",
        f"{_INDENT}from (",
        f"{_INDENT * 2}select *, unnest(range(_first, _pane + 1, {window.slide})) as _start",
        f"{_INDENT * 2}from (",
        f"{_INDENT * 3}select",
        as_text(_listed(kept, 4)),
        f"{_INDENT * 3}from (",
        f"{_INDENT * 4}{{{{ {call} | indent(16) }}}}",
        f"{_INDENT * 3})",
        f"{_INDENT * 3}group by {', '.join([*dimensions, '_first', '_pane'])}",
        f"{_INDENT * 2})",
        f"{_INDENT})",
        ")",
        f"group by {', '.join(_keys(aggregate))}",
    ]
    return "\n".join(lines)


def _listed(items: list[str], depth: int) -> str:
    return ",\n".join(f"{_INDENT * depth}{item}" for item in items)


def readable(plan: Plan, aggregate: Aggregate) -> str:
    """A query over ``clean.<stream>`` that gives every row of the aggregate: the model without what makes it quick."""
    window = aggregate.window
    if not isinstance(window, Tumbling):
        return f"-- {in_words(aggregate)}"
    late_filter = aggregate.where if counts_beyond_filter(aggregate) else None
    start, end = _bucket(plan, aggregate, window)
    lateness = f" + interval '{_interval(aggregate.allowed_lateness)}'" if aggregate.allowed_lateness else ""
    counted = all_of(
        f"_watermark is null or window_end{lateness} > _watermark", None if late_filter else aggregate.where
    )
    rows = [
        "select",
        _columns(aggregate, late_filter),
        "from (",
        f"{_INDENT}select *, {start} as window_start, {end} as window_end",
        f"{_INDENT}from clean.{quoted(aggregate.stream)}",
        ")",
        f"where {counted}",
        f"group by {', '.join(_keys(aggregate))}",
    ]
    if late_filter:
        return "\n".join(["select *", "from (", indent("\n".join(rows), _INDENT), ")", "where event_count > 0"])
    return "\n".join(rows)


def counts_beyond_filter(aggregate: Aggregate) -> bool:
    """Whether rows that the aggregate's filter refuses still count, in the denominator of a ratio."""
    return bool(aggregate.where) and any(m.denominator_scope != "group" for m in aggregate.metrics)


def metric_column(aggregate: Aggregate, metric: Metric) -> str:
    """A metric with its name, as it stands in the aggregate's query."""
    late_filter = aggregate.where if counts_beyond_filter(aggregate) else None
    merged = isinstance(aggregate.window, Sliding) and by_panes(aggregate)
    return f"{merged_sql(metric) if merged else metric_sql(metric, late_filter)} as {quoted(metric.name)}"


def in_words(aggregate: Aggregate) -> str:
    """One line that says what the aggregate is."""
    words = aggregate_words(aggregate)
    return f"{words[0].upper()}{words[1:]}."


def _keys(aggregate: Aggregate) -> list[str]:
    return ["window_start", "window_end", *(quoted(d) for d in aggregate.dimensions)]


def _columns(aggregate: Aggregate, where: str | None) -> str:
    count = f"count(*) filter (where {where})" if where else "count(*)"
    metrics = [f"{metric_sql(m, where)} as {quoted(m.name)}" for m in aggregate.metrics]
    return _listed([*_keys(aggregate), f"{count} as event_count", *metrics], 1)


def _call(plan: Plan, aggregate: Aggregate, stream: Stream, *, where: str | None) -> str:
    """The macro call that gives the events with their windows."""
    window = aggregate.window
    zone = plan.runtime.timezone if local_days(aggregate) and plan.runtime.timezone != "UTC" else None
    named: dict[str, object]
    match window:
        case Tumbling(size=size):
            macro, named = "tumbling", {"size": size, "offset": _offset(window.offset, size, zone), "timezone": zone}
        case Sliding(size=size, slide=slide):
            macro = "panes" if by_panes(aggregate) else "sliding"
            named = {"size": size, "slide": slide, "offset": _offset(window.offset, slide, zone), "timezone": zone}
        case Session():
            macro, named = "session", {"gap": window.gap, "max_size": window.max_size}
            named["dimensions"] = list(aggregate.dimensions)
            named["columns"] = [c.name for c in columns_read(stream, aggregate)]
        case _:
            assert_never(window)
    named |= {"lateness": aggregate.allowed_lateness, "where": where}
    if stream.changes:
        named["changes"] = True
    elif stream.deduplicate and stream.dedup_key:
        named |= {"key": list(stream.dedup_key), "horizon": stream.dedup_horizon}
    arguments = [repr(stream.name), *(f"{name}={value!r}" for name, value in named.items() if value)]
    return f"{macro}({', '.join(arguments)})"


def _offset(offset: int, step: int, zone: str | None) -> int:
    return offset + (_MONDAY if zone is None and step % WEEK == 0 else 0)


def _bucket(plan: Plan, aggregate: Aggregate, window: Tumbling) -> tuple[str, str]:
    width, origin = f"interval '{_interval(window.size)}'", "1970-01-05" if window.size % WEEK == 0 else "1970-01-01"
    shift = f" + interval '{_interval(window.offset)}'" if window.offset else ""
    moved = f"(_event_time{shift.replace('+', '-')})" if shift else "_event_time"
    zone = plan.runtime.timezone
    if local_days(aggregate) and zone != "UTC":
        local = f"time_bucket({width}, {moved} at time zone '{zone}', timestamp '{origin}')"
        return f"{local} at time zone '{zone}'{shift}", f"({local} + {width}) at time zone '{zone}'{shift}"
    start = f"time_bucket({width}, _event_time, timestamptz '{origin} 00:00:00+00'{shift})"
    return start, f"{start} + {width}"


def _interval(micros: int) -> str:
    days = micros // DAY
    return f"{days} day{'' if days == 1 else 's'}" if micros % DAY == 0 else spell(micros)
