"""Drawdown one line and one balance after the other, in whole numbers of 1e-12: slow, and easy to believe."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from billing_assets_tests.commitments.book import Book, Row

SCALE = 10**12


def round12(value: Fraction) -> Fraction:
    return Fraction(round(value * SCALE), SCALE)


def exact(value: Decimal) -> Fraction:
    return Fraction(value)


def as_decimal(value: Fraction) -> Decimal:
    units = value * SCALE
    assert units.denominator == 1
    return Decimal(units.numerator).scaleb(-12)


@dataclass
class Line:
    row: Row
    discounts: list[Row]

    def __post_init__(self) -> None:
        self.quantity = exact(self.row["quantity"])
        self.amount = self.listed = exact(self.row["amount"])
        self.left = exact(self.row["net"])
        self.price = exact(self.row["unit_price"])
        self.carried: dict[str, Fraction] = {}
        order = {"PERCENTAGE": 0, "FIXED": 1}
        self.discounts.sort(key=lambda found: (order[found["discount_type"]], found["discount_position"]))

    def discounted(self, amount: Fraction, fixed: Callable[[Row], Fraction]) -> tuple[Fraction, dict[str, Fraction]]:
        left, taken = amount, {}
        for found in self.discounts:
            if found["discount_type"] == "PERCENTAGE":
                off = round12(left * exact(found["value"]))
            else:
                off = min(fixed(found), max(left, Fraction(0)))
            taken[found["discount_id"]] = off
            left -= off
        return left, taken

    def part(self, amount: Fraction, quantity: Fraction) -> tuple[Fraction, dict[str, Fraction]]:
        first = exact(self.row["quantity"])
        return self.discounted(amount, lambda found: round12(exact(found["taken"]) * quantity / first))

    def rest(self) -> Fraction:
        return self.discounted(
            self.listed, lambda found: exact(found["taken"]) - self.carried.get(found["discount_id"], Fraction(0))
        )[0]


def reaches(book: Book, balance: Row, line: Row) -> bool:
    """Product, group values, seat, contract, unit and hours."""
    shared = any(row["commit_id"] == balance["commit_id"] and row["contract_id"] == line["contract_id"]
                 for row in book.shares)  # fmt: skip
    if line["contract_id"] != balance["contract_id"] and not shared:
        return False
    if line["line_type"] not in ("usage", "minimum_adjustment", "subscription", "composite", "late_usage"):
        return False
    if balance["access_type"] == "QUANTITY":
        if line["is_fee"] or line["line_type"] == "minimum_adjustment" or line["quantity"] <= 0:
            return False
    elif balance["unit"] != line["amount_unit"]:
        return False
    end = balance["ending_before"]
    if line["incurred_from"] < balance["starting_at"] or (end is not None and line["incurred_to"] > end):
        return False

    if balance["drawn_after"] is not None and line["dated_at"] <= balance["drawn_after"]:
        return False
    values = [json.loads(line[name] or "{}") for name in ("pricing_group_values", "presentation_group_values")]
    if balance["seat_key"] is not None:
        absent = object()
        if all(part.get(balance["seat_key"], absent) != balance["seat_value"] for part in values):
            return False

    def matches(row: Row) -> bool:
        asked = [json.loads(row[name]) for name in ("pricing_group_values", "presentation_group_values")]
        return row["product_id"] == line["product_id"] and all(
            key in had and had[key] == value
            for want, had in zip(asked, values, strict=True)
            for key, value in want.items()
        )

    rows = [row for row in book.selectors if row["selector"] == balance["selector"] and matches(row)]
    return any(not row["exclude"] for row in rows) and not any(row["exclude"] for row in rows)


def own_price(book: Book, balance: Row, line: Row) -> Fraction | None:
    if line["caps_lanes"]:
        return None
    found = [
        row for row in book.prices if (row["line_key"], row["commit_id"]) == (line["line_key"], balance["commit_id"])
    ]
    return exact(found[0]["unit_price"]) if found else None


def draws(book: Book) -> list[tuple[Any, ...]]:
    """(line_key, segment_id, drawn, paid, covered quantity, amount, unit price, closes), line by line."""
    ordered = book.access().collect().to_dicts()
    has = {row["segment_id"]: exact(row["available"]) for row in ordered}
    found = []
    for row in sorted(book.lines, key=lambda one: (one["pool"], one["draw_order"])):
        line = Line(row, [one for one in book.discounts if one["line_key"] == row["line_key"]])
        if row["amount"] <= 0 or row["net"] <= 0:
            continue
        for balance in (one for one in ordered if one["pool"] == row["pool"]):
            name = balance["segment_id"]
            if line.left <= 0 or has[name] <= 0 or not reaches(book, balance, row):
                continue
            drawn, told = draw(line, balance, own_price(book, balance, row), has[name])
            has[name] -= drawn
            found.append((row["line_key"], name, *told))
    return found


def draw(line: Line, balance: Row, own: Fraction | None, room: Fraction) -> tuple[Fraction, tuple[Any, ...]]:
    by_units = balance["access_type"] == "QUANTITY"
    price = line.price if own is None else own
    whole = line.amount if own is None else round12(line.quantity * own)
    whole_net = line.left if own is None else line.part(whole, line.quantity)[0]
    needed = line.quantity if by_units else whole_net
    if needed <= room:
        told = (needed, whole_net, line.quantity, whole, price)
        line.left = line.quantity = line.amount = Fraction(0)
        return needed, (*map(as_decimal, told), True)
    if by_units:
        quantity, amount = room, round12(room * price)
        paid = round12(amount * line.left / line.amount) if own is None else line.part(amount, quantity)[0]
    else:
        amount = round12(room * whole / whole_net)
        quantity, paid = round12(amount / price), room
    if own is None:
        line.amount -= amount
        line.left -= paid
    else:
        at_list = line.rest() - line.left
        for name, off in line.part(amount, quantity)[1].items():
            line.carried[name] = line.carried.get(name, Fraction(0)) + off
        released = round12(quantity * line.price)
        line.listed -= released
        line.amount -= released
        line.left = line.rest() - at_list
    line.quantity -= quantity
    return room, (*map(as_decimal, (room, paid, quantity, amount, price)), False)
