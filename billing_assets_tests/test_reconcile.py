"""Invariants over stored tables: what they must survive."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import polars as pl
from deltalake import write_deltalake

from billing_assets.columns import DECIMAL
from billing_assets.reconcile import line_arithmetic

LARGE = Decimal(10**15)


def test_lines_are_multiplied_row_by_row_not_by_the_extremes_of_their_file(tmp_path: Path) -> None:
    """The smallest quantity times the smallest price of a file does not fit; no line has that product."""
    rows = [
        {"quantity": -LARGE, "unit_price": Decimal(1), "amount": -LARGE},
        {"quantity": Decimal(1), "unit_price": -LARGE, "amount": -LARGE},
        {"quantity": Decimal(2), "unit_price": Decimal(3), "amount": Decimal(7)},
        {"quantity": None, "unit_price": None, "amount": Decimal(5)},
    ]
    names = ("quantity", "unit_price", "amount")
    lines = pl.DataFrame(rows, schema=dict.fromkeys(names, DECIMAL)).with_row_index("line_item_id")
    about = lines.with_columns(
        pl.col("line_item_id").cast(pl.String), invoice_id=pl.lit("i"), line_type=pl.lit("usage"),
        segment_id=pl.lit(None, dtype=pl.String),
    )  # fmt: skip
    write_deltalake(tmp_path, about)
    found = line_arithmetic(pl.scan_delta(tmp_path)).collect()
    assert found["line_item_id"].to_list() == ["2"]
