"""The dbt project of a plan as text: a model an aggregate, sources, tests, exposures, and what the plugin must know."""

from __future__ import annotations

import json
from pathlib import PurePath
from typing import Any, Final

import yaml

from tusk_platform.core.catalog import to_plain
from tusk_platform.core.schema import aggregate_schema, raw_schema
from tusk_platform.generate.model_sql import as_text, in_words, model, readable
from tusk_platform.generate.query_model import described, query_model
from tusk_platform.plan.nodes import Aggregate, Dashboard, Plan, Query, Stream
from tusk_platform.plan.origin import Origin
from tusk_platform.plan.profile import Runtime
from tusk_platform.plan.words import metric_words
from tusk_platform.units import spell

# What `files` writes, folders and single files: nothing hand-written may stand there.
GENERATED_FOLDERS: Final = ("models/aggregates", "models/queries", "dbt_project.yml", "profiles.yml", "lake.json")

_HEADER: Final = "# Generated from {file}; change it there.\n"
_PROJECT: Final = """\
name: tusk
version: "1.0"
profile: tusk
flags:
  send_anonymous_usage_stats: false
  log_level_file: none
models:
  tusk:
    aggregates:
      +schema: agg
      +materialized: lake
"""
_QUERIES: Final = """\
    queries:
      +schema: query
      +materialized: lake
"""
# An in-memory database: the tables are Delta tables of the lake, which the plugin shows as views.
_PROFILES: Final = """\
tusk:
  target: lake
  outputs:
    lake:
      type: duckdb
      path: ":memory:"
      schema: main
      threads: {threads}
      config_options:
        autoinstall_known_extensions: false
        autoload_known_extensions: false
{query_threads}      plugins:
        - module: tusk_platform.adapters.dbt_plugin
          alias: lake
          config:
            project: "{{{{ var('tusk_project', '') }}}}"
            home: "{{{{ var('tusk_home', env_var('TUSK_HOME', '')) }}}}"
            home_without_TUSK_HOME: "{home}"
"""
_LAYERS: Final = {
    "raw": "every event as it came, verdict and position with each",
    "clean": "events that kept every row rule, repeated ones once",
    "quarantine": "events that broke a row rule, with reason and bytes",
    "late": "events that came too late for every aggregate",
}


def files(plan: Plan, *, home: str = "../.tusk") -> dict[str, str]:
    """Path -> text of everything generated, byte for byte the same for the same plan.

    ``home`` is where TUSK_HOME lies as seen from the project's folder when the environment does not say.
    """
    header = _HEADER.format(file=PurePath(plan.file).name)
    texts = {
        "dbt_project.yml": header + _PROJECT + (_QUERIES if plan.queries else ""),
        "profiles.yml": header + _profiles(plan.runtime, home),
        "lake.json": json.dumps(to_plain(plan), indent=2) + "\n",
    }
    texts |= {f"models/aggregates/{a.name}.sql": model(plan, a) for a in plan.aggregates}
    if plan.queries:
        texts |= {f"models/queries/{q.name}.sql": query_model(plan, q) for q in plan.queries}
        texts["models/queries/queries.yml"] = header + _yaml({"models": [_query(plan, q) for q in plan.queries]})
    for name, content in (
        ("aggregates", {"models": [_model(plan, a) for a in plan.aggregates]}),
        ("sources", {"sources": [_source(plan, layer) for layer in _LAYERS]}),
        ("dashboards", {"exposures": [e for d in plan.dashboards if (e := _exposure(d))]}),
    ):
        if any(content.values()):
            texts[f"models/aggregates/{name}.yml"] = header + _yaml(content)
    return dict(sorted(texts.items()))


def _profiles(runtime: Runtime, home: str) -> str:
    """Models at once, and threads of one; without a number of these DuckDB takes as many as the machine has cores."""
    threads = "" if runtime.threads is None else f"        threads: {runtime.threads}\n"
    return _PROFILES.format(home=home, threads=runtime.readers, query_threads=threads)


def sql(plan: Plan, aggregate: Aggregate) -> str:
    """The rows of an aggregate as a query that a person can read and `tusk sql` can run."""
    return readable(plan, aggregate)


def _yaml(content: object) -> str:
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110)


def _meta(origin: Origin) -> dict[str, Any]:
    span = origin.span
    return {"meta": {"config": f"{origin.key} ({PurePath(span.file).name}:{span.line})"}}


def _model(plan: Plan, aggregate: Aggregate) -> dict[str, Any]:
    stream = plan.stream(aggregate.stream)
    said = {
        "window_start": "First instant of the window, UTC.",
        "window_end": "First instant after the window, UTC.",
        "event_count": "Events of the window and group.",
        "is_final": "Whether the watermark has passed the window's end and the allowed lateness.",
        "updated_at": "When the row last changed.",
        **{d: f"Dimension: `{d}` of the events; null is a value of its own." for d in aggregate.dimensions},
        **{m.name: as_text(metric_words(m)) for m in aggregate.metrics},
    }
    names = [f.name for f in aggregate_schema(aggregate, stream) if f.name != "_window_date"]
    names.insert(names.index("updated_at"), "is_final")
    tested = {"window_start", "window_end", "event_count"}
    return {
        "name": aggregate.name,
        "description": f"{in_words(aggregate)} Refreshed every {spell(aggregate.update_frequency)}.",
        "config": {"tags": [aggregate.group], **_meta(aggregate.origin)},
        "data_tests": [{"one_row_per_window": {"arguments": {"dimensions": list(aggregate.dimensions)}}}],
        "columns": [
            {"name": n, "description": said[n], **({"data_tests": ["not_null"]} if n in tested else {})} for n in names
        ],
    }


def _query(plan: Plan, query: Query) -> dict[str, Any]:
    group = query.origin.key.split(".", 1)[0]
    return described(plan, query) | {"config": {"tags": [group], **_meta(query.origin)}}


def _source(plan: Plan, layer: str) -> dict[str, Any]:
    words = _LAYERS[layer]
    return {
        "name": layer,
        "schema": layer,
        "description": f"{words[0].upper()}{words[1:]}.",
        "tables": [_table(s, layer, words) for s in plan.streams],
    }


def _table(stream: Stream, layer: str, words: str) -> dict[str, Any]:
    config = _meta(stream.origin)
    if layer == "raw" and not stream.replay:
        config |= {"loaded_at_field": "_ingested_at", "freshness": {"warn_after": {"count": 1, "period": "hour"}}}
    table: dict[str, Any] = {
        "name": stream.name,
        "description": f"Stream `{stream.name}` ({stream.source}): {words}.",
        "config": config,
    }
    if layer == "raw":
        table["columns"] = [{"name": f.name} for f in raw_schema(stream)]
    return table


def _exposure(dashboard: Dashboard) -> dict[str, Any] | None:
    shown = {
        f"source('raw', '{w.source}')" if w.kind == "stream" else f"ref('{w.source}')"
        for w in dashboard.widgets
        if w.kind in {"aggregate", "query", "stream"}
    }
    if not shown:
        return None
    return {
        "name": dashboard.name,
        "label": dashboard.name.replace("_", " ").capitalize(),
        "type": "dashboard",
        "owner": {"name": "data"},
        "description": f"Page of {len(dashboard.widgets)} widgets, updated every {spell(dashboard.refresh_interval)}.",
        "depends_on": sorted(shown),
        "config": _meta(dashboard.origin),
    }
