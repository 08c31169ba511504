-- Sessions of events at most 10 seconds apart, up to 100 seconds long over events by user.
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
    {{ session('events', gap=10000000, max_size=100000000, dimensions=['user'], columns=['user', 'amount'], key=['event_id'], horizon=20000000) | indent(4) }}
)
group by window_start, window_end, "user"
