"""Good catalogs: exact values, the whole format, tables as sources, warnings."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from billing_assets.catalog import catalog_from_content, load_catalog
from billing_assets.catalog.overrides import EntitlementOverride
from billing_assets.catalog.rates import FlatRate
from billing_assets.errors import CatalogError
from billing_assets_tests.catalog.books import BASE, book

WHOLE = Path(__file__).parent / "whole"
CARD = """
rate_cards:
  - id: x
    rates: [{{product_id: requests, starting_at: 2026-01-01, rate_type: FLAT, price: {}}}]
"""


def price_of(directory: Path, text: str) -> Decimal:
    catalog = book(directory, base=BASE, x=CARD.format(text))
    rate = catalog.rate_cards[1].rates[0]
    assert isinstance(rate, FlatRate)
    return rate.price


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.0000025", "0.0000025"),
        ("2.5e-6", "0.0000025"),
        ('"0.0000025"', "0.0000025"),
        ("+.25", "0.25"),
        ("1e3", "1000"),
        ("-0", "0"),
        ("0.10000000000000000", "0.1"),
        ("99999999999999999999999999.999999999999", "99999999999999999999999999.999999999999"),
        ("12345678901234567.1234567891", "12345678901234567.1234567891"),
    ],
)
def test_numbers_are_exact(text: str, value: str, tmp_path: Path) -> None:
    assert price_of(tmp_path, text) == Decimal(value)


def test_spellings_of_a_number_are_one_version(tmp_path: Path) -> None:
    versions = {
        book(tmp_path / str(n), base=BASE, x=CARD.format(text)).version
        for n, text in enumerate(["0.0000025", "2.5e-6", '"0.0000025"', "25E-7", "0.00000250"])
    }
    assert len(versions) == 1


def test_dates_are_midnight_and_offsets_become_utc(tmp_path: Path) -> None:
    contract = (
        "contracts: [{{id: c, customer_id: globex, rate_card_id: standard, "
        "starting_at: 2026-01-01, ending_before: {}}}]\n"
    )
    for n, (text, hour) in enumerate(
        [("2026-02-01", 0), ("2026-02-01T09:00:00+02:00", 7), ('"2026-02-01T07:00:00Z"', 7)]
    ):
        catalog = book(tmp_path / str(n), base=BASE, x=contract.format(text))
        assert catalog.contracts[1].ending_before == datetime(2026, 2, 1, hour, tzinfo=UTC)


def test_group_values_are_canonical_text(tmp_path: Path) -> None:
    catalog = book(
        tmp_path,
        base=BASE,
        x="""
rate_cards:
  - id: x
    rates:
      - {product_id: tokens, pricing_group_values: {model: 1.0}, starting_at: 2026-01-01, rate_type: FLAT, price: 1}
      - {product_id: tokens, pricing_group_values: {model: "1.0"}, starting_at: 2026-01-01, rate_type: FLAT, price: 1}
      - {product_id: tokens, pricing_group_values: {model: true}, starting_at: 2026-01-01, rate_type: FLAT, price: 1}
      - {product_id: tokens, pricing_group_values: {model: null}, starting_at: 2026-01-01, rate_type: FLAT, price: 1}
      - {product_id: tokens, pricing_group_values: {model: ""}, starting_at: 2026-01-01, rate_type: FLAT, price: 1}
""",
    )
    values = {rate.pricing_group_values["model"] for rate in catalog.rate_cards[1].rates}
    assert values == {"1", "1.0", "true", None, ""}


def test_settings(tmp_path: Path) -> None:
    text = BASE.replace(
        "currency: USD", "currency: EUR, grace_period: 36h, backdating_window: none, hold_total_over: 1e6"
    )
    settings = book(tmp_path, base=text).settings
    assert settings.grace_period == timedelta(hours=36)
    assert settings.backdating_window is None
    assert settings.dedupe_window is None
    assert settings.hold_total_over == Decimal(1_000_000)
    assert settings.late_usage_window == timedelta(days=90)


def test_the_whole_format_is_understood() -> None:
    catalog = load_catalog(WHOLE)
    assert catalog_from_content(catalog.content) == catalog
    holding = next(contract for contract in catalog.contracts if contract.id == "holding-2026")
    assert isinstance(holding.overrides[0], EntitlementOverride)
    assert [warning.path for warning in catalog.warnings] == ["contracts[0].minimum_spend"]


def test_models_are_frozen(tmp_path: Path) -> None:
    product = book(tmp_path, base=BASE).products[0]
    with pytest.raises(ValueError, match="frozen"):
        product.name = "Other"  # type: ignore[misc]


def test_double_rating_may_be_allowed(tmp_path: Path) -> None:
    text = BASE.replace("currency: USD", "allow_double_rating: true")
    second = "contracts: [{id: c, customer_id: acme, rate_card_id: standard, starting_at: 2026-02-01}]\n"
    (warning,) = book(tmp_path, base=text, x=second).warnings
    assert warning.file == "x.yaml"
    assert warning.message.startswith("double_rating")


def test_contracts_with_disjoint_filters_or_dates_do_not_rate_twice(tmp_path: Path) -> None:
    catalog = book(
        tmp_path,
        base=BASE,
        x="""
rate_cards:
  - id: x
    rates: [{product_id: tokens, pricing_group_values: {model: a}, starting_at: 2026-01-01, rate_type: FLAT, price: 1}]
contracts:
  - {id: a, customer_id: globex, rate_card_id: x, starting_at: 2026-01-01, ending_before: 2026-03-01,
     usage_filter: {group_key: region, group_values: [emea, 1]}}
  - {id: b, customer_id: globex, rate_card_id: x, starting_at: 2026-02-01, ending_before: 2026-04-01,
     usage_filter: [{group_key: region, group_values: [apac], ending_before: 2026-03-01}]}
  - {id: c, customer_id: globex, rate_card_id: x, starting_at: 2026-04-01}
""",
    )
    assert len(catalog.contracts) == 4


def test_minimum_spend_with_a_postpaid_commit_and_one_without_end_are_warned_about(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(BASE)
    (tmp_path / "x.yaml").write_text(
        """
contracts:
  - id: c
    customer_id: globex
    rate_card_id: standard
    starting_at: 2026-01-01
    minimum_spend: {amount: 5}
    commits: [{id: p, type: POSTPAID, product_id: fee, access_schedule: [{amount: 1, starting_at: 2026-01-01}]}]
"""
    )
    promise, spend = sorted(load_catalog(tmp_path).warnings, key=lambda warning: warning.path)
    assert (promise.line, promise.path) == (8, "contracts[0].commits[0].access_schedule[0].ending_before")
    assert (spend.file, spend.line, spend.path) == ("x.yaml", 7, "contracts[0].minimum_spend")


def test_anchors_and_merges_of_yaml(tmp_path: Path) -> None:
    catalog = book(
        tmp_path,
        base=BASE,
        x="""
products:
  - &first {id: x, name: X, type: USAGE, billable_metric_id: requests, tags: [a]}
  - {<<: *first, id: y, name: Y}
""",
    )
    found = [product for product in catalog.products if product.id in "xy"]
    assert [(product.name, product.tags) for product in found] == [("X", ("a",)), ("Y", ("a",))]


CONTRACTS = [
    {
        "id": f"c{n}",
        "customer_id": f"u{n}",
        "rate_card_id": "standard",
        "starting_at": "2026-01-01",
        "overrides": [
            {
                "starting_at": "2026-02-01",
                "type": "MULTIPLIER",
                "multiplier": 0.9,
                "override_specifiers": [{"product_id": "tokens", "pricing_group_values": {"model": None}}],
            }
        ],
    }
    for n in range(3)
]
CUSTOMERS = [{"id": f"u{n}", "name": f"U {n}", "address": {"country": "DE"}} for n in range(3)]


def json_lines(rows: list[dict[str, object]]) -> str:
    return "".join(f"{json.dumps(row)}\n" for row in rows)


def version_of(directory: Path) -> str:
    return load_catalog(directory).version


def test_json_lines_and_parquet_are_the_same_catalog_as_yaml(tmp_path: Path) -> None:
    for kind in ("yaml", "jsonl", "parquet"):
        (tmp_path / kind / "books").mkdir(parents=True)
        (tmp_path / kind / "base.yaml").write_text(BASE)
    # JSON is YAML.
    (tmp_path / "yaml" / "x.yaml").write_text(json.dumps({"contracts": CONTRACTS, "customers": CUSTOMERS}))
    (tmp_path / "jsonl" / "books" / "contracts.jsonl").write_text(json_lines(CONTRACTS))
    (tmp_path / "jsonl" / "customers.jsonl").write_text(json_lines(CUSTOMERS))
    rows = [{**row, "overrides": json.dumps(row["overrides"]), "name": None} for row in CONTRACTS]
    pl.DataFrame(rows, schema_overrides={"name": pl.String}).write_parquet(tmp_path / "parquet" / "contracts.parquet")
    pl.DataFrame(CUSTOMERS).write_parquet(tmp_path / "parquet" / "customers.parquet")
    assert version_of(tmp_path / "jsonl") == version_of(tmp_path / "yaml") == version_of(tmp_path / "parquet")


def test_parquet_numbers_are_decimals_or_text_never_floats(tmp_path: Path) -> None:
    def card(price: pl.Series) -> Path:
        rates = pl.DataFrame({"product_id": ["requests"], "starting_at": [datetime(2026, 1, 1, tzinfo=UTC)]})
        rates = rates.with_columns(price.alias("price"), rate_type=pl.lit("FLAT"))
        cards = pl.DataFrame({"id": ["x"]}).with_columns(rates=pl.Series([rates.to_struct()]))
        cards.write_parquet(tmp_path / "rate_cards.parquet")
        return tmp_path

    (tmp_path / "base.yaml").write_text(BASE)
    exact = [pl.Series([Decimal("0.25")]), pl.Series(["2.5e-1"])]
    versions = {version_of(card(price)) for price in exact}
    assert len(versions) == 1
    with pytest.raises(CatalogError, match=r"rate_cards.parquet:1: .*price: found the float 0\.25"):
        load_catalog(card(pl.Series([0.25])))


def test_many_contracts_load_from_json_lines(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(BASE)
    many = range(2_000)
    (tmp_path / "customers.jsonl").write_text(json_lines([{"id": f"u{n}", "name": "U"} for n in many]))
    contracts = [{**CONTRACTS[0], "id": f"c{n}", "customer_id": f"u{n}"} for n in many]
    (tmp_path / "contracts.jsonl").write_text(json_lines(contracts))
    catalog = load_catalog(tmp_path)
    assert len(catalog.contracts) == 2_001
