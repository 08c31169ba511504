from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from tests.fakes.streams import COLUMNS, a_stream
from tusk_platform.errors import Span, UsageError
from tusk_platform.generate.expectations import GENERATED_FOLDERS, files
from tusk_platform.plan.nodes import Column, ColumnType, Plan, RowRule, Stream
from tusk_platform.plan.origin import Origin


def a_plan(*streams: Stream) -> Plan:
    return Plan("/etc/shop/shop.tsk", streams=streams or (a_stream(),))


def suite(texts: Mapping[str, str], name: str = "orders") -> dict[str, dict[str, Any]]:
    """Expectations of a generated suite by rule."""
    document = json.loads(texts[f"expectations/{name}.json"])
    return {e["meta"]["rule"]: e for e in document["expectations"]}


def written(*expectations: Mapping[str, Any]) -> dict[str, str]:
    return {"orders": json.dumps({"expectations": expectations})}


def test_each_rule_becomes_its_expectation() -> None:
    rules = suite(files(a_plan()))

    assert {rule: (e["type"], e["kwargs"]) for rule, e in rules.items()} == {
        "columns": (
            "expect_table_columns_to_match_set",
            {"column_set": ["timestamp", "event_id", "user_id", "amount", "_event_time"], "exact_match": False},
        ),
        "event time": ("expect_column_values_to_not_be_null", {"column": "_event_time"}),
        "readable": ("expect_column_values_to_be_null", {"column": "_reason"}),
        "required:user_id": ("expect_column_values_to_not_be_null", {"column": "user_id"}),
        "required:timestamp": ("expect_column_values_to_not_be_null", {"column": "timestamp"}),
        "type:amount": ("expect_column_values_to_be_of_type", {"column": "amount", "type_": "Decimal"}),
        "range:amount": (
            "expect_column_values_to_be_between",
            {"column": "amount", "min_value": 0, "max_value": 1_000_000},
        ),
    }


def test_expectation_says_where_its_rule_is_written() -> None:
    origin = Origin("data_quality_config.validation_rules.value_ranges.amount", Span("/etc/shop/shop.tsk", 416, 13))
    rule = RowRule("range:amount", "range", "amount", minimum=0.5, origin=origin)

    expectation = suite(files(a_plan(a_stream(rules=(rule,)))))["range:amount"]

    assert expectation["meta"] == {
        "key": origin.key,
        "line": "shop.tsk:416",
        "rule": "range:amount",
        "severity": "warning",
    }
    assert expectation["description"] == "amount is at least 0.5 (range:amount, shop.tsk:416)"


def test_stream_without_rules_still_has_a_suite() -> None:
    rules = suite(files(a_plan(a_stream(name="sensor/temperature", rules=()))), "sensor_temperature")

    assert list(rules) == ["columns", "event time", "readable"]


@pytest.mark.parametrize(
    ("kind", "expectation"),
    [
        ("uuid", "expect_column_values_to_match_regex"),
        ("json", "expect_column_values_to_be_json_parseable"),
        ("date", "expect_column_values_to_be_of_type"),
    ],
)
def test_type_rule_fits_the_column(kind: ColumnType, expectation: str) -> None:
    stream = a_stream(columns=(*COLUMNS, Column("extra", kind)), rules=(RowRule("type:extra", "type", "extra"),))

    assert suite(files(a_plan(stream)))["type:extra"]["type"] == expectation


def test_same_plan_gives_the_same_bytes() -> None:
    assert files(a_plan()) == files(a_plan())


def test_no_text_names_a_folder_of_this_machine() -> None:
    assert not [path for path, text in files(a_plan()).items() if "/etc" in text]


def test_adding_a_stream_leaves_other_suites_alone() -> None:
    before = files(a_plan())
    after = files(a_plan(a_stream(name="refunds"), a_stream()))

    shared = set(before) - {"great_expectations.yml"}
    assert {path: after[path] for path in shared} == {path: before[path] for path in shared}


def test_every_reference_between_files_resolves() -> None:
    texts = files(a_plan())
    checkpoint = json.loads(texts["checkpoints/orders.json"])
    definition = json.loads(texts["validation_definitions/orders.json"])
    context = yaml.safe_load(texts["great_expectations.yml"])
    asset = context["fluent_datasources"]["lake"]["assets"]["orders"]

    assert checkpoint["validation_definitions"] == [{"id": definition["id"], "name": "orders"}]
    assert definition["suite"]["id"] == json.loads(texts["expectations/orders.json"])["id"]
    assert definition["data"]["asset"]["id"] == asset["id"]
    assert definition["data"]["batch_definition"]["id"] == asset["batch_definitions"]["new_rows"]["id"]


def test_everything_that_changes_at_run_time_is_outside() -> None:
    context = yaml.safe_load(files(a_plan())["great_expectations.yml"])
    folders = {name: s["store_backend"]["base_directory"] for name, s in context["stores"].items()}

    assert {f.rstrip("/") for f in folders.values() if not f.startswith("${TUSK_HOME}/")} == set(GENERATED_FOLDERS)
    assert folders["validation_results_store"].startswith("${TUSK_HOME}/")
    assert context["data_docs_sites"]["quality"]["store_backend"]["base_directory"].startswith("${TUSK_HOME}/")
    assert context["analytics_enabled"] is False


def test_hand_written_expectation_replaces_the_generated_one() -> None:
    kwargs = {"column": "amount", "max_value": 500, "mostly": 0.99}
    own = written({"type": "expect_column_values_to_be_between", "kwargs": kwargs})

    rules = suite(files(a_plan(), own))

    assert len(rules) == len(suite(files(a_plan())))
    assert rules["range:amount"]["kwargs"] == kwargs
    assert rules["range:amount"]["meta"]["source"] == "overrides/orders.json"


def test_hand_written_expectation_of_another_column_is_added() -> None:
    own = written(
        {"type": "expect_column_values_to_be_between", "kwargs": {"column": "user_id", "min_value": 1}},
        {"type": "expect_column_values_to_be_between", "kwargs": {"column": "user_id", "max_value": 9}},
        {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 1}, "severity": "info"},
    )

    added = {r: e for r, e in suite(files(a_plan(), own)).items() if "source" in e["meta"]}

    assert list(added) == [
        "column_values_to_be_between:user_id",
        "column_values_to_be_between:user_id #2",
        "table_row_count_to_be_between",
    ]
    assert len({e["id"] for e in added.values()}) == 3
    assert added["table_row_count_to_be_between"]["severity"] == "info"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("order", "{}", r"overrides/order.json: no stream .* did you mean `orders`"),
        ("orders", "{", r"overrides/orders.json:1:2: not JSON"),
        ("orders", "[]", r"no list `expectations`"),
        ("orders", '{"expectations": [{"type": "expect_x"}]}', r"expectation 1 has no `type` and `kwargs`"),
    ],
)
def test_unusable_hand_written_suite_is_named(name: str, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        files(a_plan(), {name: text})
