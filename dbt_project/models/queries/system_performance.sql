-- Query, reads clean.user_events of the last 5 minutes; at most every 1 minute when they have changed or time has passed.
-- Generated from analytics_data_sources.system_performance; change it there.
SELECT
  "service_name" AS "service_name",
  AVG("response_time") AS "avg_response_time",
  COUNT(*) AS "request_count",
  COUNT(CASE WHEN "status_code" >= 400 THEN 1 END) AS "error_count"
FROM (
  SELECT
    *
  FROM {{ rows_of('clean', 'user_events') }}
  WHERE
    "event_type" = 'api_request'
) AS "api_requests"
WHERE
  "_event_time" >= {{ present() }} - INTERVAL '5' MINUTES
GROUP BY
  "service_name"
