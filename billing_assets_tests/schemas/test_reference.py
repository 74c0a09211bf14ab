"""docs/tables.md says what the schemas say, and which tables a lake does not have yet."""

from __future__ import annotations

from billing_assets.schemas import TABLES
from billing_assets.schemas.reference import reference
from billing_assets_tests.cli.process import ROOT
from billing_assets_tests.conftest import ClosedSample

DECISIONS_ONLY = "actions"
FAILURES_ONLY = "check_failures"


def test_the_page_is_current() -> None:
    page = (ROOT / "docs" / "tables.md").read_text(encoding="utf-8")
    assert page == reference() + "\n", "python -m billing_assets.schemas.reference > docs/tables.md"


def test_every_table_has_a_section() -> None:
    assert [name for name in TABLES if f"\n### {name}\n" not in reference()] == []


def test_every_column_has_a_meaning() -> None:
    columns = [(spec.name, each) for spec in TABLES.values() for each in (*spec.columns.values(), *spec.open_columns)]
    assert [(table, column.name) for table, column in columns if not column.comment] == []


def test_a_close_writes_the_other_tables(closed_sample: ClosedSample) -> None:
    absent = {name for name in TABLES if not closed_sample.lake.exists(name)}
    assert absent == {FAILURES_ONLY, DECISIONS_ONLY}
