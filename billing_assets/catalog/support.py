"""What the format has and the engine does not compute yet: refused, never ignored.

The one place to delete from when a part is built.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from billing_assets.catalog.sources import FieldPath


@dataclass(frozen=True)
class Gap:
    """A field that must not be used (`values` None), or must not have one of `values`. `[]` steps into lists."""

    collection: str
    field: str
    what: str
    values: frozenset[str] | None = None


def _gap(collection: str, field: str, what: str, *values: str) -> Gap:
    return Gap(collection, field, what, frozenset(values) or None)


GAPS: tuple[Gap, ...] = (
    _gap("billable_metrics", "aggregation_type", "an SQL metric", "SQL"),
    _gap(
        "billable_metrics",
        "aggregation_type",
        "a time-weighted metric",
        "TIME_WEIGHTED_SUM",
        "TIME_WEIGHTED_LATEST",
    ),
    _gap("products", "type", "a COMPOSITE product", "COMPOSITE"),
    _gap("products", "type", "a SUBSCRIPTION product", "SUBSCRIPTION"),
    _gap("products", "updates", "a change of a product in time"),
    _gap("rate_cards", "pricing_unit_conversions", "a custom pricing unit"),
    _gap("rate_cards", "rates[].rate_type", "a CUSTOM rate", "CUSTOM"),
    _gap("rate_cards", "rates[].rate_type", "a TIERED_PERCENTAGE rate", "TIERED_PERCENTAGE"),
    _gap("rate_cards", "rates[].pricing_unit", "a price in a custom pricing unit"),
    _gap("rate_cards", "rates[].commit_rate", "a commit_rate"),
    _gap("customers", "commits", "a commit"),
    _gap("customers", "credits", "a credit"),
    _gap("contracts", "commits", "a commit"),
    _gap("contracts", "credits", "a credit"),
    _gap("contracts", "recurring_commits", "a recurring commit"),
    _gap("contracts", "recurring_credits", "a recurring credit"),
    _gap("contracts", "subscriptions", "a subscription"),
    _gap("contracts", "scheduled_charges", "a scheduled charge"),
    _gap("contracts", "scheduled_charges_on_usage_invoices", "a scheduled charge on a usage invoice"),
    _gap("contracts", "discounts", "a discount"),
    _gap("contracts", "minimum_spend", "a minimum spend"),
    _gap("contracts", "transition", "a transition"),
    _gap("contracts", "hierarchy", "a hierarchy"),
    _gap("contracts", "spend_threshold", "a spend threshold"),
    _gap("contracts", "prepaid_balance_threshold", "a prepaid balance threshold"),
    _gap("contracts", "overrides[].target", "an override of the commit rate", "COMMIT_RATE"),
    _gap("contracts", "overrides[].is_commit_specific", "a commit-specific override"),
    _gap("contracts", "overrides[].overwrite_rate.rate_type", "a CUSTOM rate", "CUSTOM"),
    _gap("contracts", "overrides[].overwrite_rate.rate_type", "a TIERED_PERCENTAGE rate", "TIERED_PERCENTAGE"),
    _gap("contracts", "overrides[].override_specifiers[].billing_frequency", "an override of a subscription rate"),
    _gap("contracts", "overrides[].override_specifiers[].commit_ids", "a commit-specific override"),
    _gap("contracts", "overrides[].override_specifiers[].recurring_commit_ids", "a commit-specific override"),
)


def not_supported(term: Any, gaps: Sequence[Gap]) -> Iterator[tuple[FieldPath, str]]:
    """Uses of a gap in one term of the gaps' collection."""
    for gap in gaps:
        head, *_ = gap.field.removesuffix("[]").split(".")
        if head.removesuffix("[]") not in term.model_fields_set:
            continue
        for path, value in _reach(term, tuple(gap.field.replace("[]", ".[]").split(".")), ()):
            if value in gap.values if gap.values is not None else value:
                yield path, f"found {gap.what}, which is not supported yet"


def _reach(value: Any, steps: tuple[str, ...], path: FieldPath) -> Iterator[tuple[FieldPath, Any]]:
    match steps:
        case ():
            yield path, value
        case ("[]", *rest):
            for position, inner in enumerate(value):
                yield from _reach(inner, tuple(rest), (*path, position))
        case (name, *rest):
            inner = getattr(value, name, None)
            if inner is not None:
                yield from _reach(inner, tuple(rest), (*path, name))
