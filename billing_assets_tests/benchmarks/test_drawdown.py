"""The drawdown benchmark measures what it says: its company, its sums, and runs that must agree. Nothing is timed."""

from __future__ import annotations

import json
from decimal import Decimal

import polars as pl
import pytest

from benchmarks import contracts, drawdown

CONTRACTS = 30


def test_contracts_have_two_to_four_balances_and_ids_of_their_own() -> None:
    frames = contracts.frames_of(contracts.catalog(), CONTRACTS)
    balances = frames.access_segments.group_by("contract_id").agg(pl.len()).collect()
    assert balances["len"].value_counts().sort("len").rows() == [(2, 10), (3, 10), (4, 10)]
    assert frames.contracts.select(pl.col("pool").n_unique()).collect().item() == CONTRACTS
    for frame, key in ((frames.contracts, "contract_position"), (frames.access_segments, "segment_id")):
        assert frame.select(pl.col(key).is_unique().all()).collect().item()


def test_a_run_prices_and_draws_every_contract(capsys: pytest.CaptureFixture[str]) -> None:
    drawdown.run(CONTRACTS)
    report = json.loads(capsys.readouterr().out)
    found = report["found"]
    assert report["lines"] == CONTRACTS * (len(contracts.GROUPS) + 1), "five of usage, and what a commit costs"
    granted = frames_amount()
    assert 0 < Decimal(found["paid"]) < granted
    assert Decimal(found["moved"]) == granted - Decimal(found["paid"]), "what is drawn leaves the ledger"
    assert set(drawdown.STAGES) == set(report["stages"])
    assert "| 30 |" in drawdown.report({str(CONTRACTS): [report]})


def frames_amount() -> Decimal:
    """What all balances of the company grant."""
    frames = contracts.frames_of(contracts.catalog(), CONTRACTS)
    return Decimal(frames.access_segments.select(pl.col("amount").sum()).collect().item())


def test_runs_that_differ_are_refused() -> None:
    with pytest.raises(SystemExit, match="differ"):
        drawdown.report({"10": [{"found": 1}, {"found": 2}]})
