-- Tumbling windows of 5 minutes over user_events by page_url, user_agent, referrer, waits 1 minute for late events.
-- Generated from event_driven_analytics.event_types.page_view; change it there.
select
    window_start,
    window_end,
    "page_url",
    "user_agent",
    "referrer",
    count(*) as event_count,
    count(*) as "view_count",
    count(distinct "user_id") as "unique_visitors"
from (
    {{ tumbling('user_events', size=300000000, lateness=60000000, where='"event_type" = \'page_view\'', key=['event_id'], horizon=3900000000) | indent(4) }}
)
group by window_start, window_end, "page_url", "user_agent", "referrer"
