"""CSV and Parquet files in bounded memory: chunks of rows with the columns of the file, ready for `read_table`."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import polars as pl
from polars.datatypes import DataTypeClass
from polars.exceptions import PanicException, PolarsError

from billing_assets.ingestion.readings import RAW_BYTES
from billing_assets.ingestion.reasons import Reason
from billing_assets.ingestion.tables import INTERNAL, internal
from billing_assets.storage.text_files import DamagedFile, LongLine, whole_lines, without_mark

CHUNK_ROWS = 100_000
MAX_QUOTED_BYTES = 64 * 1024 * 1024
"""A quoted cell that has not ended by then never will."""

# To Polars a blank line is a row of empty cells, and a carriage return alone no line end.
_LINE_ENDS_OF_ITS_OWN = re.compile(rb"(?:\A|\n)\r?\n|\r(?!\n)")

_LINE, _RAW, _REASON, _DETAIL = (internal(name) for name in INTERNAL)
_INTERNAL = (_LINE, _RAW, _REASON, _DETAIL)


def parquet_chunks(path: Path) -> Iterator[pl.DataFrame]:
    """Rows of a Parquet file; `source_line` is the number of the row, `raw` the row as JSON. Raises DamagedFile."""
    try:
        scan = pl.scan_parquet(path, glob=False)
        columns = scan.collect_schema()
        raw = _json_row(columns)
        empty = pl.lit(None, dtype=pl.String)
        numbered = scan.with_row_index(_LINE, offset=1).with_columns(
            pl.col(_LINE).cast(pl.Int64), raw.alias(_RAW), empty.alias(_REASON), empty.alias(_DETAIL)
        )
        stated = scan.select(pl.len()).collect().item()
        read = 0
        for chunk in numbered.collect_batches(chunk_size=CHUNK_ROWS, maintain_order=True):
            read += chunk.height
            yield chunk
    except (PolarsError, PanicException, OSError) as error:
        raise DamagedFile(f"damaged Parquet file: {_first_line(error)}") from error
    # A reader that fails in a thread of its own ends the batches as if the file did.
    if read != stated:
        raise DamagedFile(f"damaged Parquet file: {read:,} of the {stated:,} rows that it states can be read")


def _json_row(columns: pl.Schema) -> pl.Expr:
    """The row as JSON text, of those columns that JSON can show."""
    shown = [pl.col(name) for name, dtype in columns.items() if _is_shown(dtype)]
    return pl.struct(shown).struct.json_encode() if shown else pl.lit("{}")


def _is_shown(dtype: pl.DataType | DataTypeClass) -> bool:
    match dtype:
        case pl.Struct():
            return bool(dtype.fields) and all(_is_shown(field.dtype) for field in dtype.fields)
        case pl.List() | pl.Array():
            return _is_shown(dtype.inner)
        case pl.Map():
            return dtype.key == pl.String and _is_shown(dtype.value)
        case _:
            return dtype not in (pl.Binary, pl.Object, pl.Null, pl.Duration, pl.Time)


def csv_chunks(pieces: Iterable[bytes]) -> Iterator[pl.DataFrame]:
    """Rows of a CSV file with commas and a header, all cells texts, empty ones null, also `""`. Raises DamagedFile.

    `source_line` counts records from 1, the header's, and blank lines are none: it is the line where no cell has a
    line break. A row with fewer cells than the header ends in nulls, one with more is rejected (`invalid_row`).
    """
    header: list[str] | None = None
    next_line = 2
    for block in _records(whole_lines(without_mark(pieces))):
        if isinstance(block, LongLine):
            yield _too_long(next_line, block, header or [])
            next_line += 1
            continue
        if header is None:
            header, block = _header(block)
        rows = _rows(header, block, next_line)
        next_line += rows.height
        yield rows


def _schema(header: Sequence[str]) -> pl.Schema:
    return pl.Schema(dict.fromkeys((*header, *_INTERNAL), pl.String()) | {_LINE: pl.Int64()})


def _records(blocks: Iterable[bytes | LongLine]) -> Iterator[bytes | LongLine]:
    """Blocks of whole records: a block with an odd number of quotes ends inside a cell, which goes on in the next."""
    held = b""
    for block in blocks:
        if isinstance(block, LongLine):
            if held:
                yield held
            held = b""
            yield block
            continue
        held += block
        if len(held) > MAX_QUOTED_BYTES:
            raise DamagedFile("a quote in the CSV file is never closed")
        if held.count(b'"') % 2 == 0:
            yield held
            held = b""
    if held:
        raise DamagedFile("a quote in the CSV file is never closed")


def _header(block: bytes) -> tuple[list[str], bytes]:
    """Names of the columns, and the rest of the first block."""
    end = 0
    while True:
        end = block.find(b"\n", end) + 1 or len(block)
        if block[:end].strip() and block[:end].count(b'"') % 2 == 0:
            break
        if end == len(block):
            return [], b""
    try:
        names = next(csv.reader(io.StringIO(block[:end].strip().decode())))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DamagedFile(f"the header of the CSV file cannot be read: {_first_line(error)}") from error
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DamagedFile(f"the CSV file has column {repeated[0]!r} twice")
    return names, block[end:]


def _rows(header: Sequence[str], block: bytes, first_line: int) -> pl.DataFrame:
    if not header or not block.strip():
        return pl.DataFrame(schema=_schema(header))
    if _LINE_ENDS_OF_ITS_OWN.search(block):
        return _rows_exactly(header, block, first_line)
    try:
        # Columns are named by number while Polars reads them, and by the header after.
        numbered = _csv_line([str(column) for column in range(len(header))]) + block
        cells = pl.read_csv(io.BytesIO(numbered), infer_schema=False)
        cells.columns = list(header)
        cells = cells.with_columns(pl.all().replace("", None))
    except (PolarsError, PanicException):
        return _rows_exactly(header, block, first_line)
    empty = pl.lit(None, dtype=pl.String)
    return (
        cells.with_row_index(_LINE, offset=first_line)
        .with_columns(
            pl.col(_LINE).cast(pl.Int64), _csv_row(header).alias(_RAW), empty.alias(_REASON), empty.alias(_DETAIL)
        )
        .match_to_schema(_schema(header))
    )


def _rows_exactly(header: Sequence[str], block: bytes, first_line: int) -> pl.DataFrame:
    """Record by record, for a block that has one with too many cells or with bytes that are no UTF-8."""
    text = io.StringIO(block.decode(errors="surrogateescape"), newline="")
    try:
        records = [record for record in csv.reader(text) if record]
    except csv.Error as error:
        raise DamagedFile(f"damaged CSV file: {error}") from error
    rows = [_row(header, record, line) for line, record in enumerate(records, first_line)]
    return pl.DataFrame(rows, schema=_schema(header), orient="row")


def _row(header: Sequence[str], record: Sequence[str], line: int) -> tuple[object, ...]:
    raw = _csv_line(record)
    nothing = [None] * len(header)
    try:
        text = raw.decode().rstrip("\n")
    except UnicodeDecodeError as error:
        found = f"byte 0x{raw[error.start]:02x}"
        return (*nothing, line, raw.decode(errors="replace")[:RAW_BYTES], Reason.INVALID_UTF8.value, found)
    if len(record) > len(header):
        return (*nothing, line, text, Reason.INVALID_ROW.value, f"{len(record)} cells for {len(header)} columns")
    cells = [cell or None for cell in record] + nothing[len(record) :]
    return (*cells, line, text, None, None)


def _too_long(line: int, long: LongLine, header: Sequence[str]) -> pl.DataFrame:
    row = (*(None for _ in header), line, long.start.decode(errors="replace"), Reason.LINE_TOO_LONG.value, long.found)
    return pl.DataFrame([row], schema=_schema(header), orient="row")


def _csv_line(cells: Sequence[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode(errors="surrogateescape")


def _csv_row(header: Sequence[str]) -> pl.Expr:
    """The record as CSV again."""
    cells = [pl.col(name).fill_null("") for name in header]
    quoted = [
        pl.when(cell.str.contains(r'[",\r\n]'))
        .then('"' + cell.str.replace_all('"', '""', literal=True) + '"')
        .otherwise(cell)
        for cell in cells
    ]
    return pl.concat_str(quoted, separator=",")


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0]
