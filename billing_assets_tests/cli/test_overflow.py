"""What a person is told of a number that is too large for the books."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from billing_assets_tests.cli.process import billing
from billing_assets_tests.cli.project import new_project

NOW = "2026-02-03T00:00:00Z"


@pytest.mark.parametrize(("values", "price"), [([9 * 10**25] * 2, "0.02"), ([9 * 10**24], "200000")])
def test_a_close_that_does_not_fit_names_what_is_too_large(values: list[int], price: str, tmp_path: Path) -> None:
    company = new_project(tmp_path / "company", NOW)
    catalog = company / "catalog"
    for file, before, after in (
        ("settings.yaml", "backdating_window: 90d", "backdating_window: none"),
        ("rate_cards.yaml", "price: 0.02}", f"price: {price}}}"),
    ):
        (catalog / file).write_text((catalog / file).read_text().replace(before, after))
    (company / "events" / "huge.jsonl").write_text("".join(huge(number, value) for number, value in enumerate(values)))
    ran = billing(company, "close", "--month", "2026-01", "--now", NOW)
    assert ran.returncode == 3
    assert "billing: a sum or a product has more than 26 digits before its decimal point; nothing became" in ran.stderr
    assert f"output_tokens {values[0]}.000000000000 in transaction huge-0 of acme-production" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not (company / "lake" / "invoices").exists()


def huge(number: int, value: int) -> str:
    event = {
        "transaction_id": f"huge-{number}",
        "customer_id": "acme-production",
        "event_type": "completion",
        "timestamp": f"2026-01-{15 + number}T08:15:00Z",
        "properties": {"model": "large", "output_tokens": value},
    }
    return json.dumps(event) + "\n"
