"""Why an invoice is held, and what clears it: the next step, as a person does it."""

from __future__ import annotations

from billing_assets.cli.output import Row

NEXT_STEPS = {
    "MANUAL": "a person holds it; `billing release {invoice_id}` lets it go",
    "UNRATED_USAGE": "add the missing rate, or an override that is not entitled to it, then close again; or "
    "`billing waive {invoice_id}` lets it go; "
    "`billing unbilled --disposition unrated --customer {customer_id}` lists the usage",
    "METRIC_EXCEPTIONS": "events without a usable value are not billed; `billing unbilled --disposition "
    "metric_exception --customer {customer_id}` lists them. `billing release {invoice_id}` bills it "
    "without them. Or send what should be billed as new events, under new ids; "
    "the old ones stay exceptions, so then raise metric_exception_tolerance of {contract_id} to their number, "
    "and close again",
    "NEGATIVE_TOTAL": "look at `billing show {invoice_id}`; correct the usage or the catalog, or set "
    "settings.hold_negative_total to false; if the total is right, `billing release {invoice_id}`; then close again",
    "TOTAL_OVER_LIMIT": "look at `billing show {invoice_id}`; if the total is right, `billing release {invoice_id}`, "
    "or raise settings.hold_total_over, then close again",
    "PREDECESSOR_HELD": "an earlier invoice that can draw on the same balance is held; clear that one, and this "
    "follows in the same close; `billing invoices --customer {customer_id}` lists both",
    "VOIDED": "the invoice of this period or instant is void; `billing regenerate` with its number issues this one in "
    "its place, and nothing does so by itself",
    "SEALED_MONTH": "{close_month} is sealed and takes no further invoice; look at the dates of {contract_id}, which "
    "gave the month an invoice after its seal",
}


def next_step(reason: str, invoice: Row) -> str:
    """What a person does about a hold."""
    known = {name: invoice.get(name) or "?" for name in ("customer_id", "contract_id", "invoice_id", "close_month")}
    return NEXT_STEPS.get(reason, "look at `billing show {invoice_id}`").format(**known)
