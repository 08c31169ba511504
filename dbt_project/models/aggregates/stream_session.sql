-- Sessions of events at most 5 minutes apart, up to 1 hour long over user_events.
-- Generated from stream_processing.windows.session; change it there.
select
    window_start,
    window_end,
    count(*) as event_count,
    count(distinct "user_id") as "user_count",
    cast(sum("session_duration") as double) / count("session_duration") as "avg_session_duration",
    cast(sum("amount") as decimal(38, 4)) as "total_revenue"
from (
    {{ session('user_events', gap=300000000, max_size=3600000000, columns=['user_id', 'session_duration', 'amount'], key=['event_id'], horizon=3900000000) | indent(4) }}
)
group by window_start, window_end
