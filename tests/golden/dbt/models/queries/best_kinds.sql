-- Query, reads clean.events of the last 1 hour, agg.filtered; at most every 1 minute when they have changed or time has passed.
-- Generated from real_time_aggregations.test; change it there.
{% raw %}SELECT
  e."kind" AS "kind",
  '{{ x }}' AS "mark",
  COUNT(*) AS "n"
FROM {% endraw %}{{ rows_of('clean', 'events') }} AS "e"
JOIN {{ rows_of('agg', 'filtered') }} AS "f"
  ON f."kind" = e."kind"
WHERE
  e."_event_time" >= {{ present() }} - INTERVAL '1' HOUR
GROUP BY ALL
