"""The documented metrics of a machine: their short names, their names as series, their PromQL on node_exporter."""

from __future__ import annotations

from typing import Final

from tusk_platform.units import MINUTE, SECOND

LONG_NAMES: Final[dict[str, str]] = {
    "cpu": "cpu_usage",
    "memory": "memory_usage",
    "disk": "disk_usage",
    "network": "network_throughput",
}
# The first three are percentages, the last bytes per second in both directions. Counters that begin again are no fall:
# each is turned into a rate first, and only then summed. ``span`` is that of `promql`.
PROMQL: Final[dict[str, str]] = {
    "cpu_usage": '100 * (1 - avg(rate(node_cpu_seconds_total{mode="idle"}[{span}])))',
    "memory_usage": "100 * (1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes)",
    "disk_usage": (
        '100 * max(1 - node_filesystem_avail_bytes{fstype!~"tmpfs|overlay|squashfs|ramfs|devtmpfs"}'
        ' / node_filesystem_size_bytes{fstype!~"tmpfs|overlay|squashfs|ramfs|devtmpfs"})'
    ),
    "network_throughput": (
        'sum(rate(node_network_receive_bytes_total{device!="lo"}[{span}]))'
        ' + sum(rate(node_network_transmit_bytes_total{device!="lo"}[{span}]))'
    ),
}


def long_name(metric: str) -> str:
    """The name of the series: ``cpu`` is ``cpu_usage``; other names are their own."""
    return LONG_NAMES.get(metric, metric)


def promql(metric: str, step: int) -> str:
    """The PromQL of a documented metric. A rate spans four steps, so that a missed scrape leaves two samples in it."""
    return PROMQL[metric].replace("{span}", f"{max(MINUTE, 4 * step) // SECOND}s")
