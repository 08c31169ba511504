-- Tumbling windows of 1 minute over events by user, waits 1 minute for late events.
-- Generated from real_time_aggregations.test; change it there.
select
    window_start,
    window_end,
    "user",
    count(*) as event_count,
    count(*) as "count",
    cast(sum("amount") as decimal(38, 4)) as "revenue",
    count(distinct "user") as "users"
from (
    {{ tumbling('events', size=60000000, lateness=60000000, where='"kind" = \'buy\'', key=['event_id'], horizon=20000000) | indent(4) }}
)
group by window_start, window_end, "user"
