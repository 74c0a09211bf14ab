"""The resolved catalog: what people wrote, as rows that join."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from billing_assets.catalog import CatalogFrames, dimension_frames, load_catalog, resolve
from billing_assets.columns import DECIMAL, TIMESTAMP
from billing_assets_tests.catalog.books import BASE, book

WHOLE = Path(__file__).parent / "whole"


def frames_of(directory: Path, text: str) -> CatalogFrames:
    return resolve(book(directory, base=BASE, x=text))


def rows(frame: pl.LazyFrame, *columns: str) -> list[tuple[Any, ...]]:
    return frame.select(columns).collect().rows()


def at(day: int, month: int = 1, hour: int = 0) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


def test_an_empty_book_has_typed_frames(tmp_path: Path) -> None:
    frames = resolve(book(tmp_path, x="settings: {starting_at: 2026-01-01}\n"))
    for field in fields(frames):
        found = getattr(frames, field.name)
        assert found.collect().is_empty() if isinstance(found, pl.LazyFrame) else found == ()
    assert frames.price_tiers.collect_schema()["tier_lower"] == DECIMAL
    assert frames.contracts.collect_schema()["anchor_at"] == TIMESTAMP
    assert frames.usage_filters.collect_schema()["group_values"] == pl.List(pl.String)


def test_tiers_become_bounds(tmp_path: Path) -> None:
    frames = frames_of(
        tmp_path,
        """
rate_cards:
  - id: x
    rates: [{product_id: requests, starting_at: 2026-01-01T07:00:00Z, rate_type: TIERED,
             tiers: [{size: 1000, price: 0}, {size: 9000, price: 0.01, flat_fee: 5}, {price: 0.005}]}]
""",
    )
    tiers = frames.price_tiers.filter(pl.col("price_id") == "x/requests/{}/2026-01-01T07")
    assert rows(tiers, "tier_level", "tier_lower", "tier_upper", "price", "flat_fee") == [
        (1, None, Decimal(1000), Decimal(0), None),
        (2, Decimal(1000), Decimal(10000), Decimal("0.01"), Decimal(5)),
        (3, Decimal(10000), None, Decimal("0.005"), None),
    ]


def test_a_rate_ends_where_the_next_of_its_key_starts(tmp_path: Path) -> None:
    frames = frames_of(
        tmp_path,
        """
rate_cards:
  - id: x
    rates:
      - {product_id: tokens, pricing_group_values: {model: a}, starting_at: 2026-01-20, rate_type: FLAT, price: 3}
      - {product_id: tokens, pricing_group_values: {model: b}, starting_at: 2026-01-10, rate_type: FLAT, price: 9}
      - {product_id: tokens, pricing_group_values: {model: a}, starting_at: 2026-01-01, rate_type: FLAT, price: 1,
         ending_before: 2026-01-05}
      - {product_id: tokens, pricing_group_values: {model: a}, starting_at: 2026-01-10, rate_type: FLAT, price: 2}
""",
    )
    of_a = frames.rates.filter(rate_card_id="x", pricing_group_values='{"model":"a"}').sort("starting_at")
    assert rows(of_a, "starting_at", "ending_before") == [(at(1), at(5)), (at(10), at(20)), (at(20), None)]
    of_b = frames.rates.filter(rate_card_id="x", pricing_group_values='{"model":"b"}')
    assert rows(of_b, "rate_id", "ending_before") == [('x/tokens/{"model":"b"}/2026-01-10', None)]


@pytest.mark.parametrize(
    ("schedule", "months", "weeks", "anchor"),
    [
        ("{}", 1, 0, at(1)),
        ("{frequency: QUARTERLY}", 3, 0, at(1)),
        ("{frequency: WEEKLY}", 0, 1, at(15, hour=7)),
        ("{frequency: SEMI_ANNUAL, day: CONTRACT_START}", 6, 0, at(15, hour=7)),
        (
            "{frequency: ANNUAL, day: CUSTOM_DATE, billing_anchor_date: 2025-12-31}",
            12,
            0,
            datetime(2025, 12, 31, tzinfo=UTC),
        ),
    ],
)
def test_period_anchors(schedule: str, months: int, weeks: int, anchor: datetime, tmp_path: Path) -> None:
    frames = frames_of(
        tmp_path,
        f"contracts: [{{id: c, customer_id: globex, rate_card_alias: default, starting_at: 2026-01-15T07:00:00Z, "
        f"usage_statement_schedule: {schedule}}}]\n",
    )
    contract = frames.contracts.filter(contract_id="c")
    assert rows(contract, "rate_card_id", "frequency_months", "frequency_weeks", "anchor_at") == [
        ("standard", months, weeks, anchor)
    ]


def test_an_alias_is_resolved_at_the_start_of_the_contract(tmp_path: Path) -> None:
    frames = frames_of(
        tmp_path,
        """
rate_cards:
  - {id: old, currency: JPY, aliases: [{name: list, ending_before: 2026-02-01}]}
  - {id: new, currency: KWD, aliases: [{name: list, starting_at: 2026-02-01}]}
customers: [{id: u, name: U}]
contracts:
  - {id: c, customer_id: globex, rate_card_alias: list, starting_at: 2026-01-31T23:00:00Z}
  - {id: d, customer_id: u, rate_card_alias: list, starting_at: 2026-02-01}
""",
    )
    assert rows(frames.contracts, "contract_id", "contract_position", "rate_card_id", "currency", "minor_digits") == [
        ("acme-2026", 0, "standard", "USD", 2),
        ("c", 1, "old", "JPY", 0),
        ("d", 2, "new", "KWD", 3),
    ]


OVERRIDES = """
products:
  - {id: other, name: Other, type: USAGE, billable_metric_id: tokens, pricing_group_key: [model],
     tags: [inference, new]}
  - {id: elsewhere, name: Elsewhere, type: USAGE, billable_metric_id: requests, tags: [inference]}
contracts:
  - id: c
    customer_id: globex
    rate_card_id: standard
    starting_at: 2026-01-01
    multiplier_override_prioritization: EXPLICIT
    overrides:
      - {starting_at: 2026-01-01, type: MULTIPLIER, multiplier: 0.9, priority: 3}
      - {id: deal, starting_at: 2026-01-01, type: OVERWRITE, overwrite_rate: {rate_type: FLAT, price: 2, maximum: 7},
         override_specifiers: [{product_id: other, pricing_group_values: {model: a}}]}
      - {starting_at: 2026-01-01, entitled: false, applicable_product_tags: [new, inference]}
      - {starting_at: 2026-01-01, type: TIERED, priority: 1,
         tiers: [{size: 5, multiplier: 1}, {size: 5, multiplier: 0.5}],
         override_specifiers: [{product_tags: [inference], presentation_group_values: {region: null}},
                               {product_tags: [inference, new]}]}
"""


def test_overrides_reach_products_of_their_contract(tmp_path: Path) -> None:
    frames = frames_of(tmp_path, OVERRIDES)
    products = frames.contract_products.filter(contract_id="c")
    # `other` is not on the card, but an OVERWRITE names it; `elsewhere` has the tag, and no rate.
    assert rows(products, "product_id") == [("other",), ("requests",), ("tokens",)]
    assert rows(
        frames.override_targets, "override_id", "product_id", "pricing_group_values", "presentation_group_values"
    ) == [
        ("c/overrides/0", "other", "{}", "{}"),
        ("c/overrides/0", "requests", "{}", "{}"),
        ("c/overrides/0", "tokens", "{}", "{}"),
        ("c/overrides/2", "other", "{}", "{}"),
        ("c/overrides/2", "tokens", "{}", "{}"),
        ("c/overrides/3", "other", "{}", "{}"),
        ("c/overrides/3", "tokens", "{}", '{"region":null}'),
        ("deal", "other", '{"model":"a"}', "{}"),
    ]


def test_overrides_say_what_they_change(tmp_path: Path) -> None:
    frames = frames_of(tmp_path, OVERRIDES)
    found = frames.overrides.select("override_id", "override_type", "multiplier", "priority", "entitled", "price_id")
    assert found.collect().rows() == [
        ("c/overrides/0", "MULTIPLIER", Decimal("0.9"), 3, None, None),
        ("deal", "OVERWRITE", None, None, None, "deal"),
        ("c/overrides/2", None, None, None, False, None),
        ("c/overrides/3", "TIERED", None, 1, None, None),
    ]
    assert rows(frames.override_tiers, "range_level", "range_lower", "range_upper", "multiplier") == [
        (1, None, Decimal(5), Decimal(1)),
        (2, Decimal(5), Decimal(10), Decimal("0.5")),
    ]
    assert rows(frames.prices.filter(price_id="deal"), "rate_type", "price", "minimum", "maximum") == [
        ("FLAT", Decimal(2), None, Decimal(7))
    ]


def test_products_and_customers(tmp_path: Path) -> None:
    frames = frames_of(
        tmp_path,
        """
products:
  - {id: x, name: X, type: USAGE, billable_metric_id: tokens, pricing_group_key: [region, model], tags: [b, a],
     quantity_conversion: {conversion_factor: 1000, operation: DIVIDE, name: 1K tokens},
     quantity_rounding: {rounding_method: ROUND_UP, decimal_places: 2}}
customers: [{id: u, name: Ü, ingest_aliases: [u, v], tax_ids: [DE1], address: {country: DE, city: Köln}}]
""",
    )
    product = frames.products.filter(product_id="x")
    assert rows(product, "pricing_keys", "tags", "conversion_factor", "conversion_operation", "unit") == [
        (["model", "region"], '["a","b"]', Decimal(1000), "DIVIDE", "1K tokens")
    ]
    assert rows(product, "rounding_method", "rounding_unit") == [("ROUND_UP", Decimal("0.01"))]
    assert rows(frames.customer_aliases.filter(customer_id="u"), "customer_ref") == [("u",), ("v",)]
    assert rows(frames.customers.filter(customer_id="u"), "bill_to") == [
        ('{"address":{"city":"Köln","country":"DE"},"email":null,"name":"Ü","tax_ids":["DE1"]}',)
    ]


def test_usage_filters_start_with_their_contract(tmp_path: Path) -> None:
    frames = frames_of(
        tmp_path,
        """
rate_cards:
  - id: x
    rates: [{product_id: tokens, pricing_group_values: {model: a}, starting_at: 2026-01-01, rate_type: FLAT, price: 1}]
contracts:
  - {id: c, customer_id: globex, rate_card_id: x, starting_at: 2026-01-05,
     usage_filter: [{group_key: region, group_values: [emea, 1.0], ending_before: 2026-02-01},
                    {group_key: region, group_values: [apac], starting_at: 2026-02-01}]}
""",
    )
    assert rows(frames.usage_filters, "group_values", "starting_at", "ending_before") == [
        (["emea", "1"], at(5), at(1, 2)),
        (["apac"], at(1, 2), None),
    ]


def test_numbers_of_every_length_stay_exact(tmp_path: Path) -> None:
    price = "99999999999999999999999999.999999999999"
    frames = frames_of(
        tmp_path,
        f"rate_cards: [{{id: x, rates: [{{product_id: requests, starting_at: 2026-01-01, rate_type: PERCENTAGE, "
        f"price: {price}, fixed_fee: 1e-12, free_events: 3}}]}}]\n",
    )
    assert rows(frames.prices.filter(rate_type="PERCENTAGE"), "price", "fixed_fee", "free_events", "free_amount") == [
        (Decimal(price), Decimal("0.000000000001"), 3, None)
    ]


def test_dimensions_of_the_whole_format() -> None:
    catalog = load_catalog(WHOLE)
    tables = {name: frame.collect() for name, frame in dimension_frames(catalog).items()}
    assert {table.get_column("catalog_version").unique().item() for table in tables.values()} == {catalog.version}
    assert all(table.get_column("is_current").all() for table in tables.values())
    commits = tables["commits"].select("commit_id", "commit_type", "is_recurring", "access_amount", "invoice_amount")
    assert commits.sort("commit_id").rows() == [
        ("acme-monthly", "CREDIT", True, Decimal(30), None),
        ("acme-prepaid", "PREPAID", False, Decimal(10000), Decimal(8000)),
        ("acme-trial", "CREDIT", False, Decimal(500), None),
        ("globex-pool", "PREPAID", False, Decimal(5000), None),
        ("holding-monthly", "PREPAID", True, Decimal(30), Decimal(27)),
        ("holding-promise", "POSTPAID", False, Decimal(100), Decimal(100)),
    ]
    assert tables["rates"].height == 10
    assert tables["subscriptions"].select("initial_quantity").sum().item() == 14
    ids = ("customers.customer_id", "products.product_id", "contracts.contract_id", "rates.rate_id")
    assert all(tables[table].get_column(column).is_unique().all() for table, column in (i.split(".") for i in ids))


def test_a_product_has_a_version_for_each_span_between_updates(tmp_path: Path) -> None:
    """Of updates in any order: the name alone takes the same usage, a new key takes another; a null takes away."""
    frames = frames_of(
        tmp_path,
        """
products:
  - {id: x, name: X, type: USAGE, billable_metric_id: tokens, tags: [inference],
     quantity_conversion: {conversion_factor: 1000, operation: DIVIDE, name: K},
     updates: [{starting_at: 2026-03-01, pricing_group_key: [model], quantity_conversion: null},
               {starting_at: 2026-02-01, name: Y}]}
""",
    )
    found = frames.product_versions.filter(product_id="x").sort("product_version")
    assert rows(found, "starting_at", "ending_before", "name", "taking", "conversion_operation", "tags") == [
        (None, at(1, 2), "X", 0, "DIVIDE", '["inference"]'),
        (at(1, 2), at(1, 3), "Y", 0, "DIVIDE", '["inference"]'),
        (at(1, 3), None, "Y", 1, None, '["inference"]'),
    ]
    assert rows(frames.product_versions.filter(product_id="requests"), "has_updates", "starting_at") == [(False, None)]


def test_an_override_reaches_the_versions_that_have_its_tag(tmp_path: Path) -> None:
    frames = frames_of(
        tmp_path,
        """
products:
  - {id: x, name: X, type: USAGE, billable_metric_id: requests,
     updates: [{starting_at: 2026-02-01, tags: [sale]}, {starting_at: 2026-03-01, tags: []}]}
rate_cards: [{id: x, rates: [{product_id: x, starting_at: 2026-01-01, rate_type: FLAT, price: 1}]}]
contracts:
  - {id: x, customer_id: globex, rate_card_id: x, starting_at: 2026-01-01,
     overrides: [{type: MULTIPLIER, multiplier: 0.5, starting_at: 2026-01-01, applicable_product_tags: [sale]}]}
""",
    )
    assert rows(frames.override_targets, "product_id", "reached_from", "reached_until") == [("x", at(1, 2), at(1, 3))]
