"""The lake's promises: contracts checked before the write, batches once, slices replaced, nothing rewritten in vain."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from deltalake import write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError

from billing_assets.errors import LakeError, SchemaBreach, UsageError
from billing_assets.schemas import TABLES
from billing_assets.storage.lake import Lake, WriteStep
from billing_assets_tests.storage.rows import events, rows

ALL: dict[str, int] = {}


def stored(lake: Lake, table: str) -> pl.DataFrame:
    return lake.collect(lake.scan(table, through=ALL).sort(TABLES[table].sort_keys))


def invoice(number: int, batch: int = 1) -> dict[str, object]:
    return {
        "close_month": "2026-01",
        "invoice_id": f"in-{number}",
        "invoice_type": "USAGE",
        "status": "FINALIZED",
        "batch_no": batch,
        "total": Decimal("12.340000000001"),
    }


def test_a_table_that_does_not_exist_reads_as_empty_and_typed(lake: Lake) -> None:
    assert not lake.exists("invoices")
    assert lake.version("invoices") is None
    assert lake.collect(lake.scan("invoices")).schema == TABLES["invoices"].schema


def test_an_unknown_table_is_refused_by_name(lake: Lake) -> None:
    with pytest.raises(UsageError, match="no table 'invoyces'"):
        lake.scan("invoyces")


def test_a_new_table_carries_its_contract(lake: Lake) -> None:
    lake.append_batch("line_items", TABLES["line_items"].empty(), "books", 1)
    table = lake.open("line_items")
    assert table is not None
    metadata = table.metadata()
    assert metadata.partition_columns == ["close_month"]
    assert metadata.configuration == {"delta.appendOnly": "true"}
    assert metadata.description == TABLES["line_items"].description
    fields = {field.name: field for field in table.schema().fields}
    assert not fields["amount"].nullable
    assert fields["quantity"].nullable
    assert fields["amount"].metadata["comment"] == "Amount, exact; not rounded to the minor unit"


def test_what_is_written_is_what_is_read(lake: Lake) -> None:
    written = rows("invoices", invoice(2), invoice(1))
    lake.append_batch("invoices", written, "books", 1)
    assert stored(lake, "invoices").equals(written.sort("invoice_id"))


def test_delta_itself_refuses_null_and_rewriting(lake: Lake) -> None:
    """Not only this engine writes to a lake; the tables defend themselves."""
    line = rows("line_items", {"close_month": "2026-01", "line_type": "usage"})
    lake.append_batch("line_items", line, "books", 1)
    table = lake.open("line_items")
    assert table is not None
    with pytest.raises(DeltaError, match="failed validation check"):
        write_deltalake(table, line.with_columns(amount=pl.lit(None, pl.Decimal(38, 12))), mode="append")
    with pytest.raises(CommitFailedError):
        table.delete()
    with pytest.raises(LakeError, match="line_items is append-only"):
        lake.overwrite("line_items", line)


# -- validation --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lazily", [False, True])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (pl.lit(1.5).alias("total"), r"total: expected Decimal\(precision=38, scale=12\), found Float64"),
        (pl.lit(Decimal("1.5")).cast(pl.Decimal(38, 2)).alias("total"), r"total: expected Decimal.*scale=2"),
        (pl.lit(1, pl.Int32).alias("line_count"), "line_count: expected Int64, found Int32"),
        (
            pl.lit(None, pl.String).alias("currency"),
            r"currency: null in 2 row\(s\): close_month=2026-01, invoice_id=in-1",
        ),
        (pl.lit("PAID").alias("status"), r"status: isin\(.*\) does not hold in 2 row\(s\): .*status=PAID"),
        (pl.lit("x").alias("curency"), "curency: not a column of the table"),
    ],
)
def test_a_breach_names_table_column_and_rows(lake: Lake, change: pl.Expr, message: str, lazily: bool) -> None:
    frame = rows("invoices", invoice(1), invoice(2)).with_columns(change)
    with pytest.raises(SchemaBreach, match=r"table invoices: [\s\S]*" + message):
        lake.append_batch("invoices", frame.lazy() if lazily else frame, "books", 1)
    assert stored(lake, "invoices").is_empty()


def test_a_missing_column_is_named_with_its_nearest(lake: Lake) -> None:
    frame = rows("invoices", invoice(1)).rename({"currency": "curency"})
    with pytest.raises(SchemaBreach, match=r"did you mean currency\?[\s\S]*currency: the column is missing"):
        lake.append_batch("invoices", frame, "books", 1)


def test_enums_are_stored_as_text(lake: Lake) -> None:
    frame = rows("invoices", invoice(1)).with_columns(
        pl.col("status").cast(pl.Enum(["FINALIZED", "VOID"])), pl.col("currency").cast(pl.Categorical)
    )
    lake.append_batch("invoices", frame, "books", 1)
    assert stored(lake, "invoices").schema == TABLES["invoices"].schema


def test_a_failing_plan_leaves_nothing_and_keeps_its_own_error(lake: Lake) -> None:
    plan = events(10, 1).lazy().with_columns(source_line=pl.col("source_line") + pl.lit("x").cast(pl.Int64))
    with pytest.raises((pl.exceptions.InvalidOperationError, LakeError), match="conversion"):
        lake.append_batch("events", plan, "ingest", 1)
    assert stored(lake, "events").is_empty()


# -- batches -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lazily", [False, True])
def test_a_batch_enters_a_table_once(lake: Lake, lazily: bool) -> None:
    frame = events(100, 1).lazy() if lazily else events(100, 1)
    first = lake.append_batch("events", frame, "ingest", 1)
    assert lake.append_batch("events", frame, "ingest", 1) == first
    lake.append_batch("events", events(7, 2), "ingest", 2)
    assert lake.append_batch("events", frame, "ingest", 2) == first + 1
    assert stored(lake, "events")["ingest_batch"].value_counts().sort("ingest_batch").rows() == [(1, 100), (2, 7)]


def test_an_empty_batch_is_a_batch(lake: Lake) -> None:
    version = lake.append_batch("events", TABLES["events"].empty(), "ingest", 1)
    assert lake.transaction("events", "ingest/0") == 1
    assert lake.append_batch("events", events(5, 1), "ingest", 1) == version


def test_a_lower_batch_is_refused_unless_it_was_committed(lake: Lake) -> None:
    lake.append_batch("events", events(5, 3), "ingest", 3)
    with pytest.raises(LakeError, match="has batch 3 of ingest and cannot take the earlier 2"):
        lake.append_batch("events", events(5, 2), "ingest", 2)


def test_shards_of_a_batch_are_appended_beside_each_other(lake: Lake) -> None:
    for shard in ("0", "1", "0"):
        lake.append_batch("events", events(5, 1).with_columns(source_file=pl.lit(shard)), "ingest", 1, shard)
    assert stored(lake, "events")["source_file"].unique().sort().to_list() == ["0", "1"]


def test_a_token_appends_once(lake: Lake) -> None:
    for token in ("catalog/a", "catalog/b", "catalog/a"):
        lake.append_once("catalog_versions", rows("catalog_versions", {"catalog_version": token}), token)
    assert stored(lake, "catalog_versions")["catalog_version"].to_list() == ["catalog/a", "catalog/b"]


def test_a_checkpoint_keeps_what_the_cleaned_log_said(lake: Lake) -> None:
    lake.append_batch("events", events(5, 1), "ingest", 1)
    lake.append_once("events", events(1, 2), "other")
    table = lake.open("events")
    assert table is not None
    table.create_checkpoint()
    for entry in (Path(lake.uri("events")) / "_delta_log").glob("*.json"):
        entry.unlink()
    assert lake.transaction("events", "ingest/0") == 1
    lake.append_batch("events", events(5, 1), "ingest", 1)
    assert stored(lake, "events").height == 6


def test_readers_see_committed_batches_only(lake: Lake) -> None:
    lake.append_batch("events", events(5, 1), "ingest", 1)
    assert lake.collect(lake.scan("events")).height == 0
    assert lake.collect(lake.scan("events", through={"ingest_batch": 1})).height == 5
    assert lake.collect(lake.scan("events", through={"ingest_batch": 0})).height == 0
    assert lake.collect(lake.scan("events", through=ALL)).height == 5


def test_filters_prune_files(lake: Lake) -> None:
    lake.append_batch("events", events(300, 1), "ingest", 1)
    one_day = lake.scan("events", pl.col("event_date") == date(2026, 1, 2), through={"ingest_batch": 1})
    assert one_day.explain().count("event_date=2026-01-0") <= 1
    assert lake.collect(one_day).height == 100


def test_each_day_is_one_file_sorted_by_customer_and_time(lake: Lake, tmp_path: Path) -> None:
    lake.append_batch("events", events(3000, 1).sample(fraction=1.0, shuffle=True, seed=1), "ingest", 1)
    files = sorted((tmp_path / "lake" / "events").rglob("*.parquet"))
    assert len(files) == 3
    for file in files:
        keys = pl.read_parquet(file).select("customer_ref", "timestamp")
        assert keys.equals(keys.sort("customer_ref", "timestamp"))


# -- promoted columns and older tables ---------------------------------------------------------------------------------


def test_promoted_columns_join_the_table_and_stay_null_elsewhere(lake: Lake) -> None:
    lake.append_batch("events", events(2, 1).drop("property_model", "number_tokens"), "ingest", 1)
    lake.append_batch("events", events(2, 2), "ingest", 2)
    lake.append_batch("events", events(2, 3).drop("property_model").lazy(), "ingest", 3)
    found = stored(lake, "events").sort("ingest_batch")
    assert found["property_model"].to_list() == [None, None, "large", "large", None, None]
    assert found["number_tokens"].null_count() == 2
    table = lake.open("events")
    assert table is not None
    assert not next(field for field in table.schema().fields if field.name == "transaction_id").nullable


# -- slices ------------------------------------------------------------------------------------------------------------


def state(day: int, batch: int, measure: str = "m", count: int = 1) -> dict[str, object]:
    return {
        "usage_date": date(2026, 1, day),
        "ingest_batch": batch,
        "measure_id": measure,
        "event_count": count,
        "sum": Decimal(count),
    }


def states(*given: dict[str, object]) -> pl.DataFrame:
    return rows("usage_states", *given)


def test_a_slice_is_replaced_and_its_neighbours_stay(lake: Lake) -> None:
    lake.overwrite("usage_states", states(state(1, 1), state(1, 2), state(2, 1)))
    lake.replace_slice(
        "usage_states", states(state(1, 2, count=9)), {"usage_date": date(2026, 1, 1), "ingest_batch": [2, 3]}
    )
    found = stored(lake, "usage_states").select("usage_date", "ingest_batch", "event_count").rows()
    assert found == [(date(2026, 1, 1), 1, 1), (date(2026, 1, 1), 2, 9), (date(2026, 1, 2), 1, 1)]


def test_an_equal_slice_is_not_written(lake: Lake) -> None:
    day, frame = {"usage_date": date(2026, 1, 1)}, states(state(1, 2), state(1, 1))
    assert lake.replace_slice("usage_states", frame, day) is not None
    version = lake.version("usage_states")
    assert lake.replace_slice("usage_states", frame.reverse(), day) is None
    assert lake.version("usage_states") == version
    assert lake.replace_slice("usage_states", frame.with_columns(max=pl.col("sum")), day) is not None


def test_columns_that_do_not_count_do_not_cause_a_write(lake: Lake) -> None:
    lake.overwrite("customers", rows("customers", {"customer_id": "a", "name": "A"}))
    renamed = rows("customers", {"customer_id": "a", "name": "B"})
    assert lake.overwrite("customers", renamed, ignoring=("name",)) is None
    assert lake.overwrite("customers", renamed) is not None
    assert stored(lake, "customers")["name"].to_list() == ["B"]


def test_an_empty_frame_clears_its_slice(lake: Lake) -> None:
    lake.overwrite("usage_states", states(state(1, 1), state(2, 1)))
    lake.replace_slice("usage_states", states(), {"usage_date": date(2026, 1, 1)})
    assert stored(lake, "usage_states")["usage_date"].to_list() == [date(2026, 1, 2)]


def test_a_row_outside_the_slice_is_a_breach(lake: Lake) -> None:
    with pytest.raises(SchemaBreach, match=r"1 row\(s\) outside the slice \"usage_date\" = DATE '2026-01-01'"):
        lake.replace_slice("usage_states", states(state(1, 1), state(2, 1)), {"usage_date": date(2026, 1, 1)})


@pytest.mark.parametrize("name", ["it's", "a; DROP TABLE x", "' OR ''='", "€", "back\\slash", 'dou"ble', "", "-- "])
def test_text_of_a_predicate_is_never_code(lake: Lake, name: str) -> None:
    lake.overwrite("usage_states", states(state(1, 1, name), state(1, 1, "other")))
    lake.replace_slice("usage_states", states(state(1, 1, name, count=5)), {"measure_id": name})
    found = stored(lake, "usage_states").select("measure_id", "event_count").rows()
    assert sorted(found) == sorted([(name, 5), ("other", 1)])


def test_an_observer_sees_each_commit(tmp_path: Path) -> None:
    seen: list[WriteStep] = []
    lake = Lake(tmp_path, on_write=seen.append)
    lake.append_batch("events", events(2, 1), "ingest", 1)
    lake.append_batch("events", events(2, 1), "ingest", 1)
    lake.overwrite("customers", rows("customers", {"customer_id": "a"}))
    assert [(step.table, step.action, step.instant) for step in seen] == [
        ("events", "append", "before"),
        ("events", "append", "after"),
        ("customers", "overwrite", "before"),
        ("customers", "overwrite", "after"),
    ]
