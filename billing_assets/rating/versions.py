"""Versions of products in rating: which keys a group belongs to, and what a product is called when a line is made."""

from __future__ import annotations

import polars as pl

from billing_assets.group_values import entries

VERSION = ("product_id", "product_version")

_NAME = r'^("(?:[^"\\]|\\.)*"):'


def key_names(values: pl.Expr) -> pl.Expr:
    """The keys of a combination of group values, as `"model","region"`; compares with the names of a version."""
    return entries(values).list.eval(pl.element().str.extract(_NAME, 1)).list.join(",")


def version_claims(situations: pl.LazyFrame, versions: pl.LazyFrame) -> pl.LazyFrame:
    """Grain (situation, version of its product that is priced by its keys): the version's dates, product_version.

    Only of products with updates: where none of their versions claims an hour, the situation is superseded there.
    """
    dated = versions.filter("has_updates").select(*VERSION, "pricing_names", "starting_at", "ending_before")
    keyed = situations.join(dated.select("product_id").unique(), on="product_id", how="semi").select(
        "situation", "product_id", pricing_names=key_names(pl.col("pricing_group_values"))
    )
    return keyed.join(dated, on=["product_id", "pricing_names"]).drop("product_id", "pricing_names")


def of_shown_keys(segments: pl.LazyFrame, versions: pl.LazyFrame) -> pl.LazyFrame:
    """`segments` superseded as well where the product's version shows usage by other keys than the group's."""
    dated = versions.filter("has_updates").select(*VERSION, "presentation_names")
    # Null where the product has no updates, so that the keys of a million groups are not looked for.
    looked_at = pl.when(pl.col("presentation_names").is_not_null()).then(pl.col("presentation_group_values"))
    other = (key_names(looked_at) != pl.col("presentation_names")).fill_null(value=False)
    return (
        segments.join(dated, on=VERSION, how="left")
        .with_columns(is_other=other)
        .with_columns(
            segment_status=pl.when("is_other").then(pl.lit("superseded")).otherwise("segment_status"),
            **{
                name: pl.when(~pl.col("is_other")).then(name)
                for name in ("product_version", "rate_id", "override_id", "override_type", "price_id")
            },
        )
        .drop("presentation_names", "is_other")
    )


def at_the_end(periods: pl.LazyFrame, versions: pl.LazyFrame) -> pl.LazyFrame:
    """`periods`, which have product_id and period_end, with the product as it is in the period's last hour."""
    start, end, at = pl.col("version_start"), pl.col("version_end"), pl.col("period_end")
    dated = versions.rename({"starting_at": "version_start", "ending_before": "version_end"})
    in_force = (start.is_null() | (start < at)) & (end.is_null() | (at <= end))
    return periods.join(dated, on="product_id").filter(in_force).drop("version_start", "version_end")
