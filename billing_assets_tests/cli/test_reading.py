"""What there is, as a person wants to read it: over known books, through real processes."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from billing_assets.cli.invoices import InvoiceType
from billing_assets.cli.unbilled import Disposition
from billing_assets.schemas.invoicing import INVOICE_TYPES
from billing_assets.schemas.metering import DISPOSITIONS
from billing_assets.storage.lake import Lake
from billing_assets_tests.cli.books import (
    ACME,
    DRAFT,
    HELD,
    SAKURA,
    UNFINISHED,
    invoice,
    line,
    write_batch,
    write_books,
)
from billing_assets_tests.cli.process import billing, billing_json, on_terminal


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("books")
    write_books(directory / "lake")
    return directory


def ids(found: dict[str, Any]) -> list[str]:
    return [row["invoice_id"] for row in found["invoices"]]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([], [ACME, SAKURA, HELD, DRAFT]),
        (["--month", "2023-12"], [DRAFT]),
        (["--customer", "acme"], [ACME, DRAFT]),
        (["--status", "finalized"], [ACME, SAKURA]),
        (["--status", "HELD"], [HELD]),
        (["--status", "draft"], [HELD, DRAFT]),
        (["--type", "scheduled"], []),
        (["--customer", "acme", "--month", "2023-11", "--type", "usage"], [ACME]),
    ],
)
def test_invoices_are_filtered(books: Path, filters: list[str], expected: list[str]) -> None:
    assert ids(billing_json(books, "invoices", *filters)) == expected


def test_an_invoice_of_an_unfinished_batch_is_not_seen(books: Path) -> None:
    assert UNFINISHED not in billing(books, "invoices").stdout
    assert billing(books, "show", UNFINISHED).returncode == 1


def test_json_has_money_as_text_and_group_values_as_objects(books: Path) -> None:
    acme, sakura = billing_json(books, "invoices", "--status", "finalized")["invoices"]
    assert (acme["total"], acme["subtotal"], acme["discounts"]) == ("1222.31", "1222.3120825", "0.00")
    assert (sakura["total"], sakura["currency"]) == ("3390", "JPY")
    assert acme["bill_to"]["address"]["city"] == "Springfield"
    lines = billing_json(books, "show", ACME)["lines"]
    assert (lines[0]["amount"], lines[0]["quantity"], lines[0]["unit_price"]) == ("12.00", "200", "0.06")
    assert lines[0]["pricing_group_values"] == {"model": "chat-large"}
    assert lines[4]["unit_price"] == "0.0000025"


def test_a_list_ends_with_its_totals_by_status_and_currency(books: Path) -> None:
    last = billing(books, "invoices").stdout.splitlines()[-1]
    assert last == "2 finalized: 3,390 JPY, 1,222.31 USD; 1 draft: 12.50 USD; 1 held: 0.25 USD"


ACME_PAGE = """\
item                                                  dates                                 quantity  unit price         amount
Output tokens, in thousand tokens
  model=chat-large, region=eu, tier 1 (to 200]        2023-11-01 00:00 to 2023-11-16 19:00   200       0.06          12.00
  model=chat-large, region=eu, tier 2 (200 to 1,000]  2023-11-01 00:00 to 2023-11-16 19:00    89.304   0.05           4.4652
  model=chat-large, region=eu, tier 3 (over 1,000)    2023-11-16 19:00 to 2023-11-30 24:00   133.672   0.04           5.34688
  minimum adjustment, model=chat-large, region=eu     2023-11-01 to 2023-11-30                                    1,200.50
Requests
  model=(none)                                        2023-11-01 to 2023-11-30                 1       0.0000025      0.0000025

  Subtotal   1,222.3120825
  Rounding      -0.0020825
  TOTAL USD  1,222.31
"""  # noqa: E501 - the page as it is


def test_an_invoice_reads_as_a_page(books: Path) -> None:
    page = billing(books, "show", "HI-2023-000001").stdout
    assert page.endswith(ACME_PAGE)
    for part in ("INVOICE HI-2023-000001", "Acme Inc.", "1 Main Street, Springfield", "eu_vat DE1", "2023-12-16"):
        assert part in page


def test_a_fee_is_told_from_what_is_counted(books: Path) -> None:
    counted, fee = (line for line in billing(books, "show", DRAFT).stdout.splitlines() if "tier 1" in line)
    assert "tier 1, fee" in fee
    assert "fee" not in counted


def test_verbose_adds_the_watermarks(books: Path) -> None:
    page = billing(books, "show", ACME, "--verbose").stdout
    assert "through ingest batch 1" in page
    assert f"li_{ACME}_1" in page
    assert "through ingest batch" not in billing(books, "show", ACME).stdout


def test_a_draft_is_marked_and_a_hold_says_what_to_do(books: Path) -> None:
    page = billing(books, "show", HELD).stdout
    assert page.startswith("*** DRAFT, NOT AN INVOICE")
    assert "*** HELD: UNRATED_USAGE ***" in page
    assert "`billing unbilled --disposition unrated --customer nightly`" in page
    assert "DRAFT" not in billing(books, "show", ACME).stdout


def test_a_unique_prefix_is_enough_and_an_ambiguous_one_lists_the_candidates(books: Path) -> None:
    assert billing_json(books, "show", "inv_5f2c")["invoice_id"] == ACME
    ran = billing(books, "show", "inv_5f2")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ACME in ran.stderr
    assert SAKURA in ran.stderr


def test_an_unknown_invoice_or_customer_names_the_nearest(books: Path) -> None:
    ran = billing(books, "show", "HI-2023-00001")
    assert ran.returncode == 1
    assert "nearest: HI-2023-000001" in ran.stderr
    ran = billing(books, "invoices", "--customer", "acne")
    assert ran.returncode == 1
    assert "nearest: acme" in ran.stderr


def test_usage_adds_up_by_month_and_keeps_group_keys_apart(books: Path) -> None:
    rows = billing_json(books, "usage", "--customer", "acme")["usage"]
    assert [(row["group_values"], row["quantity"], row["event_count"]) for row in rows] == [
        ({"model": "chat-large"}, "3500.5", 6),
        ({"model": "chat-large", "region": "eu"}, "2000", 3),
    ]
    assert len(billing_json(books, "usage", "--by", "day")["usage"]) == 4
    assert "describe the same events" in billing(books, "usage").stdout


def test_unbilled_usage_is_listed_with_its_reason(books: Path) -> None:
    unattributed, unrated = billing_json(books, "unbilled")["unbilled"]
    assert (unattributed["event_count"], unattributed["first_date"]) == (116, "2023-11-02")
    assert (unattributed["first_transaction_id"], unattributed["last_transaction_id"]) == (
        "org_7731-2-first",
        "org_7731-5-last",
    )
    assert (unrated["disposition"], unrated["reason"]) == ("unrated", "no_rate")
    assert len(billing_json(books, "unbilled", "--customer", "nightly")["unbilled"]) == 1
    assert "unattributed 116" in billing(books, "unbilled", "--disposition", "unattributed").stdout
    assert billing(books, "unbilled", "--disposition", "lost").returncode == 2


def test_every_disposition_and_invoice_type_can_be_asked_for() -> None:
    assert set(Disposition) == set(DISPOSITIONS)
    assert {one.name for one in InvoiceType} == set(INVOICE_TYPES)


def test_status_tells_what_is_open_held_due_and_unfinished(books: Path) -> None:
    found = billing_json(books, "status")
    assert [(row["close_month"], row["finalized"], row["drafts"], row["held"]) for row in found["months"]] == [
        ("2023-10", 0, 0, 0),
        ("2023-11", 2, 1, 1),
        ("2023-12", 0, 1, 0),
    ]
    assert (found["held"], found["next_due"]) == (1, "2024-01-02T00:00:00Z")
    assert [(row["batch_no"], row["state"]) for row in found["batches"]] == [(2, "INTENT")]
    assert found["catalog"]["problems"] == 1
    shown = billing(books, "status").stdout
    assert "batch 2 of books is unfinished" in shown
    assert "sealed 2023-12-02" in shown


def test_check_lists_what_breaks_an_invariant_and_fails(books: Path) -> None:
    ran = billing(books, "check")
    assert ran.returncode == 1
    assert "contents_unaltered" in ran.stdout
    assert "FAILED" in ran.stdout.splitlines()[-1]
    checks = {check["name"]: check for check in billing_json(books, "check")["checks"]}
    assert checks["contents_unaltered"]["discrepancies"][0]["invoice_id"] == ACME
    assert checks["numbers_gapless"]["ok"]
    unfinished = {(row["sequence"], row["batch_no"]) for row in checks["batches_whole"]["discrepancies"]}
    assert unfinished == {("books", 2)}


@pytest.mark.parametrize("columns", [80, 160])
@pytest.mark.parametrize(
    "arguments",
    [["invoices"], ["show", ACME], ["show", HELD], ["usage"], ["unbilled"], ["status"], ["show", ACME, "--verbose"]],
    ids=" ".join,
)
def test_a_terminal_shows_whole_ids_and_amounts_within_its_edge(
    books: Path, arguments: list[str], columns: int
) -> None:
    lines = on_terminal(books, columns, *arguments)
    assert max(len(line) for line in lines if str(books) not in line) <= columns
    shown = "\n".join(lines)
    assert "…" not in shown
    if arguments[0] == "invoices":
        for part in (ACME, SAKURA, HELD, DRAFT, "HI-2023-000001", "1,222.31"):
            assert part in shown
    if arguments[0] == "show" and ACME in arguments:
        for part in ("1,222.3120825", "0.0000025", "tier 2 (200 to 1,000]", "2023-11-16 19:00 to 2023-11-30 24:00"):
            assert part in shown


def test_a_pipe_gets_plain_lines_as_wide_as_they_are(books: Path) -> None:
    shown = billing(books, "invoices").stdout
    assert "\x1b" not in shown
    assert not set(shown) & set("┃━│─┏┓")
    header, first = shown.splitlines()[:2]
    assert all(title in header for title in ("number", "contract", "period", "type", "due", "total", "invoice id"))
    assert len(first) > 80
    assert all(line == line.rstrip() for line in shown.splitlines())


def test_an_export_has_the_months_committed_rows_and_the_same_bytes_each_time(books: Path, tmp_path: Path) -> None:
    for kind in ("csv", "parquet"):
        for name in ("one", "two"):
            ran = billing(books, "export", "--month", "2023-11", "--format", kind, "--to", str(tmp_path / name))
            assert ran.returncode == 0, ran.stderr
        tables = (("invoices", 2), ("line_items", 7), ("ledger_entries", 0))
        for table, rows in (*tables, ("journal", 5), ("journal_details", 9), ("control_totals", 5)):
            one, two = (tmp_path / name / f"{table}.{kind}" for name in ("one", "two"))
            assert one.read_bytes() == two.read_bytes()
            assert f"{table}.{kind}: {rows} row" in ran.stdout
    written = (tmp_path / "one" / "line_items.csv").read_text().splitlines()
    assert len(written) == 8
    assert ",0.0000025," in written[5]
    assert "2023-11-16T19:00:00Z" in written[3]


def test_a_journal_that_does_not_balance_is_not_exported(tmp_path: Path) -> None:
    """An invoice of 12 whose only line is over 11: whatever was changed, somebody changed it behind the engine."""
    lake = Lake(str(tmp_path / "lake"))
    eleven = line(ACME, 1, "11", quantity=Decimal(1), unit_price=Decimal(11))
    twelve = invoice(ACME, "acme", "12", number_sequence=1, invoice_number="HI-2023-000001")
    write_batch(lake, {"line_items": [eleven], "invoices": [twelve]})
    ran = billing(tmp_path, "export", "--month", "2023-11", "--to", str(tmp_path / "out"))
    assert ran.returncode == 3
    assert "journal_exact; nothing was written" in ran.stderr
    assert not (tmp_path / "out").exists()
    checked = billing(tmp_path, "check")
    assert checked.returncode == 1
    assert f"voucher_id={ACME}, currency=USD, amount=1, lines=2" in checked.stdout


def test_an_export_overwrites_only_by_force(books: Path, tmp_path: Path) -> None:
    arguments = ["export", "--month", "2023-11", "--to", str(tmp_path)]
    assert billing(books, *arguments).returncode == 0
    (tmp_path / "invoices.csv").write_text("mine")
    ran = billing(books, *arguments)
    assert ran.returncode == 2
    assert "--force" in ran.stderr
    assert (tmp_path / "invoices.csv").read_text() == "mine"
    assert billing(books, *arguments, "--force").returncode == 0
    assert (tmp_path / "invoices.csv").read_text() != "mine"


def test_an_export_of_an_open_month_says_so(books: Path, tmp_path: Path) -> None:
    ran = billing(books, "export", "--month", "2023-11", "--to", str(tmp_path))
    assert "2023-11 is not sealed; 1 draft" in ran.stderr


def test_an_empty_lake_has_nothing_and_says_what_makes_something(tmp_path: Path) -> None:
    for arguments in (["invoices"], ["usage"], ["unbilled"], ["check"]):
        assert billing(tmp_path, *arguments).returncode == 0
    ran = billing(tmp_path, "show", "INV-1")
    assert ran.returncode == 1
    assert "`billing close` makes them" in ran.stderr
