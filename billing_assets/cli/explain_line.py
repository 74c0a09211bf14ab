"""One line of an invoice explained: the terms that made it, the usage behind it, and whether both agree with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from billing_assets.cli.figures import moment, money, number, span
from billing_assets.cli.output import Row, records

if TYPE_CHECKING:
    import polars as pl

    from billing_assets.catalog.book import Catalog
    from billing_assets.catalog.citing import Cited
    from billing_assets.runs.explained import Explained

LIST, COMMIT = "LIST", "COMMIT"

PRICED = ("usage", "subscription", "scheduled", "commit_purchase", "late_usage")
"""Lines whose quantity is one of something, and not just how an amount is written."""


@dataclass(frozen=True, slots=True)
class Check:
    """Two figures that must be equal: what the invoice states, and what was found behind it."""

    what: str
    stated: Decimal | int
    found: Decimal | int

    @property
    def holds(self) -> bool:
        return self.stated == self.found


@dataclass(frozen=True, slots=True)
class Explanation:
    """facts: label and text, in the order in which they are read. terms: what of the catalog they cite, by its role.
    hours, events: all of them; none where the line has none."""

    line: Row
    facts: list[tuple[str, str]] = field(default_factory=list)
    terms: dict[str, Cited] = field(default_factory=dict)
    hours: Sequence[Row] = ()
    events: pl.DataFrame | None = None
    checks: list[Check] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return all(check.holds for check in self.checks)


def explain_line(line: Row, lines: Sequence[Row], found: Explained) -> Explanation:
    """`line` is one of `lines`, all those of its invoice."""
    from billing_assets.cli.explain_charge import charge_facts
    from billing_assets.cli.explain_late import with_late

    made = Explanation(line)
    made.facts.append(("formula", formula(line)))
    _cite_prices(made, found)
    made.facts.extend(charge_facts(line, lines, found, made.terms))
    match line["line_type"]:
        case "usage":
            return _with_usage(made, lines, found)
        case "late_usage":
            return with_late(made, found)
        case _:
            return made


def formula(line: Row) -> str:
    """`200 x 0.06 = 12.00 USD`; where the product of the two is not the amount, what it comes to is said too."""
    amount = money(line["amount"], line["amount_unit"])
    if line["quantity"] is None or line["unit_price"] is None:
        return f"{amount} {line['amount_unit']}"
    if line["quantity"] == 1 and line["unit_price"] == line["amount"] and line["line_type"] not in PRICED:
        return f"{amount} {line['amount_unit']}"
    unit = f" {line['unit']}" if line["unit"] else ""
    product = rounded(line["quantity"] * line["unit_price"])
    steps = f"{number(line['quantity'])}{unit} x {number(line['unit_price'])} {line['amount_unit']}"
    if product == line["amount"]:
        return f"{steps} = {amount} {line['amount_unit']}"
    return (
        f"{amount} {line['amount_unit']} for {steps} (which is {number(product)}): its share of a line that was split"
    )


def rounded(value: Decimal) -> Decimal:
    """Half to even at the 12th place, as the engine rounds a product."""
    from decimal import ROUND_HALF_EVEN, localcontext

    with localcontext() as context:
        context.prec = 80
        return value.quantize(Decimal("1e-12"), rounding=ROUND_HALF_EVEN)


def _cite_prices(made: Explanation, found: Explained) -> None:
    """The rate, and the override that won; an override's id may be in the place of the rate's."""
    from billing_assets.catalog.citing import cited_override, cited_rate, contract_of

    line, catalog = made.line, billed_by(made.line, found)
    lane = " (price that the commit pays)" if line["price_lane"] == COMMIT else ""
    rate = cited_rate(catalog, line["rate_id"]) if line["rate_id"] else None
    if rate is not None:
        made.terms["rate"] = rate
        made.facts.append((f"rate{lane}", f"{rate.id}, {in_force(rate)}: {rate.text}"))
    contract = contract_of(catalog, line["origin_contract_id"])
    won = cited_override(contract, line["override_id"]) if contract and line["override_id"] else None
    if won is not None:
        made.terms["override"] = won
        made.facts.append(("override", f"{won.id}, {in_force(won)}: {won.text}"))
    is_late = line["line_type"] == "late_usage"
    lost = [one for one in _of(found.overrides, line) if not is_late and one["override_id"] != line["override_id"]]
    if lost:
        named = ", ".join(f"{one['override_id']} ({why_not(one, line)})" for one in lost)
        made.facts.append(("not applied", f"overrides that match too: {named}"))


def billed_by(line: Row, found: Explained) -> Catalog:
    """The catalog that prices a line: of a late one that of its closed period, or that somebody had it carried to."""
    if line["line_item_id"] in found.carried.to:
        return found.carried.to[line["line_item_id"]].catalog
    for late in found.late:
        if line["line_item_id"] in late.lines["line_item_id"]:
            return late.recorded.catalog
    return found.recorded.catalog


def why_not(override: Row, line: Row) -> str:
    """Why an override that matches a line does not price it."""
    if override["standing"] is None:
        return "changes no price"
    if override["is_commit_specific"] and line["price_lane"] != COMMIT:
        return "only for what commits pay"
    if override["lane"] == COMMIT and line["price_lane"] != COMMIT:
        return "changes the commit rate"
    return "exactly one wins"


def in_force(term: Cited) -> str:
    start = f"from {moment(term.starting_at)}" if term.starting_at else "since ever"
    return f"{start} until {moment(term.ending_before)}" if term.ending_before else start


def _of(frame: pl.DataFrame, line: Row) -> list[dict[str, Any]]:
    import polars as pl

    return records(frame.filter(pl.col("line_item_id") == line["line_item_id"]))


def _with_usage(made: Explanation, lines: Sequence[Row], found: Explained) -> Explanation:
    from billing_assets.catalog.citing import cited_metric, cited_product

    assert found.usage is not None
    line, catalog = made.line, found.recorded.catalog
    metric = cited_metric(catalog, line["billable_metric_id"])
    if metric is not None:
        made.terms["metric"] = metric
        made.facts.append(("metric", f"{metric.id}: {metric.text}"))
    hours = _hours(found.usage, line)
    spans, events = of_span(found.usage["spans"], line), span_frame(found.usage["events"], line)
    product = cited_product(catalog, line["product_id"], line["starting_at"])
    conversion = getattr(product, "quantity_conversion", None)
    rounding = getattr(product, "quantity_rounding", None)
    measured = sum((one["measured"] for one in spans), Decimal(0))
    steps = [f"{number(measured)} as the metric counts, {span(line['starting_at'], line['ending_before'])}"]
    if conversion:
        steps.append(f"{conversion.operation.lower()} by {number(conversion.conversion_factor)}")
    if rounding:
        steps.append(f"the period's sum {rounding.rounding_method} to {rounding.decimal_places} places")
    made.facts.append(("usage", "; ".join(steps)))
    siblings = [one for one in lines if one["line_type"] == "usage" and same_quantity(one, line)]
    if len(siblings) > 1:
        named = ", ".join(f"{one['line_number']} ({number(one['quantity'])})" for one in siblings)
        made.facts.append(("shared by", f"lines {named}: what balances cover of the same usage, and what is left"))
    made.checks.append(
        Check(
            "quantity" if len(siblings) == 1 else "quantities of these lines together",
            sum((one["quantity"] for one in siblings), Decimal(0)),
            sum((one["quantity"] for one in hours), Decimal(0)) if hours else _rated(found.usage, line),
        )
    )
    if not is_fee(line):
        made.checks.append(Check("events", line["event_count"], events.height))
    if events.height and not events["adds"].null_count():
        made.checks.append(Check("sum over the events", measured, events.select("adds").sum().item()))
    for level in _opening(found.usage, line):
        made.facts.append(("level before", f"{number(level)} when the period begins"))
    is_part = line["tier_level"] is not None or is_fee(line)
    touching = in_hours(events, line_frame(found.usage["hours"], line)) if is_part else events
    return Explanation(line, made.facts, made.terms, hours, touching, made.checks)


def is_fee(line: Row) -> bool:
    """Whether a usage line is a fee beside what is counted: such a line has no events of its own."""
    return line["event_count"] is None


def same_quantity(one: Row, other: Row) -> bool:
    """Whether two lines share a quantity as it was rated (`pipeline.tracing.LINE`)."""
    return line_key(one) == line_key(other)


def span_key(line: Row) -> tuple[Any, ...]:
    names = ("product_id", "pricing_group_values", "presentation_group_values", "starting_at", "ending_before")
    return (line["origin_contract_id"], *(line[name] for name in names))


def line_key(line: Row) -> tuple[Any, ...]:
    return (*span_key(line), line["tier_level"], is_fee(line))


def span_frame(frame: pl.DataFrame, line: Row) -> pl.DataFrame:
    """Rows of a frame by SPAN that are the line's."""
    import polars as pl

    names = ("product_id", "pricing_group_values", "presentation_group_values", "starting_at", "ending_before")
    same = [pl.col(name).eq_missing(pl.lit(line[name])) for name in names]
    return frame.filter(pl.col("contract_id") == line["origin_contract_id"], *same)


def line_frame(frame: pl.DataFrame, line: Row) -> pl.DataFrame:
    """Rows of a frame by LINE: of the same tier, of fees or of what is counted."""
    import polars as pl

    tier = pl.col("tier_level").eq_missing(pl.lit(line["tier_level"]))
    return span_frame(frame, line).filter(tier, pl.col("is_fee") == is_fee(line))


def of_span(frame: pl.DataFrame, line: Row) -> list[dict[str, Any]]:
    return records(span_frame(frame, line))


def of_line(frame: pl.DataFrame, line: Row) -> list[dict[str, Any]]:
    return records(line_frame(frame, line))


def _hours(usage: Mapping[str, pl.DataFrame], line: Row) -> list[dict[str, Any]]:
    return of_line(usage["hours"], line)


def _rated(usage: Mapping[str, pl.DataFrame], line: Row) -> Decimal:
    """The quantity of a line without an hour in which it moves."""
    return sum((one["quantity"] for one in of_line(usage["whole"], line)), Decimal(0))


def _opening(usage: Mapping[str, pl.DataFrame], line: Row) -> Iterator[Decimal]:
    import polars as pl

    names = ("product_id", "pricing_group_values", "presentation_group_values")
    same = [pl.col(name).eq_missing(pl.lit(line[name])) for name in names]
    owner = pl.col("contract_id") == line["origin_contract_id"]
    start = pl.col("period_start") == line["service_period_start"]
    yield from usage["levels"].filter(owner, start, *same)["opening_level"]


def in_hours(events: pl.DataFrame, hours: pl.DataFrame) -> pl.DataFrame:
    """The events of these hours, in their order: of a tier or a fee those of the hours in which it moves."""
    import polars as pl

    placed = events.with_row_index("position").sort("placed_at")
    spans = hours.select("hour_start", "hour_end").sort("hour_start")
    met = placed.join_asof(spans, left_on="placed_at", right_on="hour_start", check_sortedness=False)
    return met.filter(pl.col("placed_at") < pl.col("hour_end")).sort("position").select(events.columns)
