-- Query, reads clean.user_events of the last 1 hour; at most every 1 minute when they have changed or time has passed.
-- Generated from analytics_data_sources.real_time_metrics; change it there.
SELECT
  DATE_TRUNC('MINUTE', "_event_time") AS "time_bucket",
  COUNT(*) AS "event_count",
  COUNT(DISTINCT "user_id") AS "unique_users",
  AVG("session_duration") AS "avg_session_duration"
FROM {{ rows_of('clean', 'user_events') }} AS "user_events"
WHERE
  "_event_time" >= {{ present() }} - INTERVAL '1' HOUR
GROUP BY
  DATE_TRUNC('MINUTE', "_event_time")
ORDER BY
  time_bucket DESC
