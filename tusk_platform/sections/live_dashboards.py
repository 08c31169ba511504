"""``live_dashboards``: pages of widgets that update themselves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field, RootModel, ValidationInfo, field_validator

from tusk_platform.plan.drafts import DashboardDraft, Fragment, WidgetDraft
from tusk_platform.plan.nodes import Inactive
from tusk_platform.plan.shown import ALERT_SOURCES, NO_ALERTS
from tusk_platform.sections.block import Block, less_than, only_with
from tusk_platform.sections.fields import (
    AtLeastOne,
    Count,
    Duration,
    Name,
    Parsed,
    came,
    misplaced,
    wrong,
)
from tusk_platform.sections.place import Place
from tusk_platform.sections.thresholds import Thresholds
from tusk_platform.units import HOUR, SECOND, spell

Severity = Literal["info", "warning", "critical"]
_SHOWS_VALUES: Final = ("counter", "line_chart", "bar_chart", "gauge", "table")


@dataclass(frozen=True, slots=True)
class Grid:
    """Columns and rows of a page."""

    columns: int
    rows: int


def _grid(value: object) -> Grid:
    if isinstance(value, Grid):
        return value
    found = re.fullmatch(r"\s*([0-9]{1,2})\s*[xX×]\s*([0-9]{1,2})\s*", value) if isinstance(value, str) else None
    if not found or not (1 <= int(found.group(1)) <= 12 and 1 <= int(found.group(2)) <= 50):
        hint = misplaced(value) or 'such as `"3x2"`: at most 12 columns and 50 rows'
        raise wrong(f"expected columns x rows, got {came(value)}", hint)
    return Grid(int(found.group(1)), int(found.group(2)))


def _currency(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Z]{3}", value):
        raise wrong(
            f"expected the three letters of a currency, got {came(value)}", misplaced(value) or 'such as `"EUR"`'
        )
    return value


class Widget(Block):
    """One thing on a page."""

    type: Literal["counter", "line_chart", "bar_chart", "gauge", "table", "alert_panel"] = Field(
        description="What it looks like.", examples=["line_chart"]
    )
    data_source: Name = Field(
        description="The aggregate, stream, query or model that it shows, or `anomaly_detection`.",
        examples=["user_metrics"],
    )
    metric: Name | None = Field(
        default=None, description="The metric of the data source; not said: its first.", examples=["session_count"]
    )
    format: Literal["number", "currency", "percent", "duration", "bytes"] | None = Field(
        default=None, description="How values are written; not said: by the metric's kind.", examples=["currency"]
    )
    currency: Annotated[str, Parsed(_currency)] = Field(
        default="USD", description="The currency of a `currency` format.", examples=["EUR"]
    )
    trend_indicator: bool = Field(
        default=False,
        description="Shows the change against the same elapsed part of the previous window.",
        examples=[True],
    )
    time_range: Duration | None = Field(default=None, description="The span shown.", examples=["24 hours"])
    aggregation: Duration | None = Field(
        default=None, description="The span of one point; not said: the aggregate's window.", examples=["5 minutes"]
    )
    thresholds: Thresholds | None = Field(
        default=None,
        description="Bands of colour, and bounds for `threshold_alerts`.",
        examples=[{"warning": 70, "critical": 90}],
    )
    severity_levels: AtLeastOne[Severity] = Field(
        default=("info", "warning", "critical"),
        description="Alerts that an alert panel lists.",
        examples=[["warning", "critical"]],
    )
    max_alerts: Count = Field(default=10, description="How many alerts it lists, newest first.", examples=[10])

    @field_validator("severity_levels", "max_alerts")
    @classmethod
    def _only_alert_panels_list_alerts(cls, value: object, info: ValidationInfo) -> object:
        return only_with(value, info, "type", {"alert_panel"})

    @field_validator("metric", "format", "currency", "trend_indicator", "aggregation", "thresholds")
    @classmethod
    def _alert_panels_show_no_values(cls, value: object, info: ValidationInfo) -> object:
        return only_with(value, info, "type", _SHOWS_VALUES)

    @field_validator("currency")
    @classmethod
    def _currency_belongs_to_its_format(cls, value: str, info: ValidationInfo) -> str:
        return only_with(value, info, "format", {"currency"})

    @field_validator("aggregation")
    @classmethod
    def _a_point_is_within_the_range(cls, value: int | None, info: ValidationInfo) -> int | None:
        return less_than(value, info, "time_range", or_equal=True, spell=spell)


class Layout(Block):
    """How the widgets of a page are laid out."""

    grid: Annotated[Grid, Parsed(_grid)] = Field(default=Grid(3, 2), description="Columns x rows.", examples=["3x2"])
    responsive: bool = Field(default=True, description="One column on a phone.", examples=[True])
    auto_refresh: bool = Field(
        default=True, description="The page updates itself; without it there is a button.", examples=[True]
    )


class LiveDashboard(Block):
    """A page."""

    refresh_interval: Duration = Field(
        default=10 * SECOND, description="How often the page updates itself.", examples=["10 seconds"]
    )
    widgets: Mapping[Name, Widget] = Field(
        description="Widgets by name.",
        examples=[{"revenue_counter": {"type": "counter", "data_source": "business_metrics", "metric": "revenue"}}],
        min_length=1,
    )
    layout: Layout = Field(default_factory=Layout, description="How the widgets are laid out.")

    @field_validator("refresh_interval")
    @classmethod
    def _a_page_refreshes_within_a_day(cls, value: int) -> int:
        if not SECOND <= value <= 24 * HOUR:
            raise wrong(f"expected from 1 second to 24 hours, got {spell(value)}", 'such as `"10 seconds"`')
        return value


class LiveDashboards(RootModel[Mapping[Name, LiveDashboard]]):
    """Pages by name."""

    model_config = {"frozen": True, "strict": True}
    root: Mapping[Name, LiveDashboard] = Field(description="Pages by name.")


def lower(section: LiveDashboards, place: Place) -> Fragment:
    """A page for each dashboard of the section."""
    return Fragment(
        dashboards=tuple(_page(name, d, place) for name, d in section.root.items()),
        inactive=tuple(
            Inactive(f"live_dashboards.{name}.widgets.{widget}.{key}", NO_ALERTS)
            for name, d in section.root.items()
            for widget, w in d.widgets.items()
            for key in _waiting(w)
        ),
    )


def _waiting(w: Widget) -> list[str]:
    """Keys of a widget that say something of alerts."""
    if w.type != "alert_panel" and w.data_source not in ALERT_SOURCES:
        return []
    return ["data_source", *(key for key in ("severity_levels", "max_alerts") if key in w.model_fields_set)]


def _page(name: str, d: LiveDashboard, place: Place) -> DashboardDraft:
    return DashboardDraft(
        name=name,
        origin=place.at("live_dashboards", name),
        refresh_interval=d.refresh_interval,
        widgets=tuple(_draft(widget, w, place, name) for widget, w in d.widgets.items()),
        columns=d.layout.grid.columns,
        rows=d.layout.grid.rows,
        responsive=d.layout.responsive,
        auto_refresh=d.layout.auto_refresh,
    )


def _draft(name: str, w: Widget, place: Place, dashboard: str) -> WidgetDraft:
    return WidgetDraft(
        name=name,
        type=w.type,
        source=w.data_source,
        origin=place.at("live_dashboards", dashboard, "widgets", name),
        metric=w.metric,
        format=w.format,
        currency=w.currency,
        trend=w.trend_indicator,
        time_range=w.time_range,
        bucket=w.aggregation,
        warning=place.number(w.thresholds.warning) if w.thresholds else None,
        critical=place.number(w.thresholds.critical) if w.thresholds else None,
        severities=w.severity_levels,
        max_alerts=w.max_alerts if isinstance(w.max_alerts, int) else place.settle(w.max_alerts, 10),
    )
