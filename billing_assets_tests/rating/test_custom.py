"""CUSTOM rates against a Decimal reading of the same trees, and as bills."""

from __future__ import annotations

import math
from decimal import Decimal

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_assets.catalog.expressions import Constant, Formula, Operation, Quantity, parse_expression
from billing_assets.columns import DECIMAL
from billing_assets.rating.formulas import value_of
from billing_assets_tests.rating.book import Book, bill, day, january, used
from billing_assets_tests.rating.reference import WIDE, round12

QUANTITY = ("starting_at", "is_fee", "quantity", "unit_price", "amount")
numbers = st.decimals(-50, 50, places=3).map(str)
amounts = st.decimals(-1000, 1000, places=4)


@st.composite
def texts(draw: st.DrawFn, depth: int = 3) -> str:
    """Expressions in the grammar, as people write them."""
    if depth == 0 or draw(st.integers(0, 4)) == 0:
        return draw(st.sampled_from(["quantity", draw(numbers)]))
    left, right = draw(texts(depth - 1)), draw(texts(depth - 1))
    divisor = draw(st.sampled_from(["3", "0.7", "-1000"]))
    forms = [f"({left}) + {right}", f"{left} - ({right})", f"({left}) * ({right})", f"({left}) / {divisor}",
             f"max({left}, {right})", f"min({left}, {right}, 0)", f"abs({left})", f"floor({left})", f"ceil({left})",
             f"round({left})", f"round({left}, 2)", f"-({left})"]  # fmt: skip
    return draw(st.sampled_from(forms))


def reckoned(formula: Formula, quantity: Decimal) -> Decimal:
    if isinstance(formula, Constant):
        return formula.value
    if isinstance(formula, Quantity):
        return quantity
    assert isinstance(formula, Operation)
    values = [reckoned(each, quantity) for each in formula.operands]
    match formula.name:
        case "+":
            return values[0] + values[1]
        case "-":
            return values[0] - values[1]
        case "*":
            return round12(WIDE.multiply(values[0], values[1]))
        case "/":
            return round12(WIDE.divide(values[0], values[1]))
        case "min":
            return min(values)
        case "max":
            return max(values)
        case "abs":
            return abs(values[0])
        case "floor":
            return Decimal(math.floor(values[0]))
        case "ceil":
            return Decimal(math.ceil(values[0]))
        case _:
            places = int(values[1]) if len(values) == 2 else 0
            return values[0].quantize(Decimal(1).scaleb(-places), "ROUND_HALF_UP", WIDE)


@settings(max_examples=150)
@given(texts(), st.lists(amounts, min_size=1, max_size=5))
def test_a_tree_gives_what_decimals_give(text: str, quantities: list[Decimal]) -> None:
    formula = parse_expression(text)
    frame = pl.LazyFrame({"q": pl.Series(quantities, dtype=DECIMAL)})
    found = frame.select(pl.col("q"), value=value_of(formula, pl.col("q"))).collect()["value"].to_list()
    assert found == [reckoned(formula, quantity) for quantity in quantities]


EXAMPLE = "max(quantity - 100, 0) * 0.02 + 5"


def test_what_is_due_for_nothing_is_a_fee_of_the_period() -> None:
    """200: (200 - 100) x 0.02 = 2, and 5 once."""
    made = bill(january(rate_type="CUSTOM", expression=EXAMPLE), used(day(3), 200))
    assert made.read(*QUANTITY) == [(day(1), False, "2", "1", "2"), (day(1), True, "1", "5", "5")]
    assert made.total == 7


def test_a_segment_costs_the_movement_of_its_own_expression() -> None:
    """R 0 -> 150: 1 of the first. 150 -> 250: 150 x 0.04 - 50 x 0.04 = 4 of the second, and no fee again."""
    book = january(rate_type="CUSTOM", expression=EXAMPLE)
    book.rate("CUSTOM", expression="max(quantity - 100, 0) * 0.04 + 9", starts=day(15))
    made = bill(book, used(day(3), 150), used(day(20), 100))
    assert made.read(*QUANTITY) == [
        (day(1), False, "1", "1", "1"), (day(1), True, "1", "5", "5"), (day(15), False, "4", "1", "4")
    ]  # fmt: skip


def test_no_usage_is_the_charge_of_nothing() -> None:
    assert bill(january(rate_type="CUSTOM", expression=EXAMPLE)).read(*QUANTITY) == [
        (day(1), False, "0", "1", "0"), (day(1), True, "1", "5", "5")
    ]  # fmt: skip
    assert bill(january(rate_type="CUSTOM", expression="quantity * 2")).read(*QUANTITY) == [
        (day(1), False, "0", "1", "0")
    ]  # fmt: skip


def test_a_multiplier_scales_charge_and_fee() -> None:
    book = january(rate_type="CUSTOM", expression=EXAMPLE).override("MULTIPLIER", "0.5")
    assert bill(book, used(day(3), 200)).read(*QUANTITY) == [
        (day(1), False, "2", "0.5", "1"), (day(1), True, "1", "2.5", "2.5")
    ]  # fmt: skip


def test_expressions_and_other_rates_stand_beside_each_other() -> None:
    book = Book().product("p").product("o").contract(products=("p", "o"))
    book.rate("CUSTOM", expression="ceil(quantity / 7) * 3").rate("FLAT", 2, product="o")
    made = bill(book, used(day(3), 8), used(day(3), 8, product="o"))
    assert made.read("product_id", *QUANTITY[2:]) == [("o", "8", "2", "16"), ("p", "6", "1", "6")]


def test_limits_hold_for_expressions_too() -> None:
    book = january(rate_type="CUSTOM", expression=EXAMPLE, minimum=20)
    assert bill(book, used(day(3), 200)).total == 20
