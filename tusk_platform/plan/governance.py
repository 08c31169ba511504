"""Whose data it is: columns with personal data, and the record of changes; what is found across sources."""

from __future__ import annotations

import re
from typing import Final

from tusk_platform.errors import nearest
from tusk_platform.plan.drafts import AuditDraft, FusionDraft
from tusk_platform.plan.names import normal
from tusk_platform.plan.nodes import Assumption, Stream
from tusk_platform.plan.profile import Audit, Fusion
from tusk_platform.plan.resolution import Resolution
from tusk_platform.units import HOUR

_PERSONAL: Final = re.compile(
    r"(.*_)?(e?_?mail|phone|telephone|mobile_number|(first|last|full)_?name|surname|ip|ip_?address|address|street|"
    r"card|card_?number|ssn|iban|birth_?date|date_of_birth|dob)(_.*)?"
)
# Devices and programs are not persons.
_NOT_PERSONAL: Final = frozenset({"user_id", "user_agent"})


def is_personal(column: str) -> bool:
    """Whether a column's name says that it tells who somebody is.

    >>> [c for c in ("email", "billing_address", "ip", "user_id", "user_agent", "description") if is_personal(c)]
    ['email', 'billing_address', 'ip']
    """
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", column).lower()
    return name not in _NOT_PERSONAL and _PERSONAL.fullmatch(name) is not None


def resolve_audit(streams: tuple[Stream, ...], r: Resolution) -> Audit | None:
    """The record of changes, with the personal columns of every stream."""
    drafts: tuple[AuditDraft, ...] = r.draft.every("audits")
    if not drafts:
        return None
    draft = drafts[0]
    said = None if draft.personal is None else {normal(c) for c in draft.personal}
    for name in draft.personal or ():
        known = [c.name for s in streams for c in s.columns]
        if normal(name) not in {normal(c) for c in known}:
            r.refuse(draft.origin, f"no stream has a column `{name}`", nearest(name, dict.fromkeys(known)), "personal")
    personal = [
        (s.name, tuple(c.name for c in s.columns if (is_personal(c.name) if said is None else normal(c.name) in said)))
        for s in streams
    ]
    found = tuple((name, columns) for name, columns in personal if columns)
    if said is None:
        listed = ", ".join(f"{name}.{c}" for name, columns in found for c in columns) or "no column"
        r.assumptions.append(Assumption(draft.origin.key, "names that say who somebody is",
                                        f"personal data: {listed}", f"{draft.origin.key}.personal"))  # fmt: skip
    return Audit(draft.retention, draft.masking, found, draft.origin)


def resolve_fusion(streams: tuple[Stream, ...], r: Resolution) -> Fusion | None:
    """What is found across all streams, on the largest step among them, at least an hour."""
    drafts: tuple[FusionDraft, ...] = r.draft.every("fusions")
    if not drafts:
        return None
    draft = drafts[0]
    steps = [s.facts.step or s.poll_interval or 0 for s in r.streams]
    return Fusion(
        correlations=draft.correlations,
        insights=draft.insights,
        unified_metrics=draft.unified_metrics,
        sources=tuple(s.name for s in streams),
        step=max([HOUR, *steps]),
        origin=draft.origin,
    )
