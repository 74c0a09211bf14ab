"""`billing verify`, `simulate` and `diff` where there is nothing to do, or not what was asked."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from billing_assets.cli.output import record
from billing_assets_tests.cli.process import billing, billing_json


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of which nothing was ever ingested; its settings start in January 2026."""
    root = tmp_path_factory.mktemp("project")
    assert billing(root, "init", "acme", "--now", "2026-02-03").returncode == 0
    return root / "acme"


def test_without_invoices_there_is_nothing_to_verify(project: Path) -> None:
    found = billing_json(project, "verify")
    assert (found["equal"], found["invoices"], found["batches"]) == (True, [], [])
    said = billing(project, "verify")
    assert (said.returncode, said.stdout) == (0, "no final invoices to verify; `billing invoices` lists all\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("verify", "INV-1", "--month", "2026-01"), "give an INVOICE or --month, not both"),
        (("simulate", "--from", "2026-1", "--to", "2026-01"), "--from: found '2026-1', expected a month as 2026-10"),
        (("simulate", "--from", "2026-01", "--to", "1-2026"), "--to: found '1-2026', expected a month as 2026-10"),
        (("simulate", "--from", "2026-02", "--to", "2026-01"), "--from 2026-02 is after --to 2026-01"),
        (("simulate", "--from", "2026-01", "--to", "2999-01"), "--to 2999-01 is not over at 2026-02-03"),
        (("simulate", "--from", "2020-01", "--to", "2020-02"), "--to 2020-02 is over before settings.starting_at"),
        (("simulate", "--from", "2026-01", "--to", "2026-01"), "the lake has no events yet"),
        (("diff",), "the lake has used no catalog yet; `billing close` records one"),
    ],
)
def test_what_cannot_be_asked_is_refused(project: Path, arguments: tuple[str, ...], message: str) -> None:
    said = billing(project, *arguments, "--now", "2026-02-03")
    assert (said.returncode, said.stdout) == (2, "")
    assert message in said.stderr
    assert not (project / "lake").exists()


def test_figures_of_comparisons_are_money_in_json() -> None:
    row = {"before": Decimal(0), "total_after": Decimal("17.5"), "hold_reasons_after": "[]", "currency": "USD"}
    assert record(row) == {"before": "0.00", "total_after": "17.50", "hold_reasons_after": [], "currency": "USD"}
