"""The ledger's part of a seal: opening + movements = closing, per unit."""

from __future__ import annotations

from decimal import Decimal

import polars as pl

from billing_assets.columns import DECIMAL
from billing_assets.runs.seals import ledger_totals, movements

ROWS = [
    ("2026-01", "USD", "GRANT", "100"),
    ("2026-01", "USD", "DEDUCTION", "-30.5"),
    ("2026-02", "USD", "DEDUCTION", "-9.5"),
    ("2026-02", "USD", "DEDUCTION", "-10"),
    ("2026-02", "ai-credits", "GRANT", "7"),
    ("2026-03", "USD", "EXPIRATION", "-50"),
]


def test_opening_and_movements_give_the_closing_balance() -> None:
    moved = [(month, unit, kind, Decimal(amount)) for month, unit, kind, amount in ROWS]
    entries = pl.LazyFrame(
        moved,
        schema={"close_month": pl.String, "unit": pl.String, "entry_type": pl.String, "amount": DECIMAL},
        orient="row",
    )
    zeros = "0" * 12
    assert ledger_totals(movements(entries).collect(), "2026-02") == {
        "opening": {"USD": f"69.5{zeros[1:]}"},
        "movements": {"USD": {"DEDUCTION": f"-19.5{zeros[1:]}"}, "ai-credits": {"GRANT": f"7.{zeros}"}},
        "closing": {"USD": f"50.{zeros}", "ai-credits": f"7.{zeros}"},
    }
