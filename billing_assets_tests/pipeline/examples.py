"""Worked examples of public documentation as cases of one company, and where the others are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from billing_assets_tests.pipeline.company import START, Case, Sold, Used, january
from billing_assets_tests.pipeline.vectors import DATA, FLAT

EXAMPLES: dict[str, dict[str, Any]] = {
    one["id"]: one for one in json.loads((DATA / "worked_examples.json").read_text())["examples"]
}

SCENARIOS = (
    "latest_commit_day2", "commit_split_80_tokens", "prepaid_then_postpaid", "postpaid_trueup_9000", "credit_ledger_63",
    "rollover_cap", "cost_basis_discount", "recurring_upgrade_jan21", "auto_recharge_cpu_discount",
    "auto_recharge_minimum", "threshold_excludes_trial", "sql_metric_swap", "quantity_update_order", "openai_like",
    "preview_merge",
)  # fmt: skip
"""Shown by scenarios alone; their README says by which."""

LATER = ("spend_alert_ignores_commit_purchase",)
"""There are no alerts yet."""


def tiers(given: list[dict[str, Any]]) -> dict[str, Any]:
    found = [{name: str(value) for name, value in tier.items()} for tier in given]
    return {"rate_type": "TIERED", "tiers": found}


def daily(values: list[int], metric: str = "LATEST") -> list[Used]:
    """One event a day from the first of January on."""
    return [Used(january(1 + index), metric, {"v": str(value)}) for index, value in enumerate(values)]


def prices(first: str, later: str, day: int) -> list[dict[str, Any]]:
    """A price, and another from a day of January on."""
    return [FLAT | {"price": first}, FLAT | {"price": later, "starting_at": f"2026-01-{day:02}"}]


def given(name: str) -> Any:
    return EXAMPLES[name]["given"]


def cases() -> Iterator[Case]:
    yield Case("latest_increments", [Sold("LATEST", [FLAT])], daily(given("latest_increments")["daily"]))
    name = "latest_usage_endpoint_none_window"
    yield Case(name, [Sold("LATEST", [FLAT])], daily(given(name)["daily"]))
    yield Case("latest_rate_change_up", [Sold("LATEST", prices("3", "4", 2))], daily([7, 9]))
    yield Case("latest_rate_change_down", [Sold("LATEST", prices("3", "4", 2))], daily([40, 30]))
    summed = daily([int(value) for value in given("sql_hour_granularity")["day_values"].values()], "SUM")
    yield Case("sql_hour_granularity", [Sold("SUM", prices("10", "20", 15))], summed)
    yield from tiered_uses()
    yield grid()
    yield multiplied()
    yield ranged()
    anchor = {"frequency": "MONTHLY", "day": "CUSTOM_DATE", "billing_anchor_date": "2025-12-10"}
    agreed = {"starting_at": "2025-12-15", "usage_statement_schedule": anchor}
    yield Case("custom_anchor", [Sold("SUM", [FLAT])], [], agreed)
    yield from quantities()


def tiered_uses() -> Iterator[Case]:
    """12 uses of tiers that the documentation gives as sizes, and by their bounds: one use in each of 12 hours."""
    uses = [Used(january(3, hour), "COUNT") for hour in range(12)]
    yield Case("tier_total_12_uses", [Sold("COUNT", [tiers(given("tier_total_12_uses")["tiers_api"])])], uses)
    bounds = [
        {"price": one["price"]} | ({"size": one["le"] - one["gt"]} if one["le"] else {})
        for one in given("tier_bounds")["tiers"]
    ]
    yield Case("tier_bounds", [Sold("COUNT", [tiers(bounds)])], uses)


def grid() -> Case:
    """Two products priced by region and shown by org; the units of an org stand in the order R1P1 R2P1 R1P2 R2P2."""
    by = {"pricing_group_key": ["region"], "presentation_group_key": ["org"]}
    rates = [FLAT | {"pricing_group_values": {"region": region}} for region in ("r1", "r2")]
    used = [
        Used(january(3), metric, {"org": org, "region": region, "v": str(units)})
        for org, row in given("dimensional_presentation_grid")["units"].items()
        for (metric, region), units in zip(CELLS, row, strict=True)
        if units
    ]
    return Case("dimensional_presentation_grid", [Sold("SUM", rates, "p1", by), Sold("MAX", rates, "p2", by)], used)


CELLS = (("SUM", "r1"), ("SUM", "r2"), ("MAX", "r1"), ("MAX", "r2"))


def multiplied() -> Case:
    """The part of the example that holds once its commit is used up: the contract's multiplier alone."""
    name = "commit_specific_vs_contract_multiplier"
    listed = given(name)["list_usd"]
    sold = [
        Sold(metric, [FLAT | {"price": str(listed[what])}], what)
        for metric, what in (("SUM", "input"), ("MAX", "output"))
    ]
    multiplier = {
        "type": "MULTIPLIER",
        "multiplier": str(given(name)["contract_multiplier"]),
        "starting_at": "2025-12-01",
    }
    used = [Used(january(3), metric, {"v": "10"}) for metric in ("SUM", "MAX")]
    return Case(name, sold, used, {"overrides": [multiplier]})


def ranged() -> Case:
    """25 units at a list price of 1 under an override by ranges."""
    ranges = [{name: str(value) for name, value in one.items()} for one in given("override_tiered")["tiers"]]
    override = {"type": "TIERED", "tiers": ranges, "priority": 1, "starting_at": START,
                "override_specifiers": [{"product_id": "override_tiered-p"}]}  # fmt: skip
    explicit = {"multiplier_override_prioritization": "EXPLICIT", "overrides": [override]}
    return Case("override_tiered", [Sold("SUM", [FLAT])], [Used(january(3), "SUM", {"v": "25"})], explicit)


def quantities() -> Iterator[Case]:
    megabytes = given("conversion_mb_gb")
    conversion = {"conversion_factor": str(megabytes["factor"]), "operation": megabytes["op"], "name": "GB"}
    used = [Used(january(3), "SUM", {"v": str(megabytes["quantity_mb"])})]
    yield Case("conversion_mb_gb", [Sold("SUM", [FLAT], more={"quantity_conversion": conversion})], used)
    name = "proration_rounding_negative_places"
    rounding = {"rounding_method": "ROUND_HALF_UP", "decimal_places": given(name)["decimal_places"]}
    used = [Used(january(3), "SUM", {"v": str(given(name)["value"])})]
    yield Case(name, [Sold("SUM", [FLAT], more={"quantity_rounding": rounding})], used)
