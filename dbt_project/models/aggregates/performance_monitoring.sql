-- Tumbling windows of 1 minute over user_events, waits 1 minute for late events.
-- Generated from real_time_analytics.processing_pipelines.performance_monitoring; change it there.
select
    window_start,
    window_end,
    count(*) as event_count,
    cast(sum("response_time") as double) / count("response_time") as "response_time",
    quantile_cont(cast("response_time" as double), 0.5) as "response_time_p50",
    quantile_cont(cast("response_time" as double), 0.95) as "response_time_p95",
    quantile_cont(cast("response_time" as double), 0.99) as "response_time_p99",
    count(*) filter (where coalesce("event_type" = 'error' or "status_code" >= 400 or "success" = false, false)) / nullif(count(*), 0) as "error_rate",
    count(*) * 1e6 / (epoch_us(window_end) - epoch_us(window_start)) as "throughput"
from (
    {{ tumbling('user_events', size=60000000, lateness=60000000, key=['event_id'], horizon=3900000000) | indent(4) }}
)
group by window_start, window_end
