"""The ledger over closes in a row: worked figures of the cases, month by month."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from billing_assets_tests.commitments.book import FEBRUARY, JANUARY, Row, balance, day, line, shown
from billing_assets_tests.commitments.closes import (
    Books,
    contract,
    scheduled_invoice,
    trueup_terms,
    usage_invoice,
)

MARCH, APRIL = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
TWO_DAYS = timedelta(days=2)
MONTHS = [usage_invoice("jan", JANUARY, FEBRUARY), usage_invoice("feb", FEBRUARY, MARCH),
          usage_invoice("mar", MARCH, APRIL)]  # fmt: skip
OPEN = [contract("c", JANUARY)]


def used(
    key: int, amount: int, start: datetime = JANUARY, end: datetime = FEBRUARY, invoice: str = "jan", **terms: Any
) -> Row:
    return line(key, amount, 1, incurred_from=start, incurred_to=end, invoice_id=invoice, **terms)


def test_grant_deduction_expiration() -> None:
    """Credit 100 of the month, 63 used: +100, -63, -37 (a documented example of the field)."""
    books = Books([used(1, 63)], [balance("a", 100)], MONTHS, OPEN)
    books.close(FEBRUARY + TWO_DAYS, "2026-01")
    assert books.told("a/1") == [
        ("GRANT", "01-01", "100", "2026-01"), ("DEDUCTION", "02-01", "-63", "2026-01"),
        ("EXPIRATION", "02-01", "-37", "2026-01"),
    ]  # fmt: skip


def test_a_deduction_is_stamped_at_the_segments_end_if_that_is_earlier() -> None:
    books = Books([used(1, 5, end=day(9))], [balance("a", 100, ending_before=day(16))], MONTHS, OPEN)
    books.close(FEBRUARY + TWO_DAYS, "2026-01")
    assert books.told("a/1")[1:] == [("DEDUCTION", "01-16", "-5", "2026-01"), ("EXPIRATION", "01-16", "-95", "2026-01")]


def test_what_is_drawn_stays_drawn_and_drafts_see_the_rest() -> None:
    lines = [used(1, 63), used(2, 80, FEBRUARY, MARCH, "feb"), used(3, 10, MARCH, APRIL, "mar")]
    books = Books(lines, [balance("a", 150, ending_before=APRIL)], MONTHS, OPEN)
    books.close(FEBRUARY + TWO_DAYS, "2026-01")
    assert books.told("a/1")[1:] == [("DEDUCTION", "02-01", "-63", "2026-01")]
    assert shown(books.table(), "granted", "drawn", "remaining", "pending_drawn") == [("150", "63", "87", "80")]
    books.close(MARCH + TWO_DAYS, "2026-02")
    books.close(APRIL + TWO_DAYS, "2026-03")
    assert [row[2] for row in books.told("a/1")] == ["150", "-63", "-80", "-7"]
    assert shown(books.table(), "granted", "drawn", "expired", "remaining") == [("150", "150", "0", "0")]


def test_nothing_expires_while_an_invoice_that_could_draw_is_open() -> None:
    books = Books([used(1, 5)], [balance("a", 100)], MONTHS, OPEN)
    books.close(FEBRUARY + TWO_DAYS, "2026-01", held=["jan"])
    assert books.told("a/1") == [("GRANT", "01-01", "100", "2026-01")]
    assert sorted(books.pending["entry_type"]) == ["DEDUCTION", "EXPIRATION"]
    books.close(MARCH + TWO_DAYS, "2026-02")
    assert books.told("a/1")[1:] == [("DEDUCTION", "02-01", "-5", "2026-01"), ("EXPIRATION", "02-01", "-95", "2026-01")]


def test_a_quarterly_invoice_keeps_a_short_credit_from_expiring() -> None:
    """And a sealed month takes no row: the expiration of January 16 is one of March."""
    quarter = [usage_invoice("q1", JANUARY, APRIL)]
    books = Books([used(1, 5, end=day(9), invoice="q1")], [balance("a", 100, ending_before=day(16))], quarter, OPEN,
                  sealed=("2026-01", "2026-02"))  # fmt: skip
    books.close(FEBRUARY + TWO_DAYS, "2026-02")
    assert books.told("a/1") == [("GRANT", "01-01", "100", "2026-02")]
    books.close(APRIL + TWO_DAYS, "2026-03")
    assert books.told("a/1")[1:] == [("DEDUCTION", "01-16", "-5", "2026-03"), ("EXPIRATION", "01-16", "-95", "2026-03")]


def test_a_fee_in_advance_draws_on_what_starts_at_the_periods_end() -> None:
    """February's credit is granted by January's batch, and moves in January, since that draws on it (0.9, 0.16)."""
    lines = [used(1, 20, FEBRUARY, FEBRUARY + timedelta(hours=1), line_type="subscription", product_id="seats")]
    held = [balance("a", 30, starting_at=FEBRUARY, ending_before=MARCH)]
    held.append(balance("b", 5, starting_at=MARCH, ending_before=None))
    books = Books(lines, held, MONTHS, OPEN)
    books.close(FEBRUARY + TWO_DAYS, "2026-01")
    assert books.told("a/1") == [("GRANT", "02-01", "30", "2026-01"), ("DEDUCTION", "02-01", "-20", "2026-01")]
    assert books.told("b/1") == []


def test_a_scheduled_invoice_of_the_first_belongs_to_the_new_month() -> None:
    """A SCHEDULED invoice dated Feb 1 belongs to February, the usage invoice that ends then to January (case 18)."""
    lines = [used(1, 4, FEBRUARY, FEBRUARY + timedelta(hours=1), "sub", line_type="subscription", product_id="seats"),
             used(2, 7)]  # fmt: skip
    invoices = [*MONTHS, scheduled_invoice("sub", FEBRUARY)]
    books = Books(lines, [balance("a", 100, ending_before=APRIL)], invoices, OPEN)
    books.close(FEBRUARY + TWO_DAYS, "2026-01")
    assert books.told("a/1")[1:] == [("DEDUCTION", "02-01", "-7", "2026-01"), ("DEDUCTION", "02-01", "-4", "2026-02")]


def test_a_true_up_charges_what_was_not_consumed() -> None:
    """Committed 100 to Feb 1, consumed 30: TRUEUP of 70 dated Feb 1, of January (case 13)."""
    books = Books([used(1, 30)], [balance("p", 100, balance_type="POSTPAID")], MONTHS, OPEN,
                  terms=[trueup_terms("p", FEBRUARY)])  # fmt: skip
    books.close(FEBRUARY + TWO_DAYS, "2026-01")
    assert books.told("p/1") == [
        ("GRANT", "01-01", "100", "2026-01"), ("DEDUCTION", "02-01", "-30", "2026-01"),
        ("TRUEUP", "02-01", "-70", "2026-01"),
    ]  # fmt: skip
    assert shown(books.trueup_lines(), "amount", "quantity", "name", "product_id", "segment_id") == [
        ("70", "1", "Commitment", "fixed", "p/1")]  # fmt: skip
    made = books.trueups.row(0, named=True)
    assert (made["close_month"], made["issued_at"]) == ("2026-01", FEBRUARY + timedelta(hours=24))


def test_a_true_up_waits_for_the_last_usage_invoice_and_counts_its_draft() -> None:
    books = Books([used(1, 30)], [balance("p", 100, balance_type="POSTPAID")], MONTHS, OPEN,
                  terms=[trueup_terms("p", day(45))])  # fmt: skip
    books.close(FEBRUARY + timedelta(hours=5), "2026-01")
    assert books.trueups["missing"].to_list() == [Decimal(70)]
    assert "TRUEUP" not in books.ledger["entry_type"]
    books.close(FEBRUARY + TWO_DAYS, "2026-01")
    assert "TRUEUP" not in books.ledger["entry_type"]
    books.close(day(46), "2026-02")
    assert books.told("p/1")[-1] == ("TRUEUP", "02-14", "-70", "2026-02")


def test_no_true_up_of_what_is_consumed() -> None:
    books = Books([used(1, 100)], [balance("p", 100, balance_type="POSTPAID")], MONTHS, OPEN,
                  terms=[trueup_terms("p", FEBRUARY)])  # fmt: skip
    books.close(FEBRUARY + TWO_DAYS, "2026-01")
    assert books.trueups.is_empty()
    assert [row[0] for row in books.told("p/1")] == ["GRANT", "DEDUCTION"]


def renewed(**terms: Any) -> tuple[list[Row], list[Row]]:
    """Contract c ends on February 1 and is renewed by d to April 1; commit of 100 with a rollover of one half."""
    contracts = [contract("c", JANUARY, FEBRUARY),
                 contract("d", FEBRUARY, APRIL, follows_contract_id="c", transition_type="RENEWAL")]  # fmt: skip
    return contracts, [balance("a", 100, rollover_fraction=Decimal("0.5"), balance_type="PREPAID", **terms)]


AFTER = [usage_invoice("jan", JANUARY, FEBRUARY), usage_invoice("feb", FEBRUARY, MARCH, contract_id="d"),
         usage_invoice("mar", MARCH, APRIL, contract_id="d")]  # fmt: skip


@pytest.mark.parametrize(("consumed", "rolls", "expires"), [(30, "50", "-20"), (90, "10", None)])
def test_a_renewal_takes_over_at_most_its_fraction_of_the_original_amount(
    consumed: int, rolls: str, expires: str | None
) -> None:
    contracts, held = renewed()
    books = Books([used(1, consumed)], held, AFTER, contracts)
    books.close(FEBRUARY + TWO_DAYS, "2026-01")
    assert books.told("a/1")[1:] == [
        ("DEDUCTION", "02-01", f"-{consumed}", "2026-01"), ("ROLLOVER_OUT", "02-01", f"-{rolls}", "2026-01"),
        *([("EXPIRATION", "02-01", expires, "2026-01")] if expires else []),
    ]  # fmt: skip
    assert books.told("a/1@d/1") == [("ROLLOVER_IN", "02-01", rolls, "2026-02")]


def test_what_rolled_over_is_drawn_first_and_ends_with_the_new_contract() -> None:
    contracts, held = renewed()
    held.append(balance("b", 100, contract_id="d", priority=Decimal(1), starting_at=FEBRUARY, ending_before=APRIL))
    lines = [used(1, 60), used(2, 30, FEBRUARY, MARCH, "feb", contract_id="d")]
    books = Books(lines, held, AFTER, contracts)
    for now, month in ((FEBRUARY, "2026-01"), (MARCH, "2026-02"), (APRIL, "2026-03")):
        books.close(now + TWO_DAYS, month)
    assert books.told("a/1@d/1") == [
        ("ROLLOVER_IN", "02-01", "40", "2026-02"), ("DEDUCTION", "03-01", "-30", "2026-02"),
        ("EXPIRATION", "04-01", "-10", "2026-03"),
    ]  # fmt: skip
    assert [row[0] for row in books.told("b/1")] == ["GRANT", "EXPIRATION"]


def test_a_rollover_waits_for_the_old_contracts_last_invoice() -> None:
    """Its draft shows what would roll over; the new contract's drafts draw on that (case 48)."""
    contracts, held = renewed()
    books = Books([used(1, 60), used(2, 30, FEBRUARY, MARCH, "feb", contract_id="d")], held, AFTER, contracts)
    books.close(FEBRUARY + timedelta(hours=3), "2026-01")
    assert [row[0] for row in books.told("a/1")] == ["GRANT"]
    pending = {(row["segment_id"], row["entry_type"]): row["amount"] for row in books.pending.to_dicts()}
    assert pending[("a/1@d/1", "ROLLOVER_IN")] == 40
    assert pending[("a/1@d/1", "DEDUCTION")] == -30


def test_closing_two_months_at_once_gives_what_closing_each_gives() -> None:
    contracts, held = renewed()
    lines = [used(1, 60), used(2, 30, FEBRUARY, MARCH, "feb", contract_id="d")]
    apart, together = (Books(lines, held, AFTER, contracts) for _ in range(2))
    apart.close(FEBRUARY + TWO_DAYS, "2026-01")
    apart.close(MARCH + TWO_DAYS, "2026-02")
    together.close(MARCH + TWO_DAYS, "2026-02")
    columns = ["entry_id", "segment_id", "entry_type", "amount", "effective_at", "invoice_id", "close_month"]
    assert together.ledger.select(columns).sort("entry_id").equals(apart.ledger.select(columns).sort("entry_id"))


def test_an_open_ended_new_contract_never_lets_it_expire() -> None:
    contracts, held = renewed()
    contracts[1]["ending_before"] = None
    books = Books([used(1, 60)], held, AFTER, contracts)
    books.close(APRIL + TWO_DAYS, "2026-03")
    assert books.told("a/1@d/1") == [("ROLLOVER_IN", "02-01", "40", "2026-02")]


def test_a_supersede_takes_nothing_over() -> None:
    contracts, held = renewed()
    contracts[1]["transition_type"] = "SUPERSEDE"
    books = Books([used(1, 60)], held, AFTER, contracts)
    books.close(FEBRUARY + TWO_DAYS, "2026-01")
    assert [row[0] for row in books.told("a/1")] == ["GRANT", "DEDUCTION", "EXPIRATION"]


def test_only_segments_active_at_the_end_roll_over() -> None:
    contracts, held = renewed()
    early = [{**held[0], "balance_id": "e", "segment_id": "e/1", "ending_before": day(15)},
             {**held[0], "balance_id": "l", "segment_id": "l/1", "starting_at": FEBRUARY, "ending_before": MARCH},
             {**held[0], "balance_id": "o", "segment_id": "o/1", "ending_before": MARCH}]  # fmt: skip
    books = Books([], early, AFTER, contracts)
    assert books.rolling.collect()["segment_id"].to_list() == ["o/1@d/1"]
    books.close(MARCH + TWO_DAYS, "2026-02")
    assert books.told("o/1")[1:] == [
        ("ROLLOVER_OUT", "02-01", "-50", "2026-01"), ("EXPIRATION", "03-01", "-50", "2026-02"),
    ]  # fmt: skip


def test_a_customers_balance_waits_for_all_its_contracts() -> None:
    invoices = [usage_invoice("jan", JANUARY, FEBRUARY), usage_invoice("other", JANUARY, FEBRUARY, contract_id="d")]
    shares = [{"commit_id": "a", "contract_id": name} for name in ("c", "d")]
    books = Books([used(1, 5)], [balance("a", 9, contract_id=None, contract_count=2)], invoices,
                  [contract("c", JANUARY), contract("d", JANUARY)], shares)  # fmt: skip
    books.close(FEBRUARY + TWO_DAYS, "2026-01", held=["other"])
    assert [row[0] for row in books.told("a/1")] == ["GRANT", "DEDUCTION"]
    books.close(FEBRUARY + 2 * TWO_DAYS, "2026-01")
    assert books.told("a/1")[-1] == ("EXPIRATION", "02-01", "-4", "2026-01")


def test_seats_that_are_added_grant_the_difference() -> None:
    """From January 17 on: usage before it draws on what was granted first alone (case 0.21)."""
    more = balance("a", 6, segment_id="a/2026-01-17", starting_at=day(17), grant_type="SEAT_ADJUSTMENT")
    books = Books([used(1, 34, end=day(9)), used(2, 5, start=day(20))], [balance("a", 30), more], MONTHS, OPEN)
    books.close(FEBRUARY + TWO_DAYS, "2026-01")
    assert [row[:3] for row in books.told("a/1")] == [("GRANT", "01-01", "30"), ("DEDUCTION", "02-01", "-30")]
    assert [row[:3] for row in books.told("a/2026-01-17")] == [
        ("SEAT_ADJUSTMENT", "01-17", "6"), ("DEDUCTION", "02-01", "-5"), ("EXPIRATION", "02-01", "-1"),
    ]  # fmt: skip


@pytest.mark.parametrize(("amount", "rows"), [(120, ["20", "100", "-40", "-80"]), (10, ["-60", "100", "-40"])])
def test_an_amount_that_changes_in_the_catalog_is_granted_by_the_difference(amount: int, rows: list[str]) -> None:
    """After 40 of 100 are drawn: raised to 120, 80 are left; lowered to 10, nothing is, and no more is taken back."""
    lines = [used(1, 40), used(2, 500, FEBRUARY, MARCH, "feb")]
    books = Books(lines, [balance("a", 100, ending_before=APRIL)], MONTHS, OPEN)
    books.close(FEBRUARY + TWO_DAYS, "2026-01")
    held = [balance("a", amount, ending_before=APRIL)]
    changed = Books(lines, held, MONTHS, OPEN, ledger=books.ledger, final=books.final)
    changed.close(MARCH + TWO_DAYS, "2026-02")
    assert [row[2] for row in changed.told("a/1")] == rows
    assert sum(map(Decimal, rows)) == 0


def test_a_manual_entry_counts() -> None:
    books = Books([used(1, 80)], [balance("a", 100)], MONTHS, OPEN)
    books.close(day(20), "2026-01")
    taken = books.ledger.with_columns(entry_id=pl.lit("m"), entry_type=pl.lit("MANUAL"), amount=pl.lit(Decimal(-75)))
    books.ledger = pl.concat([books.ledger, taken.cast(dict(books.ledger.schema))])
    books.close(FEBRUARY + TWO_DAYS, "2026-01")
    assert books.ledger.filter(entry_type="DEDUCTION")["amount"].to_list() == [Decimal(-25)]
    assert shown(books.table(), "granted", "drawn", "expired", "remaining") == [("25", "25", "0", "0")]
