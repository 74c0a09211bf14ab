"""The price of a unit that a balance pays for, where it is not the list price (docs/semantics.md, cases 26 and 27).

Scope: prices of the commit side are FLAT, on FLAT and TIERED list rates, so that nothing but dates cuts lines.
"""

from __future__ import annotations

from fractions import Fraction

from .balances import Balance
from .exact import exact, round12
from .rating_of_atoms import Item
from .terms import Obj, covers, map_text, override_matches, rows_of, specifier_matches, winner


def of_balance(override: Obj, balance: Balance, item: Item) -> bool:
    """A commit-specific override matches by the ids of the specifier that matches the line; case 27."""
    for one in override["override_specifiers"]:
        if not specifier_matches(one, item.product, item.pricing, item.presentation):
            continue
        ids, recurring = one.get("commit_ids"), one.get("recurring_commit_ids")
        if ids is None and recurring is None:
            return True
        if balance.terms["id"] in (recurring or [] if "access_amount" in balance.terms else ids or []):
            return True
    return False


def own_price(contract: Obj, card: Obj, item: Item, balance: Balance) -> Fraction | None:
    """The commit-side price of a usage line, None where the list price is paid."""
    if item.line_type != "usage" or item.fee:
        return None
    rows = rows_of(card, item.product["id"], map_text(item.pricing))
    rate = next((one for one in rows if covers(one, item.start)), None)
    priced = rate is not None and balance.terms.get("rate_type") == "COMMIT_RATE" and bool(rate.get("commit_rate"))
    lane = "COMMIT_RATE" if priced else "LIST_RATE"
    live = [
        one
        for one in enumerate(contract.get("overrides") or [])
        if covers(one[1], item.start) and (one[1].get("target") or "LIST_RATE") == lane
    ]
    own = [one for one in live if one[1].get("is_commit_specific") and of_balance(one[1], balance, item)]
    others = [
        one
        for one in live
        if not one[1].get("is_commit_specific")
        and override_matches(one[1], item.product, item.pricing, item.presentation)
    ]
    _, override = winner(contract, own)
    if override is None and not priced:
        return None
    if override is None:
        _, override = winner(contract, others)
    base = (rate or {}).get("commit_rate") if priced else rate
    if override is not None and override["type"] == "OVERWRITE":
        return exact(override["overwrite_rate"]["price"])
    if base is None:
        return None
    price = exact(base["price"])
    return price if override is None else round12(price * exact(override["multiplier"]))
