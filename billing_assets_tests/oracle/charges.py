"""The charge functions of a rate along the axis of rated quantity (docs/semantics.md 4, cases 4 to 7, 22, 51)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from .exact import exact, round12
from .terms import Obj, Segment

ZERO = Fraction(0)
ONE = Fraction(1)
TIERED = ("TIERED", "TIERED_PERCENTAGE")


@dataclass(frozen=True)
class Cell:
    """A part (lower, upper] of the axis of R with one price; lower None = unbounded, price None = unrated."""

    lower: Fraction | None
    upper: Fraction | None
    price: Fraction | None
    tier_level: int | None

    def clip(self, at: Fraction) -> Fraction:
        """The point of this cell nearest to `at`."""
        at = at if self.lower is None else max(at, self.lower)
        return at if self.upper is None else min(at, self.upper)


def tier_cells(price: Obj) -> list[Cell]:
    """Tiers (lo, hi]; the first has no lower bound; beyond a sized last tier nothing is rated; cases 5, 0.11, 42."""
    cells, lower = [], ZERO
    for level, tier in enumerate(price["tiers"], 1):
        upper = lower + exact(tier["size"]) if tier.get("size") is not None else None
        cells.append(Cell(None if level == 1 else lower, upper, exact(tier["price"]), level))
        lower = upper if upper is not None else lower
    if cells[-1].upper is not None:
        cells.append(Cell(cells[-1].upper, None, None, None))
    return cells


def tier_of(price: Obj, quantity: Fraction) -> Cell:
    """The tier that a whole quantity falls in: q <= 0 is in the first; case 6."""
    return next(cell for cell in tier_cells(price) if cell.upper is None or quantity <= cell.upper)


def list_cells(price: Obj, total: Fraction) -> list[Cell]:
    """The axis before overrides; a VOLUME's one price is that of the tier of the period's total; cases 5, 6, 63."""
    kind = price["rate_type"]
    if kind in TIERED:
        return tier_cells(price)
    if kind == "VOLUME":
        tier = tier_of(price, total)
        return [Cell(None, None, tier.price, tier.tier_level)]
    return [Cell(None, None, exact(price["price"]), None)]


def ranges(override: Obj | None) -> list[Cell]:
    """An override's multipliers along R, as the prices of cells; beyond a TIERED one's last range 1; case 51.

    A TIERED one's ranges have levels, beyond included: a price without tiers of its own shows them.
    """
    if override is None or override["type"] == "OVERWRITE":
        return [Cell(None, None, ONE, None)]
    if override["type"] == "MULTIPLIER":
        return [Cell(None, None, exact(override["multiplier"]), None)]
    cells, lower = [], ZERO
    for level, one in enumerate(override["tiers"], 1):
        upper = lower + exact(one["size"]) if one.get("size") is not None else None
        cells.append(Cell(None if level == 1 else lower, upper, exact(one["multiplier"]), level))
        lower = upper if upper is not None else lower
    return cells if cells[-1].upper is None else [*cells, Cell(cells[-1].upper, None, ONE, len(cells) + 1)]


def cut(cells: Sequence[Cell], multipliers: Sequence[Cell]) -> list[Cell]:
    """The axis cut at the bounds of both; effective price = round12(price x multiplier); cases 22 and 51."""
    found = []
    for cell in cells:
        for one in multipliers:
            lower = max((x for x in (cell.lower, one.lower) if x is not None), default=None)
            upper = min((x for x in (cell.upper, one.upper) if x is not None), default=None)
            if lower is None or upper is None or lower < upper:
                price = None if cell.price is None else round12(cell.price * (one.price or ZERO))
                level = one.tier_level if cell.tier_level is None else cell.tier_level
                found.append(Cell(lower, upper, price, level))
    return found


def measured(price: Obj, rated: Fraction) -> Fraction:
    """What is charged for at R: packages, the amount above free_amount, else the quantity itself; case 5."""
    if price["rate_type"] == "PACKAGE":
        free = exact(price.get("free_units") or 0)
        return Fraction(max(0, ((rated - free) / exact(price["package_size"])).__ceil__()))
    if price["rate_type"] == "PERCENTAGE":
        return max(ZERO, rated - exact(price.get("free_amount") or 0))
    return rated


def scaled_fee(override: Obj | None, tier: Cell, fee: Any) -> Fraction:
    """A flat fee scaled by the multiplier that holds where its tier begins; cases 7 and 22."""
    begin = tier.lower if tier.lower is not None else ZERO
    multiplier = next(one for one in ranges(override) if one.upper is None or begin < one.upper)
    return round12(exact(fee) * (multiplier.price or ZERO))


def fees(
    segment: Segment, before: Fraction, after: Fraction, total: Fraction, first: bool
) -> list[tuple[int, Cell, Fraction]]:
    """(+1 or -1, tier, fee) of an atom: tiers entered or left, and once the first tier's or VOLUME's; case 7."""
    price, found = segment.price or {}, []
    tiers = {cell.tier_level: cell for cell in tier_cells(price)} if price.get("tiers") else {}
    chosen = tier_of(price, total).tier_level if price["rate_type"] == "VOLUME" else None
    for level, tier in enumerate(price.get("tiers") or [], 1):
        if tier.get("flat_fee") is None:
            continue
        cell = tiers[level]
        low = cell.lower if cell.lower is not None else ZERO
        sign = 0
        if price["rate_type"] == "VOLUME":
            sign = int(first and level == chosen and total >= 0)
        elif level == 1:
            sign = int(first)
        else:
            sign = int(before <= low < after) - int(after <= low < before)
        if sign:
            found.append((sign, cell, scaled_fee(segment.override, cell, tier["flat_fee"])))
    return found


def paid_events(price: Obj, events: int) -> int:
    """Events above free_events, of a PERCENTAGE's fixed_fee; section 4 of docs/semantics.md."""
    return max(0, events - int(price.get("free_events") or 0))
