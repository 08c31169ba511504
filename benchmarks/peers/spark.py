"""Spark Structured Streaming over a topic of orders: typed, judged by seven rules, written to files exactly once.

Run by benchmarks/exactly_once.py with the peers' own Python: ADDRESS TOPIC EVENTS FOLDER. Prints events and seconds of
its micro-batches but the first, in which Java is still warming up.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as f

JARS = Path(__file__).parents[2] / ".cache" / "peers" / "jars"
SCHEMA = (
    "event_id string, at timestamp, user_id bigint, event_type string, country string, device_type string, "
    "duration double, amount decimal(18, 4)"
)
# As many as a commit of the platform takes.
BATCH = 100_000


def main(address: str, topic: str, events: str, folder: str) -> None:
    """Read all events there are, in micro-batches."""
    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.jars", ",".join(map(str, sorted(JARS.glob("*.jar")))))
        .config("spark.sql.shuffle.partitions", 2)
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.parquet.compression.codec", "lz4_raw")
        .config("spark.sql.streaming.numRecentProgressUpdates", 10_000)
        .config("spark.ui.enabled", value=False)
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    payloads = (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", address)
        .option("subscribe", topic)
        .option("startingOffsets", "earliest")
        .option("maxOffsetsPerTrigger", BATCH)
        .load()
    )
    order = f.from_json(f.col("value").cast("string"), SCHEMA)
    orders = payloads.select(order.alias("o"), "partition", "offset", "value").select(
        "o.*", "partition", "offset", "value"
    )
    reason = (
        f.when(f.col("user_id").isNull(), "required:user_id")
        .when(f.col("event_type").isNull(), "required:event_type")
        .when(f.col("at").isNull(), "required:at")
        .when(f.col("amount").isNull(), "type:amount")
        .when(~f.col("amount").between(0, 10_000), "range:amount")
        .when(~f.col("duration").between(0, 86_400), "range:duration")
    )
    judged = (
        orders.withColumn("reason", reason)
        .withColumn("status", f.when(f.col("reason").isNull(), "ok").otherwise("quarantined"))
        .withColumn("payload", f.when(f.col("reason").isNotNull(), f.col("value")))
        .drop("value")
    )
    query = (
        judged.writeStream.format("parquet")
        .option("path", f"{folder}/orders")
        .option("checkpointLocation", f"{folder}/checkpoint")
        .partitionBy("status")
        .trigger(availableNow=True)
        .start()
    )
    query.awaitTermination()
    batches = [p for p in query.recentProgress if p["numInputRows"]]
    assert sum(p["numInputRows"] for p in batches) == int(events), batches
    warm = batches[1:]
    answer = {
        "events": sum(p["numInputRows"] for p in warm),
        "seconds": sum(p["durationMs"]["triggerExecution"] for p in warm) / 1000,
    }
    sys.stdout.write(json.dumps(answer) + "\n")
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
