"""Golden ids: an invoice id must be the same in every release of every library."""

from __future__ import annotations

import polars as pl

from billing_assets.identity import digest, stable_id


def test_golden_values() -> None:
    ids = pl.LazyFrame({"contract": ["acme-2026", None], "regeneration": [0, 1]}).select(
        id=stable_id("inv", [pl.col("contract"), pl.col("regeneration")]), whole=digest(pl.lit("abc"))
    )
    frame = ids.collect()
    assert frame["id"].to_list() == ["inv_bb0e0b89c5006c3208caf9f0", "inv_7d0083806808a130ba901eb7"]
    assert frame["whole"][0] == "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"


def test_an_absent_part_is_not_an_empty_one() -> None:
    frame = pl.LazyFrame({"a": [None, ""]}).select(id=stable_id("x", [pl.col("a")])).collect()
    assert frame["id"].n_unique() == 2
