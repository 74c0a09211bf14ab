"""The generator of books: valid catalogs, everything is reached, books do not disturb each other, order is nothing."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from billing_assets_tests.oracle import strategies
from billing_assets_tests.oracle.exact import exact, group_text
from billing_assets_tests.oracle.ingest import instant
from billing_assets_tests.oracle.oracle import Batch, Result, bill
from billing_assets_tests.oracle.terms import covers, map_text

SEEDS = range(400)


@pytest.fixture(scope="module")
def found() -> list[strategies.Book]:
    """A few hundred books."""
    return [strategies.random_book(seed) for seed in SEEDS]


@pytest.fixture(scope="module")
def result(found: list[strategies.Book]) -> Result:
    """All of them in one close."""
    return strategies.expected(found)


def instants(value: Any) -> Iterator[datetime]:
    """Every boundary of a catalog object."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("starting_at", "ending_before", "billing_anchor_date"):
                yield instant(inner)
            yield from instants(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from instants(inner)


def prices(catalog: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every price: rates and overwrite rates."""
    for card in catalog["rate_cards"]:
        yield from card["rates"]
    for contract in catalog["contracts"]:
        yield from (one["overwrite_rate"] for one in contract.get("overrides", []) if "overwrite_rate" in one)


def check_rates(catalog: dict[str, Any]) -> None:
    """Full maps of the product's keys, no two rows of a key in force at once; case 17."""
    keys = {one["id"]: sorted(one.get("pricing_group_key", [])) for one in catalog["products"]}
    for card in catalog["rate_cards"]:
        chains: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for rate in card["rates"]:
            values = map_text(rate.get("pricing_group_values"))
            assert sorted(values) == keys[rate["product_id"]]
            chains.setdefault((rate["product_id"], group_text(values)), []).append(rate)
        for chain in chains.values():
            for rate, following in pairwise(sorted(chain, key=lambda one: instant(one["starting_at"]))):
                start, turn = instant(rate["starting_at"]), instant(following["starting_at"])
                assert start < instant(rate.get("ending_before", following["starting_at"])) <= turn


def check_prices(catalog: dict[str, Any]) -> None:
    """Tiers with sizes but for the last, minimum <= maximum; cases 8 and 42."""
    for price in prices(catalog):
        assert exact(price.get("minimum", 0)) <= exact(price.get("maximum", 10**9))
        assert ("tiers" in price) == (price["rate_type"] in ("TIERED", "VOLUME", "TIERED_PERCENTAGE"))
        for tier in price.get("tiers", [])[:-1]:
            assert exact(tier["size"]) > 0


def check_overrides(catalog: dict[str, Any]) -> None:
    """Inside the contract's dates; priorities under EXPLICIT; an OVERWRITE selects products; cases 23 and 62."""
    for contract in catalog["contracts"]:
        end = contract.get("ending_before")
        for one in contract.get("overrides", []):
            assert instant(contract["starting_at"]) <= instant(one["starting_at"])
            assert end is None or instant(one["starting_at"]) < instant(end)
            if "ending_before" in one:
                assert instant(one["starting_at"]) < instant(one["ending_before"])
                assert end is None or instant(one["ending_before"]) <= instant(end)
            explicit = contract.get("multiplier_override_prioritization") == "EXPLICIT"
            assert explicit or one.get("type") != "TIERED"
            assert explicit == ("priority" in one)
            if one.get("type") == "OVERWRITE":
                assert all("product_id" in specifier for specifier in one["override_specifiers"])


def check_double_rating(catalog: dict[str, Any]) -> None:
    """Overlapping contracts have disjoint filters or disjoint products."""
    cards = {card["id"]: {rate["product_id"] for rate in card["rates"]} for card in catalog["rate_cards"]}
    for first, second in pairwise(catalog["contracts"]):
        one, other = first.get("usage_filter"), second.get("usage_filter")
        if covers(first, instant(second["starting_at"])) or covers(second, instant(first["starting_at"])):
            single = isinstance(one, dict) and isinstance(other, dict)
            apart = single and not set(one["group_values"]) & set(other["group_values"])
            assert apart or not cards[first["rate_card_id"]] & cards[second["rate_card_id"]]


def test_books_are_valid(found: list[strategies.Book]) -> None:
    """The rules of a catalog that the generator must keep; every boundary is a whole hour; plain JSON."""
    for book in [*found, *(strategies.random_book(seed, contested=True) for seed in range(100))]:
        assert all((at.minute, at.second, at.microsecond) == (0, 0, 0) for at in instants(book.catalog))
        assert json.loads(json.dumps(book.catalog)) == book.catalog
        check_rates(book.catalog)
        check_prices(book.catalog)
        check_overrides(book.catalog)
        check_double_rating(book.catalog)


def reached(result: Result) -> Counter[str]:
    """What the lines and invoices show."""
    seen: Counter[str] = Counter()
    for invoice in result.invoices.values():
        seen[invoice.status] += 1
        seen[invoice.currency] += 1
        seen.update(invoice.hold_reasons)
        for line in invoice.lines:
            sign = "-" if line.quantity < 0 else "0" if line.quantity == 0 else "+"
            seen[f"{line.line_type} {line.rate_type or ''} {'fee' if line.fee else ''}{sign}"] += 1
            seen["override"] += line.override_index is not None
            seen["overwritten"] += line.line_type == "usage" and line.rate_starting_at is None
            seen["presentation"] += line.presentation_group_values not in (None, "{}")
            seen["absent"] += "null" in (line.pricing_group_values or "")
    seen.update(key[1] for key in result.dispositions)
    return seen


def test_everything_is_generated(result: Result) -> None:
    """Every kind of line, hold and disposition occurs, each more than once."""
    wanted = [
        "FINALIZED",
        "DRAFT",
        "USD",
        "JPY",
        "KWD",
        "UNRATED_USAGE",
        "METRIC_EXCEPTIONS",
        "override",
        "overwritten",
    ]
    wanted += [f"usage {kind} {sign}" for kind in ("FLAT", "TIERED", "VOLUME") for sign in "+0-"]
    wanted += ["usage PACKAGE +", "usage PACKAGE -", "usage PERCENTAGE +", "usage TIERED fee+", "usage TIERED fee-"]
    wanted += ["usage VOLUME fee+", "usage PERCENTAGE fee+", "minimum_adjustment  +", "maximum_adjustment  +"]
    wanted += [
        "presentation",
        "absent",
        "billed",
        "unrated",
        "not_entitled",
        "no_contract",
        "no_product",
        "unattributed",
    ]
    wanted += ["excluded_by_usage_filter", "metric_exception", "no_metric", "rounding  +"]
    seen = reached(result)
    assert [name for name in wanted if seen[name] < 2] == []
    ingested = result.ingested
    assert sum(ingested.conflicting) > 20
    assert set().union(*ingested.rejected) == {"future_timestamp", "too_old", "nested_property"}


def test_books_do_not_disturb_each_other(found: list[strategies.Book], result: Result) -> None:
    """A book alone gives the invoices that it gives among all."""
    for book in found[::20]:
        for key, invoice in strategies.expected([book]).invoices.items():
            assert result.invoices[key] == invoice


def test_settings_hold(found: list[strategies.Book]) -> None:
    """The holding settings hold some invoices by their totals."""
    reasons = reached(strategies.expected(found, strategies.HOLDING))
    assert min(reasons["NEGATIVE_TOTAL"], reasons["TOTAL_OVER_LIMIT"]) > 5


def test_order_inside_a_batch_is_nothing(found: list[strategies.Book], result: Result) -> None:
    """Rows of a batch in any order."""
    catalog, batches = strategies.merge(found)
    shuffled = [Batch(one.arrived_at, random.Random(7).sample(one.events, len(one.events))) for one in batches]
    again = bill(catalog, shuffled, strategies.NOW)
    assert (again.invoices, again.dispositions) == (result.invoices, result.dispositions)


def test_equations(result: Result) -> None:
    """Lines add up to the total; rows = accepted + duplicates + rejected."""
    for invoice in result.invoices.values():
        assert sum(Fraction(line.amount) for line in invoice.lines) == invoice.total
        assert Fraction(invoice.subtotal) + Fraction(invoice.rounding) == invoice.total
    ingested = result.ingested
    for batch, rows in enumerate(ingested.rows):
        lost = ingested.duplicates[batch] + ingested.rejected[batch].total()
        assert rows == ingested.accepted[batch] + lost


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(strategies.many_books(1, 3))
def test_hypothesis_books(found: list[strategies.Book]) -> None:
    """The same generator under Hypothesis."""
    result = strategies.expected(found)
    assert len(result.ingested.events) == sum(result.ingested.accepted)


def test_minimized() -> None:
    """A book found by seed shrinks to few events while it still shows what it was found for."""

    def fails(book: strategies.Book) -> bool:
        return any(line.fee for one in strategies.expected([book]).invoices.values() for line in one.lines)

    book = next(book for seed in SEEDS if fails(book := strategies.random_book(seed)))
    small = strategies.minimized(book, fails)
    assert fails(small)
    assert sum(len(rows) for rows in small.batches) <= 1
