"""Generated pools: lines of every type, balances of every kind, shares, prices of commits, discounts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from billing_assets_tests.commitments import reference
from billing_assets_tests.commitments.book import (
    PRODUCTS,
    Book,
    Row,
    balance,
    day,
    fixed,
    line,
    own_price,
    percentage,
    selector_row,
)

CONTRACTS = {"c": "p", "d": "p", "e": "q"}
PRICES = ("0", "0.5", "1", "2", "3", "0.07", "1.000000000001", "7", "0.333333333333")
VALUES = ("{}", '{"m":"x"}', '{"m":"y"}', '{"m":null}', '{"m":"x","r":"a,\\"b\\":1"}')
LINE_TYPES = ("usage",) * 6 + ("minimum_adjustment", "subscription", "composite", "scheduled", "late_usage")
DAYS = st.integers(1, 6)


def decimals(low: int, high: int) -> st.SearchStrategy[Decimal]:
    whole = st.integers(low, high).map(Decimal)
    return st.one_of(
        whole, whole, st.integers(low * 10**12, high * 10**12).map(lambda units: Decimal(units).scaleb(-12))
    )


@st.composite
def lines(draw: st.DrawFn, key: int) -> Row:
    contract = draw(st.sampled_from(sorted(CONTRACTS)))
    start = draw(DAYS)
    return line(
        key, draw(decimals(-5, 40)), draw(st.sampled_from(PRICES)),
        contract_id=contract, pool=CONTRACTS[contract], line_type=draw(st.sampled_from(LINE_TYPES)),
        product_id=draw(st.sampled_from(PRODUCTS[:2])), is_fee=draw(st.sampled_from((False, False, True))),
        pricing_group_values=draw(st.sampled_from(VALUES)),
        presentation_group_values=draw(st.sampled_from((*VALUES, None))),
        amount_unit=draw(st.sampled_from(("USD", "USD", "USD", "ai"))), incurred_from=day(start),
        incurred_to=day(start + draw(st.integers(1, 2))),
        dated_at=day(draw(st.integers(8, 9))), caps_lanes=draw(st.sampled_from((False, False, False, True))),
    )  # fmt: skip


@st.composite
def balances(draw: st.DrawFn, number: int) -> Row:
    contract = draw(st.sampled_from(sorted(CONTRACTS)))
    is_units, start = draw(st.sampled_from((False, False, True))), draw(DAYS)
    shared = draw(st.booleans())
    return balance(
        f"b{number}", draw(decimals(0, 60)), pool=CONTRACTS[contract],
        contract_id=draw(st.sampled_from((contract, None))) if shared else contract,
        contract_count=2 if shared else 1, access_type="QUANTITY" if is_units else "SPEND",
        unit="quantity:api" if is_units else draw(st.sampled_from(("USD", "USD", "USD", "ai"))),
        balance_type=draw(st.sampled_from(("PREPAID", "CREDIT", "POSTPAID"))),
        is_rollover=draw(st.sampled_from((False, False, True))),
        priority=draw(st.sampled_from((Decimal(1), Decimal(100)))),
        starting_at=day(start), ending_before=draw(st.sampled_from((None, day(start + 2), day(start + 9)))),
        drawn_after=draw(st.sampled_from((None, None, None, day(8)))),
        selector=draw(st.integers(0, 3)), balance_position=number,
        **draw(st.sampled_from(({}, {}, {}, {"seat_key": "m", "seat_value": "x"}))),
    )  # fmt: skip


SELECTOR_ROWS = st.builds(
    selector_row, st.integers(1, 3), st.sampled_from(PRODUCTS[:2]), st.sampled_from(VALUES[:4]),
    st.sampled_from(("{}", *VALUES[:3])), st.sampled_from((False, False, False, True)),
)  # fmt: skip


@st.composite
def discounts(draw: st.DrawFn, row: Row) -> list[Row]:
    """Up to three discounts of a line."""
    found: list[Row] = []
    for position in range(draw(st.integers(0, 3))):
        if draw(st.booleans()):
            found.append(
                percentage(row["line_key"], draw(st.sampled_from(("0.1", "0.25", "0.333333333333"))), position)
            )
        else:
            found.append(fixed(row["line_key"], str(draw(st.integers(0, 9))), position))
    return found


def netted(row: Row, found: list[Row]) -> Row:
    return {**row, "net": reference.as_decimal(reference.Line(row, list(found)).rest())}


@st.composite
def books(draw: st.DrawFn) -> Book:
    rows = [draw(lines(key)) for key in range(draw(st.integers(1, 7)))]
    held = [draw(balances(number)) for number in range(draw(st.integers(1, 5)))]
    off = {row["line_key"]: draw(discounts(row)) for row in rows if row["quantity"] > 0}
    own: list[Row] = []
    for row in rows if draw(st.booleans()) else []:
        own += [own_price(row["line_key"], one["commit_id"], draw(st.sampled_from(PRICES)))
                for one in held if draw(st.booleans())]  # fmt: skip
    shares = [{"commit_id": one["commit_id"], "contract_id": name} for one in held for name, pool in CONTRACTS.items()
              if one["contract_count"] > 1 and pool == one["pool"] and draw(st.booleans())]  # fmt: skip
    every: dict[str, Any] = {
        "selectors": [*(selector_row(0, product) for product in PRODUCTS), *draw(st.lists(SELECTOR_ROWS, max_size=6))],
        "shares": shares,
        "prices": own,
        "discounts": [one for found in off.values() for one in found],
    }
    return Book([netted(row, off.get(row["line_key"], [])) for row in rows], held, **every)
