{#-
  Events with the session they belong to: the columns asked for, `window_start` and `window_end`.

  Of two rows of a key the later in time links to the earlier iff they are at most `gap` apart and the earlier was still
  live (its time + gap + lateness after the watermark) when the later came. A session is what is linked, so no later row
  joins a final one. It holds events before its start + `max_size`; the next event starts a new one. It ends `gap` after
  its last event. Only `columns` are carried along, because the rows are sorted several times. `former_rows` is the
  aggregate's table: the rows of sessions that started before `since` stay with them.
-#}
{% macro session(stream, gap, max_size, columns, dimensions=[], lateness=0, where=none, key=[], horizon=0, changes=False) -%}
{%- set quoted = dimensions | map('replace', '"', '""') | list -%}
{%- set names = '"' ~ quoted | join('", "') ~ '"' if quoted else '' -%}
{%- set by = 'partition by ' ~ names if quoted else '' -%}
{%- set each = names ~ ', ' if quoted else '' -%}
with recursive kept as (
    select {{ each }}max(epoch_us(window_end)) - {{ gap }} as _last
    from former_rows
    where epoch_us(window_start) < getvariable('since')
        and epoch_us(window_end) - {{ gap }} >= getvariable('since')
    group by all
),
event as (
    select
        {% for c in columns %}found.{{ adapter_quote(c) }}, {% endfor %}

        epoch_us(found._event_time) as _t,
        row_number() over () as _id,
        greatest(epoch_us(found._event_time), epoch_us(found._watermark) - {{ lateness }} + 1) - {{ gap }} as _reach
    from (
        {{ events_of(stream, where, key, horizon, changes) | indent(8) }}
    ) as found
    left join kept on true{% for d in quoted %} and found."{{ d }}" is not distinct from kept."{{ d }}"{% endfor %}

    where (found._watermark is null or epoch_us(found._event_time) + {{ gap + lateness }} > epoch_us(found._watermark))
        and (kept._last is null or epoch_us(found._event_time) > kept._last)
),
-- A chain breaks before a row iff neither it nor any row after it reaches the row before.
broken as (
    select *, coalesce(
        lag(_t) over ({{ by }} order by _t, _id)
        < min(_reach) over ({{ by }} order by _t desc, _id desc rows unbounded preceding),
        true
    ) as _breaks
    from event
),
chained as (
    select *, sum(_breaks::int) over ({{ by }} order by _t, _id rows unbounded preceding) as _number
    from broken
),
chain as (
    select *, min(_t) over c as _from, max(_t) over c as _until, min(_id) over c as _chain
    from chained
    window c as (partition by {{ each }}_number)
),
-- Few chains are long enough to be cut; links across a cut do not count.
long as (
    select _chain, _t, _id, _reach
    from chain
    where _until - _from >= {{ max_size }}
),
cut as (
    select _chain, min(_t) as _start
    from long
    group by _chain
    union all
    select _chain, min(_next)
    from (
        select long._chain, case
            when long._t >= cut._start + {{ max_size }} then long._t
            when lag(long._t) over w
                < min(case when long._t < cut._start + {{ max_size }} then long._reach end) over (
                    partition by long._chain order by long._t, long._id
                    rows between current row and unbounded following
                )
                then long._t
        end as _next
        from cut
        join long on long._chain = cut._chain and long._t >= cut._start
        window w as (partition by long._chain order by long._t, long._id)
    )
    group by _chain
    having min(_next) is not null
),
placed as (
    select *, _from as _start, _until as _end
    from chain
    where _until - _from < {{ max_size }}
    union all by name
    select *, max(_t) over (partition by _chain, _start) as _end
    from (
        select chain.*, cut._start
        from chain
        asof join cut on chain._chain = cut._chain and chain._t >= cut._start
        where chain._until - chain._from >= {{ max_size }}
    )
)
select
    * exclude (_t, _id, _reach, _breaks, _number, _from, _until, _chain, _start, _end),
    make_timestamptz(_start) as window_start,
    make_timestamptz(_end + {{ gap }}) as window_end
from placed
{%- endmacro %}
