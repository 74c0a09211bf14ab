"""The sample company over three closes: what becomes of balances, to the last digit.

One test closes the months and finds what `data/expected` says. The others hold the files against what was computed by
hand, from the catalog and the event files alone (data/expected/README.md).
"""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from billing_assets.storage.lake import Lake
from billing_assets_tests.cli.process import ROOT, billing
from billing_assets_tests.conftest import ClosedSample
from billing_assets_tests.golden.write import EXPECTED, FILES, as_written, journal_as_written

LATER = (("2023-12", "2024-01-02T00:00:00Z"), ("2024-01", "2024-02-02T00:00:00Z"))
# What each invoice comes to, in the order of their dates; a usage invoice last in its month.
TOTALS = {
    "aurora": {"2023-11": "500 0", "2023-12": "500 0", "2024-01": "1200 0"},
    "basalt": {"2023-11": "251.5", "2023-12": "317.47", "2024-01": "80.51 283.33"},
    "clover": {"2023-11": "33.33 3.38", "2023-12": "33.33 0", "2024-01": "33.34 0"},
    "delphi": {"2023-11": "200 200.79", "2023-12": "19.35 240.61", "2024-01": "180"},
    "evergreen": {"2023-11": "270 0", "2023-12": "0", "2024-01": "76.92"},
    "indigo": {"2023-11": "90 0", "2023-12": "0", "2024-01": "12.41"},
    "jasper": {"2023-11": "300 264 0", "2023-12": "264 0", "2024-01": "0"},
}
# granted, drawn, expired, rolled over, remaining
BALANCES = {
    "aurora-prepaid-2023/1": "1000 785.4061722 64.5938278 150 0",
    "aurora-prepaid-2023/1@aurora-2024/1": "150 150 0 0 0",
    "aurora-prepaid-2024/1": "1200 190.3564792 0 0 1009.6435208",
    "basalt-promise/1": "800 719.4902548 80.5097452 0 0",
    "clover-free@2023-11-11/1": "4 4 0 0 0",
    "clover-free@2023-12-01/1": "6 5.6879435 0.3120565 0 0",
    "clover-free@2024-01-01/1": "6 5.778801 0.221199 0 0",
    "delphi-included@2023-12-01/2023-12-17": "0.193548387097 0.193548387097 0 0 0",
    "delphi-included@2024-01-01/1": "2.4 2.2865056 0.1134944 0 0",
    "evergreen-shared/1": "300 300 0 0 0",
    "indigo-pack/1": "10000 10000 0 0 0",
    "jasper-2023/prepaid_balance_threshold/2023-11-05T10Z": "300 300 0 0 0",
    "jasper-2023/prepaid_balance_threshold/2023-11-19T15Z": "264 264 0 0 0",
    "jasper-2023/prepaid_balance_threshold/2023-12-26T15Z": "264 156 0 0 108",
}


def expected(name: str) -> pl.DataFrame:
    return pl.read_csv(EXPECTED / name, infer_schema=False)


def rows(name: str, key: str) -> dict[str, dict[str, Any]]:
    return {row[key]: row for row in expected(name).iter_rows(named=True)}


def test_three_closes_make_what_is_expected(closed_sample: ClosedSample, tmp_path: Path) -> None:
    root = tmp_path / "lake"
    shutil.copytree(closed_sample.root, root)
    for month, now in LATER:
        closed = billing(ROOT, "close", "--month", month, "--now", now, "--lake", str(root))
        assert closed.returncode == 0, closed.stdout + closed.stderr
    for name in FILES:
        written = (EXPECTED / name).read_text(encoding="utf-8").splitlines()
        assert as_written(Lake(root), name).splitlines() == written, name
    for name, content in journal_as_written(Lake(root)).items():
        assert content.splitlines() == (EXPECTED / name).read_text(encoding="utf-8").splitlines(), name


@pytest.mark.parametrize("customer", TOTALS)
def test_totals_are_those_computed_by_hand(customer: str) -> None:
    invoices = pl.concat([expected("invoices.csv"), expected("later/invoices.csv")])
    mine = invoices.filter(pl.col("customer_id") == customer).sort("close_month", "period_start", "issued_at")
    months = mine.group_by("close_month", maintain_order=True).agg(pl.col("total").str.join(" "))
    assert dict(months.iter_rows()) == TOTALS[customer]


@pytest.mark.parametrize("segment", BALANCES)
def test_balances_are_those_computed_by_hand(segment: str) -> None:
    row = rows("balances.csv", "segment_id")[segment]
    found = " ".join(row[name] for name in ("granted", "drawn", "expired", "rolled_over", "remaining"))
    assert found == BALANCES[segment]


def test_a_balance_is_the_sum_of_its_movements() -> None:
    left: dict[str, Decimal] = {}
    for entry in expected("ledger_entries.csv").iter_rows(named=True):
        left[entry["segment_id"]] = left.get(entry["segment_id"], Decimal(0)) + Decimal(entry["amount"])
    shown = {name: Decimal(row["remaining"]) for name, row in rows("balances.csv", "segment_id").items()}
    pending = shown.keys() - left.keys()
    assert pending == {"clover-free@2024-03-01/1", "delphi-included@2024-03-01/1"}  # drafts would grant them
    assert left == {name: amount for name, amount in shown.items() if name not in pending}


# Opening, debits, credits and closing of the deferred commit liability, by the README of the expected files:
# November: 500 + 270 + 90 + 300 + 264 are bought; drawn 385.63, 264 of the recharges, of Evergreen's 300 for 270
# 101.2857912 x 0.9 = 91.16, of Indigo's 10,000 credits for 90 3,395.93685 x 0.009 = 30.56.
# December: 500 + 264; drawn 399.78, 264, 126.1034336 x 0.9 = 113.49 and 3,728.74835 x 0.009 = 33.56; 64.59 expire;
# 150 roll over, from one balance to another.
# January: 1,200; drawn 150 + 190.36, 36 + 156, the last 65.35 of Evergreen's and 25.88 of Indigo's.
LIABILITY = {
    "2023-11": "0 771.35 1424 -652.65",
    "2023-12": "-652.65 1025.42 914 -541.23",
    "2024-01": "-541.23 623.59 1200 -1117.64",
}


@pytest.mark.parametrize("month", LIABILITY)
def test_the_liability_is_that_computed_by_hand(month: str) -> None:
    (row,) = (
        expected("control_totals.csv").filter(pl.col("close_month") == month, pl.col("account") == "2400").to_dicts()
    )
    assert " ".join(row[name] for name in ("opening", "debits", "credits", "closing")) == LIABILITY[month]


def test_the_accounts_of_the_journal_carry_from_month_to_month() -> None:
    """Plain arithmetic on the files: each voucher and month balances, and openings are the closings before."""
    rows = expected("journal.csv").to_dicts()
    amounts = [(row, Decimal(row["debit"] or 0) - Decimal(row["credit"] or 0)) for row in rows]
    vouchers: dict[tuple[str, str], Decimal] = {}
    for row, amount in amounts:
        key = row["voucher_id"], row["currency"]
        vouchers[key] = vouchers.get(key, Decimal(0)) + amount
        assert row["posting_date"][:7] == row["close_month"]
        assert amount == amount.quantize(Decimal("0.01"))
    assert set(vouchers.values()) == {Decimal(0)}
    closing: dict[tuple[str, str], Decimal] = {}
    for row in expected("control_totals.csv").to_dicts():
        key = row["currency"], row["account"]
        own = [
            amount
            for one, amount in amounts
            if (one["close_month"], *key) == (row["close_month"], one["currency"], one["account"])
        ]
        assert Decimal(row["opening"]) == closing.get(key, Decimal(0))
        assert Decimal(row["debits"]) - Decimal(row["credits"]) == sum(own, Decimal(0))
        closing[key] = Decimal(row["closing"])
        assert closing[key] == Decimal(row["opening"]) + sum(own, Decimal(0))


def test_the_receivable_grows_by_the_totals_of_the_invoices() -> None:
    invoices = pl.concat([expected("invoices.csv"), expected("later/invoices.csv")]).to_dicts()
    for row in expected("control_totals.csv").filter(pl.col("account") == "1200").to_dicts():
        of_month = [
            one for one in invoices if (one["close_month"], one["currency"]) == (row["close_month"], row["currency"])
        ]
        assert Decimal(row["debits"]) - Decimal(row["credits"]) == sum(
            (Decimal(one["total"]) for one in of_month), Decimal(0)
        )


def test_what_was_paid_for_a_unit() -> None:
    paid = {name: row["cost_basis"] for name, row in rows("balances.csv", "segment_id").items() if row["cost_basis"]}
    assert {paid[name] for name in paid if name.startswith(("aurora", "basalt", "jasper"))} == {"1"}
    assert (paid["evergreen-shared/1"], paid["indigo-pack/1"]) == ("0.9", "0.009")
