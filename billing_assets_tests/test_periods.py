"""Billing periods as figures: anchors, clamping, stubs."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest

from billing_assets.columns import TIMESTAMP
from billing_assets.periods import billing_periods, close_month, uncovered


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def periods(start: str, end: str | None, anchor: str, months: int = 1, weeks: int = 0) -> list[tuple[str, str]]:
    contract = pl.LazyFrame(
        {
            "contract_id": ["c"],
            "starting_at": [day(start)],
            "ending_before": [day(end) if end else None],
            "anchor_at": [day(anchor)],
            "frequency_months": [months],
            "frequency_weeks": [weeks],
        },
        schema_overrides={"starting_at": TIMESTAMP, "ending_before": TIMESTAMP, "anchor_at": TIMESTAMP},
    )
    found = billing_periods(contract, day("2024-01-01"), day("2025-01-01")).sort("period_start").collect()
    return [(f"{row['period_start']:%m-%d}", f"{row['period_end']:%m-%d}") for row in found.iter_rows(named=True)]


@pytest.mark.parametrize(
    ("arguments", "first"),
    [
        (("2024-01-31", None, "2024-01-31"), [("01-31", "02-29"), ("02-29", "03-31"), ("03-31", "04-30")]),
        (("2024-09-15", None, "2024-09-10"), [("09-15", "10-10"), ("10-10", "11-10")]),
        (("2024-09-15", None, "2024-10-10"), [("09-15", "10-10"), ("10-10", "11-10")]),
        (("2024-02-15", None, "2024-02-01", 3), [("02-15", "05-01"), ("05-01", "08-01")]),
        (("2024-01-05", None, "2024-01-05", 0, 1), [("01-05", "01-12"), ("01-12", "01-19")]),
        (("2024-03-10", "2024-03-20", "2024-03-01"), [("03-10", "03-20")]),
        (("2023-12-15", None, "2023-12-15"), [("12-15", "01-15"), ("01-15", "02-15")]),
    ],
)
def test_first_periods(arguments: tuple, first: list[tuple[str, str]]) -> None:
    assert periods(*arguments)[: len(first)] == first


@pytest.mark.parametrize(
    ("end", "month"), [("2023-12-01", "2023-11"), ("2023-11-30", "2023-11"), ("2023-12-02", "2023-12")]
)
def test_a_period_that_ends_at_midnight_on_the_first_belongs_to_the_month_before(end: str, month: str) -> None:
    frame = pl.LazyFrame({"end": [day(end)]}, schema={"end": TIMESTAMP})
    assert frame.select(close_month(pl.col("end"))).collect().item() == month


def spans(*given: tuple[str, str]) -> pl.LazyFrame:
    rows = [{"contract_id": "c", "period_start": day(f"2026-{a}"), "period_end": day(f"2026-{b}")} for a, b in given]
    schema = {"contract_id": pl.String(), "period_start": TIMESTAMP, "period_end": TIMESTAMP}
    return pl.LazyFrame(rows, schema=schema)


@pytest.mark.parametrize(
    ("asked", "covered", "left"),
    [
        ([("01-01", "02-01"), ("02-01", "03-01")], [("01-01", "02-01")], [("02-01", "03-01")]),
        ([("01-01", "04-01")], [("01-01", "02-01")], [("02-01", "04-01")]),
        ([("01-15", "02-15"), ("02-15", "03-15")], [("01-01", "02-01")], [("02-01", "02-15"), ("02-15", "03-15")]),
        ([("01-05", "01-12"), ("01-29", "02-05")], [("01-01", "02-01")], [("02-01", "02-05")]),
        ([("01-01", "04-01")], [("02-01", "03-01")], [("01-01", "02-01"), ("03-01", "04-01")]),
        ([("01-01", "04-01")], [("01-10", "01-20"), ("01-15", "02-01")], [("01-01", "01-10"), ("02-01", "04-01")]),
        ([("01-01", "02-01")], [("02-01", "03-01")], [("01-01", "02-01")]),
        ([("01-01", "02-01")], [], [("01-01", "02-01")]),
    ],
)
def test_what_is_covered_is_cut_out(
    asked: list[tuple[str, str]], covered: list[tuple[str, str]], left: list[tuple[str, str]]
) -> None:
    others = spans(("01-01", "12-01")).with_columns(contract_id=pl.lit("other"))
    found = uncovered(spans(*asked), pl.concat([spans(*covered), others]), ("contract_id",))
    rows = found.sort("period_start").collect().iter_rows(named=True)
    assert [(f"{row['period_start']:%m-%d}", f"{row['period_end']:%m-%d}") for row in rows] == left
