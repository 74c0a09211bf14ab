"""Each kind of agreement, booked by hand: 1200 receivable, 1250 contract asset, 2400 liability, 4000 usage revenue,
4500 shortfall, 4600 breakage, 48xx what lowers revenue, 6900 rounding. Debits are positive."""

from __future__ import annotations

import json
from typing import Any

import polars as pl

from billing_assets import bookkeeping
from billing_assets.identity import stable_id
from billing_assets_tests.bookkeeping.books import (
    Row,
    Written,
    applied,
    breaches,
    day,
    exact,
    line,
    money,
    months,
    posted,
    usage,
)

JANUARY, FEBRUARY, MARCH = "2026-02-01", "2026-03-01", "2026-04-01"  # the day after


def purchase(written: Written, name: str, date: str, amount: str, **changes: Any) -> None:
    charged = line("commit_purchase", amount, product_id="commitment", balance_id="b")
    at = {"close_month": date[:7], "finalized_at": day(date)}
    written.invoice(name, date, amount, [charged], **at | changes)


def draw(written: Written, name: str, end: str, amount: str, month: str, **more: Any) -> None:
    """An invoice over usage that the balance pays whole."""
    written.invoice(name, end, "0", [usage(amount), applied(amount)], **more)
    written.move("DEDUCTION", f"-{amount}", end, close_month=month, invoice_id=name, entry_id=f"le-{name}")


def test_a_commit_is_released_at_what_was_paid() -> None:
    """10,000 of access for 8,000: each unit is worth 0.80 of revenue, the other 0.20 are a discount."""
    written = Written()
    written.move("GRANT", "10000", "2026-01-01", cost=money("8000"))
    purchase(written, "buy", "2026-01-01", "8000")
    draw(written, "jan", JANUARY, "2500", "2026-01")
    # 8,500 are used, 7,500 are left: 1,000 are to pay
    written.invoice("feb", FEBRUARY, "1000", [usage("8500"), applied("7500")])
    written.move("DEDUCTION", "-7500", FEBRUARY, close_month="2026-02", invoice_id="feb")
    assert posted(written.journal()) == {
        "buy": {"1200": "8000", "2400": "-8000"},
        # 2,500 x 0.8 = 2,000 are released
        "jan": {"2400": "2000", "4000": "-2500", "4820": "500"},
        # 7,500 x 0.8 = 6,000, the rest of the 8,000
        "feb": {"1200": "1000", "2400": "6000", "4000": "-8500", "4820": "1500"},
    }
    assert breaches(written) == {}


def test_thirds_are_released_by_cumulative_rounding() -> None:
    """100 for 3 units, drawn one at a time: 33.333333333333, 33.333333333334 (66.666666666667 less the first), and the
    rest. Posted are the differences of 33.33, 66.67 and 100."""
    written = Written()
    written.move("GRANT", "3", "2026-01-01", cost=money("100"), unit="quantity:tokens")
    purchase(written, "buy", "2026-01-01", "100")
    for name, end, month in (("jan", JANUARY, "2026-01"), ("feb", FEBRUARY, "2026-02"), ("mar", MARCH, "2026-03")):
        written.invoice(name, end, "0", [usage("40"), applied("40")])
        written.move("DEDUCTION", "-1", end, close_month=month, invoice_id=name, unit="quantity:tokens")
    found = written.journal()
    assert exact(found, "2400") == ["-100", "33.333333333333", "33.333333333334", "33.333333333333"]
    assert [posted(found)[name]["2400"] for name in ("jan", "feb", "mar")] == ["33.33", "33.34", "33.33"]
    # each unit covers a line of 40, and cost a third of 100
    assert [posted(found)[name]["4820"] for name in ("jan", "feb", "mar")] == ["6.67", "6.67", "6.67"]
    assert posted(found)["feb"]["6900"] == "-0.01"  # 33.34 + 6.67 - 40
    assert breaches(written) == {}


def test_what_expires_is_breakage() -> None:
    """100 for 90; 60 are drawn, 40 expire: 40 x 0.9 = 36."""
    written = Written()
    written.move("GRANT", "100", "2026-01-01", cost=money("90"))
    purchase(written, "buy", "2026-01-01", "90")
    draw(written, "jan", JANUARY, "60", "2026-01")
    written.move("EXPIRATION", "-40", JANUARY, close_month="2026-01", entry_id="gone")
    found = written.journal()
    assert posted(found)["jan"] == {"2400": "54", "4000": "-60", "4820": "6"}
    assert posted(found)["gone"] == {"2400": "36", "4600": "-36"}
    assert months(found)["gone"] == "2026-01"
    assert found.postings.collect()["posting_date"].max() == day("2026-01-31").date()
    assert breaches(written) == {}


def test_a_free_credit_is_no_liability() -> None:
    """Of 30 used, 20 are covered: revenue of 30 less 20; the 5 that expire are nothing."""
    written = Written()
    credit: Row = {"balance_type": "CREDIT"}
    written.move("GRANT", "25", "2026-01-01", **credit)
    written.invoice("jan", JANUARY, "10", [usage("30"), applied("20")])
    written.move("DEDUCTION", "-20", JANUARY, close_month="2026-01", invoice_id="jan", **credit)
    written.move("EXPIRATION", "-5", JANUARY, close_month="2026-01", **credit)
    assert posted(written.journal()) == {"jan": {"1200": "10", "4000": "-30", "4810": "20"}}
    assert breaches(written) == {}


def test_a_postpaid_commit_is_invoiced_as_used_and_trued_up() -> None:
    """100 promised, 30 used: an invoice over 30, a true-up over 70."""
    written = Written()
    promised: Row = {"balance_type": "POSTPAID"}
    written.move("GRANT", "100", "2026-01-01", **promised)
    written.invoice("jan", JANUARY, "30", [usage("30"), applied("30", in_total=False)])
    written.move("DEDUCTION", "-30", JANUARY, close_month="2026-01", invoice_id="jan", **promised)
    written.invoice("due", JANUARY, "70", [line("trueup", "70", product_id="commitment", balance_id="b")])
    written.move("TRUEUP", "-70", JANUARY, close_month="2026-01", invoice_id="due", **promised)
    assert posted(written.journal()) == {
        "jan": {"1200": "30", "4000": "-30"},
        "due": {"1200": "70", "4500": "-70"},
    }
    assert breaches(written) == {}


def test_a_rollover_takes_its_share_of_the_cost_along() -> None:
    """100 for 80, 50 drawn; 20 roll over (16), 30 expire (24); the new balance of 20 is drawn whole: 16."""
    written = Written()
    into = "b/1@next"
    written.move("GRANT", "100", "2026-01-01", cost=money("80"))
    purchase(written, "buy", "2026-01-01", "80")
    draw(written, "jan", JANUARY, "50", "2026-01")
    out = stable_id_of("ROLLOVER_OUT", "b/1", f"{into}/1")
    written.move("ROLLOVER_OUT", "-20", JANUARY, close_month="2026-01", entry_id=out)
    written.move("ROLLOVER_IN", "20", JANUARY, segment=f"{into}/1", contract_id="next")
    written.move("EXPIRATION", "-30", JANUARY, close_month="2026-01", entry_id="gone")
    written.invoice("feb", FEBRUARY, "0", [usage("20"), applied("20", segment=f"{into}/1")])
    written.move(
        "DEDUCTION", "-20", FEBRUARY, segment=f"{into}/1", close_month="2026-02", contract_id="next", invoice_id="feb"
    )
    found = written.journal()
    carried = found.postings.collect().filter(account="2400", voucher_id=out).sort("balance_id")
    assert carried.select("balance_id", "amount", "month").rows() == [("b", 16, "2026-01"), (into, -16, "2026-01")]
    assert posted(found)["gone"] == {"2400": "24", "4600": "-24"}
    assert posted(found)["feb"] == {"2400": "16", "4000": "-20", "4820": "4"}
    assert breaches(written) == {}


def stable_id_of(*parts: str) -> str:
    return str(pl.select(stable_id("le", [pl.lit(part) for part in parts])).item())


def test_what_is_drawn_before_it_is_invoiced_is_a_contract_asset() -> None:
    """100 for 100, half of it invoiced in January, half in March; 70 are drawn in January, 30 in February.

    January: 50 - 70 = -20. February: -50. March: 50 are invoiced, and nothing is left.
    """
    written = Written()
    written.move("GRANT", "100", "2026-01-01", cost=money("100"))
    purchase(written, "first", "2026-01-01", "50")
    draw(written, "jan", JANUARY, "70", "2026-01")
    draw(written, "feb", FEBRUARY, "30", "2026-02")
    purchase(written, "second", "2026-03-01", "50")
    assert posted(written.journal()) == {
        "first": {"1200": "50", "2400": "-50"},
        "jan": {"1250": "20", "2400": "50", "4000": "-70"},
        "feb": {"1250": "30", "4000": "-30"},
        "second": {"1200": "50", "1250": "-50"},
    }
    assert breaches(written) == {}


def voided(written: Written, name: str, at: str) -> None:
    (invoice,) = (row for row in written.invoices if row["invoice_id"] == name)
    invoice.update(status="VOID", voided_at=day(at))


def test_a_void_books_the_opposite_in_its_own_month() -> None:
    """100 for 80; January's invoice draws 50, is voided in March and replaced: 40 are used, and 35 covered."""
    written = Written()
    written.move("GRANT", "100", "2026-01-01", cost=money("80"))
    purchase(written, "buy", "2026-01-01", "80")
    draw(written, "jan", JANUARY, "50", "2026-01")
    written.move("EXPIRATION", "-50", JANUARY, close_month="2026-01", entry_id="gone")
    totals = {"invoices": {"USD": {"count": 2, "total": "80.000000000000"}}}
    written.seals.append({"close_month": "2026-01", "control_totals": json.dumps(totals), "batch_no": 1})
    voided(written, "jan", "2026-03-09")
    back: Row = {"batch_no": 2}
    written.move("VOID_REVERSAL", "50", "2026-03-09", reverses_entry_id="le-jan", invoice_id="jan", **back)
    written.move(
        "VOID_REVERSAL", "50", "2026-03-09", reverses_entry_id="gone", invoice_id="jan", entry_id="back", **back
    )
    anew: Row = {"batch_no": 3, "finalized_at": day("2026-03-10"), "replaces_invoice_id": "jan"}
    written.invoice("jan-2", JANUARY, "5", [usage("40"), applied("35")], **anew)
    # As the engine writes them: rows of a replacement have the month of the invoice, though that is sealed.
    written.move("DEDUCTION", "-35", JANUARY, close_month="2026-01", invoice_id="jan-2", batch_no=3)
    written.move("EXPIRATION", "-65", JANUARY, close_month="2026-01", entry_id="gone-2", batch_no=3)
    found = written.journal()
    assert posted(found) == {
        "buy": {"1200": "80", "2400": "-80"},
        "jan": {"2400": "40", "4000": "-50", "4820": "10"},
        "gone": {"2400": "40", "4600": "-40"},
        "jan-void": {"2400": "-40", "4000": "50", "4820": "-10"},
        "back": {"2400": "-40", "4600": "40"},
        # 35 x 0.8 = 28, 65 x 0.8 = 52
        "jan-2": {"1200": "5", "2400": "28", "4000": "-40", "4820": "7"},
        "gone-2": {"2400": "52", "4600": "-52"},
    }
    march = ("back", "gone-2", "jan-2", "jan-void")
    assert months(found) == {name: "2026-03" if name in march else "2026-01" for name in posted(found)}
    assert breaches(written) == {}
    assert sealed_is_as_before(written, found)


def sealed_is_as_before(written: Written, found: bookkeeping.Journal) -> bool:
    """January's postings, which are sealed, without what came after."""
    before = Written(
        [{**row, "status": "FINALIZED", "voided_at": None} for row in written.invoices if row["batch_no"] == 1],
        [row for row in written.lines if row["invoice_id"] != "jan-2"],
        [row for row in written.ledger if row["batch_no"] == 1],
        written.seals,
    )
    rows = before.journal().postings.sort("posting_id").collect()
    january = found.postings.collect().filter(month="2026-01").sort("posting_id")
    return january.drop("sealed_month").equals(rows.drop("sealed_month"))


def test_the_void_of_a_purchase_turns_the_liability_into_a_contract_asset() -> None:
    """100 are bought and 30 drawn; the purchase is voided: the customer owes for the 30."""
    written = Written()
    written.move("GRANT", "100", "2026-01-01", cost=money("100"))
    purchase(written, "buy", "2026-01-01", "100")
    draw(written, "jan", JANUARY, "30", "2026-01")
    voided(written, "buy", "2026-02-10")
    assert posted(written.journal())["buy-void"] == {"1200": "-100", "1250": "30", "2400": "70"}
    assert breaches(written) == {}


def test_a_void_whose_replacement_is_booked_before_it_releases_the_same_in_the_end() -> None:
    """The whole balance of 100 for 90 is drawn, and drawn again by an invoice of the same month that is final later."""
    written = Written()
    written.move("GRANT", "100", "2026-01-01", cost=money("90"))
    purchase(written, "buy", "2026-01-01", "90")
    draw(written, "jan", JANUARY, "100", "2026-01")
    voided(written, "jan", "2026-02-03")
    written.move("VOID_REVERSAL", "100", "2026-02-03", reverses_entry_id="le-jan", invoice_id="jan", batch_no=2)
    draw(written, "other", JANUARY, "40", "2026-01", batch_no=3, finalized_at=day("2026-02-04"))
    sums = bookkeeping.control_totals(written.journal().postings, "2026-02").collect()
    assert dict(sums.filter(account="2400").select("account", "closing").rows()) == {"2400": -54}  # 60 x 0.9
    assert breaches(written) == {}


def test_custom_units_are_carried_at_what_was_paid() -> None:
    """700 credits for 6.30; 600 and 100 of two products are drawn: 5.40 and 0.90. Another 50 at a cent are to pay."""
    written = Written()
    in_units: Row = {"unit": "credits"}
    written.move("GRANT", "700", "2026-01-01", cost=money("6.30"), **in_units)
    purchase(written, "buy", "2026-01-01", "6.30")
    of_units: Row = {"amount_unit": "credits", "in_total": False, "rate_card_id": "card"}
    written.invoice(
        "jan",
        JANUARY,
        "0.50",
        [
            usage("600", "gpu", **of_units),
            usage("150", "tokens", **of_units),
            applied("600", "gpu", **of_units),
            applied("100", "tokens", **of_units),
            line("pricing_unit_conversion", "0.5", quantity=money("50"), unit_price=money("0.01"), unit="credits",
                 rate_card_id="card"),
        ],
    )  # fmt: skip
    written.move("DEDUCTION", "-700", JANUARY, close_month="2026-01", invoice_id="jan", **in_units)
    found = written.journal()
    assert posted(found)["jan"] == {"1200": "0.5", "2400": "6.3", "4000": "-6.8"}
    products = found.postings.collect().filter(voucher_id="jan", account="4000").sort("product_id")
    # tokens: 100 x 0.009 of the balance, 50 x 0.01 to pay
    assert products.select("product_id", "amount").rows() == [("gpu", money("-5.4")), ("tokens", money("-1.4"))]
    assert breaches(written) == {}


def test_a_manual_entry_gives_back_at_cost() -> None:
    """100 for 90, 60 drawn (54). 20 are added by hand: 18 are owed again. Then 10 are taken: 9."""
    written = Written()
    written.move("GRANT", "100", "2026-01-01", cost=money("90"))
    purchase(written, "buy", "2026-01-01", "90")
    draw(written, "jan", JANUARY, "60", "2026-01")
    written.move("MANUAL", "20", "2026-02-05", entry_id="sorry")
    written.move("MANUAL", "-10", "2026-02-09", entry_id="oops")
    found = posted(written.journal())
    assert found["sorry"] == {"2400": "-18", "4830": "18"}
    assert found["oops"] == {"2400": "9", "4830": "-9"}
    assert breaches(written) == {}


def test_discounts_fees_minimums_and_rounding_have_their_accounts() -> None:
    """7.378 of usage in two products, 10 % off one of them, a seat, a fee, a minimum: 28.7401, rounded to 28.74."""
    written = Written()
    lines = [
        usage("2.5"),
        usage("4.878", "gpu"),
        line("discount", "-0.4878", product_id="gpu"),
        line("maximum_adjustment", "-1", product_id="tokens"),
        line("subscription", "10", product_id="seats"),
        line("composite", "0.85", product_id="support"),
        line("scheduled", "5", product_id="fee"),
        line("minimum_adjustment", "7"),
        line("late_usage", "-0.0001", product_id="tokens"),
        line("rounding", "-0.0001"),
    ]
    written.invoice("jan", JANUARY, "28.74", lines)
    assert posted(written.journal()) == {
        "jan": {
            "1200": "28.74",
            "4000": "-6.38",  # 2.50 - 1 and 4.88, each rounded
            "4100": "-10",
            "4200": "-5",
            "4300": "-0.85",
            "4400": "-7",
            "4800": "0.49",
        }
    }  # 0.0001 of late usage rounds to nothing, and so does the difference
    assert breaches(written) == {}


def test_totals_that_are_not_the_sum_of_their_lines_are_found() -> None:
    written = Written()
    written.invoice("jan", JANUARY, "12", [usage("11")])
    assert breaches(written) == {"unbalanced entries": [("jan", "USD", money("1"), 2)]}


def test_a_seal_that_says_another_total_is_found() -> None:
    written = Written()
    written.invoice("jan", JANUARY, "11", [usage("11")])
    totals = {"invoices": {"USD": {"count": 1, "total": "12.000000000000"}}}
    written.seals.append({"close_month": "2026-01", "control_totals": json.dumps(totals), "batch_no": 1})
    assert breaches(written) == {"sealed": [("2026-01", "USD", money("12"), money("11"))]}


def test_a_liability_that_no_purchase_explains_is_found() -> None:
    """A purchase without a grant is owed as it is; what is owed without a purchase is wrong."""
    written = Written()
    purchase(written, "buy", "2026-01-01", "90")
    assert breaches(written) == {}
    found, books = written.journal(), written.books()
    broken = bookkeeping.liabilities_at_cost(found, books.invoices, books.line_items.head(0))
    assert broken.collect().rows() == [("b", 90, 0)]
