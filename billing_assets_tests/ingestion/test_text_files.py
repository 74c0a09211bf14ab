"""Lines of text files: compression, damage, line ends, and lines of any length in bounded memory."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Iterator

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_assets.storage.sources import Compression
from billing_assets.storage.text_files import MAX_LINE_BYTES, DamagedFile, decompressed, line_chunks
from billing_assets_tests.ingestion.workbench import ingest, line, lines

TWO = lines(line("1"), line("2"))


def zstd(content: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(content)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("e.jsonl.gz", gzip.compress(TWO, mtime=0)),
        ("e.jsonl.zst", zstd(TWO)),
        ("members.ndjson.gz", gzip.compress(lines(line("1")), mtime=0) + gzip.compress(lines(line("2")), mtime=0)),
        ("frames.jsonl.zst", zstd(TWO[:100]) + zstd(TWO[100:])),
        ("padded.jsonl.gz", gzip.compress(TWO, mtime=0) + b"\0" * 100),
        ("crlf.jsonl", TWO.replace(b"\n", b"\r\n")),
        ("mark.jsonl", b"\xef\xbb\xbf" + TWO),
        ("no_end.jsonl", TWO[:-1]),
        ("blank.jsonl", b"\n\r\n" + TWO.replace(b"\n", b"\n \t\n")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_is_its_lines(name: str, content: bytes) -> None:
    got = ingest({name: content})
    assert got.events.get_column("transaction_id").to_list() == ["1", "2"]
    assert got.files.select("rows", "detail").row(0) == (2, None)


def test_blank_lines_count_as_lines_but_are_no_rows() -> None:
    got = ingest({"e.jsonl": b"\n\n" + line("1") + b"\n   \n" + line("2")})
    assert got.events.select("transaction_id", "source_line").rows() == [("1", 3), ("2", 5)]


@pytest.mark.parametrize(
    ("name", "content", "detail"),
    [
        ("e.jsonl.gz", gzip.compress(TWO, mtime=0)[:-9], "truncated gzip file: its end is missing"),
        ("e.jsonl.gz", gzip.compress(TWO * 50_000, mtime=0)[:10_000], "truncated gzip file: its end is missing"),
        ("e.jsonl.gz", gzip.compress(TWO, mtime=0)[:-8] + b"\0" * 8, "damaged gzip file: Error -3"),
        ("e.jsonl.gz", TWO, "damaged gzip file: Error -3"),
        ("e.jsonl.gz", gzip.compress(TWO, mtime=0) + b"rest", "damaged gzip file: Error -3"),
        ("e.jsonl.zst", zstd(TWO)[:-3], "truncated zstd file: its end is missing"),
        ("e.jsonl.zst", TWO, "damaged zstd file: "),
        ("e.csv.gz", gzip.compress(b"a,b\n1,2\n", mtime=0)[:-1], "truncated gzip file: its end is missing"),
    ],
)
def test_a_damaged_file_is_refused_as_a_whole(name: str, content: bytes, detail: str) -> None:
    got = ingest({name: content, "good.jsonl": line("good")})
    assert got.events.get_column("transaction_id").to_list() == ["good"]
    assert got.reasons == []
    (row,) = (row for row in got.files.iter_rows(named=True) if row["source_file"] == name)
    assert row["rows"] == 0
    assert row["detail"].startswith(detail)


@pytest.mark.parametrize("compression", [Compression.GZIP, Compression.ZSTD])
def test_an_empty_file_is_no_damage(compression: Compression) -> None:
    assert b"".join(decompressed(iter([]), compression)) == b""


def test_a_line_of_100_mb_is_one_reject_in_bounded_memory() -> None:
    def pieces() -> Iterator[bytes]:
        yield line("1") + b'\n{"x": "'
        for _ in range(100):
            yield b"y" * 1_000_000
        yield b'"}\n' + line("2")

    tracemalloc.start()
    chunks = list(line_chunks(pieces()))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    rows = [row for chunk in chunks for row in chunk.iter_rows(named=True)]
    assert [(row["source_line"], row["reason"], row["detail"]) for row in rows] == [
        (1, None, None),
        (2, "line_too_long", "100000009 bytes"),
        (3, None, None),
    ]
    assert len(rows[1]["line"]) == 64 * 1024
    assert peak < 20_000_000


@pytest.mark.parametrize("position", ["first", "middle", "last", "only"])
def test_a_long_line_leaves_its_neighbours_alone(position: str) -> None:
    long = b"x" * 5_000_000
    before, after = position in ("middle", "last"), position in ("middle", "first")
    got = ingest({"e.jsonl.gz": gzip.compress(b"\n".join([line("b")] * before + [long] + [line("a")] * after), 1)})
    assert got.rejected.select("reason", "source_line", "detail").rows() == [
        ("line_too_long", 1 + before, "5000000 bytes")
    ]
    assert got.rejected.get_column("raw").str.len_bytes().item() == 64 * 1024
    assert sorted(got.events.get_column("transaction_id")) == ["a"] * after + ["b"] * before


@pytest.mark.parametrize("character", ["é", "€", "😀"])
@pytest.mark.parametrize("shift", range(4))
def test_the_raw_text_is_cut_at_a_character(character: str, shift: int) -> None:
    text = "a" * shift + character * 40_000
    raw = ingest({"e.jsonl": text.encode()}).rejected.get_column("raw").item()
    width = len(character.encode())
    assert raw == text[: shift + (64 * 1024 - shift) // width]


def test_the_limit_is_inside() -> None:
    start, end = b'{"transaction_id": "', b'"}'
    exact = start + b"x" * (MAX_LINE_BYTES - len(start) - len(end)) + end
    assert ingest({"e.jsonl": exact}).reasons == ["missing_field"]
    assert ingest({"e.jsonl": exact + b" "}).reasons == ["line_too_long"]


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from([b"a", b"\n", b"\r\n", b" ", b"\xff", b"\xc3\xa9", b"\xef\xbb\xbf", b"bcd"])),
    st.integers(1, 5),
)
def test_the_cut_into_pieces_changes_nothing(parts: list[bytes], step: int) -> None:
    content = b"".join(parts)
    whole = [row for chunk in line_chunks([content]) for row in chunk.rows()]
    pieces = [content[start : start + step] for start in range(0, len(content), step)]
    assert [row for chunk in line_chunks(pieces) for row in chunk.rows()] == whole


def test_damage_is_an_exception_of_the_reader() -> None:
    with pytest.raises(DamagedFile, match="truncated"):
        list(decompressed([gzip.compress(b"x" * 100, mtime=0)[:-1]], Compression.GZIP))
