"""The documented metrics of a machine: their short names, their names as series, their PromQL on node_exporter."""

from __future__ import annotations

from typing import Final

LONG_NAMES: Final[dict[str, str]] = {
    "cpu": "cpu_usage",
    "memory": "memory_usage",
    "disk": "disk_usage",
    "network": "network_throughput",
}
# The first three are percentages, the last bytes per second in both directions.
PROMQL: Final[dict[str, str]] = {
    "cpu_usage": '100 * (1 - avg(rate(node_cpu_seconds_total{mode="idle"}[1m])))',
    "memory_usage": "100 * (1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes)",
    "disk_usage": (
        '100 * max(1 - node_filesystem_avail_bytes{fstype!~"tmpfs|overlay|squashfs|ramfs|devtmpfs"}'
        ' / node_filesystem_size_bytes{fstype!~"tmpfs|overlay|squashfs|ramfs|devtmpfs"})'
    ),
    "network_throughput": (
        'sum(rate(node_network_receive_bytes_total{device!="lo"}[1m]))'
        ' + sum(rate(node_network_transmit_bytes_total{device!="lo"}[1m]))'
    ),
}


def long_name(metric: str) -> str:
    """The name of the series: ``cpu`` is ``cpu_usage``; other names are their own."""
    return LONG_NAMES.get(metric, metric)
