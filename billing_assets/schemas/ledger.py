"""The ledger of commits and credits: a balance is the sum of its rows."""

from __future__ import annotations

from billing_assets.schemas.fields import Decimal12, Table, Timestamp, optional, required

BALANCE_TYPES = ("PREPAID", "POSTPAID", "CREDIT")
ENTRY_TYPES = (
    "GRANT",
    "DEDUCTION",
    "EXPIRATION",
    "ROLLOVER_OUT",
    "ROLLOVER_IN",
    "TRUEUP",
    "VOID_REVERSAL",
    "SEAT_ADJUSTMENT",
    "MANUAL",
)


class LedgerEntries(Table):
    """Movements of balances; + increases what can be drawn. Grain: entry_id."""

    close_month: str = required("Month that the movement belongs to")
    entry_id: str = required("Stable hash of the movement's business key")
    balance_id: str = required("Id of the commit or credit; recurring ones as id@date")
    balance_type: str = optional("Kind of balance", one_of=BALANCE_TYPES)
    segment_id: str = optional("Access segment")
    customer_id: str = optional("Customer")
    contract_id: str = optional("Contract; null for a balance of the customer")
    entry_type: str = required("Kind of movement", one_of=ENTRY_TYPES)
    amount: Decimal12 = required("Movement, signed")
    cost: Decimal12 = optional("Opening: what the catalog charges for it in advance; null where nothing")
    unit: str = required("Currency, pricing unit, or quantity:<product>; never added together")
    effective_at: Timestamp = required("When it takes effect")
    invoice_id: str = optional("Invoice that moved it")
    line_item_id: str = optional("Line that moved it")
    reverses_entry_id: str = optional("Entry that a VOID_REVERSAL reverses")
    reason: str = optional("Why, where a person decided")
    batch_no: int = required("Books batch that wrote the row")


class PendingLedgerEntries(LedgerEntries):
    """Movements of draft invoices as of the last refresh. Grain: entry_id. Overwritten whole."""

    batch_no: int = optional("Null while pending")


class Balances(Table):
    """Balances as of the last refresh. Grain: segment_id. Overwritten whole."""

    balance_id: str = required("Id of the commit or credit")
    segment_id: str = required("Access segment")
    balance_type: str = required("Kind of balance", one_of=BALANCE_TYPES)
    customer_id: str = optional("Customer")
    contract_id: str = optional("Contract; null for a balance of the customer")
    unit: str = required("Currency, pricing unit, or quantity:<product>")
    granted: Decimal12 = required("Sum of openings")
    drawn: Decimal12 = required("Sum of deductions of finalized invoices")
    expired: Decimal12 = required("Sum of expirations")
    rolled_over: Decimal12 = required("Sum rolled out to another contract")
    remaining: Decimal12 = required("Sum of all rows")
    pending_drawn: Decimal12 = required("Deductions of drafts")
    access_starting_at: Timestamp = required("Start of access")
    access_ending_before: Timestamp = optional("End of access, exclusive; null where open")
    cost_basis: Decimal12 = optional("Paid per unit granted; null where nothing is paid")
