select
    window_start,
    window_end,
    "user",
    count(*) as event_count,
    count(*) as "count",
    cast(sum("amount") as decimal(38, 4)) as "revenue",
    count(distinct "user") as "users"
from (
    select *, time_bucket(interval '1 day', _event_time at time zone 'Europe/Berlin', timestamp '1970-01-01') at time zone 'Europe/Berlin' as window_start, (time_bucket(interval '1 day', _event_time at time zone 'Europe/Berlin', timestamp '1970-01-01') + interval '1 day') at time zone 'Europe/Berlin' as window_end
    from clean."events"
)
where _watermark is null or window_end + interval '5 hours' > _watermark
group by window_start, window_end, "user"
