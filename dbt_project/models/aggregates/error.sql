-- Tumbling windows of 1 minute over user_events by error_type, service_name, environment, waits 1 minute for late events.
-- Generated from event_driven_analytics.event_types.error; change it there.
select
    window_start,
    window_end,
    "error_type",
    "service_name",
    "environment",
    count(*) filter (where "event_type" = 'error') as event_count,
    count(*) filter (where "event_type" = 'error') as "error_count",
    count(*) filter (where "event_type" = 'error') / nullif(sum(count(*)) over (partition by window_start, window_end), 0) as "error_rate"
from (
    {{ tumbling('user_events', size=60000000, lateness=60000000, key=['event_id'], horizon=3900000000) | indent(4) }}
)
group by window_start, window_end, "error_type", "service_name", "environment"
