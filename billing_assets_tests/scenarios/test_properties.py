"""What must hold of any books, held against those of all scenarios, by plain arithmetic on what is stored."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from billing_assets import runs
from billing_assets.runs import journal
from billing_assets_tests.scenarios.running import SCENARIOS, Close, Ran, close_all, merged

TIMELINES = sorted({one.closes for one in SCENARIOS})
SIGNS = {
    "GRANT": None, "SEAT_ADJUSTMENT": None, "MANUAL": None, "ROLLOVER_IN": 1,
    "DEDUCTION": -1, "EXPIRATION": -1, "ROLLOVER_OUT": -1, "TRUEUP": -1, "VOID_REVERSAL": 1,
}  # fmt: skip
"""The sign of an entry; of some both are possible."""
FEW = 10
PARTS = ("usage", "minimum_adjustment", "subscription", "composite", "late_usage")

of_every_timeline = pytest.mark.parametrize("closes", TIMELINES, ids="+".join)


@of_every_timeline
def test_every_invariant_holds(closes: tuple[str, ...], books_of: Close) -> None:
    assert [one.invariant.name for one in runs.check(books_of(closes).books.lake) if one.discrepancies.height] == []


@of_every_timeline
def test_after_every_batch_no_segment_is_below_zero_and_each_entry_has_its_sign(
    closes: tuple[str, ...], books_of: Close
) -> None:
    entries = books_of(closes).tables["ledger_entries"].sort("batch_no").to_dicts()
    assert [row for row in entries if SIGNS[row["entry_type"]] not in (None, _sign(row["amount"]))] == []
    remaining: dict[str, Decimal] = defaultdict(Decimal)
    by_hand = {row["segment_id"] for row in entries if row["entry_type"] == "MANUAL"}
    for batch_no in sorted({row["batch_no"] for row in entries}):
        for row in entries:
            if row["batch_no"] == batch_no:
                remaining[row["segment_id"]] += row["amount"]
        assert {name: rest for name, rest in remaining.items() if rest < 0 and name not in by_hand} == {}


@of_every_timeline
def test_the_journal_balances_and_says_what_the_books_say(closes: tuple[str, ...], books_of: Close) -> None:
    """Every voucher adds up to 0, exactly and as posted; the receivable is the invoices; no account is on its wrong
    side; and what was paid for balances is where the balances are."""
    lake, tables = books_of(closes).books.lake, books_of(closes).tables
    assert [
        (one.invariant.name, one.discrepancies.rows()) for one in journal.checks(lake) if one.discrepancies.height
    ] == []
    _, found = journal.of_lake(lake)
    posted, entries = found.postings.collect().to_dicts(), found.entries.collect().to_dicts()
    for rows in (posted, entries):
        sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for row in rows:
            sums[row["voucher_id"], row["currency"]] += row["amount"]
        assert set(sums.values()) <= {Decimal()}
    owed: dict[str, Decimal] = defaultdict(Decimal)
    for row in posted:
        if row["account"] == "1200":
            owed[row["invoice_id"]] += row["amount"]
    invoices = tables["invoices"].to_dicts()
    assert {name: total for name, total in owed.items() if total} == {
        row["invoice_id"]: row["total"] for row in invoices if row["total"] and row["status"] == "FINALIZED"
    }
    assert {row["line_item_id"] for row in entries if row["line_item_id"]} <= set(tables["line_items"]["line_item_id"])
    assert all(row["ledger_entry_id"] or row["line_item_id"] or row["account"] == "1200" for row in entries)
    revenue = {row["account"] for row in posted if row["account"].startswith("4")}
    assert revenue or len(invoices) < FEW


def _sign(amount: Decimal) -> int:
    return (amount > 0) - (amount < 0)


@of_every_timeline
def test_granted_is_drawn_expired_rolled_over_and_remaining(closes: tuple[str, ...], books_of: Close) -> None:
    """Of every segment, from its ledger rows and the openings that drafts would write: what `balances` says."""
    tables = books_of(closes).tables
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    written = tables["ledger_entries"].to_dicts()
    opening = [
        row
        for row in tables["pending_ledger_entries"].to_dicts()
        if row["entry_type"] in ("GRANT", "SEAT_ADJUSTMENT")
        and row["entry_id"] not in {one["entry_id"] for one in written}
    ]
    for row in (*written, *opening):
        sums[row["segment_id"], row["entry_type"]] += row["amount"]
    for row in tables["balances"].iter_rows(named=True):
        of_type = {name: sums[row["segment_id"], name] for name in SIGNS}
        granted = sum((of_type[name] for name in ("GRANT", "SEAT_ADJUSTMENT", "MANUAL", "ROLLOVER_IN")), Decimal())
        assert row["granted"] == granted, row["segment_id"]
        assert row["drawn"] == -of_type["DEDUCTION"] - of_type["VOID_REVERSAL"], row["segment_id"]
        assert row["remaining"] == granted - row["drawn"] - row["expired"] - row["rolled_over"], row["segment_id"]


@of_every_timeline
def test_a_balance_covers_only_what_it_is_for(closes: tuple[str, ...], books_of: Close) -> None:
    """Its products, tags and specifiers as the catalog says; its segments, as the ledger has them."""
    ran = books_of(closes)
    terms = dict(_balances(merged([one for one in SCENARIOS if one.closes == closes], closes[-1])))
    segments = {row["segment_id"]: row for row in ran.tables["balances"].iter_rows(named=True)}
    covered = [
        row
        for table in ("line_items", "draft_line_items")
        for row in ran.tables[table].iter_rows(named=True)
        if row["segment_id"] is not None and row["line_type"] in PARTS
    ]
    checked = 0
    for line in covered:
        segment = segments.get(line["segment_id"])
        if segment is None:  # a rollover that only drafts know of
            assert "@" in line["segment_id"]
            continue
        end = segment["access_ending_before"]
        if line["line_type"] == "usage":
            assert segment["access_starting_at"] <= line["starting_at"], line
            assert end is None or line["ending_before"] is None or line["ending_before"] <= end, line
        balance = terms.get(segment["balance_id"].partition("@")[0])
        if balance is not None:
            assert _is_for(balance, line), (line, balance)
            checked += 1
    assert checked or len(terms) < FEW


def _balances(value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every commit and credit of a catalog, at whatever place, by its id."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("commits", "credits", "recurring_commits", "recurring_credits"):
                yield from ((one["id"], one) for one in inner)
            yield from _balances(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _balances(inner)


def _is_for(balance: Mapping[str, Any], line: Mapping[str, Any]) -> bool:
    ids, tags = balance.get("applicable_product_ids", ()), balance.get("applicable_product_tags", ())
    specifiers = balance.get("specifiers", ())
    wanted = [one for one in specifiers if one.get("exclude") != "true" and one.get("exclude") is not True]
    unwanted = [one for one in specifiers if one not in wanted]
    if any(_matches(one, line) for one in unwanted):
        return False
    if not ids and not tags and not wanted:
        return True
    tagged = bool(set(tags) & set(json.loads(line["tags"] or "[]")))
    return line["product_id"] in ids or tagged or any(_matches(one, line) for one in wanted)


def _matches(specifier: Mapping[str, Any], line: Mapping[str, Any]) -> bool:
    return (
        specifier.get("product_id") in (None, line["product_id"])
        and set(specifier.get("product_tags", ())) <= set(json.loads(line["tags"] or "[]"))
        and all(
            set(specifier.get(name, {}).items()) <= set(json.loads(line[name] or "{}").items())
            for name in ("pricing_group_values", "presentation_group_values")
        )
    )


@of_every_timeline
def test_no_line_is_covered_twice_and_totals_are_sums(closes: tuple[str, ...], books_of: Close) -> None:
    """What balances take off an invoice is what the parts that they cover come to, segment by segment."""
    tables = books_of(closes).tables
    for invoices, lines in (("invoices", "line_items"), ("draft_invoices", "draft_line_items")):
        totals: dict[str, Decimal] = defaultdict(Decimal)
        for row in tables[lines].iter_rows(named=True):
            if row["in_total"]:
                totals[row["invoice_id"]] += row["amount"]
        for row in tables[invoices].iter_rows(named=True):
            assert totals[row["invoice_id"]] == row["total"], row["invoice_id"]
        ids = [row["line_item_id"] for row in tables[lines].iter_rows(named=True)]
        assert len(ids) == len(set(ids))


@pytest.mark.parametrize("closes", [("2026-04-03",)], ids="+".join)
def test_the_order_of_the_catalogs_files_changes_nothing(
    closes: tuple[str, ...], books_of: Close, tmp_path: Path
) -> None:
    """Each scenario in files of its own, last one first: only contracts of one pool could tell, by their order."""
    together = [one for one in SCENARIOS if one.closes == closes]
    backwards: Ran = close_all(tmp_path, together[::-1])
    for one in together:
        assert backwards.outcome(one) == books_of(closes).outcome(one), one.name
