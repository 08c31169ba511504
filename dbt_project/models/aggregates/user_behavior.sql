-- Tumbling windows of 5 minutes over user_events, waits 1 minute for late events.
-- Generated from real_time_analytics.processing_pipelines.user_behavior; change it there.
select
    window_start,
    window_end,
    count(*) as event_count,
    cast(sum("amount") as double) / count("amount") as "avg_amount",
    cast(sum("amount") as decimal(38, 4)) as "sum_amount",
    count(distinct "user_id") as "distinct_user_id"
from (
    {{ tumbling('user_events', size=300000000, lateness=60000000, key=['event_id'], horizon=3900000000) | indent(4) }}
)
group by window_start, window_end
