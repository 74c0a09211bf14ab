"""Charges that other billing systems' own test suites expect (the source of each is in the file)."""

from __future__ import annotations

import json
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest

from billing_assets_tests.rating.book import bill, day, january, used

FILE = Path(__file__).parents[1] / "data" / "vectors" / "rating.json"
VECTORS = json.loads(FILE.read_text())["vectors"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_a_quantity_is_charged_as_its_source_expects(vector: dict[str, Any]) -> None:
    charge = bill(january(**vector["rate"]), used(day(3), vector["quantity"])).total
    expected = Decimal(vector["amount"])
    places = -int(expected.as_tuple().exponent)
    shown = charge if places != 2 else charge.quantize(Decimal("0.01"), ROUND_HALF_UP)
    assert shown == expected
