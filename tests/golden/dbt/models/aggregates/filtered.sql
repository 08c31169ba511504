-- Tumbling windows of 1 minute over events by user.
-- Generated from real_time_aggregations.test; change it there.
select
    window_start,
    window_end,
    "user",
    count(*) filter (where "kind" = 'buy') as event_count,
    count(*) filter (where "kind" = 'buy') as "count",
    count(*) filter (where ("kind" = 'buy') and ("kind" = 'buy')) as "buys",
    count("amount") filter (where "kind" = 'buy') as "paid",
    cast(sum("amount") filter (where "kind" = 'buy') as decimal(38, 4)) as "revenue",
    cast(sum("amount") filter (where ("kind" = 'buy') and ("amount" > 5)) as decimal(38, 4)) as "dear_revenue",
    cast(sum("duration") filter (where "kind" = 'buy') as double) as "time_spent",
    cast(sum("amount") filter (where "kind" = 'buy') as double) / count("amount") filter (where "kind" = 'buy') as "avg_amount",
    cast(sum("duration") filter (where ("kind" = 'buy') and ("kind" = 'buy')) as double) / count("duration") filter (where ("kind" = 'buy') and ("kind" = 'buy')) as "avg_duration",
    min("amount") filter (where "kind" = 'buy') as "least",
    max("duration") filter (where "kind" = 'buy') as "longest",
    max("kind") filter (where "kind" = 'buy') as "last_kind",
    count(distinct "user") filter (where "kind" = 'buy') as "users",
    count(*) filter (where ("kind" = 'buy') and ("kind" = 'buy')) / nullif(count(*) filter (where "kind" = 'buy'), 0) as "conversion",
    count(*) filter (where ("kind" = 'buy') and ("amount" > 5)) / nullif(count(*) filter (where ("kind" = 'buy') and ("kind" = 'buy')), 0) as "dear_share",
    count(*) filter (where ("kind" = 'buy') and ("kind" = 'buy')) / nullif(sum(count(*) filter (where "kind" = 'look')) over (partition by window_start, window_end), 0) as "window_share",
    count(*) filter (where "kind" = 'buy') * 1e6 / (epoch_us(window_end) - epoch_us(window_start)) as "throughput",
    stddev_samp(cast("duration" as double)) filter (where "kind" = 'buy') as "spread",
    quantile_cont(cast("duration" as double), 0.5) filter (where "kind" = 'buy') as "p50",
    quantile_cont(cast("amount" as double), 0.95) filter (where "kind" = 'buy') as "p95",
    quantile_cont(cast("duration" as double), 0.99) filter (where ("kind" = 'buy') and ("kind" = 'buy')) as "p99"
from (
    {{ tumbling('events', size=60000000, key=['event_id'], horizon=20000000) | indent(4) }}
)
group by window_start, window_end, "user"
