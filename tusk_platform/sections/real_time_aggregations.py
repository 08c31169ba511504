"""``real_time_aggregations``: tables of metrics, one row per window and combination of dimensions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, get_args

from pydantic import Field, RootModel, ValidationInfo, field_validator

from tusk_platform.plan.drafts import AggregateDraft, Fragment, MetricDraft
from tusk_platform.plan.nodes import Tumbling
from tusk_platform.sections.block import Block, only_with
from tusk_platform.sections.fields import (
    ColumnName,
    Duration,
    Name,
    Parsed,
    Several,
    WindowChoice,
    came,
    did_you_mean,
    listed,
    misplaced,
    wrong,
)
from tusk_platform.sections.place import Place
from tusk_platform.sections.sql import RowSql, mentions

AggregateFunction = Literal[
    "count", "sum", "avg", "distinct", "ratio", "min", "max", "p50", "p95", "p99", "stddev"
]  # fmt: skip
_FUNCTIONS = get_args(AggregateFunction)


class MetricTable(Block):
    """A metric said in full; a text in its place names the function."""

    function: AggregateFunction = Field(description="How the rows become one number.", examples=["sum"])
    column: ColumnName | None = Field(
        default=None,
        description="The column it is computed from; not said: found by the metric's name.",
        examples=["amount"],
    )
    numerator: RowSql | None = Field(
        default=None, description="Rows that a ratio counts above the line.", examples=["event_type = 'purchase'"]
    )
    denominator: RowSql | None = Field(
        default=None,
        description="Rows that a ratio counts below the line; not said: all.",
        examples=["country is not null"],
    )
    where: RowSql | None = Field(default=None, description="Rows that count at all.", examples=["amount > 0"])

    @field_validator("column")
    @classmethod
    def _a_ratio_has_no_column(cls, value: str | None, info: ValidationInfo) -> str | None:
        return only_with(value, info, "function", set(_FUNCTIONS) - {"ratio"})

    @field_validator("numerator", "denominator")
    @classmethod
    def _only_a_ratio_has_parts(cls, value: str | None, info: ValidationInfo) -> str | None:
        return only_with(value, info, "function", {"ratio"})


def _metric(value: object) -> MetricTable:
    if isinstance(value, MetricTable):
        return value
    if isinstance(value, Mapping):
        return MetricTable.model_validate(value)
    if isinstance(value, str) and value in _FUNCTIONS:
        return MetricTable.model_validate({"function": value})
    hint = (
        misplaced(value)
        or did_you_mean(value, _FUNCTIONS)
        or 'such as `"sum"` or `{ function = "sum", column = "amount" }`'
    )
    raise wrong(f"expected {listed(_FUNCTIONS)}, got {came(value)}", hint)


MetricChoice = Annotated[MetricTable, Parsed(_metric, AggregateFunction | MetricTable)]


class Aggregation(Block):
    """One aggregate."""

    dimensions: Several[ColumnName] = Field(
        default=(), description="Columns that split the rows into groups.", examples=[["country", "device_type"]]
    )
    metrics: Mapping[Name, MetricChoice] = Field(
        description="Numbers per window and group: a function by name, or a table that says all.",
        examples=[{"revenue": "sum"}],
        min_length=1,
    )
    window: WindowChoice = Field(
        description="Size of a tumbling window, or the name of a window of `stream_processing.windows`.",
        examples=["5 minutes"],
    )
    update_frequency: Duration | None = Field(
        default=None,
        description="How often it is brought up to date; not said: the smaller of the window and a minute.",
        examples=["1 minute"],
    )
    stream: Name | None = Field(
        default=None, description="The stream it reads; not said: found by name.", examples=["user_events"]
    )
    where: RowSql | None = Field(default=None, description="Rows that count at all.", examples=["country = 'DE'"])
    allowed_lateness: Duration | None = Field(
        default=None,
        description="How long its windows wait for late events; not said: as its kind of window does.",
        examples=["1 minute"],
    )


class RealTimeAggregations(RootModel[Mapping[Name, Aggregation]]):
    """Aggregates by name."""

    model_config = {"frozen": True, "strict": True}
    root: Mapping[Name, Aggregation] = Field(description="Aggregates by name.")


def lower(section: RealTimeAggregations, place: Place) -> Fragment:
    """An aggregate for each table of the section."""
    return Fragment(
        aggregates=tuple(
            AggregateDraft(
                name=name,
                origin=place.at("real_time_aggregations", name),
                window=Tumbling(a.window) if isinstance(a.window, int) else a.window,
                group="real_time_aggregations",
                stream=a.stream,
                dimensions=a.dimensions,
                metrics=tuple(_draft(metric, m, place, name) for metric, m in a.metrics.items()),
                allowed_lateness=a.allowed_lateness,
                where=a.where,
                mentions=mentions(a.where),
                update_frequency=a.update_frequency,
            )
            for name, a in section.root.items()
        )
    )


def _draft(name: str, m: MetricTable, place: Place, aggregate: str) -> MetricDraft:
    return MetricDraft(
        name=name,
        origin=place.at("real_time_aggregations", aggregate, "metrics", name),
        function=m.function,
        column=m.column,
        where=m.where,
        numerator=m.numerator,
        denominator=m.denominator,
        mentions=mentions(m.where, m.numerator, m.denominator),
        table=True,
    )
