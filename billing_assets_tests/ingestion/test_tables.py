"""CSV and Parquet rows: typed cells to canonical properties, and what a row cannot be."""

from __future__ import annotations

import gzip
import io
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import duckdb
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from billing_assets_tests.ingestion.workbench import Ingested, ingest, line

HEADER = "transaction_id,customer_id,event_type,timestamp"
AT = "2026-10-10T10:00:00Z"


def csv(*rows: str, header: str = f"{HEADER},properties") -> bytes:
    return "\n".join([header, *rows, ""]).encode()


def parquet(**columns: object) -> bytes:
    base = {"transaction_id": ["t-1"], "customer_id": ["acme"], "event_type": ["x"], "timestamp": [AT]}
    target = io.BytesIO()
    pl.DataFrame(base | columns).write_parquet(target)
    return target.getvalue()


def outcome(got: Ingested) -> tuple[str, str | None]:
    assert got.reconciles()
    if got.events.height:
        return "accepted", got.events.get_column("properties").item()
    return got.rejected.select("reason", "detail").row(0)


def test_csv_with_properties_as_json() -> None:
    got = ingest({"e.csv": csv(f't-1,acme,x,{AT},"{{""tokens"": 1.50, ""model"": ""a,b""}}"', f"t-2,acme,x,{AT},")})
    assert got.properties == ['{"model":"a,b","tokens":"1.5"}', "{}"]
    assert got.events.get_column("source_line").to_list() == [2, 3]


def test_csv_with_a_column_per_property() -> None:
    rows = (f"t-1,acme,x,{AT},1.0,", f't-2,acme,x,{AT},,"say ""hi""\nthere"', f't-3,acme,x,{AT},2,""')
    got = ingest({"e.csv.gz": gzip.compress(csv(*rows, header=f"{HEADER},properties.tokens,properties.note"))})
    assert got.properties == ['{"tokens":"1.0"}', r'{"note":"say \"hi\"\nthere"}', '{"tokens":"2"}']


@pytest.mark.parametrize(
    ("row", "reason", "detail"),
    [
        (f"t-1,acme,x,{AT},{{}},more,cells", "invalid_row", "7 cells for 5 columns"),
        (f"t-1,acme,x,{AT},{{", "invalid_json", "properties: Expecting property name"),
        (f"t-1,acme,x,{AT},[]", "wrong_type", "properties: expected an object, found an array"),
        (f't-1,acme,x,{AT},"{{""a"": [1]}}"', "nested_property", "a"),
        (f't-1,acme,x,{AT},"{{""a"": 1, ""a"": 2}}"', "duplicate_key", "a"),
        (f",acme,x,{AT},", "missing_field", "transaction_id"),
        ("t-1,acme", "missing_field", "event_type"),
        ("t-1,acme,x,yesterday,", "invalid_timestamp", "yesterday"),
    ],
)
def test_a_bad_csv_row(row: str, reason: str, detail: str) -> None:
    got = ingest({"e.csv": csv(f"t-0,acme,x,{AT},", row, f"t-9,acme,x,{AT},")})
    found = got.rejected.row(0, named=True)
    assert (found["reason"], found["source_line"]) == (reason, 3)
    assert found["detail"].startswith(detail)
    assert found["raw"].startswith(row.rstrip(",")[:20])
    assert got.events.get_column("source_line").to_list() == [2, 4]
    assert got.reconciles()


def test_a_csv_row_that_is_no_utf8() -> None:
    got = ingest({"e.csv": csv(f"t-0,acme,x,{AT},", "#", f"t-9,acme,x,{AT},").replace(b"#", b"t-1,\xff,x,,")})
    assert got.rejected.select("reason", "detail", "source_line").rows() == [("invalid_utf8", "byte 0xff", 3)]
    assert got.events.height == 2


def test_an_unknown_column_is_refused_where_it_has_a_value() -> None:
    got = ingest({"e.csv": csv(f"t-1,acme,x,{AT},eu", f"t-2,acme,x,{AT},", header=f"{HEADER},zone")})
    assert got.rejected.select("transaction_id", "reason", "detail").rows() == [("t-1", "unknown_field", "zone")]
    assert got.properties == ["{}"]
    both = csv(f't-1,acme,x,{AT},5,"{{}}"', header=f"{HEADER},properties.a,properties")
    assert outcome(ingest({"e.csv": both})) == ("unknown_field", "properties beside columns properties.<name>")


@pytest.mark.parametrize("content", [b"", b"\n", b"\xef\xbb\xbf", csv(), csv()[:-1]], ids=repr)
def test_a_csv_file_without_rows(content: bytes) -> None:
    assert ingest({"e.csv": content}).files.select("rows", "detail").row(0) == (0, None)


def test_a_csv_file_with_a_mark_crlf_and_blank_lines() -> None:
    content = b"\xef\xbb\xbf" + csv(f"t-1,acme,x,{AT},", "", f"t-2,acme,x,{AT},").replace(b"\n", b"\r\n")
    assert ingest({"e.csv": content}).events.get_column("transaction_id").to_list() == ["t-1", "t-2"]


@pytest.mark.parametrize("blank", ["", "\n"])
def test_a_row_of_empty_cells_is_a_row(blank: str) -> None:
    got = ingest({"e.csv": csv(f"t-1,acme,x,{AT},", ",,,,", f"t-2,acme,x,{AT},{blank}")})
    assert got.rejected.select("reason", "source_line").rows() == [("missing_field", 3)]
    assert got.events.height == 2


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (csv(f't-1,acme,x,{AT},"{{'), "a quote in the CSV file is never closed"),
        (csv(header="a,b,a"), "the CSV file has column 'a' twice"),
        (b"a\xff,b\n1,2\n", "the header of the CSV file cannot be read"),
    ],
)
def test_a_csv_file_that_cannot_be_cut_into_rows(content: bytes, detail: str) -> None:
    got = ingest({"e.csv": content, "good.jsonl": line()})
    assert got.files.row(0, named=True)["detail"].startswith(detail)
    assert got.events.height == 1


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({}, ("accepted", "{}")),
        ({"properties": ['{"a": 1.50}']}, ("accepted", '{"a":"1.5"}')),
        ({"properties": [None]}, ("accepted", "{}")),
        ({"properties": [{"b": 1, "a": None, "c": "x"}]}, ("accepted", '{"b":"1","c":"x"}')),
        (
            {"properties": [{"a": Decimal("1.500"), "b": 0.1, "c": True}]},
            ("accepted", '{"a":"1.5","b":"0.1","c":"true"}'),
        ),
        ({"properties.n": [1e22], "properties.m": [-0.0]}, ("accepted", '{"m":"0","n":"10000000000000000000000"}')),
        (
            {"properties.n": [0.1 + 0.2], "properties.m": [2**63 - 1]},
            ("accepted", '{"m":"9223372036854775807","n":"0.30000000000000004"}'),
        ),
        ({"properties.n": pl.Series([0.1], dtype=pl.Float32)}, ("accepted", '{"n":"0.1"}')),
        ({"properties.n": pl.Series(["a"], dtype=pl.Categorical)}, ("accepted", '{"n":"a"}')),
        ({"properties": [[{"key": "b", "value": 2.0}, {"key": "a", "value": None}]]}, ("accepted", '{"b":"2"}')),
        ({"properties": [[{"key": "a", "value": 2}, {"key": "a", "value": 3}]]}, ("duplicate_key", "a")),
        ({"properties": [[{"key": None, "value": 2}]]}, ("wrong_type", None)),
        ({"properties": [[{"key": "a", "value": [2]}]]}, ("nested_property", "a")),
        ({"properties": [[]]}, ("wrong_type", "properties: expected JSON text, a struct or a map, found list")),
        ({"properties.a": [timedelta(1)], "b": [timedelta(1)]}, ("unknown_field", "b")),
        ({"properties.a": [timedelta(1)]}, ("wrong_type", "a")),
        ({"properties.a": pl.Series([1], dtype=pl.Int128)}, ("accepted", '{"a":"1"}')),
        ({"properties.a": [None]}, ("accepted", "{}")),
        ({"properties": [{"a": {"b": b"x"}}]}, ("nested_property", "a")),
        ({"": ["x"]}, ("unknown_field", "")),
        ({"properties": [[1, 2]]}, ("wrong_type", "properties: expected JSON text, a struct or a map, found list")),
        ({"properties": [7]}, ("wrong_type", "properties: expected JSON text, a struct or a map, found int64")),
        ({"properties": [{"a": [1]}]}, ("nested_property", "a")),
        ({"properties": [{"a": {"b": 1}}]}, ("nested_property", "a")),
        ({"properties.a": [date(2026, 1, 1)]}, ("wrong_type", "a")),
        ({"properties.a": [b"x"]}, ("wrong_type", "a")),
        ({"properties.a": [float("nan")]}, ("inexact_number", "a")),
        ({"properties.a": [float("inf")]}, ("inexact_number", "a")),
        ({"transaction_id": [17]}, ("wrong_type", "transaction_id: expected a string, found int64")),
        ({"customer_id": pl.Series([None], dtype=pl.String)}, ("missing_field", "customer_id")),
        (
            {"timestamp": [datetime(2026, 10, 10, 10, tzinfo=UTC).replace(tzinfo=None)]},
            ("invalid_timestamp", "2026-10-10T10:00:00.000000"),
        ),
        ({"timestamp": [date(2026, 10, 10)]}, ("wrong_type", "timestamp: expected a string, found date")),
        ({"extra": [1]}, ("unknown_field", "extra")),
    ],
    ids=str,
)
def test_a_parquet_row(columns: dict[str, object], expected: tuple[str, str]) -> None:
    assert outcome(ingest({"e.parquet": parquet(**columns)})) == expected


def test_a_parquet_timestamp_with_a_zone_is_an_instant() -> None:
    paris = timezone(timedelta(hours=2))
    got = ingest({"e.parquet": parquet(timestamp=[datetime(2026, 10, 10, 12, 0, 0, 5, tzinfo=paris)])})
    assert got.events.get_column("timestamp").to_list() == [datetime(2026, 10, 10, 10, 0, 0, 5, tzinfo=UTC)]


def test_a_parquet_map_of_another_writer(tmp_path: object) -> None:
    path = f"{tmp_path}/m.parquet"
    row = f"'t-1' AS transaction_id, 'acme' AS customer_id, 'x' AS event_type, '{AT}' AS timestamp"
    maps = ["MAP {'b': '1.0', 'a': NULL}", "MAP {}", "NULL"]
    rows = " UNION ALL ".join(
        f"SELECT {row.replace('t-1', f't-{step}')}, {value}::MAP(VARCHAR, VARCHAR) AS properties"
        for step, value in enumerate(maps)
    )
    duckdb.sql(f"COPY ({rows}) TO '{path}' (FORMAT parquet)")
    with open(path, "rb") as file:
        got = ingest({"e.parquet": file.read()})
    assert got.properties == ['{"b":"1.0"}', "{}", "{}"]


def test_the_raw_text_of_a_parquet_row_is_its_json() -> None:
    got = ingest({"e.parquet": parquet(event_type=[""], blob=[b"\xff"], properties=[{"a": 1}])})
    raw = got.rejected.get_column("raw").item()
    assert raw.startswith('{"transaction_id":"t-1"')
    assert raw.endswith('"properties":{"a":1}}')


@pytest.mark.parametrize("content", [b"", b"PAR1", parquet()[:-20], b"x" * 100], ids=len)
def test_a_damaged_parquet_file_is_refused(content: bytes) -> None:
    got = ingest({"e.parquet": content, "good.jsonl": line()})
    assert got.files.row(0, named=True)["detail"].startswith("damaged Parquet file: ")
    assert got.events.height == 1


def test_a_parquet_file_with_a_piece_cut_out_of_its_middle_is_refused() -> None:
    """Its footer is whole and points beyond the end: Polars gives no rows, and no error."""
    names = [f"t-{number}" for number in range(2000)]
    same = {"customer_id": ["acme"] * 2000, "event_type": ["x"] * 2000, "timestamp": [AT] * 2000}
    content = parquet(transaction_id=names, text=names, **same)
    got = ingest({"e.parquet": content[:1000] + content[-2000:], "good.jsonl": line()})
    (detail,) = got.files.filter(source_file="e.parquet")["detail"]
    assert detail == "damaged Parquet file: 0 of the 2,000 rows that it states can be read"
    assert got.events.height == 1


COLUMNS = ("transaction_id", "customer_id", "event_type", "timestamp", "properties", "properties.a", "a")
MARKS = (
    "",
    " ",
    ",",
    ",",
    ",",
    '"',
    '""',
    "\n",
    "\n",
    "\r\n",
    "\r",
    AT,
    "{}",
    "é",
    "\x00",
    "\ufeff",
    ";",
    "1",
    "#",
    "'",
)
PIECES = st.sampled_from([*COLUMNS, *MARKS])
CELLS = st.sampled_from(
    ["t-1", "t-2", "acme", "", '""', '"x,y"', '"a""b"', '"a\nb"', "x y", AT, '"{""a"": 1}"', "\r", 'a"b']
)


@settings(max_examples=40)
@given(st.lists(PIECES, max_size=30).map("".join), st.lists(st.lists(CELLS, max_size=7).map(",".join), max_size=5))
@example("a,,b\n", ["1,2,3"])
@example("a\n", ["", "1", ""])
@example('"a\nb",c\n', ["1,2"])
def test_whatever_the_csv_file_it_has_an_outcome(header: str, rows: list[str]) -> None:
    for content in ("\n".join([header, *rows]), "\n".join([f"{HEADER},properties", *rows])):
        got = ingest({"e.csv": content.encode(), "good.jsonl": line("good")})
        assert got.reconciles()
        assert got.files.height == 2
        assert got.events.equals(ingest({"e.csv": content.encode() + b"\n\n", "good.jsonl": line("good")}).events)


@settings(max_examples=40)
@given(st.data())
def test_whatever_the_parquet_file_it_has_an_outcome(data: st.DataObject) -> None:
    content = bytearray(PARQUET)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    assert ingest({"e.parquet": bytes(content), "good.jsonl": line("good")}).reconciles()


PARQUET = parquet(properties=[{"a": 1, "b": "x"}])
