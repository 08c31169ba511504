{#-
  Events with the window they count for: every column of the stream, `window_start` and `window_end`.

  Times are integer microseconds inside, because interval arithmetic costs 2.5 times as much. A row counts for a window
  iff window_end + lateness > _watermark: the stream's watermark when the row's batch began, null where it always counts.
  Nothing here depends on another row, so computing a window again gives the same rows again.
-#}

{#- Windows [start, start + size) on a grid of UTC shifted by `offset`; with a time zone, whole local days. -#}
{% macro tumbling(stream, size, offset=0, lateness=0, timezone=none, where=none, key=[], horizon=0, changes=False) -%}
{%- set events = events_of(stream, where, key, horizon, changes) -%}
{%- if timezone -%}
{{ local_days(events, size // 86400000000, size // 86400000000, offset, lateness, timezone) }}
{%- else -%}
select
    * exclude (_start),
    make_timestamptz(_start) as window_start,
    make_timestamptz(_start + {{ size }}) as window_end
from (
    select *, {{ grid('epoch_us(_event_time)', size, offset) }} as _start
    from (
        {{ events | indent(8) }}
    )
)
where _watermark is null or _start + {{ size + lateness }} > epoch_us(_watermark)
{%- endif -%}
{%- endmacro %}

{#- Windows of `size` that start every `slide`; a row counts for those whose end it was in time for. -#}
{% macro sliding(stream, size, slide, offset=0, lateness=0, timezone=none, where=none, key=[], horizon=0, changes=False) -%}
{%- set events = events_of(stream, where, key, horizon, changes) -%}
{%- if timezone -%}
{{ local_days(events, size // 86400000000, slide // 86400000000, offset, lateness, timezone) }}
{%- else -%}
select
    * exclude (_start),
    make_timestamptz(_start) as window_start,
    make_timestamptz(_start + {{ size }}) as window_end
from (
    select *, unnest(range(
        greatest(getvariable('since'), {{ first_start(size, slide, offset, lateness) }}),
        epoch_us(_event_time) + 1,
        {{ slide }}
    )) as _start
    from (
        {{ events | indent(8) }}
    )
)
{%- endif -%}
{%- endmacro %}

{#- The same for metrics that can be added up: events with `_first`, the first window they count for, and `_pane`, the
    last. What is grouped by both is added up again for each window between them, ten times as fast. -#}
{% macro panes(stream, size, slide, offset=0, lateness=0, where=none, key=[], horizon=0, changes=False) -%}
select
    *,
    greatest(getvariable('since'), {{ first_start(size, slide, offset, lateness) }}) as _first,
    {{ grid('epoch_us(_event_time)', slide, offset) }} as _pane
from (
    {{ events_of(stream, where, key, horizon, changes) | indent(4) }}
)
{%- endmacro %}

{#- greatest() skips a null watermark. -#}
{% macro first_start(size, slide, offset, lateness) -%}
{%- set least = "(greatest(epoch_us(_event_time), epoch_us(_watermark) - " ~ lateness ~ ") - " ~ size ~ ")" -%}
{{ grid(least, slide, offset) }} + {{ slide }}
{%- endmacro %}

{#- Windows of `days` local days, one every `every`; whole weeks start on Monday. Where midnight is skipped or comes
    twice, a day starts at the first instant of its date. Midnights are computed once a day, not once a row: each costs a
    microsecond. -#}
{% macro local_days(events, days, every, offset, lateness, timezone) -%}
{%- set origin = '1970-01-05' if every % 7 == 0 else '1970-01-01' -%}
with event as not materialized (
    select *, date_diff('day', date '{{ origin }}', {{ local_date(offset, timezone) }}) as _day
    from (
        {{ events | indent(8) }}
    )
),
span as (
    select _day, {{ midnight('_first', origin, timezone) }} + {{ offset }} as _start,
        {{ midnight('_first + ' ~ days, origin, timezone) }} + {{ offset }} as _end
    from (
        select _day, {{ grid('_day', every) }} - unnest(range(0, {{ days }}, {{ every }})) as _first
        from (select distinct _day from event)
    )
    where _first + {{ days }} > _day
)
select
    event.* exclude (_day),
    make_timestamptz(_start) as window_start,
    make_timestamptz(_end) as window_end
from event
join span using (_day)
where _start >= getvariable('since') and (_watermark is null or _end + {{ lateness }} > epoch_us(_watermark))
{%- endmacro %}

{% macro local_date(offset, timezone) -%}
cast(timezone('{{ timezone }}', make_timestamptz(epoch_us(_event_time) - {{ offset }})) as date)
{%- endmacro %}

{% macro midnight(day, origin, timezone) -%}
{%- set local = "date_add(timestamp '" ~ origin ~ "', to_days(cast(" ~ day ~ " as integer)))" -%}
least(
            epoch_us(timezone('{{ timezone }}', {{ local }})),
            epoch_us(timezone('{{ timezone }}', {{ local }} - to_microseconds(1))) + 1
        )
{%- endmacro %}

{#- The greatest point of a grid that is not after `value`; % takes the sign of its left side. -#}
{% macro grid(value, size, offset=0) -%}
{%- set moved = value ~ ' - ' ~ offset if offset else value -%}
{{ value }} - (({{ moved }}) % {{ size }} + {{ size }}) % {{ size }}
{%- endmacro %}

{% macro events_of(stream, where, key, horizon, changes) -%}
{%- if where -%}
select * from (
    {{ clean(stream, key, horizon, changes) | indent(4) }}
)
where {{ where }}
{%- else -%}
{{ clean(stream, key, horizon, changes) }}
{%- endif -%}
{%- endmacro %}
