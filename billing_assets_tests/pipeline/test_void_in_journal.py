"""A void and its replacement in the journal, by what the engine itself writes."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from billing_assets.runs import journal, reissue
from billing_assets.storage.lake import Lake
from billing_assets_tests.pipeline.closing import Books, Obj
from billing_assets_tests.pipeline.test_void import FEBRUARY, LATER, MARCH, catalog, decided, invoice, used

HANDED = {"invoice_schedule": [{"timestamp": "2024-01-01", "amount": 12}], "id": "paid", "type": "PREPAID"}
"""15 of access for 12 until February, as `catalog` has it as a free credit."""


def with_commit(price: str = "2") -> Obj:
    found = catalog(price)
    (contract,) = found["contracts"]
    (credit,) = contract.pop("credits")
    return {**found, "contracts": [contract | {"commits": [credit | HANDED]}]}


def balances(lake: Lake, month: str) -> dict[str, Decimal]:
    """What is added to each account in a month."""
    rows = journal.month_of(lake, month)["control_totals"].rows(named=True)
    return {row["account"]: row["debits"] - row["credits"] for row in rows if row["debits"] != row["credits"]}


def test_a_sealed_month_stays_and_the_next_one_has_the_void_and_its_replacement(tmp_path: Path) -> None:
    books = Books.open(tmp_path, with_commit())
    books.receive({"1.jsonl": [used(1, "2024-01-05T00:00:00Z", 10)]}, FEBRUARY)
    books.close(FEBRUARY)
    # 12 are bought; 10 x 2 = 20 are used, of which the 15 cover 15
    january = {"1200": Decimal(17), "4000": Decimal(-20), "4820": Decimal(3)}
    assert balances(books.lake, "2024-01") == january
    files = journal.month_of(books.lake, "2024-01")

    wrong = invoice(books, close_month="2024-01", invoice_type="USAGE")
    reissue.void(books.lake, books.catalog, wrong, decided(MARCH))
    cheaper = books.with_catalog(with_commit("1"))
    cheaper.close(MARCH)
    void = invoice(cheaper, invoice_id=wrong["invoice_id"])
    reissue.regenerate(cheaper.lake, cheaper.catalog, void, decided(LATER))

    after = journal.month_of(cheaper.lake, "2024-01")
    assert all(after[name].equals(files[name]) for name in journal.FILES)
    # the void: 15 x 0.8 = 12 are owed again, 5 are not. Then 10 x 1, covered: 10 x 0.8 = 8; and 5 x 0.8 = 4 expire.
    march = {"1200": Decimal(-5), "4000": Decimal(20 - 10), "4600": Decimal(-4), "4820": Decimal(-3 + 2)}
    assert balances(cheaper.lake, "2024-03") == march
    assert [one.invariant.name for one in journal.checks(cheaper.lake) if one.discrepancies.height] == []
