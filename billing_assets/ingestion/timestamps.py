"""RFC 3339 timestamps to UTC."""

from __future__ import annotations

import polars as pl

_RFC_3339 = (
    r"^[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])[Tt ]"
    r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?"
    r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])$"
)


def utc(text: pl.Expr) -> pl.Expr:
    """The instant that `text` names, as TIMESTAMP; null where it is no RFC 3339 timestamp with an offset.

    Digits of the fraction beyond the sixth are cut off, never rounded, so that no event moves into a later hour. Days
    that do not exist, `24:00`, second 60 and a missing offset give null. `-00:00` is UTC.
    """
    valid = pl.when(text.str.contains(_RFC_3339)).then(text)
    clock = pl.concat_str(valid.str.slice(0, 10), pl.lit("T"), valid.str.slice(11, 8))
    local = clock.str.to_datetime("%Y-%m-%dT%H:%M:%S", time_unit="us", strict=False)
    fraction = valid.str.extract(r"\.([0-9]{1,6})", 1).str.pad_end(6, "0").cast(pl.Int64).fill_null(0)
    instant = local + pl.duration(microseconds=fraction, time_unit="us") - _offset(valid)
    return instant.dt.replace_time_zone("UTC")


def _offset(text: pl.Expr) -> pl.Expr:
    numeric = pl.when(~text.str.contains("[Zz]$")).then(text.str.tail(6))
    minutes = numeric.str.slice(1, 2).cast(pl.Int64) * 60 + numeric.str.slice(4, 2).cast(pl.Int64)
    signed = pl.when(numeric.str.starts_with("-")).then(-minutes).otherwise(minutes)
    return pl.duration(minutes=signed.fill_null(0), time_unit="us")
