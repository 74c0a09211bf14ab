"""Closes in a row over a small book: what each makes final, and the ledger that grows by it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from billing_assets.columns import TIMESTAMP
from billing_assets.commitments.access import BALANCE, DRAWING_LINE
from billing_assets.commitments.balances import balances
from billing_assets.commitments.ledger import ENTRY, Batch, openings
from billing_assets.commitments.order import order
from billing_assets.commitments.rollover import rollovers
from billing_assets.commitments.settling import Terms, Written, entries, settle
from billing_assets.commitments.trueup import issued, ready, trueup_lines, trueups
from billing_assets.periods import close_month
from billing_assets_tests.commitments.book import SELECTORS, SHARES, Row, collected, everything, frame

GRACE = timedelta(hours=24)
CONTRACTS = {
    "contract_id": pl.String(), "pool": pl.String(), "customer_id": pl.String(), "currency": pl.String(),
    "minor_digits": pl.Int64(), "contract_position": pl.Int64(), "net_payment_terms_days": pl.Int64(),
    "starting_at": TIMESTAMP, "ending_before": TIMESTAMP, "follows_contract_id": pl.String(),
    "transition_type": pl.String(),
}  # fmt: skip
INVOICES = {
    "invoice_id": pl.String(), "pool": pl.String(), "contract_id": pl.String(), "invoice_type": pl.String(),
    "period_start": TIMESTAMP, "dated_at": TIMESTAMP, "issued_at": TIMESTAMP,
}  # fmt: skip
TRUEUP_TERMS = {
    "balance_id": pl.String(), "segment_id": pl.String(), "contract_id": pl.String(), "dated_at": TIMESTAMP,
    "product_id": pl.String(), "name": pl.String(),
}  # fmt: skip


def contract(name: str, start: datetime, end: datetime | None = None, **terms: Any) -> Row:
    return {"contract_id": name, "pool": "c", "customer_id": "u", "currency": "USD", "minor_digits": 2,
            "contract_position": 0, "net_payment_terms_days": 30, "starting_at": start, "ending_before": end,
            "follows_contract_id": None, "transition_type": None, **terms}  # fmt: skip


def usage_invoice(name: str, start: datetime, end: datetime, **terms: Any) -> Row:
    return {"invoice_id": name, "pool": "c", "contract_id": "c", "invoice_type": "USAGE", "period_start": start,
            "dated_at": end, "issued_at": end + GRACE, **terms}  # fmt: skip


def scheduled_invoice(name: str, at: datetime, **terms: Any) -> Row:
    dated = {"period_start": None, "dated_at": at, "issued_at": at}
    return {"invoice_id": name, "pool": "c", "contract_id": "c", "invoice_type": "SCHEDULED", **dated, **terms}


def trueup_terms(name: str, at: datetime, **terms: Any) -> Row:
    return {"balance_id": name, "segment_id": f"{name}/1", "contract_id": "c", "dated_at": at, "product_id": "fixed",
            "name": "Commitment", **terms}  # fmt: skip


@dataclass
class Books:
    """Lines name their invoice; a close makes final what is issued by `now`, but for what it is told to hold."""

    lines: Sequence[Row]
    balances: Sequence[Row]
    invoices: Sequence[Row]
    contracts: Sequence[Row]
    shares: Sequence[Row] = ()
    terms: Sequence[Row] = ()
    sealed: tuple[str, ...] = ()
    ledger: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=ENTRY))
    pending: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=ENTRY))
    trueups: pl.DataFrame = field(default_factory=pl.DataFrame)
    final: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.rolling = collected(rollovers(frame(self.balances, BALANCE), frame(self.contracts, CONTRACTS)))
        self.access = pl.concat([frame(self.balances, BALANCE), self.rolling.select(*BALANCE)])
        self.terms_of_access = Terms(frame(everything(), SELECTORS), frame(self.shares, SHARES), self.rolling)

    def open_rows(self, now: datetime) -> list[Row]:
        started = [row for row in self.invoices if (row["period_start"] or row["dated_at"]) <= now]
        return [row for row in started if row["invoice_id"] not in self.final]

    def close(self, now: datetime, month: str, held: Iterable[str] = ()) -> pl.DataFrame:
        """Rows that the close at `now` writes; `pending` and `trueups` are what the drafts after it would give."""
        rows = self.open_rows(now)
        lines = collected(self.drawing(rows))
        opened = collected(order(openings(self.access, self.ledger.lazy())))
        settled = settle(lines, opened, self.terms_of_access, number, collected)
        due = [row["invoice_id"] for row in rows if row["issued_at"] <= now and row["invoice_id"] not in held]
        missing = self.missing(opened, settled.draws, now)
        written = self.rows_of(lines, opened, settled, due, missing, now, month)
        self.ledger = pl.concat([self.ledger, written])
        self.final |= set(due)
        self.trueups = missing
        left = [row["invoice_id"] for row in rows]
        pending = self.rows_of(lines, opened, settled, left, missing, now, month)
        self.pending = pending.join(written, on="entry_id", how="anti")
        return written

    def rows_of(
        self, lines: pl.LazyFrame, opened: pl.LazyFrame, settled: Any, made: list[str], missing: pl.DataFrame,
        now: datetime, month: str,
    ) -> pl.DataFrame:  # fmt: skip
        final = frame([row for row in self.invoices if row["invoice_id"] in made], INVOICES)
        left = frame([row for row in self.open_rows(now) if row["invoice_id"] not in made], INVOICES)
        until = datetime.fromisoformat(f"{month}-01T00:00:00+00:00") + timedelta(days=32)
        batch = Batch(
            final=final.with_columns(close_month=invoice_month()), still_open=left, until=until.replace(day=1), now=now,
            month=month, sealed_months=self.sealed,
        )  # fmt: skip
        waiting = left.select("contract_id").collect().to_series().to_list()
        over = [row for row in self.contracts if row["ending_before"] and row["ending_before"] <= now]
        ended = frame([row for row in over if row["contract_id"] not in waiting], {"contract_id": pl.String()})
        due = missing.lazy().filter(pl.col("issued_at") <= pl.lit(now, dtype=TIMESTAMP))
        charged = ready(due, frame(self.shares, SHARES), left)
        given = Written(charged, ended)
        return entries(settled, lines, opened, self.terms_of_access, given, batch, collected).collect()

    def drawing(self, rows: list[Row]) -> pl.LazyFrame:
        in_order = sorted(rows, key=in_pool)
        places = {row["invoice_id"]: 1000 * place for place, row in enumerate(in_order)}
        dates = {row["invoice_id"]: {"dated_at": row["dated_at"]} for row in rows}
        listed = []
        for row in self.lines:
            name = row["invoice_id"]
            if name in dates:
                listed.append({**row, **dates[name], "draw_order": places[name] + row["line_key"]})
        return frame(listed, DRAWING_LINE)

    def missing(self, opened: pl.LazyFrame, draws: pl.LazyFrame, now: datetime) -> pl.DataFrame:
        contracts = frame(self.contracts, CONTRACTS).drop("starting_at", "ending_before")
        found = trueups(opened, draws, frame(self.terms, TRUEUP_TERMS), contracts, self.ledger.lazy(), now)
        usage = frame(self.invoices, INVOICES).filter(pl.col("invoice_type") == "USAGE")
        return issued(found, usage, frame(self.shares, SHARES)).collect()

    def trueup_lines(self) -> pl.DataFrame:
        return trueup_lines(self.trueups.lazy()).collect()

    def table(self) -> pl.DataFrame:
        return balances(self.access, self.ledger.lazy(), self.pending.lazy()).collect()

    def told(self, segment: str) -> list[tuple[str, str, str, str]]:
        """(type, day, amount, month) of a segment's rows, oldest first."""
        kinds = ["GRANT", "SEAT_ADJUSTMENT", "ROLLOVER_IN", "DEDUCTION", "ROLLOVER_OUT", "TRUEUP", "EXPIRATION"]
        rows = self.ledger.filter(segment_id=segment).to_dicts()
        rows.sort(key=lambda row: (row["effective_at"], kinds.index(row["entry_type"]), row["amount"]))
        return [
            (row["entry_type"], f"{row['effective_at']:%m-%d}", f"{row['amount'].normalize():f}", row["close_month"])
            for row in rows
        ]


def number(found: pl.LazyFrame) -> int:
    return int(found.collect().item())


def in_pool(row: Row) -> tuple[datetime, bool, str]:
    return row["dated_at"], row["invoice_type"] != "SCHEDULED", row["invoice_id"]


def invoice_month() -> pl.Expr:
    scheduled = pl.col("invoice_type") == "SCHEDULED"
    return pl.when(scheduled).then(pl.col("dated_at").dt.strftime("%Y-%m")).otherwise(close_month(pl.col("dated_at")))
