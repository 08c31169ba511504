"""Asset specs of a plan's nodes: keys, groups, lineage, links. Pure: no lake, no connection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import dagster as dg

from tusk_platform.generate.dbt_project import sql
from tusk_platform.generate.model_sql import in_words
from tusk_platform.generate.query_model import in_words as query_words
from tusk_platform.plan.nodes import Aggregate, Dashboard, Plan, Query, Stream, Widget
from tusk_platform.plan.origin import Origin
from tusk_platform.plan.page import definition_hash
from tusk_platform.units import spell

OWNERS: Final = ("team:data",)


def key_of(table: str) -> dg.AssetKey:
    """The asset key of a table or page: ``agg.user_metrics`` is ``agg/user_metrics``."""
    return dg.AssetKey(table.split("."))


def raw_spec(stream: Stream) -> dg.AssetSpec:
    """``raw/<stream>``: the events as they came, verdict and position with each."""
    where = f"connection `{stream.connection}`" if stream.connection else f"the embedded {stream.adapter}"
    return _spec(
        stream.table,
        f"Events of `{stream.name}` ({stream.source}) from {where}: every row with its verdict and position.",
        stream,
        deps=(source_key(stream),),
        kinds=(stream.source, "deltalake"),
        more={"columns": _schema({c.name: c.type for c in stream.columns})},
    )


def clean_spec(stream: Stream) -> dg.AssetSpec:
    """``clean/<stream>``: the view that people and models read."""
    return _spec(
        f"clean.{stream.name}",
        f"Events of `{stream.name}` that kept every row rule, repeated ones once.",
        stream,
        deps=(key_of(stream.table),),
        kinds=("duckdb", "view"),
    )


def aggregate_spec(plan: Plan, aggregate: Aggregate) -> dg.AssetSpec:
    """``agg/<aggregate>``: one row per window and group."""
    columns = dict.fromkeys(aggregate.dimensions, "dimension") | {m.name: m.function for m in aggregate.metrics}
    return _spec(
        aggregate.table,
        f"{in_words(aggregate)} Refreshed every {spell(aggregate.update_frequency)}.",
        aggregate,
        deps=(key_of(f"clean.{aggregate.stream}"),),
        kinds=("dbt", "duckdb", "deltalake"),
        more={"sql": dg.MetadataValue.md(f"```sql\n{sql(plan, aggregate)}\n```"), "columns": _schema(columns)},
    )


def query_spec(plan: Plan, query: Query) -> dg.AssetSpec:
    """``query/<query>``: the result of a query of the config, downstream of every table it reads."""
    return _spec(
        query.table,
        query_words(plan, query),
        query,
        deps=tuple(key_of(i.table) for i in query.inputs),
        kinds=("dbt", "duckdb", "deltalake"),
        more={
            "sql": dg.MetadataValue.md(f"```sql\n{query.sql}\n```"),
            "columns": _schema({c.name: c.type for c in query.columns}),
        },
    )


def dashboard_spec(dashboard: Dashboard) -> dg.AssetSpec:
    """``dashboard/<name>``: the page, downstream of everything it shows."""
    return _spec(
        f"dashboard.{dashboard.name}",
        f"Page of {len(dashboard.widgets)} widgets, updated every {spell(dashboard.refresh_interval)}.",
        dashboard,
        deps=tuple(dict.fromkeys(key for w in dashboard.widgets if (key := _shown_key(w)) is not None)),
        kinds=("dashboard",),
    )


def source_key(stream: Stream) -> dg.AssetKey:
    """Key of the outside thing a stream reads."""
    return dg.AssetKey([stream.source, str(stream.options.get("topic") or stream.options.get("table") or stream.name)])


def source_spec(stream: Stream) -> dg.AssetSpec:
    """The outside thing a stream reads: lineage begins there."""
    return dg.AssetSpec(
        source_key(stream),
        description=f"What stream `{stream.name}` reads.",
        group_name="sources",
        kinds={stream.source},
        owners=list(OWNERS),
        metadata=_links(stream.origin),
    )


def _shown_key(widget: Widget) -> dg.AssetKey | None:
    match widget.kind:
        case "aggregate":
            return key_of(f"agg.{widget.source}")
        case "stream":
            return key_of(f"raw.{widget.source}")
        case "query":
            return key_of(f"query.{widget.source}")
        case _:
            return None


def _spec(
    table: str,
    description: str,
    node: Stream | Aggregate | Query | Dashboard,
    *,
    deps: tuple[dg.AssetKey, ...],
    kinds: tuple[str, ...],
    more: Mapping[str, Any] | None = None,
) -> dg.AssetSpec:
    return dg.AssetSpec(
        key_of(table),
        deps=list(deps),
        description=description,
        group_name=node.origin.key.split(".", 1)[0],
        kinds=set(kinds),
        owners=list(OWNERS),
        code_version=definition_hash(node),
        metadata={**_links(node.origin), **(more or {})},
    )


def _links(origin: Origin) -> dict[str, Any]:
    reference = dg.LocalFileCodeReference(file_path=origin.span.file, line_number=origin.span.line, label=origin.key)
    return {
        "dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[reference]),
        "config": f"{origin.key} ({origin.span.file}:{origin.span.line})",
    }


def _schema(columns: Mapping[str, str]) -> dg.TableSchemaMetadataValue:
    return dg.MetadataValue.table_schema(dg.TableSchema([dg.TableColumn(n, t) for n, t in columns.items()]))
