"""``data_quality_config``: what a good row is, how rows are cleaned, and the record of who changed what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from tusk_platform.plan.drafts import AuditDraft, Fragment, RulesDraft
from tusk_platform.plan.nodes import Inactive
from tusk_platform.plan.profile import Cleansing
from tusk_platform.sections.block import Block, more_than
from tusk_platform.sections.fields import ColumnKind, ColumnName, Duration, EnvReference, Name, Several, number
from tusk_platform.sections.place import Place
from tusk_platform.units import YEAR

Bound = Annotated[float | EnvReference, number()]


class ValueRange(Block):
    """The least and the greatest value of a column."""

    min: Bound | None = Field(default=None, description="Least allowed value.", examples=[0])
    max: Bound | None = Field(default=None, description="Greatest allowed value; at least `min`.", examples=[1_000_000])

    @field_validator("max")
    @classmethod
    def _max_is_at_least_min(cls, value: float | EnvReference | None, info: ValidationInfo) -> object:
        return more_than(value, info, "min", or_equal=True)


class Rules(Block):
    """What a good row is; a row that breaks a rule goes to quarantine."""

    required_fields: Several[ColumnName] = Field(
        default=(), description="Columns that every row must have.", examples=[["user_id", "timestamp"]]
    )
    data_types: Mapping[ColumnName, ColumnKind] = Field(
        default_factory=dict, description="Types of columns.", examples=[{"amount": "decimal"}]
    )
    value_ranges: Mapping[ColumnName, ValueRange] = Field(
        default_factory=dict, description="Bounds of columns.", examples=[{"amount": {"min": 0, "max": 1_000_000}}]
    )


class ValidationRules(Rules):
    """Rules for the streams named; with none named, for those that have the columns."""

    streams: Several[Name] = Field(
        default=(),
        description="Streams that the rules apply to whole; not said: those with a key and an event type.",
        examples=[["user_events"]],
    )
    per_stream: Mapping[Name, Rules] = Field(
        default_factory=dict,
        description="Rules of single streams, beside the common ones; for the same column they win.",
        examples=[{"system_metrics": {"required_fields": ["metric", "value"]}}],
    )


class DataCleansing(Block):
    """How `clean` differs from `raw`, which keeps the original."""

    duplicate_removal: bool = Field(default=True, description="Repeated events are left out.", examples=[True])
    outlier_detection: bool = Field(default=False, description="Outliers are marked.", examples=[True])
    missing_data_handling: Literal[
        "interpolation", "forward_fill", "mean", "median", "drop", "none"
    ] = Field(default="none", description="What stands where one is missing.", examples=["interpolation"])  # fmt: skip
    dedup_horizon: Duration | None = Field(
        default=None,
        description="How far apart repeated events may be; not said: the largest window plus its lateness.",
        examples=["2 hours"],
    )
    outlier_threshold: Annotated[float | EnvReference, number(above=0)] = Field(
        default=3.5, description="A value is an outlier from this robust score on.", examples=[3.5]
    )


class AuditTrail(Block):
    """The record of who or what changed data, config, models and alerts."""

    enabled: bool = Field(default=True, description="Whether there is one.", examples=[True])
    retention_period: Duration = Field(default=YEAR, description="How long it is kept.", examples=["1 year"])
    sensitive_data_masking: bool = Field(
        default=True, description="Personal data is masked wherever people look.", examples=[True]
    )
    personal: Several[ColumnName] | None = Field(
        default=None, description="Columns with personal data; not said: by their names.", examples=[["email", "phone"]]
    )


class DataQualityConfig(Block):
    """Rules, cleansing and the audit trail."""

    validation_rules: ValidationRules = Field(default_factory=ValidationRules, description="What a good row is.")
    data_cleansing: DataCleansing = Field(default_factory=DataCleansing, description="How rows are cleaned.")
    audit_trail: AuditTrail = Field(default_factory=AuditTrail, description="The record of changes.")


def lower(section: DataQualityConfig, place: Place) -> Fragment:
    """Row rules, common ones and those of single streams, and how ``clean`` differs from ``raw``."""
    rules = section.validation_rules
    key = "data_quality_config.validation_rules"
    drafts = [_rules(rules, rules.streams, place, key)]
    drafts += [_rules(own, (name,), place, f"{key}.per_stream.{name}") for name, own in rules.per_stream.items()]
    cleansing, audit = section.data_cleansing, section.audit_trail
    audited = audit.enabled and "audit_trail" in section.model_fields_set
    waiting = {
        "data_cleansing.outlier_detection": cleansing.outlier_detection,
        "data_cleansing.outlier_threshold": "outlier_threshold" in cleansing.model_fields_set,
        "data_cleansing.missing_data_handling": cleansing.missing_data_handling != "none",
        "audit_trail": audited,
    }
    return Fragment(
        rules=tuple(drafts),
        cleansing=Cleansing(
            duplicate_removal=cleansing.duplicate_removal,
            dedup_horizon=cleansing.dedup_horizon,
            outlier_detection=cleansing.outlier_detection,
            outlier_threshold=place.settle(cleansing.outlier_threshold, 3.5),
            missing_data=cleansing.missing_data_handling,
        ),
        audits=(
            AuditDraft(
                audit.retention_period,
                audit.sensitive_data_masking,
                audit.personal,
                place.at("data_quality_config", "audit_trail"),
            ),
        )
        if audited
        else (),
        inactive=tuple(
            Inactive(f"data_quality_config.{name}", "checked, but not carried out yet")
            for name, on in waiting.items()
            if on
        ),
    )


def _rules(rules: Rules, streams: tuple[str, ...], place: Place, key: str) -> RulesDraft:
    return RulesDraft(
        origin=place.at(key),
        required=rules.required_fields,
        types=dict(rules.data_types),
        ranges={name: (place.number(r.min), place.number(r.max)) for name, r in rules.value_ranges.items()},
        streams=streams,
    )
