"""What README.md says is so: its queries run on the closed sample, its output is what the command prints."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from billing_assets_tests.cli.process import ROOT
from billing_assets_tests.conftest import ClosedSample

README = (ROOT / "README.md").read_text(encoding="utf-8")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)(#[^)]+)?\)")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "data").rglob("README.md"))]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def names(closed_sample: ClosedSample) -> dict[str, Any]:
    """What the README's Python leaves behind, all of it run in its order beside the closed sample's lake."""
    found: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(closed_sample.root.parent)
        for block in blocks("python"):
            exec(compile(block, "README.md", "exec"), found)
    return found


def test_revenue_is_what_was_invoiced(names: dict[str, Any]) -> None:
    totals = names["revenue"].group_by("currency").agg(pl.col("amount").sum()).sort("currency")
    assert totals.rows() == [("JPY", Decimal(3390)), ("USD", Decimal("6271.01"))]


def test_the_invoice_by_hand(names: dict[str, Any]) -> None:
    quill = names["quill"]
    assert quill["amount"].sum() == Decimal("89.08")
    for amount in quill["amount"]:
        assert f"{amount:.6f}" in README
    by_metric = names["usage"].group_by("billable_metric_id").agg(pl.col("quantity").sum()).sort("billable_metric_id")
    assert by_metric.rows() == [("input_tokens", 2_359_295), ("output_tokens", 422_976)]


def test_duckdb_reads_the_same(names: dict[str, Any]) -> None:
    name, model, _, quantity, amount = names["by_model"].fetchall()[0]
    assert (name, model) == ("Reserved capacity", None)
    assert (quantity, amount) == (Decimal("6.666666666667"), Decimal("3000.00000000015"))
    assert ("unattributed", "org_7731", "input_tokens") in [row[:3] for row in names["lost_revenue"].fetchall()]


def test_the_printed_close_is_what_close_prints(closed_sample: ClosedSample) -> None:
    """Every line that README shows of the first close is a line of it, in its order."""
    shown = next(block for block in blocks("text") if "HELD" in block).splitlines()
    printed = iter([line.rstrip() for line in closed_sample.stdout.splitlines()])
    assert [line for line in shown if line not in printed] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    broken = [
        f"{target}{anchor}"
        for target, anchor in LINK.findall(page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
        or (anchor and anchor[1:] not in anchors((page.parent / target).read_text(encoding="utf-8")))
    ]
    assert broken == []


def anchors(page: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
