-- Tumbling windows of 10 seconds over events by user, place.
-- Generated from real_time_aggregations.test; change it there.
select
    window_start,
    window_end,
    "user",
    "place",
    count(*) as event_count,
    count(*) as "count",
    count(*) filter (where "kind" = 'buy') as "buys",
    count("amount") as "paid",
    cast(sum("amount") as decimal(38, 4)) as "revenue",
    cast(sum("amount") filter (where "amount" > 5) as decimal(38, 4)) as "dear_revenue",
    cast(sum("duration") as double) as "time_spent",
    cast(sum("amount") as double) / count("amount") as "avg_amount",
    cast(sum("duration") filter (where "kind" = 'buy') as double) / count("duration") filter (where "kind" = 'buy') as "avg_duration",
    min("amount") as "least",
    max("duration") as "longest",
    max("kind") as "last_kind",
    count(distinct "user") as "users",
    count(*) filter (where "kind" = 'buy') / nullif(count(*), 0) as "conversion",
    count(*) filter (where "amount" > 5) / nullif(count(*) filter (where "kind" = 'buy'), 0) as "dear_share",
    count(*) filter (where "kind" = 'buy') / nullif(sum(count(*) filter (where "kind" = 'look')) over (partition by window_start, window_end), 0) as "window_share",
    count(*) * 1e6 / (epoch_us(window_end) - epoch_us(window_start)) as "throughput",
    stddev_samp(cast("duration" as double)) as "spread",
    quantile_cont(cast("duration" as double), 0.5) as "p50",
    quantile_cont(cast("amount" as double), 0.95) as "p95",
    quantile_cont(cast("duration" as double), 0.99) filter (where "kind" = 'buy') as "p99"
from (
    {{ tumbling('events', size=10000000, key=['event_id'], horizon=20000000) | indent(4) }}
)
group by window_start, window_end, "user", "place"
