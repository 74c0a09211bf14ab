"""What must hold for whatever bytes an event file or a catalog consists of, through the commands themselves."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import re
import shutil
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import zstandard

from billing_assets.cli import main
from billing_assets.storage.lake import Lake
from billing_assets_tests.ingestion.workbench import ingest

STACK = re.compile(r"Traceback \(most|panicked at|stack backtrace|billing: unexpected")
COUNTS = ("rows", "accepted", "duplicates", "rejected")


def wrong_with_files(files: Mapping[str, bytes]) -> list[str]:
    """What is wrong after the files were read as one batch; nothing where each row of each is accounted for."""
    found = ingest(files)
    wrong = [] if found.reconciles() else [f"{found.files.select('source_file', *COUNTS).rows()} do not add up"]
    return wrong + wrong_counts(files, found.files)


def wrong_counts(files: Mapping[str, bytes], counted: pl.DataFrame) -> list[str]:
    """Files of lines that were taken with another count of rows than they have lines; grain: a file."""
    rows = {row["source_file"]: row for row in counted.iter_rows(named=True)}
    wrong = [f"{name} has no row in ingested_files" for name in files if name not in rows]
    for name, content in files.items():
        expected = line_count(name, content)
        if name in rows and expected is not None:
            read = None if rows[name]["detail"] is not None else rows[name]["rows"]
            wrong += [] if read == expected else [f"{name}: {read} rows of {expected} lines"]
    return wrong


def line_count(name: str, content: bytes) -> int | None:
    """Lines of a JSON Lines file that are not blank; None where it cannot be unpacked, or is of another format."""
    if ".jsonl" not in name and ".ndjson" not in name:
        return None
    try:
        text = _unpacked(name, content)
    except (OSError, EOFError, zlib.error, zstandard.ZstdError):
        return None
    text = text.removeprefix(b"\xef\xbb\xbf")
    return sum(1 for one in text.split(b"\n") if one.strip(b" \t\r"))


def _unpacked(name: str, content: bytes) -> bytes:
    if name.endswith(".gz"):
        return gzip.decompress(content)
    if name.endswith(".zst"):
        text = b""
        while content:
            frame = zstandard.ZstdDecompressor().decompressobj()
            text += frame.decompress(content)
            if not frame.eof:
                raise EOFError
            content = frame.unused_data
        return text
    return content


def wrong_with_ingest(project: Path, files: Mapping[str, bytes], now: str) -> list[str]:
    """The same through `billing ingest`, in a project whose lake is new: exit codes and tables."""
    for name, content in files.items():
        path = project / "events" / name
        path.write_bytes(content)
        os.utime(path, (0, 1_791_633_600))
    code, said = run("ingest", "--now", now, *places(project))
    wrong = [f"exit code {code}: {said}"] if code not in (0, 1) or STACK.search(said) else []
    lake = Lake(project / "lake")
    counted = lake.collect(lake.scan("ingested_files"))
    wrong += wrong_counts(files, counted)
    tables = {"accepted": "events", "duplicates": "duplicate_events", "rejected": "rejected_events"}
    stored = {name: lake.collect(lake.scan(table).select(pl.len())).item() for name, table in tables.items()}
    stated = {name: counted[name].sum() for name in tables}
    refused = counted.filter(pl.col("detail").is_not_null()).height
    wrong += [] if stored == stated else [f"tables have {stored}, ingested_files says {stated}"]
    return wrong + ([] if code == bool(refused) else [f"exit code {code} with {refused} files refused"])


def wrong_with_catalog(content: bytes, lake: Path | None = None, now: str = "2026-03-03") -> list[str]:
    """What is wrong where `billing validate` meets the catalog, and `billing draft` one that it finds valid."""
    with TemporaryDirectory() as directory:
        (Path(directory) / "catalog.yaml").write_bytes(content)
        code, said = run("validate", "--catalog", directory)
        wrong = [f"validate exits with {code}: {said}"] if code not in (0, 1) or STACK.search(said) else []
        if code == 0 and lake is not None:
            given = ("--catalog", directory, "--lake", str(lake), "--events", directory, "--now", now)
            code, said = run("draft", *given)
            wrong += [f"draft exits with {code}: {said}"] if code not in (0, 1, 3) or STACK.search(said) else []
    return wrong


def places(project: Path) -> Sequence[str]:
    return [text for name in ("catalog", "events", "lake") for text in (f"--{name}", str(project / name))]


def run(*arguments: str) -> tuple[int, str]:
    """Exit code of a command in this process, and all that it said."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = main(arguments)
    return code, said.getvalue()


def emptied(project: Path) -> Path:
    """The project without lake and event files."""
    shutil.rmtree(project / "lake", ignore_errors=True)
    for path in (project / "events").iterdir():
        path.unlink()
    return project
