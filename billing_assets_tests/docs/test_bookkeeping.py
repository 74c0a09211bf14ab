"""The examples of docs/bookkeeping.md are postings of the sample company."""

from __future__ import annotations

import re
from decimal import Decimal

import polars as pl
import pytest

from billing_assets_tests.docs.blocks import DOCS
from billing_assets_tests.golden.write import EXPECTED

PAGE = (DOCS / "bookkeeping.md").read_text(encoding="utf-8")
EXAMPLES = {
    "Basalt's November": ("basalt", "2023-11-30"),
    "Evergreen pays": ("evergreen", "2023-11-30"),
    "Clover's November": ("clover", "2023-11-30"),
}
"""The table after these words shows the postings of a customer and a date."""
ROW = re.compile(r"\| (?:November 30 )?\| ?(\d{4}) [^|]*\| ([a-z-]*) ?\| ([\d.]*) ?\| ([\d.]*) ?\|")


def postings(customer: str, date: str) -> set[tuple[str, ...]]:
    rows = pl.read_csv(EXPECTED / "journal.csv", infer_schema=False).filter(
        pl.col("customer_id") == customer, pl.col("posting_date") == date
    )
    return {
        (row["account"], row["product_id"] or "", *(money(row[side]) for side in ("debit", "credit")))
        for row in rows.iter_rows(named=True)
    }


def money(text: str | None) -> str:
    return f"{Decimal(text):.2f}" if text else ""


@pytest.mark.parametrize("words", EXAMPLES)
def test_the_examples_are_postings_of_the_sample(words: str) -> None:
    table = PAGE[PAGE.index(words) :].split("\n\n")[1].replace("| November 30 | ", "| | ")
    shown = {
        tuple(found.groups())
        for found in re.finditer(r"^\|(?: \|)? ?(\d{4}) [^|]*\| ([a-z-]*) ?\| ([\d.]*) ?\| ([\d.]*) ?\|", table, re.M)
    }
    first = {row for row in shown if "270.00" in row}  # the purchase of November 1
    assert shown - first == postings(*EXAMPLES[words])


def test_every_posted_account_is_in_the_chart() -> None:
    accounts = set(pl.read_csv(EXPECTED / "journal.csv", infer_schema=False)["account"])
    assert [account for account in accounts if f"| {account} |" not in PAGE] == []
