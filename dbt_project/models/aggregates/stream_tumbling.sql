-- Tumbling windows of 5 minutes over user_events, waits 1 minute for late events.
-- Generated from stream_processing.windows.tumbling; change it there.
select
    window_start,
    window_end,
    count(*) as event_count,
    count(distinct "user_id") as "user_count",
    cast(sum("session_duration") as double) / count("session_duration") as "avg_session_duration",
    cast(sum("amount") as decimal(38, 4)) as "total_revenue"
from (
    {{ tumbling('user_events', size=300000000, lateness=60000000, key=['event_id'], horizon=3900000000) | indent(4) }}
)
group by window_start, window_end
