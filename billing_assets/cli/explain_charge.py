"""What is behind lines that are no plain usage: balances, discounts, limits, subscriptions, schedules, conversions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from billing_assets.cli.figures import moment, money, number, span
from billing_assets.cli.output import Row, records

if TYPE_CHECKING:
    from billing_assets.catalog.citing import Cited
    from billing_assets.runs.explained import Explained

COUNTED = ("usage", "subscription", "composite")
"""Lines that a minimum, a maximum and a discount look at."""

Facts = Iterator[tuple[str, str]]


def charge_facts(line: Row, lines: Sequence[Row], found: Explained, terms: dict[str, Cited]) -> Facts:
    """Label and text, by the kind of the line; what they cite of the catalog is added to `terms`."""
    yield from _balance(line, found, terms)
    if line["line_type"] != "usage":
        yield from _draws(line, found)
    match line["line_type"]:
        case "applied_commit_or_credit":
            yield from _covered(line, lines)
        case "discount":
            yield from _discount(line, lines, found, terms)
        case "minimum_adjustment" | "maximum_adjustment":
            yield from _limit(line, lines, found)
        case "subscription":
            yield from _subscription(line, found, terms)
        case "scheduled":
            yield from _scheduled(line, found, terms)
        case "composite":
            yield from _composite(line, lines, found)
        case "pricing_unit_conversion":
            yield from _conversion(line, lines, found)
        case "commit_purchase":
            yield from _purchase(line)
        case "trueup":
            yield from _trueup(line, found)
        case "rounding":
            exact = sum((one["amount"] for one in lines if one["in_total"] and one is not line), Decimal(0))
            yield "rounds", f"the lines in the total come to {number(exact)} {line['amount_unit']} exactly"
        case _:
            return


def _balance(line: Row, found: Explained, terms: dict[str, Cited]) -> Facts:
    from billing_assets.catalog.citing import cited_balance

    if line["balance_id"] is None:
        return
    balance = cited_balance(found.recorded.catalog, line["balance_id"])
    if balance is not None:
        terms["balance"] = balance
        yield "commit or credit", f"{line['balance_id']}: {balance.text}"


def _draws(line: Row, found: Explained) -> Facts:
    """What the invoice draws on the segment of the line, with the balance before and after."""
    if line["segment_id"] is None:
        return
    own = [one for one in records(found.ledger) if one["segment_id"] == line["segment_id"] and one["is_own"]]
    for one in own:
        unit = one["unit"]
        moved = f"{one['entry_type']} {money(one['amount'], unit)} {unit}"
        balance = f"balance {money(one['before'], unit)} before, {money(one['after'], unit)} after"
        yield "segment", f"{line['segment_id']}: {moved} by this invoice, {balance}"
    if not own:
        yield "segment", f"{line['segment_id']}: no entry of the ledger is this invoice's"


def _covered(line: Row, lines: Sequence[Row]) -> Facts:
    """The lines, or parts of lines, that a balance pays for."""
    keys = ("segment_id", "product_id", "origin_contract_id", "amount_unit")
    paid = [one for one in lines if one is not line and all(one[key] == line[key] for key in keys)]
    for one in paid:
        if one["line_type"] != line["line_type"]:
            yield "pays for", f"line {one['line_number']}: {money(one['amount'], one['amount_unit'])}"
    if not paid:
        yield "pays for", "lines of this product that balances cover without a price of their own"


def _family(line: Row, one: Row, by_presentation: bool) -> bool:
    keys = ["origin_contract_id", "product_id", "pricing_group_values", "amount_unit"]
    return all(one[key] == line[key] for key in [*keys, *(["presentation_group_values"] if by_presentation else [])])


def _discount(line: Row, lines: Sequence[Row], found: Explained, terms: dict[str, Cited]) -> Facts:
    from billing_assets.catalog.citing import cited_charge, contract_of

    contract = contract_of(found.recorded.catalog, line["origin_contract_id"])
    discount = cited_charge(contract, line["discount_id"]) if contract and line["discount_id"] else None
    if discount is not None:
        terms["discount"] = discount
        yield "discount", f"{discount.id}: {discount.text}"
    of = [
        one
        for one in lines
        if one["line_type"] in COUNTED
        and _family(line, one, by_presentation=True)
        and all(one[key] == line[key] for key in ("starting_at", "tier_level", "subscription_id"))
    ]
    for one in of:
        listed = one["amount"] if one["list_amount"] is None else one["list_amount"]
        yield "taken off", f"line {one['line_number']}: {money(listed, one['amount_unit'])} at list price"


def _limit(line: Row, lines: Sequence[Row], found: Explained) -> Facts:
    unit = line["amount_unit"]
    if line["product_id"] is None:
        yield from _minimum_spend(line, lines, found)
        return
    of = [one for one in lines if _family(line, one, by_presentation=False)]
    charge = sum((one["list_amount"] for one in of if one["line_type"] == "usage"), Decimal(0))
    taken = sum((one["amount"] for one in of if one["line_type"] == "discount"), Decimal(0))
    yield "charge", f"{money(charge, unit)} {unit} at list prices, {money(taken, unit)} of discounts on them"
    name = "minimum" if line["line_type"] == "minimum_adjustment" else "maximum"
    for one in records(found.limits):
        keys = ("product_id", "pricing_group_values", "amount_unit")
        is_own = one["contract_id"] == line["origin_contract_id"] and all(one[key] == line[key] for key in keys)
        if is_own and one[name] is not None:
            yield name, f"{money(one[name], unit)} {unit}, weighted by the hours in which a rate states it"


def _minimum_spend(line: Row, lines: Sequence[Row], found: Explained) -> Facts:
    from billing_assets.catalog.citing import contract_of, flow, written

    contract = contract_of(found.recorded.catalog, line["origin_contract_id"])
    if contract is not None and contract.minimum_spend is not None:
        yield "minimum spend", f"{contract.id}: {flow(written(contract.minimum_spend))}"
    start, end = line["service_period_start"], line["service_period_end"]
    yield "period", f"{span(start, end)}, {hours_between(start, end)} hours; a cut period owes its share"


def hours_between(start: Any, end: Any) -> int:
    return int((end - start).total_seconds()) // 3600


def _subscription(line: Row, found: Explained, terms: dict[str, Cited]) -> Facts:
    """Seats and proration of a fee."""
    from billing_assets.catalog.citing import cited_charge, contract_of, price_in

    contract = contract_of(found.recorded.catalog, line["origin_contract_id"])
    term = cited_charge(contract, line["subscription_id"]) if contract and line["subscription_id"] else None
    if term is not None:
        terms["subscription"] = term
        yield "subscription", f"{term.id}: {term.text}"
    start, end = line["service_period_start"], line["service_period_end"]
    steps = [
        one
        for one in records(found.steps)
        if one["subscription_id"] == line["subscription_id"] and one["period_start"] == start
    ]
    for one in steps:
        is_own = " <- this line" if one["step_at"] == line["starting_at"] else ""
        seats = f"{number(one['quantity_before'])} to {number(one['quantity_after'])} seats"
        yield "quantity", f"{seats} at {one['step_at']:%Y-%m-%d %H:%M}{is_own}"
    rate = terms.get("rate")
    listed = None if rate is None else price_in(rate.term, line["tier_level"])
    for one in steps[:1]:
        full = hours_between(one["full_start"], one["full_end"])
        charged = hours_between(line["starting_at"], end)
        price = f"{number(listed)} a full period" if listed is not None else "the rate's price"
        if listed is None or line["unit_price"] != listed:
            yield "proration", f"{price}: {number(line['unit_price'])} is for {charged} of its {full} hours"
        else:
            yield "proration", f"none: {price} of {full} hours"


def _scheduled(line: Row, found: Explained, terms: dict[str, Cited]) -> Facts:
    from billing_assets.catalog.citing import cited_charge, contract_of

    contract = contract_of(found.recorded.catalog, line["origin_contract_id"])
    term = cited_charge(contract, line["scheduled_charge_id"]) if contract and line["scheduled_charge_id"] else None
    if term is not None:
        terms["scheduled_charge"] = term
        yield "scheduled charge", f"{term.id}: {term.text}"
    yield "date", f"the schedule charges {moment(line['starting_at'])}"


def _purchase(line: Row) -> Facts:
    """When a commit is charged, and what a threshold took off its price."""
    yield "date", f"charged for {moment(line['starting_at'])}"
    listed = line["list_amount"]
    if listed is not None and listed != line["amount"]:
        yield "list price", f"{money(listed, line['amount_unit'])} {line['amount_unit']}"


def _trueup(line: Row, found: Explained) -> Facts:
    """What was committed, and which invoices drew on it before the rest is charged."""
    before = [
        one
        for one in records(found.ledger)
        if one["segment_id"] == line["segment_id"]
        and one["invoice_id"] != line["invoice_id"]
        and one["after"] is not None
    ]
    granted = sum((one["amount"] for one in before if one["invoice_id"] is None), Decimal(0))
    drawn = [one for one in before if one["invoice_id"] is not None]
    used = sum((one["amount"] for one in drawn), Decimal(0))
    for unit in sorted({one["unit"] for one in before}):
        yield "committed", f"{money(granted, unit)} {unit}; invoices drew {money(-used, unit)}, the rest is charged"
    for one in drawn:
        yield "drew", f"{one['invoice_id']}: {money(one['amount'], one['unit'])} {one['unit']} ({one['entry_type']})"


def _composite(line: Row, lines: Sequence[Row], found: Explained) -> Facts:
    import polars as pl

    chosen = found.recorded.frames.composites.filter(pl.col("product_id") == line["product_id"]).collect()
    base = set(chosen["base_product_id"]) if "base_product_id" in chosen.columns else set()
    of = [one for one in lines if one["line_type"] == "usage" and one["product_id"] in base]
    spent = sum((one["list_amount"] for one in of), Decimal(0))
    named = ", ".join(sorted(base))
    yield "base", f"spend on {named}, net of discounts and caps: {number(spent)} {line['amount_unit']} on this invoice"


def _conversion(line: Row, lines: Sequence[Row], found: Explained) -> Facts:
    from billing_assets.catalog.citing import card_of

    left = sum((one["amount"] for one in lines if one["amount_unit"] == line["unit"]), Decimal(0))
    yield "left", f"{number(left)} {line['unit']} of the lines in {line['unit']}, after what balances in it pay"
    card = card_of(found.recorded.catalog, line["rate_card_id"]) if line["rate_card_id"] else None
    if card is None:
        return
    for one in card.pricing_unit_conversions:
        if one.pricing_unit == line["unit"]:
            yield "conversion", f"{number(one.fiat_per_unit)} {line['amount_unit']} per {one.pricing_unit} on {card.id}"
