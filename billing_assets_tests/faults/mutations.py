"""Valid event files and catalogs, and what may become of them on the way: Hypothesis strategies."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import polars as pl
import yaml
import zstandard
from hypothesis import strategies as st

from billing_assets_tests.ingestion.workbench import event, line, lines

TOKENS = (
    *(b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\r", b"\r\n", b"\n\n", b'"', b"\\", b",", b"{", b"}", b"[]", b"null"),
    *(b"NaN", b"-Infinity", b"1e400", b"-0", b"0.1e-40", b"9" * 60, b'"\\ud800"', b'"\\u0000"', b"true", b": {}"),
    *(
        b"2026-02-30T00:00:00Z",
        b"2026-10-10T10:00:60Z",
        b"9999-12-31T23:59:59.999999999Z",
        b"0001-01-01T00:00:00+14:00",
    ),
    *(b"[" * 3000, b'{"a":' * 3000, b"properties.tokens", b"transaction_id", b"\xe2\x80\xa8", b" " * 70_000),
)
VALUES = (None, True, "", " ", "\x00", "no such id", -1, 0, 10**40, [], {}, [[]], "2026-13-01", "2026-01-01", "1e999")
SAMPLE = [
    event("a", properties={"model": "large", "tokens": 12}),
    event("b", customer_id="globex", properties={"model": "ünïcödé", "tokens": "12.5", "flag": True}),
    event("c", properties={"tokens": 0.1, "none": None}),
    event("a", properties={"model": "other", "tokens": 1}),
    event("d", timestamp="2026-10-10T12:00:00+02:00"),
    event("e", timestamp="2020-10-10T12:00:00Z"),
]


def _cloud(given: Mapping[str, Any]) -> dict[str, Any]:
    names = {"transaction_id": "id", "customer_id": "subject", "event_type": "type", "timestamp": "time"}
    sent = {names[key]: value for key, value in given.items() if key in names}
    return {"specversion": "1.0", "source": "tests", **sent, "data": given["properties"]}


def _json_lines() -> bytes:
    return lines(*(json.dumps(one, ensure_ascii=False).encode() for one in SAMPLE), b"", line("z"))


def _cloud_lines() -> bytes:
    return lines(*(json.dumps(_cloud(one)).encode() for one in SAMPLE))


def _frame() -> pl.DataFrame:
    return pl.DataFrame([{**one, "properties": json.dumps(one["properties"])} for one in SAMPLE])


def _parquet(frame: pl.DataFrame) -> bytes:
    target = io.BytesIO()
    frame.write_parquet(target)
    return target.getvalue()


def _typed() -> pl.DataFrame:
    """Properties as a struct, the timestamp as one, and numbers of several kinds."""
    rows = [{**one, "properties": {"model": "m", "tokens": float(number)}} for number, one in enumerate(SAMPLE)]
    return pl.DataFrame(rows).with_columns(pl.col("timestamp").str.to_datetime(time_zone="UTC"))


def _columns() -> bytes:
    flat = [{**one, "properties.model": "m", "properties.tokens": number} for number, one in enumerate(SAMPLE)]
    return pl.DataFrame(flat).drop("properties").write_csv().encode()


VALID: Mapping[str, bytes] = {
    "plain.jsonl": _json_lines(),
    "cloud.ndjson": _cloud_lines(),
    "text.csv": _frame().write_csv().encode(),
    "columns.csv": _columns(),
    "text.parquet": _parquet(_frame()),
    "typed.parquet": _parquet(_typed()),
}
"""Event files of every format, by a name that says it."""
PACKERS: Mapping[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": lambda content: gzip.compress(content, mtime=0),
    ".zst": zstandard.ZstdCompressor().compress,
}


@st.composite
def event_files(draw: st.DrawFn) -> tuple[str, bytes]:
    """Name and bytes of a file that was valid before some bytes of it were changed, before or after it was packed."""
    name = draw(st.sampled_from(sorted(VALID)))
    packing = "" if name.endswith("parquet") else draw(st.sampled_from(sorted(PACKERS)))
    inside = draw(changed(VALID[name])) if draw(st.booleans()) or not packing else VALID[name]
    packed = PACKERS[packing](inside)
    outside = draw(changed(packed)) if packing and inside == VALID[name] else packed
    return name + packing, outside


@st.composite
def changed(draw: st.DrawFn, content: bytes) -> bytes:
    """The content after one to four changes."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.integers(0, 40)))
        match draw(st.sampled_from(("cut", "repeat", "token", "bytes", "flip", "truncate"))):
            case "cut":
                content = content[:start] + content[end:]
            case "repeat":
                content = content[:end] + content[start:]
            case "token":
                content = content[:start] + draw(st.sampled_from(TOKENS)) + content[end:]
            case "bytes":
                content = content[:start] + draw(st.binary(max_size=12)) + content[end:]
            case "flip" if start < len(content):
                flipped = content[start] ^ (1 << draw(st.integers(0, 7)))
                content = content[:start] + bytes([flipped]) + content[start + 1 :]
            case _:
                content = content[:start]
    return content


@st.composite
def catalog_texts(draw: st.DrawFn, text: str) -> bytes:
    """The bytes of a catalog after changes of its text, or of its structure."""
    if draw(st.booleans()):
        return draw(changed(text.encode()))
    tree = yaml.safe_load(text)
    for _ in range(draw(st.integers(1, 3))):
        _change(draw, tree)
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True).encode()


def _change(draw: st.DrawFn, tree: Any) -> None:
    """One member of the tree taken away, repeated, renamed, or replaced by a value from elsewhere."""
    places = list(_places(tree))
    if not places:
        return
    parent, key = draw(st.sampled_from(places))
    match draw(st.sampled_from(("drop", "value", "other", "repeat", "rename"))):
        case "drop":
            del parent[key]
        case "value":
            parent[key] = deepcopy(draw(st.sampled_from(VALUES)))
        case "other":
            source, name = draw(st.sampled_from(places))
            parent[key] = deepcopy(source[name])
        case "repeat" if isinstance(parent, list):
            parent.append(deepcopy(parent[key]))
        case _ if isinstance(parent, dict):
            parent[draw(st.sampled_from(sorted({str(name) for _, name in places})))] = parent.pop(key)
        case _:
            parent.insert(0, deepcopy(parent[key]))


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of a tree of lists and mappings."""
    own = [(tree, key) for key in (tree if isinstance(tree, dict) else range(len(tree)))]
    below = [_places(parent[key]) for parent, key in own if isinstance(parent[key], dict | list)]
    return own + [place for places in below for place in places]
