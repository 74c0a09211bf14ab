"""Documented examples of commits and credits of another billing system (the source of each is in the file)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from billing_assets_tests.commitments.book import FEBRUARY, JANUARY, Book, Row, balance, day, line, own_price, shown
from billing_assets_tests.commitments.closes import Books, contract, trueup_terms, usage_invoice
from billing_assets_tests.commitments.test_covered import invoice, total

FILE = Path(__file__).parents[1] / "data" / "vectors" / "worked_examples.json"
EXAMPLES = {one["id"]: one for one in json.loads(FILE.read_text())["examples"]}


def example(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    return EXAMPLES[name]["given"], EXAMPLES[name]["expected"]


def test_a_commit_from_the_second_day_on_covers_that_days_increment() -> None:
    """LATEST 7 on day 1, 9 on day 2; two atoms, cut where access begins."""
    given, expected = example("latest_commit_day2")
    first, second = given["daily"]
    begins = day(given["commit_from_day"])
    lines = [line(1, first, 1, incurred_to=begins), line(2, second - first, 1, incurred_from=begins)]
    draws = Book(lines, [balance("a", 1000, starting_at=begins)]).draws()
    assert draws["covered_quantity"].sum() == expected["covered_qty"]
    assert sum(row["quantity"] for row in lines) - draws["covered_quantity"].sum() == expected["uncovered_qty"]


def test_a_credit_limited_to_a_day_can_cover_that_day() -> None:
    given, expected = example("sql_hour_granularity")
    lines = [line(int(number), used, given["rates"][0]["price"], incurred_from=day(int(number)),
                  incurred_to=day(int(number) + 1)) for number, used in given["day_values"].items()]  # fmt: skip
    draws = Book(lines, [balance("a", 10_000, starting_at=day(2), ending_before=day(3))]).draws()
    assert [row["amount"] for row in lines] == expected["daily_totals"]
    assert draws["drawn"].sum() == expected["credit_limited_to_day2_can_cover"]


def test_tokens_are_split_by_a_prepaid_commit() -> None:
    given, expected = example("commit_split_80_tokens")
    price, prepaid = given["price_cents"] / Decimal(100), given["prepaid_cents"] / Decimal(100)
    lines = invoice(Book([line(1, given["qty"], price)], [balance("a", prepaid, balance_type="PREPAID")]))
    shown_lines = {(row.get("qty", 1), row["total"] / Decimal(100)) for row in expected["lines"]}
    assert set(lines.select("quantity", "amount").rows()) == shown_lines
    assert total(lines) * 100 == expected["total_cents"]


def test_prepaid_is_drawn_before_postpaid() -> None:
    given, expected = example("prepaid_then_postpaid")
    held = [balance("post", given["postpaid_usd"], balance_type="POSTPAID", priority=Decimal(1)),
            balance("pre", given["prepaid_usd"], balance_type="PREPAID", cost=Decimal(400))]  # fmt: skip
    book = Book([line(1, given["usage_usd"], 1)], held)
    drawn = dict(book.draws().select("segment_id", "drawn").rows())
    assert drawn == {"pre/1": expected["prepaid_drawn"], "post/1": expected["postpaid_drawn"]}
    assert total(invoice(book)) == expected["invoice_total"]
    assert given["postpaid_usd"] - drawn["post/1"] == expected["postpaid_remaining"]


def months(start: datetime, end: datetime, name: str = "c") -> list[Row]:
    found = []
    while start < end:
        following = (start + timedelta(days=32)).replace(day=1)
        found.append(usage_invoice(f"{name}{start:%Y%m}", start, following, contract_id=name))
        start = following
    return found


def test_what_a_postpaid_commit_misses_is_trued_up() -> None:
    given, expected = example("postpaid_trueup_9000")
    start, end = (datetime.fromisoformat(part).replace(tzinfo=UTC) for part in given["term"].split(".."))
    held = balance("p", given["commit_usd"], balance_type="POSTPAID", starting_at=start, ending_before=end)
    used = line(
        1, given["spend_usd"], 1, incurred_from=start, incurred_to=start + timedelta(hours=1), invoice_id="c202410"
    )
    books = Books([used], [held], months(start, end), [contract("c", start)], terms=[trueup_terms("p", end)])
    books.close(end + timedelta(days=2), "2025-09")
    assert books.trueup_lines()["amount"].to_list() == [expected["trueup_usd"]]
    assert books.ledger["amount"].sum() == 0


def test_the_ledger_of_a_credit() -> None:
    given, expected = example("credit_ledger_63")
    start, end = (datetime.fromisoformat(part).replace(tzinfo=UTC) for part in given["segment"].split(".."))
    held = balance("a", given["credit_usd"], starting_at=start, ending_before=end)
    used = line(1, given["consumed_usd"], 1, incurred_from=start, incurred_to=end, invoice_id="c202409")
    books = Books([used], [held], months(start, end), [contract("c", start)])
    books.close(end + timedelta(days=2), "2024-09")
    names = {"GRANT": "credit_segment_start", "DEDUCTION": "credit_automated_invoice_deduction",
             "EXPIRATION": "credit_segment_expiration"}  # fmt: skip
    by_amount = books.ledger.sort("effective_at", "amount", descending=[False, False])
    told = [
        [names[row["entry_type"]], f"{row['effective_at']:%Y-%m-%d}", row["amount"]] for row in by_amount.to_dicts()
    ]
    assert sorted(told, key=str) == sorted(expected["ledger"], key=str)


def test_a_rollover_is_capped_by_the_original_amount_and_consumed_first() -> None:
    given, expected = example("rollover_cap")
    original, remaining = given["original_usd"], given["remaining_usd"]
    held = [balance("a", original, balance_type="PREPAID", rollover_fraction=Decimal(str(given["rollover_fraction"]))),
            balance("n", 500, balance_type="PREPAID", contract_id="d", starting_at=FEBRUARY, ending_before=day(60),
                    priority=Decimal(1))]  # fmt: skip
    contracts = [contract("c", JANUARY, FEBRUARY),
                 contract("d", FEBRUARY, day(60), follows_contract_id="c", transition_type="RENEWAL")]  # fmt: skip
    spent = {"incurred_from": FEBRUARY, "incurred_to": day(60), "contract_id": "d", "invoice_id": "d202602"}
    books = Books([line(1, original - remaining, 1, invoice_id="c202601"), line(2, 20, 1, **spent)], held,
                  [*months(JANUARY, FEBRUARY), *months(FEBRUARY, day(60), "d")], contracts)  # fmt: skip
    books.close(day(62), "2026-02")
    assert books.ledger.filter(entry_type="ROLLOVER_IN")["amount"].to_list() == [expected["rolled_usd"]]
    drawn = books.ledger.filter(entry_type="DEDUCTION", invoice_id="d202602")
    assert shown(drawn, "segment_id", "amount") == [("a/1@d/1", "-20")]


def test_a_discount_on_the_commit_leaves_the_prices_of_usage_alone() -> None:
    given, expected = example("cost_basis_discount")
    held = balance("a", given["access_usd"], balance_type="PREPAID", cost=Decimal(given["invoice_usd"]))
    books = Books([line(1, 100, 3, invoice_id="c202601")], [held], months(JANUARY, FEBRUARY), [contract("c", JANUARY)])
    books.close(day(20), "2026-01")
    row = books.table().row(0, named=True)
    assert 1 - row["cost_basis"] == Decimal(str(expected["discount"]))
    assert row["pending_drawn"] == 300


def test_a_price_of_the_commit_does_not_stack_with_the_contracts() -> None:
    """Units pay the commit's multiplied list price while it lasts, then the contract's (their prices are rating's)."""
    given, expected = example("commit_specific_vs_contract_multiplier")
    after, during = expected["after"], expected["while_commit"]
    lines = [line(key, 10, after[name], product_id=product, draw_order=-key)
             for key, (name, product) in enumerate({"input": "api", "output": "storage"}.items())]  # fmt: skip
    own = [own_price(key, "a", during[name]) for key, name in enumerate(("input", "output"))]
    has = Decimal(str(during["output"])) * 10 + Decimal(str(during["input"])) * 5
    parts = invoice(Book(lines, [balance("a", has)], prices=own)).filter(line_type="usage")
    assert given["list_usd"]["input"] * Decimal(str(given["commit_multiplier"])) == Decimal(str(during["input"]))
    assert sorted(parts.select("product_id", "quantity", "unit_price").rows()) == [
        ("api", 5, Decimal(str(during["input"]))), ("api", 5, Decimal(str(after["input"]))),
        ("storage", 10, Decimal(str(during["output"]))),
    ]  # fmt: skip


def test_a_credit_over_a_subscription_and_usage() -> None:
    given, expected = example("openai_like")
    lines = [*(line(key, given[name]["tok"], given[name]["price"]) for key, name in enumerate(("gpt4", "gpt35"), 1)),
             line(3, 1, given["subscription_usd"], line_type="subscription", product_id="seats")]  # fmt: skip
    found = invoice(Book(lines, [balance("a", given["credit_usd"])]))
    assert total(found) == expected["total"]
    whole = found.group_by(pl.col("line_key").fill_null(0)).agg(pl.col("amount").sum())
    assert sorted(whole["amount"]) == sorted(Decimal(amount) for amount in expected["lines"])
