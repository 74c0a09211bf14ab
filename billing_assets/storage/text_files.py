"""Text files in bounded memory: decompressed piece by piece, cut into lines, whatever the lines are."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterable, Iterator

import polars as pl
import zstandard

from billing_assets.ingestion.readings import LINES, RAW_BYTES
from billing_assets.ingestion.reasons import Reason
from billing_assets.storage.sources import Compression
from billing_assets.wording import worded

CHUNK_BYTES = 16 * 1024 * 1024
MAX_LINE_BYTES = 1024 * 1024
"""A longer line is rejected (`line_too_long`); no more of it than this is ever held."""

_PIECE_BYTES = 4 * 1024 * 1024
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class DamagedFile(Exception):
    """The file as a whole cannot be read: nothing of it is ingested. The text says what was found."""


def decompressed(pieces: Iterable[bytes], compression: Compression) -> Iterator[bytes]:
    """The content of a file; several gzip members or zstd frames follow each other. Raises DamagedFile."""
    match compression:
        case Compression.NONE:
            return iter(pieces)
        case Compression.GZIP:
            return _gunzipped(pieces)
        case Compression.ZSTD:
            return _unzstd(pieces)


def _gunzipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    member, started = zlib.decompressobj(wbits=31), False
    try:
        for piece in pieces:
            rest = piece
            while rest:
                if member.eof:
                    # Zero bytes may pad the end of a gzip file.
                    rest = rest.lstrip(b"\0")
                    if not rest:
                        break
                    member = zlib.decompressobj(wbits=31)
                started = True
                yield member.decompress(rest, _PIECE_BYTES)
                rest = member.unused_data if member.eof else member.unconsumed_tail
    except zlib.error as error:
        raise DamagedFile(f"damaged gzip file: {error}") from error
    _complete(member.eof, started, "gzip")


def _unzstd(pieces: Iterable[bytes]) -> Iterator[bytes]:
    frame, started = zstandard.ZstdDecompressor().decompressobj(), False
    try:
        for piece in pieces:
            # A kilobyte makes at most 32 MiB of output, however well it was compressed.
            for position in range(0, len(piece), _ZSTD_STEP):
                rest = piece[position : position + _ZSTD_STEP]
                while rest:
                    if frame.eof:
                        frame = zstandard.ZstdDecompressor().decompressobj()
                    started = True
                    yield frame.decompress(rest)
                    rest = frame.unused_data if frame.eof else b""
    except zstandard.ZstdError as error:
        raise DamagedFile(f"damaged zstd file: {error}") from error
    _complete(frame.eof, started, "zstd")


_ZSTD_STEP = 1024


def _complete(ended: bool, started: bool, name: str) -> None:
    # An empty file has no member at all, and no rows; a member that has begun must end.
    if started and not ended:
        raise DamagedFile(f"truncated {name} file: its end is missing")


def line_chunks(pieces: Iterable[bytes]) -> Iterator[pl.DataFrame]:
    """`LINES` of a text file, a chunk of some megabytes at a time; blank lines are left out but counted.

    Lines end with a line feed, the last one also without. A byte order mark at the start is no part of the first line.
    """
    first_line = 1
    for chunk in whole_lines(without_mark(pieces)):
        match chunk:
            case bytes():
                yield _lines(chunk, first_line)
                first_line += chunk.count(b"\n")
            case LongLine():
                yield _rejected([(first_line, chunk.start, Reason.LINE_TOO_LONG, chunk.found)])
                first_line += 1


class LongLine:
    """A line over the limit: its first bytes and its length."""

    def __init__(self, start: bytes) -> None:
        self.start = start[:RAW_BYTES]
        self.length = len(start)

    @property
    def found(self) -> str:
        return f"{self.length} bytes"


def without_mark(pieces: Iterable[bytes]) -> Iterator[bytes]:
    start = b""
    rest = iter(pieces)
    for piece in rest:
        start += piece
        if len(start) >= len(_BYTE_ORDER_MARK):
            break
    yield start.removeprefix(_BYTE_ORDER_MARK)
    yield from rest


def whole_lines(pieces: Iterable[bytes]) -> Iterator[bytes | LongLine]:
    """Blocks of whole lines, and long lines apart."""
    held: list[bytes] = []
    size = 0
    long: LongLine | None = None
    for piece in pieces:
        rest = piece
        if long is not None:
            end = rest.find(b"\n")
            long.length += len(rest) if end < 0 else end
            if end < 0:
                continue
            yield long
            long, rest = None, rest[end + 1 :]
        end = rest.rfind(b"\n")
        if end >= 0 and size + end + 1 >= CHUNK_BYTES:
            yield b"".join([*held, rest[: end + 1]])
            held, rest, size = [], rest[end + 1 :], 0
        held.append(rest)
        size += len(rest)
        tail = _tail(held)
        if tail is not None:
            block, line = tail
            if block:
                yield block
            long, held, size = LongLine(line), [], 0
    if long is not None:
        yield long
    elif size:
        yield b"".join(held)


def _tail(held: list[bytes]) -> tuple[bytes, bytes] | None:
    """The lines before an unfinished one that is over the limit, and that one; None where there is no such line."""
    length = 0
    for piece in reversed(held):
        end = piece.rfind(b"\n")
        length += len(piece) - end - 1
        if end >= 0:
            break
    if length <= MAX_LINE_BYTES:
        return None
    block = b"".join(held)
    return block[: len(block) - length], block[len(block) - length :]


def _lines(block: bytes, first_line: int) -> pl.DataFrame:
    try:
        block.decode()
    except UnicodeDecodeError:
        return _mixed_lines(block, first_line)
    numbered = pl.scan_lines(io.BytesIO(block), name="line", row_index_name="row", row_index_offset=first_line)
    too_long = pl.col("line").str.len_bytes() > MAX_LINE_BYTES
    return (
        numbered.filter(pl.col("line").str.contains(r"[^ \t\r]"))
        .select(
            pl.col("row").cast(pl.Int64).alias("source_line"),
            "line",
            pl.when(too_long).then(pl.lit(Reason.LINE_TOO_LONG.value)).alias("reason"),
            pl.when(too_long).then(worded("{} bytes", pl.col("line").str.len_bytes())).alias("detail"),
        )
        .collect()
        .match_to_schema(LINES)
    )


def _mixed_lines(block: bytes, first_line: int) -> pl.DataFrame:
    """Lines of a block that is not all UTF-8: the good ones as they are, the others rejected."""
    good: list[bytes] = []
    bad: list[tuple[int, bytes, Reason, str]] = []
    for line_no, line in enumerate(block.split(b"\n"), first_line):
        try:
            line.decode()
            good.append(line)
        except UnicodeDecodeError as error:
            found = f"byte 0x{line[error.start]:02x} at position {error.start + 1}"
            bad.append((line_no, line[:RAW_BYTES], Reason.INVALID_UTF8, found))
            good.append(b"")
    return pl.concat([_lines(b"\n".join(good), first_line), _rejected(bad)])


def _rejected(lines: list[tuple[int, bytes, Reason, str]]) -> pl.DataFrame:
    texts = [(number, raw.decode(errors="replace"), reason.value, detail) for number, raw, reason, detail in lines]
    return pl.DataFrame(texts, schema=LINES, orient="row")
