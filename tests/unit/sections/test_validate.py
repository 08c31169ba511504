"""What comes out of a document besides messages: models, spans, variables; and that nothing makes it raise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Annotated, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from tests.unit.sections.mutation import leaves
from tusk_platform import ports
from tusk_platform.errors import Problem
from tusk_platform.plan.nodes import Stream
from tusk_platform.sections.block import written
from tusk_platform.sections.connections import Connections
from tusk_platform.sections.fields import EnvReference
from tusk_platform.sections.multi_source_analytics import MultiSourceAnalytics
from tusk_platform.sections.real_time_analytics import RealTimeAnalytics
from tusk_platform.sections.stream_processing import SessionWindow, SlidingWindow, StreamProcessing, TumblingWindow
from tusk_platform.sections.validate import SECTIONS, Validated, validate
from tusk_platform.tsk.parser import parse
from tusk_platform.units import DAY, MINUTE


def checked(text: str) -> Validated:
    """A config that is right."""
    validated = validate(parse(text, "a.tsk"))
    assert [p.render() for p in validated.problems] == []
    return validated


def problems(text: str) -> tuple[Problem, ...]:
    """What is wrong with a config."""
    return validate(parse(text, "a.tsk")).problems


class VanillaOptions(BaseModel):
    """Options as a package that knows nothing of ours would write them."""

    model_config = ConfigDict(extra="forbid")

    address: str
    depth: Annotated[int, Field(ge=1, le=9)] = 1
    topics: list[str] | dict[str, int] = Field(default_factory=list)
    pace: int | bool | None = None


@dataclass
class StrangersAdapter:
    """An adapter from elsewhere."""

    name: str = "strange"
    connection: str | None = None
    stand_in: str | None = None
    free_form: bool = True
    replay: bool = False
    event_time: str | None = None
    columns: tuple[tuple[str, str], ...] = ()

    def check_options(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Options with defaults."""
        return VanillaOptions.model_validate(values).model_dump()

    def open(self, stream: Stream, context: ports.SourceContext) -> ports.Source:
        """Nothing to read here."""
        raise NotImplementedError


@pytest.fixture
def strange(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stranger's adapter, installed."""
    installed = metadata.EntryPoint("strange", "tests.unit.sections.test_validate:adapter", "tusk.sources")
    known = {**ports._entry_points("sources"), "strange": installed}
    monkeypatch.setattr(ports, "_entry_points", lambda _: known)


adapter = StrangersAdapter()


def strange_stream(options: str) -> str:
    """A config with one stream of the stranger's."""
    return f'real_time_analytics = {{ data_streams = {{ s = {{ source = "strange", {options} }} }} }}'


def test_an_empty_file_is_right() -> None:
    validated = checked("")

    assert (dict(validated.sections), validated.top.timezone, validated.top.demo) == ({}, "UTC", True)


def test_top_level_scalars_are_read() -> None:
    validated = checked('timezone = "Europe/Berlin"\ndemo = false')

    assert (validated.top.timezone, validated.top.demo) == ("Europe/Berlin", False)


def test_a_stream_has_common_keys_and_options() -> None:
    text = """real_time_analytics = { data_streams = { orders = {
        source = "file", path = "orders.csv", live = true, format = "csv"
        schema = { amount = "decimal", at = "datetime" }
        derive = { total = "amount * 2" }, dedup_key = "id", idle_timeout = "5 minutes"
    } } }"""
    section = checked(text).sections["real_time_analytics"]

    assert isinstance(section, RealTimeAnalytics)
    orders = section.data_streams["orders"]
    assert orders.schema_ == {"amount": "decimal", "at": "timestamp"}
    assert (orders.dedup_key, orders.live, orders.format, orders.idle_timeout) == (("id",), True, "csv", 5 * MINUTE)
    assert orders.options["path"] == "orders.csv"
    assert orders.options["live"] is True


def test_only_files_are_told_of_files() -> None:
    text = 'real_time_analytics = { data_streams = { s = { source = "kafka", live = true, format = "parquet" } } }'

    assert [(p.path.rpartition(".")[2], p.span.column) for p in problems(text)] == [("live", 73), ("format", 88)]


def test_services_without_adapter_keep_references() -> None:
    text = """multi_source_analytics = { data_sources = { web = {
        type = "google_analytics", property_id = @env(GA), metrics = ["sessions"], dimensions = ["source"]
    } } }"""
    validated = checked(text)
    section = validated.sections["multi_source_analytics"]

    assert isinstance(section, MultiSourceAnalytics)
    assert section.data_sources["web"].options["property_id"] == {"@env": ["GA"]}
    assert [(use.variable, use.key) for use in validated.environment] == [
        ("GA", "multi_source_analytics.data_sources.web.property_id")
    ]


def test_connections_keep_references_and_defaults() -> None:
    text = """connections = {
        kafka = { bootstrap_servers = @env(KAFKA, "b:9092"), password = @env("KAFKA_PASSWORD") }
        mqtt = { host = "broker", port = @env(MQTT_PORT, default = 1883) }
    }"""
    validated = checked(text)
    section = validated.sections["connections"]

    assert isinstance(section, Connections)
    assert section.kafka is not None
    assert section.kafka.password == EnvReference("KAFKA_PASSWORD")
    assert section.kafka.model_dump(mode="json", exclude_none=True) == {
        "bootstrap_servers": {"@env": ["KAFKA", "b:9092"]},
        "password": {"@env": ["KAFKA_PASSWORD"]},
        "security_protocol": "plaintext",
    }
    assert [use.has_default for use in validated.environment] == [True, False, True]


def test_windows_of_ones_own_are_told_apart_by_their_keys() -> None:
    text = """stream_processing = { windows = {
        tumbling = { size = "5 minutes" }
        daily = { size = "1 day", allowed_lateness = "1 hour" }
        smooth = { size = "10 minutes", slide = "1 minute" }
        visit = { gap = "30 minutes" }
    } }"""
    section = checked(text).sections["stream_processing"]

    assert isinstance(section, StreamProcessing)
    kinds = {name: type(window) for name, window in section.windows.named.items()}
    assert kinds == {
        "tumbling": TumblingWindow,
        "daily": TumblingWindow,
        "smooth": SlidingWindow,
        "visit": SessionWindow,
    }
    visit = section.windows.named["visit"]
    assert isinstance(visit, SessionWindow)
    assert visit.max_size == DAY


def test_spans_lead_back_to_the_file() -> None:
    spans = checked(
        'timezone = "UTC"\nreal_time_aggregations = {\n  a = { window = "1 hour", metrics = { n = "count" } }\n}'
    ).spans

    assert str(spans("real_time_aggregations.a.metrics.n")) == "a.tsk:3:40"
    assert str(spans.value("real_time_aggregations.a.metrics.n")) == "a.tsk:3:44"
    assert spans("real_time_aggregations.a.nothing.there") == spans("real_time_aggregations.a")
    assert str(spans("nowhere")) == "a.tsk:1:1"


def test_items_of_lists_have_spans_in_both_spellings() -> None:
    text = 'real_time_analytics = { dashboards = { d = { widgets = ["sales", "health"] } } }'
    spans = checked(text).spans

    assert spans("real_time_analytics.dashboards.d.widgets.1").column == 66
    assert spans("real_time_analytics.dashboards.d.widgets[1]").column == 66


def test_a_right_section_survives_a_wrong_neighbour() -> None:
    validated = validate(parse("demo = maybe\nscalability_config = { }\nperformance_config = { x = 1 }", "a.tsk"))

    assert list(validated.sections) == ["scalability_config"]
    assert [p.span.line for p in validated.problems] == [1, 3]


@pytest.mark.usefixtures("strange")
def test_a_strangers_options_are_explained_in_our_words() -> None:
    said = problems(strange_stream('addres = "x", depth = 12, topics = 5'))

    assert [(p.message, p.hint) for p in said] == [
        ("`address` is missing in `real_time_analytics.data_streams.s`", ""),
        ("unknown key `addres` in `real_time_analytics.data_streams.s`", said[1].hint),
        ("expected at most 9, got the number 12", ""),
        ("expected a list or a table, got the number 5", ""),
    ]


@pytest.mark.usefixtures("strange")
def test_of_several_kinds_the_nearest_is_complained_about() -> None:
    said = problems(strange_stream('address = "x", topics = { a = "one", b = [2] }, pace = "fast"'))

    assert [(p.message, p.path) for p in said] == [
        ('expected a whole number, got the text "one"', "real_time_analytics.data_streams.s.topics.a"),
        ("expected a whole number, got a list", "real_time_analytics.data_streams.s.topics.b"),
        (
            'expected a whole number or `true` or `false`, got the text "fast"',
            "real_time_analytics.data_streams.s.pace",
        ),
    ]


@pytest.mark.usefixtures("strange")
def test_a_strangers_source_is_offered() -> None:
    [said] = problems('real_time_analytics = { data_streams = { s = { source = "strang" } } }')

    assert said.hint == "did you mean `strange`?"


def test_an_adapter_that_cannot_be_imported_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> ports.SourceAdapter:
        raise ImportError(f"no module for {name}")

    monkeypatch.setattr(ports, "source_adapter", broken)

    with pytest.raises(ImportError, match="no module for kafka"):
        problems('real_time_analytics = { data_streams = { s = { source = "kafka" } } }')


def test_a_secret_is_never_shown() -> None:
    said = problems('connections = { smtp = { host = 5, password = "hunter2", sender = "a", recipients = ["b"] } }')

    assert len(said) == 2
    assert not any("hunter2" in p.render() or "hunter2" in str(p.as_json()) for p in said)


@pytest.mark.parametrize("arguments", ["", '"A B"', "5", "A, B, C", '"A", [1]', "A, other = 5"])
def test_a_wrong_use_of_env_is_one_problem(arguments: str) -> None:
    [said] = problems(f"stream_processing = {{ parallelism = @env({arguments}) }}")

    assert (said.span.column, said.message.startswith(("`@env` takes", "the default of `@env`"))) == (37, True)


# -- Whatever a file says ----------------------------------------------------------------------------------------------

KEYS = sorted(
    {part for leaf in leaves() for part in leaf.path.split(".")} | set(SECTIONS) | {"timezone", "demo", "x y"}
)
WORDS = sorted(
    {str(getattr(leaf.value, "value", "")) for leaf in leaves()} | {"", "5 minuts", "\u00e4", "@env(X)", "1e999"}
)
SCALARS = st.one_of(st.sampled_from(WORDS), st.integers(-(2**63), 2**63 - 1), st.booleans(), st.floats(-1e300, 1e300))
TABLES = st.sampled_from(KEYS)
VALUES = st.recursive(
    SCALARS, lambda v: st.lists(v, max_size=3) | st.dictionaries(TABLES, v, max_size=5), max_leaves=25
)


def as_config(value: Mapping[str, Any]) -> str:
    """The text of a config with these values."""
    return "\n".join(f'"{key}" = {inner}' for key, inner in ((k, _quoted(v)) for k, v in value.items()))


def _quoted(value: object) -> str:
    match value:
        case Mapping():
            return "{ " + ", ".join(f'"{k}" = {_quoted(v)}' for k, v in value.items()) + " }"
        case list():
            return "[" + ", ".join(map(_quoted, value)) + "]"
    return written(value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(st.sampled_from([*SECTIONS, "timezone", "demo", "other"]), VALUES, max_size=4))
def test_no_document_makes_it_raise(values: Mapping[str, Any]) -> None:
    text = as_config(values)
    validated = validate(parse(text, "a.tsk"))
    lines = text.split("\n")

    assert set(validated.sections) <= set(SECTIONS)
    for p in validated.problems:
        assert 1 <= p.span.line <= len(lines)
        assert 1 <= p.span.column <= len(lines[p.span.line - 1]) + 1
        assert p.message
    seen = [(p.span, p.path, p.message) for p in validated.problems]
    assert len(seen) == len(set(seen))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(alphabet=st.sampled_from("abc_{}[]()=\"'@,;\n 1.-/:#"), max_size=80))
def test_no_text_makes_it_raise(text: str) -> None:
    validate(parse(f"stream_processing = {{ {text}", "a.tsk"))
