"""Lines to drafts to final invoices: sums, rounding, order, holds, numbers."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest

from billing_assets.columns import DECIMAL, TIMESTAMP
from billing_assets.invoicing.consolidation import on_invoices
from billing_assets.invoicing.drafts import NOT_HELD, HoldPolicy, draft_invoices, with_predecessors
from billing_assets.invoicing.finalize import NUMBER_FORMAT, Watermarks, due, numbered, stamped
from billing_assets.invoicing.headers import invoices_of_periods, usage_invoices
from billing_assets.invoicing.invariants import altered_contents, invoice_sums, line_numbers, number_gaps
from billing_assets.invoicing.lines import line_items, of_periods
from billing_assets.money import ZERO

START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
NOW = datetime(2026, 2, 3, tzinfo=UTC)


def periods(*contracts: str, digits: int = 2, skip_zero: bool = False) -> pl.LazyFrame:
    rows = [
        {
            "contract_id": contract,
            "payer_contract_id": contract,
            "customer_id": "acme",
            "currency": "USD",
            "minor_digits": digits,
            "net_payment_terms_days": 30,
            "skip_zero_invoices": skip_zero,
            "metric_exception_tolerance": 0,
            "period_start": START,
            "period_end": END,
            "regeneration": 0,
        }
        for contract in contracts
    ]
    return pl.LazyFrame(rows, schema_overrides={"period_start": TIMESTAMP, "period_end": TIMESTAMP})


def line(contract: str, amount: str, **columns: object) -> dict[str, object]:
    value = Decimal(amount)
    row: dict[str, object] = {
        "contract_id": contract,
        "customer_id": "acme",
        "currency": "USD",
        "minor_digits": 2,
        "period_start": START,
        "period_end": END,
        "line_type": "usage",
        "product_id": "tokens",
        "name": "Tokens",
        "pricing_group_values": "{}",
        "presentation_group_values": "{}",
        "rate_id": "r",
        "override_id": None,
        "tier_level": None,
        "tier_lower": None,
        "is_fee": False,
        "quantity": Decimal(1),
        "unit": "tokens",
        "unit_price": value,
        "amount": value,
        "starting_at": START,
        "ending_before": END,
    }
    return row | columns


def frame(*rows: dict[str, object]) -> pl.LazyFrame:
    types = {
        **dict.fromkeys(("quantity", "unit_price", "amount", "tier_lower"), DECIMAL),
        **dict.fromkeys(("starting_at", "ending_before", "period_start", "period_end"), TIMESTAMP),
        **dict.fromkeys(("override_id", "presentation_group_values"), pl.String),
        "tier_level": pl.Int64,
    }
    return pl.LazyFrame(rows or [line("none", "0")], schema_overrides=types).filter(pl.col("contract_id") != "none")


def held(*contracts: str) -> pl.LazyFrame:
    rows = {"contract_id": list(contracts), "period_start": [START] * len(contracts)}
    return pl.LazyFrame(rows, schema={"contract_id": pl.String, "period_start": TIMESTAMP})


def exceptions(**counts: int) -> pl.LazyFrame:
    return held(*counts).with_columns(exception_count=pl.Series(list(counts.values()), dtype=pl.Int64))


def drafted(
    headers: pl.LazyFrame, lines: pl.LazyFrame, policy: HoldPolicy | None = None, **held_by: pl.LazyFrame
) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    customers = pl.LazyFrame({"customer_id": ["acme"], "bill_to": ["{}"]})
    billed = on_invoices(headers)
    with_dates = usage_invoices(billed, customers, timedelta(hours=24))
    on = invoices_of_periods(billed, with_dates)
    items = line_items(of_periods(lines, on), with_dates)
    unrated = held_by.get("unrated", held()).join(on, on=["contract_id", "period_start"])
    excepted = held_by.get("exceptions", exceptions()).join(on, on=["contract_id", "period_start"])
    nothing = pl.LazyFrame(schema={"invoice_id": pl.String})
    sealed, policy = ("2025-12",), policy or HoldPolicy()
    with_dates = with_dates.with_columns(segment_id=pl.lit(None, dtype=pl.String))
    return draft_invoices(with_dates, items, unrated, excepted, nothing, sealed, policy), items


def test_lines_add_up_to_the_total_through_a_rounding_line() -> None:
    invoices, items = drafted(periods("c"), frame(line("c", "1.005"), line("c", "2.001", product_id="x", name="A")))
    invoice = invoices.collect().row(0, named=True)
    assert invoice["subtotal"] == Decimal("3.006")
    assert invoice["rounding"] == Decimal("0.004")
    assert invoice["total"] == Decimal("3.01")
    assert items.select("line_number", "name").collect().rows() == [(1, "A"), (2, "Tokens"), (3, "Rounding")]
    assert invoice_sums(invoices, items).collect().is_empty()
    assert line_numbers(items).collect().is_empty()


def test_a_total_in_whole_minor_units_has_no_rounding_line() -> None:
    _, items = drafted(periods("c"), frame(line("c", "1.01")))
    assert items.collect()["line_type"].to_list() == ["usage"]


def test_negative_totals_round_away_from_zero() -> None:
    invoices, _ = drafted(periods("c"), frame(line("c", "-0.005")))
    assert invoices.collect()["total"].item() == Decimal("-0.01")


def test_a_period_without_lines_has_an_invoice_of_zero_unless_skipped() -> None:
    invoices, _ = drafted(periods("c"), frame())
    assert invoices.select("total", "line_count").collect().rows() == [(Decimal(0), 0)]
    skipped, _ = drafted(periods("c", skip_zero=True), frame())
    assert skipped.collect().is_empty()


def test_what_is_held_is_not_skipped() -> None:
    """Its total may be zero only for what could not be billed."""
    for held_by in ({"unrated": held("c")}, {"exceptions": exceptions(c=1)}):
        invoices, _ = drafted(periods("c", skip_zero=True), frame(), **held_by)
        assert invoices.collect()["total"].to_list() == [Decimal(0)]


def test_dates_follow_the_period_not_the_run() -> None:
    invoice = drafted(periods("c"), frame())[0].collect().row(0, named=True)
    assert invoice["issued_at"] == datetime(2026, 2, 2, tzinfo=UTC)
    assert invoice["due_at"] == datetime(2026, 3, 4, tzinfo=UTC)
    assert f"{invoice['invoice_date']} {invoice['close_month']}" == "2026-02-01 2026-01"


@pytest.mark.parametrize(
    ("held_by", "policy", "amount", "reasons"),
    [
        ({}, HoldPolicy(), "-5", ""),
        ({}, HoldPolicy(negative_total=True), "-5", "NEGATIVE_TOTAL"),
        ({}, HoldPolicy(total_over=Decimal(100)), "100", ""),
        ({}, HoldPolicy(total_over=Decimal(100)), "100.01", "TOTAL_OVER_LIMIT"),
        ({"unrated": held("c", "c")}, HoldPolicy(), "1", "UNRATED_USAGE"),
        ({"exceptions": exceptions(c=1)}, HoldPolicy(), "1", "METRIC_EXCEPTIONS"),
        ({"unrated": held("c"), "exceptions": exceptions(c=1)}, HoldPolicy(), "1", "UNRATED_USAGE,METRIC_EXCEPTIONS"),
        ({"unrated": held("other")}, HoldPolicy(), "1", ""),
    ],
)
def test_holds(held_by: dict[str, pl.LazyFrame], policy: HoldPolicy, amount: str, reasons: str) -> None:
    invoices, _ = drafted(periods("c"), frame(line("c", amount)), policy, **held_by)
    expected = ",".join(f'"{reason}"' for reason in reasons.split(",") if reason)
    assert invoices.collect()["hold_reasons"].item() == f"[{expected}]"
    assert due(pooled(invoices), NOW, "2026-01").collect().height == (not reasons)


def test_nothing_is_due_inside_the_grace_period_or_for_another_month() -> None:
    invoices, _ = drafted(periods("c"), frame())
    drafts = pooled(invoices)
    assert due(drafts, datetime(2026, 2, 1, 23, tzinfo=UTC), "2026-01").collect().is_empty()
    assert due(drafts, datetime(2026, 2, 2, tzinfo=UTC), "2026-01").collect().height == 1
    assert due(drafts, NOW, "2026-02").collect().is_empty()


def test_what_waits_for_others_is_not_due() -> None:
    invoices, _ = drafted(periods("c"), frame())
    found = pl.LazyFrame({"invoice_id": invoices.collect()["invoice_id"], "predecessor_held": [False], "waits": [True]})
    waiting = with_predecessors(invoices.with_columns(pool=pl.lit("c")), found)
    assert due(waiting, NOW, "2026-01").collect().is_empty()
    assert waiting.collect()["hold_reasons"].to_list() == ["[]"]


@pytest.mark.parametrize(("policy", "reasons"), [(HoldPolicy(), ""), (HoldPolicy(total_over=ZERO), "TOTAL_OVER_LIMIT")])
def test_behind_a_held_invoice_it_is_held_too(policy: HoldPolicy, reasons: str) -> None:
    invoices, _ = drafted(periods("c"), frame(line("c", "1")), policy)
    found = pl.LazyFrame({"invoice_id": invoices.collect()["invoice_id"], "predecessor_held": [True], "waits": [False]})
    held_by = [*filter(None, [reasons]), "PREDECESSOR_HELD"]
    told = with_predecessors(invoices, found).collect()["hold_reasons"].item()
    assert json.loads(told) == held_by


def test_what_draws_before_the_month_in_its_pools_is_due_with_it() -> None:
    end = datetime(2026, 3, 1, tzinfo=UTC)
    rows = [
        ("early", "c", "2026-01", "USAGE", END),
        ("now", "c", "2026-02", "USAGE", end),
        ("other", "d", "2026-01", "USAGE", END),
        ("next", "c", "2026-03", "USAGE", end),
        ("at the end", "c", "2026-03", "SCHEDULED", end),
        ("after it", "c", "2026-03", "SCHEDULED", end + timedelta(hours=1)),
    ]
    names = ["invoice_id", "pool", "close_month", "invoice_type", "issued_at"]
    drafts = pl.LazyFrame(rows, schema=names, orient="row").with_columns(
        pl.col("issued_at").cast(TIMESTAMP), hold_reasons=pl.lit(NOT_HELD), waits=pl.lit(value=False)
    )
    found = due(drafts, end + timedelta(days=2), "2026-02").collect()["invoice_id"]
    assert sorted(found) == ["at the end", "early", "now"]


def pooled(invoices: pl.LazyFrame) -> pl.LazyFrame:
    return invoices.with_columns(pool=pl.lit(None, dtype=pl.String), waits=pl.lit(value=False))


def test_numbers_go_on_after_those_that_are_taken() -> None:
    invoices, _ = drafted(periods("a", "b", "c"), frame())
    taken = pl.LazyFrame({"issuing_entity": ["E"], "number_series": ["INV-2026-{number}"], "number_sequence": [7]})
    found = numbered(invoices, taken, "E", "INV-{year}-{number:04}").collect()
    assert found["invoice_number"].to_list() == ["INV-2026-0008", "INV-2026-0009", "INV-2026-0010"]
    assert found["invoice_id"].is_sorted()
    fresh = numbered(invoices, taken.clear(), "E", "{number}/{year}")
    assert fresh.collect()["invoice_number"].to_list() == ["1/2026", "2/2026", "3/2026"]
    assert number_gaps(fresh).collect().is_empty()
    assert number_gaps(found.lazy()).collect().height == 1


@pytest.mark.parametrize("text", ["INV", "{number}{number}", "{month}-{number}", "{number:x}"])
def test_unusable_number_formats(text: str) -> None:
    assert NUMBER_FORMAT.match(text) is None


def test_the_content_hash_notices_any_change_of_a_line() -> None:
    invoices, items = drafted(periods("c"), frame(line("c", "1.01"), line("c", "2", product_id="y", name="Y")))
    assert altered_contents(invoices, items).collect().is_empty()
    assert altered_contents(invoices, items.with_columns(amount=pl.col("amount") * 2)).collect().height == 1
    assert altered_contents(invoices, items.head(1)).collect().height == 1
    final = stamped(invoices, Watermarks(3, 2, 0, "v", NOW, "0.1.0"))
    assert altered_contents(final, items).collect().is_empty()
    assert final.collect()["status"].item() == "FINALIZED"
