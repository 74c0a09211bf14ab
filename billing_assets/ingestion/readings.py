"""The common form of every format: what one row says, before it is judged.

Grain: one row per input row. `transaction_id`, `customer_ref`, `event_type`, `timestamp_text` as sent, `properties`
canonical, `raw` the row as text; `reason` and `detail` where the row cannot be read as an event.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from billing_assets.ingestion.exact import Reading

FIELDS = Reading._fields
READINGS = pl.Schema({"source_line": pl.Int64, "raw": pl.String, **dict.fromkeys(FIELDS, pl.String)})

LINES = pl.Schema({"source_line": pl.Int64, "line": pl.String, "reason": pl.String, "detail": pl.String})
"""Lines of a text file as `storage` reads them: `reason` is invalid_utf8 or line_too_long, else null."""

RAW_BYTES = 64 * 1024
"""What is kept of the text of a rejected row or a duplicate."""


def framed(readings: Sequence[Reading]) -> pl.DataFrame:
    """The columns of `FIELDS`, a row per reading."""
    columns = zip(*readings, strict=True) if readings else ([] for _ in FIELDS)
    return pl.DataFrame(dict(zip(FIELDS, columns, strict=True)), schema=dict.fromkeys(FIELDS, pl.String))


def cut_raw(text: pl.Expr) -> pl.Expr:
    """`text` cut to `RAW_BYTES` of UTF-8, before a character that would not fit as a whole."""
    is_long = text.str.len_bytes() > RAW_BYTES
    content = pl.when(is_long).then(text.cast(pl.Binary))
    # A character has at most four bytes, and all but its first are continuation bytes.
    length = pl.lit(RAW_BYTES - 3)
    for spare in (2, 1, 0):
        next_byte = content.bin.slice(RAW_BYTES - spare, 1)
        continues = (next_byte >= b"\x80") & (next_byte < b"\xc0")
        length = pl.when(continues).then(length).otherwise(pl.lit(RAW_BYTES - spare))
    return pl.when(is_long).then(content.bin.slice(0, length).cast(pl.String)).otherwise(text)
