"""What every source adapter must say of itself, also those that cannot be opened yet."""

from __future__ import annotations

from typing import Any, get_args

import orjson
import pytest
from pydantic import ValidationError

from tests.fakes.streams import a_stream
from tusk_platform.errors import Unavailable
from tusk_platform.plan.nodes import ColumnType
from tusk_platform.ports import Publisher, SourceAdapter, SourceContext, names, source_adapter

REQUIRED: dict[str, dict[str, Any]] = {
    "file": {"path": "a.csv"},
    "mqtt": {"topics": ["a"]},
    "database": {"table": "t"},
    "google_analytics": {"property_id": "1", "metrics": ["sessions"], "dimensions": ["page_path"]},
    "salesforce": {"object": "Lead", "fields": ["Status"]},
    "twitter_api": {"endpoints": ["search_tweets"]},
}


@pytest.mark.parametrize("name", names("sources"))
def test_adapter_keeps_the_contract(name: str) -> None:
    adapter = source_adapter(name)

    assert isinstance(adapter, SourceAdapter)
    assert adapter.name == name
    assert adapter.stand_in is None or source_adapter(adapter.stand_in).connection is None
    assert {type_ for _, type_ in adapter.columns} <= set(get_args(ColumnType))
    assert adapter.event_time is None or adapter.event_time in dict(adapter.columns)


@pytest.mark.parametrize("name", names("sources"))
def test_unknown_option_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        source_adapter(name).check_options({**REQUIRED.get(name, {}), "no_such_key": 1})


@pytest.mark.parametrize("name", names("sources"))
def test_checked_options_are_plain(name: str) -> None:
    options = source_adapter(name).check_options(REQUIRED.get(name, {}))

    assert orjson.loads(orjson.dumps(options)) == options


@pytest.mark.parametrize("name", ["http"])
def test_source_not_carried_out_says_so(name: str) -> None:
    with pytest.raises(Unavailable, match="embedded log"):
        source_adapter(name).open(a_stream(adapter=name), SourceContext())


def test_these_can_be_published_to() -> None:
    assert {n for n in names("sources") if isinstance(source_adapter(n), Publisher)} == {"log", "kafka", "mqtt"}
