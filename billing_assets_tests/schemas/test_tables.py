"""Every table of the lake is described, keyed and typed in the six dtypes that every reader knows."""

from __future__ import annotations

import pandera.polars as pa
import polars as pl
import pytest

from billing_assets.columns import DECIMAL, TIMESTAMP
from billing_assets.schemas import TABLES, TableSpec

EVERY = pytest.mark.parametrize("spec", TABLES.values(), ids=TABLES)

NAMED_BY_INTERFACE = """
    events rejected_events duplicate_events ingested_files usage_states usage_values usage rated_lines unbilled_usage
    invoices line_items ledger_entries balances batches actions invoice_events month_closes catalog_versions
    check_failures customers customer_aliases products billable_metrics rate_cards rates contracts overrides commits
    subscriptions draft_invoices draft_line_items pending_ledger_entries invoice_variances metered_slices closed_periods
"""

APPEND_ONLY = {
    *("line_items", "ledger_entries", "invoice_events", "batches", "actions", "month_closes", "catalog_versions"),
    "closed_periods",
}


def test_the_tables_are_those_of_the_interface() -> None:
    assert sorted(TABLES) == sorted(NAMED_BY_INTERFACE.split())


def test_what_is_final_is_append_only() -> None:
    assert {name for name, spec in TABLES.items() if spec.append_only} == APPEND_ONLY


@EVERY
def test_a_table_says_its_grain_and_every_column_says_what_it_is(spec: TableSpec) -> None:
    assert "Grain" in spec.description
    assert all(column.comment for column in (*spec.columns.values(), *spec.open_columns))


@EVERY
def test_keys_and_partitions_are_columns_of_the_table(spec: TableSpec) -> None:
    assert {*spec.sort_keys, *spec.partition_by} <= {*spec.columns}
    assert not any(spec.columns[name].nullable for name in spec.partition_by)
    assert spec.numbering is None or not spec.columns[spec.numbering.column].nullable


@EVERY
def test_dtypes_are_the_vocabulary(spec: TableSpec) -> None:
    assert set(spec.schema.dtypes()) <= {pl.String(), pl.Int64(), pl.Boolean(), pl.Date(), TIMESTAMP, DECIMAL}


@EVERY
def test_the_empty_frame_satisfies_its_model(spec: TableSpec) -> None:
    spec.model.validate(spec.empty().collect(), lazy=True)


@pytest.mark.parametrize(
    ("final", "draft"),
    [
        ("invoices", "draft_invoices"),
        ("line_items", "draft_line_items"),
        ("ledger_entries", "pending_ledger_entries"),
    ],
)
def test_drafts_have_the_columns_of_what_they_become(final: str, draft: str) -> None:
    became, drafted = TABLES[final].schema, TABLES[draft].schema
    assert {name: drafted[name] for name in became} == dict(became)
    assert set(drafted) - set(became) <= {"hold_reasons"}


def test_only_promoted_properties_may_join_the_events() -> None:
    spec = TABLES["events"]
    empty = spec.empty().with_columns(property_model=pl.lit(None, dtype=pl.String), number_tokens=pl.lit(None, DECIMAL))
    spec.model.validate(empty.collect(), lazy=True)
    assert spec.column("property_model") is not None
    assert spec.column("number_tokens") is not None
    assert spec.column("property_Model") is None
    for wrong in (pl.lit(1).alias("property_model"), pl.lit("x").alias("number_tokens"), pl.lit("x").alias("region")):
        with pytest.raises(pa.errors.SchemaErrors):
            spec.model.validate(spec.empty().with_columns(wrong).collect(), lazy=True)


def test_complete_adds_what_may_be_null_and_nothing_else() -> None:
    spec = TABLES["month_closes"]
    frame = pl.LazyFrame({"batch_no": [1], "colour": ["red"]})
    assert spec.complete(frame).collect().to_dicts() == [{"by": None, "batch_no": 1, "colour": "red"}]
    assert spec.project(frame).collect_schema().names() == ["by", "batch_no"]
