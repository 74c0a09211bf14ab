"""Charges from a catalog as people write it, through its frames (cases 0.21, 34, 37)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from billing_assets import charges
from billing_assets.catalog import CatalogFrames, load_catalog
from billing_assets.catalog.frames import resolve
from billing_assets.columns import TIMESTAMP
from billing_assets.rating.subscriptions import subscription_prices
from billing_assets_tests.charges.book import at, read

BOOK = """
settings: {starting_at: 2026-01-01, currency: USD}
billable_metrics: [{id: calls, aggregation_type: COUNT, group_keys: [[user]]}]
products:
  - {id: calls, name: Calls, type: USAGE, billable_metric_id: calls, presentation_group_key: [user]}
  - {id: seats, name: Seats, type: SUBSCRIPTION}
  - {id: fee, name: Fee, type: FIXED}
rate_cards:
  - id: card
    rates:
      - {product_id: seats, billing_frequency: MONTHLY, starting_at: 2026-01-01, rate_type: FLAT, price: 20}
      - {product_id: seats, billing_frequency: ANNUAL, starting_at: 2026-01-01, rate_type: FLAT, price: 200}
customers: [{id: acme, name: Acme}]
contracts:
  - id: c
    customer_id: acme
    rate_card_id: card
    starting_at: 2026-01-01
    overrides:
      - {starting_at: 2026-01-01, type: MULTIPLIER, multiplier: 0.5, override_specifiers: [{billing_frequency: ANNUAL}]}
    subscriptions:
      - id: team
        product_id: seats
        billing_frequency: MONTHLY
        initial_quantity: 10
        quantity_updates:
          - {starting_at: 2026-01-01, quantity: 12}
          - {starting_at: 2026-01-01, quantity_delta: -1}
          - {starting_at: 2026-01-17, quantity_delta: 2}
      - id: named
        product_id: seats
        billing_frequency: ANNUAL
        quantity_management_mode: SEAT_BASED
        seat_config: {seat_group_key: user, initial_seat_ids: [ann], initial_unassigned_seats: 1}
        quantity_updates:
          - {starting_at: 2026-01-10, add_seat_ids: [bob]}
          - {starting_at: 2026-01-17, add_seat_ids: [cyd], remove_seat_ids: [ann]}
    recurring_credits:
      - {id: each, product_id: fee, starting_at: 2026-01-01, access_amount: {unit_price: 31, quantity: 1},
         subscription_config: {subscription_id: named, allocation: INDIVIDUAL, is_prorated: true}}
    recurring_commits:
      - {id: pool, product_id: fee, starting_at: 2026-01-15, access_amount: {unit_price: 31, quantity: 2},
         invoice_amount: {unit_price: 62, quantity: 1}, proration: FIRST}
    scheduled_charges:
      - {id: setup, product_id: fee, schedule: {schedule_items: [{timestamp: 2026-01-05, unit_price: 5, quantity: 3}]}}
"""


def frames(directory: Path) -> CatalogFrames:
    (directory / "book.yaml").write_text(BOOK)
    return resolve(load_catalog(directory))


NO_FEES = pl.LazyFrame(schema=charges.FEE)


def january() -> pl.LazyFrame:
    schema = {"contract_id": pl.String(), "since": TIMESTAMP, "horizon": TIMESTAMP}
    return pl.LazyFrame([("c", at("2026-01-01"), at("2026-01-31"))], schema=schema, orient="row")


def subscription_charges(found: CatalogFrames) -> list[tuple[Any, ...]]:
    periods = charges.subscription_periods(found, january(), NO_FEES)
    prices = subscription_prices(periods, found.charge_rates, found)
    lines = charges.subscription_lines(periods, prices, found, NO_FEES)
    return read(lines, "subscription_id", "placed_at", "quantity", "unit_price", "name")


def test_subscriptions(tmp_path: Path) -> None:
    assert subscription_charges(frames(tmp_path)) == [
        ("named", "2026-01-01", "2", "100", "Seats"),
        ("team", "2026-01-01", "11", "20", "Seats"),
        ("team", "2026-01-17", "2", "20", "Seats"),
    ]


def test_balances_and_what_they_cost(tmp_path: Path) -> None:
    found = frames(tmp_path)
    recurring = charges.recurrences(found, january())
    access = pl.concat([charges.recurring_access(recurring), charges.seat_access(recurring, found)], how="diagonal")
    assert read(access, "segment_id", "seat_key", "seat_value", "amount") == [
        ("each@2026-01-01/ann", "user", "ann", "31"),
        ("each@2026-01-01/bob", "user", "bob", "22"),  # Jan 10 to Feb 1: 22 of 31 days
        ("each@2026-01-01/cyd", "user", "cyd", "15"),
        ("pool@2026-01-15/1", None, None, "34"),  # 62 x 17/31
    ]
    assert read(charges.purchase_lines(found, recurring, january()), "balance_id", "placed_at", "amount") == [
        ("pool@2026-01-15", "2026-01-15", "34")
    ]


def test_scheduled_charges(tmp_path: Path) -> None:
    lines = charges.scheduled_lines(frames(tmp_path), january())
    assert read(lines, "scheduled_charge_id", "placed_at", "quantity", "amount") == [("setup", "2026-01-05", "1", "15")]
