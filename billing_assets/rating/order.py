"""The order in which a charge is computed: one constant, which the code runs by and the documentation is made from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the order. `rule` is the sentence that the documentation shows."""

    name: str
    rule: str


ORDER_OF_CHARGES: tuple[Step, ...] = (
    Step("conversion", "The period's cumulative quantity of each group is converted to the product's unit."),
    Step(
        "rounding", "The converted cumulative is rounded; a window's quantity is the difference of rounded cumulatives."
    ),
    Step("entitlement", "Hours that are not entitled are neither priced nor shown, and move no tier."),
    Step("rate", "The rate in force, and the one override that wins, give each hour its price."),
    Step("tiers", "The running rated quantity passes through the price's tiers, packages and fees."),
    Step(
        "discounts",
        "Discounts come off usage, subscription and composite lines, percentages before fixed amounts.",
    ),
    Step("maximum", "A family above its rate's maximum gets a maximum_adjustment, after discounts."),
    Step("minimum", "A family below its rate's minimum gets a minimum_adjustment, after the maximum."),
    Step("pricing_units", "Balances in a custom pricing unit draw; the rest is converted to the card's currency."),
    Step("composites", "Composite products charge their percentage of the usage spend, net of discounts and caps."),
    Step("late_usage", "Lines of usage that arrived after its invoice was final are added."),
    Step("commitments", "Commits and credits draw on each line's amount net of its discounts and cap."),
    Step("minimum_spend", "A contract's minimum spend is compared with the spend before commits and credits."),
    Step(
        "total_rounding", "The total is rounded to the currency's minor unit; a rounding line carries the difference."
    ),
)
"""Every step, first to last (docs/semantics.md, Order of everything). `adjust` runs its steps in this order."""
