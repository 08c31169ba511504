"""Keys of a ``database`` stream that would do nothing beside others are a mistake, and where nobody wrote them none."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tusk_platform.adapters.source_database import adapter


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ({"cdc_enabled": True, "cursor": "at"}, "`cursor` does nothing where `cdc_enabled` is `true`"),
        ({"cdc_enabled": True, "overlap": "1 minute"}, "`overlap` does nothing where `cdc_enabled` is `true`"),
        ({"cdc_enabled": True, "poll_interval": "1 s"}, "`poll_interval` does nothing where `cdc_enabled` is `true`"),
        ({"change_detection": False, "cursor": "at"}, "`cursor` does nothing where `change_detection` is `false`"),
        ({"overlap": "1 minute"}, "`overlap` does nothing without `cursor`"),
        ({"slot_max_bytes": "1GB"}, "`slot_max_bytes` does nothing where `cdc_enabled` is `false`"),
        ({"slot_max_age": "1 day"}, "`slot_max_age` does nothing where `cdc_enabled` is `false`"),
    ],
)
def test_key_without_effect_is_named_with_what_rules_it_out(said: dict[str, Any], wrong: str) -> None:
    with pytest.raises(ValidationError) as caught:
        adapter.check_options({"table": "orders", **said})

    assert [(e["loc"], e["msg"]) for e in caught.value.errors()] == [((list(said)[-1],), wrong)]


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"cdc_enabled": True, "slot_max_bytes": "1GB", "slot_max_age": "1 day"},
        {"cdc_enabled": True, "change_detection": False},
        {"cursor": "at", "overlap": "1 minute", "poll_interval": "1 s"},
        {"change_detection": False, "poll_interval": "1 s"},
    ],
)
def test_keys_with_an_effect_are_taken(said: dict[str, Any]) -> None:
    assert adapter.check_options({"table": "orders", **said})["table"] == "orders"
