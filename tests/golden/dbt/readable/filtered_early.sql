select
    window_start,
    window_end,
    "user",
    count(*) as event_count,
    count(*) as "count",
    cast(sum("amount") as decimal(38, 4)) as "revenue",
    count(distinct "user") as "users"
from (
    select *, time_bucket(interval '1 minute', _event_time, timestamptz '1970-01-01 00:00:00+00') as window_start, time_bucket(interval '1 minute', _event_time, timestamptz '1970-01-01 00:00:00+00') + interval '1 minute' as window_end
    from clean."events"
)
where (_watermark is null or window_end + interval '1 minute' > _watermark) and ("kind" = 'buy')
group by window_start, window_end, "user"
