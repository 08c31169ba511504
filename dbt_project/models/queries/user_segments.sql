-- Query, reads clean.user_events of the last 30 days; at most every 1 minute when they have changed or time has passed.
-- Generated from analytics_data_sources.user_segments; change it there.
SELECT
  "user_id" AS "user_id",
  CASE
    WHEN SUM("amount") > 1000
    THEN 'high_value'
    WHEN SUM("amount") > 100
    THEN 'medium_value'
    ELSE 'low_value'
  END AS "segment",
  COUNT(*) AS "purchase_count",
  SUM("amount") AS "total_spent"
FROM (
  SELECT
    *
  FROM {{ rows_of('clean', 'user_events') }}
  WHERE
    "event_type" = 'purchase'
) AS "purchases"
WHERE
  "_event_time" >= {{ present() }} - INTERVAL '30' DAY
GROUP BY
  "user_id"
