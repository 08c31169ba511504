-- Sliding windows of 10 seconds every 5 seconds over events by user.
-- Generated from real_time_aggregations.test; change it there.
select
    window_start,
    window_end,
    "user",
    sum(event_count) as event_count,
    sum("count") as "count",
    sum("buys") as "buys",
    sum("paid") as "paid",
    sum("revenue") as "revenue",
    sum("dear_revenue") as "dear_revenue",
    sum("time_spent") as "time_spent",
    cast(sum("avg_amount_sum") as double) / sum("avg_amount_count") as "avg_amount",
    cast(sum("avg_duration_sum") as double) / sum("avg_duration_count") as "avg_duration",
    min("least") as "least",
    max("longest") as "longest",
    max("last_kind") as "last_kind",
    sum("conversion_above") / nullif(sum("conversion_below"), 0) as "conversion",
    sum("dear_share_above") / nullif(sum("dear_share_below"), 0) as "dear_share",
    sum("throughput_count") * 1e6 / (epoch_us(window_end) - epoch_us(window_start)) as "throughput"
from (
    select * exclude (_start), make_timestamptz(_start) as window_start, make_timestamptz(_start + 10000000) as window_end
    from (
        select *, unnest(range(_first, _pane + 1, 5000000)) as _start
        from (
            select
                "user",
                _first,
                _pane,
                count(*) as "event_count",
                count(*) as "count",
                count(*) filter (where "kind" = 'buy') as "buys",
                count("amount") as "paid",
                cast(sum("amount") as decimal(38, 4)) as "revenue",
                cast(sum("amount") filter (where "amount" > 5) as decimal(38, 4)) as "dear_revenue",
                cast(sum("duration") as double) as "time_spent",
                sum("amount") as "avg_amount_sum",
                count("amount") as "avg_amount_count",
                sum("duration") filter (where "kind" = 'buy') as "avg_duration_sum",
                count("duration") filter (where "kind" = 'buy') as "avg_duration_count",
                min("amount") as "least",
                max("duration") as "longest",
                max("kind") as "last_kind",
                count(*) filter (where "kind" = 'buy') as "conversion_above",
                count(*) as "conversion_below",
                count(*) filter (where "amount" > 5) as "dear_share_above",
                count(*) filter (where "kind" = 'buy') as "dear_share_below",
                count(*) as "throughput_count"
            from (
                {{ panes('events', size=10000000, slide=5000000, key=['event_id'], horizon=20000000) | indent(16) }}
            )
            group by "user", _first, _pane
        )
    )
)
group by window_start, window_end, "user"
