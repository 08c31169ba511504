"""The Great Expectations project of a plan as text: suites, checkpoints, the context's configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, Final
from uuid import UUID, uuid5

import yaml

from tusk_platform.core.quality import COLUMNS, EVENT_TIME, READABLE, suite_name
from tusk_platform.errors import UsageError, nearest
from tusk_platform.plan.nodes import ColumnType, Plan, RowRule, Stream
from tusk_platform.plan.origin import Origin

# What a build writes anew; everything else in the project's folder is hand-written.
GENERATED_FOLDERS: Final = ("expectations", "validation_definitions", "checkpoints")

Expectation = dict[str, Any]

_IDS: Final = UUID("6f0d5f3c-52b6-5a0e-9d6c-0b1f4f2f9a57")
# Names that `expect_column_values_to_be_of_type` knows for the frame the adapter makes of each column type.
_PANDAS: Final[dict[ColumnType, str]] = {
    "string": "str",
    "integer": "int64",
    "double": "float64",
    "decimal": "Decimal",
    "boolean": "bool",
    "timestamp": "Timestamp",
    "date": "date",
}
_UUID_FORM: Final = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
_HEADER: Final = """\
# Generated from {file}: what is written here is overwritten by the next `tusk plan` or `tusk up`.
# Expectations of your own go to overrides/<stream>.json beside the config; they win over the generated ones.
#
# Opened by hand (results and pages go below TUSK_HOME, see config_variables.yml):
#   context = great_expectations.get_context(mode="file", context_root_dir="<this folder>")
#   context.checkpoints.get("<stream>").run(batch_parameters={{"dataframe": frame}})
#   context.build_data_docs()
"""
_VARIABLES: Final = """\
# Where state lives when TUSK_HOME is not set; relative to this folder. The environment wins over this file.
TUSK_HOME: {home}
"""


class _Plain(yaml.SafeDumper):
    """YAML without anchors: Great Expectations' own reader keeps them, a person should not have to follow them."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the signature is the library's
        return True


def files(plan: Plan, own: Mapping[str, str] | None = None, *, home: str = "../.tusk") -> dict[str, str]:
    """Path -> text of the whole project, byte for byte the same for the same plan.

    ``own`` are hand-written suites (stream -> JSON text), merged per expectation and column, theirs winning.
    ``home`` is where TUSK_HOME lies as seen from the project's folder when the environment does not say.
    """
    mine = own or {}
    by_name = {s.name: s for s in plan.streams} | {suite_name(s.name): s for s in plan.streams}
    unknown = sorted(set(mine) - set(by_name))
    if unknown:
        hint = nearest(unknown[0], plan.stream_names)
        raise UsageError(f"overrides/{unknown[0]}.json: no stream of the config has this name; {hint}")
    texts = {by_name[name].name: (name, text) for name, text in mine.items()}
    out = {
        "great_expectations.yml": _context(plan),
        "config_variables.yml": _VARIABLES.format(home=home),
    }
    for stream in plan.streams:
        name = suite_name(stream.name)
        generated = suite(stream)
        if stream.name in texts:
            generated = merged(generated, *texts[stream.name])
        out[f"expectations/{name}.json"] = _json(generated)
        out[f"validation_definitions/{name}.json"] = _json(_validation(name))
        out[f"checkpoints/{name}.json"] = _json(_checkpoint(name))
    return out


def suite(stream: Stream) -> dict[str, Any]:
    """The suite of one stream as Great Expectations stores it."""
    name = suite_name(stream.name)
    own = [_of_rule(stream, rule) for rule in stream.rules]
    expectations = [*_of_every_stream(stream), *own]
    for one in expectations:
        one["id"] = _id("expectation", name, *_key(one), one["meta"]["rule"])
    return {
        "expectations": expectations,
        "id": _id("suite", name),
        "meta": {},
        "name": name,
        "notes": f"Rules of the stream {stream.name} ({_place(stream.origin)}).",
    }


def merged(generated: Mapping[str, Any], name: str, text: str) -> dict[str, Any]:
    """A generated suite with a hand-written one laid over it, per expectation and column; the hand-written wins.

    A replaced expectation keeps its rule name, so that quarantined rows still count for it.
    """
    out = {_key(e): e for e in generated["expectations"]}
    suite_id = str(generated["name"])
    rules = {e["meta"]["rule"] for e in out.values()}
    own: list[Expectation] = []
    for position, written in enumerate(_read(name, text)):
        key = _key(written)
        before = out.pop(key, None)
        meta = (before["meta"] if before else {}) | written.get("meta", {})
        if "rule" not in meta:
            wanted = ":".join(filter(None, (written["type"].removeprefix("expect_"), key[1])))
            meta["rule"] = wanted if wanted not in rules else f"{wanted} #{position + 1}"
        rules.add(meta["rule"])
        meta |= {"source": f"overrides/{name}.json"}
        meta["severity"] = written.get("severity") or meta.get("severity", "critical")
        said = {k: written[k] for k in ("description", "notes") if written.get(k)}
        own.append(
            said
            | {
                "id": written.get("id") or _id("expectation", suite_id, *key, meta["rule"], "own", str(position)),
                "kwargs": written["kwargs"],
                "meta": meta,
                "severity": meta["severity"],
                "type": written["type"],
            }
        )
    return {**generated, "expectations": [*out.values(), *own]}


def _read(name: str, text: str) -> list[Expectation]:
    file = f"overrides/{name}.json"
    form = 'an object {"expectations": [{"type": "expect_…", "kwargs": {…}}, …]}'
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"{file}:{error.lineno}:{error.colno}: not JSON ({error.msg}); expected {form}") from error
    written = document.get("expectations") if isinstance(document, dict) else None
    if not isinstance(written, list):
        raise UsageError(f"{file}: no list `expectations`; expected {form}")
    for position, one in enumerate(written, start=1):
        well = isinstance(one, dict) and isinstance(one.get("type"), str) and isinstance(one.get("kwargs"), dict)
        if not well:
            raise UsageError(f"{file}: expectation {position} has no `type` and `kwargs`; expected {form}")
    return written


def _key(expectation: Expectation) -> tuple[str, str]:
    """Type and column or columns: what makes two expectations the same one."""
    kwargs = expectation["kwargs"]
    names = [kwargs.get("column"), kwargs.get("column_A"), kwargs.get("column_B"), *kwargs.get("column_list", [])]
    return str(expectation["type"]), ",".join(str(n) for n in names if n is not None)


def _of_every_stream(stream: Stream) -> list[Expectation]:
    columns = [*(c.name for c in stream.columns), "_event_time"]
    return [
        _expectation(
            "expect_table_columns_to_match_set",
            {"column_set": columns, "exact_match": False},
            says="the columns of the config are there",
            rule=COLUMNS,
            origin=stream.origin,
        ),
        _expectation(
            "expect_column_values_to_not_be_null",
            {"column": "_event_time"},
            says="every row has a place in time",
            rule=EVENT_TIME,
            origin=stream.origin,
        ),
        _expectation(
            "expect_column_values_to_be_null",
            {"column": "_reason"},
            says="no row was let in against a reason",
            rule=READABLE,
            origin=stream.origin,
        ),
    ]


def _of_rule(stream: Stream, rule: RowRule) -> Expectation:
    match rule.kind:
        case "required":
            kind, kwargs, says = "expect_column_values_to_not_be_null", {}, "is there"
        case "range":
            kind = "expect_column_values_to_be_between"
            low, high = (None if bound is None else _number(bound) for bound in (rule.minimum, rule.maximum))
            kwargs = {k: v for k, v in (("min_value", low), ("max_value", high)) if v is not None}
            says = f"is between {low} and {high}" if len(kwargs) == 2 else _one_sided(low, high)
        case "type":
            kind, kwargs, says = _of_type(stream, rule)
    return _expectation(
        kind,
        {"column": rule.column, **kwargs},
        says=f"{rule.column} {says}",
        rule=rule.name,
        origin=rule.origin or stream.origin,
        severity="warning" if rule.kind == "range" else "critical",
    )


def _one_sided(low: float | None, high: float | None) -> str:
    return f"is at most {high}" if low is None else f"is at least {low}"


def _of_type(stream: Stream, rule: RowRule) -> tuple[str, dict[str, Any], str]:
    column = stream.column(rule.column)
    kind: ColumnType = column.type if column else "string"
    says = f"is of type {kind}"
    match kind:
        case "uuid":
            return "expect_column_values_to_match_regex", {"regex": _UUID_FORM}, says
        case "json":
            return "expect_column_values_to_be_json_parseable", {}, says
        case _:
            return "expect_column_values_to_be_of_type", {"type_": _PANDAS[kind]}, says


def _expectation(
    kind: str, kwargs: dict[str, Any], *, says: str, rule: str, origin: Origin, severity: str = "critical"
) -> Expectation:
    place = _place(origin)
    return {
        "description": f"{says} ({rule}, {place})",
        "kwargs": kwargs,
        "meta": {"key": origin.key, "line": place, "rule": rule, "severity": severity},
        "severity": severity,
        "type": kind,
    }


def _validation(name: str) -> dict[str, Any]:
    return {
        "data": {
            "asset": {"id": _id("asset", name), "name": name},
            "batch_definition": {"id": _id("batch", name), "name": "new_rows"},
            "datasource": {"id": _id("datasource"), "name": "lake"},
        },
        "id": _id("validation", name),
        "name": name,
        "suite": {"id": _id("suite", name), "name": name},
    }


def _checkpoint(name: str) -> dict[str, Any]:
    # Pages are built once for all streams, not by an action of each checkpoint: the index costs more than a validation.
    # No sample values: a page must not show what may be personal. The rows themselves stand in quarantine.
    return {
        "actions": [],
        "id": _id("checkpoint", name),
        "name": name,
        "result_format": {"partial_unexpected_count": 0, "result_format": "BASIC"},
        "validation_definitions": [{"id": _id("validation", name), "name": name}],
    }


def _context(plan: Plan) -> str:
    names = [suite_name(s.name) for s in plan.streams]
    page = {"view": {"module_name": "tusk_platform.adapters.quality_gx", "class_name": "Page"}}
    config = {
        "config_version": 4.0,
        "config_variables_file_path": "config_variables.yml",
        "plugins_directory": "plugins/",
        "analytics_enabled": False,
        "data_context_id": _id("context"),
        "progress_bars": {"globally": False, "metric_calculations": False},
        "stores": {
            "expectations_store": _store("ExpectationsStore", "expectations"),
            "validation_definition_store": _store("ValidationDefinitionStore", "validation_definitions"),
            "checkpoint_store": _store("CheckpointStore", "checkpoints"),
            "validation_results_store": _store("ValidationResultsStore", "${TUSK_HOME}/scratch/gx/validations"),
        },
        "expectations_store_name": "expectations_store",
        "validation_results_store_name": "validation_results_store",
        "checkpoint_store_name": "checkpoint_store",
        "data_docs_sites": {
            "quality": {
                "class_name": "SiteBuilder",
                "show_how_to_buttons": False,
                "store_backend": _folder("${TUSK_HOME}/docs/quality"),
                "site_index_builder": {"class_name": "DefaultSiteIndexBuilder", **page},
                "site_section_builders": {"expectations": page, "validations": page, "profiling": "none"},
            }
        },
        "fluent_datasources": {
            "lake": {
                "type": "pandas",
                "id": _id("datasource"),
                "assets": {
                    name: {
                        "type": "dataframe",
                        "id": _id("asset", name),
                        "batch_metadata": {},
                        "batch_definitions": {"new_rows": {"id": _id("batch", name), "partitioner": None}},
                    }
                    for name in names
                },
            }
        },
    }
    text = yaml.dump(config, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120)
    return _HEADER.format(file=PurePath(plan.file).name) + text


def _store(kind: str, folder: str) -> dict[str, Any]:
    return {"class_name": kind, "store_backend": _folder(folder)}


def _folder(folder: str) -> dict[str, Any]:
    # Without the flag a store writes an id file of its own into its folder when it is opened.
    return {
        "class_name": "TupleFilesystemStoreBackend",
        "base_directory": f"{folder}/",
        "suppress_store_backend_id": True,
    }


def _id(*parts: str) -> str:
    return str(uuid5(_IDS, "/".join(parts)))


def _place(origin: Origin) -> str:
    return f"{PurePath(origin.span.file).name}:{origin.span.line}"


def _number(value: float) -> float | int:
    return int(value) if value == int(value) else value


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
