"""init, validate, schema: before anything is billed."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from billing_assets.cli.init import project_files, sample_month
from billing_assets_tests.cli.process import billing, billing_json


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("init") / "my-company"
    assert billing(directory.parent, "init", "my-company").returncode == 0
    return directory


def test_a_new_project_is_valid(project: Path) -> None:
    ran = billing(project, "validate")
    assert ran.returncode == 0
    assert "is valid: 3 billable metrics, 3 products, 1 rate card, 2 customers, 2 contracts; 0 warnings" in ran.stdout


def test_a_new_project_says_what_comes_next(tmp_path: Path) -> None:
    shown = billing(tmp_path, "init", "new").stdout
    assert re.search(r"billing close --month \d{4}-\d\d\n", shown)
    assert "catalog/contracts.yaml" in shown


def test_init_overwrites_nothing(project: Path) -> None:
    before = (project / "billing.toml").read_bytes()
    ran = billing(project.parent, "init", "my-company")
    assert ran.returncode == 2
    assert "billing.toml" in ran.stderr
    assert (project / "billing.toml").read_bytes() == before


@pytest.mark.parametrize(
    ("now", "month"),
    [("2026-11-22", "2026-10"), ("2026-11-03", "2026-10"), ("2026-11-01", "2026-09"), ("2026-01-15", "2025-12")],
)
def test_the_sample_month_is_over_with_its_grace_period(now: str, month: str) -> None:
    assert sample_month(datetime.fromisoformat(now).replace(tzinfo=UTC)) == month


def test_the_sample_is_the_same_for_a_month() -> None:
    assert project_files("2026-02") == project_files("2026-02")
    assert len(project_files("2026-02")["events/2026-02.jsonl"].splitlines()) == 86


def test_problems_stand_at_their_lines_all_at_once(project: Path, tmp_path: Path) -> None:
    catalog = tmp_path / "catalog"
    catalog.mkdir()
    for file in (project / "catalog").iterdir():
        (catalog / file.name).write_text(file.read_text())
    products = (catalog / "products.yaml").read_text()
    (catalog / "products.yaml").write_text(products.replace("billable_metric_id: seats", "billable_metric_id: seat"))
    contracts = (catalog / "contracts.yaml").read_text()
    (catalog / "contracts.yaml").write_text(contracts.replace("customer_id: globex", "customer: globex"))
    ran = billing(tmp_path, "validate")
    assert ran.returncode == 1
    problems = [line for line in ran.stdout.splitlines() if re.match(r"\S+\.yaml:\d+: ", line)]
    assert any(line.startswith("products.yaml:13: products[2].billable_metric_id:") for line in problems)
    assert any(line.startswith("contracts.yaml:") for line in problems)
    assert ran.stdout.splitlines()[-1].startswith(f"{len(problems)} problem")
    content = billing_json(tmp_path, "validate")
    assert [problem["file"] for problem in content["problems"]] == [line.split(":")[0] for line in problems]
    assert content["catalog_version"] is None


def test_the_schema_knows_every_collection(tmp_path: Path) -> None:
    ran = billing(tmp_path, "schema", "--output", "catalog.schema.json")
    assert (ran.returncode, ran.stdout) == (0, "")
    written = json.loads((tmp_path / "catalog.schema.json").read_text())
    assert {"settings", "billable_metrics", "products", "rate_cards", "customers", "contracts"} <= set(
        written["properties"]
    )
    assert json.loads(billing(tmp_path, "schema").stdout) == written
