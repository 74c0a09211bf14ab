"""Small pools for tests of drawdown: lines and balances in few words, as frames of the catalog's columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

import polars as pl

from billing_assets.columns import DECIMAL
from billing_assets.commitments.access import BALANCE, DRAWING_LINE
from billing_assets.commitments.drawdown import Lanes, depth, drawdown
from billing_assets.commitments.order import order
from billing_assets.commitments.reach import Reach, reach

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)

Row = dict[str, Any]
SELECTORS = {
    "selector": pl.Int64(), "product_id": pl.String(), "pricing_group_values": pl.String(),
    "presentation_group_values": pl.String(), "exclude": pl.Boolean(),
}  # fmt: skip
SHARES = {"commit_id": pl.String(), "contract_id": pl.String()}
PRICES = {
    "line_key": pl.Int64(), "commit_id": pl.String(), "unit_price": DECIMAL, "rate_id": pl.String(),
    "override_id": pl.String(),
}  # fmt: skip
DISCOUNTS = {
    "line_key": pl.Int64(), "discount_id": pl.String(), "discount_type": pl.String(), "value": DECIMAL,
    "taken": DECIMAL, "discount_position": pl.Int64(),
}  # fmt: skip
PRODUCTS = ("api", "storage", "seats", "support")
ANYTHING = 0
"""The selector of a balance without restriction."""

_CONTEXT = Context(prec=80, rounding=ROUND_HALF_EVEN)


def day(number: int) -> datetime:
    return JANUARY + timedelta(days=number - 1)


def product_of(quantity: Decimal, price: Decimal) -> Decimal:
    return _CONTEXT.multiply(quantity, price).quantize(Decimal("1e-12"), context=_CONTEXT)


def line(key: int, quantity: object, price: object, **terms: Any) -> Row:
    """A usage line of `api` in January, net of nothing, in contract and pool `c`."""
    units, each = Decimal(str(quantity)), Decimal(str(price))
    amount = product_of(units, each)
    return {
        "line_key": key, "pool": "c", "draw_order": key, "invoice_id": "i", "contract_id": "c", "line_type": "usage",
        "product_id": "api", "pricing_group_values": "{}", "presentation_group_values": "{}", "is_fee": False,
        "amount_unit": "USD", "quantity": units, "unit_price": each, "amount": amount, "net": amount,
        "incurred_from": JANUARY, "incurred_to": FEBRUARY, "dated_at": FEBRUARY, "caps_lanes": False, **terms,
    }  # fmt: skip


def balance(name: str, amount: object, **terms: Any) -> Row:
    """A credit of contract and pool `c` over January."""
    held = Decimal(str(amount))
    return {
        "balance_id": name, "segment_id": f"{name}/1", "commit_id": name, "balance_type": "CREDIT",
        "access_type": "SPEND", "price_lane": "LIST", "unit": "USD", "pool": "c", "customer_id": "u",
        "contract_id": "c", "invoice_contract_id": "c", "product_id": "fixed", "name": name,
        "priority": Decimal(100), "cost": Decimal(0), "amount": held, "available": held, "starting_at": JANUARY,
        "ending_before": FEBRUARY, "rollover_fraction": None, "is_rollover": False, "selector": ANYTHING,
        "product_count": None, "value_specifier_count": 0, "contract_count": 1, "balance_position": 0,
        "seat_key": None, "seat_value": None, "drawn_after": None, "grant_type": None, **terms,
    }  # fmt: skip


def frame(rows: Iterable[Mapping[str, Any]], schema: Mapping[str, Any]) -> pl.LazyFrame:
    listed = [{name: row.get(name) for name in schema} for row in rows]
    return pl.LazyFrame(listed, schema=schema)


def everything() -> list[Row]:
    return [selector_row(ANYTHING, product) for product in PRODUCTS]


def selector_row(
    number: int, product: str, pricing: str = "{}", presentation: str = "{}", exclude: bool = False
) -> Row:
    return {
        "selector": number, "product_id": product, "pricing_group_values": pricing,
        "presentation_group_values": presentation, "exclude": exclude,
    }  # fmt: skip


def collected(held: pl.LazyFrame) -> pl.LazyFrame:
    return held.collect().lazy()


@dataclass
class Book:
    """Everything that drawdown reads; what is left out is empty."""

    lines: Sequence[Row]
    balances: Sequence[Row]
    selectors: Sequence[Row] = field(default_factory=everything)
    shares: Sequence[Row] = ()
    prices: Sequence[Row] = ()
    discounts: Sequence[Row] = ()

    def access(self) -> pl.LazyFrame:
        return order(frame(self.balances, {**BALANCE, "available": DECIMAL}))

    def line_frame(self) -> pl.LazyFrame:
        return frame(self.lines, DRAWING_LINE)

    def reach(self) -> Reach:
        return reach(
            self.line_frame(), self.access(), frame(self.selectors, SELECTORS), frame(self.shares, SHARES), collected
        )

    def lanes(self) -> Lanes | None:
        if not self.prices:
            return None
        counts = [row["line_key"] for row in self.discounts]
        most = max((counts.count(key) for key in counts), default=0)
        return Lanes(frame(self.prices, PRICES), frame(self.discounts, DISCOUNTS), most)

    def draws(self) -> pl.DataFrame:
        found = self.reach()
        ranks = depth(found).collect().item()
        drawn = drawdown(found, ranks, collected, self.lanes()).collect()
        return drawn.sort("line_key", "draw_rank")


def shown(draws: pl.DataFrame, *columns: str) -> list[tuple[Any, ...]]:
    """Rows of `draws` with decimals as plain text."""
    return [tuple(f"{cell.normalize():f}" if isinstance(cell, Decimal) else cell for cell in row)
            for row in draws.select(columns).iter_rows()]  # fmt: skip


def percentage(key: int, value: str, position: int = 0) -> Row:
    return {"line_key": key, "discount_id": f"d{position}", "discount_type": "PERCENTAGE", "value": Decimal(value),
            "taken": None, "discount_position": position}  # fmt: skip


def fixed(key: int, taken: str, position: int = 0) -> Row:
    return {"line_key": key, "discount_id": f"d{position}", "discount_type": "FIXED", "value": Decimal(taken),
            "taken": Decimal(taken), "discount_position": position}  # fmt: skip


def own_price(key: int, commit: str, price: object) -> Row:
    return {"line_key": key, "commit_id": commit, "unit_price": Decimal(str(price))}
