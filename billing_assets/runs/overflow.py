"""A number too large for the books, said so that a person finds it: which events and which prices are the largest."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

import polars as pl

from billing_assets.catalog import Catalog, resolve
from billing_assets.errors import Overflow
from billing_assets.storage.lake import Lake

NAMED = 3
NEXT = "Correct the price, or keep such events out by a filter of their metric; then run the same command again."
Given = ParamSpec("Given")
Result = TypeVar("Result")


def naming_overflows(
    run: Callable[Concatenate[Lake, Catalog, Given], Result],
) -> Callable[Concatenate[Lake, Catalog, Given], Result]:
    """`run`, whose Overflow names the values of events and the prices that are the largest of all."""

    @wraps(run)
    def named(lake: Lake, catalog: Catalog, /, *given: Given.args, **named_too: Given.kwargs) -> Result:
        try:
            return run(lake, catalog, *given, **named_too)
        except Overflow as error:
            found = [*largest_values(lake), *largest_prices(catalog)]
            raise Overflow("\n  ".join([f"{error}; nothing became final. The largest are", *found, NEXT])) from error

    return named


def largest_values(lake: Lake) -> list[str]:
    """A line per event whose number, of those that metrics read, is among the largest."""
    events = lake.scan("events")
    numbers = [name for name in events.collect_schema() if name.startswith("number_")]
    about = ("transaction_id", "customer_ref", "timestamp")
    per_number = [
        events.select(*about, property=pl.lit(name.removeprefix("number_")), value=pl.col(name).abs()).bottom_k(
            NAMED, by="value", reverse=True
        )
        for name in numbers
    ]
    if not per_number:
        return []
    found = lake.collect(pl.concat(per_number).drop_nulls("value").sort("value", descending=True).head(NAMED))
    return [
        f"{row['property']} {row['value']:f} in transaction {row['transaction_id']} of {row['customer_ref']}, "
        f"{row['timestamp']:%Y-%m-%dT%H:%M:%SZ}"
        for row in found.iter_rows(named=True)
    ]


def largest_prices(catalog: Catalog) -> list[str]:
    """A line per price, by the id of its rate or override, that is among the largest."""
    frames = resolve(catalog)
    prices = pl.concat([frames.prices.select("price_id", "price"), frames.price_tiers.select("price_id", "price")])
    found = prices.drop_nulls().group_by("price_id").agg(pl.col("price").abs().max())
    top = found.sort("price", "price_id", descending=True).head(NAMED).collect()
    return [f"price {row['price']:f} of {row['price_id']}" for row in top.iter_rows(named=True)]
