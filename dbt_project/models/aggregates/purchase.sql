-- Tumbling windows of 1 hour over user_events by product_id, category, payment_method, waits 1 minute for late events.
-- Generated from event_driven_analytics.event_types.purchase; change it there.
select
    window_start,
    window_end,
    "product_id",
    "category",
    "payment_method",
    count(*) as event_count,
    count(*) as "purchase_count",
    cast(sum("amount") as decimal(38, 4)) as "revenue",
    cast(sum("amount") as double) / count("amount") as "avg_order_value"
from (
    {{ tumbling('user_events', size=3600000000, lateness=60000000, where='"event_type" = \'purchase\'', key=['event_id'], horizon=3900000000) | indent(4) }}
)
group by window_start, window_end, "product_id", "category", "payment_method"
