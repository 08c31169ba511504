"""What a long config costs: check and plan of 10,000 lines against 1,000 and 10."""

from __future__ import annotations

import itertools
import statistics
import time
from typing import Final

from benchmarks.report import Row, figures
from benchmarks.timing import median_ratio
from tusk_platform.compile import compile_text

ABOUT: Final = (
    "`compile_text`, which is what `tusk check` and `tusk plan` do once they are loaded: parse, validate, resolve. The "
    "configs are without mistakes and say ever more of the same: streams with their columns, aggregates whose stream "
    "is inferred, pages of widgets, event types, queries, quality rules. Every round has other names, so that nothing "
    "is remembered. Seconds are medians and of the processor, as nothing here waits. The first ratio is of the seconds "
    "beyond the 10 lines to the 2 that are allowed; the second says how much more a line costs among "
    "10,000 than among 1,000: 1 is linear."
)
ALLOWED: Final = 2.0
_FEW: Final = """\
real_time_analytics = {
    data_streams = {
        orders = { source = "kafka" }
    }
}
real_time_aggregations = {
    sales = { metrics = { revenue = "sum" }, window = "5 minutes" }
}
timezone = "Europe/Berlin"
// the tenth line
"""
# Each part stands as often as wanted between its opening and its closing lines.
_PARTS: Final = (
    (
        "real_time_analytics = {\n    data_streams = {\n",
        """\
        shop_%_events = {
            source = "kafka"
            topic = "shop-%"
            schema = { user_id = "string", country = "string", amount_% = "decimal", at = "datetime" }
            event_time = "at"
        }
""",
        "    }\n}\n",
    ),
    (
        "real_time_aggregations = {\n",
        """\
    shop_%_sales = {
        dimensions = ["country", "device_%"]
        window = "5 minutes"
        update_frequency = "1 minute"
        metrics = {
            revenue_% = { function = "sum", column = "amount_%" }
            sale_count = { function = "count" }
            unique_users = "distinct"
        }
    }
""",
        "}\n",
    ),
    (
        "live_dashboards = {\n",
        """\
    shop_%_page = {
        refresh_interval = "10 seconds"
        widgets = {
            revenue = { type = "counter", data_source = "shop_%_sales", metric = "revenue_%" }
            sales = {
                type = "line_chart"
                data_source = "shop_%_sales"
                metric = "sale_count"
                time_range = "24 hours"
                aggregation = "5 minutes"
            }
        }
    }
""",
        "}\n",
    ),
    (
        "event_driven_analytics = {\n    event_types = {\n",
        """\
        kind_% = {
            dimensions = ["page_%"]
            metrics = ["view_count", "unique_visitors"]
            window = "5 minutes"
        }
""",
        "    }\n}\n",
    ),
    (
        "analytics_data_sources = {\n",
        """\
    countries_% = @query("
        SELECT country, COUNT(*) AS n
        FROM shop_%_events
        GROUP BY country
    ")
""",
        "}\n",
    ),
    (
        "data_quality_config = {\n    validation_rules = {\n        per_stream = {\n",
        """\
            shop_%_events = {
                required_fields = ["user_id", "at"]
                value_ranges = { amount_% = { min = 0, max = 1000 } }
            }
""",
        "        }\n    }\n}\n",
    ),
)


def run(*, quick: bool) -> list[Row]:
    """The long config against the allowed seconds, and a line of it against one of 1,000."""
    turns = itertools.count()
    spent: dict[int, list[float]] = {10: [], 1_000: [], 10_000: []}
    _cost(config(1_000, "first"))  # brings the libraries
    for _ in range(2 if quick else 9):
        for lines, seconds in spent.items():
            seconds.append(_cost(config(lines, f"{next(turns)}x") if lines > 10 else _FEW))
    least, middle, most = (statistics.median(seconds) for seconds in spent.values())
    limit = f"limit: {ALLOWED:g} s more than 10 lines, which take {figures(least)} s"
    peer = f"among 1,000: {figures(middle * 1_000)} µs"
    ratio = median_ratio(spent[10_000], spent[1_000]) / 10
    return [
        Row("check and plan of 10,000 lines", most, "s", limit, (most - least) / ALLOWED, goal=1),
        Row("a line among 10,000", most * 100, "µs", peer, ratio, goal=2),
    ]


def _cost(text: str) -> float:
    """Processor seconds of one config."""
    began = time.process_time()
    compiled = compile_text(text, "long.tsk")
    spent = time.process_time() - began
    problems = [p.render() for p in compiled.problems]
    assert not problems, problems[:3]
    return spent


def config(lines: int, mark: str) -> str:
    """A config of so many lines, without mistakes; the mark stands in its names."""
    around = sum(head.count("\n") + tail.count("\n") for head, _, tail in _PARTS)
    times = (lines - around) // sum(part.count("\n") for _, part, _ in _PARTS)
    text = "".join(
        head + "".join(part.replace("%", f"{mark}{number}") for number in range(times)) + tail
        for head, part, tail in _PARTS
    )
    return text + "// to the last line\n" * (lines - text.count("\n"))
