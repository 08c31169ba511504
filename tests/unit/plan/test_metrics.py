"""From the name of a metric to what it computes."""

from __future__ import annotations

import pytest

from tusk_platform.compile import Compiled, compile_text
from tusk_platform.plan.nodes import Metric

FREE = 'orders = { source = "kafka" }'
FIXED = (
    'orders = { source = "kafka", schema = { at = "timestamp", order_id = "integer", amount = "double" }, '
    'event_time = "at" }'
)
TYPES = 'event_driven_analytics = { event_types = { view = { metrics = ["view_count"], window = "1 hour" } } }'


def compiled(metrics: str, stream: str = FREE, dimensions: str = "") -> Compiled:
    """A config with one aggregate of one stream."""
    return compile_text(
        f"real_time_analytics = {{ data_streams = {{ {stream} }} }}\n{TYPES}\n"
        f'real_time_aggregations = {{ a = {{ window = "1 minute", dimensions = [{dimensions}], '
        f"metrics = {{ {metrics} }} }} }}",
        "a.tsk",
    )


def metric(written: str, stream: str = FREE) -> Metric:
    """The one metric of such an aggregate."""
    found = compiled(written, stream)
    assert [p.render() for p in found.errors] == []
    [only] = found.plan.aggregate("a").metrics
    return only


@pytest.mark.parametrize(
    ("written", "function", "column", "kind"),
    [
        ('revenue = "sum"', "sum", "amount", "decimal"),
        ('avg_order_value = "avg"', "avg", "amount", "double"),
        ('dearest = { function = "max", column = "amount" }', "max", "amount", "decimal"),
        ('weight = "sum"', "sum", "weight", "double"),
        ('unique_visitors = "distinct"', "distinct", "user_id", "integer"),
        ('checkout_time = "p95"', "p95", "checkout_time", "double"),
        ('spread = { function = "stddev", column = "amount" }', "stddev", "amount", "double"),
    ],
)
def test_a_function_reads_the_column_its_name_says(written: str, function: str, column: str, kind: str) -> None:
    found = metric(written)

    assert (found.function, found.column, found.type) == (function, column, kind)


@pytest.mark.parametrize(
    ("written", "stream", "function", "column", "where"),
    [
        ('visits = "count"', FREE, "count", None, None),
        ('view_count = "count"', FREE, "count", None, "\"event_type\" = 'view'"),
        ('total_views = "count"', FREE, "count", None, "\"event_type\" = 'view'"),
        ('sales_count = "count"', FREE, "count", None, "\"event_type\" = 'purchase'"),
        ('order_count = "count"', FIXED, "distinct", "order_id", None),
        ('big = { function = "count", where = "amount > 100" }', FREE, "count", None, "amount > 100"),
    ],
)
def test_what_a_count_counts(written: str, stream: str, function: str, column: str | None, where: str | None) -> None:
    found = metric(written, stream)

    assert (found.function, found.column, found.where, found.type) == (function, column, where, "integer")


@pytest.mark.parametrize(
    ("written", "numerator", "denominator"),
    [
        ('conversion_rate = "ratio"', "\"event_type\" = 'purchase'", None),
        ('refund_rate = "ratio"', "\"event_type\" = 'refund'", None),
        (
            'error_rate = "ratio"',
            'coalesce("event_type" = \'error\' or "status_code" >= 400 or "success" = false, false)',
            None,
        ),
        ('share = { function = "ratio", numerator = "a", denominator = "b" }', "a", "b"),
    ],
)
def test_what_a_ratio_divides(written: str, numerator: str, denominator: str | None) -> None:
    found = metric(written)

    assert (found.numerator, found.denominator, found.type) == (numerator, denominator, "double")


def test_names_of_a_pipeline_say_their_functions() -> None:
    found = compile_text(
        f"real_time_analytics = {{ data_streams = {{ {FREE} }}, processing_pipelines = {{ p = {{ "
        'window_size = "1 minute", metrics = ["response_time", "throughput", "unique_users", "revenue", "max_price", '
        '"total_weight", "view_count"] } } }',
        "a.tsk",
    )

    assert [(m.name, m.function, m.column) for m in found.plan.aggregate("p").metrics] == [
        ("response_time", "avg", "response_time"),
        ("response_time_p50", "p50", "response_time"),
        ("response_time_p95", "p95", "response_time"),
        ("response_time_p99", "p99", "response_time"),
        ("throughput", "rate", None),
        ("unique_users", "distinct", "user_id"),
        ("revenue", "sum", "amount"),
        ("max_price", "max", "price"),
        ("total_weight", "sum", "weight"),
        ("view_count", "count", None),
    ]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ('cleverness = "ratio"', "ratio `cleverness` needs a `numerator` and a `denominator`"),
        ('window_start = "count"', "`window_start` is a column every aggregate has"),
    ],
)
def test_what_a_name_cannot_say_is_refused(written: str, message: str) -> None:
    assert [p.message for p in compiled(written).errors] == [message]


def test_a_metric_called_like_a_dimension_is_refused() -> None:
    [problem] = compiled('country = "distinct"', dimensions='"country"').errors

    assert problem.message == "`country` stands twice among the dimensions and metrics of `a`"


def test_a_rate_of_a_stream_without_types_of_events_is_refused() -> None:
    [problem] = compiled('conversion_rate = "ratio"', FIXED).errors

    assert problem.message == "stream `orders` has no event type column; say `event_type`"
