"""`billing balances`: what commits and credits still hold, and the ledger behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from billing_assets.cli.command import command
from billing_assets.cli.figures import counted, money
from billing_assets.cli.output import Column, Row, print_json, print_table, record, records, say
from billing_assets.cli.settings import Settings

if TYPE_CHECKING:
    import polars as pl

EXAMPLES = """
billing balances
billing balances --customer acme
billing balances --customer acme --ledger          every movement, oldest first
billing balances --ledger --format json | jq '.ledger[] | select(.entry_type == "EXPIRATION")'
"""


def amount(row: Row, name: str) -> str:
    """An amount in the unit of its balance."""
    return money(row[name], row["unit"])


BALANCES = (
    Column("balance", lambda row: row["segment_id"]),
    Column("kind", lambda row: row["balance_type"], rank=3),
    Column("customer", lambda row: row["customer_id"] or ""),
    Column("contract", lambda row: row["contract_id"] or "", rank=5),
    Column("unit", lambda row: row["unit"]),
    Column("granted", lambda row: amount(row, "granted"), numeric=True, rank=2),
    Column("drawn", lambda row: amount(row, "drawn"), numeric=True, rank=2),
    Column("expired", lambda row: amount(row, "expired"), numeric=True, rank=4),
    Column("rolled over", lambda row: amount(row, "rolled_over"), numeric=True, rank=6),
    Column("remaining", lambda row: amount(row, "remaining"), numeric=True),
    Column("drafts draw", lambda row: amount(row, "pending_drawn"), numeric=True, rank=1),
    Column("from", lambda row: f"{row['access_starting_at']:%Y-%m-%d}", rank=7),
    Column("to", lambda row: f"{row['access_ending_before']:%Y-%m-%d}" if row["access_ending_before"] else "open"),
)
LEDGER = (
    Column("at", lambda row: f"{row['effective_at']:%Y-%m-%d %H:%M}"),
    Column("balance", lambda row: row["segment_id"] or row["balance_id"]),
    Column("customer", lambda row: row["customer_id"] or "", rank=3),
    Column("entry", lambda row: row["entry_type"]),
    Column("amount", lambda row: amount(row, "amount"), numeric=True),
    Column("unit", lambda row: row["unit"]),
    Column("invoice", lambda row: row["invoice_id"] or "", rank=1),
    Column("month", lambda row: row["close_month"], rank=4),
    Column("reason", lambda row: row["reason"] or "", rank=2),
    Column("state", lambda row: row["state"]),
)


@command("balances", examples=EXAMPLES)
def balances(
    settings: Settings,
    customer: Annotated[str | None, typer.Option("--customer", metavar="ID", help="Of one customer.")] = None,
    ledger: Annotated[bool, typer.Option("--ledger", help="Every movement instead of the balances.")] = False,
) -> int:
    """Show what commits and credits were granted, what was drawn, expired and rolled over, and what is left.

    A balance is the sum of its ledger rows; `remaining` is after finalized invoices, and what the drafts would draw
    stands beside it. Amounts of different units (currencies, pricing units, quantities) are never added up.
    """
    from billing_assets.cli.queries import is_customer, known_customer

    lake = settings.lake()
    chosen = is_customer(known_customer(lake, customer))
    if ledger:
        found = records(
            lake.collect(movements(lake.scan("ledger_entries"), lake.scan("pending_ledger_entries"), chosen))
        )
        return shown(settings, "ledger", found, LEDGER, "no ledger entries yet")
    rows = records(
        lake.collect(lake.scan("balances").filter(chosen).sort("customer_id", "segment_id", nulls_last=True))
    )
    return shown(settings, "balances", rows, BALANCES, "no balances; `billing close` refreshes them")


def movements(final: pl.LazyFrame, drafts: pl.LazyFrame, chosen: pl.Expr) -> pl.LazyFrame:
    """Final and pending entries, oldest first; `state` tells them apart."""
    import polars as pl

    pending = drafts.join(final.select("entry_id"), on="entry_id", how="anti")
    both = pl.concat(
        [
            final.with_columns(state=pl.lit("final")),
            pending.with_columns(state=pl.lit("pending")).select(*final.collect_schema().names(), "state"),
        ]
    )
    order = ("customer_id", "segment_id", "effective_at", "entry_type", "entry_id")
    return both.filter(chosen).sort(order, nulls_last=True)


def shown(settings: Settings, name: str, found: Sequence[Row], columns: tuple[Column, ...], nothing: str) -> int:
    if settings.json:
        print_json({name: [record(row) for row in found]})
    elif not found:
        say(nothing)
    else:
        print_table(found, columns)
        say()
        say(counted(len(found), "balance" if name == "balances" else "movement"))
    return 0
