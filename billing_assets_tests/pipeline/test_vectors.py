"""What other billing systems' own test suites expect, through the whole pipeline, in one close."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest

from billing_assets_tests.pipeline import vectors
from billing_assets_tests.pipeline.closing import Closed

TESTS = Path(__file__).parents[1]
JANUARY, FEBRUARY = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2))


def param(vector: dict[str, Any]) -> Any:
    reason = vectors.SKIPPED.get(vector["id"])
    return pytest.param(vector, id=vector["id"], marks=[pytest.mark.skip(reason=reason)] if reason else [])


def params(found: list[dict[str, Any]]) -> list[Any]:
    return [param(vector) for vector in found]


def as_stated(number: Decimal, text: str) -> Decimal:
    """Exact, or in cents where the expected text has two decimals."""
    return number.quantize(Decimal("0.01"), ROUND_HALF_UP) if Decimal(text).as_tuple().exponent == -2 else number


def subtotal(closed: Closed, contract_id: str, start: datetime = JANUARY) -> Decimal:
    invoice = closed.invoices.filter(contract_id=contract_id, period_start=start, status="FINALIZED")
    return Decimal(invoice["subtotal"].item())


@pytest.mark.parametrize("vector", params(vectors.RATING))
def test_a_quantity_is_charged_as_its_source_expects(closed_vectors: Closed, vector: dict[str, Any]) -> None:
    expected = vector["amount"]
    assert as_stated(subtotal(closed_vectors, vector["id"]), expected) == Decimal(expected)


@pytest.mark.parametrize("vector", params(vectors.of_kind(*vectors.AGGREGATIONS, "metric_rounding")))
def test_a_metric_aggregates_as_its_source_expects(closed_vectors: Closed, vector: dict[str, Any]) -> None:
    lines = closed_vectors.lines(contract_id=vector["id"], service_period_start=JANUARY, line_type="usage")
    expected = vector["expected"].get("aggregation") or vector["expected"]["units"]
    assert [line["quantity"] for line in lines] == [Decimal(expected)]


@pytest.mark.parametrize("vector", params(vectors.of_kind("percentage", "graduated_percentage")))
def test_a_percentage_is_charged_as_its_source_expects(closed_vectors: Closed, vector: dict[str, Any]) -> None:
    assert subtotal(closed_vectors, vector["id"]) == Decimal(vector["expected"]["amount"])


@pytest.mark.parametrize("vector", params(vectors.of_kind("charge_minimum")))
def test_a_minimum_tops_up_as_its_source_expects(closed_vectors: Closed, vector: dict[str, Any]) -> None:
    found = closed_vectors.invoices.filter(contract_id=vector["id"], close_month="2026-02")
    assert found["total"].item() * 100 == vector["expected"]["fees_cents"]
    [line] = closed_vectors.lines(contract_id=vector["id"], close_month="2026-02", line_type="minimum_adjustment")
    assert as_stated(line["amount"], "0.00") * 100 == vector["expected"]["true_up_cents"]


def test_the_rest_of_the_file_is_elsewhere() -> None:
    """So that a vector that is added is not overlooked."""
    here = {*vectors.AGGREGATIONS, "metric_rounding", "percentage", "graduated_percentage", "charge_minimum"}
    assert {vector["kind"] for vector in vectors.VECTORS} == here | set(vectors.ELSEWHERE) | vectors.NOT_OURS
    assert [path for path in vectors.ELSEWHERE.values() if not (TESTS / path).exists()] == []
