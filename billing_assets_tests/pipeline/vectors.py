"""Vectors of other billing systems as cases of one company; the files name the source of each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from billing_assets_tests.pipeline.company import Case, Sold, Used, january

DATA = Path(__file__).parents[1] / "data" / "vectors"
RATING = json.loads((DATA / "rating.json").read_text())["vectors"]
VECTORS = json.loads((DATA / "aggregation_and_adjustments.json").read_text())["vectors"]
AGGREGATIONS = ("count", "sum", "max", "latest", "unique")
ROUNDING = {"round": "ROUND_HALF_UP", "ceil": "ROUND_UP", "floor": "ROUND_DOWN"}
FLAT = {"rate_type": "FLAT", "price": "1"}

FREE_UNITS = "the free units of its source end with the free events or the free amount, whichever comes first"
PER_EVENT = "its source limits the charge of each event"
STATE = "its source's recurring metrics keep units of earlier periods; here state resets at each billing period"
SKIPPED = {
    **{f"percentage-0{number}": FREE_UNITS for number in (1, 2, 5, 7, 8)},
    **{f"percentage-{number}": PER_EVENT for number in (10, 11, 12, 13, 14)},
    "charge_minimum-02": "its source has one minimum over all groups; here a minimum is of a pricing group",
    **dict.fromkeys(("sum-02", "unique-01", "unique-02"), STATE),
}
ELSEWHERE = {
    "commitment": "scenarios/minimum_spend/beside_a_fee_by_weeks.yaml",  # by months and quarters too; years are alike
    "coupon": "scenarios/discounts/coupons.yaml",
    "proration": "charges/test_subscriptions.py",
    "weighted_sum": "metering/test_vectors.py",
}
"""Kinds of vectors and where they are shown, under billing_assets_tests."""
NOT_OURS = {"prorated_in_advance"}
"""Nothing here bills usage event by event, in advance."""


def of_kind(*kinds: str) -> list[dict[str, Any]]:
    return [vector for vector in VECTORS if vector["kind"] in kinds]


def cases() -> Iterator[Case]:
    """Every vector that this project covers, skipped ones too: they must at least be billed."""
    for vector in RATING:
        quantity = [Used(january(3), "SUM", {"v": vector["quantity"]})]
        yield Case(vector["id"], [Sold("SUM", [vector["rate"]])], quantity)
    for vector in of_kind(*AGGREGATIONS):
        metric = vector["kind"].upper()
        yield Case(vector["id"], [Sold(metric, [FLAT])], list(happened(metric, vector["input"])))
    for vector in of_kind("metric_rounding"):
        yield Case(
            vector["id"], [rounded(vector["params"])], [Used(january(3), "SUM", {"v": vector["input"]["units"]})]
        )
    for vector in of_kind("percentage"):
        yield Case(vector["id"], [percentage(vector["params"])], list(payments(vector["input"])))
    for vector in of_kind("graduated_percentage"):
        happening = vector["input"]
        amount = [Used(january(3), "SUM", {"v": happening["units"]})] if happening["events_count"] else []
        yield Case(vector["id"], [Sold("SUM", [graduated(vector["params"])])], amount)
    yield minimum(next(vector for vector in VECTORS if vector["id"] == "charge_minimum-01"))


def rounded(params: dict[str, Any]) -> Sold:
    """The source's precision is 0 where it is absent."""
    method = ROUNDING.get(params["function"])
    rounding = {"rounding_method": method, "decimal_places": params["precision"] or 0}
    return Sold("SUM", [FLAT], more={"quantity_rounding": rounding} if method else {})


def percentage(params: dict[str, Any]) -> Sold:
    """The source's rate is in percent."""
    given = {
        "price": str(Decimal(params["rate"]) / 100),
        "fixed_fee": params["fixed_amount"],
        "free_events": params["free_units_per_events"],
        "free_amount": params["free_units_per_total_aggregation"],
    }
    rate = {name: value for name, value in given.items() if value is not None}
    return Sold("SUM", [{"rate_type": "PERCENTAGE"} | rate])


def graduated(params: dict[str, Any]) -> dict[str, Any]:
    """The source's rates are in percent, its ranges stated by their upper ends."""
    tiers, lower = [], Decimal(0)
    for one in params["graduated_percentage_ranges"]:
        tier = {"price": str(Decimal(one["rate"]) / 100), "flat_fee": one["flat_amount"]}
        if one["to_value"] is not None:
            upper = Decimal(str(one["to_value"]))
            tier["size"], lower = str(upper - lower), upper
        tiers.append(tier)
    return {"rate_type": "TIERED_PERCENTAGE", "tiers": tiers}


def payments(given: dict[str, Any]) -> Iterator[Used]:
    """As many events as the source has, that sum up to its units."""
    values = given.get("per_event_units") or [given["units"], *["0"] * (given["events_count"] - 1)]
    for value in values:
        yield Used(january(3), "SUM", {"v": value})


def minimum(vector: dict[str, Any]) -> Case:
    """25 of February's 28 days; the source's amounts are in cents."""
    params = vector["params"]
    rate = FLAT | {"price": str(Decimal(params["unit_price_cents"]) / 100)}
    rate |= {"minimum": str(Decimal(params["min_amount_cents"]) / 100)}
    used = [Used(january(31 + 10), "SUM", {"v": vector["input"]["units"]})]
    return Case(vector["id"], [Sold("SUM", [rate])], used, {"starting_at": "2026-02-04"})


def happened(metric: str, given: dict[str, Any]) -> Iterator[Used]:
    """The events of a vector in January; `t` counts days from the 20th, what its filter takes has area europe."""
    for _ in range(given["events"] if isinstance(given.get("events"), int) else 0):
        yield used(metric, 20, None)
    for name, area in (("events_matching", "europe"), ("events_other", "other")):
        for _ in range(given.get(name, 0)):
            yield used(metric, 20, None, area)
    for value in given.get("values", []):
        found = value if isinstance(value, dict) else {"v": value, "region": "europe"}
        yield used(metric, 20, found["v"], found["region"])
    for value in given.get("period_events", []):
        yield used(metric, 20, value["v"] if isinstance(value, dict) else value)
    for value in given.get("before_period", []):
        yield used(metric, -5, value)
    for event in given["events"] if isinstance(given.get("events"), list) else []:
        if "date" in event:
            yield used(metric, -5 if event["date"] < "2022-07-09" else 20, event["unique_id"])
        else:
            yield used(metric, 20 + event["t"], event["v"], "europe" if event.get("match", True) else "other")


def used(metric: str, day: int, value: str | None, area: str = "europe") -> Used:
    """The sources' placeholders for a random number below ten are 5."""
    text = "5" if value is not None and value.endswith("<10") else value
    return Used(january(day), metric, {"area": area} | ({} if text is None else {"v": text}))
