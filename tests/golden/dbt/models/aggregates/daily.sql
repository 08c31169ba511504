-- Tumbling windows of 1 day over events by user, waits 5 hours for late events.
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
    {{ tumbling('events', size=86400000000, timezone='Europe/Berlin', lateness=18000000000, key=['event_id'], horizon=20000000) | indent(4) }}
)
group by window_start, window_end, "user"
