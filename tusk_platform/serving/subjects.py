"""What a widget is about: the stream, the windows, the metric."""

from __future__ import annotations

from dataclasses import dataclass

from tusk_platform.core.readings import bucket_size
from tusk_platform.core.system_metrics import long_name
from tusk_platform.errors import UsageError, nearest
from tusk_platform.plan.metrics import literal
from tusk_platform.plan.nodes import Aggregate, Function, Metric, Stream, Tumbling, Widget
from tusk_platform.serving.buckets import Grid
from tusk_platform.serving.questions import EVENT_COUNT, Asked
from tusk_platform.serving.timeline import Desk
from tusk_platform.units import HOUR, MINUTE


@dataclass(frozen=True, slots=True)
class Subject:
    """What a widget is about. A stream is asked like an aggregate that nobody stores; ``long`` names its series."""

    stream: Stream
    aggregate: Aggregate
    metric: Metric
    stored: bool
    long: str | None = None
    timezone: str = "UTC"

    def asked(self, grid: Grid | None, by: str | None = None) -> Asked:
        """The question for this metric; for a look at the events themselves none is late."""
        return Asked(self.aggregate, self.metric, grid, by, every=not self.stored, timezone=self.timezone)


def subject_of(widget: Widget, desk: Desk) -> Subject:
    """Stream, aggregate and metric of a widget; UsageError names the nearest metric where there is none such."""
    zone = desk.plan.runtime.timezone
    if widget.kind == "aggregate":
        aggregate = desk.plan.aggregate(widget.source)
        metrics = {m.name: m for m in (*aggregate.metrics, EVENT_COUNT)}
        name = widget.metric or next(iter(metrics))
        if name not in metrics:
            raise UsageError(f"`{aggregate.name}` has no metric `{name}`; {nearest(name, metrics)}")
        return Subject(desk.plan.stream(aggregate.stream), aggregate, metrics[name], stored=True, timezone=zone)
    stream = desk.plan.stream(widget.source)
    metric, where, series = _of_stream(widget, stream)
    size = widget.bucket or bucket_size(widget.time_range, None, MINUTE, most=96)
    window = Tumbling(size if widget.type == "line_chart" else widget.bucket or HOUR)
    aggregate = Aggregate(stream.name, stream.name, (), (metric,), window, widget.origin, where=where)
    return Subject(stream, aggregate, metric, stored=False, long=series, timezone=zone)


def _of_stream(widget: Widget, stream: Stream) -> tuple[Metric, str | None, str | None]:
    name = widget.series or widget.metric
    if stream.column("metric") and stream.column("value"):
        if name is None:
            return Metric("value", "avg", "double", column="value"), None, None
        names = sorted({name, long_name(name)})
        where = f"metric in ({', '.join(map(literal, names))})"
        return Metric(name, "avg", "double", column="value"), where, name
    column = stream.column(widget.metric) if widget.metric else None
    if column is None:
        return EVENT_COUNT, None, None
    if column.type in {"integer", "double", "decimal"}:
        function: Function = "sum" if column.type == "decimal" else "avg"
        return Metric(column.name, function, column.type, column=column.name), None, None
    return Metric(column.name, "distinct", "integer", column=column.name), None, None
