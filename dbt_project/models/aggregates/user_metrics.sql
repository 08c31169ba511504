-- Tumbling windows of 5 minutes over user_events by user_id, country, device_type, waits 1 minute for late events.
-- Generated from real_time_aggregations.user_metrics; change it there.
select
    window_start,
    window_end,
    "user_id",
    "country",
    "device_type",
    count(*) as event_count,
    count(*) as "session_count",
    cast(sum("session_duration") as double) as "total_duration",
    cast(sum("session_duration") as double) / count("session_duration") as "avg_duration",
    count(distinct "page_url") as "unique_pages"
from (
    {{ tumbling('user_events', size=300000000, lateness=60000000, key=['event_id'], horizon=3900000000) | indent(4) }}
)
group by window_start, window_end, "user_id", "country", "device_type"
