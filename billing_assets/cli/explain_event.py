"""`billing explain --event`: what became of an event, metric by metric, and the lines that it is part of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from billing_assets.cli.explain_line import explain_line
from billing_assets.cli.figures import group, money, number, span
from billing_assets.cli.output import Row, print_json, record, records
from billing_assets.cli.settings import Settings

if TYPE_CHECKING:
    from billing_assets.runs.told_events import Received, Told

BILLED, FREE, NOT_RATED = "billed", "billed_at_no_charge", "not_rated"
EXCEPTION, LATE, SETTLED = "metric_exception", "late_usage", "settled"
UNATTRIBUTED = "unattributed"
POLICIES = {
    "CARRY_FORWARD": "late_usage is CARRY_FORWARD, and no line carries it (yet)",
    "CORRECTION": "late_usage is CORRECTION, and no invoice corrects it (yet)",
    "REPORT_ONLY": "late_usage is REPORT_ONLY: it is listed, and not billed",
}
DECIDED_BY_PRICE = (BILLED, SETTLED)


@dataclass(frozen=True, slots=True)
class Part:
    """A line that an event is part of: of which invoice, and what the event adds to the metric."""

    invoice: Row
    line: Row
    value: str | None
    adds: Any


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of an event as a metric counts it. place: None where nothing is known of it yet."""

    metric: str
    disposition: str
    reason: str
    place: Row | None
    parts: Sequence[Part]


def explain_event(settings: Settings, transaction_id: str, on: date | None) -> int:
    """Print what became of a transaction id. Raises NotFound where ingestion never saw it."""
    from billing_assets.cli.explain_event_page import print_event, print_rows
    from billing_assets.cli.queries import NotFound
    from billing_assets.runs.told_events import received, told

    lake = settings.lake()
    found = received(lake, transaction_id, on)
    if found.accepted.is_empty() and found.duplicates.is_empty() and found.rejected.is_empty():
        raise NotFound(f"no event {transaction_id!r}: {_where_else(on)}")
    stories = [told(lake, one, settings.now) for one in found.accepted.iter_slices(1)]
    fates = [list(fates_of(one)) for one in stories]
    if settings.json:
        print_json(as_json(transaction_id, found, stories, fates))
        return 0
    for one, own in zip(stories, fates, strict=True):
        print_event(one, own)
    print_rows(found)
    return 0


def _where_else(on: date | None) -> str:
    seen = "no row of an ingested file has this id" if on is None else f"no event of {on} has this id"
    return f"{seen}; rows without a readable id are in the table rejected_events"


def fates_of(found: Told) -> Iterator[Fate]:
    """One for every metric that the event matches; one without a metric where it matches none."""
    parts = list(parts_of(found))
    matched = matching(records(found.conditions)) if found.recorded else {}
    places = {one["billable_metric_id"]: one for one in records(found.places)}
    if not any(matched.values()):
        yield Fate("", "no_metric", "it passes the filter of no metric", places.get(None), ())
    for metric in sorted(name for name, passed in matched.items() if passed):
        own = [one for one in parts if one.line["billable_metric_id"] == metric]
        place = places.get(metric)
        usable = all(one["is_usable"] for one in records(found.conditions) if one["billable_metric_id"] == metric)
        disposition, reason = decided(found, metric, place, own, usable=usable)
        yield Fate(metric, disposition, reason, place, own)


def matching(conditions: Sequence[Row]) -> dict[str, bool]:
    """Whether the event passes all conditions of a metric, by its id."""
    found: dict[str, bool] = {}
    for one in conditions:
        name = one["billable_metric_id"]
        found[name] = found.get(name, True) and one["passes"]
    return found


def parts_of(found: Told) -> Iterator[Part]:
    """The lines that an explanation of their invoice lists the event under."""
    import polars as pl

    is_it = pl.col("transaction_id") == found.event["transaction_id"]
    is_it &= pl.col("ingest_batch") == found.event["ingest_batch"]
    for candidate in found.candidates:
        lines = records(candidate.lines)
        for line in lines:
            events = explain_line(line, lines, candidate.basis).events
            for one in [] if events is None else records(events.filter(is_it)):
                metric = line["billable_metric_id"] or one["billable_metric_id"]
                yield Part(candidate.invoice, {**line, "billable_metric_id": metric}, one["value"], one["adds"])


def decided(found: Told, metric: str, place: Row | None, parts: Sequence[Part], *, usable: bool) -> tuple[str, str]:
    """The disposition, as of `unbilled_usage` where it is not billed, and in words why."""
    standing = [one for one in parts if one.invoice["status"] != "VOID"]
    if standing:
        free = all(one.line["amount"] == 0 for one in standing)
        return (FREE, "its lines come to 0") if free else (BILLED, "")
    if place is None:
        return NOT_RATED, "its hour has not begun"
    name = str(place["place"])
    if not usable and name not in (UNATTRIBUTED, LATE):
        return EXCEPTION, "the metric finds no number where it reads one: absent, no number, or too many digits"
    if name not in DECIDED_BY_PRICE:
        return name, why(name, found, place)
    listed = [one for one in records(found.listed) if _is_of(one, metric, place)]
    # Of a final period the product may be another than by today's catalog.
    listed = [one for one in listed if one["product_id"] == place["product_id"]] or (listed if name == SETTLED else [])
    if listed:
        given, detail = listed[0]["disposition"], listed[0]["reason"]
        return given, why(given, found, place) + (f" ({detail})" if detail else "")
    seen = found.rated_through
    if name == BILLED and (seen is None or seen < found.event["ingest_batch"]):
        return NOT_RATED, f"it came in ingest batch {found.event['ingest_batch']}, after the last close"
    return name, why(SETTLED, found, place)


def _is_of(listed: Row, metric: str, place: Row) -> bool:
    keys = ("group_values", "contract_id", "period_start")
    return listed["billable_metric_id"] == metric and all(listed[key] == place[key] for key in keys)


def why(disposition: str, found: Told, place: Row) -> str:
    """The disposition in words, with what a person would do about it."""
    event = found.event
    match disposition:
        case "unattributed":
            return f"no customer has the reference {event['customer_ref']}; an ingest alias would bill it"
        case "no_contract":
            return f"customer {place['customer_id']} has no contract at this hour"
        case "no_product":
            return f"no product of contract {place['contract_id']} takes this metric"
        case "excluded_by_usage_filter":
            return f"the usage filter of contract {place['contract_id']} leaves out {group(place['group_values'])}"
        case "not_entitled":
            return f"contract {place['contract_id']} is not entitled to it"
        case "unrated":
            return "there is no rate for it, and its invoice is held until there is one, or it is waived"
        case "waived":
            return "it was waived by `billing waive`"
        case "late_usage":
            return _late(found, place)
        case "elsewhere":
            return "its period is not billed: it began before settings.starting_at, or has not begun"
        case _:
            return "it is counted in its period, and no line is made of it: that invoice was left out, or is void"


def _late(found: Told, place: Row) -> str:
    from billing_assets.catalog.citing import contract_of

    if place["is_unseen"]:
        return "the reference became the customer's after the period was final (attribution); listed, not billed"
    contract = contract_of(found.recorded.catalog, place["contract_id"]) if found.recorded else None
    policy = POLICIES[contract.late_usage] if contract else "its contract is no longer in the catalog"
    invoice = place["final_invoice_number"] or "an invoice that was left out"
    return f"its period was final by {invoice}, up to ingest batch {place['events_through']}; {policy}"


def as_json(
    transaction_id: str, found: Received, stories: Sequence[Told], fates: Sequence[Sequence[Fate]]
) -> dict[str, Any]:
    return {
        "transaction_id": transaction_id,
        "accepted": [
            {**record(one.event), "metrics": [_fate_json(fate) for fate in own], "not_counted_by": failing(one)}
            for one, own in zip(stories, fates, strict=True)
        ],
        "duplicates": [record(one) for one in records(found.duplicates)],
        "rejected": [record(one) for one in records(found.rejected)],
    }


def _fate_json(fate: Fate) -> dict[str, Any]:
    return {
        "metric": fate.metric or None,
        "disposition": fate.disposition,
        "reason": fate.reason,
        "placed": record(fate.place) if fate.place else None,
        "lines": [
            {
                **{name: part.invoice[name] for name in ("invoice_id", "invoice_number", "status")},
                "line": record(part.line),
                "value": part.value,
                "adds": part.adds,
            }
            for part in fate.parts
        ],
    }


def failing(found: Told) -> list[Mapping[str, Any]]:
    """Metrics that do not count the event, each with the conditions that it fails."""
    if not found.recorded:
        return []
    rows = records(found.conditions)
    return [
        {
            "metric": metric,
            "fails": [one["condition"] for one in rows if one["billable_metric_id"] == metric and not one["passes"]],
        }
        for metric, passed in sorted(matching(rows).items())
        if not passed
    ]


def placed(place: Row) -> str:
    """Contract, period, product and group values, as far as they are known."""
    said = [
        f"contract {place['contract_id']}" if place["contract_id"] else "",
        span(place["period_start"], place["period_end"]) if place["period_start"] else "",
        f"product {place['product_id']}" if place["product_id"] else "",
        group(place["group_values"]),
    ]
    return ", ".join(one for one in said if one)


def amount(line: Row) -> str:
    return f"{money(line['amount'], line['amount_unit'])} {line['amount_unit']}"


def quantity(line: Row) -> str:
    unit = f" {line['unit']}" if line["unit"] else ""
    return f"{number(line['quantity'])}{unit}" if line["quantity"] is not None else ""
