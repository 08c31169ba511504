{#-
  Rows of a stream that kept every row rule, repeated events once, as a subquery.

  The plugin sets what bounds it: `stream_rows`, the raw table as of one commit, and the variables `since` (event time,
  microseconds), `after` and `upto` (raw batches). So the rows read, the earliest window they touch and the batch that is
  recorded belong together, whatever others write meanwhile.
  `key` and `horizon`: of rows with equal key columns, none of them null, at most `horizon` microseconds apart in event
  time, the first to arrive counts. Earlier copies are looked for before `since` too; a join over the view
  `clean.<stream>` would read all history instead. Of those, only copies of rows from `since` on matter; leaving the
  others out first makes the join's table one of some windows' keys instead of a whole horizon's: 45 ms instead of 150
  for 600,000 rows. Not materialized: that would read every column.
  `changes`: of a table's row the newest image, if it was not deleted. An image and what takes it back have one event
  time, so that is right among the rows from any `since` on. Where only new batches are asked for, to learn which windows
  they touch (`after`), every image counts: one that was taken back has left its window.
-#}
{% macro clean(stream, key=[], horizon=0, changes=False) -%}
{%- if changes -%}
select * exclude (_newest)
from (
    select *, _key is null or row_number() over (partition by _key order by _offset desc) = 1 as _newest
    from (
        {{ arrived(stream) | indent(8) }}
    )
)
where getvariable('after') >= 0
    or (_newest and (_op is null or _op not in ('update_preimage', 'delete')))
{%- elif key -%}
{%- set parts = [] -%}
{%- for part in key -%}{%- do parts.append(adapter_quote(part)) -%}{%- endfor -%}
with candidate as not materialized (
    {{ arrived(stream, horizon) | indent(4) }}
)
select later.*
from candidate as later
anti join (
    select {{ parts | join(', ') }}, _batch, _offset, _partition, _event_time
    from candidate
    semi join (
        select {{ parts | join(', ') }} from candidate where _event_time >= make_timestamptz(getvariable('since'))
    ) as kept using ({{ parts | join(', ') }})
) as earlier
    on {% for part in parts %}earlier.{{ part }} = later.{{ part }} and {% endfor -%}
    (earlier._batch, earlier._offset, earlier._partition) < (later._batch, later._offset, later._partition)
    and epoch_us(earlier._event_time) >= epoch_us(later._event_time) - {{ horizon }}
    and epoch_us(earlier._event_time) <= epoch_us(later._event_time) + {{ horizon }}
where later._event_time >= make_timestamptz(getvariable('since'))
{%- else -%}
{{ arrived(stream) }}
{%- endif -%}
{%- endmacro %}

{% macro arrived(stream, before=0) -%}
select * exclude (_extra, _reason, _payload)
from stream_rows /* {{ source('raw', stream) }} as of one commit */
where _status = 'ok'
    and _batch > getvariable('after')
    and _batch <= getvariable('upto')
    and _event_time >= make_timestamptz(getvariable('since'){{ ' - ' ~ before if before else '' }})
{%- endmacro %}

{% macro adapter_quote(name) -%}
"{{ name | replace('"', '""') }}"
{%- endmacro %}
