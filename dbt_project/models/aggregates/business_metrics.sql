-- Tumbling windows of 1 hour over business_events by product_id, category, region, waits 1 minute for late events.
-- Generated from real_time_aggregations.business_metrics; change it there.
select
    window_start,
    window_end,
    "product_id",
    "category",
    "region",
    count(*) as event_count,
    count(*) filter (where "event_type" = 'purchase') as "sales_count",
    cast(sum("amount") as decimal(38, 4)) as "revenue",
    cast(sum("amount") as double) / count("amount") as "avg_order_value",
    count(*) filter (where "event_type" = 'purchase') / nullif(sum(count(*)) over (partition by window_start, window_end), 0) as "conversion_rate"
from (
    {{ tumbling('business_events', size=3600000000, lateness=60000000, key=['event_id'], horizon=3660000000) | indent(4) }}
)
group by window_start, window_end, "product_id", "category", "region"
