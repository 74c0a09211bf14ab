"""The chart of accounts, and which account a line of an invoice is on."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True, slots=True)
class Account:
    """One account. `kind` is ASSET, LIABILITY, REVENUE, CONTRA_REVENUE (lowers revenue) or EXPENSE."""

    number: str
    name: str
    kind: str
    about: str


RECEIVABLE = "1200"
CONTRACT_ASSET = "1250"
LIABILITY = "2400"
USAGE = "4000"
LATE_USAGE = "4010"
SUBSCRIPTION = "4100"
CHARGES = "4200"
COMPOSITE = "4300"
MINIMUM = "4400"
SHORTFALL = "4500"
BREAKAGE = "4600"
DISCOUNTS = "4800"
CREDITS = "4810"
COMMIT_DISCOUNTS = "4820"
MANUAL = "4830"
ROUNDING = "6900"

ACCOUNTS: tuple[Account, ...] = (
    Account(RECEIVABLE, "Accounts receivable", "ASSET", "Totals of invoices; payments are booked by others"),
    Account(CONTRACT_ASSET, "Contract assets", "ASSET", "Drawn from a prepaid commit before it was invoiced"),
    Account(LIABILITY, "Deferred commit liability", "LIABILITY", "Invoiced for prepaid commits and not drawn yet"),
    Account(USAGE, "Usage revenue", "REVENUE", "Usage lines, caps included, and usage in custom pricing units"),
    Account(LATE_USAGE, "Late usage revenue", "REVENUE", "Usage of periods that were invoiced before"),
    Account(SUBSCRIPTION, "Subscription revenue", "REVENUE", "Subscription lines, when they are invoiced"),
    Account(CHARGES, "Fees and scheduled charges", "REVENUE", "Scheduled charges, when they are invoiced"),
    Account(COMPOSITE, "Composite revenue", "REVENUE", "Percentages of other charges"),
    Account(MINIMUM, "Minimum charges", "REVENUE", "What is missing to a minimum of a rate or contract"),
    Account(SHORTFALL, "Commitment shortfall", "REVENUE", "True-ups of postpaid commits"),
    Account(BREAKAGE, "Breakage", "REVENUE", "What was paid for balances that expired"),
    Account(DISCOUNTS, "Discounts", "CONTRA_REVENUE", "Discount lines"),
    Account(CREDITS, "Promotional credits", "CONTRA_REVENUE", "Usage that free credits paid for"),
    Account(COMMIT_DISCOUNTS, "Discounts on prepaid commits", "CONTRA_REVENUE", "What commits cover beyond their cost"),
    Account(MANUAL, "Manual balance adjustments", "CONTRA_REVENUE", "Prepaid balances that people raised or lowered"),
    Account(ROUNDING, "Rounding differences", "EXPENSE", "Of invoice totals, and of vouchers to the minor unit"),
)  # fmt: skip

POSITION = (LIABILITY, CONTRACT_ASSET)
"""Accounts that carry prepaid commits, balance by balance."""
BY_BALANCE = (*POSITION, SHORTFALL, BREAKAGE, CREDITS, COMMIT_DISCOUNTS, MANUAL)
"""Accounts whose postings name the balance."""

COMMIT_PURCHASE, CONVERSION, APPLICATION = "commit_purchase", "pricing_unit_conversion", "applied_commit_or_credit"
OF_LINES: dict[str, str] = {
    "usage": USAGE,
    "maximum_adjustment": USAGE,
    CONVERSION: USAGE,
    "late_usage": LATE_USAGE,
    "subscription": SUBSCRIPTION,
    "scheduled": CHARGES,
    "composite": COMPOSITE,
    "minimum_adjustment": MINIMUM,
    "trueup": SHORTFALL,
    "discount": DISCOUNTS,
    "rounding": ROUNDING,
}
"""Of every line type in the total but purchases of commits and what balances pay, which the balances' accounts take."""

OF_ENTRIES: dict[str, str] = {
    "EXPIRATION": BREAKAGE,
    "MANUAL": MANUAL,
    "GRANT": COMMIT_DISCOUNTS,
    "SEAT_ADJUSTMENT": COMMIT_DISCOUNTS,
}
"""The other account of ledger movements that no invoice has and that release what was paid, or take it back."""


def name_of(account: pl.Expr) -> pl.Expr:
    return account.replace_strict({one.number: one.name for one in ACCOUNTS}, return_dtype=pl.String)


def kind_of(account: pl.Expr) -> pl.Expr:
    return account.replace_strict({one.number: one.kind for one in ACCOUNTS}, return_dtype=pl.String)
